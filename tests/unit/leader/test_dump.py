"""Cutting chunks out of a collection (leader-api 4.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.revisions import number_of
from support.stores import finish, insert, make_collection, open_store, stored

from arangorep.errors import ArangoError
from arangorep.leader.dump import DumpChunk, DumpCursor, read_chunk
from arangorep.storage.catalog import Collection
from arangorep.storage.snapshot import Snapshot
from arangorep.storage.store import Store


def filled(sizes: list[int], *, edge: bool = False) -> tuple[Store, Collection, Snapshot]:
    store = open_store()
    collection = make_collection(store, "c", type=3 if edge else 2)
    ends = {"_from": "a/1", "_to": "b/2"} if edge else {}
    insert(store, collection, *({**ends, "v": "ä" * size} for size in sizes), {**ends, "v": ""})
    return store, collection, store.snapshot()


def chunks(
    snapshot: Snapshot, collection: Collection, sizes: Iterator[int], *, envelope: bool
) -> Iterator[DumpChunk]:
    cursor = DumpCursor(snapshot.scan(collection))
    while True:
        chunk = finish(read_chunk(cursor, collection, next(sizes), envelope=envelope))
        yield chunk
        if not chunk.check_more:
            return


@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize("envelope", [False, True])
@given(
    sizes=st.lists(st.integers(0, 300) | st.integers(20_000, 40_000), max_size=60),
    goals=st.lists(st.integers(1, 60_000) | st.integers(1, 700), min_size=1, max_size=5),
)
def test_chunks_of_changing_sizes_hold_everything_once(
    sizes: list[int], goals: list[int], envelope: bool, edge: bool
) -> None:
    store, collection, snapshot = filled(sizes, edge=edge)
    cycle = (goals[i % len(goals)] for i in range(10**6))
    lines: list[bytes] = []
    for number, chunk in enumerate(chunks(snapshot, collection, cycle, envelope=envelope)):
        goal = goals[number % len(goals)]
        body = b"".join(chunk.pieces)
        own = body.splitlines(keepends=True)
        lines += own
        assert own
        last = json.loads(own[-1])
        assert chunk.last_revision == number_of(last["rev"] if envelope else last["_rev"])
        if chunk.check_more:
            assert len(body) >= goal
        if not envelope:
            assert len(body) - len(own[-1]) < goal
    documents = [json.loads(line) for line in lines]
    expected = list(stored(store, collection).values())
    if envelope:
        assert all(list(d) == ["tick", "type", "key", "rev", "data"] for d in documents)
        assert [int(d["tick"]) for d in documents] == list(stored(store, collection))
        documents = [document["data"] for document in documents]
    assert documents == expected


def test_a_position_serves_one_reader_at_a_time() -> None:
    _, collection, snapshot = filled([10_000] * 60)
    cursor = DumpCursor(snapshot.scan(collection))
    work = read_chunk(cursor, collection, 10**9, envelope=False)
    next(work)
    assert cursor.busy
    with pytest.raises(ArangoError) as caught:
        next(read_chunk(cursor, collection, 1, envelope=False))
    assert caught.value.http_status == 400
    chunk = finish(work)
    assert len(b"".join(chunk.pieces).splitlines()) == 61
    assert not cursor.busy


def test_an_abandoned_reader_frees_the_position() -> None:
    _, collection, snapshot = filled([10_000] * 60)
    cursor = DumpCursor(snapshot.scan(collection))
    work = read_chunk(cursor, collection, 10**9, envelope=False)
    next(work)
    work.close()
    assert not cursor.busy


def test_a_large_chunk_is_read_in_slices() -> None:
    _, collection, snapshot = filled([10_000] * 200)
    cursor = DumpCursor(snapshot.scan(collection))
    work = read_chunk(cursor, collection, 10**9, envelope=False)
    slices = 0
    while True:
        try:
            next(work)
        except StopIteration as stop:
            chunk: DumpChunk = stop.value
            break
        slices += 1
    assert slices > 3
    assert max(map(len, chunk.pieces)) < 2_000_000
