"""python-arango-async puts data in and reads it back: collections, documents, indexes, queries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from arangoasync.auth import Auth
from arangoasync.client import ArangoClient
from arangoasync.collection import EdgeCollection, StandardCollection
from arangoasync.compression import AcceptEncoding, DefaultCompressionManager
from arangoasync.database import StandardDatabase
from arangoasync.exceptions import (
    AQLQueryExecuteError,
    ArangoServerError,
    CollectionChecksumError,
    CollectionCompactError,
    CollectionConfigureError,
    CollectionCreateError,
    CollectionDeleteError,
    CollectionPropertiesError,
    CollectionRecalculateCountError,
    CollectionRenameError,
    CollectionResponsibleShardError,
    CollectionRevisionError,
    CollectionShardsError,
    CollectionStatisticsError,
    CollectionTruncateError,
    CursorCloseError,
    CursorCountError,
    CursorNextError,
    DatabaseCreateError,
    DatabaseDeleteError,
    DocumentDeleteError,
    DocumentGetError,
    DocumentInsertError,
    DocumentReplaceError,
    DocumentRevisionError,
    DocumentUpdateError,
    EdgeListError,
    IndexCreateError,
    IndexDeleteError,
    IndexGetError,
    IndexListError,
    IndexLoadError,
)
from arangoasync.typings import CollectionType, KeyOptions, UserInfo
from support.drivers import ROOT_PASSWORD, fresh_name
from support.server import ServerThread

Json = dict[str, Any]

# the client's own use of its HTTP library
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .auth. parameter:DeprecationWarning"),
]

ROOT = Auth(username="root", password=ROOT_PASSWORD)
DOCUMENTS: list[Json] = [
    {"_key": str(number), "val": number, "text": "foo" if number < 4 else "bar"}
    for number in range(1, 7)
]


@pytest.fixture
async def system(secured: ServerThread) -> AsyncIterator[StandardDatabase]:
    async with ArangoClient(hosts=secured.url) as client:
        yield await client.db("_system", auth=ROOT, verify=True)


@pytest.fixture
async def db(secured: ServerThread, system: StandardDatabase) -> AsyncIterator[StandardDatabase]:
    """A database of the test's own."""
    name = fresh_name("pa")
    assert await system.create_database(name)
    async with ArangoClient(hosts=secured.url) as client:
        yield await client.db(name, auth=ROOT)
    assert await system.delete_database(name)


@pytest.fixture
async def col(db: StandardDatabase) -> StandardCollection[Any, Any, Any]:
    """An empty collection `c`."""
    return await db.create_collection("c")


@pytest.fixture
async def filled(col: StandardCollection[Any, Any, Any]) -> StandardCollection[Any, Any, Any]:
    await col.insert_many(DOCUMENTS)
    return col


def refusal(error: ArangoServerError) -> tuple[int, int | None]:
    return error.http_code, error.error_code


async def keys_of(cursor: Any) -> list[str]:
    async with cursor:
        return sorted([document["_key"] async for document in cursor])


# -- databases and collections -------------------------------------------------------------------


async def test_databases(system: StandardDatabase) -> None:
    name = fresh_name("pa")
    user = UserInfo(user=f"{name}u", password="pw", active=True, extra={"a": 1})
    assert await system.create_database(
        name, users=[user], replication_factor=1, write_concern=1, sharding="single"
    )
    assert await system.has_database(name)
    assert name in await system.databases()
    assert name in await system.databases_accessible_to_user()
    with pytest.raises(DatabaseCreateError) as taken:
        await system.create_database(name)
    assert refusal(taken.value) == (409, 1207)
    assert (await system.user(f"{name}u")).extra == {"a": 1}
    assert await system.delete_database(name)
    assert await system.delete_database(name, ignore_missing=True) is False
    with pytest.raises(DatabaseDeleteError) as missing:
        await system.delete_database(name)
    assert refusal(missing.value) == (404, 1228)
    assert await system.delete_user(f"{name}u")
    properties = await system.properties()
    assert (properties.name, properties.is_system) == ("_system", True)


