"""Readers of arrays and objects (velocypack 3, 4, 8).

A container is read in three steps: its frame tells where items, index and the container itself
end; the items are read one behind the other up to where they must end; what was found is compared
with the index or the count. So the index is never followed, only compared, and the work is bounded
by the bytes that are there.

The loops over items read texts and one-byte values themselves: most values are of these kinds,
and a call each would cost more than the reading.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Any, Final, TypeAlias

from arangorep.codec.velocypack import heads
from arangorep.codec.velocypack.reading import Reader, Reading, cut_off, refused, too_deep
from arangorep.limits import VELOCYPACK_DEPTH_MAX

Frame: TypeAlias = tuple[int, int, int]
"""Where the items start, where they end, where the container ends."""

_VARINT_BYTES_MAX: Final = 8
_ENTRY_CODES: Final = {2: "H", 4: "I", 8: "Q"}

_NO: Final = object()
_ONE_BYTE: Final[list[Any]] = [heads.ONE_BYTE.get(head, _NO) for head in range(256)]


def _empty_array(
    _data: bytes, at: int, _end: int, depth: int, _reading: Reading
) -> tuple[list[Any], int]:
    if depth >= VELOCYPACK_DEPTH_MAX:
        raise too_deep(at)
    return [], at + 1


def _empty_object(
    _data: bytes, at: int, _end: int, depth: int, _reading: Reading
) -> tuple[dict[str, Any], int]:
    if depth >= VELOCYPACK_DEPTH_MAX:
        raise too_deep(at)
    return {}, at + 1


def _array(data: bytes, at: int, end: int, depth: int, reading: Reading) -> tuple[list[Any], int]:
    if depth >= VELOCYPACK_DEPTH_MAX:
        raise too_deep(at)
    depth += 1
    origin = at
    at, stop, finish = _FRAMES[data[origin]](data, origin, end)
    readers = reading.readers
    items: list[Any] = []
    starts: list[int] = []
    while at < stop:
        starts.append(at - origin)
        head = data[at]
        value = _ONE_BYTE[head]
        if value is not _NO:
            at += 1
        elif 0x40 <= head < 0xBF:
            start = at + 1
            at += head - 0x3F
            if at > stop:
                raise cut_off(start - 1)
            value = data[start:at].decode()
        else:
            value, at = readers[head](data, at, stop, depth, reading)
        items.append(value)
    _check_array(data, origin, stop, finish, starts)
    return items, finish


def _object(
    data: bytes, at: int, end: int, depth: int, reading: Reading
) -> tuple[dict[str, Any], int]:
    if depth >= VELOCYPACK_DEPTH_MAX:
        raise too_deep(at)
    depth += 1
    origin = at
    at, stop, finish = _FRAMES[data[origin]](data, origin, end)
    readers = reading.readers
    collection: str | None = None
    pairs: dict[str, Any] = {}
    starts: list[int] = []
    while at < stop:
        start = at
        starts.append(at - origin)
        head = data[at]
        if 0x40 <= head < 0xBF:
            at += head - 0x3F
            name = data[start + 1 : at].decode()
        else:
            name, at = _read_name(data, at, stop, depth, reading)
        if at >= stop:
            raise refused("an attribute without value", start)
        start = at
        head = data[at]
        value = _ONE_BYTE[head]
        if value is not _NO:
            at += 1
        elif 0x40 <= head < 0xBF:
            at += head - 0x3F
            if at > stop:
                raise cut_off(start)
            value = data[start + 1 : at].decode()
        elif head == heads.CUSTOM_ID and reading.name_of is not None and name == "_id":
            collection, at = _read_collection(data, at, stop, reading)
        else:
            value, at = readers[head](data, at, stop, depth, reading)
        pairs[name] = value
    _check_object(data, origin, stop, finish, starts)
    if len(pairs) != len(starts):
        raise refused("an object with two attributes of one name", origin)
    if collection is not None:
        pairs["_id"] = _stored_id(collection, pairs.get("_key"), origin)
    return pairs, finish


def _read_name(data: bytes, at: int, stop: int, depth: int, reading: Reading) -> tuple[str, int]:
    """A name that is not a short text: a long text or a number (velocypack 6.1)."""
    head = data[at]
    if head == heads.LONG_TEXT:
        name, finish = reading.readers[head](data, at, stop, depth, reading)
        return name, finish
    if heads.UNSIGNED <= head < heads.SMALL_NEGATIVE:
        number, finish = reading.readers[head](data, at, stop, depth, reading)
        if number in heads.ATTRIBUTE_NAMES:
            return heads.ATTRIBUTE_NAMES[number], finish
    raise refused("an attribute whose name is no text", at)


def _read_collection(data: bytes, at: int, stop: int, reading: Reading) -> tuple[str, int]:
    """The name of the collection whose id a stored `_id` holds (velocypack 6.2)."""
    if at + 9 > stop:
        raise cut_off(at)
    collection_id = int.from_bytes(data[at + 1 : at + 9], "little")
    assert reading.name_of is not None
    name = reading.name_of(collection_id)
    if name is None:
        raise refused(f"an _id of the unknown collection {collection_id}", at)
    return name, at + 9


def _stored_id(collection: str, key: object, origin: int) -> str:
    if type(key) is not str:
        raise refused("a stored _id without a _key", origin)
    return f"{collection}/{key}"


# -- frames --------------------------------------------------------------------------------------


def _plain_frame(data: bytes, at: int, end: int) -> Frame:
    """An array without index (velocypack 3.1)."""
    width = heads.WIDTHS[data[at]]
    first = at + 1 + width
    finish = at + int.from_bytes(data[at + 1 : first], "little")
    if not first < finish <= end:
        raise refused("an array of impossible length", at)
    return _behind_padding(data, at, first, finish), finish, finish


def _indexed_frame(data: bytes, at: int, end: int) -> Frame:
    """An array or object with index (velocypack 3.2, 4)."""
    width = heads.WIDTHS[data[at]]
    fields = at + 1 + width
    first = fields if width == 8 else fields + width
    finish = at + int.from_bytes(data[at + 1 : fields], "little")
    if not fields + width < finish <= end:
        raise refused("an array or object of impossible length", at)
    if width == 8:
        stop = finish - 8
        count = int.from_bytes(data[stop:finish], "little")
    else:
        stop = finish
        count = int.from_bytes(data[fields:first], "little")
    stop -= width * count
    if count == 0 or stop <= first:
        raise refused("an array or object of impossible count", at)
    return _behind_padding(data, at, first, stop), stop, finish


def _behind_padding(data: bytes, at: int, first: int, stop: int) -> int:
    """Where the items really start: a zero byte there means padding (velocypack 3.4)."""
    if data[first]:
        return first
    padded = at + 9
    if padded >= stop or any(data[first:padded]):
        raise refused("an array or object with wrong padding", at)
    return padded


def _compact_frame(data: bytes, at: int, end: int) -> Frame:
    """A container whose length and count are varints (velocypack 3.3)."""
    size, first = _varint(data, at + 1, min(end, at + 1 + _VARINT_BYTES_MAX), 1)
    finish = at + size
    if not first < finish <= end:
        raise refused("a compact array or object of impossible length", at)
    stop = _count(data, first, finish)[1]
    if stop == first:
        raise refused("a compact array or object without content", at)
    return first, stop, finish


def _count(data: bytes, first: int, finish: int) -> tuple[int, int]:
    """The number at the end of a compact container, and where the items before it end.

    The items start at `first` or behind.
    """
    count, before = _varint(data, finish - 1, max(first, finish - _VARINT_BYTES_MAX) - 1, -1)
    return count, before + 1


def _varint(data: bytes, at: int, end: int, step: int) -> tuple[int, int]:
    """A number in groups of seven bits, lowest first, and the position behind it."""
    value = shift = 0
    for position in range(at, end, step):
        group = data[position]
        value |= (group & 0x7F) << shift
        if group < 0x80:
            return value, position + step
        shift += 7
    raise refused("a number without end", at)


_FRAMES: Final = {
    **dict.fromkeys(range(heads.ARRAY, heads.INDEXED_ARRAY), _plain_frame),
    **dict.fromkeys(range(heads.INDEXED_ARRAY, heads.EMPTY_OBJECT), _indexed_frame),
    **dict.fromkeys(range(heads.OBJECT, heads.OBJECT + 4), _indexed_frame),
    heads.COMPACT_ARRAY: _compact_frame,
    heads.COMPACT_OBJECT: _compact_frame,
}


# -- what was found against what was announced ---------------------------------------------------


def _check_array(data: bytes, origin: int, stop: int, finish: int, starts: list[int]) -> None:
    head = data[origin]
    if head < heads.INDEXED_ARRAY:
        fits = _are_equal_in_size(starts, stop - origin)
    elif head < heads.EMPTY_OBJECT:
        fits = list(_entries(data, origin, stop, finish)) == starts
    else:
        fits = _count(data, stop, finish)[0] == len(starts)
    if not fits:
        raise refused("an array that does not hold what it announces", origin)


def _check_object(data: bytes, origin: int, stop: int, finish: int, starts: list[int]) -> None:
    """Any order of the index will do: nobody searches in it (velocypack 8, rule 9)."""
    if data[origin] == heads.COMPACT_OBJECT:
        fits = _count(data, stop, finish)[0] == len(starts)
    else:
        fits = sorted(_entries(data, origin, stop, finish)) == starts
    if not fits:
        raise refused("an object that does not hold what it announces", origin)


def _are_equal_in_size(starts: list[int], end: int) -> bool:
    """Whether items that start at `starts`, the last ending at `end`, all have one size."""
    first = starts[0]
    size, rest = divmod(end - first, len(starts))
    return rest == 0 and starts == list(range(first, end, size))


def _entries(data: bytes, origin: int, stop: int, finish: int) -> bytes | tuple[int, ...]:
    width = heads.WIDTHS[data[origin]]
    if width == 1:
        return data[stop:finish]
    count = (finish - stop) // width - (width == 8)
    return unpack_from(f"<{count}{_ENTRY_CODES[width]}", data, stop)


CONTAINER_READERS: Final[dict[int, Reader]] = {
    heads.EMPTY_ARRAY: _empty_array,
    heads.EMPTY_OBJECT: _empty_object,
    **dict.fromkeys(range(heads.ARRAY, heads.EMPTY_OBJECT), _array),
    **dict.fromkeys(range(heads.OBJECT, heads.OBJECT + 4), _object),
    heads.COMPACT_ARRAY: _array,
    heads.COMPACT_OBJECT: _object,
}
"""By head byte."""
