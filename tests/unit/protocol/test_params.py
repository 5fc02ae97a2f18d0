"""Query parameters (leader-api 2.1, 10.3)."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.errors import BadParameter
from arangorep.protocol.params import (
    U64_MAX,
    Query,
    decode_part,
    number_of,
    parse_client_id,
    parse_flag,
    parse_number,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("7", 7),
        ("  7", 7),
        ("007", 7),
        ("7.9", 7),
        ("7e3", 7),
        ("12abc", 12),
        ("18446744073709551615", U64_MAX),
        ("18446744073709551616", 0),
        ("99999999999999999999999", 0),
        ("", 0),
        ("-7", 0),
        ("+7", 0),
        ("x7", 0),
        ("٣", 0),
    ],
)
def test_numbers(text: str, number: int) -> None:
    assert parse_number(text) == number


def test_a_number_with_very_many_zeros_in_front() -> None:
    assert parse_number("0" * 10_000 + "7") == 7


@pytest.mark.parametrize(
    "text", ["true", "TRUE", " True ", "yes", "on", "y", "Y", "1", "✓", "\ttrue"]
)
def test_words_for_true(text: str) -> None:
    assert parse_flag(text)


@pytest.mark.parametrize(
    "text", ["", "false", "no", "0", "2", "11", "t", "truee", "undefined", "null", "✗"]
)
def test_everything_else_is_false(text: str) -> None:
    assert not parse_flag(text)


@pytest.mark.parametrize("text", ["1", "42", "18446744073709551615"])
def test_client_ids(text: str) -> None:
    assert parse_client_id(text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "0", "01", "-1", "+1", " 1", "1 ", "1\n", "1x", "٣", "18446744073709551616"]
)
def test_what_is_no_client_id(text: str) -> None:
    with pytest.raises(BadParameter) as caught:
        parse_client_id(text)
    assert (caught.value.http_status, caught.value.error_num) == (400, 10)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (1, 1.0),
        (0.5, 0.5),
        (-3, -3.0),
        (True, None),
        (None, None),
        ("1", None),
        ([1], None),
        (math.inf, None),
        (math.nan, None),
    ],
)
def test_json_numbers(value: object, number: float | None) -> None:
    assert number_of(value) == number


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1&a=2", {"a": "2"}),
        ("a=&b=2", {"a": "", "b": "2"}),
        ("b=2&a=", {"b": "2"}),
        ("a=", {}),
        ("a&b=1", {"b": "1"}),
        ("onlyget&a=1", {"onlyget": "", "a": "1"}),
        ("=1&b=1", {"b": "1"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=x+y&b+c=1", {"a": "x y", "b c": "1"}),
        ("a=x%2By", {"a": "x+y"}),
        ("a=h1%2F2", {"a": "h1/2"}),
        ("%61=%C3%A9", {"a": "é"}),
        ("&&a=1&", {"a": "1"}),
    ],
)
def test_the_parameters_of_a_query(raw: str, values: dict[str, str]) -> None:
    query = Query(raw)
    assert {
        name: query.text(name) for name in ("a", "b", "b c", "", "onlyget") if name in query
    } == values


@pytest.mark.parametrize("raw", ["a=%", "a=%1", "a=%zz", "%=1", "a=%ff", "a=%C3"])
def test_a_broken_query_is_a_bad_parameter(raw: str) -> None:
    with pytest.raises(BadParameter) as caught:
        Query(raw)
    assert (caught.value.http_status, caught.value.error_num) == (400, 10)


def test_only_absence_gives_the_default() -> None:
    query = Query("flag=what&number=x&text=&last=1")
    assert query.flag("flag", True) is False
    assert query.flag("absent", True) is True
    assert query.number("number", 5) == 0
    assert query.number("absent", 5) == 5
    assert query.text("text", "default") == ""
    assert query.text("absent", "default") == "default"


@given(st.text())
def test_no_text_is_a_surprise(text: str) -> None:
    """Whatever a URL holds: a value, or the error for it."""
    parse_number(text)
    parse_flag(text)
    for read in (decode_part, Query, parse_client_id):
        with suppress(BadParameter):
            read(text)