async def test_collections(db: StandardDatabase) -> None:
    col = await db.create_collection(
        "c",
        col_type=CollectionType.DOCUMENT,
        write_concern=1,
        wait_for_sync=True,
        number_of_shards=1,
        replication_factor=1,
        cache_enabled=False,
        is_system=False,
        key_options=KeyOptions(
            allow_user_keys=True, generator_type="autoincrement", increment=5, offset=10
        ),
        schema={"rule": {"type": "object"}, "level": "moderate", "message": "m"},
        wait_for_sync_replication=False,
        enforce_replication_factor=False,
    )
    properties = await col.properties()
    assert (properties.name, properties.wait_for_sync, properties.type) == (
        "c",
        True,
        CollectionType.DOCUMENT,
    )
    assert (properties["keyOptions"]["increment"], properties["keyOptions"]["offset"]) == (5, 10)
    assert await db.has_collection("c")
    assert not await db.has_collection("d")
    with pytest.raises(CollectionCreateError) as taken:
        await db.create_collection("c")
    assert refusal(taken.value) == (409, 1207)
    edges = await db.create_collection("e", col_type=CollectionType.EDGE)
    assert (await edges.properties()).type == CollectionType.EDGE
    names = [one.name for one in await db.collections(exclude_system=True)]
    assert sorted(names) == ["c", "e"]
    assert len(await db.collections()) > 2
    assert set(await db.key_generators()) >= {"traditional", "uuid"}
    assert await db.delete_collection("c") is True
    assert await db.delete_collection("c", ignore_missing=True) is False
    with pytest.raises(CollectionDeleteError) as missing:
        await db.delete_collection("c")
    assert refusal(missing.value) == (404, 1203)


async def test_collection_calls(col: StandardCollection[Any, Any, Any]) -> None:
    assert await col.checksum() == "0"
    empty = await col.revision()
    await col.insert_many(DOCUMENTS)
    assert await col.count() == 6
    assert await col.revision() != empty
    plain, full = await col.checksum(), await col.checksum(with_rev=True, with_data=True)
    assert int(plain) != int(full) != 0
    statistics = await col.statistics()
    assert (statistics.count, statistics.figures["indexes"]["count"]) == (6, 1)
    assert await col.load_indexes() is True
    await col.recalculate_count()
    assert (await col.compact()).name == "c"
    await col.truncate(wait_for_sync=True, compact=True)
    assert await col.count() == 0
    await col.rename("d")
    assert col.name == "d"
    assert (await col.insert({"_key": "k"}))["_id"] == "d/k"


async def test_configuring(col: StandardCollection[Any, Any, Any]) -> None:
    value = {
        "name": "twice",
        "expression": "RETURN @doc.n * 2",
        "computeOn": ["insert"],
        "overwrite": True,
        "failOnWarning": True,
        "keepNull": True,
    }
    changed = await col.configure(
        cache_enabled=True,
        wait_for_sync=True,
        computed_values=[value],
        schema={"rule": {"required": ["n"]}, "level": "strict", "message": "needs n"},
        replication_factor=1,
        write_concern=1,
    )
    assert (changed.wait_for_sync, changed.cache_enabled) == (True, True)
    await col.insert({"_key": "k", "n": 21})
    assert (await col.get("k"))["twice"] == 42
    with pytest.raises(DocumentInsertError, match="needs n") as refused:
        await col.insert({})
    assert refused.value.error_code == 1620


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda c: c.properties(), CollectionPropertiesError),
        (lambda c: c.configure(wait_for_sync=True), CollectionConfigureError),
        (lambda c: c.statistics(), CollectionStatisticsError),
        (lambda c: c.revision(), CollectionRevisionError),
        (lambda c: c.checksum(), CollectionChecksumError),
        (lambda c: c.compact(), CollectionCompactError),
        (lambda c: c.truncate(), CollectionTruncateError),
        (lambda c: c.recalculate_count(), CollectionRecalculateCountError),
        (lambda c: c.rename("other"), CollectionRenameError),
        (lambda c: c.load_indexes(), IndexLoadError),
        (lambda c: c.indexes(), IndexListError),
        (lambda c: c.add_index("persistent", ["n"]), IndexCreateError),
        (lambda c: c.insert({}), DocumentInsertError),
        (lambda c: c.insert_many([{}]), DocumentInsertError),
        (lambda c: c.import_bulk("{}", doc_type="documents"), DocumentInsertError),
        (lambda c: c.get_many(["a"]), DocumentGetError),
        (lambda c: c.find(), DocumentGetError),
        (lambda c: c.update_match({}, {}), DocumentUpdateError),
        (lambda c: c.replace_match({}, {}), DocumentReplaceError),
        (lambda c: c.delete_match({}), DocumentDeleteError),
    ],
)
async def test_a_collection_that_is_not_there(
    db: StandardDatabase,
    ask: Callable[[Any], Awaitable[Any]],
    error: type[ArangoServerError],
) -> None:
    with pytest.raises(error) as missing:
        await ask(db.collection("nowhere"))
    assert refusal(missing.value) == (404, 1203)


