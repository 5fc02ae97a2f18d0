"""What an incremental synchronisation concludes from answers about revisions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.revisions import hash_of
from support.stores import finish, make_collection, open_store, system

from arangorep.data.replica import ReplicaWriter
from arangorep.data.transactions import Transaction
from arangorep.errors import InvalidResponse
from arangorep.follower import incremental as module
from arangorep.follower.incremental import (
    _answered,
    _compare,
    _difference,
    _differing_blocks,
    _joined,
    _local_in,
    _not_among,
)
from arangorep.protocol.blocks import encode_blocks, read_blocks
from arangorep.storage.catalog import Collection
from arangorep.storage.rows import build_row
from arangorep.storage.store import Store
from arangorep.values.revision import revision_text
from arangorep.values.revision_tree import RevisionTree
from arangorep.values.tree_leaves import hash_revisions

BASE = 1 << 60
Range = tuple[int, int]


def stored(revisions: list[int]) -> tuple[Store, Collection]:
    """A collection with documents of these revisions."""
    store = open_store()
    collection = make_collection(store, "c")
    names = [b"k%d" % revision for revision in revisions]
    rows = [
        build_row(name, b"c", revision_text(revision).encode(), {})
        for name, revision in zip(names, revisions, strict=True)
    ]
    transaction = Transaction(store, system(store), grouped=False)
    ReplicaWriter(transaction, collection).put_all(names, revisions, rows)
    transaction.commit()
    return store, collection


@st.composite
def separate_ranges(draw: st.DrawFn) -> list[Range]:
    """Ascending, of two revisions at least, nothing shared."""
    ends = draw(st.lists(st.integers(0, 60), min_size=2, max_size=10, unique=True).map(sorted))
    return [(low, high) for low, high in zip(ends[::2], ends[1::2], strict=False)]


revision_sets = st.sets(st.integers(0, 62))


# -- ranges --------------------------------------------------------------------------------------


def answer_of(
    present: set[int], ranges: list[Range], start: int, limit: int
) -> tuple[list[list[int]], int | None]:
    """The published procedure of a leader, one revision at a time."""
    current = 0
    for i, (low, _) in enumerate(ranges):
        if low <= start or (i > 0 and ranges[i - 1][1] < start):
            current = i
    lists: list[list[int]] = []
    number, following = 0, start
    for low, high in ranges[current:]:
        if number >= limit:
            break
        inner: list[int] = []
        lists.append(inner)
        following = max(start, low)
        while number < limit:
            rest = sorted(r for r in present if following <= r <= high)
            if not rest:
                following = high + 1
                break
            inner.append(rest[0])
            following = rest[0] + 1
            number += 1
    return lists, following if following <= ranges[-1][1] else None


@given(present=revision_sets, ranges=separate_ranges(), limit=st.integers(1, 5))
def test_all_answers_together_cover_every_range_once(
    present: set[int], ranges: list[Range], limit: int
) -> None:
    covered: list[int] = []
    seen: list[int] = []
    resume: int | None = ranges[0][0]
    while resume is not None:
        start = resume
        lists, resume = answer_of(present, ranges, start, limit)
        for (low, high), found in _answered(ranges, start, resume, lists):
            assert all(low <= revision <= high for revision in found)
            covered += range(low, high + 1)
            seen += found
    assert covered == [r for low, high in ranges for r in range(low, high + 1)]
    assert seen == sorted(present & set(covered))


@given(present=revision_sets, ranges=separate_ranges(), limit=st.integers(1, 5), data=st.data())
def test_a_resumed_answer_belongs_to_the_range_of_its_start(
    present: set[int], ranges: list[Range], limit: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(ranges[0][0], ranges[-1][1]))
    lists, resume = answer_of(present, ranges, start, limit)
    for (low, high), found in _answered(ranges, start, resume, lists):
        assert low >= start
        assert resume is None or high < resume
        (number,) = (n for n, (a, b) in enumerate(ranges) if a <= low <= high <= b)
        expected = {r for r in present if max(start, ranges[number][0]) <= r <= high}
        assert set(found) == expected


@pytest.mark.parametrize(
    ("start", "resume", "lists"),
    [
        (10, None, [[], []]),  # a range is missing
        (10, None, [[], [], [], []]),  # one too many
        (10, None, [[21], [], []]),  # outside, on either side
        (10, None, [[9], [], []]),
        (15, None, [[14], [], []]),  # before the start
        (10, 17, [[18]]),  # behind the resume point
        (10, 35, [[]]),  # the second range was left out
        (25, None, [[], [], []]),
    ],
)
def test_answers_that_do_not_fit_their_ranges(
    start: int, resume: int | None, lists: list[list[int]]
) -> None:
    ranges = [(10, 20), (30, 40), (50, 60)]
    with pytest.raises(InvalidResponse):
        _answered(ranges, start, resume, lists)


def test_a_range_that_was_not_looked_at_removes_nothing() -> None:
    ranges = [(10, 20), (30, 40)]
    assert _answered(ranges, 10, 15, [[12], []]) == [((10, 14), [12])]
    assert _answered(ranges, 15, None, [[], [35]]) == [((15, 20), []), ((30, 40), [35])]
    assert _answered(ranges, 21, None, [[35]]) == [((30, 40), [35])]


# -- documents -----------------------------------------------------------------------------------


def documents(revisions: list[int]) -> list[dict[str, Any]]:
    return [{"_key": "k", "_rev": revision_text(revision)} for revision in revisions]


@given(
    part=st.lists(st.integers(BASE, 2**63), min_size=1, max_size=8, unique=True),
    data=st.data(),
)
def test_what_an_answer_left_out(part: list[int], data: st.DataObject) -> None:
    given_ones = data.draw(st.lists(st.sampled_from(part), min_size=1, unique=True))
    rest = _not_among(part, documents(given_ones))
    assert rest == [revision for revision in part if revision not in given_ones]


@pytest.mark.parametrize(
    "answer", [[], [{}], [None], [{"_rev": 5}], documents([7]), documents([5, 7])]
)
def test_documents_that_were_not_asked_for(answer: list[Any]) -> None:
    with pytest.raises(InvalidResponse):
        _not_among([5, 6], answer)


# -- comparing -----------------------------------------------------------------------------------


@given(ranges=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 6)), max_size=8))
def test_joined_ranges_cover_the_same_and_are_accepted(ranges: list[tuple[int, int]]) -> None:
    ascending: list[Range] = []
    for low, width in sorted(ranges):
        if not ascending or low > ascending[-1][1]:
            ascending.append((low, low + width))
    joined = _joined(ascending)
    wanted = {r for low, high in ascending for r in range(low, high + 1)}
    covered = {r for low, high in joined for r in range(low, high + 1)}
    assert wanted <= covered <= wanted | {high + 1 for _, high in ascending}
    for low, high in joined:
        assert low < high, "servers refuse a range of one revision"
    assert all(one[1] < other[0] for one, other in pairwise(joined))


local_sets = revision_sets.map(lambda found: sorted(BASE + revision for revision in found))


@given(here=local_sets, there=revision_sets, ranges=separate_ranges())
def test_what_is_missing_and_what_is_surplus(
    here: list[int], there: set[int], ranges: list[Range]
) -> None:
    store, collection = stored(here)
    wide = [(BASE + low, BASE + high) for low, high in ranges]
    parts = [
        ((low, high), sorted(BASE + r for r in there if low <= BASE + r <= high))
        for low, high in wide
    ]
    inside = {r for low, high in wide for r in range(low, high + 1)}
    leader = {BASE + r for r in there} & inside
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SCAN_ROWS", 3)
        missing, surplus = _compare(finish(_local_in(store, collection, parts)), parts)
    assert missing == sorted(leader - set(here))
    assert surplus == sorted((set(here) & inside) - leader)


@given(here=local_sets, there=local_sets, ranges=separate_ranges(), size=st.integers(1, 5))
def test_only_blocks_that_differ_are_left(
    here: list[int], there: list[int], ranges: list[Range], size: int
) -> None:
    store, collection = stored(here)
    wide = [(BASE + low, BASE + high) for low, high in ranges]
    body = b"".join(
        encode_blocks(np.array([r for r in there if low <= r <= high], dtype=np.uint64), size, high)
        for low, high in wide
    )
    blocks, rest = read_blocks(body, wide)
    assert rest == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SCAN_ROWS", 3)
        differing, local = finish(_differing_blocks(store, collection, blocks))
    expected = []
    for (low, _), ends, _ in blocks:
        for end in ends.tolist():
            inside = range(low, end + 1)
            if [r for r in here if r in inside] != [r for r in there if r in inside]:
                expected.append((low, end))
            low = end + 1
    assert differing == expected
    within = [r for r in here if any(low <= r <= high for low, high in expected)]
    assert [int(r) for part in local for r in part] == within


def test_trees_that_cannot_be_compared_mean_everything() -> None:
    plain = RevisionTree()
    assert _difference(plain, RevisionTree(depth=4)) == [(0, 2**64 - 2)]
    other = RevisionTree()
    other.insert([BASE * 1])
    ((low, high),) = _difference(other, plain)
    assert low <= BASE <= high


def test_hashes_are_those_of_the_tree() -> None:
    found = hash_revisions(np.array([BASE, 1], dtype=np.uint64))
    assert found.tolist() == [hash_of(BASE), hash_of(1)]
