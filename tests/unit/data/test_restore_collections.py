"""Collections and their properties as a leader describes them."""

from __future__ import annotations

from typing import Any

import pytest
from support.memory_engine import MemoryEngine
from support.stores import bodies, insert, make_collection, make_index, markers, open_store, system

from arangorep.data.collections import (
    make_way_for_collection,
    rename_collection,
    restore_collection,
    restore_properties,
)
from arangorep.errors import ArangoError, BadParameter, IllegalName, InvalidKeyGenerator
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store

GUID = "hAB/500"


@pytest.fixture
def store() -> Store:
    return open_store()


def described(name: str = "c", guid: str = GUID, **attributes: Any) -> dict[str, Any]:
    """As the inventory of a real server shows it."""
    return {
        "allowUserKeys": True,
        "cacheEnabled": False,
        "cid": "500",
        "computedValues": None,
        "deleted": False,
        "globallyUniqueId": guid,
        "id": "500",
        "indexes": [],
        "internalValidatorType": 0,
        "isSmart": False,
        "isSystem": name.startswith("_"),
        "keyOptions": {"allowUserKeys": True, "type": "traditional", "lastValue": 0},
        "name": name,
        "objectId": "9",
        "planId": "500",
        "schema": None,
        "status": 3,
        "syncByRevision": True,
        "type": 2,
        "usesRevisionsAsDocumentIds": True,
        "version": 9,
        "waitForSync": False,
        **attributes,
    }


def restore(store: Store, *arguments: Any, **attributes: Any) -> Collection:
    return restore_collection(store, system(store), described(*arguments, **attributes))


def kinds(store: Store, after: int) -> list[int]:
    return [marker["type"] for marker in markers(store, after)]


# -- new -----------------------------------------------------------------------------------------


def test_it_keeps_its_guid_but_has_an_id_of_its_own(store: Store) -> None:
    before = store.log.last_tick
    made = restore(store, type=3, waitForSync=True)
    assert (made.info.name, made.info.guid, made.info.type) == ("c", GUID, 3)
    assert made.info.id != 500
    assert made.info.wait_for_sync
    assert system(store).by_guid(GUID) is made
    (marker,) = markers(store, before)
    assert (marker["type"], marker["cuid"]) == (2000, GUID)
    assert marker["data"]["globallyUniqueId"] == GUID
    assert findings(store) == []


def test_what_it_was_told_survives_a_restart(store: Store) -> None:
    computed = [{"name": "x", "expression": "RETURN 1", "overwrite": True}]
    schema = {"rule": {"type": "object"}, "level": "strict", "message": "no"}
    options = {"type": "autoincrement", "increment": 5, "offset": 3, "lastValue": 48}
    made = restore(store, computedValues=computed, schema=schema, keyOptions=options)
    assert isinstance(store.engine, MemoryEngine)
    again = system(open_store(store.engine.copy())).by_guid(GUID)
    assert again is not None
    for one in (made, again):
        definition = one.info.definition(one.state.counters.last_value)
        assert definition["computedValues"] == computed
        assert definition["schema"]["rule"] == schema["rule"]
        assert definition["keyOptions"]["increment"] == 5
        assert one.state.counters.last_value == 48


@pytest.mark.parametrize("kind", ["traditional", "uuid", "padded"])
def test_key_options_as_a_real_server_shows_them(store: Store, kind: str) -> None:
    options = {"type": kind, "allowUserKeys": False, "lastValue": 0, "increment": 1, "offset": 0}
    made = restore(store, keyOptions=options)
    shown = made.info.definition(0)["keyOptions"]
    assert (shown["type"], shown["allowUserKeys"]) == (kind, False)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (None, IllegalName),
        ([], IllegalName),
        ({}, IllegalName),
        (described("a/b"), IllegalName),
        (described("c", keyOptions={"type": "what"}), InvalidKeyGenerator),
    ],
)
def test_what_is_no_collection(store: Store, body: object, error: type[ArangoError]) -> None:
    before = store.log.last_tick
    with pytest.raises(error):
        restore_collection(store, system(store), body)
    assert markers(store, before) == []


def test_without_a_guid_it_has_one_of_its_own(store: Store) -> None:
    made = restore_collection(store, system(store), {"name": "c", "type": 2})
    assert made.info.guid
    assert system(store).by_guid(made.info.guid) is made


# -- already there -------------------------------------------------------------------------------


