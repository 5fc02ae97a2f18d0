"""From a raw request to an answer: authentication, routing, asynchronous jobs, errors to bodies.

The one place that turns an error into a response. Routing is a look-up of the first path parts in a
dict; the order of checks is that of data-api 1.1.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import cast

from arangorep.auth.authenticator import NOBODY
from arangorep.clock import stopwatch_s
from arangorep.codec.compression import is_packed
from arangorep.errors import (
    ArangoError,
    CorruptionError,
    DatabaseNotFound,
    Forbidden,
    HttpNotFound,
    InternalError,
    NotImplementedHere,
    ShuttingDown,
)
from arangorep.limits import HLC_AHEAD_MAX_MS
from arangorep.protocol import headers
from arangorep.protocol.params import Query, decode_part
from arangorep.rest import backups, online
from arangorep.rest.answer import Answer, error_answer
from arangorep.rest.context import Handler, Request, Services
from arangorep.rest.negotiation import suited
from arangorep.rest.routes import ROUTES
from arangorep.values.account import Identity
from arangorep.values.database import SYSTEM_DATABASE
from arangorep.values.revision import decode_hlc, encode_hlc

log = logging.getLogger("arangorep.rest")

METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
OPEN_PATHS = ("/_open/", "/_admin/aardvark")
AVAILABILITY = "/_admin/server/availability"
ANY_DATABASE_PATHS = ("/_api/user", "/_api/cluster/endpoints")
"""What users may call below a database that they have no right on (data-api 1.1)."""
HLC_COUNTER_BITS = 20


class Dispatcher:
    """Answers requests with the services of one node."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._count = services.observation.counters.answered

    async def answer(
        self,
        method: str,
        target: str,
        request_headers: Mapping[str, str],
        read_body: Callable[[], Awaitable[bytes]],
        read_chunks: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> Answer:
        """Never raises: every failure is an answer."""
        started_s = stopwatch_s()
        try:
            answer = await self._answer(method, target, request_headers, read_body, read_chunks)
        except Exception as error:
            answer = _answer_in_form(error, target)
        if "Accept" in request_headers or "Accept-Encoding" in request_headers:
            try:
                answer = await suited(method, request_headers, answer)
            except Exception as error:
                answer = answer_to(error)
        self._count(method, answer, stopwatch_s() - started_s)
        return answer

    async def _answer(
        self,
        method: str,
        target: str,
        request_headers: Mapping[str, str],
        read_body: Callable[[], Awaitable[bytes]],
        read_chunks: Callable[[], AsyncIterator[bytes]] | None = None,
    ) -> Answer:
        services = self._services
        if method == "OPTIONS":
            return _options(request_headers)
        raw_path, raw_query = split_target(target)
        database_name, path = split_database(raw_path)
        identity = self._identify(path, database_name, request_headers)
        if services.stopping:
            raise ShuttingDown
        if not services.store.catalog.has_database(database_name):
            if not identity.database_level(database_name):
                raise _not_authorized(request_headers)
            raise DatabaseNotFound
        handler, parts = find_handler(path)
        request = Request(
            services,
            method,
            path,
            database_name,
            [decode_part(part) for part in parts],
            Query(raw_query),
            request_headers,
            read_body,
            identity,
            read_chunks,
        )
        hlc = request_headers.get(headers.HLC)
        if hlc is not None:
            _observe(services, hlc)
        wanted = request_headers.get(headers.ASYNC)
        if wanted is not None and handler.__module__ != "arangorep.rest.job":
            return await _start_job(request, handler, wanted)
        answer = await handler(request)
        if hlc is not None:
            answer.headers[headers.HLC] = encode_hlc(services.store.last_revision)
        return answer

    def _identify(
        self, path: str, database_name: str, request_headers: Mapping[str, str]
    ) -> Identity:
        """Who asks, after checking that they may ask here.

        Errors: 401/11 with the challenge; 403/11 for a packed body of nobody (data-api 1.1, 1.5).
        """
        authenticator = self._services.authenticator
        identity = authenticator.identify(request_headers.get("Authorization", ""))
        if identity.allowed_paths is not None and path not in identity.allowed_paths:
            identity = NOBODY
        if path in ("/", AVAILABILITY) or path.startswith(OPEN_PATHS):
            if identity.is_anonymous and is_packed(request_headers.get("Content-Encoding", "")):
                raise Forbidden
            return identity
        if identity.is_anonymous:
            raise _not_authorized(request_headers)
        if not path.startswith(ANY_DATABASE_PATHS) and not identity.database_level(database_name):
            raise _not_authorized(request_headers)
        return identity


def _not_authorized(request_headers: Mapping[str, str]) -> Forbidden:
    """401/11 (leader-api 10.4)."""
    challenge = {}
    if headers.OMIT_WWW_AUTHENTICATE not in request_headers:
        challenge["Www-Authenticate"] = 'Basic realm="ArangoDB", Bearer token_type="JWT"'
    return Forbidden("not authorized to execute this request", http_status=401, headers=challenge)


async def guarded(run: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer of `run`, or the error body of what it raised."""
    try:
        return await run()
    except Exception as error:
        return answer_to(error)


def answer_to(error: Exception) -> Answer:
    """The error body of anything a handler may raise; only what nobody foresaw is logged whole."""
    if isinstance(error, ArangoError):
        return error_answer(error)
    if isinstance(error, CorruptionError):
        log.error("the store is damaged: %s", error)
        return error_answer(InternalError(f"internal error: {error}"))
    log.error("a request failed unexpectedly", exc_info=error)
    return error_answer(InternalError())


def _answer_in_form(error: Exception, target: str) -> Answer:
    """As `answer_to`, but the interfaces of backups have forms of their own (backups 6.2)."""
    path = split_target(target)[0].rstrip("/")
    if isinstance(error, ArangoError):
        if path[1:].partition("/")[0] in backups.ROOTS:
            return backups.error_form(error)
        if online.is_online(path.rpartition("/")[2]):
            online.in_its_form(error)
    return answer_to(error)


def split_target(target: str) -> tuple[str, str]:
    """Path and query of a request target: `/path?query`, or a whole URL as proxies send it."""
    target = target.partition("#")[0]
    if not target.startswith("/"):
        _, has_scheme, rest = target.partition("://")
        if has_scheme:
            target = "/" + rest.partition("/")[2]
    path, _, query = target.partition("?")
    return path, query


def split_database(raw_path: str) -> tuple[str, str]:
    """Database name and rest of a path; without `/_db/` it is `_system`. Errors: 400/10."""
    while "//" in raw_path:
        raw_path = raw_path.replace("//", "/")
    if not raw_path.startswith("/_db/"):
        return SYSTEM_DATABASE, raw_path
    name, slash, rest = raw_path[5:].partition("/")
    return unicodedata.normalize("NFC", decode_part(name)), slash + rest


def find_handler(path: str) -> tuple[Handler, list[str]]:
    """The handler of a path and the raw parts behind its prefix. Errors: 404/404."""
    parts = path[1:].split("/")
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    # nearly every route has two parts: try that first
    for length in (2, 3, 1):
        handler = ROUTES.get("/".join(parts[:length])) if len(parts) >= length else None
        if handler is not None:
            return handler, parts[length:]
    if online.is_online(decode_part(parts[-1])):
        return online.handle, parts
    raise HttpNotFound(f"unknown path '{path}'")


async def _start_job(request: Request, handler: Handler, wanted: str) -> Answer:
    """202 at once; the body is read before, because the connection goes on to the next request."""
    body = await request.read_body()

    async def stored_body() -> bytes:
        return body

    request.read_body, request.read_chunks = stored_body, None

    async def run() -> Answer:
        answer = await guarded(lambda: handler(request))
        if answer.stream is None:
            return answer
        await cast(AsyncGenerator[bytes, None], answer.stream).aclose()
        return answer_to(NotImplementedHere("not implemented: this answer cannot wait as a job"))

    jobs = request.services.jobs
    accepted = Answer(202, content_type=headers.TEXT)
    if wanted.strip().lower() == "store":
        job_id = jobs.start(run, request.user)
        accepted.headers[headers.ASYNC_ID] = str(job_id)
    elif wanted.strip().lower() == "true":
        jobs.start_detached(run)
    else:
        return await handler(request)
    request.services.observation.counters.async_requests += 1
    return accepted


def _observe(services: Services, text: str) -> None:
    """Move the clock forward; what is no time, or one that nobody's clock shows, is ignored."""
    revision = decode_hlc(text)
    latest_ms = services.clock.wall_us() // 1000 + HLC_AHEAD_MAX_MS
    if revision < latest_ms << HLC_COUNTER_BITS:
        services.store.observe_revision(revision)


def _options(request_headers: Mapping[str, str]) -> Answer:
    answer = Answer(200, content_type=headers.TEXT, headers={"allow": METHODS})
    if request_headers.get("Origin") is not None:
        answer.headers["access-control-allow-methods"] = METHODS
        answer.headers["access-control-max-age"] = "1800"
        asked = request_headers.get("Access-Control-Request-Headers")
        if asked is not None:
            answer.headers["access-control-allow-headers"] = asked
    return answer
