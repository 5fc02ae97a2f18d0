"""The asynchronous edge of long work: turns for others, and one disk sync for everybody."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from arangorep.clock import stopwatch_s

T = TypeVar("T")

TURN_S = 0.0002
"""Work that is sliced finer is not interrupted before this much time has passed."""

LOOPS_PER_TURN = 4
"""A small request takes as many rounds of the event loop; with fewer it would wait for a slice of
the long work between each two of its own steps."""


async def give_turn() -> None:
    """Let everything that is ready run until it has to wait."""
    for _ in range(LOOPS_PER_TURN):
        await asyncio.sleep(0)


async def drive(work: Generator[None, None, T]) -> T:
    """Run sliced work to its end, letting the event loop turn between slices."""
    turn_ends = stopwatch_s() + TURN_S
    try:
        while True:
            try:
                next(work)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if stopwatch_s() >= turn_ends:
                await give_turn()
                turn_ends = stopwatch_s() + TURN_S
    finally:
        work.close()


async def ended(*running: asyncio.Future[Any]) -> None:
    """Wait for work that cannot be interrupted, however often the waiting is cancelled."""
    while not all(one.done() for one in running):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(running)


async def in_thread(work: Callable[[], Any]) -> Any:
    """Run blocking work in a thread and wait for its end even when cancelled."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await ended(running)
        raise


async def to_the_end(work: Callable[[], Any], stop: threading.Event | None = None) -> Any:
    """As `in_thread`, but work that is done in spite of a cancel counts: the cancel came too late.

    `stop` is set for the work to see, which then raises.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if stop is not None:
            stop.set()
        await ended(running)
        if running.exception() is not None:
            raise
        return running.result()


class GroupSync:
    """Shares one sync of the store's log among all who wait for durability.

    `sync` runs in a worker thread. Whoever calls `wait` after a sync has started waits for the
    next one, because the running one may not hold their commit.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._running: asyncio.Task[None] | None = None
        self._next: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Return when everything written before is on the disk. Errors: those of `sync`."""
        loop = asyncio.get_running_loop()
        if self._next is None:
            self._next = loop.create_future()
            if self._running is None:
                self._running = loop.create_task(self._run())
        await asyncio.shield(self._next)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._next is not None:
                waiting, self._next = self._next, None
                try:
                    await loop.run_in_executor(None, self._sync)
                except Exception as error:
                    waiting.set_exception(error)
                    waiting.exception()  # a waiter that has left must not leave a warning
                else:
                    waiting.set_result(None)
        finally:
            self._running = None


class Signal:
    """Wakes everybody who waits, now and then again."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def wait(self) -> None:
        """Return at the next `fire`."""
        await self._event.wait()

    def fire(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()


class LoopMonitor:
    """Notices when the event loop was held: how late its own timer comes.

    `held_max_s` is the longest since `reset`; `held_total_s` adds up what lay above `interval_s`.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._handle: asyncio.TimerHandle | None = None
        self.held_max_s = 0.0
        self.held_total_s = 0.0

    def start(self) -> None:
        """Begin watching the running loop."""
        loop = asyncio.get_running_loop()
        self._expect(loop)

    def stop(self) -> None:
        """Watch no longer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def reset(self) -> None:
        """Forget the longest hold."""
        self.held_max_s = 0.0

    def _expect(self, loop: asyncio.AbstractEventLoop) -> None:
        due = stopwatch_s() + self._interval_s
        self._handle = loop.call_later(self._interval_s, self._tick, loop, due)

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        late_s = stopwatch_s() - due
        self.held_max_s = max(self.held_max_s, late_s)
        if late_s > self._interval_s:
            self.held_total_s += late_s
        self._expect(loop)
