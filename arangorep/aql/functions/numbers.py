"""Functions about numbers; arguments are converted as by arithmetic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.conversions import normal_number, to_number
from arangorep.aql.function import Function

if TYPE_CHECKING:
    from arangorep.aql.context import Context


def _abs(context: Context, value: Any) -> int | float | None:
    return normal_number(context, abs(to_number(value)))


def _ceil(context: Context, value: Any) -> int | float | None:
    return normal_number(context, math.ceil(to_number(value)))


def _floor(context: Context, value: Any) -> int | float | None:
    return normal_number(context, math.floor(to_number(value)))


def _round(context: Context, value: Any) -> int | float | None:
    """To the nearest whole number; from the middle upwards, so -2.5 becomes -2."""
    number = to_number(value)
    below = math.floor(number)
    return normal_number(context, below + 1 if number - below >= 0.5 else below)


def _sqrt(context: Context, value: Any) -> int | float | None:
    number = to_number(value)
    return normal_number(context, math.sqrt(number) if number >= 0 else math.nan)


def _pow(context: Context, base: Any, exponent: Any) -> int | float | None:
    try:
        power = math.pow(to_number(base), to_number(exponent))
    except (OverflowError, ValueError):
        power = math.nan
    return normal_number(context, power)


def _rand(context: Context) -> float:
    return context.environment.random()


FUNCTIONS: Final = (
    Function("ABS", _abs, 1, 1),
    Function("CEIL", _ceil, 1, 1),
    Function("FLOOR", _floor, 1, 1),
    Function("ROUND", _round, 1, 1),
    Function("SQRT", _sqrt, 1, 1),
    Function("POW", _pow, 2, 2),
    Function("RAND", _rand, 0, 0),
)
