"""python-arango as the one who sets up a follower: `db.replication` (follower 2 and 7).

The installed client has no method for `make-follower`; scripts send it through the connection. Its
formatters are made strict: they fail on a member of an answer that the client does not know, but
for the progress of collections, which is an extension. Its warnings are expected in so many words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from arango import ArangoClient
from arango.database import StandardDatabase
from arango.exceptions import (
    ArangoServerError,
    ReplicationApplierConfigSetError,
    ReplicationApplierStartError,
    ReplicationSyncError,
)
from arango.request import Request
from support.pair import WAIT_S, closed_port, endpoint, two_servers
from support.server import ServerThread
from support.wait import wait_for

Json = dict[str, Any]

numbers = count(1)
REMOVED = "was removed in ArangoDB v3.12.10"


@pytest.fixture(autouse=True)
def strict_formatters(monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(body: object, result: Json) -> Json:
        if not isinstance(body, dict):
            return result
        known = {name for name, value in body.items() if value is not None}
        if "failedConnects" in known:
            known.discard("collections")
        made = {name for name, value in result.items() if value is not None}
        assert len(known) == len(made), f"{known} became {made}"
        return result

    monkeypatch.setattr("arango.formatter.verify_format", verify)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, ...]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def there(servers: tuple[ServerThread, ...]) -> Iterator[StandardDatabase]:
    """A database of the leader with a collection that has documents and an index."""
    yield from _database(servers[0], with_data=True)


@pytest.fixture
def here(servers: tuple[ServerThread, ...]) -> Iterator[StandardDatabase]:
    """An empty database of the follower."""
    yield from _database(servers[1], with_data=False)


def _database(server: ServerThread, *, with_data: bool) -> Iterator[StandardDatabase]:
    client = ArangoClient(hosts=server.url)
    system, name = client.db("_system"), f"pf{next(numbers)}"
    assert system.create_database(name)
    database = client.db(name)
    if with_data:
        documents = database.create_collection("c")
        documents.add_index({"type": "persistent", "fields": ["n"], "unique": True})
        documents.insert_many([{"_key": f"k{number}", "n": number} for number in range(10)])
        database.create_collection("other").insert({"_key": "k"})
    yield database
    assert system.delete_database(name)
    client.close()


@pytest.fixture
def leader(servers: tuple[ServerThread, ...], there: StandardDatabase) -> Json:
    """Arguments that lead to the leader's database."""
    return {"endpoint": endpoint(servers[0]), "database": there.name}


def refusal(error: ArangoServerError) -> tuple[int, int]:
    """Status and errorNum."""
    assert json.loads(error.response.raw_body)["code"] == error.http_code
    return error.http_code, error.error_code


def documents(database: StandardDatabase, name: str = "c") -> list[Json]:
    """All documents of a collection by key."""
    batch = database.replication.create_dump_batch(ttl=60)["id"]
    (lines,) = database.replication.dump(name, batch_id=batch, deserialize=True)["content"]
    assert database.replication.delete_dump_batch(batch)
    return sorted((line["data"] for line in lines), key=lambda document: document["_key"])


def names(database: StandardDatabase) -> list[str]:
    return sorted(one["name"] for one in database.collections() if not one["system"])


def state_of(database: StandardDatabase) -> Json:
    with pytest.warns(DeprecationWarning, match="applier-state " + REMOVED):
        return database.replication.applier_state()


def catch_up(here: StandardDatabase, there: StandardDatabase) -> Json:
    """Wait until everything is applied; returns the client's form of the state."""
    last = int(there.wal.last_tick()["tick"])

    def look() -> Json | None:
        state: Json = state_of(here)["state"]
        assert state["running"], state
        return state if int(state["last_applied_continuous_tick"]) >= last else None

    return wait_for(look)


# -- sync ----------------------------------------------------------------------------------------


def test_synchronize(here: StandardDatabase, there: StandardDatabase, leader: Json) -> None:
    tick = there.wal.last_tick()["tick"]
    with pytest.warns(DeprecationWarning, match="sync " + REMOVED):
        answer = here.replication.synchronize(**leader)
    assert set(answer) == {"collections", "last_log_tick"}
    assert answer["last_log_tick"] == tick
    assert {"c", "other"} <= {entry["name"] for entry in answer["collections"]}
    assert documents(here) == documents(there)
    assert [index["type"] for index in here.collection("c").indexes()] == ["primary", "persistent"]


def test_synchronize_with_every_parameter(
    here: StandardDatabase, there: StandardDatabase, leader: Json
) -> None:
    options = {
        **leader,
        "username": "root",
        "password": "",
        "include_system": False,
        "incremental": True,
        "restrict_type": "include",
        "restrict_collections": ["c"],
        "initial_sync_wait_time": 200,
    }
    for _ in range(2):
        there.collection("c").delete("k1", ignore_missing=True)
        with pytest.warns(DeprecationWarning, match="sync " + REMOVED):
            answer = here.replication.synchronize(**options)
        assert [entry["name"] for entry in answer["collections"]] == ["c"]
        assert names(here) == ["c"]
        assert documents(here) == documents(there)
        here.collection("c").insert({"n": 1000})


