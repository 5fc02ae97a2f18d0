"""The operation log against a list of rows: commits, segments, pruning, restarts, reading."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from support.stores import Bench, WriteFault, failing_writes, finish

from arangorep.storage import keys, log
from arangorep.storage.commit import Commit
from arangorep.storage.log import HEADER_BYTES, SCOPE_BYTES, TICK_AT, pack_header
from arangorep.values.marker import MarkerType

EXAMPLES = settings().max_examples
SEGMENT_BYTES = 600
UNKNOWN = 1 << 40
"""No database and no collection has an id from here on."""

markers = st.tuples(
    st.sampled_from(MarkerType),
    st.integers(0, 3),
    st.binary(min_size=1, max_size=12),
    st.sampled_from([1, 1, 1, 20, 60]),
)


class LogMachine(RuleBasedStateMachine):
    def __init__(self, directory: Callable[[], Path | None]) -> None:
        super().__init__()
        self.bench = Bench(directory())
        self.rows: list[tuple[int, bytes]] = []
        self.borders: list[int] = []
        """The last ticks of closed segments."""
        self.floor = 0
        scan = self.bench.store.log.scan(0)
        for row in scan.take(1000):
            self.rows.append((keys.from_u64(row[TICK_AT]), row))
        scan.close()
        self.close_full_segment()

    def teardown(self) -> None:
        self.bench.end()

    # -- rules ---------------------------------------------------------------------------------

    @rule(
        what=st.lists(markers, min_size=1, max_size=4), fails=st.sampled_from([False, False, True])
    )
    def commit(self, what: list[tuple[MarkerType, int, bytes, int]], fails: bool) -> None:
        store = self.bench.store
        commit = Commit()
        added = []
        for kind, number, text, times in what:
            tick = store.ticks.next()
            ids = (UNKNOWN + number, UNKNOWN + 2 * number)
            revisions = (store.next_revision(), number)
            line = text * times + b"\n"
            commit.log(kind, *ids, tick, line, *revisions)
            added.append((tick, pack_header(kind, 0, *ids, tick, *revisions) + line))
        if fails:
            with failing_writes(self.bench.engine), pytest.raises(WriteFault):
                store.commit(commit)
            return
        store.commit(commit)
        self.rows += added
        self.close_full_segment()

    @rule(position=st.floats(0, 1), beyond=st.booleans())
    def prune(self, position: float, beyond: bool) -> None:
        """Prune up to a tick that may lie anywhere, also inside a segment."""
        store = self.bench.store
        finish(store.checkpoint_trees())  # so that no restart misses what goes
        last = store.log.last_tick
        up_to = round(self.floor + position * (last - self.floor)) + (100 if beyond else 0)
        gone = [border for border in self.borders if border <= up_to]
        self.floor = max([self.floor, *gone])
        assert store.log.prune(up_to) == self.floor
        self.borders = [border for border in self.borders if border > up_to]
        self.rows = [row for row in self.rows if row[0] > self.floor]

    @rule(position=st.floats(0, 1))
    def prune_in_vain(self, position: float) -> None:
        """A write that fails prunes nothing."""
        closed = [border for border in self.borders if border <= self.bench.store.log.last_tick]
        if closed:
            with failing_writes(self.bench.engine), pytest.raises(WriteFault):
                self.bench.store.log.prune(closed[-1])

    @rule()
    def stop(self) -> None:
        """A clean stop closes the open segment."""
        last = self.bench.store.log.last_tick
        if last > max([self.floor, *self.borders]):
            self.borders.append(last)
        self.bench.stop()

    @rule()
    def crash(self) -> None:
        self.bench.crash()

    def close_full_segment(self) -> None:
        after = max([self.floor, *self.borders])
        if sum(len(row) for tick, row in self.rows if tick > after) >= SEGMENT_BYTES:
            self.borders.append(self.rows[-1][0])

    # -- what must hold after every rule -----------------------------------------------------------

    @invariant()
    def positions_are_those_of_the_list(self) -> None:
        found = self.bench.store.log
        ticks = [tick for tick, _ in self.rows]
        assert found.floor == self.floor
        assert found.last_tick == max([self.floor, *ticks])
        assert found.first_tick == (ticks[0] if ticks else None)
        assert found.size_bytes == sum(len(row) for _, row in self.rows)

    @invariant()
    def segments_follow_each_other(self) -> None:
        found = self.bench.store.log
        after = self.floor
        assert [segment.last for segment in found.segments] == self.borders
        for segment in [*found.segments, found.open]:
            inside = [row for tick, row in self.rows if after < tick <= segment.last]
            assert segment.after == after
            assert segment.size_bytes == sum(map(len, inside))
            assert inside or segment is found.open
            after = segment.last
        assert found.open.last == found.last_tick

    @invariant()
    def reading_gives_the_list(self) -> None:
        found = self.bench.store.log
        middle = self.rows[len(self.rows) // 2][0] if self.rows else 0
        for after in (0, self.floor - 1, self.floor, middle - 1, middle, found.last_tick):
            after = max(after, 0)
            scan = found.scan(after)
            expected = [row for tick, row in self.rows if tick > after]
            assert scan.take(len(expected) + 1) == expected
            scan.close()
        cursor = found.cursor()
        everything = cursor.items(keys.u64(0), keys.u64(keys.U64_MAX), 10_000)
        cursor.close()
        assert everything == [(keys.u64(tick), row) for tick, row in self.rows]

    @invariant()
    def headers_tell_scope_and_tick(self) -> None:
        for tick, row in self.rows[-4:]:
            assert keys.from_u64(row[TICK_AT]) == tick
            assert len(row[:SCOPE_BYTES]) == 20
            assert row[HEADER_BYTES:].endswith(b"\n")


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "SEGMENT_BYTES", SEGMENT_BYTES)


def test_the_log_in_memory() -> None:
    run_state_machine_as_test(
        lambda: LogMachine(lambda: None),
        settings=settings(max_examples=3 * EXAMPLES, stateful_step_count=25),
    )


def test_the_log_on_rocksdb(tmp_path: Path) -> None:
    numbers = itertools.count()
    run_state_machine_as_test(
        lambda: LogMachine(lambda: tmp_path / str(next(numbers))),
        settings=settings(max_examples=EXAMPLES // 6, stateful_step_count=20),
    )
