"""Snapshots of a store against copied dicts, while everything else goes on.

Several snapshots live at once and are released in any order. Documents are written, overwritten,
removed, truncated, collections dropped and made, files flushed and compacted, trees written and
rebuilt; whatever a snapshot shows must be what was copied when it was taken.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.stores import Bench, finish, make_collection, system, write

from arangorep.data.collections import drop_collection, truncate_collection
from arangorep.storage import snapshot as snapshots
from arangorep.storage.catalog import Collection
from arangorep.storage.snapshot import DocumentScan, Snapshot
from arangorep.values.revision import REVISION_MAX
from arangorep.values.revision_tree import RevisionTree

EXAMPLES = settings().max_examples
NAMES = ["a", "b", "c"]
SNAPSHOTS_MAX = 4

Rows = dict[int, bytes]


@dataclass
class Reading:
    """A scan of a collection's documents that is under way."""

    scan: DocumentScan
    expected: list[bytes]
    read: list[bytes] = field(default_factory=list)


@dataclass
class Copy:
    """A snapshot and what it has to show."""

    snapshot: Snapshot
    collections: dict[int, tuple[Collection, Rows]]
    used: set[int] = field(default_factory=set)
    readings: dict[int, Reading] = field(default_factory=dict)


names = st.sampled_from(NAMES)
keys = st.integers(0, 11).map("k{}".format)
sizes = st.sampled_from([0, 5, 40, 300])


