"""The one clock: everything that needs the time is handed a `Clock` and reads it nowhere else.

A test source rule bans the `time` module in every other module of the package.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the server knows about time."""

    def wall_us(self) -> int:
        """Microseconds since 1970-01-01 UTC; may jump."""
        ...

    def monotonic_us(self) -> int:
        """Microseconds since some fixed moment; never goes back. TTLs are measured with it."""
        ...


class SystemClock:
    """The machine's clock."""

    def wall_us(self) -> int:
        return time.time_ns() // 1000

    def monotonic_us(self) -> int:
        return time.monotonic_ns() // 1000


class ManualClock:
    """A clock that stands still until it is moved. For tests and simulations."""

    def __init__(self, wall_us: int = 1_700_000_000_000_000) -> None:
        self._wall_us = wall_us
        self._monotonic_us = 0

    def wall_us(self) -> int:
        return self._wall_us

    def monotonic_us(self) -> int:
        return self._monotonic_us

    def advance_s(self, seconds: float) -> None:
        """Move both readings forward by `seconds`."""
        step_us = round(seconds * 1_000_000)
        if step_us < 0:
            raise ValueError("a clock is only moved forward")
        self._wall_us += step_us
        self._monotonic_us += step_us


stopwatch_s = time.perf_counter
"""Seconds for measuring how long something took; decides nothing but when to take a turn.

An event loop's own time is no substitute: uvloop's stands still between two rounds of the loop.
"""


pause = time.sleep
"""Wait some seconds, in commands only: a server never blocks its thread."""


def iso_time(wall_us: int) -> str:
    """`2026-08-04T15:28:26Z`: how every replication answer writes a moment (UTC, whole seconds)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_us // 1_000_000))
