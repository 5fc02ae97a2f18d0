"""`Backlog` with real worker processes over a real RocksDB, against the leader it follows."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.stores import (
    Bench,
    bodies,
    finish,
    make_collection,
    make_index,
    markers,
    stored,
    system,
    write,
)

from arangorep.data.collections import drop_collection, restore_collection
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.transactions import Transaction
from arangorep.errors import NoResponse
from arangorep.follower import backlog as module
from arangorep.follower.applying import MarkerApplier
from arangorep.follower.backlog import PROGRAM, Backlog
from arangorep.follower.leader import TailChunk
from arangorep.follower.lines import split_lines
from arangorep.follower.progress import Progress, TickState
from arangorep.follower.site import Site
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.storage.log import HEADER_BYTES
from arangorep.workers.worker import Workers

STATE = b"applier-state/1"


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKLOG_PIECE_BYTES", 4000)
    monkeypatch.setattr(module, "BACKLOG_BYTES_MIN", 100)
    monkeypatch.setattr(module, "BACKLOG_TICKS_MIN", 0)
    monkeypatch.setattr(module, "BACKLOG_BYTES_MAX", 20_000)
    monkeypatch.setattr(module, "BACKLOG_CHUNKS_BETWEEN_TRIES", 1)
    monkeypatch.setattr(module, "BACKLOG_PATIENCE_MAX", 1)


class Leader:
    """A store whose log is to be followed."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.bench = Bench()
        self.collection = make_collection(self.bench.store, "c")
        self.begin = self.bench.store.log.last_tick
        self._number = 0

    def documents(self, count: int) -> list[dict[str, Any]]:
        self._number += count
        return [
            {"_key": f"k{n:06}", "n": n, "t": "ü" * (n % 40), "x": [{"_key": "k", "type": 2201}]}
            for n in range(self._number - count, self._number)
        ]

    def insert(self, count: int, *, grouped: bool) -> None:
        self.put(self.collection, self.documents(count), grouped=grouped)

    def put(self, collection: Collection, found: list[dict[str, Any]], *, grouped: bool) -> None:
        transaction = Transaction(self.bench.store, system(self.bench.store), grouped=grouped)
        writer = DocumentWriter(transaction, collection, WriteOptions())
        for document in found:
            writer.insert(document)
        transaction.commit()

    def lines(self) -> list[bytes]:
        rows = self.bench.store.log.scan(self.begin).take(1 << 20)
        return [row[HEADER_BYTES:] for row in rows]

    def chunks(self, *sizes: int) -> list[TailChunk]:
        """The log in answers of about so many bytes, the last size again and again."""
        found, lines, after = [], self.lines(), self.begin
        left = list(sizes)
        while lines:
            size = left.pop(0) if len(left) > 1 else left[0]
            body = b""
            while lines and len(body) < size:
                body += lines.pop(0)
            last = int(json.loads(body.splitlines()[-1])["tick"])
            end = self.bench.store.log.last_tick
            found.append(TailChunk(body, bool(lines), last, last, end, True, after))
            after = last
        return found


class Follower:
    """A store that follows it, with an applier and a backlog of its own."""

    def __init__(self, path: Path, leader: Leader, workers: Workers) -> None:
        self.bench = Bench(path)
        store = self.bench.store
        info = leader.collection.info
        restore_collection(
            store, system(store), {"name": "c", "globallyUniqueId": info.guid, "id": str(info.id)}
        )
        self.ticks = TickState(applied=leader.begin)
        self.progress = Progress(self.bench.clock)
        self.site = Site(store, self.bench.clock, asyncio.Lock(), asyncio.sleep)
        self.applier = MarkerApplier(
            store,
            self.ticks,
            STATE,
            self.progress,
            database_id=0,
            excluded=lambda guid: False,
            learn_name=lambda guid, name: None,
            ignore_errors=0,
        )
        self.backlog = Backlog(self.site, self.applier, self._apply)
        self.backlog._workers = workers
        self.slowly = 0
        """Lines that were applied the usual way."""

    @property
    def collection(self) -> Collection:
        return system(self.bench.store).find("c")

    async def _apply(self, text: bytes, after: int) -> None:
        for lines in finish(split_lines(text)):
            self.slowly += len(lines)
            async with self.site.write_lock:
                finish(self.applier.apply(lines, after))

    async def follow(self, chunks: list[TailChunk]) -> None:
        for chunk in chunks:
            if self.backlog.takes(chunk):
                await self.backlog.add(chunk)
            else:
                await self.backlog.drain()
                await self._apply(chunk.body, chunk.asked_from)

    def stored_state(self) -> TickState:
        row = self.bench.store.read_meta(STATE)
        return TickState() if row is None else TickState.unpack(row)


