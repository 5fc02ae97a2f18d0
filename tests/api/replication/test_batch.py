"""`/_api/replication/batch`: snapshots with a time to live (leader-api 2)."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import requests
from support.raw import RawConnection
from support.server import Api, ServerThread, error_of
from support.timed import TimedServer

from arangorep.clock import iso_time

LONG_S = 7200
MOMENT_S = 0.001

NOT_A_BATCH = ["0", "1", "18446744073709551616", "nonsense", "-1", "%20"]


Use = Callable[[Api, str, str], requests.Response]


def keys_path(api: Api, collection: str, batch: str) -> str:
    collection_id = api.get(f"/_api/collection/{collection}").json()["id"]
    return f"/_api/replication/keys/{batch}-{collection_id}"


def revisions(method: str, word: str, body: Any = None, **params: Any) -> Use:
    return lambda api, collection, batch: api.request(
        method,
        f"/_api/replication/revisions/{word}",
        body,
        params={"collection": collection, "batchId": batch, **params},
    )


LONG_USES: dict[str, Use] = {
    "inventory": lambda api, _, b: api.get("/_api/replication/inventory", batchId=b),
    "inventory of a collection": lambda api, c, b: api.get(
        "/_api/replication/inventory", batchId=b, collection=c
    ),
    "count keys": lambda api, c, b: api.post("/_api/replication/keys", collection=c, batchId=b),
    "hash keys": lambda api, c, b: api.get(keys_path(api, c, b)),
    "list keys": lambda api, c, b: api.put(keys_path(api, c, b), type="keys"),
    "read by keys": lambda api, c, b: api.put(keys_path(api, c, b), [0], type="docs"),
    "tree": revisions("GET", "tree", onlyPopulated=True),
    "verified tree": revisions("GET", "tree", onlyPopulated=True, verification=True),
    "ranges": revisions("PUT", "ranges", [["_", "zzzzzzzzzz"]]),
    "documents": revisions("PUT", "documents", []),
}
USES: dict[str, Use] = {
    **LONG_USES,
    "extend": lambda api, _, b: api.put(f"/_api/replication/batch/{b}", {"ttl": 1}),
    "dump": lambda api, c, b: api.get("/_api/replication/dump", collection=c, batchId=b),
}
"""Every request that takes a batch id, but for DELETE."""


# -- creating ------------------------------------------------------------------------------------


def test_a_batch_has_an_id_and_the_tick_of_its_snapshot(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", {})
    before = api.get("/_api/wal/lastTick").json()["tick"]
    response = api.post("/_api/replication/batch", {"ttl": 60})
    api.insert("c", {})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    assert set(response.json()) == {"id", "lastTick"}
    assert response.json()["lastTick"] == before
    assert response.json()["id"].isdecimal()
    assert api.create_batch() != response.json()["id"]


def test_a_stopping_server_makes_no_batches(timed: TimedServer) -> None:
    for stopping, expected in ((True, 503), (False, 200)):
        timed.thread.call(partial(setattr, timed.services, "stopping", stopping))
        response = timed.api.post("/_api/replication/batch", {})
        assert response.status_code == expected
        if stopping:
            assert error_of(response) == (503, 30)


def test_parts_behind_the_command_are_ignored(api: Api) -> None:
    assert api.post("/_api/replication/batch/1/2", {}).status_code == 200


def test_state_is_that_of_the_logger(api: Api) -> None:
    response = api.post("/_api/replication/batch", {}, state="true", serverId=17)
    state = response.json()["state"]
    logger = api.get("/_api/replication/logger-state").json()
    assert list(state) == ["state", "server", "clients"]
    assert state["clients"] == []
    assert len(logger["clients"]) == 1
    assert state["server"] == logger["server"]
    assert state["server"]["engine"] == "rocksdb"
    assert state["state"]["lastLogTick"] == response.json()["lastTick"]
    assert {**state["state"], "time": ""} == {**logger["state"], "time": ""}


@pytest.mark.parametrize("body", [None, "", "  ", "null", "[]", "1", '"ttl"', "[{}]"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_the_body_must_be_an_object(api: Api, method: str, body: str | None) -> None:
    path = "/_api/replication/batch"
    if method == "PUT":
        path += f"/{api.create_batch()}"
    assert error_of(api.request(method, path, body)) == (400, 400)


@pytest.mark.parametrize("body", ["{", '{"ttl":', "ttl=5", '{"ttl":1e999}', "\ufeff{}"])
def test_the_body_must_be_json(api: Api, body: str) -> None:
    response = api.post("/_api/replication/batch", body)
    assert error_of(response) == (400, 600)
    assert response.json()["errorMessage"].startswith("VPackError error: ")


@pytest.mark.parametrize(
    "text", ["", "0", "007", "abc", "1x", "x1", "-1", "+1", " 1", "1.0", "18446744073709551616"]
)
def test_a_malformed_syncer_id_is_refused(api: Api, text: str) -> None:
    # `last` keeps the parameter from being a trailing one without a value, which is absent
    response = api.post("/_api/replication/batch", {}, syncerId=text, last=1)
    assert error_of(response) == (400, 10)
    assert api.get("/_api/replication/logger-state").json()["clients"] == []


@pytest.mark.parametrize(
    ("query", "client"),
    [
        ({"syncerId": "18446744073709551615"}, ("18446744073709551615", "0")),
        ({"syncerId": "5", "serverId": "7"}, ("5", "7")),
        ({"serverId": "7"}, ("0", "7")),
        ({"serverId": "7seven"}, ("0", "7")),
        ({"serverId": "seven"}, None),
        ({"serverId": "18446744073709551616"}, None),
        ({"serverId": "7", "syncerId": ""}, ("0", "7")),
        ({}, None),
    ],
)
def test_the_query_names_the_client(
    timed: TimedServer, query: dict[str, str], client: tuple[str, str] | None
) -> None:
    response = timed.api.post("/_api/replication/batch", {"ttl": 30}, clientInfo="me", **query)
    tick = response.json()["lastTick"]
    now_us = timed.clock.wall_us()
    expected = []
    if client is not None:
        expected.append(
            {
                "syncerId": client[0],
                "serverId": client[1],
                "clientInfo": "me",
                "time": iso_time(now_us),
                "expires": iso_time(now_us + 30_000_000),
                "lastServedTick": tick,
            }
        )
    assert timed.clients() == expected


# -- time to live --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "ttl_s"),
    [
        ({}, LONG_S),
        ({"ttl": 300}, 300),
        ({"ttl": 0.25}, 0.25),
        ({"ttl": 1e-9}, 0),
        ({"ttl": 12.5, "patchCount": "c", "other": []}, 12.5),
        ({"ttl": 86400}, 86400),
        ({"ttl": 0}, LONG_S),
        ({"ttl": -0.5}, LONG_S),
        ({"ttl": -(10**30)}, LONG_S),
        ({"ttl": None}, LONG_S),
        ({"ttl": "300"}, LONG_S),
        ({"ttl": True}, LONG_S),
        ({"ttl": [300]}, LONG_S),
        ({"ttl": {}}, LONG_S),
    ],
)
def test_a_batch_lives_for_its_ttl(timed: TimedServer, body: dict[str, Any], ttl_s: float) -> None:
    assert timed.api.post("/_api/replication/batch", body).status_code == 200
    timed.pass_time(ttl_s)
    assert timed.batches() == 1
    timed.pass_time(MOMENT_S)
    assert timed.batches() == 0


@pytest.mark.parametrize("ttl", [1e12, 1e300, 2**63, 2**64, 10**25])
def test_a_huge_ttl_is_as_good_as_for_ever(timed: TimedServer, ttl: float) -> None:
    batch = timed.api.create_batch(ttl)
    timed.pass_time(9 * 365 * 86400.0)
    assert timed.batches() == 1
    assert timed.api.put(f"/_api/replication/batch/{batch}", {"ttl": ttl}).status_code == 204


@pytest.mark.parametrize(("ttl", "left_s"), [(1, 100), (100, 100), (250, 250), (None, LONG_S)])
def test_extending_counts_from_now_and_never_shortens(
    timed: TimedServer, ttl: float | None, left_s: float
) -> None:
    batch = timed.api.create_batch(100)
    timed.pass_time(60)
    response = timed.api.put(f"/_api/replication/batch/{batch}", {"ttl": ttl})
    assert (response.status_code, response.content) == (204, b"")
    timed.pass_time(left_s)
    assert timed.batches() == 1
    timed.pass_time(MOMENT_S)
    assert timed.batches() == 0


def test_a_later_shorter_extension_takes_nothing_back(timed: TimedServer) -> None:
    path = f"/_api/replication/batch/{timed.api.create_batch(10)}"
    for ttl in (500, 1):
        assert timed.api.put(path, {"ttl": ttl}).status_code == 204
    timed.pass_time(500)
    assert timed.batches() == 1


@pytest.mark.parametrize("batch", NOT_A_BATCH)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_unknown_id_is_1600(api: Api, method: str, batch: str) -> None:
    response = api.request(method, f"/_api/replication/batch/{batch}", {"ttl": 1})
    assert error_of(response) == (404, 1600)


def test_of_an_id_the_leading_digits_count(api: Api) -> None:
    batch = api.create_batch()
    assert api.put(f"/_api/replication/batch/{batch}x", {"ttl": 1}).status_code == 204
    assert api.get("/_api/replication/inventory", batchId=f"{batch}.5").status_code == 200


def test_a_dump_prolongs_by_the_batchs_own_ttl(timed: TimedServer) -> None:
    timed.api.create_collection("c")
    batch = timed.api.create_batch(10)
    for _ in range(3):
        timed.pass_time(9)
        timed.api.dump("c", batch)
    timed.pass_time(10)
    assert timed.batches() == 1
    timed.pass_time(MOMENT_S)
    assert timed.batches() == 0


@pytest.mark.parametrize("ttl_s", [10, 10_000])
@pytest.mark.parametrize("use", LONG_USES)
def test_other_uses_prolong_by_two_hours_at_least(
    timed: TimedServer, use: str, ttl_s: float
) -> None:
    api = timed.api
    api.create_collection("c")
    api.insert("c", {})
    batch = api.create_batch(ttl_s)
    timed.pass_time(9)
    assert LONG_USES[use](api, "c", batch).ok
    timed.pass_time(max(ttl_s, LONG_S))
    assert timed.batches() == 1
    timed.pass_time(MOMENT_S)
    assert timed.batches() == 0


def test_an_expired_batch_is_revived_by_its_next_use(timed: TimedServer) -> None:
    timed.api.create_collection("c")
    batch = timed.api.create_batch(10)
    timed.advance(1000)
    assert timed.api.dump("c", batch) == []
    timed.sweep()
    assert timed.batches() == 1


@pytest.mark.parametrize("end", ["expired", "deleted"])
def test_after_its_end_a_batch_is_unknown_everywhere(timed: TimedServer, end: str) -> None:
    api = timed.api
    api.create_collection("c")
    api.insert("c", {})
    batch = api.create_batch(10)
    assert all(use(api, "c", batch).ok for use in USES.values())
    if end == "expired":
        timed.pass_time(LONG_S + MOMENT_S)
    else:
        response = api.delete(f"/_api/replication/batch/{batch}")
        assert (response.status_code, response.content) == (204, b"")
    for name, use in USES.items():
        assert (name, *error_of(use(api, "c", batch))) == (name, 404, 1600)
    assert error_of(api.delete(f"/_api/replication/batch/{batch}")) == (404, 1600)


@pytest.mark.parametrize("batch", ["0", "1", "nonsense"])
def test_a_batch_that_never_was_is_unknown_everywhere(api: Api, batch: str) -> None:
    api.create_collection("c")
    for name, use in USES.items():
        assert (name, *error_of(use(api, "c", batch))) == (name, 404, 1600)


def test_empty_answers_announce_their_length(server: ServerThread) -> None:
    with RawConnection(server.port) as connection:
        batch = connection.request("POST", "/_api/replication/batch", b"{}").json()["id"]
        path = f"/_api/replication/batch/{batch}"
        for method in ("PUT", "DELETE"):
            answer = connection.request(method, path, b'{"ttl":60}')
            assert (answer.status, answer.headers["content-length"]) == (204, "0")


# -- clients -------------------------------------------------------------------------------------


def test_using_a_batch_renews_its_client(timed: TimedServer) -> None:
    api = timed.api
    api.create_collection("c")
    response = api.post("/_api/replication/batch", {"ttl": 100}, serverId=7)
    batch, tick = response.json()["id"], response.json()["lastTick"]
    api.insert("c", {})
    uses: list[Callable[[], requests.Response]] = [
        lambda: api.put(f"/_api/replication/batch/{batch}?serverId=8", {"ttl": 100}),
        lambda: api.get("/_api/replication/dump", collection="c", batchId=batch),
        lambda: api.get("/_api/replication/inventory", batchId=batch, syncerId=9),
    ]
    for use in uses:
        timed.pass_time(50)
        assert use().ok
        (client,) = timed.clients()
        assert (client["serverId"], client["lastServedTick"]) == ("7", tick)
        assert client["time"] == iso_time(timed.clock.wall_us())
        assert client["expires"] == iso_time(timed.clock.wall_us() + 100_000_000)


def test_the_client_of_an_extension_lives_as_long_as_it_says(timed: TimedServer) -> None:
    batch = timed.api.create_batch(100, serverId=7)
    assert timed.api.put(f"/_api/replication/batch/{batch}", {"ttl": 30}).status_code == 204
    assert timed.clients()[0]["expires"] == iso_time(timed.clock.wall_us() + 30_000_000)
    timed.pass_time(31)
    assert (timed.clients(), timed.batches()) == ([], 1)


def test_a_deleted_batch_leaves_its_client_15_seconds(timed: TimedServer) -> None:
    batch = timed.api.create_batch(100, syncerId=7)
    assert timed.api.delete(f"/_api/replication/batch/{batch}").status_code == 204
    assert timed.clients()[0]["expires"] == iso_time(timed.clock.wall_us() + 15_000_000)
    timed.pass_time(15)
    assert len(timed.clients()) == 1
    timed.pass_time(MOMENT_S)
    assert timed.clients() == []


def test_a_batch_without_a_client_is_its_own_once_it_is_used(timed: TimedServer) -> None:
    response = timed.api.post("/_api/replication/batch", {"ttl": 100})
    batch = response.json()["id"]
    assert timed.clients() == []
    timed.api.get("/_api/replication/inventory", batchId=batch)
    (client,) = timed.clients()
    assert (client["syncerId"], client["serverId"]) == ("0", batch)
    assert client["lastServedTick"] == response.json()["lastTick"]


def test_the_client_belongs_to_the_batchs_database(timed: TimedServer) -> None:
    batch = timed.api.create_batch(100, serverId=7)
    with Api(timed.thread.url, "_system") as system:
        assert system.get("/_api/replication/inventory", batchId=batch).status_code == 200
        assert system.get("/_api/replication/logger-state").json()["clients"] == []
    assert len(timed.clients()) == 1


# -- scope ---------------------------------------------------------------------------------------


def test_a_batch_serves_all_databases(server: ServerThread, api: Api) -> None:
    with server.fresh_database() as other:
        for client in (api, other):
            client.create_collection("c")
            client.insert("c", {"_key": client.database})
        batch = api.create_batch()
        for client in (api, other):
            client.insert("c", {"_key": "later"})
            assert [d["_key"] for d in client.dump("c", batch)] == [client.database]
            inventory = client.get("/_api/replication/inventory", batchId=batch).json()
            assert inventory["properties"]["name"] == client.database
        assert other.delete(f"/_api/replication/batch/{batch}").status_code == 204


@pytest.mark.parametrize("use", ["dump", "hash keys", "tree", "verified tree", "ranges"])
def test_dropping_a_collection_ends_the_batches_that_read_it(api: Api, use: str) -> None:
    for name in ("read", "unread"):
        api.create_collection(name)
        api.insert(name, {"_key": name})
    batch, other = api.create_batch(), api.create_batch()
    assert USES[use](api, "read", batch).status_code == 200
    assert api.delete("/_api/collection/unread").status_code == 200
    assert api.get("/_api/replication/inventory", batchId=batch).status_code == 200
    assert api.delete("/_api/collection/read").status_code == 200
    assert error_of(api.get("/_api/replication/inventory", batchId=batch)) == (404, 1600)
    assert api.get("/_api/replication/inventory", batchId=other).status_code == 200


def test_inventory_alone_does_not_tie_a_batch_to_its_collections(api: Api) -> None:
    api.create_collection("c")
    batch = api.create_batch()
    for _ in range(2):
        assert api.get("/_api/replication/inventory", batchId=batch).status_code == 200
        api.delete("/_api/collection/c")


def test_dropping_a_database_ends_the_batches_that_read_it(server: ServerThread, api: Api) -> None:
    batch, other = api.create_batch(), api.create_batch()
    with server.fresh_database() as doomed:
        doomed.create_collection("c")
        doomed.insert("c", {})
        batch, other = api.create_batch(), api.create_batch()
        assert len(doomed.dump("c", batch)) == 1
    assert error_of(api.get("/_api/replication/inventory", batchId=batch)) == (404, 1600)
    assert api.get("/_api/replication/inventory", batchId=other).status_code == 200


# -- what a batch pins ---------------------------------------------------------------------------

DOCUMENTS = 400
DOCUMENT_BYTES = 4000


def fill(api: Api) -> None:
    """Write (or overwrite) documents that do not compress."""
    api.insert(
        "c",
        [{"_key": f"k{i}", "v": os.urandom(DOCUMENT_BYTES // 2).hex()} for i in range(DOCUMENTS)],
        overwriteMode="replace",
        silent=True,
    )


def settled_size(timed: TimedServer) -> int:
    """Bytes of the store's files when nothing that nobody needs is left in them."""
    engine = timed.services.store.engine

    def settle() -> int:
        engine.flush()
        engine.compact()
        return engine.size_bytes()

    return timed.thread.call(settle)


