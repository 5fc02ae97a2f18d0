"""The revision tree against the vectors, the published numbers and its own rules."""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.values import tree_leaves
from arangorep.values.revision import REVISION_LOWER_BOUND, REVISION_MAX
from arangorep.values.revision_tree import FEW, RevisionTree, RevisionTreeError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "revision_tree.json").read_text("utf-8")
)
NOW = 1_782_579_200_000_000_000


def named(section: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "vector", [pytest.param(v, id=v.get("name", v.get("key"))) for v in VECTORS[section]]
    )


def empty_tree(arguments: dict) -> RevisionTree:
    return RevisionTree(
        arguments["depth"],
        int(arguments["rangeMin"]),
        int(arguments.get("rangeMax", 0)),
        int(arguments.get("initialRangeMin", 0)),
    )


def apply(tree: RevisionTree, op: list) -> None:
    name, *rest = op
    if name in ("insert", "remove"):
        getattr(tree, name)([int(key) for key in rest[0]])
    elif name in ("insert_range", "remove_range"):
        start, end, step, batch = map(int, rest)
        ids = list(range(start, end, step))
        for i in range(0, len(ids), batch):
            getattr(tree, name.removesuffix("_range"))(ids[i : i + batch])
    elif name in ("growLeft", "growRight"):
        tree.grow_to(int(rest[0]), int(rest[0]))
    elif name == "clear":
        tree.clear()
    else:
        raise AssertionError(name)


def built(vector: dict) -> RevisionTree:
    tree = empty_tree(vector["tree"])
    for op in vector["ops"]:
        apply(tree, op)
    return tree


def content(tree: RevisionTree) -> tuple:
    return (
        tree.depth,
        tree.range_min,
        tree.range_max,
        tree.initial_range_min,
        tree.count,
        tree.hash,
        list(tree.leaves()),
    )


def slow_hash(revision: int) -> int:
    value = 0xCBF29CE484222325
    for shift in range(0, 64, 8):
        value = ((value ^ ((revision >> shift) & 255)) * 0x100000001B3) % 2**64
    return value


