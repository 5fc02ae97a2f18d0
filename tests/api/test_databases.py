"""Databases: create, list, describe, drop (data-api 4)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from support.server import Api, ServerThread, error_of

from arangorep.config import Config


def names(api: Api) -> set[str]:
    return set(api.get("/_api/database").json()["result"])


def test_a_database_is_created_listed_and_dropped(system: Api) -> None:
    created = system.post("/_api/database", {"name": "shop"})
    assert created.status_code == 201
    assert created.json() == {"error": False, "code": 201, "result": True}
    assert names(system) == {"_system", "shop"}
    assert error_of(system.post("/_api/database", {"name": "shop"})) == (409, 1207)
    dropped = system.delete("/_api/database/shop")
    assert dropped.status_code == 200
    assert dropped.json() == {"error": False, "code": 200, "result": True}
    assert names(system) == {"_system"}
    assert error_of(system.delete("/_api/database/shop")) == (404, 1228)


def test_a_dropped_database_comes_back_empty(server: ServerThread, system: Api) -> None:
    for _ in range(2):
        with server.fresh_database("again") as api:
            assert error_of(api.get("/_api/collection/c")) == (404, 1203)
            api.create_collection("c")
            api.insert("c", [{"_key": "k"}])
        assert error_of(api.get("/_api/collection/c")) == (404, 1228)


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "A-b_c",
        "x" * 64,
        "x" * 128,
        "maçã",
        "mötör",
        "😀",
        "مجموعة",
        "データベース",
        "with blank",
        'quo"ted',
        "a.b",
        "percent%2F",
        "a\\b",
        "é" * 64,
    ],
)
def test_names(server: ServerThread, system: Api, name: str) -> None:
    with server.fresh_database(name) as api:
        current = api.get("/_api/database/current").json()
        assert current["result"]["name"] == name
        assert name in names(system)
        created = api.create_collection("c")
        assert api.get(f"/_api/collection/{created['id']}/count").json()["count"] == 0
        inserted = api.post("/_api/document/c", {"_key": "k"})
        location = f"/_db/{quote(name)}/_api/document/c/k"
        assert inserted.headers["location"] == location
        assert api.session.get(api.url + location).json()["_key"] == "k"
    assert name not in names(system)


def test_a_name_is_normalized(system: Api) -> None:
    decomposed, composed = "cafe\u0301", "caf\u00e9"
    assert system.post("/_api/database", {"name": decomposed}).status_code == 201
    assert names(system) == {"_system", composed}
    assert error_of(system.post("/_api/database", {"name": composed})) == (409, 1207)
    with Api(system.url, decomposed) as api:
        assert api.get("/_api/database/current").json()["result"]["name"] == composed
    assert system.delete(f"/_api/database/{quote(decomposed)}").status_code == 200


def test_current_describes_the_database_of_the_path(api: Api, system: Api) -> None:
    assert system.get("/_api/database/current").json() == {
        "error": False,
        "code": 200,
        "result": {"id": "1", "name": "_system", "isSystem": True, "path": "none"},
    }
    result = api.get("/_api/database/current").json()["result"]
    assert result.pop("id").isdigit()
    assert result == {"name": api.database, "isSystem": False, "path": "none"}


def test_user_lists_the_databases_from_everywhere(api: Api, system: Api) -> None:
    for client in (api, system):
        answer = client.get("/_api/database/user")
        assert answer.status_code == 200
        assert set(answer.json()["result"]) == {"_system", api.database}


def test_only_the_system_database_creates_lists_and_drops(api: Api, system: Api) -> None:
    assert error_of(api.get("/_api/database")) == (403, 1230)
    assert error_of(api.post("/_api/database", {"name": "other"})) == (403, 1230)
    assert error_of(api.delete(f"/_api/database/{api.database}")) == (403, 1230)
    assert names(system) == {"_system", api.database}


def test_the_system_database_cannot_be_dropped(system: Api) -> None:
    assert error_of(system.delete("/_api/database/_system")) == (403, 11)


def test_a_new_database_has_its_system_collections(api: Api, system: Api) -> None:
    for client, expected in (
        (api, {"_analyzers", "_graphs"}),
        (system, {"_analyzers", "_graphs", "_users"}),
    ):
        listed = client.get("/_api/collection").json()["result"]
        assert {entry["name"] for entry in listed} == expected
        assert all(entry["isSystem"] for entry in listed)
        assert all(entry["globallyUniqueId"] == entry["name"] for entry in listed)


@pytest.mark.parametrize(
    "extra",
    [
        {"options": None, "users": None},
        {"options": {}, "users": []},
        {
            "options": {
                "sharding": "flexible",
                "replicationFactor": "satellite",
                "writeConcern": 2,
                "replicationVersion": "1",
                "id": "12345",
                "unknown": [],
            }
        },
        {
            "users": [
                {"username": "u1", "passwd": "p", "active": True, "extra": {"a": 1}},
                {"user": "u2"},
            ]
        },
        {"unknown": 1},
    ],
)
def test_options_and_users_are_accepted(system: Api, extra: dict[str, object]) -> None:
    assert system.post("/_api/database", {"name": "extra", **extra}).status_code == 201
    assert names(system) == {"_system", "extra"}
    assert system.delete("/_api/database/extra").status_code == 200


def test_databases_do_not_see_each_other(server: ServerThread) -> None:
    with server.fresh_database() as one, server.fresh_database() as other:
        ids = [client.create_collection("same")["id"] for client in (one, other)]
        one.insert("same", {"_key": "k", "of": "one"})
        assert error_of(other.get("/_api/document/same/k")) == (404, 1202)
        other.insert("same", {"_key": "k", "of": "other"})
        assert one.get("/_api/document/same/k").json()["of"] == "one"
        assert error_of(other.get(f"/_api/collection/{ids[0]}")) == (404, 1203)
        assert other.put("/_api/collection/same/truncate").status_code == 200
        assert one.get("/_api/collection/same/count").json()["count"] == 1


def test_read_only_mode_refuses_databases(system: Api) -> None:
    assert system.post("/_api/database", {"name": "kept"}).status_code == 201
    assert system.put("/_admin/server/mode", {"mode": "readonly"}).status_code == 200
    try:
        assert error_of(system.post("/_api/database", {"name": "new"})) == (403, 11)
        assert error_of(system.delete("/_api/database/kept")) == (403, 11)
        assert names(system) == {"_system", "kept"}
    finally:
        system.put("/_admin/server/mode", {"mode": "default"})
    assert system.delete("/_api/database/kept").status_code == 200


def test_databases_survive_a_restart(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0)
    with ServerThread(config) as first, Api(first.url, "_system") as client:
        for name in ("kept", "dropped", "maçã"):
            assert client.post("/_api/database", {"name": name}).status_code == 201
        assert client.delete("/_api/database/dropped").status_code == 200
        with Api(first.url, "maçã") as other:
            other.create_collection("c")
            other.insert("c", {"_key": "k"})
            described = other.get("/_api/collection/c/figures").json()
    with ServerThread(config) as second, Api(second.url, "_system") as client:
        assert names(client) == {"_system", "kept", "maçã"}
        with Api(second.url, "maçã") as other:
            assert other.get("/_api/collection/c/figures").json() == described


def test_a_user_without_a_name_leaves_no_database(system: Api) -> None:
    for name in ("", None, 7):
        body = {"name": "half", "users": [{"username": "x"}, {"username": name}]}
        assert system.post("/_api/database", body).status_code == 400
        assert "half" not in system.get("/_api/database").json()["result"]
