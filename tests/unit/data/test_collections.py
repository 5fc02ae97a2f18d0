"""Creating, changing, renaming, dropping and truncating collections."""

from __future__ import annotations

from typing import Any

import pytest
from support.memory_engine import MemoryEngine
from support.reading import read_with_revision
from support.stores import (
    bodies,
    index_entries,
    insert,
    make_collection,
    make_index,
    markers,
    open_store,
    primary,
    stored,
    system,
)

from arangorep.data.collections import (
    change_collection,
    create_collection,
    drop_collection,
    rename_collection,
    truncate_collection,
)
from arangorep.data.databases import create_database
from arangorep.errors import (
    ArangoError,
    BadParameter,
    CollectionNotFound,
    DuplicateName,
    Forbidden,
    IllegalName,
    InvalidKeyGenerator,
)
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    made = make_collection(store, "c")
    make_index(store, made, "n", name="by_n")
    insert(store, made, *({"_key": f"k{n}", "n": n} for n in range(5)))
    return made


def reopened(store: Store) -> Store:
    assert isinstance(store.engine, MemoryEngine)
    return open_store(store.engine.copy())


def refused(store: Store, error: type[ArangoError], call: Any, *arguments: Any) -> ArangoError:
    """The call raises, and neither memory nor disk moves."""
    assert isinstance(store.engine, MemoryEngine)
    before, log = store.engine.content(), store.log.last_tick
    with pytest.raises(error) as raised:
        call(store, system(store), *arguments)
    assert store.log.last_tick == log
    after = store.engine.content()
    for family in Family:
        if family is not Family.META:  # a tick may have been promised
            assert after[family] == before[family]
    assert findings(store) == []
    return raised.value


# -- creating ----------------------------------------------------------------------------------


def test_a_collection_gets_an_id_of_its_own(store: Store) -> None:
    first, second = make_collection(store, "a"), make_collection(store, "b")
    assert first.info.id < second.info.id
    assert first.info.guid == f"h{store.server_id:X}/{first.info.id}"
    assert system(store).find(first.info.guid) is first
    assert (first.count, first.state.tree.count) == (0, 0)


def test_a_collection_is_there_after_a_restart(store: Store) -> None:
    made = make_collection(store, 'n"öme', type=3, keyOptions={"lastValue": 77})
    again = system(reopened(store)).find('n"öme')
    assert again.info == made.info
    assert again.state.counters.last_value == 77
    assert findings(reopened(store)) == []


def test_names_are_unique_in_a_database(store: Store, collection: Collection) -> None:
    refused(store, DuplicateName, create_collection, {"name": "c"})
    create_database(store, {"name": "other"})
    other = store.catalog.database("other")
    assert create_collection(store, other, {"name": "c"}) is not collection
    make_collection(store, "u\u0308ber")
    refused(store, DuplicateName, create_collection, {"name": "\u00fcber"})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (None, IllegalName),
        ([], IllegalName),
        ({}, IllegalName),
        ({"name": ""}, IllegalName),
        ({"name": "_a"}, IllegalName),
        ({"name": "a/b"}, IllegalName),
        ({"name": "x" * 257}, IllegalName),
        ({"name": "a", "shardKeys": 1}, BadParameter),
        ({"name": "a", "keyOptions": {"type": "none"}}, InvalidKeyGenerator),
    ],
)
def test_bad_definitions(store: Store, body: object, error: type[ArangoError]) -> None:
    refused(store, error, create_collection, body)


# -- changing ----------------------------------------------------------------------------------


def test_changed_properties_survive(store: Store, collection: Collection) -> None:
    change_collection(store, system(store), collection, {"waitForSync": True, "name": "ignored"})
    assert collection.info.wait_for_sync
    assert collection.info.name == "c"
    assert collection.count == 5
    again = system(reopened(store)).find("c")
    assert again.info == collection.info
    assert again.state.counters == collection.state.counters


def test_a_change_that_is_refused(store: Store, collection: Collection) -> None:
    refused(store, BadParameter, change_collection, collection, None)
    assert not collection.info.wait_for_sync


# -- renaming ----------------------------------------------------------------------------------


