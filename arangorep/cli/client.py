"""A small HTTP client for commands: one connection, JSON both ways."""

from __future__ import annotations

import http.client
from base64 import b64encode
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import click

from arangorep.codec.json import dumps, loads
from arangorep.errors import ArangoError

TIMEOUT_S = 120.0
DEFAULT_PORT = 8529
F = TypeVar("F", bound=Callable[..., Any])

SCHEMES = {"tcp": "http", "http": "http", "ssl": "https", "https": "https"}


class ApiClient:
    """Requests to one database of one server. Errors: `click.ClickException` without an answer."""

    def __init__(
        self, endpoint: str, database: str, user: str, password: str, timeout_s: float = TIMEOUT_S
    ) -> None:
        url = urlsplit(endpoint)
        if url.scheme not in SCHEMES or not url.hostname:
            raise click.BadParameter(f"{endpoint} is not an http:// or https:// address")
        secure = SCHEMES[url.scheme] == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._connection = kind(url.hostname, url.port or DEFAULT_PORT, timeout=timeout_s)
        self._endpoint = endpoint
        self._prefix = f"/_db/{quote(database, safe='')}"
        credentials = b64encode(f"{user}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credentials}"}

    def request(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers (lower case); `path` starts behind the database."""
        sent = {**self._headers, **{name.replace("_", "-"): v for name, v in headers.items()}}
        try:
            self._connection.request(method, self._prefix + path, body, sent)
            response = self._connection.getresponse()
            data = response.read()
            answer = loads(data) if data else {}
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise click.ClickException(f"{self._endpoint}: {error}") from None
        except ArangoError:
            raise click.ClickException(f"{self._endpoint}: the answer is no JSON") from None
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, answer if isinstance(answer, dict) else {}, found

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The body of an answer below 400. Errors: `click.ClickException` with its message."""
        status, answer, _ = self.request(method, path, None if body is None else dumps(body))
        if status >= 400:
            raise click.ClickException(reason(answer))
        return answer


def reason(answer: dict[str, Any]) -> str:
    """What an error body says."""
    return f"{answer.get('errorMessage', 'unexpected answer')} ({answer.get('errorNum', '?')})"


def server_options(command: F) -> F:
    """`--endpoint`, `--database`, `--user`, `--password` of the server that a command talks to."""
    for option in (
        click.option("--password", default="", help="Better: the variable ARANGOREP_PASSWORD."),
        click.option("--user", default="root"),
        click.option("--database", default="_system"),
        click.option("--endpoint", default="http://127.0.0.1:8529", help="The server's address."),
    ):
        command = option(command)
    return command
