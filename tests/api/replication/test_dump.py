"""`GET /_api/replication/dump`: the documents of a collection at a batch (leader-api 4)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import requests
from support.raw import RawConnection
from support.revisions import number_of
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.config import Config

KEYS_OF_ALL_KINDS = ["a", "0", "_", "a:b", "x@y.z", "(1+1),=;$!*'%", "k" * 254]


def chunk(api: Api, collection: str, batch: str, **params: Any) -> requests.Response:
    """One bare chunk."""
    query = {"collection": collection, "batchId": batch, "useEnvelope": "false", **params}
    return api.get("/_api/replication/dump", **query)


def chunks(api: Api, collection: str, batch: str, **params: Any) -> Iterator[requests.Response]:
    """Chunk after chunk to the end."""
    while True:
        response = chunk(api, collection, batch, **params)
        assert response.status_code in (200, 204), response.text
        yield response
        if not check_more(response):
            return


def check_more(response: requests.Response) -> bool:
    return {"true": True, "false": False}[response.headers["x-arango-replication-checkmore"]]


def last_included(response: requests.Response) -> int:
    return int(response.headers["x-arango-replication-lastincluded"])


def documents(response: requests.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.content.splitlines()]


def fill(api: Api, collection: str = "c", count: int = 50, size: int = 100) -> list[str]:
    """Insert documents that differ in length; returns their keys."""
    keys = [f"{i:04}" for i in range(count)]
    api.insert(collection, [{"_key": k, "v": "x" * (size + i)} for i, k in enumerate(keys)])
    return keys


# -- lines ---------------------------------------------------------------------------------------


def test_a_bare_line_is_the_document_as_it_is(api: Api) -> None:
    api.create_collection("c")
    given = {"b": "é€😀", "a": {"_rev": "r", "_key": "k"}, "z": '"_rev":"quoted"\n', "n": 2**63}
    inserted = api.insert("c", {"_key": "k", **given})
    response = chunk(api, "c", api.create_batch())
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/x-arango-dump; charset=utf-8"
    identity = f'"_key":"k","_id":"c/k","_rev":"{inserted["_rev"]}"'
    rest = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    assert response.content == b"{" + f"{identity},{rest[1:]}\n".encode()
    assert last_included(response) == number_of(inserted["_rev"])
    assert not check_more(response)


def test_an_enveloped_line_has_tick_type_key_rev_and_data(api: Api) -> None:
    api.create_collection("c")
    given = {"a": '"_rev":"x"', "_rev_": 1, "o": {"_rev": "y"}}
    inserted = api.insert("c", {"_key": "k", **given})
    response = api.get("/_api/replication/dump", collection="c", batchId=api.create_batch())
    assert response.headers["content-type"] == "application/x-arango-dump; charset=utf-8"
    (line,) = documents(response)
    assert list(line) == ["tick", "type", "key", "rev", "data"]
    assert line == {
        "tick": str(number_of(inserted["_rev"])),
        "type": 2300,
        "key": "k",
        "rev": inserted["_rev"],
        "data": {"_key": "k", "_id": "c/k", "_rev": inserted["_rev"], **given},
    }


@pytest.mark.parametrize(
    ("value", "enveloped"),
    [(None, True), ("true", True), ("1", True), ("false", False), ("0", False), ("what", False)],
)
def test_an_envelope_is_the_default(api: Api, value: str | None, enveloped: bool) -> None:
    api.create_collection("c")
    api.insert("c", {})
    params = {} if value is None else {"useEnvelope": value}
    response = api.get(
        "/_api/replication/dump", batchId=api.create_batch(), collection="c", **params
    )
    assert ("data" in documents(response)[0]) is enveloped


@pytest.mark.parametrize("envelope", ["true", "false"])
@pytest.mark.parametrize("edge", [False, True])
def test_every_kind_of_key_comes_through(api: Api, edge: bool, envelope: str) -> None:
    api.create_collection("c", type=3 if edge else 2)
    ends = {"_from": "é/_rev", "_to": "b b/(x)"} if edge else {}
    for key in KEYS_OF_ALL_KINDS:
        api.insert("c", {"_key": key, "_rev": "ignored", "v": key, **ends})
    stored = [
        api.get(f"/_api/document/c/{key.replace('%', '%25')}").json() for key in KEYS_OF_ALL_KINDS
    ]
    batch = api.create_batch()
    found = documents(chunk(api, "c", batch, useEnvelope=envelope))
    if envelope == "true":
        assert [line["key"] for line in found] == KEYS_OF_ALL_KINDS
        assert [line["rev"] for line in found] == [document["_rev"] for document in stored]
        assert [int(line["tick"]) for line in found] == [number_of(d["_rev"]) for d in stored]
        found = [line["data"] for line in found]
    assert found == stored
    system = ["_key", "_id", "_from", "_to", "_rev"] if edge else ["_key", "_id", "_rev"]
    assert all(list(document) == [*system, "v"] for document in found)


def test_documents_come_in_the_order_of_their_revisions(api: Api) -> None:
    api.create_collection("c")
    for key in ("b", "c", "a"):
        api.insert("c", {"_key": key})
    api.patch("/_api/document/c/b", {"n": 1})
    found = api.dump("c", api.create_batch())
    assert [document["_key"] for document in found] == ["c", "a", "b"]
    revisions = [number_of(document["_rev"]) for document in found]
    assert revisions == sorted(revisions)


# -- chunks --------------------------------------------------------------------------------------


def expected_chunks(lines: list[bytes], size: int) -> list[list[bytes]]:
    """The loop of the specification: append until the size is reached."""
    cut: list[list[bytes]] = [[]]
    for line in lines:
        if sum(map(len, cut[-1])) >= size:
            cut.append([])
        cut[-1].append(line)
    return cut


@pytest.mark.parametrize("size", [1, 150, 151, 200, 1000, 5000, 10**6, 2**63, 2**64 - 1])
def test_a_chunk_ends_with_the_document_that_reaches_its_size(api: Api, size: int) -> None:
    api.create_collection("c")
    fill(api)
    batch = api.create_batch()
    whole = chunk(api, "c", batch).content.splitlines(keepends=True)
    assert len(whole) == 50
    assert [
        response.content.splitlines(keepends=True)
        for response in chunks(api, "c", batch, chunkSize=size)
    ] == expected_chunks(whole, size)


@pytest.mark.parametrize("size", [1, 300, 1000, 5000])
def test_enveloped_chunks_reach_their_size_and_pass_it_by_little(api: Api, size: int) -> None:
    api.create_collection("c")
    keys = fill(api)
    batch = api.create_batch()
    found: list[str] = []
    for response in chunks(api, "c", batch, chunkSize=size, useEnvelope="true"):
        lines = response.content.splitlines(keepends=True)
        found += [json.loads(line)["key"] for line in lines]
        if check_more(response):
            assert len(response.content) >= size
        # the cut is made by share, so one line more than needed may come
        assert len(response.content) < size + 2 * max(map(len, lines))
    assert found == keys


def test_last_included_is_the_last_revision_and_grows(api: Api) -> None:
    api.create_collection("c")
    fill(api)
    seen = []
    for response in chunks(api, "c", api.create_batch(), chunkSize=600):
        assert last_included(response) == number_of(documents(response)[-1]["_rev"])
        seen.append(last_included(response))
    assert len(seen) > 5
    assert seen == sorted(set(seen))


def test_the_end_comes_with_the_last_documents(api: Api) -> None:
    api.create_collection("c")
    fill(api, count=3)
    batch = api.create_batch()
    answers = list(chunks(api, "c", batch, chunkSize=1))
    assert [len(documents(answer)) for answer in answers] == [1, 1, 1]
    assert [check_more(answer) for answer in answers] == [True, True, False]


@pytest.mark.parametrize("params", [{"chunkSize": "0"}, {"chunkSize": "x"}, {"chunkSize": "2e5"}])
def test_a_chunk_size_of_zero_reads_nothing(api: Api, params: dict[str, str]) -> None:
    api.create_collection("c")
    keys = fill(api, count=3)
    batch = api.create_batch()
    response = chunk(api, "c", batch, **params)
    if params["chunkSize"] == "2e5":  # the leading digits: 2
        assert [d["_key"] for d in documents(response)] == keys[:1]
        return
    assert (response.status_code, response.content) == (204, b"")
    assert check_more(response)
    assert last_included(response) == 0
    assert [d["_key"] for d in api.dump("c", batch)] == keys


def test_the_default_chunk_is_128_kib(api: Api) -> None:
    api.create_collection("c")
    fill(api, count=200, size=1000)
    response = chunk(api, "c", api.create_batch())
    lines = response.content.splitlines(keepends=True)
    assert len(response.content) - len(lines[-1]) < 131_072 <= len(response.content)
    assert check_more(response)


def test_a_larger_wish_is_clamped(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arangorep.leader.dump.CHUNK_BYTES_MAX", 2000)
    api.create_collection("c")
    keys = fill(api)
    answers = list(chunks(api, "c", api.create_batch(), chunkSize=2**40))
    assert len(answers) > 2
    assert all(len(answer.content) < 2500 for answer in answers)
    assert [d["_key"] for answer in answers for d in documents(answer)] == keys


@pytest.mark.parametrize("envelope", ["true", "false"])
def test_a_document_larger_than_the_chunk_comes_whole(api: Api, envelope: str) -> None:
    api.create_collection("c")
    sizes = [10, 3_000_000, 20, 700_000]
    for size in sizes:
        api.insert("c", {"v": "x" * size})
    found = []
    for response in chunks(api, "c", api.create_batch(), chunkSize=1000, useEnvelope=envelope):
        lines = documents(response)
        found.append([len(line.get("data", line)["v"]) for line in lines])
    assert found == [sizes[:2], sizes[2:]]


def test_a_dump_starts_over_after_its_end(api: Api) -> None:
    api.create_collection("c")
    keys = fill(api)
    batch = api.create_batch()
    for _ in range(3):
        assert [d["_key"] for d in api.dump("c", batch, chunkSize=1000)] == keys


# -- empty ---------------------------------------------------------------------------------------


def test_an_empty_collection_is_204_with_both_headers(server: ServerThread, api: Api) -> None:
    api.create_collection("c")
    batch = api.create_batch()
    path = f"/_db/{api.database}/_api/replication/dump?collection=c&batchId={batch}"
    with RawConnection(server.port) as connection:
        for _ in range(2):
            answer = connection.request("GET", path)
            assert (answer.status, answer.body) == (204, b"")
            assert answer.headers["content-length"] == "0"
            assert answer.headers["x-arango-replication-checkmore"] == "false"
            assert answer.headers["x-arango-replication-lastincluded"] == "0"


def test_a_collection_created_after_the_batch_dumps_as_empty(api: Api) -> None:
    batch = api.create_batch()
    api.create_collection("c")
    fill(api)
    response = chunk(api, "c", batch)
    assert (response.status_code, check_more(response)) == (204, False)
    assert len(api.dump("c", api.create_batch())) == 50


def test_a_collection_filled_after_the_batch_dumps_as_empty(api: Api) -> None:
    api.create_collection("c")
    batch = api.create_batch()
    fill(api)
    assert api.dump("c", batch) == []


# -- the snapshot --------------------------------------------------------------------------------


def test_writes_after_the_batch_are_invisible(api: Api) -> None:
    api.create_collection("c")
    fill(api, count=20)
    before = api.dump("c", api.create_batch())
    batch = api.create_batch()
    first = documents(chunk(api, "c", batch, chunkSize=1000))
    api.insert("c", {"_key": "new"})
    api.patch("/_api/document/c/0015", {"n": 1})
    api.put("/_api/document/c/0016", {"n": 1})
    api.delete("/_api/document/c/0017")
    second = documents(chunk(api, "c", batch, chunkSize=1000))
    api.put("/_api/collection/c/truncate")
    fill(api, count=3)
    rest = api.dump("c", batch)
    assert 0 < len(first) < 15
    assert first + second + rest == before
    assert api.dump("c", batch) == before


def test_every_batch_has_its_own_view_and_position(api: Api) -> None:
    api.create_collection("c")
    batches, views = [], []
    for number in range(4):
        api.insert("c", {"_key": f"k{number}"})
        api.insert("c", {"_key": "changing", "n": number}, overwriteMode="replace")
        batches.append(api.create_batch())
        views.append({document["_key"]: document for document in api.dump("c", batches[-1])})
    readers = [chunks(api, "c", batch, chunkSize=1) for batch in batches]
    found: list[dict[str, Any]] = [{} for _ in batches]
    for _ in range(5):  # all four at a time, a document each
        for reader, view in zip(readers, found, strict=True):
            for response in islice(reader, 1):
                view.update({d["_key"]: d for d in documents(response)})
    assert found == views
    assert [view["changing"]["n"] for view in views] == [0, 1, 2, 3]


@pytest.mark.parametrize("envelope", ["true", "false"])
@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize("name", ["x", "a-much-longer-name", "ü €"])
def test_a_renamed_collection_has_its_new_name_in_every_id(
    api: Api, name: str, edge: bool, envelope: str
) -> None:
    api.create_collection("old", type=3 if edge else 2)
    ends = {"_from": "old/a", "_to": "old/b"} if edge else {}
    api.insert("old", [{"_key": f"o{i}", "ref": "old/x", **ends} for i in range(20)])
    batch = api.create_batch()
    first = documents(chunk(api, "old", batch, chunkSize=500, useEnvelope=envelope))
    assert api.put("/_api/collection/old/rename", {"name": name}).status_code == 200
    api.insert(name, {"_key": "new", **ends})
    rest: list[dict[str, Any]] = []
    for response in chunks(api, name, batch, chunkSize=500, useEnvelope=envelope):
        rest += documents(response)
    after = api.dump(name, api.create_batch())
    if envelope == "true":
        assert [line["key"] for line in rest] == [line["data"]["_key"] for line in rest]
        assert [line["rev"] for line in rest] == [line["data"]["_rev"] for line in rest]
        first, rest = [line["data"] for line in first], [line["data"] for line in rest]
    assert {document["_id"] for document in first} == {f"old/o{i}" for i in range(len(first))}
    assert [d["_id"] for d in rest] == [f"{name}/o{i}" for i in range(len(first), 20)]
    assert [d["_id"] for d in after] == [*(f"{name}/o{i}" for i in range(20)), f"{name}/new"]
    assert all(document["ref"] == "old/x" for document in rest)
    if edge:
        assert all(document["_from"] == "old/a" for document in rest)


# -- naming the collection -----------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "id", "globallyUniqueId"])
def test_the_collection_by_name_id_or_guid(api: Api, by: str) -> None:
    created = api.create_collection("c")
    api.insert("c", {"_key": "k"})
    assert "/" in created["globallyUniqueId"]
    assert [d["_key"] for d in api.dump(created[by], api.create_batch())] == ["k"]


@pytest.mark.parametrize("slash", ["/", "%2F", "%2f"])
def test_a_guid_with_its_slash_escaped_or_not(server: ServerThread, api: Api, slash: str) -> None:
    guid = api.create_collection("c")["globallyUniqueId"].replace("/", slash)
    api.insert("c", {"_key": "k"})
    batch = api.create_batch()
    path = f"/_db/{api.database}/_api/replication/dump?batchId={batch}&collection={guid}"
    with RawConnection(server.port) as connection:
        assert connection.request("GET", path).json()["key"] == "k"


def test_parameters_of_older_engines_are_ignored(api: Api) -> None:
    api.create_collection("c")
    keys = fill(api)
    query = {"from": 10**18, "to": 1, "ticks": "false", "includeSystem": "false", "flush": "true"}
    query |= {"flushWait": 5, "serverId": 7, "singleTransaction": "true", "array": "true"}
    assert [d["_key"] for d in api.dump("c", api.create_batch(), **query)] == keys


# -- errors --------------------------------------------------------------------------------------


def test_what_is_missing_or_unknown(server: ServerThread, api: Api) -> None:
    api.create_collection("c")
    batch = api.create_batch()
    path = "/_api/replication/dump"
    with server.fresh_database() as other:
        other.create_collection("elsewhere")
        cases: list[tuple[dict[str, str], tuple[int, int]]] = [
            ({}, (400, 400)),
            ({"batchId": batch}, (400, 400)),
            ({"collection": "", "batchId": batch}, (400, 400)),
            ({"collection": "c"}, (404, 400)),
            ({"collection": "nowhere"}, (404, 400)),
            ({"collection": "c", "batchId": "12345678"}, (404, 1600)),
            ({"collection": "nowhere", "batchId": "12345678"}, (404, 1600)),
            ({"collection": "nowhere", "batchId": batch}, (404, 1203)),
            ({"collection": "elsewhere", "batchId": batch}, (404, 1203)),
            ({"collection": "99999999", "batchId": batch}, (404, 1203)),
        ]
        for params, expected in cases:
            assert (params, error_of(api.get(path, **params))) == (params, expected)


def test_with_authentication_a_missing_collection_is_1203(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0, root_password="secret")
    with ServerThread(config) as server, Api(server.url, "_system") as system:
        assert error_of(system.get("/_api/replication/dump")) == (401, 11)
        system.session.auth = ("root", "secret")
        assert error_of(system.get("/_api/replication/dump")) == (404, 1203)


def hold(server: ServerThread, api: Api, batch: str, name: str, busy: bool) -> None:
    """Make the position of a dump look as if a request was at work on it (or no longer)."""

    def mark() -> None:
        services = server.server.node.services
        collection = services.store.catalog.database(api.database).find(name)
        with services.batches.use(int(batch)) as found:
            found.dump_cursor(collection).busy = busy

    server.call(mark)


def test_two_requests_at_once_for_the_same_dump_are_refused(server: ServerThread, api: Api) -> None:
    for name in ("c", "d"):
        api.create_collection(name)
        fill(api, name, count=5)
    batch, other = api.create_batch(), api.create_batch()
    first = documents(chunk(api, "c", batch, chunkSize=1))
    hold(server, api, batch, "c", busy=True)
    response = chunk(api, "c", batch)
    assert error_of(response) == (400, 400)
    assert response.json()["errorMessage"].startswith("replication dump - ")
    assert len(api.dump("d", batch)) == 5
    assert len(api.dump("c", other)) == 5
    hold(server, api, batch, "c", busy=False)
    assert len(first + api.dump("c", batch)) == 5


def test_different_collections_of_a_batch_are_dumped_at_once(
    server: ServerThread, api: Api
) -> None:
    expected = {}
    for name in ("c", "d", "e", "f"):
        api.create_collection(name)
        fill(api, name, count=300)
        expected[name] = api.dump(name, api.create_batch())
    batch = api.create_batch()

    def dump(name: str) -> list[dict[str, Any]]:
        with Api(server.url, api.database) as client:
            return client.dump(name, batch, chunkSize=1000)

    with ThreadPoolExecutor(len(expected)) as threads:
        found = threads.map(dump, expected)
        for number in range(50):  # while others write
            api.insert("c", {"_key": f"0{number:03}", "new": True}, overwriteMode="replace")
        assert dict(zip(expected, found, strict=True)) == expected


# -- asynchronously ------------------------------------------------------------------------------


def fetch_job(api: Api, job: str) -> requests.Response:
    def look() -> requests.Response | None:
        response = api.put(f"/_api/job/{job}")
        return None if response.status_code == 204 else response

    return wait_for(look)


def test_a_first_chunk_is_fetched_as_a_job(api: Api) -> None:
    """What a real follower does for the first request of each collection (leader-api 0)."""
    api.create_collection("c")
    keys = fill(api)
    batch = api.create_batch()
    query = {"collection": "c", "batchId": batch, "chunkSize": 1000}
    accepted = api.request(
        "GET",
        "/_api/replication/dump",
        params={**query, "useEnvelope": "false"},
        headers={"x-arango-async": "store"},
    )
    assert (accepted.status_code, accepted.content) == (202, b"")
    job = accepted.headers["x-arango-async-id"]
    assert job.isdecimal()
    first = fetch_job(api, job)
    assert first.status_code == 200
    assert first.headers["x-arango-async-id"] == job
    assert first.headers["content-type"] == "application/x-arango-dump; charset=utf-8"
    assert check_more(first)
    assert last_included(first) == number_of(documents(first)[-1]["_rev"])
    assert error_of(api.put(f"/_api/job/{job}")) == (404, 404)
    rest = api.dump("c", batch)
    assert [d["_key"] for d in documents(first) + rest] == keys


def test_an_empty_dump_as_a_job_is_told_from_a_pending_one_by_its_id(api: Api) -> None:
    api.create_collection("c")
    accepted = api.request(
        "GET",
        "/_api/replication/dump",
        params={"collection": "c", "batchId": api.create_batch()},
        headers={"x-arango-async": "store"},
    )
    job = accepted.headers["x-arango-async-id"]

    def look() -> requests.Response | None:
        response = api.put(f"/_api/job/{job}")
        return response if "x-arango-async-id" in response.headers else None

    finished = wait_for(look)
    assert finished.status_code == 204
    assert not check_more(finished)


def test_a_failed_dump_as_a_job_keeps_its_status(api: Api) -> None:
    accepted = api.request(
        "GET",
        "/_api/replication/dump",
        params={"collection": "nowhere", "batchId": api.create_batch()},
        headers={"x-arango-async": "store"},
    )
    assert accepted.status_code == 202
    assert error_of(fetch_job(api, accepted.headers["x-arango-async-id"])) == (404, 1203)


@pytest.mark.parametrize(
    "path", ["replication/dump?collection=empty&batchId={}", "wal/tail?from={}"]
)
def test_an_empty_chunk_has_its_type(server: ServerThread, api: Api, path: str) -> None:
    """The published tools look at it before anything else (follower 9.1, 13)."""
    api.create_collection("empty")
    number = api.create_batch() if "dump" in path else api.get("/_api/wal/lastTick").json()["tick"]
    with RawConnection(server.port) as connection:
        target = f"/_db/{api.database}/_api/{path.format(number)}"
        for accept, expected in (
            ("*/*", "application/x-arango-dump; charset=utf-8"),
            ("application/x-velocypack", "application/x-velocypack"),
        ):
            answer = connection.request("GET", target, None, {"Accept": accept})
            assert (answer.status, answer.headers["content-type"]) == (204, expected)
            assert answer.headers["content-length"] == "0"
