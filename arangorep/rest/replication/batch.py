"""`/_api/replication/batch` (leader-api 2)."""

from __future__ import annotations

from typing import Any

from arangorep.codec.json import dumps
from arangorep.errors import HttpBadParameter, MethodNotAllowed
from arangorep.leader.logger import describe_logger
from arangorep.limits import BATCH_TTL_S_DEFAULT
from arangorep.protocol.params import number_of, parse_number
from arangorep.rest.answer import Answer, no_content, raw_answer
from arangorep.rest.context import Request


async def handle(request: Request) -> Answer:
    """POST creates, PUT prolongs, DELETE ends. Errors: 405/405 for everything else."""
    has_id = len(request.parts) == 2
    match request.method:
        case "POST":
            return await _create(request)
        case "PUT" if has_id:
            ttl_s = await _ttl_s(request)
            request.services.batches.extend(parse_number(request.parts[1]), ttl_s)
            return no_content()
        case "DELETE" if has_id:
            request.services.batches.delete(parse_number(request.parts[1]))
            return no_content()
    raise MethodNotAllowed


async def _ttl_s(request: Request) -> float:
    """The body's `ttl`, seconds; the default for anything that is no number.

    Errors: 400/400 without an object, 400/600.
    """
    body = await request.json()
    if not isinstance(body, dict):
        raise HttpBadParameter("bad parameter: the body must be an object")
    ttl_s = number_of(body.get("ttl"))
    return BATCH_TTL_S_DEFAULT if ttl_s is None else ttl_s


async def _create(request: Request) -> Answer:
    services = request.services
    client = request.client_identity()
    ttl_s = await _ttl_s(request)
    batch = services.batches.create(ttl_s, client, request.database.info.id)
    answer: dict[str, Any] = {"id": str(batch.id), "lastTick": str(batch.tick)}
    if request.query.flag("state"):
        wall_us = services.clock.wall_us()
        answer["state"] = describe_logger(services.store, [], services.version, wall_us)
    return raw_answer(dumps(answer))
