"""What runs beside requests: syncing, expiring batches, saving trees, pruning the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from arangorep.backup.tasks import TaskType
from arangorep.data.expiry import remove_expired, ttl_indexes
from arangorep.leader.retention import prune_log
from arangorep.limits import (
    BATCH_SWEEP_INTERVAL_S,
    LOG_ARCHIVE_INTERVAL_S,
    LOG_PRUNE_INTERVAL_S,
    TREE_CHECKPOINT_INTERVAL_S,
    TTL_REMOVALS_MAX,
    TTL_SWEEP_INTERVAL_S,
)
from arangorep.pacing import drive, give_turn
from arangorep.server.node import Node
from arangorep.storage.catalog import Collection

log = logging.getLogger("arangorep.background")

Step = Callable[[], Awaitable[None]]


class Background:
    """The repeated steps of one node, each in a task of its own."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin all steps on the running loop."""
        loop = asyncio.get_running_loop()
        for step, interval_s in (
            (self._sync, self._node.config.sync_interval_ms / 1000),
            (self._sweep, BATCH_SWEEP_INTERVAL_S),
            (self._save_trees, TREE_CHECKPOINT_INTERVAL_S),
            (self._prune, LOG_PRUNE_INTERVAL_S),
            (self.expire, TTL_SWEEP_INTERVAL_S),
        ):
            self._tasks.append(loop.create_task(_repeat(step, interval_s)))
        if self._node.archiver is not None:
            self._tasks.append(loop.create_task(_repeat(self._archive, LOG_ARCHIVE_INTERVAL_S)))
        scheduled_s = self._node.config.snapshot_interval_s
        if scheduled_s is not None:
            self._tasks.append(loop.create_task(_repeat(self._snapshot, scheduled_s)))

    async def stop(self) -> None:
        """End all steps; a running one is cut at its next turn."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _sync(self) -> None:
        if self._node.store.unsynced:
            await self._node.services.group_sync.wait()

    async def _sweep(self) -> None:
        self._node.services.batches.sweep()
        self._node.services.cursors.sweep()
        self._node.services.dumps.sweep()
        self._node.services.streams.sweep()
        self._node.services.clients.sweep()

    async def _save_trees(self) -> None:
        await drive(self._node.store.checkpoint_trees())

    async def _archive(self) -> None:
        if self._node.archiver is not None:
            await self._node.archiver.step()

    async def _snapshot(self) -> None:
        runner = self._node.services.runner
        if not runner.is_busy_with(TaskType.SNAPSHOT):
            runner.enqueue(TaskType.SNAPSHOT, {})

    async def _prune(self) -> None:
        node = self._node
        archived = None if node.archiver is None else node.archiver.archived
        wall_us = node.clock.wall_us()
        prune_log(node.store, node.services.clients, node.config.retention, wall_us, archived)

    async def expire(self) -> None:
        """Remove what has expired; a follower's documents are its leader's business."""
        services = self._node.services
        left = TTL_REMOVALS_MAX[1]
        for collection in list(services.store.catalog.collections):
            if not ttl_indexes(collection):
                continue
            room = min(TTL_REMOVALS_MAX[0], left)
            while room > 0:
                async with services.write_lock:
                    removed = self._expire_some(collection, room)
                if not removed:
                    break
                room -= removed
                left -= removed
                await give_turn()

    def _expire_some(self, collection: Collection, documents_max: int) -> int:
        services = self._node.services
        store, info = services.store, collection.info
        if services.read_only or store.catalog.collection_by_id(info.id) is not collection:
            return 0
        database = store.catalog.database_by_id(info.database_id)
        if database is None or services.appliers.guards(database.info.name, info.name):
            return 0
        if not services.streams.is_open_for(info.id):
            return 0
        now_s = self._node.clock.wall_us() / 1_000_000
        return remove_expired(store, database, collection, now_s, documents_max)


async def _repeat(step: Step, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        try:
            await step()
        except asyncio.CancelledError:
            raise
        except Exception:
            # the next round tries again; a step that fails once must not end the others
            log.exception("a background step failed")
