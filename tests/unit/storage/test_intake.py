"""Files taken over together with a commit: all of it, or nothing, wherever it is cut off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from support.stores import Bench, insert, make_collection, markers, stored

from arangorep.errors import StartupError
from arangorep.storage.catalog import Collection
from arangorep.storage.commit import Commit
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.intake import Intake
from arangorep.storage.integrity import findings
from arangorep.storage.keys import pack_many, u64
from arangorep.storage.log import document_entries
from arangorep.storage.rocks import RocksEngine, write_sorted
from arangorep.storage.rows import build_row
from arangorep.storage.store import PreparedCommit, Store
from arangorep.values.revision import revision_text

COUNT = 50
NAMES = [b"n%03d" % number for number in range(COUNT)]
FAMILIES = (Family.DOCUMENTS, Family.PRIMARY, Family.LOG)


class Cut(Exception):
    """Where a process dies."""


class Taking:
    """A collection with two documents, and files with fifty more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bench = Bench(path)
        self.collection = make_collection(self.store, "c")
        insert(self.store, self.collection, {"_key": "a"}, {"_key": "z"})
        self.before = (stored(self.store, self.collection), markers(self.store))
        self.commit, self.intake = self._prepare()

    @property
    def store(self) -> Store:
        return self.bench.store

    def _prepare(self) -> tuple[Commit, Intake]:
        store, collection = self.store, self.collection
        first = store.last_revision + 1000
        revisions = np.arange(first, first + COUNT, dtype=np.uint64)
        stamps, ticks = pack_many(revisions), store.ticks.take(COUNT)
        rows = [
            build_row(name, b"c", revision_text(int(revision)).encode(), {"n": number})
            for number, (name, revision) in enumerate(zip(NAMES, revisions, strict=True))
        ]
        info, prefix = collection.info, collection.prefix
        scope = b'"db":"_system","cuid":"%b","tid":"0","data":' % collection.guid_json
        positions, entries = document_entries(
            info.database_id, info.id, scope, ticks, revisions, rows
        )
        directory = store.engine.load_directory
        assert directory is not None
        files = {family: directory / f"1.{family.value}" for family in FAMILIES}
        write_sorted(files[Family.DOCUMENTS], [prefix + stamp for stamp in stamps], rows)
        write_sorted(files[Family.PRIMARY], [prefix + name for name in NAMES], stamps)
        write_sorted(files[Family.LOG], positions, entries)
        ranges = {
            Family.DOCUMENTS: (prefix + stamps[0], prefix + stamps[-1] + b"\0"),
            Family.PRIMARY: (prefix + NAMES[0], prefix + NAMES[-1] + b"\0"),
            Family.LOG: (positions[0], u64(ticks.stop)),
        }
        commit = Commit()
        commit.last_tick, commit.log_bytes = ticks[-1], sum(map(len, entries))
        delta = commit.delta(info.id)
        delta.blocks.append(revisions)
        delta.revision, delta.largest_bytes = int(revisions[-1]), len(rows[-1])
        store.observe_revision(int(revisions[-1]))
        return commit, Intake({family: [path] for family, path in files.items()}, ranges)

    def announce(self) -> PreparedCommit:
        with self.store.riding({b"applier-state/1": b"moved"}):
            return self.store.announce(self.commit, self.intake)

    def run(self) -> None:
        prepared = self.announce()
        self.store.engine.sync_log()
        self.store.take_over(self.commit, self.intake, prepared)

    def found(self) -> Collection:
        return self.store.catalog.database("_system").find("c")

    def assert_nothing_happened(self) -> None:
        assert (stored(self.store, self.found()), markers(self.store)) == self.before
        assert self.found().count == 2
        assert self.store.read_meta(b"applier-state/1") is None
        assert findings(self.store) == []

    def assert_all_of_it_happened(self) -> None:
        documents = stored(self.store, self.found())
        assert {document["_key"] for document in documents.values()} == {
            "a", "z", *(name.decode() for name in NAMES)
        }  # fmt: skip
        assert self.found().count == 2 + COUNT
        assert self.store.log.last_tick == self.commit.last_tick
        assert [m["data"]["_key"] for m in markers(self.store)[-COUNT:]] == [
            name.decode() for name in NAMES
        ]
        assert self.store.read_meta(b"applier-state/1") == b"moved"
        assert findings(self.store) == []


