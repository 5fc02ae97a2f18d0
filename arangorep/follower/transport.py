"""How requests reach a leader: over HTTP, or in a simulation without a network.

A transport returns whole answers or raises `NoResponse`; an answer that was cut off is none.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from yarl import URL

from arangorep.errors import NoResponse
from arangorep.follower.config import ApplierConfig


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer; header names are matched without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Sends one request and waits for its whole answer."""

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        """`target` is path and query. Errors: 500/1400 without a complete answer."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class HttpTransport:
    """Keep-alive connections to one endpoint."""

    def __init__(self, config: ApplierConfig) -> None:
        self._base = config.url()
        self._bytes_max = config.maxPacketSize
        auth = {}
        if config.username:
            credentials = f"{config.username}:{config.password}".encode()
            auth = {"Authorization": f"Basic {b64encode(credentials).decode()}"}
        elif config.jwt:
            auth = {"Authorization": f"bearer {config.jwt}"}
        self._session = aiohttp.ClientSession(
            headers={"Accept-Encoding": "identity", "User-Agent": "ArangoDB", **auth},
            skip_auto_headers=("Accept", "Content-Type"),
            timeout=aiohttp.ClientTimeout(
                total=config.requestTimeout, sock_connect=config.connectTimeout
            ),
            trust_env=False,
            read_bufsize=1024 * 1024,
        )
        # the library would send a request again when a kept connection closes, unseen by us; but a
        # dump that was asked for twice has lost a chunk. There is no public switch.
        self._session._retry_connection = False

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        url = URL(self._base + target, encoded=True)
        try:
            async with self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as response:
                length = response.content_length or 0
                if length > self._bytes_max:
                    raise NoResponse(f"no response: {method} {url}: answer of {length} bytes")
                received = await response.read()
                if len(received) > self._bytes_max:
                    raise NoResponse(f"no response: {method} {url}: too large an answer")
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise NoResponse(f"no response: {method} {url}: {reason}") from None
        return Response(response.status, response.headers, received)

    async def close(self) -> None:
        await self._session.close()
