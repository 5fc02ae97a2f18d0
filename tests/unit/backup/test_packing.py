"""Packed data comes back as it was, and hostile data is refused within bounds."""

from __future__ import annotations

import gzip
import random
import tracemalloc
from collections.abc import Iterator

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from arangorep.backup.packing import Bounds, Packer, line_blocks, packing_of, unpacked
from arangorep.backup.problems import DumpCorrupt

PACKINGS = ["gzip", "zstd", "none"]
PACKED = ["gzip", "zstd"]


def pack(data: bytes, packing: str) -> bytes:
    packer = Packer(packing)
    return packer.feed(data) + packer.finish()


def chunks(data: bytes, size: int = 1000) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def unpack(data: bytes, packing: str, **bounds: int) -> bytes:
    return b"".join(unpacked(chunks(data), packing, "x", Bounds(**bounds)))


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize(
    "data",
    [b"", b"x", random.Random(1).randbytes(300_000), b"\0" * 3_000_000],
    ids=["empty", "one", "random", "zeros"],
)
def test_a_round_trip(packing: str, data: bytes) -> None:
    packed = pack(data, packing)
    assert unpack(packed, packing) == data
    assert unpack(packed, packing, unpacked_bytes=len(data)) == data


def test_other_programs_read_it() -> None:
    data = b"line\n" * 1000
    assert gzip.decompress(pack(data, "gzip")) == data
    assert zstandard.decompress(pack(data, "zstd"), max_output_size=len(data)) == data


@pytest.mark.parametrize("packing", PACKED)
def test_several_members(packing: str) -> None:
    assert unpack(pack(b"one", packing) * 3 + pack(b"two", packing), packing) == b"oneoneonetwo"


def test_the_ending_tells_the_packing() -> None:
    names = ["a.data.json.gz", "a.data.json.zst", "a.data.json", "gz"]
    assert [packing_of(name) for name in names] == ["gzip", "zstd", "none", "none"]
    with pytest.raises(ValueError, match="unknown"):
        Packer("bzip2")


@pytest.mark.parametrize("packing", PACKED)
def test_every_cut_is_noticed(packing: str) -> None:
    packed = pack(b"some lines\n" * 20, packing)
    for end in range(len(packed)):
        with pytest.raises(DumpCorrupt, match=r"^x: is (cut off|damaged)"):
            unpack(packed[:end], packing)


@pytest.mark.parametrize("packing", PACKED)
def test_no_flipped_bit_gives_other_data(packing: str) -> None:
    data = random.Random(2).randbytes(50)
    packed = pack(data, packing)
    for at in range(len(packed) * 8):
        flipped = bytearray(packed)
        flipped[at // 8] ^= 1 << at % 8
        try:
            assert unpack(bytes(flipped), packing) == data
        except DumpCorrupt:
            continue


@pytest.mark.parametrize("packing", PACKED)
def test_foreign_data_is_refused(packing: str) -> None:
    for data in (b"{}\n", pack(b"x", packing) + b"rest of something"):
        with pytest.raises(DumpCorrupt, match="is damaged"):
            unpack(data, packing)


@pytest.mark.parametrize("packing", PACKED)
class TestBombs:
    def test_a_known_size_is_the_bound(self, packing: str) -> None:
        bomb = pack(b"\0" * 50_000_000, packing)
        with pytest.raises(DumpCorrupt, match="more than 1000 bytes"):
            unpack(bomb, packing, unpacked_bytes=1000)
        with pytest.raises(DumpCorrupt, match="3 bytes instead of 4"):
            unpack(pack(b"abc", packing), packing, unpacked_bytes=4)

    def test_else_the_ratio_is(self, packing: str) -> None:
        bomb = pack(b"\0" * 50_000_000, packing)
        with pytest.raises(DumpCorrupt, match="bytes unpack to more than"):
            unpack(bomb, packing, free_bytes=1_000_000, ratio_max=100)

    def test_memory_stays_bounded(self, packing: str) -> None:
        bomb = pack(b"\0" * 400_000_000, packing)
        tracemalloc.start()
        try:
            total = sum(map(len, unpacked([bomb], packing, "x", Bounds(free_bytes=10**9))))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert total == 400_000_000
        assert peak < 100_000_000


class TestLineBlocks:
    @given(
        st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"")), max_size=30),
        st.integers(1, 40),
        st.integers(1, 100),
        st.booleans(),
    )
    def test_blocks_are_whole_lines_and_lose_nothing(
        self, lines: list[bytes], step: int, size: int, ends: bool
    ) -> None:
        data = b"\n".join(lines) + (b"\n" if ends else b"")
        blocks = list(line_blocks(chunks(data, step), size, "x"))
        assert b"".join(blocks) == data
        assert all(block.endswith(b"\n") for block in blocks[:-1])
        assert all(len(b) <= size or b.count(b"\n", 0, -1) == 0 for b in blocks[:-1])

    def test_a_line_without_end_is_refused(self) -> None:
        def endless() -> Iterator[bytes]:
            while True:
                yield b"x" * 1000

        with pytest.raises(DumpCorrupt, match="longer than 5000 bytes"):
            list(line_blocks(endless(), 100, "x", 5000))
        with pytest.raises(DumpCorrupt, match="longer than 5000 bytes"):
            list(line_blocks([b"x" * 6000 + b"\n"], 100, "x", 5000))
