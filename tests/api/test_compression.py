"""Packed answers (data-api 1.5); packed requests are in test_http.py."""

from __future__ import annotations

import gzip
import zlib

import pytest
from support.raw import RawConnection
from support.server import Api, ServerThread

from arangorep.codec import velocypack


def fetch(server: ServerThread, target: str, accepted: str, **headers: str) -> tuple[str, bytes]:
    with RawConnection(server.port) as connection:
        answer = connection.request("GET", target, headers={"Accept-Encoding": accepted, **headers})
        assert int(answer.headers["content-length"]) == len(answer.body)
        return answer.headers.get("content-encoding", ""), answer.body


@pytest.fixture
def large(api: Api) -> str:
    api.create_collection("c")
    api.insert("c", [{"_key": str(n), "text": "some text " * 20} for n in range(3000)])
    api.insert("c", {"_key": "big", "text": "word " * 10_000})
    api.insert("c", {"_key": "small"})
    return f"/_db/{api.database}/_api/document/c/"


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip", "gzip"),
        ("deflate", "deflate"),
        ("gzip, deflate", "gzip"),
        ("deflate, gzip;q=0", "deflate"),
        ("deflate;q=0.5, gzip;q=0.1", "gzip"),
        ("GZIP", "gzip"),
        ("br", ""),
        ("identity", ""),
        ("gzip;q=0", ""),
        ("gzip;q=0.0, deflate; q=0", ""),
        ("", ""),
    ],
)
def test_what_is_asked_for(server: ServerThread, large: str, accepted: str, coding: str) -> None:
    said, body = fetch(server, large + "big", accepted)
    assert said == coding
    plain = {"gzip": gzip.decompress, "deflate": zlib.decompress, "": bytes}[coding](body)
    assert plain.count(b"word ") == 10_000
    assert len(body) < 1000 or not coding


def test_small_answers_are_left_alone(server: ServerThread, large: str) -> None:
    assert fetch(server, large + "small", "gzip")[0] == ""


def test_a_head_is_never_packed(server: ServerThread, large: str) -> None:
    with RawConnection(server.port) as connection:
        answer = connection.request("HEAD", large + "big", headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in answer.headers
        assert int(answer.headers["content-length"]) > 50_000


def test_dumps_are_packed_only_for_who_means_it(server: ServerThread, api: Api, large: str) -> None:
    batch = api.create_batch()
    target = (
        f"/_db/{api.database}/_api/replication/dump?collection=c&batchId={batch}"
        "&useEnvelope=false&chunkSize=200000"
    )
    said, body = fetch(server, target, "gzip, deflate")
    assert (said, body[:8]) == ("", b'{"_key":')
    said, body = fetch(server, target, "gzip")
    assert said == "gzip"
    assert 190_000 < len(gzip.decompress(body)) < 210_000
    said, body = fetch(server, target, "deflate", Accept="application/x-velocypack")
    assert said == "deflate"
    assert len(list(velocypack.decode_all(zlib.decompress(body)))) > 500


def test_errors_and_velocypack(server: ServerThread, large: str) -> None:
    said, body = fetch(server, large + "big", "gzip", Accept="application/x-velocypack")
    assert said == "gzip"
    assert velocypack.decode(gzip.decompress(body))["_key"] == "big"
    assert fetch(server, large + "nope", "gzip")[0] == ""
