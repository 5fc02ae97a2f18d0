"""Write sets. What an engine does with them is in `contract/test_engine.py`."""

from __future__ import annotations

from arangorep.storage.engine import Family, WriteSet


def test_a_write_set_has_room_for_every_family() -> None:
    changes = WriteSet()
    assert changes.ranges == []
    assert changes.entries == {family: {} for family in Family}


def test_write_sets_share_nothing() -> None:
    left, right = WriteSet(), WriteSet()
    left.entries[Family.META][b"a"] = b"1"
    left.ranges.append((Family.META, b"a", b"b"))
    assert right.entries[Family.META] == {}
    assert right.ranges == []


def test_families_are_named_as_they_are_on_disk() -> None:
    assert {family.value for family in Family} == {"documents", "primary", "index", "log", "meta"}
