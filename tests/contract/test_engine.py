"""The engine contract, on RocksDB and on the memory engine that other tests run on.

What follows after the shared part is about RocksDB alone: files, locks, damaged blocks, and the
faults of the library that the engine works around.
"""

from __future__ import annotations

import gc
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rocksdict import Options, Rdict
from support.memory_engine import MemoryEngine

from arangorep.errors import CorruptionError, StartupError
from arangorep.storage import keys
from arangorep.storage.engine import Engine, Family, WriteSet
from arangorep.storage.rocks import FAMILY_PROPERTIES, WHOLE_PROPERTIES, RocksEngine

ALL = (b"", b"\xff" * 9)
MANY = 1 << 20

Row = tuple[Family, bytes, bytes | None]


@pytest.fixture(params=["rocks", "memory"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    opened: Engine = MemoryEngine() if request.param == "memory" else RocksEngine(tmp_path / "data")
    yield opened
    opened.close()


def change(*rows: Row, ranges: tuple[tuple[Family, bytes, bytes], ...] = ()) -> WriteSet:
    changes = WriteSet()
    changes.ranges.extend(ranges)
    for family, key, value in rows:
        changes.entries[family][key] = value
    return changes


def put(engine: Engine, content: dict[bytes, bytes], family: Family = Family.DOCUMENTS) -> None:
    engine.write(change(*((family, key, value) for key, value in content.items())))


def numbered(count: int, prefix: bytes = b"") -> dict[bytes, bytes]:
    return {prefix + keys.u64(n): b"value %d" % n for n in range(count)}


def values(engine: Engine, family: Family = Family.DOCUMENTS) -> list[bytes]:
    scan = engine.scan(family, *ALL)
    found = scan.take(MANY)
    scan.close()
    return found


# -- figures -------------------------------------------------------------------------------------


def test_properties_are_told_of_each_family_and_summed(engine: Engine) -> None:
    name = "rocksdb.estimate-num-keys"
    before = engine.properties()
    assert before.families.keys() == set(Family)
    put(engine, numbered(30), Family.DOCUMENTS)
    put(engine, numbered(12), Family.LOG)
    after = engine.properties()
    grown = {f: after.families[f][name] - before.families[f][name] for f in Family}
    assert {family: count for family, count in grown.items() if count} == {
        Family.DOCUMENTS: 30,
        Family.LOG: 12,
    }
    assert after.totals()[name] - before.totals()[name] == 42


# -- single keys ---------------------------------------------------------------------------------


def test_get_finds_the_last_value_written(engine: Engine) -> None:
    put(engine, {b"a": b"1"})
    put(engine, {b"a": b"2"})
    assert engine.get(Family.DOCUMENTS, b"a") == b"2"
    assert engine.get(Family.DOCUMENTS, b"b") is None


def test_an_empty_value_is_a_value(engine: Engine) -> None:
    put(engine, {b"a": b""})
    assert engine.get(Family.DOCUMENTS, b"a") == b""
    assert values(engine) == [b""]


def test_families_do_not_share_keys(engine: Engine) -> None:
    for family in Family:
        put(engine, {b"key": family.value.encode()}, family)
    for family in Family:
        assert engine.get(family, b"key") == family.value.encode()
        assert values(engine, family) == [family.value.encode()]


def test_get_many_keeps_the_order_of_the_keys(engine: Engine) -> None:
    put(engine, {b"a": b"1", b"c": b"3"})
    found = engine.get_many(Family.DOCUMENTS, [b"c", b"b", b"a", b"c"])
    assert list(found) == [b"3", None, b"1", b"3"]
    assert list(engine.get_many(Family.DOCUMENTS, [])) == []


def test_get_many_sees_one_family(engine: Engine) -> None:
    put(engine, {b"a": b"1"}, Family.PRIMARY)
    assert list(engine.get_many(Family.DOCUMENTS, [b"a"])) == [None]
    assert list(engine.get_many(Family.PRIMARY, [b"a"])) == [b"1"]


# -- writing -------------------------------------------------------------------------------------


def test_a_write_puts_and_deletes_in_all_families(engine: Engine) -> None:
    put(engine, {b"old": b"1"}, Family.INDEX)
    put(engine, {b"old": b"1"}, Family.META)
    engine.write(
        change(
            (Family.DOCUMENTS, b"d", b"1"),
            (Family.PRIMARY, b"p", b"2"),
            (Family.INDEX, b"old", None),
            (Family.LOG, b"l", b"3"),
            (Family.META, b"old", None),
        )
    )
    content = {family: values(engine, family) for family in Family}
    assert content == {
        Family.DOCUMENTS: [b"1"],
        Family.PRIMARY: [b"2"],
        Family.INDEX: [],
        Family.LOG: [b"3"],
        Family.META: [],
    }


def test_deleting_what_is_not_there_does_no_harm(engine: Engine) -> None:
    engine.write(change((Family.DOCUMENTS, b"a", None)))
    assert values(engine) == []


def test_the_last_word_on_a_key_wins(engine: Engine) -> None:
    changes = change((Family.DOCUMENTS, b"a", b"1"), (Family.DOCUMENTS, b"b", None))
    changes.entries[Family.DOCUMENTS][b"a"] = None
    changes.entries[Family.DOCUMENTS][b"b"] = b"2"
    engine.write(changes)
    assert engine.get(Family.DOCUMENTS, b"a") is None
    assert engine.get(Family.DOCUMENTS, b"b") == b"2"


def test_blocks_of_new_keys_are_written_with_the_rest(engine: Engine) -> None:
    put(engine, numbered(4), Family.LOG)
    names = [keys.u64(number) for number in range(2, 6)]
    changes = change(
        (Family.LOG, keys.u64(9), b"nine"),
        (Family.DOCUMENTS, b"a", b"1"),
        ranges=((Family.LOG, keys.u64(1), keys.u64(3)),),
    )
    changes.blocks.append((Family.LOG, names, [b"block %d" % n for n in range(2, 6)]))
    changes.blocks.append((Family.PRIMARY, [b"k"], [b"v"]))
    engine.write(changes)
    blocks = [b"block %d" % number for number in range(2, 6)]
    assert values(engine, Family.LOG) == [numbered(4)[keys.u64(0)], *blocks, b"nine"]
    assert values(engine) == [b"1"]
    assert values(engine, Family.PRIMARY) == [b"v"]


def test_blocks_win_over_entries(engine: Engine) -> None:
    put(engine, numbered(4))
    changes = change((Family.DOCUMENTS, keys.u64(1), None), (Family.DOCUMENTS, keys.u64(2), b"old"))
    names = [keys.u64(number) for number in range(1, 4)]
    changes.blocks.append((Family.DOCUMENTS, names, [b"block"] * 3))
    engine.write(changes)
    assert values(engine) == [b"value 0", b"block", b"block", b"block"]


def test_blocks_that_are_settled_are_entries(engine: Engine) -> None:
    changes = change((Family.DOCUMENTS, b"a", None))
    changes.blocks = [(Family.DOCUMENTS, [b"a", b"b"], [b"1", b"2"]), (Family.LOG, [b"t"], [b"l"])]
    changes.settle(Family.DOCUMENTS, Family.PRIMARY)
    assert changes.entries[Family.DOCUMENTS] == {b"a": b"1", b"b": b"2"}
    assert [family for family, _, _ in changes.blocks] == [Family.LOG]
    engine.write(changes)
    assert (values(engine), values(engine, Family.LOG)) == ([b"1", b"2"], [b"l"])


def test_ranges_go_before_entries(engine: Engine) -> None:
    put(engine, numbered(10))
    engine.write(
        change(
            (Family.DOCUMENTS, keys.u64(4), b"new"),
            (Family.DOCUMENTS, keys.u64(0), None),
            ranges=((Family.DOCUMENTS, keys.u64(2), keys.u64(8)),),
        )
    )
    assert values(engine) == [b"value 1", b"new", b"value 8", b"value 9"]


def test_a_range_ends_before_its_end(engine: Engine) -> None:
    put(engine, {b"a": b"1", b"b": b"2", b"b\0": b"3", b"c": b"4"})
    engine.write(change(ranges=((Family.DOCUMENTS, b"a", b"b"),)))
    assert values(engine) == [b"2", b"3", b"4"]


def test_a_range_touches_one_family(engine: Engine) -> None:
    put(engine, numbered(3))
    put(engine, numbered(3), Family.PRIMARY)
    engine.write(change(ranges=((Family.PRIMARY, *ALL),)))
    assert len(values(engine)) == 3
    assert values(engine, Family.PRIMARY) == []


def test_several_ranges_in_one_write(engine: Engine) -> None:
    put(engine, numbered(10))
    put(engine, numbered(2), Family.LOG)
    engine.write(
        change(
            ranges=(
                (Family.DOCUMENTS, keys.u64(0), keys.u64(4)),
                (Family.LOG, *ALL),
                (Family.DOCUMENTS, keys.u64(3), keys.u64(9)),
            )
        )
    )
    assert values(engine) == [b"value 9"]
    assert values(engine, Family.LOG) == []


def test_a_write_of_nothing(engine: Engine) -> None:
    engine.write(WriteSet())
    assert all(values(engine, family) == [] for family in Family)


def test_a_write_set_can_be_read_after_it_was_written(engine: Engine) -> None:
    changes = change((Family.DOCUMENTS, b"a", b"1"))
    engine.write(changes)
    assert changes.entries[Family.DOCUMENTS] == {b"a": b"1"}


# -- scans ---------------------------------------------------------------------------------------


def test_a_scan_is_bounded_on_both_sides(engine: Engine) -> None:
    put(engine, {b"a": b"1", b"b": b"2", b"b\xff": b"3", b"c": b"4"})
    scan = engine.scan(Family.DOCUMENTS, b"b", b"c")
    assert scan.take(MANY) == [b"2", b"3"]
    scan.close()


def test_a_scan_of_one_collection_stays_in_it(engine: Engine) -> None:
    for collection in (254, 255, 256, 257):
        put(engine, numbered(5, keys.u64(collection)))
    for collection in (254, 255, 256, 257):
        prefix = keys.u64(collection)
        scan = engine.scan(Family.DOCUMENTS, prefix, keys.after(prefix))
        assert scan.take(MANY) == [b"value %d" % n for n in range(5)]
        scan.close()


def test_a_scan_gives_blocks_in_key_order(engine: Engine) -> None:
    shuffled = list(numbered(100).items())
    random.Random(1).shuffle(shuffled)
    put(engine, dict(shuffled))
    scan = engine.scan(Family.DOCUMENTS, *ALL)
    blocks = [scan.take(30) for _ in range(4)]
    assert [len(block) for block in blocks] == [30, 30, 30, 10]
    assert [value for block in blocks for value in block] == list(numbered(100).values())
    assert scan.take(30) == []
    assert scan.take(30) == []
    scan.close()


def test_a_scan_of_an_empty_range(engine: Engine) -> None:
    put(engine, {b"a": b"1", b"c": b"3"})
    for start, end in ((b"b", b"c"), (b"d", b"e"), (b"b", b"b")):
        scan = engine.scan(Family.DOCUMENTS, start, end)
        assert scan.take(5) == []
        scan.close()


def test_a_closed_scan_gives_nothing(engine: Engine) -> None:
    put(engine, numbered(10))
    scan = engine.scan(Family.DOCUMENTS, *ALL)
    assert len(scan.take(3)) == 3
    scan.close()
    assert scan.take(3) == []
    scan.close()


# -- cursors -------------------------------------------------------------------------------------


def test_a_cursor_reads_pairs_keys_and_values(engine: Engine) -> None:
    put(engine, {b"a": b"1", b"b": b"2", b"c": b"3"})
    cursor = engine.cursor(Family.DOCUMENTS)
    assert cursor.items(b"a", b"c", MANY) == [(b"a", b"1"), (b"b", b"2")]
    assert cursor.keys(b"a", b"c", MANY) == [b"a", b"b"]
    assert cursor.values(b"a", b"c", MANY) == [b"1", b"2"]
    assert cursor.items(b"b", b"b", MANY) == []
    cursor.close()


def test_a_cursor_goes_anywhere_again_and_again(engine: Engine) -> None:
    put(engine, numbered(50))
    cursor = engine.cursor(Family.DOCUMENTS)
    for start, count in ((40, 5), (3, 2), (49, 1), (3, 2), (0, 50)):
        expected = [keys.u64(n) for n in range(start, start + count)]
        assert cursor.keys(keys.u64(start), ALL[1], count) == expected
    assert cursor.keys(keys.u64(50), ALL[1], 1) == []
    assert cursor.keys(keys.u64(0), ALL[1], 1) == [keys.u64(0)]
    cursor.close()


def test_a_cursor_reads_at_most_the_rows_asked_for(engine: Engine) -> None:
    put(engine, numbered(10))
    cursor = engine.cursor(Family.DOCUMENTS)
    assert cursor.values(*ALL, 0) == []
    assert cursor.values(*ALL, 3) == [b"value 0", b"value 1", b"value 2"]
    assert len(cursor.values(*ALL, 10)) == 10
    assert len(cursor.values(*ALL, 11)) == 10
    cursor.close()


def test_a_cursor_finds_the_last_key_of_a_range(engine: Engine) -> None:
    cursor = engine.cursor(Family.DOCUMENTS)
    assert cursor.last_key(*ALL) is None
    cursor.close()
    put(engine, {b"b": b"1", b"bb": b"2", b"d": b"3"})
    cursor = engine.cursor(Family.DOCUMENTS)
    put(engine, {b"e": b"later"})
    for start, end, expected in (
        (b"a", b"z", b"d"),
        (b"a", b"d", b"bb"),
        (b"a", b"c", b"bb"),
        (b"bb", b"bc", b"bb"),
        (b"bb", b"bb", None),
        (b"bc", b"d", None),
        (b"c", b"d\0", b"d"),
        (b"a", b"b", None),
        (b"e", b"z", None),
    ):
        assert cursor.last_key(start, end) == expected
    assert cursor.keys(*ALL, 1) == [b"b"]
    cursor.close()


def test_a_closed_cursor_cannot_be_read(engine: Engine) -> None:
    cursor = engine.cursor(Family.DOCUMENTS)
    cursor.close()
    with pytest.raises(ValueError, match="closed"):
        cursor.items(*ALL, 1)
    with pytest.raises(ValueError, match="closed"):
        cursor.keys(*ALL, 1)
    with pytest.raises(ValueError, match="closed"):
        cursor.values(*ALL, 1)
    with pytest.raises(ValueError, match="closed"):
        cursor.last_key(*ALL)


# -- pinned views --------------------------------------------------------------------------------


def overwrite(engine: Engine) -> None:
    put(engine, dict.fromkeys(numbered(40), b"overwritten"))


def insert_more(engine: Engine) -> None:
    put(engine, {key + b"+": b"new" for key in numbered(40)})


def delete(engine: Engine) -> None:
    engine.write(change(*((Family.DOCUMENTS, key, None) for key in numbered(40))))


def delete_range(engine: Engine) -> None:
    engine.write(change(ranges=((Family.DOCUMENTS, *ALL),)))


def flush(engine: Engine) -> None:
    overwrite(engine)
    engine.flush()


def compact(engine: Engine) -> None:
    delete(engine)
    engine.flush()
    engine.compact()


def everything(engine: Engine) -> None:
    for step in LATER_CHANGES[:-1]:
        step(engine)


LATER_CHANGES: list[Callable[[Engine], None]] = [
    overwrite,
    insert_more,
    delete,
    delete_range,
    flush,
    compact,
    everything,
]


@pytest.mark.parametrize("later", LATER_CHANGES)
@pytest.mark.parametrize("flushed", [False, True], ids=["in memory", "in files"])
def test_a_scan_shows_the_store_as_it_was(
    engine: Engine, later: Callable[[Engine], None], flushed: bool
) -> None:
    put(engine, numbered(40))
    if flushed:
        engine.flush()
    unread = engine.scan(Family.DOCUMENTS, *ALL)
    begun = engine.scan(Family.DOCUMENTS, *ALL)
    first = begun.take(7)
    later(engine)
    expected = list(numbered(40).values())
    assert unread.take(MANY) == expected
    assert first + begun.take(MANY) == expected
    assert values(engine) != expected, "the change must show to whoever comes later"
    unread.close()
    begun.close()


@pytest.mark.parametrize("later", LATER_CHANGES)
@pytest.mark.parametrize("flushed", [False, True], ids=["in memory", "in files"])
def test_a_cursor_shows_the_store_as_it_was(
    engine: Engine, later: Callable[[Engine], None], flushed: bool
) -> None:
    put(engine, numbered(40))
    if flushed:
        engine.flush()
    unread = engine.cursor(Family.DOCUMENTS)
    begun = engine.cursor(Family.DOCUMENTS)
    assert len(begun.keys(keys.u64(30), ALL[1], 5)) == 5
    later(engine)
    expected = list(numbered(40).items())
    assert unread.items(*ALL, MANY) == expected
    assert begun.items(*ALL, MANY) == expected
    assert unread.keys(keys.u64(20), ALL[1], 3) == [keys.u64(n) for n in (20, 21, 22)]
    unread.close()
    begun.close()


def test_views_of_different_moments_live_side_by_side(engine: Engine) -> None:
    cursors = []
    for version in range(5):
        put(engine, {b"key": b"%d" % version})
        cursors.append(engine.cursor(Family.DOCUMENTS))
        engine.flush()
    engine.compact()
    assert [cursor.values(*ALL, MANY) for cursor in cursors] == [[b"%d" % n] for n in range(5)]
    for version in (2, 0, 4):
        cursors[version].close()
    engine.compact()
    assert cursors[1].values(*ALL, MANY) == [b"1"]
    assert cursors[3].values(*ALL, MANY) == [b"3"]
    cursors[1].close()
    cursors[3].close()


# -- the rest ------------------------------------------------------------------------------------


def test_sync_flush_and_compact_change_no_content(engine: Engine) -> None:
    put(engine, numbered(20))
    engine.sync_log()
    engine.flush()
    engine.compact()
    assert values(engine) == list(numbered(20).values())


def test_the_size_grows_with_the_content(engine: Engine) -> None:
    random_bytes = random.Random(2).randbytes
    put(engine, {key: random_bytes(1000) for key in numbered(200)})
    engine.flush()
    assert 200_000 <= engine.size_bytes() < 400_000


# -- RocksDB alone: files and locks --------------------------------------------------------------


def test_rows_survive_reopening(tmp_path: Path) -> None:
    engine = RocksEngine(tmp_path / "data")
    put(engine, numbered(10))
    engine.flush()
    put(engine, {b"unflushed": b"1"}, Family.META)
    engine.write(change(ranges=((Family.DOCUMENTS, keys.u64(0), keys.u64(5)),)))
    engine.close()
    engine = RocksEngine(tmp_path / "data")
    assert values(engine) == [b"value %d" % n for n in range(5, 10)]
    assert engine.get(Family.META, b"unflushed") == b"1"
    engine.close()


WRITE_AND_DIE = """
import os, sys
from pathlib import Path
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.rocks import FAMILY_PROPERTIES, WHOLE_PROPERTIES, RocksEngine
engine = RocksEngine(Path(sys.argv[1]))
changes = WriteSet()
changes.entries[Family.DOCUMENTS][b"key"] = b"value"
engine.write(changes)
os._exit(9)
"""


def test_a_write_survives_the_death_of_the_process(tmp_path: Path) -> None:
    died = subprocess.run(
        [sys.executable, "-c", WRITE_AND_DIE, str(tmp_path / "data")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
    )
    assert died.returncode == 9
    engine = RocksEngine(tmp_path / "data")
    assert engine.get(Family.DOCUMENTS, b"key") == b"value"
    engine.close()


def test_a_second_opener_is_told_why(tmp_path: Path) -> None:
    path = tmp_path / "data"
    engine = RocksEngine(path)
    with pytest.raises(StartupError) as refused:
        RocksEngine(path)
    text = str(refused.value)
    assert text == f"{path} is in use by another process; one server per data directory"
    put(engine, {b"still": b"works"})
    engine.close()
    RocksEngine(path).close()


def test_a_reader_may_look_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "data"
    engine = RocksEngine(path)
    put(engine, numbered(5))
    reader = RocksEngine(path, read_only=True)
    put(engine, {b"later": b"1"})
    assert values(reader) == list(numbered(5).values())
    reader.close()
    engine.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    path = tmp_path / "data"
    RocksEngine(path).close()
    reader = RocksEngine(path, read_only=True)
    with pytest.raises(Exception, match="read only"):
        put(reader, {b"a": b"1"})
    reader.close()


def test_reading_a_missing_directory_does_not_create_it(tmp_path: Path) -> None:
    path = tmp_path / "missing"
    with pytest.raises(StartupError, match="holds no store"):
        RocksEngine(path, read_only=True)
    assert not path.exists()


def test_reading_a_foreign_directory_leaves_it_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(StartupError, match="holds no store"):
        RocksEngine(tmp_path, read_only=True)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("not a directory")
    with pytest.raises(StartupError) as refused:
        RocksEngine(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert path.read_text() == "not a directory"


def test_a_damaged_catalogue_of_files_is_told_in_one_line(tmp_path: Path) -> None:
    engine = RocksEngine(tmp_path / "data")
    put(engine, numbered(5))
    engine.close()
    (tmp_path / "data" / "CURRENT").write_bytes(b"garbage\n")
    with pytest.raises(StartupError, match=r"cannot be opened: .*CURRENT") as refused:
        RocksEngine(tmp_path / "data")
    assert "\n" not in str(refused.value)


# -- RocksDB alone: what the library does --------------------------------------------------------


def test_bounds_live_as_long_as_their_scans(tmp_path: Path) -> None:
    """The library keeps a bare pointer to the bound it is given."""
    engine = RocksEngine(tmp_path / "data")
    for collection in range(200):
        put(engine, numbered(20, keys.u64(collection)))
    scans = []
    for collection in range(200):
        # neither start nor end is referenced by the caller any more
        scans.append(engine.scan(Family.DOCUMENTS, keys.u64(collection), keys.u64(collection + 1)))
    gc.collect()
    reused = [bytes([n % 256]) * 8 for n in range(20_000)]
    assert [len(scan.take(MANY)) for scan in scans] == [20] * 200
    assert len(reused) == 20_000
    for scan in scans:
        scan.close()
    engine.close()


def damage(directory: Path, contains: bytes) -> None:
    """Overwrite some bytes in the middle of the table file that holds `contains`."""
    (table,) = [
        path
        for path in directory.iterdir()
        if path.suffix == ".sst" and contains in path.read_bytes()
    ]
    data = bytearray(table.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    table.write_bytes(data)


@pytest.fixture
def damaged(tmp_path: Path) -> Iterator[RocksEngine]:
    """2,000 rows of noise in one file, of which one block cannot be read."""
    engine = RocksEngine(tmp_path / "data")
    noise = random.Random(3).randbytes
    put(engine, {keys.u64(n): b"mark" + noise(100) for n in range(2000)})
    engine.flush()
    engine.compact()
    engine.close()
    damage(tmp_path / "data", b"mark")
    engine = RocksEngine(tmp_path / "data")
    yield engine
    engine.close()


def test_a_scan_ends_short_at_a_damaged_block(damaged: RocksEngine) -> None:
    scan = damaged.scan(Family.DOCUMENTS, *ALL)
    found = scan.take(MANY)
    assert 0 < len(found) < 2000
    assert scan.take(MANY) == []
    scan.close()


def test_a_cursor_raises_at_a_damaged_block(damaged: RocksEngine) -> None:
    cursor = damaged.cursor(Family.DOCUMENTS)
    for read in (cursor.items, cursor.keys, cursor.values):
        with pytest.raises(CorruptionError, match="checksum"):
            read(*ALL, MANY)
    cursor.close()


def test_a_cursor_reads_what_lies_before_and_behind_the_damage(damaged: RocksEngine) -> None:
    cursor = damaged.cursor(Family.DOCUMENTS)
    assert cursor.keys(*ALL, 3) == [keys.u64(n) for n in range(3)]
    assert len(cursor.keys(keys.u64(1900), ALL[1], MANY)) == 100
    cursor.close()


def test_an_untouched_row_of_a_damaged_file_is_found(damaged: RocksEngine) -> None:
    found = damaged.get(Family.DOCUMENTS, keys.u64(1))
    assert found is not None
    assert found.startswith(b"mark")


def test_the_library_fault_that_snapshots_work_around(tmp_path: Path) -> None:
    """`Rdict.snapshot()` iterators show later writes; only `snapshot[key]` honours the snapshot."""
    database = Rdict(str(tmp_path / "data"), Options(raw_mode=True))
    database[b"a"] = b"before"
    snapshot = database.snapshot()
    database[b"a"] = b"after"
    assert snapshot[b"a"] == b"before"
    assert list(snapshot.values()) == [b"after"], (
        "rocksdict's snapshot iterators honour the snapshot now: storage/snapshot.py may be built "
        "on Rdict.snapshot() instead of iterators that are opened early and kept"
    )
    del snapshot
    database.close()


def test_rocksdb_tells_every_property_that_is_asked_for(tmp_path: Path) -> None:
    """A name the library does not know would be left out without a word."""
    engine = RocksEngine(tmp_path / "data")
    properties = engine.properties()
    assert tuple(properties.whole) == WHOLE_PROPERTIES
    assert all(tuple(own) == FAMILY_PROPERTIES for own in properties.families.values())
    engine.close()
