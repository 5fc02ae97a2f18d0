"""Scans of documents in blocks of a bounded size, and what a snapshot shows.

Whether snapshots stand still while everything moves is for `model/test_snapshot_model.py`.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
from support.memory_engine import MemoryEngine
from support.stores import finish, insert, make_collection, open_store, stored, system, write

from arangorep.data.collections import truncate_collection
from arangorep.errors import CorruptionError, CursorNotFound
from arangorep.limits import SCAN_BYTES_GOAL, SCAN_BYTES_MAX, SCAN_ROWS_MAX
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.snapshot import CursorScan, DocumentScan, Snapshot, rows_limit
from arangorep.storage.store import Store
from arangorep.values.revision import REVISION_MAX


class Rows:
    """A scan that remembers how many rows each call asked for."""

    def __init__(self, rows: list[bytes]) -> None:
        self._rows = rows
        self.asked: list[int] = []

    def take(self, rows: int) -> list[bytes]:
        self.asked.append(rows)
        taken, self._rows = self._rows[:rows], self._rows[rows:]
        return taken

    def close(self) -> None:
        self._rows = []


def scan_of(rows: list[bytes], *, largest: int | None = None) -> tuple[DocumentScan, Rows]:
    source = Rows(rows)
    largest = max(map(len, rows), default=0) if largest is None else largest
    return DocumentScan(source, len(rows), largest), source


def drained(scan: DocumentScan, rows: int = SCAN_ROWS_MAX) -> list[list[bytes]]:
    blocks = []
    while block := scan.take(rows):
        blocks.append(block)
    return blocks


def numbered(count: int, size: int = 10) -> list[bytes]:
    return [b"%0*d" % (size, n) for n in range(count)]


# -- blocks ---------------------------------------------------------------------------------


def test_blocks_are_all_documents_in_order() -> None:
    rows = numbered(5000)
    scan, _ = scan_of(rows)
    assert not scan.exhausted
    assert [row for block in drained(scan) for row in block] == rows
    assert scan.exhausted
    assert scan.take() == []


def test_an_empty_collection_is_exhausted_at_once() -> None:
    scan, source = scan_of([])
    assert scan.exhausted
    assert scan.take() == []
    assert source.asked == [], "nothing needs to be read"


def test_the_last_block_exhausts_the_scan() -> None:
    scan, source = scan_of(numbered(3))
    assert len(scan.take(3)) == 3
    assert scan.exhausted
    assert scan.take(3) == []
    assert source.asked == [3]


@pytest.mark.parametrize("size", [10, 300, 3000, 100_000])
def test_blocks_aim_at_a_number_of_bytes(size: int) -> None:
    rows = numbered(max(200, 3 * SCAN_BYTES_GOAL // size), size)
    scan, _ = scan_of(rows)
    first, *middle, _last = drained(scan)
    assert len(first) <= 64, "the first look is careful"
    for block in middle:
        assert len(block) <= SCAN_ROWS_MAX
        assert len(block) == 1 or len(block) * size <= SCAN_BYTES_GOAL
        assert len(block) == SCAN_ROWS_MAX or (len(block) + 2) * size > SCAN_BYTES_GOAL


def test_a_caller_may_ask_for_less() -> None:
    rows = numbered(100)
    scan, source = scan_of(rows)
    assert [len(block) for block in drained(scan, 7)] == [7] * 14 + [2]
    assert max(source.asked) == 7


def test_documents_may_suddenly_become_large() -> None:
    """Before any is seen, the largest one ever stored bounds what is read at once."""
    large = SCAN_BYTES_MAX // 10
    scan, source = scan_of(numbered(300), largest=large)
    drained(scan)
    assert max(source.asked) == rows_limit(large) == 10


@pytest.mark.parametrize(
    ("largest", "rows"),
    [
        (0, SCAN_ROWS_MAX),
        (1, SCAN_ROWS_MAX),
        (SCAN_BYTES_MAX // SCAN_ROWS_MAX, SCAN_ROWS_MAX),
        (SCAN_BYTES_MAX // 2, 2),
        (SCAN_BYTES_MAX, 1),
        (10 * SCAN_BYTES_MAX, 1),
    ],
)
def test_rows_at_once(largest: int, rows: int) -> None:
    assert rows_limit(largest) == rows


# -- returning documents ----------------------------------------------------------------------


def test_returned_documents_come_again_first() -> None:
    rows = numbered(10)
    scan, _ = scan_of(rows)
    block = scan.take(6)
    scan.put_back(block[2:])
    assert not scan.exhausted
    assert scan.take(3) == rows[2:5]
    assert scan.take(100) == rows[5:6], "a block does not mix returned and new documents"
    assert scan.take(100) == rows[6:]
    assert scan.exhausted


def test_documents_may_be_returned_again_and_again() -> None:
    rows = numbered(5)
    scan, _ = scan_of(rows)
    scan.put_back(scan.take(5))
    assert not scan.exhausted
    block = scan.take(5)
    scan.put_back(block[4:])
    scan.put_back(block[3:4])
    assert scan.take(1) == rows[3:4]
    scan.put_back([])
    assert scan.take(5) == rows[4:]
    assert scan.exhausted


# -- a store that ends too early ----------------------------------------------------------------


@pytest.mark.parametrize("there", [0, 1, 63, 64, 65, 699])
def test_a_store_that_ends_early_is_an_error_and_not_a_short_answer(there: int) -> None:
    scan = DocumentScan(Rows(numbered(there)), 700, 10)
    with pytest.raises(CorruptionError, match=f"ended after {there} of 700 documents"):
        drained(scan)


def test_the_documents_before_the_end_are_not_given_out_twice() -> None:
    scan = DocumentScan(Rows(numbered(10)), 20, 10)
    assert len(scan.take(8)) == 8
    with pytest.raises(CorruptionError):
        scan.take(8)
    with pytest.raises(CorruptionError):
        scan.take(8)


# -- scans over a cursor --------------------------------------------------------------------------


def test_a_cursor_scan_is_a_scan() -> None:
    engine = MemoryEngine()
    changes = WriteSet()
    for n in range(10):
        changes.entries[Family.DOCUMENTS][keys.u64(n)] = b"%d" % n
    engine.write(changes)
    scan = CursorScan(engine.cursor(Family.DOCUMENTS), keys.u64(2), keys.u64(8))
    assert scan.take(4) == [b"2", b"3", b"4", b"5"]
    assert scan.take(4) == [b"6", b"7"]
    assert scan.take(4) == []
    other = CursorScan(engine.cursor(Family.DOCUMENTS), keys.u64(0), keys.u64(9))
    assert other.take(1) == [b"0"]
    other.close()
    assert other.take(1) == []
    names = CursorScan(engine.cursor(Family.DOCUMENTS), keys.u64(2), keys.u64(8), keys_only=True)
    assert names.take(4) == [keys.u64(n) for n in (2, 3, 4, 5)]
    assert names.take(4) == [keys.u64(n) for n in (6, 7)]
    assert names.take(4) == []


# -- what a snapshot shows ------------------------------------------------------------------------


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    made = make_collection(store, "c")
    insert(store, made, *({"_key": f"k{n}"} for n in range(20)))
    return made


def test_documents_come_in_the_order_of_their_revisions(
    store: Store, collection: Collection
) -> None:
    insert(store, collection, {"_key": "k3", "n": 1}, mode="replace")
    expected = [
        store.engine.get(Family.DOCUMENTS, collection.prefix + keys.u64(revision))
        for revision in sorted(stored(store, collection))
    ]
    snapshot = store.snapshot()
    for _ in range(3):  # the first reads the prepared scan, the others the cursor
        assert [row for block in drained(snapshot.scan(collection)) for row in block] == expected
    store.release(snapshot)


def test_a_scan_that_nobody_holds_pins_nothing(store: Store, collection: Collection) -> None:
    snapshot = store.snapshot()
    kept = weakref.ref(snapshot.scan(collection))
    gc.collect()
    assert kept() is None
    store.release(snapshot)


def test_a_store_can_be_opened_again_in_the_middle_of_a_scan(tmp_path: Path) -> None:
    """Nothing that a snapshot handed out keeps the directory locked."""
    store = open_store(RocksEngine(tmp_path / "data"))
    made = make_collection(store, "c")
    insert(store, made, {}, {}, {})
    first, second = (store.snapshot().scan(made) for _ in range(2))
    assert len(first.take(1)) == 1
    store.close()
    RocksEngine(tmp_path / "data").close()
    with pytest.raises(CursorNotFound):
        second.take(1)


def test_two_readers_of_one_collection(store: Store, collection: Collection) -> None:
    snapshot = store.snapshot()
    first, second = snapshot.scan(collection), snapshot.scan(collection)
    assert first.take(5) == second.take(5)
    assert first.take(3) == second.take(3)


def test_revisions_lie_between_two_ends(store: Store, collection: Collection) -> None:
    revisions = sorted(stored(store, collection))
    snapshot = store.snapshot()
    low, high = revisions[3], revisions[7]
    assert snapshot.revisions(collection, 0, REVISION_MAX, 100) == revisions
    assert snapshot.revisions(collection, low, high, 100) == revisions[3:8]
    assert snapshot.revisions(collection, low, high, 2) == revisions[3:5]
    assert snapshot.revisions(collection, low, low, 100) == [low]
    assert snapshot.revisions(collection, low + 1, high - 1, 100) == revisions[4:7]
    assert snapshot.revisions(collection, high, low, 100) == []
    assert snapshot.revisions(collection, revisions[-1] + 1, REVISION_MAX, 100) == []


CHANGES = {
    "insert": lambda store, made: insert(store, made, {"_key": "later"}),
    "replace": lambda store, made: insert(store, made, {"_key": "k3"}, mode="replace"),
    "remove": lambda store, made: write(store, made, "remove", {"_key": "k3"}),
    "truncate": lambda store, made: truncate_collection(store, system(store), made),
}
changes = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
Change = Callable[[Store, Collection], object]


def scanned(snapshot: Snapshot, collection: Collection, start: int, end: int) -> list[int]:
    scan = snapshot.scan_revisions(collection, start, end)
    found = [*scan.take(3), *scan.take(100)]
    scan.close()
    assert all(key.startswith(collection.prefix) for key in found)
    return [int.from_bytes(key[8:], "big") for key in found]


@changes
def test_a_scan_of_revisions_shows_the_snapshot(
    store: Store, collection: Collection, change: Change
) -> None:
    """Both ways of reading: what is there now, and what was there."""
    other = make_collection(store, "other")
    insert(store, other, {"_key": "a"})
    revisions = sorted(stored(store, collection))
    snapshot = store.snapshot()
    ends = [
        (0, REVISION_MAX),
        (revisions[3], revisions[7]),
        (revisions[3], revisions[3]),
        (revisions[3] + 1, revisions[7] - 1),
        (revisions[-1] + 1, REVISION_MAX),
        (revisions[7], revisions[3]),
    ]
    expected = [[r for r in revisions if low <= r <= high] for low, high in ends]
    assert snapshot.is_current(collection)
    assert [scanned(snapshot, collection, *one) for one in ends] == expected
    begun = snapshot.scan_revisions(collection, 0, REVISION_MAX)
    before = begun.take(5)
    change(store, collection)
    assert not snapshot.is_current(collection)
    assert [scanned(snapshot, collection, *one) for one in ends] == expected
    rest = before + begun.take(100)
    assert [int.from_bytes(key[8:], "big") for key in rest] == revisions
    assert snapshot.is_current(other), "only what has changed is read in the slow way"
    store.release(snapshot)


@changes
def test_revisions_are_listed_while_they_are_those_of_the_snapshot(
    store: Store, collection: Collection, change: Change
) -> None:
    revisions = sorted(stored(store, collection))
    old = store.snapshot()
    work = old.list_revisions(collection)
    assert work is not None
    assert finish(work).tolist() == revisions
    change(store, collection)
    new = store.snapshot()
    assert old.list_revisions(collection) is None
    work = new.list_revisions(collection)
    assert work is not None
    assert finish(work).tolist() == sorted(stored(store, collection))
    store.release(old)
    store.release(new)


def test_a_list_that_was_begun_is_that_of_the_snapshot(
    store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arangorep.storage.listing.ROWS_PER_SLICE", 3)
    revisions = sorted(stored(store, collection))
    snapshot = store.snapshot()
    work = snapshot.list_revisions(collection)
    assert work is not None
    next(work)
    truncate_collection(store, system(store), collection)
    assert finish(work).tolist() == revisions
    assert snapshot.list_revisions(collection) is None


@pytest.mark.parametrize(("maximum", "is_listed"), [(19, False), (20, True), (21, True)])
def test_a_large_collection_is_not_listed(
    store: Store,
    collection: Collection,
    monkeypatch: pytest.MonkeyPatch,
    maximum: int,
    is_listed: bool,
) -> None:
    monkeypatch.setattr("arangorep.storage.snapshot.REVISIONS_LISTED_MAX", maximum)
    assert (store.snapshot().list_revisions(collection) is not None) is is_listed


def test_a_collection_made_later_is_not_listed(store: Store, collection: Collection) -> None:
    snapshot = store.snapshot()
    later = make_collection(store, "later")
    for _ in range(2):
        assert snapshot.list_revisions(later) is None
        assert scanned(snapshot, later, 0, REVISION_MAX) == []
        insert(store, later, {})


def test_a_document_is_found_by_its_revision(store: Store, collection: Collection) -> None:
    revision = min(stored(store, collection))
    snapshot = store.snapshot()
    row = store.engine.get(Family.DOCUMENTS, collection.prefix + keys.u64(revision))
    assert snapshot.document(collection, revision) == row
    assert snapshot.document(collection, revision - 1) is None
    assert snapshot.document(collection, REVISION_MAX) is None


def test_a_snapshot_stays_inside_a_collection(store: Store, collection: Collection) -> None:
    other = make_collection(store, "other")
    insert(store, other, {"_key": "a"})
    snapshot = store.snapshot()
    (revision,) = stored(store, other)
    assert snapshot.revisions(other, 0, REVISION_MAX, 100) == [revision]
    assert snapshot.document(collection, revision) is None
    assert len(drained(snapshot.scan(other))) == 1


def test_a_collection_made_later_is_empty(store: Store, collection: Collection) -> None:
    snapshot = store.snapshot()
    later = make_collection(store, "later")
    insert(store, later, {"_key": "a"})
    assert snapshot.state(later).count == 0
    assert snapshot.state(later).tree.count == 0
    assert snapshot.scan(later).exhausted
    assert snapshot.revisions(later, 0, REVISION_MAX, 10) == []


def test_only_reading_counts_as_use(store: Store, collection: Collection) -> None:
    snapshot = store.snapshot()
    snapshot.state(collection)
    assert snapshot.used == set()
    for read in (
        lambda: snapshot.scan(collection),
        lambda: snapshot.revisions(collection, 0, 1, 1),
        lambda: snapshot.document(collection, 1),
        lambda: snapshot.scan_revisions(collection, 0, 1),
        lambda: snapshot.list_revisions(collection),
    ):
        snapshot.used.clear()
        read()
        assert snapshot.used == {collection.info.id}
    insert(store, collection, {})
    snapshot.used.clear()
    assert snapshot.list_revisions(collection) is None
    assert snapshot.used == set()
    snapshot.scan_revisions(collection, 0, 1)
    assert snapshot.used == {collection.info.id}


def test_a_closed_snapshot_cannot_be_read(store: Store, collection: Collection) -> None:
    snapshot = store.snapshot()
    unread, begun, finished = (snapshot.scan(collection) for _ in range(3))
    assert len(begun.take(1)) == 1
    assert len(drained(finished)) == 1
    begun.put_back([b"returned"])
    store.release(snapshot)
    for scan in (unread, begun, finished):
        with pytest.raises(CursorNotFound):
            scan.take()
    with pytest.raises(ValueError, match="closed"):
        snapshot.revisions(collection, 0, REVISION_MAX, 10)
    with pytest.raises(ValueError, match="closed"):
        drained(snapshot.scan(collection))


@pytest.mark.parametrize("name", ["scan_revisions", "list_revisions"])
def test_a_closed_snapshot_lists_nothing(name: str) -> None:
    """It is not taken for one whose documents have not changed since."""
    store = open_store()
    collection = make_collection(store, "c")
    insert(store, collection, {}, {})
    snapshot = store.snapshot()
    store.release(snapshot)
    read = {
        "scan_revisions": lambda: snapshot.scan_revisions(collection, 0, 2**64 - 2),
        "list_revisions": lambda: snapshot.list_revisions(collection),
    }[name]
    with pytest.raises(CursorNotFound):
        read()
