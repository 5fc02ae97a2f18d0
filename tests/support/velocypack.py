"""VelocyPack for tests: the vectors, an encoder that shares nothing with the package, strategies.

The encoder is written after sections 3 to 5 of the format's description, slowly and in one way for
all layouts; `disguised` adds what receivers must accept though no builder makes it.
"""

from __future__ import annotations

import json
import random
import struct
from itertools import accumulate
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from arangorep.codec.velocypack import (
    Binary,
    Custom,
    Illegal,
    MaxKey,
    MinKey,
    Tagged,
    UtcDate,
)

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "velocypack.json").read_text("utf-8")
)
COLLECTIONS = {int(number): name for number, name in VECTORS["about"]["collections"].items()}
NUMBERS = {"_key": 1, "_rev": 2, "_id": 3, "_from": 4, "_to": 5}

texts = st.text(max_size=20) | st.text(st.sampled_from("ab\0é\U0001f600"), min_size=120).map(
    lambda text: text[:140]
)
integers = st.integers(-(2**63), 2**64 - 1) | st.integers(-300, 300)
doubles = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | integers | doubles | texts
names = st.sampled_from([*NUMBERS, "", "a", "ab", "é", "\U0001f600"]) | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(names, inner),
    max_leaves=60,
)


def same(one: Any, other: Any) -> bool:
    """Whether both are equal down to the type of numbers, the sign of zero and the order."""
    return repr(one) == repr(other)


