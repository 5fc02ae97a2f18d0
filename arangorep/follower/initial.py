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
from dataclasses import dataclass, field
from typing import Any

from arangorep.clock import stopwatch_s
from arangorep.data.collections import (
    drop_collection,
    rename_collection,
    restore_collection,
    restore_properties,
    truncate_collection,
)
from arangorep.data.databases import create_database, drop_database
from arangorep.data.indexes import drop_index, restore_index
from arangorep.errors import (
    CollectionNotFound,
    CursorNotFound,
    InvalidResponse,
    LeaderError,
    NoResponse,
    NotImplementedHere,
)
from arangorep.follower.by_keys import KeySync
from arangorep.follower.config import ApplierConfig
from arangorep.follower.held_batch import HeldBatch
from arangorep.follower.incremental import RevisionSync
from arangorep.follower.leader import DumpChunk, Leader
from arangorep.follower.lines import cut_documents
from arangorep.follower.loading import BulkLoad, Worker
from arangorep.follower.progress import CollectionProgress, Progress
from arangorep.follower.site import Site
from arangorep.limits import (
    SYNC_CHUNK_BYTES_MAX,
    SYNC_CHUNK_BYTES_MIN,
    SYNC_CHUNK_GROWTH,
    SYNC_CHUNK_SLOW_S,
)
from arangorep.pacing import drive
from arangorep.protocol.headers import DUMP_FROM
from arangorep.storage.catalog import Collection, Database