async def test_shards_are_of_clusters(col: StandardCollection[Any, Any, Any]) -> None:
    with pytest.raises(CollectionShardsError) as shards:
        await col.shards(details=True)
    with pytest.raises(CollectionResponsibleShardError) as responsible:
        await col.responsible_shard({"_key": "k"})
    assert shards.value.http_code == responsible.value.http_code == 501


# -- documents -----------------------------------------------------------------------------------


async def test_single_documents(col: StandardCollection[Any, Any, Any]) -> None:
    inserted = await col.insert({"_key": "k", "n": 1}, return_new=True, wait_for_sync=True)
    assert inserted["new"]["n"] == 1
    assert await col.get("k") == inserted["new"] == await col.get({"_id": "c/k"})
    assert await col.get("nothing") is None
    assert (await col.has("k"), await col.has({"_key": "nothing"})) == (True, False)
    with pytest.raises(DocumentInsertError) as taken:
        await col.insert({"_key": "k"})
    assert refusal(taken.value) == (409, 1210)
    updated = await col.update({"_key": "k", "m": 2}, return_new=True, return_old=True)
    assert (updated["new"]["m"], "m" in updated["old"]) == (2, False)
    replaced = await col.replace({"_key": "k", "p": 3}, return_new=True, return_old=True)
    assert ("m" in replaced["new"], replaced["old"]["m"]) == (False, 2)
    assert (await col.delete("k", return_old=True))["old"]["p"] == 3
    assert await col.delete("k", ignore_missing=True) is False
    for act, error in (
        (lambda: col.update({"_key": "k"}), DocumentUpdateError),
        (lambda: col.replace({"_key": "k"}), DocumentReplaceError),
        (lambda: col.delete("k"), DocumentDeleteError),
    ):
        with pytest.raises(error) as missing:
            await act()
        assert refusal(missing.value) == (404, 1202)


async def test_options_of_writes(col: StandardCollection[Any, Any, Any]) -> None:
    assert await col.insert({"_key": "k", "o": {"a": 1}}, silent=True) is True
    await col.insert({"_key": "k", "o": {"b": 2}}, overwrite_mode="update", merge_objects=True)
    assert (await col.get("k"))["o"] == {"a": 1, "b": 2}
    await col.insert({"_key": "k", "o": None}, overwrite_mode="update", keep_null=False)
    assert "o" not in await col.get("k")
    old = await col.insert({"_key": "k", "v": 3}, overwrite=True, return_old=True)
    assert old["old"]["_key"] == "k"
    await col.update({"_key": "k", "v": 2, "n": 1}, version_attribute="v")
    await col.replace({"_key": "k", "v": 1}, version_attribute="v", refill_index_caches=True)
    assert (await col.get("k"))["v"] == 3
    assert await col.update({"_key": "k", "v": None}, keep_null=False, silent=True) is True
    assert "v" not in await col.get("k")
    assert await col.replace({"_key": "k"}, silent=True) is True
    assert await col.delete("k", silent=True, wait_for_sync=True) is True


