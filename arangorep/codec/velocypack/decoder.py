"""Bytes of VelocyPack to plain values: None, bool, int, float, str, list, dict.

Dates become milliseconds and binaries hex digits, so that whatever was decoded can be stored as
JSON; with `typed` they and everything else JSON lacks become the classes of `typed`. Nothing is
trusted: any bytes give a value or `CorruptedJson` (400/600). Source: velocypack 8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from arangorep.codec.velocypack.reading import Reading, refused, too_deep
from arangorep.codec.velocypack.scalars import PLAIN, TYPED

Collections: TypeAlias = str | Callable[[int], str | None]
"""The name of every collection an `_id` may come from, or the name to an id (None: unknown)."""

_STRICT: Final = Reading(PLAIN)


def decode(data: bytes, *, collections: Collections | None = None, typed: bool = False) -> Any:
    """The one value that `data` is.

    Without `collections` an `_id` must be a text, as for requests of clients; with it the form in
    which leaders store it is read too (velocypack 6.2). Attribute numbers are names in any case.
    Errors: 400/600 for everything else, bytes behind the value and nesting beyond
    `limits.VELOCYPACK_DEPTH_MAX` included.
    """
    value, finish = _read(data, 0, _reading(collections, typed))
    if finish != len(data):
        raise refused("bytes behind the value", finish)
    return value


def decode_all(
    data: bytes, *, collections: Collections | None = None, typed: bool = False
) -> Iterator[Any]:
    """The values that stand one behind the other in `data`, maybe none.

    Parameters as for `decode`. Errors: 400/600, when the bad value's turn comes.
    """
    reading = _reading(collections, typed)
    at = 0
    while at < len(data):
        value, at = _read(data, at, reading)
        yield value


def _reading(collections: Collections | None, typed: bool) -> Reading:
    if collections is None and not typed:
        return _STRICT
    name_of = (lambda _: collections) if isinstance(collections, str) else collections
    return Reading(TYPED if typed else PLAIN, name_of)


def _read(data: bytes, at: int, reading: Reading) -> tuple[Any, int]:
    if at >= len(data):
        raise refused("no value", at)
    try:
        return reading.readers[data[at]](data, at, len(data), 0, reading)
    except UnicodeDecodeError:
        raise refused("a text that is no UTF-8, in the value", at) from None
    except RecursionError:
        # Only a caller that is itself deep down gets here before the limit.
        raise too_deep(at) from None
