"""Commits: markers and row ranges gathered for one write."""

from __future__ import annotations

from arangorep.storage import keys
from arangorep.storage.commit import CollectionDelta, Commit
from arangorep.storage.engine import Family
from arangorep.storage.log import HEADER, HEADER_BYTES
from arangorep.values.marker import MarkerType


def test_a_marker_is_a_header_and_a_line() -> None:
    commit = Commit()
    commit.log(MarkerType.DOCUMENT, 11, 12, 13, b"line\n", revision=14, old_revision=15)
    assert list(commit.changes.entries[Family.LOG]) == [keys.u64(13)]
    row = commit.changes.entries[Family.LOG][keys.u64(13)]
    assert row is not None
    assert HEADER.unpack_from(row) == (2300, 0, 11, 12, 13, 14, 15)
    assert row[HEADER_BYTES:] == b"line\n"


def test_markers_add_up() -> None:
    commit = Commit()
    commit.log(MarkerType.TRANSACTION_START, 1, 0, 101, b"a\n")
    commit.log(MarkerType.TRANSACTION_COMMIT, 1, 0, 105, b"bcd\n")
    assert commit.last_tick == 105
    rows = commit.changes.entries[Family.LOG].values()
    assert commit.log_bytes == sum(len(row or b"") for row in rows)


def test_a_collection_has_one_delta() -> None:
    commit = Commit()
    commit.delta(1).inserted.append(5)
    commit.delta(1).removed.append(4)
    commit.delta(2).cleared = True
    assert commit.deltas == {
        1: CollectionDelta(inserted=[5], removed=[4]),
        2: CollectionDelta(cleared=True),
    }


def test_clearing_rows_also_drops_what_was_staged() -> None:
    commit = Commit()
    entries = commit.changes.entries[Family.DOCUMENTS]
    for key in (b"a", b"b", b"bb", b"c"):
        entries[key] = b"1"
    entries[b"b2"] = None
    commit.changes.entries[Family.PRIMARY][b"b"] = b"1"
    commit.clear_rows(Family.DOCUMENTS, b"b", b"c")
    assert commit.changes.ranges == [(Family.DOCUMENTS, b"b", b"c")]
    assert entries == {b"a": b"1", b"c": b"1"}
    assert commit.changes.entries[Family.PRIMARY] == {b"b": b"1"}
    entries[b"b"] = b"later"
    assert entries[b"b"] == b"later"
