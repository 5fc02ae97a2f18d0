"""The logger's answers: state, tick ranges, the deprecated way to follow (leader-api 7.11, 8)."""

from __future__ import annotations

from typing import Any

from arangorep.clock import iso_time
from arangorep.codec.json import dumps, loads_shallow
from arangorep.leader.clients import ReplicationClients
from arangorep.leader.inventory import logger_state
from arangorep.leader.tail import Transform, Visibility
from arangorep.protocol.differences import DIFFERENCES
from arangorep.protocol.headers import DUMP_FROM
from arangorep.storage.catalog import Collection
from arangorep.storage.log import HEADER, HEADER_BYTES, Segment
from arangorep.storage.store import Store
from arangorep.values.marker import MarkerType

ENGINE_NAME = "rocksdb"


def server_info(store: Store, version: str) -> dict[str, str]:
    """`server` of logger-state and wal answers."""
    return {"version": version, "serverId": str(store.server_id)}


def describe_logger(
    store: Store, clients: list[dict[str, Any]], version: str, wall_us: int
) -> dict[str, Any]:
    """`GET logger-state`."""
    return {
        "state": logger_state(store.log.last_tick, wall_us),
        "server": {
            **server_info(store, version),
            "engine": ENGINE_NAME,
            "features": [DIFFERENCES, DUMP_FROM],
        },
        "clients": clients,
    }


def tick_ranges(store: Store) -> list[dict[str, str]]:
    """`GET logger-tick-ranges`: the log's segments, oldest first."""
    log = store.log
    ranges = [_range(segment, "/archive", "collected") for segment in log.segments]
    if log.open.last > log.open.after or not ranges:
        ranges.append(_range(log.open, "", "open"))
    return ranges


def _range(segment: Segment, folder: str, status: str) -> dict[str, str]:
    first = min(segment.after + 1, segment.last)
    return {
        "datafile": f"{folder}/{first:06d}.log",
        "status": status,
        "tickMin": str(first),
        "tickMax": str(segment.last),
    }


def wal_range(store: Store, version: str, wall_us: int) -> dict[str, Any]:
    """`GET wal/range`."""
    first = store.log.first_tick
    return {
        "time": iso_time(wall_us),
        "tickMin": str(first or 0),
        "tickMax": str(store.log.last_tick),
        "server": server_info(store, version),
    }


def last_tick(store: Store, version: str, wall_us: int) -> dict[str, Any]:
    """`GET wal/lastTick`."""
    return {
        "time": iso_time(wall_us),
        "tick": str(store.log.last_tick),
        "server": server_info(store, version),
    }


def clients_of(clients: ReplicationClients, database_id: int) -> list[dict[str, Any]]:
    """The clients that are still alive now."""
    clients.sweep()
    return clients.describe(database_id)


class FollowVisibility(Visibility):
    """Markers as `logger-follow` shows them: `database`, `cid` and `cname` instead of `db`.

    Lines are parsed and written anew, so this is the slow way; `wal/tail` is the fast one. The
    published `oldName` of a rename is not kept and therefore left out.
    """

    def transform(self, kind: int, collection: Collection | None) -> Transform | None:
        if kind in (MarkerType.DATABASE_CREATE, MarkerType.DATABASE_DROP):
            return None
        document = None if kind != MarkerType.DOCUMENT else super().transform(kind, collection)

        def to_line(row: bytes) -> bytes:
            line = document(row) if document is not None else row[HEADER_BYTES:]
            return dumps(_legacy_marker(row, loads_shallow(line), collection)) + b"\n"

        return to_line


_DEFINITION = ("tick", "database", "cid", "cname", "type", "data")
_BRACKET = ("tick", "type", "database", "tid")
LEGACY_MEMBERS: dict[int, tuple[str, ...]] = {
    MarkerType.COLLECTION_CREATE: _DEFINITION,
    MarkerType.COLLECTION_DROP: ("tick", "type", "database", "cuid", "cid", "data"),
    MarkerType.COLLECTION_RENAME: _DEFINITION,
    MarkerType.COLLECTION_CHANGE: _DEFINITION,
    MarkerType.COLLECTION_TRUNCATE: ("tick", "type", "database", "cuid", "cid"),
    MarkerType.INDEX_CREATE: ("tick", "type", "database", "cid", "cuid", "cname", "data"),
    MarkerType.INDEX_DROP: ("tick", "type", "database", "cid", "cname", "data"),
    MarkerType.TRANSACTION_START: _BRACKET,
    MarkerType.TRANSACTION_COMMIT: _BRACKET,
    MarkerType.DOCUMENT: ("tick", "type", "database", "tid", "cid", "cname", "data"),
    MarkerType.REMOVE: ("tick", "type", "database", "cid", "cname", "tid", "data"),
}
"""The members of each marker in `logger-follow`, in their order (leader-api 7.11)."""


def _legacy_marker(
    row: bytes, marker: dict[str, Any], collection: Collection | None
) -> dict[str, Any]:
    kind, _, database_id, collection_id, *_ = HEADER.unpack_from(row)
    name = "" if collection is None else collection.info.name
    values = {**marker, "database": str(database_id), "cid": str(collection_id), "cname": name}
    if kind in (MarkerType.COLLECTION_DROP, MarkerType.COLLECTION_RENAME):
        values["data"] = {"id": str(collection_id), "name": name}
    return {member: values[member] for member in LEGACY_MEMBERS[kind]}
