"""What a follower asks of an ArangoDB leader: an initial synchronisation."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.following import (
    PATH,
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
    HANG,
    LOST,
    SERVER_ID,
    TICK,
    TORN,
    Recorded,
    RecordedLeader,
    Reply,
)
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.config import Config

DUMP = "GET /_api/replication/dump"
RELEASED = ["POST /_api/replication/batch", "DELETE /_api/replication/batch/77"]
"""A batch that was taken is released, whatever else its answer says."""


@pytest.fixture
def waits(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> Waits:
    return without_waiting(server, monkeypatch)


@pytest.fixture
def leader(waits: Waits) -> Iterator[RecordedLeader]:
    with RecordedLeader() as running:
        yield running


# -- initial synchronisation ---------------------------------------------------------------------


def test_the_sequence_of_a_full_synchronisation(api: Api, leader: RecordedLeader) -> None:
    one, two = filled(leader, "one", 500), leader.add("two", 600)
    leader.documents_per_chunk = 4
    answer = synced(api, leader)
    assert answer == {
        "collections": [{"id": "500", "name": "one"}, {"id": "600", "name": "two"}],
        "lastLogTick": str(TICK),
    }
    assert leader.lines() == [
        "POST /_api/replication/batch",
        "GET /_api/replication/inventory",
        "GET /_api/replication/dump",
        "GET /_api/replication/dump",
        "GET /_api/replication/dump",
        "GET /_api/replication/dump",
        "DELETE /_api/replication/batch/77",
    ]
    own = own_id(api)
    batch, inventory, first, second, third, other, end = leader.requests
    assert batch.params == [("serverId", own), ("state", "true")]
    assert list(batch.json()) == ["ttl"]
    assert batch.json()["ttl"] >= 60
    assert inventory.params == [("serverId", own), ("batchId", "77"), ("includeSystem", "true")]
    common = [("includeSystem", "true"), ("useEnvelope", "false"), ("serverId", own)]
    head = [("collection", one.guid), ("batchId", "77"), *common, ("to", str(TICK + 1))]
    assert first.params == [*head, ("from", "0"), ("chunkSize", "2097152")]
    assert second.params == [*head, ("from", str(revision(3))), ("chunkSize", "2621440")]
    assert third.params == [*head, ("from", str(revision(7))), ("chunkSize", "3276800")]
    assert other.params[0] == ("collection", two.guid)
    assert other["from"] == "0"
    assert end.params == [("serverId", own)]
    check_same(api, one)
    check_same(api, two)


def test_every_request_is_that_of_a_follower(api: Api, leader: RecordedLeader) -> None:
    filled(leader)
    synced(api, leader)
    own = own_id(api)
    for request in leader.requests:
        assert request.path.startswith(f"/_db/{api.database}/_api/"), request.path
        headers = request.headers
        assert headers["x-arango-source"] == own
        assert headers["user-agent"] == "ArangoDB"
        assert "accept" not in headers, "missing Accept means JSON"
        assert "content-type" not in headers
        assert "authorization" not in headers
        assert headers.get("accept-encoding", "identity") == "identity"
        if request.method != "GET":
            assert headers["content-length"] == str(len(request.body))


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (
            {"username": "ü", "password": "p:ß"},
            "Basic " + base64.b64encode("ü:p:ß".encode()).decode(),
        ),
        ({"jwt": "abc.def"}, "bearer abc.def"),
        ({"username": "u", "jwt": "abc"}, "Basic " + base64.b64encode(b"u:").decode()),
    ],
)
def test_credentials(api: Api, leader: RecordedLeader, given: Any, sent: str) -> None:
    filled(leader)
    synced(api, leader, **given)
    assert {request.headers["authorization"] for request in leader.requests} == {sent}


def test_the_leaders_database_may_have_another_name(api: Api, leader: RecordedLeader) -> None:
    collection = filled(leader)
    synced(api, leader, database="Zürich 1/2")
    prefix = "/_db/Z%C3%BCrich%201%2F2/_api/"
    assert all(request.path.startswith(prefix) for request in leader.requests)
    check_same(api, collection)


def test_system_collections_and_queues_are_asked_for_as_configured(
    api: Api, leader: RecordedLeader
) -> None:
    leader.add("_jobs", 1)
    leader.add("_graphs", 2)
    leader.add("_statistics15", 3)
    leader.add("c", 4)
    wanted = synced(api, leader, includeSystem=False)
    (inventory,) = leader.of("inventory")
    assert inventory.names == ["serverId", "batchId"]
    assert [request["includeSystem"] for request in leader.of("dump")] == ["false"]
    assert wanted["collections"] == [{"id": "4", "name": "c"}]
    wanted = synced(api, leader, includeFoxxQueues=True)
    (inventory,) = leader.of("inventory")
    assert inventory.params[2:] == [("includeSystem", "true"), ("includeFoxxQueues", "true")]
    assert [one["name"] for one in wanted["collections"]] == ["_jobs", "_graphs", "c"]


@pytest.mark.parametrize(("kind", "expected"), [("include", ["a"]), ("exclude", ["b"])])
def test_only_the_wanted_collections_are_dumped(
    api: Api, leader: RecordedLeader, kind: str, expected: list[str]
) -> None:
    leader.add("a", 1)
    leader.add("b", 2)
    found = synced(api, leader, restrictType=kind, restrictCollections=["a"])
    assert [one["name"] for one in found["collections"]] == expected
    assert len(leader.of("dump")) == 1


def test_indexes_are_created_after_the_data(api: Api, leader: RecordedLeader) -> None:
    collection = filled(leader)
    index = {"type": "persistent", "name": "by_n", "fields": ["n"], "unique": True}
    collection.indexes.append({"id": "501", "sparse": False, "objectId": "7", **index})
    synced(api, leader)
    (_, made) = api.get("/_api/index", collection="c").json()["indexes"]
    assert {name: made[name] for name in index} == index
    assert made["id"] == "c/501"
    check_same(api, collection)


def test_an_old_leader_is_asked_for_its_state(api: Api, leader: RecordedLeader) -> None:
    filled(leader)
    leader.answers["POST /_api/replication/batch"] = [
        Reply(200, {"id": "77", "lastTick": str(TICK)})
    ]
    synced(api, leader)
    assert leader.lines()[:3] == [
        "POST /_api/replication/batch",
        "GET /_api/replication/logger-state",
        "GET /_api/replication/inventory",
    ]
    assert leader.requests[1].params == [("serverId", own_id(api))]


def test_a_dump_ends_when_the_position_stands_still(api: Api, leader: RecordedLeader) -> None:
    filled(leader)
    leader.documents_per_chunk = 4
    still = {
        "x-arango-replication-checkmore": "true",
        "x-arango-replication-lastincluded": str(revision(3)),
    }

    leader.answers[DUMP] = [lambda request: leader.dump(request, 0), Reply(204, b"", still)]
    synced(api, leader)
    assert [request["from"] for request in leader.of("dump")] == ["0", str(revision(3))]
    assert len(api.dump("c", api.create_batch())) == 4


# -- lost answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [LOST, TORN], ids=["lost", "torn"])
def test_a_lost_chunk_is_met_by_a_new_batch(
    api: Api, leader: RecordedLeader, broken: Reply
) -> None:
    """The leader keeps the position of a dump, so a chunk cannot be asked for again."""
    collection = filled(leader)
    leader.documents_per_chunk = 4
    leader.answers[DUMP] = [lambda request: leader.dump(request, 0), broken]
    synced(api, leader)
    assert leader.lines()[:5] == [
        "POST /_api/replication/batch",
        "GET /_api/replication/inventory",
        DUMP,
        DUMP,
        "POST /_api/replication/batch",
    ]
    assert leader.lines()[-1] == "DELETE /_api/replication/batch/77"
    check_same(api, collection)


def test_a_lost_chunk_is_asked_for_again_where_the_leader_can_find_it(
    api: Api, leader: RecordedLeader
) -> None:
    collection = filled(leader)
    leader.features, leader.documents_per_chunk = ["dump-from"], 4
    leader.answers[DUMP] = [lambda request: leader.dump(request, 0), TORN]
    synced(api, leader)
    first, lost, again, _ = leader.of("dump")
    assert (first["from"], lost["from"], again["from"]) == ("1", *[str(revision(3))] * 2)
    assert int(again["chunkSize"]) < int(lost["chunkSize"])
    check_same(api, collection)


def test_a_lost_first_chunk_is_not_left_out(api: Api, leader: RecordedLeader) -> None:
    """To a leader of our kind `from=0` says: go on where you are, behind what was lost."""
    collection = filled(leader)
    leader.features, leader.documents_per_chunk = ["dump-from"], 4

    def go_on(request: Recorded) -> Reply:
        after = int(request["from"])
        return leader.dump(request, after or revision(3))

    leader.answers[DUMP] = [TORN, go_on]
    synced(api, leader)
    check_same(api, collection)


# -- what is wrong with an answer ----------------------------------------------------------------


@pytest.mark.parametrize("version", ["4.0.0", "2.8.11", "30.1.0"])
def test_another_major_version_is_refused(api: Api, leader: RecordedLeader, version: str) -> None:
    leader.version = version
    assert error_of(sync(api, leader)) == (500, 1403)
    assert leader.lines() == RELEASED


def test_a_leader_with_our_own_id_is_a_loop(api: Api, leader: RecordedLeader) -> None:
    state = leader.state()
    state["server"]["serverId"] = own_id(api)
    answer = {"id": "77", "lastTick": "5", "state": state}
    leader.answers["POST /_api/replication/batch"] = [Reply(200, answer)]
    assert error_of(sync(api, leader)) == (500, 1405)
    assert leader.lines() == RELEASED


@pytest.mark.parametrize("missing", ["id", "lastTick"])
def test_a_batch_needs_id_and_tick(api: Api, leader: RecordedLeader, missing: str) -> None:
    answer = {"id": "77", "lastTick": "5", "state": leader.state(), missing: ""}
    leader.answers["POST /_api/replication/batch"] = [Reply(200, answer)]
    assert error_of(sync(api, leader)) == (500, 1401)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-arango-replication-lastincluded": "5"},
        {"x-arango-replication-checkmore": "true"},
    ],
)
def test_a_dump_without_its_headers_is_invalid(
    api: Api, leader: RecordedLeader, headers: dict[str, str]
) -> None:
    filled(leader)
    leader.answers["GET /_api/replication/dump"] = [Reply(200, b"", headers)]
    assert error_of(sync(api, leader)) == (500, 1401)
    assert leader.lines()[-1] == "DELETE /_api/replication/batch/77"


@pytest.mark.parametrize("word", ["inventory", "dump"])
def test_a_leader_that_is_unavailable_is_asked_again(
    api: Api, leader: RecordedLeader, waits: Waits, word: str
) -> None:
    collection = filled(leader)
    leader.answers[f"GET /_api/replication/{word}"] = [Reply(503, b"{}")]
    synced(api, leader)
    check_same(api, collection)
    assert len(leader.of(word)) > 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
@pytest.mark.parametrize("word", ["inventory", "dump"])
def test_an_error_of_the_leader_ends_the_synchronisation(
    api: Api, leader: RecordedLeader, word: str, status: int
) -> None:
    filled(leader)
    leader.answers[f"GET /_api/replication/{word}"] = [Reply(status, b"{}")]
    assert error_of(sync(api, leader)) == (500, 1402)
    assert len(leader.of(word)) == 1, "an answer is never asked for again"
    assert leader.lines()[-1] == "DELETE /_api/replication/batch/77"


def test_nobody_is_there(api: Api, leader: RecordedLeader, waits: Waits) -> None:
    body = {"endpoint": "tcp://127.0.0.1:1", "maxConnectRetries": 1}
    assert error_of(api.put(f"{PATH}/sync", body)) == (500, 1400)
    assert waits == [2.0, 2.0], "two more tries, two seconds apart"


# -- all databases -------------------------------------------------------------------------------


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerThread]:
    """A server of its own: a global synchronisation drops what the leader does not have."""
    with ServerThread(Config(tmp_path / "data", port=0)) as running:
        without_waiting(running, monkeypatch)
        yield running


def test_the_sequence_of_a_global_synchronisation(whole: ServerThread) -> None:
    with RecordedLeader() as leader, Api(whole.url, "_system") as system:
        here = leader.add("one", 500, "_system")
        there = leader.add("two", 600, "shop")
        here.put("a", revision(1))
        there.put("b", revision(2))
        system.post("/_api/database", {"name": "surplus"})
        body = {"endpoint": leader.endpoint}
        response = system.put(f"{PATH}/sync", body, **{"global": "true"})
        assert response.status_code == 200, response.text
        assert response.json() == {"collections": [], "lastLogTick": str(TICK)}
        own = own_id(system)
        assert [(request.method, request.path) for request in leader.requests] == [
            ("GET", "/_db/_system/_api/replication/logger-state"),
            ("POST", "/_db/_system/_api/replication/batch"),
            ("GET", "/_db/_system/_api/replication/inventory"),
            ("GET", "/_db/_system/_api/replication/dump"),
            ("GET", "/_db/shop/_api/replication/dump"),
            ("DELETE", "/_db/_system/_api/replication/batch/77"),
        ]
        state, batch, inventory, *dumps, end = leader.requests
        assert state.params == batch.params == end.params == [("serverId", own)]
        assert inventory.params == [
            ("serverId", own),
            ("batchId", "77"),
            ("global", "true"),
            ("includeSystem", "true"),
        ]
        assert {(request["batchId"], request["to"]) for request in dumps} == {("77", str(TICK + 1))}
        assert system.get("/_api/database").json()["result"] == ["_system", "shop"]
        check_same(system, here)
        with Api(whole.url, "shop") as shop:
            check_same(shop, there)


def test_only_system_synchronises_everything(api: Api, leader: RecordedLeader) -> None:
    body = {"endpoint": leader.endpoint}
    assert error_of(api.put(f"{PATH}/sync", body, **{"global": "true"})) == (403, 11)
    assert leader.requests == []


def test_a_global_inventory_needs_databases(whole: ServerThread) -> None:
    with RecordedLeader() as leader, Api(whole.url, "_system") as system:
        leader.answers["GET /_api/replication/inventory"] = [
            Reply(200, {"collections": [], "state": {}})
        ]
        body = {"endpoint": leader.endpoint}
        response = system.put(f"{PATH}/sync", body, **{"global": "true"})
        assert error_of(response) == (500, 1401)


# -- one at a time -------------------------------------------------------------------------------


def test_a_second_synchronisation_is_locked_out_and_the_first_can_be_stopped(
    server: ServerThread, api: Api, leader: RecordedLeader
) -> None:
    filled(leader)
    leader.answers["GET /_api/replication/dump"] = [HANG]
    body = {"endpoint": leader.endpoint}
    response = api.request("PUT", f"{PATH}/sync", body, headers={"x-arango-async": "store"})
    job = response.headers["x-arango-async-id"]
    wait_for(lambda: True if any("dump" in line for line in leader.lines()) else None)
    assert error_of(sync(api, leader)) == (500, 28)
    api.put(f"{PATH}/applier-stop")

    def answered() -> requests.Response | None:
        found = api.put(f"/_api/job/{job}")
        return found if "x-arango-async-id" in found.headers else None

    assert error_of(wait_for(answered)) == (500, 1412)
    assert leader.lines()[-1] == "DELETE /_api/replication/batch/77"
    assert own_id(api) != SERVER_ID
