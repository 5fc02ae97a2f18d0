"""The revisions protocol: ranges of revisions and their documents at a batch (leader-api 6)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from arangorep.leader.batches import Batch
from arangorep.limits import (
    REVISION_BLOCK_ROWS,
    REVISION_BLOCKS_PER_ANSWER,
    REVISION_DOCUMENTS_BYTES_MAX,
    REVISIONS_PER_ANSWER,
    SCAN_ROWS_MAX,
)
from arangorep.protocol.blocks import PAIR_BYTES, encode_blocks
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Scan
from arangorep.storage.rows import with_name
from arangorep.values.tree_leaves import U64Array

Range = tuple[int, int]
KEYS_PER_SLICE = 4096


@dataclass(frozen=True, slots=True)
class RangesAnswer:
    """One list per requested range from the resume point on; `resume` None when finished."""

    ranges: list[list[int]]
    resume: int | None


def revisions_in_ranges(
    batch: Batch, collection: Collection, ranges: Sequence[Range], resume: int
) -> Generator[None, None, RangesAnswer]:
    """List the revisions inside `ranges` (inclusive, ascending, not overlapping).

    At most 65,536 of them; then `resume` says where to go on (leader-api 6.3).
    """
    answer: list[list[int]] = []
    left_over = REVISIONS_PER_ANSWER
    position = resume
    for left, right in ranges[_first_range(ranges, resume) :]:
        if not left_over:
            break
        position = max(resume, left)
        found: list[int] = []
        answer.append(found)
        while position <= right and left_over:
            rows = min(SCAN_ROWS_MAX, left_over)
            block = batch.snapshot.revisions(collection, position, right, rows)
            found += block
            left_over -= len(block)
            position = block[-1] + 1 if len(block) == rows else right + 1
            yield
    more = bool(ranges) and position <= ranges[-1][1]
    return RangesAnswer(answer, position if more else None)


def _first_range(ranges: Sequence[Range], resume: int) -> int:
    """The greatest i whose range may hold `resume` or lies right behind it."""
    found = 0
    for i, (left, _) in enumerate(ranges):
        if left <= resume or (i and ranges[i - 1][1] < resume):
            found = i
    return found


def blocks_in_ranges(
    batch: Batch, collection: Collection, ranges: Sequence[Range], size: int
) -> Generator[None, None, bytes]:
    """Ends and hashes of blocks of `size` revisions (`protocol.blocks`), at most 65,536 of them."""
    pieces: list[bytes] = []
    room = REVISION_BLOCKS_PER_ANSWER
    rows = (REVISION_BLOCK_ROWS // size + 1) * size
    for left, right in ranges:
        scan = batch.snapshot.scan_revisions(collection, left, right)
        is_last = False
        while not is_last and room > 0:
            wanted = min(rows, room * size)
            found = yield from _take_revisions(scan, wanted)
            is_last = len(found) < wanted or int(found[-1]) == right
            pieces.append(encode_blocks(found, size, right if is_last else None))
            room -= len(pieces[-1]) // PAIR_BYTES
        scan.close()
        if room <= 0:
            break
    return b"".join(pieces)


def _take_revisions(scan: Scan, rows: int) -> Generator[None, None, U64Array]:
    """The next revisions of a scan of keys, at most `rows`."""
    parts: list[U64Array] = []
    while rows:
        wanted = min(rows, KEYS_PER_SLICE)
        found = scan.take(wanted)
        parts.append(np.frombuffer(b"".join(found), dtype=">u8")[1::2].astype(np.uint64))
        rows -= len(found)
        if len(found) < wanted:
            break
        yield
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)


def documents_of_revisions(
    batch: Batch, collection: Collection, revisions: Sequence[int], chunk_bytes: int
) -> Generator[None, None, list[bytes]]:
    """The documents of `revisions`, in that order; `{}` where there is none.

    Stops before the document that would pass `chunk_bytes` (at least one is given), so the answer
    may be shorter than the request.
    """
    limit = min(chunk_bytes or REVISION_DOCUMENTS_BYTES_MAX, REVISION_DOCUMENTS_BYTES_MAX)
    answer: list[bytes] = []
    size = 0
    for revision in revisions:
        row = batch.snapshot.document(collection, revision) or b"{}"
        if collection.info.renamed and len(row) > 2:
            row = with_name(row, collection.name_json)
        size += len(row) + 1
        if answer and size > limit:
            break
        answer.append(row)
        if len(answer) % 100 == 0:
            yield
    return answer