USERS = "_users"
ANALYZERS = "_analyzers"


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What was synchronised, by leader id, and the tick of the batch: where to tail from."""

    collections: list[dict[str, str]]
    last_tick: int


@dataclass(slots=True)
class _Entry:
    """One collection of the inventory."""

    leader_id: int
    name: str
    guid: str
    parameters: dict[str, Any]
    indexes: list[dict[str, Any]]
    database_id: int = 0
    is_replaced: bool = False
    """Whether the documents that are here belong to another state and must go."""
    asked_as: str = field(default="")


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
        self._worker: Worker | None = None

    async def run(self) -> SyncResult:
        """Errors: 500/1400, 1401, 1402, 1403, 1405; 404/1203."""
        self._progress.collections.clear()
        self._progress.tell("fetching the leader's state")
        if self._is_global:
            await self._leader.fetch_state()
        self._held = await HeldBatch.open(
            self._leader, self._site.sleep, with_state=not self._is_global
        )
        tick = self._held.handle.tick
        try:
            self._progress.tell("fetching the inventory")
            inventory = await self._leader.inventory(
                self._held.handle,
                include_system=self._config.includeSystem,
                include_foxx_queues=self._config.includeFoxxQueues,
                is_global=self._is_global,
            )
            if self._is_global:
                await self._all_databases(inventory)
                return SyncResult([], tick)
            entries = self._entries(inventory, self._site.store.catalog.database(self._database))
            await self._one_database(self._leader, entries)
        finally:
            if self._worker is not None:
                await asyncio.shield(self._worker.close())
            held, self._held = self._held, None
            if held is not None:
                await asyncio.shield(held.close())
        done = sorted(entries, key=lambda entry: entry.leader_id)
        return SyncResult([{"id": str(e.leader_id), "name": e.name} for e in done], tick)

    # -- databases ------------------------------------------------------------

    async def _all_databases(self, inventory: dict[str, Any]) -> None:
        databases = inventory.get("databases")
        if not isinstance(databases, dict) or not isinstance(inventory.get("state"), dict):
            raise InvalidResponse("invalid response: the inventory lacks 'databases' or 'state'")
        parts = [_checked_database(part) for part in databases.values()]
        if not self._config.skipCreateDrop:
            await self._create_databases([part["name"] for part in parts])
        for part in parts:
            database = self._site.store.catalog.database(part["name"])
            entries = self._entries(part, database)
            if not self._config.skipCreateDrop:
                await self._drop_others(database, {entry.guid for entry in entries})
            await self._one_database(self._leader.in_database(part["name"]), entries)

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

    def _entries(self, inventory: dict[str, Any], database: Database) -> list[_Entry]:
        listed = inventory.get("collections")
        if not isinstance(listed, list):
            raise InvalidResponse("invalid response: the inventory has no 'collections'")
        entries = [entry for one in listed if (entry := _entry(one, self._config)) is not None]
        for entry in entries:
            entry.database_id = database.info.id
            self._progress.collections[entry.guid] = CollectionProgress(entry.name)
        # analyzers before everything that may use them
        return sorted(entries, key=lambda entry: entry.name != ANALYZERS)

    async def _one_database(self, leader: Leader, entries: list[_Entry]) -> None:
        for entry in entries:
            async with self._site.write_lock:
                self._prepare(entry)
        for entry in entries:
            await self._survive(leader, entry)
            self._progress.collections[entry.guid].done = True

    def _prepare(self, entry: _Entry) -> None:
        """Create what is missing; note what is to be replaced, but leave it alone yet."""
        store = self._site.store
        database = self._site.database(entry.database_id)
        present = database.by_guid(entry.guid)
        if present is not None and self._incremental:
            restore_properties(store, database, present, entry.parameters)
            if present.info.name != entry.name and database.named(entry.name) is None:
                rename_collection(store, database, present, {"name": entry.name})
            entry.is_replaced = present.info.name != entry.name
        elif present is not None:
            entry.is_replaced = entry.name == USERS or not self._config.skipCreateDrop
        elif database.named(entry.name) is not None:
            entry.is_replaced = True
        elif not self._config.skipCreateDrop:
            restore_collection(store, database, entry.parameters)

    # -- one collection ------------------------------------------------------------

    async def _survive(self, leader: Leader, entry: _Entry) -> None:
        """Synchronise one collection; start again with a new batch when the old one is lost."""
        failures = 0
        while True:
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
                if failures and error.extra.get("leaderErrorNum") == CollectionNotFound.error_num:
                    # dropped on the leader meanwhile: the log tells of it
                    return
                raise

    async def _renew_batch(self, failures: int) -> None:
        """Take a new batch as soon as the leader answers."""
        assert self._held is not None
        await self._held.abandon()
        while True:
            pause_s = min(self._config.connectionRetryWaitTime, 0.25 * 2 ** min(failures, 10))
            await self._site.sleep(pause_s)
            try:
                self._held = await HeldBatch.open(
                    self._leader, self._site.sleep, with_state=not self._is_global
                )
                return
            except NoResponse:
                failures += 1
                if failures > max(self._config.maxConnectRetries, 1):
                    raise

    async def _collection(self, leader: Leader, entry: _Entry) -> None:
        self._progress.tell(f"synchronising collection {entry.name}")
        database = self._site.database(entry.database_id)
        present = database.by_guid(entry.guid)
        if present is None and not entry.is_replaced:
            if self._config.skipCreateDrop:
                raise CollectionNotFound(f"collection or view not found: {entry.name}")
            entry.is_replaced = True
        if present is not None and not entry.is_replaced and present.count:
            await self._compare(leader, entry, present)
        else:
            await self._dump(leader, entry)
        if not self._config.skipCreateDrop:
            await self._indexes(entry)

    async def _compare(self, leader: Leader, entry: _Entry, present: Collection) -> None:
        assert self._held is not None
        batch, place = self._held.handle, (entry.database_id, entry.guid)
        async with self._site.write_lock:
            self._drop_foreign_indexes(entry)
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

    async def _dump(self, leader: Leader, entry: _Entry) -> None:
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
                if load is not None:
                    await load.add(chunk.body)
                else:
                    await self._site.store_lines(entry.database_id, entry.guid, chunk.body)
                stored = chunk.body.count(b"\n")
                progress.documents += stored
                progress.bytes += len(chunk.body)
                self._progress.documents += stored
            if load is not None:
                await load.finish()

    def _takes_bulk(self, entry: _Entry) -> bool:
        """Whether documents may go past log and indexes: a fresh collection has neither."""
        _, collection = self._site.collection(entry.database_id, entry.guid)
        enforced = any(index.is_enforced for index in collection.info.indexes)
        engine = self._site.store.engine
        return not collection.count and not enforced and engine.load_directory is not None

    def _bulk(self, entry: _Entry) -> BulkLoad:
        if self._worker is None:
            self._worker = Worker()
        return BulkLoad(self._site, self._worker, entry.database_id, entry.guid)

    async def _chunks(self, leader: Leader, entry: _Entry) -> AsyncGenerator[DumpChunk, None]:
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

    async def _fetch(self, leader: Leader, entry: _Entry, after: int) -> DumpChunk:
        """One chunk. Asked for again, smaller, where the leader can find the place again."""
        assert self._held is not None
        tries = 2 if leader.has(DUMP_FROM) else 0
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
                    _check_end(chunk)
            except NoResponse:
                # perhaps it was too much at once: documents may have tens of MiB
                self._chunk_bytes = max(self._chunk_bytes // 4, SYNC_CHUNK_BYTES_MIN)
                if not tries:
                    raise
                tries -= 1
                # 0 would leave the place to the leader, which may have gone on already
                after = after or 1
                continue
            self._adapt(stopwatch_s() - started_s)
            return chunk

    def _adapt(self, took_s: float) -> None:
        if took_s > SYNC_CHUNK_SLOW_S:
            self._chunk_bytes = max(self._chunk_bytes // 2, SYNC_CHUNK_BYTES_MIN)
        else:
            grown = int(self._chunk_bytes * SYNC_CHUNK_GROWTH)
            self._chunk_bytes = min(grown, max(SYNC_CHUNK_BYTES_MAX, self._chunk_bytes))

    def _replace(self, entry: _Entry) -> None:
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

    def _drop_foreign_indexes(self, entry: _Entry) -> None:
        """Indexes that the leader does not have could refuse or evict its documents."""
        site = self._site
        database, collection = site.collection(entry.database_id, entry.guid)
        there = {(str(index.get("id")), index.get("name")) for index in entry.indexes}
        for index in collection.info.indexes:
            if (str(index.id), index.name) not in there:
                drop_index(site.store, database, collection, str(index.id))

    async def _indexes(self, entry: _Entry) -> None:
        for index in entry.indexes:
            self._progress.tell(f"creating index {index.get('name')} of collection {entry.name}")
            async with self._site.write_lock:
                database, collection = self._site.collection(entry.database_id, entry.guid)
                work = restore_index(self._site.store, database, collection, index)
                await drive(work)


def _check_end(chunk: DumpChunk) -> None:
    """Errors: 500/1400 unless the last document is the one that the header names."""
    start = chunk.body.rfind(b"\n", 0, -1) + 1
    last = cut_documents([chunk.body[start:-1]], b"").revisions if chunk.body else [0]
    if last != [chunk.last_included]:
        raise NoResponse("no response: the chunk of a dump lacks its end")


# -- reading the inventory ------------------------------------------------------------


def _checked_database(part: object) -> dict[str, Any]:
    if not isinstance(part, dict) or not isinstance(part.get("name"), str) or not part["name"]:
        raise InvalidResponse("invalid response: a database of the inventory has no name")
    return part


def _entry(value: object, config: ApplierConfig) -> _Entry | None:
    """A collection to synchronise; None for one that is not. Errors: 500/1401."""
    if not isinstance(value, dict):
        raise InvalidResponse("invalid response: a collection of the inventory is no object")
    parameters, indexes = value.get("parameters"), value.get("indexes")
    if not isinstance(parameters, dict) or not isinstance(indexes, list):
        raise InvalidResponse("invalid response: a collection lacks 'parameters' or 'indexes'")
    name = parameters.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidResponse("invalid response: a collection has no name")
    if parameters.get("deleted") is True or not config.replicates(name):
        return None
    leader_id = _identifier(parameters.get("cid")) or _identifier(parameters.get("id"))
    if not leader_id or type(parameters.get("type")) is not int:
        raise InvalidResponse(f"invalid response: collection {name} has no id or no type")
    guid = parameters.get("globallyUniqueId")
    known = guid if isinstance(guid, str) and guid else ""
    parameters["globallyUniqueId"] = known or str(leader_id)
    return _Entry(
        leader_id,
        name,
        parameters["globallyUniqueId"],
        parameters,
        [index for index in indexes if isinstance(index, dict)],
        asked_as=known or str(leader_id),
    )


def _identifier(value: object) -> int:
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if type(value) is int else 0
