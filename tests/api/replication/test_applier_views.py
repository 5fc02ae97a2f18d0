"""A follower takes over views, analyzers and accounts (follower 2.3, 2.7, 6.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pair import READ_ONLY, Pair, collections, contents, fresh_pair, two_servers
from support.recorded_leader import RecordedLeader, Reply
from support.server import Api, ServerThread, error_of

from arangorep.config import Config
from arangorep.follower.leader import Leader

VIEW = "/_api/view"
SEARCH = {"name": "v", "type": "arangosearch"}
ALIAS = {"name": "a", "type": "search-alias", "indexes": [{"collection": "c", "index": "i"}]}
ANALYZER = {"name": "mine", "type": "norm", "properties": {"locale": "de"}, "features": ["norm"]}

Act = Callable[[Api], Any]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, ...]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def pair(servers: tuple[ServerThread, ServerThread]) -> Iterator[Pair]:
    with fresh_pair(*servers) as fresh:
        fresh.leader.create_collection("c")
        fresh.leader.insert("c", {"_key": "k"})
        yield fresh


def done(response: Any) -> Any:
    assert response.status_code in (200, 201, 202), response.text
    return response.json()


def create(api: Api, body: Any = SEARCH) -> Any:
    return done(api.post(VIEW, body))


def views(api: Api) -> dict[str, Any]:
    """All views by name, without the id, which belongs to one server."""
    found = {}
    for view in done(api.get(VIEW))["result"]:
        shown = done(api.get(f"{VIEW}/{view['id']}/properties"))
        found[view["name"]] = {n: v for n, v in shown.items() if n != "id"}
    return found


def same(pair: Pair) -> bool:
    return views(pair.leader) == views(pair.follower)


# -- the initial synchronisation -------------------------------------------------------------------


@pytest.mark.parametrize("incremental", [False, True])
def test_it_takes_views_over(pair: Pair, incremental: bool) -> None:
    create(pair.leader, {**SEARCH, "links": {"c": {}}, "writebufferIdle": 5})
    create(pair.leader, ALIAS)
    pair.sync(incremental=incremental)
    assert set(views(pair.follower)) == {"v", "a"}
    assert same(pair)
    pair.leader.patch(f"{VIEW}/v/properties", {"cleanupIntervalStep": 7})
    pair.leader.put(f"{VIEW}/a/rename", {"name": "ä"})
    create(pair.leader, {**SEARCH, "name": "new"})
    pair.sync(incremental=incremental)
    assert set(views(pair.follower)) == {"v", "ä", "new"}
    assert same(pair)


def test_again_changes_nothing(pair: Pair) -> None:
    create(pair.leader)
    pair.sync(incremental=True)
    ids = [v["id"] for v in done(pair.follower.get(VIEW))["result"]]
    before = done(pair.follower.get("/_api/wal/lastTick"))["tick"]
    pair.sync(incremental=True)
    assert [v["id"] for v in done(pair.follower.get(VIEW))["result"]] == ids
    assert pair.follower.tail(before) == []


def test_views_that_are_only_here_are_kept(pair: Pair) -> None:
    create(pair.follower, {**SEARCH, "name": "local"})
    create(pair.leader)
    pair.sync()
    assert set(views(pair.follower)) == {"v", "local"}


def test_another_view_of_the_name_gives_way(pair: Pair) -> None:
    create(pair.follower, {**SEARCH, "cleanupIntervalStep": 3})
    create(pair.leader, {"name": "v", "type": "search-alias"})
    pair.sync()
    assert same(pair)
    assert views(pair.follower)["v"]["type"] == "search-alias"


def test_a_view_here_has_the_name_of_a_collection_there(pair: Pair) -> None:
    create(pair.follower, {**SEARCH, "name": "c"})
    pair.sync()
    assert pair.same("c")
    assert views(pair.follower) == {}


def test_a_collection_here_has_the_name_of_a_view_there(pair: Pair) -> None:
    pair.follower.create_collection("v")
    pair.follower.insert("v", {"_key": "mine"})
    create(pair.leader)
    pair.sync()
    assert same(pair)
    [kept] = [name for name in collections(pair.follower) if name != "c"]
    assert set(contents(pair.follower, kept)) == {"mine"}, "what is only here is not lost"


def test_a_view_here_has_the_new_name_of_a_collection(pair: Pair) -> None:
    pair.sync()
    create(pair.follower, {**SEARCH, "name": "d"})
    pair.leader.put("/_api/collection/c/rename", {"name": "d"})
    pair.sync(incremental=True)
    assert pair.same("d")


def test_names_that_changed_sides(pair: Pair) -> None:
    create(pair.leader)
    pair.sync()
    pair.leader.delete(f"{VIEW}/v")
    pair.leader.put("/_api/collection/c/rename", {"name": "v"})
    create(pair.leader, {**SEARCH, "name": "c"})
    pair.sync()
    assert same(pair)
    assert collections(pair.follower) == ["v"]
    assert pair.same("v")


@pytest.mark.parametrize(
    "restriction",
    [
        {"restrictType": "include", "restrictCollections": ["c"]},
        {"restrictType": "exclude", "restrictCollections": ["other"]},
    ],
)
def test_only_aliases_when_restricted(pair: Pair, restriction: dict[str, Any]) -> None:
    create(pair.leader)
    create(pair.leader, ALIAS)
    pair.sync(**restriction)
    assert set(views(pair.follower)) == {"a"}


def test_a_restricted_applier_survives_changes_of_views(pair: Pair) -> None:
    create(pair.leader)
    pair.follow(restrictType="include", restrictCollections=["c"])
    pair.leader.patch(f"{VIEW}/v/properties", {"cleanupIntervalStep": 7})
    pair.leader.insert("c", {"_key": "behind"})
    pair.catch_up()
    assert pair.same("c")


def test_all_databases(tmp_path: Path) -> None:
    with (
        two_servers(tmp_path) as (leader, follower),
        Api(leader.url, "_system") as there,
        Api(follower.url, "_system") as here,
    ):
        pair = Pair(leader, follower, there, here, whole=True)
        create(there)
        done(there.post("/_api/database", {"name": "d"}))
        with Api(leader.url, "d") as d, Api(follower.url, "d") as copy:
            create(d, {"name": "a", "type": "search-alias"})
            pair.follow()
            assert same(pair)
            assert views(copy) == views(d)
            d.put(f"{VIEW}/a/rename", {"name": "b"})
            there.delete(f"{VIEW}/v")
            done(there.post("/_api/database", {"name": "e"}))
            with Api(leader.url, "e") as e, Api(follower.url, "e") as other:
                create(e)
                pair.catch_up()
                assert views(other) == views(e)
            assert views(copy) == views(d)
            assert views(here) == {}
            assert error_of(copy.post(VIEW, SEARCH)) == READ_ONLY
            there.delete("/_api/database/d")
            pair.catch_up()
            pair.stop()


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, 200), ({"views": []}, 200), ({"views": {}}, 400), ({"views": [5]}, 400)],
)
def test_views_of_the_inventory(pair: Pair, given: dict[str, Any], expected: int) -> None:
    with RecordedLeader() as other:
        inventory = {"collections": [], "state": {}, "tick": "1000", **given}
        other.answers["GET /_api/replication/inventory"] = [Reply(body=inventory)]
        answer = pair.call("PUT", "sync", pair.config(endpoint=other.endpoint))
    assert answer.status_code == expected, answer.text
    assert expected == 200 or error_of(answer) == (400, 10)
    assert views(pair.follower) == {}


# -- tailing ---------------------------------------------------------------------------------------

ACTS: dict[str, Act] = {
    "create": lambda api: create(api, {**SEARCH, "name": "new", "links": {"c": {}}}),
    "alias": lambda api: create(api, ALIAS),
    "patch": lambda api: api.patch(f"{VIEW}/v/properties", {"links": {"c": {}}}),
    "put": lambda api: api.put(f"{VIEW}/v/properties", {"commitIntervalMsec": 5}),
    "rename": lambda api: api.put(f"{VIEW}/v/rename", {"name": 'ü"\\'}),
    "drop": lambda api: api.delete(f"{VIEW}/v"),
    "again": lambda api: (api.delete(f"{VIEW}/v"), create(api, {**SEARCH, "writebufferIdle": 1})),
    "swap": lambda api: [
        api.put(f"{VIEW}/{old}/rename", {"name": new})
        for old, new in (("v", "tmp"), ("w", "v"), ("tmp", "w"))
    ],
    "becomes a collection": lambda api: (api.delete(f"{VIEW}/v"), api.create_collection("v")),
    "collection becomes it": lambda api: (
        api.delete("/_api/collection/c"),
        create(api, {**SEARCH, "name": "c"}),
    ),
    "collection takes its name": lambda api: (
        api.delete(f"{VIEW}/v"),
        api.put("/_api/collection/c/rename", {"name": "v"}),
    ),
    "it takes a collection's name": lambda api: (
        api.put("/_api/collection/c/rename", {"name": "d"}),
        api.put(f"{VIEW}/v/rename", {"name": "c"}),
    ),
}


@pytest.mark.parametrize("is_running", [True, False])
@pytest.mark.parametrize("act", list(ACTS))
def test_what_the_leader_does_the_follower_does(pair: Pair, act: str, is_running: bool) -> None:
    create(pair.leader)
    create(pair.leader, {**SEARCH, "name": "w"})
    pair.follow()
    if not is_running:
        pair.stop()
    ACTS[act](pair.leader)
    if not is_running:
        done(pair.call("PUT", "applier-start"))
    pair.catch_up()
    assert same(pair)
    assert collections(pair.leader) == collections(pair.follower)


def test_a_local_view_is_in_the_way_of_a_rename(pair: Pair) -> None:
    create(pair.follower, {**SEARCH, "name": "d"})
    pair.follow()
    pair.leader.put("/_api/collection/c/rename", {"name": "d"})
    pair.catch_up()
    assert pair.same("d")


def test_a_local_view_is_in_the_way_of_a_new_collection(pair: Pair) -> None:
    create(pair.follower, {**SEARCH, "name": "d"})
    pair.follow()
    pair.leader.create_collection("d")
    pair.catch_up()
    assert collections(pair.follower) == ["c", "d"]
    assert views(pair.follower) == {}


def test_a_local_collection_is_in_the_way_of_a_view(pair: Pair) -> None:
    pair.follower.create_collection("v")
    pair.follow()
    create(pair.leader)
    pair.catch_up()
    assert same(pair)


def test_users_do_not_change_views_of_a_followed_database(pair: Pair) -> None:
    create(pair.leader)
    pair.follow()
    for response in (
        pair.follower.post(VIEW, ALIAS),
        pair.follower.patch(f"{VIEW}/v/properties", {}),
        pair.follower.put(f"{VIEW}/v/rename", {"name": "x"}),
        pair.follower.delete(f"{VIEW}/v"),
        pair.follower.post("/_api/analyzer", ANALYZER),
    ):
        assert error_of(response) == READ_ONLY
    pair.stop()
    assert pair.follower.delete(f"{VIEW}/v").status_code == 200


AHEAD: dict[str, Act] = {
    "rename": lambda api: (
        api.patch(f"{VIEW}/v/properties", {"cleanupIntervalStep": 7}),
        api.put(f"{VIEW}/v/rename", {"name": "tmp"}),
        api.put(f"{VIEW}/w/rename", {"name": "v"}),
    ),
    "create": lambda api: (
        api.patch(f"{VIEW}/v/properties", {"cleanupIntervalStep": 7}),
        api.put(f"{VIEW}/v/rename", {"name": "tmp"}),
        create(api),
    ),
    "drop": lambda api: (api.put(f"{VIEW}/v/rename", {"name": "x"}), api.delete(f"{VIEW}/x")),
    "collection": lambda api: (
        api.put("/_api/collection/c/rename", {"name": "d"}),
        api.put(f"{VIEW}/v/rename", {"name": "c"}),
    ),
    "name of a view": lambda api: (
        api.put("/_api/collection/c/rename", {"name": "tmp"}),
        api.put("/_api/collection/tmp/rename", {"name": "d"}),
        api.put(f"{VIEW}/v/rename", {"name": "tmp"}),
    ),
}
"""What happens between the batch and the inventory: the log tells of it once more."""


@pytest.mark.parametrize(
    "act",
    [
        "rename",
        "create",
        "drop",
        "collection",
        "name of a view",
    ],
)
def test_views_that_are_ahead_of_the_log(
    pair: Pair, act: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(pair.leader)
    create(pair.leader, {**SEARCH, "name": "w"})
    ask = Leader.inventory

    async def inventory(self: Leader, *args: Any, **options: Any) -> Any:
        AHEAD[act](pair.leader)
        return await ask(self, *args, **options)

    monkeypatch.setattr(Leader, "inventory", inventory)
    pair.follow()
    pair.catch_up()
    assert same(pair)
    assert collections(pair.leader) == collections(pair.follower)


# -- analyzers and accounts ------------------------------------------------------------------------


def test_analyzers(pair: Pair) -> None:
    done(pair.leader.post("/_api/analyzer", ANALYZER))
    pair.follow()
    assert done(pair.follower.get("/_api/analyzer/mine"))["properties"] == {"locale": "de"}
    done(pair.leader.post("/_api/analyzer", {**ANALYZER, "name": "second"}))
    done(pair.leader.delete("/_api/analyzer/mine"))
    pair.catch_up()
    assert done(pair.follower.get("/_api/analyzer/second"))["type"] == "norm"
    assert error_of(pair.follower.get("/_api/analyzer/mine")) == (404, 1202)


def test_accounts_come_with_the_system_collections(tmp_path: Path) -> None:
    """The follower asks for the leader's passwords as soon as it has applied them."""
    secured = Config(tmp_path / "follower", port=0, root_password="here")
    with (
        ServerThread(Config(tmp_path / "leader", port=0, root_password="there")) as leader,
        ServerThread(secured) as follower,
        Api(leader.url, "_system") as there,
        Api(follower.url, "_system") as here,
    ):
        there.session.auth = ("root", "there")
        here.session.auth = ("root", "here")
        pair = Pair(leader, follower, there, here, whole=True)
        done(there.post("/_api/user", {"user": "ann", "passwd": "p"}))
        config = pair.config(username="root", password="there", includeSystem=True)
        done(pair.call("PUT", "make-follower", config))
        assert here.get("/_api/version").status_code == 401
        here.session.auth = ("root", "there")
        pair.catch_up()
        assert done(here.post("/_api/user/ann", {"passwd": "p"}))["result"] is True
        assert error_of(here.post("/_api/user", {"user": "ben"})) == READ_ONLY
        done(there.patch("/_api/user/ann", {"passwd": "q"}))
        done(there.put("/_api/user/ann/database/_system", {"grant": "ro"}))
        pair.catch_up()
        with Api(follower.url, "_system") as ann:
            ann.session.auth = ("ann", "q")
            assert ann.get("/_api/version").status_code == 200
            done(there.patch("/_api/user/ann", {"active": False}))
            pair.catch_up()
            assert ann.get("/_api/version").status_code == 401
        done(there.delete("/_api/user/ann"))
        pair.catch_up()
        assert error_of(here.get("/_api/user/ann")) == (404, 1703)
        pair.stop()
        done(here.post("/_api/user", {"user": "ben"}))


# -- stream transactions of the follower -----------------------------------------------------------


def test_a_transaction_from_before_does_not_write_into_what_is_followed(pair: Pair) -> None:
    pair.sync()
    declared = {"collections": {"write": ["c"]}}
    transaction = done(pair.follower.post("/_api/transaction/begin", declared))["result"]["id"]
    inside = {"x-arango-trx-id": transaction}
    done(pair.follower.request("POST", "/_api/document/c", {"_key": "mine"}, headers=inside))
    pair.done("PUT", "make-follower", {**pair.config(), "incremental": True})
    pair.catch_up()
    committed = pair.follower.put(f"/_api/transaction/{transaction}")
    assert committed.status_code >= 400
    assert pair.same("c")
