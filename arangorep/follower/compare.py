"""Comparing two servers: do they hold the same data?

Collections are matched by name and compared as of one batch on either side: first by revision tree,
where trees differ by revisions, and where those differ by documents. Servers without trees are
compared by checksum. Works between arangorep and ArangoDB.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from arangorep.codec.json import dumps
from arangorep.errors import NotImplementedHere
from arangorep.follower.held_batch import HeldBatch
from arangorep.follower.leader import Leader
from arangorep.limits import COMPARED_DOCUMENTS_MAX, REVISION_DOCUMENTS_PER_REQUEST
from arangorep.values.revision_tree import RevisionTree, RevisionTreeError
from arangorep.values.tree_leaves import U64Array

EXAMPLES = 5
INDEX_MEMBERS = ("type", "fields", "unique", "sparse")

Range = tuple[int, int]


@dataclass(slots=True)
class Difference:
    """What differs in one collection; all empty when it is equal."""

    database: str
    collection: str
    documents: int = 0
    """Documents of the collection on the first server."""
    notes: list[str] = field(default_factory=list)
    only_a: int = 0
    only_b: int = 0
    changed: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        return not (self.notes or self.only_a or self.only_b or self.changed)


class Comparison:
    """Two servers, asked like a follower asks its leader."""

    def __init__(self, a: Leader, b: Leader, *, include_system: bool) -> None:
        self._a, self._b = a, b
        self._include_system = include_system

    async def database(self, name: str) -> list[Difference]:
        """Compare all collections of one database, by name."""
        a, b = self._a.in_database(name), self._b.in_database(name)
        held = [await HeldBatch.open(side, asyncio.sleep, with_state=False) for side in (a, b)]
        try:
            sides = [_Side(side, batch) for side, batch in zip((a, b), held, strict=True)]
            listed = [await side.collections(self._include_system) for side in sides]
            names = sorted(listed[0].keys() | listed[1].keys())
            return [
                await _compare(name, collection, sides, [found.get(collection) for found in listed])
                for collection in names
            ]
        finally:
            for batch in held:
                await batch.close()


class _Side:
    """One of the two servers with its batch."""

    def __init__(self, leader: Leader, held: HeldBatch) -> None:
        self.leader = leader
        self.held = held

    async def collections(self, include_system: bool) -> dict[str, dict[str, Any]]:
        inventory = await self.leader.inventory(
            self.held.handle, include_system=include_system, include_foxx_queues=False
        )
        listed = inventory.get("collections", [])
        found = {entry["parameters"]["name"]: entry for entry in listed}
        return {n: e for n, e in found.items() if include_system or not n.startswith("_")}

    async def tree(self, collection: str) -> RevisionTree:
        return await self.leader.tree(self.held.handle, collection)

    async def revisions(self, collection: str, ranges: list[Range]) -> U64Array:
        """All revisions in some ranges, ascending."""
        parts: list[U64Array] = []
        resume: int | None = ranges[0][0]
        while resume is not None:
            lists, resume = await self.leader.ranges(self.held.handle, collection, ranges, resume)
            parts += [np.array(one, dtype=np.uint64) for one in lists]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)

    async def contents(self, collection: str, revisions: list[int]) -> dict[str, bytes]:
        """Documents without `_rev` by key."""
        found: dict[str, bytes] = {}
        waiting = revisions
        while waiting:
            part = waiting[:REVISION_DOCUMENTS_PER_REQUEST]
            documents = await self.leader.documents(self.held.handle, collection, part)
            for document in documents:
                key = document.pop("_key")
                document.pop("_rev", None)
                found[key] = dumps(dict(sorted(document.items())))
            waiting = waiting[len(documents) :]
        return found


async def _compare(
    database: str, name: str, sides: list[_Side], entries: list[dict[str, Any] | None]
) -> Difference:
    found = Difference(database, name)
    entry_a, entry_b = entries
    if entry_a is None or entry_b is None:
        found.notes.append(f"only on {'B' if entry_a is None else 'A'}")
        return found
    for member in ("type",):
        if entry_a["parameters"].get(member) != entry_b["parameters"].get(member):
            found.notes.append(f"{member} differs")
    if _indexes(entry_a) != _indexes(entry_b):
        found.notes.append("indexes differ")
    try:
        tree_a, tree_b = [await side.tree(name) for side in sides]
    except NotImplementedHere:
        found.notes.append("a server has no revision tree for it: not compared")
        return found
    found.documents = tree_a.count
    ranges = _ranges(tree_a, tree_b)
    if ranges:
        a, b = [await side.revisions(name, ranges) for side in sides]
        only_a = np.setdiff1d(a, b, assume_unique=True).tolist()
        only_b = np.setdiff1d(b, a, assume_unique=True).tolist()
        await _classify(found, sides, only_a, only_b)
    return found


async def _classify(
    found: Difference, sides: list[_Side], only_a: list[int], only_b: list[int]
) -> None:
    """Tell missing documents from changed ones."""
    if max(len(only_a), len(only_b)) > COMPARED_DOCUMENTS_MAX:
        found.notes.append("too many differences to compare documents; revisions are counted")
        found.only_a, found.only_b = len(only_a), len(only_b)
        return
    a, b = [
        await side.contents(found.collection, revisions)
        for side, revisions in zip(sides, (only_a, only_b), strict=True)
    ]
    found.only_a, found.only_b = len(a.keys() - b.keys()), len(b.keys() - a.keys())
    changed = sorted(a.keys() & b.keys())
    found.changed = len(changed)
    found.examples += [f"{key}: only on A" for key in sorted(a.keys() - b.keys())][:EXAMPLES]
    found.examples += [f"{key}: only on B" for key in sorted(b.keys() - a.keys())][:EXAMPLES]
    for key in changed[:EXAMPLES]:
        what = "only _rev differs" if a[key] == b[key] else "differs"
        found.examples.append(f"{key}: {what}")


def _ranges(a: RevisionTree, b: RevisionTree) -> list[Range]:
    try:
        return a.difference(b)
    except RevisionTreeError:
        return [(0, 2**64 - 2)]


def _indexes(entry: dict[str, Any]) -> list[str]:
    described = [{m: index.get(m) for m in INDEX_MEMBERS} for index in entry.get("indexes", [])]
    return sorted(dumps(one).decode() for one in described)
