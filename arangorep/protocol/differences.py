"""How two arangorep servers find out in one pass where a collection differs.

An extension of the revisions protocol. A leaf of a revision tree spans some 17 minutes, so a
collection that was loaded in bulk sits in one or two of them, and the published protocol would list
all its revisions. A leader that announces the feature `revision-differences` answers
`PUT /_api/replication/revisions/differences`: the one who asks describes its own revisions as
blocks, the answer tells which blocks are others here, and what is in those. All numbers have
8 bytes, big-endian.

| question | |
|---|---|
| number of ranges | |
| for each range | its first revision, how many blocks it has |
| for each block | its last revision, the xor of the hashes of its revisions |

Blocks lie side by side: the first one of a range begins with the range, the last one ends it.

| answer | |
|---|---|
| a revision | up to which the ranges were looked at; the rest is to be asked for again |
| a bit for each block | whether it differs, the highest bit of the first byte first |
| revisions | all that are in blocks that differ, ascending, up to the one above |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from arangorep.errors import HttpBadParameter, InvalidResponse
from arangorep.values.revision import REVISION_MAX
from arangorep.values.tree_leaves import U64Array, hash_revisions

DIFFERENCES = "revision-differences"
NUMBER_BYTES = 8

Range = tuple[int, int]
Flags = npt.NDArray[np.bool_]
I64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Question:
    """Blocks of revisions: their `ends` and `hashes`; `counts` says how many each range has."""

    ranges: list[Range]
    counts: I64Array
    ends: U64Array
    hashes: U64Array

    @property
    def end(self) -> int:
        """The last revision it is about."""
        return self.ranges[-1][1]

    @property
    def lows(self) -> U64Array:
        """The first revision of each range."""
        return np.array([low for low, _ in self.ranges], dtype=np.uint64)

    def pack(self) -> bytes:
        """The body of the request."""
        ranges = np.column_stack((self.lows, self.counts.astype(np.uint64)))
        blocks = np.column_stack((self.ends, self.hashes))
        numbers = np.concatenate((ranges.ravel(), blocks.ravel())).astype(">u8").tobytes()
        return len(self.ranges).to_bytes(NUMBER_BYTES, "big") + numbers

    def differing(self, revisions: U64Array) -> Flags:
        """Which blocks are others than those that these revisions make."""
        found: Flags = _mixed(revisions, _borders(revisions, self.ends)) != self.hashes
        return found

    def within(self, revisions: U64Array, chosen: Flags) -> U64Array:
        """Those of the revisions that lie in chosen blocks."""
        return revisions[np.repeat(chosen, np.diff(_borders(revisions, self.ends)))]


def _borders(revisions: U64Array, ends: U64Array) -> I64Array:
    """Where in ascending revisions, all of them in blocks, the blocks begin, and the last ends."""
    found = np.zeros(len(ends) + 1, dtype=np.int64)
    found[1:] = np.searchsorted(revisions, ends, side="right")
    return found


def _mixed(revisions: U64Array, borders: I64Array) -> U64Array:
    """The xor of the hashes between each two borders."""
    accumulated = np.zeros(len(revisions) + 1, dtype=np.uint64)
    np.bitwise_xor.accumulate(hash_revisions(revisions), out=accumulated[1:])
    at_borders = accumulated[borders]
    found: U64Array = at_borders[1:] ^ at_borders[:-1]
    return found


def question_about(parts: Sequence[tuple[Range, U64Array]], size: int) -> Question:
    """Describe ranges, and the ascending revisions in them, by blocks of `size` revisions."""
    ends = [_ends(revisions, high, size) for (_, high), revisions in parts]
    counts = np.array(list(map(len, ends)), dtype=np.int64)
    all_ends = np.concatenate(ends)
    revisions = np.concatenate([revisions for _, revisions in parts])
    hashes = _mixed(revisions, _borders(revisions, all_ends))
    return Question([covered for covered, _ in parts], counts, all_ends, hashes)


def _ends(revisions: U64Array, high: int, size: int) -> U64Array:
    ends = revisions[size - 1 :: size]
    if len(ends) and len(ends) * size == len(revisions):
        ends = ends[:-1]  # the last one goes on to the end of the range
    return np.append(ends, np.uint64(high))


def read_question(body: bytes, blocks_max: int) -> Question:
    """Errors: 400/400 for what is no question, or one of too many blocks."""
    if len(body) % (2 * NUMBER_BYTES) != NUMBER_BYTES:
        raise HttpBadParameter("bad parameter: the body is no question about revisions")
    ranges = int.from_bytes(body[:NUMBER_BYTES], "big")
    pairs = np.frombuffer(body[NUMBER_BYTES:], dtype=">u8").astype(np.uint64).reshape(-1, 2)
    blocks = len(pairs) - ranges
    if not 0 < ranges <= blocks <= blocks_max:
        raise HttpBadParameter("bad parameter: the body has no or too many ranges or blocks")
    lows, counts = pairs[:ranges, 0], pairs[:ranges, 1]
    ends, hashes = pairs[ranges:, 0].copy(), pairs[ranges:, 1].copy()
    if (counts == 0).any() or (counts > blocks).any() or int(counts.sum()) != blocks:
        raise HttpBadParameter("bad parameter: the ranges do not have so many blocks")
    behind = np.cumsum(counts).astype(np.int64)
    highs, firsts = ends[behind - 1], ends[np.append(0, behind[:-1])]
    is_ordered = (ends[1:] > ends[:-1]).all() and (lows[1:] > highs[:-1]).all()
    if not is_ordered or (lows > firsts).any() or int(ends[-1]) == REVISION_MAX:
        raise HttpBadParameter("bad parameter: ranges must be ascending and not overlap")
    covered = list(zip(lows.tolist(), highs.tolist(), strict=True))
    return Question(covered, counts.astype(np.int64), ends, hashes)


@dataclass(frozen=True, slots=True)
class Differences:
    """What an answer says: nothing about revisions above `upto`."""

    upto: int
    is_other: Flags
    revisions: U64Array

    def pack(self) -> bytes:
        """The body of the answer."""
        head = self.upto.to_bytes(NUMBER_BYTES, "big") + np.packbits(self.is_other).tobytes()
        return head + self.revisions.astype(">u8").tobytes()


def read_differences(body: bytes, question: Question) -> Differences:
    """Errors: 500/1401 for what is no answer to the question."""
    blocks = len(question.ends)
    start = NUMBER_BYTES + (blocks + 7) // 8
    if len(body) < start or (len(body) - start) % NUMBER_BYTES:
        raise InvalidResponse("invalid response: differences of revisions are cut off")
    upto = int.from_bytes(body[:NUMBER_BYTES], "big")
    if not question.ranges[0][0] <= upto <= question.end:
        raise InvalidResponse("invalid response: differences are not of what was asked for")
    flags = np.frombuffer(body[NUMBER_BYTES:start], dtype=np.uint8)
    is_other = np.unpackbits(flags, count=blocks).astype(np.bool_)
    revisions = np.frombuffer(body[start:], dtype=">u8").astype(np.uint64)
    if (revisions[1:] <= revisions[:-1]).any() or not _lie_in(revisions, question, is_other, upto):
        raise InvalidResponse("invalid response: a revision lies in no block that differs")
    return Differences(upto, is_other, revisions)


def _lie_in(revisions: U64Array, question: Question, is_other: Flags, upto: int) -> bool:
    """Whether ascending revisions lie in blocks that differ, and none above `upto`."""
    if not len(revisions):
        return True
    if int(revisions[-1]) > upto:
        return False
    blocks = np.searchsorted(question.ends, revisions)
    ranges = np.searchsorted(np.cumsum(question.counts), blocks, side="right")
    return bool(is_other[blocks].all() and (revisions >= question.lows[ranges]).all())
