"""Checkpoints beside writers."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.stores import Bench, insert, make_collection

from arangorep.backup.jobs import take_checkpoint
from arangorep.storage.integrity import findings


def test_a_checkpoint_waits_for_whoever_writes(tmp_path: Path) -> None:
    """A follower that takes files over holds the lock from the note about them to their commit."""
    bench = Bench(tmp_path / "s")
    collection = make_collection(bench.store, "c")
    copy = tmp_path / "checkpoints" / "one"

    async def work() -> None:
        lock = asyncio.Lock()
        async with lock:
            taking = asyncio.create_task(take_checkpoint(bench.store, lock, copy))
            for _ in range(20):
                await asyncio.sleep(0)
            assert not copy.exists()
            insert(bench.store, collection, {"_key": "a"})
        await taking

    asyncio.run(work())
    bench.end()
    again = Bench(copy)
    assert again.store.catalog.database("_system").find("c").count == 1
    assert findings(again.store) == []
    again.end()
