"""`InitialSyncer`: copies what the leader has, as of one batch.

Collections are created first, then loaded one after the other: whole by dump, or what differs by
revision tree or keys. Whatever is lost on the way (the connection, the batch, the leader itself) is
met by a new batch and goes on with the collection at hand, comparing what is already here. Local
documents are dropped only when the first chunk of their replacement has arrived.
Source: follower 2, 3.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from arangorep.clock import stopwatch_s
from arangorep.codec.json import json_text
from arangorep.data.collections import (
    drop_collection,
    make_way_for_name,
    rename_collection,
    restore_collection,
    restore_properties,
    truncate_collection,
)
from arangorep.data.databases import create_database, drop_database
from arangorep.data.indexes import drop_index, restore_index
from arangorep.data.views import make_way_for_view, restore_view
from arangorep.errors import (
    CollectionNotFound,
    CursorNotFound,
    DatabaseNotFound,
    LeaderError,
    NoResponse,
    NotImplementedHere,
    UniqueConstraintViolated,
)
from arangorep.follower.by_keys import KeySync
from arangorep.follower.config import ApplierConfig
from arangorep.follower.held_batch import HeldBatch
from arangorep.follower.incremental import RevisionSync
from arangorep.follower.inventory import (
    Entry,
    checked_database,
    collections_of,
    databases_of,
    entry_of,
    views_of,
)
from arangorep.follower.leader import DumpChunk, Leader
from arangorep.follower.lines import cut_documents
from arangorep.follower.loading import PROGRAM, BulkLoad
from arangorep.follower.progress import CollectionProgress, Progress
from arangorep.follower.site import Site
from arangorep.limits import (
    LOAD_WORKERS,
    OPEN_TRIES,
    SYNC_CHUNK_BYTES_MAX,
    SYNC_CHUNK_BYTES_MIN,
    SYNC_CHUNK_GROWTH,
    SYNC_CHUNK_SLOW_S,
)
from arangorep.pacing import drive
from arangorep.protocol.headers import DUMP_FROM
from arangorep.protocol.params import parse_number
from arangorep.storage.catalog import Collection, Database
from arangorep.values.view import ALIAS
from arangorep.workers.worker import Workers

USERS = "_users"
ANALYZERS = "_analyzers"
GONE = (CollectionNotFound.error_num, DatabaseNotFound.error_num)


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What was synchronised, by leader id, and the tick of the batch: where to tail from."""

    collections: list[dict[str, str]]
    last_tick: int
    settled_tick: int
    """The tick of the inventory: definitions here are already those of this moment."""


