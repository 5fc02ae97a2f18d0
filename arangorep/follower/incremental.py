"""Incremental synchronisation by revision: what differs is found by trees and fetched.

The trees tell ranges that differ. The leader lists its revisions in them, or, if it is an arangorep
server, those in blocks that differ from ours (`protocol.differences`). What is only there is
fetched, what is only here removed. Source: follower 4, revision tree 5.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from arangorep.data.collections import truncate_collection
from arangorep.errors import InvalidResponse
from arangorep.follower.leader import BatchHandle, Leader
from arangorep.follower.site import Site
from arangorep.limits import (
    REVISION_BLOCK_SIZE,
    REVISION_BLOCK_SIZE_LARGE,
    REVISION_BLOCKS_FINE_MAX,
    REVISION_DOCUMENTS_PER_REQUEST,
    REVISION_DOCUMENTS_PER_SMALL_REQUEST,
    REVISION_REQUESTS_IN_FLIGHT,
    REVISIONS_LISTED_MAX,
    REVISIONS_PER_FIRST_QUESTION,
    REVISIONS_PER_QUESTION,
    SURPLUS_MAX,
)
from arangorep.pacing import drive
from arangorep.protocol.differences import (
    DIFFERENCES,
    Differences,
    Question,
    question_about,
)
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.listing import NOTHING, all_revisions, take_revisions
from arangorep.storage.store import Store
from arangorep.values.revision import parse_revision
from arangorep.values.revision_tree import RevisionTree, RevisionTreeError
from arangorep.values.tree_leaves import U64Array

Range = tuple[int, int]
Reader = Callable[[int, int, int], Generator[None, None, U64Array]]
"""The first so many revisions here within a range, ascending."""

EVERYTHING = (0, 2**64 - 2)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some revisions here with their blocks; `rest` are the ranges behind them."""

    local: U64Array
    question: Question
    rest: list[Range]


