"""`/_api/replication/inventory` and `clusterInventory` (leader-api 3)."""

from __future__ import annotations

from arangorep.errors import CollectionNotFound, CursorNotFound, Forbidden
from arangorep.leader.inventory import (
    Filter,
    cluster_inventory,
    collection_inventory,
    database_inventory,
    global_inventory,
    system_filter,
)
from arangorep.pacing import drive
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request


async def handle(request: Request) -> Answer:
    """Errors: 404/1600 without a known batch; 403/11 for `global` outside `_system`."""
    query, services = request.query, request.services
    if "batchId" not in query:
        raise CursorNotFound("batchId not specified")
    is_global = query.flag("global")
    if is_global and not request.database.info.is_system:
        raise Forbidden("global inventory can only be fetched from within _system database")
    batch = services.batches.use(query.number("batchId"), long=True)
    wall_us = services.clock.wall_us()
    shows = _filter(request)
    if is_global:
        return json_answer(await drive(global_inventory(services.store, batch, shows, wall_us)))
    if query.text("collection"):
        try:
            collection = request.collection(query.text("collection"))
        except CollectionNotFound:
            collection = None
        return json_answer(collection_inventory(services.store, collection, batch, wall_us))
    work = database_inventory(services.store, request.database, batch, shows, wall_us)
    return json_answer(await drive(work))


async def cluster(request: Request) -> Answer:
    """The published array, also on a single server."""
    return json_answer(cluster_inventory(request.database, _filter(request)))


def _filter(request: Request) -> Filter:
    return system_filter(
        include_system=request.query.flag("includeSystem", True),
        include_foxx_queues=request.query.flag("includeFoxxQueues"),
    )
