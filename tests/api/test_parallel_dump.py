"""`/_api/dump` (leader-api 11)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread, error_of

from arangorep.clock import ManualClock
from arangorep.codec import velocypack
from arangorep.limits import PARALLEL_DUMP_UNACKNOWLEDGED, PARALLEL_DUMPS_MAX


def start(api: Api, *names: str, use_vpack: bool = False, **body: Any) -> str:
    path = "/_api/dump/start" + ("?useVPack=true" if use_vpack else "")
    response = api.post(path, {"shards": list(names), **body})
    assert (response.status_code, response.content) == (201, b"")
    dump = response.headers["x-arango-dump-id"]
    assert dump.startswith("dump-")
    assert dump[5:].isdigit()
    return dump


def fetch(api: Api, dump: str, number: int, **params: Any) -> requests.Response:
    return api.post(f"/_api/dump/next/{dump}", None, batchId=number, **params)


def batches(api: Api, dump: str) -> Iterator[tuple[str, bytes]]:
    number = 0
    while True:
        last = {"lastBatch": number} if number else {}
        number += 1
        response = fetch(api, dump, number, **last)
        if response.status_code == 204:
            return
        assert response.headers["content-type"] == "application/x-arango-dump; charset=utf-8"
        assert response.headers["x-arango-dump-block-counts"].lstrip("-").isdigit()
        yield response.headers["x-arango-dump-shard-id"], response.content


@pytest.fixture
def filled(api: Api) -> Api:
    for name, count in (("a", 5000), ("b", 3), ("empty", 0), ("other", 5)):
        api.create_collection(name)
        if count:
            api.insert(name, [{"_key": str(n), "t": "x" * 100} for n in range(count)])
    return api


@pytest.mark.parametrize("use_vpack", [False, True])
def test_everything_of_one_moment(filled: Api, use_vpack: bool) -> None:
    expected = {name: filled.dump(name, filled.create_batch()) for name in ("a", "b")}
    dump = start(filled, "a", "b", "empty", use_vpack=use_vpack)
    filled.insert("a", {"_key": "late"})
    filled.delete("/_api/document/b/1")
    found: dict[str, list[Any]] = {"a": [], "b": []}
    count = 0
    for name, body in batches(filled, dump):
        count += 1
        found[name] += velocypack.decode(body) if use_vpack else map(json.loads, body.splitlines())
    assert found == expected
    assert count > 20
    assert fetch(filled, dump, 999).status_code == 204
    ended = filled.delete(f"/_api/dump/{dump}")
    assert ended.json() == {"error": False, "code": 200}
    assert error_of(fetch(filled, dump, 1000)) == (404, 1600)
    assert error_of(filled.delete(f"/_api/dump/{dump}")) == (404, 1600)


def test_sizes_of_batches(filled: Api) -> None:
    sizes = [
        len(body.splitlines())
        for _, body in batches(filled, start(filled, "a", docsPerBatch=700, batchSize=10**8))
    ]
    assert sizes == [700] * 7 + [100]
    lengths = [len(body) for _, body in batches(filled, start(filled, "a", batchSize=1))]
    assert max(lengths) < 4096 + 300  # clamped
    assert len(lengths) > 100


def test_a_batch_is_given_out_again_until_it_is_acknowledged(filled: Api) -> None:
    dump = start(filled, "a")
    first = fetch(filled, dump, 1).content
    second = fetch(filled, dump, 2).content
    assert first != second
    assert fetch(filled, dump, 1).content == first
    assert fetch(filled, dump, 3, lastBatch=1).content != first
    again = fetch(filled, dump, 1).content
    assert again not in (first, second)


def test_too_many_batches_without_acknowledgement(filled: Api) -> None:
    dump = start(filled, "a", docsPerBatch=10)
    for number in range(PARALLEL_DUMP_UNACKNOWLEDGED):
        assert fetch(filled, dump, number).status_code == 200
    assert error_of(fetch(filled, dump, 1000)) == (400, 32)
    assert fetch(filled, dump, 1000, lastBatch=0).status_code == 200


def test_too_many_dumps(filled: Api) -> None:
    dumps = [start(filled, "a") for _ in range(PARALLEL_DUMPS_MAX)]
    assert error_of(filled.post("/_api/dump/start", {"shards": ["a"]})) == (400, 32)
    for dump in dumps:
        assert filled.delete(f"/_api/dump/{dump}").status_code == 200


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", (400, 10)),
        ([], (400, 10)),
        ({"shards": "a"}, (400, 10)),
        ({"shards": [1]}, (400, 10)),
        ({"batchSize": -1}, (400, 10)),
        ({"batchSize": "x"}, (400, 10)),
        ({"ttl": True}, (400, 10)),
        ({"nonsense": 1}, (400, 10)),
        ({"shards": ["nope"]}, (404, 1203)),
    ],
)
def test_what_does_not_start(api: Api, body: Any, expected: tuple[int, int]) -> None:
    assert error_of(api.post("/_api/dump/start", body)) == expected


def test_paths_and_methods(filled: Api) -> None:
    dump = start(filled, "a")
    for method, path, expected in (
        ("POST", "", (400, 10)),
        ("POST", "/begin", (400, 10)),
        ("POST", f"/next/{dump}/x", (400, 10)),
        ("POST", f"/next/{dump}", (400, 10)),
        ("DELETE", "", (400, 10)),
        ("DELETE", f"/next/{dump}", (400, 10)),
        ("GET", "/start", (405, 405)),
        ("PUT", f"/{dump}", (405, 405)),
        ("POST", "/next/dump-1?batchId=1", (404, 1600)),
    ):
        assert error_of(filled.request(method, f"/_api/dump{path}")) == expected, (method, path)
    with Api(filled.url, "_system") as system:
        assert error_of(fetch(system, dump, 1)) == (403, 11)


def test_it_ends_unused_or_with_its_collection(manual: tuple[ServerThread, ManualClock]) -> None:
    server, clock = manual
    with server.fresh_database() as api:
        for name in ("a", "b"):
            api.create_collection(name)
            api.insert(name, [{"_key": str(n)} for n in range(100)])
        dump = start(api, "a", ttl=10, docsPerBatch=10)
        clock.advance_s(9)
        assert fetch(api, dump, 1).status_code == 200
        clock.advance_s(9)
        assert fetch(api, dump, 2).status_code == 200
        clock.advance_s(11)
        server.call(server.server.node.services.dumps.sweep)
        assert error_of(fetch(api, dump, 3)) == (404, 1600)
        dump = start(api, "b")
        api.delete("/_api/collection/b")
        assert error_of(fetch(api, dump, 1)) == (404, 1600)
