"""The clock that tests move, and how moments are written."""

from __future__ import annotations

import pytest

from arangorep.clock import ManualClock, SystemClock, iso_time


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(wall_us=1_000_000)
    assert (clock.wall_us(), clock.monotonic_us()) == (1_000_000, 0)
    clock.advance_s(1.5)
    assert (clock.wall_us(), clock.monotonic_us()) == (2_500_000, 1_500_000)
    with pytest.raises(ValueError, match="forward"):
        clock.advance_s(-1)


def test_the_system_clock_moves_on() -> None:
    clock = SystemClock()
    first = clock.monotonic_us()
    assert clock.monotonic_us() >= first
    assert clock.wall_us() > 1_700_000_000_000_000


def test_moments_are_written_in_utc_without_fractions() -> None:
    assert iso_time(0) == "1970-01-01T00:00:00Z"
    assert iso_time(1_785_857_306_999_999) == "2026-08-04T15:28:26Z"