def test_a_failing_synchronize(here: StandardDatabase, leader: Json) -> None:
    with (
        closed_port() as where,
        pytest.warns(DeprecationWarning, match="sync " + REMOVED),
        pytest.raises(ReplicationSyncError) as caught,
    ):
        here.replication.synchronize(where)
    assert refusal(caught.value) == (500, 1400)
    with (
        pytest.warns(DeprecationWarning, match="sync " + REMOVED),
        pytest.raises(ReplicationSyncError) as caught,
    ):
        here.replication.synchronize(**leader, restrict_type="include")
    assert refusal(caught.value) == (400, 1410)


# -- configuration -------------------------------------------------------------------------------

OPTIONS: Json = {
    "username": "me",
    "password": "secret",
    "max_connect_retries": 120,
    "connect_timeout": 15,
    "request_timeout": 615,
    "chunk_size": 65536,
    "auto_start": True,
    "adaptive_polling": False,
    "include_system": False,
    "auto_resync": True,
    "auto_resync_retries": 3,
    "initial_sync_max_wait_time": 60,
    "connection_retry_wait_time": 5,
    "idle_min_wait_time": 3,
    "idle_max_wait_time": 4,
    "require_from_present": False,
    "verbose": True,
    "restrict_type": "exclude",
    "restrict_collections": ["students"],
}


def config_of(database: StandardDatabase) -> Json:
    with pytest.warns(DeprecationWarning, match="applier-config " + REMOVED):
        return database.replication.applier_config()


def configure(database: StandardDatabase, /, **options: Any) -> Json:
    with pytest.warns(DeprecationWarning, match="applier-config " + REMOVED):
        return database.replication.set_applier_config(**options)


def test_the_configuration(here: StandardDatabase) -> None:
    before = config_of(here)
    assert "endpoint" not in before
    assert before["database"] == here.name
    answer = configure(here, endpoint="tcp://127.0.0.1:8529", database="there", **OPTIONS)
    assert config_of(here) == answer
    for name, value in OPTIONS.items():
        if name != "password":
            assert answer[name] == value, name
            assert before.get(name) != value, name
    assert (answer["endpoint"], answer["database"]) == ("tcp://127.0.0.1:8529", "there")
    assert "secret" not in str(answer)


def test_a_configuration_that_makes_no_sense(here: StandardDatabase) -> None:
    for options in ({"endpoint": ""}, {"endpoint": "tcp://h", "restrict_type": "other"}):
        with (
            pytest.warns(DeprecationWarning, match="applier-config " + REMOVED),
            pytest.raises(ReplicationApplierConfigSetError) as caught,
        ):
            here.replication.set_applier_config(**options)
        assert refusal(caught.value) == (400, 1410)


# -- start and stop ------------------------------------------------------------------------------


def start(database: StandardDatabase, tick: str | None = None) -> Json:
    with pytest.warns(DeprecationWarning, match="applier-start " + REMOVED):
        return database.replication.start_applier(tick)


def stop(database: StandardDatabase) -> Json:
    with pytest.warns(DeprecationWarning, match="applier-stop " + REMOVED):
        return database.replication.stop_applier()


def test_the_state_before_any_run(here: StandardDatabase) -> None:
    answer = state_of(here)
    assert set(answer) == {"state", "server", "database"}
    assert answer["state"]["running"] is False
    assert answer["state"]["last_error"] == {"error_num": 0}
    assert answer["server"]["server_id"] == here.replication.logger_state()["server"]["server_id"]


def test_a_start_without_configuration(here: StandardDatabase) -> None:
    with (
        pytest.warns(DeprecationWarning, match="applier-start " + REMOVED),
        pytest.raises(ReplicationApplierStartError) as caught,
    ):
        here.replication.start_applier()
    assert refusal(caught.value) == (400, 1410)
    assert state_of(here)["state"]["last_error"]["error_num"] == 1410


def test_a_follower_is_set_up(
    here: StandardDatabase, there: StandardDatabase, leader: Json
) -> None:
    with pytest.warns(DeprecationWarning, match="sync " + REMOVED):
        tick = here.replication.synchronize(**leader)["last_log_tick"]
    configure(here, **leader)
    there.collection("c").insert({"_key": "new", "n": 1000})
    there.collection("c").delete("k1")
    answer = start(here, tick)
    assert set(answer) == {"state", "server", "endpoint", "database"}
    assert answer["state"]["running"] is True
    state = catch_up(here, there)
    assert state["last_error"] == {"error_num": 0}
    assert (state["total_events"], state["phase"]) == (2, "running")
    assert documents(here) == documents(there)
    assert stop(here)["state"]["running"] is False
    there.create_collection("later").insert({"_key": "k"})
    start(here)
    catch_up(here, there)
    assert names(here) == ["c", "later", "other"]
    stop(here)


@pytest.mark.parametrize("command", ["make-follower", "make-slave"])
def test_make_follower(
    here: StandardDatabase, there: StandardDatabase, leader: Json, command: str
) -> None:
    body = {**leader, "idleMinWaitTime": WAIT_S, "idleMaxWaitTime": WAIT_S}
    request = Request("put", f"/_api/replication/{command}", data=body)
    response = here._conn.send_request(request)
    assert response.status_code == 200
    assert response.body["state"]["running"] is True
    assert documents(here) == documents(there)
    there.collection("c").update({"_key": "k1", "n": 5000})
    catch_up(here, there)
    assert documents(here) == documents(there)
    stop(here)
