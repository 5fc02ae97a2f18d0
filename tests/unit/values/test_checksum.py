"""The checksum of a document (data-api 5.7): recorded values first, the arithmetic after."""

from typing import Any

import pytest
from xxhash import xxh64_intdigest

from arangorep.values.checksum import document_checksum

MASK = 2**64 - 1


def plain(document: dict[str, Any]) -> int:
    return document_checksum(document, with_revisions=False, with_data=False)


def revisions(document: dict[str, Any]) -> int:
    return document_checksum(document, with_revisions=True, with_data=False)


def data(document: dict[str, Any]) -> int:
    return document_checksum(document, with_revisions=False, with_data=True)


def document(key: str, **attributes: Any) -> dict[str, Any]:
    return {"_key": key, "_id": f"c/{key}", "_rev": "_l6zhVTW---", **attributes}


@pytest.mark.parametrize(
    ("key", "recorded"), [("70110", 9836063817044160056), ("68188", 17280409625463707261)]
)
def test_recorded_plain_values(key: str, recorded: int) -> None:
    assert plain(document(key, foo="bar")) == recorded


@pytest.mark.parametrize(
    ("key", "recorded"), [("70128", 17800770730844203714), ("68197", 3607295829036387123)]
)
def test_recorded_values_with_data(key: str, recorded: int) -> None:
    assert data(document(key, foo="bar")) == recorded


def test_the_derived_id_may_be_left_out() -> None:
    whole = document("1", foo="bar")
    stored = {name: value for name, value in whole.items() if name != "_id"}
    assert data(stored) == data(whole)


def test_revisions_are_added_to_the_key() -> None:
    expected = xxh64_intdigest(b"\x411", 0xDEADBEEF)
    expected += xxh64_intdigest(b"\x4b_l6zhVTW---", 0xDEADBEEF)
    assert revisions(document("1", foo="bar")) == expected & MASK


def test_data_counts_revisions_only_when_asked() -> None:
    first, second = document("1", foo="bar"), {**document("1", foo="bar"), "_rev": "other"}
    assert data(first) == data(second)
    both = [document_checksum(d, with_revisions=True, with_data=True) for d in (first, second)]
    assert both[0] != both[1]


def test_long_keys_carry_a_long_length() -> None:
    short = xxh64_intdigest(b"\xbe" + b"k" * 126, 0xDEADBEEF)
    long = xxh64_intdigest(b"\xbf\x7f" + bytes(7) + b"k" * 127, 0xDEADBEEF)
    assert plain(document("k" * 126)) == short
    assert plain(document("k" * 127)) == long


def test_the_order_of_attributes_does_not_count() -> None:
    first = document("1", b=1, a=[1], é=2, z={})
    assert data(first) == data(dict(reversed(first.items())))
    # Inside objects it cannot count, because pairs are mixed by XOR alone.
    assert data(document("1", o={"a": 1, "b": 2})) == data(document("1", o={"b": 2, "a": 1}))


def hashed(content: bytes, seed: int) -> int:
    return xxh64_intdigest(content, seed)


def word(number: int) -> bytes:
    return number.to_bytes(8, "little")


SEED = 0x5D1912303E87BDA9
"""What four members give; the recorded values confirm it below."""

NUMBER = bytes.fromhex("000000000000f83f")  # 1.5 as a double


def array_of_null_and_number() -> int:
    mixed = hashed(word(2 ^ 0xBA5BEDF00D), SEED)
    mixed ^= hashed(b"\x18", mixed)
    return mixed ^ hashed(NUMBER, mixed)


def object_of_true_and_false() -> int:
    inner = hashed(word(2 ^ 0xF00BA44BA5), SEED)
    first, second = hashed(b"\x41x", inner), hashed(b"\x41y", inner)
    return inner ^ first ^ hashed(b"\x1a", first) ^ second ^ hashed(b"\x19", second)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bar", hashed(b"\x43bar", SEED)),
        ("é" * 64, hashed(b"\xbf\x80" + bytes(7) + "é".encode() * 64, SEED)),
        (None, hashed(b"\x18", SEED)),
        (False, hashed(b"\x19", SEED)),
        (True, hashed(b"\x1a", SEED)),
        (1.5, hashed(NUMBER, SEED)),
        (2, hashed(bytes(7) + b"\x40", SEED)),
        ([], hashed(word(0xBA5BEDF00D), SEED)),
        ({}, hashed(word(0xF00BA44BA5), SEED)),
        ([None, 1.5], array_of_null_and_number()),
        ({"x": True, "y": False}, object_of_true_and_false()),
    ],
)
def test_values_by_the_published_steps(value: Any, expected: int) -> None:
    checksum = hashed(b"\x4570128", 0xDEADBEEF)
    checksum ^= hashed(b"\x43foo", SEED) ^ 0xBA5BEFD00D
    checksum = (checksum + (expected ^ 0xD4129F526421)) & MASK
    assert data(document("70128", foo=value)) == checksum
    if value == "bar":
        assert checksum == 17800770730844203714


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"a": None},
    {"a": False},
    {"a": True},
    {"a": 0},
    {"a": 1},
    {"a": -1},
    {"a": 0.5},
    {"a": ""},
    {"a": "0"},
    {"a": []},
    {"a": {}},
    {"a": [None]},
    {"a": [[]]},
    {"a": [1, 2]},
    {"a": [2, 1]},
    {"a": [1, 2, 3]},
    {"a": {"x": 1}},
    {"a": {"x": 2}},
    {"a": {"y": 1}},
    {"a": {"x": {"y": 1}}},
    {"b": None},
    {"a": 1, "b": 2},
    {"a": 2, "b": 1},
    {"_from": "a/1", "_to": "a/2"},
    {"_from": "a/2", "_to": "a/1"},
]


def test_different_content_has_different_checksums() -> None:
    checksums = [data(document("1", **attributes)) for attributes in DIFFERENT]
    assert len(set(checksums)) == len(DIFFERENT)
    assert all(0 <= checksum <= MASK for checksum in checksums)


def test_numbers_count_by_their_value() -> None:
    assert data(document("1", a=1)) == data(document("1", a=1.0))
    assert data(document("1", a=2**64 - 1)) == data(document("1", a=float(2**64)))
