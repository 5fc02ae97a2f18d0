"""Functions about arrays. An array argument that is none makes the value null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.context import NODE_WEIGHT
from arangorep.aql.conversions import normal_number, to_bool, to_integer
from arangorep.aql.function import Function, wrong_type
from arangorep.aql.operators import add, contains, divide
from arangorep.aql.ordering import order_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from arangorep.aql.context import Context


# -- elements -------------------------------------------------------------------------------


def _first(context: Context, values: Any) -> Any:
    if not isinstance(values, list):
        return wrong_type(context, "FIRST")
    return values[0] if values else None


def _last(context: Context, values: Any) -> Any:
    if not isinstance(values, list):
        return wrong_type(context, "LAST")
    return values[-1] if values else None


def _nth(context: Context, values: Any, position: Any) -> Any:
    if not isinstance(values, list):
        return wrong_type(context, "NTH")
    index = to_integer(position)
    return values[index] if 0 <= index < len(values) else None


# -- new arrays -------------------------------------------------------------------------------


def _push(context: Context, values: Any, value: Any, unique: Any = False) -> Any:
    """The array, null for an empty one, with one more element, unless it is to be unique."""
    if values is None:
        return [value]
    if not isinstance(values, list):
        return wrong_type(context, "PUSH")
    if to_bool(unique) and contains(context, values, value):
        return values
    return [*values, value]


def _append(context: Context, values: Any, more: Any, unique: Any = False) -> Any:
    """The elements of both; what is no array counts as an element, and null as none."""
    if more is None:
        more = []
    elif not isinstance(more, list):
        more = [more]
    if values is None:
        values = []
    elif not isinstance(values, list):
        return wrong_type(context, "APPEND")
    context.expect(NODE_WEIGHT * (len(values) + len(more)))
    together = values + more
    return _distinct(context, together) if to_bool(unique) else together


def _unique(context: Context, values: Any) -> Any:
    """Each value once, where it comes first."""
    if not isinstance(values, list):
        return wrong_type(context, "UNIQUE")
    return _distinct(context, values)


def _distinct(context: Context, values: list[Any]) -> list[Any]:
    context.look_through(values)
    firsts: dict[Any, Any] = {}
    for value in values:
        firsts.setdefault(order_key(value), value)
    return list(firsts.values())


def _sorted(context: Context, values: Any) -> Any:
    if not isinstance(values, list):
        return wrong_type(context, "SORTED")
    context.look_through(values)
    return sorted(values, key=order_key)


def _reverse(context: Context, values: Any) -> Any:
    """Of an array or of a string."""
    if isinstance(values, (list, str)):
        return values[::-1]
    return wrong_type(context, "REVERSE")


# -- aggregates: nulls do not count -----------------------------------------------------------


def _extreme(name: str, choose: Callable[..., Any]) -> Callable[[Context, Any], Any]:
    def find(context: Context, values: Any) -> Any:
        if not isinstance(values, list):
            return wrong_type(context, name)
        context.look_through(values)
        present = (value for value in values if value is not None)
        return choose(present, key=order_key, default=None)

    return find


def _sum(context: Context, values: Any) -> Any:
    numbers = _numbers(values)
    return wrong_type(context, "SUM") if numbers is None else _total(context, numbers)


def _average(context: Context, values: Any) -> Any:
    numbers = _numbers(values)
    if numbers is None:
        return wrong_type(context, "AVERAGE")
    return divide(context, _total(context, numbers), len(numbers)) if numbers else None


def _numbers(values: Any) -> list[int | float] | None:
    """The elements that are not null; None if one of them is no number."""
    if not isinstance(values, list):
        return None
    present = [value for value in values if value is not None]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in present):
        return present
    return None


def _total(context: Context, numbers: list[int | float]) -> int | float | None:
    total: int | float | None = 0
    for number in numbers:
        total = add(context, total, number)
    return normal_number(context, total) if total is not None else None


FUNCTIONS: Final = (
    Function("FIRST", _first, 1, 1),
    Function("LAST", _last, 1, 1),
    Function("NTH", _nth, 2, 2),
    Function("PUSH", _push, 2, 3, makes=True),
    Function("APPEND", _append, 2, 3, makes=True),
    Function("UNIQUE", _unique, 1, 1, makes=True),
    Function("SORTED", _sorted, 1, 1, makes=True),
    Function("REVERSE", _reverse, 1, 1, makes=True),
    Function("MIN", _extreme("MIN", min), 1, 1),
    Function("MAX", _extreme("MAX", max), 1, 1),
    Function("SUM", _sum, 1, 1),
    Function("AVERAGE", _average, 1, 1),
    Function("AVG", _average, 1, 1),
)
