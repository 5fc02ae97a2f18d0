"""Reading VelocyPack: all valid forms, the types JSON lacks, stored `_id`s, values in a row."""

from __future__ import annotations

import random
import struct
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.velocypack import disguised, encoded, nested, same, values

from arangorep.codec.velocypack import (
    Binary,
    Collections,
    Custom,
    Illegal,
    MaxKey,
    MinKey,
    Tagged,
    UtcDate,
    decode,
    decode_all,
    encode,
)
from arangorep.errors import CorruptedJson
from arangorep.limits import VELOCYPACK_DEPTH_MAX

STORED = bytes.fromhex(
    "0b2c04314331323333f36712000000000000324b5f68563469766d2d2d2d2d446e616d6543416e6e0803121f"
)
DOCUMENT = {"_key": "123", "_id": "users/123", "_rev": "_hV4ivm----", "name": "Ann"}


def stored_id(number: int) -> bytes:
    return b"\xf3" + struct.pack("<Q", number)


@given(values, st.sampled_from(["flexible", "nopadding", "padding", "unindexed"]))
def test_all_layouts_of_a_builder_are_read(value: Any, layout: str) -> None:
    assert same(decode(encoded(value, layout)), value)


@given(values, st.integers(0, 2**32))
def test_every_valid_form_is_read(value: Any, seed: int) -> None:
    data = disguised(value, random.Random(seed))
    assert same(decode(data), value)
    assert same(decode(data, typed=True), value)


@given(st.lists(values, max_size=6), st.integers(0, 2**32))
def test_concatenated_values_are_read(several: list[Any], seed: int) -> None:
    chance = random.Random(seed)
    data = b"".join(disguised(value, chance) for value in several)
    assert same([*decode_all(data)], several)


def test_no_values_in_no_bytes() -> None:
    assert [*decode_all(b"")] == []
    with pytest.raises(CorruptedJson):
        decode(b"")


def test_values_before_a_bad_one_are_given() -> None:
    reading = decode_all(b"\x31\x32\x00\x33")
    assert [next(reading), next(reading)] == [1, 2]
    with pytest.raises(CorruptedJson):
        next(reading)


class TestTypesThatJsonLacks:
    @pytest.mark.parametrize(
        ("data", "plain", "typed"),
        [
            ("1c0068e5cf8b010000", 1_700_000_000_000, UtcDate(1_700_000_000_000)),
            ("1cffffffffffffffff", -1, UtcDate(-1)),
            ("c000", "", Binary(b"")),
            ("c002BEEF", "beef", Binary(b"\xbe\xef")),
            ("c70200000000000000beef", "beef", Binary(b"\xbe\xef")),
        ],
    )
    def test_dates_and_binaries(self, data: str, plain: Any, typed: Any) -> None:
        value = bytes.fromhex(data)
        assert same(decode(value), plain)
        assert decode(value, typed=True) == typed
        assert orjson.loads(orjson.dumps(decode(value))) == plain
        assert [*decode_all(value + value, typed=True)] == [typed, typed]

    @pytest.mark.parametrize(
        ("data", "typed"),
        [
            ("17", Illegal()),
            ("1e", MinKey()),
            ("1f", MaxKey()),
            ("1b000000000000f07f", float("inf")),
            ("1b000000000000f0ff", float("-inf")),
            ("1b000000000000f87f", float("nan")),
            ("f0ff", Custom(0xF0, b"\xff")),
            ("f1ffff", Custom(0xF1, b"\xff\xff")),
            ("f2ffffffff", Custom(0xF2, b"\xff" * 4)),
            ("f3ffffffffffffffff", Custom(0xF3, b"\xff" * 8)),
            ("f601aa", Custom(0xF6, b"\xaa")),
            ("f70100aa", Custom(0xF7, b"\xaa")),
            ("fc01000000aa", Custom(0xFC, b"\xaa")),
            ("ff0100000000000000aa", Custom(0xFF, b"\xaa")),
            ("ee0518", Tagged(5, None)),
            ("efffffffffffffffff18", Tagged(2**64 - 1, None)),
        ],
    )
    def test_others_are_refused_unless_asked_for(self, data: str, typed: Any) -> None:
        value = bytes.fromhex(data)
        assert same(decode(value, typed=True), typed)
        assert same(decode(encode([1])[:1] + b"%c" % (2 + len(value)) + value, typed=True), [typed])
        for refused in (value, b"\x13%c%b\x01" % (3 + len(value), value)):
            with pytest.raises(CorruptedJson):
                decode(refused)
            with pytest.raises(CorruptedJson):
                decode(refused, collections="users")

    @pytest.mark.parametrize("head", [0x00, 0x0F, 0x12, 0x15, 0x16, 0x1D, 0xC8, 0xD7, 0xD8, 0xED])
    def test_some_are_never_read(self, head: int) -> None:
        data = bytes([head]) + b"\x01" * 40
        for part in (data[:1], data[:9], data):
            with pytest.raises(CorruptedJson):
                decode(part, collections="users", typed=True)


