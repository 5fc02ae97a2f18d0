"""Dumps that go on from any position, which arangorep servers offer each other."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import requests
from support.revisions import number_of
from support.server import Api

Dump = Callable[..., requests.Response]

BYTES = 2000


def fill(api: Api, count: int = 50, collection: str = "c") -> list[int]:
    """A collection with documents of different lengths; returns their revisions."""
    api.create_collection(collection)
    documents = [{"_key": f"k{number:03}", "v": "x" * (100 + number)} for number in range(count)]
    return [number_of(item["_rev"]) for item in api.insert(collection, documents)]


@pytest.fixture(params=["false", "true"])
def dump(request: pytest.FixtureRequest, api: Api) -> Dump:
    """One chunk, bare and enveloped."""

    def ask_chunk(batch: str, after: int, chunk_bytes: int = BYTES) -> requests.Response:
        query = {"useEnvelope": request.param, "chunkSize": chunk_bytes, "from": after}
        response = api.get("/_api/replication/dump", collection="c", batchId=batch, **query)
        assert response.status_code in (200, 204), response.text
        return response

    return ask_chunk


def revisions_of(response: requests.Response) -> list[int]:
    lines = [json.loads(line) for line in response.content.splitlines()]
    return [number_of(line.get("data", line)["_rev"]) for line in lines]


def last_of(response: requests.Response) -> int:
    return int(response.headers["x-arango-replication-lastincluded"])


def has_more(response: requests.Response) -> bool:
    return response.headers["x-arango-replication-checkmore"] == "true"


def test_going_on_from_the_last_position(api: Api, dump: Dump) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    found: list[int] = []
    more, after, chunks = True, 0, 0
    while more:
        response = dump(batch, after)
        part = revisions_of(response)
        assert last_of(response) == part[-1]
        assert all(revision > after for revision in part)
        found += part
        after, more, chunks = last_of(response), has_more(response), chunks + 1
    assert found == revisions
    assert chunks > 3


def test_a_chunk_asked_for_again_is_the_same(api: Api, dump: Dump) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    positions, more, after = [0], True, 0
    answers = {}
    while more:
        response = dump(batch, after)
        answers[after] = response
        again = dump(batch, after) if after else response
        for name in ("checkmore", "lastincluded"):
            header = f"x-arango-replication-{name}"
            assert again.headers[header] == response.headers[header]
        assert again.content == response.content
        after, more = last_of(response), has_more(response)
        positions.append(after)
    # in any order, also behind the end
    for position in [*positions[-2:0:-1], *positions[1:-1:2]]:
        assert dump(batch, position).content == answers[position].content
    assert revisions_of(dump(batch, positions[-3], 10**6))[-1] == revisions[-1]


def test_the_first_chunk_can_be_asked_for_again(api: Api, dump: Dump) -> None:
    """0 leaves the position to the server; a small number is a position."""
    fill(api)
    batch = api.create_batch()
    first = dump(batch, 0)
    second = dump(batch, 0)
    assert revisions_of(second)[0] > last_of(first)
    assert dump(batch, 1).content == first.content
    assert dump(batch, last_of(first)).content == second.content
    assert dump(batch, 1).content == first.content


@pytest.mark.parametrize("after", [1, 1000, 1 << 40])
def test_a_small_number_is_before_everything(api: Api, dump: Dump, after: int) -> None:
    """Clients send a tick where others send a revision."""
    revisions = fill(api)
    assert revisions_of(dump(api.create_batch(), after, 10**6)) == revisions


@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_a_position_need_not_be_a_document(api: Api, dump: Dump, distance: int) -> None:
    revisions = fill(api)
    after = revisions[20] + distance
    expected = [revision for revision in revisions if revision > after]
    assert revisions_of(dump(api.create_batch(), after, 10**6)) == expected


def test_behind_the_last_document_there_is_nothing(api: Api, dump: Dump) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    for after in (revisions[-1], revisions[-1] + 1, 2**64 - 1):
        response = dump(batch, after)
        assert (response.status_code, response.content) == (204, b"")
        assert not has_more(response)
        assert last_of(response) == 0


def test_the_last_chunk_says_that_it_is_the_last(api: Api, dump: Dump) -> None:
    """From a position the number of documents left is not known."""
    revisions = fill(api, 10)
    batch = api.create_batch()
    for at in range(9):
        for keep in range(1, 10 - at):
            wanted = revisions[at + 1 : at + 1 + keep]
            whole = dump(batch, revisions[at], 10**6).content.splitlines(keepends=True)
            size = sum(map(len, whole[: keep - 1])) + 1
            response = dump(batch, revisions[at], size)
            assert revisions_of(response) == wanted
            assert has_more(response) is (wanted[-1] != revisions[-1])


def test_a_position_is_one_of_the_batch(api: Api, dump: Dump) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    first = dump(batch, 0)
    for key in ("k045", "k001"):
        api.put(f"/_api/document/c/{key}", {})
    api.insert("c", {"_key": "later"})
    rest = revisions_of(dump(batch, last_of(first), 10**6))
    assert revisions_of(first) + rest == revisions
    assert revisions_of(dump(batch, 1, 10**6)) == revisions


def test_a_renamed_collection_is_dumped_from_a_position(api: Api, dump: Dump) -> None:
    revisions = fill(api)
    api.put("/_api/collection/c/rename", {"name": "d"})
    api.put("/_api/collection/d/rename", {"name": "c"})
    batch = api.create_batch()
    response = dump(batch, revisions[9], 10**6)
    assert revisions_of(response) == revisions[10:]
    lines = [json.loads(line) for line in response.content.splitlines()]
    assert {line.get("data", line)["_id"][:2] for line in lines} == {"c/"}


def test_the_feature_is_announced(api: Api) -> None:
    server = api.get("/_api/replication/logger-state").json()["server"]
    assert "dump-from" in server["features"]
    state = api.post("/_api/replication/batch", {"ttl": 60}, state="true").json()["state"]
    assert state["server"]["features"] == server["features"]
