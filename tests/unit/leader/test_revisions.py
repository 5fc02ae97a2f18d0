"""Ranges of revisions and resuming, against the procedure of the reference (leader-api 6.3)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stores import finish, insert, make_collection, open_store

from arangorep.clock import ManualClock
from arangorep.leader import revisions as module
from arangorep.leader.batches import Batch, BatchRegistry
from arangorep.leader.clients import ClientIdentity, ReplicationClients
from arangorep.leader.revisions import (
    RangesAnswer,
    documents_of_revisions,
    revisions_in_ranges,
)
from arangorep.storage.catalog import Collection

ANY = cast("Collection", None)
LIMIT = 6
ROWS = 4

Ranges = list[tuple[int, int]]


@pytest.fixture(autouse=True, scope="module")
def small_limits() -> Any:
    """Few revisions per answer and per read, so that small examples reach every edge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "REVISIONS_PER_ANSWER", LIMIT)
        patch.setattr(module, "SCAN_ROWS_MAX", ROWS)
        yield


def batch_of(present: list[int]) -> Batch:
    """As much of a batch as reading revisions needs."""

    def read(_: Collection, start: int, end: int, rows: int) -> list[int]:
        return [revision for revision in present if start <= revision <= end][:rows]

    return cast("Batch", SimpleNamespace(snapshot=SimpleNamespace(revisions=read)))


def reference(present: list[int], ranges: Ranges, resume: int) -> RangesAnswer:
    """The procedure as it is written down, one revision at a time."""
    current = 0
    for i, (left, _) in enumerate(ranges):
        if left <= resume or (i > 0 and ranges[i - 1][1] < resume):
            current = i
    answer: list[list[int]] = []
    number, following = 0, resume
    for left, right in ranges[current:]:
        if number >= LIMIT:
            break
        inner: list[int] = []
        answer.append(inner)
        following = max(resume, left)
        while number < LIMIT:
            rest = [r for r in present if following <= r <= right]
            if not rest:
                following = right + 1
                break
            inner.append(rest[0])
            following = rest[0] + 1
            number += 1
    return RangesAnswer(answer, following if following <= ranges[-1][1] else None)


@st.composite
def ascending_ranges(draw: st.DrawFn) -> Ranges:
    """Ranges that a request may hold: left below right, not overlapping, ends may be shared."""
    ends = draw(st.lists(st.integers(0, 40), min_size=2, max_size=10).map(sorted))
    ranges = [(a, b) for a, b in zip(ends[::2], ends[1::2], strict=False) if a < b]
    return ranges or [(0, 40)]


presents = st.lists(st.integers(0, 45), unique=True).map(sorted)


@given(present=presents, ranges=ascending_ranges(), resume=st.integers(0, 45))
def test_an_answer_is_that_of_the_procedure(
    present: list[int], ranges: Ranges, resume: int
) -> None:
    found = finish(revisions_in_ranges(batch_of(present), ANY, ranges, resume))
    assert found == reference(present, ranges, resume)


@given(present=presents, ranges=ascending_ranges())
def test_resuming_reads_everything_once(present: list[int], ranges: Ranges) -> None:
    apart = [
        (left + (i > 0 and ranges[i - 1][1] == left), right)
        for i, (left, right) in enumerate(ranges)
    ]
    apart = [(left, right) for left, right in apart if left < right]
    if not apart:
        return
    seen: list[int] = []
    resume: int | None = apart[0][0]
    for _ in range(50):
        assert resume is not None
        answer = finish(revisions_in_ranges(batch_of(present), ANY, apart, resume))
        assert sum(map(len, answer.ranges)) <= LIMIT
        assert answer.resume is None or answer.resume > resume
        seen += [revision for inner in answer.ranges for revision in inner]
        resume = answer.resume
        if resume is None:
            break
    assert resume is None
    assert seen == [r for r in present if any(a <= r <= b for a, b in apart)]


# -- documents -----------------------------------------------------------------------------------


@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=12), chunk=st.integers(1, 400))
def test_documents_stop_before_the_chunk_is_passed(sizes: list[int], chunk: int) -> None:
    rows = {revision: b"x" * size for revision, size in enumerate(sizes, 1) if size}
    snapshot = SimpleNamespace(document=lambda _, revision: rows.get(revision))
    collection = SimpleNamespace(info=SimpleNamespace(renamed=False))
    wanted = list(range(1, len(sizes) + 1))
    found = finish(
        documents_of_revisions(
            cast("Batch", SimpleNamespace(snapshot=snapshot)),
            cast("Collection", collection),
            wanted,
            chunk,
        )
    )
    expected = [rows.get(revision, b"{}") for revision in wanted]
    assert found == expected[: len(found)]
    assert found
    total = sum(len(row) + 1 for row in found)
    assert len(found) == 1 or total <= chunk
    assert len(found) == len(expected) or total + len(expected[len(found)]) + 1 > chunk


def test_reading_by_revision_ties_the_batch_to_the_collection() -> None:
    clock = ManualClock()
    store = open_store(clock=clock)
    collection = make_collection(store, "c")
    revisions = insert(store, collection, {"_key": "a"}, {"_key": "b"})
    batches = BatchRegistry(store, clock, ReplicationClients(clock))
    batch = batches.create(10, ClientIdentity(), 1)
    assert batch.snapshot.used == set()
    rows = finish(documents_of_revisions(batch, collection, [revisions[1], 5], 10**6))
    assert [row[:11] for row in rows] == [b'{"_key":"b"', b"{}"]
    assert batch.snapshot.used == {collection.info.id}
