"""Items of a body that comes in pieces: the same whatever the pieces are."""

from __future__ import annotations

import json
from typing import Any

import msgpack
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.codec.splitting import (
    ArraySplitter,
    LineSplitter,
    Malformed,
    MessagePackSplitter,
    Splitter,
)

MAX = 1 << 20
TEXTS = st.text() | st.text('"\\[]{},: \n', max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=4)


def split(splitter: Splitter, data: bytes, piece: int) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(data), piece):
        found += splitter.feed(data[start : start + piece])
    return [*found, *splitter.finish()]


def refused(splitter: Splitter, data: bytes, piece: int) -> tuple[list[Any], Malformed]:
    """The items before the fault, and the fault."""
    found: list[Any] = []
    try:
        for start in range(0, len(data), piece):
            for item in splitter.feed(data[start : start + piece]):
                found.append(item)
        found += splitter.finish()
    except Malformed as fault:
        return found, fault
    raise AssertionError(f"taken for whole: {found}")


@given(st.lists(VALUES, max_size=8), st.integers(1, 40), st.booleans())
def test_an_array(values: list[Any], piece: int, is_wide: bool) -> None:
    data = json.dumps(values, indent=2 if is_wide else None, ensure_ascii=is_wide).encode(
        errors="surrogatepass"
    )
    try:
        expected = orjson.loads(data)
    except orjson.JSONDecodeError:
        refused(ArraySplitter(MAX), data, piece)
        return
    assert split(ArraySplitter(MAX), b" \n" + data + b"\r\n", piece) == expected


@given(st.lists(OBJECTS, max_size=8), st.integers(1, 40), st.booleans())
def test_lines(values: list[Any], piece: int, ends: bool) -> None:
    data = b"\n\n".join(map(orjson.dumps, values)) + b"\r\n" * ends
    splitter = LineSplitter(MAX)
    assert split(splitter, data, piece) == values
    assert splitter.blank == max(0, len(values) - 1) + (ends and not values)


@given(st.lists(OBJECTS, max_size=8), st.integers(1, 40), st.integers(0, 3))
def test_messagepack(values: list[Any], piece: int, form: int) -> None:
    packed = list(map(msgpack.packb, values))
    half = len(values) // 2
    data = [
        b"".join(packed),
        msgpack.packb(values),
        msgpack.packb(values[:half]) + b"".join(packed[half:]),
        b"".join(packed[:half]) + b"\x90\x90" + msgpack.packb(values[half:]),
    ][form]
    assert split(MessagePackSplitter(MAX), data, piece) == values


@pytest.mark.parametrize("piece", [1, 2, 1000])
@pytest.mark.parametrize(
    ("data", "items", "offset"),
    [
        (b"", 0, 0),
        (b" ", 0, 1),
        (b"{}", 0, 0),
        (b"[1", 0, 2),
        (b"[1,2", 1, 4),
        (b"[1,,2]", 1, 3),
        (b"[1,]", 1, 3),
        (b"[,]", 0, 1),
        (b"[1}", 0, 2),
        (b"[1] [", 1, 4),
        (b'["a]', 0, 4),
        (b'["\\', 0, 3),
        (b"[1,nan]", 1, 3),
        (b"[1,[2}]", 1, 3),
        (b"]", 0, 0),
    ],
)
def test_no_array(data: bytes, items: int, offset: int, piece: int) -> None:
    found, fault = refused(ArraySplitter(MAX), data, piece)
    assert len(found) == items
    assert abs(fault.offset - offset) <= 1
    assert fault.line == 0
    assert str(fault.offset) in str(fault)


@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_a_bad_line_is_named(piece: int) -> None:
    found, fault = refused(LineSplitter(MAX), b'{"a":1}\n\n{"b":2}\n{x}\n{"c":3}', piece)
    assert found == [{"a": 1}, {"b": 2}]
    assert (fault.line, fault.offset) == (4, 17)


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"\x80\xc1", 1),
        (b"\x80\x81\xa1a", 1),
        (b"\x92\x80", 2),
        (b"\x80\xdd\xff\xff\xff\xff", 6),
        (b"\x81\xa1\xff\x01", 0),
        (b"\xdc\x00", 0),
    ],
)
def test_no_messagepack(data: bytes, offset: int, piece: int) -> None:
    _, fault = refused(MessagePackSplitter(MAX), data, piece)
    assert fault.offset == offset


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (ArraySplitter, b'["' + b"x" * 3000 + b'"]'),
        (LineSplitter, b'"' + b"x" * 3000 + b'"\n'),
        (MessagePackSplitter, msgpack.packb("x" * 3000)),
    ],
)
def test_an_item_has_a_bound(kind: type[LineSplitter], data: bytes) -> None:
    _, fault = refused(kind(1000), data, 100)
    assert "too large" in fault.reason
    assert split(kind(4000), data, 100) == ["x" * 3000]


def test_claims_are_not_believed() -> None:
    """Arrays that claim four thousand million elements within each other cost nothing."""
    data = b"\x81\xa1a" + b"\xdd\xff\xff\xff\xff" * 900
    _, fault = refused(MessagePackSplitter(MAX), data, 1000)
    assert "cut off" in fault.reason
