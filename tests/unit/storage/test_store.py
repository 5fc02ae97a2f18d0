"""The store: format, revisions, commits that fail, counters, snapshots, trees, stopping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.memory_engine import MemoryEngine
from support.stores import (
    WriteFault,
    failing_writes,
    finish,
    insert,
    make_collection,
    make_index,
    open_store,
    stored,
    system,
    write,
)

from arangorep.clock import ManualClock
from arangorep.data.collections import (
    change_collection,
    drop_collection,
    rename_collection,
    truncate_collection,
)
from arangorep.data.databases import create_database, drop_database
from arangorep.data.indexes import drop_index
from arangorep.errors import StartupError
from arangorep.storage import keys, log
from arangorep.storage.catalog import Collection
from arangorep.storage.commit import Commit
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store
from arangorep.values.revision import REVISION_LOWER_BOUND
from arangorep.values.revision_tree import RevisionTree


def engine_of(store: Store) -> MemoryEngine:
    assert isinstance(store.engine, MemoryEngine)
    return store.engine


def crashed(store: Store, clock: ManualClock | None = None) -> Store:
    return open_store(engine_of(store).copy(), clock)


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    """`c` with an index and ten documents."""
    made = make_collection(store, "c")
    make_index(store, made, "n", name="by_n")
    insert(store, made, *({"_key": f"k{n}", "n": n} for n in range(10)))
    return made


def tree_of(store: Store, collection: Collection) -> RevisionTree:
    tree = RevisionTree()
    tree.insert(sorted(stored(store, collection)))
    return tree


# -- format and identity ------------------------------------------------------------------------


def test_a_new_store_gets_a_format_and_an_identity() -> None:
    store = Store(MemoryEngine(), ManualClock())
    assert store.engine.get(Family.META, keys.FORMAT) == b"1"
    assert 2**47 <= store.server_id < 2**48
    assert crashed(store).server_id == store.server_id
    assert Store(MemoryEngine(), ManualClock()).server_id != store.server_id


def test_another_format_is_refused() -> None:
    engine = MemoryEngine()
    changes = WriteSet()
    changes.entries[Family.META][keys.FORMAT] = b"2"
    engine.write(changes)
    with pytest.raises(StartupError, match="format b'2'"):
        Store(engine, ManualClock())
    assert engine.content()[Family.META] == {keys.FORMAT: b"2"}


def test_a_reader_does_not_make_a_store() -> None:
    engine = MemoryEngine()
    with pytest.raises(StartupError, match="empty"):
        Store(engine, ManualClock(), read_only=True)
    assert engine.content() == MemoryEngine().content()


def test_a_reader_writes_nothing(store: Store, collection: Collection) -> None:
    engine = engine_of(store).copy()
    with failing_writes(engine):
        reader = Store(engine, ManualClock(), read_only=True)
        assert reader.catalog.database("_system").find("c").count == 10
        assert findings(reader) == []


# -- revisions ----------------------------------------------------------------------------------


def test_revisions_grow_while_the_clock_stands() -> None:
    store = open_store(clock=ManualClock())
    found = [store.next_revision() for _ in range(100)]
    assert found == sorted(set(found))
    assert store.last_revision == found[-1]


def test_a_range_of_revisions_lies_between_its_neighbours() -> None:
    store = open_store(clock=ManualClock())
    before = store.next_revision()
    taken = store.take_revisions(1000)
    after = store.next_revision()
    assert len(taken) == 1000
    assert before < taken[0]
    assert taken[-1] < after
    assert store.last_revision == after


def test_a_range_may_spill_over_the_counter() -> None:
    """The counter has 20 bits."""
    store = open_store(clock=ManualClock())
    taken = store.take_revisions((1 << 20) + 10)
    assert taken[-1] < store.next_revision()


def test_revisions_follow_the_clock_and_never_go_back() -> None:
    clock = ManualClock()
    store = open_store(clock=clock)
    clock.advance_s(1000)
    later = store.next_revision()
    assert later >> 20 == clock.wall_us() // 1000
    insert(store, make_collection(store, "c"), {})
    newest = store.last_revision
    past = ManualClock(clock.wall_us() - 10**9)
    assert crashed(store, past).next_revision() > newest


def test_what_was_removed_or_truncated_still_moves_revisions(
    store: Store, collection: Collection
) -> None:
    write(store, collection, "remove", "k1")
    past = ManualClock(1)
    assert crashed(store, past).next_revision() > store.last_revision
    truncate_collection(store, system(store), collection)
    assert crashed(store, past).next_revision() > store.last_revision


def test_a_foreign_revision_moves_ours() -> None:
    store = open_store()
    foreign = store.next_revision() + (5000 << 20)
    store.observe_revision(foreign)
    assert store.next_revision() > foreign
    store.observe_revision(17)
    assert store.next_revision() > foreign


def test_a_machine_that_wakes_up_in_1970() -> None:
    store = open_store(clock=ManualClock(1))
    assert store.next_revision() > REVISION_LOWER_BOUND
    made = make_collection(store, "c")
    insert(store, made, {}, {})
    assert findings(store) == []


# -- a commit that cannot be written ------------------------------------------------------------


def memory_of(store: Store) -> dict[str, Any]:
    """Everything a store knows that a commit may change."""
    return {
        "databases": [database.info for database in store.catalog.databases],
        "collections": {
            collection.info.id: (
                collection.info,
                collection.name_json,
                collection.state.counters,
                collection.state.tree.to_bytes(),
                collection.state.tree_dirty,
            )
            for collection in store.catalog.collections
        },
        "names": {
            database.info.name: sorted(collection.info.name for collection in database)
            for database in store.catalog.databases
        },
        "log": (
            store.log.open,
            list(store.log.segments),
            store.log.first_tick,
            store.log.last_tick,
            store.log.floor,
            store.log.size_bytes,
        ),
        "rest": (store.largest_bytes, store.trees_valid),
    }


COMMITS: dict[str, Callable[[Store, Collection], object]] = {
    "insert": lambda store, c: insert(store, c, {"_key": "new", "n": 100, "text": "x" * 999}),
    "insert many": lambda store, c: insert(store, c, *({"n": 100 + n} for n in range(50))),
    "overwrite": lambda store, c: insert(store, c, {"_key": "k1", "n": 1}, mode="replace"),
    "remove": lambda store, c: write(store, c, "remove", "k1", "k2"),
    "truncate": lambda store, c: truncate_collection(store, system(store), c),
    "create collection": lambda store, c: make_collection(store, "other"),
    "change": lambda store, c: change_collection(store, system(store), c, {"waitForSync": True}),
    "rename": lambda store, c: rename_collection(store, system(store), c, {"name": "d"}),
    "drop": lambda store, c: drop_collection(store, system(store), c, allow_system=False),
    "create database": lambda store, c: create_database(store, {"name": "other"}),
    "drop database": lambda store, c: drop_database(store, "spare"),
    "create index": lambda store, c: make_index(store, c, "unset", unique=False),
    "drop index": lambda store, c: drop_index(store, system(store), c, "by_n"),
}


@pytest.mark.parametrize("name", COMMITS)
@pytest.mark.parametrize("segment_bytes", [1, 1 << 20], ids=["closing a segment", "within one"])
def test_a_failed_commit_leaves_memory_as_it_was(
    store: Store,
    collection: Collection,
    name: str,
    segment_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_database(store, {"name": "spare"})
    finish(store.checkpoint_trees())
    monkeypatch.setattr(log, "SEGMENT_BYTES", segment_bytes)
    before, rows = memory_of(store), engine_of(store).content()
    with failing_writes(store.engine), pytest.raises(WriteFault):
        COMMITS[name](store, collection)
    assert memory_of(store) == before
    assert engine_of(store).content() == rows
    assert findings(store) == []
    COMMITS[name](store, collection)
    assert memory_of(store) != before
    assert findings(store) == []
    assert findings(crashed(store)) == []


@pytest.mark.parametrize("name", COMMITS)
def test_a_failed_commit_then_a_clean_stop(store: Store, collection: Collection, name: str) -> None:
    create_database(store, {"name": "spare"})
    with failing_writes(store.engine), pytest.raises(WriteFault):
        COMMITS[name](store, collection)
    store.close()
    assert findings(crashed(store)) == []


# -- a commit that is written -------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMITS)
def test_memory_knows_what_the_disk_knows(store: Store, collection: Collection, name: str) -> None:
    """A restart finds in the rows what the commit left in memory."""
    create_database(store, {"name": "spare"})
    COMMITS[name](store, collection)
    live, found = memory_of(store), memory_of(crashed(store))
    assert found["names"] == live["names"]
    assert found["databases"] == live["databases"]
    assert found["rest"][0] <= live["rest"][0], "what was dropped is not remembered"
    assert found["log"][2:] == live["log"][2:]
    for number, (info, name_json, counters, _, _) in live["collections"].items():
        assert found["collections"][number][:3] == (info, name_json, counters)
    assert found["collections"].keys() == live["collections"].keys()


def test_a_commit_without_markers_does_not_move_the_log(
    store: Store, collection: Collection
) -> None:
    before = memory_of(store)["log"]
    commit = Commit()
    commit.delta(collection.info.id).last_value = 77
    store.commit(commit)
    assert memory_of(store)["log"] == before
    assert collection.state.counters.last_value == 77
    assert system(crashed(store)).find("c").state.counters == collection.state.counters


def test_counters_count(store: Store, collection: Collection) -> None:
    numbers = collection.state.counters
    assert (numbers.count, numbers.revision) == (10, store.last_revision)
    assert numbers.largest_bytes == max(
        len(row) for row in engine_of(store).content()[Family.DOCUMENTS].values()
    )
    write(store, collection, "remove", "k1", "k2")
    assert collection.count == 8
    assert collection.state.counters.revision == store.last_revision
    assert collection.state.counters.largest_bytes == numbers.largest_bytes
    insert(store, collection, {"_key": "k3", "n": 3}, mode="replace")
    assert collection.count == 8
    truncate_collection(store, system(store), collection)
    assert collection.count == 0
    assert collection.state.counters.revision == store.last_revision
    assert collection.state.tree.count == 0


def test_key_generators_survive_restarts(store: Store) -> None:
    made = make_collection(store, "g", keyOptions={"type": "autoincrement", "offset": 5})
    insert(store, made, {}, {})
    assert made.state.counters.last_value == 6
    insert(store, made, {"_key": "100"})
    truncate_collection(store, system(store), made)
    again = crashed(store)
    found = system(again).find("g")
    assert found.state.counters.last_value == 100
    (result,) = write(again, found, "insert", {})
    assert result.key == "101"


def test_the_largest_document_is_remembered(store: Store) -> None:
    small, large = make_collection(store, "small"), make_collection(store, "large")
    insert(store, small, {"_key": "a"})
    insert(store, large, {"_key": "a", "text": "x" * 5000})
    write(store, large, "remove", "a")
    assert large.state.counters.largest_bytes > 5000
    assert small.state.counters.largest_bytes < 100
    assert store.largest_bytes == large.state.counters.largest_bytes
    assert crashed(store).largest_bytes == store.largest_bytes


def test_a_commit_is_not_synced_until_somebody_syncs(store: Store, collection: Collection) -> None:
    store.unsynced = False
    insert(store, collection, {"n": 77})
    assert store.unsynced


def test_a_tree_that_contradicts_the_documents_is_built_anew(
    store: Store, collection: Collection
) -> None:
    """A write that succeeded on disk never fails in memory."""
    collection.state.tree = RevisionTree()
    write(store, collection, "remove", "k1")
    assert collection.count == 9
    assert collection.state.tree.difference(tree_of(store, collection)) == []
    assert findings(store) == []


# -- snapshots ------------------------------------------------------------------------------------


def test_a_snapshot_is_released_once(store: Store, collection: Collection) -> None:
    snapshot = store.snapshot()
    assert not snapshot.closed
    store.release(snapshot)
    assert snapshot.closed
    store.release(snapshot)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_released_snapshots_leave_nothing_behind(
    store: Store, collection: Collection, order: tuple[int, ...]
) -> None:
    snapshots = []
    for n in range(3):
        snapshots.append(store.snapshot())
        insert(store, collection, {"n": 100 + n})
    alive = dict(enumerate(snapshots))
    for number in order:
        assert {n: s.state(collection).count for n, s in alive.items()} == {
            n: 10 + n for n in alive
        }
        store.release(alive.pop(number))
    assert collection.state.at(0).tree is collection.state.tree, "nothing is set aside any more"
    tree = collection.state.tree
    insert(store, collection, {"n": 200})
    assert collection.state.tree is tree, "and without snapshots nothing is copied"


def test_a_tree_is_copied_once_for_a_snapshot(store: Store, collection: Collection) -> None:
    trees = [collection.state.tree]
    snapshot = store.snapshot()
    for n in range(3):
        insert(store, collection, {"n": 100 + n})
        trees.append(collection.state.tree)
    assert trees[0] is snapshot.state(collection).tree
    assert trees[1] is trees[2] is trees[3] is not trees[0]
    store.release(snapshot)


def test_dropping_a_collection_ends_the_snapshots_that_read_it(
    store: Store, collection: Collection
) -> None:
    other = make_collection(store, "other")
    insert(store, other, {"_key": "a"})
    reading, idle = store.snapshot(), store.snapshot()
    reading.scan(collection)
    idle.scan(other)
    drop_collection(store, system(store), collection, allow_system=False)
    assert reading.closed
    assert not idle.closed
    assert len(idle.revisions(other, 0, 2**64 - 1, 10)) == 1
    store.release(reading)
    store.release(idle)


def test_dropping_a_database_ends_the_snapshots_that_read_it(store: Store) -> None:
    create_database(store, {"name": "d"})
    graphs = store.catalog.database("d").find("_graphs")
    snapshot = store.snapshot()
    assert snapshot.state(graphs).count == 0
    assert snapshot.revisions(graphs, 0, 2**64 - 1, 10) == []
    drop_database(store, "d")
    assert snapshot.closed


def test_closing_a_store_releases_its_snapshots(store: Store, collection: Collection) -> None:
    snapshots = [store.snapshot() for _ in range(3)]
    store.close()
    assert all(snapshot.closed for snapshot in snapshots)


# -- trees ----------------------------------------------------------------------------------------


def dirty(store: Store) -> set[str]:
    return {c.info.name for c in store.catalog.collections if c.state.tree_dirty}


def tree_tick(store: Store, collection: Collection) -> int:
    row = store.engine.get(Family.META, keys.TREE + collection.prefix)
    assert row is not None
    return keys.from_u64(row)


def test_a_checkpoint_writes_changed_trees_only(store: Store, collection: Collection) -> None:
    other = make_collection(store, "other")
    finish(store.checkpoint_trees())
    assert dirty(store) == set()
    assert store.trees_valid == store.log.last_tick
    before = tree_tick(store, other)
    insert(store, collection, {"n": 50})
    assert dirty(store) == {"c"}
    finish(store.checkpoint_trees())
    assert tree_tick(store, other) == before
    assert tree_tick(store, collection) == store.log.last_tick > before
    assert store.engine.get(Family.META, keys.TREES_VALID) == keys.u64(store.log.last_tick)


def test_a_checkpoint_is_valid_as_of_its_start(store: Store, collection: Collection) -> None:
    work = store.checkpoint_trees()
    next(work)
    start = store.log.last_tick
    insert(store, collection, {"n": 50})
    for _ in work:
        pass
    assert store.trees_valid == start < store.log.last_tick


def test_a_checkpoint_that_fails_is_made_good_by_the_next(
    store: Store, collection: Collection
) -> None:
    finish(store.checkpoint_trees())
    valid = store.trees_valid
    insert(store, collection, {"n": 50})
    with failing_writes(store.engine), pytest.raises(WriteFault):
        finish(store.checkpoint_trees())
    assert store.trees_valid == valid
    assert dirty(store) == {"c"}
    finish(store.checkpoint_trees())
    assert store.trees_valid == store.log.last_tick
    assert findings(crashed(store)) == []


def test_a_collection_may_go_away_during_a_checkpoint(store: Store, collection: Collection) -> None:
    insert(store, make_collection(store, "other"), {})
    work = store.checkpoint_trees()
    next(work)
    for name in ("c", "other"):
        drop_collection(store, system(store), system(store).find(name), allow_system=False)
    for _ in work:
        pass
    assert findings(crashed(store)) == []
    assert store.engine.get(Family.META, keys.TREE + collection.prefix) is None


def test_a_rebuilt_tree_replaces_a_wrong_one(store: Store, collection: Collection) -> None:
    finish(store.checkpoint_trees())
    collection.state.tree.insert([REVISION_LOWER_BOUND + 5])
    snapshot = store.snapshot()
    assert finish(store.rebuild_tree(collection)) is True
    assert collection.state.tree.difference(tree_of(store, collection)) == []
    assert collection.state.tree_dirty
    assert snapshot.state(collection).tree.count == 11, "a snapshot shows what it showed before"
    store.release(snapshot)


def test_a_tree_of_a_collection_that_went_away_is_not_rebuilt(
    store: Store, collection: Collection
) -> None:
    work = store.rebuild_tree(collection)
    next(work)
    drop_collection(store, system(store), collection, allow_system=False)
    with pytest.raises(StopIteration) as stop:
        next(work)
    assert stop.value.value is False


# -- stopping -------------------------------------------------------------------------------------


def test_a_clean_stop_leaves_all_in_order(store: Store, collection: Collection) -> None:
    ticks = store.ticks.current
    store.close()
    again = Store(engine_of(store).copy(), ManualClock())
    assert engine_of(store).syncs > 0
    assert again.trees_valid == again.log.last_tick
    assert again.log.open.size_bytes == 0
    assert again.log.segments[-1].last == again.log.last_tick
    assert again.ticks.next() == ticks + 1, "no tick is skipped"
    assert dirty(again) == set()


def test_ticks_and_the_log_go_on_after_a_crash(store: Store, collection: Collection) -> None:
    last = store.log.last_tick
    again = crashed(store)
    assert again.log.last_tick == last
    insert(again, system(again).find("c"), {"n": 60})
    assert again.log.last_tick > store.ticks.current
    assert findings(again) == []
