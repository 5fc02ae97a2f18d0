"""Values of one type as those of another."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql.context import Context, Environment
from arangorep.aql.conversions import (
    integer_range,
    integers,
    joined,
    normal_number,
    to_array,
    to_bool,
    to_json,
    to_number,
    to_text,
)
from arangorep.errors import ResourceLimit
from arangorep.limits import AQL_NUMBER_CHARS_MAX, AQL_VALUE_WEIGHT_MAX


@pytest.fixture
def context(environment: Environment) -> Context:
    return Context({}, environment)


@pytest.mark.parametrize(
    ("value", "as_bool", "as_number", "as_text", "as_array"),
    [
        (None, False, 0, "", []),
        (False, False, 0, "false", [False]),
        (True, True, 1, "true", [True]),
        (0, False, 0, "0", [0]),
        (-7, True, -7, "-7", [-7]),
        (0.0, False, 0, "0", [0.0]),
        (1.5, True, 1.5, "1.5", [1.5]),
        (4.0, True, 4, "4", [4.0]),
        ("", False, 0, "", [""]),
        ("0", True, 0, "0", ["0"]),
        (" 42 ", True, 42, " 42 ", [" 42 "]),
        ("-1.5e2", True, -150.0, "-1.5e2", ["-1.5e2"]),
        ("+3", True, 3, "+3", ["+3"]),
        (".5", True, 0.5, ".5", [".5"]),
        ("5.", True, 5, "5.", ["5."]),
        ("12a", True, 0, "12a", ["12a"]),
        ("1_0", True, 0, "1_0", ["1_0"]),
        ("inf", True, 0, "inf", ["inf"]),
        ("nan", True, 0, "nan", ["nan"]),
        ("1e999", True, 0, "1e999", ["1e999"]),
        ("٣", True, 0, "٣", ["٣"]),
        ("9223372036854775808", True, 2.0**63, "9223372036854775808", ["9223372036854775808"]),
        ([], True, 0, "[]", []),
        ([7], True, 7, "[7]", [7]),
        ([[["8"]]], True, 8, '[[["8"]]]', [[["8"]]]),
        ([[]], True, 0, "[[]]", [[]]),
        ([1, 2], True, 0, "[1,2]", [1, 2]),
        ({}, True, 0, "{}", []),
        ({"a": [1, None]}, True, 0, '{"a":[1,null]}', [[1, None]]),
    ],
)
def test_conversions(
    context: Context, value: Any, as_bool: bool, as_number: Any, as_text: str, as_array: list[Any]
) -> None:
    assert to_bool(value) is as_bool
    assert to_number(value) == as_number
    assert not isinstance(to_number(value), bool)
    assert to_text(context, value) == as_text
    assert to_array(value) == as_array


def test_a_number_in_a_string_is_bounded() -> None:
    assert to_number("0" * (AQL_NUMBER_CHARS_MAX - 1) + "7") == 7
    assert to_number("0" * AQL_NUMBER_CHARS_MAX + "7") == 0


def test_a_number_in_very_many_arrays() -> None:
    value: Any = 5
    for _ in range(100_000):
        value = [value]
    assert to_number(value) == 5


@pytest.mark.parametrize(
    ("number", "normal"),
    [
        (2.0, 2),
        (-0.0, 0),
        (0.5, 0.5),
        (2.0**53, 2.0**53),
        (2**63 - 1, 2**63 - 1),
        (2**63, 2.0**63),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, -(2.0**63)),
        (float("inf"), None),
        (float("nan"), None),
    ],
)
def test_numbers_are_handed_on_in_one_form(context: Context, number: Any, normal: Any) -> None:
    result = normal_number(context, number)
    assert result == normal
    assert type(result) is type(normal)
    assert [warning.code for warning in context.warnings] == ([1504] if normal is None else [])


def test_long_texts_are_refused_before_they_are_made(context: Context) -> None:
    half = "x" * (AQL_VALUE_WEIGHT_MAX // 2)
    assert joined(context, "", [half, half])
    context.renew()
    for separator, parts in (("", [half, half, "x"]), (half, ["", "", ""])):
        with pytest.raises(ResourceLimit, match="too large"):
            joined(context, separator, parts)
    with pytest.raises(ResourceLimit, match="too large"):
        to_json(context, ["\x01" * (AQL_VALUE_WEIGHT_MAX // 4)])


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (1, 3, [1, 2, 3]),
        (3, 1, [3, 2, 1]),
        (2, 2, [2]),
        (-1, 1, [-1, 0, 1]),
        ("1", 2.9, [1, 2]),
        (None, True, [0, 1]),
        (-1.9, 0, [-1, 0]),
    ],
)
def test_ranges(context: Context, first: Any, last: Any, expected: list[int]) -> None:
    assert integers(context, first, last) == expected
    assert list(integer_range(first, last)) == expected


@pytest.mark.parametrize(
    ("first", "last"), [(0, 10**7), (10**7, 0), (-1e300, 1e300), (1e300, -1e300)]
)
def test_giant_ranges_are_no_values(context: Context, first: Any, last: Any) -> None:
    with pytest.raises(ResourceLimit, match="too large"):
        integers(context, first, last)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1))
def test_the_text_of_a_number_is_that_number(number: Any) -> None:
    context = Context({}, Environment(lambda: 0, lambda: 0.0))
    assert to_number(to_text(context, number)) == number


@given(st.text())
def test_any_text_has_a_finite_number(text: str) -> None:
    assert abs(to_number(text)) < float("inf")
