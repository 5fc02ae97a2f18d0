"""The words of AQL: text to tokens.

| kind | text | value |
|---|---|---|
| `SYMBOL` | keyword in upper case, or operator; `AND`, `OR`, `NOT` also for their signs | – |
| `NAME` | as written | the name |
| `QUOTED` | a name in backticks or forward ticks | the name |
| `STRING` | as written, quotes included | the string |
| `NUMBER` | as written | int, float, or None beyond the range of doubles |
| `BIND` | `@name` | the name |
| `COLLECTION_BIND` | `@@name` | the name with one `@`, as in bindVars |
| `END` | empty | – |

White space and comments (`//` to the end of the line, `/* */`) separate tokens and are dropped.
Every pattern reads its text once: there is no backtracking into strings and comments.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from math import isfinite
from typing import Any, Final, NamedTuple

from arangorep.errors import QueryParse, ResourceLimit
from arangorep.limits import AQL_TEXT_CHARS_MAX, AQL_TOKENS_MAX


class Kind(Enum):
    """What a token is."""

    SYMBOL = auto()
    NAME = auto()
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    BIND = auto()
    COLLECTION_BIND = auto()
    END = auto()


class Token(NamedTuple):
    """One token; `offset` counts characters from the start of the query."""

    kind: Kind
    text: str
    value: Any
    offset: int


KEYWORDS: Final = frozenset(
    {
        *("AGGREGATE", "ALL", "ALL_SHORTEST_PATHS", "AND", "ANY", "ASC", "COLLECT", "DESC"),
        *("DISTINCT", "FALSE", "FILTER", "FOR", "GRAPH", "IN", "INBOUND", "INSERT", "INTO"),
        *("K_PATHS", "K_SHORTEST_PATHS", "LET", "LIKE", "LIMIT", "NONE", "NOT", "NULL", "OR"),
        *("OUTBOUND", "REMOVE", "REPLACE", "RETURN", "SHORTEST_PATH", "SORT", "TRUE", "UPDATE"),
        *("UPSERT", "WINDOW", "WITH"),
    }
)
"""Names in any case that are no identifiers unless quoted. `OPTIONS`, `COUNT`, `NEW` and `OLD` are
not among them."""

_SYNONYMS: Final = {"&&": "AND", "||": "OR", "!": "NOT"}
_INT64_DIGITS: Final = 19
_NEAR_CHARS: Final = 30

_next_token = re.compile(
    r"""
    (?P<space>   [ \t\r\n]++ | //[^\r\n]*+ | /\*.*?\*/ )
  | (?P<based>   0[xX][0-9a-fA-F]++ | 0[bB][01]++ )
  | (?P<number>  (?: (?:0|[1-9][0-9]*+) (?:\.[0-9]++)? | \.[0-9]++ ) (?:[eE][-+]?[0-9]++)? )
  | (?P<name>    (?:\$|_++)?[A-Za-z][A-Za-z0-9_]*+ )
  | (?P<string>  "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' )
  | (?P<quoted>  `(?:[^`\\]|\\.)++` | ´(?:[^´\\]|\\.)++´ )
  | (?P<bind>    @@?_*+[A-Za-z0-9][A-Za-z0-9_]*+ )
  | (?P<symbol>  == | != | <= | >= | =~ | !~ | && | \|\| | \?\? | :: | \.\.
               | [-+*%<>=!?:,.()\[\]{}] | /(?!\*) )
    """,
    re.VERBOSE | re.DOTALL,
).match

_escape = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def tokenize(text: str) -> list[Token]:
    """All tokens of a query, the last of them `END`.

    Raises `QueryParse` (1501) where no token starts, `ResourceLimit` (32, HTTP 400) for a query
    that is too long. Source: data-api 9.2, 9.3.
    """
    _check(len(text), AQL_TEXT_CHARS_MAX, "characters")
    tokens = []
    offset = 0
    while offset < len(text):
        match = _next_token(text, offset)
        if match is None:
            raise syntax_error(text, offset, _what_starts(text, offset))
        if match.lastgroup != "space":
            tokens.append(_token(str(match.lastgroup), match.group(), offset, text))
            _check(len(tokens), AQL_TOKENS_MAX, "words and signs")
        offset = match.end()
    tokens.append(Token(Kind.END, "", None, offset))
    return tokens


def _check(count: int, most: int, of_what: str) -> None:
    if count > most:
        raise ResourceLimit(
            f"resource limit exceeded: a query has up to {most} {of_what}", http_status=400
        )


def syntax_error(text: str, offset: int, what: str) -> QueryParse:
    """The 1501 for something that cannot stand at this place of the query."""
    before = text[:offset]
    line = before.count("\n") + 1
    column = offset - before.rfind("\n")
    near = text[offset : offset + _NEAR_CHARS]
    return QueryParse(f"syntax error: unexpected {what} near '{near}' at position {line}:{column}")


def _token(group: str, written: str, offset: int, text: str) -> Token:
    if group == "symbol":
        return Token(Kind.SYMBOL, _SYNONYMS.get(written, written), None, offset)
    if group == "name":
        upper = written.upper()
        if upper in KEYWORDS:
            return Token(Kind.SYMBOL, upper, None, offset)
        return Token(Kind.NAME, written, written, offset)
    if group == "number":
        return Token(Kind.NUMBER, written, number_of(written), offset)
    if group == "based":
        return Token(Kind.NUMBER, written, _based_number(written), offset)
    if group == "bind":
        kind = Kind.COLLECTION_BIND if written.startswith("@@") else Kind.BIND
        return Token(kind, written, written[1:], offset)
    kind = Kind.STRING if group == "string" else Kind.QUOTED
    value = _unescape(written[1:-1])
    if value is None:
        raise syntax_error(text, offset, "half of a surrogate pair in a string")
    return Token(kind, written, value, offset)


def number_of(written: str) -> int | float | None:
    """The number of a decimal literal: an int within 64 bits, else a double.

    None beyond the range of doubles, where a real server has null.
    """
    if len(written) <= _INT64_DIGITS + 1 and not set(written) & set(".eE"):
        value = int(written)
        if -(2**63) <= value < 2**63:
            return value
    double = float(written)
    return double if isfinite(double) else None


def _based_number(written: str) -> int | float | None:
    base = 16 if written[1] in "xX" else 2
    value = int(written[2:], base)
    if value < 2**63:
        return value
    return float(value) if value.bit_length() < 1024 else None


def _unescape(inside: str) -> str | None:
    """The value of what stands between quotes; None if it has no UTF-8 form."""
    if "\\" not in inside:
        return inside
    value = _escape.sub(_unescaped, inside)
    try:
        # joins the two halves of what was written as a surrogate pair
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return None


def _unescaped(match: re.Match[str]) -> str:
    code, char = match.groups()
    return chr(int(code, 16)) if code else _ESCAPES.get(char, char)


def _what_starts(text: str, offset: int) -> str:
    if text.startswith("/*", offset):
        return "end of query within a comment"
    if text[offset] in "\"'":
        return "end of query within a string"
    if text[offset] in "`´":
        return "end of query within a quoted name"
    return "character"
