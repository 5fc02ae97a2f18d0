"""The log lines of catalog changes: members, their order, and who they belong to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.stores import (
    finish,
    insert,
    make_collection,
    make_index,
    markers,
    open_store,
    system,
)

from arangorep.data.collections import (
    change_collection,
    drop_collection,
    rename_collection,
    truncate_collection,
)
from arangorep.data.databases import create_database, drop_database
from arangorep.data.indexes import create_index, drop_index
from arangorep.data.markers import log_marker
from arangorep.storage.catalog import Collection
from arangorep.storage.commit import Commit
from arangorep.storage.engine import Family
from arangorep.storage.log import HEADER, HEADER_BYTES
from arangorep.storage.store import Store
from arangorep.values.marker import MarkerType

NAME = 'q"uöte\\'


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    made = make_collection(store, NAME)
    insert(store, made, {"_key": "a"})
    make_index(store, made, "a", name="by_a")
    return made


def index(store: Store, collection: Collection) -> None:
    body = {"type": "ttl", "fields": ["t"], "expireAfter": 5}
    finish(create_index(store, system(store), collection, body))


Change = Callable[[Store, Collection], object]

CHANGES: dict[str, tuple[Change, list[Any]]] = {
    "create": (lambda store, c: make_collection(store, "new"), ["db", "cuid", "type", "data"]),
    "drop": (
        lambda store, c: drop_collection(store, system(store), c, allow_system=False),
        ["type", "db", "cuid"],
    ),
    "rename": (
        lambda store, c: rename_collection(store, system(store), c, {"name": "n"}),
        ["db", "cuid", "type", "data"],
    ),
    "change": (
        lambda store, c: change_collection(store, system(store), c, {"waitForSync": True}),
        ["db", "cuid", "type", "data"],
    ),
    "truncate": (
        lambda store, c: truncate_collection(store, system(store), c),
        ["type", "db", "cuid"],
    ),
    "index": (index, ["type", "db", "cuid", "data"]),
    "drop index": (
        lambda store, c: drop_index(store, system(store), c, "by_a"),
        ["type", "db", "cuid", "data"],
    ),
}
TYPES = {
    "create": 2000,
    "drop": 2001,
    "rename": 2002,
    "change": 2003,
    "truncate": 2004,
    "index": 2100,
    "drop index": 2101,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_logs_one_marker(store: Store, collection: Collection, name: str) -> None:
    guid, number = collection.info.guid, collection.info.id
    before = store.log.last_tick
    change, members = CHANGES[name]
    change(store, collection)
    if name == "create":
        guid, number = system(store).find("new").info.guid, system(store).find("new").info.id
    (marker,) = markers(store, before)
    assert list(marker) == ["tick", *members]
    assert marker["tick"] == str(store.log.last_tick)
    assert (marker["type"], marker["db"], marker["cuid"]) == (TYPES[name], "_system", guid)
    (row,) = store.log.scan(before).take(10)
    tick = store.log.last_tick
    assert HEADER.unpack_from(row) == (TYPES[name], 0, 1, number, tick, store.moment, 0)
    assert row.endswith(b"}\n")
    assert b" " not in row[HEADER_BYTES:], "compact JSON"


def test_definitions_are_complete(store: Store, collection: Collection) -> None:
    made = make_collection(store, "new", type=3, keyOptions={"type": "autoincrement"})
    created = markers(store)[-1]["data"]
    assert created == made.info.definition(0)
    insert(store, made, {"_from": "a/1", "_to": "a/2"})
    change_collection(store, system(store), made, {"waitForSync": True})
    changed = markers(store)[-1]["data"]
    assert changed == made.info.definition(1)
    assert changed["waitForSync"] is True
    assert changed["keyOptions"]["lastValue"] == 1
    make_index(store, made, "x", unique=False, name="by_x")
    assert markers(store)[-1]["data"] == made.info.indexes[0].describe()
    change_collection(store, system(store), made, {"waitForSync": False})
    assert [i["name"] for i in markers(store)[-1]["data"]["indexes"]] == ["by_x"]


def test_a_rename_tells_the_new_name(store: Store, collection: Collection) -> None:
    rename_collection(store, system(store), collection, {"name": 'n"\\ü'})
    assert markers(store)[-1]["data"] == {"name": 'n"\\ü'}


def test_a_dropped_index_is_told_by_its_id(store: Store, collection: Collection) -> None:
    number = collection.info.indexes[0].id
    drop_index(store, system(store), collection, "by_a")
    assert markers(store)[-1]["data"] == {"id": str(number)}


def test_databases_log_themselves_and_their_collections(store: Store) -> None:
    before = store.log.last_tick
    create_database(store, {"name": 'd"b'})
    database = store.catalog.database('d"b')
    created, *collections = markers(store, before)
    assert list(created) == ["tick", "type", "db", "data"]
    assert (created["type"], created["db"]) == (1100, 'd"b')
    assert created["data"]["id"] == str(database.info.id)
    assert created["data"]["name"] == 'd"b'
    assert [(m["type"], m["db"], m["data"]["name"]) for m in collections] == [
        (2000, 'd"b', "_analyzers"),
        (2000, 'd"b', "_graphs"),
    ]
    drop_database(store, 'd"b')
    dropped = markers(store)[-1]
    assert list(dropped) == ["tick", "type", "db"]
    assert (dropped["type"], dropped["db"]) == (1101, 'd"b')
    (row,) = store.log.scan(store.log.last_tick - 1).take(1)
    assert HEADER.unpack_from(row)[2:4] == (database.info.id, 0)


def test_ticks_grow_from_marker_to_marker(store: Store, collection: Collection) -> None:
    for change, _ in CHANGES.values():
        if system(store).named(NAME) is not None:
            change(store, collection)
    ticks = [int(marker["tick"]) for marker in markers(store)]
    assert ticks == sorted(set(ticks))


def test_a_marker_alone(store: Store) -> None:
    commit = Commit()
    log_marker(store, commit, MarkerType.INDEX_DROP, (7, b"d"), (8, b"g"), b'{"id":"9"}')
    (row,) = commit.changes.entries[Family.LOG].values()
    assert row is not None
    tick = store.ticks.current
    line = b'{"tick":"%d","type":2101,"db":"d","cuid":"g","data":{"id":"9"}}\n' % tick
    assert row[HEADER_BYTES:] == line
    assert HEADER.unpack_from(row) == (2101, 0, 7, 8, tick, store.moment, 0)
    json.loads(line)
