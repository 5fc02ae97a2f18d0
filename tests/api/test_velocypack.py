"""VelocyPack on every endpoint, both ways (leader-api 10.6, velocypack 6.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread

from arangorep.codec import velocypack

VELOCYPACK = "application/x-velocypack"
BOTH = {"Accept": VELOCYPACK, "Content-Type": VELOCYPACK}


def send(api: Api, method: str, path: str, body: Any = None, **params: Any) -> requests.Response:
    data = None if body is None else velocypack.encode(body)
    return api.request(method, path, data, params=params, headers=BOTH)


def value(response: requests.Response) -> Any:
    assert response.headers["content-type"] == VELOCYPACK
    assert int(response.headers["content-length"]) == len(response.content)
    return velocypack.decode(response.content)


def test_documents_both_ways(api: Api) -> None:
    api.create_collection("c")
    document = {
        "_key": "ä1".replace("ä", "a"),
        "n": 2**63,
        "f": 1.0,
        "t": "Zürich 😀",
        "x": [None, {"": -1}],
    }
    created = value(send(api, "POST", "/_api/document/c", document, returnNew="true"))
    assert created["new"] == {**document, "_id": created["_id"], "_rev": created["_rev"]}
    read = send(api, "GET", f"/_api/document/c/{document['_key']}")
    assert value(read) == api.get(f"/_api/document/c/{document['_key']}").json()
    assert read.headers["etag"] == f'"{created["_rev"]}"'
    many = value(
        send(api, "POST", "/_api/document/c", [{"_key": str(n), "n": n} for n in range(5000)])
    )
    assert [item["_key"] for item in many] == [str(n) for n in range(5000)]
    found = value(send(api, "PUT", "/_api/document/c", ["1", "nope"], onlyget="1"))
    assert (found[0]["n"], found[1]["errorNum"]) == (1, 1202)
    assert value(send(api, "GET", "/_api/collection/c/count"))["count"] == 5001


def test_a_float_stays_one(api: Api) -> None:
    api.create_collection("c")
    send(api, "POST", "/_api/document/c", {"_key": "k", "f": 1.0, "i": 1, "z": -0.0})
    assert b'"f":1.0,"i":1,"z":-0.0' in api.get("/_api/document/c/k").content
    raw = send(api, "GET", "/_api/document/c/k").content
    assert b"\x41f\x1b" + b"\x00\x00\x00\x00\x00\x00\xf0\x3f" in raw


def test_errors_too(api: Api) -> None:
    response = send(api, "GET", "/_api/document/c/k")
    assert response.status_code == 404
    assert value(response) == {
        "code": 404, "error": True, "errorNum": 1203,
        "errorMessage": "collection or view not found: c",
    }  # fmt: skip
    response = send(api, "GET", "/_api/nothing/at/all")
    assert value(response)["errorNum"] == 404


@pytest.mark.parametrize(
    "body",
    [
        b"\x00", b"\x0b\xff", b"\x1d" + bytes(8), b"\xf3" + bytes(8), b"\x41", b"\x18\x18",
        b"\xee\x01\x31", b"\x1b\x00\x00\x00\x00\x00\x00\xf8\x7f", b"\x14\x04\x41a\x41a\x01",
        b"{}", b"\x13" * 1000, b"\xbf" + b"\xff" * 8 + b"ab",
    ],
)  # fmt: skip
def test_bytes_that_are_none(api: Api, body: bytes) -> None:
    api.create_collection("c")
    for path in ("/_api/document/c", "/_api/collection", "/_api/transaction/begin"):
        response = api.request("POST", path, body, headers=BOTH)
        assert (response.status_code, value(response)["errorNum"]) == (400, 600), path
        assert value(response)["errorMessage"].startswith("VPackError error: ")
    assert api.get("/_api/collection/c/count").json()["count"] == 0


def test_only_the_exact_word_counts(api: Api) -> None:
    for accept in (
        "application/json, " + VELOCYPACK,
        VELOCYPACK + ";q=1",
        "*/*",
        "application/json",
    ):
        response = api.request("GET", "/_api/version", headers={"Accept": accept})
        assert response.json()["server"] == "arango"
    response = api.request(
        "POST", "/_api/collection", {"name": "c"}, headers={"Content-Type": "text/x"}
    )
    assert response.status_code == 200


@pytest.mark.parametrize("envelope", ["true", "false"])
def test_a_dump_is_one_value_behind_the_other(api: Api, envelope: str) -> None:
    api.create_collection("c")
    api.insert("c", [{"_key": str(n), "t": "é" * 50} for n in range(2000)])
    batch = api.create_batch()
    params = {"collection": "c", "batchId": batch, "useEnvelope": envelope}
    plain: list[Any] = []
    packed: list[Any] = []
    for headers, into, read in (
        ({}, plain, lambda data: map(json.loads, data.splitlines())),
        (BOTH, packed, velocypack.decode_all),
    ):
        while True:
            response = api.request("GET", "/_api/replication/dump", params=params, headers=headers)
            into += read(response.content)
            if response.headers["x-arango-replication-checkmore"] == "false":
                break
    assert packed == plain
    assert len(packed) == 2000
    assert response.headers["content-type"] == VELOCYPACK


def test_a_dump_as_one_array(api: Api) -> None:
    api.create_collection("c")
    api.create_collection("empty")
    api.insert("c", [{"_key": str(n)} for n in range(100)])
    batch = api.create_batch()
    params = {"batchId": batch, "useEnvelope": "false", "array": "true"}
    response = send(api, "GET", "/_api/replication/dump", collection="c", **params)
    assert [d["_key"] for d in value(response)] == [str(n) for n in range(100)]
    assert response.content[0] == 0x13
    response = send(api, "GET", "/_api/replication/dump", collection="empty", **params)
    assert (response.status_code, value(response)) == (200, [])
    params.pop("array")
    response = send(api, "GET", "/_api/replication/dump", collection="empty", **params)
    assert (response.status_code, response.content) == (204, b"")


def test_a_tail(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", [{"_key": str(n), "f": n / 3} for n in range(100)])
    response = send(api, "GET", "/_api/wal/tail", **{"from": 0})
    markers = list(velocypack.decode_all(response.content))
    assert response.headers["content-type"] == VELOCYPACK
    assert markers == api.tail(0)
    assert list(markers[-2]) == ["tick", "type", "db", "cuid", "tid", "data"]


def test_revisions_as_a_real_follower_asks(api: Api) -> None:
    api.create_collection("c")
    created = api.insert("c", [{"_key": str(n)} for n in range(50)])
    batch = api.create_batch()
    params = {"collection": "c", "batchId": batch}
    tree = value(send(api, "GET", "/_api/replication/revisions/tree", **params))
    assert tree == api.get("/_api/replication/revisions/tree", **params).json()
    revisions = [d["_rev"] for d in created]
    documents = value(
        send(api, "PUT", "/_api/replication/revisions/documents", revisions, **params)
    )
    assert [d["_rev"] for d in documents] == revisions
    ranges = value(
        send(
            api,
            "PUT",
            "/_api/replication/revisions/ranges",
            [[revisions[0], revisions[-1]]],
            **params,
        )
    )
    assert ranges["ranges"] == [revisions]


def test_imports(api: Api) -> None:
    api.create_collection("c")
    documents = [{"_key": str(n)} for n in range(10)]
    for kind in ("array", "list", "auto", "documents"):
        answer = send(
            api, "POST", "/_api/import", documents, collection="c", type=kind, onDuplicate="replace"
        )
        assert value(answer)["created"] + value(answer)["updated"] == 10
    rows = [["_key", "v"], ["x", 1], ["y", 2]]
    assert value(send(api, "POST", "/_api/import", rows, collection="c"))["created"] == 2
    assert api.get("/_api/document/c/y").json()["v"] == 2


def test_a_job_is_fetched_in_either_form(api: Api) -> None:
    for headers in ({"Accept": VELOCYPACK}, {}):
        started = api.request(
            "GET", "/_api/version", headers={**headers, "x-arango-async": "store"}
        )
        job = started.headers["x-arango-async-id"]
        while (fetched := api.request("PUT", f"/_api/job/{job}", headers=BOTH)).status_code == 204:
            pass
        assert value(fetched)["server"] == "arango"


def test_every_get_answers_in_both_forms(server: ServerThread, api: Api) -> None:
    api.create_collection("c")
    for path in (
        "/_api/version?details=true", "/_api/engine", "/_api/collection",
        "/_api/collection/c/figures",
        "/_api/index?collection=c", "/_api/database/current", "/_api/view", "/_api/analyzer",
        "/_api/replication/logger-state", "/_api/replication/applier-config", "/_api/wal/range",
        "/_admin/status", "/_api/transaction", "/_admin/server/role",
    ):  # fmt: skip
        packed = value(api.request("GET", path, headers={"Accept": VELOCYPACK}))
        plain = api.request("GET", path).json()
        assert packed.keys() == plain.keys(), path
