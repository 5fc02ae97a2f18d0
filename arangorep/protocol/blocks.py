"""Blocks of revisions: how two arangorep servers narrow down where a collection differs.

An extension of the revisions protocol. A leaf of a revision tree spans some 17 minutes, so a
collection that was loaded in bulk sits in one or two of them, and the published protocol would list
all its revisions. A leader that announces the feature `revision-blocks` answers
`PUT /_api/replication/revisions/blocks?blockSize=N` with the ends and hashes of blocks of N
consecutive revisions. Body: pairs of 8-byte big-endian numbers: the last revision of a block,
and the xor of the hashes of its revisions. The last block of a range ends at the range's own end;
an answer that ends before the last range's end is to be continued from there. Other than in
`ranges`, a range may be a single revision.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from arangorep.errors import InvalidResponse
from arangorep.values.tree_leaves import U64Array, hash_revisions

BLOCKS = "revision-blocks"
PAIR_BYTES = 16

Range = tuple[int, int]
RangeBlocks = tuple[Range, U64Array, U64Array]
"""A range, the ends of its blocks and their hashes."""


def encode_blocks(revisions: U64Array, size: int, end: int | None) -> bytes:
    """Blocks of ascending revisions; `end` is that of the range, None when more blocks follow."""
    starts = np.arange(0, len(revisions), size)
    pairs = np.zeros((max(len(starts), 1 if end is not None else 0), 2), dtype=">u8")
    if len(starts):
        lasts = np.minimum(starts + size, len(revisions)) - 1
        pairs[:, 0] = revisions[lasts]
        pairs[:, 1] = np.bitwise_xor.reduceat(hash_revisions(revisions), starts)
    if end is not None:
        pairs[-1, 0] = end
    return pairs.tobytes()


def read_blocks(body: bytes, ranges: Sequence[Range]) -> tuple[list[RangeBlocks], list[Range]]:
    """The blocks of each range that was answered, and what is left to ask for.

    Errors: 500/1401 for blocks that do not fit the ranges.
    """
    if not body or len(body) % PAIR_BYTES:
        raise InvalidResponse("invalid response: blocks of revisions are cut off")
    pairs = np.frombuffer(body, dtype=">u8").astype(np.uint64).reshape(-1, 2)
    ends, hashes = pairs[:, 0], pairs[:, 1]
    if (ends[1:] <= ends[:-1]).any():
        raise InvalidResponse("invalid response: blocks of revisions do not ascend")
    found: list[RangeBlocks] = []
    position = 0
    for number, (low, high) in enumerate(ranges):
        if position == len(ends):
            return found, list(ranges[number:])
        if int(ends[position]) < low:
            raise InvalidResponse("invalid response: a block lies outside its range")
        stop = int(np.searchsorted(ends, np.uint64(high)))
        if stop == len(ends):  # cut off within this range
            last = int(ends[-1])
            found.append(((low, last), ends[position:], hashes[position:]))
            return found, [(last + 1, high), *ranges[number + 1 :]]
        if int(ends[stop]) != high:
            raise InvalidResponse("invalid response: no block ends where its range does")
        found.append(((low, high), ends[position : stop + 1], hashes[position : stop + 1]))
        position = stop + 1
    if position != len(ends):
        raise InvalidResponse("invalid response: more blocks than asked for")
    return found, []


def widened(ranges: Sequence[Range]) -> list[Range]:
    """Ranges as servers accept them: none of a single revision."""
    return [(low, max(high, low + 1)) for low, high in ranges]
