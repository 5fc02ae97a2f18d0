"""Arrays and objects that announce something else than they hold, and lengths that lie."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.velocypack import (
    COLLECTIONS,
    VECTORS,
    compact,
    disguised,
    encoded,
    framed,
    same,
    values,
)

from arangorep.codec.velocypack import compact_array, decode, decode_all, encode, split
from arangorep.errors import CorruptedJson

VALID = [bytes.fromhex(vector["hex"]) for vector in VECTORS["vectors"]]
NO_NAMES = [
    *(b"\x30", b"\x36", b"\x39", b"\x3f", b"\x20\x01", b"\x28\x00", b"\x2f" + b"\xff" * 8),
    *(b"\x18", b"\x1a", b"\x01", b"\x0a", b"\x1b" + bytes(8), b"\xc0\x01a", b"\xf3" + bytes(8)),
]
MODES: list[dict[str, Any]] = [
    {},
    {"collections": "users"},
    {"collections": COLLECTIONS.get, "typed": True},
]
BAD = [bytes.fromhex(vector["hex"]) for vector in VECTORS["malformed"] + VECTORS["stricter"]]


def assert_refused(data: bytes) -> None:
    with pytest.raises(CorruptedJson, match=r"^VPackError error: "):
        decode(data, collections="users", typed=True)


def judged(data: bytes) -> None:
    """A value or the one error, in each mode; and cutting agrees with reading."""
    messages = []
    for options in MODES:
        try:
            decode(data, **options)
        except CorruptedJson as error:
            messages.append(error.message)
    assert all(message.startswith("VPackError error: ") for message in messages)
    several = values_or_none(lambda: [*decode_all(data)])
    parts = values_or_none(lambda: split(data))
    if several is not None:
        assert parts is not None
        assert b"".join(parts) == data
        assert same([decode(part) for part in parts], several)


def values_or_none(read: Callable[[], list[Any]]) -> list[Any] | None:
    try:
        return read()
    except CorruptedJson:
        return None


class TestFrames:
    @pytest.mark.parametrize("data", ["", "00", "0b", "13", "14"])
    def test_nothing_behind_the_head(self, data: str) -> None:
        assert_refused(bytes.fromhex(data))

    @pytest.mark.parametrize(
        "data",
        [
            "1303 00",  # a count of nothing
            "1304 3100",
            "1403 00",
            "1403 01",
            "1404 4101",
            "1481 0041613101",  # a length within itself
            "13ff",
            "1380808080808080808001",  # a length of nine groups
            "130f 31 8180808080808080808080 01",  # a count of too many groups
            "1307 31818080 01",
            "13ffffffffffffff7f3101",
        ],
    )
    def test_compact_ones(self, data: str) -> None:
        assert_refused(bytes.fromhex(data))

    def test_varints_with_idle_groups_are_read(self) -> None:
        assert decode(bytes.fromhex("13 8500 31 01")) == [1]
        assert decode(bytes.fromhex("13 05 31 00 81")) == [1]
        assert decode(bytes.fromhex("13 8b808080808080 00 31 01")) == [1]

    @pytest.mark.parametrize("width", [1, 2, 4, 8])
    @pytest.mark.parametrize("kind", [0x06, 0x0B])
    def test_lengths_and_counts_that_lie(self, kind: int, width: int) -> None:
        items = [b"\x41a\x31", b"\x41b\x32"] if kind == 0x0B else [b"\x41a", b"\x31"]
        good = framed(kind, items, [0, 1], width, 9)
        assert len(decode(good)) == 2
        count_at = len(good) - 8 if width == 8 else 1 + width
        lies = [0, 1, 3, len(good) - 1, len(good) + 1, 2 ** (8 * width - 1), 256**width - 1]
        lies += [256**width // width - 1, 2**61 % 256**width, 2**61 % 256**width + 2]
        for lie in lies:
            assert_refused(good[:1] + lie.to_bytes(width, "little") + good[1 + width :])
            if lie != 2:
                number = lie.to_bytes(width, "little")
                assert_refused(good[:count_at] + number + good[count_at + width :])

    @pytest.mark.parametrize("width", [1, 2, 4, 8])
    def test_plain_lengths_that_lie(self, width: int) -> None:
        good = framed(0x02, [b"\x31", b"\x32"], None, width, 9)
        assert decode(good) == [1, 2]
        for lie in (0, 1, width, width + 1, 9, len(good) + 1, 256**width - 1):
            assert_refused(good[:1] + lie.to_bytes(width, "little") + good[1 + width :])

    @pytest.mark.parametrize("head", [0xBF, 0xC7, 0xFD, 0xFE, 0xFF])
    @pytest.mark.parametrize("length", [3, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 9, 2**64 - 1])
    def test_lengths_near_the_ends_of_integers(self, head: int, length: int) -> None:
        data = bytes([head]) + length.to_bytes(8, "little") + b"ab"
        for whole in (data, compact(0x13, [data]), compact(0x14, [b"\x41a", data])):
            assert_refused(whole)
        with pytest.raises(CorruptedJson):
            split(data)

    @pytest.mark.parametrize("width", [1, 2, 4])
    @pytest.mark.parametrize("kind", [0x02, 0x06])
    def test_padding_is_all_or_nothing(self, kind: int, width: int) -> None:
        index = [0, 1] if kind == 0x06 else None
        fields = 1 + width * (2 if index else 1)
        for at in range(fields, 13):
            data = framed(kind, [b"\x31", b"\x32"], index, width, at)
            if at in (fields, 9):
                assert decode(data) == [1, 2]
            else:
                assert_refused(data)
        if fields < 9:
            padded = bytearray(framed(kind, [b"\x31", b"\x32"], index, width, 9))
            padded[8] = 0x31
            assert_refused(bytes(padded))


class TestIndexes:
    @pytest.mark.parametrize("width", [1, 2, 4, 8])
    def test_every_wrong_entry_is_refused(self, width: int) -> None:
        for kind, items in ((0x06, [b"\x31", b"\x41a", b"\x32"]), (0x0B, [b"\x41a1", b"\x41b2"])):
            good = framed(kind, items, [*range(len(items))], width, 9)
            decode(good)
            table = len(good) - width * len(items) - (8 if width == 8 else 0)
            for at in range(table, table + width * len(items)):
                for change in (1, 2, 0x80, 0xFF):
                    bad = bytearray(good)
                    bad[at] ^= change
                    assert_refused(bytes(bad))

    def test_an_array_has_its_index_in_order_and_an_object_need_not(self) -> None:
        assert_refused(framed(0x06, [b"\x31", b"\x41a"], [1, 0], 1, 3))
        assert decode(framed(0x0B, [b"\x41a1", b"\x41b2"], [1, 0], 1, 3)) == {"a": 1, "b": 2}

    @pytest.mark.parametrize("index", [[0, 0], [1, 1]])
    def test_entries_for_one_pair_twice(self, index: list[int]) -> None:
        assert_refused(framed(0x0B, [b"\x41a1", b"\x41b2"], index, 1, 3))


class TestNames:
    @pytest.mark.parametrize("name", NO_NAMES, ids=bytes.hex)
    def test_only_texts_and_the_five_numbers(self, name: bytes) -> None:
        assert_refused(compact(0x14, [name, b"\x31"]))

    @pytest.mark.parametrize("other", [b"\x31", b"\x28\x01", b"\xbf\x04" + bytes(7) + b"_key"])
    def test_one_name_twice(self, other: bytes) -> None:
        assert_refused(compact(0x14, [b"\x44_key", b"\x41a", other, b"\x41a"]))
        pairs = [b"\x44_key\x41a", other + b"\x41a"]
        assert_refused(framed(0x0B, pairs, [0, 1], 1, 3))

    @pytest.mark.parametrize(
        "name", [b"\x42\xc0\x80", b"\x43\xed\xa0\x80", b"\x41\xff", b"\x42\xc3a"]
    )
    def test_texts_that_are_no_utf8(self, name: bytes) -> None:
        assert_refused(name)
        assert_refused(compact(0x14, [name, b"\x31"]))
        assert_refused(b"\xbf" + (len(name) - 1).to_bytes(8, "little") + name[1:])


class TestAnyBytes:
    @given(values, st.integers(0, 2**32))
    def test_a_cut_off_value_is_refused(self, value: Any, seed: int) -> None:
        data = disguised(value, random.Random(seed))
        for size in {*range(min(len(data), 40)), *range(max(0, len(data) - 40), len(data))}:
            assert_refused(data[:size])

    @pytest.mark.parametrize("data", VALID, ids=lambda data: data[:8].hex())
    def test_every_front_of_a_vector_is_refused(self, data: bytes) -> None:
        for size in range(len(data)):
            assert_refused(data[:size])
        assert_refused(data + b"\x18")

    @given(st.binary(max_size=60))
    def test_random_bytes(self, data: bytes) -> None:
        judged(data)

    @given(st.sampled_from(VALID + BAD), st.integers(0, 2**32))
    def test_changed_bytes_of_vectors(self, data: bytes, seed: int) -> None:
        judged(mutated(data, random.Random(seed)))

    @given(values, st.integers(0, 2**32))
    def test_changed_bytes_of_values(self, value: Any, seed: int) -> None:
        chance = random.Random(seed)
        judged(mutated(disguised(value, chance), chance))

    @pytest.mark.parametrize("head", range(256))
    def test_every_head_before_simple_bytes(self, head: int) -> None:
        chance = random.Random(head)
        for size in range(24):
            judged(bytes([head]) + b"\x01" * size)
            judged(bytes([head]) + b"\xff" * size)
            judged(bytes([head, size + 2]) + chance.randbytes(size))


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, removed or doubled; lengths now and then put right again."""
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1 if at < len(changed):
                changed[at] = chance.choice([0, 1, 0x31, 0x40, 0x80, 0xFF, chance.randrange(256)])
            case 2:
                del changed[at : at + chance.randrange(1, 4)]
            case 3:
                changed[at:at] = chance.randbytes(chance.randrange(1, 4))
            case _:
                changed[at:at] = changed[at : at + chance.randrange(1, 10)]
    if len(changed) > 1 and chance.random() < 0.5:
        changed[1] = len(changed) & 0xFF
    return bytes(changed)


