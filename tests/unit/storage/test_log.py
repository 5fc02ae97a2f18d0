"""The operation log: row layout, segments, pruning, and where reading begins.

The model test `model/test_log_model.py` walks through random histories; here stand the borders.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_engine import MemoryEngine, MemoryScan
from support.stores import WriteFault, failing_writes

from arangorep.clock import ManualClock
from arangorep.storage import keys, log
from arangorep.storage.commit import Commit
from arangorep.storage.engine import Engine, Family, WriteSet
from arangorep.storage.log import (
    HEADER,
    HEADER_BYTES,
    SCOPE_BYTES,
    TICK_AT,
    OperationLog,
    Segment,
    document_entries,
    pack_header,
)
from arangorep.values.marker import MarkerType

NOW_US = 5_000_000


def append(operations: OperationLog, engine: Engine, *ticks: int, line: bytes = b"x\n") -> None:
    """What a commit with these markers does to the log."""
    commit = Commit()
    for tick in ticks:
        commit.log(MarkerType.DOCUMENT, 1, 2, tick, line)
    grown = operations.append(commit.last_tick, commit.log_bytes, NOW_US, commit.changes)
    engine.write(commit.changes)
    operations.appended(grown)


def opened(engine: Engine) -> OperationLog:
    return OperationLog(engine, 7_000_000)


def ticks_of(operations: OperationLog, after: int) -> list[int]:
    return [keys.from_u64(row[TICK_AT]) for row in operations.scan(after).take(1000)]


# -- rows ---------------------------------------------------------------------------------------


def test_the_header_has_the_documented_layout() -> None:
    header = pack_header(2300, 0, 0x0102, 0x0304, 0x0506, 0x0708, 0x090A)
    assert len(header) == HEADER_BYTES == 44
    assert header.hex(" ", 2) == (
        "08fc 0000 0000 0000 0000 0102 0000 0000 0000 0304 0000 0000 0000 0506 "
        "0000 0000 0000 0708 0000 0000 0000 090a"
    )
    assert header[TICK_AT] == keys.u64(0x0506)
    assert HEADER.unpack(header) == (2300, 0, 0x0102, 0x0304, 0x0506, 0x0708, 0x090A)


def test_the_scope_ends_before_the_tick() -> None:
    rows = [pack_header(2300, 0, 1, 2, tick, 3, 4) for tick in (1, 2)]
    assert len({row[:SCOPE_BYTES] for row in rows}) == 1
    assert len({row[:SCOPE_BYTES] for row in (rows[0], pack_header(2300, 0, 1, 3, 1, 3, 4))}) == 2


# -- positions ------------------------------------------------------------------------------------


def test_an_empty_log() -> None:
    operations = opened(MemoryEngine())
    assert (operations.floor, operations.first_tick, operations.last_tick) == (0, None, 0)
    assert operations.segments == []
    assert operations.open == Segment(after=0, last=0, size_bytes=0, closed_us=7_000_000)
    assert operations.size_bytes == 0
    assert ticks_of(operations, 0) == []
    assert operations.prune(1000) == 0


def test_a_scan_begins_after_a_tick_and_shows_the_log_as_it_was() -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    append(operations, engine, 101, 103)
    append(operations, engine, 110)
    scan = operations.scan(101)
    append(operations, engine, 120)
    assert [keys.from_u64(row[TICK_AT]) for row in scan.take(10)] == [103, 110]
    assert ticks_of(operations, 0) == [101, 103, 110, 120]
    assert ticks_of(operations, 104) == [110, 120]
    assert ticks_of(operations, 120) == []
    assert (operations.first_tick, operations.last_tick) == (101, 120)


def test_the_checked_cursor_reads_rows_by_tick() -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    append(operations, engine, 101, 102)
    cursor = operations.cursor()
    assert cursor.keys(keys.u64(0), keys.u64(200), 10) == [keys.u64(101), keys.u64(102)]
    cursor.close()


# -- segments -------------------------------------------------------------------------------------


@pytest.fixture
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two rows of the smallest kind fill a segment."""
    monkeypatch.setattr(log, "SEGMENT_BYTES", 2 * (HEADER_BYTES + 2))


@pytest.mark.usefixtures("_small_segments")
def test_a_full_segment_is_closed_with_the_commit_that_fills_it() -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    append(operations, engine, 101)
    assert operations.segments == []
    append(operations, engine, 102)
    append(operations, engine, 103, 104, 105)
    append(operations, engine, 106)
    size = HEADER_BYTES + 2
    expected = [Segment(0, 102, 2 * size, NOW_US), Segment(102, 105, 3 * size, NOW_US)]
    assert operations.segments == expected
    assert operations.open == Segment(105, 106, size, NOW_US)
    assert operations.size_bytes == 6 * size
    again = opened(engine)
    assert again.segments == expected
    assert again.open == Segment(105, 106, size, 7_000_000)