def slow_leaves(tree: RevisionTree, revisions: Iterable[int]) -> list[tuple[int, int, int]]:
    """The leaves the tree should have, from its range and the ids alone."""
    leaves: dict[int, list[int]] = {}
    for revision in revisions:
        leaf = leaves.setdefault((revision - tree.range_min) // tree.bucket, [0, 0])
        leaf[0] += 1
        leaf[1] ^= slow_hash(revision)
    return [(index, count, mixed) for index, (count, mixed) in sorted(leaves.items())]


def is_dense(tree: RevisionTree) -> bool:
    return isinstance(tree._leaves, tree_leaves.DenseLeaves)


@pytest.fixture
def dense_ids() -> list[int]:
    """Ids that populate more leaves of a tree of depth 5 than fit the sparse form."""
    return [3 * i + i % 2 for i in range(tree_leaves.DENSE_FROM + 500)]


@pytest.fixture
def dense_tree(dense_ids: list[int]) -> RevisionTree:
    tree = RevisionTree(5, 0, 1 << 15)
    tree.insert(dense_ids)
    assert is_dense(tree)
    return tree


class TestVectors:
    @named("hash")
    def test_hash(self, vector: dict) -> None:
        key, expected = int(vector["key"]), int(vector["hash"])
        assert tree_leaves.hash_revision(key) == expected
        assert tree_leaves.hash_revisions(np.array([key], dtype=np.uint64)).tolist() == [expected]

    @named("trees")
    def test_tree(self, vector: dict) -> None:
        tree, result = built(vector), vector["result"]
        assert tree.range_min == int(result["rangeMin"])
        assert tree.range_max == int(result["rangeMax"])
        assert tree.initial_range_min == int(result["initialRangeMin"])
        assert tree.bucket == int(result["bucketWidth"])
        assert tree.count == result["count"]
        assert tree.hash == int(result["hash"])
        assert list(tree.leaves()) == [tuple(map(int, node)) for node in result["nodes"]]
        tree.check()

    @named("trees")
    def test_binary_form(self, vector: dict) -> None:
        tree = built(vector)
        data = tree.to_bytes()
        if "3" in vector.get("binary_hex", {}):
            assert data.hex() == vector["binary_hex"]["3"]
        read = RevisionTree.from_bytes(data)
        assert content(read) == content(tree)
        read.check()

    @named("trees")
    def test_other_binary_forms_are_refused(self, vector: dict) -> None:
        for form, text in vector.get("binary_hex", {}).items():
            if form != "3":
                with pytest.raises(RevisionTreeError):
                    RevisionTree.from_bytes(bytes.fromhex(text))

    @named("diff")
    def test_difference(self, vector: dict) -> None:
        a, b = built(vector["a"]), built(vector["b"])
        before = content(a), content(b)
        expected = [(int(left), int(right)) for left, right in vector["ranges"]]
        assert a.difference(b) == expected
        assert b.difference(a) == expected
        assert a.equal(b) is b.equal(a) is (not expected)
        assert (content(a), content(b)) == before

    @named("errors")
    def test_error(self, vector: dict) -> None:
        if not vector["ops"]:
            with pytest.raises(RevisionTreeError) as caught:
                empty_tree(vector["tree"])
            assert caught.value.kind == vector["error"]
            return
        tree = built({**vector, "ops": vector["ops"][:-1]})
        before = content(tree)
        with pytest.raises(RevisionTreeError) as caught:
            apply(tree, vector["ops"][-1])
        assert caught.value.kind == vector["error"]
        assert content(tree) == before

    @pytest.mark.parametrize(
        "vector",
        [pytest.param(v, id=v["name"]) for v in VECTORS["undecodable"] if v["kind"] == "binary"],
    )
    def test_undecodable(self, vector: dict) -> None:
        with pytest.raises(RevisionTreeError) as caught:
            RevisionTree.from_bytes(bytes.fromhex(vector["hex"]))
        assert caught.value.kind == "invalid_argument"


class TestPublishedNumbers:
    """Root hashes and ranges that upstream's own tests assert (section 11)."""

    @pytest.mark.parametrize(
        ("start", "step", "number", "count_hash", "range_max"),
        [
            (1609459200000000000, 1, 10**4, 4298149919775466880, 1609459200016777216),
            (1609459200000000000, 1, 10**7, 9116977756596679424, 1609459200016777216),
            (1609459200000000000, 10_000, 10**7, 7036974261486883938, 1609459337438953472),
            (1609459200000000000, 50_000, 2 * 10**6, 12929699950823344265, 1609459337438953472),
            (1577836800000 << 20, 1, 10**4, 13533672744353677152, 1654481800413577216),
            (1577836800000 << 20, 1, 10**7, 14528932675464142080, 1654481800413577216),
            (1577836800000 << 20, 10_000, 10**7, 10681126656127731097, 1654481937835753472),
        ],
    )
    def test_depth_6(
        self, start: int, step: int, number: int, count_hash: int, range_max: int
    ) -> None:
        tree = RevisionTree(6, start)
        block = 250_000
        for first in range(0, number, block):
            offsets = np.arange(first, min(first + block, number), dtype=np.uint64)
            tree.insert_sorted_array(offsets * np.uint64(step) + np.uint64(start))
        assert (tree.count, tree.hash) == (number, count_hash)
        assert (tree.range_min, tree.range_max) == (start, range_max)
        tree.check()

    def test_depth_2(self) -> None:
        tree = RevisionTree(2, 0, 64)
        for remainders, expected in (
            ([0], 119171121494394880),
            ([1], 150767561592393728),
            ([2, 3], 13554546285411683328),
        ):
            tree.insert([8 * i + r for i in range(8) for r in remainders])
            assert tree.hash == expected
        assert tree.count == 32

    def test_depth_3(self) -> None:
        tree = RevisionTree(3, 0, 512)
        tree.insert([8 * i + 1 for i in range(100_000)])
        assert (tree.count, tree.hash) == (100_000, 1167003112264018688)
        assert (tree.range_min, tree.range_max) == (0, 2**20)


class TestConstruction:
    def test_defaults_are_those_of_a_server(self) -> None:
        assert content(RevisionTree()) == (
            6,
            REVISION_LOWER_BOUND,
            REVISION_LOWER_BOUND + 2**24,
            REVISION_LOWER_BOUND,
            0,
            0,
            [],
        )

    @pytest.mark.parametrize(
        "arguments",
        [
            (1, 0, 64),
            (0, 0, 64),
            (-1, 0, 64),
            (9, 0, 2**40),
            (2**40, 0, 2**40),
            (2, 64, 64),
            (2, 128, 64),
            (2, 0, 96),
            (2, 0, 32),
            (2, 0, 256, 3),
            (2, 64, 128, 32),
            (2, 0, 64, 2**64),
            (2, -64, 64),
            (2, 0, 2**64),
            (6, REVISION_MAX - 5),
        ],
    )
    def test_parameters_that_make_no_tree(self, arguments: tuple[int, ...]) -> None:
        with pytest.raises(RevisionTreeError) as caught:
            RevisionTree(*arguments)
        assert caught.value.kind == "invalid_argument"

    def test_depth_8_is_the_largest(self) -> None:
        assert RevisionTree(8, 0).bucket == 64


class TestGrowth:
    def test_reach_of_a_fresh_tree(self) -> None:
        tree = RevisionTree()
        for inside, outside in (
            (534723183538864128, 534723183538864127),
            (10911012326953975807, 10911012326953975808),
        ):
            assert tree.accepts(inside)
            assert not tree.accepts(outside)
            tree.copy().insert([inside])
            with pytest.raises(RevisionTreeError) as caught:
                tree.copy().insert([outside])
            assert caught.value.kind == "out_of_range"

    def test_reach_to_the_left_shrinks_with_growth_to_the_right(self) -> None:
        tree = RevisionTree()
        tree.insert([1_740_000_000_000 << 20])
        assert tree.accepts(678833973568208896)
        assert not tree.accepts(678833973568208895)

    @pytest.mark.parametrize("revision", [-1, 0, 12345, REVISION_MAX, 2**64, 2**70])
    def test_unreachable_ids(self, revision: int) -> None:
        tree = RevisionTree()
        tree.insert([NOW])
        before = content(tree)
        assert not tree.accepts(revision)
        for batch in ([revision], [NOW + 1, revision], [revision, *range(NOW, NOW + 2 * FEW)]):
            with pytest.raises(RevisionTreeError) as caught:
                tree.insert(batch)
            assert caught.value.kind == "out_of_range"
            assert content(tree) == before

    def test_accepts_changes_nothing(self) -> None:
        tree = RevisionTree()
        assert tree.accepts(NOW)
        assert content(tree) == content(RevisionTree())

    @pytest.mark.parametrize(
        ("milliseconds", "range_max", "bucket"),
        [
            (1_700_000_000_000, 1831755478175055872, 2**39),
            (1_746_860_100_000, 1831755478175055872, 2**39),
            (1_746_950_000_000, 1975870666250911744, 2**40),
            (1_780_000_000_000, 1975870666250911744, 2**40),
        ],
        ids=["2023", "2025-05-10", "2025-05-11", "2026"],
    )
    def test_first_document(self, milliseconds: int, range_max: int, bucket: int) -> None:
        tree = RevisionTree()
        tree.insert([milliseconds << 20])
        assert (tree.range_min, tree.range_max) == (REVISION_LOWER_BOUND, range_max)
        assert tree.bucket == bucket

    def test_correction_beyond_either_end_is_refused(self) -> None:
        # `initial` is the second border, so doubling has to move by one bucket: below 0 here
        with pytest.raises(RevisionTreeError, match="grow") as caught:
            RevisionTree(2, 0, 64, 1).insert([64])
        assert caught.value.kind == "out_of_range"
        # and here beyond the largest id
        start = REVISION_MAX - 64
        with pytest.raises(RevisionTreeError, match="grow"):
            RevisionTree(2, start, start + 64, start + 1).insert([start - 1])

    def test_doubling_is_refused_where_only_the_correction_would_fit(self) -> None:
        # the width is 64; 63 ids are left below, and the correction gives back one bucket of 1
        assert RevisionTree(2, 64, 128, 65).accepts(63)
        assert not RevisionTree(2, 63, 127, 64).accepts(62)
        top = REVISION_MAX - 64
        assert RevisionTree(2, top - 64, top, top - 63).accepts(top)
        assert not RevisionTree(2, top - 63, top + 1, top - 62).accepts(top + 1)

    def test_without_leaves_only_the_range_moves(self) -> None:
        grown = RevisionTree()
        grown.grow_to(NOW, NOW)
        filled = RevisionTree()
        filled.insert([NOW])
        filled.remove([NOW])
        assert content(grown) == content(filled)

    @pytest.mark.parametrize("initial", [2**20, 2**20 + 1, 2**20 + 7])
    def test_leaves_follow_the_range(self, initial: int) -> None:
        ids = list(range(2**20, 2**20 + 64, 3))
        tree = RevisionTree(2, 2**20, 2**20 + 64, initial)
        tree.insert(ids)
        for more in (2**20 + 64, 2**20 - 1, 2**20 + 900, 2**20 - 5000, 2**21):
            tree.insert([more])
            ids.append(more)
            assert list(tree.leaves()) == slow_leaves(tree, ids)
            assert (initial - tree.range_min) % tree.bucket == 0
            tree.check()


class TestInsert:
    @pytest.mark.parametrize("size", [1, 2, FEW, FEW + 1, 1000])
    def test_batch_sizes_and_orders(self, size: int) -> None:
        ids = [NOW + (i * 7919 % size << 39) + i for i in range(size)]
        tree, singly = RevisionTree(), RevisionTree()
        tree.insert(ids)
        for revision in sorted(ids):
            singly.insert((revision,))
        assert content(tree) == content(singly)
        assert list(tree.leaves()) == slow_leaves(tree, ids)

    def test_empty_batches(self) -> None:
        tree = RevisionTree()
        tree.insert([])
        tree.insert(())
        tree.remove([])
        tree.insert_sorted_array(np.array([], dtype=np.uint64))
        assert content(tree) == content(RevisionTree())

    def test_the_batch_is_not_changed(self) -> None:
        batch = list(range(NOW + 100, NOW, -1))
        RevisionTree().insert(batch)
        assert batch == list(range(NOW + 100, NOW, -1))

    def test_array_blocks_give_the_same_as_lists(self) -> None:
        ids = [NOW + (i << 38) for i in range(5000)]
        tree, blocks = RevisionTree(), RevisionTree()
        tree.insert(ids)
        for i in range(0, len(ids), 1024):
            block = np.array(ids[i : i + 1024], dtype=np.uint64)
            blocks.insert_sorted_array(block)
            assert block.tolist() == ids[i : i + 1024]
        assert content(blocks) == content(tree)

    def test_array_must_ascend(self) -> None:
        tree = RevisionTree()
        with pytest.raises(RevisionTreeError) as caught:
            tree.insert_sorted_array(np.array([NOW, NOW + 2, NOW + 1], dtype=np.uint64))
        assert caught.value.kind == "invalid_argument"
        assert content(tree) == content(RevisionTree())

    def test_hash_of_more_ids_than_one_block(self) -> None:
        ids = np.arange(40_000, dtype=np.uint64) * np.uint64(2**48 + 3)
        hashes = tree_leaves.hash_revisions(ids)
        assert hashes.tolist() == [slow_hash(int(i)) for i in ids]

    def test_a_repeated_id_counts_twice_and_goes_twice(self) -> None:
        tree = RevisionTree()
        tree.insert([NOW, NOW])
        assert (tree.count, tree.hash) == (2, 0)
        tree.remove([NOW])
        assert (tree.count, tree.hash) == (1, slow_hash(NOW))
        tree.remove([NOW])
        assert tree.count == 0


class TestRemove:
    def test_removed_leaves_are_gone(self) -> None:
        ids = [NOW + (i << 41) for i in range(100)]
        tree = RevisionTree()
        tree.insert(ids)
        tree.remove(ids[:3])
        tree.remove(ids[10:90])
        assert list(tree.leaves()) == slow_leaves(tree, ids[3:10] + ids[90:])
        tree.remove(ids[3:10] + ids[90:])
        assert list(tree.leaves()) == []
        assert (tree.count, tree.hash) == (0, 0)
        tree.check()

    @pytest.mark.parametrize("dense", [False, True])
    @pytest.mark.parametrize("padding", [0, FEW], ids=["few", "many"])
    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param([2], id="empty leaf"),
            pytest.param([0, 0], id="more than the leaf holds"),
            pytest.param([6, 6], id="hash left without ids"),
            pytest.param([3, 3, 3], id="upstream rolls this back wrongly"),
        ],
    )
    def test_a_batch_goes_as_a_whole_or_not_at_all(
        self, dense: bool, padding: int, wrong: list[int]
    ) -> None:
        # buckets of two ids: leaf 0 holds id 0, leaf 1 id 3, leaf 2 none and leaf 3 both of its ids
        tree = RevisionTree(5, 0, 1 << 16)
        present = [0, 3, 6, 7]
        filler = [100 + 2 * i for i in range(padding)]
        bulk = [1000 + 2 * i for i in range(tree_leaves.DENSE_FROM if dense else 0)]
        tree.insert(present + filler)
        tree.insert(bulk)
        assert is_dense(tree) is dense
        before = content(tree)
        wrong_ids = [4 if revision == 2 else revision for revision in wrong]
        for batch in (filler + wrong_ids, wrong_ids + filler, [7, *wrong_ids, 0, *filler]):
            with pytest.raises(RevisionTreeError) as caught:
                tree.remove(batch)
            assert caught.value.kind == "invalid_argument"
            assert content(tree) == before
        tree.remove(present + filler)
        assert list(tree.leaves()) == slow_leaves(tree, bulk)

    @pytest.mark.parametrize("size", [1, 2 * FEW])
    @pytest.mark.parametrize("outside", [-1, 9, 64 + 10, 2**64])
    def test_outside_the_range(self, size: int, outside: int) -> None:
        tree = RevisionTree(2, 10, 74)
        ids = [10 + i % 64 for i in range(size)]
        tree.insert(ids)
        before = content(tree)
        with pytest.raises(RevisionTreeError) as caught:
            tree.remove([*ids, outside])
        assert caught.value.kind == "out_of_range"
        assert content(tree) == before


