"""`Applier`: one database's replication (or that of all databases), started and stopped by users.

It owns at most one task: an initial synchronisation, the endless tailing, or the first followed by
the second. Configuration and position are stored, so a restart goes on where it was.
Source: follower 6.7, 6.8, 7.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from arangorep.clock import iso_time, stopwatch_s
from arangorep.codec import msgpack
from arangorep.errors import (
    ApplierRunning,
    ApplierStopped,
    ArangoError,
    CollectionNotFound,
    CursorNotFound,
    InternalError,
    InvalidApplierConfiguration,
    Locked,
    NoResponse,
    NoStartTick,
    StartTickNotPresent,
)
from arangorep.follower.config import ApplierConfig
from arangorep.follower.initial import InitialSyncer, SyncResult
from arangorep.follower.leader import Leader
from arangorep.follower.progress import INACTIVE, INITIAL, RUNNING, SHUTDOWN, Progress, TickState
from arangorep.follower.site import Site
from arangorep.follower.tailing import TailingSyncer
from arangorep.follower.transport import HttpTransport, Transport
from arangorep.limits import SHORT_RUN_S
from arangorep.storage import keys
from arangorep.values.database import SYSTEM_DATABASE

log = logging.getLogger("arangorep.follower")

Connect = Callable[[ApplierConfig], Transport]


class Applier:
    """`database` is the local database's name, "" for the global applier."""

    def __init__(
        self, site: Site, database: str, database_id: int, connect: Connect = HttpTransport
    ) -> None:
        self.site = site
        self.database = database
        self._database_id = database_id
        self._connect = connect
        self._config_key = keys.APPLIER_CONFIG + keys.u64(database_id)
        self._state_key = keys.APPLIER_STATE + keys.u64(database_id)
        self.progress = Progress(site.clock)
        self.config, self.ticks = ApplierConfig(database=database), TickState()
        self._load()
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._replacing = asyncio.Lock()
        self._syncing: asyncio.Task[SyncResult] | None = None
        self._sync_config = self.config

    def _load(self) -> None:
        config = self.site.store.read_meta(self._config_key)
        if config is not None:
            self.config = ApplierConfig.unpack(msgpack.unpack(config))
        state = self.site.store.read_meta(self._state_key)
        if state is not None:
            self.ticks = TickState.unpack(state)

    @property
    def is_global(self) -> bool:
        return not self._database_id

    @property
    def is_active(self) -> bool:
        """Whether documents may arrive from the leader at any moment."""
        return self._task is not None or self._syncing is not None

    @property
    def is_known(self) -> bool:
        """Whether this applier was ever configured."""
        return bool(self.config.endpoint)

    def guards(self, collection: str) -> bool:
        """Whether users must not change this collection, because the leader does."""
        if not self.is_active:
            return False
        config = self.config if self._syncing is None else self._sync_config
        return not collection or config.replicates(collection)

    # -- configuration -----------------------------------------------------------------------------

    def configure(self, body: object) -> None:
        """Merge and store. Errors: 400/1411 while active; 400/1410; 400/10."""
        if self._task is not None:
            raise ApplierRunning
        config = self.config.merged(body, database=self.database)
        config.check_endpoint()
        self._store_config(config)

    def _store_config(self, config: ApplierConfig) -> None:
        self.config = config
        self.site.store.write_meta({self._config_key: msgpack.pack(config.pack())})

    def _store_ticks(self) -> None:
        self.site.store.write_meta({self._state_key: self.ticks.pack()})

    # -- start and stop ----------------------------------------------------------------------------

    def start(self, from_tick: int | None = None) -> None:
        """Begin to tail, from a tick or from the stored position. Nothing happens when active.

        Errors: 500/28 while a `sync` runs; 400/1410 without an endpoint.
        """
        if self._task is not None:
            return
        if self._syncing is not None:
            raise Locked("locked: an initial synchronisation is running")
        try:
            self.config.check_endpoint()
            if not self.is_global and not self.config.database:
                raise InvalidApplierConfiguration("invalid applier configuration: no database")
        except InvalidApplierConfiguration as error:
            self.progress.fail(error)
            raise
        self.progress.clear_error()
        if from_tick is not None:
            self.ticks = TickState(applied=from_tick)
            self._store_ticks()
        self._begin(with_initial=self.ticks.initial, is_new_start=from_tick is not None)

    async def follow(self, body: object) -> None:
        """`make-follower`: stop, forget everything, configure, synchronise, tail.

        Returns when that has begun. Errors: 400/1410; 400/10.
        """
        config = parse_follower_config(body, self.database)
        async with self._replacing:
            await self.stop()
            self._forget_state()
            self._store_config(config)
            self.ticks.initial = True
            self._store_ticks()
            self._begin(with_initial=True, is_fresh=True)

    def start_at_launch(self) -> None:
        """Go on where the last process stopped, when the configuration says so."""
        if self.config.autoStart and (self.ticks.applied or self.ticks.initial):
            with contextlib.suppress(ArangoError):
                self.start()

    def _begin(
        self, *, with_initial: bool, is_fresh: bool = False, is_new_start: bool = False
    ) -> None:
        self.progress.phase = INITIAL if with_initial else RUNNING
        self._settled.clear()
        self.progress.started = self.progress.started or iso_time(self.site.clock.wall_us())
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._run(with_initial, is_fresh, is_new_start))
        # not within the task: one that is stopped before its first step runs no line of its own
        self._task.add_done_callback(self._ended)

    def _ended(self, _: asyncio.Task[None]) -> None:
        self.progress.phase = INACTIVE
        self._task = None
        self._settled.set()

    def _sync_ended(self, _: asyncio.Task[SyncResult]) -> None:
        self._syncing = None

    async def stop(self) -> None:
        """Stop what runs, also a `sync`; returns when it has ended."""
        if self._task is not None:
            self.progress.phase = SHUTDOWN
        running = [task for task in (self._task, self._syncing) if task is not None]
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def forget(self) -> None:
        """Stop, then forget position and configuration."""
        async with self._replacing:
            await self.stop()
            self._forget_state()

    def _forget_state(self) -> None:
        self.config, self.ticks = ApplierConfig(database=self.database), TickState()
        self.progress = Progress(self.site.clock, started=self.progress.started)
        self.site.store.write_meta({self._config_key: None, self._state_key: None})

    async def settled(self) -> None:
        """Return when the phase is no longer `initial`."""
        await self._settled.wait()

    # -- one synchronisation -----------------------------------------------------------------------

    async def sync(self, config: ApplierConfig) -> SyncResult:
        """`PUT sync`: one initial synchronisation. Errors: 400/1411 while tailing; 500/28; 1412."""
        if self._syncing is not None and self._syncing.cancelling():
            await asyncio.wait([self._syncing])  # it only releases its batch
        if self._task is not None:
            raise ApplierRunning
        if self._syncing is not None:
            raise Locked("locked: an initial synchronisation is running")
        self._sync_config = config
        work = self._sync(config)
        self._syncing = task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._sync_ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise ApplierStopped from None
            task.cancel()  # the request itself was cancelled: let the batch be released first
            await asyncio.wait([task])
            raise

    async def _sync(self, config: ApplierConfig) -> SyncResult:
        leader = self._leader(config)
        # cut off half way it leaves what no log can mend: the applier would have to begin anew
        is_followed = bool(self.ticks.applied)
        if is_followed:
            self.ticks.initial = True
            self._store_ticks()
        try:
            result = await self._initial(leader, config, is_resumed=False)
            if is_followed:
                self.ticks.initial = False
                self.ticks.settled = max(self.ticks.settled, result.settled_tick)
                self._store_ticks()
            return result
        finally:
            await leader.close()

    def _leader(self, config: ApplierConfig) -> Leader:
        site = self.site
        database = config.database or self.database or SYSTEM_DATABASE
        return Leader(
            self._connect(config), database, site.store.server_id, self.progress, site.sleep
        )

    async def _initial(
        self, leader: Leader, config: ApplierConfig, *, is_resumed: bool
    ) -> SyncResult:
        syncer = InitialSyncer(
            self.site,
            leader,
            config,
            self.progress,
            self.database or SYSTEM_DATABASE,
            is_global=self.is_global,
            is_resumed=is_resumed,
        )
        return await syncer.run()

    # -- the task ----------------------------------------------------------------------------------

    async def _run(self, with_initial: bool, is_fresh: bool, is_new_start: bool) -> None:
        """Synchronise if asked to, tail, resync where allowed, until stopped or failed."""
        progress, config = self.progress, self.config
        try:
            leader = self._leader(config)
        except ArangoError as error:
            progress.fail(error)
            return
        try:
            await self._replicate(
                leader, with_initial, is_resumed=not is_fresh, is_new_start=is_new_start
            )
        except asyncio.CancelledError:
            progress.tell("stopped")
        except ArangoError as error:
            progress.fail(error)
            progress.tell(f"stopped: {error.message}")
            log.error("applier of '%s' stopped: %s", self.database or "all", error.message)
        except Exception as error:
            log.exception("applier of '%s' failed", self.database or "all")
            progress.fail(InternalError(f"internal error: {type(error).__name__}: {error}"))
        finally:
            await leader.close()

    async def _replicate(
        self, leader: Leader, with_initial: bool, *, is_resumed: bool, is_new_start: bool
    ) -> None:
        short_runs = 0
        while True:
            if with_initial:
                await self._resync(leader, is_resumed=is_resumed)
                self.progress.phase = RUNNING
            self._settled.set()
            started_s = stopwatch_s()
            try:
                await self._tailing(leader, is_new_start=is_new_start or with_initial).run()
            except (StartTickNotPresent, CollectionNotFound, NoStartTick) as error:
                self.ticks.applied = 0
                self._store_ticks()
                short_runs = short_runs + 1 if stopwatch_s() - started_s < SHORT_RUN_S else 0
                if not self.config.autoResync or short_runs > self.config.autoResyncRetries:
                    raise
                log.warning("resyncing '%s': %s", self.database or "all", error.message)
                self.progress.resyncs += 1
                self.progress.fail(error)
                with_initial, is_resumed = True, True

    async def _resync(self, leader: Leader, *, is_resumed: bool) -> None:
        self.progress.phase = INITIAL
        self.ticks.initial = True
        self._store_ticks()
        result = await self._persistent_initial(leader, is_resumed=is_resumed)
        assert leader.state is not None
        self.ticks.server_id = leader.state.server_id
        self.ticks.applied = result.last_tick
        self.ticks.settled = result.settled_tick
        self.ticks.initial = False
        self._store_ticks()
        self.progress.clear_error()

    async def _persistent_initial(self, leader: Leader, *, is_resumed: bool) -> SyncResult:
        """An initial synchronisation; one that goes on from before waits for its leader."""
        failures = 0
        while True:
            try:
                return await self._initial(leader, self.config, is_resumed=is_resumed)
            except (NoResponse, CursorNotFound) as error:
                failures += 1
                if not is_resumed or failures > self.config.maxConnectRetries:
                    raise
                self.progress.failed_connects = failures
                self.progress.tell(f"{error.message}; trying again")
                await self.site.sleep(self.config.connectionRetryWaitTime)

    def _tailing(self, leader: Leader, *, is_new_start: bool) -> TailingSyncer:
        return TailingSyncer(
            self.site,
            leader,
            self.config,
            self.progress,
            self.ticks,
            self._state_key,
            self._database_id,
            is_new_start=is_new_start,
        )

    # -- answers -----------------------------------------------------------------------------------

    def describe(self, version: str) -> dict[str, Any]:
        """The answer of `applier-state`."""
        described: dict[str, Any] = {
            "state": self.progress.describe(self.ticks),
            "server": {"version": version, "serverId": str(self.site.store.server_id)},
        }
        if self.config.endpoint:
            described["endpoint"] = self.config.endpoint
        if self.config.database:
            described["database"] = self.config.database
        return described


def parse_follower_config(body: object, database: str) -> ApplierConfig:
    """The configuration of `make-follower`: nothing is kept of an older one. Errors: 400/1410."""
    config = ApplierConfig().merged(body, database=database)
    config = replace(config, skipCreateDrop=False)
    config.check_endpoint()
    return config
