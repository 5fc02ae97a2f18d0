"""Functions about numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

CASES: dict[str, Any] = {
    "ABS(-5)": 5,
    "ABS(-1.5)": 1.5,
    "ABS('-2')": 2,
    "ABS(null)": 0,
    "ABS(-9223372036854775807 - 1)": 2.0**63,
    "CEIL(1.2)": 2,
    "CEIL(-1.2)": -1,
    "CEIL(1e300)": 1e300,
    "FLOOR(1.8)": 1,
    "FLOOR(-1.2)": -2,
    "ROUND(2.5)": 3,
    "ROUND(-2.5)": -2,
    "ROUND(2.4)": 2,
    "ROUND(0.49999999999999994)": 0,
    "ROUND(7)": 7,
    "SQRT(9)": 3,
    "SQRT(2)": 2**0.5,
    "SQRT(-1)": None,
    "POW(2, 10)": 1024,
    "POW(2, 0.5)": 2**0.5,
    "POW(2, -1)": 0.5,
    "POW(10, 1000)": None,
    "POW(0, -1)": None,
    "POW(-1, 0.5)": None,
    "POW(9223372036854775807, 9223372036854775807)": None,
    "RAND()": 0.25,
}


@pytest.mark.parametrize("text", CASES)
def test_values(value_of: Callable[..., Any], text: str) -> None:
    value = value_of(text)
    assert value == CASES[text]
    assert type(value) is type(CASES[text])


def test_what_is_not_finite_warns(evaluate: Callable[..., Any]) -> None:
    assert evaluate("SQRT(-1)").warnings == [1504]
    assert evaluate("POW(10, 1000)").warnings == [1504]
