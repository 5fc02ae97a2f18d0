"""`/_api/cursor` (data-api 9.2, 9.3): batches, life of cursors, writes by query, rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.queries import batches, rows, send
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.clock import ManualClock
from arangorep.codec import velocypack
from arangorep.config import Config
from arangorep.rest.context import Services
from arangorep.storage.integrity import findings

ALL = "FOR d IN c RETURN d"
NUMBERS = "FOR d IN c RETURN d.n"
VELOCYPACK = "application/x-velocypack"
UNKNOWN = (404, 1600)


@pytest.fixture
def c(api: Api) -> Api:
    """A collection `c` of ten documents, in the order of their `n`."""
    api.create_collection("c")
    api.insert("c", [{"_key": f"k{n}", "n": n, "odd": n % 2 == 1} for n in range(10)])
    return api


@pytest.fixture
def services(server: ServerThread) -> Services:
    """Only to be touched inside `server.call`."""
    return server.server.node.services


def first(api: Api, text: str = NUMBERS, **members: Any) -> dict[str, Any]:
    """The answer of a query that must succeed."""
    response = send(api, text, **members)
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def more(api: Api, cursor: str, batch: str = "") -> requests.Response:
    return api.post(f"/_api/cursor/{cursor}" + (f"/{batch}" if batch else ""))


def begin(api: Api, *write: str) -> dict[str, str]:
    """Begin a stream transaction; returns the header of those who take part."""
    response = api.post("/_api/transaction/begin", {"collections": {"write": list(write)}})
    assert response.status_code == 201, response.text
    return {"x-arango-trx-id": response.json()["result"]["id"]}


def commit(api: Api, transaction: dict[str, str]) -> None:
    response = api.put(f"/_api/transaction/{transaction['x-arango-trx-id']}")
    assert response.status_code == 200, response.text


# -- batches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 7])
def test_has_more_is_exact(api: Api, count: int) -> None:
    api.create_collection("c")
    if count:
        api.insert("c", [{"n": n} for n in range(count)])
    for size in range(1, count + 2):
        expected = [list(range(count))[at : at + size] for at in range(0, count, size)] or [[]]
        for text in (
            NUMBERS,
            "FOR d IN c FILTER d.n >= 0 RETURN d.n",
            "FOR d IN c SORT d.n RETURN d.n",
        ):
            for counts in (False, True):
                assert batches(api, text, batchSize=size, count=counts) == expected, (text, size)


def test_the_first_answer(c: Api) -> None:
    answer = first(c, ALL, count=True, batchSize=4)
    assert (answer["hasMore"], answer["count"], answer["cached"]) == (True, 10, False)
    assert (answer["error"], answer["code"]) == (False, 201)
    assert answer["id"].isdigit()
    assert answer["nextBatchId"] == "2"
    assert answer["result"][0] == c.get("/_api/document/c/k0").json()
    assert answer["extra"]["warnings"] == []
    assert set(answer["extra"]["stats"]) == {
        "writesExecuted", "writesIgnored", "documentLookups", "seeks", "scannedFull",
        "scannedIndex", "searchParallelism", "cursorsCreated", "cursorsRearmed", "cacheHits",
        "cacheMisses", "filtered", "httpRequests", "executionTime", "peakMemoryUsage",
        "intermediateCommits",
    }  # fmt: skip
    following = more(c, answer["id"]).json()
    assert (following["code"], following["count"], following["id"]) == (200, 10, answer["id"])
    last = c.put(f"/_api/cursor/{answer['id']}").json()
    assert (last["hasMore"], len(last["result"]), "id" in last) == (False, 2, False)
    assert error_of(more(c, answer["id"])) == UNKNOWN


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (ALL, 10),
        ("FOR d IN c LIMIT 3 RETURN d", 3),
        ("FOR d IN c LIMIT 8, 5 RETURN d", 2),
        ("FOR d IN c LIMIT 20, 5 RETURN d", 0),
        ("FOR d IN c LIMIT 2, null RETURN d", 8),
        ("FOR d IN c LIMIT 1, 8 LIMIT 1, 2 RETURN d", 2),
        ("FOR d IN c LIMIT 0 RETURN d", 0),
        ("FOR d IN c FILTER d.odd RETURN d", 5),
        ("FOR d IN c RETURN DISTINCT d.odd", 2),
        ("FOR d IN c COLLECT WITH COUNT INTO n RETURN n", 1),
        ("RETURN 1", 1),
        ("FOR n IN [] RETURN n", 0),
        ("FOR d IN c FILTER d.n < 3 REMOVE d IN c RETURN OLD._key", 3),
        ("FOR d IN c REMOVE d IN c", 0),
    ],
)
def test_count(c: Api, text: str, count: int) -> None:
    answer = first(c, text, count=True, batchSize=2)
    assert answer["count"] == count
    assert len(answer["result"]) == min(count, 2)
    assert "count" not in first(c, "RETURN 1", count="yes")


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"batchSize": 0}, (400, 10)),
        ({"batchSize": -1}, (400, 10)),
        ({"batchSize": "1"}, (400, 10)),
        ({"batchSize": True}, (400, 10)),
        ({"bindVars": []}, (400, 10)),
        ({"bindVars": {"x": 1}}, (400, 1552)),
        ({"query": ""}, (400, 1502)),
        ({"query": " \n"}, (400, 1502)),
        ({"query": None}, (400, 1502)),
        ({"query": 7}, (400, 1502)),
        ({"query": "RETURN"}, (400, 1501)),
        ({"query": "FOR d IN c"}, (400, 1501)),
        ({"query": "RETURN @x"}, (400, 1551)),
        ({"query": "FOR d IN @@x RETURN d"}, (400, 1551)),
        ({"query": "FOR d IN @@x RETURN d", "bindVars": {"@x": 1}}, (400, 1553)),
        ({"query": "FOR d IN nope RETURN d"}, (404, 1203)),
        ({"query": "FOR d IN c INSERT d INTO nope"}, (404, 1203)),
        ({"query": "FOR d IN 5 RETURN d"}, (400, 17)),
        ({"query": "FOR d IN c LIMIT -1 RETURN d"}, (400, 1501)),
        ({"query": "FOR a IN c FOR b IN c RETURN 1"}, (501, 9)),
        ({"query": "FOR d IN NEAR(@a) RETURN d", "bindVars": {"a": 1}}, (501, 9)),
        ({"query": "FOR d IN c LIMIT 1 RETURN d", "options": {"fullCount": True}}, (501, 9)),
    ],
)  # fmt: skip
def test_what_is_refused(c: Api, members: dict[str, Any], error: tuple[int, int]) -> None:
    response = c.post("/_api/cursor", {"query": "RETURN 1", **members})
    assert error_of(response) == error


def test_bodies_that_are_none(c: Api) -> None:
    for body in (None, "[]", '"RETURN 1"', "null", "{}"):
        assert error_of(c.post("/_api/cursor", body)) == (400, 1502), body
    assert error_of(c.post("/_api/cursor", "{")) == (400, 600)


@pytest.mark.parametrize(
    ("method", "path", "error"),
    [
        ("GET", "", (405, 405)),
        ("GET", "/1", (405, 405)),
        ("PATCH", "/1", (405, 405)),
        ("PUT", "", (400, 400)),
        ("DELETE", "", (400, 400)),
        ("PUT", "/1/2", (400, 400)),
        ("POST", "/1/2/3", (400, 400)),
        ("DELETE", "/1/2", (400, 400)),
        ("POST", "/1", UNKNOWN),
        ("POST", "/x", UNKNOWN),
        ("POST", "/-1", UNKNOWN),
        ("POST", "/%C2%B2", UNKNOWN),
        ("POST", "/1/2", UNKNOWN),
        ("DELETE", "/1", UNKNOWN),
        ("DELETE", "/99999999999999999999999", UNKNOWN),
    ],
)
def test_paths_and_methods(c: Api, method: str, path: str, error: tuple[int, int]) -> None:
    assert error_of(c.request(method, "/_api/cursor" + path)) == error


def test_warnings_come_with_every_batch(c: Api) -> None:
    answer = first(c, "FOR d IN c RETURN 1 / d.n", batchSize=5)
    assert answer["result"][:2] == [None, 1]
    assert [warning["code"] for warning in answer["extra"]["warnings"]] == [1562]
    assert more(c, answer["id"]).json()["extra"]["warnings"] == answer["extra"]["warnings"]


# -- what drivers send (data-api 9.3) --------------------------------------------------------------

DRIVER_QUERIES = [
    ("FOR doc IN @@collection RETURN doc._id", {}, [f"c/k{n}" for n in range(10)]),
    ("FOR doc IN @@collection RETURN doc._key", {}, [f"k{n}" for n in range(10)]),
    ("FOR doc IN @@collection\n LIMIT 0, null\n RETURN doc._key", {}, [f"k{n}" for n in range(10)]),
    ("FOR doc IN @@collection LIMIT 7, 2 RETURN doc.n", {}, [7, 8]),
    (
        "FOR doc IN @@collection\n  FILTER doc[@filter_field_0] == @filter_value_0 AND "
        "doc[@filter_field_1] == @filter_value_1\n LIMIT 0, null\n RETURN doc.n",
        {"filter_field_0": "odd", "filter_value_0": True,
         "filter_field_1": "n", "filter_value_1": 3},
        [3],
    ),
    (
        "FOR doc IN @@collection FILTER (HAS(doc, @filter_field_0) ? doc[@filter_field_0] : "
        "doc[@filter_field_0_0][@filter_field_0_1]) == @filter_value_0 LIMIT 0, null RETURN doc",
        {"filter_field_0": "a.b", "filter_field_0_0": "a", "filter_field_0_1": "b",
         "filter_value_0": 1},
        [],
    ),
    (
        "FOR doc IN @@collection LIMIT 2, 3 SORT doc[@sort_field_0] DESC RETURN doc.n",
        {"sort_field_0": "n"},
        [4, 3, 2],
    ),
    (
        "FOR doc IN @@collection SORT doc[@sort_field_0] ASC, doc[@sort_field_1] DESC RETURN doc.n",
        {"sort_field_0": "odd", "sort_field_1": "n"},
        [8, 6, 4, 2, 0, 9, 7, 5, 3, 1],
    ),
    ("FOR doc IN @@collection FILTER doc.`n` == 4 LIMIT 0, 10 RETURN doc.n", {}, [4]),
    ("FOR doc IN @@collection FILTER doc.a.b == null LIMIT 0, 1 RETURN doc.n", {}, [0]),
    (
        "FOR doc IN @@collection FILTER doc.@field >= @lower && doc.@field < @upper "
        "LIMIT @skip, @limit RETURN doc.n",
        {"field": "n", "lower": 3, "upper": 6, "skip": 0, "limit": 2147483647},
        [3, 4, 5],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("text", "binds", "expected"), DRIVER_QUERIES)
def test_fixed_strings(c: Api, text: str, binds: dict[str, Any], expected: list[Any]) -> None:
    assert rows(c, text, {"@collection": "c", **binds}) == expected
    packed = c.request(
        "POST",
        "/_api/cursor",
        velocypack.encode({"query": text, "bindVars": {"@collection": "c", **binds}}),
        headers={"Accept": VELOCYPACK, "Content-Type": VELOCYPACK},
    )
    assert velocypack.decode(packed.content)["result"] == expected


def test_random(c: Api) -> None:
    text = "FOR doc IN @@collection SORT RAND() LIMIT 1 RETURN doc.n"
    assert rows(c, text, {"@collection": "c"})[0] in range(10)


@pytest.mark.parametrize(
    "text",
    [
        "FOR doc IN NEAR(@collection, @latitude, @longitude) RETURN doc",
        "FOR doc IN WITHIN(@@collection, @latitude, @longitude, @radius) RETURN doc",
        "FOR doc IN FULLTEXT(@collection, @field, @query) RETURN doc",
        "LET rect = GEO_POLYGON([]) FOR d IN @@collection FILTER GEO_CONTAINS(rect, 1) RETURN d",
    ],
)
def test_what_needs_other_indexes(c: Api, text: str) -> None:
    assert error_of(send(c, text)) == (501, 9)


@pytest.mark.parametrize(
    ("keep_none", "merge", "after"),
    [
        (True, True, {"x": None, "o": {"a": 1, "b": 2}}),
        (False, True, {"o": {"a": 1, "b": 2}}),
        (True, False, {"x": None, "o": {"b": 2}}),
    ],
)
def test_update_match(c: Api, keep_none: bool, merge: bool, after: dict[str, Any]) -> None:
    c.put("/_api/document/c/k3", {"n": 3, "x": 1, "o": {"a": 1}})
    answer = first(
        c,
        "FOR doc IN @@collection FILTER doc[@filter_field_0] == @filter_value_0 LIMIT 5 "
        "UPDATE doc WITH @body IN @@collection "
        "OPTIONS { keepNull: @keep_none, mergeObjects: @merge, waitForSync: True }",
        bindVars={
            "@collection": "c", "filter_field_0": "n", "filter_value_0": 3, "merge": merge,
            "body": {"x": None, "o": {"b": 2}}, "keep_none": keep_none,
        },
    )  # fmt: skip
    assert (answer["extra"]["stats"]["writesExecuted"], answer["result"]) == (1, [])
    document = c.get("/_api/document/c/k3").json()
    assert {k: v for k, v in document.items() if k[0] != "_"} == {"n": 3, **after}


def test_replace_match_and_delete_match(c: Api) -> None:
    binds = {"@collection": "c", "f": "odd", "v": True}
    text = (
        "FOR doc IN @@collection FILTER doc[@f] == @v LIMIT 2 "
        "REPLACE doc WITH @body IN @@collection OPTIONS { waitForSync: True }"
    )
    answer = first(c, text, bindVars={**binds, "body": {"r": 1}})
    assert answer["extra"]["stats"]["writesExecuted"] == 2
    assert rows(c, "FOR d IN c FILTER d.r == 1 RETURN UNSET(d, '_rev', '_id')") == [
        {"_key": "k1", "r": 1}, {"_key": "k3", "r": 1}
    ]  # fmt: skip
    text = "FOR doc IN @@collection FILTER doc[@f] == @v REMOVE doc IN @@collection"
    assert first(c, text, bindVars=binds)["extra"]["stats"]["writesExecuted"] == 3
    assert sorted(rows(c, "FOR d IN c RETURN d._key")) == ["k0", "k1", "k2", "k3", "k4", "k6", "k8"]


# -- life of a cursor ------------------------------------------------------------------------------


def test_delete(c: Api, server: ServerThread, services: Services) -> None:
    before = server.call(lambda: len(services.cursors))
    cursor = first(c, batchSize=2)["id"]
    response = c.delete(f"/_api/cursor/{cursor}")
    assert (response.status_code, response.json()) == (
        202, {"id": cursor, "error": False, "code": 202}
    )  # fmt: skip
    assert error_of(c.delete(f"/_api/cursor/{cursor}")) == UNKNOWN
    assert error_of(more(c, cursor)) == UNKNOWN
    assert server.call(lambda: len(services.cursors)) == before


def test_ttl(manual: tuple[ServerThread, ManualClock]) -> None:
    server, clock = manual
    with server.fresh_database() as api:
        api.create_collection("c")
        api.insert("c", [{"n": n} for n in range(5)])
        cursor = first(api, batchSize=1, ttl=10)["id"]
        for _ in range(3):
            clock.advance_s(9)
            assert more(api, cursor).status_code == 200
        clock.advance_s(10)
        assert error_of(more(api, cursor)) == UNKNOWN
        swept, default = first(api, batchSize=1, ttl=10)["id"], first(api, batchSize=1)["id"]
        clock.advance_s(29)
        cursors = server.server.node.services.cursors
        server.call(cursors.sweep)
        assert server.call(lambda: len(cursors)) == 1
        assert error_of(more(api, swept)) == UNKNOWN
        assert more(api, default).status_code == 200
        for ttl in (0, -5, "x", None):
            cursor = first(api, batchSize=1, ttl=ttl)["id"]
            clock.advance_s(29)
            assert more(api, cursor).status_code == 200, ttl


def test_a_ttl_beyond_all_time(c: Api) -> None:
    assert send(c, NUMBERS, batchSize=1, ttl=1e308).status_code in (201, 400)


def test_retry(c: Api) -> None:
    answer = first(c, batchSize=4, options={"allowRetry": True})
    cursor = answer["id"]
    assert (answer["result"], answer["nextBatchId"]) == ([0, 1, 2, 3], "2")
    for _ in range(3):
        second = more(c, cursor, "2").json()
        assert (second["result"], second["nextBatchId"]) == ([4, 5, 6, 7], "3")
    for _ in range(2):
        third = more(c, cursor, "3").json()
        assert (third["result"], third["hasMore"]) == ([8, 9], False)
        assert "nextBatchId" not in third
    assert c.delete(f"/_api/cursor/{cursor}").status_code == 202


def test_a_batch_number_without_retry(c: Api) -> None:
    cursor = first(c, batchSize=4)["id"]
    assert more(c, cursor, "2").json()["result"] == [4, 5, 6, 7]
    assert error_of(more(c, cursor, "2")) == (400, 400)


@pytest.mark.parametrize("number", ["0", "3", "9"])
def test_a_wrong_batch_number_does_no_harm(c: Api, number: str) -> None:
    cursor = first(c, batchSize=4, options={"allowRetry": True})["id"]
    assert error_of(more(c, cursor, number)) == UNKNOWN
    assert more(c, cursor, "2").status_code == 200


def test_a_single_batch_is_not_kept(c: Api, server: ServerThread, services: Services) -> None:
    before = server.call(lambda: len(services.cursors))
    answer = first(c, "RETURN 1", options={"allowRetry": True})
    assert "id" in answer or server.call(lambda: len(services.cursors)) == before


def test_cursors_of_other_databases(c: Api, server: ServerThread) -> None:
    cursor = first(c, batchSize=2)["id"]
    with server.fresh_database() as other:
        assert error_of(more(other, cursor)) == UNKNOWN
        assert error_of(other.delete(f"/_api/cursor/{cursor}")) == UNKNOWN
    assert more(c, cursor).status_code == 200


def test_a_cursor_ends_with_its_database(server: ServerThread, system: Api) -> None:
    with server.fresh_database("gone") as api:
        api.create_collection("c")
        api.insert("c", [{"n": n} for n in range(5)])
        cursor = first(api, batchSize=1)["id"]
        assert system.delete("/_api/database/gone").status_code == 200
        assert error_of(more(api, cursor)) == (404, 1228)
        assert system.post("/_api/database", {"name": "gone"}).status_code == 201
        assert error_of(more(api, cursor)) == UNKNOWN


def test_one_reader_at_a_time(c: Api, server: ServerThread, services: Services) -> None:
    cursor = first(c, batchSize=2)["id"]

    def occupy(is_busy: bool) -> Callable[[], None]:
        found = services.cursors._cursors[int(cursor)]
        return lambda: setattr(found, "is_busy", is_busy)

    server.call(occupy(True))
    assert error_of(more(c, cursor)) == (409, 1601)
    assert error_of(c.delete(f"/_api/cursor/{cursor}")) == (409, 1601)
    server.call(occupy(False))
    assert more(c, cursor).json()["result"] == [2, 3]


def test_too_many(
    c: Api, server: ServerThread, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = server.call(lambda: len(services.cursors)) + 2
    monkeypatch.setattr("arangorep.rest.cursor_registry.CURSORS_MAX", most)
    cursors = [first(c, batchSize=2)["id"] for _ in range(2)]
    assert error_of(send(c, NUMBERS, batchSize=2)) == (400, 32)
    for cursor in cursors:
        assert c.delete(f"/_api/cursor/{cursor}").status_code == 202
    assert send(c, NUMBERS, batchSize=2).status_code == 201


def test_results_are_of_one_moment(c: Api) -> None:
    answer = first(c, "FOR d IN c RETURN [d._key, d.n]", batchSize=1, count=True)
    c.patch("/_api/document/c/k5", {"n": 500})
    c.delete("/_api/document/c/k6")
    c.insert("c", {"_key": "late"})
    found = answer["result"]
    while answer["hasMore"]:
        answer = more(c, answer["id"]).json()
        assert answer["count"] == 10
        found += answer["result"]
    assert found == [[f"k{n}", n] for n in range(10)]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/_api/collection/c/truncate", None),
        ("DELETE", "/_api/collection/c", None),
        ("PUT", "/_api/collection/c/rename", {"name": "other"}),
    ],
)
def test_results_outlive_their_collection(api: Api, method: str, path: str, body: Any) -> None:
    """Many blocks, so that most are read after the collection is gone."""
    api.create_collection("c")
    api.insert("c", [{"_key": f"{n}", "t": "x" * 1000} for n in range(3000)])
    answer = first(api, "FOR d IN c RETURN d._key", batchSize=100)
    assert api.request(method, path, body).status_code == 200
    found = answer["result"]
    while answer["hasMore"]:
        answer = more(api, answer["id"]).json()
        found += answer["result"]
    assert found == [str(n) for n in range(3000)]


def test_a_renamed_collection_shows_its_name(c: Api) -> None:
    c.put("/_api/collection/c/rename", {"name": "other"})
    expected = [f"other/k{n}" for n in range(10)]
    assert rows(c, "FOR d IN other RETURN d._id") == expected
    assert [d["_id"] for d in rows(c, "FOR d IN other RETURN d")] == expected
    changed = rows(c, "FOR d IN other LIMIT 1 UPDATE d WITH {x: 1} IN other RETURN [OLD, NEW]")
    assert [one["_id"] for one in changed[0]] == ["other/k0"] * 2
    assert rows(c, "FOR d IN other FILTER d._id == 'other/k0' RETURN d.x") == [1]


def test_what_must_be_held_is_bounded(c: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arangorep.rest.queries.QUERY_RESULT_BYTES_MAX", 100)
    text = "FOR d IN c FILTER d.n >= 0 RETURN d"
    assert error_of(send(c, text, count=True)) == (400, 32)
    assert len(rows(c, text, batchSize=1)) == 10
    assert error_of(send(c, "FOR d IN c UPDATE d WITH {x: 1} IN c RETURN NEW")) == (400, 32)
    assert rows(c, "FOR d IN c FILTER d.x == 1 RETURN 1") == []


def test_a_batch_is_bounded(c: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arangorep.rest.cursor_registry.CURSOR_BATCH_BYTES_MAX", 100)
    answer = first(c, "FOR d IN c RETURN d", batchSize=10**9)
    found = list(answer["result"])
    assert 1 <= len(found) < 5
    while answer["hasMore"]:
        answer = more(c, answer["id"]).json()
        found += answer["result"]
    assert len(found) == len({d["_key"] for d in found}) == 10


def test_a_failure_between_batches_ends_the_cursor(c: Api) -> None:
    text = "FOR d IN c LET x = d.n == 5 ? 1..1000000000 : 1 RETURN x"
    answer = first(c, text, batchSize=2)
    assert more(c, answer["id"]).json()["result"] == [1, 1]
    assert error_of(more(c, answer["id"])) == (400, 32)
    assert error_of(more(c, answer["id"])) == UNKNOWN


def test_a_stop_with_open_cursors(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0)
    with ServerThread(config) as server, Api(server.url, "_system") as api:
        api.create_collection("c")
        api.insert("c", [{"n": n} for n in range(1000)])
        for _ in range(3):
            cursor = first(api, batchSize=10)["id"]
    with ServerThread(config) as server, Api(server.url, "_system") as api:
        assert error_of(more(api, cursor)) == UNKNOWN
        assert rows(api, NUMBERS) == list(range(1000))
        assert server.call(lambda: findings(server.server.node.store)) == []


# -- writing ---------------------------------------------------------------------------------------


def test_the_changes_of_a_query_are_one_transaction(c: Api) -> None:
    tick = c.get("/_api/wal/lastTick").json()["tick"]
    first(c, "FOR d IN c FILTER d.n < 3 UPDATE d WITH {x: 1} IN c")
    markers = c.tail(tick)
    assert [marker["type"] for marker in markers] == [2200, 2300, 2300, 2300, 2201]
    assert len({marker["tid"] for marker in markers}) == 1
    tick = c.get("/_api/wal/lastTick").json()["tick"]
    first(c, "FOR d IN c FILTER d.n > 100 REMOVE d IN c")
    assert c.tail(tick) == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("FOR k IN ['a', 'b', 'k1'] INSERT {_key: k} INTO c", (409, 1210)),
        ("FOR k IN ['a', 'b', '/'] INSERT {_key: k} INTO c", (400, 1221)),
        ("FOR k IN [{}, 5] INSERT k INTO c", (400, 1227)),
        ("FOR k IN ['k1', 'k2', 'no'] UPDATE k WITH {x: 1} IN c", (404, 1202)),
        ("FOR k IN ['k1', null] UPDATE k WITH {x: 1} IN c", (400, 1205)),
        ("FOR k IN ['k1', 'k2', 'no'] REPLACE k WITH {} IN c", (404, 1202)),
        ("FOR k IN [1, 2] REPLACE CONCAT('k', k) WITH (k == 1 ? {} : 5) IN c", (400, 1227)),
        ("FOR k IN ['k1', 'k1'] REMOVE k IN c", (404, 1202)),
        ("FOR k IN ['k1', 5] REMOVE k IN c", (400, 1205)),
        ("FOR d IN c INSERT {a: d.n < 9 ? d.n : 1..1000000000} INTO c", (400, 32)),
    ],
)
def test_a_failing_document_leaves_nothing(c: Api, text: str, error: tuple[int, int]) -> None:
    before, tick = rows(c, ALL), c.get("/_api/wal/lastTick").json()["tick"]
    assert error_of(send(c, text)) == error
    assert rows(c, ALL) == before
    assert c.tail(tick) == []


def test_ignored_errors(c: Api) -> None:
    text = (
        "FOR k IN ['a', 'k1', 'b', '/'] INSERT {_key: k} INTO c "
        "OPTIONS {ignoreErrors: true} RETURN NEW._key"
    )
    answer = first(c, text)
    assert answer["result"] == ["a", "b"]
    stats = answer["extra"]["stats"]
    assert (stats["writesExecuted"], stats["writesIgnored"]) == (2, 2)
    assert error_of(send(c, text.replace("true", "1"))) == (409, 1210)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INSERT {_key: 'new', a: 1} INTO c RETURN [OLD, NEW.a]", [None, 1]),
        ("INSERT {_key: 'k1', a: 1} INTO c OPTIONS {overwriteMode: 'update'} "
         "RETURN [OLD.n, OLD.a, NEW.n, NEW.a]", [1, None, 1, 1]),
        ("INSERT {_key: 'k1', a: 1} INTO c OPTIONS {overwrite: true} RETURN [OLD.n, NEW.n]",
         [1, None]),
        ("INSERT {_key: 'k1', a: 1} INTO c OPTIONS {overwriteMode: 'ignore'} RETURN NEW", None),
        ("UPDATE 'k1' WITH {a: 1} IN c RETURN [OLD.a, NEW.a, NEW.n]", [None, 1, 1]),
        ("UPDATE {_key: 'k1', a: 1} IN c RETURN [NEW._key, NEW.a, NEW.n]", ["k1", 1, 1]),
        ("REPLACE 'k1' WITH {a: 1} IN c RETURN [OLD.n, NEW.n, NEW.a]", [1, None, 1]),
        ("REMOVE 'k1' IN c RETURN OLD.n", 1),
        ("REMOVE {_key: 'k1'} IN c RETURN OLD._id", "c/k1"),
        ("FOR d IN c FILTER d.n == 1 LET x = d.n + 1 UPDATE d WITH {x} IN c "
         "RETURN [d.n, x, NEW.x]", [1, 2, 2]),
        ("FOR d IN c LIMIT 1 UPDATE d WITH {_key: 'other', _id: 'a/b', _rev: 'x', a: 1} IN c "
         "RETURN [NEW._key, NEW.a]", ["k0", 1]),
    ],
)  # fmt: skip
def test_old_and_new(c: Api, text: str, expected: Any) -> None:
    assert rows(c, text) == [expected]


def test_a_query_sees_what_was_before_it(c: Api) -> None:
    first(c, "FOR d IN c INSERT {n: d.n + 100} INTO c")
    assert len(rows(c, ALL)) == 20
    first(c, "FOR i IN 1..3 UPDATE 'k1' WITH {n: i} IN c")
    assert c.get("/_api/document/c/k1").json()["n"] == 3


def test_revisions_of_the_document_itself(c: Api) -> None:
    old = c.get("/_api/document/c/k1").json()["_rev"]
    c.patch("/_api/document/c/k1", {"n": 5})
    for text in (
        "UPDATE {_key: 'k1', _rev: @r, x: 1} IN c OPTIONS {ignoreRevs: false}",
        "REPLACE {_key: 'k1', _rev: @r, x: 1} IN c OPTIONS {ignoreRevs: false}",
        "REMOVE {_key: 'k1', _rev: @r} IN c OPTIONS {ignoreRevs: false}",
    ):
        assert error_of(send(c, text, {"r": old})) == (409, 1200)
        assert c.get("/_api/document/c/k1").json()["n"] == 5


@pytest.mark.parametrize("word", ["UPDATE", "REPLACE"])
def test_revisions_before_with(c: Api, word: str) -> None:
    old = c.get("/_api/document/c/k1").json()["_rev"]
    c.patch("/_api/document/c/k1", {"n": 5})
    text = word + " {_key: 'k1', _rev: @r} WITH {x: 1} IN c OPTIONS {ignoreRevs: false}"
    assert error_of(send(c, text, {"r": old})) == (409, 1200)


def test_edges(api: Api) -> None:
    api.create_collection("v")
    api.insert("v", [{"_key": str(n)} for n in range(3)])
    api.create_collection("e", type=3)
    first(api, "FOR d IN v INSERT {_from: d._id, _to: 'v/0'} INTO e")
    assert rows(api, "FOR d IN e RETURN d._from") == ["v/0", "v/1", "v/2"]
    assert error_of(send(api, "INSERT {_from: 'v/0'} INTO e")) == (400, 1233)
    assert error_of(send(api, "FOR d IN e REPLACE d WITH {x: 1} IN e")) == (400, 1233)
    assert len(rows(api, "FOR d IN e REPLACE d IN e RETURN NEW")) == 3


def test_unique_indexes_hold(c: Api) -> None:
    index = {"type": "persistent", "fields": ["n"], "unique": True}
    assert c.post("/_api/index", index, collection="c").status_code == 201
    assert error_of(send(c, "FOR d IN c UPDATE d WITH {n: 1} IN c")) == (409, 1210)
    assert rows(c, NUMBERS) == list(range(10))
    first(c, "FOR d IN c FILTER d.n == 9 UPDATE d WITH {n: 99} IN c")
    c.insert("c", {"n": 9})


# -- stream transactions ---------------------------------------------------------------------------


def test_reading_in_a_transaction(c: Api) -> None:
    transaction = begin(c, "c")
    c.delete("/_api/document/c/k0")
    c.request("POST", "/_api/document/c", {"_key": "mine", "n": 50}, headers=transaction)
    inside = send(c, NUMBERS, headers=transaction, count=True, batchSize=4).json()
    assert inside["count"] == 11
    found = inside["result"]
    while inside["hasMore"]:
        inside = more(c, inside["id"]).json()
        found += inside["result"]
    assert sorted(found) == [*range(10), 50]
    assert rows(c, NUMBERS) == list(range(1, 10))
    commit(c, transaction)
    assert sorted(rows(c, NUMBERS)) == [*range(1, 10), 50]


def test_writing_in_a_transaction_applies_once(c: Api) -> None:
    tick = c.get("/_api/wal/lastTick").json()["tick"]
    transaction = begin(c, "c")
    done = send(c, "FOR d IN c UPDATE d WITH {n: d.n + 1} IN c RETURN NEW.n", headers=transaction)
    assert sorted(done.json()["result"]) == list(range(1, 11))
    done = send(c, "FOR d IN c INSERT {n: d.n + 100} INTO c", headers=transaction)
    assert done.json()["extra"]["stats"]["writesExecuted"] == 10
    assert rows(c, NUMBERS) == list(range(10))
    commit(c, transaction)
    assert sorted(rows(c, NUMBERS)) == [*range(1, 11), *range(101, 111)]
    kinds = [marker["type"] for marker in c.tail(tick)]
    assert kinds == [2200, *[2300] * 20, 2201]


def test_a_transaction_that_does_not_know_the_collection(c: Api) -> None:
    c.create_collection("d")
    transaction = begin(c, "d")
    assert error_of(send(c, "REMOVE 'k1' IN c", headers=transaction)) == (400, 1652)
    unknown = {"x-arango-trx-id": "1"}
    assert error_of(send(c, NUMBERS, headers=unknown)) == (404, 1655)
    transaction = begin(c, "d")
    c.create_collection("young")
    assert error_of(send(c, "FOR d IN young RETURN d", headers=transaction)) == (404, 1203)
    assert c.delete(f"/_api/transaction/{transaction['x-arango-trx-id']}").status_code == 200


def test_claims_of_a_transaction(c: Api) -> None:
    transaction = begin(c, "c")
    send(c, "UPDATE 'k5' WITH {x: 1} IN c", headers=transaction)
    before = rows(c, ALL)
    assert error_of(send(c, "FOR d IN c UPDATE d WITH {y: 1} IN c")) == (409, 1200)
    assert error_of(send(c, "FOR d IN c REMOVE d IN c")) == (409, 1200)
    assert rows(c, ALL) == before
    ignoring = "FOR d IN c REMOVE d IN c OPTIONS {ignoreErrors: true}"
    assert first(c, ignoring)["extra"]["stats"]["writesIgnored"] == 1
    commit(c, transaction)
    assert rows(c, "FOR d IN c RETURN d.x") == [1]


def test_a_failing_query_leaves_nothing_in_its_transaction(c: Api) -> None:
    """Whether the transaction can still be committed or not."""
    transaction = begin(c, "c")
    failing = "FOR k IN ['a', 'b', 'k1'] INSERT {_key: k} INTO c"
    assert error_of(send(c, failing, headers=transaction)) == (409, 1210)
    c.put(f"/_api/transaction/{transaction['x-arango-trx-id']}")
    c.delete(f"/_api/transaction/{transaction['x-arango-trx-id']}")
    assert len(rows(c, ALL)) == 10


# -- who may ---------------------------------------------------------------------------------------


class Users:
    """A server with authentication: `root`, and `ann` with the levels of the test."""

    def __init__(self, server: ServerThread) -> None:
        self.server = server
        self.root = self.client("root", "_system")
        assert self.root.post("/_api/user", {"user": "ann", "passwd": "p"}).status_code == 201
        assert self.root.post("/_api/database", {"name": "d"}).status_code == 201
        self.grant("", "ro")

    def client(self, name: str, database: str) -> Api:
        api = Api(self.server.url, database)
        api.session.auth = (name, "p")
        return api

    def grant(self, collection: str, level: str) -> None:
        path = f"/_api/user/ann/database/d/{collection}".rstrip("/")
        assert self.root.put(path, {"grant": level}).status_code == 200


@pytest.fixture
def users(tmp_path: Path) -> Iterator[Users]:
    config = Config(tmp_path / "data", port=0, root_password="p")
    with ServerThread(config) as server:
        yield Users(server)


def test_levels(users: Users) -> None:
    root, ann = users.client("root", "d"), users.client("ann", "d")
    for name, level in (("hidden", "none"), ("ro", "ro"), ("rw", "rw")):
        root.create_collection(name)
        root.insert(name, [{"_key": str(n)} for n in range(3)])
        users.grant(name, level)
    assert len(rows(ann, "FOR d IN ro RETURN d")) == 3
    for text in (
        "FOR d IN hidden RETURN d",
        "FOR d IN hidden INSERT d INTO rw",
        "FOR d IN ro INSERT d INTO hidden",
        "FOR d IN ro REMOVE d IN ro",
        "INSERT {} INTO ro",
        "INSERT {} INTO hidden",
        "REMOVE '1' IN hidden RETURN OLD",
        "FOR d IN [1] UPDATE '1' WITH {} IN ro",
    ):
        assert error_of(send(ann, text)) == (403, 11), text
    for call, body in (
        ("all", {"collection": "hidden"}),
        ("by-example", {"collection": "hidden", "example": {}}),
        ("remove-by-example", {"collection": "ro", "example": {}}),
        ("lookup-by-keys", {"collection": "hidden", "keys": ["1"]}),
        ("remove-by-keys", {"collection": "ro", "keys": ["1"]}),
    ):
        assert error_of(ann.put(f"/_api/simple/{call}", body)) == (403, 11), call
    assert (
        first(ann, "FOR d IN ro INSERT {n: d._key} INTO rw")["extra"]["stats"]["writesExecuted"]
        == 3
    )
    assert len(rows(root, "FOR d IN hidden RETURN d")) == 3
    cursor = first(root, "FOR d IN hidden RETURN d", batchSize=1)["id"]
    assert error_of(more(ann, cursor)) == UNKNOWN
    assert error_of(ann.delete(f"/_api/cursor/{cursor}")) == UNKNOWN
    assert more(root, cursor).status_code == 200


def test_read_only_mode(c: Api, system: Api) -> None:
    system.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        assert rows(c, NUMBERS, batchSize=3) == list(range(10))
        for text in ("INSERT {} INTO c", "FOR d IN c REMOVE d IN c"):
            assert error_of(send(c, text)) == (403, 1004)
    finally:
        system.put("/_admin/server/mode", {"mode": "default"})
    assert len(rows(c, ALL)) == 10


# -- other ways to send one ------------------------------------------------------------------------


def test_velocypack_both_ways(c: Api) -> None:
    both = {"Accept": VELOCYPACK, "Content-Type": VELOCYPACK}
    body = velocypack.encode({"query": "FOR d IN c RETURN d", "batchSize": 6, "count": True})
    response = c.request("POST", "/_api/cursor", body, headers=both)
    answer = velocypack.decode(response.content)
    assert (response.status_code, answer["count"], len(answer["result"])) == (201, 10, 6)
    response = c.request("POST", f"/_api/cursor/{answer['id']}", headers=both)
    assert [d["n"] for d in velocypack.decode(response.content)["result"]] == [6, 7, 8, 9]
    response = c.request("DELETE", f"/_api/cursor/{answer['id']}", headers=both)
    assert velocypack.decode(response.content)["errorNum"] == 1600


def job(api: Api, method: str, path: str, body: Any = None) -> requests.Response:
    """The answer of a request that runs as asynchronous job."""
    started = api.request(method, path, body, headers={"x-arango-async": "store"})
    assert started.status_code == 202
    name = started.headers["x-arango-async-id"]

    def look() -> requests.Response | None:
        answer = api.put(f"/_api/job/{name}")
        return answer if "x-arango-async-id" in answer.headers else None

    return wait_for(look)


def test_as_a_job(c: Api) -> None:
    answer = job(c, "POST", "/_api/cursor", {"query": NUMBERS, "batchSize": 6})
    assert (answer.status_code, answer.json()["result"]) == (201, [0, 1, 2, 3, 4, 5])
    cursor = answer.json()["id"]
    assert job(c, "POST", f"/_api/cursor/{cursor}").json()["result"] == [6, 7, 8, 9]
    changed = job(c, "POST", "/_api/cursor", {"query": "FOR d IN c REMOVE d IN c"})
    assert changed.json()["extra"]["stats"]["writesExecuted"] == 10


def test_a_collection_that_is_another_one_when_the_turn_comes(
    c: Api, server: ServerThread, services: Services
) -> None:
    """Drop, create, insert and the query wait for the lock in this order."""
    jobs = []
    server.run(services.write_lock.acquire())
    for method, path, body in (
        ("DELETE", "/_api/collection/c", None),
        ("POST", "/_api/collection", {"name": "c"}),
        ("POST", "/_api/document/c", {"_key": "k0", "n": 0}),
        ("POST", "/_api/cursor", {"query": "FOR d IN c UPDATE d WITH {x: 1} IN c"}),
    ):
        started = c.request(method, path, body, headers={"x-arango-async": "store"})
        jobs.append(started.headers["x-arango-async-id"])
    server.call(services.write_lock.release)
    wait_for(lambda: True if not c.get("/_api/job/pending").json() else None)
    answers = [c.put(f"/_api/job/{name}") for name in jobs]
    assert [answer.status_code for answer in answers] == [200, 200, 202, 201]
    assert rows(c, "FOR d IN c RETURN d.x") == [1]
