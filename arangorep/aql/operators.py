"""Operators of two operands, and access to elements.

Comparisons go by the order of all values (`ordering`) and convert nothing. Arithmetic converts
(`conversions`); what is not finite or divided by zero is null with a warning. `%` has the sign of
its left operand. `IN` and `NOT IN` are both false when there is no array on the right. `LIKE`
knows `%` for any text, `_` for one character and a backslash before either; it sees upper and
lower case as different. Source: data-api 9.3 names the ones that drivers send.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from arangorep.aql.context import DIVISION_BY_ZERO, NODE_WEIGHT, Context
from arangorep.aql.conversions import integers, normal_number, to_integer, to_number, to_text
from arangorep.aql.ordering import are_equal, order_key, rank_of
from arangorep.errors import ResourceLimit
from arangorep.limits import AQL_LIKE_CHARS_MAX

_PATTERN_WORK: Final = 16
"""Characters of a pattern that are as much work as one weight, for each character of the text."""

_pattern_items = re.compile(r"([%_])|(?:\\(?=[%_\\]))?(.)", re.DOTALL).findall


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator between two operands; those of a higher level bind first."""

    symbol: str
    level: int
    apply: Callable[[Context, Any, Any], Any]


# -- comparison -------------------------------------------------------------------------------


def equals(context: Context, left: Any, right: Any) -> bool:
    """`==`; values of different types are never equal."""
    if type(left) is str and type(right) is str:
        context.spend(len(left))
        return left == right
    if isinstance(left, (list, dict)) and type(left) is type(right):
        return context.key(left) == context.key(right)
    return are_equal(left, right)


def _differs(context: Context, left: Any, right: Any) -> bool:
    return not equals(context, left, right)


def is_less(context: Context, left: Any, right: Any) -> bool:
    """`<` in the order of all values."""
    left_rank, right_rank = rank_of(left), rank_of(right)
    if left_rank != right_rank:
        return left_rank < right_rank
    return context.key(left) < context.key(right)


def _is_greater(context: Context, left: Any, right: Any) -> bool:
    return is_less(context, right, left)


def _is_not_less(context: Context, left: Any, right: Any) -> bool:
    return not is_less(context, left, right)


def _is_not_greater(context: Context, left: Any, right: Any) -> bool:
    return not is_less(context, right, left)


def contains(context: Context, values: list[Any], wanted: Any) -> bool:
    """Whether an array has an element equal to a value."""
    context.spend(NODE_WEIGHT * len(values))
    if not isinstance(wanted, (list, dict)):
        return any(are_equal(wanted, value) for value in values)
    kind = type(wanted)
    key = context.key(wanted)
    context.look_through(values)
    return any(type(value) is kind and order_key(value) == key for value in values)


def _is_in(context: Context, left: Any, right: Any) -> bool:
    return isinstance(right, list) and contains(context, right, left)


def _is_not_in(context: Context, left: Any, right: Any) -> bool:
    return isinstance(right, list) and not contains(context, right, left)


# -- LIKE -------------------------------------------------------------------------------


