"""Functions about dates, against the library's calendar where it reaches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql.functions.dates import iso8601

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

CASES: dict[str, Any] = {
    "DATE_NOW()": 1_709_209_805_042,
    "DATE_ISO8601(DATE_NOW())": "2024-02-29T12:30:05.042Z",
    "DATE_ISO8601(0)": "1970-01-01T00:00:00.000Z",
    "DATE_ISO8601(-1)": "1969-12-31T23:59:59.999Z",
    "DATE_ISO8601(1.9)": "1970-01-01T00:00:00.001Z",
    "DATE_ISO8601(-62167219200000)": "0000-01-01T00:00:00.000Z",
    "DATE_ISO8601(253402300799999)": "9999-12-31T23:59:59.999Z",
    "DATE_ISO8601('2024')": "2024-01-01T00:00:00.000Z",
    "DATE_ISO8601('2024-2')": "2024-02-01T00:00:00.000Z",
    "DATE_ISO8601('2024-02-29')": "2024-02-29T00:00:00.000Z",
    "DATE_ISO8601('2024-2-9')": "2024-02-09T00:00:00.000Z",
    "DATE_ISO8601('2024-02-29T12:30')": "2024-02-29T12:30:00.000Z",
    "DATE_ISO8601('2024-02-29 12:30:05')": "2024-02-29T12:30:05.000Z",
    "DATE_ISO8601(' 2024-02-29T12:30:05.5Z ')": "2024-02-29T12:30:05.500Z",
    "DATE_ISO8601('2024-02-29T12:30:05.123456Z')": "2024-02-29T12:30:05.123Z",
    "DATE_ISO8601('2024-02-29T12:30:05+01:30')": "2024-02-29T11:00:05.000Z",
    "DATE_ISO8601('2024-02-29T12:30:05-0130')": "2024-02-29T14:00:05.000Z",
    "DATE_ISO8601('2024-02-28T24:00:00')": "2024-02-29T00:00:00.000Z",
    "DATE_ISO8601(2024, 2, 29)": "2024-02-29T00:00:00.000Z",
    "DATE_ISO8601(2024, 2, 30)": "2024-03-01T00:00:00.000Z",
    "DATE_ISO8601(2024, 14, 1)": "2025-02-01T00:00:00.000Z",
    "DATE_ISO8601(2024, 2, 29, 12, 30, 5, 42)": "2024-02-29T12:30:05.042Z",
    "DATE_ISO8601('2024', '2', '29', 26)": "2024-03-01T02:00:00.000Z",
    "DATE_TIMESTAMP('1970-01-02')": 86_400_000,
    "DATE_TIMESTAMP(1970, 1, 1, 0, 0, 1)": 1000,
    "DATE_TIMESTAMP(77)": 77,
}

BAD = [
    *("null", "true", "''", "'x'", "'2023-02-29'", "'2024-13-01'", "'2024-00-01'", "'2024-01-00'"),
    *("'2024-01-01T25:00'", "'2024-01-01T10:60'", "'2024-01-01T10:00:60'", "'24:00'", "[]", "{}"),
    *("2024, 1", "2024, 0, 1", "2024, 1, 0", "2024, -1, 1", "2024, 1, 1, -1", "2024, 1, null"),
    *("10000, 1, 1", "1e300, 1, 1", "1e300", "-62167219200001", "253402300800000", "'20244'"),
    *("2024, 1, 1, 1e12, 1e12", "'٢٠٢٤'", "2024, true, 1", "'2024-01-01T'"),
]


@pytest.mark.parametrize("text", CASES)
def test_values(value_of: Callable[..., Any], text: str) -> None:
    assert value_of(text) == CASES[text]


@pytest.mark.parametrize("arguments", BAD)
def test_what_is_no_date_gives_null_and_warns(evaluate: Callable[..., Any], arguments: str) -> None:
    for name in ("DATE_ISO8601", "DATE_TIMESTAMP"):
        evaluated = evaluate(f"{name}({arguments})")
        assert evaluated.value is None
        assert evaluated.warnings == [1572]


def test_the_calendar_is_that_of_the_library() -> None:
    day = datetime(1, 1, 1, tzinfo=UTC)
    stamp = round((day - EPOCH).total_seconds()) * 1000
    while day.year < 4000:
        assert iso8601(stamp) == f"{day.year:04}-{day.month:02}-{day.day:02}T00:00:00.000Z"
        # so that each day of the year has its turn
        day += timedelta(days=37)
        stamp += 37 * 86_400_000


@given(st.integers(-62_167_219_200_000, 253_402_300_799_999))
def test_text_and_stamp_name_the_same_moment(value_of: Callable[..., Any], stamp: int) -> None:
    assert value_of("DATE_TIMESTAMP(DATE_ISO8601(@s))", s=stamp) == stamp
