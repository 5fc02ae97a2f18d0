"""Opening a store again: trees from their rows and the log, or from the documents."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.memory_engine import MemoryEngine
from support.stores import finish, insert, make_collection, open_store, stored, system, write

from arangorep.data.collections import drop_collection, truncate_collection
from arangorep.data.databases import create_database, drop_database
from arangorep.errors import CorruptionError
from arangorep.storage import keys, log, recovery
from arangorep.storage.catalog import Catalog, Collection
from arangorep.storage.engine import Engine, Family, WriteSet
from arangorep.storage.integrity import findings
from arangorep.storage.recovery import build_tree, load_catalog, tree_slices
from arangorep.storage.store import Store
from arangorep.values.revision_tree import RevisionTree


def engine_of(store: Store) -> MemoryEngine:
    assert isinstance(store.engine, MemoryEngine)
    return store.engine


def crashed(store: Store) -> Store:
    """What a restart finds when nothing was closed."""
    return open_store(engine_of(store).copy())


def collection_of(store: Store, name: str = "c") -> Collection:
    return system(store).find(name)


def has_the_right_tree(store: Store, name: str = "c") -> bool:
    collection = collection_of(store, name)
    tree = RevisionTree()
    tree.insert(sorted(stored(store, collection)))
    return collection.state.tree.difference(tree) == []


@pytest.fixture
def store() -> Store:
    """A store with a collection of 20 documents and a checkpoint of its tree."""
    made = open_store()
    insert(made, make_collection(made, "c"), *({"_key": f"k{n}"} for n in range(20)))
    finish(made.checkpoint_trees())
    return made


@pytest.fixture
def _no_documents_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(engine: Engine, collection: Collection) -> RevisionTree:
        raise AssertionError(f"the tree of {collection.info.name} is built from documents")

    monkeypatch.setattr(recovery, "build_tree", refuse)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of collections whose tree was built from documents."""
    names: list[str] = []
    build = recovery.build_tree

    def watched(engine: Engine, collection: Collection) -> RevisionTree:
        names.append(collection.info.name)
        return build(engine, collection)

    monkeypatch.setattr(recovery, "build_tree", watched)
    return names


# -- from rows and log -------------------------------------------------------------------------


def insert_one(store: Store, collection: Collection) -> None:
    insert(store, collection, {"_key": "one"})


def insert_many(store: Store, collection: Collection) -> None:
    insert(store, collection, *({"_key": f"m{n}"} for n in range(50)))


def overwrite(store: Store, collection: Collection) -> None:
    for n in range(5):
        insert(store, collection, {"_key": "k3", "n": n}, mode="replace")


def remove(store: Store, collection: Collection) -> None:
    write(store, collection, "remove", "k1", "k2")
    write(store, collection, "remove", "k5")


def come_and_go(store: Store, collection: Collection) -> None:
    for _ in range(3):
        insert(store, collection, {"_key": "gone"})
        write(store, collection, "remove", "gone")


def truncate(store: Store, collection: Collection) -> None:
    truncate_collection(store, system(store), collection)


def truncate_and_refill(store: Store, collection: Collection) -> None:
    insert_one(store, collection)
    truncate(store, collection)
    insert_many(store, collection)
    truncate(store, collection)
    insert(store, collection, {"_key": "k1"}, {"_key": "k2"})


CHANGES: list[Callable[[Store, Collection], None]] = [
    insert_one,
    insert_many,
    overwrite,
    remove,
    come_and_go,
    truncate,
    truncate_and_refill,
]


@pytest.mark.usefixtures("_no_documents_are_read")
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("block_rows", [1, 3, 16_384])
def test_the_log_brings_a_tree_up_to_date(
    store: Store,
    change: Callable[[Store, Collection], None],
    block_rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recovery, "BLOCK_ROWS", block_rows)
    change(store, collection_of(store))
    again = crashed(store)
    assert has_the_right_tree(again)
    assert collection_of(again).state.tree_dirty
    assert findings(again) == []


