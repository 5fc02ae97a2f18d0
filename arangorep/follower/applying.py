"""`MarkerApplier`: what one marker of the leader's log does here.

The applied tick rides with the commit of the data it belongs to, so a crash neither loses nor
repeats a marker. Stand-alone documents are committed some hundred at a time; those of a transaction
are kept until its commit marker and then become visible at once. Source: follower 3.3, 6.4 to 6.7.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from arangorep.data.collections import (
    drop_collection,
    make_way_for_collection,
    make_way_for_name,
    rename_collection,
    restore_collection,
    restore_properties,
    truncate_collection,
)
from arangorep.data.databases import create_database, drop_database
from arangorep.data.indexes import drop_index, make_way_for_index, restore_index
from arangorep.data.replica import ReplicaWriter
from arangorep.data.transactions import Transaction
from arangorep.data.views import drop_view, make_way_for_view, park_view, restore_view
from arangorep.errors import (
    ArangoError,
    CollectionNotFound,
    DatabaseNameInvalid,
    IndexNotFound,
    InvalidResponse,
    StartTickNotPresent,
    UnexpectedMarker,
    UnexpectedTransaction,
    UniqueConstraintViolated,
)
from arangorep.follower.lines import (
    Marker,
    Run,
    cut_documents,
    cut_removal,
    read_markers,
    run_of,
    singles,
)
from arangorep.follower.progress import Progress, TickState
from arangorep.limits import APPLY_ROWS_PER_COMMIT
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.store import Store
from arangorep.values.marker import MarkerType
from arangorep.values.view import ALIAS

NAMING_MARKERS = frozenset({MarkerType.COLLECTION_CREATE, MarkerType.COLLECTION_RENAME})
VIEW_MARKERS = frozenset({MarkerType.VIEW_CREATE, MarkerType.VIEW_CHANGE})
ABORT = 2202
MARKER_SHOWN_MAX = 1024


@dataclass(frozen=True, slots=True)
class Target:
    """A collection here, its name in JSON, and what the leader's markers call it."""

    database: Database
    collection: Collection
    name: bytes
    leader_db: bytes
    leader_guid: bytes


Steps = Generator[None, None, None]
Excluded = Callable[[str], bool]


