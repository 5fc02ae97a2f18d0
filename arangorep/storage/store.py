"""`Store`: the one door to the data. Opens and recovers it, commits to it, takes snapshots of it.

One thread owns a store. A commit is written first and then taken over into memory, so memory never
knows more than the disk; nothing in between can fail.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from arangorep.clock import Clock
from arangorep.codec import msgpack
from arangorep.errors import StartupError
from arangorep.storage import keys
from arangorep.storage.catalog import Catalog, Collection, Database
from arangorep.storage.commit import (
    CollectionDelta,
    Commit,
    DropCollection,
    DropDatabase,
    DropView,
    PutCollection,
    PutDatabase,
    PutLoaded,
    PutView,
)
from arangorep.storage.engine import Engine, Family, WriteSet
from arangorep.storage.intake import Intake, undo_intake
from arangorep.storage.log import OperationLog, Segment
from arangorep.storage.recovery import build_tree, load_catalog, recover_trees, tree_slices
from arangorep.storage.snapshot import Snapshot
from arangorep.storage.state import CollectionState, Counters
from arangorep.storage.ticks import TickCounter
from arangorep.values.revision import REVISION_LOWER_BOUND, HybridLogicalClock
from arangorep.values.revision_tree import RevisionTree, RevisionTreeError
from arangorep.values.tree_leaves import U64Array

PreparedCommit = tuple[dict[int, Counters], Segment | None]
"""What memory takes over: counters of collections by id, the log's open segment."""

FORMAT_VERSION = b"1"
FIRST_COUNTS = (1 << 19) - 1
"""Half of what a revision can count within a millisecond; the other half is there to count."""


