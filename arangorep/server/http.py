"""HTTP: aiohttp on one side, `Dispatcher` and plain answers on the other.

aiohttp's low-level server is used without its router: routing is a dict look-up of ours. What the
library does differently from the protocol is put right here: a 204 carries `Content-Length: 0`,
`Connection` says what happens to the connection, compressed bodies are unpacked here so that a
broken one costs no more than its request, and what the parser refuses gets the usual error body.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import http_exceptions, web
from multidict import CIMultiDict

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
from arangorep.rest.answer import Answer, error_answer
from arangorep.rest.dispatch import Dispatcher

READ_BUFFER_BYTES = 256 * 1024
JOINED_BYTES_MAX = 256 * 1024
"""Bodies up to this size go out in one write together with the headers."""

COMMON_HEADERS = CIMultiDict(
    {
        "Server": "ArangoDB",
        "Connection": "Keep-Alive",
        "X-Content-Type-Options": "nosniff",
        "X-Arango-Queue-Time-Seconds": "0.000000",
        "Cache-Control": "no-cache, no-store, must-revalidate, pre-check=0, post-check=0, "
        "max-age=0, s-maxage=0",
        "Pragma": "no-cache",
        "Expires": "0",
        "Content-Security-Policy": "frame-ancestors 'self'; form-action 'self';",
        "Strict-Transport-Security": "max-age=31536000 ; includeSubDomains",
    }
)


class HttpRequest(web.BaseRequest):
    """A request whose responses say the truth about their length and the connection's future.

    A 204 keeps its `Content-Length` (design: real clients need it).
    """

    async def _prepare_hook(self, response: web.StreamResponse) -> None:
        if response.status == 204:
            response.headers["Content-Length"] = "0"
        if not response.keep_alive:
            response.headers["Connection"] = "Close"


class HttpProtocol(web.RequestHandler):
    """A connection; requests that the parser refuses are answered as any other error."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        response = _whole_response(error_answer(_refusal(status, exc, message)), None)
        response.force_close()
        return response


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

    def __init__(self, dispatcher: Dispatcher, body_bytes_max: int) -> None:
        super().__init__(
            self._handle,
            request_factory=_make_request,
            access_log=None,
            keepalive_timeout=KEEP_ALIVE_S,
            max_line_size=URL_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            read_bufsize=READ_BUFFER_BYTES,
            auto_decompress=False,
        )
        self._dispatcher = dispatcher
        self._body_bytes_max = body_bytes_max

    def __call__(self) -> web.RequestHandler:
        return HttpProtocol(self, loop=self._loop, **self._kwargs)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = _Body(request, self._body_bytes_max)
        answer = await self._dispatcher.answer(
            request.method, request.raw_path, request.headers, body.read
        )
        origin = request.headers.get("Origin")
        if request.method == "HEAD" or answer.length <= JOINED_BYTES_MAX:
            response = _whole_response(answer, origin)
            if body.is_withheld:
                response.force_close()
            return response
        return await _stream(request, answer, origin)


def _make_request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
) -> HttpRequest:
    return HttpRequest(message, payload, protocol, writer, task, asyncio.get_running_loop())


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
        request = self._request
        if (request.content_length or 0) > self._bytes_max:
            raise BodyTooLarge
        self._started = True
        if self._is_awaited and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        unpack = Decompressor.of(request.headers.get("Content-Encoding", ""))
        chunks: list[bytes] = []
        size = 0
        try:
            async for received in request.content.iter_any():
                for chunk in (received,) if unpack is None else unpack.feed(received):
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > self._bytes_max:
                        raise BodyTooLarge
                    if unpack is not None:
                        await asyncio.sleep(0)
        except (http_exceptions.HttpProcessingError, web.RequestPayloadError) as error:
            raise BadParameter(f"bad parameter: the body cannot be read: {error}") from None
        if unpack is not None:
            unpack.finish()
        return b"".join(chunks)


def _headers(answer: Answer, origin: str | None) -> CIMultiDict[str]:
    combined = COMMON_HEADERS.copy()
    combined.update(answer.headers)
    if answer.status != 204:
        combined["Content-Type"] = answer.content_type
    if origin is not None:
        combined["Access-Control-Allow-Origin"] = origin
        combined["Access-Control-Allow-Credentials"] = "true"
        combined["Access-Control-Expose-Headers"] = ", ".join(answer.headers) or "etag"
    return combined


def _whole_response(answer: Answer, origin: str | None) -> web.Response:
    pieces = answer.pieces
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return web.Response(status=answer.status, body=body, headers=_headers(answer, origin))


async def _stream(
    request: web.BaseRequest, answer: Answer, origin: str | None
) -> web.StreamResponse:
    """Send the pieces one by one: never joined, and dropped as soon as they are sent."""
    response = web.StreamResponse(status=answer.status, headers=_headers(answer, origin))
    response.content_length = answer.length
    await response.prepare(request)
    pieces = answer.pieces
    pieces.reverse()
    while pieces:
        await response.write(pieces.pop())
        await asyncio.sleep(0)
    await response.write_eof()
    return response
