"""Support info, options, license, reloads, shutdown; who may ask (data-api 3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.server import Api, ServerThread, error_of

import arangorep
from arangorep.clock import ManualClock
from arangorep.config import Config
from arangorep.leader.retention import Retention

SUPPORT = "/_admin/support-info"
OPTIONS, DESCRIPTION = "/_admin/options", "/_admin/options-description"
SHUTDOWN = "/_admin/shutdown"


def test_support_info(manual: tuple[ServerThread, ManualClock]) -> None:
    running, clock = manual
    running.call(lambda: clock.advance_s(10))
    with Api(running.url, "_system") as client:
        info = client.get(SUPPORT).json()
        assert info["deployment"] == {"type": "single"}
        assert info["date"] == "2023-11-14T22:13:30Z"
        host = info["host"]
        assert (host["role"], host["maintenance"], host["readOnly"]) == ("SINGLE", False, False)
        assert host["build"] == f"arangorep {arangorep.__version__}"
        assert host["processStats"]["processUptime"] == 10
        assert host["processStats"]["residentSetSize"] < host["physicalMemory"]["value"]
        assert host["engineStats"]["cacheSize"] == 64 * 1024 * 1024
        assert host["numberOfCores"]["value"] >= 1
        client.put("/_admin/server/mode", {"mode": "readonly"})
        assert client.get(SUPPORT).json()["host"]["readOnly"] is True


def test_options_are_those_of_the_server_without_secrets(tmp_path: Path) -> None:
    config = Config(
        tmp_path / "data",
        port=0,
        root_password="a-secret-word",
        jwt_secret="another-secret-word",
        retention=Retention(12345, 678.0),
        sync_interval_ms=7,
    )
    with ServerThread(config) as running, Api(running.url, "_system") as client:
        client.session.auth = ("root", "a-secret-word")
        response = client.get(OPTIONS)
        assert "secret-word" not in response.text
        options = response.json()
        assert options["authentication"] is True
        assert options["data-directory"] == str(tmp_path / "data")
        assert (options["wal-retention-bytes"], options["wal-retention-seconds"]) == (12345, 678)
        assert options["sync-interval-ms"] == 7
        described = client.get(DESCRIPTION).json()
        assert described.keys() == options.keys()
        assert all(entry["description"] for entry in described.values())
        assert {entry["type"] for entry in described.values()} <= {"str", "int", "float", "bool"}


@pytest.mark.parametrize("path", [SUPPORT, OPTIONS, DESCRIPTION])
def test_only_system_tells(api: Api, path: str) -> None:
    assert error_of(api.get(path)) == (403, 11)


def test_license(system: Api) -> None:
    assert system.get("/_admin/license").json() == {"license": "none"}
    assert error_of(system.put("/_admin/license", '"abc"')) == (501, 9)
    assert error_of(system.post("/_admin/license")) == (405, 405)


def test_there_is_nothing_to_reload(system: Api) -> None:
    assert system.post("/_admin/routing/reload").json() == {}
    assert system.get("/_admin/auth/reload").json() == {}
    assert error_of(system.get("/_admin/routing/reload")) == (405, 405)


@pytest.mark.parametrize(
    "path",
    [
        *(SUPPORT, OPTIONS, DESCRIPTION, SHUTDOWN),
        *("/_admin/license", "/_admin/routing/reload", "/_admin/auth/reload"),
    ],
)
def test_other_methods_and_paths(system: Api, path: str) -> None:
    assert error_of(system.patch(path)) == (405, 405)
    assert error_of(system.get(f"{path}/more")) == (404, 404)
    assert error_of(system.get("/_admin/routing")) == (404, 404)


# -- shutdown ------------------------------------------------------------------------------------


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[tuple[Api, threading.Event]]:
    """A server whose owner notes that it shall stop."""
    asked = threading.Event()
    with (
        ServerThread(Config(tmp_path / "data", port=0)) as running,
        Api(running.url, "_system") as client,
    ):
        running.server.node.services.shut_down = asked.set
        yield client, asked


def test_a_shutdown_is_begun(stopped: tuple[Api, threading.Event]) -> None:
    client, asked = stopped
    response = client.delete(SHUTDOWN, soft="0")
    assert (response.status_code, response.json()) == (200, "OK")
    assert asked.is_set()


def test_a_soft_shutdown_is_for_clusters(stopped: tuple[Api, threading.Event]) -> None:
    client, asked = stopped
    assert error_of(client.delete(SHUTDOWN, soft="true")) == (501, 9)
    assert error_of(client.get(SHUTDOWN)) == (501, 9)
    assert not asked.is_set()


def test_a_server_within_a_program_is_stopped_by_it(system: Api) -> None:
    assert error_of(system.delete(SHUTDOWN)) == (501, 9)
    assert system.get("/_api/version").status_code == 200


# -- who may ask ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    config = Config(tmp_path_factory.mktemp("data"), port=0, root_password="pw")
    with ServerThread(config) as running, Api(running.url, "_system") as root:
        root.session.auth = ("root", "pw")
        assert root.post("/_api/user", {"user": "reader", "passwd": "pw"}).status_code == 201
        granted = root.put("/_api/user/reader/database/_system", {"grant": "ro"})
        assert granted.status_code == 200, granted.text
        yield running


ADMINS_ONLY = [
    ("GET", SUPPORT),
    ("GET", OPTIONS),
    ("GET", DESCRIPTION),
    ("DELETE", SHUTDOWN),
    ("GET", "/_admin/log"),
    ("GET", "/_admin/log/entries"),
    ("DELETE", "/_admin/log/entries"),
    ("GET", "/_admin/log/level"),
    ("PUT", "/_admin/log/level"),
    ("PUT", "/_admin/log/structured"),
]
EVERYBODY = [
    *("/_admin/metrics", "/_admin/statistics", "/_admin/statistics-description", "/_admin/echo"),
    *("/_admin/license", "/_api/engine/stats"),
]


@pytest.mark.parametrize(("method", "path"), ADMINS_ONLY)
def test_what_is_for_administrators(secured: ServerThread, method: str, path: str) -> None:
    with Api(secured.url, "_system") as client:
        assert error_of(client.request(method, path, {})) == (401, 11)
        client.session.auth = ("reader", "pw")
        assert error_of(client.request(method, path, {})) == (403, 11)


@pytest.mark.parametrize("path", EVERYBODY)
def test_what_every_user_may_see(secured: ServerThread, path: str) -> None:
    with Api(secured.url, "_system") as client:
        assert error_of(client.get(path)) == (401, 11)
        client.session.auth = ("reader", "pw")
        assert client.get(path).status_code == 200
