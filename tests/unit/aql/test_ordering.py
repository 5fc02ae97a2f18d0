"""The order of all values."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql.ordering import Reversed, are_equal, order_key, type_name

ASCENDING: list[Any] = [
    None,
    False,
    True,
    -1e300,
    -(2**63),
    -1,
    0,
    0.5,
    1,
    2**53,
    2**53 + 1,
    2**63,
    1e300,
    "",
    " ",
    "A",
    "a",
    "aa",
    "b",
    "ä",
    "😀",
    [],
    [None],
    [None, 0],
    [False],
    [1, 2],
    [2],
    [[]],
    {},
    {"b": 1},
    {"a": 0},
    {"a": 1},
    {"a": 1, "b": 0},
    {"a": {"c": True}},
    {"a": {"c": 0}},
]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0, 1, 1.0, -0.0, "", "a", "b"])
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_the_order_is_that_of_the_documentation() -> None:
    for smaller, larger in pairwise(ASCENDING):
        assert order_key(smaller) < order_key(larger), (smaller, larger)
        assert not are_equal(smaller, larger)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (0, -0.0),
        ({}, {"a": None}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([1, {"a": [2.0]}], [1.0, {"a": [2], "b": None}]),
    ],
)
def test_equal_values(left: Any, right: Any) -> None:
    assert are_equal(left, right)
    assert hash(order_key(left)) == hash(order_key(right))


@pytest.mark.parametrize(
    ("left", "right"), [(0, False), (1, True), ("", None), ("1", 1), ([], {}), ([None], [])]
)
def test_types_are_never_equal(left: Any, right: Any) -> None:
    assert not are_equal(left, right)


def test_names_of_types() -> None:
    one_of_each: list[Any] = [None, True, 1, 1.5, "", [], {}]
    named = [type_name(value) for value in one_of_each]
    assert named == ["null", "bool", "number", "number", "string", "array", "object"]


@given(values, values, values)
def test_the_order_is_total(a: Any, b: Any, c: Any) -> None:
    keys = [order_key(value) for value in (a, b, c)]
    for left in keys:
        for right in keys:
            assert (left < right) + (left == right) + (right < left) == 1
    first, second, third = sorted(keys)
    assert not third < first
    assert (first == second) <= (hash(first) == hash(second))


@given(
    st.dictionaries(st.text(max_size=2), st.integers(0, 2), max_size=4),
    st.dictionaries(st.text(max_size=2), st.integers(0, 2), max_size=4),
)
def test_objects_compare_by_the_union_of_their_names(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    """Against the rule itself: name by name, and what is missing is null."""
    expected = 0
    for name in sorted(left.keys() | right.keys()):
        one, other = order_key(left.get(name)), order_key(right.get(name))
        if one != other:
            expected = -1 if one < other else 1
            break
    one, other = order_key(left), order_key(right)
    assert (one > other) - (one < other) == expected


def test_reversed_turns_the_order() -> None:
    assert Reversed("b") < Reversed("a")
    assert Reversed(1) == Reversed(1.0)
    assert Reversed(1) != 1
    assert sorted([1, 3, 2], key=Reversed) == [3, 2, 1]
