"""`/_api/dump` over many connections, beside writers, and while what it reads goes away."""

from __future__ import annotations

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.codec import velocypack

COUNT = 2000
CONNECTIONS = 6


@pytest.fixture
def filled(api: Api) -> Api:
    for name in ("a", "b"):
        api.create_collection(name)
        api.insert(name, [{"_key": f"{name}{n}", "t": "x" * 200} for n in range(COUNT)])
    return api


def start(api: Api, *names: str, vpack: str = "false", **body: Any) -> str:
    response = api.post("/_api/dump/start", {"shards": list(names), **body}, useVPack=vpack)
    assert response.status_code == 201, response.text
    return response.headers["x-arango-dump-id"]


def fetch_all(api: Api, dump: str, numbers: itertools.count[int], vpack: str) -> list[Any]:
    """One connection of a dump: batches until there are no more."""
    found: list[Any] = []
    last: dict[str, int] = {}
    with Api(api.url, api.database) as own:
        while True:
            number = next(numbers)
            response = own.post(f"/_api/dump/next/{dump}", batchId=number, **last)
            if response.status_code == 204:
                return found
            assert response.status_code == 200, response.text
            shard = response.headers["x-arango-dump-shard-id"]
            body = response.content
            rows = (
                velocypack.decode(body)
                if vpack == "true"
                else [json.loads(line) for line in body.splitlines()]
            )
            found += [(shard, row["_id"], row["_rev"]) for row in rows]
            last = {"lastBatch": number}


@pytest.mark.parametrize("vpack", ["true", "false"])
def test_many_connections_beside_a_writer(filled: Api, vpack: str) -> None:
    batch = filled.create_batch()
    expected = [
        (name, row["_id"], row["_rev"]) for name in ("a", "b") for row in filled.dump(name, batch)
    ]
    dump = start(filled, "a", "b", vpack=vpack)
    stop = threading.Event()

    def write() -> int:
        rounds = 0
        with Api(filled.url, filled.database) as own:
            while not stop.is_set():
                for name in ("a", "b"):
                    keys = [{"_key": f"{name}{n}", "n": rounds} for n in range(rounds, COUNT, 20)]
                    own.patch(f"/_api/document/{name}", keys)
                    own.insert(name, [{} for _ in range(50)])
                rounds += 1
        return rounds

    numbers = itertools.count(1)
    with ThreadPoolExecutor(CONNECTIONS + 1) as pool:
        writer = pool.submit(write)
        try:
            readers = [
                pool.submit(fetch_all, filled, dump, numbers, vpack) for _ in range(CONNECTIONS)
            ]
            found = [row for reader in readers for row in reader.result(60)]
        finally:
            stop.set()
        assert writer.result(60) > 0
    assert sorted(found) == sorted(expected)
    assert filled.delete(f"/_api/dump/{dump}").status_code == 200


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/_api/dump/DUMP", (404, 1600)),
        ("/_api/collection/a", (404, 1600)),
        ("", (404, 1600)),
    ],
)
def test_what_goes_while_a_connection_waits(
    filled: Api, server: ServerThread, system: Api, path: str, error: tuple[int, int]
) -> None:
    """Nobody is told that all was read, and it is no failure of the server."""
    dump = start(filled, "a")
    lock = server.server.node.services.dump_lock
    server.run(lock.acquire())
    started = filled.request(
        "POST", f"/_api/dump/next/{dump}?batchId=1", headers={"x-arango-async": "store"}
    )
    job = started.headers["x-arango-async-id"]
    if path:
        assert filled.delete(path.replace("DUMP", dump)).status_code == 200
    else:
        assert system.delete(f"/_api/database/{filled.database}").status_code == 200
    server.call(lock.release)
    wait_for(lambda: True if system.get(f"/_api/job/{job}").status_code != 204 else None)
    assert error_of(system.put(f"/_api/job/{job}")) == error


def test_a_rename_within_a_dump(filled: Api) -> None:
    dump = start(filled, "a", docsPerBatch=100)
    first = filled.post(f"/_api/dump/next/{dump}", batchId=1)
    assert first.headers["x-arango-dump-shard-id"] == "a"
    assert filled.put("/_api/collection/a/rename", {"name": "z"}).status_code == 200
    rest = fetch_all(filled, dump, itertools.count(2), "false")
    assert len(rest) + len(first.content.splitlines()) == COUNT
    assert {shard for shard, _, _ in rest} == {"a"}
    filled.delete(f"/_api/dump/{dump}")


def test_the_same_batch_by_many_at_once(filled: Api) -> None:
    dump = start(filled, "a", docsPerBatch=500, batchSize=10**7)

    def fetch(_: int) -> bytes:
        with Api(filled.url, filled.database) as own:
            return own.post(f"/_api/dump/next/{dump}", batchId=1).content

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        assert len(set(pool.map(fetch, range(CONNECTIONS * 2)))) == 1
    rest = fetch_all(filled, dump, itertools.count(2), "false")
    assert len(rest) == COUNT - 500
    filled.delete(f"/_api/dump/{dump}")
