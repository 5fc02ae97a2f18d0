"""`/_api/replication/logger-*`, `server-id`, `determine-open-transactions` (leader-api 7.11, 8)."""

from __future__ import annotations

from arangorep.errors import HttpBadParameter
from arangorep.leader.logger import FollowVisibility, clients_of, describe_logger, tick_ranges
from arangorep.leader.tail import TailRequest, TailResult, tail
from arangorep.limits import CLIENT_TTL_S_DEFAULT, TAIL_CHUNK_BYTES_DEFAULT
from arangorep.pacing import drive
from arangorep.protocol import headers
from arangorep.protocol.params import U64_MAX
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request
from arangorep.values.visibility import system_filter


async def state(request: Request) -> Answer:
    """`GET logger-state`."""
    services = request.services
    clients = clients_of(services.clients, request.database.info.id)
    wall_us = services.clock.wall_us()
    return json_answer(describe_logger(services.store, clients, services.version, wall_us))


async def ranges(request: Request) -> Answer:
    """`GET logger-tick-ranges`."""
    return json_answer(tick_ranges(request.store))


async def first_tick(request: Request) -> Answer:
    """`GET logger-first-tick`: null when the log is empty."""
    first = request.store.log.first_tick
    return json_answer({"firstTick": None if first is None else str(first)})


async def server_id(request: Request) -> Answer:
    """`GET server-id`."""
    return json_answer({"serverId": str(request.store.server_id)})


async def open_transactions(request: Request) -> Answer:
    """`GET determine-open-transactions`: none are ever open in the log."""
    extra = {headers.LAST_TICK: "0", headers.FROM_PRESENT: "true"}
    return Answer(200, [b"[]"], headers.DUMP, extra)


async def follow(request: Request) -> Answer:
    """`GET|PUT logger-follow` (deprecated): one database, markers in their older shape.

    Errors: 400/400 for `from` above `to`; 404/1203; 400/10 for a malformed `syncerId`.
    """
    query, services = request.query, request.services
    client = request.client_identity()
    after, to = query.number("from"), query.number("to", U64_MAX)
    if after > to or to == 0:
        raise HttpBadParameter("invalid from/to values")
    only = request.collection(query.text("collection")) if query.text("collection") else None
    shows = system_filter(
        include_system=query.flag("includeSystem", True), include_foxx_queues=False
    )
    wanted = TailRequest(
        after=after,
        to=to,
        chunk_bytes=query.number("chunkSize", TAIL_CHUNK_BYTES_DEFAULT),
        split_transactions=False,
    )
    visibility = FollowVisibility(services.store, request.database, shows, only)
    found = await drive(tail(services.store, wanted, visibility))
    ttl_s = float(query.number("ttl")) or CLIENT_TTL_S_DEFAULT
    services.clients.track(request.database.info.id, client, max(after - 1, 0), ttl_s)
    return tail_answer(found, {headers.ACTIVE: "true"})


def tail_answer(found: TailResult, extra: dict[str, str] | None = None) -> Answer:
    """Lines with every header, also when there are none (leader-api 7.4)."""
    return Answer(
        200 if found.pieces else 204,
        found.pieces,
        headers.DUMP,
        {
            headers.CHECK_MORE: headers.flag(found.check_more),
            headers.LAST_INCLUDED: str(found.last_included),
            headers.LAST_SCANNED: str(found.last_scanned),
            headers.LAST_TICK: str(found.last_tick),
            headers.FROM_PRESENT: headers.flag(found.from_present),
            **(extra or {}),
        },
    )