class TestRepresentations:
    def test_switches_where_leaves_get_many(self) -> None:
        tree = RevisionTree(5, 0, 1 << 15)
        tree.insert(range(tree_leaves.DENSE_FROM))
        assert not is_dense(tree)
        tree.insert([tree_leaves.DENSE_FROM])
        assert is_dense(tree)
        assert list(tree.leaves()) == slow_leaves(tree, range(tree_leaves.DENSE_FROM + 1))

    def test_switches_in_a_large_batch(
        self, dense_tree: RevisionTree, dense_ids: list[int]
    ) -> None:
        assert list(dense_tree.leaves()) == slow_leaves(dense_tree, dense_ids)
        dense_tree.check()

    @pytest.mark.parametrize("size", [1, 5, 500])
    def test_dense_changes(self, dense_tree: RevisionTree, dense_ids: list[int], size: int) -> None:
        dense_tree.insert([3 * i + 2 for i in range(size)])
        dense_tree.remove(dense_ids[:size])
        left = dense_ids[size:] + [3 * i + 2 for i in range(size)]
        assert list(dense_tree.leaves()) == slow_leaves(dense_tree, left)
        assert is_dense(dense_tree)
        dense_tree.check()

    def test_growth_may_make_it_sparse_again(
        self, dense_tree: RevisionTree, dense_ids: list[int]
    ) -> None:
        dense_tree.insert([1 << 15])
        assert is_dense(dense_tree)
        assert list(dense_tree.leaves()) == slow_leaves(dense_tree, [*dense_ids, 1 << 15])
        dense_tree.insert([1 << 17])
        assert not is_dense(dense_tree)
        assert list(dense_tree.leaves()) == slow_leaves(dense_tree, [*dense_ids, 1 << 15, 1 << 17])

    def test_clear_makes_it_sparse_and_keeps_the_range(self, dense_tree: RevisionTree) -> None:
        dense_tree.clear()
        assert content(dense_tree) == (5, 0, 1 << 15, 0, 0, 0, [])
        assert not is_dense(dense_tree)

    def test_binary_form_of_a_dense_tree(self, dense_tree: RevisionTree) -> None:
        read = RevisionTree.from_bytes(dense_tree.to_bytes())
        assert content(read) == content(dense_tree)
        assert is_dense(read)

    def test_copies_are_independent(self, dense_tree: RevisionTree) -> None:
        sparse = RevisionTree()
        sparse.insert([NOW])
        for tree, more in ((dense_tree, 2), (sparse, NOW + 1)):
            before = content(tree)
            copy = tree.copy()
            assert content(copy) == before
            copy.insert([more])
            assert content(tree) == before
            changed = content(copy)
            tree.clear()
            tree.insert([more])
            assert content(copy) == changed
            copy.check()


