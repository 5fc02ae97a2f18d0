"""Collections: create, describe, change, truncate, rename, drop (data-api 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.server import Api, ServerThread, error_of

from arangorep.config import Config

BASE = {"id", "name", "status", "type", "isSystem", "globallyUniqueId", "error", "code"}

PROPERTIES = BASE | {
    *("waitForSync", "syncByRevision", "usesRevisionsAsDocumentIds", "isSmartChild"),
    *("cacheEnabled", "schema", "computedValues", "keyOptions", "internalValidatorType"),
    *("objectId", "statusString", "writeConcern"),
}

SCHEMA = {
    "rule": {"properties": {"n": {"type": "number"}}, "required": ["n"]},
    "level": "moderate",
    "message": "n is not a number",
    "type": "json",
}


def collection_names(api: Api, **params: Any) -> list[str]:
    listed = api.get("/_api/collection", **params).json()["result"]
    return sorted(entry["name"] for entry in listed)


# -- create --------------------------------------------------------------------------------------


def test_a_new_collection_shows_its_defaults(api: Api) -> None:
    answer = api.post("/_api/collection", {"name": "c"})
    assert answer.status_code == 200
    assert "location" not in answer.headers
    properties = answer.json()
    assert set(properties) == PROPERTIES
    collection_id = properties.pop("id")
    assert collection_id.isdigit()
    assert properties.pop("objectId").isdigit()
    guid = properties.pop("globallyUniqueId")
    server_id = api.get("/_api/replication/server-id").json()["serverId"]
    assert guid == f"h{int(server_id):X}/{collection_id}"
    assert properties == {
        "error": False,
        "code": 200,
        "name": "c",
        "status": 3,
        "statusString": "loaded",
        "type": 2,
        "isSystem": False,
        "waitForSync": False,
        "syncByRevision": True,
        "usesRevisionsAsDocumentIds": True,
        "isSmartChild": False,
        "cacheEnabled": False,
        "schema": None,
        "computedValues": None,
        "keyOptions": {"allowUserKeys": True, "type": "traditional", "lastValue": 0},
        "internalValidatorType": 0,
        "writeConcern": 1,
    }


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ({"type": 3}, {"type": 3}),
        ({"type": "edge"}, {"type": 3}),
        ({"type": "document"}, {"type": 2}),
        ({"type": 7}, {"type": 2}),
        ({"type": "graph"}, {"type": 2}),
        ({"type": None}, {"type": 2}),
        ({"waitForSync": True}, {"waitForSync": True}),
        ({"waitForSync": "yes"}, {"waitForSync": False}),
        ({"cacheEnabled": True}, {"cacheEnabled": True}),
        ({"syncByRevision": False}, {"syncByRevision": False, "usesRevisionsAsDocumentIds": False}),
        ({"schema": SCHEMA}, {"schema": SCHEMA}),
        (
            {"schema": {"rule": {}}},
            {"schema": {**SCHEMA, "rule": {}, "level": "strict", "message": ""}},
        ),
        ({"schema": {}}, {"schema": None}),
        ({"schema": None}, {"schema": None}),
        ({"computedValues": []}, {"computedValues": None}),
        ({"computedValues": None}, {"computedValues": None}),
        (
            {"keyOptions": {"type": "AutoIncrement", "increment": 3, "offset": 11}},
            {
                "keyOptions": {
                    "type": "autoincrement",
                    "allowUserKeys": True,
                    "lastValue": 0,
                    "increment": 3,
                    "offset": 11,
                }
            },
        ),
        (
            {"keyOptions": {"type": "uuid", "allowUserKeys": False}},
            {"keyOptions": {"type": "uuid", "allowUserKeys": False}},
        ),
        (
            {"keyOptions": {"type": "padded", "lastValue": 77}},
            {"keyOptions": {"type": "padded", "allowUserKeys": True, "lastValue": 77}},
        ),
        (
            {"keyOptions": "padded"},
            {"keyOptions": {"type": "traditional", "allowUserKeys": True, "lastValue": 0}},
        ),
    ],
)
def test_attributes_are_stored(api: Api, attributes: dict[str, Any], shown: dict[str, Any]) -> None:
    created = api.create_collection("c", **attributes)
    assert shown.items() <= created.items()
    assert api.get("/_api/collection/c/properties").json() == created
    [listed] = [c for c in api.get("/_api/collection").json()["result"] if c["name"] == "c"]
    assert listed == {name: created[name] for name in BASE - {"error", "code"}}


@pytest.mark.parametrize(
    "attributes",
    [
        {"numberOfShards": 3, "replicationFactor": 2, "minReplicationFactor": 1, "writeConcern": 2},
        {"replicationFactor": "satellite", "shardKeys": ["a"], "shardingStrategy": "hash"},
        {"isSmart": True, "smartGraphAttribute": "x", "distributeShardsLike": "y"},
        {"isVolatile": True, "journalSize": 1, "indexBuckets": 8, "doCompact": False},
        {"status": 1, "statusString": "new", "objectId": "1", "version": 1, "deleted": True},
        {"id": "4711", "globallyUniqueId": "mine", "internalValidatorType": 1, "unknown": {}},
        {"indexes": [{"type": "persistent", "fields": ["a"]}], "shards": {}},
    ],
)
def test_attributes_of_clusters_and_old_versions_are_dropped(
    api: Api, attributes: dict[str, Any]
) -> None:
    plain = api.create_collection("plain")
    created = api.create_collection("c", **attributes)
    own = {"id", "objectId", "name", "globallyUniqueId"}
    assert {k: v for k, v in created.items() if k not in own} == {
        k: v for k, v in plain.items() if k not in own
    }
    assert created["id"] != "4711"
    assert created["globallyUniqueId"] != "mine"
    assert len(api.get("/_api/index", collection="c").json()["indexes"]) == 1


def test_query_parameters_of_clusters_have_no_effect(api: Api) -> None:
    params = {"waitForSyncReplication": 0, "enforceReplicationFactor": 0}
    assert api.post("/_api/collection", {"name": "c"}, **params).status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "A-b_9",
        "x" * 256,
        "é" * 128,
        "maçã",
        "mötör",
        "😀",
        "مجموعة",
        "コレクション",
        "with blank",
        'quo"ted',
        "back\\slash",
        "per%cent",
        "a.b",
        "a?b#c&d",
    ],
)
def test_names(api: Api, name: str) -> None:
    created = api.create_collection(name)
    assert created["name"] == name
    path = f"/_api/collection/{quote(name, safe='')}"
    assert api.get(path).json()["id"] == created["id"]
    inserted = api.insert(name, {"_key": "k"})
    assert inserted["_id"] == f"{name}/k"
    document = api.get(f"/_api/document/{quote(name, safe='')}/k")
    assert document.json()["_id"] == f"{name}/k"
    counted = api.get(f"{path}/count")
    assert counted.json()["count"] == 1
    assert counted.headers["location"] == f"/_db/{api.database}{path}/count"
    assert error_of(api.post("/_api/collection", {"name": name})) == (409, 1207)
    assert api.delete(path).json()["id"] == created["id"]


def test_a_name_is_normalized_when_created(api: Api) -> None:
    assert api.create_collection("cafe\u0301")["name"] == "caf\u00e9"
    assert error_of(api.post("/_api/collection", {"name": "caf\u00e9"})) == (409, 1207)


def test_a_system_collection_has_a_leading_underscore_and_its_name_as_guid(api: Api) -> None:
    created = api.create_collection("_mine", isSystem=True)
    assert created["isSystem"] is True
    assert created["globallyUniqueId"] == "_mine"
    assert error_of(api.post("/_api/collection", {"name": "_yours"})) == (400, 1208)
    body = {"name": "yours", "isSystem": True}
    assert error_of(api.post("/_api/collection", body)) == (400, 1208)


# -- read ----------------------------------------------------------------------------------------


def test_the_list(api: Api) -> None:
    for name in ("b", "a"):
        api.create_collection(name)
    assert collection_names(api) == ["_analyzers", "_graphs", "a", "b"]
    assert collection_names(api, excludeSystem="false") == ["_analyzers", "_graphs", "a", "b"]
    assert collection_names(api, excludeSystem="true") == ["a", "b"]


def test_a_collection_is_found_by_name_id_and_guid(api: Api) -> None:
    created = api.create_collection("c")
    api.insert("c", {"_key": "k"})
    base = {name: created[name] for name in BASE}
    for text in ("c", created["id"], created["globallyUniqueId"]):
        path = f"/_api/collection/{quote(text, safe='')}"
        assert api.get(path).json() == base
        assert api.get(f"{path}/count").json()["count"] == 1
        assert api.get(f"/_api/document/{quote(text, safe='')}/k").json()["_id"] == "c/k"


def test_counts_and_figures(api: Api) -> None:
    properties = api.create_collection("c")
    api.insert("c", [{"_key": str(n)} for n in range(5)])
    api.delete("/_api/document/c/3")
    api.post("/_api/index", {"type": "persistent", "fields": ["a"]}, collection="c")
    properties["keyOptions"]["lastValue"] = 4
    assert api.get("/_api/collection/c/count").json() == {**properties, "count": 4}
    figures = api.get("/_api/collection/c/figures").json()
    assert set(figures.pop("figures")) == {
        *("indexes", "documentsSize", "cacheInUse", "cacheSize", "cacheUsage"),
    }
    assert figures == {**properties, "count": 4}
    details = api.get("/_api/collection/c/figures", details="true").json()["figures"]
    assert details["indexes"]["count"] == 2
    assert details["engine"]["documents"] == 4
    assert [index["type"] for index in details["engine"]["indexes"]] == ["primary", "persistent"]


def test_the_revision_moves_with_every_write(api: Api) -> None:
    api.create_collection("c")

    def revision() -> str:
        answer = api.get("/_api/collection/c/revision").json()
        assert set(answer) == PROPERTIES | {"revision"}
        return answer["revision"]

    seen = [revision()]
    for write in (
        lambda: api.insert("c", {"_key": "k"}),
        lambda: api.patch("/_api/document/c/k", {"n": 1}),
        lambda: api.put("/_api/document/c/k", {"n": 2}),
        lambda: api.delete("/_api/document/c/k"),
        lambda: api.insert("c", [{"_key": "k"}, {"_key": "l"}]),
        lambda: api.put("/_api/collection/c/truncate"),
    ):
        assert revision() == seen[-1]
        write()
        seen.append(revision())
    assert len(set(seen)) == len(seen)
    assert all(isinstance(text, str) and text for text in seen)


def checksum(api: Api, **params: Any) -> str:
    answer = api.get("/_api/collection/c/checksum", **params).json()
    assert set(answer) == BASE | {"revision", "checksum"}
    return answer["checksum"]


@pytest.mark.parametrize(
    ("key", "with_data", "expected"),
    [
        ("70110", False, "9836063817044160056"),
        ("70128", True, "17800770730844203714"),
        ("68188", False, "17280409625463707261"),
        ("68197", True, "3607295829036387123"),
    ],
)
def test_checksums_of_a_real_server(api: Api, key: str, with_data: bool, expected: str) -> None:
    api.create_collection("c")
    assert checksum(api, withData=with_data) == "0"
    api.insert("c", {"_key": key, "foo": "bar"})
    assert checksum(api, withData=with_data) == expected


def test_a_checksum_depends_on_what_is_asked_for(api: Api) -> None:
    api.create_collection("c")
    documents = [{"_key": str(n), "foo": {"n": n, "list": [n, None, True]}} for n in range(2500)]
    api.insert("c", documents)
    plain, revisions, data = (
        checksum(api),
        checksum(api, withRevisions=1),
        checksum(api, withData=1),
    )
    assert len({plain, revisions, data, checksum(api, withRevisions=1, withData=1)}) == 4
    assert checksum(api, withRevision=1) == plain  # what python-arango sends
    api.patch("/_api/document/c/7", {"foo": {"n": -7}})
    assert checksum(api) == plain
    assert checksum(api, withRevisions=1) != revisions
    assert checksum(api, withData=1) != data
    api.patch("/_api/document/c/7", {"foo": {"n": 7}})
    assert checksum(api, withData=1) == data
    api.put("/_api/collection/c/truncate")
    assert checksum(api) == "0"
    api.insert("c", list(reversed(documents)))
    assert checksum(api, withData=1) == data


# -- change --------------------------------------------------------------------------------------


def test_properties_that_can_be_changed(api: Api) -> None:
    before = api.create_collection("c")
    changes = {"waitForSync": True, "cacheEnabled": True, "schema": SCHEMA}
    answer = api.put(
        "/_api/collection/c/properties", {**changes, "name": "d", "type": 3, "id": "1"}
    )
    assert answer.status_code == 200
    assert answer.json() == {**before, **changes}
    assert answer.headers["location"] == f"/_db/{api.database}/_api/collection/c/properties"
    assert api.get("/_api/collection/c/properties").json() == answer.json()
    for nothing in ({}, None):
        cleared = api.put("/_api/collection/c/properties", {"schema": nothing}).json()
        assert cleared == {**before, "waitForSync": True, "cacheEnabled": True}
    ignored = {"waitForSync": "no", "cacheEnabled": 0, "replicationFactor": 3, "writeConcern": 5}
    assert api.put("/_api/collection/c/properties", ignored).json() == cleared


@pytest.mark.parametrize(
    ("word", "body", "with_count"),
    [
        ("load", None, True),
        ("load", {"count": True}, True),
        ("load", {"count": False}, False),
        ("unload", None, False),
        ("compact", None, False),
    ],
)
def test_what_only_old_servers_did(
    api: Api, word: str, body: dict[str, bool] | None, with_count: bool
) -> None:
    api.create_collection("c")
    api.insert("c", {})
    answer = api.put(f"/_api/collection/c/{word}", body).json()
    assert answer.pop("count", None) == (1 if with_count else None)
    assert answer == api.get("/_api/collection/c").json()


def test_actions_that_only_confirm(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", [{}, {}])
    done = {"error": False, "code": 200, "result": True}
    assert api.put("/_api/collection/c/loadIndexesIntoMemory").json() == done
    assert api.put("/_api/collection/c/recalculateCount").json() == {**done, "count": 2}


def test_truncate_removes_documents_and_nothing_else(api: Api) -> None:
    created = api.create_collection("c", keyOptions={"type": "autoincrement"})
    unique = {"type": "persistent", "fields": ["n"], "unique": True}
    api.post("/_api/index", unique, collection="c")
    api.insert("c", [{"n": n} for n in range(5)])
    answer = api.put("/_api/collection/c/truncate")
    assert answer.status_code == 200
    assert answer.json() == {name: created[name] for name in BASE}
    assert api.get("/_api/collection/c/count").json()["count"] == 0
    assert error_of(api.get("/_api/document/c/1")) == (404, 1202)
    again = api.insert("c", [{"n": n} for n in range(5)])
    assert [item["_key"] for item in again] == ["6", "7", "8", "9", "10"]
    assert error_of(api.post("/_api/document/c", {"n": 3})) == (409, 1210)


def test_truncate_of_an_empty_collection_writes_nothing(api: Api, server: ServerThread) -> None:
    def last_tick() -> int:
        return server.call(lambda: server.server.node.store.log.last_tick)

    api.create_collection("c")
    before = last_tick()
    assert api.put("/_api/collection/c/truncate", waitForSync=True, compact=False).ok
    assert last_tick() == before


# -- rename --------------------------------------------------------------------------------------


def test_a_renamed_collection_keeps_everything_but_its_name(api: Api) -> None:
    created = api.create_collection("old")
    api.insert("old", [{"_key": "a", "n": 1}, {"_key": "b", "n": 2}])
    index = {"type": "persistent", "fields": ["n"], "unique": True, "name": "by_n"}
    api.post("/_api/index", index, collection="old")
    before = api.get("/_api/document/old/a").json()
    answer = api.put("/_api/collection/old/rename", {"name": "nëw"})
    assert answer.json() == {**{name: created[name] for name in BASE}, "name": "nëw"}
    assert error_of(api.get("/_api/collection/old")) == (404, 1203)
    assert error_of(api.get("/_api/document/old/a")) == (404, 1203)
    new = quote("nëw")
    renamed = {**before, "_id": "nëw/a"}
    assert api.get(f"/_api/document/{new}/a").json() == renamed
    assert api.put(f"/_api/document/{new}", ["a", "old/b"], onlyget=1).json()[0] == renamed
    indexes = api.get("/_api/index", collection="nëw").json()["indexes"]
    assert [entry["id"].partition("/")[0] for entry in indexes] == ["nëw", "nëw"]
    assert error_of(api.post(f"/_api/document/{new}", {"n": 1})) == (409, 1210)
    replaced = api.put(f"/_api/document/{new}/a", {"n": 3}, returnOld=1, returnNew=1).json()
    assert replaced["_id"] == replaced["old"]["_id"] == replaced["new"]["_id"] == "nëw/a"
    removed = api.delete(f"/_api/document/{new}", ["b"], returnOld=1).json()[0]
    assert removed["_id"] == removed["old"]["_id"] == "nëw/b"
    api.create_collection("old")
    assert api.get("/_api/collection/old/count").json()["count"] == 0


def test_a_rename_back_and_forth(api: Api) -> None:
    api.create_collection("a")
    api.insert("a", {"_key": "first"})
    api.put("/_api/collection/a/rename", {"name": "b"})
    api.insert("b", {"_key": "second"})
    api.put("/_api/collection/b/rename", {"name": "a"})
    for key in ("first", "second"):
        assert api.get(f"/_api/document/a/{key}").json()["_id"] == f"a/{key}"


def test_a_rename_to_the_same_name_succeeds(api: Api) -> None:
    created = api.create_collection("c")
    answer = api.put("/_api/collection/c/rename", {"name": "c"})
    assert answer.json() == {name: created[name] for name in BASE}


def test_a_rename_normalizes_the_name(api: Api) -> None:
    api.create_collection("c")
    answer = api.put("/_api/collection/c/rename", {"name": "cafe\u0301"})
    assert answer.json()["name"] == "caf\u00e9"
    again = api.put(f"/_api/collection/{quote('café')}/rename", {"name": "cafe\u0301"})
    assert again.json()["name"] == "caf\u00e9"


# -- drop ----------------------------------------------------------------------------------------


def test_a_dropped_collection_is_gone_and_its_name_is_free(api: Api) -> None:
    first = api.create_collection("c")
    api.insert("c", {"_key": "k"})
    dropped = api.delete("/_api/collection/c")
    assert dropped.json() == {"error": False, "code": 200, "id": first["id"]}
    assert "location" not in dropped.headers
    assert error_of(api.delete("/_api/collection/c")) == (404, 1203)
    assert error_of(api.get(f"/_api/collection/{first['id']}")) == (404, 1203)
    second = api.create_collection("c")
    assert int(second["id"]) > int(first["id"])
    assert api.get("/_api/collection/c/count").json()["count"] == 0


def test_a_system_collection_is_dropped_on_demand_only(api: Api) -> None:
    created = api.create_collection("_mine", isSystem=True)
    for flag in ({}, {"isSystem": "false"}, {"isSystem": "0"}):
        assert error_of(api.delete("/_api/collection/_mine", **flag)) == (403, 11)
    dropped = api.delete("/_api/collection/_mine", isSystem="true")
    assert dropped.json()["id"] == created["id"]
    assert "_mine" not in collection_names(api)


# -- read-only mode, restart -----------------------------------------------------------------------


def test_read_only_mode_reads_on_but_changes_no_collection(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": "k"})
    assert api.put("/_admin/server/mode", {"mode": "readonly"}).json()["mode"] == "readonly"
    try:
        assert error_of(api.post("/_api/collection", {"name": "d"})) == (403, 11)
        assert error_of(api.delete("/_api/collection/c")) == (403, 11)
        assert error_of(api.put("/_api/collection/c/rename", {"name": "d"})) == (403, 11)
        assert error_of(api.put("/_api/collection/c/properties", {})) == (403, 11)
        assert error_of(api.put("/_api/collection/c/truncate")) == (403, 1004)
        assert collection_names(api, excludeSystem=1) == ["c"]
        assert api.get("/_api/collection/c/count").json()["count"] == 1
    finally:
        api.put("/_admin/server/mode", {"mode": "default"})
    assert api.put("/_api/collection/c/truncate").status_code == 200


def test_collections_survive_a_restart(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0)
    words = ("figures", "revision", "checksum?withData=1&withRevisions=1")
    names = ("plain", "edges", "counting", "named", "_own", "emptied")
    with ServerThread(config) as first, Api(first.url, "_system") as client:
        client.create_collection("plain", schema=SCHEMA, cacheEnabled=True)
        client.create_collection("edges", type=3, waitForSync=True)
        client.create_collection("counting", keyOptions={"type": "autoincrement", "increment": 5})
        client.create_collection("before")
        client.create_collection("_own", isSystem=True)
        client.create_collection("emptied")
        client.create_collection("dropped")
        client.insert("plain", [{"_key": "a", "x": 1}, {"_key": "77"}])
        client.insert("edges", {"_from": "plain/a", "_to": "plain/77"})
        client.insert("counting", [{}, {}])
        client.insert("before", {"_key": "k"})
        client.insert("emptied", {"_key": "k"})
        client.put("/_api/collection/emptied/truncate")
        client.put("/_api/collection/before/rename", {"name": "named"})
        client.delete("/_api/collection/dropped")
        before = [client.get(f"/_api/collection/{n}/{w}").json() for n in names for w in words]
    with ServerThread(config) as second, Api(second.url, "_system") as client:
        after = [client.get(f"/_api/collection/{n}/{w}").json() for n in names for w in words]
        assert after == before
        assert error_of(client.get("/_api/collection/dropped")) == (404, 1203)
        assert client.insert("counting", {})["_key"] == "15"
        assert client.get("/_api/document/named/k").json()["_id"] == "named/k"
        assert int(client.create_collection("new")["id"]) > int(before[-1]["id"])
