"""Two revision trees against plain sets of ids, through random changes.

The oracle shares nothing with the tree: it hashes byte by byte, puts each id into its bucket by
division, grows ranges in the words of the specification and compares buckets as sets of ids.
The thresholds are lowered so that short runs cross between the two representations and the two
ways of handling a batch.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from arangorep.protocol.revision_tree import decode_tree, encode_tree
from arangorep.values import revision_tree, tree_leaves
from arangorep.values.revision_tree import RevisionTree, RevisionTreeError

LEAVES = 64
START = 100_000
REACH = 6_000

ids = st.integers(START - REACH, START + REACH) | st.integers(START - 70, START + 140)
batches = st.lists(ids, unique=True, max_size=25) | st.builds(
    lambda first, length, step: list(range(first, first + length * step, step)),
    ids,
    st.integers(1, 90),
    st.integers(1, 4),
)
sides = st.sampled_from([0, 1])


@cache
def slow_hash(revision: int) -> int:
    value = 0xCBF29CE484222325
    for byte in revision.to_bytes(8, "little"):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


class Model:
    """A set of ids and the range that the specification prescribes for its history."""

    def __init__(self, initial: int) -> None:
        self.ids: set[int] = set()
        self.low = START
        self.high = START + LEAVES
        self.initial = initial

    def copy(self) -> Model:
        twin = Model(self.initial)
        twin.ids, twin.low, twin.high = set(self.ids), self.low, self.high
        return twin

    @property
    def bucket(self) -> int:
        return (self.high - self.low) // LEAVES

    def insert(self, batch: list[int]) -> None:
        self.ids.update(batch)
        while batch and min(batch) < self.low:
            width, bucket = self.high - self.low, self.bucket
            shift = (self.initial - self.low) % (2 * bucket) != 0
            self.low -= width
            if shift:
                self.low, self.high = self.low + bucket, self.high + bucket
        while batch and max(batch) >= self.high:
            width, bucket = self.high - self.low, self.bucket
            shift = (self.initial - self.low) % (2 * bucket) != 0
            self.high += width
            if shift:
                self.low, self.high = self.low - bucket, self.high - bucket

    def leaves(self) -> list[tuple[int, int, int]]:
        leaves = []
        for index in range(LEAVES):
            first = self.low + index * self.bucket
            inside = [i for i in self.ids if first <= i < first + self.bucket]
            mixed = 0
            for revision in inside:
                mixed ^= slow_hash(revision)
            if inside:
                leaves.append((index, len(inside), mixed))
        return leaves

    def difference(self, other: Model) -> list[tuple[int, int]]:
        bucket = max(self.bucket, other.bucket)
        origin = self.initial % bucket  # all borders lie on this grid
        unlike = {(i - origin) // bucket for i in self.ids ^ other.ids}
        ranges: list[tuple[int, int]] = []
        for position in sorted(unlike):
            first = origin + position * bucket
            if ranges and ranges[-1][1] == first - 1:
                ranges[-1] = (ranges[-1][0], first + bucket - 1)
            else:
                ranges.append((first, first + bucket - 1))
        return ranges


def content(tree: RevisionTree) -> tuple:
    return (
        tree.range_min,
        tree.range_max,
        tree.initial_range_min,
        tree.count,
        tree.hash,
        list(tree.leaves()),
    )


class TreeMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.trees: list[RevisionTree] = []
        self.models: list[Model] = []

    @initialize(offset=st.sampled_from([0, 0, 1, 2, 5, 32, 63]))
    def begin(self, offset: int) -> None:
        """Both trees empty; an offset makes growth move by a bucket now and then."""
        initial = START + offset
        self.trees = [RevisionTree(2, START, START + LEAVES, initial) for _ in range(2)]
        self.models = [Model(initial) for _ in range(2)]

    @rule(side=sides, batch=batches, block=st.booleans())
    def insert(self, side: int, batch: list[int], block: bool) -> None:
        new = [revision for revision in batch if revision not in self.models[side].ids]
        if block:
            new.sort()
            self.trees[side].insert_sorted_array(np.array(new, dtype=np.uint64))
        else:
            self.trees[side].insert(new)
        self.models[side].insert(new)

    @rule(side=sides, data=st.data())
    def remove(self, side: int, data: st.DataObject) -> None:
        present = sorted(self.models[side].ids)
        if not present:
            return
        batch = data.draw(st.lists(st.sampled_from(present), unique=True))
        self.trees[side].remove(batch)
        self.models[side].ids.difference_update(batch)

    @rule(side=sides, first=st.integers(0, 10_000), number=st.integers(1, 10_000))
    def remove_many(self, side: int, first: int, number: int) -> None:
        batch = sorted(self.models[side].ids)[first % 50 :][:number]
        self.trees[side].remove(batch)
        self.models[side].ids.difference_update(batch)

    @rule(side=sides, data=st.data(), stranger=ids)
    def remove_what_is_not_there(self, side: int, data: st.DataObject, stranger: int) -> None:
        """Certain to be noticed if the id's bucket holds none of the set, or it is out of range."""
        model, tree = self.models[side], self.trees[side]
        position = (stranger - model.low) // model.bucket
        if any((i - model.low) // model.bucket == position for i in model.ids):
            return
        known = sorted(model.ids)
        batch = data.draw(st.lists(st.sampled_from(known), unique=True)) if known else []
        batch.insert(data.draw(st.integers(0, len(batch))), stranger)
        before = content(tree)
        with pytest.raises(RevisionTreeError) as caught:
            tree.remove(batch)
        inside = model.low <= stranger < model.high
        assert caught.value.kind == ("invalid_argument" if inside else "out_of_range")
        assert content(tree) == before

    @rule(side=sides, revision=st.integers(0, START) | st.just(2**64 - 1))
    def insert_out_of_reach(self, side: int, revision: int) -> None:
        tree = self.trees[side]
        if tree.accepts(revision):
            return
        before = content(tree)
        with pytest.raises(RevisionTreeError) as caught:
            tree.insert([START, revision])
        assert caught.value.kind == "out_of_range"
        assert content(tree) == before

    @rule(side=sides)
    def clear(self, side: int) -> None:
        self.trees[side].clear()
        self.models[side].ids.clear()

    @rule(side=sides)
    def copy(self, side: int) -> None:
        """The copy takes the other's place, so later changes of either would show in the other."""
        self.trees[1 - side] = self.trees[side].copy()
        self.models[1 - side] = self.models[side].copy()

    @rule(side=sides)
    def store_and_load(self, side: int) -> None:
        self.trees[side] = RevisionTree.from_bytes(self.trees[side].to_bytes())

    @rule(side=sides)
    def send(self, side: int) -> None:
        self.trees[side] = decode_tree(json.loads(encode_tree(self.trees[side])))

    @invariant()
    def trees_are_as_the_sets_say(self) -> None:
        for tree, model in zip(self.trees, self.models, strict=True):
            mixed = 0
            for revision in model.ids:
                mixed ^= slow_hash(revision)
            assert content(tree) == (
                model.low,
                model.high,
                model.initial,
                len(model.ids),
                mixed,
                model.leaves(),
            )
            tree.check()

    @invariant()
    def differences_are_those_of_the_sets(self) -> None:
        if self.trees:
            left, right = self.trees
            expected = self.models[0].difference(self.models[1])
            assert left.difference(right) == expected
            assert right.difference(left) == expected
            assert left.equal(right) is (self.models[0].ids == self.models[1].ids)


@pytest.mark.parametrize("dense_from", [6, 10_000], ids=["both forms", "sparse only"])
def test_trees_behave_like_sets(dense_from: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_leaves, "DENSE_FROM", dense_from)
    monkeypatch.setattr(revision_tree, "FEW", 8)
    run_state_machine_as_test(TreeMachine)
