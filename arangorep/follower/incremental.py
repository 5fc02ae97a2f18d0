"""Incremental synchronisation by revision: what differs is found by trees and fetched.

The trees tell ranges that differ; between two arangorep servers blocks of revisions narrow them
down; the revisions of what is left are merged with the local ones: those only here are removed,
those only there fetched. Source: follower 4, revision tree 5.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np

from arangorep.data.collections import truncate_collection
from arangorep.errors import InvalidResponse
from arangorep.follower.leader import BatchHandle, Leader
from arangorep.follower.site import Site
from arangorep.limits import (
    REVISION_BLOCK_SIZES,
    REVISION_BLOCKS_DIRECT_MAX,
    REVISION_DOCUMENTS_PER_REQUEST,
    REVISION_REQUESTS_IN_FLIGHT,
)
from arangorep.pacing import drive
from arangorep.protocol.blocks import BLOCKS, RangeBlocks, read_blocks, widened
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.store import Store
from arangorep.values.revision import parse_revision
from arangorep.values.revision_tree import RevisionTree, RevisionTreeError
from arangorep.values.tree_leaves import U64Array, hash_revisions

Range = tuple[int, int]
SCAN_ROWS = 4096
EVERYTHING = (0, 2**64 - 2)


class RevisionSync:
    """Brings one collection to the state it has in the leader's batch."""

    def __init__(
        self, site: Site, leader: Leader, batch: BatchHandle, database_id: int, guid: str
    ) -> None:
        self._site = site
        self._leader = leader
        self._batch = batch
        self._database_id = database_id
        self._guid = guid
        self._local: U64Array | None = None
        """The revisions here within the ranges to merge, once they are known."""
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
        if ranges and self._leader.has(BLOCKS):
            is_small = tree.count <= REVISION_BLOCKS_DIRECT_MAX
            for size in REVISION_BLOCK_SIZES[-1:] if is_small else REVISION_BLOCK_SIZES:
                ranges = await self._narrow(ranges, size)
        if ranges:
            await self._merge(ranges)

    async def _clear(self) -> None:
        async with self._site.write_lock:
            database, collection = self._site.collection(self._database_id, self._guid)
            truncate_collection(self._site.store, database, collection)

    # -- narrowing down ------------------------------------------------------------

    async def _narrow(self, ranges: list[Range], size: int) -> list[Range]:
        """The parts of `ranges` whose blocks of `size` revisions differ."""
        differing: list[Range] = []
        local: list[U64Array] = []
        answer = asyncio.create_task(self._ask_blocks(ranges, size))
        try:
            while ranges:
                blocks, ranges = read_blocks(await answer, ranges)
                if ranges:
                    answer = asyncio.create_task(self._ask_blocks(ranges, size))
                _, collection = self._site.collection(self._database_id, self._guid)
                work = _differing_blocks(self._site.store, collection, blocks)
                found, here = await drive(work)
                differing += found
                local += here
        finally:
            answer.cancel()
        self._local = np.concatenate(local) if local else np.empty(0, dtype=np.uint64)
        return _joined(differing)

    async def _ask_blocks(self, ranges: list[Range], size: int) -> bytes:
        return await self._leader.blocks(self._batch, self._guid, ranges, size)

    # -- merging ------------------------------------------------------------

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
                await self._apply(parts)
        finally:
            answer.cancel()

    async def _ask(self, ranges: list[Range], resume: int) -> tuple[list[list[int]], int | None]:
        return await self._leader.ranges(self._batch, self._guid, ranges, resume)

    async def _apply(self, parts: list[tuple[Range, list[int]]]) -> None:
        """Remove what is only here, then fetch what is only there."""
        _, collection = self._site.collection(self._database_id, self._guid)
        local = self._local
        if local is None:
            local = await drive(_local_in(self._site.store, collection, parts))
        missing, surplus = _compare(local, parts)
        site = self._site
        self.removed += await site.remove_revisions(self._database_id, self._guid, surplus)
        await self._fetch(missing)

    async def _fetch(self, missing: list[int]) -> None:
        """Ask for documents, some requests ahead; what an answer left out is asked for again."""
        size = REVISION_DOCUMENTS_PER_REQUEST
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


def _joined(ranges: list[Range]) -> list[Range]:
    """Neighbouring ranges as one; every range wider than a single revision."""
    joined: list[Range] = []
    for low, high in ranges:
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], high)
        else:
            joined.append((low, high))
    return widened(joined)


def _local_revisions(
    store: Store, collection: Collection, low: int, high: int
) -> Generator[None, None, U64Array]:
    """The revisions here within a range, ascending."""
    start = collection.prefix + low.to_bytes(8, "big")
    end = collection.prefix + high.to_bytes(8, "big") + b"\0"
    scan = store.engine.scan_keys(Family.DOCUMENTS, start, end)
    blocks = []
    while found := scan.take(SCAN_ROWS):
        blocks.append(np.frombuffer(b"".join(found), dtype=">u8")[1::2].astype(np.uint64))
        yield
    scan.close()
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=np.uint64)


def _differing_blocks(
    store: Store, collection: Collection, blocks: list[RangeBlocks]
) -> Generator[None, None, tuple[list[Range], list[U64Array]]]:
    """Blocks whose hash is another one here, and the revisions that are here in them."""
    differing: list[Range] = []
    inside: list[U64Array] = []
    for (low, high), ends, hashes in blocks:
        local = yield from _local_revisions(store, collection, low, high)
        hashed = hash_revisions(local)
        accumulated = np.zeros(len(local) + 1, dtype=np.uint64)
        np.bitwise_xor.accumulate(hashed, out=accumulated[1:])
        borders = np.searchsorted(local, ends, side="right")
        mixed = accumulated[borders]
        here = mixed ^ np.concatenate(([np.uint64(0)], mixed[:-1]))
        is_other = here != hashes
        starts = np.concatenate(([0], borders[:-1]))
        inside.append(local[np.repeat(is_other, borders - starts)])
        for position in np.flatnonzero(is_other).tolist():
            start = low if not position else int(ends[position - 1]) + 1
            differing.append((start, int(ends[position])))
        yield
    return differing, inside


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
    store: Store, collection: Collection, parts: Sequence[tuple[Range, list[int]]]
) -> Generator[None, None, U64Array]:
    """The revisions here within some ranges."""
    found = []
    for (low, high), _ in parts:
        found.append((yield from _local_revisions(store, collection, low, high)))
    return np.concatenate(found) if found else np.empty(0, dtype=np.uint64)


def _compare(
    local: U64Array, parts: Sequence[tuple[Range, list[int]]]
) -> tuple[list[int], list[int]]:
    """Revisions that are only there, and those that are only here.

    `local` holds nothing between the ranges that are compared.
    """
    if not parts:
        return [], []
    there = np.array([revision for _, found in parts for revision in found], dtype=np.uint64)
    first, last = np.uint64(parts[0][0][0]), np.uint64(parts[-1][0][1])
    here = local[np.searchsorted(local, first) : np.searchsorted(local, last, side="right")]
    missing: list[int] = np.setdiff1d(there, here, assume_unique=True).tolist()
    surplus: list[int] = np.setdiff1d(here, there, assume_unique=True).tolist()
    return missing, surplus
