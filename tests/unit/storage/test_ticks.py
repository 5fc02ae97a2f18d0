"""Ticks are never handed out twice, whatever happens in between."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, note
from hypothesis import strategies as st
from support.memory_engine import MemoryEngine
from support.stores import WriteFault, failing_writes

from arangorep.storage import ticks
from arangorep.storage.engine import Family
from arangorep.storage.ticks import FIRST_TICK, TickCounter

RESERVED = 20


@pytest.fixture
def _short_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticks, "TICKS_RESERVED", RESERVED)


def test_a_new_store_begins_above_the_fixed_ids() -> None:
    counter = TickCounter(MemoryEngine())
    assert counter.current == FIRST_TICK
    assert [counter.next() for _ in range(3)] == [FIRST_TICK + 1, FIRST_TICK + 2, FIRST_TICK + 3]
    assert counter.current == FIRST_TICK + 3


def test_ranges_and_single_ticks_follow_each_other() -> None:
    counter = TickCounter(MemoryEngine())
    first = counter.next()
    assert list(counter.take(5)) == list(range(first + 1, first + 6))
    assert counter.next() == first + 6


def test_the_log_may_be_ahead_of_the_promise() -> None:
    assert TickCounter(MemoryEngine(), at_least=5000).next() == 5001


def test_ticks_are_only_raised() -> None:
    counter = TickCounter(MemoryEngine())
    counter.raise_to(1000)
    assert counter.next() == 1001
    counter.raise_to(500)
    assert counter.next() == 1002
    counter.raise_to(1002)
    assert counter.next() == 1003


def test_a_clean_stop_skips_no_tick() -> None:
    engine = MemoryEngine()
    counter = TickCounter(engine)
    last = [counter.next() for _ in range(7)][-1]
    counter.settle()
    assert TickCounter(engine).next() == last + 1


def test_a_settled_counter_promises_anew() -> None:
    engine = MemoryEngine()
    counter = TickCounter(engine)
    counter.next()
    counter.settle()
    last = counter.next()
    assert TickCounter(engine).next() > last


def test_a_crash_skips_no_more_than_was_reserved() -> None:
    engine = MemoryEngine()
    last = TickCounter(engine).next()
    after = TickCounter(engine).next()
    assert last < after <= last + ticks.TICKS_RESERVED + 1


@pytest.mark.usefixtures("_short_promises")
def test_promises_are_written_seldom_and_early() -> None:
    engine = MemoryEngine()
    counter = TickCounter(engine)
    promises = set()
    for _ in range(10 * RESERVED):
        tick = counter.next()
        stored = engine.get(Family.META, b"ticks")
        assert stored is not None
        promised = int.from_bytes(stored, "big")
        assert promised >= tick + RESERVED // 2 - 1, "renewed when half of it is used"
        promises.add(promised)
    assert len(promises) <= 21


@pytest.mark.usefixtures("_short_promises")
def test_a_promise_that_cannot_be_written_hands_out_nothing() -> None:
    engine = MemoryEngine()
    counter = TickCounter(engine)
    handed_out = [counter.next()]
    with failing_writes(engine):
        with contextlib.suppress(WriteFault):
            for _ in range(2 * RESERVED):
                handed_out.append(counter.next())
        assert len(handed_out) <= RESERVED, "what was promised may still be handed out"
        with pytest.raises(WriteFault):
            counter.next()
        with pytest.raises(WriteFault):
            counter.take(3)
        with pytest.raises(WriteFault):
            counter.raise_to(counter.current + 100)
    assert TickCounter(engine.copy()).next() > handed_out[-1]
    handed_out += [counter.next() for _ in range(3)]
    assert handed_out == sorted(set(handed_out))


def test_a_reader_writes_nothing() -> None:
    engine = MemoryEngine()
    counter = TickCounter(engine, read_only=True)
    counter.next()
    counter.take(10)
    counter.raise_to(10_000)
    counter.settle()
    assert engine.content() == MemoryEngine().content()


actions = st.lists(
    st.sampled_from(["next", "next", "take", "raise", "settle", "crash", "fail"]), max_size=60
)


@given(actions, st.integers(1, 3 * RESERVED))
def test_no_tick_is_handed_out_twice(work: list[str], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ticks, "TICKS_RESERVED", RESERVED)
        engine = MemoryEngine()
        counter = TickCounter(engine)
        newest = counter.current
        for action in work:
            note(action)
            if action == "next":
                found = [counter.next()]
            elif action == "take":
                found = list(counter.take(size))
            elif action == "fail":
                found = next_while_failing(counter, engine)
            else:
                found = []
            if action == "raise":
                counter.raise_to(newest + size)
            elif action == "settle":
                counter.settle()
            elif action == "crash":
                engine = engine.copy()
                counter = TickCounter(engine)
            for tick in found:
                assert tick > newest
                newest = tick


def next_while_failing(counter: TickCounter, engine: MemoryEngine) -> list[int]:
    with failing_writes(engine):
        try:
            return [counter.next()]
        except WriteFault:
            return []