Range = tuple[int, int]


def slow_count_in(tree: RevisionTree, revisions: Iterable[int], ranges: list[Range]) -> int:
    """The ids whose leaf begins in one of the ranges, one id at a time."""
    starts = (r - (r - tree.range_min) % tree.bucket for r in revisions)
    return sum(any(low <= start <= high for low, high in ranges) for start in starts)


@st.composite
def separate_ranges(draw: st.DrawFn, low: int, high: int) -> list[Range]:
    """Ascending, nothing shared; perhaps none, perhaps from 0, perhaps to the end of 64 bits."""
    borders = st.integers(low, high) | st.sampled_from([0, REVISION_MAX])
    ends = sorted(draw(st.lists(borders, max_size=12)))
    found: list[Range] = []
    for pair in zip(ends[::2], ends[1::2], strict=False):
        if not found or pair[0] > found[-1][1]:
            found.append(pair)
    return found


class TestCountIn:
    @given(
        ids=st.sets(st.integers(1000, 1511)),
        width=st.sampled_from([512, 1024, 4096]),
        ranges=separate_ranges(900, 1600),
    )
    def test_ids_in_leaves_that_begin_in_ranges(
        self, ids: set[int], width: int, ranges: list[Range]
    ) -> None:
        tree = RevisionTree(2, 1000, 1000 + width)
        tree.insert(sorted(ids))
        before = content(tree)
        assert tree.count_in(ranges) == slow_count_in(tree, ids, ranges)
        assert content(tree) == before

    @given(ranges=separate_ranges(0, 1 << 15))
    def test_of_a_dense_tree(self, ranges: list[Range]) -> None:
        ids = [3 * i + i % 2 for i in range(tree_leaves.DENSE_FROM + 500)]
        tree = RevisionTree(5, 0, 1 << 15)
        tree.insert(ids)
        assert is_dense(tree)
        assert tree.count_in(ranges) == slow_count_in(tree, ids, ranges)

    @given(ids=st.sets(st.integers(0, 63)), ranges=separate_ranges(0, 70))
    def test_at_the_begin_of_64_bits(self, ids: set[int], ranges: list[Range]) -> None:
        tree = RevisionTree(2, 0, 64)
        tree.insert(sorted(ids))
        assert tree.count_in(ranges) == slow_count_in(tree, ids, ranges)
        assert tree.count_in([(0, 0)]) == len(ids & {0})

    @given(
        ids=st.sets(st.integers(REVISION_MAX - 256, REVISION_MAX - 1)),
        ranges=separate_ranges(REVISION_MAX - 260, REVISION_MAX),
    )
    def test_at_the_end_of_64_bits(self, ids: set[int], ranges: list[Range]) -> None:
        tree = RevisionTree(2, REVISION_MAX - 256, REVISION_MAX)
        tree.insert(sorted(ids))
        assert tree.count_in(ranges) == slow_count_in(tree, ids, ranges)
        assert tree.count_in([(REVISION_MAX - 4, REVISION_MAX)]) == sum(
            revision >= REVISION_MAX - 4 for revision in ids
        )

    def test_of_nothing_and_of_everything(self, dense_tree: RevisionTree) -> None:
        now = RevisionTree()
        now.insert([NOW, NOW + 1, NOW + (1 << 45)])
        for tree in (RevisionTree(), RevisionTree(2, 0, 64), now, dense_tree):
            assert tree.count_in([]) == 0
            assert tree.count_in([(0, REVISION_MAX)]) == tree.count
            assert tree.count_in([(0, REVISION_MAX - 1)]) == tree.count
            assert tree.count_in([(REVISION_MAX, REVISION_MAX)]) == 0
            assert type(tree.count_in([(0, REVISION_MAX)])) is int

    def test_a_leaf_counts_where_it_begins(self) -> None:
        tree = RevisionTree(2, 1024, 2048)
        tree.insert([1040, 1041, 1055, 1056])
        assert tree.bucket == 16
        for ranges, expected in (
            ([(1040, 1040)], 3),
            ([(1041, 1055)], 0),
            ([(1039, 1040)], 3),
            ([(1041, 1056)], 1),
            ([(1040, 1056)], 4),
            ([(1040, 1040), (1056, 1056)], 4),
            ([(1000, 1039), (1057, 3000)], 0),
        ):
            assert tree.count_in(ranges) == expected

    @given(
        ids=st.sets(st.integers(0, 255)),
        others=st.sets(st.integers(0, 255)),
        width=st.sampled_from([64, 256, 1024]),
    )
    def test_where_trees_differ_all_ids_are_counted(
        self, ids: set[int], others: set[int], width: int
    ) -> None:
        """Those ranges are whole leaves of the wider tree."""
        tree, other = RevisionTree(2, 0, 256), RevisionTree(2, 0, width)
        tree.insert(sorted(ids))
        other.insert(sorted(others))
        ranges = tree.difference(other)
        for one, revisions in ((tree, ids), (other, others)):
            inside = [r for r in revisions if any(low <= r <= high for low, high in ranges)]
            assert one.count_in(ranges) == len(inside)


