"""The first byte of a value says its type and how its size is found (velocypack 1).

Ranges are named by their first byte; a length or width within a range is the distance from it.
"""

from __future__ import annotations

from typing import Any, Final

EMPTY_ARRAY: Final = 0x01
ARRAY: Final = 0x02
"""Items of one size, no index; `ARRAY + i` has a length field of `1 << i` bytes."""

INDEXED_ARRAY: Final = 0x06
EMPTY_OBJECT: Final = 0x0A
OBJECT: Final = 0x0B
COMPACT_ARRAY: Final = 0x13
COMPACT_OBJECT: Final = 0x14
ILLEGAL: Final = 0x17
NULL: Final = 0x18
FALSE: Final = 0x19
TRUE: Final = 0x1A
DOUBLE: Final = 0x1B
UTC_DATE: Final = 0x1C
MIN_KEY: Final = 0x1E
MAX_KEY: Final = 0x1F
SIGNED: Final = 0x20
"""Of one byte; the following heads up to `UNSIGNED` of one more each."""

UNSIGNED: Final = 0x28
SMALL: Final = 0x30
SMALL_NEGATIVE: Final = 0x3A
"""-6; the following heads up to `TEXT` are one more each."""

TEXT: Final = 0x40
LONG_TEXT: Final = 0xBF
BINARY: Final = 0xC0
BINARY_END: Final = 0xC8
TAG: Final = 0xEE
LONG_TAG: Final = 0xEF
CUSTOM: Final = 0xF0
"""Payloads of 1, 2, 4 and 8 bytes; the last of these is what `_id` is stored as (6.2)."""

CUSTOM_ID: Final = 0xF3
SIZED_CUSTOM: Final = 0xF4
"""Three heads each with a payload length of 1, 2, 4 and 8 bytes."""

WIDTHS: Final = {
    first + step: 1 << step for first in (ARRAY, INDEXED_ARRAY, OBJECT) for step in range(4)
}
"""Bytes of the length field, and of each entry where there is an index."""

LENGTH_WIDTHS: Final = {
    LONG_TEXT: 8,
    **{head: head - BINARY + 1 for head in range(BINARY, BINARY_END)},
    **{head: 1 << (head - SIZED_CUSTOM) // 3 for head in range(SIZED_CUSTOM, 0x100)},
}
"""Bytes of the length that stands behind the head and counts what follows it."""

FIXED_SIZES: Final = {
    **dict.fromkeys((EMPTY_ARRAY, EMPTY_OBJECT, ILLEGAL, NULL, FALSE, TRUE, MIN_KEY, MAX_KEY), 1),
    **dict.fromkeys((DOUBLE, UTC_DATE), 9),
    **{head: 2 + head - SIGNED for head in range(SIGNED, UNSIGNED)},
    **{head: 2 + head - UNSIGNED for head in range(UNSIGNED, SMALL)},
    **dict.fromkeys(range(SMALL, TEXT), 1),
    **{head: 1 + head - TEXT for head in range(TEXT, LONG_TEXT)},
    **{head: 1 + (1 << head - CUSTOM) for head in range(CUSTOM, SIZED_CUSTOM)},
}
"""Bytes of the whole value, where the head alone tells them."""

ONE_BYTE: Final[dict[int, Any]] = {
    NULL: None,
    FALSE: False,
    TRUE: True,
    **{head: head - SMALL for head in range(SMALL, SMALL_NEGATIVE)},
    **{head: head - TEXT for head in range(SMALL_NEGATIVE, TEXT)},
}
"""JSON values that are nothing but a head."""

ATTRIBUTE_NAMES: Final = {1: "_key", 2: "_rev", 3: "_id", 4: "_from", 5: "_to"}
"""Names that may be stored as numbers, at every level (6.1)."""
