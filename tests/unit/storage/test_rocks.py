"""What the RocksDB engine tells when files are damaged. Its contract: `contract/test_engine.py`."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores import finish, insert, make_collection, make_index, open_store

from arangorep.clock import ManualClock
from arangorep.errors import CorruptionError, StartupError
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family, Scan, WriteSet
from arangorep.storage.integrity import findings
from arangorep.storage.listing import all_revisions
from arangorep.storage.rocks import RocksEngine, write_sorted
from arangorep.storage.store import Store

ROWS = 2000


def damage(table: Path, at: float) -> None:
    """Overwrite some bytes of a file; `at` is a share of its length."""
    data = bytearray(table.read_bytes())
    first = int(len(data) * at)
    data[first : first + 64] = bytes(64)
    table.write_bytes(data)


def table_of(path: Path, family: Family) -> Path:
    """The one table file of a family in a closed store; the file's properties name the family."""
    name = b"name" + family.value.encode()
    found = [
        table
        for table in path.glob("*.sst")
        if name in table.read_bytes().partition(b"column.family.id")[2][:40]
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store with one file per family and several blocks in each."""
    path = tmp_path / "data"
    engine = RocksEngine(path)
    store = open_store(engine)
    collection = make_collection(store, "c")
    make_index(store, collection, "n", name="by_n")
    noise = random.Random(1)
    insert(
        store,
        collection,
        *({"_key": noise.randbytes(24).hex(), "n": noise.randbytes(24).hex()} for _ in range(ROWS)),
    )
    store.engine.flush()
    store.engine.compact()
    engine.close()
    return path


@pytest.fixture
def damaged_primary(path: Path) -> Iterator[RocksEngine]:
    damage(table_of(path, Family.PRIMARY), 0.4)
    engine = RocksEngine(path)
    yield engine
    engine.close()


@pytest.fixture
def document_keys(path: Path) -> list[bytes]:
    """All of them, read while the files are whole."""
    engine = RocksEngine(path, read_only=True)
    collection = collection_of(engine)
    scan = engine.scan_keys(Family.DOCUMENTS, collection.prefix, collection.document_end)
    found = scan.take(2 * ROWS)
    scan.close()
    engine.close()
    assert len(found) == ROWS
    return found


def collection_of(engine: RocksEngine) -> Collection:
    store = Store(engine, ManualClock(), read_only=True)
    return store.catalog.database("_system").find("c")


def taken(scan: Scan, rows: int) -> list[bytes]:
    found = []
    while part := scan.take(rows):
        found += part
    return found


def test_a_point_read_of_a_damaged_block_is_a_corruption(damaged_primary: RocksEngine) -> None:
    collection = collection_of(damaged_primary)
    cursor = damaged_primary.cursor(Family.DOCUMENTS)
    rows = cursor.values(collection.prefix, collection.document_end, ROWS)
    cursor.close()
    names = [collection.prefix + row[9:57] for row in rows]
    with pytest.raises(CorruptionError, match="checksum"):
        any(damaged_primary.get(Family.PRIMARY, name) is None for name in names)
    with pytest.raises(CorruptionError, match="checksum"):
        damaged_primary.get_many(Family.PRIMARY, names)


@pytest.mark.parametrize("at", [0.05, 0.4, 0.8])
@pytest.mark.parametrize("rows", [1, 97, 2 * ROWS])
def test_a_scan_of_keys_does_not_end_silently(
    path: Path, document_keys: list[bytes], at: float, rows: int
) -> None:
    """Unlike one of values: whoever compares servers takes what is missing for deleted."""
    damage(table_of(path, Family.DOCUMENTS), at)
    engine = RocksEngine(path)
    end = collection_of(engine).document_end
    scan = engine.scan_keys(Family.DOCUMENTS, document_keys[0], end)
    for _ in range(2):
        with pytest.raises(CorruptionError, match="checksum"):
            taken(scan, rows)
    scan.close()
    assert scan.take(rows) == []
    values = engine.scan(Family.DOCUMENTS, document_keys[0], end)
    assert len(taken(values, rows)) < ROWS
    values.close()
    engine.close()


def test_a_scan_of_keys_is_whole_or_an_error(path: Path, document_keys: list[bytes]) -> None:
    """Wherever it begins and ends: before, in and behind the block that cannot be read."""
    damage(table_of(path, Family.DOCUMENTS), 0.4)
    engine = RocksEngine(path)
    outcomes = []
    for first in range(0, ROWS - 50, 50):
        scan = engine.scan_keys(Family.DOCUMENTS, document_keys[first], document_keys[first + 50])
        try:
            found = taken(scan, 20)
        except CorruptionError:
            outcomes.append("error")
        else:
            assert found == document_keys[first : first + 50]
            outcomes.append("whole")
        scan.close()
    engine.close()
    first, last = outcomes.index("error"), len(outcomes) - outcomes[::-1].index("error")
    assert set(outcomes[first:last]) == {"error"}
    assert 0 < first < last < len(outcomes)
    assert last - first < len(outcomes) // 2


def test_a_scan_of_keys_stays_what_it_was(tmp_path: Path) -> None:
    """Also while it looks why it has ended: at keys that come, and at its last one that goes."""
    engine = RocksEngine(tmp_path / "data")
    changes = WriteSet()
    changes.entries[Family.DOCUMENTS] = {keys.u64(n): b"" for n in range(10)}
    engine.write(changes)
    scan = engine.scan_keys(Family.DOCUMENTS, keys.u64(2), keys.u64(9))
    assert scan.take(3) == [keys.u64(n) for n in (2, 3, 4)]
    changes = WriteSet()
    changes.entries[Family.DOCUMENTS] = {keys.u64(n): None for n in range(3, 10)}
    changes.entries[Family.DOCUMENTS] |= {keys.u64(n) + b"x": b"" for n in range(10)}
    engine.write(changes)
    assert scan.take(10) == [keys.u64(n) for n in (5, 6, 7, 8)]
    assert scan.take(10) == []
    scan.close()
    empty = engine.scan_keys(Family.DOCUMENTS, keys.u64(9), keys.u64(2))
    assert empty.take(10) == []
    empty.close()
    engine.close()


def test_a_list_of_revisions_does_not_end_silently(damaged_primary: RocksEngine) -> None:
    with pytest.raises(CorruptionError, match=f"of {ROWS} keys"):
        finish(all_revisions(damaged_primary, collection_of(damaged_primary)))


@pytest.mark.parametrize(
    "family",
    [Family.DOCUMENTS, Family.LOG, Family.PRIMARY, Family.INDEX, Family.META],
)
def test_any_damaged_file_is_a_finding(path: Path, family: Family) -> None:
    damage(table_of(path, family), 0.3)
    engine = RocksEngine(path, read_only=True)
    try:
        found = findings(Store(engine, ManualClock(), read_only=True))
    except CorruptionError as error:
        found = [str(error)]
    engine.close()
    assert found


@pytest.mark.parametrize(
    "name",
    ["data", "clocks", "blocked"],
)
def test_a_damage_is_not_mistaken_for_another_process(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    engine = RocksEngine(path)
    changes = WriteSet()
    changes.entries[Family.META][b"a"] = b"b"
    engine.write(changes)
    engine.flush()
    engine.close()
    (manifest,) = path.glob("MANIFEST-*")
    damage(manifest, 0.3)
    with pytest.raises(StartupError) as refused:
        RocksEngine(path)
    assert "cannot be opened" in str(refused.value)
    assert "process" not in str(refused.value)


def test_a_file_in_the_way_is_not_mistaken_for_another_process(tmp_path: Path) -> None:
    path = tmp_path / "blocks"
    path.write_text("in the way")
    with pytest.raises(StartupError, match="cannot be opened"):
        RocksEngine(path)


def test_keys_of_any_bytes(tmp_path: Path) -> None:
    engine = RocksEngine(tmp_path / "data")
    changes = WriteSet()
    for key in (b"\0", b"\0\0", b"\xff" * 8, keys.u64(0), b"\n\r\0x"):
        changes.entries[Family.PRIMARY][key] = key * 3
    engine.write(changes)
    for key, value in changes.entries[Family.PRIMARY].items():
        assert engine.get(Family.PRIMARY, key) == value
    engine.close()


@pytest.mark.parametrize("has_advice", [True, False])
def test_a_sorted_file_is_read_ahead_where_the_system_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_advice: bool
) -> None:
    advised: list[tuple[int, int]] = []

    def fadvise(descriptor: int, offset: int, length: int, advice: int) -> None:
        assert (offset, length) == (0, 0)
        advised.append((os.fstat(descriptor).st_ino, advice))

    if has_advice:
        monkeypatch.setattr(os, "posix_fadvise", fadvise)
    else:
        monkeypatch.delattr(os, "posix_fadvise")
    names = [b"%03d" % number for number in range(100)]
    write_sorted(tmp_path / "file", names, names)
    file = (tmp_path / "file").stat().st_ino
    assert advised == ([(file, os.POSIX_FADV_WILLNEED)] if has_advice else [])
    engine = RocksEngine(tmp_path / "store")
    engine.ingest(Family.PRIMARY, [tmp_path / "file"])
    assert engine.get_many(Family.PRIMARY, names) == names
    engine.close()
