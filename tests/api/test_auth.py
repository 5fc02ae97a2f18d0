"""Authentication of requests (data-api 1.1, 2.1, leader-api 10.4)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.raw import RawAnswer, RawConnection
from support.server import ServerThread

from arangorep.config import Config
from arangorep.errors import StartupError

PASSWORD = "pässword: 😀"
VERSION = "/_api/version"


def basic(user: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


RIGHT = basic("root", PASSWORD)

WRONG = [
    None,
    "",
    "Basic",
    "Basic ",
    basic("root", ""),
    basic("root", "wrong"),
    basic("root", PASSWORD + " "),
    basic("root", PASSWORD.encode().decode("latin-1")),
    basic("Root", PASSWORD),
    basic("", PASSWORD),
    basic("somebody", PASSWORD),
    "Basic " + base64.b64encode(b"root").decode(),
    "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
    "Basic !!!!",
    "Basic " + RIGHT.partition(" ")[2].rstrip("=") + "=====",
    RIGHT.replace("Basic", "Bearer"),
    "Bearer eyJhbGciOiJub25lIn0.e30.",
    "Digest username=root",
    RIGHT.partition(" ")[2],
    "x" * 10_000,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """A server with a root password."""
    config = Config(tmp_path_factory.mktemp("data"), port=0, root_password=PASSWORD)
    with ServerThread(config) as running:
        yield running


@pytest.fixture
def connection(server: ServerThread) -> Iterator[RawConnection]:
    with RawConnection(server.port) as opened:
        yield opened


def send(
    connection: RawConnection,
    target: str,
    authorization: str | None = None,
    method: str = "GET",
    **headers: str,
) -> RawAnswer:
    if authorization is not None:
        headers["Authorization"] = authorization
    return connection.request(method, target, headers=headers)


# -- who gets in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "Basic  "])
def test_the_right_password(connection: RawConnection, scheme: str) -> None:
    answer = send(connection, VERSION, basic("root", PASSWORD, scheme))
    assert answer.json()["server"] == "arango"
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("authorization", WRONG)
def test_anything_else(connection: RawConnection, authorization: str | None) -> None:
    answer = send(connection, VERSION, authorization)
    assert answer.error == (401, 11)
    assert answer.json()["errorMessage"] == "not authorized to execute this request"
    assert set(answer.json()) == {"error", "code", "errorNum", "errorMessage"}
    challenge = answer.headers["www-authenticate"]
    assert 'Basic realm="ArangoDB"' in challenge
    assert 'Bearer token_type="JWT"' in challenge
    assert answer.headers["connection"] == "Keep-Alive"
    assert send(connection, VERSION, RIGHT).status == 200


def test_the_challenge_can_be_left_out(connection: RawConnection) -> None:
    answer = send(connection, VERSION, **{"X-Omit-Www-Authenticate": "1"})
    assert answer.error == (401, 11)
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "target",
    [
        "/_api/version",
        "/_api/collection/c",
        "/_api/document/c/k",
        "/_api/job/1",
        "/_api/replication/batch",
        "/_api/wal/tail",
        "/_admin/server/mode",
        "/_admin/server/role",
        "/_api/nothing",
        "/_db/nope/_api/version",
        "/_db/_system/_api/version",
        "/_admin/server/availability2",
        "/_opened/auth",
        "//_api//version",
        "http://localhost/_api/version",
    ],
)
def test_nothing_is_told_without_credentials(
    connection: RawConnection, method: str, target: str
) -> None:
    answer = send(connection, target, method=method)
    assert answer.status == 401
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert answer.error == (401, 11)


def test_a_body_without_credentials_is_skipped(connection: RawConnection) -> None:
    body = b"x" * 100_000
    assert connection.request("POST", "/_api/collection", body).error == (401, 11)
    headers = {"Content-Encoding": "gzip", "x-arango-async": "store"}
    assert connection.request("POST", "/_api/collection", body, headers).error == (401, 11)
    assert send(connection, VERSION, RIGHT).status == 200


def test_an_unknown_database_is_told_only_with_credentials(connection: RawConnection) -> None:
    assert send(connection, "/_db/nope/_api/version", RIGHT).error == (404, 1228)
    assert send(connection, "/_db/nope/_api/version").error == (401, 11)
    wrong = basic("root", "wrong")
    assert send(connection, "/_db/nope/_api/version", wrong).error == (401, 11)
    assert send(connection, "/_api/nothing", RIGHT).error == (404, 404)


def test_the_clock_is_not_moved_without_credentials(
    connection: RawConnection, server: ServerThread
) -> None:
    def last_revision() -> int:
        return server.call(lambda: server.server.node.store.last_revision)

    later = "eWA----------"[:11]
    before = last_revision()
    answer = send(connection, VERSION, **{"x-arango-hlc": later})
    assert answer.status == 401
    assert "x-arango-hlc" not in answer.headers
    assert last_revision() == before


# -- what is open --------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, basic("root", ""), "Bearer x"])
@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/", 200),
        ("/_admin/server/availability", 200),
        ("/_db/_system/_admin/server/availability", 200),
        ("/_open/auth", 405),
        ("/_db/_system/_open/auth", 405),
        ("/_admin/aardvark/index.html", 501),
    ],
)
def test_open_paths_tolerate_any_credentials(
    connection: RawConnection, target: str, status: int, authorization: str | None
) -> None:
    assert send(connection, target, authorization).status == status


def test_options_needs_no_credentials(connection: RawConnection) -> None:
    for target in (VERSION, "/_db/nope/_api/collection", "*"):
        answer = send(connection, target, method="OPTIONS")
        assert (answer.status, answer.body) == (200, b"")
        assert "allow" in answer.headers


def test_checks_of_many_connections(server: ServerThread) -> None:
    def status(number: int) -> int:
        password = PASSWORD if number % 2 else f"wrong{number}"
        with RawConnection(server.port) as connection:
            return send(connection, VERSION, basic("root", password, "bASIC")).status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(status, range(16))) == [401, 200] * 8


# -- other passwords -----------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", WRONG)
def test_without_a_password_everybody_is_root(
    open_server: ServerThread, authorization: str | None
) -> None:
    with RawConnection(open_server.port) as connection:
        assert send(connection, VERSION, authorization).status == 200
        assert send(connection, "/_db/nope/_api/version", authorization).error == (404, 1228)


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """A server without a password."""
    with ServerThread(Config(tmp_path_factory.mktemp("open"), port=0)) as running:
        yield running


@pytest.mark.parametrize(
    ("address", "password", "insecure", "starts"),
    [
        ("127.0.0.1", None, False, True),
        ("::1", None, False, True),
        ("localhost", None, False, True),
        ("0.0.0.0", None, False, False),
        ("192.0.2.1", None, False, False),
        ("db.example", None, False, False),
        ("0.0.0.0", None, True, True),
        ("0.0.0.0", "secret", False, True),
    ],
)
def test_no_open_door_to_other_machines(
    tmp_path: Path, address: str, password: str | None, insecure: bool, starts: bool
) -> None:
    config = Config(tmp_path, address=address, root_password=password, insecure=insecure)
    if starts:
        config.check()
    else:
        with pytest.raises(StartupError, match="without authentication"):
            config.check()
