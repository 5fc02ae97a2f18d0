"""Functions about objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

CASES: dict[str, Any] = {
    "HAS({a: null}, 'a')": True,
    "HAS({a: 1}, 'b')": False,
    "HAS(null, 'a')": False,
    "HAS([1], '0')": False,
    "HAS({'1': 1}, 1)": True,
    "HAS({'a.b': 1}, 'a.b')": True,
    "HAS({a: {b: 1}}, 'a.b')": False,
    "HAS({a: {b: 1}}, ['a', 'b'])": True,
    "HAS({a: {b: 1}}, ['a', 'c'])": False,
    "HAS({a: 1}, [])": False,
    "ATTRIBUTES({b: 1, _a: 2})": ["b", "_a"],
    "ATTRIBUTES({b: 1, _a: 2}, true)": ["b"],
    "ATTRIBUTES({b: 1, a: 2}, false, true)": ["a", "b"],
    "VALUES({b: 1, _a: 2})": [1, 2],
    "VALUES({b: 1, _a: 2}, true)": [1],
    "KEEP({a: 1, b: 2, c: 3}, 'a', 'c')": {"a": 1, "c": 3},
    "KEEP({a: 1, b: 2}, ['b', 'x'])": {"b": 2},
    "KEEP({a: 1, b: 2}, ['a'], 'b')": {"a": 1, "b": 2},
    "UNSET({a: 1, b: 2}, 'a')": {"b": 2},
    "UNSET({a: 1, b: 2, c: 3}, ['a', 'b'])": {"c": 3},
    "MERGE({a: 1, b: 1}, {b: 2})": {"a": 1, "b": 2},
    "MERGE({a: {x: 1}}, {a: {y: 2}})": {"a": {"y": 2}},
    "MERGE([{a: 1}, {b: 2}])": {"a": 1, "b": 2},
    "MERGE([])": {},
    "MERGE({a: 1})": {"a": 1},
    "ZIP(['a', 'b'], [1, 2])": {"a": 1, "b": 2},
    "ZIP([1], [2])": {"1": 2},
    "ZIP(['a', 'a'], [1, 2])": {"a": 1},
    "ZIP([], [])": {},
}


@pytest.mark.parametrize("text", CASES)
def test_values(value_of: Callable[..., Any], text: str) -> None:
    assert value_of(text) == CASES[text]


@pytest.mark.parametrize(
    "text",
    [
        *("ATTRIBUTES(1)", "VALUES([])", "KEEP(null, 'a')", "UNSET('a', 'a')", "MERGE({}, 1)"),
        *("MERGE([1])", "MERGE(null)", "ZIP(['a'], [])", "ZIP('a', [1])"),
    ],
)
def test_other_types_give_null_and_warn(evaluate: Callable[..., Any], text: str) -> None:
    evaluated = evaluate(text)
    assert evaluated.value is None
    assert evaluated.warnings == [1542]