def test_the_same_collection_is_left_alone(store: Store) -> None:
    made = restore(store)
    insert(store, made, {"_key": "a"})
    before = store.log.last_tick
    assert restore(store) is made
    assert restore(store, "other") is made, "a rename is a marker of its own"
    assert kinds(store, before) == []
    assert list(bodies(store, made)) == ["a"]


def test_another_collection_of_the_same_name_is_dropped(store: Store) -> None:
    old = make_collection(store, "c")
    make_index(store, old, "n")
    insert(store, old, {"_key": "a", "n": 1})
    before = store.log.last_tick
    made = restore(store)
    assert (made.info.guid, made.count) == (GUID, 0)
    assert system(store).by_guid(old.info.guid) is None
    assert kinds(store, before) == [2001, 2000]
    assert findings(store) == []


def test_the_same_guid_with_another_type_is_dropped(store: Store) -> None:
    insert(store, restore(store), {"_key": "a"})
    made = restore(store, type=3)
    assert (made.info.type, made.count) == (3, 0)
    assert [one.info.guid for one in system(store)].count(GUID) == 1
    assert findings(store) == []


def test_name_and_guid_of_two_collections_stand_in_the_way(store: Store) -> None:
    by_guid = restore(store, "old_name")
    by_name = make_collection(store, "c")
    before = store.log.last_tick
    made = restore(store, type=3)
    assert made.info.name == "c"
    there = list(system(store))
    assert by_guid not in there
    assert by_name not in there
    assert kinds(store, before) == [2001, 2001, 2000]


def test_a_system_collection_is_emptied_and_kept(store: Store) -> None:
    old = make_collection(store, "_mine", isSystem=True)
    insert(store, old, {"_key": "a"})
    before = store.log.last_tick
    found = restore(store, "_mine", "another guid")
    assert found is old
    assert bodies(store, old) == {}
    assert kinds(store, before) == [2004]


def test_making_way_is_all_that_is_left_to_do(store: Store) -> None:
    """Only the last commit of a marker carries its tick, so the rest must come before."""
    make_collection(store, "c")
    body = described()
    make_way_for_collection(store, system(store), body)
    before = store.log.last_tick
    make_way_for_collection(store, system(store), body)
    assert kinds(store, before) == []
    restore_collection(store, system(store), body)
    assert kinds(store, before) == [2000]


# -- properties ----------------------------------------------------------------------------------


def test_changed_properties_are_taken_over(store: Store) -> None:
    made = restore(store)
    before = store.log.last_tick
    schema = {"rule": {}, "level": "strict", "message": "no"}
    computed = [{"name": "x", "expression": "RETURN 1", "overwrite": True}]
    body = described(waitForSync=True, cacheEnabled=True, schema=schema, computedValues=computed)
    restore_properties(store, system(store), made, body)
    (marker,) = markers(store, before)
    assert (marker["type"], marker["cuid"]) == (2003, GUID)
    for definition in (marker["data"], made.info.definition(0)):
        assert (definition["waitForSync"], definition["cacheEnabled"]) == (True, True)
        assert definition["schema"]["level"] == "strict"
        assert definition["computedValues"] == computed
    restore_properties(store, system(store), made, described())
    assert not made.info.wait_for_sync
    assert made.info.computed_values is None
    assert made.info.definition(0)["schema"] is None


def test_the_same_properties_are_not_logged(store: Store) -> None:
    computed = [{"name": "x", "expression": "RETURN 1", "overwrite": True}]
    made = restore(store, computedValues=computed, waitForSync=True)
    before = store.log.last_tick
    restore_properties(
        store, system(store), made, described(computedValues=computed, waitForSync=True)
    )
    assert kinds(store, before) == []


def test_identity_and_indexes_are_no_properties(store: Store) -> None:
    made = restore(store)
    index = make_index(store, made, "n")
    identity = made.info.id
    body = described("other", "x", type=3, id="77", waitForSync=True)
    restore_properties(store, system(store), made, body)
    info = made.info
    assert (info.name, info.guid, info.type, info.id) == ("c", GUID, 2, identity)
    assert info.indexes == (index,)
    rename_collection(store, system(store), made, {"name": "d"})
    restore_properties(store, system(store), made, described())
    assert made.info.name == "d"
    assert findings(store) == []


@pytest.mark.parametrize("body", [None, [], 1, "x"])
def test_properties_are_an_object(store: Store, body: object) -> None:
    made = restore(store)
    with pytest.raises(BadParameter):
        restore_properties(store, system(store), made, body)
