"""An answer on the wire.

aiohttp's connection asks three things of a response: `prepare`, `write_eof` and `keep_alive`. This
one renders its head in one go and sends small bodies together with it, which makes small requests
a quarter cheaper than the library's general response, and says the truth about its length: a 204
carries `Content-Length: 0`, which real clients need.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from arangorep.clock import Clock
from arangorep.pacing import give_turn
from arangorep.protocol import headers
from arangorep.rest.answer import Answer

log = logging.getLogger("arangorep.http")

JOINED_BYTES_MAX = 256 * 1024
"""Bodies up to this size go out in one write together with the head."""

COMMON_HEADERS = "".join(
    f"{name}: {value}\r\n"
    for name, value in {
        "Server": "ArangoDB",
        "X-Content-Type-Options": "nosniff",
        "X-Arango-Queue-Time-Seconds": "0.000000",
        "Cache-Control": "no-cache, no-store, must-revalidate, pre-check=0, post-check=0, "
        "max-age=0, s-maxage=0",
        "Pragma": "no-cache",
        "Expires": "0",
        "Content-Security-Policy": "frame-ancestors 'self'; form-action 'self';",
        "Strict-Transport-Security": "max-age=31536000 ; includeSubDomains",
    }.items()
)
STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}" for status in HTTPStatus}


class HeadFront:
    """The part of a head that is the same for all answers of a kind within a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = -1
        self._texts: dict[tuple[int, str, bool], str] = {}

    def text(self, answer: Answer, *, keep_alive: bool) -> str:
        """Status line and the headers that do not depend on the answer's content."""
        second = self._clock.wall_us() // 1_000_000
        if second != self._second:
            self._second = second
            self._texts.clear()
        kind = (answer.status, answer.content_type, keep_alive)
        found = self._texts.get(kind)
        if found is None:
            found = self._texts[kind] = self._render(answer, keep_alive)
        return found

    def _render(self, answer: Answer, keep_alive: bool) -> str:
        # arangodump and real followers look at the type of an empty chunk too (follower 9.1, 13)
        is_typed = answer.status != 204 or answer.content_type != headers.JSON
        content = f"Content-Type: {answer.content_type}\r\n" if is_typed else ""
        return (
            f"{STATUS_LINES[answer.status]}\r\n{COMMON_HEADERS}{content}"
            f"Connection: {'Keep-Alive' if keep_alive else 'Close'}\r\n"
            f"Date: {formatdate(self._second, usegmt=True)}\r\n"
        )


class HttpResponse:
    """Sends one answer; `close` ends the connection after it."""

    __slots__ = ("_answer", "_front", "_is_head", "_origin", "_request", "_writer", "keep_alive")

    def __init__(
        self, answer: Answer, front: HeadFront, request: web.BaseRequest | None, *, close: bool
    ) -> None:
        self._answer = answer
        self._front = front
        self._is_head = request is not None and request.method == "HEAD"
        self._origin = None if request is None else request.headers.get("Origin")
        self._writer: AbstractStreamWriter | None = None
        self._request = request
        self.keep_alive = request is not None and request.keep_alive and not close

    async def prepare(self, request: web.BaseRequest) -> None:
        """Remember where to write."""
        self._writer = request.writer

    async def write_eof(self) -> None:
        """Send everything. Pieces are never joined, and dropped as soon as they are sent."""
        assert self._writer is not None
        if self._answer.stream is not None:
            await self._send_stream(self._answer.stream)
            return
        length, pieces = self._answer.length, self._answer.pieces
        head = self._head(f"Content-Length: {length}\r\n")
        if self._is_head:
            await self._writer.write_eof(head)
        elif length <= JOINED_BYTES_MAX:
            await self._writer.write_eof(b"".join((head, *pieces)))
        else:
            await self._writer.write(head)
            pieces.reverse()
            while pieces:
                await self._writer.write(pieces.pop())
                await give_turn()
            await self._writer.write_eof()

    async def _send_stream(self, stream: AsyncIterator[bytes]) -> None:
        """Send what the stream gives, in chunks unless its length is known."""
        assert self._writer is not None
        assert self._request is not None
        is_chunked = self._answer.stream_bytes is None
        if is_chunked and self._request.version < HttpVersion11:
            is_chunked = self.keep_alive = False  # the end of the connection ends the body
        try:
            async with aclosing(cast(AsyncGenerator[bytes, None], stream)) as pieces:
                await self._writer.write(self._head(self._framing(is_chunked=is_chunked)))
                if is_chunked:
                    self._writer.enable_chunking()
                if not self._is_head:
                    async for piece in pieces:
                        await self._writer.write(piece)
                        await give_turn()
            await self._writer.write_eof()
        except Exception:
            log.exception("a body could not be sent to its end")
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionResetError("the body ended early") from None

    def _framing(self, *, is_chunked: bool) -> str:
        """The header that tells where a streamed body ends."""
        if is_chunked:
            return "Transfer-Encoding: chunked\r\n"
        length = self._answer.stream_bytes
        return "" if length is None else f"Content-Length: {length}\r\n"

    def _head(self, framing: str) -> bytes:
        """Errors: `ValueError` for a header that is two."""
        answer, text = self._answer, ""
        for name, value in answer.headers.items():
            text += f"{name}: {value}\r\n"
        if text.count("\n") != len(answer.headers):
            raise ValueError("a header value with a line break")
        if self._origin is not None:
            text += self._cross_origin(self._origin)
        front = self._front.text(answer, keep_alive=self.keep_alive)
        return f"{front}{framing}{text}\r\n".encode("utf-8", "surrogateescape")

    def _cross_origin(self, origin: str) -> str:
        if "\n" in origin or "\r" in origin:
            raise ValueError("a header value with a line break")
        exposed = ", ".join(self._answer.headers) or "etag"
        return (
            f"Access-Control-Allow-Origin: {origin}\r\n"
            "Access-Control-Allow-Credentials: true\r\n"
            f"Access-Control-Expose-Headers: {exposed}\r\n"
        )
