"""HTTP on a bare socket: what went over the wire, and whether the connection is still usable."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any

TIMEOUT_S = 30


@dataclass(frozen=True)
class RawAnswer:
    """One response as it came: header names in lower case, repeated headers kept apart."""

    status: int
    head: list[tuple[str, str]]
    body: bytes

    @property
    def headers(self) -> dict[str, str]:
        """The headers; of a repeated one the last."""
        return dict(self.head)

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, int]:
        """Status and errorNum, after checking that the body is an error of the right shape."""
        body = self.json()
        assert body["error"] is True, body
        assert body["code"] == self.status, body
        assert isinstance(body["errorMessage"], str)
        assert body["errorMessage"]
        return self.status, body["errorNum"]


class RawConnection:
    """One keep-alive connection. Every read ends with a time limit, so a hang is a failure."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self._stream = self._socket.makefile("rb")

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave, whatever is under way. Twice does no harm."""
        self._stream.close()
        self._socket.close()

    @property
    def address(self) -> tuple[str, int]:
        """This end, as the server sees it."""
        host, port = self._socket.getsockname()
        return host, port

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def request(
        self,
        method: str,
        target: str | bytes,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> RawAnswer:
        """Send one request with a `Content-Length` when there is a body, and read its answer."""
        self.send(request_bytes(method, target, body, headers))
        return self.read(head_only=method == "HEAD")

    def read(self, *, head_only: bool = False) -> RawAnswer:
        """The next response; its body has exactly the announced length."""
        status_line = self._stream.readline()
        assert status_line.startswith(b"HTTP/1."), f"no response but {status_line!r}"
        status = int(status_line.split()[1])
        head: list[tuple[str, str]] = []
        while (line := self._stream.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            head.append((name.lower(), value.strip()))
        if head_only or status in (100, 304):
            return RawAnswer(status, head, b"")
        length = int(dict(head)["content-length"])
        body = self._stream.read(length)
        assert len(body) == length, "the connection ended within a body"
        return RawAnswer(status, head, body)

    def is_closed(self) -> bool:
        """Whether the server ends the connection without another byte."""
        try:
            return self._stream.read(1) == b""
        except ConnectionResetError:
            return True


def request_bytes(
    method: str,
    target: str | bytes,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    """A request as it goes over the wire."""
    if isinstance(target, str):
        target = target.encode()
    lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Host: localhost"]
    lines += [f"{name}: {value}".encode() for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", b""]) + (body or b"")
