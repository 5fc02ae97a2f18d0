"""`logger-*`, `server-id`, open transactions and the client table (leader-api 7.11, 8)."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.raw import RawConnection
from support.server import Api, ServerThread, error_of
from support.timed import TimedServer

from arangorep.clock import iso_time
from arangorep.config import Config
from arangorep.leader.retention import Retention, prune_log

Marker = dict[str, Any]


# -- state ---------------------------------------------------------------------------------------


def test_the_state_of_the_logger(timed: TimedServer) -> None:
    api = timed.api
    api.create_collection("c")
    api.insert("c", [{} for _ in range(5)])
    last = api.get("/_api/wal/lastTick").json()["tick"]
    answer = api.get("/_api/replication/logger-state").json()
    assert answer == {
        "state": {
            "running": True,
            "lastLogTick": last,
            "lastUncommittedLogTick": last,
            "totalEvents": int(last),
            "time": iso_time(timed.clock.wall_us()),
        },
        "server": {
            "version": api.get("/_api/version").json()["version"],
            "serverId": api.get("/_api/replication/server-id").json()["serverId"],
            "engine": "rocksdb",
            "features": ["revision-differences", "dump-from"],
        },
        "clients": [],
    }
    assert int(answer["state"]["lastLogTick"]) == max(int(m["tick"]) for m in api.tail(0))


def test_the_server_id_is_a_48_bit_number_that_stays(tmp_path: Path) -> None:
    ids = set()
    for directory in ("one", "one", "two"):
        with (
            ServerThread(Config(tmp_path / directory, port=0)) as server,
            Api(server.url, "_system") as api,
        ):
            answer = api.get("/_api/replication/server-id").json()
            assert list(answer) == ["serverId"]
            ids.add(answer["serverId"])
    assert len(ids) == 2
    assert all(text.isdecimal() and 0 < int(text) < 2**48 for text in ids)


def test_no_transactions_are_ever_open(api: Api) -> None:
    response = api.get("/_api/replication/determine-open-transactions", **{"from": 9, "to": 3})
    assert (response.status_code, response.content) == (200, b"[]")
    assert response.headers["content-type"] == "application/x-arango-dump; charset=utf-8"
    assert response.headers["x-arango-replication-lasttick"] == "0"
    assert response.headers["x-arango-replication-frompresent"] == "true"


# -- ranges of ticks -----------------------------------------------------------------------------


def test_the_first_tick_is_that_of_the_oldest_marker(system: Api) -> None:
    first = system.tail(0, **{"global": "true"})[0]["tick"]
    assert system.get("/_api/replication/logger-first-tick").json() == {"firstTick": first}


def test_tick_ranges_cover_the_log_without_gaps(
    timed: TimedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arangorep.storage.log.SEGMENT_BYTES", 2000)
    api = timed.api
    api.create_collection("c")
    for number in range(30):
        api.insert("c", {"_key": f"k{number}", "v": "x" * 200})
        if number % 5 == 0:
            api.insert("c", [{}, {}])
    ranges = api.get("/_api/replication/logger-tick-ranges").json()
    assert len(ranges) > 3
    assert all(list(r) == ["datafile", "status", "tickMin", "tickMax"] for r in ranges)
    assert {r["status"] for r in ranges[:-1]} == {"collected"}
    assert all(r["datafile"].startswith("/archive/") for r in ranges[:-1])
    assert all(r["datafile"].endswith(".log") for r in ranges)
    assert len({r["datafile"] for r in ranges}) == len(ranges)
    bounds = [(int(r["tickMin"]), int(r["tickMax"])) for r in ranges]
    assert all(low <= high for low, high in bounds)
    assert all(high < low for (_, high), (low, _) in pairwise(bounds))
    with Api(timed.thread.url, "_system") as system:
        ticks = [int(m["tick"]) for m in system.tail(0, **{"global": "true"})]
    assert bounds[0][0] <= ticks[0]
    assert bounds[-1][1] == ticks[-1]
    assert all(any(low <= tick <= high for low, high in bounds) for tick in ticks)


def test_a_fresh_log_is_one_open_range(timed: TimedServer) -> None:
    last = timed.api.get("/_api/wal/lastTick").json()["tick"]
    (only,) = timed.api.get("/_api/replication/logger-tick-ranges").json()
    assert (only["status"], only["tickMax"]) == ("open", last)


# -- clients keep the log ------------------------------------------------------------------------


def served(timed: TimedServer) -> list[tuple[str, str]]:
    return [(c["serverId"], c["lastServedTick"]) for c in timed.clients()]


def test_clients_expire_each_in_its_time(timed: TimedServer) -> None:
    api = timed.api
    api.get("/_api/replication/logger-follow", **{"from": 8}, serverId=1, ttl=100)
    api.get("/_api/replication/logger-follow", **{"from": 9}, serverId=2)
    api.get("/_api/wal/tail", **{"from": 10}, serverId=3)
    api.create_batch(50, serverId=4)
    assert [client for client, _ in served(timed)] == ["1", "2", "3", "4"]
    for seconds, left in ((50, 4), (1, 3), (49, 3), (1, 2), (1099, 2), (1, 1), (5999, 1), (1, 0)):
        timed.advance(seconds)  # the table is swept when it is looked at
        assert len(timed.clients()) == left


def test_the_log_is_kept_for_clients_until_they_expire(
    timed: TimedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for those of other databases; what they were served may go when it is old."""
    monkeypatch.setattr("arangorep.storage.log.SEGMENT_BYTES", 1)
    api = timed.api
    api.create_collection("c")
    ticks = []
    for _ in range(6):
        api.insert("c", {})
        ticks.append(int(api.get("/_api/wal/lastTick").json()["tick"]))
    with Api(timed.thread.url, "_system") as system:
        system.get("/_api/wal/tail", **{"from": ticks[1]}, serverId=1)
    api.get("/_api/replication/logger-follow", **{"from": ticks[3] + 1}, serverId=2, ttl=5000)

    def floor() -> int:
        def prune() -> int:
            store = timed.services.store
            for _ in store.checkpoint_trees():
                pass
            keep = Retention(age_s=10)
            prune_log(store, timed.services.clients, keep, timed.clock.wall_us())
            return store.log.floor

        return timed.thread.call(prune)

    assert floor() == 0  # nothing is old enough
    timed.pass_time(11)
    assert floor() == ticks[1]
    timed.pass_time(1200)
    assert floor() == ticks[3]
    assert (
        api.get("/_api/wal/tail", **{"from": ticks[3]}).headers["x-arango-replication-frompresent"]
        == "true"
    )
    timed.pass_time(5000)
    assert floor() == ticks[5]


