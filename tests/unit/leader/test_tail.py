"""Cutting answers out of the log: chunks, transactions, resuming (leader-api 7.5)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from support.stores import finish, insert, make_collection, open_store, system

from arangorep.leader.tail import TailRequest, TailResult, Visibility, tail
from arangorep.limits import TAIL_CHUNK_BYTES_MIN
from arangorep.storage.store import Store
from arangorep.values.visibility import system_filter

EVERYTHING = 2**64 - 1
SHOWS = system_filter(include_system=True, include_foxx_queues=True)


@dataclass(frozen=True)
class Write:
    """What one commit does: documents of these sizes, in the shown or the hidden collection."""

    sizes: list[int]
    shown: bool

    @property
    def grouped(self) -> bool:
        return len(self.sizes) != 1


writes = st.lists(
    st.builds(
        Write,
        st.lists(st.integers(0, 200) | st.integers(3000, 9000), min_size=1, max_size=12),
        st.booleans(),
    ),
    max_size=12,
)


def read(
    store: Store, after: int, *, chunk: int = 1, to: int = EVERYTHING, split: bool = False
) -> TailResult:
    """One answer as a client of collection `shown` gets it."""
    database = system(store)
    visibility = Visibility(store, database, SHOWS, database.find("shown"))
    return finish(tail(store, TailRequest(after, to, chunk, split), visibility))


def lines_of(result: TailResult) -> list[bytes]:
    return b"".join(result.pieces).splitlines(keepends=True)


def write_all(work: list[Write]) -> tuple[Store, int]:
    """A store with these commits; returns the tick before the first."""
    store = open_store()
    collections = {
        shown: make_collection(store, name) for name, shown in (("shown", True), ("hidden", False))
    }
    before = store.log.last_tick
    for write in work:
        insert(store, collections[write.shown], *({"v": "x" * size} for size in write.sizes))
    return store, before


def brackets_closed(lines: list[bytes]) -> bool:
    kinds = [json.loads(line)["type"] for line in lines]
    return kinds.count(2200) == kinds.count(2201)


@given(work=writes, chunk=st.integers(0, 60_000), split=st.booleans())
def test_walking_the_log_gives_every_visible_line_once(
    work: list[Write], chunk: int, split: bool
) -> None:
    store, after = write_all(work)
    whole = lines_of(read(store, after, chunk=10**9))
    expected = [2300] * sum(len(write.sizes) for write in work if write.shown)
    kinds = [json.loads(line)["type"] for line in whole]
    assert [kind for kind in kinds if kind == 2300] == expected
    assert kinds.count(2200) == sum(write.grouped for write in work)
    found: list[bytes] = []
    for _ in range(len(whole) + 2):
        result = read(store, after, chunk=chunk, split=split)
        lines = lines_of(result)
        found += lines
        assert result.from_present
        assert result.last_tick == store.log.last_tick
        assert result.last_included == (json_tick(lines[-1]) if lines else 0)
        assert result.last_included <= result.last_scanned <= result.last_tick
        size = sum(map(len, lines))
        goal = max(chunk, TAIL_CHUNK_BYTES_MIN)
        if split:
            assert size - (len(lines[-1]) if lines else 0) < goal
        else:
            assert brackets_closed(lines)
        if not result.check_more:
            break
        assert after < result.last_included
        after = result.last_included
    assert found == whole


def json_tick(line: bytes) -> int:
    tick: str = json.loads(line)["tick"]
    return int(tick)


@given(work=writes, data=st.data(), split=st.booleans())
def test_any_tick_is_a_good_place_to_go_on(
    work: list[Write], data: st.DataObject, split: bool
) -> None:
    store, before = write_all(work)
    whole = lines_of(read(store, before, chunk=10**9))
    after = data.draw(st.integers(before, store.log.last_tick))
    result = read(store, after, chunk=10**9, split=split)
    assert lines_of(result) == [line for line in whole if json_tick(line) > after]


def test_the_log_may_grow_while_it_is_read() -> None:
    store, before = write_all([Write([4000] * 12, shown=True)] * 20)
    last = store.log.last_tick
    database = system(store)
    work = tail(
        store,
        TailRequest(before, EVERYTHING, 10**9, split_transactions=False),
        Visibility(store, database, SHOWS),
    )
    next(work)
    insert(store, database.find("shown"), {"v": "later"})
    result = finish(work)
    assert json_tick(lines_of(result)[-1]) == result.last_included == last
    assert result.last_tick == store.log.last_tick > last
    assert result.check_more
    assert len(lines_of(read(store, last))) == 1


def test_a_long_answer_is_read_in_slices() -> None:
    store, before = write_all([Write([100] * 4000, shown=True)])
    database = system(store)
    work = tail(
        store,
        TailRequest(before, EVERYTHING, 10**9, split_transactions=False),
        Visibility(store, database, SHOWS),
    )
    assert sum(1 for _ in work) > 2
