"""How long the tailing waits when there is nothing new."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.follower.config import ApplierConfig
from arangorep.follower.tailing import idle_wait_s

waits = st.floats(0.01, 200)


@pytest.mark.parametrize(
    ("cycles", "expected_s"),
    [(1, 1), (15, 1), (16, 2), (30, 2), (31, 6), (60, 6), (61, 10), (10_000, 10)],
)
def test_polling_becomes_slower(cycles: int, expected_s: float) -> None:
    config = ApplierConfig(idleMinWaitTime=1, idleMaxWaitTime=100)
    assert idle_wait_s(config, cycles) == expected_s


@pytest.mark.parametrize(("cycles", "expected_s"), [(1, 1), (16, 2), (31, 2.5), (61, 2.5)])
def test_the_default_waits_two_and_a_half_seconds_at_most(cycles: int, expected_s: float) -> None:
    assert idle_wait_s(ApplierConfig(), cycles) == expected_s


@given(minimum=waits, maximum=waits, cycles=st.integers(1, 100))
def test_without_adapting_it_is_always_the_minimum(
    minimum: float, maximum: float, cycles: int
) -> None:
    config = ApplierConfig(adaptivePolling=False, idleMinWaitTime=minimum, idleMaxWaitTime=maximum)
    assert idle_wait_s(config, cycles) == min(max(minimum, 0.25), 60)


@given(minimum=waits, maximum=waits, cycles=st.integers(1, 100))
def test_the_wait_is_bounded_and_grows(minimum: float, maximum: float, cycles: int) -> None:
    config = ApplierConfig(idleMinWaitTime=minimum, idleMaxWaitTime=maximum)
    wait_s = idle_wait_s(config, cycles)
    highest = max(minimum, maximum)
    assert min(0.25, highest) <= wait_s <= min(highest, 60)
    assert idle_wait_s(config, cycles + 1) >= wait_s
