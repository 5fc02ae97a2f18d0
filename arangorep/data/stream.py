"""`StreamTransaction`: changes that several requests gather, over one snapshot (data-api 10.1).

Reads see the snapshot of the beginning and the transaction's own changes. The first write to a key
claims it: who else wants to write it meanwhile gets a conflict, and so does the transaction when
the key has changed since its snapshot. Ticks are handed out at the commit, so the log shows the
transaction as one group, at the moment it counts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

from arangorep.data.transactions import CollectionWriter, Transaction
from arangorep.errors import (
    CollectionNotFound,
    Conflict,
    CursorNotFound,
    ResourceLimit,
    TransactionAborted,
    TransactionUnregisteredCollection,
)
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.engine import Family
from arangorep.storage.rows import row_key, with_name
from arangorep.storage.snapshot import Snapshot
from arangorep.storage.store import Store
from arangorep.values.index import IndexDefinition
from arangorep.values.marker import MarkerType


class Entry(NamedTuple):
    """A marker that has no tick yet."""

    writer: StreamWriter
    kind: MarkerType
    data: bytes
    revision: int
    old_revision: int


class StreamTransaction(Transaction):
    """One running stream transaction. End it with `commit` or `abort`, exactly once."""

    def __init__(
        self,
        store: Store,
        database: Database,
        transaction_id: int,
        *,
        readable: frozenset[int],
        writable: frozenset[int],
        allow_implicit: bool,
        bytes_max: int,
    ) -> None:
        super().__init__(store, database, grouped=True)
        self.id = transaction_id
        self.snapshot = store.snapshot(with_scans=False)
        self.journal: list[Entry] = []
        self.is_torn = False
        """Whether a request that failed has left a part of its changes: it can only be aborted."""
        self.wait_for_sync = False
        """Whether a write of it was to be on the disk before its answer: now the commit is."""
        self._tid = b"%d" % transaction_id
        self._readable, self.writable = readable, writable
        self._allow_implicit = allow_implicit
        self._bytes, self._bytes_max = 0, bytes_max
        self._streams: dict[int, StreamWriter] = {}

    # -- reading -----------------------------------------------------------------------------------

    def check_readable(self, collection: Collection) -> None:
        """Errors: 400/1652 for an undeclared collection; 404/1203 for a younger one; 410/1654 when
        the snapshot is gone, because a collection that was read from it was dropped.
        """
        collection_id = collection.info.id
        if self.snapshot.closed or self.is_torn:
            raise TransactionAborted
        if collection_id > self.id:  # both are ticks: it is younger than the snapshot
            raise CollectionNotFound(f"collection or view not found: {collection.info.name}")
        if not self._allow_implicit and collection_id not in self._readable | self.writable:
            raise TransactionUnregisteredCollection

    def count(self, collection: Collection) -> int:
        """Documents as the transaction sees them."""
        self.check_readable(collection)
        found = self._streams.get(collection.info.id)
        return self.snapshot.state(collection).count + (found.growth if found else 0)

    def rows(self, collection: Collection) -> Iterator[list[bytes]]:
        """All documents as the transaction sees them, block by block."""
        self.check_readable(collection)
        writer = self._streams.get(collection.info.id)
        scan = self.snapshot.scan(collection)
        try:
            while block := scan.take():
                yield block if writer is None else [r for r in block if not writer.shadows(r)]
        except CursorNotFound:
            raise TransactionAborted from None
        if writer is not None:
            yield writer.own_rows()

    def document(self, collection: Collection, key: bytes) -> tuple[int, bytes] | None:
        """Revision and row of a document as the transaction sees it."""
        self.check_readable(collection)
        writer = self._streams.get(collection.info.id)
        if writer is not None:
            revision = writer.find(key)
            row = writer.row(revision) if revision else None
        else:
            revision = find_in(self.snapshot, collection.prefix + key)
            row = self.snapshot.document(collection, revision) if revision else None
        if row is None:
            return None
        return revision, with_name(row, collection.name_json) if collection.info.renamed else row

    # -- writing -----------------------------------------------------------------------------------

    def writer(self, collection: Collection) -> StreamWriter:
        """The writer of one collection. Errors: 400/1652 unless declared; 410/1654."""
        self.check_readable(collection)
        if collection.info.id not in self.writable:
            raise TransactionUnregisteredCollection
        found = self._streams.get(collection.info.id)
        if found is None:
            found = self._streams[collection.info.id] = StreamWriter(self, collection)
        return found

    @property
    def changes(self) -> int:
        """How many changes it holds."""
        return len(self.journal)

    def check_room(self) -> None:
        """Errors: 400/32 when the transaction has become too large."""
        if self._bytes > self._bytes_max:
            raise ResourceLimit(
                f"resource limit exceeded: a transaction takes up to {self._bytes_max} bytes",
                http_status=400,
            )

    def note(self, entry: Entry) -> None:
        """Remember a change; the caller has made it."""
        self._bytes += len(entry.data)
        self.journal.append(entry)

    def written(self) -> list[Collection]:
        """Collections that the commit would change."""
        return [one.collection for one in self._streams.values() if one.is_changed]

    def commit(self) -> bool:
        """`commit_in_slices` in one go."""
        work = self.commit_in_slices()
        while True:
            try:
                next(work)
            except StopIteration as stop:
                return bool(stop.value)

    def commit_in_slices(self) -> Generator[None, None, bool]:
        """Write everything as one group of markers; False when nothing changed.

        The caller holds the write lock to the end. Errors: 409/1200 when something that no claim
        can stop came in between: then nothing is written. The transaction is over in any case.
        """
        try:
            for stream in self._streams.values():
                yield from stream.verify()
            if not self.journal:
                return False
            self._mark(MarkerType.TRANSACTION_START, self.store.ticks.next())
            for number, entry in enumerate(self.journal):
                entry.writer.append_now(entry)
                if number % WRITE_ROWS_PER_SLICE == 0:
                    yield
            if not self._streams:
                raise TransactionAborted  # nobody may: the caller holds the lock
            for stream in self._streams.values():
                stream.finish()
            self._mark(MarkerType.TRANSACTION_COMMIT, self.store.ticks.next())
            self.store.commit(self.staged)
            return True
        finally:
            self.abort()

    def abort(self) -> None:
        """Forget everything and give the claims back. Twice does no harm."""
        for stream in self._streams.values():
            stream.release()
        self._streams.clear()
        self.journal.clear()
        self.store.release(self.snapshot)


def find_in(snapshot: Snapshot, primary_key: bytes) -> int:
    """The revision under a key of the primary index, 0 if there is none."""
    values = snapshot.primary.values(primary_key, primary_key + b"\0", 1)
    return int.from_bytes(values[0], "big") if values else 0


class StreamWriter(CollectionWriter):
    """Writes into one collection for a stream transaction: over its snapshot, claiming keys."""

    def __init__(self, stream: StreamTransaction, collection: Collection) -> None:
        super().__init__(stream, collection, stream._tid)
        self._stream = stream
        self._snapshot = stream.snapshot
        self._indexes = collection.info.indexes
        self._owner = stream.id
        self._claimed: dict[bytes, tuple[Family, bytes | None]] = {}
        """Keys of the primary and of unique indexes, and what they held when they were claimed."""

    @property
    def last_value(self) -> int:
        """The key generator is not part of the transaction: no two may get the same key."""
        return self.collection.state.counters.last_value

    @last_value.setter
    def last_value(self, value: int) -> None:
        self.collection.state.counters.last_value = value

    @property
    def takes_blocks(self) -> bool:
        return False

    @property
    def growth(self) -> int:
        """Documents more, or less, than in the snapshot."""
        return self._delta.documents

    # -- reading -----------------------------------------------------------------------------------

    def find(self, key: bytes) -> int:
        primary_key = self._prefix + key
        if primary_key in self._primary:
            found = self._primary[primary_key]
        else:
            return find_in(self._snapshot, primary_key)
        return 0 if found is None else int.from_bytes(found, "big")

    def row(self, revision: int) -> bytes:
        row = self._documents.get(self._prefix + revision.to_bytes(8, "big"))
        if row is None:
            row = self._snapshot.document(self.collection, revision)
        # the holder of a unique value may be younger than the snapshot
        return super().row(revision) if row is None else row

    def shadows(self, row: bytes) -> bool:
        """Whether the transaction has changed the document of this row of the snapshot."""
        return self._prefix + row_key(row) in self._primary

    def own_rows(self) -> list[bytes]:
        """The documents that the transaction has put, as they are now."""
        stored = (revision for revision in self._primary.values() if revision is not None)
        mine = (self._documents.get(self._prefix + revision) for revision in stored)
        return [row for row in mine if row is not None]

    # -- writing -----------------------------------------------------------------------------------

    def put(self, key: bytes, old_revision: int, body: dict[str, Any]) -> tuple[int, bytes]:
        self._claim_key(key)
        return super().put(key, old_revision, body)

    def remove(self, key: bytes, old_revision: int, revision: int = 0) -> int:
        self._claim_key(key)
        return super().remove(key, old_revision, revision)

    def clear(self) -> None:
        """`clear_in_slices` in one go."""
        for _ in self.clear_in_slices():
            pass

    def clear_in_slices(self) -> Generator[None, None, None]:
        """Remove every document one by one: a group of markers cannot hold a truncation."""
        for block in list(self._stream.rows(self.collection)):
            for number, row in enumerate(block):
                key = row_key(row)
                self.remove(key, self.find(key))
                if number % WRITE_ROWS_PER_SLICE == 0:
                    yield

    def _claim_key(self, key: bytes) -> None:
        """Errors: 409/1200 when another transaction has it, or it changed since the snapshot;
        400/32 when there is no room."""
        self._stream.check_room()
        primary_key = self._prefix + key
        if primary_key in self._claimed:
            return
        self._check_claim(primary_key)
        now = self._engine.get(Family.PRIMARY, primary_key)
        seen = self.find(key)
        if (0 if now is None else int.from_bytes(now, "big")) != seen:
            raise Conflict("conflict: the document has changed since the transaction began")
        self._claim(Family.PRIMARY, primary_key, now)

    def _check_free(self, index: IndexDefinition, entry: bytes, old_revision: int) -> None:
        self._check_claim(entry)
        super()._check_free(index, entry, old_revision)
        if entry not in self._claimed:
            self._claim(Family.INDEX, entry, self._engine.get(Family.INDEX, entry))

    def _claim(self, family: Family, key: bytes, now: bytes | None) -> None:
        self._claimed[key] = family, now
        self.collection.locks[key] = self._owner

    def _append(self, kind: MarkerType, data: bytes, revision: int, old_revision: int) -> None:
        self._stream.note(Entry(self, kind, data, revision, old_revision))
        self._changed = True

    # -- the end -----------------------------------------------------------------------------------

    @property
    def is_changed(self) -> bool:
        return self._changed

    def verify(self) -> Generator[None, None, None]:
        """Errors: 409/1200 unless everything is as it was when it was claimed."""
        collection = self._store.catalog.collection_by_id(self.collection.info.id)
        if collection is not self.collection or collection.info.indexes != self._indexes:
            raise Conflict("conflict: the collection has changed during the transaction")
        for number, (key, (family, expected)) in enumerate(self._claimed.items()):
            if number % WRITE_ROWS_PER_SLICE == 0:
                yield
            if self._engine.get(family, key) != expected:
                raise Conflict("conflict: a document has changed during the transaction")

    def append_now(self, entry: Entry) -> None:
        """Give a marker its tick."""
        super()._append(entry.kind, entry.data, entry.revision, entry.old_revision)

    def release(self) -> None:
        """Give the claims back."""
        locks = self.collection.locks
        for key in self._claimed:
            if locks.get(key) == self._owner:
                del locks[key]
