"""Building VelocyPack: equal to a slow encoder, at all boundaries, and from JSON texts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.velocypack import compact, encoded, same, values

from arangorep.codec.velocypack import (
    compact_array,
    decode,
    decode_all,
    encode,
    encode_json,
    encode_json_rows,
    encoder,
)
from arangorep.errors import CorruptedJson


def texts_of_total(size: int, items: int) -> list[str]:
    """Texts whose encoded forms have `size` bytes together; not all of equal length."""
    one = min(100, size // items - 2)
    rest = size - (items - 1) * (1 + one)
    while 127 < rest <= 9 + 126:  # no text has such a size
        one -= 1
        rest += items - 1
    texts = ["x" * one] * (items - 1) + ["y" * (rest - 1 if rest <= 127 else rest - 9)]
    assert sum(len(encode(text)) for text in texts) == size
    return texts


@given(values)
def test_bytes_are_those_of_the_slow_encoder(value: Any) -> None:
    assert encode(value) == encoded(value)


@given(values)
def test_what_is_encoded_comes_back(value: Any) -> None:
    assert same(decode(encode(value)), value)


@given(values)
def test_what_is_encoded_from_json_comes_back(value: Any) -> None:
    text = orjson.dumps(value)
    assert orjson.dumps(decode(encode_json(text))) == text


@given(st.lists(values, max_size=5))
def test_rows_of_json(documents: list[Any]) -> None:
    rows = [orjson.dumps(document) for document in documents]
    assert encode_json_rows(rows) == [encode(document) for document in documents]


@pytest.mark.parametrize("size", [*range(235, 275), *range(65_500, 65_560)])
@pytest.mark.parametrize("items", [2, 3, 6])
def test_arrays_and_objects_around_the_boundaries(size: int, items: int) -> None:
    texts = texts_of_total(size, items)
    named = {f"{999 - number}": text for number, text in enumerate(texts)}
    for value in (texts, named, [texts], [named, named]):
        data = encode(value)
        assert data == encoded(value)
        assert same(decode(data), value)


@pytest.mark.parametrize("size", [*range(240, 260), *range(65_515, 65_540)])
def test_arrays_of_items_of_one_size_around_the_boundaries(size: int) -> None:
    arrays: list[list[Any]] = [[None] * size, ["x" * (size - 1)], ["a"] * (size // 2), [[]] * size]
    for value in arrays:
        data = encode(value)
        assert data == encoded(value)
        assert same(decode(data), value)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 300, 16_383, 16_384])
def test_many_attributes(count: int) -> None:
    names = [f"{number * 7919 % 100_003}é" for number in range(count)]
    value = {name: number for number, name in enumerate(names)}
    assert encode(value) == encoded(value)
    assert same(decode(encode(value)), value)


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 128, 255, 256, 65_535, 65_536])
@pytest.mark.parametrize("letter", ["x", "é", "\U0001f600"])
def test_texts_by_length(length: int, letter: str) -> None:
    text = (letter * length)[: max(0, length // len(letter.encode()))] + "y" * (
        length % len(letter.encode())
    )
    assert len(text.encode()) == length
    forms: list[Any] = [text, [text], [text, 1], {text: text}, {text: 1, "a": text}]
    for value in forms:
        assert encode(value) == encoded(value)
        assert same(decode(encode(value)), value)


def test_integers_around_every_width() -> None:
    for bits in range(65):
        for value in (2**bits - 1, 2**bits, 2**bits + 1):
            for number in (value, -value):
                expected = encoded(number)
                assert encode(number) == expected
                fits = -(2**63) <= number < 2**64
                assert same(decode(expected), number if fits else float(number))


@pytest.mark.parametrize("width", [4, 8])
def test_containers_of_the_largest_widths(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """The real ones of 8 bytes have more than 4 GiB."""
    monkeypatch.setattr(encoder, "_ONE_BYTE_MAX", 0)
    monkeypatch.setattr(encoder, "_TWO_BYTES_MAX", 0)
    if width == 8:
        monkeypatch.setattr(encoder, "_FOUR_BYTES_MAX", 0)
    heads = {4: (0x04, 0x08, 0x0D), 8: (0x05, 0x09, 0x0E)}[width]
    for head, value in zip(heads, ([1, 2], [1, 200], {"b": 1, "a": [3]}), strict=True):
        assert encode(value)[0] == head
        assert same(decode(encode(value)), value)


@pytest.mark.parametrize(
    ("literal", "data"),
    [
        ("0", "30"),
        ("-0", "30"),
        ("-0.0", "1b0000000000000080"),
        ("1", "31"),
        ("1.0", "1b000000000000f03f"),
        ("1e0", "1b000000000000f03f"),
        ("1E+0", "1b000000000000f03f"),
        ("18446744073709551615", "2fffffffffffffffff"),
        ("18446744073709551616", "1b000000000000f043"),
        ("-9223372036854775808", "270000000000000080"),
        ("-9223372036854775809", "1b000000000000e0c3"),
        ('"\\ud83d\\ude00"', "44f09f9880"),
        ('{"a":1,"a":2}', "140641613201"),
    ],
)
def test_literals_of_json(literal: str, data: str) -> None:
    assert encode_json(literal.encode()).hex() == data


@pytest.mark.parametrize("text", [b"", b"{", b"1e400", b'"\\ud800"', b'"\xff"', b"NaN", b"1 2"])
def test_texts_that_are_no_json(text: bytes) -> None:
    with pytest.raises(CorruptedJson, match=r"^VPackError error: "):
        encode_json(text)
    with pytest.raises(CorruptedJson, match=r"^VPackError error: "):
        encode_json_rows([b"1", text])


def test_integers_beyond_64_bits_become_doubles() -> None:
    for value in (2**64, -(2**63) - 1, 10**300):
        assert encode(value) == encode(float(value))


def test_a_tuple_is_an_array() -> None:
    assert encode((1, "a")) == encode([1, "a"])


@pytest.mark.parametrize("value", [b"x", {1}, 1j, object()])
def test_other_types_are_refused(value: Any) -> None:
    for outer in (value, [value], {"a": value}, {"a": 1, "b": value}):
        with pytest.raises(TypeError, match="has no VelocyPack form"):
            encode(outer)


@pytest.mark.parametrize("name", [1, None, True, b"a"])
def test_other_names_are_refused(name: Any) -> None:
    for value in ({name: 1}, {"a": 1, name: 2}):
        with pytest.raises(TypeError, match="cannot be named"):
            encode(value)


@pytest.mark.parametrize("levels", [198, 300])
def test_deep_values_are_encoded(levels: int) -> None:
    for text in ("[" * levels + "]" * levels, '{"a":' * levels + "1" + "}" * levels):
        assert encode_json(text.encode()) == encode(json.loads(text))


def test_values_deeper_than_the_stack_are_refused() -> None:
    wrappers: list[Callable[[Any], Any]] = [lambda v: [v], lambda v: {"a": v, "b": 1}]
    for wrapped in wrappers:
        value = None
        for _ in range(5000):
            value = wrapped(value)
        with pytest.raises(CorruptedJson, match="Too deep nesting"):
            encode(value)
    with pytest.raises(CorruptedJson):
        encode_json(b"[" * 100_000)


def test_shapes_that_are_kept_are_bounded() -> None:
    """Names that never come twice, many names and long ones: the same bytes, bounded memory."""
    chance = random.Random(5)
    documents = [{f"{chance.random()}": 1, "b": 2} for _ in range(3000)]
    documents += [{f"{number}": 1 for number in range(500)}, {"x" * 5000: 1, "y" * 5000: 2}]
    for document in documents:
        assert encode(document) == encoded(document)
    assert len(encoder._shapes) <= 1024
    assert all(sum(map(len, names)) <= 4096 for names in encoder._shapes)


@pytest.mark.parametrize("count", [0, 1, 2, 127, 128, 16_383, 16_384, 100_000])
def test_compact_arrays(count: int) -> None:
    items = [encode(number) for number in range(count)]
    data = compact_array(items)
    assert data == (compact(0x13, items) if items else b"\x01")
    assert decode(data) == [*range(count)]
    assert [*decode_all(b"".join(items))] == [*range(count)]


@pytest.mark.parametrize("size", [*range(110, 130), *range(16_360, 16_390), 2**21 - 5, 2**21])
def test_compact_lengths_around_the_varint_boundaries(size: int) -> None:
    for text in ("x" * size, "x" * 100):
        items = [encode(text), encode("y" * (size - 100))]
        assert compact_array(items) == compact(0x13, items)
        assert encode({"a": text}) == encoded({"a": text})
        assert decode(compact_array(items)) == [text, "y" * (size - 100)]
