"""The global applier: all databases of a leader come and go with it (follower 2.8, 6.6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pair import (
    READ_ONLY,
    REPLICATION,
    Pair,
    collections,
    contents,
    endpoint,
    impatient,
    system_pair,
    two_servers,
)
from support.server import Api, ServerThread, error_of

from arangorep.config import Config


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Pair]:
    """`_system` of two servers of their own; requests are about the global applier."""
    with two_servers(tmp_path) as both, system_pair(*both) as pair:
        yield pair


def databases(api: Api) -> list[str]:
    return sorted(api.get("/_api/database").json()["result"])


def create(api: Api, *names: str) -> None:
    """Databases with one collection `c` that holds one document."""
    for name in names:
        assert api.post("/_api/database", {"name": name}).status_code == 201
        with Api(api.url, name) as inside:
            inside.create_collection("c")
            inside.insert("c", {"_key": name})


def are_equal(pair: Pair) -> bool:
    """Whether both servers hold the same databases, collections and documents."""
    if databases(pair.leader) != databases(pair.follower):
        return False
    for name in databases(pair.leader):
        with Api(pair.leader.url, name) as there, Api(pair.follower.url, name) as here:
            if collections(there) != collections(here):
                return False
            if any(contents(there, each) != contents(here, each) for each in collections(there)):
                return False
    return True


def test_all_databases_are_synchronised(whole: Pair) -> None:
    create(whole.leader, "one", "two")
    whole.leader.create_collection("s")
    whole.leader.insert("s", {"_key": "s"})
    create(whole.follower, "two", "mine")
    with Api(whole.follower.url, "two") as here:
        here.create_collection("surplus")
    answer = whole.sync()
    assert answer["collections"] == []
    assert int(answer["lastLogTick"]) > 0
    assert are_equal(whole)
    assert databases(whole.follower) == ["_system", "one", "two"]
    assert whole.state()["phase"] == "inactive"


def test_without_creating_and_dropping_databases_stay(whole: Pair) -> None:
    create(whole.leader, "one")
    whole.sync()
    create(whole.follower, "mine")
    with Api(whole.leader.url, "one") as there:
        there.insert("c", {"_key": "more"})
    whole.sync(skipCreateDrop=True)
    assert databases(whole.follower) == ["_system", "mine", "one"]
    with Api(whole.follower.url, "one") as here:
        assert set(contents(here, "c")) == {"one", "more"}


@pytest.mark.parametrize("incremental", [True, False])
def test_following(whole: Pair, incremental: bool) -> None:
    create(whole.leader, "one", "two", "three")
    state = whole.follow(incremental=incremental)
    assert (state["running"], state["phase"]) == (True, "running")
    assert are_equal(whole)
    create(whole.leader, "four")
    assert whole.leader.delete("/_api/database/two").status_code == 200
    assert whole.leader.delete("/_api/database/three").status_code == 200
    create(whole.leader, "three")
    with Api(whole.leader.url, "one") as there:
        there.insert("c", [{}, {}])
        there.put("/_api/collection/c/rename", {"name": "d"})
    whole.leader.create_collection("s")
    whole.leader.insert("s", {})
    whole.catch_up()
    assert are_equal(whole)
    assert databases(whole.follower) == ["_system", "four", "one", "three"]


def test_the_configuration_is_apart(whole: Pair) -> None:
    shown = whole.done("PUT", "applier-config", whole.config(verbose=True))
    assert "database" not in shown
    assert whole.done("GET", "applier-config") == shown
    own = whole.follower.get(REPLICATION + "applier-config").json()
    assert "endpoint" not in own
    assert own["verbose"] is False
    described = whole.done("GET", "applier-state")
    assert "database" not in described
    assert described["endpoint"] == endpoint(whole.leader_server)


def test_the_state_is_apart(whole: Pair) -> None:
    whole.follow()
    assert whole.state()["running"] is True
    own = whole.follower.get(REPLICATION + "applier-state").json()["state"]
    assert own["running"] is False
    everyone = whole.done("GET", "applier-state-all")
    assert {name: one["state"]["running"] for name, one in everyone.items()} == {"_system": False}
    assert whole.stop()["phase"] == "inactive"


def test_users_write_nowhere_and_again_after_a_stop(whole: Pair) -> None:
    create(whole.leader, "one")
    whole.follow()
    system = whole.follower
    with Api(system.url, "one") as inside:
        for refused in (
            inside.post("/_api/document/c", {}),
            inside.post("/_api/collection", {"name": "x"}),
            inside.delete("/_api/collection/c"),
            system.post("/_api/collection", {"name": "x"}),
            system.post("/_api/database", {"name": "x"}),
            system.delete("/_api/database/one"),
        ):
            assert error_of(refused) == READ_ONLY
        whole.stop()
        inside.insert("c", {})
    create(system, "x")
    assert system.delete("/_api/database/one").status_code == 200


def test_restricted_to_names_in_all_databases(whole: Pair) -> None:
    create(whole.leader, "one", "two")
    for name in ("one", "two"):
        with Api(whole.leader.url, name) as there:
            there.create_collection("left")
    whole.follow(restrictType="include", restrictCollections=["c"])
    for name in ("one", "two"):
        with Api(whole.leader.url, name) as there:
            there.insert("left", {})
            there.insert("c", {"_key": "more"})
    whole.catch_up()
    for name in ("one", "two"):
        with Api(whole.follower.url, name) as here:
            assert collections(here) == ["c"]
            assert set(contents(here, "c")) == {name, "more"}


def test_a_restart(tmp_path: Path) -> None:
    with (
        impatient(),
        ServerThread(Config(tmp_path / "leader", port=0)) as leader,
        Api(leader.url, "_system") as there,
    ):
        create(there, "one")
        path = tmp_path / "follower"
        with ServerThread(Config(path, port=0)) as server, system_pair(leader, server) as first:
            first.follow(autoStart=True)
            assert are_equal(first)
        create(there, "two")
        with ServerThread(Config(path, port=0)) as server, system_pair(leader, server) as second:
            assert second.catch_up()["running"] is True
            assert are_equal(second)


def refused(pair: Pair, number: int, **attributes: Any) -> None:
    response = pair.call("PUT", "sync", pair.config(**attributes))
    assert error_of(response) == (500, number)


def test_what_a_global_sync_refuses(whole: Pair) -> None:
    create(whole.follower, "mine")
    refused(whole, 1405, endpoint=endpoint(whole.follower_server))
    refused(whole, 1402, database="nowhere")
    assert databases(whole.follower) == ["_system", "mine"]
    assert error_of(whole.call("PUT", "sync", {})) == (400, 400)