@pytest.fixture
def taking(tmp_path: Path) -> Taking:
    return Taking(tmp_path / "s")


def test_documents_keys_and_markers_come_at_once(taking: Taking) -> None:
    snapshot = taking.store.snapshot()
    taking.run()
    taking.assert_all_of_it_happened()
    assert snapshot.state(taking.collection).count == 2
    assert len(snapshot.scan(taking.collection).take()) == 2
    assert list(taking.intake.files[Family.LOG][0].parent.iterdir()) == []
    taking.store.release(snapshot)
    taking.bench.crash()
    taking.assert_all_of_it_happened()
    taking.bench.stop()
    taking.assert_all_of_it_happened()


def test_writing_goes_on_behind_it(taking: Taking) -> None:
    taking.run()
    insert(taking.store, taking.found(), {"_key": "later"})
    taking.bench.crash()
    assert taking.found().count == 3 + COUNT
    assert markers(taking.store)[-1]["data"]["_key"] == "later"
    assert findings(taking.store) == []


def cut_after(engine: RocksEngine, ingested: int) -> Callable[[Family, Sequence[Path]], None]:
    """Takes over so many files and dies; a dead process undoes nothing."""
    original, left = engine.ingest, [ingested]

    def ingest(family: Family, files: Sequence[Path]) -> None:
        if not left[0]:
            raise Cut
        left[0] -= 1
        original(family, files)

    return ingest


@pytest.mark.parametrize("ingested", range(4))
def test_a_crash_in_the_middle_leaves_nothing(
    taking: Taking, monkeypatch: pytest.MonkeyPatch, ingested: int
) -> None:
    engine = taking.store.engine
    prepared = taking.announce()
    engine.sync_log()

    def dead(changes: WriteSet) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(engine, "ingest", cut_after(engine, ingested))
        patch.setattr(engine, "write", dead)
        with pytest.raises(Cut):
            taking.store.take_over(taking.commit, taking.intake, prepared)
    taking.bench.crash()
    taking.assert_nothing_happened()
    insert(taking.store, taking.found(), {"_key": NAMES[3].decode()})
    assert findings(taking.store) == []
    taking.bench.stop()
    assert findings(taking.store) == []


@pytest.mark.parametrize("ingested", range(3))
def test_what_fails_is_undone_at_once(
    taking: Taking, monkeypatch: pytest.MonkeyPatch, ingested: int
) -> None:
    engine = taking.store.engine
    with monkeypatch.context() as patch:
        patch.setattr(engine, "ingest", cut_after(engine, ingested))
        with pytest.raises(Cut):
            taking.run()
    taking.assert_nothing_happened()
    insert(taking.store, taking.found(), {"_key": NAMES[3].decode()})
    taking.bench.crash()
    assert taking.found().count == 3
    assert findings(taking.store) == []


def test_what_was_announced_can_be_withdrawn(taking: Taking) -> None:
    taking.announce()
    taking.store.withdraw()
    taking.assert_nothing_happened()
    insert(taking.store, taking.found(), {"_key": NAMES[3].decode()})
    taking.bench.crash()
    assert taking.found().count == 3, "and a start does not look for it"


def test_a_store_that_was_cut_off_is_not_read_without_a_start(taking: Taking) -> None:
    taking.announce()
    taking.bench.engine.close()
    engine = RocksEngine(taking.path, read_only=True)
    with pytest.raises(StartupError, match="must be started"):
        Store(engine, taking.bench.clock, read_only=True)
    engine.close()
