"""What an incremental synchronisation concludes from answers about revisions, and what it does."""

from __future__ import annotations

import asyncio
import gc
import random
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from support.revisions import hash_of
from support.stores import finish, make_collection, open_store, stored, system

from arangorep.clock import ManualClock
from arangorep.data.collections import drop_collection
from arangorep.data.replica import ReplicaWriter
from arangorep.data.transactions import Transaction
from arangorep.errors import CollectionNotFound, CorruptionError, InvalidResponse, NoResponse
from arangorep.follower import incremental as module
from arangorep.follower.incremental import (
    Piece,
    RevisionSync,
    _answered,
    _behind,
    _difference,
    _differing,
    _local_in,
    _not_among,
    _piece_of,
    _scanner,
    _taker,
)
from arangorep.follower.leader import BatchHandle, Leader
from arangorep.follower.site import Site
from arangorep.pacing import give_turn
from arangorep.protocol.differences import Differences, Question, read_differences
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.storage.rows import build_row
from arangorep.storage.store import Store
from arangorep.values.revision import revision_text
from arangorep.values.revision_tree import RevisionTree
from arangorep.values.tree_leaves import hash_revisions

BASE = 1 << 60
Range = tuple[int, int]
Documents = dict[str, tuple[int, int]]
"""Key to revision and a number."""


def put(store: Store, collection: Collection, documents: Documents) -> None:
    """Documents as a leader has them."""
    names = [key.encode() for key in documents]
    revisions = [revision for revision, _ in documents.values()]
    rows = [
        build_row(key.encode(), collection.name_json, revision_text(revision).encode(), {"n": n})
        for key, (revision, n) in documents.items()
    ]
    transaction = Transaction(store, system(store), grouped=False)
    ReplicaWriter(transaction, collection).put_all(names, revisions, rows)
    transaction.commit()


def having(revisions: list[int]) -> tuple[Store, Collection]:
    """A collection with documents of these revisions."""
    store = open_store()
    collection = make_collection(store, "c")
    put(store, collection, {f"k{revision}": (revision, 0) for revision in revisions})
    return store, collection


def array(revisions: list[int]) -> np.ndarray:
    return np.array(revisions, dtype=np.uint64)


def within(revisions: list[int], low: int, high: int) -> list[int]:
    return [revision for revision in revisions if low <= revision <= high]


@st.composite
def separate_ranges(draw: st.DrawFn) -> list[Range]:
    """Ascending, of two revisions at least, nothing shared."""
    ends = draw(st.lists(st.integers(0, 60), min_size=2, max_size=10, unique=True).map(sorted))
    return [(low, high) for low, high in zip(ends[::2], ends[1::2], strict=False)]


revision_sets = st.sets(st.integers(0, 62))
local_sets = revision_sets.map(lambda found: sorted(BASE + revision for revision in found))
wide_ranges = separate_ranges().map(lambda found: [(BASE + a, BASE + b) for a, b in found])


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


@pytest.fixture(params=["scanner", "taker"])
def reader_of(request: pytest.FixtureRequest) -> Callable[[list[int]], Any]:
    """Both ways to read what is here."""

    def read(revisions: list[int]) -> Any:
        if request.param == "taker":
            return _taker(array(revisions))
        return _scanner(*having(revisions))

    return read


@given(here=local_sets, there=revision_sets, ranges=wide_ranges, room=st.integers(1, 4))
def test_what_is_missing_and_what_is_surplus(
    here: list[int], there: set[int], ranges: list[Range], room: int
) -> None:
    parts = [
        ((low, high), within(sorted(BASE + r for r in there), low, high)) for low, high in ranges
    ]
    inside = {r for low, high in ranges for r in range(low, high + 1)}
    leader = {BASE + r for r in there} & inside
    store, collection = having(here)
    for read in (_taker(array(here)), _scanner(store, collection)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "REVISIONS_PER_QUESTION", room)
            local = finish(_local_in(read, parts))
        assert local.tolist() == sorted(set(here) & inside)
        missing, surplus = _differing(local, array(sorted(leader)))
        assert missing.tolist() == sorted(leader - set(here))
        assert surplus.tolist() == sorted((set(here) & inside) - leader)


