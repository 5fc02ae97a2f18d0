"""`Snapshot`: the documents of the whole store as they were at one tick.

It is made of iterators opened in one go between two commits: a checked cursor for each of documents
and primary, and one fast scan per collection that has documents. It pins memory tables and files
until it is closed, so a batch's TTL is also a disk budget.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import chain
from weakref import WeakSet

from arangorep.errors import CorruptionError, CursorNotFound
from arangorep.limits import (
    REVISIONS_LISTED_MAX,
    SCAN_BYTES_GOAL,
    SCAN_BYTES_MAX,
    SCAN_ROWS_MAX,
)
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Cursor, Engine, Family, Scan
from arangorep.storage.listing import all_revisions
from arangorep.storage.state import FrozenState
from arangorep.values.tree_leaves import U64Array


class CursorScan:
    """A `Scan` over a pinned cursor, for a range whose own scan is used up."""

    __slots__ = ("_cursor", "_end", "_keys_only", "_next")

    def __init__(
        self, cursor: Cursor, start: bytes, end: bytes, *, keys_only: bool = False
    ) -> None:
        self._cursor, self._next, self._end = cursor, start, end
        self._keys_only = keys_only

    def take(self, rows: int) -> list[bytes]:
        if self._keys_only:
            keys = self._cursor.keys(self._next, self._end, rows)
            if keys:
                self._next = keys[-1] + b"\0"
            return keys
        found = self._cursor.items(self._next, self._end, rows)
        if found:
            self._next = found[-1][0] + b"\0"
        return [value for _, value in found]

    def close(self) -> None:
        self._next = self._end


class Snapshot:
    """A pinned read view. Create it with `Store.snapshot`, close it exactly once."""

    def __init__(self, engine: Engine, collections: Iterator[Collection], epoch: int) -> None:
        self.epoch = epoch
        self.closed = False
        self._engine = engine
        self.documents = engine.cursor(Family.DOCUMENTS)
        self.primary = engine.cursor(Family.PRIMARY)
        self._scans: dict[int, Scan] = {
            collection.info.id: engine.scan(
                Family.DOCUMENTS, collection.prefix, collection.document_end
            )
            for collection in collections
            if collection.state.counters.count
        }
        self._handed_out: WeakSet[DocumentScan | ResumedScan] = WeakSet()
        self.used: set[int] = set()
        """Collections whose documents were asked for; dropping one of them ends the snapshot."""

    def state(self, collection: Collection) -> FrozenState:
        """Count and revision tree of `collection` in this snapshot."""
        return collection.state.at(self.epoch)

    def scan(self, collection: Collection) -> DocumentScan:
        """All documents in revision order, from the first one. Needs no reading to create."""
        collection_id = collection.info.id
        self.used.add(collection_id)
        state = self.state(collection)
        rows = self._scans.pop(collection_id, None) or CursorScan(
            self.documents, collection.prefix, collection.document_end
        )
        found = DocumentScan(rows, state.count, state.largest_bytes)
        self._handed_out.add(found)
        return found

    def scan_behind(self, collection: Collection, revision: int) -> ResumedScan:
        """All documents above `revision`, in revision order; slower than `scan`."""
        self.used.add(collection.info.id)
        start = collection.prefix + keys.u64(revision) + b"\0"
        rows = CursorScan(self.documents, start, collection.document_end)
        found = ResumedScan(rows, self.state(collection).largest_bytes)
        self._handed_out.add(found)
        return found

    def forget(self, collection_id: int) -> None:
        """Release the scan of a collection that was dropped."""
        scan = self._scans.pop(collection_id, None)
        if scan is not None:
            scan.close()

    def close(self) -> None:
        """Release everything the snapshot pins, also what is being read."""
        self.closed = True
        for handed_out in self._handed_out:
            handed_out.close()
        for scan in self._scans.values():
            scan.close()
        self._scans.clear()
        self.documents.close()
        self.primary.close()

    def revisions(self, collection: Collection, start: int, end: int, rows: int) -> list[int]:
        """At most `rows` revisions with start <= revision <= end, ascending."""
        self.used.add(collection.info.id)
        prefix = collection.prefix
        found = self.documents.keys(prefix + keys.u64(start), _past(prefix, end), rows)
        return [int.from_bytes(key[8:], "big") for key in found]

    def is_current(self, collection: Collection) -> bool:
        """Whether the documents are still those of the open snapshot: unpinned reads are faster."""
        return collection.state.epoch < self.epoch

    def scan_revisions(self, collection: Collection, start: int, end: int) -> Scan:
        """Keys of the documents with start <= revision <= end, for reading very many of them.

        Errors: 404/1600 when the snapshot was closed.
        """
        if self.closed:
            raise CursorNotFound
        self.used.add(collection.info.id)
        first, last = collection.prefix + keys.u64(start), _past(collection.prefix, end)
        if self.is_current(collection):
            return self._engine.scan_keys(Family.DOCUMENTS, first, last)
        return CursorScan(self.documents, first, last, keys_only=True)

    def list_revisions(self, collection: Collection) -> Generator[None, None, U64Array] | None:
        """All revisions, ascending; None where `scan_revisions` is the way. Errors: the same."""
        if self.closed:
            raise CursorNotFound
        if not self.is_current(collection) or collection.count > REVISIONS_LISTED_MAX:
            return None
        self.used.add(collection.info.id)
        return all_revisions(self._engine, collection)

    def document(self, collection: Collection, revision: int) -> bytes | None:
        """The document of exactly this revision."""
        self.used.add(collection.info.id)
        key = collection.prefix + keys.u64(revision)
        found = self.documents.values(key, key + b"\0", 1)
        return found[0] if found else None


def _past(prefix: bytes, revision: int) -> bytes:
    return prefix + keys.u64(revision) + b"\0"


class DocumentScan:
    """Blocks of documents whose size fits one slice of work, with the count checked at the end."""

    __slots__ = (
        "__weakref__",
        "_closed",
        "_expected",
        "_pending",
        "_rows",
        "_rows_goal",
        "_rows_limit",
        "_seen",
    )

    def __init__(self, rows: Scan, expected: int, largest_bytes: int) -> None:
        self._closed = False
        self._rows = rows
        self._expected = expected
        self._seen = 0
        self._pending: list[bytes] = []
        self._rows_limit = rows_limit(largest_bytes)
        self._rows_goal = 64

    @property
    def exhausted(self) -> bool:
        """Whether every document has been taken. An empty collection is exhausted at once."""
        return not self._pending and self._seen >= self._expected

    def take(self, rows: int = SCAN_ROWS_MAX) -> list[bytes]:
        """The next documents, about `SCAN_BYTES_GOAL` bytes; none at the end.

        Errors: `CorruptionError` when the store ends before the last document; 404/1600 when the
        snapshot was closed.
        """
        if self._closed:
            raise CursorNotFound
        if self._pending:
            block, self._pending = self._pending[:rows], self._pending[rows:]
            return block
        if self._seen >= self._expected:
            return []
        wanted = min(rows, self._rows_goal, self._rows_limit)
        block = self._rows.take(wanted)
        self._seen += len(block)
        if len(block) < wanted and self._seen < self._expected:
            raise CorruptionError(
                f"the store ended after {self._seen} of {self._expected} documents"
            )
        sample = block[:: max(1, len(block) // 8)]  # weighing all of them would show in dumps
        average = sum(map(len, sample)) // len(sample) + 1
        self._rows_goal = max(1, min(SCAN_ROWS_MAX, SCAN_BYTES_GOAL // average))
        return block

    def close(self) -> None:
        """Release the rows: an open scan would keep the data directory locked."""
        self._closed = True
        self._rows.close()

    def put_back(self, block: list[bytes]) -> None:
        """Return documents that did not fit; the next `take` starts with them."""
        self._pending = list(chain(block, self._pending))


class ResumedScan:
    """The rest of a collection from somewhere in the middle: like `DocumentScan`, but the end is
    found by looking one block ahead, because the number of documents left is not known."""

    __slots__ = ("__weakref__", "_closed", "_pending", "_rows", "_rows_limit")

    def __init__(self, rows: CursorScan, largest_bytes: int) -> None:
        self._closed = False
        self._rows = rows
        self._rows_limit = rows_limit(largest_bytes)
        self._pending: list[bytes] = []

    @property
    def exhausted(self) -> bool:
        """Whether every document has been taken."""
        if not self._pending:
            self._pending = self._rows.take(min(64, self._rows_limit))
        return not self._pending

    def take(self, rows: int = SCAN_ROWS_MAX) -> list[bytes]:
        """The next documents; none at the end. Errors: as `DocumentScan.take`."""
        if self._closed:
            raise CursorNotFound
        if self._pending:
            block, self._pending = self._pending[:rows], self._pending[rows:]
            return block
        return self._rows.take(min(rows, self._rows_limit, SCAN_ROWS_MAX))

    def close(self) -> None:
        """Read nothing any more."""
        self._closed = True
        self._rows.close()

    def put_back(self, block: list[bytes]) -> None:
        """Return documents that did not fit; the next `take` starts with them."""
        self._pending = block + self._pending


def rows_limit(largest_bytes: int) -> int:
    """Rows that may be read at once when each might be `largest_bytes` long."""
    return max(1, min(SCAN_ROWS_MAX, SCAN_BYTES_MAX // max(largest_bytes, 1)))
