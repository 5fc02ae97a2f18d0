"""Creating and dropping databases."""

from __future__ import annotations

import pytest
from support.memory_engine import MemoryEngine
from support.stores import insert, make_collection, open_store, system

from arangorep.clock import ManualClock
from arangorep.data.collections import create_collection
from arangorep.data.databases import create_database, drop_database, ensure_system_database
from arangorep.errors import (
    ArangoError,
    DatabaseNameInvalid,
    DatabaseNotFound,
    DuplicateName,
    Forbidden,
    HttpBadParameter,
    IllegalName,
)
from arangorep.storage.engine import Family
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store


@pytest.fixture
def store() -> Store:
    return open_store()


def reopened(store: Store) -> Store:
    assert isinstance(store.engine, MemoryEngine)
    return open_store(store.engine.copy())


def names(store: Store) -> set[str]:
    return {database.info.name for database in store.catalog.databases}


def test_a_new_store_gets_its_system_database_once() -> None:
    store = Store(MemoryEngine(), ManualClock())
    assert names(store) == set()
    ensure_system_database(store)
    assert names(store) == {"_system"}
    assert system(store).info.id == 1
    assert {c.info.name for c in system(store)} == {"_analyzers", "_graphs", "_users"}
    assert all(c.info.is_system for c in system(store))
    before = store.log.last_tick
    ensure_system_database(store)
    assert store.log.last_tick == before


def test_a_database_has_system_collections_of_its_own(store: Store) -> None:
    create_database(store, {"name": "dätabase"})
    made = store.catalog.database("dätabase")
    assert {c.info.name for c in made} == {"_analyzers", "_graphs"}
    assert made.find("_graphs") is not system(store).find("_graphs")
    assert made.info.id > 100
    again = reopened(store).catalog.database("dätabase")
    assert again.info == made.info
    assert [c.info for c in again] == [c.info for c in made]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (None, HttpBadParameter),
        ([], HttpBadParameter),
        ({}, DatabaseNameInvalid),
        ({"name": 1}, DatabaseNameInvalid),
        ({"name": ""}, IllegalName),
        ({"name": "_x"}, IllegalName),
        ({"name": "a/b"}, IllegalName),
        ({"name": "1a"}, IllegalName),
        ({"name": "x" * 129}, IllegalName),
        ({"name": "_system"}, DuplicateName),
        ({"name": "there"}, DuplicateName),
        ({"name": "u\u0308"}, DuplicateName),
        ({"name": "a", "options": []}, HttpBadParameter),
        ({"name": "a", "users": {}}, HttpBadParameter),
        ({"name": "a", "users": ["root"]}, HttpBadParameter),
        ({"name": "a", "users": [{}]}, HttpBadParameter),
        ({"name": "a", "users": [{"username": "u", "passwd": 1}]}, HttpBadParameter),
    ],
)
def test_what_is_refused(store: Store, body: object, error: type[ArangoError]) -> None:
    create_database(store, {"name": "there"})
    create_database(store, {"name": "\u00fc"})
    before = names(store), store.log.last_tick
    with pytest.raises(error):
        create_database(store, body)
    assert (names(store), store.log.last_tick) == before


def test_users_and_options_are_accepted(store: Store) -> None:
    users = [{"username": "u", "passwd": "p"}, {"user": "old"}]
    create_database(store, {"name": "a", "users": users, "options": {"sharding": "single"}})
    assert names(store) == {"_system", "a"}


def test_a_dropped_database_leaves_no_row(store: Store) -> None:
    assert isinstance(store.engine, MemoryEngine)
    kept = make_collection(store, "kept")
    insert(store, kept, {"_key": "a"})
    before = store.engine.content()
    create_database(store, {"name": "d"})
    database = store.catalog.database("d")
    create_collection(store, database, {"name": "c"})
    drop_database(store, "d")
    after = store.engine.content()
    assert after[Family.DOCUMENTS] == before[Family.DOCUMENTS]
    assert after[Family.PRIMARY] == before[Family.PRIMARY]
    assert after[Family.META].keys() == before[Family.META].keys()
    assert names(store) == names(reopened(store)) == {"_system"}
    assert findings(reopened(store)) == []


def test_a_name_can_be_used_again(store: Store) -> None:
    create_database(store, {"name": "d"})
    first = store.catalog.database("d").info.id
    drop_database(store, "d")
    create_database(store, {"name": "d"})
    assert store.catalog.database("d").info.id > first
    assert findings(reopened(store)) == []


def test_what_cannot_be_dropped(store: Store) -> None:
    with pytest.raises(Forbidden):
        drop_database(store, "_system")
    with pytest.raises(DatabaseNotFound):
        drop_database(store, "nowhere")
    create_database(store, {"name": "\u00fc"})
    drop_database(store, "u\u0308")
    assert names(store) == {"_system"}