@pytest.mark.usefixtures("_no_documents_are_read")
def test_a_clean_stop_leaves_nothing_to_replay(store: Store) -> None:
    insert_many(store, collection_of(store))
    store.close()
    again = crashed(store)
    assert has_the_right_tree(again)
    assert again.trees_valid == again.log.last_tick
    assert not collection_of(again).state.tree_dirty


@pytest.mark.usefixtures("_no_documents_are_read")
def test_the_log_knows_all_of_a_collection_younger_than_the_checkpoint(store: Store) -> None:
    insert_many(store, make_collection(store, "young"))
    again = crashed(store)
    assert has_the_right_tree(again, "young")
    assert collection_of(again, "young").state.tree.count == 50
    assert has_the_right_tree(again)


@pytest.mark.usefixtures("_no_documents_are_read")
def test_a_store_that_never_wrote_trees_replays_its_whole_log() -> None:
    store = open_store()
    insert_many(store, make_collection(store, "c"))
    assert has_the_right_tree(crashed(store))


@pytest.mark.usefixtures("_no_documents_are_read")
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("steps", range(6))
def test_a_checkpoint_that_was_cut_off(store: Store, steps: int, grouped: bool) -> None:
    """Some trees are newer than the tick from which the log is replayed: nothing counts twice."""
    other = make_collection(store, "other")
    insert_many(store, other)
    for collection in (collection_of(store), other):
        insert(store, collection, *({"_key": f"new{n}"} for n in range(1 + grouped)))
    work = store.checkpoint_trees()
    for _ in range(steps):
        next(work, None)
    work.close()
    again = crashed(store)
    assert has_the_right_tree(again)
    assert has_the_right_tree(again, "other")
    assert collection_of(again).state.tree.count == 21 + grouped


@pytest.mark.usefixtures("_no_documents_are_read")
def test_writes_during_a_checkpoint_are_replayed(store: Store) -> None:
    other = make_collection(store, "other")
    insert_one(store, collection_of(store))
    insert_one(store, other)
    for _ in store.checkpoint_trees():
        insert_one_more(store, collection_of(store))
        insert_one_more(store, other)
    again = crashed(store)
    assert has_the_right_tree(again)
    assert has_the_right_tree(again, "other")


def insert_one_more(store: Store, collection: Collection) -> None:
    insert(store, collection, {})


def test_what_was_dropped_does_not_matter(store: Store) -> None:
    create_database(store, {"name": "d"})
    drop_collection(store, system(store), collection_of(store), allow_system=False)
    insert_one(store, make_collection(store, "c"))
    drop_database(store, "d")
    again = crashed(store)
    assert has_the_right_tree(again)
    assert collection_of(again).state.tree.count == 1
    assert findings(again) == []


def test_a_second_crash_right_after_the_first(store: Store) -> None:
    insert_many(store, collection_of(store))
    again = crashed(crashed(store))
    assert has_the_right_tree(again)


# -- from the documents --------------------------------------------------------------------------


def change_tree_row(store: Store, change: Callable[[bytes], bytes | None]) -> None:
    key = keys.TREE + collection_of(store).prefix
    row = store.engine.get(Family.META, key)
    assert row is not None
    changes = WriteSet()
    changes.entries[Family.META][key] = change(row)
    store.engine.write(changes)


DAMAGES: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda row: None,
    "empty": lambda row: b"",
    "only the tick": lambda row: row[:8],
    "cut short": lambda row: row[:-1],
    "one leaf less": lambda row: row[:-22] + row[-2:],
    "a bit of a hash": lambda row: row[:-3] + bytes([row[-3] ^ 1]) + row[-2:],
    "a bit of the count": lambda row: row[:8] + bytes([row[8] ^ 1]) + row[9:],
    "another version": lambda row: row[:-1] + b"\x02",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("later", [False, True], ids=["alone", "with later changes"])
def test_a_damaged_tree_row_is_as_good_as_none(
    store: Store, damage: str, later: bool, built: list[str]
) -> None:
    if later:
        overwrite(store, collection_of(store))
        remove(store, collection_of(store))
    change_tree_row(store, DAMAGES[damage])
    again = crashed(store)
    assert built == ["c"]
    assert has_the_right_tree(again)
    assert collection_of(again).state.tree_dirty, "the next checkpoint repairs the row"
    finish(again.checkpoint_trees())
    built.clear()
    assert has_the_right_tree(crashed(again))
    assert built == []


