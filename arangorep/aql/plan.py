"""A query as a plan: what is read, through which clauses, and what becomes of the rows.

Rows start as a single one without variables, `before` names values in it, `source` makes a row of
each element, `clauses` go in the order they were written (`LIMIT` may stand before `SORT`), and
`final` returns or writes. Source: data-api 9.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from arangorep.errors import BindParameterType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arangorep.aql.expressions import Expression


@dataclass(frozen=True, slots=True)
class CollectionRef:
    """A collection by name or by bind parameter; `bind` has one `@`, as in bindVars."""

    name: str | None
    bind: str | None

    def resolve(self, binds: Mapping[str, Any]) -> str:
        """The name (or id), which need not exist.

        Raises `BindParameterType` (1553) if the bind value is no string.
        """
        if self.bind is None:
            return self.name or ""
        value = binds.get(self.bind)
        if not isinstance(value, str):
            raise BindParameterType(
                f"bind parameter '{self.bind}' has an invalid value or type: "
                "the name of a collection was expected"
            )
        return value


@dataclass(frozen=True, slots=True)
class Source:
    """`FOR variable IN …`: a collection, or else the elements of an array."""

    variable: str
    collection: CollectionRef | None
    array: Expression | None


@dataclass(frozen=True, slots=True)
class Let:
    """`LET name = value`."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Filter:
    """`FILTER condition`."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class SortKey:
    """One expression of a `SORT`."""

    value: Expression
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Sort:
    """`SORT key, …`."""

    keys: tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """`LIMIT skip, count`; both without variables, and a count of null is unlimited."""

    skip: Expression
    count: Expression


@dataclass(frozen=True, slots=True)
class Count:
    """`COLLECT WITH COUNT INTO variable`: one row instead of all."""

    variable: str


Clause = Let | Filter | Sort | Limit | Count


@dataclass(frozen=True, slots=True)
class Return:
    """`RETURN [DISTINCT] value`."""

    value: Expression
    is_distinct: bool


@dataclass(frozen=True, slots=True)
class Write:
    """A modification of one collection.

    | kind | target | body |
    |---|---|---|
    | insert | None | the new document |
    | update, replace | names the document: key or object with `_key` | patch or new body |
    | remove | the same | None |

    Without `WITH` the target is the body too. `returns` may use the variables `OLD` and `NEW`.
    """

    kind: Literal["insert", "update", "replace", "remove"]
    collection: CollectionRef
    target: Expression | None
    body: Expression | None
    options: Expression | None
    returns: Return | None


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query; `binds` and `path_binds` are the parameters that it names."""

    before: tuple[Let, ...]
    source: Source | None
    clauses: tuple[Clause, ...]
    final: Return | Write
    binds: frozenset[str]
    path_binds: frozenset[str]

    @property
    def is_write(self) -> bool:
        """Whether it changes a collection."""
        return isinstance(self.final, Write)

    def reads(self, binds: Mapping[str, Any]) -> str | None:
        """The collection whose documents are the rows, if there is one. Raises as `resolve`."""
        if self.source is None or self.source.collection is None:
            return None
        return self.source.collection.resolve(binds)

    def writes(self, binds: Mapping[str, Any]) -> str | None:
        """The collection that is changed, if there is one. Raises as `resolve`."""
        return self.final.collection.resolve(binds) if isinstance(self.final, Write) else None