def is_like(context: Context, text: Any, pattern: Any) -> bool:
    """`LIKE`; both sides are read as text.

    The parts between `%` are searched one after the other. Each has a fixed length, so there is
    nothing to try again when a later one is missing.
    """
    text, pattern = to_text(context, text), to_text(context, pattern)
    if len(pattern) > AQL_LIKE_CHARS_MAX:
        raise ResourceLimit(
            f"resource limit exceeded: a pattern has up to {AQL_LIKE_CHARS_MAX} characters",
            http_status=400,
        )
    context.spend(len(text) * (1 + len(pattern) // _PATTERN_WORK))
    parts = _parts_of(pattern)
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return first.fullmatch(text) is not None
    start = first.match(text)
    if start is None:
        return False
    position = start.end()
    for part in parts[1:-1]:
        found = part.search(text, position)
        if found is None:
            return False
        position = found.end()
    ending = len(text) - last.length
    return ending >= position and last.fullmatch(text, ending) is not None


def _is_not_like(context: Context, text: Any, pattern: Any) -> bool:
    return not is_like(context, text, pattern)


@lru_cache(maxsize=64)
def _parts_of(pattern: str) -> tuple[_Part, ...]:
    parts: list[list[str]] = [[]]
    for special, character in _pattern_items(pattern):
        if special == "%":
            parts.append([])
        else:
            parts[-1].append("." if special else re.escape(character))
    return tuple(_Part(part) for part in parts)


class _Part:
    """Characters and `_` that stand next to each other in a pattern."""

    __slots__ = ("fullmatch", "length", "match", "search")

    def __init__(self, characters: list[str]) -> None:
        compiled = re.compile("".join(characters), re.DOTALL)
        self.length = len(characters)
        self.match = compiled.match
        self.search = compiled.search
        self.fullmatch = compiled.fullmatch


# -- arithmetic -------------------------------------------------------------------------------


def add(context: Context, left: Any, right: Any) -> int | float | None:
    """`+`."""
    return normal_number(context, to_number(left) + to_number(right))


def _subtract(context: Context, left: Any, right: Any) -> int | float | None:
    return normal_number(context, to_number(left) - to_number(right))


def _multiply(context: Context, left: Any, right: Any) -> int | float | None:
    return normal_number(context, to_number(left) * to_number(right))


def divide(context: Context, left: Any, right: Any) -> int | float | None:
    """`/`; null and a warning for a zero on the right."""
    divisor = to_number(right)
    if divisor == 0:
        context.warn(DIVISION_BY_ZERO)
        return None
    try:
        return normal_number(context, to_number(left) / divisor)
    except OverflowError:  # two ints have no quotient among the doubles
        return normal_number(context, math.inf)


def _remainder(context: Context, left: Any, right: Any) -> int | float | None:
    dividend, divisor = to_number(left), to_number(right)
    if divisor == 0:
        context.warn(DIVISION_BY_ZERO)
        return None
    if isinstance(dividend, int) and isinstance(divisor, int):
        rest = abs(dividend) % abs(divisor)
        return -rest if dividend < 0 else rest
    return normal_number(context, math.fmod(dividend, divisor))


# -- access -------------------------------------------------------------------------------


def attribute_of(value: Any, name: str) -> Any:
    """`value.name`; null for anything but an object."""
    return value.get(name) if isinstance(value, dict) else None


def element_of(value: Any, index: Any) -> Any:
    """`value[index]`: by position in an array, from its end if negative; by name in an object.

    A number names the attribute of an object that is written like it, and a string of digits a
    position. Everything else is null.
    """
    if isinstance(value, dict):
        if isinstance(index, str):
            return value.get(index)
        if isinstance(index, (int, float)) and not isinstance(index, bool):
            return value.get(str(int(index)))
        return None
    if not isinstance(value, list):
        return None
    if isinstance(index, str):
        if re.fullmatch("-?[0-9]{1,18}", index) is None:
            return None
    elif isinstance(index, bool) or not isinstance(index, (int, float)):
        return None
    position = to_integer(index)
    return value[position] if -len(value) <= position < len(value) else None


# -- the table -------------------------------------------------------------------------------

COALESCE_LEVEL: Final = 1
OR_LEVEL: Final = 2
AND_LEVEL: Final = 3

OPERATORS: Final = {
    operator.symbol: operator
    for operator in (
        Operator("==", 4, equals),
        Operator("!=", 4, _differs),
        Operator("LIKE", 4, is_like),
        Operator("NOT LIKE", 4, _is_not_like),
        Operator("IN", 5, _is_in),
        Operator("NOT IN", 5, _is_not_in),
        Operator("<", 6, is_less),
        Operator("<=", 6, _is_not_greater),
        Operator(">", 6, _is_greater),
        Operator(">=", 6, _is_not_less),
        Operator("..", 7, integers),
        Operator("+", 8, add),
        Operator("-", 8, _subtract),
        Operator("*", 9, _multiply),
        Operator("/", 9, divide),
        Operator("%", 9, _remainder),
    )
}
"""By symbol, except the lazy ones: `??` (level 1), `OR` (2) and `AND` (3)."""
