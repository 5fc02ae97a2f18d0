"""What AQL has and this server does not: names for it, and the error.

Functions and names are found out where they are used; here are the symbols and names that stand
for something of AQL in a place where the grammar of this server has nothing. Source: data-api 9.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from arangorep.aql.tokens import Kind
from arangorep.errors import NotImplementedHere

if TYPE_CHECKING:
    from arangorep.aql.tokens import Token
    from arangorep.errors import ArangoError

SUBQUERY_STARTS: Final = frozenset(
    {
        *("FOR", "LET", "FILTER", "SORT", "LIMIT", "COLLECT", "RETURN"),
        *("INSERT", "UPDATE", "REPLACE", "REMOVE", "UPSERT"),
    }
)
"""Symbols that make a subquery of what stands in brackets."""

_TRAVERSALS: Final = "graph traversals"

_SYMBOLS: Final = {
    "=~": "regular expressions (=~)",
    "!~": "regular expressions (!~)",
    "::": "user-defined functions",
    "UPSERT": "UPSERT",
    "WINDOW": "WINDOW",
    "AGGREGATE": "AGGREGATE",
    "WITH": "WITH here",
    "LIKE": "the function LIKE()",
    "ALL": "ALL (of an array)",
    "ANY": "ANY (of an array or a graph)",
    "NONE": "NONE (of an array)",
    "GRAPH": _TRAVERSALS,
    "INBOUND": _TRAVERSALS,
    "OUTBOUND": _TRAVERSALS,
    "SHORTEST_PATH": _TRAVERSALS,
    "ALL_SHORTEST_PATHS": _TRAVERSALS,
    "K_PATHS": _TRAVERSALS,
    "K_SHORTEST_PATHS": _TRAVERSALS,
}

_NAMES: Final = {
    "SEARCH": "SEARCH",
    "PRUNE": _TRAVERSALS,
    "OPTIONS": "OPTIONS here",
    "KEEP": "KEEP",
}
"""Names that mean this only where no name can stand."""


def construct_at(token: Token) -> str | None:
    """What an unexpected token is in AQL; None if it cannot stand there in AQL either."""
    if token.kind is Kind.SYMBOL:
        return _SYMBOLS.get(token.text)
    if token.kind is Kind.NAME:
        return _NAMES.get(token.text.upper())
    return None


def not_supported(construct: str) -> NotImplementedHere:
    """The 501 that names what of AQL is not here."""
    return NotImplementedHere(f"not implemented: this server does not support {construct} in AQL")


def unknown_name(name: str) -> ArangoError:
    """The error for a name in an expression that is no variable."""
    return not_supported(f"'{name}' (no variable, so a collection) within an expression")
