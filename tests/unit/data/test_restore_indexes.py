"""Indexes as a leader describes them: with its ids and names."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stores import (
    finish,
    index_entries,
    insert,
    make_collection,
    make_index,
    markers,
    open_store,
    system,
)

from arangorep.data.indexes import make_way_for_index, restore_index
from arangorep.errors import ArangoError, BadParameter, UniqueConstraintViolated
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    made = make_collection(store, "c")
    insert(store, made, *({"_key": f"k{n}", "n": n, "m": -n} for n in range(5)))
    return made


def described(number: int = 501, name: str = "by_n", **attributes: Any) -> dict[str, Any]:
    """As an inventory or a marker of a real server shows it."""
    return {
        "id": str(number),
        "type": "persistent",
        "name": name,
        "fields": ["n"],
        "unique": True,
        "sparse": False,
        "deduplicate": True,
        "estimates": True,
        "cacheEnabled": False,
        "objectId": "9",
        **attributes,
    }


def restore(store: Store, collection: Collection, *arguments: Any, **attributes: Any) -> bool:
    body = described(*arguments, **attributes)
    return finish(restore_index(store, system(store), collection, body))


def shown(collection: Collection) -> list[tuple[int, str, tuple[str, ...]]]:
    return [(index.id, index.name, index.fields) for index in collection.info.indexes]


def kinds(store: Store, after: int) -> list[int]:
    return [marker["type"] for marker in markers(store, after)]


def test_it_keeps_id_and_name_and_is_built(store: Store, collection: Collection) -> None:
    before = store.log.last_tick
    assert restore(store, collection)
    assert shown(collection) == [(501, "by_n", ("n",))]
    (index,) = collection.info.indexes
    assert len(index_entries(store, index)) == 5
    (marker,) = markers(store, before)
    assert (marker["type"], marker["data"]["id"], marker["data"]["name"]) == (2100, "501", "by_n")
    assert "objectId" not in marker["data"]
    with pytest.raises(UniqueConstraintViolated):
        insert(store, collection, {"n": 3})
    assert findings(store) == []


def test_the_same_index_is_left_alone(store: Store, collection: Collection) -> None:
    restore(store, collection)
    before = store.log.last_tick
    assert not restore(store, collection)
    assert kinds(store, before) == []
    assert len(collection.info.indexes) == 1


def test_the_same_id_with_another_definition_is_replaced(
    store: Store, collection: Collection
) -> None:
    restore(store, collection)
    before = store.log.last_tick
    assert restore(store, collection, 501, "by_m", fields=["m"])
    assert shown(collection) == [(501, "by_m", ("m",))]
    assert kinds(store, before) == [2101, 2100]
    assert findings(store) == []


def test_the_same_name_with_another_definition_is_replaced(
    store: Store, collection: Collection
) -> None:
    restore(store, collection)
    assert restore(store, collection, 502, "by_n", fields=["m"])
    assert shown(collection) == [(502, "by_n", ("m",))]
    assert findings(store) == []


def test_id_and_name_of_two_indexes_stand_in_the_way(store: Store, collection: Collection) -> None:
    restore(store, collection, 501, "one")
    restore(store, collection, 502, "two", fields=["m"])
    assert restore(store, collection, 501, "two", fields=["n", "m"])
    assert shown(collection) == [(501, "two", ("n", "m"))]
    assert findings(store) == []


def test_others_stay(store: Store, collection: Collection) -> None:
    local = make_index(store, collection, "m")
    restore(store, collection)
    restore(store, collection, fields=["n", "x"])
    assert collection.info.indexes[0] == local
    assert len(index_entries(store, local)) == 5


def test_an_index_that_is_not_unique_has_no_entries(store: Store, collection: Collection) -> None:
    insert(store, collection, {"n": 1})
    assert restore(store, collection, unique=False)
    assert index_entries(store, collection.info.indexes[0]) == {}
    with pytest.raises(UniqueConstraintViolated) as raised:
        restore(store, collection, unique=True)
    assert raised.value.http_status == 400
    assert findings(store) == []


@pytest.mark.parametrize("number", [None, 5, "", "x", "c/501", "-1", str(2**64), "²"])
def test_an_index_needs_an_id_of_digits(
    store: Store, collection: Collection, number: object
) -> None:
    with pytest.raises(BadParameter):
        finish(restore_index(store, system(store), collection, {**described(), "id": number}))
    assert collection.info.indexes == ()


@pytest.mark.parametrize(
    "body", [None, [], {"id": "501"}, described(type="what"), described(fields=[])]
)
def test_what_is_no_index(store: Store, collection: Collection, body: object) -> None:
    restore(store, collection)
    with pytest.raises(ArangoError):
        finish(restore_index(store, system(store), collection, body))
    assert shown(collection) == [(501, "by_n", ("n",))]


def test_an_unnamed_index_is_named_after_its_id(store: Store, collection: Collection) -> None:
    body = described()
    del body["name"]
    finish(restore_index(store, system(store), collection, body))
    assert shown(collection) == [(501, "idx_501", ("n",))]


def test_making_way_is_all_that_is_left_to_do(store: Store, collection: Collection) -> None:
    """Only the last commit of a marker carries its tick, so the rest must come before."""
    restore(store, collection, fields=["m"])
    body = described()
    make_way_for_index(store, system(store), collection, body)
    assert collection.info.indexes == ()
    before = store.log.last_tick
    finish(restore_index(store, system(store), collection, body))
    assert kinds(store, before) == [2100]


bodies = st.tuples(
    st.integers(501, 503),
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from([["n"], ["m"], ["n", "m"]]),
    st.booleans(),
)


@given(st.lists(bodies, min_size=1, max_size=6))
def test_after_any_history_the_last_one_is_there(history: list[tuple[Any, ...]]) -> None:
    store = open_store()
    collection = make_collection(store, "c")
    insert(store, collection, *({"n": n, "m": n} for n in range(3)))
    for number, name, fields, unique in history:
        restore(store, collection, number, name, fields=fields, unique=unique)
        found = [
            index for index in collection.info.indexes if index.id == number or index.name == name
        ]
        assert found
        assert all((list(i.fields), i.unique) == (fields, unique) for i in found)
        ids = [index.id for index in collection.info.indexes]
        names = [index.name for index in collection.info.indexes]
        assert len(set(ids)) == len(ids)
        assert len(set(names)) == len(names)
        assert findings(store) == []
