"""`/_api/cursor`: the queries that drivers send under the hood, and their like (data-api 9.2).

`run_query` also serves `/_api/simple`, whose calls are queries in other words.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from arangorep.aql.pipeline import PAUSE
from arangorep.aql.plan import Query
from arangorep.aql.statements import parse_query
from arangorep.codec.json import Fragment
from arangorep.data.queries import QueryRun, Results, check_full_count
from arangorep.data.stream import StreamTransaction
from arangorep.errors import (
    BadParameter,
    CursorNotFound,
    HttpBadParameter,
    MethodNotAllowed,
    NotImplementedHere,
    QueryEmpty,
    ResourceLimit,
)
from arangorep.limits import (
    BATCH_TTL_S_MAX,
    CURSOR_BATCH_DEFAULT,
    CURSOR_TTL_S_DEFAULT,
    QUERY_RESULT_BYTES_MAX,
)
from arangorep.pacing import drive
from arangorep.protocol.params import number_of, parse_number
from arangorep.rest.answer import Answer, json_answer, ok
from arangorep.rest.context import Request
from arangorep.rest.cursor_registry import QueryCursor, ResultReader
from arangorep.rest.writing import sync_if_wanted, writing


async def handle(request: Request) -> Answer:
    """Create a cursor, fetch from it, delete it. Errors: 400/400 without an id; 405/405."""
    match request.method, request.parts:
        case "POST", []:
            return await _create(request)
        case (("POST" | "PUT"), [text]):
            return await _fetch(request, text, None)
        case "POST", [text, batch]:
            return await _fetch(request, text, parse_number(batch))
        case "DELETE", [text]:
            cursor_id = _id(text)
            cursors = request.services.cursors
            cursors.find(cursor_id, request.user, request.database.info.id)
            cursors.remove(cursor_id)
            return ok({"id": text}, 202)
        case (("POST" | "PUT" | "DELETE"), _):
            raise HttpBadParameter("bad parameter: expecting /_api/cursor/<cursor id>")
    raise MethodNotAllowed


RESULT_OVERHEAD_BYTES = 48
"""What a result takes besides its bytes."""


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How results are wanted."""

    counts: bool = False
    batch_size: int = CURSOR_BATCH_DEFAULT
    ttl_s: float = CURSOR_TTL_S_DEFAULT
    allows_retry: bool = False
    wants_full_count: bool = False


def parse_query_options(body: Mapping[str, Any]) -> QueryOptions:
    """Errors: 400/10."""
    options = body.get("options")
    members = options if isinstance(options, dict) else {}
    if members.get("profile") not in (None, False, 0):
        raise NotImplementedHere("not implemented: profiling of queries")
    batch_size = number_of(body.get("batchSize", CURSOR_BATCH_DEFAULT))
    if batch_size is None or batch_size < 1:
        raise BadParameter("bad parameter: 'batchSize' must be a number above 0")
    ttl_s = number_of(body.get("ttl"))
    return QueryOptions(
        counts=body.get("count") is True,
        batch_size=int(batch_size),
        ttl_s=min(ttl_s, BATCH_TTL_S_MAX) if ttl_s and ttl_s > 0 else CURSOR_TTL_S_DEFAULT,
        allows_retry=members.get("allowRetry") is True,
        wants_full_count=members.get("fullCount", body.get("fullCount")) is True,
    )


async def _create(request: Request) -> Answer:
    """Errors: 400/1502, 1501, 1551 to 1553, 10; 404/1203; 403/11; 501/9; those of writes."""
    body = await request.json()
    text = body.get("query") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(text, str):
        raise QueryEmpty
    binds = body.get("bindVars")
    if binds is None:
        binds = {}
    if not isinstance(binds, dict):
        raise BadParameter("bad parameter: 'bindVars' must be an object")
    query = parse_query(text)
    return await run_query(request, query, binds, parse_query_options(body))


async def run_query(
    request: Request, query: Query, binds: Mapping[str, Any], options: QueryOptions
) -> Answer:
    """Run a query and answer with its first batch, 201."""
    check_full_count(query, options.wants_full_count)
    started_us = request.services.clock.monotonic_us()
    request.services.cursors.check_room()
    with request.stream() as stream:
        if query.is_write:
            results, run = await _written(request, query, binds, stream)
            held: Results = iter(results)
            count = len(results)
        else:
            run = _prepare(request, query, binds, stream)
            held, found = run.values(), run.known_count() if options.counts else 0
            if stream is not None or found is None:
                results = await drive(_gathered(held))
                held, found = iter(results), len(results)
            count = found
        reader = ResultReader(held)
        try:
            batch = await drive(reader.take(options.batch_size))
        except BaseException:
            reader.close()
            raise
    cursor = QueryCursor(
        owner=request.user,
        database_id=request.database.info.id,
        reader=reader,
        batch_size=options.batch_size,
        ttl_s=options.ttl_s,
        count=count if options.counts else None,
        extra=_extra(request, run, started_us),
        allows_retry=options.allows_retry,
        last_batch=batch,
    )
    cursor_id = None
    if batch[1]:
        cursor_id = request.services.cursors.add(cursor)
    else:
        reader.close()
    return _answer(cursor, cursor_id, 201)


