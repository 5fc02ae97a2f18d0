"""Counters, and the past that snapshots see of a collection."""

from __future__ import annotations

from arangorep.storage.state import CollectionState, Counters
from arangorep.values.revision import REVISION_LOWER_BOUND
from arangorep.values.revision_tree import RevisionTree

R = REVISION_LOWER_BOUND


def state_of(*revisions: int) -> CollectionState:
    tree = RevisionTree()
    tree.insert(list(revisions))
    return CollectionState(Counters(count=len(revisions), largest_bytes=10), tree)


def add(state: CollectionState, revision: int) -> None:
    """What a commit does."""
    state.tree.insert([revision])
    state.counters = Counters(count=state.counters.count + 1, largest_bytes=revision - R)


def test_counters_are_packed_and_unpacked() -> None:
    numbers = Counters(count=3, last_value=2**64 - 1, revision=2**63, largest_bytes=70_000)
    assert Counters.unpack(numbers.pack()) == numbers
    assert Counters.unpack(Counters().pack()) == Counters(0, 0, 0, 0)


def test_without_a_change_every_snapshot_sees_the_present() -> None:
    state = state_of(R + 1)
    assert state.at(1).tree is state.tree
    assert state.at(7).count == 1


def test_a_snapshot_sees_what_was_set_aside() -> None:
    state = state_of(R + 1)
    state.preserve(1)
    add(state, R + 2)
    assert (state.at(1).count, state.at(1).tree.count, state.at(1).largest_bytes) == (1, 1, 10)
    assert (state.at(2).count, state.at(2).tree.count, state.at(2).largest_bytes) == (2, 2, 2)


def test_each_snapshot_sees_its_own_past() -> None:
    state = state_of()
    for epoch in (1, 2, 3):
        state.preserve(epoch)
        add(state, R + epoch)
    assert [state.at(epoch).count for epoch in (1, 2, 3, 4)] == [0, 1, 2, 3]
    assert [state.at(epoch).tree.count for epoch in (1, 2, 3, 4)] == [0, 1, 2, 3]


def test_snapshots_between_two_changes_share_a_past() -> None:
    state = state_of(R + 1)
    state.preserve(3)  # snapshots 1, 2 and 3 were taken, then came the first change
    add(state, R + 2)
    assert [state.at(epoch).count for epoch in (1, 2, 3, 4)] == [1, 1, 1, 2]


def test_the_past_is_forgotten_with_its_last_reader() -> None:
    state = state_of()
    for epoch in (1, 2):
        state.preserve(epoch)
        add(state, R + epoch)
    assert state.forget_unseen([1, 2])
    assert [state.at(epoch).count for epoch in (1, 2)] == [0, 1]
    assert state.forget_unseen([2])
    assert state.at(2).count == 1
    assert not state.forget_unseen([3])
    assert state.at(2).tree is state.tree, "nothing is kept any more"


def test_an_old_reader_does_not_keep_what_came_after_it() -> None:
    state = state_of()
    for epoch in range(1, 100):
        state.preserve(epoch)
        add(state, R + epoch)
        assert state.forget_unseen([1])
    assert state.at(1).count == 0
    assert len(state._kept) == 1


def test_a_reader_between_two_changes_keeps_the_next_past() -> None:
    state = state_of()
    for epoch in (2, 5, 9):
        state.preserve(epoch)
        add(state, R + epoch)
    assert state.forget_unseen([4])
    assert state.at(4).count == 1


def test_forgetting_nothing() -> None:
    assert not state_of().forget_unseen([1])
