"""`/_api/replication/keys`: comparing a collection by chunks of sorted keys (leader-api 5)."""

from __future__ import annotations

from typing import Any

import pytest
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

PATH = "/_api/replication/keys"
MANY = 250
KEYS = sorted(
    ["Z", "a", "_x", "-", "0", "a:b", "(", *(f"k{i}" for i in range(MANY - 8)), "k" * 250]
)
assert len(KEYS) == MANY

MASK = 2**64 - 1
PRIMES = (
    11400714785074694791,
    14029467366897019727,
    1609587929392839161,
    9650029242287828579,
    2870177450012600261,
)


def rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & MASK


def xxh64(data: bytes, seed: int) -> int:
    """XXH64 in the words of its specification, slowly."""
    p1, p2, p3, p4, p5 = PRIMES

    def lane(accumulator: int, word: int) -> int:
        return rotate((accumulator + word * p2) & MASK, 31) * p1 & MASK

    words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data) // 8 * 8, 8)]
    rest = data[len(words) * 8 :]
    value = (seed + p5) & MASK
    stripes = len(data) // 32 * 4
    if stripes:
        lanes = [(seed + p1 + p2) & MASK, (seed + p2) & MASK, seed, (seed - p1) & MASK]
        for i in range(stripes):
            lanes[i % 4] = lane(lanes[i % 4], words[i])
        value = sum(rotate(v, bits) for v, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK
        for one in lanes:
            value = ((value ^ lane(0, one)) * p1 + p4) & MASK
    value = (value + len(data)) & MASK
    for word in words[stripes:]:
        value = (rotate(value ^ lane(0, word), 27) * p1 + p4) & MASK
    if len(rest) >= 4:
        value ^= int.from_bytes(rest[:4], "little") * p1 & MASK
        value = (rotate(value, 23) * p2 + p3) & MASK
        rest = rest[4:]
    for byte in rest:
        value = rotate(value ^ (byte * p5 & MASK), 11) * p1 & MASK
    value = (value ^ value >> 33) * p2 & MASK
    value = (value ^ value >> 29) * p3 & MASK
    return value ^ value >> 32


def expected_hash(documents: list[dict[str, Any]]) -> str:
    total = 0x012345678
    for document in documents:
        for text in (document["_key"], document["_rev"]):
            data = text.encode()
            long_head = b"\xbf" + len(data).to_bytes(8, "little")
            head = long_head if len(data) > 126 else bytes([0x40 + len(data)])
            total ^= xxh64(head + data, 0xDEADBEEF)
    return str(total)


def fill(api: Api) -> list[dict[str, Any]]:
    """A collection `c` with documents in another order than that of their keys; sorted by key."""
    api.create_collection("c")
    api.insert("c", [{"_key": key, "v": key} for key in reversed(KEYS)])
    return sorted(api.dump("c", api.create_batch()), key=lambda document: document["_key"])


def open_keys(api: Api) -> str:
    """The path of the keys of `c` at a new batch."""
    response = api.post(PATH, collection="c", batchId=api.create_batch())
    assert response.status_code == 200, response.text
    return f"{PATH}/{response.json()['id']}"


def test_the_slow_hash_is_xxh64() -> None:
    assert xxh64(b"", 0) == 0xEF46DB3751D8E999
    assert xxh64(b"a", 0) == 0xD24EC4F1A98C6E5B
    assert xxh64(b"Nobody inspects the spammish repetition", 0) == 0xFBCEA83C8A378BF1


# -- POST ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "id", "globallyUniqueId"])
@pytest.mark.parametrize("quick", [None, "", "true", "false"])
def test_counting(api: Api, by: str, quick: str | None) -> None:
    created = api.create_collection("c")
    api.insert("c", [{}, {}, {}])
    batch = api.create_batch()
    api.insert("c", {})
    query = {"collection": created[by], "batchId": batch}
    if quick is not None:
        query = {"quick": quick, **query}
    for _ in range(2):
        response = api.post(PATH, **query)
        assert response.status_code == 200
        assert response.json() == {"id": f"{batch}-{created['id']}", "count": 3}


@pytest.mark.parametrize(("quick", "has_id"), [("true", False), ("false", True), ("", True)])
def test_quick_answers_only_the_count_of_a_large_collection(
    api: Api, monkeypatch: pytest.MonkeyPatch, quick: str, has_id: bool
) -> None:
    api.create_collection("c")
    api.insert("c", [{}, {}, {}])
    batch = api.create_batch()
    for limit, expected in ((3, True), (2, has_id)):
        monkeypatch.setattr("arangorep.rest.replication.keys.KEYS_QUICK_MAX", limit)
        answer = api.post(PATH, quick=quick, collection="c", batchId=batch).json()
        assert answer["count"] == 3
        assert ("id" in answer) is expected


def test_what_is_missing_or_unknown_when_counting(api: Api) -> None:
    api.create_collection("c")
    batch = api.create_batch()
    cases: list[tuple[dict[str, str], tuple[int, int]]] = [
        ({}, (400, 400)),
        ({"collection": "", "batchId": batch}, (400, 400)),
        ({"quick": "yes", "collection": "c", "batchId": batch}, (400, 400)),
        ({"quick": "1", "collection": "nowhere"}, (400, 400)),
        ({"collection": "c"}, (404, 1600)),
        ({"collection": "c", "batchId": "12345678"}, (404, 1600)),
        ({"collection": "nowhere", "batchId": "12345678"}, (404, 1600)),
        ({"collection": "nowhere", "batchId": batch}, (404, 1203)),
    ]
    for params, expected in cases:
        assert (params, error_of(api.post(PATH, **params))) == (params, expected)


def test_counting_as_a_job(api: Api) -> None:
    """What a real follower does (leader-api 0)."""
    api.create_collection("c")
    accepted = api.request(
        "POST",
        PATH,
        params={"collection": "c", "batchId": api.create_batch()},
        headers={"x-arango-async": "store"},
    )
    assert accepted.status_code == 202
    job = accepted.headers["x-arango-async-id"]

    def look() -> dict[str, Any] | None:
        response = api.put(f"/_api/job/{job}")
        return response.json() if response.status_code == 200 else None

    assert wait_for(look)["count"] == 0


# -- GET -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunk_size", "effective"),
    [("100", 100), ("101", 101), ("249", 249), ("250", 250), ("99", 5000), ("0", 5000), ("", 5000)],
)
def test_chunks_of_keys_with_their_hashes(api: Api, chunk_size: str, effective: int) -> None:
    documents = fill(api)
    response = api.get(open_keys(api), chunkSize=chunk_size, last=1)
    assert response.status_code == 200
    parts = [documents[i : i + effective] for i in range(0, MANY, effective)]
    assert response.json() == [
        {"low": part[0]["_key"], "high": part[-1]["_key"], "hash": expected_hash(part)}
        for part in parts
    ]


