"""Dumps of a stopped server's collections, in the three files that Xapiand has (backups 2.2, 6.4).

Metadata are the properties of collections without the ids that a restore makes anew; schema is the
validation rule, computed values, indexes and views; documents are all documents. The way back is
in `offline_restore.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from arangorep.backup.endpoint import Endpoint
from arangorep.backup.records import Kind, Members, RecordWriter
from arangorep.clock import Clock, iso_time
from arangorep.codec.json import loads_shallow
from arangorep.data.databases import ensure_system_database
from arangorep.data.indexes import remove_unfinished
from arangorep.data.reading import row_blocks
from arangorep.errors import CorruptionError, StartupError
from arangorep.limits import JSON_DEPTH_MAX, KEY_BYTES_MAX
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.loading import finish_loads
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import FORMAT_VERSION, Store
from arangorep.values.view import ViewInfo

_MADE_ANEW: Final = frozenset({"id", "cid", "planId", "globallyUniqueId", "name", "status"})
_SCHEMA: Final = ("schema", "computedValues")


def open_store(directory: Path, clock: Clock, *, may_create: bool) -> Store:
    """The store of a stopped server, repaired as a start would do it.

    Errors: `StartupError`, also while a server runs on it; `CorruptionError`.
    """
    if not may_create and not (directory / "CURRENT").exists():
        raise StartupError(f"{directory} holds no store")
    store = Store(RocksEngine(directory), clock)
    finish_loads(store)
    remove_unfinished(store)
    ensure_system_database(store)
    return store


def own_parameters() -> Members:
    """What must be the same where a file is restored: else documents may not fit."""
    return {
        "dataFormat": FORMAT_VERSION.decode(),
        "keyBytesMax": KEY_BYTES_MAX,
        "depthMax": JSON_DEPTH_MAX,
    }


class OfflineDump:
    """One file. Errors: 404/1228, 404/1203 for an endpoint that is not there."""

    def __init__(
        self, store: Store, kind: Kind, endpoint: Endpoint, version: str, *, include_system: bool
    ) -> None:
        self._store, self._kind, self._endpoint = store, kind, endpoint
        self._version = version
        self._database: Database = store.catalog.database(endpoint.database)
        if endpoint.collection is not None:
            self._collections = [self._database.find(endpoint.collection)]
        else:
            self._collections = sorted(
                (c for c in self._database if include_system or not c.info.is_system),
                key=lambda c: (c.info.type, c.info.name.encode()),
            )
        self._writer = RecordWriter(kind)
        self.total = sum(c.count for c in self._collections) if kind is Kind.DOCUMENTS else 0
        """Documents that there are."""

    @property
    def collections(self) -> int:
        """Collections that the file holds."""
        return len(self._collections)

    @property
    def records(self) -> int:
        """Records so far."""
        return self._writer.count

    @property
    def tick(self) -> int:
        """The moment that the file shows."""
        return self._store.log.last_tick

    def pieces(self) -> Iterator[bytes]:
        """The bytes of the file, block by block. Errors: `CorruptionError`."""
        yield self._writer.start(self._header())
        for collection in self._collections:
            yield self._writer.section({"collection": collection.info.name})
            if self._kind is Kind.DOCUMENTS:
                yield from self._documents(collection)
            else:
                yield self._writer.records([_definition(self._kind, collection)])
        views = list(self._views())
        if views:
            yield self._writer.section({"views": True})
            yield self._writer.records([view.describe() for view in views])
        yield self._writer.end()

    def _header(self) -> Members:
        # a collection may be named by its id
        found = self._collections[0].info.name if self._endpoint.collection is not None else None
        return {
            "origin": {"database": self._database.info.name, "collection": found},
            "server": self._version,
            "parameters": own_parameters(),
            "tick": self.tick,
            "time": iso_time(self._store.clock.wall_us()),
        }

    def _documents(self, collection: Collection) -> Iterator[bytes]:
        found = 0
        for block in row_blocks(self._store, collection):
            found += len(block)
            yield self._writer.records(map(loads_shallow, block))
        if found != collection.count:
            raise CorruptionError(
                f"{collection.info.name} has {found} of {collection.count} documents"
            )

    def _views(self) -> Iterator[ViewInfo]:
        """Of a database all views, of a collection those that speak of it."""
        if self._kind is not Kind.SCHEMA:
            return
        for view in self._database.views:
            if self._endpoint.collection is None or (
                self._collections[0].info.name in view.collections()
            ):
                yield view


def _definition(kind: Kind, collection: Collection) -> dict[str, Any]:
    shown = collection.info.parameters(collection.state.counters.last_value)
    if kind is Kind.SCHEMA:
        described = {name: shown[name] for name in _SCHEMA}
        return {**described, "indexes": collection.info.inventory_indexes()}
    return {n: v for n, v in shown.items() if n not in _MADE_ANEW and n not in _SCHEMA}
