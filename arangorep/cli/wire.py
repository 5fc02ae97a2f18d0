"""Connections of commands that move files: bodies as bytes, any database, one for each thread."""

from __future__ import annotations

import http.client
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import click

from arangorep.cli.client import ApiClient, reason
from arangorep.codec.json import dumps, loads_shallow
from arangorep.errors import ArangoError

TIMEOUT_S = 600.0
"""Dropping a large collection, or the turn of a large request, may take minutes."""

_STALE = (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)


class Unreachable(click.ClickException):
    """No complete answer came."""


class ServerRefused(click.ClickException):
    """The server answered with an error."""

    def __init__(self, status: int, answer: dict[str, Any], what: str) -> None:
        self.status = status
        self.error_num = answer.get("errorNum")
        super().__init__(f"{what}: {reason(answer)}")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def members(self) -> dict[str, Any]:
        """The JSON object in the body; empty for any other body."""
        try:
            value = loads_shallow(self.body) if self.body else {}
        except ArangoError:
            value = {}
        return value if isinstance(value, dict) else {}


class Wire(ApiClient):
    """One connection to a server."""

    _is_used = False

    def send(
        self,
        method: str,
        database: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        *,
        is_repeatable: bool = True,
    ) -> Reply:
        """Errors: `Unreachable`, `ServerRefused` for 400 and above.

        With `is_repeatable` the request is sent again when the connection turns out to be closed.
        """
        target = f"/_db/{quote(database, safe='')}{path}"
        if query:
            target += "?" + urlencode(query)
        sent = dict(self._headers)
        if body is not None:
            sent["Content-Type"] = content_type
        try:
            reply = self._exchange(method, target, body, sent, is_repeatable)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            text = str(error) or type(error).__name__
            raise Unreachable(f"{self._endpoint}: {text}") from None
        if reply.status >= 400:
            raise ServerRefused(reply.status, reply.members(), f"{method} {path}")
        return reply

    def members(
        self,
        method: str,
        database: str,
        path: str,
        query: dict[str, Any] | None = None,
        body: Any = None,
    ) -> dict[str, Any]:
        """JSON both ways. Errors: `Unreachable`, `ServerRefused`."""
        data = None if body is None else dumps(body)
        return self.send(method, database, path, query, data).members()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _exchange(
        self,
        method: str,
        target: str,
        body: bytes | None,
        sent: dict[str, str],
        is_repeatable: bool,
    ) -> Reply:
        try:
            return self._once(method, target, body, sent)
        except _STALE:
            # a server may close an idle connection at any moment; a fresh one tells the truth
            self._connection.close()
            if not self._is_used or not is_repeatable:
                raise
            return self._once(method, target, body, sent)

    def _once(self, method: str, target: str, body: bytes | None, sent: dict[str, str]) -> Reply:
        self._connection.request(method, target, body, sent)
        response = self._connection.getresponse()
        data = response.read()
        self._is_used = True
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, headers, data)


class Connections:
    """A `Wire` for each thread that asks for one."""

    def __init__(self, endpoint: str, user: str, password: str) -> None:
        self._arguments = (endpoint, "_system", user, password)
        self._local = threading.local()
        self._all: list[Wire] = []
        self.endpoint = endpoint
        _ = self.mine  # an endpoint that is none is an error at once

    @property
    def mine(self) -> Wire:
        """The calling thread's."""
        found: Wire | None = getattr(self._local, "wire", None)
        if found is None:
            found = self._local.wire = Wire(*self._arguments, timeout_s=TIMEOUT_S)
            self._all.append(found)
        return found

    def close(self) -> None:
        """Close all; no thread may use one any more."""
        for wire in self._all:
            wire.close()
