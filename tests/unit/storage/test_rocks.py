"""What the RocksDB engine tells when files are damaged. Its contract: `contract/test_engine.py`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.stores import insert, make_collection, make_index, open_store

from arangorep.clock import ManualClock
from arangorep.errors import CorruptionError, StartupError
from arangorep.storage import keys
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.integrity import findings
from arangorep.storage.rocks import RocksEngine
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


def test_a_point_read_of_a_damaged_block_is_a_corruption(damaged_primary: RocksEngine) -> None:
    store = Store(damaged_primary, ManualClock(), read_only=True)
    collection = store.catalog.database("_system").find("c")
    cursor = damaged_primary.cursor(Family.DOCUMENTS)
    rows = cursor.values(collection.prefix, collection.document_end, ROWS)
    cursor.close()
    names = [collection.prefix + row[9:57] for row in rows]
    with pytest.raises(CorruptionError, match="checksum"):
        any(damaged_primary.get(Family.PRIMARY, name) is None for name in names)
    with pytest.raises(CorruptionError, match="checksum"):
        damaged_primary.get_many(Family.PRIMARY, names)


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
