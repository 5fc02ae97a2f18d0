"""The entries that a document has in an index: unique persistent ones, and `ttl`.

A term is a canonical form of the indexed values: two documents collide exactly when they share a
term. Terms have no order, so they serve uniqueness and not range scans. Source: data-api 8.4.

Every value starts with a letter of its kind and says where it ends:

| value | bytes |
|---|---|
| null, false, true | `n`, `f`, `t` |
| a number without fraction, however it was written | `i`, decimal digits, `;` |
| any other number | `d`, eight bytes of the double |
| string | `s`, length in decimal, `:`, UTF-8 bytes |
| array | `[`, elements, `]` |
| object | `{`, names and values in the order of the names, `}` |

A term is these values in the order of the index's fields. A long one is replaced by `#` and its
digest; `#` starts no value, so the two kinds never meet.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import product
from math import isfinite, prod
from typing import TYPE_CHECKING, Any, Final

from arangorep.errors import ResourceLimit, UniqueConstraintViolated
from arangorep.limits import INDEX_TERMS_MAX
from arangorep.values.dates import read_date
from arangorep.values.index import TTL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arangorep.values.index import IndexDefinition

_TERM_BYTES_MAX: Final = 64
"""Longer terms are replaced by a digest."""

_DIGEST_BYTES: Final = 16

_double = struct.Struct("<d").pack
_sortable_double = struct.Struct(">d").pack
_u64 = struct.Struct(">Q").unpack


def index_terms(definition: IndexDefinition, document: Mapping[str, Any]) -> list[bytes]:
    """The entries of a document with its `_key` in an index that `has_entries`, each of them once.

    Raises as `unique_terms`.
    """
    if definition.type == TTL:
        moment_s = expiry_moment_s(_descend_path(definition.fields[0], document))
        return [] if moment_s is None else [ttl_term(moment_s) + document["_key"].encode()]
    return unique_terms(definition, document)


def ttl_term(moment_s: float) -> bytes:
    """Eight bytes that sort like the moment; the document's key follows in an entry."""
    (bits,) = _u64(_sortable_double(moment_s))
    flipped = bits ^ (2**64 - 1) if bits >> 63 else bits | 1 << 63
    return int(flipped).to_bytes(8, "big")


def expiry_moment_s(value: object) -> float | None:
    """The Unix time that a `ttl` index reads: a number of seconds, or an ISO date; else None.

    Source: data-api 8.4.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return float(value) if isfinite(value) else None
    stamp_ms = read_date(value) if isinstance(value, str) else None
    return None if stamp_ms is None else stamp_ms / 1000


def _descend_path(field: str, document: Mapping[str, Any]) -> Any:
    attribute, *below = field.split(".")
    return _descend(document.get(attribute), tuple(below))


def unique_terms(definition: IndexDefinition, document: Mapping[str, Any]) -> list[bytes]:
    """The entries of a document with its `_key` in a unique persistent index, each of them once.

    Raises `UniqueConstraintViolated` (1210) if elements of one array are equal and the definition
    has `deduplicate: false`, and `ResourceLimit` (32) as HTTP 400 for more than `INDEX_TERMS_MAX`.
    Source: data-api 8.4.
    """
    plain, paths = _compile(definition.fields)
    if plain is not None:
        value = document.get(plain)
        if value is None and definition.sparse:
            return []
        return [_bounded(_encode(value))]
    terms = _terms_of(paths, document, sparse=definition.sparse)
    distinct = list(dict.fromkeys(terms))
    if len(distinct) < len(terms) and not definition.options.get("deduplicate", True):
        raise UniqueConstraintViolated(violation(definition, document["_key"]))
    return distinct


def violation(definition: IndexDefinition, conflicting_key: str) -> str:
    """The text of a 1210 for an entry that exists already. Source: data-api 6.1."""
    return (
        f"unique constraint violated - in index {definition.name} of type {definition.type} "
        f"over '{', '.join(definition.fields)}'; conflicting key: {conflicting_key}"
    )


@dataclass(frozen=True, slots=True)
class _Path:
    """Where a field's values are: in `attribute`, `before` below it and, if that is to be an
    array, `after` in each of its elements."""

    attribute: str
    before: tuple[str, ...]
    expands: bool
    after: tuple[str, ...]


@lru_cache(maxsize=1024)
def _compile(fields: tuple[str, ...]) -> tuple[str | None, tuple[_Path, ...]]:
    """The paths, and the attribute if all there is to do is to look up a single one."""
    paths = tuple(_path(field) for field in fields)
    first = paths[0]
    is_plain = len(paths) == 1 and not first.before and not first.expands
    return (first.attribute if is_plain else None), paths


def _path(field: str) -> _Path:
    head, expansion, tail = field.partition("[*]")
    attribute, *before = head.split(".")
    after = tail[1:].split(".") if tail else ()
    return _Path(attribute, tuple(before), bool(expansion), tuple(after))


def _terms_of(
    paths: tuple[_Path, ...], document: Mapping[str, Any], *, sparse: bool
) -> list[bytes]:
    """One term for each combination of the fields' values; only expansions have several."""
    columns = []
    for path in paths:
        values = _values(path, document)
        if sparse:
            values = [value for value in values if value is not None]
        columns.append([_encode(value) for value in values])
    if prod(map(len, columns)) > INDEX_TERMS_MAX:
        raise ResourceLimit(
            f"resource limit exceeded: a document has up to {INDEX_TERMS_MAX} index entries",
            http_status=400,
        )
    return [_bounded(b"".join(row)) for row in product(*columns)]


def _values(path: _Path, document: Mapping[str, Any]) -> list[Any]:
    """The values at a path, never none of them: a missing value is null."""
    value = _descend(document.get(path.attribute), path.before)
    if not path.expands:
        return [value]
    if not isinstance(value, list) or not value:
        # An index that is not sparse has an entry for every document.
        return [None]
    return [_descend(element, path.after) for element in value]


def _descend(value: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def _bounded(term: bytes) -> bytes:
    if len(term) <= _TERM_BYTES_MAX:
        return term
    return b"#" + blake2b(term, digest_size=_DIGEST_BYTES).digest()


def _encode(value: Any) -> bytes:
    # The common kinds first; `type` and not `isinstance`, because a bool is an int to Python.
    kind = type(value)
    if kind is str:
        encoded = value.encode()
        return b"s%d:%b" % (len(encoded), encoded)
    if kind is int:
        return b"i%d;" % value
    if kind is float:
        # Also turns -0.0 into 0; infinity and NaN are no integers.
        return b"i%d;" % int(value) if value.is_integer() else b"d" + _double(value)
    if kind is bool:
        return b"t" if value else b"f"
    if value is None:
        return b"n"
    if kind is dict:
        members = sorted((_encode(name), _encode(member)) for name, member in value.items())
        return b"{" + b"".join(name + member for name, member in members) + b"}"
    return b"[" + b"".join(map(_encode, value)) + b"]"
