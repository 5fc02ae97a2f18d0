"""`/_api/wal/{range,lastTick,tail,open-transactions}` (leader-api 7)."""

from __future__ import annotations

from arangorep.errors import Forbidden, HttpBadParameter
from arangorep.leader.clients import ClientIdentity
from arangorep.leader.logger import last_tick, wal_range
from arangorep.leader.tail import TailRequest, Visibility, tail
from arangorep.limits import CLIENT_TTL_S_TAIL, TAIL_CHUNK_BYTES_DEFAULT
from arangorep.pacing import drive
from arangorep.protocol import headers
from arangorep.protocol.params import U64_MAX
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request
from arangorep.rest.replication.logger import tail_answer
from arangorep.values.visibility import system_filter

EXPECTED = "expected GET /_api/wal/[tail|range|lastTick|open-transactions]"
DONE = {"error": False, "code": 200, "result": {}}


async def handle(request: Request) -> Answer:
    """Errors: 400/400 for every wrong command or method."""
    request.require_admin()
    word = request.parts[0] if len(request.parts) == 1 else ""
    services = request.services
    match request.method, word:
        case "GET", "range":
            wall_us = services.clock.wall_us()
            return json_answer(wal_range(services.store, services.version, wall_us))
        case "GET", "lastTick":
            await services.group_sync.wait()
            wall_us = services.clock.wall_us()
            return json_answer(last_tick(services.store, services.version, wall_us))
        case "GET", "open-transactions":
            _bounds(request)
            # a real server says 204; a real follower needs a body that it can parse
            extra = {headers.FROM_PRESENT: "true", headers.LAST_INCLUDED: "0"}
            return Answer(200, [b"[]"], headers=extra)
        case (("GET" | "PUT" | "DELETE"), "tail"):
            return await _tail(request)
    raise HttpBadParameter(EXPECTED)


def _bounds(request: Request) -> tuple[int, int]:
    """Errors: 400/400 for `from` above `to`, or `to` 0."""
    after, to = request.query.number("from"), request.query.number("to", U64_MAX)
    if after > to or to == 0:
        raise HttpBadParameter("invalid from/to values")
    return after, to


async def _tail(request: Request) -> Answer:
    """Errors in this order: 400/10 for a malformed `syncerId`; 400/400; 403/11; 404/1203."""
    query, services = request.query, request.services
    client = request.client_identity()
    if request.method == "DELETE":
        services.clients.untrack(client)
        return json_answer(DONE)
    after, to = _bounds(request)
    is_global = query.flag("global")
    if is_global and not request.database.info.is_system:
        raise Forbidden("global tailing is only possible from within _system database")
    only = None
    if not is_global and query.text("collection"):
        only = request.collection(query.text("collection"))
    if request.method == "PUT":
        _check_transactions(await request.json())
    if query.flag("trackOnly"):
        _track(request, client, after)
        return json_answer(DONE)
    visibility = Visibility(
        services.store,
        None if is_global else request.database,
        system_filter(
            include_system=query.flag("includeSystem", True),
            include_foxx_queues=query.flag("includeFoxxQueues"),
        ),
        only,
    )
    wanted = TailRequest(
        after=after,
        to=to,
        chunk_bytes=query.number("chunkSize", TAIL_CHUNK_BYTES_DEFAULT),
        split_transactions=query.number("lastScanned") > 0,
    )
    found = await drive(tail(services.store, wanted, visibility))
    _track(request, client, after)
    answer = tail_answer(found)
    services.observation.counters.tailed(answer.length)
    return answer


def _check_transactions(body: object) -> None:
    """The ids have no effect here; their shape is checked all the same. Errors: 400/400."""
    if not isinstance(body, list) or not all(isinstance(text, str) for text in body):
        raise HttpBadParameter("bad parameter: expecting an array of transaction ids")


def _track(request: Request, client: ClientIdentity, after: int) -> None:
    """Tailing registers the client in every database (leader-api 7.9)."""
    for database in request.store.catalog.databases:
        request.services.clients.track(database.info.id, client, after, CLIENT_TTL_S_TAIL)