class Store:
    """An open store. Errors: `StartupError` for a data directory of another format."""

    def __init__(self, engine: Engine, clock: Clock, *, read_only: bool = False) -> None:
        self.engine = engine
        self.clock = clock
        self._check_format(read_only)
        undo_intake(engine, read_only=read_only)
        self.server_id = int(engine.get(Family.META, keys.SERVER_ID) or b"0")
        self.log = OperationLog(engine, clock.wall_us())
        self.ticks = TickCounter(engine, at_least=self.log.last_tick, read_only=read_only)
        self.catalog = Catalog()
        load_catalog(engine, self.catalog)
        self.trees_valid = recover_trees(engine, self.catalog, self.log)
        known = [collection.state.counters for collection in self.catalog.collections]
        # a machine without a battery may wake up in 1970, before what a tree can hold
        newest = max((c.revision for c in known), default=0)
        # two servers that write in the same millisecond should not use one revision twice
        self._hlc = HybridLogicalClock(
            max(newest, REVISION_LOWER_BOUND), first_count=self.server_id & FIRST_COUNTS
        )
        self.largest_bytes = keys.from_u64(engine.get(Family.META, keys.LARGEST) or bytes(8))
        """The largest document ever stored in any collection, also in those that are gone."""
        self._epoch = 0
        self._snapshots: dict[int, Snapshot] = {}
        self._preserved: set[int] = set()
        self._loaded = {c.info.id for c in self.catalog.collections if c.gap}
        self._riders: dict[bytes, bytes] = {}
        self.unsynced = False
        """Whether a commit happened since `engine.sync_log` was last started."""

    def _check_format(self, read_only: bool) -> None:
        stored = self.engine.get(Family.META, keys.FORMAT)
        if stored == FORMAT_VERSION:
            return
        if stored is not None:
            raise StartupError(f"the store has format {stored!r}, this version reads only 1")
        if read_only:
            raise StartupError("the store is empty")
        changes = WriteSet()
        changes.entries[Family.META][keys.FORMAT] = FORMAT_VERSION
        changes.entries[Family.META][keys.SERVER_ID] = b"%d" % (secrets.randbits(47) | 1 << 47)
        self.engine.write(changes)

    # -- identity and time ---------------------------------------------------------------------

    def next_revision(self) -> int:
        """A revision greater than every one before."""
        return self._hlc.next(self.clock.wall_us() // 1000)

    def take_revisions(self, count: int) -> range:
        """As many consecutive revisions, each greater than every one before."""
        first = self.next_revision()
        last = first + count - 1
        # the clock goes on behind the last one, also when the counter spills into the milliseconds
        self._hlc.observe(last, 0)
        return range(first, last + 1)

    def observe_revision(self, revision: int) -> None:
        """Learn of a foreign revision, so that later ones of ours are greater."""
        self._hlc.observe(revision, self.clock.wall_us() // 1000)

    @property
    def last_revision(self) -> int:
        """The newest revision handed out or observed."""
        return self._hlc.last

    @property
    def moment(self) -> int:
        """Now, in the form of a revision: at least the newest one, and nothing is taken."""
        return max(self._hlc.last, self.clock.wall_us() // 1000 << 20)

    # -- writing -------------------------------------------------------------------------------

    def commit(self, commit: Commit) -> None:
        """Write everything the commit holds, or nothing, and take it over into memory."""
        prepared = self._prepare(commit)
        self.engine.write(commit.changes)
        self._written(commit, prepared)

    def announce(self, commit: Commit, intake: Intake) -> PreparedCommit:
        """Begin a commit that also takes over sorted files, whose rows it does not hold.

        The caller holds the write lock, calls `engine.sync_log`, and then `take_over`, or
        `withdraw` if it does not come to that.
        """
        prepared = self._prepare(commit)
        self.write_meta({keys.INTAKE: intake.note()})
        return prepared

    def take_over(self, commit: Commit, intake: Intake, prepared: PreparedCommit) -> None:
        """End what `announce` began, or undo it and raise. A crash is undone at the next start."""
        try:
            for family, paths in intake.files.items():
                self.engine.ingest(family, paths)
            commit.changes.entries[Family.META][keys.INTAKE] = None
            self.engine.write(commit.changes)
        except BaseException:
            undo_intake(self.engine, read_only=False)
            raise
        self._written(commit, prepared)

    def withdraw(self) -> None:
        """Give up what `announce` began."""
        self.write_meta({keys.INTAKE: None})

    def _prepare(self, commit: Commit) -> PreparedCommit:
        """Complete the rows of a commit by those of `meta`."""
        meta = commit.changes.entries[Family.META]
        meta.update(self._riders)
        counters = {
            collection_id: self._new_counters(collection_id, delta)
            for collection_id, delta in commit.deltas.items()
        }
        for collection_id, numbers in counters.items():
            meta[keys.COUNTER + keys.u64(collection_id)] = numbers.pack()
        largest = max((n.largest_bytes for n in counters.values()), default=0)
        if largest > self.largest_bytes:
            meta[keys.LARGEST] = keys.u64(largest)
        self._write_catalog(commit)
        segment = None
        if commit.last_tick:
            now_us = self.clock.wall_us()
            segment = self.log.append(commit.last_tick, commit.log_bytes, now_us, commit.changes)
        return counters, segment

    def _written(self, commit: Commit, prepared: PreparedCommit) -> None:
        """Take over into memory what is on the disk now."""
        counters, segment = prepared
        self.unsynced = True
        self._apply_catalog(commit)
        for collection_id, delta in commit.deltas.items():
            collection = self.catalog.collection_by_id(collection_id)
            if collection is not None:
                self._apply_delta(collection, delta, counters[collection_id])
        if segment is not None:
            self.log.appended(segment)

    @contextmanager
    def riding(self, rows: dict[bytes, bytes]) -> Iterator[None]:
        """Every commit within carries these rows of `meta`: they are written with it or not at all.

        The caller holds the write lock. How a follower notes the tick it has applied.
        """
        self._riders = rows
        try:
            yield
        finally:
            self._riders = {}

    def read_meta(self, key: bytes) -> bytes | None:
        """A row of `meta` that rides with commits."""
        return self.engine.get(Family.META, key)

    def write_meta(self, rows: dict[bytes, bytes | None]) -> None:
        """Write rows of `meta` by themselves; None deletes."""
        changes = WriteSet()
        changes.entries[Family.META].update(rows)
        self.engine.write(changes)
        self.unsynced = True

    def _new_counters(self, collection_id: int, delta: CollectionDelta) -> Counters:
        collection = self.catalog.collection_by_id(collection_id)
        old = collection.state.counters if collection is not None else Counters()
        return Counters(
            count=(0 if delta.cleared else old.count) + delta.documents,
            last_value=old.last_value if delta.last_value is None else delta.last_value,
            revision=max(old.revision, delta.revision),
            largest_bytes=max(old.largest_bytes, delta.largest_bytes),
        )

    def _apply_delta(
        self, collection: Collection, delta: CollectionDelta, counters: Counters
    ) -> None:
        state = collection.state
        self._set_aside(collection)
        try:
            if delta.cleared:
                state.tree.clear()
            delta.insert_into(state.tree)
            state.tree.remove(delta.removed)
        except RevisionTreeError:
            # the documents are written and right; a tree that disagrees with them is not
            state.tree = build_tree(self.engine, collection)
        state.counters = counters
        state.tree_dirty = True
        state.changes += 1
        self.largest_bytes = max(self.largest_bytes, counters.largest_bytes)

    def _write_catalog(self, commit: Commit) -> None:
        meta = commit.changes.entries[Family.META]
        for change in commit.catalog:
            match change:
                case PutDatabase(info):
                    meta[keys.DATABASE + keys.u64(info.id)] = msgpack.pack(info.pack())
                case PutCollection(info):
                    meta[keys.COLLECTION + keys.u64(info.id)] = msgpack.pack(info.pack())
                case PutLoaded():
                    _keep_loaded(change, commit, self.largest_bytes)
                case PutView(view):
                    meta[keys.VIEW + keys.u64(view.id)] = msgpack.pack(view.pack())
                case DropView(view_id):
                    meta[keys.VIEW + keys.u64(view_id)] = None
                case DropCollection(collection_id):
                    collection = self.catalog.collection_by_id(collection_id)
                    if collection is not None:
                        _erase_collection(collection, commit)
                case DropDatabase(database_id):
                    database = self.catalog.database_by_id(database_id)
                    if database is not None:
                        _erase_database(database, commit)

    def _apply_catalog(self, commit: Commit) -> None:
        for change in commit.catalog:
            match change:
                case PutDatabase(info):
                    self.catalog.add_database(info)
                case PutCollection(info) if self.catalog.collection_by_id(info.id) is None:
                    self.catalog.add_collection(info, CollectionState(Counters(), RevisionTree()))
                case PutCollection(info):
                    self.catalog.change_collection(info)
                case PutLoaded(info, state, gap):
                    self.catalog.add_collection(info, state).gap = gap
                    self.largest_bytes = max(self.largest_bytes, state.counters.largest_bytes)
                    if gap:
                        self._loaded.add(info.id)
                case PutView(view):
                    self.catalog.put_view(view)
                case DropView(view_id):
                    self.catalog.remove_view(view_id)
                case DropCollection(collection_id):
                    self._collection_gone(self.catalog.remove_collection(collection_id))
                case DropDatabase(database_id):
                    for collection in self.catalog.remove_database(database_id):
                        self._collection_gone(collection)

    def _collection_gone(self, collection: Collection) -> None:
        collection_id = collection.info.id
        self._preserved.discard(collection_id)
        self._loaded.discard(collection_id)
        for snapshot in list(self._snapshots.values()):
            if collection_id in snapshot.used:
                self.release(snapshot)
            else:
                snapshot.forget(collection_id)

    # -- loading without the log -------------------------------------------------------------------

    def begin_load(self, collection: Collection) -> None:
        """Note that documents will come past the log; call `engine.sync_log` before the first."""
        self.write_meta({keys.LOADING + collection.prefix: b""})

    def load(
        self,
        collection: Collection,
        files: Mapping[Family, Sequence[Path]],
        revisions: U64Array,
        *,
        largest_bytes: int,
        last_value: int,
    ) -> None:
        """Take over sorted files with new documents and their keys; the log does not tell of them.

        A crash in between is repaired at the next start (`loading.finish_loads`).
        """
        for family, paths in files.items():
            self.engine.ingest(family, paths)
        old = collection.state.counters
        counters = Counters(
            count=old.count + len(revisions),
            last_value=last_value,
            revision=max(old.revision, int(revisions[-1])),
            largest_bytes=max(old.largest_bytes, largest_bytes),
        )
        self._set_aside(collection)
        collection.state.tree.insert_sorted_array(revisions)
        collection.state.counters = counters
        collection.state.tree_dirty = True
        collection.state.changes += 1
        self.largest_bytes = max(self.largest_bytes, largest_bytes)
        self.write_meta(
            {
                keys.COUNTER + collection.prefix: counters.pack(),
                keys.LARGEST: keys.u64(self.largest_bytes),
            }
        )

    def end_load(self, collection: Collection) -> None:
        """All is there. Whoever reads the log must not take it for whole up to now."""
        collection.gap = self.ticks.next()
        self._loaded.add(collection.info.id)
        tree = keys.u64(self.log.last_tick) + collection.state.tree.to_bytes()
        self.write_meta(
            {
                keys.LOADING + collection.prefix: None,
                keys.GAP + collection.prefix: keys.u64(collection.gap),
                keys.TREE + collection.prefix: tree,
            }
        )
        collection.state.tree_dirty = False

    def gap(self, database_id: int | None) -> int:
        """The greatest gap of a database, or of all (None): see `Collection.gap`."""
        loaded = map(self.catalog.collection_by_id, self._loaded)
        gaps = (
            collection.gap
            for collection in loaded
            if collection is not None and database_id in (None, collection.info.database_id)
        )
        return max(gaps, default=0)

    def _set_aside(self, collection: Collection) -> None:
        """Keep the present state for snapshots that show it."""
        state = collection.state
        if self._snapshots and state.epoch < self._epoch:
            state.preserve(self._epoch)
            self._preserved.add(collection.info.id)

    def rebuild_tree(self, collection: Collection) -> Generator[None, None, bool]:
        """Build the live tree anew from the documents; False when the collection went away.

        The caller holds the write lock: nothing is committed meanwhile.
        """
        tree = yield from tree_slices(self.engine, collection)
        if self.catalog.collection_by_id(collection.info.id) is not collection:
            return False
        self._set_aside(collection)
        collection.state.tree, collection.state.tree_dirty = tree, True
        return True

    # -- snapshots -------------------------------------------------------------------------------

    def snapshot(self, *, with_scans: bool = True) -> Snapshot:
        """Pin the documents of every collection as they are now (about 5 us per collection).

        Without scans it costs the same for any number of collections; reading whole ones is slower.
        """
        self._epoch += 1
        scanned = iter(self.catalog.collections) if with_scans else iter(())
        snapshot = Snapshot(self.engine, scanned, self._epoch)
        self._snapshots[self._epoch] = snapshot
        return snapshot

    def release(self, snapshot: Snapshot) -> None:
        """Close a snapshot and forget the states that only it could see. Twice does no harm."""
        if self._snapshots.pop(snapshot.epoch, None) is None:
            return
        snapshot.close()
        for collection_id in list(self._preserved):
            collection = self.catalog.collection_by_id(collection_id)
            if collection is None or not collection.state.forget_unseen(self._snapshots.keys()):
                self._preserved.discard(collection_id)

    # -- trees on disk, shutdown -------------------------------------------------------------------

    def checkpoint_trees(self) -> Generator[None, None, None]:
        """Write changed trees, one a step; a restart then replays the log only from here."""
        valid = self.log.last_tick
        for collection in list(self.catalog.collections):
            if not collection.state.tree_dirty:
                continue
            if self.catalog.collection_by_id(collection.info.id) is not collection:
                continue
            changes = WriteSet()
            row = keys.u64(self.log.last_tick) + collection.state.tree.to_bytes()
            changes.entries[Family.META][keys.TREE + collection.prefix] = row
            self.engine.write(changes)
            collection.state.tree_dirty = False
            yield
        changes = WriteSet()
        changes.entries[Family.META][keys.TREES_VALID] = keys.u64(valid)
        self.engine.write(changes)
        self.trees_valid = valid
        self.unsynced = True

    def start_anew(self, tick: int) -> None:
        """After a restore: ticks go on above `tick`, and the log begins there.

        `tick` is greater than any that was ever handed out by the server that the data come from,
        so whoever followed it notices that what it has read is gone.
        """
        for _ in self.checkpoint_trees():
            pass
        self.log.restart(tick)
        self.ticks.raise_to(tick)
        self.trees_valid = tick

    def close(self) -> None:
        """Write what a quick restart needs, sync, release the directory."""
        for snapshot in list(self._snapshots.values()):
            self.release(snapshot)
        for _ in self.checkpoint_trees():
            pass
        self.log.close_segment()
        self.ticks.settle()
        self.engine.sync_log()
        self.engine.close()


def _keep_loaded(change: PutLoaded, commit: Commit, largest_bytes: int) -> None:
    """The rows of `meta` that make a collection of what was loaded aside."""
    info, counters = change.info, change.state.counters
    prefix = keys.u64(info.id)
    largest_bytes = max(largest_bytes, counters.largest_bytes)
    commit.changes.entries[Family.META] |= {
        keys.COLLECTION + prefix: msgpack.pack(info.pack()),
        keys.COUNTER + prefix: counters.pack(),
        keys.TREE + prefix: keys.u64(commit.last_tick) + change.state.tree.to_bytes(),
        keys.GAP + prefix: keys.u64(change.gap) if change.gap else None,
        keys.LOADING + prefix: None,
        keys.LARGEST: keys.u64(largest_bytes),
    }


def _erase_collection(collection: Collection, commit: Commit) -> None:
    prefix, end = collection.prefix, collection.document_end
    commit.clear_rows(Family.DOCUMENTS, prefix, end)
    commit.clear_rows(Family.PRIMARY, prefix, end)
    commit.clear_rows(Family.INDEX, prefix, end)
    meta = commit.changes.entries[Family.META]
    for kind in (keys.COLLECTION, keys.COUNTER, keys.TREE, keys.LOADING, keys.GAP):
        meta[kind + prefix] = None


def _erase_database(database: Database, commit: Commit) -> None:
    for collection in database:
        _erase_collection(collection, commit)
    meta = commit.changes.entries[Family.META]
    for view in database.views:
        meta[keys.VIEW + keys.u64(view.id)] = None
    meta[keys.DATABASE + keys.u64(database.info.id)] = None