def test_bounds_of_the_chunk_size(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arangorep.rest.replication.keys.KEYS_CHUNK_MAX", 120)
    monkeypatch.setattr("arangorep.rest.replication.keys.KEYS_CHUNK_DEFAULT", 110)
    fill(api)
    path = open_keys(api)
    for size, first in (("1000", 120), ("18446744073709551615", 120), ("7", 110), (None, 110)):
        params = {} if size is None else {"chunkSize": size}
        assert api.get(path, **params).json()[0]["high"] == KEYS[first - 1]
        assert len(api.put(path, type="keys", **params).json()) == first


def test_the_keys_of_an_empty_collection(api: Api) -> None:
    api.create_collection("c")
    path = open_keys(api)
    assert api.get(path).json() == []
    assert api.put(path, type="keys").json() == []
    assert api.put(path, [], type="docs").json() == []


def test_keys_are_those_of_the_batch(api: Api) -> None:
    documents = fill(api)
    path = open_keys(api)
    api.delete(f"/_api/document/c/{KEYS[3]}")
    api.insert("c", [{"_key": "new"}, {"_key": KEYS[5], "v": 2}], overwriteMode="replace")
    assert api.get(path).json()[0]["hash"] == expected_hash(documents)
    assert api.put(path, [3, 5], type="docs").json() == [documents[3], documents[5]]
    api.put("/_api/collection/c/truncate")
    assert api.put(path, type="keys").json() == [[d["_key"], d["_rev"]] for d in documents]
    later = api.get(open_keys(api)).json()
    assert later == []


def test_equal_content_has_equal_hashes_and_changes_show(api: Api) -> None:
    fill(api)
    first, second = (api.get(open_keys(api), chunkSize=100).json() for _ in range(2))
    assert first == second
    api.patch(f"/_api/document/c/{KEYS[150]}", {"v": 0})
    third = api.get(open_keys(api), chunkSize=100).json()
    assert [a == b for a, b in zip(first, third, strict=True)] == [True, False, True]


# -- ids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys_id", ["1-1", "x", "12345", "-", "-12", "12-", "12-x", "12--3", "%20"]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_malformed_id_is_1600(api: Api, method: str, keys_id: str) -> None:
    response = api.request(method, f"{PATH}/{keys_id}", [], params={"type": "keys"})
    assert error_of(response) == (404, 1600)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_unknown_batch_is_1600_and_an_unknown_collection_1203(api: Api, method: str) -> None:
    cid = api.create_collection("c")["id"]
    batch = api.create_batch()
    for keys_id, expected in ((f"12345678-{cid}", (404, 1600)), (f"{batch}-999999", (404, 1203))):
        response = api.request(method, f"{PATH}/{keys_id}", [], params={"type": "keys"})
        assert error_of(response) == expected


# -- PUT -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{}, {"type": ""}, {"type": "doc"}, {"type": "KEYS"}])
def test_the_type_is_keys_or_docs(api: Api, params: dict[str, str]) -> None:
    api.create_collection("c")
    assert error_of(api.put(open_keys(api), [], **params, last=1)) == (400, 400)


@pytest.mark.parametrize("with_low", [False, True])
def test_listing_the_keys_of_one_chunk(api: Api, with_low: bool) -> None:
    documents = fill(api)
    path = open_keys(api)
    for chunk in range(3):
        part = documents[chunk * 100 : chunk * 100 + 100]
        low = {"low": part[0]["_key"]} if with_low else {}
        response = api.put(path, type="keys", chunk=chunk, chunkSize=100, **low)
        assert response.status_code == 200
        assert response.json() == [[d["_key"], d["_rev"]] for d in part]


def test_low_need_not_exist(api: Api) -> None:
    fill(api)
    response = api.put(open_keys(api), type="keys", chunkSize=100, low="k23!")
    assert [key for key, _ in response.json()] == [k for k in KEYS if k >= "k23!"][:100]


@pytest.mark.parametrize("kind", ["keys", "docs"])
@pytest.mark.parametrize("chunk", ["3", "1000000", "18446744073709551615", "9223372036854775808"])
def test_a_chunk_beyond_the_last_key_is_a_bad_parameter(api: Api, kind: str, chunk: str) -> None:
    fill(api)
    response = api.put(open_keys(api), [], type=kind, chunk=chunk, chunkSize=100)
    assert error_of(response) == (400, 10)


@pytest.mark.parametrize(
    "positions", [[0], [99], [0, 1, 2], [5, 50, 99], [], list(range(100)), [7, 7], [9, 3]]
)
def test_documents_by_position(api: Api, positions: list[int]) -> None:
    documents = fill(api)
    path = open_keys(api)
    for chunk in range(2):
        response = api.put(path, positions, type="docs", chunk=chunk, chunkSize=100)
        assert response.status_code == 200
        assert response.json() == [documents[chunk * 100 + position] for position in positions]


def test_documents_of_a_renamed_collection_carry_its_name(api: Api) -> None:
    fill(api)
    path = open_keys(api)
    api.put("/_api/collection/c/rename", {"name": "another"})
    answer = api.put(path, [0, 1], type="docs").json()
    assert [document["_id"] for document in answer] == [f"another/{key}" for key in KEYS[:2]]


@pytest.mark.parametrize("position", ["0", None, True, [], {}, 1.5])
def test_a_position_must_be_a_number(api: Api, position: Any) -> None:
    fill(api)
    assert error_of(api.put(open_keys(api), [0, position], type="docs")) == (400, 10)


@pytest.mark.parametrize("position", [100, 10**6, -1, 2**64])
def test_a_position_must_lie_in_the_chunk(api: Api, position: int) -> None:
    fill(api)
    response = api.put(open_keys(api), [0, position], type="docs", chunkSize=100)
    assert error_of(response) == (400, 10)


@pytest.mark.parametrize(
    ("body", "expected"), [(None, (400, 400)), ("{}", (400, 400)), ("[", (400, 600))]
)
def test_positions_must_be_an_array(api: Api, body: str | None, expected: tuple[int, int]) -> None:
    fill(api)
    assert error_of(api.put(open_keys(api), body, type="docs")) == expected


def test_with_an_offset_documents_come_in_portions(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = fill(api)
    path = open_keys(api)
    monkeypatch.setattr("arangorep.leader.keys.KEYS_DOCUMENTS_BYTES_MAX", 1000)
    positions = list(range(40))
    found: list[Any] = []
    rounds = 0
    while len(found) < len(positions):
        answer = api.put(path, positions, type="docs", chunkSize=100, offset=len(found)).json()
        assert answer[: len(found)] == [None] * len(found)
        assert len(answer) > len(found)
        found += answer[len(found) :]
        rounds += 1
    assert rounds > 2
    assert found == documents[:40]


def test_without_an_offset_nothing_is_left_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = fill(api)
    monkeypatch.setattr("arangorep.leader.keys.KEYS_DOCUMENTS_BYTES_MAX", 1000)
    answer = api.put(open_keys(api), list(range(100)), type="docs", chunkSize=100).json()
    assert answer == documents[:100]


@pytest.mark.parametrize("offset", [3, 4, 2**64 - 1])
def test_an_offset_behind_the_positions_gives_nulls_only(api: Api, offset: int) -> None:
    fill(api)
    answer = api.put(open_keys(api), [0, 1, 2], type="docs", offset=offset).json()
    assert answer == [None] * 3


# -- DELETE --------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys_id", ["12345-678", "nonsense"])
def test_deleting_unknown_keys_is_fine(api: Api, keys_id: str) -> None:
    response = api.delete(f"{PATH}/{keys_id}")
    assert response.status_code == 202
    assert response.json() == {"id": keys_id, "error": False, "code": 202}


def test_deleting_leaves_the_batch(api: Api) -> None:
    documents = fill(api)
    path = open_keys(api)
    assert api.delete(path).status_code == 202
    assert api.get(path).json()[0]["hash"] == expected_hash(documents)
    batch = path.rpartition("/")[2].partition("-")[0]
    assert api.delete(f"/_api/replication/batch/{batch}").status_code == 204
    assert error_of(api.get(path)) == (404, 1600)


def test_keys_do_not_disturb_a_dump(server: ServerThread, api: Api) -> None:
    documents = fill(api)
    path = open_keys(api)
    batch = path.rpartition("/")[2].partition("-")[0]
    query = {"collection": "c", "batchId": batch, "useEnvelope": "false", "chunkSize": 5000}
    first = api.get("/_api/replication/dump", **query)
    assert first.headers["x-arango-replication-checkmore"] == "true"
    assert len(api.put(path, [0, 200], type="docs").json()) == 2
    rest = api.dump("c", batch)
    assert len(first.content.splitlines()) + len(rest) == len(documents)
