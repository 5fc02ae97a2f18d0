"""The catalog in memory: finding databases and collections."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arangorep.errors import CollectionNotFound, DatabaseNotFound
from arangorep.storage.catalog import Catalog, Collection
from arangorep.storage.state import CollectionState, Counters
from arangorep.values.collection import CollectionInfo, parse_collection
from arangorep.values.database import DatabaseInfo
from arangorep.values.revision_tree import RevisionTree


def info_of(name: str, number: int, database_id: int = 1) -> CollectionInfo:
    body = {"name": name}
    return parse_collection(body, new_id=number, database_id=database_id, server_id=0xABC)[0]


def add(catalog: Catalog, info: CollectionInfo) -> Collection:
    return catalog.add_collection(info, CollectionState(Counters(count=2), RevisionTree()))


@pytest.fixture
def catalog() -> Catalog:
    made = Catalog()
    made.add_database(DatabaseInfo(1, "_system"))
    made.add_database(DatabaseInfo(200, "däta"))
    return made


def test_databases_are_found_by_name_and_id(catalog: Catalog) -> None:
    assert [database.info.name for database in catalog.databases] == ["_system", "däta"]
    assert catalog.database("däta").info.id == 200
    assert catalog.database_by_id(200) is catalog.database("däta")
    assert catalog.database_by_id(201) is None
    assert catalog.has_database("_system")
    assert not catalog.has_database("other")
    with pytest.raises(DatabaseNotFound):
        catalog.database("other")


def test_a_collection_is_found_by_name_id_and_guid(catalog: Catalog) -> None:
    made = add(catalog, info_of("c", 201))
    database = catalog.database("_system")
    for text in ("c", "201", "hABC/201"):
        assert database.find(text) is made
    assert database.named("c") is made
    assert database.named("201") is None
    assert catalog.collection_by_id(201) is made
    assert made.count == 2
    assert len(database) == 1
    assert list(database) == [made]
    assert list(catalog.collections) == [made]


@pytest.mark.parametrize("text", ["", "d", "202", "hABC/202", "C", "²", "0201x", "9" * 5000])
def test_what_is_not_there_is_named(catalog: Catalog, text: str) -> None:
    add(catalog, info_of("c", 201))
    with pytest.raises(CollectionNotFound, match="collection or view not found"):
        catalog.database("_system").find(text)


def test_databases_do_not_see_each_others_collections(catalog: Catalog) -> None:
    add(catalog, info_of("c", 201))
    other = add(catalog, info_of("c", 202, database_id=200))
    assert catalog.database("däta").find("c") is other
    with pytest.raises(CollectionNotFound):
        catalog.database("däta").find("201")


def test_a_renamed_collection_is_found_by_its_new_name_only(catalog: Catalog) -> None:
    made = add(catalog, info_of("old", 201))
    catalog.change_collection(made.info.renamed_to('n"w'))
    database = catalog.database("_system")
    assert database.find('n"w') is made
    assert database.find("201") is made
    assert made.name_json == b'n\\"w'
    with pytest.raises(CollectionNotFound):
        database.find("old")
    again = add(catalog, info_of("old", 203))
    assert database.find("old") is again


def test_a_changed_definition_keeps_state_and_identity(catalog: Catalog) -> None:
    made = add(catalog, info_of("c", 201))
    state = made.state
    catalog.change_collection(replace(made.info, wait_for_sync=True))
    assert catalog.collection_by_id(201) is made
    assert made.info.wait_for_sync
    assert made.state is state


def test_a_removed_collection_is_gone(catalog: Catalog) -> None:
    made = add(catalog, info_of("c", 201))
    assert catalog.remove_collection(201) is made
    assert catalog.collection_by_id(201) is None
    assert len(catalog.database("_system")) == 0
    for text in ("c", "201", "hABC/201"):
        with pytest.raises(CollectionNotFound):
            catalog.database("_system").find(text)


def test_a_removed_database_takes_its_collections_along(catalog: Catalog) -> None:
    kept = add(catalog, info_of("c", 201))
    gone = [add(catalog, info_of(name, number, 200)) for name, number in (("c", 202), ("d", 203))]
    assert catalog.remove_database(200) == gone
    assert list(catalog.collections) == [kept]
    assert not catalog.has_database("däta")
    assert catalog.database_by_id(200) is None


def test_names_are_kept_as_json(catalog: Catalog) -> None:
    made = add(catalog, info_of("b\\c", 201))
    assert made.name_json == b"b\\\\c"
    assert made.guid_json == b"hABC/201"
    assert catalog.database("däta").name_json == "däta".encode()


def test_keys_of_a_collection_lie_between_its_prefix_and_the_next(catalog: Catalog) -> None:
    made = add(catalog, info_of("c", 255))
    assert made.prefix == b"\0\0\0\0\0\0\0\xff"
    assert made.prefix + b"\xff" * 20 < made.document_end <= b"\0\0\0\0\0\0\1\0"