class RevisionSync:
    """Brings one collection to the state it has in the leader's batch.

    Documents are fetched first: much of what is only here is an older state of one of them, which
    gives way to it. What is left of the surplus is removed at the end, its keys are read only then.
    """

    def __init__(
        self, site: Site, leader: Leader, batch: BatchHandle, database_id: int, guid: str
    ) -> None:
        self._site = site
        self._leader = leader
        self._batch = batch
        self._database_id = database_id
        self._guid = guid
        self._surplus: list[int] = []
        """Revisions that the leader does not have."""
        self._block_size = REVISION_BLOCK_SIZE
        self._is_whole = False
        """Whether most of the collection is compared: then both sides list it at once."""
        self._is_begun = False
        self._listed: U64Array | None = None
        self.fetched = 0
        self.removed = 0

    async def run(self) -> None:
        """Errors: 501/9 where the leader has no tree for the collection."""
        tree = await self._leader.tree(self._batch, self._guid)
        _, collection = self._site.collection(self._database_id, self._guid)
        if not tree.count:
            await self._clear()
            return
        ranges = _difference(tree, collection.state.tree)
        if ranges and self._leader.has(DIFFERENCES):
            self._choose(tree, collection, ranges)
            await self._compare(ranges)
        elif ranges:
            await self._merge(ranges)
        await self._remove_surplus()

    async def _clear(self) -> None:
        async with self._site.write_lock:
            database, collection = self._site.collection(self._database_id, self._guid)
            truncate_collection(self._site.store, database, collection)

    # -- between two arangorep servers -------------------------------------------------------------

    def _choose(self, tree: RevisionTree, collection: Collection, ranges: list[Range]) -> None:
        """How fine the comparison is, and whether it is worth it to list everything."""
        if tree.count > REVISION_BLOCKS_FINE_MAX:
            self._block_size = REVISION_BLOCK_SIZE_LARGE
        inside = collection.state.tree.count_in(ranges)
        is_most = inside > max(collection.count // 2, REVISIONS_PER_QUESTION)
        self._is_whole = is_most and collection.count <= REVISIONS_LISTED_MAX

    async def _compare(self, ranges: list[Range]) -> None:
        """Describe piece after piece of what is here; the leader tells what differs."""
        piece = await self._read_piece(ranges)
        asked = self._ask_differences(piece)
        try:
            while True:
                # both sides read at the same time
                ahead = await self._read_piece(piece.rest) if piece.rest else None
                found = await asked
                if found.upto < piece.question.end:
                    rest = _behind([*piece.question.ranges, *piece.rest], found.upto)
                    ahead = await self._read_piece(rest)
                if ahead is not None:
                    asked = self._ask_differences(ahead)
                local = piece.question.within(piece.local, found.is_other)
                upto = np.searchsorted(local, np.uint64(found.upto), side="right")
                await self._apply(local[:upto], found.revisions)
                if ahead is None:
                    return
                piece = ahead
        finally:
            asked.cancel()

    def _ask_differences(self, piece: Piece) -> asyncio.Task[Differences]:
        work = self._leader.differences(
            self._batch, self._guid, piece.question, is_whole=self._is_whole and bool(piece.rest)
        )
        return asyncio.create_task(work)

    async def _read_piece(self, ranges: list[Range]) -> Piece:
        """The first one is small and read from its range: the leader need not wait for the list."""
        store = self._site.store
        _, collection = self._site.collection(self._database_id, self._guid)
        if self._is_begun and self._is_whole and self._listed is None:
            self._listed = await drive(all_revisions(store.engine, collection))
        self._is_begun = True
        if self._listed is None:
            room = REVISIONS_PER_FIRST_QUESTION if self._is_whole else REVISIONS_PER_QUESTION
            work = _piece_of(_scanner(store, collection), ranges, self._block_size, room)
        else:
            work = _piece_of(_taker(self._listed), ranges, self._block_size, REVISIONS_PER_QUESTION)
        return await drive(work)

    # -- with any leader ---------------------------------------------------------------------------

    async def _merge(self, ranges: list[Range]) -> None:
        resume: int | None = ranges[0][0]
        answer = asyncio.create_task(self._ask(ranges, ranges[0][0]))
        try:
            while resume is not None:
                start = resume
                lists, resume = await answer
                if resume is not None:
                    if resume <= start:
                        raise InvalidResponse("invalid response: ranges do not advance")
                    answer = asyncio.create_task(self._ask(ranges, resume))
                parts = _answered(ranges, start, resume, lists)
                _, collection = self._site.collection(self._database_id, self._guid)
                local = await drive(_local_in(_scanner(self._site.store, collection), parts))
                there = [revision for _, found in parts for revision in found]
                await self._apply(local, np.array(there, dtype=np.uint64))
        finally:
            answer.cancel()

    async def _ask(self, ranges: list[Range], resume: int) -> tuple[list[list[int]], int | None]:
        return await self._leader.ranges(self._batch, self._guid, ranges, resume)

    # -- what differs ------------------------------------------------------------------------------

    async def _apply(self, local: U64Array, there: U64Array) -> None:
        """Fetch what is only there; keep in mind what is only here."""
        missing, surplus = _differing(local, there)
        self._surplus += surplus.tolist()
        await self._fetch(missing.tolist())
        if len(self._surplus) > SURPLUS_MAX:
            await self._remove_surplus()

    async def _remove_surplus(self) -> None:
        if not self._surplus:
            return
        place, revisions = (self._database_id, self._guid), self._surplus
        keys = await self._site.find_keys(*place, revisions)
        self.removed += await self._site.remove_revisions(*place, revisions, keys)
        self._surplus = []

    async def _fetch(self, missing: list[int]) -> None:
        """Ask for documents, some requests ahead; what an answer left out is asked for again."""
        is_own = self._leader.has(DIFFERENCES)
        size = REVISION_DOCUMENTS_PER_SMALL_REQUEST if is_own else REVISION_DOCUMENTS_PER_REQUEST
        wanted = deque(missing[i : i + size] for i in range(0, len(missing), size))
        flying: deque[tuple[list[int], asyncio.Task[list[Any]]]] = deque()
        try:
            while wanted or flying:
                while wanted and len(flying) < REVISION_REQUESTS_IN_FLIGHT:
                    part = wanted.popleft()
                    task = asyncio.create_task(
                        self._leader.documents(self._batch, self._guid, part)
                    )
                    flying.append((part, task))
                part, task = flying.popleft()
                documents = await task
                rest = _not_among(part, documents)
                self.fetched += await self._site.store_values(
                    self._database_id, self._guid, documents
                )
                if rest:
                    wanted.appendleft(rest)
        finally:
            for _, task in flying:
                task.cancel()


def _not_among(part: list[int], documents: list[Any]) -> list[int]:
    """Revisions that an answer left out. Errors: 500/1401 when it holds none of them."""
    texts = (value.get("_rev") if isinstance(value, dict) else None for value in documents)
    found = {parse_revision(text) for text in texts if isinstance(text, str)}
    rest = [revision for revision in part if revision not in found]
    if len(rest) == len(part) or not found.issubset(part):
        raise InvalidResponse("invalid response: these are not the documents asked for")
    return rest


def _difference(leader: RevisionTree, local: RevisionTree) -> list[Range]:
    """Where the trees differ; everything, when they cannot be compared."""
    try:
        return leader.difference(local)
    except RevisionTreeError:
        return [EVERYTHING]


def _behind(ranges: Sequence[Range], upto: int) -> list[Range]:
    """What of the ranges lies above a revision."""
    return [(max(low, upto + 1), high) for low, high in ranges if high > upto]


def _scanner(store: Store, collection: Collection) -> Reader:
    """Reads revisions within a range from the keys of the documents."""

    def read(low: int, high: int, room: int) -> Generator[None, None, U64Array]:
        start = collection.prefix + low.to_bytes(8, "big")
        end = collection.prefix + high.to_bytes(8, "big") + b"\0"
        scan = store.engine.scan_keys(Family.DOCUMENTS, start, end)
        found = yield from take_revisions(scan, room)
        scan.close()
        return found

    return read


def _taker(listed: U64Array) -> Reader:
    """Reads them from all that there are."""

    def read(low: int, high: int, room: int) -> Generator[None, None, U64Array]:
        first = np.searchsorted(listed, np.uint64(low))
        behind = np.searchsorted(listed, np.uint64(high), side="right")
        yield
        return listed[first:behind][:room]

    return read


def _piece_of(
    read: Reader, ranges: list[Range], size: int, room: int
) -> Generator[None, None, Piece]:
    """The next `room` revisions of some ranges, in blocks of `size`."""
    parts: list[tuple[Range, U64Array]] = []
    cut: list[Range] = []
    for low, high in ranges:
        found = yield from read(low, high, room)
        room -= len(found)
        if not room and int(found[-1]) < high:
            cut.append((int(found[-1]) + 1, high))
            high = int(found[-1])
        parts.append(((low, high), found))
        if not room:
            break
    rest = cut + ranges[len(parts) :]
    question = question_about(parts, size)
    return Piece(np.concatenate([found for _, found in parts]), question, rest)


def _answered(
    ranges: list[Range], start: int, resume: int | None, lists: list[list[int]]
) -> list[tuple[Range, list[int]]]:
    """Each list of an answer with the part of its range that it covers.

    Errors: 500/1401 for revisions outside, or more lists than ranges.
    """
    first = max(0, bisect_right([low for low, _ in ranges], start) - 1)
    if first + 1 < len(ranges) and ranges[first][1] < start:
        first += 1
    covered = ranges[first : first + len(lists)]
    if len(covered) < len(lists):
        raise InvalidResponse("invalid response: more ranges than asked for")
    if resume is None and first + len(lists) < len(ranges):
        raise InvalidResponse("invalid response: fewer ranges than asked for")
    behind = first + len(lists)
    if resume is not None and behind < len(ranges) and resume > ranges[behind][0]:
        raise InvalidResponse("invalid response: a range was left out")
    parts = []
    for (low, high), found in zip(covered, lists, strict=True):
        low = max(low, start)
        if resume is not None:
            high = min(high, resume - 1)
        if found and (found[0] < low or found[-1] > high):
            raise InvalidResponse("invalid response: a revision lies outside its range")
        if low <= high:
            parts.append(((low, high), found))
    return parts


def _local_in(
    read: Reader, parts: Sequence[tuple[Range, list[int]]]
) -> Generator[None, None, U64Array]:
    """The revisions here within some ranges."""
    found = []
    for (low, high), _ in parts:
        while len(part := (yield from read(low, high, REVISIONS_PER_QUESTION))):
            found.append(part)
            low = int(part[-1]) + 1
            if len(part) < REVISIONS_PER_QUESTION:
                break
    return np.concatenate(found) if found else NOTHING


def _differing(local: U64Array, there: U64Array) -> tuple[U64Array, U64Array]:
    """Revisions that are only there, and those that are only here."""
    missing = np.setdiff1d(there, local, assume_unique=True)
    return missing, np.setdiff1d(local, there, assume_unique=True)
