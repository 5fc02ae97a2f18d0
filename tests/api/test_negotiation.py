"""Forms of bodies in odd combinations: VelocyPack, packed (leader-api 10.6, data-api 1.5)."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
import requests
from support.raw import RawAnswer, RawConnection
from support.server import Api, ServerThread, error_of
from support.velocypack import nested

from arangorep.codec import velocypack
from arangorep.rest.routes import ROUTES

VELOCYPACK = "application/x-velocypack"
JSON = "application/json; charset=utf-8"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BODIES: list[tuple[dict[str, str], bytes | None]] = [
    ({"Accept": VELOCYPACK}, None),
    ({"Accept": VELOCYPACK, "Accept-Encoding": "gzip"}, b""),
    ({"Accept": VELOCYPACK, "Content-Type": VELOCYPACK}, b"\x0a"),
    ({"Accept": VELOCYPACK, "Content-Type": VELOCYPACK}, b"\x13\x04\x31\x01"),
    ({"Content-Type": VELOCYPACK}, b"{}"),
    ({"Content-Type": VELOCYPACK, "Content-Encoding": "deflate"}, b"\x0a"),
    ({"Content-Type": VELOCYPACK}, b""),
    ({"Content-Type": "text/html", "Accept": "text/html"}, b"\xff\xfe"),
]


@pytest.fixture
def c(api: Api) -> Api:
    api.create_collection("c")
    api.insert("c", [{"_key": f"k{n}", "n": n, "t": "text ä " * 50} for n in range(400)])
    return api


def unpacked(answer: RawAnswer) -> bytes:
    match answer.headers.get("content-encoding"):
        case None:
            return answer.body
        case "gzip":
            return gzip.decompress(answer.body)
        case "deflate":
            return zlib.decompress(answer.body)
        case other:
            raise AssertionError(other)


@pytest.mark.parametrize("route", sorted(ROUTES))
def test_every_route(c: Api, server: ServerThread, route: str) -> None:
    """No combination is a failure of the server, and each body is what its type says."""
    with RawConnection(server.port) as connection:
        for method in METHODS:
            for headers, body in BODIES:
                if route == "_admin/shutdown":
                    continue
                target = f"/_db/{c.database}/{route}"
                answer = connection.request(method, target, body, headers)
                asked = (method, headers, body)
                assert answer.status < 500 or answer.status == 501, (asked, answer.body)
                kind = answer.headers.get("content-type", "")
                if method == "HEAD" or not answer.body:
                    continue
                if kind == VELOCYPACK:
                    assert headers.get("Accept") == VELOCYPACK, asked
                    value = velocypack.decode(unpacked(answer))
                elif kind == JSON:
                    assert headers.get("Accept") != VELOCYPACK, asked
                    value = json.loads(unpacked(answer))
                else:
                    assert kind.startswith("text/plain"), asked
                    continue
                if answer.status >= 400 and route in ("dumps", "snapshots", "tasks"):
                    assert value.keys() == {"message", "code", "type", "link"}, asked
                elif answer.status >= 400:
                    assert value["code"] == answer.status, asked
                    assert value["errorNum"], asked


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (VELOCYPACK, VELOCYPACK),
        (f"{VELOCYPACK}, application/json", JSON),
        (f"application/json, {VELOCYPACK}", JSON),
        (f"{VELOCYPACK};q=1", JSON),
        ("APPLICATION/X-VELOCYPACK", JSON),
        ("*/*", JSON),
        ("", JSON),
        ("\x7f", JSON),
    ],
)
def test_only_exactly_that_word(c: Api, accept: str, kind: str) -> None:
    for path in ("/_api/document/c/k1", "/_api/document/c/nope"):
        response = c.request("GET", path, headers={"Accept": accept})
        assert response.headers["content-type"] == kind


@pytest.mark.parametrize("headers", [{}, {"Accept": VELOCYPACK}, {"Accept-Encoding": "gzip"}])
def test_head_tells_the_length(c: Api, server: ServerThread, headers: dict[str, str]) -> None:
    target = f"/_db/{c.database}/_api/document/c/k1"
    with RawConnection(server.port) as connection:
        whole = connection.request("GET", target, None, headers)
        head = connection.request("HEAD", target, None, headers)
        assert head.body == b""
        for name in ("content-length", "content-type", "etag"):
            assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("accept", [VELOCYPACK, "*/*"])
def test_answers_without_a_body(c: Api, server: ServerThread, accept: str) -> None:
    headers = {"Accept": accept, "Accept-Encoding": "gzip"}
    etag = c.get("/_api/document/c/k1").headers["etag"]
    batch = c.create_batch()
    last = c.get("/_api/wal/lastTick").json()["tick"]
    with RawConnection(server.port) as connection:
        for method, path, more, status in (
            ("GET", "/_api/document/c/k1", {"If-None-Match": etag}, 304),
            ("GET", f"/_api/wal/tail?from={last}", {}, 204),
            ("DELETE", f"/_api/replication/batch/{batch}", {}, 204),
            ("OPTIONS", "/_api/cursor", {}, 200),
            ("GET", "/_api/version", {"x-arango-async": "true"}, 202),
        ):
            answer = connection.request(
                method, f"/_db/{c.database}{path}", None, {**headers, **more}
            )
            assert (answer.status, answer.body) == (status, b"")
            assert "content-encoding" not in answer.headers


def post(api: Api, body: bytes, kind: str, coding: str = "") -> requests.Response:
    headers = {"Content-Type": kind}
    if coding:
        headers["Content-Encoding"] = coding
    return api.request("POST", "/_api/document/c", body, headers=headers)


@pytest.mark.parametrize(
    ("kind", "is_packed_json"),
    [
        ("application/json", True), ("text/plain", True), ("application/octet-stream", True),
        ("", True), (f"{VELOCYPACK}; charset=utf-8", True), ("application/X-velocypack", True),
        (VELOCYPACK, False),
    ],
)  # fmt: skip
def test_content_types(c: Api, kind: str, is_packed_json: bool) -> None:
    as_json = post(c, b'{"_key":"new"}', kind)
    as_velocypack = post(c, velocypack.encode({"_key": "new"}), kind)
    good, bad = (as_json, as_velocypack) if is_packed_json else (as_velocypack, as_json)
    assert good.status_code == 202
    assert error_of(bad) == (400, 600)


def test_velocypack_in_packed_bodies(c: Api) -> None:
    body = velocypack.encode([{"_key": f"p{n}", "t": "ä" * 1000} for n in range(500)])
    for coding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        response = post(c, packed, VELOCYPACK, coding)
        assert len(response.json()) == 500
        assert error_of(post(c, packed[:-5], VELOCYPACK, coding)) == (400, 10)
        assert error_of(post(c, body, VELOCYPACK, coding)) == (400, 10)
    assert c.get("/_api/collection/c/count").json()["count"] == 900
    assert post(c, body, VELOCYPACK, "br").status_code == 202  # passed through, so plain


@pytest.mark.parametrize("levels", [200, 201, 5000, 20_000])
def test_velocypack_that_nests_too_deep(c: Api, levels: int) -> None:
    assert error_of(post(c, nested(levels), VELOCYPACK)) == (400, 600)


def test_a_body_that_nobody_reads(c: Api) -> None:
    headers = {"Content-Type": VELOCYPACK}
    for body in (velocypack.encode({"a": 1}), b"\xff", b"{"):
        response = c.request("GET", "/_api/document/c/k1", body, headers=headers)
        assert response.json()["n"] == 1


# -- dumps and tails -------------------------------------------------------------------------------


def dump(api: Api, name: str, **params: Any) -> list[Any]:
    """All chunks of a dump as VelocyPack; each in one piece with `array`."""
    batch = api.create_batch()
    found: list[Any] = []
    while True:
        response = api.request(
            "GET",
            "/_api/replication/dump",
            params={"collection": name, "batchId": batch, **params},
            headers={"Accept": VELOCYPACK},
        )
        assert response.headers.get("content-type", VELOCYPACK) == VELOCYPACK
        if params.get("array") == "true":
            assert response.status_code == 200
            found += velocypack.decode(response.content)
        else:
            assert response.status_code in (200, 204)
            found += velocypack.decode_all(response.content)
        if response.headers["x-arango-replication-checkmore"] == "false":
            assert api.delete(f"/_api/replication/batch/{batch}").status_code == 204
            return found


@pytest.mark.parametrize("kind", [2, 3])
@pytest.mark.parametrize("array", ["true", "false"])
def test_dumps(api: Api, kind: int, array: str) -> None:
    api.create_collection("old", type=kind)
    ends = {"_from": "v/a", "_to": "old/1"} if kind == 3 else {}
    documents = [{"_key": str(n), "t": "ä\n\u2028 " * n, **ends} for n in range(80)]
    api.insert("old", documents)
    api.put("/_api/collection/old/rename", {"name": "c"})
    plain = api.dump("c", api.create_batch())
    assert [document["_id"] for document in plain] == [f"c/{n}" for n in range(80)]
    for size in ("1", "1000", "20000", "100000000"):
        params = {"array": array, "chunkSize": size}
        assert dump(api, "c", useEnvelope="false", **params) == plain, size
        in_envelopes = dump(api, "c", useEnvelope="true", **params)
        assert [one["data"] for one in in_envelopes] == plain, size
        assert {one["type"] for one in in_envelopes} == {2300}
    api.create_collection("empty")
    assert dump(api, "empty", array=array) == []


@pytest.mark.parametrize("array", ["true", "false"])
def test_array_means_nothing_to_json(c: Api, array: str) -> None:
    batch = c.create_batch()
    assert len(c.dump("c", batch, array=array)) == 400


def test_tails(c: Api) -> None:
    plain = c.tail(0)
    found: list[Any] = []
    after: str = "0"
    while True:
        response = c.request(
            "GET",
            "/_api/wal/tail",
            params={"from": after, "chunkSize": 20_000},
            headers={"Accept": VELOCYPACK},
        )
        found += velocypack.decode_all(response.content)
        if response.headers["x-arango-replication-checkmore"] == "false":
            break
        after = response.headers["x-arango-replication-lastincluded"]
    assert found == plain


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip;q=0, deflate;q=0", None),
        ("gzip;q=0.001", "gzip"),
        ("deflate;q=1.000", "deflate"),
        (" gzip ; q=0.5 , br", "gzip"),
        ("*", None),
        ("x-gzip", None),
        (",,;", None),
        ("gzip;q=", "gzip"),
        ("gzip;q=0;x=1", None),
    ],
)
def test_what_is_accepted(c: Api, server: ServerThread, accepted: str, coding: str | None) -> None:
    """Of answers in the form of JSON; dumps in test_compression.py."""
    c.insert("c", {"_key": "big", "t": "x" * 10_000})
    target = f"/_db/{c.database}/_api/document/c/big"
    with RawConnection(server.port) as connection:
        answer = connection.request("GET", target, None, {"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == coding
        assert json.loads(unpacked(answer))["t"] == "x" * 10_000
