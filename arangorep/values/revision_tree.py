"""The revision tree (Merkle tree) of a collection: finds where two sets of revision ids differ.

A tree divides a range of ids into `8 ** depth` buckets of equal width and keeps for each a leaf:
the number of its ids and the xor of their hashes (`tree_leaves`), plus one summary of all. The
range doubles when an id falls outside. Source: revision tree, sections 3 to 5, 7 and 8.2.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import numpy as np

from arangorep.limits import TREE_DEPTH_MAX
from arangorep.values import tree_leaves
from arangorep.values.revision import REVISION_LOWER_BOUND, REVISION_MAX
from arangorep.values.tree_leaves import LeafColumns, SparseLeaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from arangorep.values.tree_leaves import Leaves, Node, U64Array

BRANCHING_BITS: Final = 3
"""Every inner node has `1 << BRANCHING_BITS` children."""

DEPTH_MIN: Final = 2
IDS_PER_LEAF_DEFAULT: Final = 64

FEW: Final = 40
"""Batches up to this size are cheaper in plain Python than with numpy."""

_META: Final = struct.Struct("<6Q")
_TRAILER: Final = b"3\x01"
_STORED_LEAF: Final = np.dtype([("indexes", "<u4"), ("counts", "<u8"), ("hashes", "<u8")])

ErrorKind: TypeAlias = Literal["invalid_argument", "out_of_range"]


class RevisionTreeError(ValueError):
    """A tree cannot be built, read, changed or compared as asked.

    `kind` is "out_of_range" where an id cannot be reached, else "invalid_argument".
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind


class RevisionTree:
    """Counts and hashes of a set of revision ids, in buckets.

    The tree does not know the ids: it trusts that none is inserted twice and that only inserted ids
    are removed, and notices only some of the mistakes. Every error is a `RevisionTreeError`.
    """

    __slots__ = ("_count", "_depth", "_hash", "_leaves", "_range")

    def __init__(
        self,
        depth: int = 6,
        range_min: int = REVISION_LOWER_BOUND,
        range_max: int = 0,
        initial_range_min: int = 0,
    ) -> None:
        """An empty tree; `range_max` 0 is 64 ids a leaf, `initial_range_min` 0 is `range_min`.

        Raises "invalid_argument" for parameters that make no tree.
        Source: revision tree, section 3.1, which lacks only the largest depth and the rule that
        `range_min` is not above `initial_range_min`.
        """
        if not DEPTH_MIN <= depth <= TREE_DEPTH_MAX:
            raise _invalid(f"depth {depth} is not between {DEPTH_MIN} and {TREE_DEPTH_MAX}")
        self._depth = depth
        leaf_bits = BRANCHING_BITS * depth
        self._range = _checked_range(
            range_min,
            range_max or range_min + (IDS_PER_LEAF_DEFAULT << leaf_bits),
            initial_range_min or range_min,
            leaf_bits,
        )
        self._count = 0
        self._hash = 0
        self._leaves: Leaves = SparseLeaves()

    @classmethod
    def from_leaves(
        cls,
        leaves: Iterable[Node],
        *,
        depth: int,
        range_min: int,
        range_max: int,
        initial_range_min: int,
    ) -> RevisionTree:
        """A tree of known content: (index, count, hash) in ascending order of the index.

        For readers of foreign bytes: raises "invalid_argument" for an index outside the tree or out
        of order, for numbers beyond 64 bits and for a leaf without ids.
        """
        tree = cls(depth, range_min, range_max, initial_range_min)
        try:
            rows = np.array(list(leaves), dtype=np.uint64).reshape(-1, 3)
        except OverflowError:
            raise _invalid("a leaf has a number that does not fit into 64 unsigned bits") from None
        tree._fill(LeafColumns(*rows.T.copy()))
        return tree

    @classmethod
    def from_bytes(cls, data: bytes) -> RevisionTree:
        """Read what `to_bytes` wrote.

        Raises "invalid_argument" for anything else. Source: revision tree, section 8.2, form "3".
        """
        body = len(data) - _META.size - len(_TRAILER)
        if body < 0 or body % _STORED_LEAF.itemsize:
            raise _invalid(f"{len(data)} bytes are not a stored revision tree")
        if not data.endswith(_TRAILER):
            raise _invalid("unknown form or version of a stored revision tree")
        range_min, range_max, depth, initial, count, mixed = _META.unpack_from(data)
        if not range_max:  # the constructor would take it for "default"
            raise _invalid("the range of the tree is empty")
        tree = cls(depth, range_min, range_max, initial)
        rows = np.frombuffer(data, _STORED_LEAF, body // _STORED_LEAF.itemsize, _META.size)
        tree._fill(LeafColumns(*(rows[name].astype(np.uint64) for name in LeafColumns._fields)))
        if (tree.count, tree.hash) != (count, mixed):
            raise _invalid("the leaves of the tree do not add up to its summary")
        return tree

    def to_bytes(self) -> bytes:
        """The compact binary form: six numbers, the populated leaves, a trailer.

        Source: revision tree, section 8.2, form "3" ("only populated").
        """
        columns = self._leaves.columns()
        rows = np.empty(len(columns.indexes), _STORED_LEAF)
        for name, column in columns._asdict().items():
            rows[name] = column
        borders = (self.range_min, self.range_max, self._depth, self.initial_range_min)
        return _META.pack(*borders, self._count, self._hash) + rows.tobytes() + _TRAILER

    def __repr__(self) -> str:
        return (
            f"<RevisionTree depth={self._depth} range={self.range_min}..{self.range_max} "
            f"count={self._count} hash={self._hash}>"
        )

    # -- what it is ------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        """Levels below the root; there are `8 ** depth` leaves."""
        return self._depth

    @property
    def range_min(self) -> int:
        """The smallest id the tree covers without growing."""
        return self._range.minimum

    @property
    def range_max(self) -> int:
        """The id behind the largest one the tree covers without growing."""
        return self._range.maximum

    @property
    def initial_range_min(self) -> int:
        """The id from which the range has grown; only trees that agree on it are comparable."""
        return self._range.initial

    @property
    def bucket(self) -> int:
        """Ids a leaf covers: a power of two."""
        return 1 << self._range.shift

    @property
    def count(self) -> int:
        """Ids in the tree."""
        return self._count

    @property
    def hash(self) -> int:
        """The xor of the hashes of all ids."""
        return self._hash

    def leaves(self) -> Iterator[Node]:
        """(index, count, hash) of each populated leaf, ascending."""
        return self._leaves.columns().nodes()

    def level(self, level: int) -> Iterator[Node]:
        """Like `leaves`, of the nodes `level` steps below the root (0 is the root itself).

        Inner nodes are not kept but computed: the sum of the counts and the xor of the hashes.
        """
        above = BRANCHING_BITS * (self._depth - level)
        return tree_leaves.fold(self._leaves.columns(), 0, above).nodes()

    def accepts(self, low: int, high: int = 0) -> bool:
        """Whether the id can be inserted, if need be after growth; with `high` both ids together.

        Growing to one side takes away from the other: each alone may fit where both do not.
        """
        try:
            self._range.grown(low, max(low, high))
        except RevisionTreeError:
            return False
        return True

    # -- changes ---------------------------------------------------------------------------------

    def insert(self, revisions: Sequence[int]) -> None:
        """Add ids, in any order; the range grows as needed.

        Raises "out_of_range" for an id that growth cannot reach, and then changes nothing.
        Source: revision tree, section 4.1 (where the range may stay grown).
        """
        if len(revisions) > FEW:
            self.insert_sorted_array(_sorted_array(revisions))
        elif revisions:
            self.grow_to(min(revisions), max(revisions))
            nodes = tree_leaves.group_few(revisions, self._range.minimum, self._range.shift)
            self._leaves.add_few(nodes)
            self._count += len(revisions)
            self._hash ^= tree_leaves.mix(nodes)
            if self._leaves.crowded:
                self._make_dense()

    def insert_sorted_array(self, revisions: U64Array) -> None:
        """`insert` for very many ascending ids, such as the blocks of a scan: 0.02 µs an id.

        Raises "invalid_argument" also for another order.
        """
        if not len(revisions):
            return
        if (revisions[1:] < revisions[:-1]).any():
            raise _invalid("the revisions do not ascend")
        self.grow_to(int(revisions[0]), int(revisions[-1]))
        columns = tree_leaves.group_many(revisions, self._range.minimum, self._range.shift)
        self._leaves.add_many(columns)
        self._count += len(revisions)
        self._hash ^= columns.mix()
        if self._leaves.crowded:
            self._make_dense()

    def remove(self, revisions: Sequence[int]) -> None:
        """Take ids out again.

        Raises "out_of_range" for an id outside the range and "invalid_argument" for one that cannot
        be in the tree, because its leaf holds too few ids or would keep a hash without any; nothing
        is changed then. An id that was never inserted may go unnoticed.
        Source: revision tree, section 4.2.
        """
        if not len(revisions):
            return
        borders = self._range
        if min(revisions) < borders.minimum or max(revisions) >= borders.maximum:
            raise RevisionTreeError("out_of_range", "a revision to remove is outside the range")
        if len(revisions) > FEW:
            ids = _sorted_array(revisions)
            columns = tree_leaves.group_many(ids, borders.minimum, borders.shift)
            mixed, removed = columns.mix(), self._leaves.remove_many(columns)
        else:
            nodes = tree_leaves.group_few(revisions, borders.minimum, borders.shift)
            mixed, removed = tree_leaves.mix(nodes), self._leaves.remove_few(nodes)
        if not removed:
            raise _invalid("the tree does not hold the revisions to remove")
        self._count -= len(revisions)
        self._hash ^= mixed

    def grow_to(self, low: int, high: int) -> None:
        """Widen the range until it holds both ids.

        Raises "out_of_range" if it cannot, and then changes nothing.
        Source: revision tree, section 4.3.
        """
        old = self._range
        if old.minimum <= low and high < old.maximum:
            return
        self._range = old.grown(low, high)
        if self._count:
            steps = self._range.shift - old.shift
            offset = (old.minimum - self._range.minimum) >> old.shift
            columns = tree_leaves.fold(self._leaves.columns(), offset, steps)
            self._leaves = tree_leaves.leaves_from(columns, self._size)

    def clear(self) -> None:
        """Forget all ids; the range stays as it is."""
        self._count = 0
        self._hash = 0
        self._leaves = SparseLeaves()

    def copy(self) -> RevisionTree:
        """An independent tree of the same range and content."""
        twin = RevisionTree.__new__(RevisionTree)
        twin._depth = self._depth
        twin._range = self._range
        twin._count = self._count
        twin._hash = self._hash
        twin._leaves = self._leaves.copy()
        return twin

    def count_in(self, ranges: Sequence[tuple[int, int]]) -> int:
        """How many ids lie in leaves that begin in one of some ranges that do not overlap."""
        leaves = self._leaves.columns()
        starts = leaves.indexes * np.uint64(self.bucket) + np.uint64(self.range_min)
        lows, highs = np.array(ranges, dtype=np.uint64).reshape(-1, 2).T
        before = np.append(np.uint64(0), np.cumsum(leaves.counts))
        first, behind = np.searchsorted(starts, lows), np.searchsorted(starts, highs, side="right")
        return int((before[behind] - before[first]).sum())

    # -- comparison ------------------------------------------------------------------------------

    def equal(self, other: RevisionTree) -> bool:
        """Whether both hold the same ids, whatever their ranges; raises like `difference`."""
        return not self.difference(other)

    def difference(self, other: RevisionTree) -> list[tuple[int, int]]:
        """Where the two sets of ids differ: ascending ranges of whole buckets, both ends inclusive.

        The wider of the two buckets counts; neighbouring ranges are joined. Neither tree changes.
        Raises "invalid_argument" if the trees are not comparable. Source: revision tree, section 5.
        """
        narrow, wide = (self, other) if self.bucket <= other.bucket else (other, self)
        if narrow.depth != wide.depth:
            raise _invalid("trees of different depth cannot be compared")
        bucket = wide.bucket
        if (narrow.initial_range_min - wide.initial_range_min) % bucket:
            raise _invalid("the buckets of the two trees do not lie on one grid")
        # Where the narrow tree begins, seen from the wide one: whole wide buckets to the right
        # (or left, if negative), and narrow buckets on top of that.
        steps = wide._range.shift - narrow._range.shift
        distance = (narrow.range_min - wide.range_min) >> narrow._range.shift
        whole, offset = divmod(distance, 1 << steps)
        first = min(0, whole)
        indexes = tree_leaves.differing(
            wide._leaves.columns().moved(-first),
            tree_leaves.fold(narrow._leaves.columns(), offset, steps).moved(whole - first),
        )
        start = wide.range_min + first * bucket
        return [
            (max(0, start + left * bucket), min(REVISION_MAX, start + (right + 1) * bucket - 1))
            for left, right in tree_leaves.runs(indexes)
        ]

    def check(self) -> None:
        """Raise "invalid_argument" if the tree contradicts itself.

        Source: revision tree, section 7.
        """
        twin = RevisionTree(self._depth, self.range_min, self.range_max, self.initial_range_min)
        twin._fill(self._leaves.columns())
        if (twin.bucket, twin.count, twin.hash) != (self.bucket, self._count, self._hash):
            raise _invalid("the leaves of the tree do not add up to its summary")

    # -- helpers ---------------------------------------------------------------------------------

    @property
    def _size(self) -> int:
        return 1 << (BRANCHING_BITS * self._depth)

    def _make_dense(self) -> None:
        self._leaves = tree_leaves.leaves_from(self._leaves.columns(), self._size)

    def _fill(self, columns: LeafColumns) -> None:
        """Take leaves of foreign origin into an empty tree, and their summary."""
        indexes = columns.indexes
        if not (indexes[1:] > indexes[:-1]).all() or (indexes[-1:] >= self._size).any():
            raise _invalid("leaves are out of order or outside the tree")
        if not columns.counts.all():
            raise _invalid("a leaf without ids is listed")
        self._count = sum(columns.counts.tolist())  # exact: foreign counts may pass 64 bits
        if self._count > REVISION_MAX:
            raise _invalid("the tree counts more than 64 bits can")
        self._hash = columns.mix()
        self._leaves = tree_leaves.leaves_from(columns, self._size)


class _Range(NamedTuple):
    """The ids a tree covers, `minimum` to `maximum` (exclusive), and the power of two per leaf.

    `initial` is a border between buckets now and after any growth: that keeps trees comparable.
    """

    minimum: int
    maximum: int
    initial: int
    shift: int

    def grown(self, low: int, high: int) -> _Range:
        """The range doubled, first to the left and then to the right, until both ids fit.

        Raises `RevisionTreeError` ("out_of_range") where 64 bits end.
        Source: revision tree, section 4.3.
        """
        grown = self
        while low < grown.minimum:
            grown = grown._doubled(grown.minimum - (grown.maximum - grown.minimum), +1)
        while high >= grown.maximum:
            grown = grown._doubled(grown.minimum, -1)
        return grown

    def _doubled(self, minimum: int, correction: int) -> _Range:
        """Twice the width from `minimum`, moved by one bucket if `initial` would miss a border."""
        bucket = 1 << self.shift
        width = 2 * (self.maximum - self.minimum)
        moved = minimum
        if (self.initial - minimum) % (2 * bucket):
            moved += correction * bucket
        # A real server tests before it moves, so a range that only the move would save is refused.
        if min(minimum, moved) < 0 or max(minimum, moved) + width > REVISION_MAX:
            raise RevisionTreeError("out_of_range", "the tree cannot grow beyond 64 bits")
        return _Range(moved, moved + width, self.initial, self.shift + 1)


def _checked_range(minimum: int, maximum: int, initial: int, leaf_bits: int) -> _Range:
    """The range, if it can be divided into `1 << leaf_bits` buckets.

    Source: revision tree, sections 3.1 and 3.2.
    """
    if not 0 <= minimum < maximum <= REVISION_MAX:
        raise _invalid(f"{minimum} to {maximum} is no range of 64-bit revisions")
    width = maximum - minimum
    if width.bit_count() != 1:
        raise _invalid(f"the width {width} is not a power of two")
    shift = width.bit_length() - 1 - leaf_bits
    if shift < 0:
        raise _invalid(f"the width {width} is less than one id a leaf")
    if not minimum <= initial <= REVISION_MAX or (initial - minimum) % (1 << shift):
        raise _invalid(f"the initial minimum {initial} is no border between buckets")
    return _Range(minimum, maximum, initial, shift)


def _sorted_array(revisions: Sequence[int]) -> U64Array:
    try:
        return np.sort(np.array(revisions, dtype=np.uint64))
    except OverflowError:
        raise RevisionTreeError("out_of_range", "a revision does not fit into 64 bits") from None


def _invalid(message: str) -> RevisionTreeError:
    return RevisionTreeError("invalid_argument", message)
