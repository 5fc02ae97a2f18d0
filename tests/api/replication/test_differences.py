"""`/_api/replication/revisions/differences`: what arangorep servers ask each other.

The form of questions and answers, and all that is no question: `unit/protocol/test_differences.py`.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from support.revisions import hash_of, number_of
from support.server import Api, ServerThread, error_of

PATH = "/_api/replication/revisions/differences"
EVERYTHING = (0, 2**64 - 2)

Range = tuple[int, int]
Question = list[tuple[int, list[tuple[int, int]]]]
"""The first revision of each range, the last revision and the hash of each of its blocks."""
Answer = tuple[int, list[bool], list[int]]

both_ways = pytest.mark.parametrize("whole", ["false", "true"])


def fill(api: Api, count: int = 50, collection: str = "c") -> list[int]:
    """A collection with documents; returns their revisions."""
    api.create_collection(collection)
    documents = [{"_key": f"k{number:03}"} for number in range(count)]
    return [number_of(item["_rev"]) for item in api.insert(collection, documents)]


def within(revisions: list[int], low: int, high: int) -> list[int]:
    return [revision for revision in revisions if low <= revision <= high]


def mixed(revisions: list[int]) -> int:
    found = 0
    for revision in revisions:
        found ^= hash_of(revision)
    return found


def question_of(here: list[int], ranges: list[Range], size: int = 8) -> Question:
    """What one who has these revisions asks, one revision at a time."""
    question = []
    for low, high in ranges:
        inside = within(sorted(here), low, high)
        parts = [inside[at : at + size] for at in range(0, len(inside), size)] or [[]]
        ends = [part[-1] for part in parts[:-1]] + [high]
        question.append((low, list(zip(ends, map(mixed, parts), strict=True))))
    return question


def packed(question: Question) -> bytes:
    numbers = [len(question)]
    for low, blocks in question:
        numbers += [low, len(blocks)]
    for _, blocks in question:
        for block in blocks:
            numbers += block
    return struct.pack(f">{len(numbers)}Q", *numbers)


def model(question: Question, there: list[int], upto: int | None = None) -> Answer:
    """The whole answer of a leader with these revisions, or what it says up to a revision."""
    upto = question[-1][1][-1][0] if upto is None else upto
    flags, revisions = [], []
    for low, blocks in question:
        for end, hashed in blocks:
            inside = within(sorted(there), low, min(end, upto))
            flags.append(mixed(inside) != hashed)
            revisions += inside if flags[-1] else []
            low = end + 1
    return upto, flags, revisions


def ask(
    api: Api, batch: str, question: Question, whole: str = "false", collection: str = "c"
) -> requests.Response:
    params = {"collection": collection, "batchId": batch, "whole": whole}
    return api.put(PATH, packed(question), **params)


def read(response: requests.Response, question: Question) -> Answer:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/octet-stream"
    count = sum(len(blocks) for _, blocks in question)
    start = 8 + -(-count // 8)
    body = response.content
    bits = "".join(f"{byte:08b}" for byte in body[8:start])
    assert "1" not in bits[count:]
    revisions = [number for (number,) in struct.iter_unpack(">Q", body[start:])]
    return int.from_bytes(body[:8], "big"), [bit == "1" for bit in bits[:count]], revisions


def answer_of(api: Api, batch: str, question: Question, *rest: str) -> Answer:
    return read(ask(api, batch, question, *rest), question)


# -- answers -------------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("size", [1, 7, 25, 50, 51, 1000])
def test_one_who_has_all_is_told_nothing(api: Api, size: int, whole: str) -> None:
    revisions = fill(api)
    question = question_of(revisions, [EVERYTHING], size)
    count = max(1, -(-50 // size))
    assert answer_of(api, api.create_batch(), question, whole) == (
        EVERYTHING[1],
        [False] * count,
        [],
    )


@both_ways
def test_one_who_has_nothing_is_told_all(api: Api, whole: str) -> None:
    revisions = fill(api)
    question = question_of([], [EVERYTHING])
    answer = answer_of(api, api.create_batch(), question, whole)
    assert answer == (EVERYTHING[1], [True], sorted(revisions))


@both_ways
def test_only_the_block_that_differs_is_told(api: Api, whole: str) -> None:
    revisions = fill(api)
    here = [revision for revision in revisions if revision != revisions[20]]
    question = question_of(here, [EVERYTHING], 5)
    answer = answer_of(api, api.create_batch(), question, whole)
    assert answer[1] == [number == 4 for number in range(10)]
    assert answer[2] == revisions[20:26]


@both_ways
def test_an_empty_collection(api: Api, whole: str) -> None:
    api.create_collection("c")
    question = question_of([7, 3000], [(5, 9), (10, 10), (20, 4000)])
    answer = answer_of(api, api.create_batch(), question, whole)
    assert answer == (4000, [True, False, True], [])


@both_ways
def test_a_range_may_be_a_single_revision(api: Api, whole: str) -> None:
    """The rest of an answer that was cut off."""
    revisions = fill(api, 3)
    ranges = [(5, 5), *((revision, revision) for revision in revisions)]
    question = question_of([5, *revisions[1:]], ranges)
    answer = answer_of(api, api.create_batch(), question, whole)
    assert answer == (revisions[2], [True, True, False, False], revisions[:1])


def test_any_revisions_ranges_and_blocks(api: Api) -> None:
    """Both ways of reading give the same."""
    revisions = fill(api)
    api.put("/_api/document/c/k007", {})
    api.delete("/_api/document/c/k030")
    revisions = [number_of(document["_rev"]) for document in api.dump("c", api.create_batch())]
    batch = api.create_batch()
    near = sorted({revision + distance for revision in revisions for distance in (-1, 0, 1)})
    borders = st.sampled_from([*EVERYTHING, *near])

    @settings(max_examples=60)
    @given(
        here=st.sets(st.sampled_from(revisions)).map(sorted) | st.just(revisions),
        others=st.sets(st.sampled_from(near), max_size=3),
        ends=st.lists(borders, min_size=2, max_size=8, unique=True).map(sorted),
        size=st.integers(1, 60),
    )
    def check(here: list[int], others: set[int], ends: list[int], size: int) -> None:
        ranges = list(zip(ends[::2], ends[1::2], strict=False))
        question = question_of(list(others ^ set(here)), ranges, size)
        expected = model(question, revisions)
        assert answer_of(api, batch, question, "false") == expected
        assert answer_of(api, batch, question, "true") == expected

    check()


# -- of the batch --------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("by", ["name", "id", "globallyUniqueId"])
def test_answers_are_those_of_the_batch(api: Api, by: str, whole: str) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    collection = api.get("/_api/collection/c").json()[by]
    question = question_of(revisions[10:], [EVERYTHING], 6)
    expected = model(question, revisions)
    assert answer_of(api, batch, question, whole, collection) == expected
    api.insert("c", {"_key": "later"})
    assert answer_of(api, batch, question, whole, collection) == expected
    api.delete("/_api/document/c/k000")
    api.put("/_api/document/c/k001", {})
    assert answer_of(api, batch, question, whole, collection) == expected
    api.put("/_api/collection/c/truncate")
    assert answer_of(api, batch, question, whole, collection) == expected


@both_ways
def test_a_later_batch_has_the_later_state(api: Api, whole: str) -> None:
    first = fill(api)
    old = api.create_batch()
    (second,) = (number_of(item["_rev"]) for item in api.insert("c", [{"_key": "x"}]))
    middle = api.create_batch()
    api.put("/_api/collection/c/truncate")
    new = api.create_batch()
    question = question_of(first[5:], [EVERYTHING])
    for batch, there in ((old, first), (middle, [*first, second]), (new, [])):
        assert answer_of(api, batch, question, whole) == model(question, there)


@pytest.mark.parametrize("change", ["insert", "remove", "truncate"])
def test_a_change_between_two_questions(api: Api, change: str) -> None:
    """The second one is answered from the list that was made for the first."""
    revisions = fill(api)
    batch = api.create_batch()
    ranges = [(0, revisions[20]), (revisions[20] + 1, EVERYTHING[1])]
    first, second = (question_of(revisions[::2], [one], 4) for one in ranges)
    assert answer_of(api, batch, first, "true") == model(first, revisions)
    match change:
        case "insert":
            api.insert("c", {"_key": "later"})
        case "remove":
            api.delete("/_api/document/c/k045")
        case _:
            api.put("/_api/collection/c/truncate")
    for question in (second, first, second):
        assert answer_of(api, batch, question, "true") == model(question, revisions)


def test_two_collections_of_one_batch(api: Api) -> None:
    revisions = {name: fill(api, 10, name) for name in "cd"}
    batch = api.create_batch()
    for name in "cdcddc":
        ranges = [(0, revisions[name][5])]
        question = question_of(revisions["c"], ranges, 2)
        assert answer_of(api, batch, question, "true", name) == model(question, revisions[name])


def listed(server: ServerThread, batch: str) -> list[int] | None:
    """The revisions that are kept for further questions."""

    def look() -> list[int] | None:
        with server.server.node.services.batches.use(int(batch)) as found:
            return None if found.listed is None else found.listed[1].tolist()

    return server.call(look)


def test_the_list_is_kept_until_the_last_question(server: ServerThread, api: Api) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    parts = [(0, revisions[9]), (revisions[9] + 1, revisions[30]), (revisions[31], revisions[40])]
    for ranges in (parts[:1], parts[1:2]):
        answer_of(api, batch, question_of([], ranges), "true")
        assert listed(server, batch) == revisions
    assert answer_of(api, batch, question_of([], parts[2:]), "false")[2] == revisions[31:41]
    assert listed(server, batch) is None


def test_an_answer_that_was_cut_off_keeps_the_list(
    server: ServerThread, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arangorep.leader.revisions.REVISIONS_COMPARED_MAX", 30)
    revisions = fill(api)
    batch = api.create_batch()
    assert answer_of(api, batch, question_of([], [EVERYTHING]), "true")[0] == revisions[29]
    assert listed(server, batch) == revisions
    rest = question_of([], [(revisions[30], EVERYTHING[1])])
    assert answer_of(api, batch, rest, "false")[2] == revisions[30:]
    assert listed(server, batch) is None


def test_the_list_of_another_collection_is_dropped(server: ServerThread, api: Api) -> None:
    fill(api)
    other = fill(api, 5, "d")
    batch = api.create_batch()
    answer_of(api, batch, question_of([], [EVERYTHING]), "true")
    answer_of(api, batch, question_of([], [EVERYTHING]), "true", "d")
    assert listed(server, batch) == other
    answer_of(api, batch, question_of([], [EVERYTHING]), "false")
    assert listed(server, batch) is None


def test_without_whole_there_is_no_list(server: ServerThread, api: Api) -> None:
    revisions = fill(api)
    batch = api.create_batch()
    answer_of(api, batch, question_of([], [(0, revisions[5])]), "false")
    assert listed(server, batch) is None


@both_ways
def test_a_collection_that_was_compared_is_needed(api: Api, whole: str) -> None:
    """Dropping it ends the batch, as with all that read documents."""
    for name in "cd":
        fill(api, 3, name)
    batch = api.create_batch()
    question = question_of([], [EVERYTHING])
    answer_of(api, batch, question, whole)
    api.delete("/_api/collection/c")
    assert error_of(ask(api, batch, question, whole, "d")) == (404, 1600)


# -- long answers --------------------------------------------------------------------------------


@both_ways
@pytest.mark.parametrize("room", [1, 3, 7, 49, 50, 51])
@pytest.mark.parametrize("rows", [1, 3, 4096])
def test_an_answer_that_was_cut_off_can_be_continued(
    api: Api, monkeypatch: pytest.MonkeyPatch, room: int, rows: int, whole: str
) -> None:
    monkeypatch.setattr("arangorep.leader.revisions.REVISIONS_COMPARED_MAX", room)
    monkeypatch.setattr("arangorep.storage.listing.ROWS_PER_SLICE", rows)
    there = fill(api)
    here = [*there[:10], there[10] - 1, *there[12:33], *there[34:], there[-1] + 5]
    batch = api.create_batch()
    asked = [(5, there[24]), (there[25] + 1, there[40]), (there[41], EVERYTHING[1])]
    differing: set[int] = set()
    ranges = asked
    while ranges:
        question = question_of(here, ranges, 4)
        upto, flags, revisions = answer_of(api, batch, question, whole)
        assert upto >= ranges[0][0]
        assert (upto, flags, revisions) == model(question, there, upto)
        seen = [r for low, high in ranges for r in within(there, low, min(high, upto))]
        assert len(seen) == room or upto == EVERYTHING[1]
        differing ^= set(local_in(question, flags, here, upto)) ^ set(revisions)
        ranges = [(max(low, upto + 1), high) for low, high in ranges if high > upto]
    for low, high in asked:
        wanted = set(within(here, low, high)) ^ set(within(there, low, high))
        assert {revision for revision in differing if low <= revision <= high} == wanted
    assert all(any(low <= r <= high for low, high in asked) for r in differing)


def local_in(question: Question, flags: list[bool], here: list[int], upto: int) -> list[int]:
    """What the asker has in blocks that are flagged."""
    found = []
    numbered = iter(flags)
    for low, blocks in question:
        for end, _ in blocks:
            if next(numbered):
                found += within(here, low, min(end, upto))
            low = end + 1
    return found


@both_ways
@pytest.mark.parametrize("border", range(0, 50, 7))
def test_room_that_ends_at_the_border_of_a_range(
    api: Api, monkeypatch: pytest.MonkeyPatch, border: int, whole: str
) -> None:
    monkeypatch.setattr("arangorep.leader.revisions.REVISIONS_COMPARED_MAX", border + 1)
    there = fill(api)
    middle = there[border]
    question = question_of(there[1:], [(0, middle), (middle + 1, EVERYTHING[1])], 3)
    answer = answer_of(api, api.create_batch(), question, whole)
    assert answer == model(question, there, middle)


# -- announced -----------------------------------------------------------------------------------


def test_the_feature_is_announced(api: Api) -> None:
    server = api.get("/_api/replication/logger-state").json()["server"]
    assert "revision-differences" in server["features"]
    assert "revision-blocks" not in server["features"]
    state = api.post("/_api/replication/batch", {"ttl": 60}, state="true").json()["state"]
    assert state["server"]["features"] == server["features"]


# -- errors --------------------------------------------------------------------------------------

GOOD = packed(question_of([], [(5, 9)]))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        GOOD[:-1],
        GOOD + b"\0",
        GOOD + GOOD[-16:],
        struct.pack(">Q", 0),
        struct.pack(">Q", 1),
        struct.pack(">3Q", 1, 5, 0),
        struct.pack(">5Q", 1, 5, 0, 9, 0),
        struct.pack(">5Q", 1, 5, 2**64 - 1, 9, 0),
        struct.pack(">5Q", 2**64 - 1, 5, 1, 9, 0),
        struct.pack(">5Q", 1, 9, 1, 5, 0),
        struct.pack(">5Q", 1, 5, 1, 2**64 - 1, 0),
        struct.pack(">9Q", 2, 5, 1, 9, 1, 9, 0, 12, 0),
    ],
)
def test_bodies_that_are_no_questions(api: Api, body: bytes) -> None:
    api.create_collection("c")
    query = {"collection": "c", "batchId": api.create_batch()}
    assert error_of(api.put(PATH, body, **query)) == (400, 400)
    assert api.put(PATH, GOOD, **query).status_code == 200


def test_too_many_blocks(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "arangorep.rest.replication.revisions.REVISION_BLOCKS_PER_QUESTION_MAX"
    monkeypatch.setattr(name, 4)
    revisions = fill(api, 5)
    batch = api.create_batch()
    question = question_of(revisions, [EVERYTHING], 1)
    assert error_of(ask(api, batch, question)) == (400, 400)
    question = question_of(revisions[:4], [EVERYTHING], 1)
    assert answer_of(api, batch, question) == model(question, revisions)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, (400, 400)),
        ({"batchId": "there"}, (400, 400)),
        ({"collection": "", "batchId": "there"}, (400, 400)),
        ({"collection": "c"}, (400, 400)),
        ({"collection": "nowhere"}, (400, 400)),
        ({"collection": "nowhere", "batchId": "there"}, (404, 1203)),
        ({"collection": "4711", "batchId": "there"}, (404, 1203)),
        ({"collection": "nowhere", "batchId": "12345678"}, (404, 1203)),
        ({"collection": "without", "batchId": "there"}, (501, 9)),
        ({"collection": "c", "batchId": "12345678"}, (404, 1600)),
        ({"collection": "c", "batchId": "x"}, (404, 1600)),
    ],
)
def test_what_is_missing_or_unknown(
    api: Api, params: dict[str, Any], expected: tuple[int, int]
) -> None:
    """Told before the body is looked at."""
    fill(api, 1)
    api.create_collection("without", syncByRevision=False)
    if params.get("batchId") == "there":
        params = {**params, "batchId": api.create_batch()}
    for body in (GOOD, b"no question"):
        assert error_of(api.put(PATH, body, **params)) == expected


def test_a_batch_that_was_deleted(api: Api) -> None:
    fill(api, 1)
    batch = api.create_batch()
    question = question_of([], [EVERYTHING])
    answer_of(api, batch, question)
    api.delete(f"/_api/replication/batch/{batch}")
    assert error_of(ask(api, batch, question)) == (404, 1600)


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
def test_only_put(api: Api, method: str) -> None:
    fill(api, 1)
    params = {"collection": "c", "batchId": api.create_batch()}
    assert error_of(api.request(method, PATH, GOOD, params=params)) == (405, 405)


def test_the_former_endpoint_is_gone(api: Api) -> None:
    fill(api, 1)
    params = {"collection": "c", "batchId": api.create_batch(), "blockSize": 5}
    former = PATH.replace("differences", "blocks")
    assert error_of(api.put(former, [["_", "A"]], **params)) == (405, 405)