# -- logger-follow -------------------------------------------------------------------------------


def follow(api: Api, after: int, **params: Any) -> list[Marker]:
    response = api.get("/_api/replication/logger-follow", **{"from": after, **params})
    assert response.status_code in (200, 204), response.text
    return [json.loads(line) for line in response.content.splitlines()]


def followed(api: Api, act: Callable[[], Any]) -> list[Marker]:
    """What `logger-follow` says of what `act` does."""
    before = int(api.get("/_api/wal/lastTick").json()["tick"])
    act()
    return follow(api, before)


def identity(api: Api) -> dict[str, str]:
    """How every marker of collection `c` names where it happened."""
    collection = api.get("/_api/collection/c").json()
    return {
        "database": api.get("/_api/database/current").json()["result"]["id"],
        "cid": collection["id"],
        "cname": collection["name"],
        "cuid": collection["globallyUniqueId"],
    }


def check(marker: Marker, kind: int, members: str, where: dict[str, str]) -> None:
    """That the marker has exactly these members in this order and the right place."""
    assert marker["type"] == kind
    assert list(marker) == members.split()
    named = {name: marker[name] for name in where if name in marker}
    assert named == {name: where[name] for name in named}


def test_definitions_in_the_older_shape(api: Api) -> None:
    (created,) = followed(api, lambda: api.create_collection("c"))
    check(created, 2000, "tick database cid cname type data", identity(api))
    assert created["data"]["name"] == "c"
    assert created["data"]["indexes"] == []
    (changed,) = followed(
        api, lambda: api.put("/_api/collection/c/properties", {"waitForSync": True})
    )
    check(changed, 2003, "tick database cid cname type data", identity(api))
    assert changed["data"]["waitForSync"] is True
    body = {"type": "persistent", "fields": ["a"]}
    (index,) = followed(api, lambda: api.post("/_api/index", body, collection="c"))
    check(index, 2100, "tick type database cid cuid cname data", identity(api))
    assert index["data"]["fields"] == ["a"]
    (gone,) = followed(api, lambda: api.delete(f"/_api/index/c/{index['data']['id']}"))
    check(gone, 2101, "tick type database cid cname data", identity(api))
    assert gone["data"] == {"id": index["data"]["id"]}


def test_documents_in_the_older_shape(api: Api) -> None:
    api.create_collection("c")
    where = identity(api)
    (written,) = followed(api, lambda: api.insert("c", {"_key": "k", "v": "é"}))
    check(written, 2300, "tick type database tid cid cname data", where)
    assert written["tid"] == "0"
    assert written["data"] == api.get("/_api/document/c/k").json()
    (removed,) = followed(api, lambda: api.delete("/_api/document/c/k"))
    check(removed, 2302, "tick type database cid cname tid data", where)
    assert list(removed["data"]) == ["_key", "_rev"]
    first, *inner, last = followed(api, lambda: api.insert("c", [{}, {}]))
    for bracket, kind in ((first, 2200), (last, 2201)):
        check(bracket, kind, "tick type database tid", where)
        assert bracket["tid"] == first["tid"] != "0"
    for marker in inner:
        check(marker, 2300, "tick type database tid cid cname data", where)
        assert marker["tid"] == first["tid"]


