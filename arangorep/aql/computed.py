"""Computed values: attributes that a collection fills in from an expression per document.

    {"name": …, "expression": "RETURN …", "overwrite": bool, "computeOn": ["insert", "update",
     "replace"], "keepNull": true, "failOnWarning": false}

The last three may be missing and have these defaults. An expression sees the document as `@doc`,
as it was before any computed value of this operation: they do not see each other. It returns one
value and reads nothing else. With `overwrite: false` an attribute that is there stays, also if it
is null. With `keepNull: false` a null leaves the attribute out, also one that was there. Source:
data-api 5.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from arangorep.aql.context import Context, Environment
from arangorep.aql.expressions import Expression
from arangorep.aql.parser import Parser
from arangorep.aql.tokens import Kind
from arangorep.errors import (
    BadParameter,
    FunctionArgumentCount,
    NotImplementedHere,
    QueryParse,
    ResourceLimit,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Event = Literal["insert", "update", "replace"]

_EVENTS: Final = ("insert", "update", "replace")
_RESERVED: Final = frozenset({"_key", "_id", "_rev", "_from", "_to"})


@dataclass(frozen=True, slots=True)
class ComputedValue:
    """One attribute and its expression; `compute_on` is in the order it was given."""

    name: str
    expression: str
    overwrite: bool
    compute_on: tuple[str, ...]
    keep_null: bool
    fail_on_warning: bool
    parsed: Expression

    def describe(self) -> dict[str, Any]:
        """The object with all members, as properties of collections show it."""
        return {
            "name": self.name,
            "expression": self.expression,
            "computeOn": list(self.compute_on),
            "overwrite": self.overwrite,
            "failOnWarning": self.fail_on_warning,
            "keepNull": self.keep_null,
        }

    def compute(self, document: Mapping[str, Any], environment: Environment) -> Any:
        """The value for a document.

        Raises `BadParameter` (10) for a warning, if it is to fail on them, and `ResourceLimit`
        (32, HTTP 400) for too much work or too large a value.
        """
        context = Context({"doc": document}, environment)
        value = self.parsed.evaluate({}, context)
        if isinstance(value, (list, dict)):
            # within the document it is a level deeper
            context.made({self.name: value})
        if self.fail_on_warning and context.warnings:
            raise BadParameter(f"computed value '{self.name}': {context.warnings[0].message}")
        return value


def parse_computed_values(
    value: object, *, shard_keys: Iterable[str] = ("_key",)
) -> tuple[ComputedValue, ...]:
    """The computed values of a collection from its properties; null and `[]` are none.

    Unknown members are ignored. Raises `BadParameter` (10) for a definition that breaks a rule,
    `NotImplementedHere` (9) for an expression with AQL that is not here. Source: data-api 5.3.
    """
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadParameter("computedValues must be an array of objects")
    forbidden = _RESERVED.union(shard_keys)
    parsed: dict[str, ComputedValue] = {}
    for definition in value:
        one = _parse_one(definition, forbidden)
        if one.name in parsed:
            raise BadParameter(f"computedValues: the name '{one.name}' is used more than once")
        parsed[one.name] = one
    return tuple(parsed.values())


def apply_computed_values(
    values: Iterable[ComputedValue],
    event: Event,
    document: dict[str, Any],
    environment: Environment,
) -> dict[str, Any]:
    """A document with the computed values of an event; the argument is not changed.

    Raises what `ComputedValue.compute` does. Source: data-api 5.3.
    """
    result = document
    for one in values:
        if event not in one.compute_on or (not one.overwrite and one.name in document):
            continue
        if result is document:
            result = dict(document)
        value = one.compute(document, environment)
        if value is None and not one.keep_null:
            result.pop(one.name, None)
        else:
            result[one.name] = value
    return result


def describe_computed_values(values: Iterable[ComputedValue]) -> list[dict[str, Any]] | None:
    """The whole definitions as properties of collections show them; null for none."""
    return [one.describe() for one in values] or None


# -- one definition -------------------------------------------------------------------------------


def _parse_one(definition: object, forbidden: frozenset[str]) -> ComputedValue:
    if not isinstance(definition, dict):
        raise BadParameter("computedValues must be an array of objects")
    name = definition.get("name")
    if not isinstance(name, str) or not name:
        raise BadParameter("computedValues: 'name' must be a string that is not empty")
    if name in forbidden:
        raise BadParameter(f"computedValues: the attribute '{name}' cannot be computed")
    expression = definition.get("expression")
    if not isinstance(expression, str):
        raise _fault(name, "'expression' must be a string")
    return ComputedValue(
        name=name,
        expression=expression,
        overwrite=_flag(definition, name, "overwrite", None),
        compute_on=_compute_on(definition, name),
        keep_null=_flag(definition, name, "keepNull", True),
        fail_on_warning=_flag(definition, name, "failOnWarning", False),
        parsed=_parse_expression(name, expression),
    )


def _flag(definition: dict[str, Any], name: str, member: str, default: bool | None) -> bool:
    value = definition.get(member, default)
    if not isinstance(value, bool):
        raise _fault(name, f"'{member}' must be a boolean")
    return value


def _compute_on(definition: dict[str, Any], name: str) -> tuple[str, ...]:
    events = definition.get("computeOn", list(_EVENTS))
    if not isinstance(events, list) or not events:
        raise _fault(name, "'computeOn' must be an array that is not empty")
    for event in events:
        if event not in _EVENTS:
            raise _fault(name, "'computeOn' may hold 'insert', 'update' and 'replace'")
    return tuple(dict.fromkeys(events))


def _parse_expression(name: str, text: str) -> Expression:
    try:
        return _returned(name, text)
    except (QueryParse, FunctionArgumentCount, ResourceLimit) as error:
        raise _fault(name, f"'expression': {error.message}") from None
    except NotImplementedHere as error:
        raise NotImplementedHere(f"computed value '{name}': {error.message}") from None


def _returned(name: str, text: str) -> Expression:
    def refuse(variable: str) -> BadParameter:
        return _fault(name, f"'expression' may use @doc and no other name ('{variable}')")

    parser = Parser(text, unknown_name=refuse)
    if not parser.accept("RETURN"):
        raise _fault(name, "'expression' must start with RETURN")
    if parser.at("DISTINCT"):
        raise _fault(name, "'expression' must return one value, not DISTINCT ones")
    expression = parser.expression()
    if parser.token.kind is not Kind.END:
        raise parser.unexpected()
    for bind in sorted((parser.binds - {"doc"}) | parser.path_binds):
        raise _fault(name, f"'expression' may use @doc as its only parameter, not '@{bind}'")
    return expression


def _fault(name: str, what: str) -> BadParameter:
    return BadParameter(f"computedValues: '{name}': {what}")
