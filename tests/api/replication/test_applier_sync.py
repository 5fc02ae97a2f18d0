"""`PUT sync` between two servers: what is copied, what stays, what is refused (follower 2)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pair import (
    READ_ONLY,
    REPLICATION,
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
    start_job,
    sync_under_way,
    two_servers,
)
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.config import Config


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, ...]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def pair(servers: tuple[ServerThread, ServerThread]) -> Iterator[Pair]:
    with fresh_pair(*servers) as fresh:
        yield fresh


@pytest.fixture
def held(pair: Pair) -> Iterator[None]:
    """The follower cannot write until the test ends."""
    follower = pair.follower_server
    lock = follower.server.node.services.write_lock
    follower.run(lock.acquire())
    yield
    follower.call(lock.release)


def fill(api: Api, name: str, keys: int = 3, **attributes: Any) -> str:
    """A collection with some documents; returns its id."""
    made = api.create_collection(name, **attributes)
    api.insert(name, [{"_key": f"k{number}", "n": number} for number in range(keys)])
    collection_id: str = made["id"]
    return collection_id


# -- what is copied ------------------------------------------------------------------------------


def test_the_answer(pair: Pair) -> None:
    ids = {name: fill(pair.leader, name) for name in ("z", "a")}
    tick = last_tick(pair.leader)
    answer = pair.sync()
    assert list(answer) == ["collections", "lastLogTick"]
    assert answer["lastLogTick"] == str(tick)
    listed = answer["collections"]
    assert all(set(entry) == {"id", "name"} for entry in listed)
    assert [entry["id"] for entry in listed] == sorted((entry["id"] for entry in listed), key=int)
    assert {entry["name"]: entry["id"] for entry in listed}.items() >= ids.items()


def test_everything_is_copied(pair: Pair) -> None:
    leader = pair.leader
    fill(leader, "c", keyOptions={"type": "padded"}, waitForSync=True)
    leader.create_collection("e", type=3)
    leader.insert("e", [{"_from": "c/k0", "_to": "c/k1", "text": '\u00e4\u20ac\n"\\'}])
    leader.create_collection("empty")
    body = {"type": "persistent", "fields": ["n"], "unique": True, "name": "by-n"}
    assert leader.post("/_api/index", body, collection="c").status_code == 201
    pair.sync()
    assert collections(pair.follower) == ["c", "e", "empty"]
    assert pair.same("c", "e", "empty")
    for name in ("c", "e", "empty"):
        there, here = (
            api.get(f"/_api/collection/{name}/properties").json() for api in (leader, pair.follower)
        )
        changed = {attribute for attribute in there if there[attribute] != here[attribute]}
        assert changed <= {"id", "objectId", "cacheEnabled"}
        assert there["globallyUniqueId"] == here["globallyUniqueId"]
    assert index_fields(pair.follower, "c") == [["n"]]
    duplicate = pair.follower.post("/_api/document/c", {"n": 1})
    assert error_of(duplicate) == (409, 1210)


def test_many_chunks(pair: Pair) -> None:
    pair.leader.create_collection("c")
    pair.leader.insert("c", [{"n": n, "text": "x" * 500} for n in range(2500)])
    pair.sync(chunkSize=16 * 1024)
    assert len(contents(pair.follower, "c")) == 2500
    assert pair.same("c")


def test_nothing_but_the_copy_changes(pair: Pair) -> None:
    fill(pair.leader, "c")
    before = pair.done("GET", "applier-config")
    pair.sync()
    assert pair.done("GET", "applier-config") == before
    state = pair.state()
    assert (state["phase"], state["started"]) == ("inactive", "")
    assert state["lastAppliedContinuousTick"] is None
    pair.leader.insert("c", {"_key": "later"})
    assert "later" not in contents(pair.follower, "c")
    assert pair.follower.post("/_api/document/c", {"_key": "mine"}).status_code == 202


def test_the_batch_is_released(pair: Pair) -> None:
    before = batches(pair.leader_server)
    pair.sync()
    assert batches(pair.leader_server) == before


def test_a_second_sync_replaces_what_is_there(pair: Pair) -> None:
    fill(pair.leader, "c")
    pair.sync()
    pair.follower.insert("c", {"_key": "mine"})
    pair.follower.delete("/_api/document/c/k1")
    pair.leader.delete("/_api/document/c/k2")
    pair.sync()
    assert set(contents(pair.follower, "c")) == {"k0", "k1"}
    assert pair.same("c")


def test_a_collection_of_the_same_name_gives_way(pair: Pair) -> None:
    fill(pair.leader, "c")
    pair.follower.create_collection("c", type=3)
    pair.follower.insert("c", {"_key": "mine", "_from": "a/b", "_to": "a/b"})
    pair.sync()
    assert pair.follower.get("/_api/collection/c").json()["type"] == 2
    assert pair.same("c")


def test_other_collections_stay(pair: Pair) -> None:
    fill(pair.leader, "c")
    fill(pair.follower, "mine")
    pair.sync()
    assert collections(pair.follower) == ["c", "mine"]
    assert len(contents(pair.follower, "mine")) == 3


# -- incremental ---------------------------------------------------------------------------------


def test_incremental_brings_both_to_the_same(pair: Pair) -> None:
    leader, follower = pair.leader, pair.follower
    leader.create_collection("c")
    leader.insert("c", [{"_key": f"k{n}", "n": n} for n in range(1000)])
    fill(leader, "new")
    pair.sync(restrictType="include", restrictCollections=["c"])
    leader.insert("c", {"_key": "more"})
    leader.delete("/_api/document/c/k7")
    leader.patch("/_api/document/c/k8", {"n": "changed"})
    # two servers that write in one millisecond may use one revision for two documents
    time.sleep(0.002)
    follower.insert("c", {"_key": "surplus"})
    follower.delete("/_api/document/c/k9")
    follower.patch("/_api/document/c/k10", {"n": "changed"})
    collection_id = follower.get("/_api/collection/c").json()["id"]
    pair.sync(incremental=True)
    assert pair.same("c", "new")
    assert follower.get("/_api/collection/c").json()["id"] == collection_id


def test_incremental_empties_what_is_empty_there(pair: Pair) -> None:
    fill(pair.leader, "c")
    pair.sync()
    pair.leader.put("/_api/collection/c/truncate")
    pair.sync(incremental=True)
    assert contents(pair.follower, "c") == {}


def test_incremental_takes_over_names_properties_and_indexes(pair: Pair) -> None:
    leader, follower = pair.leader, pair.follower
    fill(leader, "old")
    pair.sync()
    follower.post("/_api/index", {"type": "persistent", "fields": ["x"]}, collection="old")
    leader.post("/_api/index", {"type": "persistent", "fields": ["n"]}, collection="old")
    leader.put("/_api/collection/old/properties", {"waitForSync": True})
    leader.put("/_api/collection/old/rename", {"name": "c"})
    pair.sync(incremental=True)
    assert collections(follower) == ["c"]
    assert pair.same("c")
    assert follower.get("/_api/collection/c/properties").json()["waitForSync"] is True
    assert index_fields(follower, "c") == [["n"]]


# -- restriction ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names", "copied"),
    [
        ("include", ["a", "c", "nowhere"], ["a", "c"]),
        ("exclude", ["a", "nowhere"], ["b", "c"]),
    ],
)
def test_restricted(pair: Pair, kind: str, names: list[str], copied: list[str]) -> None:
    for name in ("a", "b", "c"):
        fill(pair.leader, name)
    answer = pair.sync(restrictType=kind, restrictCollections=names, includeSystem=False)
    assert collections(pair.follower) == copied
    assert sorted(entry["name"] for entry in answer["collections"]) == copied
    assert pair.same(*copied)


@pytest.mark.parametrize("include", [True, False])
def test_system_collections(pair: Pair, include: bool) -> None:
    pair.leader.insert("_graphs", {"_key": "g"})
    answer = pair.sync(includeSystem=include)
    assert ("_graphs" in [entry["name"] for entry in answer["collections"]]) is include
    assert ("g" in contents(pair.follower, "_graphs")) is include


def test_without_creating_and_dropping(pair: Pair) -> None:
    fill(pair.leader, "c")
    assert error_of(pair.call("PUT", "sync", pair.config(skipCreateDrop=True))) == (404, 1203)
    assert collections(pair.follower) == []
    pair.sync()
    collection_id = pair.follower.get("/_api/collection/c").json()["id"]
    pair.leader.insert("c", {"_key": "more"})
    pair.follower.insert("c", {"_key": "surplus"})
    body = {"type": "persistent", "fields": ["n"]}
    pair.leader.post("/_api/index", body, collection="c")
    pair.sync(skipCreateDrop=True)
    assert pair.follower.get("/_api/collection/c").json()["id"] == collection_id
    assert "more" in contents(pair.follower, "c")
    assert index_fields(pair.follower, "c") == []


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, [], {}, {"endpoint": ""}, {"endpoint": 5}, "null"])
def test_an_endpoint_is_required(pair: Pair, body: Any) -> None:
    assert error_of(pair.call("PUT", "sync", body)) == (400, 400)


@pytest.mark.parametrize(
    "attributes",
    [
        {"restrictType": "other", "restrictCollections": ["c"]},
        {"restrictType": "include"},
        {"restrictCollections": ["c"]},
        {"endpoint": "tcp://127.0.0.1:nowhere"},
        {"endpoint": "nonsense"},
    ],
)
def test_configurations_that_make_no_sense(pair: Pair, attributes: dict[str, Any]) -> None:
    assert error_of(pair.call("PUT", "sync", pair.config(**attributes))) == (400, 1410)


def test_nobody_listens(pair: Pair) -> None:
    with closed_port() as where:
        response = pair.call("PUT", "sync", pair.config(endpoint=where, connectTimeout=1))
    assert error_of(response) == (500, 1400)
    assert where.removeprefix("tcp://") in response.json()["errorMessage"]


@pytest.mark.parametrize("name", ["nowhere", "batches"])
def test_a_database_that_is_not_there(pair: Pair, name: str) -> None:
    response = pair.call("PUT", "sync", pair.config(database=name))
    assert error_of(response) == (500, 1402)
    assert "404" in response.json()["errorMessage"]


def test_its_own_address_is_a_loop(pair: Pair) -> None:
    own = {"endpoint": endpoint(pair.follower_server), "database": pair.follower.database}
    fill(pair.follower, "c")
    assert error_of(pair.call("PUT", "sync", pair.config(**own))) == (500, 1405)
    assert len(contents(pair.follower, "c")) == 3


def test_passwords(pair: Pair, tmp_path: Path) -> None:
    config = Config(tmp_path / "leader", port=0, root_password="geheim\u20ac")
    with impatient(), ServerThread(config) as leader, Api(leader.url, "_system") as there:
        there.session.auth = (b"root", "geheim\u20ac".encode())
        fill(there, "c")
        where = {"endpoint": endpoint(leader), "database": "_system"}
        for user in ({}, {"username": "root", "password": "wrong"}, {"password": "geheim\u20ac"}):
            response = pair.call("PUT", "sync", pair.config(**where, **user))
            assert error_of(response) == (500, 1402)
            assert "401" in response.json()["errorMessage"]
            assert "geheim" not in response.text
        pair.sync(**where, username="root", password="geheim\u20ac")
        assert contents(there, "c") == contents(pair.follower, "c") != {}


def test_a_user_name_with_a_colon_is_wrong_and_nothing_else(pair: Pair) -> None:
    response = pair.call("PUT", "sync", pair.config(username="a:b", password="c"))
    assert response.json().get("errorNum", 0) in (0, 1402)


def test_not_while_the_applier_tails(pair: Pair) -> None:
    pair.follow()
    assert error_of(pair.call("PUT", "sync", pair.config())) == (400, 1411)
    pair.stop()
    pair.sync()


# -- one at a time -------------------------------------------------------------------------------


def test_only_one_at_a_time(pair: Pair) -> None:
    with sync_under_way(pair):
        assert error_of(pair.call("PUT", "sync", pair.config())) == (500, 28)
        state = pair.state()
        assert state["running"] is False
    pair.sync()


def test_a_stop_ends_it(pair: Pair) -> None:
    with sync_under_way(pair) as job:
        assert pair.stop()["phase"] == "inactive"
        assert error_of(job_answer(pair.follower, job)) == (500, 1412)
        pair.sync()


def test_forgetting_ends_it(pair: Pair) -> None:
    with sync_under_way(pair) as job:
        pair.done("DELETE", "applier-state")
        assert error_of(job_answer(pair.follower, job)) == (500, 1412)


def test_following_ends_it(pair: Pair) -> None:
    with sync_under_way(pair) as job:
        assert pair.follow()["running"] is True
        assert error_of(job_answer(pair.follower, job)) == (500, 1412)


def test_dropping_the_database_ends_it(pair: Pair) -> None:
    with sync_under_way(pair) as job, Api(pair.follower_server.url, "_system") as system:
        assert system.delete(f"/_api/database/{pair.follower.database}").status_code == 200
        assert error_of(job_answer(system, job)) == (500, 1412)
        system.post("/_api/database", {"name": pair.follower.database})


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("end", ["applier-stop", "cancel"])
def test_an_end_before_its_time_releases_the_batch(pair: Pair, end: str) -> None:
    """A cancelled job is a request that nobody waits for any more."""
    fill(pair.leader, "c")
    before = batches(pair.leader_server)
    job = start_job(pair.follower, "sync", pair.config())
    wait_for(lambda: batches(pair.leader_server) > before or None)
    if end == "cancel":
        assert pair.follower.put(f"/_api/job/{job}/cancel").status_code == 200
    else:
        pair.stop()
    wait_for(lambda: batches(pair.leader_server) == before or None)


@pytest.mark.usefixtures("held")
def test_a_cancelled_job_leaves_the_way_free(pair: Pair) -> None:
    before = batches(pair.leader_server)
    job = start_job(pair.follower, "sync", pair.config())
    wait_for(lambda: batches(pair.leader_server) > before or None)
    assert pair.follower.put(f"/_api/job/{job}/cancel").status_code == 200
    again = start_job(pair.follower, "sync", pair.config(endpoint="tcp://127.0.0.1:9"))
    assert error_of(job_answer(pair.follower, again)) == (500, 1400)


def test_as_a_job(pair: Pair) -> None:
    fill(pair.leader, "c")
    tick = last_tick(pair.leader)
    answer = job_answer(pair.follower, start_job(pair.follower, "sync", pair.config()))
    assert answer.status_code == 200
    assert answer.json()["lastLogTick"] == str(tick)
    assert pair.same("c")
    refused = job_answer(pair.follower, start_job(pair.follower, "sync", {}))
    assert error_of(refused) == (400, 400)


def test_users_cannot_write_meanwhile(pair: Pair) -> None:
    fill(pair.follower, "c")
    with sync_under_way(pair):
        assert error_of(pair.follower.post("/_api/document/c", {})) == READ_ONLY
    assert pair.follower.post("/_api/document/c", {}).status_code == 202


def test_commands_with_more_parts(pair: Pair) -> None:
    response = pair.follower.get(REPLICATION + "sync/more")
    assert error_of(response) == (400, 601)
