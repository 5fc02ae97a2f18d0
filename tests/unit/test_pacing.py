"""Turns for others, and one disk sync for all who wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator

import pytest

from arangorep.pacing import GroupSync, LoopMonitor, drive, give_turn


def work(steps: int) -> Generator[None, None, int]:
    """Sliced work that takes its time in every slice."""
    total = 0
    for step in range(steps):
        sum(range(20_000))
        total += step
        yield
    return total


async def test_driven_work_ends_with_its_result_and_lets_others_run() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert await drive(work(200)) == sum(range(200))
    task.cancel()
    assert turns > 50


async def test_driven_work_raises_what_it_raises() -> None:
    def failing() -> Generator[None, None, None]:
        yield
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await drive(failing())


async def test_cancelled_work_is_closed() -> None:
    closed = asyncio.Event()

    def endless() -> Generator[None, None, None]:
        try:
            while True:
                sum(range(50_000))
                yield
        finally:
            closed.set()

    task = asyncio.create_task(drive(endless()))
    await give_turn()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed.is_set()


class SlowDisk:
    """A sync that waits until it is let go, and counts."""

    def __init__(self) -> None:
        self.started = threading.Semaphore(0)
        self.let_go = threading.Semaphore(0)
        self.count = 0

    def sync(self) -> None:
        self.count += 1
        self.started.release()
        assert self.let_go.acquire(timeout=30)


async def test_those_who_come_during_a_sync_share_the_next_one() -> None:
    disk = SlowDisk()
    group = GroupSync(disk.sync)
    first = asyncio.create_task(group.wait())
    await asyncio.to_thread(disk.started.acquire)
    others = [asyncio.create_task(group.wait()) for _ in range(10)]
    await give_turn()
    disk.let_go.release()
    await first
    assert not any(other.done() for other in others)
    await asyncio.to_thread(disk.started.acquire)
    disk.let_go.release()
    await asyncio.gather(*others)
    assert disk.count == 2


async def test_a_failed_sync_fails_all_who_wait_and_the_next_one_works() -> None:
    failures = [OSError("full")]

    def sync() -> None:
        if failures:
            raise failures.pop()

    group = GroupSync(sync)
    results = await asyncio.gather(group.wait(), group.wait(), return_exceptions=True)
    assert [str(result) for result in results] == ["full", "full"]
    await group.wait()


async def test_the_monitor_sees_a_held_loop() -> None:
    monitor = LoopMonitor(0.001)
    monitor.start()
    await asyncio.sleep(0.01)
    held = threading.Event()
    held.wait(0.05)  # blocks the loop's thread on purpose
    await asyncio.sleep(0.01)
    assert monitor.held_max_s >= 0.04
    assert monitor.held_total_s >= 0.04
    monitor.reset()
    assert monitor.held_max_s == 0
    monitor.stop()