@pytest.mark.usefixtures("_small_segments")
def test_a_commit_that_cannot_be_written_leaves_no_trace() -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    append(operations, engine, 101)
    before = (operations.open, list(operations.segments), operations.last_tick)
    with failing_writes(engine), pytest.raises(WriteFault):
        append(operations, engine, 102, 103)
    assert (operations.open, operations.segments, operations.last_tick) == before
    append(operations, engine, 104, 105)
    assert [segment.last for segment in operations.segments] == [105]
    assert ticks_of(opened(engine), 0) == [101, 104, 105]


def test_a_clean_stop_closes_the_open_segment() -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    operations.close_segment()
    assert operations.segments == [], "an empty one is not worth a row"
    append(operations, engine, 101)
    with failing_writes(engine), pytest.raises(WriteFault):
        operations.close_segment()
    assert operations.segments == []
    operations.close_segment()
    operations.close_segment()
    assert operations.segments == [Segment(0, 101, HEADER_BYTES + 2, NOW_US)]
    assert opened(engine).segments == operations.segments
    assert opened(engine).last_tick == 101


# -- pruning --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_small_segments")
@pytest.mark.parametrize(
    ("up_to", "floor"),
    [(0, 0), (101, 0), (102, 102), (103, 102), (104, 104), (105, 104), (10_000, 104)],
)
def test_pruning_drops_whole_segments(up_to: int, floor: int) -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    for tick in range(101, 106):
        append(operations, engine, tick)
    assert operations.prune(up_to) == floor
    for look in (operations, opened(engine)):
        assert look.floor == floor
        assert ticks_of(look, 0) == [tick for tick in range(101, 106) if tick > floor]
        assert look.first_tick == max(101, floor + 1)
        assert look.last_tick == 105
        assert look.size_bytes == (HEADER_BYTES + 2) * len(ticks_of(look, 0))
    assert operations.prune(up_to) == floor


@pytest.mark.usefixtures("_small_segments")
def test_a_log_that_was_pruned_to_its_end_knows_where_it_ended() -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    append(operations, engine, 101, 102)
    assert operations.prune(102) == 102
    for look in (operations, opened(engine)):
        assert (look.floor, look.first_tick, look.last_tick) == (102, None, 102)
    append(operations, engine, 103)
    assert operations.first_tick == 103


@pytest.mark.usefixtures("_small_segments")
def test_pruning_that_cannot_be_written_prunes_nothing() -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    append(operations, engine, 101, 102)
    with failing_writes(engine), pytest.raises(WriteFault):
        operations.prune(102)
    assert operations.floor == 0
    assert ticks_of(operations, 0) == [101, 102]
    assert operations.prune(102) == 102


@pytest.mark.usefixtures("_small_segments")
def test_a_scan_outlives_pruning() -> None:
    engine = MemoryEngine()
    operations = opened(engine)
    append(operations, engine, 101, 102)
    scan = operations.scan(0)
    operations.prune(102)
    assert [keys.from_u64(row[TICK_AT]) for row in scan.take(10)] == [101, 102]


@pytest.mark.usefixtures("_small_segments")
def test_reading_never_starts_among_pruned_rows() -> None:
    """Seeking there would walk all their tombstones."""

    starts: list[bytes] = []

    class Watched(MemoryEngine):
        def scan(self, family: Family, start: bytes, end: bytes) -> MemoryScan:
            starts.append(start)
            return super().scan(family, start, end)

    engine = Watched()
    operations = opened(engine)
    append(operations, engine, 101, 102)
    operations.prune(102)
    operations.scan(0)
    operations.scan(101)
    operations.scan(110)
    assert starts == [keys.u64(103), keys.u64(103), keys.u64(111)]


def test_segments_age_with_their_last_marker() -> None:
    engine, clock = MemoryEngine(), ManualClock(1000)
    operations = OperationLog(engine, clock.wall_us())
    for tick in (101, 102):
        clock.advance_s(1)
        grown = operations.append(tick, 10, clock.wall_us(), WriteSet())
        operations.appended(grown)
    assert operations.open.closed_us == 2_001_000


@given(
    first=st.sampled_from([1, 8, 95, 998, 5000, 10**6 - 3]),
    rows=st.lists(st.binary(max_size=20), min_size=1, max_size=12),
    revisions=st.data(),
)
def test_many_entries_are_those_of_single_markers(
    first: int, rows: list[bytes], revisions: st.DataObject
) -> None:
    """Also where ticks get one digit more."""
    found = revisions.draw(
        st.lists(st.integers(1, 2**64 - 1), min_size=len(rows), max_size=len(rows))
    )
    scope = b'"db":"d","cuid":"c","tid":"0","data":'
    ticks = range(first, first + len(rows))
    stamps = np.array(found, dtype=np.uint64)
    positions, entries = document_entries(7, 9, scope, ticks, stamps, rows)
    assert positions == [tick.to_bytes(8, "big") for tick in ticks]
    assert entries == [
        HEADER.pack(2300, 0, 7, 9, tick, revision, 0)
        + b'{"tick":"%d","type":2300,%b%b}\n' % (tick, scope, row)
        for tick, revision, row in zip(ticks, found, rows, strict=True)
    ]