def pair(
    path: Path, workers: Workers, transactions: int = 6, size: int = 50
) -> tuple[Leader, Follower]:
    """A leader with so many equal transactions, and who follows it."""
    leader = Leader()
    for _ in range(transactions):
        leader.insert(size, grouped=True)
    return leader, Follower(path / "f", leader, workers)


@asynccontextmanager
async def ready_workers() -> AsyncIterator[Workers]:
    workers = Workers(PROGRAM, 2)
    try:
        await asyncio.gather(*(worker._starting for worker in workers._workers))
        yield workers
    finally:
        await workers.close()


def told(markers_: list[dict[str, Any]]) -> list[Any]:
    """What a log says without what each server numbers by itself; a transaction begins at 0."""
    found, begin = [], {}
    for marker in markers_:
        tid = begin.setdefault(marker["tid"], len(begin)) if marker["tid"] != "0" else None
        assert marker["type"] != 2200 or marker["tid"] == marker["tick"]
        found.append((marker["type"], marker["db"], marker.get("cuid"), tid, marker.get("data")))
    return found


def assert_same(leader: Leader, follower: Follower, begin: int) -> None:
    here, there = follower.bench.store, leader.bench.store
    assert stored(here, follower.collection) == stored(there, leader.collection)
    own = markers(here, begin)
    ticks = [int(marker["tick"]) for marker in own]
    assert ticks == sorted(set(ticks))
    assert told(own) == told(markers(there, leader.begin))
    assert here.log.last_tick == ticks[-1]
    assert follower.ticks.applied == there.log.last_tick
    assert follower.collection.state.tree.equal(leader.collection.state.tree)
    assert here.last_revision >= leader.collection.state.counters.revision
    assert findings(here) == []
    assert list(here.engine.load_directory.iterdir()) == []


def play(work: Callable[[Workers], Awaitable[None]]) -> None:
    async def run() -> None:
        async with ready_workers() as workers:
            await work(workers)

    asyncio.run(run())


def fill(leader: Leader, steps: int) -> None:
    """Mostly insertions, of all sizes, in and outside of transactions; now and then another."""
    chance = leader.random
    other = make_collection(leader.bench.store, "other")
    for _ in range(steps):
        match chance.choice("uro" if chance.random() < 0.04 else "tttl"):
            case "t":
                leader.insert(chance.randrange(1, 60), grouped=True)
            case "l":
                leader.insert(chance.randrange(1, 30), grouped=False)
            case "u" if leader.collection.count:
                key = chance.choice(list(bodies(leader.bench.store, leader.collection)))
                write(leader.bench.store, leader.collection, "replace", {"_key": key, "u": 1})
            case "r" if leader.collection.count:
                key = chance.choice(list(bodies(leader.bench.store, leader.collection)))
                write(leader.bench.store, leader.collection, "remove", key)
            case "o":
                leader.put(other, [{"n": 1}], grouped=chance.random() < 0.5)


@pytest.mark.parametrize("first_seed", [0, 10, 20])
def test_any_log_in_any_chunks(tmp_path: Path, first_seed: int) -> None:
    quick = 0

    async def work(workers: Workers) -> None:
        nonlocal quick
        for seed in range(first_seed, first_seed + 10):
            leader = Leader(seed)
            fill(leader, 100)
            follower = Follower(tmp_path / str(seed), leader, workers)
            begin = follower.bench.store.log.last_tick
            sizes = [leader.random.randrange(50, 9000) for _ in range(50)]
            await follower.follow(leader.chunks(*sizes))
            await follower.backlog.drain()
            without_other = [m for m in markers(follower.bench.store, begin) if m["type"] != 2000]
            assert follower.ticks.applied == leader.bench.store.log.last_tick, seed
            assert stored(follower.bench.store, follower.collection) == stored(
                leader.bench.store, leader.collection
            ), seed
            there = [m for m in markers(leader.bench.store, leader.begin) if m["type"] != 2000]
            assert told(without_other) == told(there), seed
            assert findings(follower.bench.store) == [], seed
            quick += len(leader.lines()) - follower.slowly
            follower.bench.end()

    play(work)
    assert quick > 8_000, "hardly anything went through files"


