"""Functions about arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

CASES: dict[str, Any] = {
    "FIRST([1, 2])": 1,
    "FIRST([])": None,
    "LAST([1, 2])": 2,
    "LAST([])": None,
    "NTH([1, 2], 1)": 2,
    "NTH([1, 2], 2)": None,
    "NTH([1, 2], -1)": None,
    "NTH([1, 2], '0')": 1,
    "PUSH([1], 2)": [1, 2],
    "PUSH(null, 2)": [2],
    "PUSH([1], [2])": [1, [2]],
    "PUSH([1], 1, true)": [1],
    "PUSH([1], 1.0, true)": [1],
    "PUSH([1], 1, false)": [1, 1],
    "APPEND([1], [2, 3])": [1, 2, 3],
    "APPEND([1], 2)": [1, 2],
    "APPEND([1], null)": [1],
    "APPEND(null, [1])": [1],
    "APPEND(null, 1)": [1],
    "APPEND([1, 2], [2, 3, 3], true)": [1, 2, 3],
    "UNIQUE([1, 2, 1.0, '1', [1], [1]])": [1, 2, "1", [1]],
    "UNIQUE([])": [],
    "SORTED([2, 'a', null, 1, [0], {}, true])": [None, True, 1, 2, "a", [0], {}],
    "REVERSE([1, 2])": [2, 1],
    "REVERSE('aä😀')": "😀äa",
    "MIN([2, null, 1])": 1,
    "MIN([])": None,
    "MIN([null])": None,
    "MIN(['a', 5])": 5,
    "MAX([2, null, 3])": 3,
    "MAX([])": None,
    "MAX([5, 'a'])": "a",
    "SUM([1, 2.5, null])": 3.5,
    "SUM([])": 0,
    "SUM([1, 'a'])": None,
    "SUM([1, true])": None,
    "SUM([1.5, 1.5])": 3,
    "SUM([1e308, 1e308])": None,
    "SUM([9223372036854775807, 1])": 2.0**63,
    "AVERAGE([1, 2, null])": 1.5,
    "AVG([2, 4])": 3,
    "AVG([])": None,
    "AVG([null])": None,
    "AVG(['a'])": None,
}


@pytest.mark.parametrize("text", CASES)
def test_values(value_of: Callable[..., Any], text: str) -> None:
    value = value_of(text)
    assert value == CASES[text]
    assert type(value) is type(CASES[text])


@pytest.mark.parametrize(
    "call",
    [
        *("FIRST(@v)", "LAST(@v)", "NTH(@v, 0)", "PUSH(@v, 1)", "APPEND(@v, 1)", "UNIQUE(@v)"),
        *("SORTED(@v)", "MIN(@v)", "MAX(@v)", "SUM(@v)", "AVERAGE(@v)"),
    ],
)
@pytest.mark.parametrize("value", [1, "a", {"a": 1}, True])
def test_other_types_give_null_and_warn(
    evaluate: Callable[..., Any], call: str, value: Any
) -> None:
    evaluated = evaluate(call, v=value)
    assert evaluated.value is None
    assert evaluated.warnings == [1542]
    assert evaluate("REVERSE(1)").warnings == [1542]
