"""Expressions: the parts of a query that have a value, as a tree that evaluates itself.

`evaluate(row, context)` gives the value in a row, a dict of the variables. Chains of operators,
of branches and of accesses are flat, so that only brackets and calls make the tree deeper, and
`limits.AQL_NESTING_MAX` bounds those. `AND`, `OR`, `??` and branches evaluate only what they need
and give back operands as they are, not as bools. Values are shared, never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from arangorep.aql.conversions import normal_number, to_bool, to_number, to_text
from arangorep.aql.operators import attribute_of, element_of
from arangorep.errors import BindParameterType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arangorep.aql.context import Context
    from arangorep.aql.function import Function
    from arangorep.aql.operators import Operator

Row = dict[str, Any]
"""Variables and their values."""


class Expression(Protocol):
    """What has a value in a row."""

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """The value. Raises `ResourceLimit` (32) for too much work or too large a value."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal."""

    value: Any

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """The value itself."""
        return self.value


@dataclass(frozen=True, slots=True)
class Variable:
    """What FOR, LET or COLLECT have named."""

    name: str

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """Its value in this row."""
        return row[self.name]


@dataclass(frozen=True, slots=True)
class Bind:
    """`@name`."""

    name: str

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """The value that came with the query."""
        return context.binds[self.name]


@dataclass(frozen=True, slots=True)
class ArrayLiteral:
    """`[a, b]`."""

    items: tuple[Expression, ...]

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """A new array."""
        return context.made([item.evaluate(row, context) for item in self.items])


@dataclass(frozen=True, slots=True)
class ObjectLiteral:
    """`{a: b, "c": d, [e]: f, @g: h, i}`; of members of the same name, the last one counts."""

    members: tuple[tuple[Expression, Expression], ...]

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """A new object."""
        made = {}
        for name, value in self.members:
            made[to_text(context, name.evaluate(row, context))] = value.evaluate(row, context)
        return context.made(made)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`.name`"""

    name: str

    def of(self, value: Any, row: Mapping[str, Any], context: Context) -> Any:
        """The member of a value."""
        return attribute_of(value, self.name)


@dataclass(frozen=True, slots=True)
class BoundAttribute:
    """`.@name`, where the bind value is the name of an attribute or an array of names, a path."""

    name: str

    def of(self, value: Any, row: Mapping[str, Any], context: Context) -> Any:
        """The member of a value. Raises `BindParameterType` (1553) for other bind values."""
        path = context.binds[self.name]
        for name in [path] if isinstance(path, str) else path_of(self.name, path):
            value = attribute_of(value, name)
        return value


@dataclass(frozen=True, slots=True)
class Index:
    """`[expression]`"""

    index: Expression

    def of(self, value: Any, row: Mapping[str, Any], context: Context) -> Any:
        """The element or member of a value."""
        return element_of(value, self.index.evaluate(row, context))


@dataclass(frozen=True, slots=True)
class Access:
    """One or more steps into a value."""

    base: Expression
    steps: tuple[Attribute | BoundAttribute | Index, ...]

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """What is there; null from the first step on that leads nowhere."""
        value = self.base.evaluate(row, context)
        for step in self.steps:
            value = step.of(value, row, context)
        return value


@dataclass(frozen=True, slots=True)
class Unary:
    """`NOT`, `+` and `-` before an operand, the one written last comes first."""

    operators: tuple[str, ...]
    operand: Expression

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """A bool after `NOT`, otherwise a number."""
        value = self.operand.evaluate(row, context)
        for operator in self.operators:
            if operator == "NOT":
                value = not to_bool(value)
            else:
                number = to_number(value)
                value = normal_number(context, -number if operator == "-" else number)
        return value


@dataclass(frozen=True, slots=True)
class Chain:
    """Operators of one level with an operand more than there are of them, from left to right."""

    operators: tuple[Operator, ...]
    operands: tuple[Expression, ...]

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """The value of the last operator."""
        operands = iter(self.operands)
        value = next(operands).evaluate(row, context)
        for operator, operand in zip(self.operators, operands, strict=True):
            value = operator.apply(context, value, operand.evaluate(row, context))
        return value


@dataclass(frozen=True, slots=True)
class Either:
    """Operands joined by `OR`, by `AND` or by `??`: the first one that decides, or the last."""

    symbol: str
    operands: tuple[Expression, ...]

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """The first operand that is true (`OR`), false (`AND`), not null (`??`), or the last."""
        value = None
        for operand in self.operands:
            value = operand.evaluate(row, context)
            if self._decides(value):
                break
        return value

    def _decides(self, value: Any) -> bool:
        if self.symbol == "??":
            return value is not None
        return to_bool(value) is (self.symbol == "OR")


@dataclass(frozen=True, slots=True)
class Branches:
    """`a ? b : c ? d : e`, and with None as the second of a pair `a ?: e`."""

    pairs: tuple[tuple[Expression, Expression | None], ...]
    otherwise: Expression

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """What belongs to the first condition that is true, or the condition's value itself."""
        for condition, chosen in self.pairs:
            value = condition.evaluate(row, context)
            if to_bool(value):
                return value if chosen is None else chosen.evaluate(row, context)
        return self.otherwise.evaluate(row, context)


@dataclass(frozen=True, slots=True)
class Call:
    """`NAME(…)`; all arguments are evaluated first."""

    function: Function
    arguments: tuple[Expression, ...]

    def evaluate(self, row: Mapping[str, Any], context: Context) -> Any:
        """The function's value, weighed if it is a new array or object."""
        arguments = [argument.evaluate(row, context) for argument in self.arguments]
        for value in arguments:
            if isinstance(value, (str, list, dict)):
                context.spend(len(value))
        result = self.function.call(context, *arguments)
        return context.made(result) if self.function.makes else result


def path_of(bind: str, value: Any) -> list[str]:
    """The attribute names that the value of `.@bind` stands for.

    Raises `BindParameterType` (1553) unless it is a string or an array of strings.
    """
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(isinstance(name, str) for name in value):
        return value
    raise BindParameterType(
        f"bind parameter '{bind}' has an invalid value or type: an attribute name was expected"
    )
