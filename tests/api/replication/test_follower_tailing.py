"""What a follower asks of an ArangoDB leader while it tails its log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.following import PATH, Waits, filled, own_id, revision, synced, without_waiting
from support.recorded_leader import (
    HANG,
    TICK,
    LeaderCollection,
    Recorded,
    RecordedLeader,
    Reply,
    document,
    marker,
    tail,
)
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

TAIL = "PUT /_api/wal/tail"
OPEN = "GET /_api/wal/open-transactions"
FOLLOWED = ["GET /_api/replication/logger-state", TAIL]
FROM_TICK = [FOLLOWED[0], OPEN, TAIL]


@pytest.fixture
def waits(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> Waits:
    return without_waiting(server, monkeypatch)


@pytest.fixture
def leader(waits: Waits) -> Iterator[RecordedLeader]:
    with RecordedLeader() as running:
        yield running


@pytest.fixture
def collection(api: Api, leader: RecordedLeader) -> Iterator[LeaderCollection]:
    """Ten documents that the follower has, too."""
    made = filled(leader)
    synced(api, leader)
    leader.forget()
    yield made
    api.delete(f"{PATH}/applier-state")


def start(
    api: Api, leader: RecordedLeader, *answers: Reply, after: int | None = TICK, **config: Any
) -> None:
    """Tail through these answers; the request behind the last one is never answered."""
    leader.answers[TAIL] = [*answers, HANG]
    body = {"endpoint": leader.endpoint, "maxConnectRetries": 2, **config}
    assert api.put(f"{PATH}/applier-config", body).status_code == 200
    position = {} if after is None else {"from": after}
    response = api.put(f"{PATH}/applier-start", **position)
    assert response.status_code == 200, response.text


def state(api: Api) -> dict[str, Any]:
    return api.get(f"{PATH}/applier-state").json()["state"]


def tails(leader: RecordedLeader, count: int) -> list[Recorded]:
    """The first requests for the log; waits until there are so many."""

    def look() -> list[Recorded] | None:
        found = [request for request in list(leader.requests) if request.line == TAIL]
        return found if len(found) >= count else None

    return wait_for(look)


def stopped(api: Api) -> dict[str, Any]:
    """The state once the applier has stopped by itself."""
    return wait_for(lambda: found if not (found := state(api))["running"] else None)


def put(
    collection: LeaderCollection, tick: int, key: str, number: int, tid: str = "0", **body: Any
) -> bytes:
    """Marker 2300."""
    data = document(collection.name, key, revision(number), **body)
    return marker(tick, 2300, "db", cuid=collection.guid, tid=tid, data=data)


def removed(collection: LeaderCollection, tick: int, key: str, tid: str = "0") -> bytes:
    return marker(tick, 2302, "db", cuid=collection.guid, tid=tid, data={"_key": key})


def keys(api: Api) -> list[str]:
    return sorted(one["_key"] for one in api.dump("c", api.create_batch()))


ALL = [f"k{number}" for number in range(10)]


def test_tailing_from_a_tick(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    lines = [put(collection, 1001, "new", 20), removed(collection, 1003, "k4")]
    start(api, leader, tail(lines, included=1003, last=1003))
    first, second, *_ = tails(leader, 2)
    assert leader.lines()[:3] == FROM_TICK
    own = own_id(api)
    assert leader.requests[1].params == [("serverId", own), ("from", "0"), ("to", "1000")]
    assert leader.requests[0].params == [("serverId", own)]
    common = [("serverId", own), ("includeSystem", "true"), ("includeFoxxQueues", "false")]
    size = ("chunkSize", "2097152")
    assert first.params == [size, ("from", "1000"), ("lastScanned", "1000"), *common]
    assert second.params == [size, ("from", "1003"), ("lastScanned", "1003"), *common]
    assert first.body == second.body == b"[]"
    assert first.headers["x-arango-source"] == own
    assert "accept" not in first.headers
    assert keys(api) == sorted([*ALL, "new"])[:4] + sorted([*ALL, "new"])[5:]
    found = state(api)
    assert found["lastAppliedContinuousTick"] == "1003"
    assert (found["totalDocuments"], found["totalRemovals"]) == (10 + 1, 1)


def test_tailing_from_the_state(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    lines = [put(collection, 1001, "new", 20)]
    start(api, leader, tail(lines, included=1001, last=1001))
    tails(leader, 2)
    api.put(f"{PATH}/applier-stop")
    leader.forget()
    start(api, leader, after=None, includeSystem=False, includeFoxxQueues=True, chunkSize=1)
    (first,) = tails(leader, 1)
    assert leader.lines() == FOLLOWED
    assert (first["from"], first["lastScanned"]) == ("1001", "1001")
    assert (first["includeSystem"], first["includeFoxxQueues"]) == ("false", "true")
    assert first["chunkSize"] == str(16 * 1024), "the smallest that is asked for"


def test_without_a_tick_there_is_no_start(api: Api, leader: RecordedLeader) -> None:
    start(api, leader, after=None)
    assert stopped(api)["lastError"]["errorNum"] == 1413
    assert leader.lines() == FOLLOWED[:1]


def test_nothing_new_moves_the_position_and_waits(
    api: Api, leader: RecordedLeader, collection: LeaderCollection, waits: Waits
) -> None:
    waits.clear()
    nothing = [
        tail([], included=0, last=1000),
        tail([], included=0, last=1040, scanned=1040),
        tail([], included=0, last=1040, scanned=1040),
    ]
    start(api, leader, *nothing, idleMinWaitTime=0.5)
    found = tails(leader, 4)
    places = [(request["from"], request["lastScanned"]) for request in found]
    assert places[:2] == [("1000", "1000"), ("1000", "1000")]
    assert places[2:] == [("1039", "1040"), ("1039", "1040")]
    assert waits == [0.5, 0.5, 0.5]


def test_a_scanned_tick_is_not_the_last_one_applied(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    """What was scanned without being ours is behind us after a restart, too, but no more."""
    start(api, leader, tail([], included=0, last=1040, scanned=1020))
    tails(leader, 2)
    assert int(state(api)["lastAppliedContinuousTick"]) <= 1020
    assert state(api)["lastAvailableContinuousTick"] == "1040"


def test_the_next_chunk_is_fetched_while_one_is_applied(
    server: ServerThread, api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    answers = [
        tail([put(collection, 1001, "a", 20)], included=1001, last=1002, more=True),
        tail([put(collection, 1002, "b", 21)], included=1002, last=1002),
    ]
    lock = server.server.node.services.write_lock
    server.run(lock.acquire())
    try:
        start(api, leader, *answers)
        _, second = tails(leader, 2)
        assert (second["from"], second["lastScanned"]) == ("1001", "1002")
        assert keys(api) == ALL, "nothing is applied while others write"
    finally:
        server.call(lock.release)
    tails(leader, 3)
    assert keys(api) == ["a", "b", *ALL]


def test_without_more_the_next_request_comes_after_the_chunk_is_applied(
    server: ServerThread, api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    seen: list[str] = []

    def look(_: Recorded) -> Reply:
        node = server.server.node
        found = node.store.catalog.database(api.database).named("c")
        seen.append(str(found.count))
        return tail([], included=0, last=1001)

    start(api, leader, tail([put(collection, 1001, "a", 20)], included=1001, last=1001))
    leader.answers[TAIL].insert(-1, look)
    tails(leader, 3)
    assert seen == ["11"]


def test_a_transaction_over_two_answers_is_seen_at_once(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    begin = marker(1001, 2200, "db", tid="1001")
    answers = [
        tail([begin, put(collection, 1002, "a", 20, "1001")], included=1002, last=1002),
        tail(
            [
                removed(collection, 1003, "k0", "1001"),
                marker(1004, 2201, "db", tid="1001"),
            ],
            included=1004,
            last=1004,
        ),
    ]
    start(api, leader, answers[0])
    tails(leader, 2)
    assert keys(api) == ALL
    open_state = state(api)
    assert open_state["lastAppliedContinuousTick"] == "1000", "not safe to go on behind it"
    api.put(f"{PATH}/applier-stop")
    leader.forget()
    # a restart reads it again from its beginning
    start(api, leader, *answers, after=None)
    first, second, _ = tails(leader, 3)
    assert (first["from"], second["from"]) == ("1000", "1002")
    assert keys(api) == ["a", *ALL[1:]]
    assert state(api)["lastAppliedContinuousTick"] == "1004"
    own = [one["type"] for one in api.tail(0) if one["type"] in (2200, 2201)][-2:]
    assert own == [2200, 2201], "it is a transaction here, too"


def test_an_aborted_transaction_leaves_nothing(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    lines = [
        marker(1001, 2200, "db", tid="1001"),
        put(collection, 1002, "a", 20, "1001"),
        marker(1003, 2202, "db", tid="1001"),
        put(collection, 1004, "b", 21),
    ]
    start(api, leader, tail(lines, included=1004, last=1004))
    tails(leader, 2)
    assert keys(api) == ["b", *ALL]
    assert state(api)["lastAppliedContinuousTick"] == "1004"


@pytest.mark.parametrize("kind", [2201, 2202])
def test_the_end_of_an_unknown_transaction_is_an_error(
    api: Api, leader: RecordedLeader, collection: LeaderCollection, kind: int
) -> None:
    line = marker(1001, kind, "db", tid="900")
    start(api, leader, tail([line], included=1001, last=1001))
    assert stopped(api)["lastError"]["errorNum"] == 1408


# -- from not present ----------------------------------------------------------------------------


def test_a_start_tick_that_is_gone_stops_the_applier(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    lines = [put(collection, 1301, "a", 20)]
    start(api, leader, tail(lines, included=1301, last=1301, present=False))
    found = stopped(api)
    assert found["lastError"]["errorNum"] == 1414
    assert keys(api) == ALL
    assert found["lastAppliedContinuousTick"] is None, "the position is forgotten"
    assert leader.lines() == FROM_TICK


def test_a_missing_header_means_not_present(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    answer = tail([], included=0, last=1000)
    del answer.headers["x-arango-replication-frompresent"]
    start(api, leader, answer)
    assert stopped(api)["lastError"]["errorNum"] == 1414


def test_a_gap_may_be_accepted(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    lines = [put(collection, 1301, "a", 20)]
    answer = tail(lines, included=1301, last=1301, present=False)
    start(api, leader, answer, requireFromPresent=False)
    tails(leader, 2)
    assert keys(api) == ["a", *ALL]


def test_a_gap_may_be_met_by_a_new_synchronisation(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    collection.put("k0", revision(30), changed=True)
    gone = tail([], included=0, last=1300, present=False)
    start(api, leader, gone, autoResync=True)
    tails(leader, 2)
    assert leader.lines() == [
        *FROM_TICK,
        "POST /_api/replication/batch",
        "GET /_api/replication/inventory",
        "GET /_api/replication/revisions/tree",
        "PUT /_api/replication/revisions/ranges",
        "PUT /_api/replication/revisions/documents",
        "DELETE /_api/replication/batch/77",
        *FROM_TICK,
    ]
    assert state(api)["totalResyncs"] == 1
    assert api.get("/_api/document/c/k0").json()["changed"] is True


# -- what is wrong with an answer ----------------------------------------------------------------


@pytest.mark.parametrize("name", ["checkmore", "lastincluded", "lasttick"])
@pytest.mark.parametrize("is_empty", [False, True])
def test_a_required_header_is_missing(
    api: Api, leader: RecordedLeader, collection: LeaderCollection, name: str, is_empty: bool
) -> None:
    lines = [] if is_empty else [put(collection, 1001, "a", 20)]
    answer = tail(lines, included=0 if is_empty else 1001, last=1001)
    del answer.headers[f"x-arango-replication-{name}"]
    start(api, leader, answer)
    assert stopped(api)["lastError"]["errorNum"] == 1401
    assert keys(api) == ALL


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_errors_are_met_by_trying_again(
    api: Api, leader: RecordedLeader, collection: LeaderCollection, status: int, waits: Waits
) -> None:
    waits.clear()
    answers = [Reply(status), Reply(status), tail([put(collection, 1001, "a", 20)], **AT_1001)]
    start(api, leader, *answers, connectionRetryWaitTime=3)
    found = tails(leader, 4)
    assert [request["from"] for request in found] == ["1000", "1000", "1000", "1001"]
    assert waits[:2] == [3, 3]
    assert keys(api) == ["a", *ALL]


AT_1001: dict[str, Any] = {"included": 1001, "last": 1001}


def test_another_server_at_the_same_address_is_noticed(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    """Whoever answers after a failure may be another one: its ticks would mean other things."""
    other = leader.state()
    other["server"]["serverId"] = "4711"
    leader.answers[FOLLOWED[0]] = [Reply(200, leader.state()), Reply(200, other)]
    start(api, leader, Reply(500))
    assert stopped(api)["lastError"]["errorNum"] == 1404
    assert leader.lines().count(TAIL) == 1


def test_too_many_errors_in_a_row_stop_the_applier(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    good = tail([put(collection, 1001, "a", 20)], **AT_1001)
    start(api, leader, Reply(500), Reply(500), good, Reply(500), Reply(500), Reply(500))
    found = stopped(api)
    assert found["lastError"]["errorNum"] == 1402
    assert found["lastAppliedContinuousTick"] == "1001", "the position stays"
    assert leader.lines().count(TAIL) == 6


def test_another_leader_is_refused(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    start(api, leader, tail([put(collection, 1001, "a", 20)], **AT_1001))
    tails(leader, 2)
    api.put(f"{PATH}/applier-stop")
    answer = leader.state()
    answer["server"]["serverId"] = "17"
    leader.answers[FOLLOWED[0]] = [Reply(200, answer)]
    leader.forget()
    start(api, leader, after=None)
    assert stopped(api)["lastError"]["errorNum"] == 1404
    assert leader.lines() == FOLLOWED[:1]


@pytest.mark.parametrize("version", ["4.0.0", "2.8.0"])
def test_another_major_version_cannot_be_followed(
    api: Api, leader: RecordedLeader, version: str
) -> None:
    leader.version = version
    start(api, leader)
    assert stopped(api)["lastError"]["errorNum"] == 1403


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (b"{\n", 600),
        (b"[]\n", 1401),
        (marker(1001, 9999, "db"), 1406),
        (marker(1001, 2300, "db", cuid="unknown", tid="0", data={"_key": "a"}), 1203),
    ],
)
def test_markers_that_cannot_be_applied(
    api: Api, leader: RecordedLeader, collection: LeaderCollection, line: bytes, number: int
) -> None:
    """The line behind is good, so that the answer is complete."""
    lines = [line, put(collection, 1002, "a", 20)]
    start(api, leader, tail(lines, included=1002, last=1002))
    assert stopped(api)["lastError"]["errorNum"] == number
    assert keys(api) == ALL


def test_an_answer_without_its_last_line_is_asked_for_again(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    lines = [put(collection, 1001, "a", 20), put(collection, 1002, "b", 21)]
    at_end = {"included": 1002, "last": 1002}
    torn = tail([lines[0], lines[1][:-20]], **at_end)
    start(api, leader, tail(lines[:1], **at_end), torn, tail(lines, **at_end))
    found = tails(leader, 4)
    assert [request["from"] for request in found] == ["1000", "1000", "1000", "1002"]
    assert keys(api) == ["a", "b", *ALL]


# -- errors that are ignored, collections that are left out --------------------------------------


def test_an_ignored_error_costs_nothing_else(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    unknown = marker(1002, 2302, "db", cuid="hAB/1", tid="0", data={"_key": "x"})
    lines = [put(collection, 1001, "a", 20), unknown, put(collection, 1003, "b", 21)]
    start(api, leader, tail(lines, included=1003, last=1003), ignoreErrors=1)
    tails(leader, 2)
    assert keys(api) == ["a", "b", *ALL]


def test_the_position_never_passes_what_is_not_applied(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    other = leader.add("left_out", 600)
    good = put(collection, 1001, "a", 20)
    skipped = marker(1002, 2302, "db", cuid=other.guid, tid="0", data={"_key": "x"})
    bad = {"_key": "b", "_rev": 5}
    lines = [good, skipped, marker(1003, 2300, "db", cuid=collection.guid, tid="0", data=bad)]
    restricted = {"restrictType": "exclude", "restrictCollections": ["left_out"]}
    start(api, leader, tail(lines, included=1003, last=1003), **restricted)
    assert stopped(api)["lastError"]["errorNum"] == 1401
    applied = int(state(api)["lastAppliedContinuousTick"])
    assert "a" in keys(api) or applied < 1001


def test_names_are_learned_once_for_a_restriction(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    other = leader.add("left_out", 600)
    lines = [
        marker(1001, 2302, "db", cuid=other.guid, tid="0", data={"_key": "x"}),
        put(collection, 1002, "a", 20),
    ]
    restricted = {"restrictType": "include", "restrictCollections": ["c"]}
    start(api, leader, tail(lines, included=1002, last=1002), **restricted)
    tails(leader, 2)
    assert leader.lines() == [
        "GET /_api/replication/logger-state",
        "POST /_api/replication/batch",
        "GET /_api/replication/inventory",
        "DELETE /_api/replication/batch/77",
        OPEN,
        TAIL,
        TAIL,
    ]
    assert keys(api) == ["a", *ALL]
    assert state(api)["totalOperationsExcluded"] == 1


def test_users_cannot_write_where_the_applier_does(
    api: Api, leader: RecordedLeader, collection: LeaderCollection
) -> None:
    start(api, leader)
    tails(leader, 1)
    response = api.post("/_api/document/c", json.dumps({"_key": "mine"}))
    assert error_of(response) == (403, 1004)
    api.put(f"{PATH}/applier-stop")
    api.insert("c", {"_key": "mine"})
