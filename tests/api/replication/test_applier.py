"""`/_api/replication/applier-*`: configuration, start, stop, state (follower 7)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pair import (
    REPLICATION,
    Pair,
    closed_port,
    endpoint,
    fresh_pair,
    impatient,
    last_tick,
    silent_leader,
    sync_under_way,
    two_servers,
)
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.config import Config

COMMANDS = [
    ("GET", "applier-config"),
    ("PUT", "applier-config"),
    ("PUT", "applier-start"),
    ("PUT", "applier-stop"),
    ("GET", "applier-state"),
    ("DELETE", "applier-state"),
    ("PUT", "make-follower"),
    ("PUT", "make-slave"),
    ("PUT", "sync"),
]
STATE = [
    "started",
    "running",
    "phase",
    "lastAppliedContinuousTick",
    "lastProcessedContinuousTick",
    "lastAvailableContinuousTick",
    "safeResumeTick",
    "progress",
    "totalRequests",
    "totalFailedConnects",
    "totalEvents",
    "totalDocuments",
    "totalRemovals",
    "totalResyncs",
    "totalOperationsExcluded",
    "totalApplyTime",
    "averageApplyTime",
    "totalFetchTime",
    "averageFetchTime",
    "lastError",
    "time",
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, ...]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def pair(servers: tuple[ServerThread, ServerThread]) -> Iterator[Pair]:
    with fresh_pair(*servers) as fresh:
        yield fresh


# -- methods and scopes --------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "command"), COMMANDS)
def test_other_methods_are_405(pair: Pair, method: str, command: str) -> None:
    allowed = {known for known, name in COMMANDS if name == command}
    for other in {"GET", "PUT", "POST", "DELETE", "PATCH"} - allowed:
        assert error_of(pair.call(other, command, {})) == (405, 405)
    assert error_of(pair.call("PUT", "applier-state-all")) == (405, 405)


@pytest.mark.parametrize(("method", "command"), COMMANDS)
def test_the_global_applier_is_only_reached_from_system(
    pair: Pair, method: str, command: str
) -> None:
    body = pair.config() if method == "PUT" else None
    assert error_of(pair.call(method, command, body, **{"global": "true"})) == (403, 11)
    assert "endpoint" not in pair.done("GET", "applier-config")


@pytest.mark.parametrize(("method", "command"), COMMANDS)
def test_an_unknown_database(pair: Pair, method: str, command: str) -> None:
    with Api(pair.follower_server.url, "nowhere") as nowhere:
        response = nowhere.request(method, REPLICATION + command, pair.config())
        assert error_of(response) == (404, 1228)


@pytest.mark.parametrize("command", ["applier-config", "make-follower", "make-slave", "sync"])
@pytest.mark.parametrize("body", ["{", '{"endpoint":', "endpoint", '{"endpoint":1e999}'])
def test_a_body_that_is_no_json(pair: Pair, command: str, body: str) -> None:
    assert error_of(pair.call("PUT", command, body)) == (400, 600)


# -- applier-config ------------------------------------------------------------------------------


def test_the_configuration_before_any(pair: Pair) -> None:
    shown = pair.done("GET", "applier-config")
    assert "endpoint" not in shown
    assert "username" not in shown
    assert shown["database"] == pair.follower.database
    assert (shown["includeSystem"], shown["maxConnectRetries"]) == (True, 100)


def test_the_configuration_is_merged_and_kept(pair: Pair) -> None:
    first = pair.done(
        "PUT",
        "applier-config",
        {"endpoint": "tcp://a:1", "database": "x", "username": "u", "password": "p", "verbose": 1},
    )
    assert pair.done("GET", "applier-config") == first
    assert {"password", "jwt"}.isdisjoint(first)
    assert (first["endpoint"], first["database"], first["username"]) == ("tcp://a:1", "x", "u")
    assert first["verbose"] is False
    second = pair.done("PUT", "applier-config", {"autoStart": True, "chunkSize": 5})
    assert second == {
        **first,
        "database": pair.follower.database,
        "autoStart": True,
        "chunkSize": 5,
    }
    assert pair.done("GET", "applier-config") == second


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, 1410)),
        ({"endpoint": ""}, (400, 1410)),
        ({"endpoint": 5}, (400, 1410)),
        ({"endpoint": "nonsense"}, (400, 1410)),
        ({"endpoint": "tcp://h", "restrictType": "other"}, (400, 1410)),
        ({"endpoint": "tcp://h", "restrictType": "include"}, (400, 1410)),
        ({"endpoint": "tcp://h", "restrictCollections": ["a"]}, (400, 1410)),
        ([], (400, 10)),
        (None, (400, 10)),
    ],
)
@pytest.mark.parametrize("command", ["applier-config", "make-follower", "make-slave"])
def test_configurations_that_make_no_sense(
    pair: Pair, command: str, body: Any, expected: tuple[int, int]
) -> None:
    before = pair.done("GET", "applier-config")
    assert error_of(pair.call("PUT", command, body)) == expected
    assert pair.done("GET", "applier-config") == before


def test_an_empty_endpoint_does_not_replace_one(pair: Pair) -> None:
    before = pair.done("PUT", "applier-config", pair.config())
    assert error_of(pair.call("PUT", "applier-config", {"endpoint": ""})) == (400, 1410)
    assert pair.done("GET", "applier-config") == before


def test_no_configuration_while_active(pair: Pair) -> None:
    pair.follow()
    before = pair.done("GET", "applier-config")
    assert error_of(pair.call("PUT", "applier-config", pair.config(verbose=True))) == (400, 1411)
    assert pair.done("GET", "applier-config") == before
    pair.stop()
    assert pair.done("PUT", "applier-config", pair.config(verbose=True))["verbose"] is True


# -- applier-state -------------------------------------------------------------------------------


def test_the_state_before_any_run(pair: Pair) -> None:
    answer = pair.done("GET", "applier-state")
    assert list(answer) == ["state", "server", "database"]
    assert list(answer["state"]) == STATE
    assert (answer["state"]["phase"], answer["state"]["running"]) == ("inactive", False)
    assert answer["state"]["started"] == ""
    server = pair.follower.get("/_api/replication/logger-state").json()["server"]
    assert answer["server"] == {name: server[name] for name in ("version", "serverId")}
    assert answer["database"] == pair.follower.database


def test_the_state_of_a_running_applier(pair: Pair) -> None:
    pair.leader.create_collection("c")
    answer = pair.done("PUT", "make-follower", pair.config())
    assert answer["endpoint"] == endpoint(pair.leader_server)
    assert answer["database"] == pair.leader.database
    pair.leader.insert("c", [{}, {}])
    state = pair.catch_up()
    assert set(state) == {*STATE, "ticksBehind"}
    assert (state["running"], state["phase"]) == (True, "running")
    assert state["ticksBehind"] == 0
    assert state["lastAppliedContinuousTick"] == str(last_tick(pair.leader))
    assert state["lastError"] == {"errorNum": 0}
    assert state["totalDocuments"] == 2
    assert state["totalEvents"] == 4
    assert state["totalRequests"] > 0
    assert state["started"].endswith("Z")


def test_forgetting(pair: Pair) -> None:
    pair.follow()
    started = pair.state()["started"]
    answer = pair.done("DELETE", "applier-state")
    assert "endpoint" not in answer
    state = answer["state"]
    assert (state["phase"], state["running"]) == ("inactive", False)
    assert state["lastAppliedContinuousTick"] is None
    assert state["progress"]["time"] == ""
    assert state["started"] == started
    assert "endpoint" not in pair.done("GET", "applier-config")
    assert error_of(pair.call("PUT", "applier-start")) == (400, 1410)
    pair.done("DELETE", "applier-state")


def test_all_appliers_are_shown_in_system(pair: Pair) -> None:
    assert error_of(pair.call("GET", "applier-state-all")) == (403, 11)
    pair.follow()
    with Api(pair.follower_server.url, "_system") as system:
        names = system.get("/_api/database").json()["result"]
        for params in ({}, {"global": "true"}):
            shown = system.get(REPLICATION + "applier-state-all", **params).json()
            assert set(shown) == set(names)
            assert shown[pair.follower.database]["state"]["running"] is True
            assert shown[pair.follower.database]["endpoint"] == endpoint(pair.leader_server)
            assert shown["_system"]["state"]["running"] is False


# -- applier-start and applier-stop --------------------------------------------------------------


def test_start_needs_an_endpoint(pair: Pair) -> None:
    assert error_of(pair.call("PUT", "applier-start")) == (400, 1410)
    assert pair.state()["lastError"]["errorNum"] == 1410


def test_start_needs_a_database(pair: Pair) -> None:
    pair.done("PUT", "applier-config", pair.config(database=""))
    assert error_of(pair.call("PUT", "applier-start", **{"from": 1})) == (400, 1410)


def test_from_a_tick(pair: Pair) -> None:
    pair.leader.create_collection("c")
    result = pair.sync()
    pair.leader.insert("c", {"_key": "after"})
    pair.done("PUT", "applier-config", pair.config())
    answer = pair.done("PUT", "applier-start", **{"from": result["lastLogTick"], "barrierId": "7"})
    assert answer["state"]["phase"] == "running"
    pair.catch_up()
    assert pair.same("c")
    assert pair.state()["totalEvents"] == 1


def test_from_the_state(pair: Pair) -> None:
    pair.leader.create_collection("c")
    pair.follow()
    pair.leader.insert("c", {"_key": "one"})
    pair.catch_up()
    stopped = pair.stop()
    assert (stopped["phase"], stopped["running"]) == ("inactive", False)
    assert stopped["lastError"] == {"errorNum": 0}
    pair.leader.insert("c", {"_key": "two"})
    assert pair.done("PUT", "applier-start")["state"]["lastError"] == {"errorNum": 0}
    state = pair.catch_up()
    assert pair.same("c")
    assert state["totalEvents"] == 2, "nothing is applied twice"
    assert state["started"] == stopped["started"]


@pytest.mark.parametrize("params", [{}, {"from": "0"}, {"from": "nonsense"}])
def test_without_a_tick(pair: Pair, params: dict[str, str]) -> None:
    pair.done("PUT", "applier-config", pair.config())
    pair.done("PUT", "applier-start", **params)
    assert pair.failure() == 1413
    state = pair.state()
    assert state["lastAppliedContinuousTick"] is None
    assert state["lastError"]["errorMessage"]


def test_a_start_clears_the_error(pair: Pair) -> None:
    pair.done("PUT", "applier-config", pair.config())
    pair.done("PUT", "applier-start")
    assert pair.failure() == 1413
    pair.done("PUT", "applier-start", **{"from": last_tick(pair.leader)})
    assert pair.catch_up()["lastError"] == {"errorNum": 0}


def test_starting_twice_changes_nothing(pair: Pair) -> None:
    pair.follow()
    answer = pair.done("PUT", "applier-start", **{"from": "1"})
    assert answer["state"]["phase"] == "running"
    assert int(answer["state"]["lastAppliedContinuousTick"]) > 1
    assert pair.catch_up()["lastError"] == {"errorNum": 0}


def test_stopping_twice_changes_nothing(pair: Pair) -> None:
    never_ran = pair.stop()
    assert (never_ran["phase"], never_ran["started"]) == ("inactive", "")
    pair.follow()
    first = pair.stop()
    second = pair.stop()
    assert {**first, "time": ""} == {**second, "time": ""}
    assert second["phase"] == "inactive"


def test_nothing_is_applied_after_a_stop(pair: Pair) -> None:
    pair.leader.create_collection("c")
    pair.follow()
    pair.catch_up()
    before = pair.stop()["lastAppliedContinuousTick"]
    pair.leader.insert("c", {})
    assert pair.state()["lastAppliedContinuousTick"] == before
    assert pair.follower.get("/_api/collection/c/count").json()["count"] == 0


def test_a_leader_that_is_not_there(pair: Pair) -> None:
    with closed_port() as where:
        config = pair.config(endpoint=where, maxConnectRetries=2, connectTimeout=1)
        pair.done("PUT", "applier-config", config)
        pair.done("PUT", "applier-start", **{"from": "5"})
        assert pair.failure() == 1400
        state = pair.state()
        assert state["totalFailedConnects"] >= 3
        assert where.removeprefix("tcp://") in state["lastError"]["errorMessage"]
        assert state["lastAppliedContinuousTick"] == "5"


def test_a_leader_that_comes_back(pair: Pair, tmp_path: Path) -> None:
    with impatient(), ServerThread(Config(tmp_path / "data", port=0)) as leader:
        port = leader.port
        with Api(leader.url, "_system") as there:
            there.create_collection("c")
        where = {"endpoint": endpoint(leader), "database": "_system"}
        assert pair.follow(**where, maxConnectRetries=100_000)["running"] is True
    wait_for(lambda: pair.state()["progress"]["failedConnects"] or None)
    with (
        ServerThread(Config(tmp_path / "data", port=port)) as leader,
        Api(leader.url, "_system") as there,
    ):
        there.insert("c", {"_key": "later"})
        back = Pair(leader, pair.follower_server, there, pair.follower)
        assert back.catch_up()["lastError"] == {"errorNum": 0}
        assert back.same("c")
        assert back.state()["progress"]["failedConnects"] == 0
        back.stop()


def test_another_leader_is_refused(pair: Pair, tmp_path: Path) -> None:
    pair.follow()
    pair.stop()
    with ServerThread(Config(tmp_path / "other", port=0)) as other:
        body = pair.config(endpoint=endpoint(other), database="_system")
        pair.done("PUT", "applier-config", body)
        pair.done("PUT", "applier-start")
        assert pair.failure() == 1404


def test_its_own_address_is_a_loop(pair: Pair) -> None:
    own = {"endpoint": endpoint(pair.follower_server), "database": pair.follower.database}
    pair.done("PUT", "applier-config", pair.config(**own))
    pair.done("PUT", "applier-start", **{"from": "1"})
    assert pair.failure() == 1405


def test_no_start_while_a_sync_runs(pair: Pair) -> None:
    pair.done("PUT", "applier-config", pair.config())
    with sync_under_way(pair):
        assert error_of(pair.call("PUT", "applier-start", **{"from": "1"})) == (500, 28)
    pair.done("PUT", "applier-start", **{"from": last_tick(pair.leader)})
    pair.catch_up()


def test_a_stop_does_not_wait_for_the_leader(pair: Pair) -> None:
    with silent_leader() as (where, listener):
        pair.done("PUT", "applier-config", pair.config(endpoint=where))
        pair.done("PUT", "applier-start", **{"from": "1"})
        connection, _ = listener.accept()
        with connection:
            state = pair.stop()
    assert (state["phase"], state["lastError"]) == ("inactive", {"errorNum": 0})
