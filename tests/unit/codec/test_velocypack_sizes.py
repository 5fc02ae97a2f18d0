"""Finding where values end without decoding them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.velocypack import compact, disguised, values

from arangorep.codec.velocypack import decode, encode, split, value_size
from arangorep.errors import CorruptedJson


@given(st.lists(values, max_size=6), st.integers(0, 2**32))
def test_values_are_cut_apart(several: list[Any], seed: int) -> None:
    chance = random.Random(seed)
    parts = [disguised(value, chance) for value in several]
    data = b"".join(parts)
    assert split(data) == parts
    at = 0
    for part in parts:
        assert value_size(data, at) == len(part)
        at += len(part)
    assert value_size(data, at) is None


@given(values, st.integers(0, 2**32))
def test_a_size_is_known_after_nine_bytes(value: Any, seed: int) -> None:
    data = disguised(value, random.Random(seed))
    known = [value_size(data[:size]) for size in range(len(data) + 1)]
    assert known[0] is None
    assert set(known) <= {None, len(data)}
    assert all(size == len(data) for size in known[9:])


@given(st.lists(values, min_size=1, max_size=4), st.data())
def test_a_last_value_that_is_cut_off(several: list[Any], data: st.DataObject) -> None:
    whole = [encode(value) for value in several]
    rest = data.draw(st.integers(1, len(whole[-1])))
    cut = b"".join(whole)[:-rest]
    if rest == len(whole[-1]):
        assert split(cut) == whole[:-1]
    else:
        with pytest.raises(CorruptedJson):
            split(cut)


@pytest.mark.parametrize("head", [0x00, 0x0F, 0x12, 0x15, 0x16, 0x1D, 0xC8, 0xD7, 0xD8, 0xEE, 0xEF])
def test_heads_that_nobody_sends(head: int) -> None:
    for data in (bytes([head]), bytes([head]) + b"\x01" * 30):
        with pytest.raises(CorruptedJson):
            value_size(data)
        with pytest.raises(CorruptedJson):
            split(data)


@pytest.mark.parametrize(
    "data",
    [
        *("0200", "0201", "0202", "03030031", "04050000", "0500", "060231", "0703000000"),
        *("09080000000000000031", "1300", "1303", "138000", "1480808080808080800101"),
    ],
)
def test_lengths_that_are_impossible(data: str) -> None:
    for behind in (b"", b"\0" * 20):
        with pytest.raises(CorruptedJson):
            split(bytes.fromhex(data) + behind)


def test_lengths_beyond_every_buffer_are_told_but_not_cut() -> None:
    data = b"\xbf" + b"\xff" * 8
    assert value_size(data) == 2**64 + 8
    with pytest.raises(CorruptedJson):
        split(data)


def test_content_is_not_judged() -> None:
    bad = compact(0x13, [b"\x00", b"\x41\xff"])
    assert split(bad + b"\x31") == [bad, b"\x31"]
    with pytest.raises(CorruptedJson):
        decode(bad)
