"""What users may do beside an active applier, restarts, requests that meet (follower 7)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from support.pair import (
    READ_ONLY,
    REPLICATION,
    Pair,
    collections,
    contents,
    fresh_pair,
    impatient,
    silent_leader,
    start_job,
    two_servers,
)
from support.raw import RawConnection, request_bytes
from support.server import Api, ServerThread, error_of

from arangorep.config import Config

Write = Callable[[Api], requests.Response]

INDEX = {"type": "persistent", "fields": ["n"], "name": "i"}
WRITES: dict[str, Write] = {
    "insert": lambda api: api.post("/_api/document/c", {}),
    "insert many": lambda api: api.post("/_api/document/c", [{}, {}]),
    "replace": lambda api: api.put("/_api/document/c/k", {"n": 2}),
    "replace many": lambda api: api.put("/_api/document/c", [{"_key": "k"}]),
    "update": lambda api: api.patch("/_api/document/c/k", {"n": 2}),
    "remove": lambda api: api.delete("/_api/document/c/k"),
    "remove many": lambda api: api.delete("/_api/document/c", ["k"]),
    "import": lambda api: api.post("/_api/import", "{}\n", collection="c", type="documents"),
    "truncate": lambda api: api.put("/_api/collection/c/truncate"),
    "create index": lambda api: api.post("/_api/index", {**INDEX, "name": "j"}, collection="c"),
    "drop index": lambda api: api.delete("/_api/index/c/i"),
    "change": lambda api: api.put("/_api/collection/c/properties", {"waitForSync": True}),
    "rename": lambda api: api.put("/_api/collection/c/rename", {"name": "d"}),
    "drop": lambda api: api.delete("/_api/collection/c"),
    "create": lambda api: api.post("/_api/collection", {"name": "new"}),
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, ...]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def pair(servers: tuple[ServerThread, ServerThread]) -> Iterator[Pair]:
    """The leader has the collections `c` and `other`."""
    with fresh_pair(*servers) as fresh:
        for name in ("c", "other"):
            fresh.leader.create_collection(name)
        fresh.leader.insert("c", {"_key": "k", "n": 1})
        response = fresh.leader.post("/_api/index", INDEX, collection="c")
        assert response.status_code == 201
        yield fresh


# -- read-only -----------------------------------------------------------------------------------


@pytest.mark.parametrize("write", WRITES)
def test_users_write_again_after_a_stop(pair: Pair, write: str) -> None:
    pair.follow()
    response = WRITES[write](pair.follower)
    assert error_of(response) == READ_ONLY
    pair.catch_up()
    assert collections(pair.follower) == ["c", "other"]
    assert pair.same("c", "other")
    pair.stop()
    assert WRITES[write](pair.follower).ok


def test_reading_stays_allowed(pair: Pair) -> None:
    pair.follow()
    assert pair.follower.get("/_api/document/c/k").json()["n"] == 1
    assert pair.follower.get("/_api/collection/c/count").json()["count"] == 1
    assert pair.follower.get("/_api/index", collection="c").ok
    assert pair.follower.tail(0)


def test_only_what_is_followed_is_owned(pair: Pair) -> None:
    pair.sync()
    pair.follow(restrictType="include", restrictCollections=["c", "later"])
    follower = pair.follower
    assert error_of(follower.post("/_api/document/c", {})) == READ_ONLY
    assert error_of(follower.post("/_api/collection", {"name": "later"})) == READ_ONLY
    assert follower.post("/_api/document/other", {}).status_code == 202
    assert follower.post("/_api/collection", {"name": "mine"}).status_code == 200
    assert follower.put("/_api/collection/mine/rename", {"name": "mine2"}).ok


def test_a_followed_name_cannot_be_taken_by_a_rename(pair: Pair) -> None:
    pair.sync()
    pair.follow(restrictType="include", restrictCollections=["c", "later"])
    response = pair.follower.put("/_api/collection/other/rename", {"name": "later"})
    assert error_of(response) == READ_ONLY


def test_system_collections_without_includesystem(pair: Pair) -> None:
    pair.follow(includeSystem=False)
    assert pair.follower.post("/_api/document/_graphs", {}).status_code == 202
    assert error_of(pair.follower.post("/_api/document/c", {})) == READ_ONLY


def test_other_databases_are_free(pair: Pair) -> None:
    pair.follow()
    with pair.follower_server.fresh_database() as other:
        other.create_collection("c")
        other.insert("c", {})


def test_writable_followers(pair: Pair, tmp_path: Path) -> None:
    config = Config(tmp_path / "writable", port=0, writable_follower=True)
    with impatient(), ServerThread(config) as server, Api(server.url, "_system") as here:
        free = replace(pair, follower_server=server, follower=here)
        free.follow()
        here.insert("c", {"_key": "mine"})
        free.stop()


def test_a_failed_applier_owns_nothing(pair: Pair) -> None:
    pair.sync()
    pair.done("PUT", "applier-config", pair.config())
    pair.done("PUT", "applier-start")
    assert pair.failure() == 1413
    assert pair.follower.post("/_api/document/c", {}).status_code == 202


# -- restarts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auto_start", "may_start", "goes_on"),
    [(True, True, True), (False, True, False), (True, False, False)],
)
def test_after_a_restart(
    pair: Pair, tmp_path: Path, auto_start: bool, may_start: bool, goes_on: bool
) -> None:
    path = tmp_path / "data"
    with ServerThread(Config(path, port=0)) as server, Api(server.url, "_system") as here:
        first = replace(pair, follower_server=server, follower=here)
        first.follow(autoStart=auto_start)
        config = first.done("GET", "applier-config")
        tick = first.catch_up()["lastAppliedContinuousTick"]
    pair.leader.insert("c", {"_key": "meanwhile"})
    again = Config(path, port=0, start_appliers=may_start)
    with ServerThread(again) as server, Api(server.url, "_system") as here:
        second = replace(pair, follower_server=server, follower=here)
        assert second.done("GET", "applier-config") == config
        if not goes_on:
            state = second.state()
            assert (state["phase"], state["lastAppliedContinuousTick"]) == ("inactive", tick)
            second.done("PUT", "applier-start")
        second.catch_up()
        assert second.same("c")
        assert second.state()["totalEvents"] == 1
        second.stop()


def test_an_initial_synchronisation_goes_on_after_a_restart(pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "data"
    with (
        silent_leader() as (where, listener),
        ServerThread(Config(path, port=0)) as server,
        Api(server.url, "_system") as here,
    ):
        first = replace(pair, follower_server=server, follower=here)
        start_job(here, "make-follower", first.config(autoStart=True, endpoint=where))
        listener.accept()[0].close()
    with ServerThread(Config(path, port=0)) as server, Api(server.url, "_system") as here:
        second = replace(pair, follower_server=server, follower=here)
        second.stop()
        second.done("PUT", "applier-config", second.config())
        second.done("PUT", "applier-start")
        second.catch_up()
        assert second.same("c", "other")
        second.stop()


def test_a_forgotten_applier_does_not_come_back(pair: Pair, tmp_path: Path) -> None:
    path = tmp_path / "data"
    with ServerThread(Config(path, port=0)) as server, Api(server.url, "_system") as here:
        first = replace(pair, follower_server=server, follower=here)
        first.follow(autoStart=True)
        first.done("DELETE", "applier-state")
    with ServerThread(Config(path, port=0)) as server, Api(server.url, "_system") as here:
        second = replace(pair, follower_server=server, follower=here)
        assert second.state()["phase"] == "inactive"
        assert "endpoint" not in second.done("GET", "applier-config")
        assert here.post("/_api/document/c", {}).status_code == 202


def test_a_database_of_the_same_name_starts_anew(pair: Pair) -> None:
    pair.follow()
    name = pair.follower.database
    with Api(pair.follower_server.url, "_system") as system:
        assert system.delete(f"/_api/database/{name}").status_code == 200
        assert system.post("/_api/database", {"name": name}).status_code == 201
    assert pair.state()["phase"] == "inactive"
    assert "endpoint" not in pair.done("GET", "applier-config")
    pair.follow()
    pair.catch_up()
    assert pair.same("c")


# -- requests that meet --------------------------------------------------------------------------


def at_once(pair: Pair, *targets: tuple[str, bytes | None]) -> list[int]:
    """Send requests so that the follower reads all of them in one go; returns their status."""
    prefix = f"/_db/{pair.follower.database}{REPLICATION}"
    port = pair.follower_server.port
    opened = [RawConnection(port) for _ in targets]
    try:
        for connection in opened:  # the follower knows the connections before it is held up
            assert connection.request("GET", prefix + "applier-state").status == 200
        sent = threading.Event()
        with ThreadPoolExecutor(1) as held:
            holding = held.submit(pair.follower_server.call, lambda: sent.wait(30))
            for connection, (command, body) in zip(opened, targets, strict=True):
                connection.send(request_bytes("PUT", prefix + command, body))
            sent.set()
            assert holding.result()
        return [connection.read().status for connection in opened]
    finally:
        for connection in opened:
            connection.close()


def running_appliers(pair: Pair) -> int:
    """How many tasks of appliers run on the follower."""

    async def count() -> int:
        return sum("Applier._run" in repr(task.get_coro()) for task in asyncio.all_tasks())

    return pair.follower_server.run(count())


def test_a_stop_right_after_a_start(pair: Pair) -> None:
    pair.follow()
    pair.stop()
    assert at_once(pair, ("applier-start", None), ("applier-stop", None)) == [200, 200]
    pair.stop()
    assert pair.state()["phase"] == "inactive"
    pair.leader.insert("c", {"_key": "later"})
    pair.done("PUT", "applier-start")
    pair.catch_up()
    assert "later" in contents(pair.follower, "c")


def test_two_at_once_become_one_applier(pair: Pair) -> None:
    body = json.dumps(pair.config()).encode()
    pair.follow()
    statuses = at_once(pair, *[("make-follower", body)] * 3)
    assert 200 in statuses
    assert running_appliers(pair) == 1
    pair.stop()
    assert running_appliers(pair) == 0


def test_many_starts_and_stops(pair: Pair) -> None:
    pair.follow()
    for _ in range(5):
        at_once(pair, *[("applier-stop", None), ("applier-start", None)] * 3)
        pair.stop()
        assert running_appliers(pair) == 0
    pair.leader.insert("c", {"_key": "later"})
    pair.done("PUT", "applier-start")
    pair.catch_up()
    assert pair.same("c")
