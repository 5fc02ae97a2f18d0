"""Version, engine, server and status calls; read-only mode (data-api 3, 11, 13.2)."""

from __future__ import annotations

import platform
from typing import Any

import pytest
from support.server import Api, ServerThread, error_of

import arangorep
from arangorep.clock import ManualClock

VERSION = "3.12.9"
SHORT = {"server": "arango", "license": "community", "version": VERSION}
STANDARD = {"error": False, "code": 200}


@pytest.mark.parametrize("path", ["/_api/version", "/_admin/version"])
def test_version(system: Api, path: str) -> None:
    assert system.get(path).json() == SHORT
    assert system.get(path, details="false").json() == SHORT
    answer = system.get(path, details="true").json()
    details = answer.pop("details")
    assert answer == SHORT
    assert all(isinstance(value, str) for value in details.values())
    assert details["server-version"] == VERSION
    assert details["architecture"] == platform.architecture()[0]
    assert (details["mode"], details["role"]) == ("server", "SINGLE")
    assert details["product"] == "arangorep"
    assert details["arangorep-version"] == arangorep.__version__


def test_engine(system: Api) -> None:
    engine = system.get("/_api/engine").json()
    assert engine["name"] == "rocksdb"
    assert {"primary", "edge", "persistent", "ttl"} <= set(engine["supports"]["indexes"])
    assert engine["supports"]["aliases"]["indexes"] == {
        "hash": "persistent",
        "skiplist": "persistent",
        "zkd": "mdi",
    }


def test_role(system: Api) -> None:
    expected = {**STANDARD, "role": "SINGLE", "mode": "default"}
    assert system.get("/_admin/server/role").json() == expected


def test_a_single_server_has_no_id(system: Api) -> None:
    assert error_of(system.get("/_admin/server/id")) == (500, 500)


def test_availability(system: Api) -> None:
    expected = {**STANDARD, "mode": "default"}
    assert system.get("/_admin/server/availability").json() == expected


def test_a_stopping_server_is_not_available(
    manual: tuple[ServerThread, ManualClock],
) -> None:
    running, _ = manual
    services = running.server.node.services
    with Api(running.url, "_system") as client:
        running.call(lambda: setattr(services, "stopping", True))
        for path in ("/_admin/server/availability", "/_api/version", "/_api/nothing"):
            assert error_of(client.get(path)) == (503, 30)


def test_status(system: Api) -> None:
    status = system.get("/_admin/status").json()
    assert set(status) == {
        *("server", "version", "pid", "license", "mode", "operationMode", "foxxApi"),
        *("host", "hostname", "serverInfo"),
    }
    assert SHORT.items() <= status.items()
    assert isinstance(status["pid"], int)
    assert status["serverInfo"] == {
        "progress": {"phase": "in wait", "feature": "", "recoveryTick": 0},
        "maintenance": False,
        "role": "SINGLE",
        "writeOpsEnabled": True,
        "readOnly": False,
    }


def test_time_is_the_clock(manual: tuple[ServerThread, ManualClock]) -> None:
    running, clock = manual
    with Api(running.url, "_system") as client:
        expected = {**STANDARD, "time": 1_700_000_000.0}
        assert client.get("/_admin/time").json() == expected
        running.call(lambda: clock.advance_s(1.25))
        assert client.get("/_admin/time").json()["time"] == 1_700_000_001.25


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/_admin/database/target-version", {**STANDARD, "version": "31209"}),
        (
            "/_api/key-generators",
            {**STANDARD, "keyGenerators": ["padded", "uuid", "autoincrement", "traditional"]},
        ),
        ("/_api/view", {**STANDARD, "result": []}),
        ("/_api/gharial", {**STANDARD, "graphs": []}),
        ("/_api/tasks", []),
        ("/_api/foxx", []),
        (
            "/_admin/wal/transactions",
            {"runningTransactions": 0, "minLastCollected": None, "minLastSealed": None},
        ),
    ],
)
def test_fixed_answers(system: Api, path: str, expected: object) -> None:
    assert system.get(path).json() == expected