class InitialSyncer:
    """One initial synchronisation of one database, or of all (`is_global`)."""

    def __init__(
        self,
        site: Site,
        leader: Leader,
        config: ApplierConfig,
        progress: Progress,
        database: str,
        *,
        is_global: bool = False,
        is_resumed: bool = False,
    ) -> None:
        self._site = site
        self._leader = leader
        self._config = config
        self._progress = progress
        self._database = database
        self._is_global = is_global
        self._incremental = config.incremental or is_resumed
        self._chunk_bytes = config.chunk_bytes()
        self._held: HeldBatch | None = None
        self._all: list[Entry] = []
        self._settled_tick = 0
        self._worker: Workers | None = None

    async def run(self) -> SyncResult:
        """Errors: 500/1400, 1401, 1402, 1403, 1405; 404/1203."""
        self._progress.collections.clear()
        self._progress.tell("fetching the leader's state")
        if self._is_global:
            await self._leader.fetch_state()
        inventory = await self._open()
        assert self._held is not None
        tick = self._held.handle.tick
        try:
            if self._is_global:
                await self._all_databases(inventory)
            else:
                database = self._site.store.catalog.database(self._database)
                entries = self._entries(inventory, database)
                await self._one_database(self._leader, database, entries, inventory)
        finally:
            if self._worker is not None:
                await asyncio.shield(self._worker.close())
            held, self._held = self._held, None
            if held is not None:
                await asyncio.shield(held.close())
        done = sorted(self._all, key=lambda entry: entry.leader_id)
        listed = [] if self._is_global else [{"id": str(e.leader_id), "name": e.name} for e in done]
        return SyncResult(listed, tick, max(self._settled_tick, tick))

    async def _open(self) -> dict[str, Any]:
        """Take a batch and the inventory; once more when the leader lost the batch in between."""
        tries = OPEN_TRIES
        while True:
            held = await HeldBatch.open(
                self._leader, self._site.sleep, with_state=not self._is_global
            )
            try:
                self._progress.tell("fetching the inventory")
                inventory = await self._leader.inventory(
                    held.handle,
                    include_system=self._config.includeSystem,
                    include_foxx_queues=self._config.includeFoxxQueues,
                    is_global=self._is_global,
                )
            except CursorNotFound:
                await held.abandon()
                tries -= 1
                if not tries:
                    raise
                continue
            except BaseException:
                await asyncio.shield(held.close())
                raise
            self._held = held
            tick = inventory.get("tick")
            self._settled_tick = max(
                self._settled_tick, parse_number(tick) if isinstance(tick, str) else 0
            )
            return inventory

    # -- databases ------------------------------------------------------------

    async def _all_databases(self, inventory: dict[str, Any]) -> None:
        parts = [checked_database(part) for part in databases_of(inventory).values()]
        if not self._config.skipCreateDrop:
            await self._create_databases([part["name"] for part in parts])
        for part in parts:
            database = self._site.store.catalog.database(part["name"])
            entries = self._entries(part, database)
            if not self._config.skipCreateDrop:
                await self._drop_others(database, {entry.guid for entry in entries})
            leader = self._leader.in_database(part["name"])
            await self._one_database(leader, database, entries, part)

    async def _create_databases(self, names: list[str]) -> None:
        store = self._site.store
        async with self._site.write_lock:
            for name in names:
                if not store.catalog.has_database(name):
                    create_database(store, {"name": name})
            for database in list(store.catalog.databases):
                if database.info.name not in names and not database.info.is_system:
                    drop_database(store, database.info.name)

    async def _drop_others(self, database: Database, guids: set[str]) -> None:
        async with self._site.write_lock:
            for collection in list(database):
                if not collection.info.is_system and collection.info.guid not in guids:
                    drop_collection(self._site.store, database, collection, allow_system=False)

    def _entries(self, inventory: dict[str, Any], database: Database) -> list[Entry]:
        listed = collections_of(inventory)
        entries = [entry for one in listed if (entry := entry_of(one, self._config)) is not None]
        for entry in entries:
            entry.database_id = database.info.id
            self._progress.collections[entry.guid] = CollectionProgress(entry.name)
        self._all += entries
        # analyzers before everything that may use them
        return sorted(entries, key=lambda entry: entry.name != ANALYZERS)

    async def _one_database(
        self, leader: Leader, database: Database, entries: list[Entry], inventory: dict[str, Any]
    ) -> None:
        for entry in entries:
            async with self._site.write_lock:
                self._prepare(entry)
        for entry in entries:
            await self._survive(leader, entry)
            self._progress.collections[entry.guid].done = True
        await self._views(database, views_of(inventory))

    async def _views(self, database: Database, views: list[dict[str, Any]]) -> None:
        """Definitions only; views that are only here are kept (follower 2.7)."""
        if self._config.restrictCollections or self._config.skipCreateDrop:
            views = [view for view in views if view.get("type") == ALIAS]
        store = self._site.store
        for view in views:
            async with self._site.write_lock:
                if store.catalog.database_by_id(database.info.id) is not database:
                    return
                name = view.get("name")
                if isinstance(name, str) and database.named(name) is not None:
                    make_way_for_name(store, database, name)
                make_way_for_view(store, database, view)
                restore_view(store, database, view)

    def _prepare(self, entry: Entry) -> None:
        """Create what is missing; note what is to be replaced, but leave it alone yet."""
        store = self._site.store
        database = self._site.database(entry.database_id)
        present = database.by_guid(entry.guid)
        if present is not None and self._incremental:
            restore_properties(store, database, present, entry.parameters)
            self._rename(entry)
        elif present is not None:
            entry.is_replaced = entry.name == USERS or not self._config.skipCreateDrop
        elif database.named(entry.name) is not None:
            entry.is_replaced = True
        elif not self._config.skipCreateDrop:
            restore_collection(store, database, entry.parameters)

    # -- one collection ------------------------------------------------------------

    async def _survive(self, leader: Leader, entry: Entry) -> None:
        """Synchronise one collection; start again with a new batch when the old one is lost."""
        failures = 0
        while not entry.is_gone:
            fetched = self._progress.collections[entry.guid].documents
            try:
                await self._collection(leader, entry)
                return
            except (NoResponse, CursorNotFound) as error:
                if self._progress.collections[entry.guid].documents > fetched:
                    failures = 0
                failures += 1
                if failures > max(self._config.maxConnectRetries, 1):
                    raise
                self._progress.tell(f"{entry.name}: {error.message}; trying again")
                await self._renew_batch(failures)
            except LeaderError as error:
                if error.extra.get("leaderErrorNum") not in GONE:
                    raise
                entry.is_gone = True

    async def _renew_batch(self, failures: int) -> None:
        """Take a new batch as soon as the leader answers, and what exists now."""
        assert self._held is not None
        await self._held.abandon()
        while True:
            pause_s = min(self._config.connectionRetryWaitTime, 0.25 * 2 ** min(failures, 10))
            await self._site.sleep(pause_s)
            try:
                inventory = await self._open()
                break
            except (NoResponse, CursorNotFound):
                failures += 1
                if failures > max(self._config.maxConnectRetries, 1):
                    raise
        parts = [inventory]
        if self._is_global:
            parts = [checked_database(part) for part in databases_of(inventory).values()]
        async with self._site.write_lock:
            self._refresh(parts)

    def _refresh(self, parts: list[dict[str, Any]]) -> None:
        """Take over names, properties and indexes that have changed since the last inventory."""
        fresh: dict[tuple[int, str], Entry] = {}
        for part in parts:
            name = part["name"] if self._is_global else self._database
            if not self._site.store.catalog.has_database(name):
                continue
            database_id = self._site.store.catalog.database(name).info.id
            for one in collections_of(part):
                entry = entry_of(one, self._config)
                if entry is not None:
                    fresh[database_id, entry.guid] = entry
        for entry in self._all:
            now = fresh.get((entry.database_id, entry.guid))
            if now is None:
                entry.is_gone = True
                continue
            entry.name, entry.parameters = now.name, now.parameters
            # the log begins at the first batch and tells of younger unique indexes in their turn:
            # before that, documents that broke their rule would drive each other out
            known = {index.get("id") for index in entry.indexes}
            entry.indexes = [i for i in now.indexes if i.get("id") in known or not i.get("unique")]
            if not entry.is_replaced:
                self._rename(entry)

    def _rename(self, entry: Entry) -> None:
        database = self._site.database(entry.database_id)
        present = database.by_guid(entry.guid)
        if present is not None and present.info.name != entry.name:
            make_way_for_name(self._site.store, database, entry.name)
            rename_collection(self._site.store, database, present, {"name": entry.name})

    async def _collection(self, leader: Leader, entry: Entry) -> None:
        self._progress.tell(f"synchronising collection {entry.name}")
        database = self._site.database(entry.database_id)
        present = database.by_guid(entry.guid)
        if present is None and not entry.is_replaced:
            if self._config.skipCreateDrop:
                raise CollectionNotFound(f"collection or view not found: {entry.name}")
            entry.is_replaced = True
        if present is not None and not entry.is_replaced:
            async with self._site.write_lock:
                self._drop_foreign_indexes(entry)
        if present is not None and not entry.is_replaced and present.count:
            await self._compare(leader, entry, present)
        else:
            await self._dump(leader, entry)
        if not self._config.skipCreateDrop:
            await self._indexes(entry)

    async def _compare(self, leader: Leader, entry: Entry, present: Collection) -> None:
        assert self._held is not None
        batch, place = self._held.handle, (entry.database_id, entry.guid)
        progress = self._progress.collections[entry.guid]
        if present.info.sync_by_revision:
            sync = RevisionSync(self._site, leader, batch, *place)
            try:
                await sync.run()
                progress.documents += sync.fetched
                return
            except NotImplementedHere:
                pass  # the leader has no trees
        wait_s = self._config.initialSyncMaxWaitTime
        by_keys = KeySync(self._site, leader, batch, *place, wait_s)
        await by_keys.run()
        progress.documents += by_keys.fetched

    async def _dump(self, leader: Leader, entry: Entry) -> None:
        """Load all documents; the next chunk is on its way while one is stored."""
        progress = self._progress.collections[entry.guid]
        load: BulkLoad | None = None
        async with contextlib.AsyncExitStack() as stack:
            chunks = await stack.enter_async_context(
                contextlib.aclosing(self._chunks(leader, entry))
            )
            async for chunk in chunks:
                if entry.is_replaced:
                    async with self._site.write_lock:
                        self._replace(entry)
                if load is None and chunk.check_more and self._takes_bulk(entry):
                    load = await stack.enter_async_context(self._bulk(entry))
                before = 0 if load is None else load.documents
                if load is None:
                    place = (entry.database_id, entry.guid)
                    stored = await self._site.store_lines(*place, chunk.body)
                else:
                    await load.add(chunk.body)
                    stored = load.documents - before
                self._count(progress, stored, len(chunk.body))
            if load is not None:
                before = load.documents
                await load.finish()
                self._count(progress, load.documents - before, 0)

    def _count(self, progress: CollectionProgress, documents: int, size_bytes: int) -> None:
        progress.documents += documents
        progress.bytes += size_bytes
        self._progress.documents += documents

    def _takes_bulk(self, entry: Entry) -> bool:
        """Whether documents may go past log and indexes: a fresh collection has neither."""
        _, collection = self._site.collection(entry.database_id, entry.guid)
        enforced = any(index.has_entries for index in collection.info.indexes)
        engine = self._site.store.engine
        return not collection.count and not enforced and engine.load_directory is not None

    def _bulk(self, entry: Entry) -> BulkLoad:
        if self._worker is None:
            self._worker = Workers(PROGRAM, LOAD_WORKERS)
        return BulkLoad(self._site, self._worker, entry.database_id, entry.guid)

    async def _chunks(self, leader: Leader, entry: Entry) -> AsyncGenerator[DumpChunk, None]:
        ahead: asyncio.Task[DumpChunk] | None = asyncio.create_task(self._fetch(leader, entry, 0))
        try:
            while ahead is not None:
                chunk = await ahead
                ahead = None
                if chunk.check_more:
                    ahead = asyncio.create_task(self._fetch(leader, entry, chunk.last_included))
                yield chunk
        finally:
            if ahead is not None:
                ahead.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await ahead

    async def _fetch(self, leader: Leader, entry: Entry, after: int) -> DumpChunk:
        """One chunk. Asked for again, smaller, where the leader can find the place again."""
        assert self._held is not None
        tries = 2 if leader.has(DUMP_FROM) else 0
        if leader.has(DUMP_FROM):
            after = after or 1  # 0 would leave the place to the leader, which may have gone on
        while True:
            started_s = stopwatch_s()
            try:
                chunk = await leader.dump(
                    self._held.handle,
                    entry.asked_as,
                    after,
                    self._chunk_bytes,
                    include_system=self._config.includeSystem,
                )
                if leader.has(DUMP_FROM):
                    _check_end(chunk, json_text(entry.name))
            except NoResponse:
                # perhaps it was too much at once: documents may have tens of MiB
                self._chunk_bytes = max(self._chunk_bytes // 4, SYNC_CHUNK_BYTES_MIN)
                if not tries:
                    raise
                tries -= 1
                continue
            self._adapt(stopwatch_s() - started_s)
            return chunk

    def _adapt(self, took_s: float) -> None:
        if took_s > SYNC_CHUNK_SLOW_S:
            self._chunk_bytes = max(self._chunk_bytes // 2, SYNC_CHUNK_BYTES_MIN)
        else:
            grown = int(self._chunk_bytes * SYNC_CHUNK_GROWTH)
            self._chunk_bytes = min(grown, max(SYNC_CHUNK_BYTES_MAX, self._chunk_bytes))

    def _replace(self, entry: Entry) -> None:
        """Make room for the documents that have just arrived."""
        store = self._site.store
        database = self._site.database(entry.database_id)
        present = database.by_guid(entry.guid)
        if entry.name == USERS and present is not None:
            truncate_collection(store, database, present)
        else:
            for other in (present, database.named(entry.name)):
                if other is not None and database.by_guid(other.info.guid) is other:
                    drop_collection(store, database, other, allow_system=True)
            restore_collection(store, database, entry.parameters)
        entry.is_replaced = False

    # -- indexes ------------------------------------------------------------

    def _drop_foreign_indexes(self, entry: Entry) -> None:
        """Indexes that the leader does not have could refuse or evict its documents."""
        site = self._site
        database, collection = site.collection(entry.database_id, entry.guid)
        there = {(str(index.get("id")), index.get("name")) for index in entry.indexes}
        for index in collection.info.indexes:
            if (str(index.id), index.name) not in there:
                drop_index(site.store, database, collection, str(index.id))

    async def _indexes(self, entry: Entry) -> None:
        for index in entry.indexes:
            self._progress.tell(f"creating index {index.get('name')} of collection {entry.name}")
            async with self._site.write_lock:
                database, collection = self._site.collection(entry.database_id, entry.guid)
                work = restore_index(self._site.store, database, collection, index)
                # made after the batch over documents that came after it: the log tells of it again
                with contextlib.suppress(UniqueConstraintViolated):
                    await drive(work)


def _check_end(chunk: DumpChunk, name_json: bytes) -> None:
    """Errors: 500/1400 unless the last document is the one that the header names."""
    start = chunk.body.rfind(b"\n", 0, -1) + 1
    last = cut_documents([chunk.body[start:-1]], name_json).revisions if chunk.body else [0]
    if last != [chunk.last_included]:
        raise NoResponse("no response: the chunk of a dump lacks its end")