@pytest.mark.parametrize("grouped", [True, False])
@pytest.mark.parametrize("size", [300, 3000, 30_000])
def test_plain_insertions_go_through_files(tmp_path: Path, size: int, grouped: bool) -> None:
    async def work(workers: Workers) -> None:
        leader = Leader()
        for _ in range(40):
            leader.insert(20, grouped=grouped)
        follower = Follower(tmp_path / "f", leader, workers)
        begin = follower.bench.store.log.last_tick
        chunks = leader.chunks(size)
        await follower.follow(chunks)
        assert follower.stored_state().applied == follower.ticks.applied
        assert_same(leader, follower, begin)
        assert follower.slowly <= 150 + chunks[-1].body.count(b"\n")
        assert follower.progress.documents == follower.progress.events - 80 * grouped == 800
        follower.bench.crash()
        assert follower.collection.count == 800
        assert findings(follower.bench.store) == []
        follower.bench.end()

    play(work)


def test_a_transaction_that_had_begun_is_ended_by_the_applier(tmp_path: Path) -> None:
    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers, 10)
        begin = follower.bench.store.log.last_tick
        chunks = leader.chunks(2000, 5000)
        await follower._apply(chunks[0].body, chunks[0].asked_from)
        assert not follower.applier.is_between_transactions
        await follower.follow(chunks[1:])
        assert_same(leader, follower, begin)
        assert follower.slowly < 250
        follower.bench.end()

    play(work)


def test_a_very_large_transaction_is_gathered_by_the_applier(tmp_path: Path) -> None:
    async def work(workers: Workers) -> None:
        leader = Leader()
        leader.insert(30, grouped=True)
        leader.insert(1000, grouped=True)
        leader.insert(500, grouped=False)
        follower = Follower(tmp_path / "f", leader, workers)
        begin = follower.bench.store.log.last_tick
        await follower.follow(leader.chunks(3000))
        assert_same(leader, follower, begin)
        assert 1000 <= follower.slowly < 1300
        follower.bench.end()

    play(work)


@pytest.mark.parametrize("what", ["index", "key", "revision", "tick", "dropped"])
def test_what_does_not_fit_when_its_turn_comes(tmp_path: Path, what: str) -> None:
    """It is found out under the write lock, and goes the usual way."""

    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers)
        store, chunks = follower.bench.store, leader.chunks(15_000)
        assert follower.backlog.takes(chunks[0])
        await follower.backlog.add(chunks[0])
        assert follower.backlog._flying
        match what:
            case "index":
                make_index(store, follower.collection, "n")
            case "key":
                write(store, follower.collection, "insert", {"_key": "k000003", "own": True})
            case "revision":
                store.observe_revision(leader.bench.store.last_revision + 10**9)
                write(store, follower.collection, "insert", {"_key": "zzz"})
            case "tick":
                make_collection(store, "another")
            case "dropped":
                drop_collection(store, system(store), follower.collection, allow_system=False)
                info = leader.collection.info
                again = {"name": "c", "globallyUniqueId": info.guid}
                restore_collection(store, system(store), again)
        await follower.follow(chunks[1:])
        await follower.backlog.drain()
        assert follower.slowly >= 50
        expected = stored(leader.bench.store, leader.collection).values()
        here = {d["_key"]: d for d in stored(store, follower.collection).values()}
        here.pop("zzz", None)
        assert here == {d["_key"]: d for d in expected}
        assert findings(store) == []
        assert list(store.engine.load_directory.iterdir()) == []
        follower.bench.end()

    play(work)


def test_what_was_dropped_is_asked_for_again(tmp_path: Path) -> None:
    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers)
        begin = follower.bench.store.log.last_tick
        chunks = leader.chunks(15_000)
        await follower.backlog.add(chunks[0])
        await follower.backlog.add(chunks[1])
        await follower.backlog.drop()
        assert follower.ticks.applied == leader.begin
        assert follower.collection.count == 0
        assert list(follower.bench.store.engine.load_directory.iterdir()) == []
        await follower.follow(chunks)
        assert_same(leader, follower, begin)
        follower.bench.end()

    play(work)


def test_a_cancel_between_note_and_files_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers)
        begin, chunks = follower.bench.store.log.last_tick, leader.chunks(15_000)
        await follower.backlog.add(chunks[0])
        engine, reached = follower.bench.store.engine, asyncio.Event()
        loop = asyncio.get_running_loop()
        sync_log = engine.sync_log

        def slow_sync() -> None:
            loop.call_soon_threadsafe(reached.set)
            sync_log()

        with monkeypatch.context() as patch:
            patch.setattr(engine, "sync_log", slow_sync)
            draining = asyncio.create_task(follower.backlog.drain())
            await reached.wait()
            draining.cancel()
            with pytest.raises(asyncio.CancelledError):
                await draining
        await follower.backlog.drop()
        assert follower.collection.count == 0
        assert findings(follower.bench.store) == []
        await follower.follow(chunks)
        assert_same(leader, follower, begin)
        follower.bench.end()

    play(work)