class TestDifference:
    def test_unlike_depths(self) -> None:
        with pytest.raises(RevisionTreeError) as caught:
            RevisionTree(2, 0, 4096).difference(RevisionTree(3, 0, 4096))
        assert caught.value.kind == "invalid_argument"

    def test_buckets_on_unlike_grids(self) -> None:
        a, b = RevisionTree(2, 0, 128), RevisionTree(2, 1, 129)
        for left, right in ((a, b), (b, a)):
            with pytest.raises(RevisionTreeError) as caught:
                left.difference(right)
            assert caught.value.kind == "invalid_argument"
            with pytest.raises(RevisionTreeError):
                left.equal(right)

    def test_ranges_far_apart(self) -> None:
        low, high = RevisionTree(2, 0, 64), RevisionTree(2, 2**64 - 128, 2**64 - 64)
        low.insert([5, 6])
        high.insert([2**64 - 100])
        expected = [(5, 6), (2**64 - 100, 2**64 - 100)]
        assert low.difference(high) == high.difference(low) == expected

    def test_unlike_widths_far_apart(self) -> None:
        low, high = RevisionTree(2, 2**32, 2**32 + 64), RevisionTree(2, 2**40, 2**40 + 1024)
        low.insert([2**32 + 33])
        high.insert([2**40 + 16])
        expected = [(2**32 + 32, 2**32 + 47), (2**40 + 16, 2**40 + 31)]
        assert low.difference(high) == high.difference(low) == expected

    def test_neighbours_of_both_sides_are_joined(self) -> None:
        a, b = RevisionTree(2, 0, 64), RevisionTree(2, 0, 64)
        a.insert([3, 9])
        b.insert([4, 11])
        assert a.difference(b) == [(3, 4), (9, 9), (11, 11)]

    def test_counts_alone_may_differ(self) -> None:
        a, b = RevisionTree(2, 0, 256), RevisionTree(2, 0, 256)
        a.insert([5, 5, 7])
        b.insert([7])
        assert a.hash == b.hash
        assert a.difference(b) == b.difference(a) == [(4, 7)]

    def test_same_ids_after_unlike_growth(self) -> None:
        ids = [2**30 + i * i for i in range(-200, 200)]
        a, b = RevisionTree(2, 2**30, 2**30 + 64), RevisionTree(2, 2**30, 2**30 + 64)
        a.insert(ids)
        b.insert([2**33, *sorted(ids)])
        b.remove([2**33])
        assert a.bucket < b.bucket
        assert a.equal(b)
        b.remove([2**30])
        assert not a.equal(b)

    def test_a_range_is_cut_at_the_ends_of_64_bits(self) -> None:
        # the wide tree's grid lies so that the first bucket of the narrow one begins below 0
        narrow, wide = RevisionTree(2, 0, 64, 1), RevisionTree(2, 513, 1537)
        narrow.insert([0])
        assert narrow.difference(wide) == wide.difference(narrow) == [(0, 0)]
        top = REVISION_MAX - 64
        narrow, wide = RevisionTree(2, top, top + 64), RevisionTree(2, top - 1024, top)
        narrow.insert([top + 63])
        assert narrow.difference(wide) == [(top + 48, top + 63)]

    def test_dense_against_sparse(self, dense_tree: RevisionTree, dense_ids: list[int]) -> None:
        sparse = RevisionTree(5, 0, 1 << 15)
        sparse.insert(dense_ids[:10])
        ranges = dense_tree.difference(sparse)
        covered = [i for left, right in ranges for i in range(left, right + 1)]
        assert covered == dense_ids[10:]
        assert sparse.difference(dense_tree) == ranges