def test_a_log_that_does_not_reach_back_far_enough(
    store: Store, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEGMENT_BYTES", 1)
    insert_many(store, collection_of(store))
    remove(store, collection_of(store))
    assert store.log.prune(store.log.last_tick) > store.trees_valid
    again = crashed(store)
    assert "c" in built
    assert has_the_right_tree(again)
    assert findings(again) == []
    finish(again.checkpoint_trees())
    built.clear()
    assert has_the_right_tree(crashed(again))
    assert built == []


@pytest.mark.usefixtures("_no_documents_are_read")
def test_a_log_pruned_exactly_to_the_checkpoint(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEGMENT_BYTES", 1)
    insert_one(store, collection_of(store))
    finish(store.checkpoint_trees())
    assert store.log.prune(store.trees_valid) == store.trees_valid == store.log.last_tick
    insert_many(store, collection_of(store))
    assert has_the_right_tree(crashed(store))


def test_a_tree_is_built_in_slices(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "BLOCK_ROWS", 8 * 6)
    work = tree_slices(store.engine, collection_of(store))
    slices = 0
    tree = None
    while tree is None:
        try:
            next(work)
            slices += 1
        except StopIteration as stop:
            tree = stop.value
    assert slices == 4, "20 documents, 6 a slice"
    assert tree.difference(collection_of(store).state.tree) == []


def test_the_tree_of_an_empty_collection(store: Store) -> None:
    assert build_tree(store.engine, make_collection(store, "empty")).count == 0


def test_a_tree_holds_one_collection(store: Store) -> None:
    insert_many(store, make_collection(store, "next"))
    assert build_tree(store.engine, collection_of(store)).count == 20


# -- damage that cannot be made good ---------------------------------------------------------------


def test_a_log_that_lost_its_end_is_not_trusted(store: Store) -> None:
    insert_many(store, collection_of(store))
    store.log.close_segment()
    changes = WriteSet()
    changes.entries[Family.LOG][keys.u64(store.log.last_tick)] = None
    store.engine.write(changes)
    with pytest.raises(CorruptionError, match="the log ends at"):
        crashed(store)


# -- the catalog -----------------------------------------------------------------------------------


def test_the_catalog_comes_back_as_it_was(store: Store) -> None:
    create_database(store, {"name": "dätabase"})
    make_collection(store, "edges", type=3, waitForSync=True)
    make_collection(store, "keys", keyOptions={"type": "autoincrement", "offset": 7})
    insert(store, collection_of(store, "keys"), {}, {})
    catalog = Catalog()
    load_catalog(store.engine, catalog)
    assert [database.info for database in catalog.databases] == [
        database.info for database in store.catalog.databases
    ]
    for collection in store.catalog.collections:
        found = catalog.collection_by_id(collection.info.id)
        assert found is not None
        assert found.info == collection.info
        assert found.state.counters == collection.state.counters
        assert found.state.tree.count == 0, "trees come later"


def test_a_catalog_of_many_collections() -> None:
    """More than one block of rows."""
    store = open_store()
    for number in range(1030):
        make_collection(store, f"c{number}")
    again = crashed(store)
    assert {f"c{number}" for number in range(1030)} <= {
        collection.info.name for collection in again.catalog.collections
    }


def test_a_stored_tree_that_is_not_that_of_the_documents_is_built_anew() -> None:
    engine = MemoryEngine()
    store = open_store(engine)
    collection = make_collection(store, "c")
    insert(store, collection, *({"_key": f"k{n}"} for n in range(10)))
    finish(store.checkpoint_trees())
    changes = WriteSet()
    row = keys.u64(store.log.last_tick) + RevisionTree().to_bytes()
    changes.entries[Family.META][keys.TREE + collection.prefix] = row
    engine.write(changes)
    insert(store, collection, {"_key": "k3", "n": 1}, mode="replace")
    again = open_store(engine.copy())
    tree = again.catalog.database("_system").find("c").state.tree
    assert tree.count == 10
    assert not tree.difference(collection.state.tree)
    assert findings(again) == []
