"""`GET /_api/replication/inventory` and `clusterInventory` (leader-api 3)."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.server import Api, ServerThread, error_of
from support.timed import TimedServer

from arangorep.clock import iso_time
from arangorep.config import Config
from arangorep.data.collections import create_collection

SYSTEM_NAMES = ["_analyzers", "_graphs"]
"""What every new database has."""


def inventory(api: Api, **params: Any) -> dict[str, Any]:
    """The inventory at a new batch, which is deleted at once."""
    batch = api.create_batch()
    response = api.get("/_api/replication/inventory", batchId=batch, **params)
    assert response.status_code == 200, response.text
    assert api.delete(f"/_api/replication/batch/{batch}").status_code == 204
    return response.json()


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["parameters"]["name"] for entry in entries]


# -- shape ---------------------------------------------------------------------------------------


def test_the_answer_of_one_database(timed: TimedServer) -> None:
    api = timed.api
    api.create_collection("c")
    batch = api.post("/_api/replication/batch", {}).json()
    api.insert("c", {})
    answer = api.get("/_api/replication/inventory", batchId=batch["id"]).json()
    assert list(answer) == ["properties", "collections", "views", "state", "tick"]
    assert answer["properties"] == {
        "id": api.get("/_api/database/current").json()["result"]["id"],
        "name": api.database,
        "isSystem": False,
        "sharding": "",
        "replicationFactor": 1,
        "writeConcern": 1,
        "replicationVersion": "1",
    }
    assert answer["views"] == []
    assert answer["state"] == {
        "running": True,
        "lastLogTick": batch["lastTick"],
        "lastUncommittedLogTick": batch["lastTick"],
        "totalEvents": int(batch["lastTick"]),
        "time": iso_time(timed.clock.wall_us()),
    }
    # the server's tick, not the log's: ids that were handed out count
    assert int(answer["tick"]) >= int(api.get("/_api/wal/lastTick").json()["tick"])
    assert int(answer["tick"]) >= int(batch["id"])


def test_the_system_database_says_so(system: Api) -> None:
    properties = inventory(system)["properties"]
    assert (properties["id"], properties["name"], properties["isSystem"]) == ("1", "_system", True)


def test_parameters_are_complete(api: Api) -> None:
    created = api.create_collection("c")
    server_id = int(api.get("/_api/replication/server-id").json()["serverId"])
    (entry,) = inventory(api, collection="c")["collections"]
    assert list(entry) == ["indexes", "parameters"]
    assert entry["indexes"] == []
    assert entry["parameters"] == {
        "id": created["id"],
        "cid": created["id"],
        "planId": created["id"],
        "name": "c",
        "globallyUniqueId": f"h{server_id:X}/{created['id']}",
        "type": 2,
        "status": 3,
        "version": entry["parameters"]["version"],
        "deleted": False,
        "isSystem": False,
        "waitForSync": False,
        "allowUserKeys": True,
        "cacheEnabled": False,
        "keyOptions": {"type": "traditional", "allowUserKeys": True, "lastValue": 0},
        "schema": None,
        "computedValues": None,
        "internalValidatorType": 0,
        "isDisjoint": False,
        "isSmart": False,
        "isSmartChild": False,
        "usesRevisionsAsDocumentIds": True,
        "syncByRevision": True,
        "minReplicationFactor": 1,
        "writeConcern": 1,
        "replicationFactor": 1,
        "numberOfShards": 1,
        "shardKeys": ["_key"],
        "shards": {},
    }
    assert isinstance(entry["parameters"]["version"], int)


SCHEMA = {"rule": {"type": "object"}, "level": "none", "message": "m", "type": "json"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"type": 3}, {"type": 3}),
        ({"waitForSync": True}, {"waitForSync": True}),
        ({"cacheEnabled": True}, {"cacheEnabled": True}),
        ({"schema": SCHEMA}, {"schema": SCHEMA}),
        (
            {"syncByRevision": False},
            {"syncByRevision": False, "usesRevisionsAsDocumentIds": False},
        ),
        (
            {"keyOptions": {"type": "autoincrement", "offset": 7, "increment": 3}},
            {
                "keyOptions": {
                    "type": "autoincrement",
                    "allowUserKeys": True,
                    "offset": 7,
                    "increment": 3,
                    "lastValue": 7,
                }
            },
        ),
        (
            {"keyOptions": {"type": "uuid", "allowUserKeys": False}},
            {"allowUserKeys": False, "keyOptions": {"type": "uuid", "allowUserKeys": False}},
        ),
    ],
)
def test_parameters_are_those_of_the_collection(
    api: Api, given: dict[str, Any], shown: dict[str, Any]
) -> None:
    api.create_collection("c", **given)
    api.insert("c", {"_from": "c/1", "_to": "c/2"})
    (entry,) = inventory(api, collection="c")["collections"]
    assert {name: entry["parameters"][name] for name in shown} == shown


def test_parameters_follow_changes(api: Api) -> None:
    api.create_collection("before")
    guid = inventory(api, collection="before")["collections"][0]["parameters"]["globallyUniqueId"]
    api.put("/_api/collection/before/properties", {"waitForSync": True})
    api.put("/_api/collection/before/rename", {"name": "after"})
    (entry,) = inventory(api, collection="after")["collections"]
    assert entry["parameters"]["waitForSync"] is True
    assert entry["parameters"]["globallyUniqueId"] == guid


def test_the_globally_unique_id_of_a_system_collection_is_its_name(api: Api) -> None:
    for entry in inventory(api)["collections"]:
        assert entry["parameters"]["globallyUniqueId"] == entry["parameters"]["name"]
        assert entry["parameters"]["isSystem"] is True


INDEXES: list[dict[str, Any]] = [
    {"type": "persistent", "fields": ["a", "b.c"], "name": "p", "unique": True, "sparse": True},
    {"type": "hash", "fields": ["h"], "name": "h"},
    {"type": "ttl", "fields": ["t"], "expireAfter": 60, "name": "t"},
    {"type": "geo", "fields": ["g"], "geoJson": True, "name": "g"},
    {"type": "fulltext", "fields": ["f"], "minLength": 4, "name": "f"},
    {"type": "inverted", "fields": ["i"], "name": "i"},
]


def test_indexes_are_listed_with_bare_ids_and_without_built_in_ones(api: Api) -> None:
    api.create_collection("e", type=3)
    ids = {}
    for definition in INDEXES:
        response = api.post("/_api/index", definition, collection="e")
        assert response.status_code == 201, response.text
        ids[definition["name"]] = response.json()["id"].partition("/")[2]
    (entry,) = inventory(api, collection="e")["collections"]
    assert [index["name"] for index in entry["indexes"]] == [d["name"] for d in INDEXES]
    for index, definition in zip(entry["indexes"], INDEXES, strict=True):
        assert index["id"] == ids[definition["name"]]
        expected = {**definition, "fields": index["fields"]}
        assert {name: index[name] for name in definition} == expected
        assert isinstance(index["unique"], bool)
        assert isinstance(index["sparse"], bool)
        assert not {"objectId", "selectivityEstimate", "isNewlyCreated"} & set(index)
    assert entry["indexes"][0]["fields"] == ["a", "b.c"]


def test_a_dropped_index_is_gone(api: Api) -> None:
    api.create_collection("c")
    index = api.post("/_api/index", {"type": "persistent", "fields": ["a"]}, collection="c")
    assert len(inventory(api, collection="c")["collections"][0]["indexes"]) == 1
    assert api.delete(f"/_api/index/{index.json()['id']}").status_code == 200
    assert inventory(api, collection="c")["collections"][0]["indexes"] == []


# -- which collections, in which order -----------------------------------------------------------


def test_documents_come_before_edges_and_names_ascend_bytewise(api: Api) -> None:
    for name, kind in [("b", 2), ("a", 3), ("B", 2), ("é", 2), ("a", 2), ("Z", 3), ("z", 2)]:
        api.post("/_api/collection", {"name": name, "type": kind})
    api.create_collection("zz", type=3)
    listed = inventory(api, includeSystem="false")["collections"]
    assert names(listed) == ["B", "b", "z", "é", "Z", "a", "zz"]
    assert [entry["parameters"]["type"] for entry in listed] == [2, 2, 2, 2, 3, 3, 3]


ALL_NAMES = [
    "_apps",
    "_jobs",
    "_queues",
    "_routing",
    "_statistics",
    "_statistics15",
    "_users2",
    "c",
]


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({}, [*SYSTEM_NAMES, "_apps", "_users2", "c"]),
        ({"includeSystem": "true"}, [*SYSTEM_NAMES, "_apps", "_users2", "c"]),
        ({"includeSystem": "1"}, [*SYSTEM_NAMES, "_apps", "_users2", "c"]),
        ({"includeSystem": "nonsense"}, ["c"]),
        ({"includeSystem": "false"}, ["c"]),
        (
            {"includeFoxxQueues": "true"},
            [*SYSTEM_NAMES, "_apps", "_jobs", "_queues", "_users2", "c"],
        ),
    ],
)
def test_system_collections_are_filtered(
    api: Api, params: dict[str, str], shown: list[str]
) -> None:
    for name in ALL_NAMES:
        api.create_collection(name, isSystem=name.startswith("_"))
    assert names(inventory(api, **params)["collections"]) == sorted(shown)


def test_includesystem_false_drops_foxx_queues_too(api: Api) -> None:
    for name in ALL_NAMES:
        api.create_collection(name, isSystem=name.startswith("_"))
    answer = inventory(api, includeSystem="false", includeFoxxQueues="true")
    assert names(answer["collections"]) == ["c"]


def test_the_list_shows_the_present_not_the_snapshot(api: Api) -> None:
    for name in ("dropped", "renamed"):
        api.create_collection(name)
    batch = api.create_batch()
    api.delete("/_api/collection/dropped")
    api.put("/_api/collection/renamed/rename", {"name": "new-name"})
    api.create_collection("created")
    answer = api.get("/_api/replication/inventory", batchId=batch, includeSystem="false").json()
    assert names(answer["collections"]) == ["created", "new-name"]


@pytest.mark.parametrize("by", ["name", "id", "globallyUniqueId"])
def test_one_collection_by_name_id_or_guid(api: Api, by: str) -> None:
    created = api.create_collection("c")
    api.create_collection("d")
    answer = inventory(api, collection=created[by])
    assert list(answer) == ["collections", "views", "state", "tick"]
    assert names(answer["collections"]) == ["c"]


def test_system_filters_do_not_apply_to_one_collection(api: Api) -> None:
    api.create_collection("_statistics", isSystem=True)
    answer = inventory(api, collection="_statistics", includeSystem="false")
    assert names(answer["collections"]) == ["_statistics"]


def test_one_unknown_collection_is_an_empty_list(api: Api) -> None:
    assert inventory(api, collection="nowhere")["collections"] == []


# -- global --------------------------------------------------------------------------------------


def test_global_lists_every_database(server: ServerThread, system: Api, api: Api) -> None:
    api.create_collection("c")
    with server.fresh_database("gone"):
        pass
    answer = inventory(system, **{"global": "true"}, collection="ignored", includeSystem="false")
    assert list(answer) == ["databases", "state", "tick"]
    assert set(answer["databases"]) == {"_system", api.database}
    for name, database in answer["databases"].items():
        assert list(database) == ["id", "name", "properties", "collections", "views"]
        assert database["name"] == database["properties"]["name"] == name
        assert database["id"] == database["properties"]["id"]
        assert database["views"] == []
    assert names(answer["databases"][api.database]["collections"]) == ["c"]


def test_global_applies_the_filters_in_every_database(system: Api, api: Api) -> None:
    api.create_collection("_jobs", isSystem=True)
    for params, shown in [
        ({}, SYSTEM_NAMES),
        ({"includeFoxxQueues": "true"}, [*SYSTEM_NAMES, "_jobs"]),
        ({"includeSystem": "false"}, []),
    ]:
        databases = inventory(system, **{"global": "1"}, **params)["databases"]
        assert names(databases[api.database]["collections"]) == sorted(shown)


def test_global_is_only_for_the_system_database(api: Api) -> None:
    query = {"batchId": api.create_batch(), "global": "true"}
    assert error_of(api.get("/_api/replication/inventory", **query)) == (403, 11)
    assert api.get("/_api/replication/inventory", **{**query, "global": "no"}).ok


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{}, {"batchId": "77"}, {"batchId": "x"}, {"collection": "c"}])
def test_a_known_batch_is_needed(api: Api, params: dict[str, str]) -> None:
    assert error_of(api.get("/_api/replication/inventory", **params)) == (404, 1600)


# -- clusterInventory ----------------------------------------------------------------------------


def test_cluster_inventory_is_the_published_array(api: Api) -> None:
    api.create_collection("c")
    api.post("/_api/index", {"type": "persistent", "fields": ["a"]}, collection="c")
    response = api.get("/_api/replication/clusterInventory", includeSystem="false")
    assert response.status_code == 200
    assert response.json() == inventory(api, collection="c")["collections"]
    everything = api.get("/_api/replication/clusterInventory").json()
    assert everything == inventory(api)["collections"]


# -- many ----------------------------------------------------------------------------------------

MANY = 10_000


def test_ten_thousand_collections_in_one_inventory(tmp_path: Path) -> None:
    with (
        ServerThread(Config(tmp_path / "data", port=0)) as server,
        Api(server.url, "_system") as system,
    ):
        store = server.server.node.store

        def create(numbers: range) -> None:
            database = store.catalog.database("_system")
            for number in numbers:
                create_collection(store, database, {"name": f"c{number:05}"})

        for start in range(0, MANY, 1000):
            server.call(partial(create, range(start, start + 1000)))
        batch = system.create_batch()
        response = system.get("/_api/replication/inventory", batchId=batch, includeSystem="false")
        listed = response.json()["collections"]
        assert names(listed) == [f"c{number:05}" for number in range(MANY)]
        assert len({entry["parameters"]["id"] for entry in listed}) == MANY
        assert len(set(map(len, map(json.dumps, listed)))) < 10
        cluster = system.get("/_api/replication/clusterInventory", includeSystem="false").json()
        assert cluster == listed
        assert re.fullmatch(r"h[0-9A-F]+/\d+", listed[-1]["parameters"]["globallyUniqueId"])
