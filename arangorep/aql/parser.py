"""Tokens to expressions.

Operators, from those that bind last to those that bind first:
`? :` and `?:`, `??`, `OR`, `AND`, `== != LIKE NOT LIKE`, `IN NOT IN`, `< <= >= >`, `..`, `+ -`,
`* / %`, unary `NOT + -`, access and calls. `NOT` is the same as `!`, so `NOT a == b` is
`(NOT a) == b`. Operators of one level go from left to right, branches from right to left.

Operators are held on a stack instead of being parsed by nested calls, so that only brackets
and branches nest; `limits.AQL_NESTING_MAX` keeps a hostile query from the interpreter's bound.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from arangorep.aql.expressions import (
    Access,
    ArrayLiteral,
    Attribute,
    Bind,
    BoundAttribute,
    Branches,
    Call,
    Chain,
    Constant,
    Either,
    Expression,
    Index,
    ObjectLiteral,
    Unary,
    Variable,
)
from arangorep.aql.functions import find_function
from arangorep.aql.operators import AND_LEVEL, COALESCE_LEVEL, OPERATORS, OR_LEVEL, Operator
from arangorep.aql.tokens import Kind, Token, syntax_error, tokenize
from arangorep.aql.unsupported import (
    SUBQUERY_STARTS,
    construct_at,
    not_supported,
    unknown_name,
)
from arangorep.errors import ResourceLimit
from arangorep.limits import AQL_NESTING_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    from arangorep.errors import ArangoError

_LAZY_LEVELS: Final = {"??": COALESCE_LEVEL, "OR": OR_LEVEL, "AND": AND_LEVEL}
_LITERALS: Final = {"NULL": None, "TRUE": True, "FALSE": False}


class Parser:
    """Reads one query; `variables` are those that the next expression may use.

    After it, `binds` holds the names of all bind parameters, those of collections with one `@`,
    and `path_binds` those after a dot. Raises `QueryParse` (1501), `NotImplementedHere` (9) for
    AQL that is not here, `FunctionArgumentCount` (1541), `ResourceLimit` (32, HTTP 400) for too
    long or deep ones.
    """

    def __init__(
        self, text: str, unknown_name: Callable[[str], ArangoError] = unknown_name
    ) -> None:
        self.text = text
        self.variables: set[str] = set()
        self.binds: set[str] = set()
        self.path_binds: set[str] = set()
        self._tokens = tokenize(text)
        self._position = 0
        self._nesting = 0
        self._in_is_operator = True
        self._unknown_name = unknown_name

    # -- tokens ---------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        """The one that is next."""
        return self._tokens[self._position]

    def take(self) -> Token:
        """The next one, which is used up; the end stays."""
        token = self.token
        if token.kind is not Kind.END:
            self._position += 1
        return token

    def at(self, *symbols: str) -> bool:
        """Whether one of these symbols is next."""
        return self.token.kind is Kind.SYMBOL and self.token.text in symbols

    def at_word(self, word: str) -> bool:
        """Whether a name is next that has a meaning here without being a keyword."""
        return self.token.kind is Kind.NAME and self.token.text.upper() == word

    def followed_by(self, *symbols: str) -> bool:
        """Whether one of these symbols stands behind the next token."""
        token = self._tokens[min(self._position + 1, len(self._tokens) - 1)]
        return token.kind is Kind.SYMBOL and token.text in symbols

    def accept(self, *symbols: str) -> bool:
        """Use up one of these symbols, if it is next."""
        if not self.at(*symbols):
            return False
        self._position += 1
        return True

    def expect(self, symbol: str) -> None:
        """Use up a symbol that has to be next."""
        if not self.accept(symbol):
            raise self.unexpected()

    def name(self) -> str:
        """Use up a name that has to be next."""
        if self.token.kind not in (Kind.NAME, Kind.QUOTED):
            raise self.unexpected()
        return str(self.take().value)

    def unexpected(self) -> ArangoError:
        """The error for the next token: 501 if AQL has it but this server does not, else 1501."""
        token = self.token
        construct = construct_at(token)
        if construct is not None:
            return not_supported(construct)
        what = "end of query" if token.kind is Kind.END else _describe(token)
        return syntax_error(self.text, token.offset, what)

    # -- expressions ---------------------------------------------------------------------------

    def expression(self, *, in_is_operator: bool = True) -> Expression:
        """One whole expression; `IN` may be left for the clause around it."""
        outside = self._in_is_operator
        self._in_is_operator = in_is_operator
        self._nesting += 1
        if self._nesting > AQL_NESTING_MAX:
            raise ResourceLimit(
                f"resource limit exceeded: expressions nest up to {AQL_NESTING_MAX} levels",
                http_status=400,
            )
        pairs = []
        value = self._operators()
        while self.accept("?"):
            chosen = None
            if not self.at(":"):
                chosen = self.expression(in_is_operator=in_is_operator)
            self.expect(":")
            pairs.append((value, chosen))
            value = self._operators()
        self._nesting -= 1
        self._in_is_operator = outside
        return Branches(tuple(pairs), value) if pairs else value

    def _operators(self) -> Expression:
        """Operands joined by operators of any level; those still open have rising levels."""
        still_open: list[_Open] = []
        value = self._unary()
        while (symbol := self._operator()) is not None:
            level = _LAZY_LEVELS.get(symbol) or OPERATORS[symbol].level
            while still_open and still_open[-1].level > level:
                value = still_open.pop().closed_by(value)
            if not still_open or still_open[-1].level < level:
                still_open.append(_Open(level))
            still_open[-1].operands.append(value)
            still_open[-1].symbols.append(symbol)
            value = self._unary()
        while still_open:
            value = still_open.pop().closed_by(value)
        return value

    def _operator(self) -> str | None:
        """Use up the next token if it is an operator between operands."""
        token = self.token
        if token.kind is not Kind.SYMBOL:
            return None
        symbol = token.text
        if symbol == "NOT":
            negated = self._tokens[self._position + 1]
            if negated.kind is not Kind.SYMBOL or negated.text not in ("IN", "LIKE"):
                return None
            self._position += 2
            return f"NOT {negated.text}"
        if symbol == "IN" and not self._in_is_operator:
            return None
        if symbol in OPERATORS or symbol in _LAZY_LEVELS:
            self._position += 1
            return symbol
        return None

    def _unary(self) -> Expression:
        operators = []
        while self.at("NOT", "+", "-"):
            operators.append(self.take().text)
        operand = self._accessed()
        return Unary(tuple(reversed(operators)), operand) if operators else operand

    def _accessed(self) -> Expression:
        base = self._primary()
        steps: list[Attribute | BoundAttribute | Index] = []
        while True:
            if self.accept("."):
                steps.append(self._attribute())
            elif self.accept("["):
                if self.at("*", "?"):
                    raise not_supported("array operators ([*], [?])")
                steps.append(Index(self.expression()))
                self.expect("]")
            else:
                return Access(base, tuple(steps)) if steps else base

    def _attribute(self) -> Attribute | BoundAttribute:
        if self.token.kind is Kind.BIND:
            name = self._bind()
            self.path_binds.add(name)
            return BoundAttribute(name)
        return Attribute(self.name())

    def _primary(self) -> Expression:
        token = self.token
        if token.kind in (Kind.NUMBER, Kind.STRING):
            return Constant(self.take().value)
        if token.kind in (Kind.NAME, Kind.QUOTED):
            return self._named()
        if token.kind is Kind.BIND:
            return Bind(self._bind())
        if token.kind is Kind.COLLECTION_BIND:
            raise not_supported(f"a collection ({token.text}) within an expression")
        if self.accept("["):
            return ArrayLiteral(tuple(self._list("]")))
        if self.accept("{"):
            return self._object()
        if self.accept("("):
            self._refuse_subquery()
            inside = self.expression()
            self.expect(")")
            return inside
        if self.at(*_LITERALS):
            return Constant(_LITERALS[self.take().text])
        raise self.unexpected()

    def _named(self) -> Expression:
        token = self.take()
        if self.at("::"):
            raise not_supported(f"user-defined functions ({token.text}::)")
        if token.kind is Kind.NAME and self.at("("):
            return self._call(token.text)
        if token.value not in self.variables:
            raise self._unknown_name(token.value)
        return Variable(token.value)

    def _call(self, name: str) -> Expression:
        function = find_function(name)
        if function is None:
            raise not_supported(f"the function {name.upper()}()")
        self.expect("(")
        self._refuse_subquery()
        arguments = self._list(")")
        function.check_count(len(arguments))
        return Call(function, tuple(arguments))

    def _list(self, end: str) -> list[Expression]:
        """Expressions up to a closing bracket; a comma may stand before it."""
        items = []
        while not self.accept(end):
            items.append(self.expression())
            if not self.at(end):
                self.expect(",")
        return items

    def _object(self) -> Expression:
        members = []
        while not self.accept("}"):
            members.append(self._member())
            if not self.at("}"):
                self.expect(",")
        return ObjectLiteral(tuple(members))

    def _member(self) -> tuple[Expression, Expression]:
        token = self.token
        name: Expression
        if token.kind in (Kind.NAME, Kind.QUOTED, Kind.STRING):
            self.take()
            name = Constant(token.value)
            if token.kind is not Kind.STRING and self.at(",", "}"):
                if token.value not in self.variables:
                    raise self._unknown_name(token.value)
                return name, Variable(token.value)
        elif token.kind is Kind.BIND:
            name = Bind(self._bind())
        elif self.accept("["):
            name = self.expression()
            self.expect("]")
        else:
            raise self.unexpected()
        self.expect(":")
        return name, self.expression()

    def _bind(self) -> str:
        name = str(self.take().value)
        self.binds.add(name)
        return name

    def _refuse_subquery(self) -> None:
        if self.at(*SUBQUERY_STARTS):
            raise not_supported("subqueries")


class _Open:
    """Operators of one level whose last operand is still to come."""

    __slots__ = ("level", "operands", "symbols")

    def __init__(self, level: int) -> None:
        self.level = level
        self.operands: list[Expression] = []
        self.symbols: list[str] = []

    def closed_by(self, last: Expression) -> Expression:
        operands = (*self.operands, last)
        if self.level <= AND_LEVEL:
            return Either(self.symbols[0], operands)
        operators: tuple[Operator, ...] = tuple(OPERATORS[symbol] for symbol in self.symbols)
        return Chain(operators, operands)


def _describe(token: Token) -> str:
    if token.kind is Kind.SYMBOL:
        return f"'{token.text}'"
    return token.kind.name.lower().replace("_", " ")