def test_documents_show_the_new_name(store: Store, collection: Collection) -> None:
    rename_collection(store, system(store), collection, {"name": 'n"ew'})
    assert collection.info.renamed
    _, row = read_with_revision(store, collection, "k1")
    assert row.startswith(b'{"_key":"k1","_id":"n\\"ew/k1",')
    insert(store, collection, {"_key": "later", "n": 100})
    rename_collection(store, system(store), collection, {"name": "third"})
    for key in ("k1", "later"):
        assert f'"_id":"third/{key}"'.encode() in read_with_revision(store, collection, key)[1]
    again = reopened(store)
    assert system(again).find("third").info == collection.info
    assert findings(again) == []
    with pytest.raises(CollectionNotFound):
        system(again).find("c")


def test_a_name_that_became_free_is_free(store: Store, collection: Collection) -> None:
    rename_collection(store, system(store), collection, {"name": "d"})
    assert make_collection(store, "c") is not collection
    refused(store, DuplicateName, rename_collection, collection, {"name": "c"})


@pytest.mark.parametrize("name", ["c", "u\u0308"])
def test_renaming_to_the_same_name_does_nothing(store: Store, name: str) -> None:
    made = make_collection(store, name)
    before = store.log.last_tick
    rename_collection(store, system(store), made, {"name": name})
    assert store.log.last_tick == before
    assert not made.info.renamed


@pytest.mark.parametrize("body", [None, [], {}, {"name": None}, {"name": ""}, {"name": "_c"}])
def test_bad_new_names(store: Store, collection: Collection, body: object) -> None:
    refused(store, IllegalName, rename_collection, collection, body)
    assert collection.info.name == "c"


def test_system_collections_keep_their_names(store: Store) -> None:
    graphs = system(store).find("_graphs")
    refused(store, Forbidden, rename_collection, graphs, {"name": "graphs"})


# -- dropping ----------------------------------------------------------------------------------


def test_a_dropped_collection_leaves_no_row(store: Store, collection: Collection) -> None:
    kept = make_collection(store, "kept")
    insert(store, kept, {"_key": "a"})
    index = collection.info.indexes[0]
    for _ in store.checkpoint_trees():
        pass
    drop_collection(store, system(store), collection, allow_system=False)
    assert isinstance(store.engine, MemoryEngine)
    content = store.engine.content()
    for family in (Family.DOCUMENTS, Family.PRIMARY):
        assert not [key for key in content[family] if key.startswith(collection.prefix)]
    assert index_entries(store, index) == {}
    meta = content[Family.META]
    for kind in (keys.COLLECTION, keys.COUNTER, keys.TREE):
        assert kind + collection.prefix not in meta
        assert kind + kept.prefix in meta
    assert bodies(store, kept) == {"a": {}}
    assert findings(store) == []
    assert findings(reopened(store)) == []
    with pytest.raises(CollectionNotFound):
        system(store).find("c")


def test_a_name_can_be_used_again_after_a_drop(store: Store, collection: Collection) -> None:
    drop_collection(store, system(store), collection, allow_system=False)
    again = make_collection(store, "c")
    assert again.info.id > collection.info.id
    assert again.count == 0
    insert(store, again, {"_key": "k1"})
    assert findings(reopened(store)) == []


def test_system_collections_are_dropped_on_demand_only(store: Store) -> None:
    graphs = system(store).find("_graphs")
    with pytest.raises(Forbidden):
        drop_collection(store, system(store), graphs, allow_system=False)
    drop_collection(store, system(store), graphs, allow_system=True)
    assert system(store).named("_graphs") is None


# -- truncating --------------------------------------------------------------------------------


def test_truncating_removes_all_and_keeps_the_rest(store: Store, collection: Collection) -> None:
    kept = make_collection(store, "kept")
    insert(store, kept, {"_key": "a"})
    info, index = collection.info, collection.info.indexes[0]
    before = store.log.last_tick
    truncate_collection(store, system(store), collection)
    assert [marker["type"] for marker in markers(store, before)] == [2004]
    assert stored(store, collection) == {}
    assert primary(store, collection) == {}
    assert index_entries(store, index) == {}
    assert (collection.count, collection.state.tree.count) == (0, 0)
    assert collection.info == info
    assert bodies(store, kept) == {"a": {}}
    insert(store, collection, {"_key": "k1", "n": 1})
    assert findings(reopened(store)) == []


def test_truncating_an_empty_collection_logs_nothing(store: Store, collection: Collection) -> None:
    truncate_collection(store, system(store), collection)
    before = store.log.last_tick
    truncate_collection(store, system(store), collection)
    assert store.log.last_tick == before
