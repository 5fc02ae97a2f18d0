"""The checksum of a document; a collection's checksum is the XOR over all of its documents.

A collection checksum compares two servers, so every bit follows the published arithmetic: 64-bit
words that wrap around, XXH64 over VelocyPack-like strings. Source: data-api 5.7.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from xxhash import xxh64_intdigest

from arangorep.values.document import SYSTEM_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MASK: Final = 2**64 - 1
_SEED: Final = 0xDEADBEEF
_KEYS_START: Final = 0x012345678
_OBJECT_LENGTH: Final = 0xF00BA44BA5
_ARRAY_LENGTH: Final = 0xBA5BEDF00D
_ATTRIBUTE_NAME: Final = 0xBA5BEFD00D
_ATTRIBUTE_VALUE: Final = 0xD4129F526421

_FAST_MULTIPLIER: Final = 0x880355F21E6D1965
_FAST_SEED: Final = 0xDEADF054

_SHORT_STRING_MAX: Final = 126
"""Bytes; longer strings carry an eight-byte length."""

_double = struct.Struct("<d").pack
_word = struct.Struct("<Q").pack


def document_checksum(document: Mapping[str, Any], *, with_revisions: bool, with_data: bool) -> int:
    """The 64-bit checksum of a document with its `_key` and `_rev`; `_id` may be left out.

    The order of attributes does not count, neither at the top nor inside objects.
    Source: data-api 5.7.
    """
    checksum = _text(document["_key"], _SEED)
    if with_revisions:
        checksum = (checksum + _text(document["_rev"], _SEED)) & _MASK
    if with_data:
        checksum = _add_data(checksum, document)
    return checksum


def _add_data(checksum: int, document: Mapping[str, Any]) -> int:
    names = sorted((n for n in document if n not in SYSTEM_ATTRIBUTES), key=str.encode)
    # Counted this way a stored document without its derived `_id` gives the same number.
    members = len(names) + len(SYSTEM_ATTRIBUTES)
    seed = _fast_hash(members ^ _OBJECT_LENGTH)
    for name in names:
        checksum ^= _text(name, seed) ^ _ATTRIBUTE_NAME
        checksum = (checksum + (_value(document[name], seed) ^ _ATTRIBUTE_VALUE)) & _MASK
    return checksum


def _value(value: Any, seed: int) -> int:
    if isinstance(value, str):
        return _text(value, seed)
    if value is None:
        return xxh64_intdigest(b"\x18", seed)
    if isinstance(value, bool):
        return xxh64_intdigest(b"\x1a" if value else b"\x19", seed)
    if isinstance(value, int | float):
        return xxh64_intdigest(_double(value), seed)
    if isinstance(value, dict):
        return _object(value, seed)
    return _array(value, seed)


def _array(elements: list[Any], seed: int) -> int:
    checksum = xxh64_intdigest(_word(len(elements) ^ _ARRAY_LENGTH), seed)
    for element in elements:
        checksum ^= _value(element, checksum)
    return checksum


def _object(members: dict[str, Any], seed: int) -> int:
    length_seed = xxh64_intdigest(_word(len(members) ^ _OBJECT_LENGTH), seed)
    checksum = length_seed
    for name, member in members.items():
        name_seed = _text(name, length_seed)
        checksum ^= name_seed ^ _value(member, name_seed)
    return checksum


def _text(text: str, seed: int) -> int:
    encoded = text.encode()
    if len(encoded) <= _SHORT_STRING_MAX:
        return xxh64_intdigest(bytes((0x40 + len(encoded),)) + encoded, seed)
    return xxh64_intdigest(b"\xbf" + _word(len(encoded)) + encoded, seed)


def _fast_hash(word: int) -> int:
    """Fasthash64 of one eight-byte word."""
    start = _FAST_SEED ^ (8 * _FAST_MULTIPLIER & _MASK)
    return _fast_mix((start ^ _fast_mix(word)) * _FAST_MULTIPLIER & _MASK)


def _fast_mix(word: int) -> int:
    word ^= word >> 23
    word = word * 0x2127599BF4325C37 & _MASK
    return word ^ word >> 47


def keys_hash(pairs: Iterable[tuple[str, str]]) -> int:
    """The hash of a chunk of keys and their revisions as text. Source: leader-api 5.2."""
    total = _KEYS_START
    for key, revision in pairs:
        total ^= hash_string(key) ^ hash_string(revision)
    return total


def hash_string(text: str) -> int:
    """XXH64 over the VelocyPack form of a string. Source: leader-api 5.2."""
    return _text(text, _SEED)