def test_a_chunk_that_was_cut_off_is_not_taken(tmp_path: Path) -> None:
    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers)
        chunk = leader.chunks(15_000)[0]
        shorter = b"".join(chunk.body.splitlines(keepends=True)[:-1])
        with pytest.raises(NoResponse):
            await follower.backlog.add(replace(chunk, body=shorter))
        for body in (chunk.body[:-1], chunk.body[:-20]):
            assert not follower.backlog.takes(replace(chunk, body=body))
        assert not follower.backlog.takes(replace(chunk, asked_from=10**9))
        await follower.backlog.drop()
        assert follower.collection.count == 0
        follower.bench.end()

    play(work)


def test_a_worker_that_dies_costs_nothing_but_time(tmp_path: Path) -> None:
    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers, 20)
        begin, chunks = follower.bench.store.log.last_tick, leader.chunks(15_000)
        await follower.follow(chunks[:2])
        for worker in workers._workers:
            worker._kill()
        await follower.follow(chunks[2:])
        assert_same(leader, follower, begin)
        follower.bench.end()

    play(work)


# -- bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behind", "size", "is_taken"),
    [(99, 5000, False), (100, 5000, True), (10**9, 5000, True), (10**9, 4999, False)],
)
def test_only_who_is_far_behind_takes_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behind: int, size: int, is_taken: bool
) -> None:
    monkeypatch.setattr(module, "BACKLOG_TICKS_MIN", 100)

    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers)
        chunk = leader.chunks(15_000)[0]
        monkeypatch.setattr(module, "BACKLOG_BYTES_MIN", 5000 + len(chunk.body) - size)
        chunk = replace(chunk, last_tick=chunk.last_included + behind)
        follower.backlog._workers = None
        assert follower.backlog.takes(chunk) is is_taken
        follower.backlog._workers = workers
        assert follower.backlog.takes(chunk) is (size == 5000), "once they are there"
        assert not follower.backlog.takes(replace(chunk, check_more=False))
        follower.bench.end()

    play(work)


def test_no_more_pieces_are_prepared_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKLOG_PIECES_IN_FLIGHT", 2)

    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers, 12)
        flying = []
        for chunk in leader.chunks(15_000)[:-1]:
            await follower.backlog.add(chunk)
            flying.append(len(follower.backlog._flying))
        assert max(flying) == 2
        await follower.backlog.drain()
        assert follower.collection.count > 400
        follower.bench.end()

    play(work)


def test_what_is_nothing_for_workers_is_tried_more_and_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BACKLOG_CHUNKS_BETWEEN_TRIES", 2)
    monkeypatch.setattr(module, "BACKLOG_PATIENCE_MAX", 4)

    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers, 2)
        begin = follower.bench.store.log.last_tick
        for number in range(1200):
            document = {"_key": f"k{number % 100:06}", "n": -number, "t": "x" * 100}
            write(leader.bench.store, leader.collection, "replace", document)
        taken = []
        for chunk in leader.chunks(4500):
            taken.append(follower.backlog.takes(chunk))
            if taken[-1]:
                await follower.backlog.add(chunk)
            else:
                await follower.backlog.drain()
                await follower._apply(chunk.body, chunk.asked_from)
        tries = [at for at, is_taken in enumerate(taken) if is_taken]
        gaps = [right - left - 1 for left, right in pairwise(tries) if right > left + 1]
        assert gaps[:4] == [2, 4, 8, 8]
        assert_same(leader, follower, begin)
        follower.bench.end()

    play(work)


def test_lines_that_are_written_otherwise_go_the_usual_way(tmp_path: Path) -> None:
    """Also where a piece begins with one: nothing is concluded from its first tick."""

    async def work(workers: Workers) -> None:
        leader, follower = pair(tmp_path, workers)
        begin = follower.bench.store.log.last_tick
        first, *others = leader.chunks(15_000)
        lines = first.body.splitlines()
        at = next(n for n, line in enumerate(lines) if b'"type":2201' in line) + 1
        marker = json.loads(lines[at])
        lines[at] = json.dumps({"type": marker.pop("type"), **marker}).encode()
        body = b"".join(line + b"\n" for line in lines)
        await follower.follow([replace(first, body=body), *others])
        assert_same(leader, follower, begin)
        follower.bench.end()

    play(work)