@given(
    here=st.sets(st.integers(0, 9) | st.integers(2**64 - 9, 2**64 - 2)).map(sorted),
    there=st.sets(st.integers(0, 9) | st.integers(2**64 - 9, 2**64 - 2)).map(sorted),
)
def test_any_numbers_differ(here: list[int], there: list[int]) -> None:
    missing, surplus = _differing(array(here), array(there))
    assert missing.tolist() == sorted(set(there) - set(here))
    assert surplus.tolist() == sorted(set(here) - set(there))


def test_nothing_here_and_nothing_there(reader_of: Callable[[list[int]], Any]) -> None:
    local = finish(_local_in(reader_of([]), [((BASE, BASE + 9), [])]))
    assert local.dtype == np.uint64
    assert [found.tolist() for found in _differing(local, array([]))] == [[], []]
    assert finish(_local_in(reader_of([BASE]), [])).tolist() == []


@given(ranges=separate_ranges(), upto=st.integers(0, 62))
def test_what_lies_behind_a_revision(ranges: list[Range], upto: int) -> None:
    found = _behind(ranges, upto)
    inside = [r for low, high in ranges for r in range(low, high + 1)]
    assert [r for low, high in found for r in range(low, high + 1)] == [
        r for r in inside if r > upto
    ]
    assert all(low <= high for low, high in found)
    assert [high for _, high in found] == [high for _, high in ranges if high > upto]


def test_nothing_lies_behind_the_last_revision() -> None:
    assert _behind([(0, 5), (7, 2**64 - 2)], 2**64 - 2) == []
    assert _behind([(0, 5), (7, 2**64 - 2)], 2**64 - 3) == [(2**64 - 2, 2**64 - 2)]


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


# -- pieces --------------------------------------------------------------------------------------


def pieces_of(read: Any, ranges: list[Range], size: int, room: int) -> Iterator[Piece]:
    """Piece after piece, until nothing is left."""
    while ranges:
        piece = finish(_piece_of(read, ranges, size, room))
        yield piece
        assert piece.rest != ranges
        ranges = piece.rest


def blocks_in(question: Question) -> list[tuple[int, int, int]]:
    """First and last revision and hash of each block."""
    numbers = zip(question.ends.tolist(), question.hashes.tolist(), strict=True)
    found = []
    for (low, _), count in zip(question.ranges, question.counts.tolist(), strict=True):
        for _ in range(count):
            end, mixed = next(numbers)
            found.append((low, end, mixed))
            low = end + 1
    return found


def mixed_of(revisions: list[int]) -> int:
    found = 0
    for revision in revisions:
        found ^= hash_of(revision)
    return found


def check_blocks(piece: Piece, here: list[int], size: int) -> None:
    """Every block is right, and of `size` revisions unless it ends its range."""
    ends = {high for _, high in piece.question.ranges}
    for low, high, mixed in blocks_in(piece.question):
        inside = within(here, low, high)
        assert mixed == mixed_of(inside)
        assert len(inside) == size or (high in ends and len(inside) < size)


