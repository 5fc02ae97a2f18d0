"""The leaves of a revision tree: for each populated one the count and hash of its ids.

Two representations with the same methods. `SparseLeaves` is a dict: ids of one day populate a
handful of the 262144 leaves of a server's tree, and there are thousands of trees. `DenseLeaves`
holds two arrays of all leaves (4 MiB at depth 6) and is worth it once many leaves are populated.
The hash of a leaf is the xor of the hashes of its ids.

What goes in or out has one of two shapes: `Node` triples for a few ids, in plain Python because
numpy costs some 40 µs a call, and `LeafColumns` for many. Both name a leaf at most once.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

U64Array: TypeAlias = npt.NDArray[np.uint64]
Node: TypeAlias = tuple[int, int, int]
"""A leaf's index, and the count and hash of it or of what is added to it."""

DENSE_FROM: Final = 8192
"""More populated leaves than this are kept as arrays, fewer as a dict."""

_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x00000100000001B3
_MASK: Final = 2**64 - 1
_HASH_BLOCK: Final = 16384
"""Ids hashed in one go: the working arrays stay in the processor's cache."""

_EMPTY: Final = (0, 0)


class LeafColumns(NamedTuple):
    """Leaves as columns of equal length, `indexes` ascending and unique."""

    indexes: U64Array
    counts: U64Array
    hashes: U64Array

    def nodes(self) -> Iterator[Node]:
        """The same as triples."""
        return zip(self.indexes.tolist(), self.counts.tolist(), self.hashes.tolist(), strict=True)

    def mix(self) -> int:
        """The xor of all hashes."""
        return int(np.bitwise_xor.reduce(self.hashes))

    def moved(self, distance: int) -> LeafColumns:
        """The same leaves, `distance` buckets further to the right."""
        return self._replace(indexes=self.indexes + np.uint64(distance))


def hash_revision(revision: int) -> int:
    """FNV-1a, 64 bit, of the id's eight bytes in little-endian order.

    Source: revision tree, section 2.
    """
    mixed = _FNV_OFFSET
    for byte in revision.to_bytes(8, "little"):
        mixed = (mixed ^ byte) * _FNV_PRIME
    return mixed & _MASK  # nothing flows down from the upper bits, so they may wait until here


def hash_revisions(revisions: U64Array) -> U64Array:
    """`hash_revision` of every member."""
    hashes = np.full(len(revisions), _FNV_OFFSET, dtype=np.uint64)
    for start in range(0, len(revisions), _HASH_BLOCK):
        rest = revisions[start : start + _HASH_BLOCK].copy()
        value = hashes[start : start + _HASH_BLOCK]
        for _ in range(8):
            value ^= rest & np.uint64(0xFF)
            value *= np.uint64(_FNV_PRIME)
            rest >>= np.uint64(8)
    return hashes


def group_few(revisions: Sequence[int], range_min: int, shift: int) -> list[Node]:
    """What the ids add to each leaf, if leaf 0 begins at `range_min` and holds `1 << shift`."""
    if len(revisions) == 1:  # by far the most frequent batch
        return [((revisions[0] - range_min) >> shift, 1, hash_revision(revisions[0]))]
    changes: dict[int, tuple[int, int]] = {}
    for revision in revisions:
        index = (revision - range_min) >> shift
        count, mixed = changes.get(index, _EMPTY)
        changes[index] = (count + 1, mixed ^ hash_revision(revision))
    return [(index, count, mixed) for index, (count, mixed) in changes.items()]


def mix(nodes: Iterable[Node]) -> int:
    """The xor of all hashes."""
    result = 0
    for _, _, mixed in nodes:
        result ^= mixed
    return result


def group_many(revisions: U64Array, range_min: int, shift: int) -> LeafColumns:
    """`group_few` for ascending ids, at least one."""
    first, last = ((int(revision) - range_min) >> shift for revision in revisions[[0, -1]])
    if first == last:  # as nearly always for what one commit inserts
        mixed = np.bitwise_xor.reduce(hash_revisions(revisions))
        columns = [[first], [len(revisions)], [mixed]]
        return LeafColumns(*(np.array(column, dtype=np.uint64) for column in columns))
    index = (revisions - np.uint64(range_min)) >> np.uint64(shift)
    starts = _run_starts(index)
    count = np.diff(starts, append=len(index)).astype(np.uint64)
    mixed = np.bitwise_xor.reduceat(hash_revisions(revisions), starts)
    return LeafColumns(index[starts], count, mixed)


def fold(leaves: LeafColumns, offset: int, shift: int) -> LeafColumns:
    """The leaves of buckets `1 << shift` times as wide: leaf i goes to `(i + offset) >> shift`."""
    if not len(leaves.indexes):
        return leaves
    index = (leaves.indexes + np.uint64(offset)) >> np.uint64(shift)
    starts = _run_starts(index)
    return LeafColumns(
        index[starts],
        np.add.reduceat(leaves.counts, starts),
        np.bitwise_xor.reduceat(leaves.hashes, starts),
    )


def differing(left: LeafColumns, right: LeafColumns) -> U64Array:
    """Indexes, ascending, of the leaves that differ in count or hash or are on one side only."""
    index = np.concatenate((left.indexes, right.indexes))
    order = np.argsort(index, kind="stable")
    index = index[order]
    count = np.concatenate((left.counts, right.counts))[order]
    mixed = np.concatenate((left.hashes, right.hashes))[order]
    # A leaf equal on both sides now stands twice in a row; everything else differs.
    twin = (index[1:] == index[:-1]) & (count[1:] == count[:-1]) & (mixed[1:] == mixed[:-1])
    alone = np.ones(len(index), dtype=np.bool_)
    alone[1:] &= ~twin
    alone[:-1] &= ~twin
    return np.unique(index[alone])