async def test_revisions(col: StandardCollection[Any, Any, Any]) -> None:
    old = (await col.insert({"_key": "k", "n": 1}))["_rev"]
    new = (await col.update({"_key": "k", "n": 2}))["_rev"]
    for ask in (col.get, col.has):
        assert await ask("k", if_match=new)
        assert await ask("k", if_none_match=old)
        with pytest.raises(DocumentRevisionError):
            await ask("k", if_match=old)
    for ask in (col.get, col.has):
        with pytest.raises(ArangoServerError) as same:
            await ask("k", if_none_match=new)
        assert same.value.http_code == 304
    for act in (col.update, col.replace, col.delete):
        with pytest.raises(DocumentRevisionError) as refused:
            await act({"_key": "k", "n": 3}, if_match=old)
        assert refusal(refused.value) == (412, 1200)
    with pytest.raises(DocumentRevisionError):
        await col.update({"_key": "k", "_rev": old, "n": 3}, ignore_revs=False)
    assert await col.update({"_key": "k", "_rev": old, "n": 3}, ignore_revs=True)
    newest = (await col.get("k"))["_rev"]
    assert await col.replace({"_key": "k"}, if_match=newest)


async def test_many_documents(col: StandardCollection[Any, Any, Any]) -> None:
    inserted = await col.insert_many(DOCUMENTS, return_new=True)
    assert [one["new"]["val"] for one in inserted] == [1, 2, 3, 4, 5, 6]
    again = await col.insert_many([DOCUMENTS[0], {"_key": "7"}, {"_key": "a b"}])
    assert [one.get("errorNum") for one in again] == [1210, None, 1221]
    found = await col.get_many(["1", {"_key": "2"}, "nothing"])
    assert [one["val"] for one in found] == [1, 2]  # the client drops what is missing
    updated = await col.update_many(
        [{"_key": "1", "val": None}, {"_key": "nothing"}], keep_null=False, return_new=True
    )
    assert ("val" in updated[0]["new"], updated[1]["errorNum"]) == (False, 1202)
    replaced = await col.replace_many([{"_key": "2", "x": 1}], return_old=True)
    assert replaced[0]["old"]["val"] == 2
    stale = {"_key": "2", "_rev": replaced[0]["_oldRev"]}
    assert (await col.update_many([stale], ignore_revs=False))[0]["errorNum"] == 1200
    deleted = await col.delete_many([{"_key": "1"}, {"_key": "nothing"}], return_old=True)
    assert (deleted[0]["old"]["_key"], deleted[1]["errorNum"]) == ("1", 1202)
    assert await col.insert_many([{"_key": "9"}], silent=True) == {}


async def test_documents_of_the_database(
    db: StandardDatabase, col: StandardCollection[Any, Any, Any]
) -> None:
    assert await db.insert_document("c", {"_key": "k", "n": 1})
    assert await db.has_document("c/k")
    assert await db.update_document({"_id": "c/k", "m": 2})
    assert (await db.document("c/k"))["m"] == 2
    assert await db.replace_document({"_id": "c/k", "p": 3})
    assert await db.delete_document("c/k")
    assert not await db.has_document("c/k")


async def test_imports(db: StandardDatabase, col: StandardCollection[Any, Any, Any]) -> None:
    lines = "\n".join(json.dumps(one) for one in DOCUMENTS)
    first = await col.import_bulk(lines, doc_type="documents", wait_for_sync=True)
    assert (first["created"], first["errors"]) == (6, 0)
    as_list = await col.import_bulk(json.dumps(DOCUMENTS), doc_type="list", on_duplicate="ignore")
    assert (as_list["created"], as_list["ignored"]) == (0, 6)
    rows = '["_key", "val"]\n["7", 7]\n["1", 1]\n'
    loose = await col.import_bulk(rows.encode(), complete=False, details=True)
    assert (loose["created"], loose["errors"], len(loose["details"])) == (1, 1, 1)
    whole = await col.import_bulk(
        json.dumps([{"_key": "x"}]), doc_type="auto", overwrite=True, details=False
    )
    assert (whole["created"], await col.count()) == (1, 1)
    edges = await db.create_collection("e", col_type=CollectionType.EDGE)
    await edges.import_bulk(
        json.dumps([{"_from": "1", "_to": "2"}]), doc_type="list", from_prefix="c", to_prefix="c"
    )
    async with await edges.find() as cursor:
        assert [(one["_from"], one["_to"]) async for one in cursor] == [("c/1", "c/2")]


