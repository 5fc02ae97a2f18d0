"""Query texts to plans.

What can be read, in this order, each line once unless it says otherwise:

    LET name = expr                                              any number
    FOR name IN collection | @@bind | expr                       may be missing
    LET … | FILTER expr | SORT expr [ASC|DESC], … | LIMIT [skip,] count
        | COLLECT WITH COUNT INTO name                           any number, any order
    RETURN [DISTINCT] expr
        | INSERT expr INTO collection [OPTIONS {…}] [RETURN expr]
        | REMOVE expr IN collection [OPTIONS {…}] [RETURN expr]
        | UPDATE|REPLACE expr [WITH expr] IN collection [OPTIONS {…}] [RETURN expr]

`IN` and `INTO` mean the same before the collection of a modification. Everything else that AQL
has is refused by name with 501, and what is no AQL with 1501. Source: data-api 9.2, 9.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, cast

from arangorep.aql.expressions import Constant
from arangorep.aql.parser import Parser
from arangorep.aql.plan import (
    Clause,
    CollectionRef,
    Count,
    Filter,
    Let,
    Limit,
    Query,
    Return,
    Sort,
    SortKey,
    Source,
    Write,
)
from arangorep.aql.tokens import Kind
from arangorep.aql.unsupported import not_supported
from arangorep.errors import QueryEmpty, QueryParse, ResourceLimit
from arangorep.limits import AQL_CLAUSES_MAX

if TYPE_CHECKING:
    from arangorep.aql.expressions import Expression

_WRITES: Final = {
    "INSERT": frozenset({"OLD", "NEW"}),
    "UPDATE": frozenset({"OLD", "NEW"}),
    "REPLACE": frozenset({"OLD", "NEW"}),
    "REMOVE": frozenset({"OLD"}),
}
"""Variables that the `RETURN` behind a modification may use besides those of the row."""

_STATEMENTS: Final = ("FOR", "LET", "FILTER", "SORT", "LIMIT", "COLLECT", "RETURN", *_WRITES)


def parse_query(text: str) -> Query:
    """The plan of a query.

    Raises `QueryEmpty` (1502), `QueryParse` (1501), `NotImplementedHere` (9) for AQL that is not
    here, `FunctionArgumentCount` (1541), `ResourceLimit` (32, HTTP 400) for too long, deep or many
    clauses. Source: data-api 9.2, 9.3.
    """
    if not text.strip():
        raise QueryEmpty
    return _Statements(Parser(text)).query()


class _Statements:
    """The clauses of one query, around the parser of its expressions."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self._before: tuple[Let, ...] = ()
        self._source: Source | None = None
        self._clauses: list[Clause] = []

    def query(self) -> Query:
        parser = self._parser
        while not parser.at("RETURN", *_WRITES):
            self._clause()
        final = self._return() if parser.at("RETURN") else self._write()
        if parser.at(*_STATEMENTS):
            raise not_supported("clauses behind RETURN or a modification")
        if parser.token.kind is not Kind.END:
            raise parser.unexpected()
        return Query(
            before=self._before,
            source=self._source,
            clauses=tuple(self._clauses),
            final=final,
            binds=frozenset(parser.binds),
            path_binds=frozenset(parser.path_binds),
        )

    # -- clauses ---------------------------------------------------------------------------

    def _clause(self) -> None:
        if len(self._clauses) + len(self._before) >= AQL_CLAUSES_MAX:
            raise ResourceLimit(
                f"resource limit exceeded: a query has up to {AQL_CLAUSES_MAX} clauses",
                http_status=400,
            )
        parser = self._parser
        if parser.accept("FOR"):
            self._for()
        elif parser.accept("LET"):
            self._clauses.append(self._let())
        elif parser.accept("FILTER"):
            self._clauses.append(Filter(parser.expression()))
        elif parser.accept("SORT"):
            self._clauses.append(self._sort())
        elif parser.accept("LIMIT"):
            self._clauses.append(self._limit())
        elif parser.accept("COLLECT"):
            self._clauses.append(self._count())
        else:
            raise parser.unexpected()

    def _for(self) -> None:
        parser = self._parser
        if self._source is not None:
            raise not_supported("FOR within FOR")
        lets = [clause for clause in self._clauses if isinstance(clause, Let)]
        if len(lets) < len(self._clauses):
            raise not_supported("FILTER, SORT, LIMIT or COLLECT before FOR")
        self._before, self._clauses = tuple(lets), []
        variable = parser.name()
        if parser.at(","):
            raise not_supported("graph traversals")
        parser.expect("IN")
        self._source = self._source_of(variable)
        self._declare(variable)

    def _source_of(self, variable: str) -> Source:
        parser = self._parser
        token = parser.token
        if token.kind is Kind.COLLECTION_BIND:
            return Source(variable, self._collection(), None)
        is_name = token.kind in (Kind.NAME, Kind.QUOTED) and token.value not in parser.variables
        if is_name and not parser.followed_by("(", "::", ".", "["):
            return Source(variable, self._collection(), None)
        return Source(variable, None, parser.expression())

    def _let(self) -> Let:
        parser = self._parser
        name = parser.name()
        parser.expect("=")
        value = parser.expression()
        self._declare(name)
        return Let(name, value)

    def _sort(self) -> Sort:
        keys = [self._sort_key()]
        while self._parser.accept(","):
            keys.append(self._sort_key())
        return Sort(tuple(keys))

    def _sort_key(self) -> SortKey:
        value = self._parser.expression()
        is_descending = self._parser.accept("DESC")
        if not is_descending:
            self._parser.accept("ASC")
        return SortKey(value, is_descending)

    def _limit(self) -> Limit:
        first = self._without_variables()
        if not self._parser.accept(","):
            return Limit(Constant(0), first)
        return Limit(first, self._without_variables())

    def _count(self) -> Count:
        parser = self._parser
        if not parser.accept("WITH"):
            raise not_supported("COLLECT other than COLLECT WITH COUNT INTO")
        if not parser.at_word("COUNT"):
            raise parser.unexpected()
        parser.take()
        parser.expect("INTO")
        variable = parser.name()
        parser.variables = {let.name for let in self._before}
        self._declare(variable)
        return Count(variable)

    # -- what becomes of the rows ---------------------------------------------------------------

    def _return(self) -> Return:
        self._parser.expect("RETURN")
        is_distinct = self._parser.accept("DISTINCT")
        return Return(self._parser.expression(), is_distinct)

    def _write(self) -> Write:
        parser = self._parser
        keyword = parser.take().text
        first: Expression = parser.expression(in_is_operator=False)
        target: Expression | None = first
        body: Expression | None = first
        if keyword == "INSERT":
            target = None
        elif keyword == "REMOVE":
            body = None
        elif parser.accept("WITH"):
            body = parser.expression(in_is_operator=False)
        if not parser.accept("IN", "INTO"):
            raise parser.unexpected()
        collection = self._collection()
        options = self._options()
        kind = cast(Literal["insert", "update", "replace", "remove"], keyword.lower())
        return Write(kind, collection, target, body, options, self._returned(keyword))

    def _options(self) -> Expression | None:
        parser = self._parser
        if not parser.at_word("OPTIONS"):
            return None
        parser.take()
        if not parser.at("{"):
            raise parser.unexpected()
        return self._without_variables()

    def _returned(self, keyword: str) -> Return | None:
        if not self._parser.at("RETURN"):
            return None
        self._parser.variables |= _WRITES[keyword]
        returned = self._return()
        if returned.is_distinct:
            raise not_supported("RETURN DISTINCT behind a modification")
        return returned

    # -- parts ---------------------------------------------------------------------------

    def _collection(self) -> CollectionRef:
        token = self._parser.token
        if token.kind is Kind.COLLECTION_BIND:
            self._parser.take()
            self._parser.binds.add(token.value)
            return CollectionRef(None, token.value)
        if token.kind is Kind.STRING:
            self._parser.take()
            return CollectionRef(token.value, None)
        return CollectionRef(self._parser.name(), None)

    def _without_variables(self) -> Expression:
        parser = self._parser
        kept, parser.variables = parser.variables, set()
        value = parser.expression()
        parser.variables = kept
        return value

    def _declare(self, name: str) -> None:
        if name in self._parser.variables:
            raise QueryParse(f"variable '{name}' is assigned more than once")
        self._parser.variables.add(name)
