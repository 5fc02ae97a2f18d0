"""What the server knows in memory of a collection's documents, and how snapshots see it later.

Counts and trees move with every commit. A snapshot copies nothing: the first commit after it sets
the old values aside (`preserve`), and the snapshot finds them by its epoch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from arangorep.codec import msgpack
from arangorep.values.revision_tree import RevisionTree


@dataclass(slots=True)
class Counters:
    """The numbers kept per collection; stored with every commit that changes them."""

    count: int = 0
    last_value: int = 0
    """Of the key generator."""
    revision: int = 0
    """Of the last change."""
    largest_bytes: int = 0
    """The largest document ever stored: bounds how many rows a scan may take at once."""

    def pack(self) -> bytes:
        return msgpack.pack([self.count, self.last_value, self.revision, self.largest_bytes])

    @staticmethod
    def unpack(data: bytes) -> Counters:
        return Counters(*msgpack.unpack(data))


@dataclass(frozen=True, slots=True)
class FrozenState:
    """A collection's count and revision tree at some moment. The tree must not be changed."""

    count: int
    tree: RevisionTree
    largest_bytes: int


class CollectionState:
    """Live counters and revision tree of one collection."""

    __slots__ = ("_kept", "changes", "counters", "epoch", "tree", "tree_dirty")

    def __init__(self, counters: Counters, tree: RevisionTree) -> None:
        self.counters = counters
        self.tree = tree
        self.tree_dirty = False
        self.changes = 0
        """Commits that touched the documents since the start."""
        self.epoch = 0
        self._kept: list[tuple[int, FrozenState]] = []

    def _freeze(self) -> FrozenState:
        return FrozenState(self.counters.count, self.tree, self.counters.largest_bytes)

    def preserve(self, epoch: int) -> None:
        """Set the present state aside for snapshots up to `epoch`, before it is changed."""
        self._kept.append((epoch, self._freeze()))
        self.tree = self.tree.copy()
        self.epoch = epoch

    def at(self, epoch: int) -> FrozenState:
        """The state a snapshot of `epoch` shows."""
        for kept_epoch, frozen in self._kept:
            if kept_epoch >= epoch:
                return frozen
        return self._freeze()

    def forget_unseen(self, live: Collection[int]) -> bool:
        """Drop what no snapshot of the `live` epochs shows; returns whether something is left."""
        seen: list[tuple[int, FrozenState]] = []
        previous = -1
        for epoch, frozen in self._kept:
            # an entry is what snapshots above the entry before it show
            if any(previous < e <= epoch for e in live):
                seen.append((epoch, frozen))
            previous = epoch
        self._kept = seen
        return bool(seen)
