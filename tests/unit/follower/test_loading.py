"""`BulkLoad` with real worker processes over a real RocksDB."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.stores import make_collection

from arangorep.clock import ManualClock
from arangorep.data.databases import ensure_system_database
from arangorep.follower.loading import BulkLoad, Workers
from arangorep.follower.site import Site
from arangorep.storage.integrity import findings
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.rows import build_row
from arangorep.storage.store import Store
from arangorep.values.revision import revision_text

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
        workers = Workers(1)
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