class MarkerApplier:
    """Applies the lines of a tail in order. The caller holds the write lock while it runs."""

    def __init__(
        self,
        store: Store,
        ticks: TickState,
        state_key: bytes,
        progress: Progress,
        *,
        database_id: int,
        excluded: Excluded,
        learn_name: Callable[[object, object], None],
        ignore_errors: int,
        is_checked: bool = False,
        skips_views: bool = False,
    ) -> None:
        """`database_id` 0 follows all databases; `excluded` tells of a globallyUniqueId.

        With `is_checked` documents are parsed before they are stored as they came.
        """
        self._is_checked = is_checked
        self._skips_views = skips_views
        self._store = store
        self._ticks = ticks
        self._state_key = state_key
        self._progress = progress
        self._database_id = database_id
        self._excluded = excluded
        self._learn_name = learn_name
        self._ignored_left = ignore_errors
        self._open: dict[tuple[str, str], list[Run]] = {}
        self._loose: Transaction | None = None
        self._loose_tick = 0
        self._loose_count = 0
        self._is_stored = True

    def forget_transactions(self) -> None:
        """Drop what was gathered of unfinished transactions."""
        self._open.clear()
        self._loose = None

    # -- many at once (`backlog`) ------------------------------------------------------------

    @property
    def is_between_transactions(self) -> bool:
        """Whether nothing is gathered for a commit that is still to come."""
        return not self._open

    def target_of(self, leader_db: bytes, leader_guid: bytes) -> Target | None:
        """Where documents of a collection go; None unless they may do so unseen: without unique
        indexes, and with no other transaction at work there."""
        guid = leader_guid.decode()
        try:
            database, collection = self._find(leader_db.decode(), guid)
        except ArangoError:
            return None
        indexes = collection.info.indexes
        if self._excluded(guid) or collection.locks or any(i.has_entries for i in indexes):
            return None
        return Target(database, collection, collection.name_json, leader_db, leader_guid)

    def riders(self, tick: int) -> dict[bytes, bytes]:
        """What a commit carries that brings everything up to `tick`."""
        return {self._state_key: self._moved_to(tick)}

    def passed(self, tick: int, documents: int, markers: int) -> None:
        """Everything up to `tick` was committed with its `riders`."""
        self.catch_up(tick)
        self._is_stored = True
        self._progress.documents += documents
        self._progress.events += markers

    # -- one after the other -----------------------------------------------------------------

    def apply(self, lines: list[bytes], after: int) -> Steps:
        """Apply lines of an answer that was to begin behind the tick `after`.

        Within an answer the order of the lines counts: the ends of a transaction may have the ticks
        of its first and last operation (leader-api 7.8). Errors: those of the markers, with the
        marker in the message.
        """
        for item in read_markers(lines, after):
            yield from self._apply(item)
        self._flush()

    def catch_up(self, tick: int) -> None:
        """Note that there is nothing for us up to `tick`."""
        if not self._open and tick > self._ticks.applied:
            self._ticks.applied = tick
            self._is_stored = False

    def store_ticks(self) -> None:
        """Write the ticks when they moved without a commit."""
        if not self._is_stored:
            self._store.write_meta({self._state_key: self._ticks.pack()})
            self._is_stored = True

    # -- one marker or run ------------------------------------------------------------

    def _apply(self, item: Run | Marker) -> Steps:
        if isinstance(item, Marker) and item.type in (MarkerType.DOCUMENT, MarkerType.REMOVE):
            item = run_of(item)
        count = len(item.data) if isinstance(item, Run) else 1
        tick = item.last_tick if isinstance(item, Run) else item.tick
        if isinstance(item, Marker) and item.type in NAMING_MARKERS:
            self._learn_name(item.guid or item.data.get("globallyUniqueId"), item.data.get("name"))
        try:
            if self._is_excluded(item):
                self._progress.excluded += count
                self._pass(tick)
            elif isinstance(item, Run):
                yield from self._run(item)
            else:
                yield from self._marker(item)
        except ArangoError as error:
            self._loose, self._loose_count = (
                None,
                0,
            )  # what came before is lost with it, and asked for again
            if isinstance(item, Run) and self._ignored_left > 0 and count > 1:
                for one in singles(item):
                    yield from self._apply(one)
                return
            if self._ignored_left < count:
                shown = item.data[0] if isinstance(item, Run) else item.line
                text = shown[:MARKER_SHOWN_MAX].decode("utf-8", "replace")
                error.message = f"{error.message}; marker: {text}"
                raise
            self._ignored_left -= count
            self.catch_up(tick)
        self._progress.events += count

    def _is_excluded(self, item: Run | Marker) -> bool:
        """By a restriction; search views go with their collections, of which some are missing."""
        if isinstance(item, Marker) and item.type in VIEW_MARKERS:
            return self._skips_views and item.data.get("type") != ALIAS
        return bool(item.guid) and self._excluded(item.guid)

    def _run(self, run: Run) -> Steps:
        if run.tid in ("", "0"):
            if self._ignored_left or self._loose_count >= APPLY_ROWS_PER_COMMIT:
                self._flush()  # so that an error that is ignored costs nothing but its run
                yield
            database, collection = self._find(run.database, run.guid)
            if self._loose is not None and self._loose.database is not database:
                self._flush()
            if self._loose is None:
                self._loose = Transaction(self._store, database, grouped=False)
            self._stage(self._loose, collection, run)
            self._loose_tick = run.last_tick
            self._loose_count += len(run.data)
            return
        gathered = self._open.get((run.database, run.tid))
        if gathered is None:
            raise UnexpectedTransaction(f"unexpected transaction {run.tid}")
        gathered.append(run)

    def _pass(self, tick: int) -> None:
        """Leave a marker out; what came before it may still wait for its commit."""
        if self._loose is not None:
            self._loose_tick = tick
        else:
            self.catch_up(tick)

    def _flush(self) -> None:
        """Commit the stand-alone documents gathered so far."""
        loose, self._loose = self._loose, None
        self._loose_count = 0
        if loose is not None:
            self._commit(loose, self._loose_tick)

    def _stage(self, transaction: Transaction, collection: Collection, run: Run) -> None:
        writer = ReplicaWriter(transaction, collection)
        if run.is_removal:
            for one in run.data:
                writer.remove(*cut_removal(one))
            self._progress.removals += len(run.data)
            return
        documents = cut_documents(run.data, collection.name_json, is_checked=self._is_checked)
        writer.put_all(documents.names, documents.revisions, documents.rows)
        self._progress.documents += len(run.data)

    def _commit(self, transaction: Transaction, tick: int) -> None:
        with self._store.riding({self._state_key: self._moved_to(tick)}):
            is_stored = transaction.commit()
        self.catch_up(tick)
        self._is_stored = is_stored

    def _moved_to(self, tick: int) -> bytes:
        """The state as it is once everything up to `tick` is applied."""
        if self._open:  # not safe to resume behind what a transaction still waits for
            tick = self._ticks.applied
        return replace(self._ticks, applied=max(self._ticks.applied, tick)).pack()

    # -- transactions ------------------------------------------------------------

    def _finish(self, marker: Marker) -> Steps:
        """2201: everything of the transaction becomes visible by one commit."""
        runs = self._open.pop((marker.database, marker.tid), None)
        if runs is None:
            raise UnexpectedTransaction(f"unexpected transaction {marker.tid}")
        database = self._database(marker.database)
        transaction = Transaction(self._store, database, grouped=True)
        for run in runs:
            _, collection = self._find(run.database, run.guid)
            self._stage(transaction, collection, run)
            yield
        self._commit(transaction, marker.tick)

    # -- everything but documents ------------------------------------------------------------

    def _marker(self, marker: Marker) -> Steps:
        self._flush()
        key = (marker.database, marker.tid)
        if marker.type == MarkerType.TRANSACTION_START:
            self._open[key] = []
            return
        if marker.type == MarkerType.TRANSACTION_COMMIT:
            yield from self._finish(marker)
            return
        if marker.type == ABORT:
            if self._open.pop(key, None) is None:
                raise UnexpectedTransaction(f"unexpected transaction {marker.tid}")
            self.catch_up(marker.tick)
            return
        self._make_way(marker)
        with self._store.riding({self._state_key: self._moved_to(marker.tick)}):
            yield from self._definition(marker)
        self._is_stored = False  # perhaps there was nothing to commit
        self.catch_up(marker.tick)
        yield

    def _make_way(self, marker: Marker) -> None:
        """Drop what stands in the way of a definition, in commits that come before its own.

        Only the last commit of a marker may carry its tick: a crash in between begins it again.
        """
        store = self._store
        match marker.type:
            case MarkerType.DATABASE_CREATE if not self._database_id:
                name = marker.data.get("name", marker.database)
                exists = store.catalog.has_database(name)
                if exists and not store.catalog.database(name).info.is_system:
                    drop_database(store, name)
            case MarkerType.COLLECTION_CREATE:
                database = self._database(marker.database)
                self._make_way_for_name(marker, database, marker.data.get("globallyUniqueId"))
                make_way_for_collection(store, database, marker.data)
            case MarkerType.COLLECTION_RENAME:
                database, _ = self._find(marker.database, marker.guid)
                self._make_way_for_name(marker, database, marker.guid)
            case MarkerType.VIEW_CREATE | MarkerType.VIEW_CHANGE:
                database = self._database(marker.database)
                self._make_way_for_name(marker, database, marker.data.get("globallyUniqueId"))
                is_parked = marker.tick <= self._ticks.settled
                make_way_for_view(store, database, marker.data, is_parked=is_parked)
            case MarkerType.INDEX_CREATE:
                database, collection = self._find(marker.database, marker.guid)
                make_way_for_index(store, database, collection, marker.data)

    def _make_way_for_name(self, marker: Marker, database: Database, guid: object) -> None:
        """Another collection may have the name only because what is here is ahead of the log."""
        name = marker.data.get("name")
        view = database.view_named(name) if isinstance(name, str) else None
        if view is not None and view.guid != guid:
            is_parked = marker.tick <= self._ticks.settled
            (park_view if is_parked else drop_view)(self._store, database, view)
        other = database.named(name) if isinstance(name, str) else None
        if other is None or other.info.guid == guid or other.info.is_system:
            return
        if marker.tick <= self._ticks.settled:
            make_way_for_name(self._store, database, other.info.name)
        else:
            drop_collection(self._store, database, other, allow_system=True)

    def _definition(self, marker: Marker) -> Steps:
        """Markers about databases, collections and indexes. Errors also: 500/1406."""
        store = self._store
        match marker.type:
            case MarkerType.DATABASE_CREATE | MarkerType.DATABASE_DROP:
                if not self._database_id:
                    self._change_databases(marker)
            case MarkerType.COLLECTION_CREATE:
                database = self._database(marker.database)
                present = database.by_guid(str(marker.data.get("globallyUniqueId")))
                if present is None or present.info.is_system:
                    restore_collection(store, database, marker.data)
                else:
                    rename_collection(store, database, present, marker.data)
            case MarkerType.COLLECTION_DROP:
                self._drop_collection(marker)
            case MarkerType.COLLECTION_RENAME:
                self._rename_collection(marker)
            case MarkerType.COLLECTION_CHANGE:
                self._change_collection(marker)
            case MarkerType.COLLECTION_TRUNCATE:
                if any(database == marker.database for database, _ in self._open):
                    raise UnexpectedTransaction("unexpected transaction: truncate inside of one")
                database, collection = self._find(marker.database, marker.guid)
                truncate_collection(store, database, collection)
            case MarkerType.INDEX_CREATE:
                yield from self._create_index(marker)
            case MarkerType.INDEX_DROP:
                self._drop_index(marker)
            case MarkerType.VIEW_CREATE:
                restore_view(store, self._database(marker.database), marker.data)
            case MarkerType.VIEW_CHANGE:
                self._change_view(marker)
            case MarkerType.VIEW_DROP:
                self._drop_view(marker)
            case _:
                raise UnexpectedMarker(f"unexpected marker of type {marker.type}")

    def _change_databases(self, marker: Marker) -> None:
        store, name = self._store, marker.database
        if marker.type == MarkerType.DATABASE_DROP:
            for key in [key for key in self._open if key[0] == name]:
                del self._open[key]
            if store.catalog.has_database(name):
                drop_database(store, name)
            return
        given = marker.data.get("name", name)
        if not isinstance(given, str) or not given or given[0].isdigit():
            raise DatabaseNameInvalid
        if not store.catalog.has_database(given):
            create_database(store, {"name": given})

    def _drop_collection(self, marker: Marker) -> None:
        try:
            database, collection = self._find(marker.database, marker.guid)
        except ArangoError:
            return
        drop_collection(self._store, database, collection, allow_system=True)

    def _rename_collection(self, marker: Marker) -> None:
        database, collection = self._find(marker.database, marker.guid)
        rename_collection(self._store, database, collection, {"name": marker.data.get("name")})

    def _change_collection(self, marker: Marker) -> None:
        try:
            database, collection = self._find(marker.database, marker.guid)
        except CollectionNotFound:
            if marker.data.get("deleted") is True:
                return
            raise
        restore_properties(self._store, database, collection, marker.data)

    def _create_index(self, marker: Marker) -> Steps:
        """Errors also: 500/1414 where the documents are from a later batch than the index."""
        database, collection = self._find(marker.database, marker.guid)
        try:
            yield from restore_index(self._store, database, collection, marker.data)
        except UniqueConstraintViolated as error:
            if marker.tick > self._ticks.settled:
                raise
            # what broke its rule came after it, so the log cannot be replayed from here
            raise StartTickNotPresent(
                f"start tick not present: documents here are newer than a unique index of "
                f"{collection.info.name} that the log tells of: {error.message}"
            ) from None

    def _drop_index(self, marker: Marker) -> None:
        handle = marker.data.get("id")
        if not isinstance(handle, str) or not handle:
            raise InvalidResponse("invalid response: the dropped index has no id")
        try:
            database, collection = self._find(marker.database, marker.guid)
            drop_index(self._store, database, collection, handle)
        except (CollectionNotFound, IndexNotFound):
            return

    def _change_view(self, marker: Marker) -> None:
        """Errors: 400/10, 1208."""
        database = self._database(marker.database)
        guid = str(marker.data.get("globallyUniqueId", marker.guid))
        # one that is not here was ahead of the log, or renamed since: the definition is whole
        if database.view_by_guid(guid) is not None or marker.data.get("deleted") is not True:
            restore_view(self._store, database, marker.data)

    def _drop_view(self, marker: Marker) -> None:
        database = self._database(marker.database)
        view = database.view_by_guid(marker.guid)
        if view is not None:
            drop_view(self._store, database, view)

    # -- resolution ------------------------------------------------------------

    def _database(self, name: str) -> Database:
        """Errors: 404/1228; 500/1401 without a name."""
        if self._database_id:
            found = self._store.catalog.database_by_id(self._database_id)
            if found is not None:
                return found
        if not name:
            raise InvalidResponse("invalid response: a marker without database")
        return self._store.catalog.database(name)

    def _find(self, database_name: str, guid: str) -> tuple[Database, Collection]:
        """Errors: 404/1203, 404/1228."""
        database = self._database(database_name)
        collection = database.by_guid(guid)
        if collection is None:
            raise CollectionNotFound(f"collection or view not found: {guid}")
        return database, collection