GROWING: dict[str, Callable[[int], bytes]] = {
    "compact array": lambda n: compact_array([b"\x31"] * n),
    "compact array of arrays": lambda n: compact_array([b"\x01"] * n),
    "plain array": lambda n: encode([None] * n),
    "indexed array": lambda n: encode([1, 100] * (n // 2)),
    "object": lambda n: encode({f"{number}": 1 for number in range(n)}),
    "many small objects": lambda n: encode([{"a": 1, "b": 2}] * (n // 4)),
    "one name many times": lambda n: compact(0x14, [b"\x41a\x31"] * n),
    "too many items": lambda n: b"\x13" + compact_array([b"\x31"] * n)[1:-1] + b"\x01",
    "deep and wide": lambda n: deep(n),
    "a long text": lambda n: encode("é" * n),
    "a cut off text in each item": lambda n: compact_array([b"\xbf" + b"\xff" * 8] * n),
}


def deep(size: int) -> bytes:
    """Arrays within arrays, each with its share of items before the inner one."""
    data = b"\x31"
    for _ in range(190):
        data = encoded_array([b"\x31"] * (size // 190) + [data])
    return data


def encoded_array(items: list[bytes]) -> bytes:
    return (
        framed(0x06, items, [*range(len(items))], 4, 9)
        if len(items) < 500
        else compact_array(items)
    )


class Counted(bytes):
    """Counts the bytes that are taken out of it, one by one or as a copy."""

    taken = 0

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        self.taken += 1 if isinstance(part, int) else len(part)
        return part


def decode_one(data: bytes) -> list[Any]:
    return [decode(data)]


@pytest.mark.parametrize("name", GROWING)
def test_work_grows_with_the_bytes(name: str) -> None:
    for size in (2_000, 40_000):
        data = Counted(GROWING[name](size))
        values_or_none(partial(decode_one, data))
        assert data.taken < 6 * len(data) + 1_000


def test_bytes_of_the_tests_are_equal_to_those_of_the_encoder() -> None:
    assert encoded_array([b"\x31"] * 500) == compact(0x13, [b"\x31"] * 500)
    assert encoded([1, "a"]) == framed(0x06, [b"\x31", b"\x41a"], [0, 1], 1, 3)
