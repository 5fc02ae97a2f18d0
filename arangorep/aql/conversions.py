"""How AQL turns values of one type into another.

| from | bool | number | string |
|---|---|---|---|
| null | false | 0 | empty |
| false, true | itself | 0, 1 | `false`, `true` |
| number | whether not 0 | itself | shortest decimal |
| string | whether not empty | its number, spaces around it ignored; else 0 | itself |
| array | true | 0 if empty, that of a single element, else 0 | its JSON |
| object | true | 0 | its JSON |

Arithmetic converts its operands by the same table. A number that is whole and below 2**53 is an
int, whatever made it, because a real server shows it without a fraction.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.context import NODE_WEIGHT, NUMBER_OUT_OF_RANGE
from arangorep.aql.tokens import number_of
from arangorep.codec import json
from arangorep.limits import AQL_NUMBER_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from arangorep.aql.context import Context

_EXACT: Final = 2**53
_is_number = re.compile(
    r"[ \t\r\n]*+([-+]?)((?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?)[ \t\r\n]*+"
).fullmatch


def to_bool(value: Any) -> bool:
    """Whether a value counts as true: arrays and objects do, also empty ones."""
    return isinstance(value, (list, dict)) or bool(value)


def to_number(value: Any) -> int | float:
    """The number that arithmetic sees. Never fails: what is no number is 0."""
    while isinstance(value, list):
        if len(value) != 1:
            return 0
        value = value[0]
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, bool) else value
    return _number_in(value) if isinstance(value, str) else 0


def to_integer(value: Any) -> int:
    """The number without its fraction, as positions and lengths are read."""
    return int(to_number(value))


def normal_number(context: Context, value: int | float) -> int | float | None:
    """The form in which a computed number is handed on; null and a warning if it is not finite.

    Ints stay within 64 bits, beyond that they are doubles.
    """
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else float(value)
    if not isfinite(value):
        context.warn(NUMBER_OUT_OF_RANGE)
        return None
    return int(value) if abs(value) < _EXACT and value.is_integer() else value


def to_text(context: Context, value: Any) -> str:
    """The string that `TO_STRING()` makes, and everything that joins or looks at text.

    Raises `ResourceLimit` (32) for arrays and objects whose JSON could be too long.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and abs(value) < _EXACT and value.is_integer():
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    return to_json(context, value)


def to_json(context: Context, value: Any) -> str:
    """The JSON of a value. Raises `ResourceLimit` (32) when it is too long."""
    context.made(value)
    return checked_text(context, json.dumps(value).decode())


def checked_text(context: Context, text: str) -> str:
    """The text itself, if it is not too long. Raises `ResourceLimit` (32)."""
    context.expect(len(text))
    return text


def joined(context: Context, separator: str, parts: Iterable[str]) -> str:
    """The parts as one text. Raises `ResourceLimit` (32) before it is made too long."""
    parts = list(parts)
    context.expect(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def to_array(value: Any) -> list[Any]:
    """Nothing for null, the values of an object, and everything else as a single element."""
    if value is None:
        return []
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return list(value.values())
    return [value]


def integers(context: Context, first: Any, last: Any) -> list[int]:
    """The value of a range: whole numbers up or down, both ends included.

    Raises `ResourceLimit` (32) when they are too many for one value.
    """
    span = integer_range(first, last)
    # `len` fails for what does not fit into 64 bits
    context.expect(NODE_WEIGHT * (abs(span.stop - span.start) + 1))
    return list(span)


def integer_range(first: Any, last: Any) -> range:
    """The same without making it; the ends are within 64 bits."""
    start, stop = (max(-(2**63), min(to_integer(end), 2**63 - 1)) for end in (first, last))
    return range(start, stop + 1) if start <= stop else range(start, stop - 1, -1)


def _number_in(text: str) -> int | float:
    match = _is_number(text) if len(text) <= AQL_NUMBER_CHARS_MAX else None
    if match is None:
        return 0
    sign, digits = match.groups()
    value = number_of(sign.replace("+", "") + digits)
    return 0 if value is None else value
