"""`/_api/replication/<command>`: which command takes which method (leader-api 1)."""

from __future__ import annotations

from arangorep.errors import (
    ClusterOnlyOnDbServer,
    HttpBadParameter,
    MethodNotAllowed,
    SuperfluousSuffices,
)
from arangorep.rest.answer import Answer
from arangorep.rest.context import Handler, Request
from arangorep.rest.replication import (
    applier,
    batch,
    dump,
    inventory,
    keys,
    logger,
    restore,
    revisions,
)

GET = frozenset({"GET"})
PUT = frozenset({"PUT"})
GET_PUT = frozenset({"GET", "PUT"})
CRUD = frozenset({"GET", "PUT", "POST", "DELETE"})
ALL = frozenset({"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD"})


async def _only_in_clusters(request: Request) -> Answer:
    raise ClusterOnlyOnDbServer


COMMANDS: dict[str, tuple[frozenset[str], Handler]] = {
    "logger-state": (GET, logger.state),
    "logger-tick-ranges": (GET, logger.ranges),
    "logger-first-tick": (GET, logger.first_tick),
    "logger-follow": (GET_PUT, logger.follow),
    "determine-open-transactions": (GET, logger.open_transactions),
    "server-id": (GET, logger.server_id),
    "batch": (ALL, batch.handle),
    "inventory": (GET, inventory.handle),
    "clusterInventory": (GET, inventory.cluster),
    "keys": (CRUD, keys.handle),
    "revisions": (ALL, revisions.handle),
    "dump": (GET, dump.handle),
    "restore-collection": (PUT, restore.collection),
    "restore-indexes": (PUT, restore.indexes),
    "restore-data": (PUT, restore.data),
    "restore-view": (PUT, restore.view),
    "sync": (PUT, applier.sync),
    "make-follower": (PUT, applier.make_follower),
    "make-slave": (PUT, applier.make_follower),
    "applier-config": (GET_PUT, applier.config),
    "applier-start": (PUT, applier.start),
    "applier-stop": (PUT, applier.stop),
    "applier-state": (frozenset({"GET", "DELETE"}), applier.state),
    "applier-state-all": (GET, applier.state_all),
    "addFollower": (PUT, _only_in_clusters),
    "removeFollower": (PUT, _only_in_clusters),
    "set-the-leader": (PUT, _only_in_clusters),
    "holdReadLockCollection": (ALL, _only_in_clusters),
}


async def handle(request: Request) -> Answer:
    """Errors: 400/601 without a command; 400/400 for an unknown one; 405/405, 400/601."""
    if not request.parts:
        raise SuperfluousSuffices("expecting /_api/replication/<command>")
    command = request.parts[0]
    known = COMMANDS.get(command)
    if known is None:
        raise HttpBadParameter(f"invalid command '{command}'")
    methods, handler = known
    if request.method not in methods:
        if len(request.parts) > 1:
            raise SuperfluousSuffices
        raise MethodNotAllowed
    return await handler(request)
