"""`/_api/simple/*` (data-api 9.1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
import requests
from support.queries import rows
from support.server import Api, ServerThread, error_of

COUNT = 7


@pytest.fixture
def c(api: Api) -> Api:
    api.create_collection("c")
    documents = [{"_key": f"k{n}", "n": n, "o": {"p": n % 2}, "l": [n]} for n in range(COUNT)]
    api.insert("c", documents)
    return api


def call(api: Api, word: str, **body: Any) -> requests.Response:
    return api.put(f"/_api/simple/{word}", {"collection": "c", **body})


def done(api: Api, word: str, **body: Any) -> dict[str, Any]:
    """The body of a call that must succeed."""
    response = call(api, word, **body)
    assert response.status_code in (200, 201), response.text
    answer: dict[str, Any] = response.json()
    assert (answer["error"], answer["code"]) == (False, response.status_code)
    return answer


def numbers(api: Api, word: str, **body: Any) -> list[int]:
    answer = done(api, word, **body)
    assert answer["count"] == len(answer["result"])
    assert answer["hasMore"] is False
    return [document["n"] for document in answer["result"]]


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ({}, range(COUNT)),
        ({"skip": 5}, [5, 6]),
        ({"limit": 2}, [0, 1]),
        ({"skip": 1, "limit": 2}, [1, 2]),
        ({"skip": 100}, []),
        ({"limit": 0}, []),
        ({"skip": None, "limit": None}, range(COUNT)),
        ({"skip": -2}, range(COUNT)),
        ({"limit": -1}, range(COUNT)),
        ({"batchSize": None, "ttl": None, "stream": True}, range(COUNT)),
    ],
)
def test_all(c: Api, window: dict[str, Any], expected: list[int]) -> None:
    assert numbers(c, "all", **window) == list(expected)


def test_all_in_batches(c: Api) -> None:
    response = c.put("/_api/simple/all", {"batchSize": 3, "ttl": 60}, collection="c")
    answer = response.json()
    assert (response.status_code, answer["count"], answer["hasMore"]) == (201, COUNT, True)
    assert answer["result"][0] == c.get("/_api/document/c/k0").json()
    following = c.put(f"/_api/cursor/{answer['id']}").json()
    assert [document["n"] for document in following["result"]] == [3, 4, 5]


def test_the_collection_of_the_body_comes_first(c: Api) -> None:
    response = c.put("/_api/simple/all", {"collection": "c"}, collection="nope")
    assert response.status_code == 201
    by_id = c.get("/_api/collection/c").json()["id"]
    assert len(numbers(c, "all", collection=by_id)) == COUNT


@pytest.mark.parametrize(
    ("kind", "prefix"),
    [("key", ""), ("id", "c/"), ("path", None), (None, None), ("x", None), (5, None)],
)
def test_all_keys(c: Api, kind: Any, prefix: str | None) -> None:
    if prefix is None:
        prefix = f"/_db/{c.database}/_api/document/c/"
    body = {} if kind is None else {"type": kind}
    assert done(c, "all-keys", **body)["result"] == [f"{prefix}k{n}" for n in range(COUNT)]


def test_a_path_leads_to_its_document(server: ServerThread) -> None:
    with server.fresh_database("zürich 1") as api:
        api.create_collection("c")
        api.insert("c", {"_key": "k"})
        path = done(api, "all-keys")["result"][0]
        assert path == f"/_db/{quote('zürich 1')}/_api/document/c/k"
        assert api.session.get(api.url + path).json()["_key"] == "k"


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ({}, range(COUNT)),
        ({"n": 3}, [3]),
        ({"n": 3.0}, [3]),
        ({"n": "3"}, []),
        ({"o.p": 1}, [1, 3, 5]),
        ({"o": {"p": 1}}, [1, 3, 5]),
        ({"o.p": 1, "n": 3}, [3]),
        ({"l": [4]}, [4]),
        ({"missing": None, "_key": "k2"}, [2]),
        ({"_id": "c/k2"}, [2]),
        ({"": 1}, []),
        ({"o.": 1}, []),
    ],
)
def test_by_example(c: Api, example: dict[str, Any], expected: list[int]) -> None:
    assert numbers(c, "by-example", example=example) == list(expected)
    assert numbers(c, "by-example", example=example, skip=1, limit=1) == list(expected)[1:2]
    if expected:
        assert done(c, "first-example", example=example)["document"]["n"] == expected[0]
    else:
        assert error_of(call(c, "first-example", example=example)) == (404, 404)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"left": 2, "right": 5}, [2, 3, 4]),
        ({"left": 2, "right": 5, "closed": True}, [2, 3, 4, 5]),
        ({"left": 2, "right": 5, "skip": 1, "limit": 1}, [3]),
        ({"left": 5, "right": 2}, []),
        ({"attribute": "o.p", "left": 1, "right": 2}, [1, 3, 5]),
        ({"left": 5, "right": "x"}, [5, 6]),
    ],
)
def test_range(c: Api, members: dict[str, Any], expected: list[int]) -> None:
    assert numbers(c, "range", **{"attribute": "n", **members}) == expected


def test_any(c: Api) -> None:
    assert done(c, "any")["document"]["n"] in range(COUNT)
    c.put("/_api/collection/c/truncate")
    assert error_of(call(c, "any")) == (404, 404)


def test_lookup_by_keys(c: Api) -> None:
    keys = ["k3", "nope", "c/k1", "", "/", 5, None, {"_key": "k2"}, "k3"]
    answer = done(c, "lookup-by-keys", keys=keys)
    assert set(answer) == {"documents", "error", "code"}
    assert [document["n"] for document in answer["documents"]] == [3, 1, 3]
    assert done(c, "lookup-by-keys", keys=[])["documents"] == []
    many = [f"k{n}" for n in range(1000)]
    assert len(done(c, "lookup-by-keys", keys=many)["documents"]) == COUNT


# -- changing --------------------------------------------------------------------------------------


def test_remove_by_keys(c: Api) -> None:
    tick = c.get("/_api/wal/lastTick").json()["tick"]
    keys = ["k1", "c/k2", "nope", 5, None, "k1"]
    answer = done(c, "remove-by-keys", keys=keys, options={"waitForSync": True})
    assert answer == {"removed": 2, "ignored": 4, "error": False, "code": 200}
    assert [marker["type"] for marker in c.tail(tick)] == [2200, 2302, 2302, 2201]
    options = {"returnOld": True, "silent": False}
    answer = done(c, "remove-by-keys", keys=["k3", "nope"], options=options)
    assert ([old["n"] for old in answer["old"]], answer["ignored"]) == ([3], 1)
    assert "old" not in done(c, "remove-by-keys", keys=["k4"], options={"returnOld": True})
    assert sorted(numbers(c, "all")) == [0, 5, 6]
    tick = c.get("/_api/wal/lastTick").json()["tick"]
    assert done(c, "remove-by-keys", keys=[])["removed"] == 0
    assert c.tail(tick) == []


def test_remove_by_example(c: Api) -> None:
    assert done(c, "remove-by-example", example={"o.p": 1}, limit=2)["deleted"] == 2
    assert done(c, "remove-by-example", example={"o.p": 1})["deleted"] == 1
    assert numbers(c, "all") == [0, 2, 4, 6]
    assert done(c, "remove-by-example", example={"n": 2}, options={"limit": 0})["deleted"] == 1


def test_replace_by_example(c: Api) -> None:
    answer = done(c, "replace-by-example", example={"o.p": 1}, newValue={"r": 1}, limit=2)
    assert answer["replaced"] == 2
    found = rows(c, "FOR d IN c FILTER d.r == 1 RETURN UNSET(d, '_id', '_rev')")
    assert found == [{"_key": "k1", "r": 1}, {"_key": "k3", "r": 1}]


@pytest.mark.parametrize("nested", [False, True])
def test_update_by_example(c: Api, nested: bool) -> None:
    def update(value: Any, **options: Any) -> int:
        members = {"options": options} if nested else options
        answer = done(c, "update-by-example", example={"n": 3}, newValue=value, **members)
        return int(answer["updated"])

    def body() -> dict[str, Any]:
        document = c.get("/_api/document/c/k3").json()
        return {name: value for name, value in document.items() if name in "xo"}

    assert update({"o": {"q": 1}}) == 1
    assert body() == {"o": {"p": 1, "q": 1}}
    assert update({"o": {"r": 1}, "x": None}, mergeObjects=False) == 1
    assert body() == {"o": {"r": 1}, "x": None}
    assert update({"x": None, "o": None}, keepNull=False) == 1
    assert body() == {}


def test_in_a_transaction(c: Api) -> None:
    begun = c.post("/_api/transaction/begin", {"collections": {"write": ["c"]}}).json()
    name = begun["result"]["id"]
    headers = {"x-arango-trx-id": name}

    def inside(word: str, **body: Any) -> Any:
        path = f"/_api/simple/{word}"
        return c.request("PUT", path, {"collection": "c", **body}, headers=headers).json()

    assert inside("remove-by-keys", keys=["k1", "k2"])["removed"] == 2
    assert inside("remove-by-example", example={"n": 3})["deleted"] == 1
    assert len(inside("all")["result"]) == COUNT - 3
    assert inside("lookup-by-keys", keys=["k1", "k4"])["documents"][0]["n"] == 4
    assert len(numbers(c, "all")) == COUNT
    assert c.put(f"/_api/transaction/{name}").status_code == 200
    assert len(numbers(c, "all")) == COUNT - 3


# -- errors ----------------------------------------------------------------------------------------

NEEDED: dict[str, dict[str, Any]] = {
    "all": {},
    "all-keys": {},
    "any": {},
    "by-example": {"example": {}},
    "first-example": {"example": {}},
    "range": {"attribute": "n"},
    "lookup-by-keys": {"keys": []},
    "remove-by-keys": {"keys": []},
    "remove-by-example": {"example": {}},
    "replace-by-example": {"example": {}, "newValue": {}},
    "update-by-example": {"example": {}, "newValue": {}},
}
WRITES = ("remove-by-keys", "remove-by-example", "replace-by-example", "update-by-example")


@pytest.mark.parametrize("word", NEEDED)
def test_errors_of_every_call(c: Api, word: str) -> None:
    body = NEEDED[word]
    for name in (None, "", 5, ["c"]):
        response = call(c, word, **{**body, "collection": name})
        assert error_of(response) == (400, 17), name
        assert response.json()["errorMessage"] == "expecting string for <collection>"
    assert error_of(call(c, word, **{**body, "collection": "nope"})) == (404, 1203)
    for member in body:
        for value in (None, 5, "x" if member != "attribute" else ""):
            response = call(c, word, **{**body, member: value})
            assert error_of(response) == (400, 17), (member, value)
            assert response.json()["errorMessage"].endswith(f"for <{member}>")
    for method in ("GET", "POST", "DELETE", "PATCH"):
        assert error_of(c.request(method, f"/_api/simple/{word}")) == (405, 405)
    assert error_of(c.put(f"/_api/simple/{word}", "{")) == (400, 600)
    for text in (None, "[]", "5"):
        assert error_of(c.put(f"/_api/simple/{word}", text)) == (400, 17)
    assert len(numbers(c, "all")) == COUNT


def test_other_words(c: Api) -> None:
    for word in ("near", "within", "within-rectangle", "fulltext"):
        assert error_of(call(c, word)) == (501, 9)
    for path in ("", "/nope", "/all/x", "/ALL"):
        assert error_of(c.put("/_api/simple" + path, {"collection": "c"})) == (404, 404)
    assert error_of(call(c, "all", batchSize=0)) == (400, 10)


@pytest.mark.parametrize("word", WRITES)
def test_read_only_mode(c: Api, system: Api, word: str) -> None:
    system.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        assert error_of(call(c, word, **NEEDED[word])) == (403, 1004)
        assert len(numbers(c, "all")) == COUNT
    finally:
        system.put("/_admin/server/mode", {"mode": "default"})


def test_a_skip_that_is_no_number(c: Api) -> None:
    assert numbers(c, "all", skip=True) == list(range(COUNT))