class TestCheck:
    def test_summary_must_match(self) -> None:
        for attribute in ("_count", "_hash"):
            tree = RevisionTree()
            tree.insert([NOW, NOW + 1])
            tree.check()
            setattr(tree, attribute, getattr(tree, attribute) + 1)
            with pytest.raises(RevisionTreeError) as caught:
                tree.check()
            assert caught.value.kind == "invalid_argument"

    def test_range_must_be_legal(self) -> None:
        tree = RevisionTree(2, 0, 64)
        for change in ({"maximum": 65}, {"shift": 1}, {"minimum": 64}, {"initial": 2**64}):
            broken = tree.copy()
            broken._range = tree._range._replace(**change)
            with pytest.raises(RevisionTreeError):
                broken.check()

    def test_no_hash_without_ids(self) -> None:
        tree = RevisionTree(2, 0, 64)
        tree._leaves = tree_leaves.SparseLeaves({3: (0, 7)})
        tree._hash = 7
        with pytest.raises(RevisionTreeError):
            tree.check()

    def test_no_hash_without_ids_in_a_dense_tree(self) -> None:
        tree = RevisionTree(2, 0, 64)
        tree._leaves = tree_leaves.DenseLeaves(array("Q", bytes(512)), array("Q", [7] * 64))
        tree._hash = 7
        with pytest.raises(RevisionTreeError):
            tree.check()


