"""Building, finding and dropping indexes."""

from __future__ import annotations

from typing import Any

import pytest
from support.memory_engine import MemoryEngine
from support.stores import (
    WriteFault,
    failing_writes,
    finish,
    index_entries,
    insert,
    make_collection,
    make_index,
    open_store,
    stored,
    system,
    write,
)

from arangorep.clock import ManualClock
from arangorep.data.indexes import create_index, drop_index, find_index, remove_unfinished
from arangorep.errors import (
    ArangoError,
    BadParameter,
    DuplicateIdentifier,
    Forbidden,
    IllegalName,
    IndexHandleBad,
    IndexNotFound,
    ResourceLimit,
    UniqueConstraintViolated,
)
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store
from arangorep.values import index_terms

COUNT = 2 * WRITE_ROWS_PER_SLICE + 50


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    """More documents than fit one slice; `n` is different in each, `same` is not."""
    made = make_collection(store, "c")
    documents = ({"_key": f"k{n}", "n": n, "same": n // 2} for n in range(COUNT))
    insert(store, made, *documents)
    return made


def body(*fields: str, **attributes: Any) -> dict[str, Any]:
    return {"type": "persistent", "fields": list(fields), "unique": True, **attributes}


def notes(store: Store) -> list[bytes]:
    assert isinstance(store.engine, MemoryEngine)
    meta = store.engine.content()[Family.META]
    return [key for key in meta if key.startswith(keys.BUILDING)]


def entries(store: Store) -> int:
    assert isinstance(store.engine, MemoryEngine)
    return len(store.engine.content()[Family.INDEX])


def refused(
    store: Store, collection: Collection, error: type[ArangoError], definition: object
) -> ArangoError:
    """Nothing of the index is left, neither on disk nor in memory."""
    before, rows = store.log.last_tick, entries(store)
    with pytest.raises(error) as raised:
        finish(create_index(store, system(store), collection, definition))
    assert raised.value.http_status == 400
    assert store.log.last_tick == before
    assert entries(store) == rows
    assert notes(store) == []
    assert findings(store) == []
    return raised.value


# -- building --------------------------------------------------------------------------------------


def test_an_index_of_what_is_there(store: Store, collection: Collection) -> None:
    index, is_new = finish(create_index(store, system(store), collection, body("n")))
    assert is_new
    assert collection.info.indexes == (index,)
    assert sorted(index_entries(store, index).values()) == sorted(stored(store, collection))
    assert notes(store) == []
    assert findings(store) == []
    assert isinstance(store.engine, MemoryEngine)
    again = open_store(store.engine.copy())
    assert system(again).find("c").info.indexes == (index,)
    assert findings(again) == []


def test_building_gives_others_their_turn(store: Store, collection: Collection) -> None:
    work = create_index(store, system(store), collection, body("n"))
    assert sum(1 for _ in work) == 3


def test_a_new_index_has_an_id_and_a_name(store: Store, collection: Collection) -> None:
    first = make_index(store, collection, "n")
    second = make_index(store, collection, "n", unique=False, name="by ü")
    assert first.id < second.id
    assert first.name.startswith("idx_")
    assert second.name == "by ü"
    assert collection.info.indexes == (first, second)


@pytest.mark.parametrize(
    "definition",
    [
        body("same", unique=False),
        {"type": "geo", "fields": ["n"]},
        {"type": "fulltext", "fields": ["n"]},
        {"type": "mdi", "fields": ["n"], "fieldValueTypes": "double", "unique": True},
    ],
)
def test_what_is_not_enforced_has_no_entries(
    store: Store, collection: Collection, definition: dict[str, Any]
) -> None:
    finish(create_index(store, system(store), collection, definition))
    assert entries(store) == 0
    insert(store, collection, {"same": 1}, {"same": 1})
    assert entries(store) == 0
    assert findings(store) == []


def test_the_same_index_again(store: Store, collection: Collection) -> None:
    first = make_index(store, collection, "n", name="one")
    before = store.log.last_tick
    found, is_new = finish(create_index(store, system(store), collection, body("n", name="two")))
    assert (found, is_new) == (first, False)
    assert store.log.last_tick == before
    assert collection.info.indexes == (first,)


@pytest.mark.parametrize("name", ["primary", "edge", "taken"])
def test_names_that_are_taken(store: Store, collection: Collection, name: str) -> None:
    make_index(store, collection, "x", name="taken", unique=False)
    refused(store, collection, DuplicateIdentifier, body("n", name=name))


@pytest.mark.parametrize(
    ("definition", "error"),
    [
        (None, BadParameter),
        ({}, BadParameter),
        (body(), BadParameter),
        (body("_id"), BadParameter),
        (body("n", name="a/b"), IllegalName),
    ],
)
def test_bad_definitions(
    store: Store, collection: Collection, definition: object, error: type[ArangoError]
) -> None:
    refused(store, collection, error, definition)


def test_values_that_are_not_unique(store: Store, collection: Collection) -> None:
    """The first two documents collide, in one slice."""
    error = refused(store, collection, UniqueConstraintViolated, body("same"))
    assert "conflicting key: k1" in error.message
    assert "over 'same'" in error.message


def test_values_that_collide_in_different_slices(store: Store, collection: Collection) -> None:
    insert(store, collection, {"_key": "late", "n": 1})
    error = refused(store, collection, UniqueConstraintViolated, body("n"))
    assert "conflicting key: late" in error.message


def test_documents_without_the_field(store: Store, collection: Collection) -> None:
    refused(store, collection, UniqueConstraintViolated, body("unset"))
    index = make_index(store, collection, "unset", sparse=True)
    assert index_entries(store, index) == {}
    assert findings(store) == []


def test_equal_elements_of_one_document(store: Store) -> None:
    made = make_collection(store, "c")
    insert(store, made, {"_key": "a", "t": [1, 2, 1]})
    refused(store, made, UniqueConstraintViolated, body("t[*]", deduplicate=False))
    index = make_index(store, made, "t[*]")
    assert len(index_entries(store, index)) == 2
    assert findings(store) == []


def test_too_many_entries_of_one_document(
    store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_terms, "INDEX_TERMS_MAX", 8)
    insert(store, collection, {"_key": "large", "a": [1, 2, 3], "b": [1, 2, 3]})
    error = refused(store, collection, ResourceLimit, body("a[*]", "b[*]", sparse=True))
    assert error.error_num == 32
    assert "8 index entries" in error.message


# -- builds that are cut off -----------------------------------------------------------------------


def begun(store: Store, collection: Collection) -> Any:
    """A build that has written its first entries."""
    work = create_index(store, system(store), collection, body("n"))
    next(work)
    assert entries(store) == WRITE_ROWS_PER_SLICE
    assert len(notes(store)) == 1
    return work


def test_a_build_that_is_given_up(store: Store, collection: Collection) -> None:
    begun(store, collection).close()
    assert (entries(store), notes(store)) == (0, [])
    assert findings(store) == []


def test_a_start_removes_what_a_crash_left(store: Store, collection: Collection) -> None:
    finished = make_index(store, collection, "n", "same", name="finished")
    assert isinstance(store.engine, MemoryEngine)
    work = create_index(store, system(store), collection, body("n"))
    next(work)
    killed = store.engine.copy()
    work.close()
    again = Store(killed, ManualClock())
    assert len(notes(again)) == 1
    remove_unfinished(again)
    assert notes(again) == []
    assert entries(again) == COUNT, "those of the finished index"
    assert system(again).find("c").info.indexes == (finished,)
    assert findings(again) == []
    remove_unfinished(again)
    make_index(again, system(again).find("c"), "n")
    assert findings(again) == []


def test_a_definition_that_cannot_be_written(store: Store, collection: Collection) -> None:
    """The entries stay until the next start, and nobody minds them."""
    work = begun(store, collection)
    next(work)
    next(work)
    with failing_writes(store.engine), pytest.raises(WriteFault):
        next(work)
    assert collection.info.indexes == ()
    insert(store, collection, {"n": 1})
    assert findings(store) == []
    assert isinstance(store.engine, MemoryEngine)
    again = open_store(store.engine.copy())
    assert (entries(again), notes(again)) == (0, [])


# -- finding and dropping --------------------------------------------------------------------------


def test_an_index_is_found_by_id_and_name(store: Store, collection: Collection) -> None:
    index = make_index(store, collection, "n", name="by_n")
    assert find_index(collection, str(index.id)) is index
    assert find_index(collection, "by_n") is index
    for handle in ("nowhere", "1", str(index.id + 1), "by_"):
        with pytest.raises(IndexNotFound):
            find_index(collection, handle)
    with pytest.raises(IndexHandleBad):
        find_index(collection, "")


@pytest.mark.parametrize("by", ["id", "name"])
def test_a_dropped_index_is_gone(store: Store, collection: Collection, by: str) -> None:
    index = make_index(store, collection, "n", name="by_n")
    kept = make_index(store, collection, "n", "same", name="kept")
    handle = str(index.id) if by == "id" else "by_n"
    assert drop_index(store, system(store), collection, handle) == index.id
    assert collection.info.indexes == (kept,)
    assert index_entries(store, index) == {}
    assert len(index_entries(store, kept)) == COUNT
    insert(store, collection, {"n": 1, "same": 100_000})
    assert findings(store) == []
    assert isinstance(store.engine, MemoryEngine)
    again = open_store(store.engine.copy())
    assert system(again).find("c").info.indexes == (kept,)
    assert findings(again) == []


@pytest.mark.parametrize("handle", ["0", "primary"])
def test_the_primary_index_stays(store: Store, collection: Collection, handle: str) -> None:
    with pytest.raises(Forbidden):
        drop_index(store, system(store), collection, handle)


@pytest.mark.parametrize("handle", ["1", "2", "edge"])
def test_the_edge_index_stays(store: Store, collection: Collection, handle: str) -> None:
    with pytest.raises(Forbidden):
        drop_index(store, system(store), make_collection(store, "e", type=3), handle)
    with pytest.raises(IndexNotFound):
        drop_index(store, system(store), collection, handle)


def test_an_index_follows_its_documents(store: Store, collection: Collection) -> None:
    index = make_index(store, collection, "n")
    write(store, collection, "remove", "k1", "k2")
    write(store, collection, "update", {"_key": "k3", "n": -1})
    values = index_entries(store, index)
    assert len(values) == COUNT - 2
    assert sorted(values.values()) == sorted(stored(store, collection))
    assert findings(store) == []
