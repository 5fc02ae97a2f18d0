"""Where a value ends, from its first bytes alone (velocypack 1, 12).

For bodies and streams of concatenated values: what lies between head and end is not looked at.
"""

from __future__ import annotations

from typing import Final

from arangorep.codec.velocypack import heads
from arangorep.codec.velocypack.reading import cut_off, refused

_VARINT_BYTES_MAX: Final = 8


def value_size(data: bytes, at: int = 0) -> int | None:
    """Bytes of the value at `at`; None when more bytes are needed to know, nine at most.

    The value itself need not be there. Errors: 400/600 for heads that no server sends (absent,
    reserved, external, tag, BCD) and for lengths that are impossible.
    """
    if at >= len(data):
        return None
    head = data[at]
    size = heads.FIXED_SIZES.get(head)
    if size is not None:
        return size
    if head in heads.LENGTH_WIDTHS:
        width = heads.LENGTH_WIDTHS[head]
        length = _number(data, at + 1, width)
        return None if length is None else 1 + width + length
    if head in heads.WIDTHS:
        width = heads.WIDTHS[head]
        return _checked(_number(data, at + 1, width), 1 + width, at)
    if head in (heads.COMPACT_ARRAY, heads.COMPACT_OBJECT):
        return _checked(_varint(data, at), 3, at)
    raise refused(f"a value of type 0x{head:02x} is not allowed", at)


def split(data: bytes) -> list[bytes]:
    """The values that stand one behind the other, each with its own bytes.

    Errors: 400/600 as for `value_size`, and when the last value is cut off. What a value holds is
    for `decode` to judge.
    """
    values = []
    at = 0
    while at < len(data):
        size = value_size(data, at)
        if size is None or size > len(data) - at:
            raise cut_off(at)
        values.append(data[at : at + size])
        at += size
    return values


def _number(data: bytes, at: int, width: int) -> int | None:
    field = data[at : at + width]
    return int.from_bytes(field, "little") if len(field) == width else None


def _checked(size: int | None, header: int, at: int) -> int | None:
    if size is not None and size <= header:
        raise refused("an array or object of impossible length", at)
    return size


def _varint(data: bytes, at: int) -> int | None:
    """The length of a compact container; None when it is cut off."""
    size = 0
    groups = data[at + 1 : at + 1 + _VARINT_BYTES_MAX]
    for number, group in enumerate(groups):
        size |= (group & 0x7F) << 7 * number
        if group < 0x80:
            return size
    if len(groups) == _VARINT_BYTES_MAX:
        raise refused("a number without end", at)
    return None
