"""The inventory: what exists, as a follower creates it (leader-api 3).

It lists the current state; only documents come from the batch's snapshot. Works collection by
collection in a generator, so ten thousand of them do not hold the event loop.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

from arangorep.clock import iso_time
from arangorep.codec.json import Fragment, dumps
from arangorep.leader.batches import Batch
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.store import Store
from arangorep.values.visibility import Filter

COLLECTIONS_PER_SLICE = 100


def database_inventory(
    store: Store, database: Database, batch: Batch, shows: Filter, wall_us: int
) -> Generator[None, None, dict[str, Any]]:
    """One database's inventory."""
    entries = yield from _entries(_listed(database, shows))
    return {
        "properties": database.info.properties(),
        "collections": entries,
        "views": [view.describe() for view in database.views],
        "state": logger_state(batch.tick, wall_us),
        "tick": str(store.ticks.current),
    }


def global_inventory(
    store: Store, batch: Batch, shows: Filter, wall_us: int
) -> Generator[None, None, dict[str, Any]]:
    """Every database's inventory in one answer."""
    databases: dict[str, Any] = {}
    for database in list(store.catalog.databases):
        entries = yield from _entries(_listed(database, shows))
        databases[database.info.name] = {
            "id": str(database.info.id),
            "name": database.info.name,
            "properties": database.info.properties(),
            "collections": entries,
            "views": [view.describe() for view in database.views],
        }
    return {
        "databases": databases,
        "state": logger_state(batch.tick, wall_us),
        "tick": str(store.ticks.current),
    }


def collection_inventory(
    store: Store, collection: Collection | None, batch: Batch, wall_us: int
) -> dict[str, Any]:
    """The reduced answer for one collection; system filters do not apply."""
    return {
        "collections": [] if collection is None else [describe(collection)],
        "views": [],
        "state": logger_state(batch.tick, wall_us),
        "tick": str(store.ticks.current),
    }


def cluster_inventory(database: Database, shows: Filter) -> Generator[None, None, list[Fragment]]:
    """The published form of `clusterInventory`: an array of `{parameters, indexes}`."""
    return (yield from _entries(_listed(database, shows)))


def logger_state(tick: int, wall_us: int) -> dict[str, Any]:
    """`state` of inventories and of the logger (leader-api 3, 8.1)."""
    return {
        "running": True,
        "lastLogTick": str(tick),
        "lastUncommittedLogTick": str(tick),
        "totalEvents": tick,
        "time": iso_time(wall_us),
    }


def describe(collection: Collection) -> dict[str, Any]:
    """`{indexes, parameters}` of one collection."""
    info = collection.info
    return {
        "indexes": info.inventory_indexes(),
        "parameters": info.parameters(collection.state.counters.last_value),
    }


def _listed(database: Database, shows: Filter) -> Iterator[Collection]:
    """Document collections before edge collections, each by name, bytewise."""
    shown = [collection for collection in database if shows(collection.info.name)]
    shown.sort(key=lambda c: (c.info.type, c.info.name.encode()))
    return iter(shown)


def _entries(collections: Iterable[Collection]) -> Generator[None, None, list[Fragment]]:
    entries: list[Fragment] = []
    for collection in collections:
        entries.append(Fragment(dumps(describe(collection))))
        if len(entries) % COLLECTIONS_PER_SLICE == 0:
            yield
    return entries
