"""Compressed bodies are unpacked piece by piece, and refused when they are none."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable

import pytest

from arangorep.codec.compression import PIECE_BYTES, Decompressor
from arangorep.errors import BadParameter

PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}

DATA = [
    b"",
    b"x",
    b'{"a":1}' * 1000,
    random.Random(1).randbytes(100_000),
    b"\0" * (PIECE_BYTES * 5 + 1),
]


def unpack(coding: str, chunks: list[bytes]) -> bytes:
    unpacker = Decompressor.of(coding)
    assert unpacker is not None
    pieces = [piece for chunk in chunks for piece in unpacker.feed(chunk)]
    unpacker.finish()
    assert all(0 < len(piece) <= PIECE_BYTES for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("data", DATA, ids=lambda data: f"{len(data)} bytes")
@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize("step", [1, 7, 1_000_000])
def test_a_body_in_chunks(coding: str, data: bytes, step: int) -> None:
    packed = PACKERS[coding](data)
    chunks = [packed[start : start + step] for start in range(0, len(packed), step)]
    assert unpack(coding, chunks) == data


@pytest.mark.parametrize("spelling", ["gzip", "GZip", " gzip "])
def test_spellings_of_a_coding(spelling: str) -> None:
    assert unpack(spelling, [gzip.compress(b"x")]) == b"x"


@pytest.mark.parametrize("coding", ["", "identity", "br", "zstd", "x-arango-lz4", "gzip, deflate"])
def test_other_codings_are_not_ours(coding: str) -> None:
    assert Decompressor.of(coding) is None


@pytest.mark.parametrize("coding", PACKERS)
@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-1],
        lambda packed: packed[:1],
        lambda packed: b"",
        lambda packed: packed + b"x",
        lambda packed: packed + packed,
        lambda packed: b"x" + packed,
        lambda packed: packed[:-6] + b"\xff" * 6,
        lambda packed: b'{"not":"packed"}',
    ],
)
def test_damaged_bodies(coding: str, damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(BadParameter):
        unpack(coding, [damage(PACKERS[coding](b'{"a":1}' * 100))])
