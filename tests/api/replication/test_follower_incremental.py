"""What a follower asks of an ArangoDB leader to bring a collection up to date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.following import (
    Waits,
    check_same,
    filled,
    own_id,
    revision,
    sync,
    synced,
    without_waiting,
)
from support.recorded_leader import (
    TICK,
    TREE_MIN,
    LeaderCollection,
    RecordedLeader,
    Reply,
)
from support.revisions import hlc_of, number_of
from support.server import Api, ServerThread, error_of


@pytest.fixture
def waits(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> Waits:
    return without_waiting(server, monkeypatch)


@pytest.fixture
def leader(waits: Waits) -> Iterator[RecordedLeader]:
    with RecordedLeader() as running:
        yield running


# -- by revision ---------------------------------------------------------------------------------


def test_nothing_is_fetched_when_the_trees_agree(api: Api, leader: RecordedLeader) -> None:
    collection = filled(leader)
    synced(api, leader)
    synced(api, leader, incremental=True)
    assert leader.lines() == [
        "POST /_api/replication/batch",
        "GET /_api/replication/inventory",
        "GET /_api/replication/revisions/tree",
        "DELETE /_api/replication/batch/77",
    ]
    own = own_id(api)
    (tree,) = leader.of("tree")
    assert tree.params == [
        ("collection", collection.guid),
        ("onlyPopulated", "true"),
        ("to", str(TICK)),
        ("serverId", own),
        ("batchId", "77"),
    ]
    assert "accept" not in tree.headers
    check_same(api, collection)


def test_an_incremental_synchronisation_by_revision(api: Api, leader: RecordedLeader) -> None:
    collection = filled(leader)
    synced(api, leader)
    collection.put("k2", revision(2) + 7, changed=True)
    collection.put("k3", revision(40), moved=True)
    del collection.documents[revision(6)]
    for number in range(5):
        collection.put(f"new{number}", revision(8) + 1 + number)
    # the answers end in the middle of a leaf
    leader.revisions_per_answer, leader.documents_per_answer = 4, 2
    synced(api, leader, incremental=True)
    check_same(api, collection)
    own = own_id(api)
    asked = leader.of("ranges")
    assert len(asked) >= 2
    common = [("collection", collection.guid), ("serverId", own), ("batchId", "77")]
    ranges = [(number_of(low), number_of(high)) for low, high in asked[0].json()]
    assert ranges == sorted(ranges)
    for request in asked:
        assert request.body == asked[0].body, "all ranges, each time"
        assert request.params[:3] == common
        assert request.names[3:] == ["resume", "resumeHLC", "encodeAsHLC"]
        assert request["resume"] == request["resumeHLC"]
        assert request["encodeAsHLC"] == "true"
    resumes = [number_of(request["resumeHLC"]) for request in asked]
    assert resumes[0] == ranges[0][0]
    assert resumes == sorted(set(resumes))
    lows = [low for low, _ in ranges]
    assert not set(resumes[1:]) & set(lows), "a range was cut off in its middle"
    fetched = leader.of("documents")
    for request in fetched:
        assert request.params == [*common, ("encodeAsHLC", "true")]
        assert request.headers["content-type"] == "application/json"
        assert request.headers["accept"] == "application/json"
    first = [number_of(text) for text in fetched[0].json()]
    assert first == sorted(first)
    # what was left out is asked for again, what came is not
    seen: set[str] = set()
    for request in fetched:
        wanted = request.json()
        assert not seen & set(wanted)
        seen |= set(wanted[:2])
    expected = {revision(2) + 7, revision(40), *(revision(8) + 1 + n for n in range(5))}
    assert {number_of(text) for text in seen} == expected


def test_a_whole_leaf_of_the_follower_may_be_surplus(api: Api, leader: RecordedLeader) -> None:
    collection = filled(leader)
    synced(api, leader)
    for number in (0, 4, 5, 9):
        del collection.documents[revision(number)]
    leader.revisions_per_answer = 1
    synced(api, leader, incremental=True)
    check_same(api, collection)
    assert not any("documents" in line for line in leader.lines())


def test_an_emptied_collection_needs_no_ranges(api: Api, leader: RecordedLeader) -> None:
    collection = filled(leader)
    synced(api, leader)
    collection.documents.clear()
    synced(api, leader, incremental=True)
    assert [line.rpartition("/")[2] for line in leader.lines()] == [
        "batch",
        "inventory",
        "tree",
        "77",
    ]
    check_same(api, collection)


def test_an_empty_collection_is_dumped_although_incremental(
    api: Api, leader: RecordedLeader
) -> None:
    collection = leader.add("c", 500)
    synced(api, leader)
    collection.put("a", revision(1))
    synced(api, leader, incremental=True)
    assert [line.rpartition("/")[2] for line in leader.lines()] == [
        "batch",
        "inventory",
        "dump",
        "77",
    ]
    check_same(api, collection)


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("ranges", {}),
        ("ranges", {"ranges": [["!"]]}),
        ("ranges", {"ranges": [[], [], []]}),
        ("ranges", {"ranges": [[hlc_of(TREE_MIN)]]}),
        ("ranges", {"ranges": [[]], "resumeHLC": hlc_of(TREE_MIN)}),
        ("documents", []),
        ("documents", {}),
        ("documents", [{}]),
        ("documents", [{"_key": "k1", "_rev": hlc_of(revision(1))}]),
    ],
)
def test_an_answer_about_revisions_that_cannot_be(
    api: Api, leader: RecordedLeader, word: str, body: Any
) -> None:
    collection = filled(leader)
    synced(api, leader)
    before = api.dump("c", api.create_batch())
    collection.put("k2", revision(2) + 7, changed=True)
    leader.answers[f"PUT /_api/replication/revisions/{word}"] = [Reply(200, body)]
    assert error_of(sync(api, leader, incremental=True)) == (500, 1401)
    assert leader.lines()[-1] == "DELETE /_api/replication/batch/77"
    after = api.dump("c", api.create_batch())
    assert [one for one in before if one["_key"] != "k2"] == [
        one for one in after if one["_key"] != "k2"
    ]


# -- by keys -------------------------------------------------------------------------------------


def changed_for_keys(api: Api, leader: RecordedLeader) -> LeaderCollection:
    """A collection that differs, on a leader without trees."""
    collection = filled(leader)
    synced(api, leader)
    leader.has_trees = False
    collection.put("k0", revision(20), changed=True)
    collection.put("k7", revision(21), changed=True)
    collection.put("l", revision(22))
    collection.put("m", revision(23))
    del collection.documents[revision(4)]
    return collection


def test_an_incremental_synchronisation_by_keys(
    api: Api, leader: RecordedLeader, waits: Waits
) -> None:
    collection = changed_for_keys(api, leader)
    leader.documents_per_answer = 3
    synced(api, leader, incremental=True)
    check_same(api, collection)
    assert leader.lines() == [
        "POST /_api/replication/batch",
        "GET /_api/replication/inventory",
        "GET /_api/replication/revisions/tree",
        "POST /_api/replication/keys",
        "PUT /_api/job/900",
        "PUT /_api/job/900",
        "PUT /_api/job/900",
        "GET /_api/replication/keys/k500",
        "PUT /_api/replication/keys/k500",
        "PUT /_api/replication/keys/k500",
        "PUT /_api/replication/keys/k500",
        "DELETE /_api/replication/keys/k500",
        "DELETE /_api/replication/batch/77",
    ]
    own = own_id(api)
    start, chunks, names, first, second, end = leader.of("keys")
    assert start.params == [
        ("collection", collection.guid),
        ("to", str(TICK)),
        ("serverId", own),
        ("batchId", "77"),
        ("quick", "true"),
    ]
    assert start.headers["x-arango-async"] == "store"
    assert start.body == b""
    assert chunks.params == [("chunkSize", "5000")]
    place = [("chunk", "0"), ("chunkSize", "5000"), ("low", "k0")]
    assert names.params == [("type", "keys"), *place]
    assert names.body == b""
    assert first.params == [("type", "docs"), *place, ("offset", "0")]
    assert first.json() == [0, 6, 9, 10], "positions within the chunk"
    assert second.params == [("type", "docs"), *place, ("offset", "3")]
    assert second.body == first.body
    assert end.params == []
    assert waits == [0.1, 0.1]


def test_keys_that_agree_are_not_fetched(api: Api, leader: RecordedLeader) -> None:
    collection = filled(leader)
    synced(api, leader)
    leader.has_trees = False
    synced(api, leader, incremental=True)
    assert [request.method for request in leader.of("keys")] == ["POST", "GET", "DELETE"]
    check_same(api, collection)


def test_too_many_keys_for_a_quick_answer(api: Api, leader: RecordedLeader) -> None:
    collection = changed_for_keys(api, leader)
    leader.answers["POST /_api/replication/keys"] = [lambda _: leader._job({"count": 12})]
    synced(api, leader, incremental=True)
    quick, whole, *_ = leader.of("keys")
    assert quick.params[-1] == ("quick", "true")
    assert whole.params == quick.params[:-1]
    check_same(api, collection)


def test_no_keys_at_all_empty_the_collection(api: Api, leader: RecordedLeader) -> None:
    collection = changed_for_keys(api, leader)
    collection.documents.clear()
    synced(api, leader, incremental=True)
    check_same(api, collection)
    assert leader.lines()[-2:] == [
        "DELETE /_api/replication/keys/k500",
        "DELETE /_api/replication/batch/77",
    ]


def test_a_job_that_is_gone_is_no_response(api: Api, leader: RecordedLeader) -> None:
    """Twice: a lost answer is met by a new batch first."""
    changed_for_keys(api, leader)
    forgotten = Reply(202, b"", {"x-arango-async-id": "4711"})
    leader.answers["POST /_api/replication/keys"] = [forgotten, forgotten]
    assert error_of(sync(api, leader, incremental=True)) == (500, 1400)
    assert "PUT /_api/job/4711" in leader.lines()


def test_a_job_without_an_id_is_invalid(api: Api, leader: RecordedLeader) -> None:
    changed_for_keys(api, leader)
    leader.answers["POST /_api/replication/keys"] = [Reply(202)]
    assert error_of(sync(api, leader, incremental=True)) == (500, 1401)


def test_keys_are_deleted_after_an_error(api: Api, leader: RecordedLeader) -> None:
    changed_for_keys(api, leader)
    leader.answers["PUT /_api/replication/keys/k500"] = [Reply(200, [])]
    assert error_of(sync(api, leader, incremental=True)) == (500, 1401)
    assert "DELETE /_api/replication/keys/k500" in leader.lines()


def test_waiting_for_a_job_becomes_slower(api: Api, leader: RecordedLeader, waits: Waits) -> None:
    changed_for_keys(api, leader)
    leader.polls_per_job = 200
    waits.clear()
    synced(api, leader, incremental=True)
    assert waits == sorted(waits)
    assert set(waits) == {0.1, 0.2, 0.5, 1.0, 2.0}
    assert sum(wait for wait in waits if wait == 0.1) == pytest.approx(1, abs=0.15)
    assert sum(wait for wait in waits if wait < 0.5) == pytest.approx(5, abs=0.3)
