"""`/_api/replication/<command>` and `/_api/wal/<command>`: who answers what (leader-api 1)."""

from __future__ import annotations

import pytest
from support.raw import RawConnection
from support.server import Api, ServerThread, error_of

METHODS = ("GET", "PUT", "POST", "DELETE", "PATCH")

SERVED: dict[str, set[str]] = {
    "logger-state": {"GET"},
    "logger-tick-ranges": {"GET"},
    "logger-first-tick": {"GET"},
    "logger-follow": {"GET", "PUT"},
    "determine-open-transactions": {"GET"},
    "server-id": {"GET"},
    "inventory": {"GET"},
    "clusterInventory": {"GET"},
    "dump": {"GET"},
}
RESTORES: dict[str, set[str]] = {
    "restore-collection": {"PUT"},
    "restore-indexes": {"PUT"},
    "restore-data": {"PUT"},
    "restore-view": {"PUT"},
}
FOLLOWERS: dict[str, set[str]] = {
    "sync": {"PUT"},
    "make-follower": {"PUT"},
    "make-slave": {"PUT"},
    "applier-config": {"GET", "PUT"},
    "applier-start": {"PUT"},
    "applier-stop": {"PUT"},
    "applier-state": {"GET", "DELETE"},
    "applier-state-all": {"GET"},
}
CLUSTERS: dict[str, set[str]] = {
    "addFollower": {"PUT"},
    "removeFollower": {"PUT"},
    "set-the-leader": {"PUT"},
    "holdReadLockCollection": set(METHODS),
}
KEYS = {"keys": {"GET", "PUT", "POST", "DELETE"}}


def right(table: dict[str, set[str]]) -> list[tuple[str, str]]:
    return [(command, method) for command in table for method in sorted(table[command])]


def wrong(table: dict[str, set[str]]) -> list[tuple[str, str]]:
    return [(c, method) for c in table for method in METHODS if method not in table[c]]


@pytest.mark.parametrize("path", ["", "/", "//"])
@pytest.mark.parametrize("method", METHODS)
def test_a_command_is_needed(system: Api, method: str, path: str) -> None:
    response = system.request(method, f"/_api/replication{path}")
    assert error_of(response) == (400, 601)


@pytest.mark.parametrize("command", ["nonsense", "barrier", "logger-last", "Dump", "batches"])
@pytest.mark.parametrize("method", METHODS)
def test_an_unknown_command_is_named(system: Api, method: str, command: str) -> None:
    response = system.request(method, f"/_api/replication/{command}")
    assert error_of(response) == (400, 400)
    assert response.json()["errorMessage"] == f"invalid command '{command}'"


@pytest.mark.parametrize(
    ("command", "method"), wrong({**SERVED, **RESTORES, **FOLLOWERS, **CLUSTERS, **KEYS})
)
def test_a_wrong_method_is_405_but_with_more_parts_400(
    system: Api, command: str, method: str
) -> None:
    path = f"/_api/replication/{command}"
    assert error_of(system.request(method, path)) == (405, 405)
    assert error_of(system.request(method, f"{path}/more")) == (400, 601)


@pytest.mark.parametrize(("command", "method"), right(RESTORES))
def test_restoring_needs_a_body(system: Api, command: str, method: str) -> None:
    response = system.request(method, f"/_api/replication/{command}", {})
    assert error_of(response) in ((400, 400), (400, 10))


@pytest.mark.parametrize(("command", "method"), right(CLUSTERS))
def test_commands_of_clusters_are_forbidden(system: Api, command: str, method: str) -> None:
    response = system.request(method, f"/_api/replication/{command}", {})
    assert error_of(response) == (403, 1477)


@pytest.mark.parametrize(
    "command", [c for c in {**SERVED, **RESTORES} if "GET" in {**SERVED, **RESTORES}[c]]
)
def test_head_is_a_wrong_method(server: ServerThread, command: str) -> None:
    with RawConnection(server.port) as connection:
        answer = connection.request("HEAD", f"/_api/replication/{command}")
        assert answer.status == 405
        # the next answer is read at the right place: there was no body
        assert connection.request("HEAD", f"/_api/replication/{command}/x").status == 400
        assert connection.request("GET", "/_api/version").status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "batch"),
        ("PUT", "batch"),
        ("DELETE", "batch"),
        ("PATCH", "batch"),
        ("GET", "batch/1"),
        ("PATCH", "batch/1"),
        ("PUT", "batch/1/2"),
        ("DELETE", "batch/1/2"),
        ("GET", "revisions"),
        ("PUT", "revisions"),
        ("POST", "revisions"),
        ("PUT", "revisions/tree"),
        ("DELETE", "revisions/tree"),
        ("GET", "revisions/ranges"),
        ("POST", "revisions/documents"),
        ("PUT", "revisions/nonsense"),
        ("GET", "revisions/nonsense"),
    ],
)
def test_batch_and_revisions_always_answer_405(system: Api, method: str, path: str) -> None:
    assert error_of(system.request(method, f"/_api/replication/{path}", {})) == (405, 405)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["keys", "keys/12-34/56"])
def test_keys_without_exactly_one_id_are_a_bad_parameter(
    system: Api, method: str, path: str
) -> None:
    assert error_of(system.request(method, f"/_api/replication/{path}")) == (400, 400)


@pytest.mark.parametrize(
    "path",
    [
        "/_api/replication/server-id",
        "/_api/replication/server-id/",
        "/_api/replication//server-id",
        "//_api//replication/server-id/further/parts",
    ],
)
def test_slashes_collapse_and_further_parts_are_ignored(system: Api, path: str) -> None:
    assert system.get(path).json() == system.get("/_api/replication/server-id").json()


def test_the_database_is_looked_up_before_the_command(server: ServerThread) -> None:
    with Api(server.url, "nowhere") as nowhere:
        for path in ("replication", "replication/nonsense", "replication/server-id", "wal/range"):
            assert error_of(nowhere.get(f"/_api/{path}")) == (404, 1228)


def test_without_a_database_in_the_path_it_is_system(server: ServerThread, system: Api) -> None:
    with RawConnection(server.port) as connection:
        batch = connection.request("POST", "/_api/replication/batch", b"{}").json()["id"]
        inventory = connection.request("GET", f"/_api/replication/inventory?batchId={batch}")
        assert inventory.json()["properties"]["name"] == "_system"


@pytest.mark.parametrize("method", [*METHODS, "HEAD"])
@pytest.mark.parametrize(
    "path", ["", "/", "/nonsense", "/range", "/lastTick", "/tail", "/open-transactions", "/range/x"]
)
def test_wal_knows_no_405(system: Api, method: str, path: str) -> None:
    allowed = {
        "/range": {"GET"},
        "/lastTick": {"GET"},
        "/tail": {"GET", "PUT", "DELETE"},
        "/open-transactions": {"GET"},
    }
    body: list[str] | None = [] if method == "PUT" else None
    response = system.request(method, f"/_api/wal{path}", body)
    if method in allowed.get(path, set()):
        assert response.status_code in (200, 204)
    elif method == "HEAD":
        assert response.status_code == 400
    else:
        assert error_of(response) == (400, 400)
        expected = "expected GET /_api/wal/[tail|range|lastTick|open-transactions]"
        assert response.json()["errorMessage"].startswith(expected)
