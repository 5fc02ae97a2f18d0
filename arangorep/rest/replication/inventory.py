"""`/_api/replication/inventory` and `clusterInventory` (leader-api 3)."""

from __future__ import annotations

from typing import Any

from arangorep.errors import CollectionNotFound, CursorNotFound, Forbidden
from arangorep.leader.batches import Batch
from arangorep.leader.inventory import (
    cluster_inventory,
    collection_inventory,
    database_inventory,
    global_inventory,
)
from arangorep.pacing import drive
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request
from arangorep.values.account import Level
from arangorep.values.visibility import Filter, system_filter


async def handle(request: Request) -> Answer:
    """Errors: 404/1600 without a known batch; 403/11 for `global` outside `_system`."""
    query, services = request.query, request.services
    if "batchId" not in query:
        raise CursorNotFound("batchId not specified")
    is_global = query.flag("global")
    if is_global and not request.database.info.is_system:
        raise Forbidden("global inventory can only be fetched from within _system database")
    if is_global:
        request.require_admin()  # the filter knows the levels of one database only
    with services.batches.use(query.number("batchId"), long=True) as batch:
        return json_answer(await _inventory(request, batch, is_global=is_global))


async def _inventory(request: Request, batch: Batch, *, is_global: bool) -> dict[str, Any]:
    store, name = request.store, request.query.text("collection")
    wall_us = request.services.clock.wall_us()
    shows = _filter(request)
    if is_global:
        return await drive(global_inventory(store, batch, shows, wall_us))
    if name:
        try:
            collection = request.collection(name)
        except CollectionNotFound:
            collection = None
        return collection_inventory(store, collection, batch, wall_us)
    return await drive(database_inventory(store, request.database, batch, shows, wall_us))


async def cluster(request: Request) -> Answer:
    """The published array, also on a single server."""
    answer = json_answer(await drive(cluster_inventory(request.database, _filter(request))))
    request.services.observation.counters.cluster_inventory_requests += 1
    return answer


def _filter(request: Request) -> Filter:
    """What the request wants to see, of what the user may read (leader-api 1.3)."""
    shown = system_filter(
        include_system=request.query.flag("includeSystem", True),
        include_foxx_queues=request.query.flag("includeFoxxQueues"),
    )
    if request.identity.is_admin:
        return shown
    return lambda name: shown(name) and request.may(name, Level.READ)