def runs(indexes: U64Array) -> Iterator[tuple[int, int]]:
    """First and last member of each run of neighbours in an ascending array."""
    gaps = np.flatnonzero(np.diff(indexes) > 1)
    firsts = np.concatenate((indexes[:1], indexes[gaps + 1]))
    lasts = np.concatenate((indexes[gaps], indexes[-1:]))
    return zip(firsts.tolist(), lasts.tolist(), strict=True)


def _run_starts(index: U64Array) -> npt.NDArray[np.intp]:
    """Where a new value begins in an ascending, non-empty array."""
    return np.concatenate(([0], np.flatnonzero(index[1:] != index[:-1]) + 1))


class SparseLeaves:
    """Only populated leaves, in a dict. A copy shares the (immutable) pairs, so it is cheap."""

    __slots__ = ("_leaves",)

    def __init__(self, leaves: dict[int, tuple[int, int]] | None = None) -> None:
        self._leaves = {} if leaves is None else leaves

    @property
    def crowded(self) -> bool:
        """Whether arrays would be the better representation by now."""
        return len(self._leaves) > DENSE_FROM

    def copy(self) -> SparseLeaves:
        """An independent copy."""
        return SparseLeaves(self._leaves.copy())

    def columns(self) -> LeafColumns:
        """The populated leaves."""
        indexes = sorted(self._leaves)
        pairs = [self._leaves[index] for index in indexes]
        return LeafColumns(
            np.array(indexes, dtype=np.uint64),
            np.array([count for count, _ in pairs], dtype=np.uint64),
            np.array([mixed for _, mixed in pairs], dtype=np.uint64),
        )

    def add_few(self, nodes: Iterable[Node]) -> None:
        """Add counts and mix in hashes."""
        leaves = self._leaves
        for index, count, mixed in nodes:
            old_count, old_mixed = leaves.get(index, _EMPTY)
            leaves[index] = (old_count + count, old_mixed ^ mixed)

    def add_many(self, columns: LeafColumns) -> None:
        """`add_few` for many leaves."""
        self.add_few(columns.nodes())

    def remove_few(self, nodes: Sequence[Node]) -> bool:
        """Subtract counts and mix in hashes.

        False, with nothing changed, if a leaf holds fewer ids, or would hold none and yet a hash:
        then ids were to go that never came.
        """
        leaves = self._leaves
        changed: dict[int, tuple[int, int]] = {}
        for index, count, mixed in nodes:
            old_count, old_mixed = leaves.get(index, _EMPTY)
            changed[index] = pair = (old_count - count, old_mixed ^ mixed)
            if pair[0] <= 0 and pair != _EMPTY:
                return False
        leaves.update(changed)
        for index, pair in changed.items():
            if pair == _EMPTY:
                del leaves[index]
        return True

    def remove_many(self, columns: LeafColumns) -> bool:
        """`remove_few` for many leaves."""
        return self.remove_few(list(columns.nodes()))


class DenseLeaves:
    """All leaves in two arrays: `array` objects for single leaves, numpy views of them for many."""

    __slots__ = ("_count_view", "_counts", "_hash_view", "_hashes")

    crowded: Final = False

    def __init__(self, counts: array[int], hashes: array[int]) -> None:
        self._counts = counts
        self._hashes = hashes
        self._count_view = np.frombuffer(counts, dtype=np.uint64)
        self._hash_view = np.frombuffer(hashes, dtype=np.uint64)

    def copy(self) -> DenseLeaves:
        """An independent copy."""
        return DenseLeaves(self._counts[:], self._hashes[:])

    def columns(self) -> LeafColumns:
        """The populated leaves."""
        index = np.flatnonzero(self._count_view)
        return LeafColumns(index.astype(np.uint64), self._count_view[index], self._hash_view[index])

    def add_few(self, nodes: Iterable[Node]) -> None:
        """Add counts and mix in hashes."""
        for index, count, mixed in nodes:
            self._counts[index] += count
            self._hashes[index] ^= mixed

    def add_many(self, columns: LeafColumns) -> None:
        """`add_few` for many leaves."""
        self._count_view[columns.indexes] += columns.counts
        self._hash_view[columns.indexes] ^= columns.hashes

    def remove_few(self, nodes: Sequence[Node]) -> bool:
        """Subtract counts and mix in hashes; False, with nothing changed, as for `SparseLeaves`."""
        for index, count, mixed in nodes:
            left = self._counts[index] - count
            if left < 0 or (left == 0 and self._hashes[index] != mixed):
                return False
        for index, count, mixed in nodes:
            self._counts[index] -= count
            self._hashes[index] ^= mixed
        return True

    def remove_many(self, columns: LeafColumns) -> bool:
        """`remove_few` for many leaves."""
        old = self._count_view[columns.indexes]
        mixed = self._hash_view[columns.indexes] ^ columns.hashes
        if bool(((old < columns.counts) | ((old == columns.counts) & (mixed != 0))).any()):
            return False
        self._count_view[columns.indexes] = old - columns.counts
        self._hash_view[columns.indexes] = mixed
        return True


Leaves: TypeAlias = SparseLeaves | DenseLeaves


def leaves_from(columns: LeafColumns, size: int) -> Leaves:
    """The better representation of these leaves, of `size` in all; no node of them is empty."""
    if len(columns.indexes) <= DENSE_FROM:
        pairs = zip(columns.counts.tolist(), columns.hashes.tolist(), strict=True)
        return SparseLeaves(dict(zip(columns.indexes.tolist(), pairs, strict=True)))
    dense = DenseLeaves(array("Q", bytes(8 * size)), array("Q", bytes(8 * size)))
    dense.add_many(columns)
    return dense
