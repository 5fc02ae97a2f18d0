"""Readers of everything that holds no other values, and the tables of readers (velocypack 2).

In plain mode what comes out can be stored as JSON; typed mode keeps the types JSON lacks.
"""

from __future__ import annotations

from math import isfinite
from struct import Struct
from typing import Any, Final

from arangorep.codec.velocypack import heads, typed
from arangorep.codec.velocypack.containers import CONTAINER_READERS
from arangorep.codec.velocypack.reading import (
    Reader,
    Reading,
    cut_off,
    read_length,
    refused,
    too_deep,
)
from arangorep.limits import VELOCYPACK_DEPTH_MAX

_double = Struct("<d").unpack_from


def _refuse(data: bytes, at: int, _end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    raise refused(f"a value of type 0x{data[at]:02x} is not allowed", at)


def _one_byte(data: bytes, at: int, _end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    return heads.ONE_BYTE[data[at]], at + 1


def _text(data: bytes, at: int, end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    finish = at + 1 + data[at] - heads.TEXT
    if finish > end:
        raise cut_off(at)
    return data[at + 1 : finish].decode(), finish


def _long_text(data: bytes, at: int, end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    start, finish = read_length(data, at, end, 8)
    return data[start:finish].decode(), finish


def _unsigned(data: bytes, at: int, end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    finish = at + 2 + data[at] - heads.UNSIGNED
    if finish > end:
        raise cut_off(at)
    return int.from_bytes(data[at + 1 : finish], "little"), finish


def _signed(data: bytes, at: int, end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    finish = at + 2 + data[at] - heads.SIGNED
    if finish > end:
        raise cut_off(at)
    return int.from_bytes(data[at + 1 : finish], "little", signed=True), finish


def _any_double(data: bytes, at: int, end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    if at + 9 > end:
        raise cut_off(at)
    return _double(data, at + 1)[0], at + 9


def _finite(data: bytes, at: int, end: int, depth: int, reading: Reading) -> tuple[Any, int]:
    value, finish = _any_double(data, at, end, depth, reading)
    if not isfinite(value):
        raise refused("a double without JSON form", at)
    return value, finish


def _milliseconds(
    data: bytes, at: int, end: int, _depth: int, _reading: Reading
) -> tuple[Any, int]:
    if at + 9 > end:
        raise cut_off(at)
    return int.from_bytes(data[at + 1 : at + 9], "little", signed=True), at + 9


def _date(data: bytes, at: int, end: int, depth: int, reading: Reading) -> tuple[Any, int]:
    ms, finish = _milliseconds(data, at, end, depth, reading)
    return typed.UtcDate(ms), finish


def _hex(data: bytes, at: int, end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    start, finish = read_length(data, at, end, heads.LENGTH_WIDTHS[data[at]])
    return data[start:finish].hex(), finish


def _binary(data: bytes, at: int, end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    start, finish = read_length(data, at, end, heads.LENGTH_WIDTHS[data[at]])
    return typed.Binary(data[start:finish]), finish


def _min_key(_data: bytes, at: int, _end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    return typed.MinKey(), at + 1


def _max_key(_data: bytes, at: int, _end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    return typed.MaxKey(), at + 1


def _illegal(_data: bytes, at: int, _end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    return typed.Illegal(), at + 1


def _custom(data: bytes, at: int, end: int, _depth: int, _reading: Reading) -> tuple[Any, int]:
    finish = at + heads.FIXED_SIZES[data[at]]
    if finish > end:
        raise cut_off(at)
    return typed.Custom(data[at], data[at + 1 : finish]), finish


def _sized_custom(
    data: bytes, at: int, end: int, _depth: int, _reading: Reading
) -> tuple[Any, int]:
    start, finish = read_length(data, at, end, heads.LENGTH_WIDTHS[data[at]])
    if start == finish:
        raise refused("a custom value without payload", at)
    return typed.Custom(data[at], data[start:finish]), finish


def _tagged(data: bytes, at: int, end: int, depth: int, reading: Reading) -> tuple[Any, int]:
    """Tags can be nested, so each counts as a level."""
    inner = at + (2 if data[at] == heads.TAG else 9)
    if inner >= end:
        raise cut_off(at)
    if depth >= VELOCYPACK_DEPTH_MAX:
        raise too_deep(at)
    value, finish = reading.readers[data[inner]](data, inner, end, depth + 1, reading)
    return typed.Tagged(int.from_bytes(data[at + 1 : inner], "little"), value), finish


def _table(*parts: dict[int, Reader]) -> list[Reader]:
    table: list[Reader] = [_refuse] * 256
    for part in parts:
        for head, reader in part.items():
            table[head] = reader
    return table


_JSON_READERS: Final[dict[int, Reader]] = {
    **CONTAINER_READERS,
    **dict.fromkeys(heads.ONE_BYTE, _one_byte),
    heads.DOUBLE: _finite,
    heads.UTC_DATE: _milliseconds,
    **dict.fromkeys(range(heads.SIGNED, heads.UNSIGNED), _signed),
    **dict.fromkeys(range(heads.UNSIGNED, heads.SMALL), _unsigned),
    **dict.fromkeys(range(heads.TEXT, heads.LONG_TEXT), _text),
    heads.LONG_TEXT: _long_text,
    **dict.fromkeys(range(heads.BINARY, heads.BINARY_END), _hex),
}

_TYPED_READERS: Final[dict[int, Reader]] = {
    heads.DOUBLE: _any_double,
    heads.UTC_DATE: _date,
    heads.ILLEGAL: _illegal,
    heads.MIN_KEY: _min_key,
    heads.MAX_KEY: _max_key,
    **dict.fromkeys(range(heads.BINARY, heads.BINARY_END), _binary),
    **dict.fromkeys((heads.TAG, heads.LONG_TAG), _tagged),
    **dict.fromkeys(range(heads.CUSTOM, heads.SIZED_CUSTOM), _custom),
    **dict.fromkeys(range(heads.SIZED_CUSTOM, 0x100), _sized_custom),
}

PLAIN: Final = _table(_JSON_READERS)
"""Readers by head byte for values that JSON has a form for, dates and binaries."""

TYPED: Final = _table(_JSON_READERS, _TYPED_READERS)
"""Readers by head byte for everything that is well-formed, except BCD numbers and externals."""
