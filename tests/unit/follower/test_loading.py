"""`BulkLoad` with real worker processes over a real RocksDB."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.stores import make_collection

from arangorep.clock import ManualClock
from arangorep.data.databases import ensure_system_database
from arangorep.follower import loading
from arangorep.follower.loading import PROGRAM, BulkLoad
from arangorep.follower.site import Site
from arangorep.storage.aside import rows_of
from arangorep.storage.engine import Family
from arangorep.storage.integrity import findings
from arangorep.storage.loading import finish_loads
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.rows import build_row
from arangorep.storage.store import Store
from arangorep.values.revision import revision_text
from arangorep.workers.worker import Workers

FIRST = 1_700_000_000_000 << 20


class Interrupted(Exception):
    """What ends a load in the middle."""


def lines(first: int, count: int) -> bytes:
    rows = [
        build_row(b"k%d" % n, b"c", revision_text(FIRST + n).encode(), {"n": n})
        for n in range(first, first + count)
    ]
    return b"".join(row + b"\n" for row in rows)


async def give_up(load: BulkLoad, rounds: int) -> None:
    async with load:
        await load.add(LARGE)
        await load._submit()
        for _ in range(rounds):
            await asyncio.sleep(0.01)
        raise Interrupted


LARGE = lines(0, 60_000)
"""Keeps a worker busy for a while."""


@pytest.mark.parametrize("rounds", [0, 8, 12, 16, 20, 24, 28])
def test_a_load_that_was_given_up_leaves_its_workers_usable(tmp_path: Path, rounds: int) -> None:
    """Whatever a worker was doing: the next load gets its own answers, not those of the last."""
    store = Store(RocksEngine(tmp_path / "s"), ManualClock())
    ensure_system_database(store)
    collection = make_collection(store, "c")
    place = (collection.info.database_id, collection.info.guid)

    async def work() -> None:
        site = Site(store, ManualClock(), asyncio.Lock(), asyncio.sleep)
        workers = Workers(PROGRAM, 1)
        try:
            with pytest.raises(Interrupted):
                await give_up(BulkLoad(site, workers, *place), rounds)
            async with BulkLoad(site, workers, *place) as load:
                await load.add(lines(70_000, 3000))
                await load.finish()
                assert load.documents == 3000
        finally:
            await workers.close()

    asyncio.run(work())
    assert collection.count == 3000
    assert findings(store) == []
    assert list(store.engine.load_directory.iterdir()) == []
    store.close()


def load_pieces(
    path: Path, monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], in_flight: int
) -> tuple[list[int], list[int]]:
    """Load every piece by itself; returns how many were on their way after each, and how many were
    taken over at once. All are prepared before the last ones are taken over."""
    monkeypatch.setattr(loading, "LOAD_BYTES", 1)
    monkeypatch.setattr(loading, "LOAD_PIECES_IN_FLIGHT", in_flight)
    store = Store(RocksEngine(path / "s"), ManualClock())
    ensure_system_database(store)
    collection = make_collection(store, "c")
    place = (collection.info.database_id, collection.info.guid)
    ingest, flying, taken = store.engine.ingest, [], []

    def counted(family: Family, files: Sequence[Path]) -> None:
        if family is Family.DOCUMENTS:
            taken.append(len(files))
        ingest(family, files)

    monkeypatch.setattr(store.engine, "ingest", counted)

    async def work() -> None:
        site = Site(store, ManualClock(), asyncio.Lock(), asyncio.sleep)
        workers = Workers(PROGRAM, 2)
        async with BulkLoad(site, workers, *place) as load:
            for piece in pieces:
                await load.add(piece)
                flying.append(len(load._flying))
            await asyncio.wait(load._flying)
            await load.finish()
            assert load.documents == sum(piece.count(b"\n") for piece in pieces)
        await workers.close()

    asyncio.run(work())
    stored = [row for block in rows_of(store, collection) for _, row in block]
    assert sorted(stored) == sorted(b"".join(pieces).split(b"\n")[:-1])
    assert findings(store) == []
    assert store.engine.load_directory is not None
    assert list(store.engine.load_directory.iterdir()) == []
    store.close()
    return flying, taken


def test_pieces_that_are_ready_are_taken_over_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [lines(at, 10) for at in range(0, 50, 10)]
    assert load_pieces(tmp_path, monkeypatch, pieces, in_flight=5)[1] == [5]


def test_no_more_pieces_are_on_their_way_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = [lines(at, 10) for at in range(0, 80, 10)]
    flying, taken = load_pieces(tmp_path, monkeypatch, pieces, in_flight=3)
    assert max(flying) == 3
    assert sum(taken) == 8


def test_a_piece_that_does_not_fit_is_stored_in_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, mixed = lines(10, 10), lines(51, 1) + lines(50, 1)
    pieces = [lines(0, 10), lines(20, 10), older, lines(40, 10), mixed, lines(60, 10)]
    assert load_pieces(tmp_path, monkeypatch, pieces, in_flight=6)[1] == [2, 1, 1]


def test_files_that_were_taken_over_in_part_are_repaired_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(RocksEngine(tmp_path / "s"), ManualClock())
    ensure_system_database(store)
    collection = make_collection(store, "c")
    place = (collection.info.database_id, collection.info.guid)
    ingest = store.engine.ingest

    def documents_only(family: Family, files: Sequence[Path]) -> None:
        if family is not Family.DOCUMENTS:
            raise Interrupted
        ingest(family, files)

    monkeypatch.setattr(store.engine, "ingest", documents_only)

    async def work() -> None:
        site = Site(store, ManualClock(), asyncio.Lock(), asyncio.sleep)
        workers = Workers(PROGRAM, 1)
        try:
            async with BulkLoad(site, workers, *place) as load:
                await load.add(lines(0, 1000))
                await load.finish()
        finally:
            await workers.close()

    with pytest.raises(Interrupted):
        asyncio.run(work())
    store.close()
    again = Store(RocksEngine(tmp_path / "s"), ManualClock())
    finish_loads(again)
    assert again.catalog.database("_system").find("c").count == 1000
    assert findings(again) == []
    again.close()