@given(here=local_sets, ranges=wide_ranges, size=st.integers(1, 5), room=st.integers(1, 9))
@example([BASE + 5, BASE + 9], [(BASE, BASE + 9), (BASE + 10, BASE + 20)], 2, 2)
@example([BASE + 5, BASE + 8], [(BASE, BASE + 9), (BASE + 10, BASE + 20)], 2, 2)
@example([BASE + 5], [(BASE, BASE + 1), (BASE + 3, BASE + 5)], 1, 1)
def test_pieces_cover_every_range_once_and_in_order(
    here: list[int], ranges: list[Range], size: int, room: int
) -> None:
    store, collection = having(here)
    both = []
    for read in (_scanner(store, collection), _taker(array(here))):
        covered: list[int] = []
        seen: list[int] = []
        pieces = list(pieces_of(read, ranges, size, room))
        for piece in pieces:
            check_blocks(piece, here, size)
            covered += [r for low, high in piece.question.ranges for r in range(low, high + 1)]
            seen += piece.local.tolist()
        assert covered == [r for low, high in ranges for r in range(low, high + 1)]
        assert seen == [r for one in ranges for r in within(here, *one)]
        assert all(len(piece.local) == room for piece in pieces[:-1])
        assert len(pieces[-1].local) <= room
        both.append([(p.local.tolist(), p.question.pack(), p.rest) for p in pieces])
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("room", "ranges", "rest"),
    [
        (1, [(10, 12)], [(13, 20), (30, 40), (50, 60)]),
        (2, [(10, 20)], [(30, 40), (50, 60)]),
        (3, [(10, 20), (30, 30)], [(31, 40), (50, 60)]),
        (4, [(10, 20), (30, 35)], [(36, 40), (50, 60)]),
        (5, [(10, 20), (30, 40), (50, 60)], []),
        (6, [(10, 20), (30, 40), (50, 60)], []),
    ],
)
def test_the_border_of_a_piece(
    reader_of: Callable[[list[int]], Any], room: int, ranges: list[Range], rest: list[Range]
) -> None:
    """A full piece ends with its last revision: what follows may be there, or nothing at all."""
    here = [BASE + revision for revision in (12, 20, 30, 35, 60)]
    moved = [[(BASE + a, BASE + b) for a, b in found] for found in (ranges, rest)]
    all_ranges = [(BASE + 10, BASE + 20), (BASE + 30, BASE + 40), (BASE + 50, BASE + 60)]
    piece = finish(_piece_of(reader_of(here), all_ranges, 2, room))
    assert [piece.question.ranges, piece.rest] == moved
    assert piece.local.tolist() == here[:room]


@given(
    here=local_sets,
    low=st.integers(0, 62),
    width=st.integers(-1, 62),
    room=st.integers(1, 70),
    rows=st.integers(1, 5),
)
def test_both_readers_agree(here: list[int], low: int, width: int, room: int, rows: int) -> None:
    first, last = BASE + low, BASE + low + width
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arangorep.storage.listing.ROWS_PER_SLICE", rows)
        for read in (_scanner(*having(here)), _taker(array(here))):
            found = finish(read(first, last, room))
            assert found.tolist() == within(here, first, last)[:room]
            assert found.dtype == np.uint64


def test_a_reader_stays_in_its_collection() -> None:
    store, collection = having([BASE + 5])
    other = make_collection(store, "d")
    put(store, other, {"a": (BASE + 4, 0), "b": (BASE + 6, 0)})
    assert finish(_scanner(store, collection)(0, 2**64 - 2, 10)).tolist() == [BASE + 5]
    assert finish(_scanner(store, other)(0, 2**64 - 2, 10)).tolist() == [BASE + 4, BASE + 6]


# -- a leader that is none -----------------------------------------------------------------------


