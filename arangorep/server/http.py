"""HTTP: aiohttp on one side, `Dispatcher` and plain answers on the other.

aiohttp's low-level server is used without its router: routing is a dict look-up of ours. What the
library does differently from the protocol is put right here: compressed bodies are unpacked so that
a broken one costs no more than its request, and what the parser refuses gets the usual error body.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import cast

from aiohttp import http_exceptions, web

from arangorep.clock import Clock, SystemClock
from arangorep.codec.compression import Decompressor
from arangorep.errors import (
    ArangoError,
    BadParameter,
    BodyTooLarge,
    HeadersTooLarge,
    HttpBadParameter,
    InternalError,
    UrlTooLong,
)
from arangorep.limits import HEADER_BYTES_MAX, KEEP_ALIVE_S, URL_BYTES_MAX
from arangorep.rest.answer import error_answer
from arangorep.rest.dispatch import Dispatcher
from arangorep.server.response import HeadFront, HttpResponse

READ_BUFFER_BYTES = 256 * 1024
FRONT_OF_ERRORS = HeadFront(SystemClock())
"""For what the parser refuses: no server is known there."""


class HttpProtocol(web.RequestHandler):
    """A connection; requests that the parser refuses are answered as any other error."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = error_answer(_refusal(status, exc, message))
        return _as_response(HttpResponse(answer, FRONT_OF_ERRORS, None, close=True))


def _refusal(status: int, exc: BaseException | None, message: str | None) -> ArangoError:
    if isinstance(exc, http_exceptions.LineTooLong):
        return HeadersTooLarge() if exc.args[1] == HEADER_BYTES_MAX else UrlTooLong()
    if status < 500:
        text = (message or "malformed HTTP request").splitlines()[0]
        if text.startswith("Too many headers"):
            return HeadersTooLarge()
        return HttpBadParameter(f"bad parameter: {text.strip(' :')}")
    return InternalError()


class HttpServer(web.Server):
    """Serves a dispatcher on as many connections as come."""

    def __init__(self, dispatcher: Dispatcher, body_bytes_max: int, clock: Clock) -> None:
        super().__init__(
            self._handle,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE_S,
            max_line_size=URL_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            read_bufsize=READ_BUFFER_BYTES,
            auto_decompress=False,
        )
        self._dispatcher = dispatcher
        self._body_bytes_max = body_bytes_max
        self._front = HeadFront(clock)
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def drain(self, grace_s: float) -> None:
        """Wait until no request is being handled, `grace_s` seconds at most.

        To be called before the library's own shutdown, which stops reading: a request whose body
        is still coming would never end.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._idle.wait()

    def __call__(self) -> web.RequestHandler:
        return HttpProtocol(self, loop=self._loop, **self._kwargs)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._in_flight += 1
        self._idle.clear()
        try:
            body = _Body(request, self._body_bytes_max)
            answer = await self._dispatcher.answer(
                request.method, request.raw_path, request.headers, body.read, body.chunks
            )
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()
        return _as_response(HttpResponse(answer, self._front, request, close=body.is_withheld))


def _as_response(response: HttpResponse) -> web.StreamResponse:
    """What aiohttp's connection takes it for."""
    return cast(web.StreamResponse, response)


class _Body:
    """The request's body, read and unpacked once when a handler asks for it."""

    __slots__ = ("_bytes_max", "_data", "_request", "_started")

    def __init__(self, request: web.BaseRequest, bytes_max: int) -> None:
        self._request = request
        self._bytes_max = bytes_max
        self._data: bytes | None = None
        self._started = False

    @property
    def is_withheld(self) -> bool:
        """Whether the client waits for a `100 Continue` that it did not get.

        It may now send the body or leave it out, so nobody knows where the next request begins.
        """
        return not self._started and self._request.body_exists and self._is_awaited

    @property
    def _is_awaited(self) -> bool:
        return self._request.headers.get("Expect", "").lower() == "100-continue"

    async def read(self) -> bytes:
        """Errors: 413/413 over the limit; 400/10 for a body that cannot be decoded."""
        if self._data is None:
            self._data = await self._read() if self._request.body_exists else b""
        return self._data

    async def _read(self) -> bytes:
        received: list[bytes] = []
        async for chunk in self.chunks():
            received.append(chunk)
        return b"".join(received)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body while it comes, unpacked. Errors: as `read`."""
        request = self._request
        if not request.body_exists:
            return
        if (request.content_length or 0) > self._bytes_max:
            raise BodyTooLarge
        self._started = True
        if self._is_awaited and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        unpack = Decompressor.of(request.headers.get("Content-Encoding", ""))
        size = 0
        try:
            async for received in request.content.iter_any():
                for chunk in (received,) if unpack is None else unpack.feed(received):
                    size += len(chunk)
                    if size > self._bytes_max:
                        raise BodyTooLarge
                    yield chunk
                    if unpack is not None:
                        await asyncio.sleep(0)
        except (http_exceptions.HttpProcessingError, web.RequestPayloadError) as error:
            raise BadParameter(f"bad parameter: the body cannot be read: {error}") from None
        except ConnectionError:
            # nobody is there to read this, but it is no failure of the server either
            raise BadParameter("bad parameter: the connection ended within the body") from None
        if unpack is not None:
            unpack.finish()
