"""Blocks of revisions, against a model in plain Python."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.revisions import hash_of

from arangorep.errors import InvalidResponse
from arangorep.protocol.blocks import encode_blocks, read_blocks, widened

Range = tuple[int, int]
Blocks = list[tuple[int, int]]

presents = st.sets(st.integers(0, 80)).map(sorted)
sizes = st.integers(1, 6)
LARGE = 2**64 - 200


@st.composite
def separate_ranges(draw: st.DrawFn) -> list[Range]:
    ends = draw(st.lists(st.integers(0, 80), min_size=2, max_size=10, unique=True).map(sorted))
    return [(low, high) for low, high in zip(ends[::2], ends[1::2], strict=False)]


def model(present: list[int], low: int, high: int, size: int) -> Blocks:
    """End and hash of every block of a range, one revision at a time."""
    inside = [revision for revision in present if low <= revision <= high]
    parts = [inside[at : at + size] for at in range(0, len(inside), size)] or [[]]
    blocks = []
    for number, part in enumerate(parts):
        mixed = 0
        for revision in part:
            mixed ^= hash_of(revision)
        blocks.append((high if number == len(parts) - 1 else part[-1], mixed))
    return blocks


def packed(blocks: Blocks) -> bytes:
    return b"".join(struct.pack(">QQ", *block) for block in blocks)


def array(revisions: list[int]) -> np.ndarray:
    return np.array(revisions, dtype=np.uint64)


def pairs(body: bytes) -> Blocks:
    return list(struct.iter_unpack(">QQ", body))


# -- writing -------------------------------------------------------------------------------------


@given(present=presents, size=sizes)
@example([], 1)
def test_a_range_to_its_end(present: list[int], size: int) -> None:
    assert encode_blocks(array(present), size, 80) == packed(model(present, 0, 80, size))


@given(present=presents, size=sizes)
def test_a_piece_in_the_middle_of_a_range(present: list[int], size: int) -> None:
    """The last block ends with its last revision."""
    whole = present[: len(present) // size * size]
    expected = model(whole, 0, whole[-1], size) if whole else []
    assert encode_blocks(array(whole), size, None) == packed(expected)


def test_revisions_of_64_bits() -> None:
    present = [LARGE, LARGE + 1, 2**64 - 2]
    assert pairs(encode_blocks(array(present), 2, 2**64 - 2)) == [
        (LARGE + 1, hash_of(LARGE) ^ hash_of(LARGE + 1)),
        (2**64 - 2, hash_of(2**64 - 2)),
    ]


# -- reading -------------------------------------------------------------------------------------


def read(body: bytes, ranges: list[Range]) -> tuple[list[tuple[Range, Blocks]], list[Range]]:
    found, rest = read_blocks(body, ranges)
    return [
        (place, list(zip(ends.tolist(), hashes.tolist(), strict=True)))
        for place, ends, hashes in found
    ], rest


@given(present=presents, ranges=separate_ranges(), size=sizes, offset=st.sampled_from([0, LARGE]))
def test_what_was_written_is_read(
    present: list[int], ranges: list[Range], size: int, offset: int
) -> None:
    present = [offset + revision for revision in present]
    ranges = [(offset + low, offset + high) for low, high in ranges]
    expected = [((low, high), model(present, low, high, size)) for low, high in ranges]
    body = b"".join(
        encode_blocks(array([r for r in present if low <= r <= high]), size, high)
        for low, high in ranges
    )
    assert body == b"".join(packed(blocks) for _, blocks in expected)
    assert read(body, ranges) == (expected, [])


@given(present=presents, ranges=separate_ranges(), size=sizes, limit=st.integers(1, 5))
@example([1, 2, 4], [(1, 5)], 1, 3)
def test_an_answer_that_was_cut_off_is_continued(
    present: list[int], ranges: list[Range], size: int, limit: int
) -> None:
    """After all answers every revision lies in one block, and every hash is that of its block."""
    covered: list[int] = []
    asked = ranges
    while asked:
        all_blocks = [model(present, low, high, size) for low, high in asked]
        body = packed([block for blocks in all_blocks for block in blocks][:limit])
        found, rest = read(body, asked)
        for (low, high), blocks in found:
            assert blocks[-1][0] == high
            position = low
            for end, mixed in blocks:
                expected = 0
                for revision in present:
                    expected ^= hash_of(revision) if position <= revision <= end else 0
                assert mixed == expected
                covered += range(position, end + 1)
                position = end + 1
        assert rest != asked
        assert all(low <= high for low, high in rest)
        asked = rest
    assert covered == [r for low, high in ranges for r in range(low, high + 1)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" * 15,
        b"\0" * 17,
        packed([(20, 0)])[:-1],
        packed([(20, 0), (20, 0)]),
        packed([(20, 0), (15, 0)]),
        packed([(9, 0), (20, 0)]),  # before its range
        packed([(21, 0), (40, 0)]),  # no end where the range ends
        packed([(15, 0), (25, 0)]),
        packed([(20, 0), (25, 0), (40, 0)]),  # between two ranges
        packed([(20, 0), (40, 0), (41, 0)]),  # behind all
        packed([(20, 0), (41, 0)]),
    ],
)
def test_blocks_that_do_not_fit_the_ranges(body: bytes) -> None:
    with pytest.raises(InvalidResponse):
        read_blocks(body, [(10, 20), (30, 40)])


@given(body=st.lists(st.integers(0, 50), max_size=6), ranges=separate_ranges())
def test_foreign_bytes_are_read_as_what_they_say_or_refused(
    body: list[int], ranges: list[Range]
) -> None:
    try:
        found, rest = read(packed([(end, 0) for end in body]), ranges)
    except InvalidResponse:
        return
    assert [end for _, blocks in found for end, _ in blocks] == body
    places = [place for place, _ in found] + rest
    assert {r for low, high in places for r in range(low, high + 1)} == {
        r for low, high in ranges for r in range(low, high + 1)
    }
    assert all(one[1] < other[0] for one, other in pairwise(places))


def test_a_range_of_one_revision_is_widened() -> None:
    assert widened([(1, 1), (5, 6), (9, 9)]) == [(1, 2), (5, 6), (9, 10)]