async def run_to_end(
    request: Request, query: Query, binds: Mapping[str, Any]
) -> tuple[list[bytes], QueryRun]:
    """Run a query and return all results, for calls that answer in another form."""
    with request.stream() as stream:
        if query.is_write:
            return await _written(request, query, binds, stream)
        run = _prepare(request, query, binds, stream)
        return await drive(_gathered(run.values())), run


def _prepare(
    request: Request, query: Query, binds: Mapping[str, Any], stream: StreamTransaction | None
) -> QueryRun:
    name = query.reads(binds) if _are_bound(query, binds) else None
    reads = None if name is None else request.collection(name)
    return QueryRun(request.store, query, binds, reads, stream)


def _are_bound(query: Query, binds: Mapping[str, Any]) -> bool:
    """Whether names of collections are there; if not, `Execution` tells which is missing."""
    return query.binds <= binds.keys()


async def _written(
    request: Request,
    query: Query,
    binds: Mapping[str, Any],
    stream: StreamTransaction | None,
) -> tuple[list[bytes], QueryRun]:
    """What a query that writes returns. Collections are looked up when it is its turn to write."""
    request.check_documents_writable()
    _prepare(request, query, binds, stream)  # what is wrong with it shows before any waiting
    name = query.writes(binds)
    assert name is not None
    async with writing(request, name, stream) as collection:
        run = _prepare(request, query, binds, stream)
        results = await drive(_gathered(run.write(request.database, collection)))
    wanted = run.execution.options.get("waitForSync") is True
    await sync_if_wanted(request, collection, stream, wanted=wanted)
    return results, run


def _gathered(results: Results) -> Generator[None, None, list[bytes]]:
    """All results at once. Errors: 400/32 when they are too many."""
    found: list[bytes] = []
    size = 0
    for one in results:
        if one is PAUSE:
            yield
            continue
        found.append(one)
        size += len(one) + RESULT_OVERHEAD_BYTES
        if size > QUERY_RESULT_BYTES_MAX:
            raise ResourceLimit(
                "resource limit exceeded: the query returns too much to be counted",
                http_status=400,
            )
    return found


# -- fetching --------------------------------------------------------------------------------------


@contextmanager
def _reading(request: Request, cursor_id: int) -> Iterator[QueryCursor]:
    """A cursor that no other request reads meanwhile; a fault in between ends it."""
    cursors = request.services.cursors
    cursor = cursors.find(cursor_id, request.user, request.database.info.id)
    cursor.is_busy = True
    try:
        yield cursor
    except (CursorNotFound, HttpBadParameter):
        raise
    except BaseException:
        cursors.remove(cursor_id)
        raise
    finally:
        cursor.is_busy = False
        cursors.touch(cursor)


async def _fetch(request: Request, text: str, number: int | None) -> Answer:
    """Errors: 404/1600; 409/1601."""
    cursor_id = _id(text)
    with _reading(request, cursor_id) as cursor:
        if number is not None and number == cursor.batch_number and cursor.allows_retry:
            return _answer(cursor, cursor_id, 200)
        if number == cursor.batch_number:
            raise HttpBadParameter("bad parameter: the batch was fetched, and retry is not allowed")
        if number not in (None, cursor.batch_number + 1) or not cursor.last_batch[1]:
            raise CursorNotFound
        cursor.last_batch = await drive(cursor.reader.take(cursor.batch_size))
        cursor.batch_number += 1
    if not cursor.last_batch[1] and not cursor.allows_retry:
        request.services.cursors.remove(cursor_id)
    return _answer(cursor, cursor_id, 200)


def _id(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise CursorNotFound
    return parse_number(text)


def _answer(cursor: QueryCursor, cursor_id: int | None, status: int) -> Answer:
    rows, has_more = cursor.last_batch
    body: dict[str, Any] = {
        "result": Fragment(b"[" + b",".join(rows) + b"]"),
        "hasMore": has_more,
        "cached": False,
        "extra": cursor.extra(),
        "error": False,
        "code": status,
    }
    if cursor.count is not None:
        body["count"] = cursor.count
    if cursor_id is not None and has_more:
        body["id"] = str(cursor_id)
        body["nextBatchId"] = str(cursor.batch_number + 1)
    return json_answer(body, status)


def _extra(request: Request, run: QueryRun, started_us: int) -> Callable[[], dict[str, Any]]:
    def describe() -> dict[str, Any]:
        elapsed_us = request.services.clock.monotonic_us() - started_us
        warnings = [{"code": w.code, "message": w.message} for w in run.execution.warnings]
        return {"warnings": warnings, "stats": statistics(run, elapsed_us / 1_000_000)}

    return describe


def statistics(run: QueryRun, elapsed_s: float) -> dict[str, Any]:
    """`extra.stats`: drivers look for every member."""
    return {
        "writesExecuted": run.figures.writes_executed,
        "writesIgnored": run.figures.writes_ignored,
        "documentLookups": 0,
        "seeks": 0,
        "scannedFull": run.figures.scanned,
        "scannedIndex": 0,
        "searchParallelism": 1,
        "cursorsCreated": 0,
        "cursorsRearmed": 0,
        "cacheHits": 0,
        "cacheMisses": 0,
        "filtered": run.execution.filtered,
        "httpRequests": 0,
        "executionTime": elapsed_s,
        "peakMemoryUsage": 0,
        "intermediateCommits": 0,
    }