class FakeLeader:
    """Answers from a dict of documents, as far as it likes to, and takes its time."""

    def __init__(
        self, documents: Documents, chance: random.Random, *, has_feature: bool, room: int = 10**6
    ) -> None:
        self.documents_there = {
            revision: {"_key": key, "_rev": revision_text(revision), "n": n}
            for key, (revision, n) in documents.items()
        }
        self.present = sorted(self.documents_there)
        self.chance = chance
        self.has_feature = has_feature
        self.room = room
        self.fails_at = 10**9
        self.calls: list[str] = []
        self.is_whole: set[bool] = set()

    def has(self, feature: str) -> bool:
        return self.has_feature and feature == "revision-differences"

    async def _called(self, name: str) -> None:
        self.calls.append(name)
        number = len(self.calls)
        for _ in range(self.chance.choice((0, 1, 8))):
            await asyncio.sleep(0)
        if number >= self.fails_at:
            raise NoResponse("no response: gone")

    async def tree(self, batch: BatchHandle, guid: str) -> RevisionTree:
        await self._called("tree")
        tree = RevisionTree()
        tree.insert(self.present)
        return tree

    async def ranges(
        self, batch: BatchHandle, guid: str, ranges: list[Range], resume: int
    ) -> tuple[list[list[int]], int | None]:
        await self._called("ranges")
        limit = self.chance.randint(1, self.room)
        return answer_of(set(self.present), ranges, resume, limit)

    async def differences(
        self, batch: BatchHandle, guid: str, question: Question, *, is_whole: bool
    ) -> Differences:
        await self._called("differences")
        self.is_whole.add(is_whole)
        there = [r for one in question.ranges for r in within(self.present, *one)]
        seen = there[: self.chance.randint(1, self.room)]
        is_cut = len(seen) < len(there) or (seen and self.chance.random() < 0.5)
        upto = seen[-1] if is_cut else question.end
        return read_differences(self._answer(question, seen, upto), question)

    def _answer(self, question: Question, seen: list[int], upto: int) -> bytes:
        """In the form of the wire: flags, and what is in blocks that are flagged."""
        flags, found = "", []
        for low, high, mixed in blocks_in(question):
            inside = within(seen, low, high)
            flags += "01"[mixed_of(inside) != mixed]
            found += inside if flags[-1] == "1" else []
        bits = flags.ljust(-(-len(flags) // 8) * 8, "0")
        body = upto.to_bytes(8, "big") + int(bits, 2).to_bytes(len(bits) // 8, "big")
        return body + struct.pack(f">{len(found)}Q", *found)

    async def documents(
        self, batch: BatchHandle, guid: str, revisions: list[int]
    ) -> list[dict[str, Any]]:
        await self._called("documents")
        found = [self.documents_there[revision] for revision in revisions]
        return found[: self.chance.randint(1, len(found))]


class Bench:
    """One store with one collection, to be brought to the state of leaders."""

    def __init__(self, here: Documents) -> None:
        self.store = open_store()
        self.collection = make_collection(self.store, "c")
        put(self.store, self.collection, here)
        self.complaints: list[str] = []

    def sync_of(self, leader: FakeLeader) -> RevisionSync:
        site = Site(self.store, ManualClock(), asyncio.Lock(), asyncio.sleep)
        info = self.collection.info
        handle = BatchHandle("1", 0)
        return RevisionSync(site, cast("Leader", leader), handle, info.database_id, info.guid)

    def play(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Run something, then see that nothing is left of it and nobody complained."""

        async def whole() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, told: self.complaints.append(told["message"]))
            await work()
            await give_turn()
            assert asyncio.all_tasks() == {asyncio.current_task()}
            gc.collect(1)

        asyncio.run(whole())
        assert self.complaints == []

    def content(self) -> Documents:
        assert findings(self.store) == []
        found = stored(self.store, self.collection)
        return {one["_key"]: (revision, one["n"]) for revision, one in found.items()}


@dataclass
class Scene:
    """Documents here and there, and bounds so small that few documents meet every border."""

    here: Documents
    there: Documents
    bounds: dict[str, int]
    room: int
    chance: random.Random

    def leader(self, *, has_feature: bool) -> FakeLeader:
        return FakeLeader(self.there, self.chance, has_feature=has_feature, room=self.room)


KINDS: dict[str, tuple[int | None, int | None]] = {
    "same": (0, 0),
    "newer there": (0, 1),
    "older there": (1, 0),
    "only there": (None, 0),
    "only here": (0, None),
}
"""Which of two revisions a document has here and there."""


def documents_of(
    kinds: list[str], stride: int, chance: random.Random
) -> tuple[Documents, Documents]:
    """Documents here and there; any revision may be above or below any other."""
    here: Documents = {}
    there: Documents = {}
    places = iter(chance.sample(range(1000), 2 * len(kinds)))
    for number, kind in enumerate(kinds):
        revisions = sorted(BASE + next(places) * stride for _ in range(2))
        for side, moment in zip((here, there), KINDS[kind], strict=True):
            if moment is not None:
                side[f"k{number}"] = (revisions[moment], moment)
    return here, there


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """Large enough to be interesting; what a seed decides is not shrunk."""
    count = draw(st.sampled_from([0, 1, 5, 20, 60]) | st.integers(0, 60))
    usual = draw(st.sampled_from(["same", "same", *KINDS]))
    share = draw(st.sampled_from([0.05, 0.2, 1.0]))
    chance = random.Random(draw(st.integers(0, 10**9)))
    kinds = [chance.choice(list(KINDS)) if chance.random() < share else usual for _ in range(count)]
    here, there = documents_of(kinds, draw(st.sampled_from([1, 1 << 20, 1 << 37, 1 << 41])), chance)
    follower = "arangorep.follower.incremental."
    few = (1, 2, 3, 7, 20)
    bounds = {
        follower + "REVISIONS_PER_QUESTION": chance.choice(few),
        follower + "REVISIONS_PER_FIRST_QUESTION": chance.choice(few),
        follower + "REVISION_BLOCK_SIZE": chance.choice(few),
        follower + "REVISION_DOCUMENTS_PER_REQUEST": chance.choice(few),
        follower + "REVISION_REQUESTS_IN_FLIGHT": chance.choice((1, 3)),
        follower + "SURPLUS_MAX": chance.choice((0, 5, SURPLUS_NEVER)),
        "arangorep.follower.site.SCATTERED_ROWS_PER_READ": chance.choice(few),
        "arangorep.follower.site.REMOVALS_PER_COMMIT": chance.choice(few),
        "arangorep.follower.site.APPLY_ROWS_PER_COMMIT": chance.choice(few),
        "arangorep.storage.listing.ROWS_PER_SLICE": chance.choice(few),
    }
    return Scene(here, there, bounds, chance.choice((*few, 10**6)), chance)


@contextmanager
def bounded(numbers: dict[str, int], is_whole: bool | None) -> Iterator[None]:
    """With these bounds; `is_whole` decides what else is concluded from the trees."""
    choose = RevisionSync._choose

    def decide(sync: RevisionSync, *values: Any) -> None:
        choose(sync, *values)
        sync._is_whole = sync._is_whole if is_whole is None else is_whole

    with pytest.MonkeyPatch.context() as patch:
        for name, number in numbers.items():
            patch.setattr(name, number)
        patch.setattr(RevisionSync, "_choose", decide)
        yield


# -- a whole synchronisation ---------------------------------------------------------------------

SURPLUS_NEVER = 10**6

ways = pytest.mark.parametrize(
    ("has_feature", "is_whole"),
    [
        pytest.param(False, None, id="any leader"),
        pytest.param(True, None, id="differences"),
        pytest.param(True, False, id="differences without list"),
        pytest.param(True, True, id="differences with list"),
    ],
)


@ways
@given(scene=scenes())
def test_afterwards_the_documents_are_those_of_the_leader(
    scene: Scene, has_feature: bool, is_whole: bool | None
) -> None:
    bench = Bench(scene.here)
    leader = scene.leader(has_feature=has_feature)
    sync: list[RevisionSync] = []

    async def work() -> None:
        sync.append(bench.sync_of(leader))
        await sync[0].run()

    with bounded(scene.bounds, is_whole):
        bench.play(work)
    assert bench.content() == scene.there
    assert ("ranges" if has_feature else "differences") not in leader.calls
    if is_whole is not None:
        # the last question says that no more follow
        assert leader.is_whole <= {is_whole, False}
    if scene.there:
        assert sync[0].fetched == len(set(scene.there.items()) - set(scene.here.items()))
    if scene.there and SURPLUS_NEVER in scene.bounds.values():
        assert sync[0].removed == len(scene.here.keys() - scene.there.keys())
    event(f"listed: {leader.is_whole}, asked: {min(leader.calls.count('differences'), 3)}")


@ways
@given(scene=scenes())
@settings(max_examples=25)
def test_a_second_synchronisation_has_nothing_to_do(
    scene: Scene, has_feature: bool, is_whole: bool | None
) -> None:
    bench = Bench(scene.here)
    leader = scene.leader(has_feature=has_feature)

    async def work() -> None:
        await bench.sync_of(leader).run()
        leader.calls.clear()
        changes = bench.collection.state.changes
        await bench.sync_of(leader).run()
        if scene.there:
            assert leader.calls == ["tree"]
            assert bench.collection.state.changes == changes

    with bounded(scene.bounds, is_whole):
        bench.play(work)
    assert bench.content() == scene.there


@ways
@given(scene=scenes(), fails_at=st.integers(1, 40))
def test_a_leader_that_fails_in_the_middle(
    scene: Scene, has_feature: bool, is_whole: bool | None, fails_at: int
) -> None:
    """Nothing is left running, nobody complains, and the next synchronisation makes up for it."""
    bench = Bench(scene.here)
    leader = scene.leader(has_feature=has_feature)
    leader.fails_at = fails_at

    async def failing() -> None:
        try:
            await bench.sync_of(leader).run()
        except NoResponse:
            assert len(leader.calls) >= fails_at
        else:
            assert len(leader.calls) < fails_at

    async def again() -> None:
        leader.fails_at = 10**9
        await bench.sync_of(leader).run()

    with bounded(scene.bounds, is_whole):
        bench.play(failing)
        assert bench.content().items() <= scene.here.items() | scene.there.items()
        bench.play(again)
    assert bench.content() == scene.there


@ways
@given(scene=scenes(), rounds=st.integers(0, 200))
def test_a_synchronisation_that_is_cancelled(
    scene: Scene, has_feature: bool, is_whole: bool | None, rounds: int
) -> None:
    bench = Bench(scene.here)
    leader = scene.leader(has_feature=has_feature)

    async def work() -> None:
        task = asyncio.create_task(bench.sync_of(leader).run())
        for _ in range(rounds):
            await asyncio.sleep(0)
        is_done = task.done()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() is not is_done

    with bounded(scene.bounds, is_whole):
        bench.play(work)
    assert bench.content().items() <= scene.here.items() | scene.there.items()


def numbered(count: int, moment: int = 0) -> Documents:
    return {f"k{number}": (BASE + 64 * number + moment, moment) for number in range(count)}


@ways
@pytest.mark.parametrize("moment", [2, 3, 4])
def test_a_collection_that_is_dropped_meanwhile(
    moment: int, has_feature: bool, is_whole: bool | None
) -> None:
    """Whatever was going on for it fails, and nobody complains."""
    bench = Bench(numbered(40))
    leader = FakeLeader(numbered(50, 1), random.Random(1), has_feature=has_feature, room=4)
    call = leader._called

    async def dropping(name: str) -> None:
        is_now = len(leader.calls) + 1 == moment
        await call(name)
        if is_now:
            database = system(bench.store)
            drop_collection(bench.store, database, bench.collection, allow_system=False)

    leader._called = dropping

    async def work() -> None:
        with pytest.raises(CollectionNotFound):
            await bench.sync_of(leader).run()

    with bounded({"arangorep.follower.incremental.REVISIONS_PER_QUESTION": 5}, is_whole):
        bench.play(work)


def unreadable(family: Any, names: list[bytes]) -> list[bytes | None]:
    raise CorruptionError("unreadable")


def test_keys_are_read_when_all_documents_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """By then most of the surplus has given way to newer states, and costs nothing."""
    bench = Bench(numbered(20))
    there = numbered(15, 1)
    leader = FakeLeader(there, random.Random(1), has_feature=True)
    read = bench.store.engine.get_many
    seen: list[tuple[bool, int]] = []

    def get_many(family: Any, names: list[bytes]) -> list[bytes | None]:
        rows = read(family, names)
        seen.append(
            (bench.content().items() >= there.items(), sum(row is not None for row in rows))
        )
        return rows

    monkeypatch.setattr(bench.store.engine, "get_many", get_many)

    async def work() -> None:
        sync = bench.sync_of(leader)
        await sync.run()
        assert sync.removed == 5

    bench.play(work)
    assert seen == [(True, 5)]
    assert bench.content() == there


def test_a_disk_that_fails_while_keys_are_looked_up() -> None:
    bench = Bench(numbered(20))
    leader = FakeLeader(numbered(20, 1), random.Random(1), has_feature=True)

    bench.store.engine.get_many = unreadable

    async def work() -> None:
        with pytest.raises(CorruptionError):
            await bench.sync_of(leader).run()

    bench.play(work)
    del bench.store.engine.get_many
    assert bench.content().items() >= numbered(20, 1).items()


@pytest.mark.parametrize(("most", "kept"), [(0, 0), (4, 4), (SURPLUS_NEVER, 20)])
def test_no_more_surplus_is_kept_in_mind_than_allowed(most: int, kept: int) -> None:
    here = numbered(40)
    there = {key: value for at, (key, value) in enumerate(here.items()) if at % 2}
    bench = Bench(here)
    leader = FakeLeader(there, random.Random(1), has_feature=True)
    found: list[int] = []

    async def work() -> None:
        sync = bench.sync_of(leader)
        apply = sync._apply

        async def counted(*arrays: Any) -> None:
            await apply(*arrays)
            found.append(len(sync._surplus))

        sync._apply = counted
        await sync.run()
        assert sync.removed == 20

    names = {"SURPLUS_MAX": most, "REVISIONS_PER_QUESTION": 4, "REVISIONS_PER_FIRST_QUESTION": 4}
    with bounded({f"arangorep.follower.incremental.{n}": v for n, v in names.items()}, None):
        bench.play(work)
    assert max(found) == kept
    assert bench.content() == there


def test_nothing_is_looked_up_where_nothing_is_surplus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the collection, which may be gone by now."""
    bench = Bench(numbered(5))
    there = numbered(9)
    leader = FakeLeader(there, random.Random(1), has_feature=True)

    async def find_keys(*_: Any) -> list[bytes]:
        raise AssertionError("there is nothing to find")

    monkeypatch.setattr(Site, "find_keys", find_keys)

    async def work() -> None:
        await bench.sync_of(leader).run()

    bench.play(work)
    assert bench.content() == there


def test_an_empty_leader_empties() -> None:
    bench = Bench(numbered(20))
    leader = FakeLeader({}, random.Random(1), has_feature=True)

    async def work() -> None:
        await bench.sync_of(leader).run()

    bench.play(work)
    assert (bench.content(), leader.calls) == ({}, ["tree"])


# -- what is compared, and how -------------------------------------------------------------------


def chosen(here: Documents, ranges: list[Range], there: int = 1) -> tuple[bool, int]:
    """Whether everything is listed, and the size of a block."""
    bench = Bench(here)
    leader = FakeLeader(numbered(there), random.Random(1), has_feature=True)

    async def choose() -> tuple[bool, int]:
        sync = bench.sync_of(leader)
        sync._choose(await leader.tree(BatchHandle("1", 0), ""), bench.collection, ranges)
        return sync._is_whole, sync._block_size

    return asyncio.run(choose())


@pytest.mark.parametrize(
    ("count", "per_question", "listed_max", "is_whole"),
    [
        (10, 9, 10, True),
        (10, 10, 10, False),  # it fits one question
        (10, 9, 9, False),  # too large to be listed
        (0, 0, 10, False),
    ],
)
def test_when_everything_is_listed(
    monkeypatch: pytest.MonkeyPatch, count: int, per_question: int, listed_max: int, is_whole: bool
) -> None:
    monkeypatch.setattr(module, "REVISIONS_PER_QUESTION", per_question)
    monkeypatch.setattr(module, "REVISIONS_LISTED_MAX", listed_max)
    assert chosen(numbered(count), [(0, 2**64 - 2)])[0] is is_whole


@pytest.mark.parametrize(("inside", "is_whole"), [(4, False), (5, False), (6, True), (10, True)])
def test_not_for_less_than_half(
    monkeypatch: pytest.MonkeyPatch, inside: int, is_whole: bool
) -> None:
    monkeypatch.setattr(module, "REVISIONS_PER_QUESTION", 0)
    bucket = 1 << 42
    here = {f"k{number}": (BASE + number * bucket, 0) for number in range(10)}
    assert chosen(here, [(BASE - bucket // 2, BASE + inside * bucket - bucket // 2)])[0] is is_whole


@pytest.mark.parametrize(("there", "size"), [(20, 16), (21, 64)])
def test_large_collections_are_compared_in_large_blocks(
    monkeypatch: pytest.MonkeyPatch, there: int, size: int
) -> None:
    monkeypatch.setattr(module, "REVISION_BLOCKS_FINE_MAX", 20)
    assert chosen(numbered(5), [(0, 2**64 - 2)], there)[1] == size


def test_the_first_question_is_small_and_the_rest_comes_from_the_list() -> None:
    here = numbered(30)
    bench = Bench(here)
    leader = FakeLeader({**here, **numbered(3, 1)}, random.Random(1), has_feature=True)
    asked: list[int] = []
    ask = leader.differences

    async def differences(batch: Any, guid: str, question: Question, *, is_whole: bool) -> Any:
        asked.append(
            sum(len(within(sorted(r for r, _ in here.values()), *one)) for one in question.ranges)
        )
        return await ask(batch, guid, question, is_whole=is_whole)

    leader.differences = differences

    async def work() -> None:
        await bench.sync_of(leader).run()

    numbers = {
        "arangorep.follower.incremental.REVISIONS_PER_FIRST_QUESTION": 4,
        "arangorep.follower.incremental.REVISIONS_PER_QUESTION": 10,
    }
    with bounded(numbers, None):
        bench.play(work)
    assert leader.is_whole == {True, False}
    assert asked == [4, 10, 10, 6]


@pytest.mark.parametrize(("has_feature", "expected"), [(False, [5, 5, 2]), (True, [3, 3, 3, 3])])
def test_documents_are_asked_for_as_real_followers_do(
    monkeypatch: pytest.MonkeyPatch, has_feature: bool, expected: list[int]
) -> None:
    """Only an arangorep server is asked in smaller parts."""
    assert module.REVISION_DOCUMENTS_PER_REQUEST == 5000
    monkeypatch.setattr(module, "REVISION_DOCUMENTS_PER_REQUEST", 5)
    monkeypatch.setattr(module, "REVISION_DOCUMENTS_PER_SMALL_REQUEST", 3)
    bench = Bench({})
    leader = FakeLeader(numbered(12), random.Random(1), has_feature=has_feature)
    sizes: list[int] = []

    async def documents(batch: Any, guid: str, revisions: list[int]) -> Any:
        sizes.append(len(revisions))
        return await FakeLeader.documents(leader, batch, guid, revisions)

    async def work() -> None:
        monkeypatch.setattr(leader, "documents", documents)
        await bench.sync_of(leader)._fetch(sorted(r for r, _ in numbered(12).values()))

    bench.play(work)
    assert sizes[: len(expected)] == expected