class TestStoredIds:
    @pytest.mark.parametrize("collections", ["users", {4711: "users"}.get])
    def test_the_name_comes_from_the_context(self, collections: Collections) -> None:
        assert same(decode(STORED, collections=collections), DOCUMENT)
        assert [*decode_all(STORED * 2, collections=collections)] == [DOCUMENT] * 2

    def test_a_text_stays(self) -> None:
        assert decode(encode(DOCUMENT), collections="others") == DOCUMENT

    def test_it_is_refused_from_clients(self) -> None:
        with pytest.raises(CorruptedJson, match="0xf3"):
            decode(STORED)
        with pytest.raises(CorruptedJson):
            [*decode_all(STORED)]

    def test_typed_reading_keeps_it_without_names(self) -> None:
        value = decode(STORED, typed=True)
        assert value["_id"] == Custom(0xF3, struct.pack("<Q", 4711))

    def test_an_unknown_collection_is_refused(self) -> None:
        with pytest.raises(CorruptedJson, match="4711"):
            decode(STORED, collections={4712: "users"}.get)

    @pytest.mark.parametrize(
        "data",
        [
            b"\x33" + stored_id(1),  # no _key
            b"\x31\x31\x33" + stored_id(1),  # a _key that is a number
            b"\x31\x41k\x32" + stored_id(1),  # a _rev
            b"\x31\x41k\x41x" + stored_id(1),
            b"\x31\x41k\x33" + stored_id(1)[:-1],
        ],
    )
    def test_it_stands_only_beside_a_key(self, data: bytes) -> None:
        count = 1 if data[0] == 0x33 else 2
        whole = b"\x14%c%b%c" % (3 + len(data), data, count)
        with pytest.raises(CorruptedJson):
            decode(whole, collections="users")

    def test_the_key_may_come_later_and_levels_are_apart(self) -> None:
        inner = b"\x33" + stored_id(2) + b"\x44_key\x41b"
        inner = b"\x14%c%b\x02" % (3 + len(inner), inner)
        outer = b"\x43_id" + stored_id(1) + b"\x41x" + inner + b"\x31\x41a"
        outer = b"\x14%c%b\x03" % (3 + len(outer), outer)
        expected = {"_id": "one/a", "x": {"_id": "two/b", "_key": "b"}, "_key": "a"}
        assert same(decode(outer, collections={1: "one", 2: "two"}.get), expected)


class TestDepth:
    def test_the_deepest_is_read(self) -> None:
        value = decode(nested(VELOCYPACK_DEPTH_MAX))
        for _ in range(VELOCYPACK_DEPTH_MAX):
            (value,) = value
        assert value == 0

    @pytest.mark.parametrize("inner", [b"\x01", b"\x0a", encode([1]), encode({"a": 1})])
    def test_one_more_level_is_refused(self, inner: bytes) -> None:
        decode(nested(VELOCYPACK_DEPTH_MAX - 1, inner))
        with pytest.raises(CorruptedJson, match="Too deep nesting in Array/Object"):
            decode(nested(VELOCYPACK_DEPTH_MAX, inner))

    @pytest.mark.parametrize("levels", [1000, 20_000])
    def test_hostile_depth_is_refused(self, levels: int) -> None:
        for data in (nested(levels), b"\xee\x01" * levels + b"\x18"):
            with pytest.raises(CorruptedJson):
                decode(data, typed=True)

    def test_tags_count_as_levels(self) -> None:
        decode(b"\xee\x01" * VELOCYPACK_DEPTH_MAX + b"\x18", typed=True)
        with pytest.raises(CorruptedJson, match="Too deep"):
            decode(b"\xee\x01" * (VELOCYPACK_DEPTH_MAX + 1) + b"\x18", typed=True)

    def test_a_caller_that_is_itself_deep_down(self) -> None:
        data = nested(VELOCYPACK_DEPTH_MAX)

        def within(levels: int) -> Any:
            return within(levels - 1) if levels else decode(data)

        assert same(within(100), decode(data))
        outcomes = set()
        for levels in range(600, 990, 10):
            try:
                outcomes.add(type(within(levels)))
            except CorruptedJson:
                outcomes.add(CorruptedJson)
            except RecursionError:
                break
        assert CorruptedJson in outcomes
