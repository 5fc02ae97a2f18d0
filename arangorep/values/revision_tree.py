"""The revision tree (Merkle tree) of a collection: finds where two sets of revision ids differ.

A tree divides a range of ids into `8 ** depth` buckets of equal width and keeps for each the number
of its ids and the xor of their hashes (`tree_leaves`), plus one summary of all. The range doubles
when an id falls outside. Source: revision tree, sections 3 to 5, 7 and 8.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np

from arangorep.limits import TREE_DEPTH_MAX
from arangorep.values import tree_leaves
from arangorep.values.revision import REVISION_LOWER_BOUND, REVISION_MAX
from arangorep.values.tree_leaves import LeafColumns, Leaves, Node, SparseLeaves, U64Array

BRANCHING_BITS: Final = 3
"""Every inner node would have `1 << BRANCHING_BITS` children."""

DEPTH_MIN: Final = 2
IDS_PER_LEAF_DEFAULT: Final = 64

FEW: Final = 40
"""Batches up to this size are cheaper in plain Python than with numpy."""

_META: Final = struct.Struct("<6Q")
_TRAILER: Final = b"3\x01"
_STORED_LEAF: Final = np.dtype([("index", "<u4"), ("count", "<u8"), ("hash", "<u8")])

ErrorKind: TypeAlias = Literal["invalid_argument", "out_of_range"]


class RevisionTreeError(ValueError):
    """A tree cannot be built, read, changed or compared as asked.

    `kind` is "out_of_range" where an id cannot be reached, else "invalid_argument".
    """

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind


class _Range(NamedTuple):
    """The ids a tree covers, `minimum` to `maximum` (exclusive), and the power of two per leaf.

    `initial` is a border between buckets now and after any growth: that keeps trees comparable.
    """

    minimum: int
    maximum: int
    initial: int
    shift: int

    def grown(self, low: int, high: int) -> _Range:
        """The range doubled, to the left and then to the right, until both ids fit.

        Raises `RevisionTreeError` ("out_of_range") where 64 bits end. Source: section 4.3.
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
        if (self.initial - minimum) % (2 * bucket):
            minimum += correction * bucket
        maximum = minimum + 2 * (self.maximum - self.minimum)
        if minimum < 0 or maximum > REVISION_MAX:
            raise RevisionTreeError("out_of_range", "the tree cannot grow beyond 64 bits")
        return _Range(minimum, maximum, self.initial, self.shift + 1)


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

        Raises "invalid_argument" for parameters that make no tree. Source: section 3.1; the upper
        bounds of the depth and of the initial minimum are this server's own.
        """
        if not DEPTH_MIN <= depth <= TREE_DEPTH_MAX:
            raise _invalid(f"depth {depth} is not between {DEPTH_MIN} and {TREE_DEPTH_MAX}")
        leaf_bits = BRANCHING_BITS * depth
        self._depth = depth
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
        of order, for numbers beyond 64 bits and for an empty leaf.
        """
        tree = cls(depth, range_min, range_max, initial_range_min)
        rows = list(leaves)
        if any(not 0 <= number <= REVISION_MAX for row in rows for number in row):
            raise _invalid("a leaf has a number that does not fit into 64 unsigned bits")
        index, count, mixed = np.array(rows, dtype=np.uint64).reshape(-1, 3).T.copy()
        tree._fill(LeafColumns(index, count, mixed))
        return tree

    @classmethod
    def from_bytes(cls, data: bytes) -> RevisionTree:
        """Read what `to_bytes` wrote.

        Raises "invalid_argument" for anything else. Source: section 8.2, form "3".
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
        rows = np.frombuffer(
            data, _STORED_LEAF, count=body // _STORED_LEAF.itemsize, offset=_META.size
        )
        tree._fill(LeafColumns(*(rows[name].astype(np.uint64) for name in LeafColumns._fields)))
        if (tree.count, tree.hash) != (count, mixed):
            raise _invalid("the leaves of the tree do not add up to its summary")
        return tree

    def to_bytes(self) -> bytes:
        """The compact binary form: six numbers, the populated leaves, a trailer.

        Source: section 8.2, form "3" ("only populated").
        """
        leaves = self._leaves.columns()
        rows = np.empty(len(leaves.index), _STORED_LEAF)
        for name, column in leaves._asdict().items():
            rows[name] = column
        meta = _META.pack(
            self.range_min,
            self.range_max,
            self._depth,
            self.initial_range_min,
            self._count,
            self._hash,
        )
        return meta + rows.tobytes() + _TRAILER

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

    def accepts(self, revision: int) -> bool:
        """Whether the id can be inserted, if need be after growth."""
        if self.range_min <= revision < self.range_max:
            return True
        try:
            self._range.grown(revision, revision)
        except RevisionTreeError:
            return False
        return True

    # -- changes ---------------------------------------------------------------------------------

    def insert(self, revisions: Sequence[int]) -> None:
        """Add ids, in any order; the range grows as needed.

        Raises "out_of_range" for an id that growth cannot reach, and then changes nothing.
        Source: section 4.1 (where the range may stay grown).
        """
        if len(revisions) > FEW:
            self.insert_array(_as_array(revisions))
        elif revisions:
            self.grow_to(min(revisions), max(revisions))
            nodes = tree_leaves.group_few(revisions, self._range.minimum, self._range.shift)
            self._leaves.add_few(nodes)
            self._count += len(revisions)
            for _, _, mixed in nodes:
                self._hash ^= mixed
            self._settle()

    def insert_array(self, revisions: U64Array) -> None:
        """`insert` for very many ids, fastest if they ascend: a scan in blocks of a few thousand."""
        if not len(revisions):
            return
        ids = _ascending(revisions)
        self.grow_to(int(ids[0]), int(ids[-1]))
        columns = tree_leaves.group_many(ids, self._range.minimum, self._range.shift)
        self._leaves.add_many(columns)
        self._count += len(ids)
        self._hash ^= int(np.bitwise_xor.reduce(columns.hash))
        self._settle()

    def remove(self, revisions: Sequence[int]) -> None:
        """Take ids out again.

        Raises "out_of_range" for an id outside the range and "invalid_argument" for one that cannot
        be in the tree, because its leaf holds too few ids or would keep a hash without any; nothing
        is changed then. An id that was never inserted may go unnoticed. Source: section 4.2.
        """
        if len(revisions) > FEW:
            self._remove_array(_ascending(_as_array(revisions)))
        elif revisions:
            self._require_inside(min(revisions), max(revisions))
            nodes = tree_leaves.group_few(revisions, self._range.minimum, self._range.shift)
            if not self._leaves.remove_few(nodes):
                raise _invalid("the tree does not hold the revisions to remove")
            self._count -= len(revisions)
            for _, _, mixed in nodes:
                self._hash ^= mixed

    def _remove_array(self, ids: U64Array) -> None:
        self._require_inside(int(ids[0]), int(ids[-1]))
        columns = tree_leaves.group_many(ids, self._range.minimum, self._range.shift)
        if not self._leaves.remove_many(columns):
            raise _invalid("the tree does not hold the revisions to remove")
        self._count -= len(ids)
        self._hash ^= int(np.bitwise_xor.reduce(columns.hash))

    def _require_inside(self, low: int, high: int) -> None:
        if low < self.range_min or high >= self.range_max:
            raise RevisionTreeError("out_of_range", "a revision to remove is outside the range")

    def grow_to(self, low: int, high: int) -> None:
        """Widen the range until it holds both ids.

        Raises "out_of_range" if it cannot, and then changes nothing. Source: section 4.3.
        """
        old = self._range
        if old.minimum <= low and high < old.maximum:
            return
        grown = old.grown(low, high)
        if self._count:
            offset = (old.minimum - grown.minimum) >> old.shift
            columns = tree_leaves.fold(
                self._leaves.columns(), offset, grown.shift - old.shift
            )
            self._leaves = tree_leaves.leaves_from(columns, self._size)
        self._range = grown

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

    # -- comparison ------------------------------------------------------------------------------

    def equal(self, other: RevisionTree) -> bool:
        """Whether both hold the same ids, whatever their ranges; raises like `difference`."""
        return not self.difference(other)

    def difference(self, other: RevisionTree) -> list[tuple[int, int]]:
        """Where the two sets of ids differ: ascending ranges of whole buckets, both ends inclusive.

        The wider of the two buckets counts; neighbouring ranges are joined. Neither tree changes.
        Raises "invalid_argument" if the trees are not comparable. Source: section 5.
        """
        narrow, wide = (self, other) if self.bucket <= other.bucket else (other, self)
        if narrow.depth != wide.depth:
            raise _invalid("trees of different depth cannot be compared")
        if (narrow.initial_range_min - wide.initial_range_min) % wide.bucket:
            raise _invalid("the buckets of the two trees do not lie on one grid")
        # Positions of the narrow tree on the wide one's grid: whole buckets, and what is left over.
        steps = wide._range.shift - narrow._range.shift
        distance, offset = divmod(
            (narrow.range_min - wide.range_min) >> narrow._range.shift, 1 << steps
        )
        first = min(0, distance)
        indexes = tree_leaves.differing(
            _moved(wide._leaves.columns(), -first),
            _moved(tree_leaves.fold(narrow._leaves.columns(), offset, steps), distance - first),
        )
        return _ranges(indexes, wide.range_min + first * wide.bucket, wide.bucket)

    def check(self) -> None:
        """Raise "invalid_argument" if the tree contradicts itself. Source: section 7."""
        _checked_range(
            self.range_min,
            self.range_max,
            self.initial_range_min,
            BRANCHING_BITS * self._depth,
        )
        copy = RevisionTree(self._depth, self.range_min, self.range_max, self.initial_range_min)
        copy._fill(self._leaves.columns())
        if (copy.count, copy.hash) != (self._count, self._hash):
            raise _invalid("the leaves of the tree do not add up to its summary")

    # -- helpers ---------------------------------------------------------------------------------

    @property
    def _size(self) -> int:
        return 1 << (BRANCHING_BITS * self._depth)

    def _settle(self) -> None:
        if self._leaves.crowded:
            self._leaves = tree_leaves.leaves_from(self._leaves.columns(), self._size)

    def _fill(self, leaves: LeafColumns) -> None:
        """Take over checked leaves, and their summary, into an empty tree."""
        index = leaves.index
        if len(index) and (int(index[-1]) >= self._size or not (index[1:] > index[:-1]).all()):
            raise _invalid("leaves are out of order or outside the tree")
        if not leaves.count.all():
            raise _invalid("a leaf without ids is listed")
        self._count = sum(leaves.count.tolist())  # exact: foreign counts may pass 64 bits
        if self._count > REVISION_MAX:
            raise _invalid("the tree counts more than 64 bits can")
        self._hash = int(np.bitwise_xor.reduce(leaves.hash))
        self._leaves = tree_leaves.leaves_from(leaves, self._size)
