"""The revisions protocol: ranges of revisions and their documents at a batch (leader-api 6)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from arangorep.leader.batches import Batch
from arangorep.limits import (
    REVISION_DOCUMENTS_BYTES_MAX,
    REVISIONS_COMPARED_MAX,
    REVISIONS_PER_ANSWER,
    SCAN_ROWS_MAX,
)
from arangorep.protocol.differences import Differences, Question
from arangorep.storage.catalog import Collection
from arangorep.storage.listing import take_revisions
from arangorep.storage.rows import with_name
from arangorep.values.tree_leaves import U64Array

Range = tuple[int, int]


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


def differing_revisions(
    batch: Batch, collection: Collection, question: Question, *, is_whole: bool
) -> Generator[None, None, Differences]:
    """What is in the blocks that are others here (`protocol.differences`).

    The ranges are looked at up to where `REVISIONS_COMPARED_MAX` revisions have been seen.
    `is_whole`: the questions are about most of the collection, and more of them follow.
    """
    listed = yield from _listed(batch, collection, is_whole=is_whole)
    found: list[U64Array] = []
    upto, room = question.end, REVISIONS_COMPARED_MAX
    for low, high in question.ranges:
        if listed is not None:
            found.append(listed[slice(*np.searchsorted(listed, _span(low, high)))][:room])
        else:
            scan = batch.snapshot.scan_revisions(collection, low, high)
            found.append((yield from take_revisions(scan, room)))
            scan.close()
        room -= len(found[-1])
        if not room:
            upto = int(found[-1][-1])
            break
        yield
    here = np.concatenate(found)
    is_other = question.differing(here)
    return Differences(upto, is_other, question.within(here, is_other))


def _listed(
    batch: Batch, collection: Collection, *, is_whole: bool
) -> Generator[None, None, U64Array | None]:
    """All revisions, kept until the last question; None where that is not worth it."""
    listed, batch.listed = batch.listed, None
    if listed is not None and listed[0] == collection.info.id:
        revisions = listed[1]
    else:
        work = batch.snapshot.list_revisions(collection) if is_whole else None
        if work is None:
            return None
        revisions = yield from work
    if is_whole:
        batch.listed = (collection.info.id, revisions)
    return revisions


def _span(low: int, high: int) -> U64Array:
    """What to search for to find both borders of a range."""
    return np.array([low, high + 1], dtype=np.uint64)


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
