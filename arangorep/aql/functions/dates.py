"""Functions about dates: milliseconds since 1970 and ISO 8601 text, in UTC.

A date is given as a number of milliseconds, as text (`2024`, `2024-2-29`, `2024-02-29T12:30:05.5Z`,
a space for the `T`, an offset for the `Z`), or as three to seven numbers: year, month, day, hour,
minute, second, millisecond. Of those, too large ones flow over into the next larger one. Years are
0 to 9999. Everything else is null with warning 1572. The calendar is computed here because only
`clock` may know the time, and the library's dates begin with the year 1.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.context import INVALID_DATE
from arangorep.aql.conversions import to_integer
from arangorep.aql.function import Function

if TYPE_CHECKING:
    from arangorep.aql.context import Context

_DAY_MS: Final = 86_400_000
_FIRST_MS: Final = -62_167_219_200_000
"""The start of the year 0."""

_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""

_PART_MAX: Final = 10**12
"""Larger parts of a date lead beyond the year 9999 anyway."""

_UNITS_MS: Final = (3_600_000, 60_000, 1000, 1)
_TEXT_CHARS_MAX: Final = 64

_date_text = re.compile(
    r"\s*(\d{1,4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?"
    r"(?:[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?)?"
    r"(?:[Zz]|([-+])(\d{1,2}):?(\d{2}))?\s*",
    re.ASCII,
).fullmatch


def _now(context: Context) -> int:
    return context.environment.now_ms()


def _timestamp(context: Context, *parts: Any) -> int | None:
    stamp = _read(parts)
    if stamp is None or not _FIRST_MS <= stamp <= _LAST_MS:
        context.warn(INVALID_DATE)
        return None
    return stamp


def _iso8601(context: Context, *parts: Any) -> str | None:
    stamp = _timestamp(context, *parts)
    return None if stamp is None else iso8601(stamp)


def _read(parts: tuple[Any, ...]) -> int | None:
    if len(parts) == 1:
        return _read_one(parts[0])
    if len(parts) < 3 or any(isinstance(part, (bool, list, dict, type(None))) for part in parts):
        return None
    numbers = [to_integer(part) for part in parts]
    if any(not 0 <= number <= _PART_MAX for number in numbers):
        return None
    year, month, day, *rest = numbers
    if month < 1 or day < 1:
        return None
    return _stamp(year, month, day, rest)


def _read_one(value: Any) -> int | None:
    if isinstance(value, str):
        return _read_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return to_integer(value)
    return None


def _read_text(text: str) -> int | None:
    match = _date_text(text) if len(text) <= _TEXT_CHARS_MAX else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    month, day = month if match[2] else 1, day if match[3] else 1
    in_bounds = 1 <= month <= 12 and 1 <= day <= _days_of(year, month)
    if not in_bounds or hour > 24 or minute > 59 or second > 59:
        return None
    millis = int((match[7] or "0").ljust(3, "0")[:3])
    stamp = _stamp(year, month, day, [hour, minute, second, millis])
    return stamp - _offset_ms(*match.groups()[7:])


def _offset_ms(sign: str | None, hours: str | None, minutes: str | None) -> int:
    offset = int(hours or 0) * 3_600_000 + int(minutes or 0) * 60_000
    return -offset if sign == "-" else offset


def _stamp(year: int, month: int, day: int, rest: list[int]) -> int:
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


FUNCTIONS: Final = (
    Function("DATE_NOW", _now, 0, 0),
    Function("DATE_TIMESTAMP", _timestamp, 1, 7),
    Function("DATE_ISO8601", _iso8601, 1, 7),
)