def test_endpoint(system: Api) -> None:
    assert system.get("/_api/endpoint").json() == [{"endpoint": system.url}]


def test_root_names_the_product(system: Api) -> None:
    answer = system.session.get(system.url + "/").json()
    assert answer["server"] == "arangorep"
    assert answer["version"] == arangorep.__version__


def test_compact_and_flush(system: Api) -> None:
    assert system.put("/_admin/compact", changeLevel=1, compactBottomMostLevel=1).json() == {}
    assert system.put("/_admin/wal/flush", waitForSync=1, waitForCollector=1).json() == {}
    assert system.put("/_admin/wal/flush", {"waitForSync": True}).json() == {}


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_wal_properties_belong_to_another_engine(system: Api, method: str) -> None:
    assert error_of(system.request(method, "/_admin/wal/properties")) == (501, 9)


def test_the_loop_monitor(system: Api) -> None:
    figures = system.get("/_admin/arangorep/loop").json()
    assert figures["heldMaxSeconds"] >= 0
    assert figures["heldTotalSeconds"] >= 0
    assert system.delete("/_admin/arangorep/loop").json()["heldTotalSeconds"] >= 0


# -- not part of this server ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/_api/explain"),
        ("POST", "/_api/query"),
        ("GET", "/_api/query/slow"),
        ("DELETE", "/_api/query-cache"),
        ("DELETE", "/_api/query-plan-cache"),
        ("GET", "/_api/aqlfunction"),
        ("POST", "/_api/token/root"),
        ("POST", "/_api/gharial"),
        ("POST", "/_api/tasks"),
        ("POST", "/_api/foxx"),
        ("POST", "/_api/traversal"),
        ("POST", "/_api/control_pregel"),
        ("GET", "/_api/cluster/endpoints"),
        ("GET", "/_admin/cluster/health"),
        ("POST", "/_admin/server/jwt"),
        ("GET", "/_admin/server/tls"),
        ("POST", "/_admin/server/encryption"),
        ("GET", "/_admin/aardvark/index.html"),
        ("POST", "/_admin/execute"),
        ("PUT", "/_admin/license"),
    ],
)
def test_what_is_not_part_of_this_server_says_so(system: Api, method: str, path: str) -> None:
    body = {} if method in ("POST", "PUT") else None
    assert error_of(system.request(method, path, body)) == (501, 9)


# -- read-only mode ------------------------------------------------------------------------------


def test_the_mode_is_shown_everywhere(system: Api) -> None:
    def modes() -> tuple[Any, ...]:
        info = system.get("/_admin/status").json()["serverInfo"]
        return (
            system.get("/_admin/server/mode").json(),
            system.get("/_admin/server/availability").json(),
            info["readOnly"],
            info["writeOpsEnabled"],
        )

    default, readonly = ({**STANDARD, "mode": mode} for mode in ("default", "readonly"))
    assert modes() == (default, default, False, True)
    for _ in range(2):
        assert system.put("/_admin/server/mode", {"mode": "readonly"}).json() == readonly
        assert modes() == (readonly, readonly, True, False)
    assert system.put("/_admin/server/mode", {"mode": "default"}).json() == default
    assert modes() == (default, default, False, True)


def test_replication_goes_on_in_read_only_mode(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": "k"})
    tick = api.get("/_api/wal/lastTick").json()["tick"]
    api.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        batch = api.create_batch()
        assert [document["_key"] for document in api.dump("c", batch)] == ["k"]
        assert [marker["type"] for marker in api.tail(0)][-1] == 2300
        assert api.get("/_api/replication/inventory", batchId=batch).status_code == 200
        assert api.delete(f"/_api/replication/batch/{batch}").status_code == 204
        assert error_of(api.put("/_admin/compact")) == (403, 11)
    finally:
        api.put("/_admin/server/mode", {"mode": "default"})
    assert api.get("/_api/wal/lastTick").json()["tick"] == tick
