"""`make-follower` and tailing: the follower goes where the leader goes (follower 6, 7.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pair import (
    Pair,
    batches,
    closed_port,
    collections,
    contents,
    endpoint,
    fresh_pair,
    impatient,
    index_fields,
    job_answer,
    last_tick,
    lose_log,
    silent_leader,
    start_job,
    two_servers,
)
from support.server import Api, ServerThread, error_of

from arangorep.config import Config

Act = Callable[[Api], Any]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, ...]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def pair(servers: tuple[ServerThread, ServerThread]) -> Iterator[Pair]:
    with fresh_pair(*servers) as fresh:
        yield fresh


def fill(api: Api, *names: str) -> None:
    """Collections with three documents each."""
    for name in names:
        api.create_collection(name)
        api.insert(name, [{"_key": f"k{number}", "n": number} for number in range(3)])


# -- make-follower -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["make-follower", "make-slave"])
def test_it_synchronises_and_then_tails(pair: Pair, command: str) -> None:
    fill(pair.leader, "c")
    answer = pair.done("PUT", command, pair.config())
    assert (answer["state"]["running"], answer["state"]["phase"]) == (True, "running")
    assert answer["endpoint"] == endpoint(pair.leader_server)
    assert pair.same("c"), "the answer comes when the initial synchronisation is done"
    pair.leader.insert("c", {"_key": "later"})
    pair.catch_up()
    assert pair.same("c")
    assert batches(pair.leader_server) == 0


def test_nothing_is_kept_of_an_older_configuration(pair: Pair) -> None:
    pair.done("PUT", "applier-config", pair.config(autoStart=True, verbose=True, username="u"))
    pair.follow(skipCreateDrop=True)
    shown = pair.done("GET", "applier-config")
    assert (shown["autoStart"], shown["verbose"], shown["skipCreateDrop"]) == (False,) * 3
    assert "username" not in shown


def test_it_replaces_a_running_applier(pair: Pair) -> None:
    fill(pair.leader, "a", "b")
    pair.follow(restrictType="include", restrictCollections=["a"])
    pair.follow(restrictType="include", restrictCollections=["b"])
    fill(pair.leader, "later")
    pair.leader.insert("a", {"_key": "more"})
    pair.leader.insert("b", {"_key": "more"})
    pair.catch_up()
    assert pair.same("b")
    assert "more" not in contents(pair.follower, "a")


def test_a_refused_one_leaves_the_running_applier_alone(pair: Pair) -> None:
    fill(pair.leader, "c")
    pair.follow()
    assert error_of(pair.call("PUT", "make-follower", {})) == (400, 1410)
    pair.leader.insert("c", {})
    pair.catch_up()
    assert pair.same("c")


def test_incremental(pair: Pair) -> None:
    fill(pair.leader, "c")
    pair.follow()
    pair.stop()
    pair.follower.insert("c", {"_key": "mine"})
    collection_id = pair.follower.get("/_api/collection/c").json()["id"]
    pair.follow(incremental=True)
    assert pair.follower.get("/_api/collection/c").json()["id"] == collection_id
    assert pair.same("c")


def test_as_a_job(pair: Pair) -> None:
    fill(pair.leader, "c")
    job = start_job(pair.follower, "make-follower", pair.config())
    assert job_answer(pair.follower, job).json()["state"]["running"] is True
    assert pair.same("c")


def failing(pair: Pair, number: int, **attributes: Any) -> dict[str, Any]:
    """`make-follower` that fails in its initial synchronisation; returns the state."""
    response = pair.call("PUT", "make-follower", pair.config(**attributes))
    assert response.status_code == 200
    state: dict[str, Any] = response.json()["state"]
    assert (state["running"], state["phase"]) == (False, "inactive")
    assert state["lastError"]["errorNum"] == number
    assert state["lastError"]["errorMessage"]
    assert state["lastError"]["time"].endswith("Z")
    assert state["lastAppliedContinuousTick"] is None
    return state


def test_a_failing_initial_synchronisation_is_200(pair: Pair) -> None:
    with closed_port() as where:
        failing(pair, 1400, endpoint=where, connectTimeout=1, maxConnectRetries=1)
    failing(pair, 1402, database="nowhere")
    own = {"endpoint": endpoint(pair.follower_server), "database": pair.follower.database}
    failing(pair, 1405, **own)
    state = pair.follow()
    assert (state["running"], state["lastError"]) == (True, {"errorNum": 0})


def test_a_start_goes_on_with_a_synchronisation_that_failed(pair: Pair) -> None:
    fill(pair.leader, "c")
    failing(pair, 1402, database="nowhere")
    pair.done("PUT", "applier-config", pair.config())
    pair.done("PUT", "applier-start")
    pair.catch_up()
    assert pair.same("c")


def test_a_stop_ends_the_initial_synchronisation(pair: Pair) -> None:
    with silent_leader() as (where, listener):
        job = start_job(pair.follower, "make-follower", pair.config(endpoint=where))
        connection, _ = listener.accept()
        with connection:
            assert (pair.state()["phase"], pair.state()["running"]) == ("initial", False)
            assert error_of(pair.call("PUT", "applier-config", pair.config())) == (400, 1411)
            assert pair.done("PUT", "applier-start")["state"]["phase"] == "initial"
            assert pair.stop()["phase"] == "inactive"
            assert job_answer(pair.follower, job).json()["state"]["running"] is False


def test_a_wrong_password(pair: Pair, tmp_path: Path) -> None:
    config = Config(tmp_path / "leader", port=0, root_password="geheim")
    with impatient(), ServerThread(config) as leader, Api(leader.url, "_system") as there:
        there.session.auth = ("root", "geheim")
        fill(there, "c")
        where = {"endpoint": endpoint(leader), "database": "_system", "username": "root"}
        failing(pair, 1402, **where, password="wrong")
        secret = Pair(leader, pair.follower_server, there, pair.follower)
        secret.follow(**where, password="geheim")
        there.insert("c", {"_key": "later"})
        secret.catch_up()
        assert secret.same("c")
        assert "geheim" not in secret.call("GET", "applier-config").text
        secret.stop()
        secret.done("PUT", "applier-config", secret.config(**where, password="other"))
        secret.done("PUT", "applier-start")
        assert secret.failure() == 1402


# -- what the leader does ------------------------------------------------------------------------

ACTS: dict[str, Act] = {
    "insert": lambda api: api.insert("c", {"_key": "new", "text": "\u00e4\n\u20ac"}),
    "insert many": lambda api: api.insert("c", [{"n": n} for n in range(2000)]),
    "replace": lambda api: api.put("/_api/document/c/k1", {"n": 100}),
    "update": lambda api: api.patch("/_api/document/c/k1", {"m": [1, {"a": None}]}),
    "remove": lambda api: api.delete("/_api/document/c/k1"),
    "remove many": lambda api: api.delete("/_api/document/c", ["k0", "k2"]),
    "import": lambda api: api.post(
        "/_api/import", '{"_key":"i"}\n', collection="c", type="documents"
    ),
    "truncate": lambda api: api.put("/_api/collection/c/truncate"),
    "truncate and fill": lambda api: (api.put("/_api/collection/c/truncate"), api.insert("c", {})),
    "rename": lambda api: api.put("/_api/collection/c/rename", {"name": "d"}),
    "rename and write": lambda api: (
        api.put("/_api/collection/c/rename", {"name": "d"}),
        api.patch("/_api/document/d/k1", {"n": 5}),
        api.insert("d", {"_key": "new"}),
    ),
    "rename in turn": lambda api: (
        api.put("/_api/collection/c/rename", {"name": "x"}),
        api.put("/_api/collection/e/rename", {"name": "c"}),
        api.put("/_api/collection/x/rename", {"name": "e"}),
        api.insert("c", {"_key": "mark", "_from": "a/b", "_to": "c/d"}),
    ),
    "drop": lambda api: api.delete("/_api/collection/c"),
    "drop and create": lambda api: (
        api.delete("/_api/collection/c"),
        api.create_collection("c", type=3),
        api.insert("c", {"_from": "a/b", "_to": "c/d"}),
    ),
    "create": lambda api: fill(api, "new", "other"),
    "change": lambda api: api.put("/_api/collection/c/properties", {"waitForSync": True}),
    "index": lambda api: api.post(
        "/_api/index", {"type": "persistent", "fields": ["n"], "unique": True}, collection="c"
    ),
    "index and swap": lambda api: (
        api.post(
            "/_api/index", {"type": "persistent", "fields": ["n"], "unique": True}, collection="c"
        ),
        api.patch("/_api/document/c/k0", {"n": 50}),
        api.patch("/_api/document/c/k1", {"n": 0}),
        api.patch("/_api/document/c/k0", {"n": 1}),
    ),
    "drop index": lambda api: (
        api.post(
            "/_api/index", {"type": "persistent", "fields": ["n"], "name": "i"}, collection="c"
        ),
        api.delete("/_api/index/c/i"),
    ),
    "system collection": lambda api: api.insert("_graphs", {"_key": "g"}),
    "nothing": lambda api: None,
}


def do(leader: Api, act: str) -> None:
    """Do it, and see that something was done."""
    before = last_tick(leader)
    ACTS[act](leader)
    assert (last_tick(leader) > before) is (act != "nothing")


SHOWN = ("name", "type", "globallyUniqueId", "waitForSync", "keyOptions", "schema")


@pytest.mark.parametrize("act", ACTS)
def test_what_the_leader_does_the_follower_does(pair: Pair, act: str) -> None:
    leader, follower = pair.leader, pair.follower
    fill(leader, "c")
    leader.create_collection("e", type=3)
    pair.follow()
    do(leader, act)
    pair.catch_up()
    names = collections(leader)
    assert collections(follower) == names
    assert pair.same(*names, "_graphs")
    for name in names:
        assert index_fields(follower, name) == index_fields(leader, name)
        properties = [
            api.get(f"/_api/collection/{name}/properties").json() for api in (leader, follower)
        ]
        there, here = ({name: one.get(name) for name in SHOWN} for one in properties)
        assert there == here


@pytest.mark.parametrize("act", ACTS)
def test_what_was_done_while_it_was_stopped(pair: Pair, act: str) -> None:
    fill(pair.leader, "c")
    pair.leader.create_collection("e", type=3)
    pair.follow()
    pair.stop()
    do(pair.leader, act)
    pair.done("PUT", "applier-start")
    pair.catch_up()
    names = collections(pair.leader)
    assert collections(pair.follower) == names
    assert pair.same(*names, "_graphs")


def test_other_databases_are_not_followed(pair: Pair) -> None:
    fill(pair.leader, "c")
    pair.follow()
    with pair.leader_server.fresh_database() as other:
        fill(other, "elsewhere")
    pair.catch_up()
    assert collections(pair.follower) == ["c"]


def test_small_chunks(pair: Pair) -> None:
    pair.leader.create_collection("c")
    pair.follow(chunkSize=16 * 1024)
    pair.stop()
    for _ in range(20):
        pair.leader.insert("c", [{"text": "x" * 300} for _ in range(100)])
    pair.done("PUT", "applier-start")
    pair.catch_up()
    assert pair.same("c")
    assert pair.state()["totalDocuments"] == 2000


# -- restriction ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names", "followed", "left"),
    [("include", ["a"], ["a"], ["b"]), ("exclude", ["a"], ["b"], ["a"])],
)
def test_restricted(
    pair: Pair, kind: str, names: list[str], followed: list[str], left: list[str]
) -> None:
    fill(pair.leader, "a", "b")
    pair.sync()
    pair.follow(restrictType=kind, restrictCollections=names)
    for name in ("a", "b"):
        pair.leader.insert(name, [{"_key": "new"}, {"_key": "newer"}])
        pair.leader.delete(f"/_api/document/{name}/k1")
    state = pair.catch_up()
    assert pair.same(*followed)
    assert set(contents(pair.follower, left[0])) == {"k0", "k1", "k2"}
    assert state["totalOperationsExcluded"] > 0
    pair.leader.delete(f"/_api/collection/{left[0]}")
    pair.catch_up()
    assert collections(pair.follower) == ["a", "b"]


def test_a_new_collection_of_an_included_name_is_followed(pair: Pair) -> None:
    fill(pair.leader, "a")
    pair.follow(restrictType="include", restrictCollections=["a", "later"])
    fill(pair.leader, "later")
    pair.catch_up()
    assert pair.same("a", "later")


def test_without_system_collections(pair: Pair) -> None:
    pair.follow(includeSystem=False)
    pair.leader.insert("_graphs", {"_key": "g"})
    fill(pair.leader, "c")
    pair.catch_up()
    assert pair.same("c")
    assert contents(pair.follower, "_graphs") == {}


# -- errors while tailing ------------------------------------------------------------------------


def test_a_collection_that_is_not_here_ends_it(pair: Pair) -> None:
    fill(pair.leader, "c")
    pair.follow()
    pair.stop()
    assert pair.follower.delete("/_api/collection/c").status_code == 200
    pair.leader.insert("c", {"_key": "new"})
    pair.done("PUT", "applier-start")
    assert pair.failure() == 1203
    state = pair.state()
    assert "marker" in state["lastError"]["errorMessage"]
    assert state["lastAppliedContinuousTick"] is None


def test_a_resync_brings_it_back(pair: Pair) -> None:
    fill(pair.leader, "c")
    pair.follow()
    pair.stop()
    pair.follower.delete("/_api/collection/c")
    pair.leader.insert("c", {"_key": "new"})
    pair.done("PUT", "applier-config", {"autoResync": True, "database": pair.leader.database})
    pair.done("PUT", "applier-start")
    state = pair.catch_up()
    assert pair.same("c")
    assert (state["totalResyncs"], state["lastError"]) == (1, {"errorNum": 0})


@pytest.mark.parametrize(("number", "applied"), [(True, True), (2, True), (1, False)])
def test_errors_that_are_ignored(pair: Pair, number: bool | int, applied: bool) -> None:
    fill(pair.leader, "c", "d")
    pair.follow(ignoreErrors=number)
    pair.stop()
    pair.follower.delete("/_api/collection/c")
    for key in ("x", "y"):
        pair.leader.insert("c", {"_key": key})
        pair.leader.insert("d", {"_key": key})
    pair.done("PUT", "applier-start")
    if applied:
        assert pair.catch_up()["lastError"] == {"errorNum": 0}
        assert pair.same("d")
    else:
        assert pair.failure() == 1203
        assert "y" not in contents(pair.follower, "d")


@pytest.fixture
def lossy(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """A stopped follower whose leader has thrown away what it did not see."""
    fill(pair.leader, "c")
    pair.follow()
    pair.stop()
    monkeypatch.setattr("arangorep.storage.log.SEGMENT_BYTES", 1)
    for key in ("lost", "too"):
        pair.leader.insert("c", {"_key": key})
    lose_log(pair.leader_server)
    pair.leader.insert("c", {"_key": "kept"})
    return pair


def test_log_that_the_leader_lost(lossy: Pair) -> None:
    lossy.done("PUT", "applier-start")
    assert lossy.failure() == 1414
    assert lossy.state()["lastAppliedContinuousTick"] is None
    assert set(contents(lossy.follower, "c")) == {"k0", "k1", "k2"}
    lossy.done("PUT", "applier-start")
    assert lossy.failure() == 1413


def test_a_resync_after_lost_log(lossy: Pair) -> None:
    config = lossy.config(autoResync=True, incremental=True)
    lossy.done("PUT", "applier-config", config)
    lossy.done("PUT", "applier-start")
    state = lossy.catch_up()
    assert lossy.same("c")
    assert (state["totalResyncs"], state["lastError"]) == (1, {"errorNum": 0})


def test_no_resync_without_a_try(lossy: Pair) -> None:
    lossy.done("PUT", "applier-config", lossy.config(autoResync=True, autoResyncRetries=0))
    lossy.done("PUT", "applier-start")
    assert lossy.failure() == 1414
    assert lossy.state()["totalResyncs"] == 0


def test_lost_log_may_be_accepted(lossy: Pair) -> None:
    lossy.done("PUT", "applier-config", lossy.config(requireFromPresent=False))
    lossy.done("PUT", "applier-start")
    assert lossy.catch_up()["lastError"] == {"errorNum": 0}
    assert "kept" in contents(lossy.follower, "c")
