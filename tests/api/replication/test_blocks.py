"""What arangorep servers offer each other: blocks of revisions, and dumps from any position."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from support.revisions import hash_of, hlc_of, number_of
from support.server import Api, error_of

PATH = "/_api/replication/revisions/blocks"
EVERYTHING = (1 << 60, (1 << 61) + (1 << 60))

Range = tuple[int, int]
Blocks = list[tuple[int, int]]


def fill(api: Api, count: int = 50, collection: str = "c") -> list[int]:
    """A collection with documents of different lengths; returns their revisions."""
    api.create_collection(collection)
    documents = [{"_key": f"k{number:03}", "v": "x" * (100 + number)} for number in range(count)]
    return [number_of(item["_rev"]) for item in api.insert(collection, documents)]


def ask(
    api: Api, batch: str, ranges: list[Range], size: int, collection: str = "c"
) -> requests.Response:
    body = [[hlc_of(low), hlc_of(high)] for low, high in ranges]
    return api.put(PATH, body, collection=collection, batchId=batch, blockSize=size)


def read(response: requests.Response) -> Blocks:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/octet-stream"
    return list(struct.iter_unpack(">QQ", response.content))


def model(revisions: list[int], ranges: list[Range], size: int) -> Blocks:
    """Ends and hashes, one revision at a time."""
    blocks = []
    for low, high in ranges:
        inside = sorted(revision for revision in revisions if low <= revision <= high)
        parts = [inside[at : at + size] for at in range(0, len(inside), size)] or [[]]
        for part in parts:
            mixed = 0
            for revision in part:
                mixed ^= hash_of(revision)
            blocks.append((high if part is parts[-1] else part[-1], mixed))
    return blocks


# -- blocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 7, 25, 50, 51, 1_000_000])
def test_blocks_are_those_of_the_documents(api: Api, size: int) -> None:
    revisions = fill(api)
    answer = read(ask(api, api.create_batch(), [EVERYTHING], size))
    assert answer == model(revisions, [EVERYTHING], size)
    assert len(answer) == max(1, -(-50 // size))


def test_any_ranges_and_sizes(api: Api) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    borders = sorted({r + d for r in revisions for d in (-1, 0, 1)} | set(EVERYTHING))

    @settings(max_examples=60)
    @given(
        ends=st.lists(st.sampled_from(borders), min_size=2, max_size=8, unique=True).map(sorted),
        size=st.integers(1, 60),
    )
    def check(ends: list[int], size: int) -> None:
        ranges = list(zip(ends[::2], ends[1::2], strict=False))
        assert read(ask(api, batch, ranges, size)) == model(revisions, ranges, size)

    check()


@pytest.mark.parametrize("by", ["name", "id", "globallyUniqueId"])
def test_blocks_are_those_of_the_batch(api: Api, by: str) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    collection = api.get("/_api/collection/c").json()[by]
    api.insert("c", {"_key": "later"})
    api.delete("/_api/document/c/k000")
    api.put("/_api/collection/c/truncate")
    answer = read(ask(api, batch, [EVERYTHING], 8, collection))
    assert answer == model(revisions, [EVERYTHING], 8)


def test_a_range_without_documents_is_one_block(api: Api) -> None:
    api.create_collection("c")
    ranges = [(5, 9), EVERYTHING]
    assert read(ask(api, api.create_batch(), ranges, 3)) == [(9, 0), (EVERYTHING[1], 0)]


def test_a_range_may_be_a_single_revision(api: Api) -> None:
    """The rest of an answer that was cut off."""
    revisions = fill(api, 3)
    ranges = [(5, 5), (revisions[1], revisions[1])]
    answer = read(ask(api, api.create_batch(), ranges, 3))
    assert answer == [(5, 0), (revisions[1], hash_of(revisions[1]))]


def test_a_long_answer_is_cut_off_and_can_be_continued(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arangorep.leader.revisions.REVISION_BLOCKS_PER_ANSWER", 4)
    monkeypatch.setattr("arangorep.leader.revisions.REVISION_BLOCK_ROWS", 3)
    monkeypatch.setattr("arangorep.leader.revisions.SCAN_ROWS_MAX", 2)
    revisions = fill(api)
    batch = api.create_batch()
    low, high = EVERYTHING
    found: Blocks = []
    while not found or found[-1][0] < high:
        part = read(ask(api, batch, [(found[-1][0] + 1 if found else low, high)], 3))
        assert 0 < len(part) <= 4
        found += part
    assert found == model(revisions, [EVERYTHING], 3)
    middle = revisions[24]
    two = [(low, middle), (middle + 1, high)]
    assert read(ask(api, batch, two, 3)) == model(revisions, two, 3)[:4]


@pytest.mark.parametrize("border", range(1, 26))
def test_a_read_that_ends_at_the_border_of_a_range(
    api: Api, monkeypatch: pytest.MonkeyPatch, border: int
) -> None:
    monkeypatch.setattr("arangorep.leader.revisions.REVISION_BLOCK_ROWS", 3)
    revisions = fill(api)
    ranges = [(EVERYTHING[0], revisions[border]), (revisions[border] + 1, EVERYTHING[1])]
    found = read(ask(api, api.create_batch(), ranges, 3))
    ends = [end for end, _ in found]
    assert ends == sorted(set(ends))
    assert {right for _, right in ranges} <= set(ends)
    assert xor(found) == xor(model(revisions, ranges, 3))


def xor(blocks: Blocks) -> int:
    mixed = 0
    for _, one in blocks:
        mixed ^= one
    return mixed


def test_the_feature_is_announced(api: Api) -> None:
    server = api.get("/_api/replication/logger-state").json()["server"]
    assert {"revision-blocks", "dump-from"} <= set(server["features"])
    state = api.post("/_api/replication/batch", {"ttl": 60}, state="true").json()["state"]
    assert state["server"]["features"] == server["features"]


# -- errors --------------------------------------------------------------------------------------

GOOD = [[hlc_of(5), hlc_of(9)]]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        5,
        [5],
        [[]],
        [[hlc_of(5)]],
        [[hlc_of(5), hlc_of(9), hlc_of(9)]],
        [[5, 9]],
        [["!", hlc_of(9)]],
        [[hlc_of(5), "N9999999999"]],
        [[hlc_of(9), hlc_of(5)]],
        [[hlc_of(5), hlc_of(9)], [hlc_of(7), hlc_of(12)]],
        [[hlc_of(20), hlc_of(29)], [hlc_of(7), hlc_of(12)]],
    ],
)
def test_bodies_that_are_no_ranges(api: Api, body: Any) -> None:
    api.create_collection("c")
    query = {"collection": "c", "batchId": api.create_batch(), "blockSize": 5}
    assert error_of(api.put(PATH, json.dumps(body), **query)) == (400, 400)


@pytest.mark.parametrize("size", ["", "0", "-1", "x", "1000001", str(2**64)])
def test_sizes_that_are_none(api: Api, size: str) -> None:
    api.create_collection("c")
    query = {"collection": "c", "batchId": api.create_batch()}
    assert error_of(api.put(PATH, GOOD, **query, blockSize=size)) == (400, 400)
    assert error_of(api.put(PATH, GOOD, **query)) == (400, 400)


def test_missing_parameters(api: Api) -> None:
    api.create_collection("c")
    batch = api.create_batch()
    assert error_of(api.put(PATH, GOOD, batchId=batch, blockSize=5)) == (400, 400)
    assert error_of(api.put(PATH, GOOD, collection="c", blockSize=5)) == (400, 400)


def test_an_unknown_batch(api: Api) -> None:
    api.create_collection("c")
    assert error_of(ask(api, "4711", [(5, 9)], 5)) == (404, 1600)
    batch = api.create_batch()
    api.delete(f"/_api/replication/batch/{batch}")
    assert error_of(ask(api, batch, [(5, 9)], 5)) == (404, 1600)


def test_an_unknown_collection(api: Api) -> None:
    assert error_of(ask(api, api.create_batch(), [(5, 9)], 5)) == (404, 1203)


def test_no_json(api: Api) -> None:
    api.create_collection("c")
    query = {"collection": "c", "batchId": api.create_batch(), "blockSize": 5}
    assert error_of(api.put(PATH, "[", **query)) == (400, 600)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_only_put(api: Api, method: str) -> None:
    assert error_of(api.request(method, PATH)) == (405, 405)


# -- dump from a position ------------------------------------------------------------------------

BYTES = 2000


@pytest.fixture(params=["false", "true"])
def dump(request: pytest.FixtureRequest, api: Api) -> Callable[..., requests.Response]:
    """One chunk, bare and enveloped."""

    def ask_chunk(batch: str, after: int, chunk_bytes: int = BYTES) -> requests.Response:
        query = {"useEnvelope": request.param, "chunkSize": chunk_bytes, "from": after}
        response = api.get("/_api/replication/dump", collection="c", batchId=batch, **query)
        assert response.status_code in (200, 204), response.text
        return response

    return ask_chunk


Dump = Callable[..., requests.Response]


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
