"""A dump of one moment, part by part: the files of arangodump's directory (backups 6.3).

A generator that reads a snapshot in slices; what is written to disk is somebody else's business.
Documents of a collection come as numbered parts, as `arangodump --split-files` names them, so that
no more than one part is in memory and nothing has to be gathered on disk first.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from arangorep.backup import layout
from arangorep.backup.archive import METADATA
from arangorep.clock import iso_time
from arangorep.codec.json import dumps
from arangorep.errors import CollectionNotFound, CursorNotFound
from arangorep.leader.dump import DumpCursor, read_chunk
from arangorep.leader.inventory import describe
from arangorep.limits import DUMP_PART_BYTES
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.snapshot import Snapshot
from arangorep.storage.store import Store

DUMP_VERSION = "A1"
HIDDEN_PREFIX = "_statistics"


class Part(NamedTuple):
    """A file of the dump."""

    name: str
    pieces: list[bytes]
    documents: int = 0


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """What is dumped; empty names stand for all."""

    databases: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    include_system: bool = True
    label: str = ""


@dataclass(slots=True)
class DumpProgress:
    """How far a dump is."""

    tick: int = 0
    documents: int = 0
    documents_total: int = 0
    collection: str = ""


def check_options(store: Store, options: DumpOptions) -> None:
    """Errors: 404/1228 and 404/1203 for names that stand for nothing: no dump is empty by typo."""
    catalog = store.catalog
    databases = [catalog.database(name) for name in options.databases] or catalog.databases
    for name in options.collections:
        if all(database.named(name) is None for database in databases):
            raise CollectionNotFound(f"collection or view not found: {name}")


class Dump:
    """One dump: takes its snapshot when it is made, releases it with `close`.

    Errors: those of `check_options`.
    """

    def __init__(
        self, store: Store, options: DumpOptions, *, uid: str, wall_us: int, version: str
    ) -> None:
        self._store, self._options = store, options
        check_options(store, options)
        self._snapshot: Snapshot = store.snapshot()
        self.progress = DumpProgress(tick=store.log.last_tick)
        self._databases = [
            (database, list(self._collections(database)))
            for database in store.catalog.databases
            if not options.databases or database.info.name in options.databases
        ]
        for _, collections in self._databases:
            for collection in collections:
                # from now on dropping one of them ends the dump
                self._snapshot.used.add(collection.info.id)
                self.progress.documents_total += self._snapshot.state(collection).count
        self._heads = {
            collection.info.id: describe(collection)
            for _, collections in self._databases
            for collection in collections
        }
        self._views = {
            database.info.id: [view.describe() for view in database.views]
            for database, _ in self._databases
        }
        self.metadata: dict[str, Any] = {
            "dumpVersion": DUMP_VERSION,
            "dbVersion": version,
            "dumpDate": iso_time(wall_us),
            "dumpUid": uid,
            "label": options.label,
            "serverId": str(store.server_id),
            "tick": str(self.progress.tick),
        }

    def _collections(self, database: Database) -> Iterator[Collection]:
        names = self._options.collections
        for collection in database:
            info = collection.info
            if info.name.startswith(HIDDEN_PREFIX) or (names and info.name not in names):
                continue
            if not info.is_system or self._options.include_system:
                yield collection

    def parts(self) -> Generator[Part | None, None, None]:
        """Every file, the metadata first; None where others may have their turn.

        Errors: `CorruptionError` when the store ends before the last document; 404/1600 when a
        collection was dropped meanwhile.
        """
        yield Part(METADATA, [dumps(self.metadata)])
        for database, collections in self._databases:
            yield from self._database(database, collections)

    def _database(
        self, database: Database, collections: list[Collection]
    ) -> Generator[Part | None, None, None]:
        info = database.info
        folder = layout.file_name_of(info.name, str(info.id))
        tick = str(self.progress.tick)
        head = layout.dump_json(info.name, tick, info.properties())
        yield Part(f"{folder}/{layout.ENCRYPTION}", [layout.NOT_ENCRYPTED])
        yield Part(f"{folder}/{layout.DUMP_JSON}", [head])
        for collection in collections:
            described = self._heads[collection.info.id]
            name = described["parameters"]["name"]
            stem = f"{folder}/{layout.collection_stem(name, str(collection.info.id))}"
            yield Part(f"{stem}{layout.STRUCTURE}", [layout.structure_json(described)])
            yield from self._documents(collection, stem, name)
        for view in self._views[info.id]:
            yield Part(f"{folder}/{layout.view_file(view)}", [layout.view_json(view)])

    def _documents(
        self, collection: Collection, stem: str, name: str
    ) -> Generator[Part | None, None, None]:
        """At least one part, also of an empty collection."""
        self.progress.collection = name
        if self._snapshot.closed:
            raise CursorNotFound
        cursor = DumpCursor(self._snapshot.scan(collection))
        number, more = 0, True
        while more:
            chunk = yield from read_chunk(cursor, collection, DUMP_PART_BYTES, envelope=False)
            documents = sum(piece.count(b"\n") for piece in chunk.pieces)
            self.progress.documents += documents
            yield Part(f"{stem}.{number}{layout.DATA}", chunk.pieces, documents)
            number, more = number + 1, chunk.check_more

    def close(self) -> None:
        """Release the snapshot."""
        self._store.release(self._snapshot)
