"""python-arango asks: what its collections send as AQL, `db.aql.execute`, and cursors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from arango import ArangoClient
from arango.collection import EdgeCollection, StandardCollection
from arango.cursor import Cursor
from arango.database import StandardDatabase
from arango.exceptions import (
    AQLQueryExecuteError,
    ArangoServerError,
    CursorCloseError,
    CursorCountError,
    CursorEmptyError,
    CursorNextError,
    CursorStateError,
    DocumentGetError,
    DocumentIDsError,
    DocumentKeysError,
    DocumentReplaceError,
    DocumentUpdateError,
    EdgeListError,
    SortValidationError,
)
from support.drivers import ROOT_PASSWORD

Json = dict[str, Any]

DOCUMENTS: list[Json] = [
    {"_key": f"k{number}", "n": number, "text": "foo" if number < 4 else "bar", "o": {"a": number}}
    for number in range(1, 7)
]
KEYS = [document["_key"] for document in DOCUMENTS]


@pytest.fixture
def filled(col: StandardCollection) -> StandardCollection:
    """Six documents."""
    assert col.insert_many(DOCUMENTS, silent=True) is True
    return col


def keys_of(found: Any) -> list[str]:
    """Sorted keys of the documents in a cursor."""
    assert isinstance(found, Cursor)
    return sorted(document["_key"] for document in found)


# -- what collections send -----------------------------------------------------------------------


def test_ids_and_keys(filled: StandardCollection) -> None:
    assert sorted(filled.keys()) == KEYS
    assert sorted(filled.ids()) == [f"c/{key}" for key in KEYS]
    assert sorted(filled.keys(allow_dirty_read=True)) == KEYS


def test_all_and_iteration(filled: StandardCollection) -> None:
    assert keys_of(filled.all()) == KEYS == sorted(document["_key"] for document in filled)
    everything = filled.all()
    assert isinstance(everything, Cursor)
    assert everything.count() == len(everything) == 6
    stored = filled.get("k3")
    assert stored in list(everything)
    for skip, limit, length in ((0, 2, 2), (4, None, 2), (4, 5, 2), (6, 1, 0), (None, 0, 0)):
        page = filled.all(skip=skip, limit=limit)
        assert isinstance(page, Cursor)
        assert (page.count(), len(list(page))) == (length, length)


@pytest.mark.parametrize(
    ("filters", "keys"),
    [
        ({}, KEYS),
        ({"text": "foo"}, ["k1", "k2", "k3"]),
        ({"text": "foo", "n": 2}, ["k2"]),
        ({"_key": "k5"}, ["k5"]),
        ({"o.a": 4}, ["k4"]),
        ({"o": {"a": 4}}, ["k4"]),
        ({"n": 4.0}, ["k4"]),
        ({"n": "4"}, []),
        ({"missing": None}, KEYS),
        ({"text": 'fo"o'}, []),
    ],
)
def test_find(filled: StandardCollection, filters: Json, keys: list[str]) -> None:
    found = filled.find(filters)
    assert isinstance(found, Cursor)
    assert found.count() == len(keys)
    assert keys_of(found) == keys


def test_find_with_awkward_names(col: StandardCollection) -> None:
    odd = {"a.b": 1, "with `tick`": 2, 'with "quote"': 3, "ß 日本": 4, "": 5}
    key = col.insert(odd)["_key"]
    col.insert({"a": {"b": 1}, "_key": "nested"})
    assert keys_of(col.find({"a.b": 1})) == sorted([key, "nested"])
    for name in ("with `tick`", 'with "quote"', "ß 日本"):
        assert keys_of(col.find({name: odd[name]})) == [key]


def test_pages_of_find(filled: StandardCollection) -> None:
    assert len(keys_of(filled.find({"text": "foo"}, skip=1))) == 2
    assert len(keys_of(filled.find({"text": "foo"}, limit=2))) == 2
    assert keys_of(filled.find({"text": "foo"}, skip=3, limit=1)) == []
    assert keys_of(filled.find({"text": "foo"}, limit=0)) == []
    assert keys_of(filled.find({"text": "foo"}, allow_dirty_read=True)) == KEYS[:3]


def test_sorted_find(filled: StandardCollection) -> None:
    def keys_by(*sort: Json) -> list[str]:
        found = filled.find({}, sort=list(sort))
        assert isinstance(found, Cursor)
        return [document["_key"] for document in found]

    assert keys_by({"sort_by": "n", "sort_order": "DESC"}) == KEYS[::-1]
    assert keys_by({"sort_by": "o.a", "sort_order": "ASC"}) == KEYS
    assert keys_by(
        {"sort_by": "text", "sort_order": "ASC"}, {"sort_by": "n", "sort_order": "DESC"}
    ) == ["k6", "k5", "k4", "k3", "k2", "k1"]
    with pytest.raises(SortValidationError):
        filled.find({}, sort=[{"by": "n"}])


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        ({"lower": 2, "upper": 5}, ["k2", "k3", "k4"]),
        ({"lower": 0, "upper": 100}, KEYS),
        ({"lower": 3, "upper": 3}, []),
        ({"lower": 6, "upper": 7}, ["k6"]),
    ],
)
def test_find_in_range(filled: StandardCollection, arguments: Json, keys: list[str]) -> None:
    assert keys_of(filled.find_in_range("n", **arguments)) == keys


def test_pages_of_find_in_range(filled: StandardCollection) -> None:
    assert len(keys_of(filled.find_in_range("n", 2, 5, skip=1))) == 2
    assert len(keys_of(filled.find_in_range("n", 2, 5, limit=1))) == 1
    assert keys_of(filled.find_in_range("n", 2, 5, skip=3)) == []


def test_random(filled: StandardCollection) -> None:
    found = filled.random()
    assert isinstance(found, dict)
    assert found == filled.get(found["_key"])
    filled.truncate()
    assert filled.random() is None


@pytest.mark.filterwarnings("ignore:find_:DeprecationWarning")
@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.find_near(1, 1),
        lambda c: c.find_near(1, 1, limit=1),
        lambda c: c.find_in_radius(1, 1, 10),
        lambda c: c.find_in_radius(1, 1, 10, distance_field="d"),
        lambda c: c.find_in_box(1, 1, 2, 2),
        lambda c: c.find_by_text("text", "foo"),
    ],
)
def test_what_needs_an_index_to_search(
    filled: StandardCollection, ask: Callable[[StandardCollection], Any]
) -> None:
    filled.add_index({"type": "geo", "fields": ["loc"]})
    filled.add_index({"type": "fulltext", "fields": ["text"]})
    with pytest.raises(DocumentGetError) as refused:
        ask(filled)
    assert (refused.value.http_code, refused.value.error_code) == (501, 9)


# -- what collections send to write --------------------------------------------------------------


def test_update_match(filled: StandardCollection) -> None:
    assert filled.update_match({"text": "foo"}, {"m": 1}) == 3
    assert keys_of(filled.find({"m": 1})) == KEYS[:3]
    assert filled.update_match({"n": 1}, {"o": {"b": 2}, "m": None}, sync=True) == 1
    first = filled.get("k1")
    assert (first["o"], first["m"]) == ({"a": 1, "b": 2}, None)
    assert filled.update_match({"n": 1}, {"o": {"c": 3}, "m": None}, keep_none=False) == 1
    assert "m" not in filled.get("k1")
    assert filled.update_match({"n": 1}, {"o": {"d": 4}}, merge=False) == 1
    assert filled.get("k1")["o"] == {"d": 4}
    assert filled.update_match({"text": "bar"}, {"q": 1}, limit=2) == 2
    assert len(keys_of(filled.find({"q": 1}))) == 2
    assert filled.update_match({"text": "nothing"}, {"q": 1}) == 0


def test_replace_match(filled: StandardCollection) -> None:
    assert filled.replace_match({"text": "foo"}, {"m": 1}, sync=True) == 3
    assert set(filled.get("k2")) == {"_key", "_id", "_rev", "m"}
    assert filled.replace_match({"text": "bar"}, {"m": 2}, limit=1) == 1
    assert len(keys_of(filled.find({"text": "bar"}))) == 2
    assert filled.replace_match({"text": "nothing"}, {}) == 0


def test_delete_match(filled: StandardCollection) -> None:
    assert filled.delete_match({"text": "foo"}, sync=True) == 3
    assert sorted(filled.keys()) == KEYS[3:]
    assert filled.delete_match({"text": "bar"}, limit=1) == 1
    assert filled.count() == 2
    assert filled.delete_match({}) == 2
    assert filled.delete_match({}) == 0


def test_a_match_that_would_break_a_unique_index(filled: StandardCollection) -> None:
    filled.add_index({"type": "persistent", "fields": ["n"], "unique": True})
    for change, error in (
        (filled.update_match, DocumentUpdateError),
        (filled.replace_match, DocumentReplaceError),
    ):
        with pytest.raises(error) as refused:
            change({"text": "foo"}, {"n": 6})
        assert refused.value.error_code == 1210
    assert sorted(document["n"] for document in filled) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda c: c.keys(), DocumentKeysError),
        (lambda c: c.ids(), DocumentIDsError),
        (lambda c: c.all(), DocumentGetError),
        (lambda c: c.find({}), DocumentGetError),
        (lambda c: c.find_in_range("n", 0, 1), DocumentGetError),
        (lambda c: c.random(), DocumentGetError),
        (lambda c: c.update_match({}, {}), DocumentUpdateError),
        (lambda c: c.replace_match({}, {}), DocumentReplaceError),
        (list, DocumentGetError),
    ],
)
def test_queries_of_a_collection_that_is_not_there(
    db: StandardDatabase, ask: Callable[[StandardCollection], Any], error: type[ArangoServerError]
) -> None:
    with pytest.raises(error) as missing:
        ask(db.collection("nowhere"))
    assert (missing.value.http_code, missing.value.error_code) == (404, 1203)


# -- edges ---------------------------------------------------------------------------------------


def test_edges_of_a_vertex(db: StandardDatabase) -> None:
    """The client has no method for this outside graphs, but its edge collections need none."""
    stored = db.create_collection("e", edge=True)
    assert isinstance(stored, StandardCollection)
    stored.insert_many(
        [
            {"_key": "in", "_from": "v/1", "_to": "v/2"},
            {"_key": "out", "_from": "v/2", "_to": "v/3"},
            {"_key": "loop", "_from": "v/2", "_to": "v/2"},
            {"_key": "other", "_from": "v/1", "_to": "v/3"},
        ]
    )
    edges = EdgeCollection(db.conn, stored._executor, "no graph", "e")

    def found(**options: Any) -> list[str]:
        answer = edges.edges("v/2", **options)
        assert set(answer["stats"]) == {"filtered", "scanned_index"}
        return sorted(edge["_key"] for edge in answer["edges"])

    assert found() == ["in", "loop", "out"]
    assert found(direction="in") == ["in", "loop"]
    assert found(direction="out") == ["loop", "out"]
    assert edges.edges({"_id": "v/9"})["edges"] == []
    db.create_collection("v")
    for name, expected in (("nowhere", (404, 1203)), ("v", (400, 1218))):
        with pytest.raises(EdgeListError) as refused:
            EdgeCollection(db.conn, stored._executor, "no graph", name).edges("v/2")
        assert (refused.value.http_code, refused.value.error_code) == expected


# -- execute and cursors -------------------------------------------------------------------------


def test_a_cursor_batch_by_batch(db: StandardDatabase, filled: StandardCollection) -> None:
    cursor = db.aql.execute(
        "FOR d IN @@c SORT d.n RETURN d", bind_vars={"@c": "c"}, count=True, batch_size=2, ttl=1000
    )
    assert isinstance(cursor, Cursor)
    assert cursor.id is not None
    assert (cursor.type, cursor.has_more(), cursor.cached()) == ("cursor", True, False)
    assert (cursor.count(), len(cursor), cursor.empty()) == (6, 6, False)
    assert [document["n"] for document in cursor.batch() or ()] == [1, 2]
    assert cursor.warnings() == []
    statistics = cursor.statistics()
    assert statistics is not None
    assert (statistics["modified"], statistics["ignored"], statistics["filtered"]) == (0, 0, 0)
    assert statistics["scanned_full"] == 6
    assert statistics["execution_time"] > 0
    first = cursor.id
    assert [cursor.next()["n"] for _ in range(2)] == [1, 2]
    assert cursor.empty()
    with pytest.raises(CursorEmptyError):
        cursor.pop()
    assert set(cursor.fetch()) >= {"id", "has_more", "batch", "cached", "count"}
    assert cursor.id == first
    assert [cursor.pop()["n"] for _ in range(2)] == [3, 4]
    assert [document["n"] for document in cursor] == [5, 6]
    assert (cursor.has_more(), cursor.empty()) == (False, True)
    with pytest.raises(StopIteration):
        cursor.next()
    assert cursor.close(ignore_missing=True) is False


def test_a_cursor_is_closed(db: StandardDatabase, filled: StandardCollection) -> None:
    cursor = db.aql.execute("FOR d IN c RETURN d._key", batch_size=1)
    assert isinstance(cursor, Cursor)
    with pytest.raises(CursorCountError):
        len(cursor)
    with cursor as entered:
        assert entered is cursor
    for act, error in ((cursor.fetch, CursorNextError), (cursor.close, CursorCloseError)):
        with pytest.raises(error) as missing:
            act()
        assert (missing.value.http_code, missing.value.error_code) == (404, 1600)
    assert cursor.close(ignore_missing=True) is False
    short = db.aql.execute("FOR d IN c RETURN d._key")
    assert isinstance(short, Cursor)
    assert (short.id, short.close()) == (None, None)
    with pytest.raises(CursorStateError):
        short.fetch()


def test_a_cursor_belongs_to_a_user_and_a_database(
    client: ArangoClient,
    system: StandardDatabase,
    db: StandardDatabase,
    filled: StandardCollection,
) -> None:
    system.create_user("other", "pw")
    system.update_permission("other", "rw", db.name)
    cursor = db.aql.execute("FOR d IN c RETURN d", batch_size=1)
    assert isinstance(cursor, Cursor)
    for stranger in (client.db(db.name, "other", "pw"), system):
        with pytest.raises(CursorNextError) as missing:
            Cursor(stranger.conn, {"id": cursor.id, "hasMore": True, "result": []}).fetch()
        assert missing.value.error_code == 1600
    assert len(list(cursor)) == 6
    assert system.delete_user("other")


def test_a_cursor_that_may_be_read_twice(db: StandardDatabase, filled: StandardCollection) -> None:
    query = "FOR d IN c SORT d.n RETURN d.n"
    cursor = db.aql.execute(query, batch_size=2, allow_retry=True)
    assert isinstance(cursor, Cursor)
    assert list(cursor) == [1, 2, 3, 4, 5, 6]
    assert cursor.close() is True


def test_options_of_execute(db: StandardDatabase, filled: StandardCollection) -> None:
    """Those that mean nothing here are taken and change nothing."""
    cursor = db.aql.execute(
        "FOR d IN c FILTER d.text == @text SORT d.n DESC RETURN d.n",
        bind_vars={"text": "foo"},
        count=True,
        full_count=True,
        max_plans=10,
        optimizer_rules=["+all"],
        cache=True,
        memory_limit=1_000_000,
        fail_on_warning=False,
        max_transaction_size=100_000,
        max_warning_count=10,
        intermediate_commit_count=100,
        intermediate_commit_size=1000,
        satellite_sync_wait=False,
        stream=False,
        skip_inaccessible_cols=True,
        max_runtime=10.0,
        fill_block_cache=False,
        allow_dirty_read=True,
        use_plan_cache=False,
    )
    assert isinstance(cursor, Cursor)
    assert (list(cursor), cursor.count()) == ([3, 2, 1], 3)


def test_the_full_count_of_a_page(db: StandardDatabase, filled: StandardCollection) -> None:
    with pytest.raises(AQLQueryExecuteError) as refused:
        db.aql.execute("FOR d IN c LIMIT 1 RETURN d", full_count=True)
    assert (refused.value.http_code, refused.value.error_code) == (501, 9)


def test_a_query_that_writes(db: StandardDatabase, filled: StandardCollection) -> None:
    cursor = db.aql.execute(
        "FOR d IN c FILTER d.n == @first OR d.n == @second "
        "UPDATE {_key: d._key, m: @value} IN c RETURN NEW",
        bind_vars={"first": 1, "second": 2, "value": 42},
        count=True,
        batch_size=1,
    )
    assert isinstance(cursor, Cursor)
    assert (cursor.statistics() or {})["modified"] == cursor.count() == 2
    assert [document["m"] for document in cursor] == [42, 42]
    inserted = db.aql.execute("INSERT {_key: 'new'} INTO c RETURN NEW._key")
    assert list(inserted) == ["new"]
    removed = db.aql.execute("FOR d IN c REMOVE d IN c RETURN OLD._key")
    assert sorted(removed) == [*KEYS, "new"]


@pytest.mark.parametrize(
    ("query", "binds", "status", "number"),
    [
        ("", {}, 400, 1502),
        ("THIS IS WRONG", {}, 400, 1501),
        ("FOR d IN c FILTER", {}, 400, 1501),
        ("FOR d IN nowhere RETURN d", {}, 404, 1203),
        ("FOR d IN @@c RETURN d", {}, 400, 1551),
        ("FOR d IN c RETURN d", {"unused": 1}, 400, 1552),
        ("FOR d IN c COLLECT t = d.text RETURN t", {}, 501, 9),
        ("FOR v IN 1..2 OUTBOUND 'c/k1' e RETURN v", {}, 501, 9),
        ("RETURN SLEEP(1)", {}, 501, 9),
        ("FOR a IN c FOR b IN c RETURN [a, b]", {}, 501, 9),
    ],
)
def test_queries_that_are_refused(
    db: StandardDatabase,
    filled: StandardCollection,
    query: str,
    binds: Json,
    status: int,
    number: int,
) -> None:
    with pytest.raises(AQLQueryExecuteError) as refused:
        db.aql.execute(query, bind_vars=binds)
    assert (refused.value.http_code, refused.value.error_code) == (status, number)


def test_who_may_not_read_may_not_ask(
    client: ArangoClient,
    system: StandardDatabase,
    db: StandardDatabase,
    filled: StandardCollection,
) -> None:
    system.create_user("reader", "pw")
    system.update_permission("reader", "ro", db.name)
    reader = client.db(db.name, "reader", "pw")
    assert sorted(reader.collection("c").keys()) == KEYS
    with pytest.raises(DocumentUpdateError) as refused:
        reader.collection("c").update_match({}, {"m": 1})
    assert (refused.value.http_code, refused.value.error_code) in ((403, 11), (403, 1004))
    system.update_permission("reader", "none", db.name, "c")
    with pytest.raises(DocumentKeysError) as hidden:
        reader.collection("c").keys()
    assert (hidden.value.http_code, hidden.value.error_code) == (403, 11)
    assert system.delete_user("reader")
    assert client.db(db.name, "root", ROOT_PASSWORD).collection("c").count() == 6
