"""`/_api/replication/{sync,make-follower,applier-*}` (follower 2 and 7)."""

from __future__ import annotations

import asyncio
from typing import Any

from arangorep.errors import Forbidden
from arangorep.follower.applier import Applier
from arangorep.follower.config import parse_sync_body
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request


def _applier(request: Request) -> Applier:
    """The database's applier, or with `global=true` that of all. Errors: 403/11."""
    appliers = request.services.appliers
    if request.method != "GET":
        request.require_database_write()
    if not request.query.flag("global"):
        return appliers.of(request.database.info.name)
    if not request.database.info.is_system:
        raise Forbidden("forbidden: the global applier is only reached from _system")
    request.require_admin()
    return appliers.whole


def _state(request: Request, applier: Applier) -> Answer:
    return json_answer(_described(request, applier))


def _described(request: Request, applier: Applier) -> dict[str, Any]:
    return applier.describe(request.services.version)


async def sync(request: Request) -> Answer:
    """`PUT sync`: one initial synchronisation; answers when it is done.

    Errors: 403/11, 400/600, 400/400, 400/1410, 400/1411, 500/28, 500/1400 to 1405, 500/1412.
    """
    applier = _applier(request)
    config = parse_sync_body(await request.json(), database=applier.database)
    result = await applier.sync(config)
    return json_answer({"collections": result.collections, "lastLogTick": str(result.last_tick)})


async def make_follower(request: Request) -> Answer:
    """`PUT make-follower`: 200 with the state, also when the initial synchronisation failed."""
    applier = _applier(request)
    await applier.follow(await request.json())
    await applier.settled()
    return _state(request, applier)


async def config(request: Request) -> Answer:
    """`GET|PUT applier-config`. Errors: 403/11, 400/600, 400/10, 400/1410, 400/1411."""
    applier = _applier(request)
    if request.method == "PUT":
        applier.configure(await request.json())
    return json_answer(applier.config.describe())


async def start(request: Request) -> Answer:
    """`PUT applier-start`. Errors: 403/11, 400/1410, 500/28."""
    applier = _applier(request)
    query = request.query
    applier.start(query.number("from") if "from" in query else None)
    await asyncio.sleep(0)
    return _state(request, applier)


async def stop(request: Request) -> Answer:
    """`PUT applier-stop`: returns when everything has ended."""
    applier = _applier(request)
    await applier.stop()
    return _state(request, applier)


async def state(request: Request) -> Answer:
    """`GET applier-state`; `DELETE` stops and forgets."""
    applier = _applier(request)
    if request.method == "DELETE":
        await applier.forget()
    return _state(request, applier)


async def state_all(request: Request) -> Answer:
    """`GET applier-state-all`. Errors: 403/11 outside `_system`."""
    if not request.database.info.is_system:
        raise Forbidden("forbidden: only the _system database tells of all appliers")
    appliers = request.services.appliers.all()
    return json_answer({name: _described(request, one) for name, one in appliers.items()})
