"""python-arango as a replication client: `db.replication` and `db.wal` (data-api 13).

Its formatters are made strict, as its own tests do: they fail on a member of an answer that the
client does not know. Its warnings about what newer servers lack are expected in so many words.
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
    ReplicationDumpBatchCreateError,
    ReplicationDumpBatchDeleteError,
    ReplicationDumpBatchExtendError,
    ReplicationDumpError,
    ReplicationInventoryError,
    WALConfigureError,
    WALPropertiesError,
    WALTailError,
)
from support.server import Api, ServerThread

Json = dict[str, Any]

numbers = count(1)
COLLECTIONS = ["_analyzers", "_graphs", "c", "e"]


@pytest.fixture(autouse=True)
def strict_formatters(monkeypatch: pytest.MonkeyPatch) -> None:
    def verify(body: object, result: Json) -> Json:
        if not isinstance(body, dict):
            return result
        known = {name for name, value in body.items() if value is not None} - {"error", "code"}
        made = {name for name, value in result.items() if value is not None}
        made.discard("edge")  # the one member that the client adds
        assert len(known) == len(made), f"{known} became {made}"
        return result

    monkeypatch.setattr("arango.formatter.verify_format", verify)


@pytest.fixture(scope="module")
def client(server: ServerThread) -> Iterator[ArangoClient]:
    opened = ArangoClient(hosts=server.url)
    yield opened
    opened.close()


@pytest.fixture
def system(client: ArangoClient) -> StandardDatabase:
    return client.db("_system")


@pytest.fixture
def db(client: ArangoClient, system: StandardDatabase) -> Iterator[StandardDatabase]:
    """A database with a document collection that has documents and an index, and an edge one."""
    name = f"py{next(numbers)}"
    assert system.create_database(name)
    created = client.db(name)
    documents = created.create_collection("c")
    documents.add_index({"type": "persistent", "fields": ["n"], "unique": True})
    documents.insert_many([{"_key": f"k{number}", "n": number} for number in range(10)])
    created.create_collection("e", edge=True).insert({"_from": "c/k1", "_to": "c/k2"})
    yield created
    assert system.delete_database(name)


@pytest.fixture
def batch(db: StandardDatabase) -> Iterator[str]:
    created = db.replication.create_dump_batch(ttl=1000)["id"]
    yield created
    assert db.replication.delete_dump_batch(created)


def refusal(error: ArangoServerError) -> tuple[int, int]:
    """Status and errorNum; the client itself reads no error bodies of calls that give text."""
    body = json.loads(error.response.raw_body)
    assert body["code"] == error.http_code
    return error.http_code, body["errorNum"]


# -- batches -------------------------------------------------------------------------------------


@pytest.mark.parametrize("ttl", [None, 1, 1000])
def test_the_life_of_a_batch(db: StandardDatabase, ttl: int | None) -> None:
    created = db.replication.create_dump_batch(ttl=ttl)
    assert set(created) == {"id", "last_tick"}
    assert created["last_tick"] == db.wal.last_tick()["tick"]
    assert db.replication.extend_dump_batch(created["id"], ttl=1000) is True
    assert db.replication.delete_dump_batch(created["id"]) is True
    with pytest.raises(ReplicationDumpBatchExtendError) as extended:
        db.replication.extend_dump_batch(created["id"], ttl=1000)
    with pytest.raises(ReplicationDumpBatchDeleteError) as deleted:
        db.replication.delete_dump_batch(created["id"])
    assert refusal(extended.value) == refusal(deleted.value) == (404, 1600)


def test_a_database_that_is_not_there(client: ArangoClient) -> None:
    with pytest.raises(ReplicationDumpBatchCreateError) as caught:
        client.db("nowhere").replication.create_dump_batch()
    assert refusal(caught.value) == (404, 1228)


# -- inventory -----------------------------------------------------------------------------------


def names(collections: list[Json]) -> list[str]:
    return [entry["parameters"]["name"] for entry in collections]


def test_the_inventory_of_a_database(db: StandardDatabase, batch: str) -> None:
    inventory = db.replication.inventory(batch)
    assert set(inventory) == {"collections", "properties", "state", "tick", "views"}
    assert names(inventory["collections"]) == COLLECTIONS
    assert inventory["views"] == []
    assert inventory["properties"]["name"] == db.name
    assert inventory["properties"]["system"] is False
    assert set(inventory["state"]) == {
        "running",
        "last_log_tick",
        "last_uncommitted_log_tick",
        "total_events",
        "time",
    }
    documents, edges = inventory["collections"][2:]
    assert (documents["parameters"]["edge"], edges["parameters"]["edge"]) == (False, True)
    (index,) = documents["indexes"]
    assert (index["type"], index["fields"], index["unique"]) == ("persistent", ["n"], True)
    assert edges["indexes"] == []


@pytest.mark.parametrize(
    ("include", "shown"), [(True, COLLECTIONS), (False, ["c", "e"]), (None, COLLECTIONS)]
)
def test_system_collections(
    db: StandardDatabase, batch: str, include: bool | None, shown: list[str]
) -> None:
    inventory = db.replication.inventory(batch, include_system=include, all_databases=False)
    assert names(inventory["collections"]) == shown


def test_the_inventory_of_all_databases(
    db: StandardDatabase, system: StandardDatabase, batch: str
) -> None:
    inventory = system.replication.inventory(batch, all_databases=True)
    assert set(inventory) == {"databases", "state", "tick"}
    assert set(inventory["databases"]) == {"_system", db.name}
    mine = inventory["databases"][db.name]
    assert set(mine) == {"id", "name", "properties", "collections", "views"}
    assert names(mine["collections"]) == COLLECTIONS
    with pytest.raises(ReplicationInventoryError) as caught:
        db.replication.inventory(batch, all_databases=True)
    assert refusal(caught.value) == (403, 11)


def test_an_inventory_needs_a_batch(db: StandardDatabase) -> None:
    with pytest.raises(ReplicationInventoryError) as caught:
        db.replication.inventory("nonsense")
    assert refusal(caught.value) == (404, 1600)


def test_the_inventory_of_a_cluster(server: ServerThread, db: StandardDatabase, batch: str) -> None:
    """The client expects an object and makes one without members of the published array."""
    assert db.replication.cluster_inventory(include_system=False) == {}
    with Api(server.url, db.name) as api:
        query = {"includeSystem": "0"}
        raw = api.get("/_api/replication/clusterInventory", **query).json()
        inventory = api.get("/_api/replication/inventory", batchId=batch, **query).json()
    assert isinstance(raw, list)
    assert raw == inventory["collections"]
    assert names(raw) == ["c", "e"]


# -- dump ----------------------------------------------------------------------------------------


def test_a_dump_chunk_by_chunk(db: StandardDatabase, batch: str) -> None:
    keys: list[str] = []
    included: list[int] = []
    while True:
        answer = db.replication.dump("c", batch_id=batch, chunk_size=300, deserialize=True)
        assert set(answer) == {"check_more", "last_included", "content"}
        (lines,) = answer["content"]  # the client puts its list into another one
        assert all(line["type"] == 2300 for line in lines)
        keys += [line["key"] for line in lines]
        included.append(int(answer["last_included"]))
        if not answer["check_more"]:
            break
    assert keys == [f"k{number}" for number in range(10)]
    assert len(included) > 2
    assert included == sorted(set(included))


def test_a_dump_as_text(db: StandardDatabase, batch: str) -> None:
    answer = db.replication.dump("e", batch_id=batch)
    (text,) = answer["content"]
    line = json.loads(text)
    assert (line["data"]["_from"], line["data"]["_to"]) == ("c/k1", "c/k2")
    assert answer["check_more"] is False


def test_a_dump_of_nothing(db: StandardDatabase) -> None:
    db.create_collection("empty")
    batch = db.replication.create_dump_batch()["id"]
    answer = db.replication.dump("empty", batch_id=batch, deserialize=True)
    assert answer == {"check_more": False, "last_included": "0", "content": [[]]}


@pytest.mark.parametrize(
    ("collection", "with_batch", "expected"),
    [("nowhere", True, (404, 1203)), ("c", False, (404, 400)), ("c", None, (404, 1600))],
)
def test_what_a_dump_refuses(
    db: StandardDatabase,
    batch: str,
    collection: str,
    with_batch: bool | None,
    expected: tuple[int, int],
) -> None:
    batch_id = {True: batch, False: None, None: "123"}[with_batch]
    with pytest.raises(ReplicationDumpError) as caught:
        db.replication.dump(collection, batch_id=batch_id)
    assert refusal(caught.value) == expected


# -- logger --------------------------------------------------------------------------------------


def test_the_state_of_the_logger(db: StandardDatabase) -> None:
    db.wal.tail(server_id=5, client_info="me")
    state = db.replication.logger_state()
    assert set(state) == {"state", "server", "clients"}
    assert state["state"]["running"] is True
    assert state["state"]["last_log_tick"] == db.wal.last_tick()["tick"]
    assert state["state"]["total_events"] == int(state["state"]["last_log_tick"])
    assert set(state["server"]) == {"version", "server_id"}
    assert [client["clientInfo"] for client in state["clients"]] == ["me"]


def test_the_first_tick(db: StandardDatabase) -> None:
    with pytest.warns(DeprecationWarning, match="logger-first-tick"):
        first = db.replication.logger_first_tick()
    assert first == db.wal.tick_ranges()["tick_min"]


def test_the_server_id(db: StandardDatabase) -> None:
    with pytest.warns(DeprecationWarning, match="server-id"):
        server_id = db.replication.server_id()
    assert server_id == db.replication.logger_state()["server"]["server_id"]


# -- wal -----------------------------------------------------------------------------------------


def test_ticks(db: StandardDatabase) -> None:
    ranges = db.wal.tick_ranges()
    assert set(ranges) == {"time", "tick_min", "tick_max", "server"}
    last = db.wal.last_tick()
    assert set(last) == {"time", "tick", "server"}
    assert ranges["tick_max"] == last["tick"]
    assert ranges["server"] == last["server"]
    assert int(ranges["tick_min"]) < int(ranges["tick_max"])


def test_a_tail_with_every_parameter(db: StandardDatabase) -> None:
    before = db.wal.last_tick()["tick"]
    db.collection("c").insert({"_key": "new", "n": 100})
    last = db.wal.last_tick()["tick"]
    answer = db.wal.tail(
        lower=before,
        upper=last,
        last_scanned=before,
        all_databases=False,
        chunk_size=1_000_000,
        syncer_id=7,
        server_id=8,
        client_info="tester",
        barrier_id=9,
        deserialize=True,
    )
    (marker,) = answer.pop("content")
    assert (marker["type"], marker["data"]["_key"]) == (2300, "new")
    assert answer == {
        "check_more": False,
        "from_present": True,
        "last_included": last,
        "last_scanned": last,
        "last_tick": last,
    }


def test_a_tail_as_text_and_an_empty_one(db: StandardDatabase) -> None:
    text = db.wal.tail()["content"]
    assert [json.loads(line)["type"] for line in text.splitlines()][:2] == [1100, 2000]
    last = db.wal.last_tick()["tick"]
    assert db.wal.tail(lower=last, deserialize=True) == {
        "check_more": False,
        "from_present": True,
        "last_included": "0",
        "last_scanned": last,
        "last_tick": last,
        "content": [],
    }


def test_a_tail_of_all_databases(db: StandardDatabase, system: StandardDatabase) -> None:
    lines = system.wal.tail(all_databases=True, deserialize=True)["content"]
    assert {line["db"] for line in lines} >= {"_system", db.name}
    with pytest.raises(WALTailError) as caught:
        db.wal.tail(all_databases=True)
    assert refusal(caught.value) == (403, 11)


def test_transactions_and_flush(db: StandardDatabase) -> None:
    assert db.wal.flush(sync=True, garbage_collect=True) is True
    assert db.wal.flush() is True
    with pytest.warns(DeprecationWarning, match="transactions"):
        transactions = db.wal.transactions()
    assert transactions == {"count": 0, "last_collected": None, "last_sealed": None}


def test_properties_are_of_another_engine(db: StandardDatabase) -> None:
    with (
        pytest.warns(DeprecationWarning, match="properties"),
        pytest.raises(WALPropertiesError) as read,
    ):
        db.wal.properties()
    with (
        pytest.warns(DeprecationWarning, match="properties"),
        pytest.raises(WALConfigureError) as written,
    ):
        db.wal.configure(log_size=1)
    for caught in (read, written):
        assert refusal(caught.value) == (501, 9)


# -- a whole copy --------------------------------------------------------------------------------


def test_a_copy_by_dump_and_tail(db: StandardDatabase) -> None:
    """What a script with this client does: copy a collection and keep the copy fresh."""
    created = db.replication.create_dump_batch(ttl=60)
    collection = db.collection("c")
    collection.delete("k3")
    collection.update({"_key": "k4", "n": 400})
    collection.insert_many([{"_key": "new", "n": 1000}, {"_key": "k5", "n": 5}])
    (lines,) = db.replication.dump("c", batch_id=created["id"], deserialize=True)["content"]
    copy = {line["key"]: line["data"] for line in lines}
    assert sorted(copy) == [f"k{number}" for number in range(10)]
    for marker in db.wal.tail(lower=created["last_tick"], deserialize=True)["content"]:
        if marker["type"] == 2300:
            copy[marker["data"]["_key"]] = marker["data"]
        elif marker["type"] == 2302:
            del copy[marker["data"]["_key"]]
    assert copy == {document["_key"]: document for document in collection.get_many([*copy])}
    assert len(copy) == collection.count() == 10
    assert db.replication.delete_dump_batch(created["id"])