class SnapshotMachine(RuleBasedStateMachine):
    def __init__(self, directory: Callable[[], Path | None]) -> None:
        super().__init__()
        self.bench = Bench(directory())
        self.live: dict[str, Rows] = {name: {} for name in NAMES}
        self.copies: list[Copy] = []
        for name in NAMES:
            make_collection(self.bench.store, name)

    def teardown(self) -> None:
        self.bench.end()

    def collection(self, name: str) -> Collection:
        return system(self.bench.store).find(name)

    # -- changes -------------------------------------------------------------------------------

    @rule(name=names, documents=st.dictionaries(keys, sizes, min_size=1, max_size=12))
    def insert(self, name: str, documents: dict[str, int]) -> None:
        items = [{"_key": key, "text": "x" * size} for key, size in documents.items()]
        collection = self.collection(name)
        results = write(self.bench.store, collection, "insert", *items, overwrite_mode="replace")
        for result in results:
            self.live[name].pop(result.old_revision, None)
            assert result.new is not None
            self.live[name][result.revision] = result.new

    @rule(name=names, data=st.data())
    def remove(self, name: str, data: st.DataObject) -> None:
        rows = self.live[name]
        if not rows:
            return
        gone = data.draw(st.lists(st.sampled_from(sorted(rows)), unique=True, min_size=1))
        items = [json.loads(rows.pop(revision))["_key"] for revision in gone]
        write(self.bench.store, self.collection(name), "remove", *items)

    @rule(name=names)
    def truncate(self, name: str) -> None:
        store = self.bench.store
        truncate_collection(store, system(store), self.collection(name))
        self.live[name] = {}

    @rule(name=names)
    def drop_and_create(self, name: str) -> None:
        """Snapshots that read the collection end; the others just lose it."""
        store, collection = self.bench.store, self.collection(name)
        drop_collection(store, system(store), collection, allow_system=False)
        for copy in self.copies:
            assert copy.snapshot.closed is (collection.info.id in copy.used)
            copy.collections.pop(collection.info.id, None)
        self.copies = [copy for copy in self.copies if not copy.snapshot.closed]
        make_collection(store, name)
        self.live[name] = {}

    @rule(what=st.sampled_from(["flush", "compact", "checkpoint", "rebuild"]))
    def move_things(self, what: str) -> None:
        """What changes files and trees, but no content."""
        store = self.bench.store
        if what == "flush":
            store.engine.flush()
        elif what == "compact":
            store.engine.compact()
        elif what == "checkpoint":
            finish(store.checkpoint_trees())
        else:
            for name in NAMES:
                assert finish(store.rebuild_tree(self.collection(name)))

    @rule(cleanly=st.booleans())
    def restart(self, cleanly: bool) -> None:
        for copy in self.copies:
            if not cleanly:
                copy.snapshot.close()
        if cleanly:
            self.bench.stop()
        else:
            self.bench.crash()
        assert all(copy.snapshot.closed for copy in self.copies)
        self.copies = []

    # -- snapshots -----------------------------------------------------------------------------

    @precondition(lambda self: len(self.copies) < SNAPSHOTS_MAX)
    @rule()
    def take(self) -> None:
        content = {}
        for name in NAMES:
            collection = self.collection(name)
            content[collection.info.id] = (collection, dict(self.live[name]))
        self.copies.append(Copy(self.bench.store.snapshot(), content))

    @precondition(lambda self: self.copies)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        copy = self.copies.pop(data.draw(st.integers(0, len(self.copies) - 1)))
        self.bench.store.release(copy.snapshot)
        self.bench.store.release(copy.snapshot)
        assert copy.snapshot.closed

    @precondition(lambda self: self.copies)
    @rule(data=st.data(), name=names, rows=st.integers(1, 8), back=st.integers(0, 3))
    def read_on(self, data: st.DataObject, name: str, rows: int, back: int) -> None:
        """Go on reading all documents, giving some of them back."""
        copy = self.copies[data.draw(st.integers(0, len(self.copies) - 1))]
        reading = self.reading(copy, self.collection(name))
        block = reading.scan.take(rows)
        assert len(block) <= rows
        returned = block[len(block) - min(back, len(block)) :]
        if returned:
            reading.scan.put_back(returned)
        reading.read += block[: len(block) - len(returned)]
        assert reading.read == reading.expected[: len(reading.read)]
        assert block or len(reading.read) == len(reading.expected)
        assert reading.scan.exhausted is (len(reading.read) == len(reading.expected))
        if reading.scan.exhausted:
            del copy.readings[self.collection(name).info.id]

    @precondition(lambda self: self.copies)
    @rule(data=st.data(), name=names)
    def read_all(self, data: st.DataObject, name: str) -> None:
        """Scans from the first document on, whatever else is being read."""
        copy = self.copies[data.draw(st.integers(0, len(self.copies) - 1))]
        for rows in (1000, 3):
            reading = self.begin(copy, self.collection(name))
            while block := reading.scan.take(rows):
                reading.read += block
            assert reading.read == reading.expected

    @precondition(lambda self: self.copies)
    @rule(data=st.data(), name=names, rows=st.integers(1, 20))
    def look_up(self, data: st.DataObject, name: str, rows: int) -> None:
        """Revisions by range, documents by revision; live ones that are newer are not there."""
        copy = self.copies[data.draw(st.integers(0, len(self.copies) - 1))]
        collection = self.collection(name)
        copy.used.add(collection.info.id)
        expected = copy.collections.get(collection.info.id, (collection, {}))[1]
        all_revisions = sorted(expected)
        snapshot = copy.snapshot
        assert snapshot.revisions(collection, 0, REVISION_MAX, 1000) == all_revisions
        known = sorted({*expected, *self.live[name], 17})
        low, high = data.draw(st.sampled_from(known)), data.draw(st.sampled_from(known))
        between = [revision for revision in all_revisions if low <= revision <= high]
        assert snapshot.revisions(collection, low, high, rows) == between[:rows]
        for revision in known:
            assert snapshot.document(collection, revision) == expected.get(revision)

    def reading(self, copy: Copy, collection: Collection) -> Reading:
        found = copy.readings.get(collection.info.id)
        if found is None:
            found = copy.readings[collection.info.id] = self.begin(copy, collection)
        return found

    def begin(self, copy: Copy, collection: Collection) -> Reading:
        copy.used.add(collection.info.id)
        rows = copy.collections.get(collection.info.id, (collection, {}))[1]
        return Reading(
            copy.snapshot.scan(collection), [rows[revision] for revision in sorted(rows)]
        )

    # -- what must hold after every rule -----------------------------------------------------------

    @invariant()
    def counts_and_trees_are_those_of_the_copies(self) -> None:
        for copy in self.copies:
            for collection, rows in copy.collections.values():
                state = copy.snapshot.state(collection)
                assert state.count == len(rows)
                assert state.largest_bytes >= max(map(len, rows.values()), default=0)
                assert state.tree.count == len(rows)
                assert state.tree.difference(tree_of(rows)) == []
            for name in NAMES:
                collection = self.collection(name)
                if collection.info.id not in copy.collections:
                    assert copy.snapshot.state(collection).count == 0
                    assert copy.snapshot.state(collection).tree.count == 0

    @invariant()
    def the_live_tree_is_right_too(self) -> None:
        for name in NAMES:
            state = self.collection(name).state
            assert state.counters.count == len(self.live[name])
            assert state.tree.difference(tree_of(self.live[name])) == []

    @invariant()
    def nothing_is_kept_without_snapshots(self) -> None:
        if not self.copies:
            for name in NAMES:
                # whoever is asked about the past shows the present: nothing was set aside
                assert self.collection(name).state.at(0).tree is self.collection(name).state.tree


def tree_of(rows: Rows) -> RevisionTree:
    tree = RevisionTree()
    tree.insert(sorted(rows))
    return tree


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "SCAN_BYTES_GOAL", 400)
    monkeypatch.setattr(snapshots, "SCAN_BYTES_MAX", 2000)


def test_snapshots_in_memory() -> None:
    run_state_machine_as_test(
        lambda: SnapshotMachine(lambda: None),
        settings=settings(max_examples=2 * EXAMPLES, stateful_step_count=30),
    )


def test_snapshots_on_rocksdb(tmp_path: Path) -> None:
    numbers = itertools.count()
    run_state_machine_as_test(
        lambda: SnapshotMachine(lambda: tmp_path / str(next(numbers))),
        settings=settings(max_examples=EXAMPLES // 4, stateful_step_count=25),
    )