async def test_edges(db: StandardDatabase) -> None:
    stored = await db.create_collection("e", col_type=CollectionType.EDGE)
    await stored.insert_many(
        [{"_key": "a", "_from": "v/1", "_to": "v/2"}, {"_key": "b", "_from": "v/2", "_to": "v/3"}]
    )
    edges: EdgeCollection[Any, Any, Any] = EdgeCollection(
        stored._executor,
        "no graph",
        "e",
        stored._doc_serializer,
        stored._doc_deserializer,
    )
    found = await edges.edges("v/2")
    assert sorted(one["_key"] for one in found["edges"]) == ["a", "b"]
    assert "filtered" in found["stats"]
    assert [one["_key"] for one in (await edges.edges("v/2", direction="in"))["edges"]] == ["a"]
    assert [one["_key"] for one in (await edges.edges("v/2", direction="out"))["edges"]] == ["b"]
    edges._name = "nowhere"
    with pytest.raises(EdgeListError) as missing:
        await edges.edges("v/2")
    assert refusal(missing.value) == (404, 1203)


# -- indexes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "options"),
    [
        ("persistent", ["n"], {"unique": True, "sparse": True, "name": "p", "estimates": True}),
        ("geo", ["loc"], {"geoJson": True, "name": "g", "inBackground": True}),
        ("ttl", ["t"], {"expireAfter": 100}),
        ("fulltext", ["text"], {"minLength": 3}),
        ("mdi", ["x", "y"], {"fieldValueTypes": "double", "unique": False}),
        ("mdi-prefixed", ["x"], {"fieldValueTypes": "double", "prefixFields": ["z"]}),
        ("inverted", [{"name": "text"}], {"analyzer": "identity", "includeAllFields": True}),
    ],
)
async def test_indexes(
    col: StandardCollection[Any, Any, Any], kind: str, fields: Any, options: Json
) -> None:
    made = await col.add_index(kind, fields, options)
    assert made.id == f"c/{made.numeric_id}"
    assert made.type == kind
    assert (await col.get_index(made.numeric_id)).id == made.id
    listed = await col.indexes(with_stats=True, with_hidden=True)
    assert {one.id for one in listed} >= {"c/0", made.id}
    assert await col.delete_index(made.numeric_id) is True
    assert await col.delete_index(made.numeric_id, ignore_missing=True) is False
    with pytest.raises(IndexDeleteError) as missing:
        await col.delete_index(made.numeric_id)
    assert refusal(missing.value) == (404, 1212)
    with pytest.raises(IndexGetError) as gone:
        await col.get_index(made.numeric_id)
    assert refusal(gone.value) == (404, 1212)


async def test_a_vector_index(col: StandardCollection[Any, Any, Any]) -> None:
    await col.insert_many([{"v": [1.0] * 4} for _ in range(5)])
    parameters = {"metric": "cosine", "dimension": 4, "nLists": 2}
    made = await col.add_index("vector", ["v"], {"params": parameters})
    assert made.type == "vector"


# -- queries -------------------------------------------------------------------------------------


async def test_find(filled: StandardCollection[Any, Any, Any]) -> None:
    assert await keys_of(await filled.find()) == list("123456")
    assert await keys_of(await filled.find({"text": "foo"})) == list("123")
    assert len(await keys_of(await filled.find({"text": "foo"}, skip=1, limit=1))) == 1
    assert len(await keys_of(await filled.find({"text": "foo"}, limit="null"))) == 3
    backwards = await filled.find({}, sort=[{"sort_by": "val", "sort_order": "DESC"}])
    async with backwards:
        assert [one["val"] async for one in backwards] == [6, 5, 4, 3, 2, 1]


async def test_matches(filled: StandardCollection[Any, Any, Any]) -> None:
    assert (
        await filled.update_match(
            {"text": "foo"}, {"n": None}, keep_none=True, merge_objects=True, wait_for_sync=True
        )
        == 3
    )
    assert (await filled.get("1"))["n"] is None
    assert await filled.update_match({"text": "foo"}, {"n": None}, keep_none=False, limit=2) == 2
    assert await filled.replace_match({"text": "foo"}, {"text": "new"}, wait_for_sync=True) == 3
    assert await filled.delete_match({"text": "new"}, limit=2) == 2
    assert await filled.delete_match({}) == 4
    assert await filled.count() == 0