class TestFromLeaves:
    @staticmethod
    def build(leaves: list[tuple[int, int, int]]) -> RevisionTree:
        return RevisionTree.from_leaves(
            leaves, depth=2, range_min=0, range_max=64, initial_range_min=0
        )

    def test_content(self) -> None:
        tree = self.build([(0, 2, 5), (63, 1, REVISION_MAX)])
        assert content(tree) == (2, 0, 64, 0, 3, 5 ^ REVISION_MAX, [(0, 2, 5), (63, 1, 2**64 - 1)])
        assert content(self.build([])) == content(RevisionTree(2, 0, 64))

    @pytest.mark.parametrize(
        "leaves",
        [
            [(64, 1, 1)],
            [(-1, 1, 1)],
            [(2**64, 1, 1)],
            [(1, 1, 1), (1, 1, 1)],
            [(2, 1, 1), (1, 1, 1)],
            [(1, 0, 1)],
            [(1, 0, 0)],
            [(1, -1, 0)],
            [(1, 2**64, 0)],
            [(1, 1, 2**64)],
            [(1, 1, -1)],
            [(1, 2**63, 1), (2, 2**63, 1)],
        ],
    )
    def test_refused(self, leaves: list[tuple[int, int, int]]) -> None:
        with pytest.raises(RevisionTreeError) as caught:
            self.build(leaves)
        assert caught.value.kind == "invalid_argument"


