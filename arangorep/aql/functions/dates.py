"""Functions about dates: milliseconds since 1970 and ISO 8601 text, in UTC.

A date is given as a number of milliseconds, as text (`2024`, `2024-2-29`, `2024-02-29T12:30:05.5Z`,
a space for the `T`, an offset for the `Z`), or as three to seven numbers: year, month, day, hour,
minute, second, millisecond. Of those, too large ones flow over into the next larger one. Years are
0 to 9999. Everything else is null with warning 1572.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.context import INVALID_DATE
from arangorep.aql.conversions import to_integer
from arangorep.aql.function import Function
from arangorep.values.dates import iso8601, read_date, stamp_of

if TYPE_CHECKING:
    from arangorep.aql.context import Context

_FIRST_MS: Final = -62_167_219_200_000
"""The start of the year 0."""

_LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""

_PART_MAX: Final = 10**12
"""Larger parts of a date lead beyond the year 9999 anyway."""


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
    return stamp_of(year, month, day, rest)


def _read_one(value: Any) -> int | None:
    if isinstance(value, str):
        return read_date(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return to_integer(value)
    return None


FUNCTIONS: Final = (
    Function("DATE_NOW", _now, 0, 0),
    Function("DATE_TIMESTAMP", _timestamp, 1, 7),
    Function("DATE_ISO8601", _iso8601, 1, 7),
)
