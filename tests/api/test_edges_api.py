"""`/_api/edges/<collection>` (data-api 9.4)."""

from __future__ import annotations

from typing import Any

import pytest
from support.server import Api, error_of

EDGES = [
    ("ab", "v/a", "v/b"),
    ("ba", "v/b", "v/a"),
    ("aa", "v/a", "v/a"),
    ("bc", "v/b", "v/c"),
    ("other", "w/a", "w/b"),
    ("long", "v/ab", "v/b"),
]


@pytest.fixture
def e(api: Api) -> Api:
    api.create_collection("e", type=3)
    api.insert("e", [{"_key": key, "_from": one, "_to": two} for key, one, two in EDGES])
    # mentions a vertex without leading to it
    api.insert("e", {"_key": "text", "_from": "w/a", "_to": "w/a", "x": "v/a", "v/a": 1})
    return api


def keys(api: Api, **params: Any) -> list[str]:
    response = api.get("/_api/edges/e", **params)
    answer = response.json()
    assert (response.status_code, answer["code"], answer["error"]) == (200, 200, False)
    stats = answer["stats"]
    assert stats["filtered"] == stats["scannedFull"] - len(answer["edges"])
    assert stats["scannedIndex"] == 0
    return sorted(edge["_key"] for edge in answer["edges"])


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ({}, ["aa", "ab", "ba"]),
        ({"direction": "any"}, ["aa", "ab", "ba"]),
        ({"direction": "undefined"}, ["aa", "ab", "ba"]),
        ({"direction": "out"}, ["aa", "ab"]),
        ({"direction": "in"}, ["aa", "ba"]),
    ],
)
def test_one_vertex(e: Api, direction: dict[str, str], expected: list[str]) -> None:
    assert keys(e, vertex="v/a", **direction) == expected
    assert keys(e, vertex="v/nobody", **direction) == []


def test_edges_are_whole_documents(e: Api) -> None:
    answer = e.get("/_api/edges/e", vertex="v/c").json()
    assert answer["edges"] == [e.get("/_api/document/e/bc").json()]


def test_many_vertices(e: Api) -> None:
    def found(vertices: list[str], **params: Any) -> list[str]:
        response = e.post("/_api/edges/e", vertices, **params)
        assert response.status_code == 200, response.text
        return sorted(edge["_key"] for edge in response.json()["edges"])

    assert found(["v/a", "w/a"]) == ["aa", "ab", "ba", "other", "text"]
    assert found(["v/a", "v/a", "v/b"], direction="out") == ["aa", "ab", "ba", "bc"]
    assert found([]) == []


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("GET", "/e", None, (400, 1205)),
        ("GET", "/e?vertex=", None, (400, 1205)),
        ("GET", "/e?vertex=a", None, (400, 1205)),
        ("GET", "/e?vertex=v/", None, (400, 1205)),
        ("GET", "/e?vertex=v/a&direction=up", None, (400, 10)),
        ("GET", "/d?vertex=v/a", None, (400, 1218)),
        ("GET", "/nope?vertex=v/a", None, (404, 1203)),
        ("GET", "?vertex=v/a", None, (400, 400)),
        ("GET", "/e/x?vertex=v/a", None, (400, 400)),
        ("POST", "/e", ["v/a", "b"], (400, 1205)),
        ("POST", "/e", ["v/a", 5], (400, 1205)),
        ("POST", "/e", {"v/a": 1}, (400, 400)),
        ("POST", "/e", None, (400, 400)),
        ("POST", "/e", "{", (400, 600)),
        ("PUT", "/e", [], (405, 405)),
        ("DELETE", "/e?vertex=v/a", None, (405, 405)),
        ("PATCH", "/e", None, (405, 405)),
    ],
)
def test_errors(e: Api, method: str, path: str, body: Any, error: tuple[int, int]) -> None:
    e.create_collection("d")
    assert error_of(e.request(method, "/_api/edges" + path, body)) == error


def test_head(e: Api) -> None:
    response = e.request("HEAD", "/_api/edges/e?vertex=v/a")
    assert (response.status_code, response.content) == (200, b"")


def test_names_beyond_ascii_and_renamed_collections(api: Api) -> None:
    api.create_collection("e", type=3)
    api.insert("e", {"_key": "k", "_from": "Zürich/a", "_to": "v/(b):c"})
    assert keys(api, vertex="Zürich/a") == ["k"]
    assert keys(api, vertex="v/(b):c", direction="in") == ["k"]
    api.put("/_api/collection/e/rename", {"name": "f"})
    assert api.get("/_api/edges/f", vertex="v/(b):c").json()["edges"][0]["_id"] == "f/k"


def test_in_a_transaction(e: Api) -> None:
    begun = e.post("/_api/transaction/begin", {"collections": {"write": ["e"]}}).json()
    headers = {"x-arango-trx-id": begun["result"]["id"]}
    new = {"_key": "new", "_from": "v/c", "_to": "v/c"}
    assert e.request("POST", "/_api/document/e", new, headers=headers).status_code == 202
    assert e.request("DELETE", "/_api/document/e/bc", headers=headers).status_code in (200, 202)
    inside = e.request("GET", "/_api/edges/e?vertex=v/c", headers=headers).json()
    assert [edge["_key"] for edge in inside["edges"]] == ["new"]
    assert keys(e, vertex="v/c") == ["bc"]
    e.delete(f"/_api/transaction/{begun['result']['id']}")


def test_more_edges_than_one_block(api: Api) -> None:
    api.create_collection("e", type=3)
    api.insert("e", [{"_from": f"v/{n % 7}", "_to": f"v/{n % 11}"} for n in range(5000)])
    out, into = ({n for n in range(5000) if n % by == 3} for by in (7, 11))
    for direction, count in (("out", len(out)), ("in", len(into)), ("any", len(out | into))):
        answer = api.get("/_api/edges/e", vertex="v/3", direction=direction).json()
        assert len(answer["edges"]) == count
        assert answer["stats"]["scannedFull"] == 5000
