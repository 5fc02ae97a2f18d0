"""What an expression is evaluated in: bind values, clock and chance, and a bound on its work.

Documents and bind values come from JSON and are bounded by it. What an expression makes is
weighed: a string its length, everything else `NODE_WEIGHT` and its members. A value that weighs
or nests too much is refused when it is made, so that nothing an expression can reach needs more
memory or deeper recursion than that. Looking through a value costs its weight of the row's work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.ordering import Key, order_key
from arangorep.errors import ResourceLimit
from arangorep.limits import (
    AQL_VALUE_WEIGHT_MAX,
    AQL_WARNINGS_MAX,
    AQL_WORK_MAX,
    JSON_DEPTH_MAX,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NODE_WEIGHT: Final = 16
"""Of anything that is no string, and of a string besides its length."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Time and chance: milliseconds since 1970, and a double in [0, 1)."""

    now_ms: Callable[[], int]
    random: Callable[[], float]


@dataclass(frozen=True, slots=True)
class QueryWarning:
    """Something that made an expression null: `code` is an errorNum as in `extra.warnings`."""

    code: int
    message: str


DIVISION_BY_ZERO: Final = QueryWarning(1562, "division by zero")
NUMBER_OUT_OF_RANGE: Final = QueryWarning(1504, "number out of range")
INVALID_DATE: Final = QueryWarning(1572, "invalid date value")


class Context:
    """One evaluation, or those of one query; `renew` before each row.

    Bind values are checked by the caller (`binds.check_bind_values`).
    """

    __slots__ = ("_spent", "binds", "environment", "warnings")

    def __init__(self, binds: Mapping[str, Any], environment: Environment) -> None:
        self.binds = binds
        self.environment = environment
        self.warnings: list[QueryWarning] = []
        self._spent = 0

    def renew(self) -> None:
        """Give the next row as much work as the one before had."""
        self._spent = 0

    def warn(self, warning: QueryWarning) -> None:
        """Note why a value became null; only the first few are kept."""
        if len(self.warnings) < AQL_WARNINGS_MAX:
            self.warnings.append(warning)

    def spend(self, weight: int) -> None:
        """Take from the row's work. Raises `ResourceLimit` (32, HTTP 400) when nothing is left."""
        self._spent += weight
        if self._spent > AQL_WORK_MAX:
            raise _too_much("a row of this query needs too much work")

    def expect(self, weight: int) -> None:
        """Refuse a value before it is made. Raises `ResourceLimit` (32, HTTP 400)."""
        if weight > AQL_VALUE_WEIGHT_MAX:
            raise _too_much("an expression makes too large a value")
        self.spend(weight)

    def made(self, value: Any) -> Any:
        """The value itself, an array or object that an expression has made, if it is in bounds.

        Raises `ResourceLimit` (32, HTTP 400).
        """
        self.expect(_weigh(value, AQL_VALUE_WEIGHT_MAX))
        return value

    def look_through(self, value: Any) -> None:
        """Spend what a whole value weighs. Raises `ResourceLimit` (32, HTTP 400)."""
        if isinstance(value, (list, dict)):
            self.spend(_weigh(value, AQL_WORK_MAX))
        elif isinstance(value, str):
            self.spend(len(value))

    def key(self, value: Any) -> Key:
        """`ordering.order_key` at the cost of looking through the value."""
        self.look_through(value)
        return order_key(value)


def _weigh(value: Any, enough: int) -> int:
    """What a value weighs; stops when it is more than enough.

    Goes level by level, so that it can tell how deep the value is without recursion.
    """
    weight = 0
    level = [value]
    depth = 0
    while level:
        below: list[Any] = []
        for item in level:
            weight += NODE_WEIGHT
            if isinstance(item, str):
                weight += len(item)
            elif isinstance(item, (list, dict)):
                if depth == JSON_DEPTH_MAX:
                    raise _too_much(f"values nest up to {JSON_DEPTH_MAX} levels")
                if isinstance(item, dict):
                    weight += sum(map(len, item))
                    item = item.values()
                below += item
            if weight + NODE_WEIGHT * len(below) > enough:
                return enough + 1
        level = below
        depth += 1
    return weight


def _too_much(what: str) -> ResourceLimit:
    return ResourceLimit(f"resource limit exceeded: {what}", http_status=400)