@pytest.mark.parametrize("use", ["nothing", "half a dump", "a second dump", "keys", "ranges"])
@pytest.mark.parametrize("end", ["expiry", "DELETE", "drop"])
def test_the_end_of_a_batch_gives_the_disk_back(timed: TimedServer, use: str, end: str) -> None:
    api = timed.api
    api.create_collection("c")
    fill(api)
    settled_size(timed)
    batch = api.create_batch(LONG_S)
    query = {"collection": "c", "batchId": batch}
    if use == "half a dump":
        api.get("/_api/replication/dump", chunkSize=DOCUMENTS * DOCUMENT_BYTES // 2, **query)
    elif use == "a second dump":
        api.dump("c", batch)
        api.get("/_api/replication/dump", chunkSize=DOCUMENTS * DOCUMENT_BYTES // 2, **query)
    elif use == "keys":
        assert all(USES[use](api, "c", batch).ok for use in ("hash keys", "read by keys"))
    elif use == "ranges":
        api.put("/_api/replication/revisions/ranges", [["_", "zzzzzzzzzz"]], **query)
    fill(api)
    pinned = settled_size(timed)
    assert settled_size(timed) >= pinned  # compacting again changes nothing while it is held
    if end == "expiry":
        timed.pass_time(LONG_S + 1)
    elif end == "DELETE":
        assert api.delete(f"/_api/replication/batch/{batch}").status_code == 204
    else:
        api.dump("c", batch)
        api.delete("/_api/collection/c")
    freed = pinned - settled_size(timed)
    copies = 2 if end == "drop" else 1
    assert freed > 0.9 * copies * DOCUMENTS * DOCUMENT_BYTES