class TestFromBytes:
    @staticmethod
    def data(**changes: int) -> bytes:
        values = {
            "range_min": 0,
            "range_max": 64,
            "depth": 2,
            "initial": 0,
            "count": 3,
            "hash": 12,
            "index": 9,
        } | changes
        meta = struct.pack("<6Q", *list(values.values())[:6])
        leaves = struct.pack("<IQQIQQ", 5, 1, 5, values["index"], 2, 9)
        return meta + leaves + b"3\x01"

    def test_the_layout(self) -> None:
        tree = RevisionTree.from_bytes(self.data())
        assert content(tree) == (2, 0, 64, 0, 3, 12, [(5, 1, 5), (9, 2, 9)])
        assert tree.to_bytes() == self.data()

    @pytest.mark.parametrize(
        "changes",
        [
            {"range_min": 64},
            {"range_min": 1},
            {"range_max": 0},
            {"range_max": 65},
            {"depth": 0},
            {"depth": 1},
            {"depth": 3},
            {"depth": 9, "range_max": 2**40},
            {"depth": 2**63},
            {"initial": 2, "range_max": 256},
            {"count": 4},
            {"hash": 13},
            {"index": 5},
            {"index": 4},
            {"index": 64},
        ],
        ids=str,
    )
    def test_refused(self, changes: dict[str, int]) -> None:
        with pytest.raises(RevisionTreeError) as caught:
            RevisionTree.from_bytes(self.data(**changes))
        assert caught.value.kind == "invalid_argument"

    @pytest.mark.parametrize(
        "cut", [lambda d: b"", lambda d: d[:-1], lambda d: d[1:], lambda d: d[:49], lambda d: d + d]
    )
    def test_no_cut_is_readable(self, cut: Callable[[bytes], bytes]) -> None:
        with pytest.raises(RevisionTreeError):
            RevisionTree.from_bytes(cut(self.data()))

    def test_every_flipped_byte_of_content_is_noticed_or_another_tree(self) -> None:
        data = self.data()
        for position in range(len(data)):
            broken = bytearray(data)
            broken[position] ^= 0x55
            try:
                tree = RevisionTree.from_bytes(bytes(broken))
            except RevisionTreeError:
                continue
            tree.check()
            assert tree.to_bytes() == bytes(broken)


class TestLevels:
    def test_inner_nodes_add_up(self) -> None:
        tree = RevisionTree(3, 0, 512)
        tree.insert([0, 1, 7, 8, 63, 64, 300, 511])
        assert list(tree.level(3)) == list(tree.leaves())
        for level in (0, 1, 2):
            expected: dict[int, tuple[int, int]] = {}
            for index, count, mixed in tree.leaves():
                parent = index // 8 ** (3 - level)
                old = expected.get(parent, (0, 0))
                expected[parent] = (old[0] + count, old[1] ^ mixed)
            assert {i: (c, m) for i, c, m in tree.level(level)} == expected
        assert list(tree.level(0)) == [(0, tree.count, tree.hash)]
        assert list(RevisionTree().level(0)) == []


def test_repr_names_what_matters() -> None:
    assert repr(RevisionTree(2, 0, 64)) == "<RevisionTree depth=2 range=0..64 count=0 hash=0>"


def test_two_ids_may_fit_alone_but_not_together() -> None:
    low, high = 6 * 10**17, 105 * 10**17
    tree = RevisionTree()
    assert tree.accepts(low)
    assert tree.accepts(high)
    assert not tree.accepts(low, high)
    assert tree.accepts(low, low + 1)
    tree.insert([low])
    assert not tree.accepts(high)
