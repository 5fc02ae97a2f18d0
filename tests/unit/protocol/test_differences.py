"""Questions about revisions and their answers, against models in plain Python."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.revisions import hash_of

from arangorep.errors import ArangoError, HttpBadParameter, InvalidResponse
from arangorep.protocol.differences import (
    Differences,
    Question,
    question_about,
    read_differences,
    read_question,
)

Range = tuple[int, int]
Blocks = list[tuple[int, int]]

HIGHEST = 80
LARGE = 2**64 - 200
MANY = 1_000_000

presents = st.sets(st.integers(0, HIGHEST)).map(sorted)
sizes = st.integers(1, 6)
offsets = st.sampled_from([0, LARGE])
odd_numbers = st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 2, 2**64 - 1]) | st.integers(0, HIGHEST)


@st.composite
def separate_ranges(draw: st.DrawFn) -> list[Range]:
    """Ascending, nothing shared; they may lie side by side and be of one revision."""
    ends = sorted(draw(st.lists(st.integers(0, HIGHEST), min_size=2, max_size=10)))
    pairs = zip(ends[::2], ends[1::2], strict=False)
    found: list[Range] = []
    for low, high in pairs:
        if not found or low > found[-1][1]:
            found.append((low, high))
    return found


def moved(ranges: list[Range], offset: int) -> list[Range]:
    return [(offset + low, offset + high) for low, high in ranges]


def array(revisions: list[int]) -> np.ndarray:
    return np.array(revisions, dtype=np.uint64)


def packed(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}Q", *numbers)


def mixed(revisions: list[int]) -> int:
    found = 0
    for revision in revisions:
        found ^= hash_of(revision)
    return found


def within(revisions: list[int], low: int, high: int) -> list[int]:
    return [revision for revision in revisions if low <= revision <= high]


def model(present: list[int], low: int, high: int, size: int) -> Blocks:
    """End and hash of every block of a range, one revision at a time."""
    inside = within(present, low, high)
    parts = [inside[at : at + size] for at in range(0, len(inside), size)] or [[]]
    ends = [part[-1] for part in parts[:-1]] + [high]
    return [(end, mixed(part)) for end, part in zip(ends, parts, strict=True)]


def question_of(present: list[int], ranges: list[Range], size: int) -> Question:
    return question_about([(one, array(within(present, *one))) for one in ranges], size)


@dataclass
class Block:
    """A block with its first revision, which only its neighbour tells."""

    low: int
    high: int
    hash: int

    def of(self, revisions: list[int]) -> list[int]:
        return within(revisions, self.low, self.high)


def blocks_of(question: Question) -> list[Block]:
    """All blocks of a question, read from its numbers one by one."""
    numbers = zip(question.ends.tolist(), question.hashes.tolist(), strict=True)
    found = []
    for (low, _), count in zip(question.ranges, question.counts.tolist(), strict=True):
        for _ in range(count):
            end, mix = next(numbers)
            found.append(Block(low, end, mix))
            low = end + 1
    assert next(numbers, None) is None
    return found


def content(question: Question) -> tuple[Any, ...]:
    columns = question.counts, question.ends, question.hashes
    return (question.ranges, *(column.tolist() for column in columns))


# -- asking --------------------------------------------------------------------------------------


@given(present=presents, ranges=separate_ranges(), size=sizes, offset=offsets)
@example([], [(0, 5)], 1, 0)
@example([1, 2, 4, 5], [(1, 5)], 2, 0)
@example([1, 2, 4], [(1, 4)], 2, LARGE)
def test_a_question_describes_what_is_here(
    present: list[int], ranges: list[Range], size: int, offset: int
) -> None:
    present, ranges = [offset + revision for revision in present], moved(ranges, offset)
    expected = [model(present, low, high, size) for low, high in ranges]
    question = question_of(present, ranges, size)
    flat = [block for blocks in expected for block in blocks]
    assert content(question) == (
        ranges,
        [len(blocks) for blocks in expected],
        [end for end, _ in flat],
        [mix for _, mix in flat],
    )
    assert question.lows.tolist() == [low for low, _ in ranges]
    assert question.end == ranges[-1][1]


@given(present=presents, ranges=separate_ranges(), size=sizes, offset=offsets)
def test_a_question_is_packed_and_read(
    present: list[int], ranges: list[Range], size: int, offset: int
) -> None:
    present, ranges = [offset + revision for revision in present], moved(ranges, offset)
    question = question_of(present, ranges, size)
    body = question.pack()
    numbers = [len(ranges)]
    for (low, _), count in zip(ranges, question.counts.tolist(), strict=True):
        numbers += [low, count]
    for block in blocks_of(question):
        numbers += [block.high, block.hash]
    assert body == packed(*numbers)
    assert content(read_question(body, len(question.ends))) == content(question)


def test_the_form_of_a_question() -> None:
    revisions = [LARGE + 1, LARGE + 2, 2**64 - 2]
    question = question_about([((5, 9), array([])), ((LARGE, 2**64 - 2), array(revisions))], 2)
    assert question.pack() == b"".join(
        (
            packed(2),
            packed(5, 1, LARGE, 2),
            packed(9, 0),
            packed(LARGE + 2, hash_of(LARGE + 1) ^ hash_of(LARGE + 2)),
            packed(2**64 - 2, hash_of(2**64 - 2)),
        )
    )


# -- comparing -----------------------------------------------------------------------------------


@given(here=presents, there=presents, ranges=separate_ranges(), size=sizes, offset=offsets)
@example([1, 2], [], [(0, 5), (7, 9)], 1, 0)
def test_which_blocks_differ(
    here: list[int], there: list[int], ranges: list[Range], size: int, offset: int
) -> None:
    here, there = ([offset + revision for revision in found] for found in (here, there))
    ranges = moved(ranges, offset)
    question = question_of(here, ranges, size)
    inside = [r for low, high in ranges for r in within(there, low, high)]
    flags = question.differing(array(inside)).tolist()
    assert flags == [block.of(here) != block.of(there) for block in blocks_of(question)]


@given(
    here=presents,
    there=presents,
    ranges=separate_ranges(),
    size=sizes,
    offset=offsets,
    data=st.data(),
)
def test_what_lies_in_chosen_blocks(
    here: list[int],
    there: list[int],
    ranges: list[Range],
    size: int,
    offset: int,
    data: st.DataObject,
) -> None:
    here, there = ([offset + revision for revision in found] for found in (here, there))
    ranges = moved(ranges, offset)
    question = question_of(here, ranges, size)
    blocks = blocks_of(question)
    chosen = data.draw(st.lists(st.booleans(), min_size=len(blocks), max_size=len(blocks)))
    inside = [r for low, high in ranges for r in within(there, low, high)]
    expected = [
        r for block, is_in in zip(blocks, chosen, strict=True) if is_in for r in block.of(there)
    ]
    assert question.within(array(inside), np.array(chosen, dtype=np.bool_)).tolist() == expected


# -- reading questions ---------------------------------------------------------------------------


def question_in(body: bytes, blocks_max: int) -> tuple[Any, ...] | None:
    """What a body says, number by number; None where it is no question."""
    if len(body) % 16 != 8:
        return None
    first, *numbers = (number for (number,) in struct.iter_unpack(">Q", body))
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    heads, blocks = pairs[:first], pairs[first:]
    counts = [count for _, count in heads]
    if not heads or len(heads) != first or 0 in counts or sum(counts) != len(blocks):
        return None
    if len(blocks) > blocks_max:
        return None
    ends = [end for end, _ in blocks]
    ranges = []
    behind = 0
    for low, count in heads:
        ranges.append((low, ends[behind + count - 1]))
        if low > ends[behind]:
            return None
        behind += count
    is_ascending = all(one < other for one, other in pairwise(ends))
    is_separate = all(one[1] < other[0] for one, other in pairwise(ranges))
    if not is_ascending or not is_separate or ends[-1] == 2**64 - 1:
        return None
    return ranges, counts, ends, [mix for _, mix in blocks]


REFUSALS = {HttpBadParameter: (400, 400), InvalidResponse: (500, 1401)}


def check(expected: object, read: Callable[[], object], refusal: type[ArangoError]) -> None:
    """That what is expected is read, and that nothing (None) is refused in the right way."""
    if expected is not None:
        assert read() == expected
        return
    with pytest.raises(refusal) as refused:
        read()
    assert (refused.value.http_status, refused.value.error_num) == REFUSALS[refusal]


def check_question(body: bytes, blocks_max: int) -> None:
    """That the body is read as what it says, or refused."""
    check(
        question_in(body, blocks_max),
        lambda: content(read_question(body, blocks_max)),
        HttpBadParameter,
    )


GOOD = (2, 10, 2, 30, 1, 15, 7, 20, 8, 40, 9)
"""Two ranges, 10 to 20 and 30 to 40, the first in two blocks."""


def test_a_question_is_what_it_says() -> None:
    question = read_question(packed(*GOOD), 3)
    assert content(question) == ([(10, 20), (30, 40)], [2, 1], [15, 20, 40], [7, 8, 9])
    assert question_in(packed(*GOOD), 3) == content(question)
    assert content(read_question(packed(1, 5, 1, 5, 0), 1)) == ([(5, 5)], [1], [5], [0])
    side_by_side = packed(2, 0, 1, 6, 1, 5, 1, 2**64 - 2, 2)
    assert read_question(side_by_side, 2).ranges == [(0, 5), (6, 2**64 - 2)]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(packed(*GOOD)[:-1], id="a byte less"),
        pytest.param(packed(*GOOD) + b"\0", id="a byte more"),
        pytest.param(packed(*GOOD)[:-8], id="half a block"),
        pytest.param(packed(*GOOD, 0), id="a number more"),
        pytest.param(packed(*GOOD)[:-16], id="a block less"),
        pytest.param(packed(*GOOD, 50, 0), id="a block more"),
        pytest.param(packed(0), id="no range"),
        pytest.param(packed(0, 10, 0), id="a block without range"),
        pytest.param(packed(1), id="a range is promised"),
        pytest.param(packed(1, 10, 0), id="a range without block"),
        pytest.param(packed(1, 10, 1), id="a block is promised"),
        pytest.param(packed(2, 10, 1, 20, 1), id="two blocks are promised"),
        pytest.param(packed(2, 10, 1, 30, 0, 20, 0), id="a range of no block"),
        pytest.param(packed(2, 10, 0, 30, 3, *GOOD[5:]), id="the first count is zero"),
        pytest.param(packed(2, 10, 3, 30, 0, *GOOD[5:]), id="the last count is zero"),
        pytest.param(packed(3, 10, 2, 25, 0, 30, 1, *GOOD[5:]), id="one between them is zero"),
        pytest.param(packed(2, 10, 1, 30, 1, *GOOD[5:]), id="counts too small"),
        pytest.param(packed(2, 10, 2, 30, 2, *GOOD[5:]), id="counts too large"),
        pytest.param(packed(2, 10, 2**63, 30, 2**63 + 3, *GOOD[5:]), id="the sum wraps round"),
        pytest.param(packed(2, 10, 2**64 - 1, 30, 4, *GOOD[5:]), id="one is like minus one"),
        pytest.param(packed(2, 10, 4, 30, 2**64 - 1, *GOOD[5:]), id="the last is minus one"),
        pytest.param(packed(2**64 - 1, *GOOD[1:]), id="ranges like minus one"),
        pytest.param(packed(2**64 - 2, *GOOD[1:]), id="ranges like minus two"),
        pytest.param(packed(2**63, *GOOD[1:]), id="ranges like the least number"),
        pytest.param(packed(2**32 + 2, *GOOD[1:]), id="ranges beyond 32 bits"),
        pytest.param(packed(2**64 - 1), id="ranges like minus one, alone"),
        pytest.param(packed(1, 2, 1, 1, 0), id="a range that begins behind its end"),
        pytest.param(packed(2, 16, 2, 30, 1, *GOOD[5:]), id="behind its first block"),
        pytest.param(packed(2, 10, 2, 20, 1, *GOOD[5:]), id="two ranges share a revision"),
        pytest.param(packed(2, 10, 2, 18, 1, *GOOD[5:]), id="two ranges overlap"),
        pytest.param(packed(2, 30, 1, 10, 2, 40, 9, 15, 7, 20, 8), id="ranges descend"),
        pytest.param(packed(1, 10, 2, 15, 0, 15, 0), id="two blocks of one end"),
        pytest.param(packed(1, 10, 3, 15, 0, 14, 0, 20, 0), id="blocks descend"),
        pytest.param(packed(1, 10, 1, 2**64 - 1, 0), id="an end that is no revision"),
        pytest.param(packed(1, 2**64 - 1, 1, 2**64 - 1, 0), id="nor is its begin"),
    ],
)
def test_bodies_that_are_no_questions(body: bytes) -> None:
    assert question_in(body, MANY) is None
    check_question(body, MANY)


@pytest.mark.parametrize("blocks_max", [0, 1, 2])
def test_too_many_blocks(blocks_max: int) -> None:
    with pytest.raises(HttpBadParameter):
        read_question(packed(*GOOD), blocks_max)


@given(body=st.binary(max_size=60) | st.lists(odd_numbers, max_size=12).map(lambda n: packed(*n)))
def test_foreign_bytes_are_read_as_what_they_say_or_refused(body: bytes) -> None:
    check_question(body, 4)


@given(
    present=presents,
    ranges=separate_ranges(),
    size=sizes,
    at=st.integers(0, 60),
    number=odd_numbers | st.integers(0, 2**64 - 1),
    blocks_max=st.sampled_from([3, MANY]),
)
def test_a_question_with_one_wrong_number(
    present: list[int], ranges: list[Range], size: int, at: int, number: int, blocks_max: int
) -> None:
    numbers = [n for (n,) in struct.iter_unpack(">Q", question_of(present, ranges, size).pack())]
    numbers[at % len(numbers)] = number
    check_question(packed(*numbers), blocks_max)


# -- answers -------------------------------------------------------------------------------------


def answered(differences: Differences) -> tuple[int, list[bool], list[int]]:
    return differences.upto, differences.is_other.tolist(), differences.revisions.tolist()


@given(
    here=presents,
    there=presents,
    ranges=separate_ranges(),
    size=sizes,
    offset=offsets,
    share=st.floats(0, 1),
)
def test_an_answer_is_packed_and_read(
    here: list[int],
    there: list[int],
    ranges: list[Range],
    size: int,
    offset: int,
    share: float,
) -> None:
    here, there = ([offset + revision for revision in found] for found in (here, there))
    ranges = moved(ranges, offset)
    question = question_of(here, ranges, size)
    low, high = ranges[0][0], ranges[-1][1]
    upto = low + round((high - low) * share)
    inside = [r for one in ranges for r in within(there, *one) if r <= upto]
    is_other = question.differing(array(inside))
    answer = Differences(upto, is_other, question.within(array(inside), is_other))
    flags = "".join("01"[flag] for flag in is_other.tolist())
    bits = flags.ljust(-(-len(flags) // 8) * 8, "0")
    body = packed(upto) + int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert answer.pack() == body + packed(*answer.revisions.tolist())
    assert answered(read_differences(answer.pack(), question)) == answered(answer)


def test_the_form_of_an_answer() -> None:
    is_other = np.array([True] + [False] * 7 + [False, True], dtype=np.bool_)
    answer = Differences(LARGE, is_other, array([1, LARGE]))
    assert answer.pack() == packed(LARGE) + b"\x80\x40" + packed(1, LARGE)


def answer_in(body: bytes, question: Question) -> tuple[int, list[bool], list[int]] | None:
    """What a body answers, number by number; None where it is no answer."""
    blocks = blocks_of(question)
    start = 8 + -(-len(blocks) // 8)
    if len(body) < start or (len(body) - start) % 8:
        return None
    upto = int.from_bytes(body[:8], "big")
    bits = "".join(f"{byte:08b}" for byte in body[8:start])
    others = [block for block, bit in zip(blocks, bits, strict=False) if bit == "1"]
    revisions = [number for (number,) in struct.iter_unpack(">Q", body[start:])]
    if not question.ranges[0][0] <= upto <= question.ranges[-1][1]:
        return None
    if any(one >= other for one, other in pairwise(revisions)):
        return None
    if not all(
        revision <= upto and any(b.of([revision]) for b in others) for revision in revisions
    ):
        return None
    return upto, [bit == "1" for bit in bits[: len(blocks)]], revisions


def check_answer(body: bytes, question: Question) -> None:
    """That the body is read as what it says, or refused."""
    check(
        answer_in(body, question),
        lambda: answered(read_differences(body, question)),
        InvalidResponse,
    )


ASKED = read_question(packed(*GOOD), MANY)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (packed(40) + b"\0", (40, [False] * 3, [])),
        (packed(10) + b"\0", (10, [False] * 3, [])),
        (packed(25) + b"\xe0", (25, [True] * 3, [])),
        (packed(40) + b"\x1f", (40, [False] * 3, [])),
        (packed(40) + b"\xe0" + packed(10, 15, 20, 30, 40), (40, [True] * 3, [10, 15, 20, 30, 40])),
        (packed(16) + b"\x40" + packed(16), (16, [False, True, False], [16])),
    ],
)
def test_an_answer_is_what_it_says(body: bytes, expected: tuple[Any, ...]) -> None:
    assert answered(read_differences(body, ASKED)) == expected == answer_in(body, ASKED)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(packed(40)[:-1], id="not even a number"),
        pytest.param(packed(40), id="no flags"),
        pytest.param(packed(40) + b"\xe0" + packed(12)[:-1], id="cut off"),
        pytest.param(packed(40) + b"\xe0" + packed(12) + b"\0", id="a byte more"),
        pytest.param(packed(40) + b"\xe0\0" + packed(12), id="too many flags"),
        pytest.param(packed(9) + b"\0", id="up to before the first range"),
        pytest.param(packed(0) + b"\0", id="up to nothing"),
        pytest.param(packed(41) + b"\0", id="up to behind the last range"),
        pytest.param(packed(2**64 - 1) + b"\0", id="up to the greatest number"),
        pytest.param(packed(40) + b"\xe0" + packed(9), id="before the first range"),
        pytest.param(packed(40) + b"\xe0" + packed(41), id="behind the last range"),
        pytest.param(packed(40) + b"\xe0" + packed(2**64 - 1), id="the greatest number"),
        pytest.param(packed(40) + b"\xe0" + packed(21), id="in the gap, at its begin"),
        pytest.param(packed(40) + b"\xe0" + packed(29), id="in the gap, at its end"),
        pytest.param(packed(40) + b"\xe0" + packed(12, 25, 33), id="in the gap, among others"),
        pytest.param(packed(25) + b"\xe0" + packed(30), id="above where it ends"),
        pytest.param(packed(16) + b"\xe0" + packed(12, 17), id="above, in the same block"),
        pytest.param(packed(40) + b"\x60" + packed(15), id="at the end of a block not flagged"),
        pytest.param(packed(40) + b"\xa0" + packed(12, 16, 33), id="in a block not flagged"),
        pytest.param(packed(40) + b"\xc0" + packed(40), id="the last block not flagged"),
        pytest.param(packed(40) + b"\xe0" + packed(12, 12), id="twice"),
        pytest.param(packed(40) + b"\xe0" + packed(33, 12), id="descending"),
    ],
)
def test_answers_that_do_not_fit(body: bytes) -> None:
    assert answer_in(body, ASKED) is None
    check_answer(body, ASKED)


@given(present=presents, ranges=separate_ranges(), size=sizes, body=st.binary(max_size=40))
def test_a_foreign_answer_is_read_as_what_it_says_or_refused(
    present: list[int], ranges: list[Range], size: int, body: bytes
) -> None:
    check_answer(body, question_of(present, ranges, size))


@given(
    present=presents,
    ranges=separate_ranges(),
    size=sizes,
    upto=st.integers(0, HIGHEST + 2) | odd_numbers,
    flags=st.sampled_from([b"\xff", b"\xfe", b"\xf7", b"\xaa", b"\0"]),
    revisions=st.lists(st.integers(0, HIGHEST + 2) | odd_numbers, max_size=5),
    is_sorted=st.booleans(),
)
@example([], [(0, HIGHEST)], 1, 20, b"\xff", [3, 20], True)
def test_an_answer_of_any_numbers(
    present: list[int],
    ranges: list[Range],
    size: int,
    upto: int,
    flags: bytes,
    revisions: list[int],
    is_sorted: bool,
) -> None:
    question = question_of(present, ranges, size)
    if is_sorted:
        upto, revisions = question.end, sorted(set(revisions))
    check_answer(packed(upto) + flags * -(-len(question.ends) // 8) + packed(*revisions), question)


@given(here=presents, there=presents, size=sizes, room=st.integers(1, 5), ranges=separate_ranges())
@example([1, 2, 4], [2, 3], 1, 1, [(0, 3), (5, 9)])
def test_answers_that_are_cut_off_lead_to_all_differences(
    here: list[int], there: list[int], size: int, room: int, ranges: list[Range]
) -> None:
    """Whoever answers stops after `room` revisions; what differs is the same in the end."""
    wanted = {r for one in ranges for r in set(within(here, *one)) ^ set(within(there, *one))}
    differing: set[int] = set()
    while ranges:
        asked = question_of(here, ranges, size)
        question = read_question(asked.pack(), MANY)
        seen = [r for one in ranges for r in within(there, *one)][:room]
        upto = seen[-1] if len(seen) == room else question.end
        is_other = question.differing(array(seen))
        answer = Differences(upto, is_other, question.within(array(seen), is_other))
        found = read_differences(answer.pack(), asked)
        local = asked.within(
            array([r for one in ranges for r in within(here, *one)]), found.is_other
        )
        differing ^= {r for r in local.tolist() if r <= upto} ^ set(found.revisions.tolist())
        ranges = [(max(low, upto + 1), high) for low, high in ranges if high > upto]
    assert differing == wanted