async def test_cursors(db: StandardDatabase, filled: StandardCollection[Any, Any, Any]) -> None:
    cursor = await db.aql.execute(
        "FOR d IN @@c SORT d.val RETURN d.val",
        bind_vars={"@c": "c"},
        count=True,
        batch_size=2,
        ttl=1000,
        allow_dirty_read=True,
    )
    assert (cursor.has_more, cursor.cached, cursor.count, len(cursor)) == (True, False, 6, 6)
    assert cursor.warnings == []
    assert cursor.statistics.scanned_full == 6
    assert (list(cursor.batch), cursor.empty()) == ([1, 2], False)
    assert await cursor.next() == 1
    assert await cursor.fetch() == [3, 4]
    assert [one async for one in cursor] == [2, 3, 4, 5, 6]
    assert await cursor.close(ignore_missing=True) is False
    other = await db.aql.execute("FOR d IN c RETURN d", batch_size=1)
    with pytest.raises(CursorCountError):
        len(other)
    assert await other.close() is True
    with pytest.raises(CursorCloseError) as closed:
        await other.close()
    assert refusal(closed.value) == (404, 1600)
    with pytest.raises(CursorNextError):
        await other.fetch()


async def test_a_batch_that_is_read_twice(
    db: StandardDatabase, filled: StandardCollection[Any, Any, Any]
) -> None:
    query = "FOR d IN c SORT d.val RETURN d.val"
    cursor = await db.aql.execute(query, batch_size=2, options={"allowRetry": True})
    number = cursor.next_batch_id
    assert await cursor.fetch() == [3, 4]
    following = cursor.next_batch_id
    assert await cursor.fetch(batch_id=number) == [3, 4]
    assert cursor.next_batch_id == following
    assert await cursor.fetch() == [5, 6]
    assert await cursor.close() is True


async def test_a_profile(db: StandardDatabase, filled: StandardCollection[Any, Any, Any]) -> None:
    with pytest.raises(AQLQueryExecuteError) as refused:
        await db.aql.execute("FOR d IN c RETURN d.val", options={"profile": 2})
    assert refusal(refused.value) == (501, 9)


async def test_the_next_batch_has_a_number_always(
    db: StandardDatabase, filled: StandardCollection[Any, Any, Any]
) -> None:
    """The client's own tests read it, and expect 400/400 for asking for that batch twice."""
    cursor = await db.aql.execute("FOR d IN c RETURN d", batch_size=1)
    number = cursor.next_batch_id
    assert number == "2"
    await cursor.fetch()
    with pytest.raises(CursorNextError) as refused:
        await cursor.fetch(batch_id=number)
    assert refusal(refused.value) == (400, 400)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("INVALID", (400, 1501)),
        ("FOR d IN nowhere RETURN d", (404, 1203)),
        ("FOR d IN c COLLECT t = d.text RETURN t", (501, 9)),
        ("RETURN SLEEP(1)", (501, 9)),
    ],
)
async def test_queries_that_are_refused(
    db: StandardDatabase,
    col: StandardCollection[Any, Any, Any],
    query: str,
    expected: tuple[int, int],
) -> None:
    with pytest.raises(AQLQueryExecuteError) as refused:
        await db.aql.execute(query)
    assert refusal(refused.value) == expected


# -- packed bodies -------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", list(AcceptEncoding))
async def test_packed_both_ways(
    secured: ServerThread, db: StandardDatabase, accept: AcceptEncoding
) -> None:
    compression = DefaultCompressionManager(threshold=100, level=9, accept=accept)
    async with ArangoClient(hosts=secured.url, compression=compression) as client:
        packed = await client.db(db.name, auth=ROOT)
        col = await packed.create_collection("c")
        text = "the same again and again " * 400
        await col.insert({"_key": "k", "text": text})
        assert (await col.get("k"))["text"] == text