def vector_value(value: Any) -> Any:
    """What typed decoding gives for the `value` of a vector."""
    if isinstance(value, list):
        return [vector_value(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("$vp"):
        case None:
            return {name: vector_value(item) for name, item in value.items()}
        case "utcdate":
            return UtcDate(value["ms"])
        case "binary":
            return Binary(bytes.fromhex(value["hex"]))
        case "double":
            return float(value["value"])
        case "custom":
            return Custom(value["head"], bytes.fromhex(value["hex"]))
        case "tagged":
            return Tagged(value["tag"], vector_value(value["value"]))
        case kind:
            return {"minkey": MinKey, "maxkey": MaxKey, "illegal": Illegal}[kind]()


def nested(levels: int, inner: bytes = b"\x30") -> bytes:
    """`inner` within so many compact arrays."""
    for _ in range(levels):
        inner = compact(0x13, [inner])
    return inner


def varint(number: int) -> bytes:
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F)
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def compact(head: int, items: list[bytes]) -> bytes:
    count = varint(len(items) // (1 if head == 0x13 else 2))[::-1]
    content = b"".join(items) + count
    for width in range(1, 9):
        length = varint(1 + width + len(content))
        if len(length) == width:
            return bytes([head]) + length + content
    raise AssertionError("too large")


def framed(kind: int, items: list[bytes], index: list[int] | None, width: int, at: int) -> bytes:
    """A container with its items from byte `at` on; `index` numbers them in the index's order."""
    content = b"".join(items)
    step = {1: 0, 2: 1, 4: 2, 8: 3}[width]
    table = b""
    if index is not None:
        starts = [*accumulate(map(len, items), initial=at)]
        table = b"".join(starts[number].to_bytes(width, "little") for number in index)
    count = len(items).to_bytes(width, "little") if index is not None else b""
    behind = count if width == 8 else b""
    size = at + len(content) + len(table) + len(behind)
    front = bytes([kind + step]) + size.to_bytes(width, "little")
    front += b"" if width == 8 else count
    return front.ljust(at, b"\0") + content + table + behind


def width_of(kind: str, layout: str, size: int, count: int, has_index: bool) -> int:
    """Section 5, step 4."""
    n = count if has_index else 0
    if layout == "padding":
        one = 9 + size + n
        two = (9 if kind == "array" else 13) + size + 2 * n
        if not has_index:
            return 8
    else:
        one = 3 + size + n if has_index else 2 + size
        two = 9 + size + 2 * n
        if layout == "nopadding" and kind == "array":
            two = 5 + size + 2 * n if has_index else 3 + size
    if one <= 255:
        return 1
    if two <= 65535:
        return 2
    return 4 if 9 + size + 4 * n <= 2**32 - 1 else 8


def first_item(layout: str, width: int, has_index: bool) -> int:
    """Section 5, step 5."""
    bare = (layout == "flexible" and width == 1) or (layout == "nopadding" and width <= 2)
    return 1 + width * (2 if has_index else 1) if bare else 9


def encoded(value: Any, layout: str = "flexible") -> bytes:
    """Section 5 for all four layouts."""
    if isinstance(value, list):
        if not value:
            return b"\x01"
        items = [encoded(item, layout) for item in value]
        if layout == "unindexed":
            return compact(0x13, items)
        has_index = len(items) > 1 and len({len(item) for item in items}) > 1
        size, count = sum(map(len, items)), len(items)
        width = width_of("array", layout, size, count, has_index)
        at = first_item(layout, width, has_index)
        return framed(
            0x06 if has_index else 0x02, items, [*range(count)] if has_index else None, width, at
        )
    if isinstance(value, dict):
        if not value:
            return b"\x0a"
        pairs = [(encoded(name), encoded(item, layout)) for name, item in value.items()]
        if layout == "unindexed" or len(pairs) == 1:
            return compact(0x14, [part for pair in pairs for part in pair])
        items = [name + item for name, item in pairs]
        size, count = sum(map(len, items)), len(items)
        width = width_of("object", layout, size, count, True)
        utf8 = [name.encode() for name in value]
        index = sorted(range(count), key=lambda number: utf8[number])
        return framed(0x0B, items, index, width, first_item(layout, width, True))
    return encoded_scalar(value)


def encoded_scalar(value: Any) -> bytes:
    if value is None:
        return b"\x18"
    if isinstance(value, bool):
        return b"\x1a" if value else b"\x19"
    if isinstance(value, float):
        return b"\x1b" + struct.pack("<d", value)
    if isinstance(value, str):
        utf8 = str(value).encode()
        if len(utf8) <= 126:
            return bytes([0x40 + len(utf8)]) + utf8
        return b"\xbf" + struct.pack("<Q", len(utf8)) + utf8
    if -6 <= value <= 9:
        return bytes([0x30 + value if value >= 0 else 0x40 + value])
    for size in range(1, 9):
        if 0 <= value < 256**size:
            return bytes([0x27 + size]) + int(value).to_bytes(size, "little")
        if value < 0 and value >= -(256**size) // 2:
            return bytes([0x1F + size]) + int(value).to_bytes(size, "little", signed=True)
    return encoded_scalar(float(value))


def disguised(value: Any, chance: random.Random) -> bytes:
    """Some valid form of a value: widths, padding, order of the index and numbers by chance."""
    if isinstance(value, list):
        items = [disguised(item, chance) for item in value]
        return disguised_container(0x13, items, items, chance) if items else b"\x01"
    if isinstance(value, dict):
        if not value:
            return b"\x0a"
        pairs = [
            (disguised_name(name, chance), disguised(item, chance)) for name, item in value.items()
        ]
        parts = [part for pair in pairs for part in pair]
        return disguised_container(0x14, parts, [name + item for name, item in pairs], chance)
    if isinstance(value, str) and chance.random() < 0.3:
        utf8 = value.encode()
        return b"\xbf" + struct.pack("<Q", len(utf8)) + utf8
    if type(value) is int and chance.random() < 0.5:
        head, data = (0x28, value) if value >= 0 else (0x20, value % 2**64)
        if 0 <= value < 2**63 and chance.random() < 0.5:
            head = 0x20
        return bytes([head + 7]) + data.to_bytes(8, "little")
    return encoded_scalar(value)


def disguised_name(name: str, chance: random.Random) -> bytes:
    if name in NUMBERS and chance.random() < 0.7:
        number = NUMBERS[name]
        return chance.choice([bytes([0x30 + number]), bytes([0x28, number]), b"\x29%c\0" % number])
    return disguised(name, chance)


def disguised_container(
    head: int, parts: list[bytes], items: list[bytes], chance: random.Random
) -> bytes:
    """`parts` are names and values of an object one by one, `items` its pairs."""
    is_array = head == 0x13
    form = chance.choice(["compact", "index", "index", "plain"])
    if form == "plain" and not (is_array and len({len(item) for item in items}) == 1):
        form = "compact"
    if form == "compact":
        return compact(head, parts)
    index = None
    if form == "index":
        index = [*range(len(items))]
        if not is_array:
            chance.shuffle(index)
    size = sum(map(len, items))
    smallest = 9 + size + 8 * len(items)
    width = chance.choice([w for w in (1, 2, 4, 8) if smallest < 256**w])
    fields = 1 + width * (1 if index is None else 2)
    at = chance.choice([9, min(9, fields)])
    return framed(
        (0x06 if is_array else 0x0B) if index is not None else 0x02, items, index, width, at
    )
