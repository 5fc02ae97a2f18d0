"""`/_api/dump`: the dump API of arangodump 3.12 (leader-api 11)."""

from __future__ import annotations

from arangorep.errors import (
    BadParameter,
    CorruptedJson,
    CorruptionError,
    InternalError,
    MethodNotAllowed,
)
from arangorep.leader.parallel_dump import DumpBatch, ParallelDump, parse_options
from arangorep.pacing import drive
from arangorep.protocol import headers
from arangorep.rest.answer import Answer, ok
from arangorep.rest.context import Request
from arangorep.rest.negotiation import as_array


async def handle(request: Request) -> Answer:
    """`POST start`, `POST next/<id>`, `DELETE <id>`. Errors: 400/10 for other paths; 405/405."""
    match request.method, request.parts:
        case "POST", ["start"]:
            return await _start(request)
        case "POST", ["next", dump_id]:
            return await _next(request, dump_id)
        case "DELETE", [dump_id]:
            dumps = request.services.dumps
            dumps.find(dump_id, _owner(request))
            dumps.end(dump_id)
            return ok()
        case (("POST" | "DELETE"), _):
            raise BadParameter("bad parameter: expecting /_api/dump/start or /_api/dump/next/<id>")
    raise MethodNotAllowed


def _owner(request: Request) -> tuple[str, int]:
    return request.user, request.database.info.id


async def _start(request: Request) -> Answer:
    """201 with the id in a header. Errors: 400/10; 404/1203; 403/11; 400/32."""
    try:
        options = parse_options(await request.json())
    except CorruptedJson as error:
        raise BadParameter(f"bad parameter: {error.message}") from None
    collections = [request.collection(name) for name in options.collections]
    dumps = request.services.dumps
    dump_id = dumps.start(
        collections, options, _owner(request), as_velocypack=request.query.flag("useVPack")
    )
    return Answer(201, headers={headers.DUMP_ID: dump_id})


async def _next(request: Request, dump_id: str) -> Answer:
    """200 with a batch, 204 when there is none left. Errors: 400/10; 404/1600; 403/11; 400/32."""
    query, dumps = request.query, request.services.dumps
    if "batchId" not in query:
        raise BadParameter("bad parameter: batchId is missing")
    owner = _owner(request)
    dump = dumps.find(dump_id, owner)
    dump.users += 1
    dumps.touch(dump)
    try:
        if "lastBatch" in query:
            dump.acknowledge(query.number("lastBatch"))
        async with request.services.dump_lock:
            dumps.find(dump_id, owner)  # it may have ended meanwhile
            batch = await _read(dump, query.number("batchId"))
    finally:
        dump.users -= 1
        dumps.touch(dump)
    if batch is None:
        return Answer(204)
    pieces = list(batch.pieces)
    if dump.as_velocypack:
        pieces = [await as_array(pieces)]
    return Answer(
        200,
        pieces,
        headers.DUMP,
        {headers.DUMP_SHARD: batch.collection, headers.DUMP_BLOCKS: "0"},
    )


async def _read(dump: ParallelDump, number: int) -> DumpBatch | None:
    try:
        return await drive(dump.next(number))
    except CorruptionError as error:
        raise InternalError(f"dump - {error}") from error
