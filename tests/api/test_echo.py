"""`/_admin/echo`: the request as the server understood it (data-api 3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.server import Api, ServerThread, error_of

from arangorep.config import Config
from arangorep.limits import ECHO_BODY_BYTES_MAX

ECHO = "/_admin/echo"


def test_a_get_is_described(api: Api) -> None:
    response = api.request("GET", f"{ECHO}/a/b%2Fc", headers={"X-Some": "Thing"})
    assert response.status_code == 200
    echo = response.json()
    assert echo["headers"]["x-some"] == "Thing"
    assert all(name == name.lower() for name in echo.pop("headers"))
    assert echo == {
        "authorized": True,
        "user": "root",
        "isAdminUser": True,
        "database": api.database,
        "protocol": "http",
        "server": {"endpoint": api.url},
        "requestType": "GET",
        "url": f"/_db/{api.database}{ECHO}/a/b%2Fc",
        "path": f"{ECHO}/a/b%2Fc",
        "prefix": "/",
        "suffix": ["a", "b/c"],
        "requestBody": "",
        "rawRequestBody": {"type": "Buffer", "data": []},
    }


@pytest.mark.parametrize("body", ["request goes here", '{"a": [1, "é"]}', "[", "\0"])
def test_a_body_comes_back(system: Api, body: str) -> None:
    echo = system.post(ECHO, body).json()
    assert echo["requestType"] == "POST"
    assert echo["requestBody"] == body
    assert bytes(echo["rawRequestBody"]["data"]) == body.encode()


def test_a_body_that_is_no_text(system: Api) -> None:
    echo = system.post(ECHO, b"\xff\xfe").json()
    assert echo["rawRequestBody"]["data"] == [255, 254]
    assert echo["requestBody"] == "\ufffd\ufffd"


def test_headers_and_paths_that_are_no_text(system: Api) -> None:
    response = system.request("GET", f"{ECHO}/%C3%A9", headers={"x-odd": b"caf\xe9"})
    assert response.status_code == 200
    assert response.json()["suffix"] == ["é"]
    assert response.json()["headers"]["x-odd"] == "caf?"


def test_a_long_body_is_refused(system: Api) -> None:
    assert system.post(ECHO, "x" * ECHO_BODY_BYTES_MAX).status_code == 200
    assert error_of(system.post(ECHO, "x" * (ECHO_BODY_BYTES_MAX + 1))) == (413, 413)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods(system: Api, method: str) -> None:
    assert error_of(system.request(method, ECHO)) == (405, 405)


def test_secrets_are_not_repeated(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0, root_password="a secret")
    with ServerThread(config) as running, Api(running.url, "_system") as client:
        client.session.auth = ("root", "a secret")
        response = client.request("GET", ECHO, headers={"Cookie": "token=a-secret"})
        assert response.status_code == 200
        echo = response.json()
        assert (echo["user"], echo["headers"]["authorization"]) == ("root", "***")
        sent = response.request.headers["Authorization"].split()[1]
        assert sent not in response.text
        assert "a-secret" not in response.text
