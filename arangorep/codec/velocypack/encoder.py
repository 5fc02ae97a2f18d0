"""Plain values to VelocyPack in the layout that a real server builds by default (velocypack 5).

Bytes are equal to a real server's, so hashes over them are too. The work is mostly that of calls
into the interpreter, hence loops that encode texts in place, and `_Shape`: what objects with the
same names in the same order have in common is prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add, itemgetter
from struct import Struct, pack
from typing import Any, Final

from arangorep.codec.json import loads_shallow
from arangorep.codec.velocypack import heads
from arangorep.errors import CorruptedJson

_ONE_BYTE_MAX: Final = 2**8 - 1
_TWO_BYTES_MAX: Final = 2**16 - 1
_FOUR_BYTES_MAX: Final = 2**32 - 1
"""The largest size of a container with length field and entries of so many bytes."""

_SHORT_TEXT_MAX: Final = heads.LONG_TEXT - heads.TEXT - 1
_SHAPES_MAX: Final = 1024
_SHAPE_NAMES_MAX: Final = 64
_SHAPE_BYTES_MAX: Final = 4096
"""Shapes with more names or longer ones are not kept, so that all of them take a few MB at most."""

_TEXT_HEADS: Final = [bytes((heads.TEXT + size,)) for size in range(_SHORT_TEXT_MAX + 1)]
_ONE_BYTE_INTEGERS: Final = {
    value: bytes((head,)) for head, value in heads.ONE_BYTE.items() if type(value) is int
}
_NULL: Final = bytes((heads.NULL,))
_TRUE: Final = bytes((heads.TRUE,))
_FALSE: Final = bytes((heads.FALSE,))
_EMPTY_ARRAY: Final = bytes((heads.EMPTY_ARRAY,))
_EMPTY_OBJECT: Final = bytes((heads.EMPTY_OBJECT,))

# Head, length, count; containers of two bytes and more have their items at byte 9.
_plain_head_2 = Struct("<BH6x").pack
_plain_head_4 = Struct("<BI4x").pack
_indexed_head_2 = Struct("<BHH4x").pack
_indexed_head_4 = Struct("<BII").pack
_head_8 = Struct("<BQ").pack
_double = Struct("<Bd").pack


def encode(value: Any) -> bytes:
    """One plain value: None, bool, int, float, str, list, tuple, dict with names that are texts.

    Attributes keep their order. Integers outside of -2^63 .. 2^64-1 become doubles. Errors: 400/600
    for what nests so deep that it cannot be written; for what no JSON text holds `TypeError` (other
    types), `UnicodeEncodeError` (lone surrogates) or `OverflowError` (beyond doubles). NaN and
    infinities are encoded, but receivers refuse them.
    """
    try:
        return _ENCODERS[type(value)](value)
    except RecursionError:
        raise CorruptedJson("VPackError error: Too deep nesting in Array/Object") from None


def encode_json(text: bytes) -> bytes:
    """One JSON text, such as a stored document. Errors: 400/600 as for `codec.json.loads`.

    Literals with a point or an exponent become doubles, others integers (velocypack 5.1).
    """
    return encode(loads_shallow(text))


def encode_json_rows(rows: Sequence[bytes]) -> list[bytes]:
    """`encode_json` of each."""
    return [encode(loads_shallow(row)) for row in rows]


def compact_array(items: Sequence[bytes]) -> bytes:
    """An array of encoded values, without index (velocypack 3.3, 6.4)."""
    if not items:
        return _EMPTY_ARRAY
    return _compact(heads.COMPACT_ARRAY, b"".join(items), len(items))


# -- scalars -------------------------------------------------------------------------------------


def _null(_value: None) -> bytes:
    return _NULL


def _boolean(value: bool) -> bytes:
    return _TRUE if value else _FALSE


def _text(value: str) -> bytes:
    encoded = value.encode()
    size = len(encoded)
    if size <= _SHORT_TEXT_MAX:
        return _TEXT_HEADS[size] + encoded
    return _head_8(heads.LONG_TEXT, size) + encoded


def _integer(value: int) -> bytes:
    if -7 < value < 10:
        return _ONE_BYTE_INTEGERS[value]
    if value >= 0:
        size = (value.bit_length() + 7) >> 3
        if size <= 8:
            return (value << 8 | (heads.UNSIGNED - 1 + size)).to_bytes(size + 1, "little")
    else:
        # One bit more for the sign, which is the same for a number and its complement.
        size = ((~value).bit_length() + 8) >> 3
        if size <= 8:
            return bytes((heads.SIGNED - 1 + size,)) + value.to_bytes(size, "little", signed=True)
    return _float(float(value))


def _float(value: float) -> bytes:
    return _double(heads.DOUBLE, value)


# -- arrays --------------------------------------------------------------------------------------


def _array(value: Sequence[Any]) -> bytes:
    if not value:
        return _EMPTY_ARRAY
    encoders = _ENCODERS
    items = []
    for item in value:
        kind = type(item)
        if kind is str:
            text = item.encode()
            size = len(text)
            items.append(_TEXT_HEADS[size] + text if size < 127 else _text(item))
        else:
            items.append(encoders[kind](item))
    body = b"".join(items)
    count = len(items)
    if len(body) == count * len(items[0]) and len(set(map(len, items))) == 1:
        return _plain_array(body)
    return _indexed(heads.INDEXED_ARRAY, body, map(len, items), count, _all_but_last)


def _plain_array(body: bytes) -> bytes:
    """Items of equal size need no index (velocypack 3.1)."""
    size = len(body)
    if 2 + size <= _ONE_BYTE_MAX:
        return bytes((heads.ARRAY, 2 + size)) + body
    if 9 + size <= _TWO_BYTES_MAX:
        return _plain_head_2(heads.ARRAY + 1, 9 + size) + body
    if 9 + size <= _FOUR_BYTES_MAX:
        return _plain_head_4(heads.ARRAY + 2, 9 + size) + body
    return _head_8(heads.ARRAY + 3, 9 + size) + body


# -- objects -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    """What objects with these names in this order have in common."""

    frame: list[bytes]
    """The encoded names, with gaps for the values behind each."""

    name_sizes: list[int]
    sort: Callable[[list[int]], tuple[int, ...]]
    """From the starts of the pairs to the index."""


def _shape_of(names: tuple[str, ...]) -> _Shape:
    """Errors: `TypeError` for a name that is not a text."""
    for name in names:
        if type(name) is not str:
            raise TypeError(f"an attribute cannot be named {name!r}")
    encoded = [_text(name) for name in names]
    frame = [b""] * (2 * len(names))
    frame[::2] = encoded
    # Python compares texts by code points, which is the order of their UTF-8 bytes.
    order = sorted(range(len(names)), key=names.__getitem__)
    shape = _Shape(frame, [*map(len, encoded)], itemgetter(*order))
    if len(names) <= _SHAPE_NAMES_MAX and sum(shape.name_sizes) <= _SHAPE_BYTES_MAX:
        if len(_shapes) >= _SHAPES_MAX:
            _shapes.clear()
        _shapes[names] = shape
    return shape


_shapes: Final[dict[tuple[str, ...], _Shape]] = {}


def _object(value: dict[str, Any]) -> bytes:
    count = len(value)
    if count < 2:
        return _small_object(value)
    names = tuple(value)
    shape = _shapes.get(names) or _shape_of(names)
    encoders = _ENCODERS
    pieces = shape.frame.copy()
    gap = 1
    for item in value.values():
        kind = type(item)
        if kind is str:
            text = item.encode()
            size = len(text)
            pieces[gap] = _TEXT_HEADS[size] + text if size < 127 else _text(item)
        else:
            pieces[gap] = encoders[kind](item)
        gap += 2
    sizes = map(add, shape.name_sizes, map(len, pieces[1::2]))
    return _indexed(heads.OBJECT, b"".join(pieces), sizes, count, shape.sort)


def _small_object(value: dict[str, Any]) -> bytes:
    """A single attribute needs no index, none no bytes (velocypack 5, steps 1 and 2)."""
    for name, item in value.items():
        if type(name) is not str:
            raise TypeError(f"an attribute cannot be named {name!r}")
        return _compact(heads.COMPACT_OBJECT, _text(name) + _ENCODERS[type(item)](item), 1)
    return _EMPTY_OBJECT


# -- frames --------------------------------------------------------------------------------------

_all_but_last: Final = itemgetter(slice(None, -1))


def _indexed(
    head: int,
    body: bytes,
    sizes: Iterable[int],
    count: int,
    index_of: Callable[[list[int]], Sequence[int]],
) -> bytes:
    """A container of `count` items of `sizes`; `head` is that of its smallest form.

    `index_of` makes the index of the items' starts and the end behind them.
    """
    size = 3 + len(body) + count
    if size <= _ONE_BYTE_MAX:
        starts = list(accumulate(sizes, initial=3))
        return bytes((head, size, count)) + body + bytes(index_of(starts))
    index = index_of(list(accumulate(sizes, initial=9)))
    size = 9 + len(body) + 2 * count
    if size <= _TWO_BYTES_MAX:
        return _indexed_head_2(head + 1, size, count) + body + pack(f"<{count}H", *index)
    size = 9 + len(body) + 4 * count
    if size <= _FOUR_BYTES_MAX:
        return _indexed_head_4(head + 2, size, count) + body + pack(f"<{count}I", *index)
    size = 9 + len(body) + 8 * count + 8
    return _head_8(head + 3, size) + body + pack(f"<{count + 1}Q", *index, count)


def _compact(head: int, body: bytes, count: int) -> bytes:
    """A container whose items are found one after the other (velocypack 3.3)."""
    tail = _varint(count)[::-1]
    rest = 1 + len(body) + len(tail)
    width = 1
    while rest + width >= 1 << 7 * width:
        width += 1
    return b"%c%b%b%b" % (head, _varint(rest + width), body, tail)


def _varint(number: int) -> bytes:
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


class _Encoders(dict[type, Callable[[Any], bytes]]):
    """By type; exactly, because a bool is an int to Python."""

    def __missing__(self, kind: type) -> Callable[[Any], bytes]:
        raise TypeError(f"{kind.__name__} has no VelocyPack form")


_ENCODERS: Final = _Encoders(
    {
        type(None): _null,
        bool: _boolean,
        int: _integer,
        float: _float,
        str: _text,
        list: _array,
        tuple: _array,
        dict: _object,
    }
)