def test_ends_in_the_older_shape(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", {})
    (cleared,) = followed(api, lambda: api.put("/_api/collection/c/truncate"))
    check(cleared, 2004, "tick type database cuid cid", identity(api))
    old = identity(api)
    before = int(api.get("/_api/wal/lastTick").json()["tick"])
    api.insert("c", {"_key": "k"})
    api.put("/_api/collection/c/rename", {"name": "d"})
    written, renamed = follow(api, before)
    new = {**old, "cname": "d"}
    check(written, 2300, "tick type database tid cid cname data", new)
    assert written["data"]["_id"] == "d/k"
    check(renamed, 2002, "tick database cid cname type data", new)
    assert renamed["data"] == {"id": old["cid"], "name": "d"}
    (dropped,) = followed(api, lambda: api.delete("/_api/collection/d"))
    check(dropped, 2001, "tick type database cuid cid data", old)
    assert dropped["data"] == {"id": old["cid"], "name": ""}


def test_markers_of_databases_are_left_out(system: Api, api: Api) -> None:
    assert api.tail(0)[0]["type"] == 1100
    assert [marker["type"] for marker in follow(api, 0)] == [2000, 2000]
    assert 1100 not in {marker["type"] for marker in follow(system, 0)}


def test_headers_are_those_of_a_tail_and_active(server: ServerThread, api: Api) -> None:
    path = "/_api/replication/logger-follow"
    last = api.get("/_api/wal/lastTick").json()["tick"]
    for after, status in (("0", 200), (last, 204)):
        response = api.get(path, **{"from": after})
        assert response.status_code == status
        prefix = "x-arango-replication-"
        assert {
            k.lower(): v for k, v in response.headers.items() if k.lower().startswith(prefix)
        } == {
            f"{prefix}active": "true",
            f"{prefix}checkmore": "false",
            f"{prefix}frompresent": "true",
            f"{prefix}lastincluded": last if status == 200 else "0",
            f"{prefix}lastscanned": last,
            f"{prefix}lasttick": last,
        }
    assert api.get(path).headers["content-type"] == "application/x-arango-dump; charset=utf-8"
    with RawConnection(server.port) as connection:
        raw = connection.request("GET", f"/_db/{api.database}{path}?from={last}")
        assert (raw.status, raw.headers["content-length"]) == (204, "0")


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", "[]"), ("PUT", "{}"), ("PUT", "no json"), ("PUT", None)]
)
def test_put_ignores_its_body(api: Api, method: str, body: str | None) -> None:
    path = "/_api/replication/logger-follow"
    response = api.request(method, path, body, params={"from": 0})
    assert response.status_code == 200
    assert response.content == api.get(path, **{"from": 0}).content


def test_bounds_collection_and_system_collections(api: Api) -> None:
    api.create_collection("c")
    api.create_collection("d")
    before = int(api.get("/_api/wal/lastTick").json()["tick"])
    for name in ("c", "d", "_analyzers"):
        api.insert(name, {"_key": "k"})
    markers = follow(api, before)
    ticks = [int(marker["tick"]) for marker in markers]
    assert [marker["cname"] for marker in markers] == ["c", "d", "_analyzers"]
    assert follow(api, ticks[0]) == markers[1:]
    assert follow(api, before, to=ticks[1]) == markers[:2]
    assert follow(api, before, includeSystem="false") == markers[:2]
    assert [m["tick"] for m in follow(api, before, collection="d")] == [markers[1]["tick"]]
    assert follow(api, before, collection=identity(api)["cuid"]) == markers[:1]


def test_a_large_log_comes_in_chunks(api: Api) -> None:
    api.create_collection("c")
    before = int(api.get("/_api/wal/lastTick").json()["tick"])
    for number in range(100):
        api.insert("c", {"_key": f"k{number}", "v": "x" * 500})
    found: list[Marker] = []
    answers = 0
    while True:
        response = api.get("/_api/replication/logger-follow", **{"from": before}, chunkSize=16_384)
        found += map(json.loads, response.content.splitlines())
        answers += 1
        before = int(response.headers["x-arango-replication-lastincluded"])
        if response.headers["x-arango-replication-checkmore"] == "false":
            break
    assert answers > 2
    assert [marker["data"]["_key"] for marker in found] == [f"k{n}" for n in range(100)]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"from": 5, "to": 4}, (400, 400)),
        ({"to": 0}, (400, 400)),
        ({"collection": "nowhere"}, (404, 1203)),
        ({"syncerId": "0", "last": 1}, (400, 10)),
    ],
)
def test_what_logger_follow_refuses(
    api: Api, params: dict[str, Any], expected: tuple[int, int]
) -> None:
    assert error_of(api.get("/_api/replication/logger-follow", **params)) == expected


@pytest.mark.parametrize(("after", "tick"), [(0, "0"), (1, "0"), (50, "49")])
def test_following_registers_the_client_here_only(
    timed: TimedServer, after: int, tick: str
) -> None:
    timed.api.get(
        "/_api/replication/logger-follow", **{"from": after}, syncerId=3, clientInfo="x", ttl=30
    )
    assert timed.clients() == [
        {
            "syncerId": "3",
            "serverId": "0",
            "clientInfo": "x",
            "time": iso_time(timed.clock.wall_us()),
            "expires": iso_time(timed.clock.wall_us() + 30_000_000),
            "lastServedTick": tick,
        }
    ]
    with Api(timed.thread.url, "_system") as system:
        assert system.get("/_api/replication/logger-state").json()["clients"] == []
