"""Dates as text and numbers: ISO 8601 in UTC, and milliseconds since 1970.

The calendar is computed here because only `clock` may know the time, and because the library's
dates begin with the year 1. Source: data-api 8.4.
"""

from __future__ import annotations

import re
from typing import Final

_DAY_MS: Final = 86_400_000
_UNITS_MS: Final = (3_600_000, 60_000, 1000, 1)
_TEXT_CHARS_MAX: Final = 64

_date_text = re.compile(
    r"\s*(\d{1,4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?"
    r"(?:[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?"
    r"(?:[Zz]|([-+])(\d{1,2}):?(\d{2}))?\s*",
    re.ASCII,
).fullmatch


def read_date(text: str) -> int | None:
    """Milliseconds of `2024`, `2024-2-29`, `2024-02-29T12:30:05.5Z`, …; None for other text."""
    match = _date_text(text) if len(text) <= _TEXT_CHARS_MAX else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    month, day = month if match[2] else 1, day if match[3] else 1
    in_bounds = 1 <= month <= 12 and 1 <= day <= _days_of(year, month)
    if not in_bounds or hour > 24 or minute > 59 or second > 59:
        return None
    millis = int((match[7] or "0").ljust(3, "0")[:3])
    stamp = stamp_of(year, month, day, [hour, minute, second, millis])
    return stamp - _offset_ms(*match.groups()[7:])


def _offset_ms(sign: str | None, hours: str | None, minutes: str | None) -> int:
    offset = int(hours or 0) * 3_600_000 + int(minutes or 0) * 60_000
    return -offset if sign == "-" else offset


def stamp_of(year: int, month: int, day: int, rest: list[int]) -> int:
    """Milliseconds of a date; `rest`: hour, minute, second, millisecond. Large ones flow over."""
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    stamp = (_days_before(year, month) + day - 1) * _DAY_MS
    return stamp + sum(unit * number for unit, number in zip(_UNITS_MS, rest, strict=False))


def iso8601(stamp: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` of milliseconds since 1970 within the years 0 to 9999."""
    days, millis = divmod(stamp, _DAY_MS)
    year = 1970 + days * 400 // 146_097
    year += days >= _days_before(year + 1, 1)
    year -= days < _days_before(year, 1)
    month = 12
    while _days_before(year, month) > days:
        month -= 1
    day = days - _days_before(year, month) + 1
    seconds, millis = divmod(millis, 1000)
    hour, minute, second = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z"


def _days_before(year: int, month: int) -> int:
    """Days from 1970-01-01 to the first of a month.

    Years are counted from March, so that the day that leap years have more is their last one.
    """
    shifted = year - (month <= 2)
    leap_days = shifted // 4 - shifted // 100 + shifted // 400
    # months since March have 153 days for each five
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5
    return shifted * 365 + leap_days + day_of_year - 719_468


def _days_of(year: int, month: int) -> int:
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    return _days_before(*following) - _days_before(year, month)
