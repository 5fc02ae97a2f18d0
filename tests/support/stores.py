"""Stores without a server: opened on any engine, read back row by row."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from support.memory_engine import MemoryEngine

from arangorep.clock import Clock, ManualClock
from arangorep.data.collections import create_collection
from arangorep.data.databases import ensure_system_database
from arangorep.data.documents import DocumentWriter, WriteOptions, WriteResult
from arangorep.data.indexes import create_index, remove_unfinished
from arangorep.data.transactions import Transaction
from arangorep.storage import keys
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.engine import Engine, Family, WriteSet
from arangorep.storage.integrity import read_all
from arangorep.storage.log import HEADER_BYTES
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store
from arangorep.values.index import IndexDefinition

T = TypeVar("T")


class WriteFault(Exception):
    """What an engine raises instead of writing, inside `failing_writes`."""


@contextmanager
def failing_writes(engine: Engine) -> Iterator[None]:
    """Every write to the engine fails and changes nothing."""

    def refuse(changes: WriteSet) -> None:
        raise WriteFault

    engine.write = refuse
    try:
        yield
    finally:
        del engine.write


class Bench:
    """A store that can be stopped, killed and opened again; in memory, or on RocksDB in a folder.

    Collections must be looked up anew after `stop` and `crash`. The clock moves on each time.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.clock = ManualClock()
        self._directory = directory
        self._open(MemoryEngine() if directory is None else RocksEngine(directory))

    def _open(self, engine: Engine) -> None:
        self.clock.advance_s(1)
        self.engine = engine
        self.store = open_store(engine, self.clock)

    def stop(self) -> None:
        """Close the store cleanly and open it again."""
        self.store.close()
        self._reopen()

    def crash(self) -> None:
        """Lose all memory and open what the engine was given."""
        self.engine.close()
        self._reopen()

    def _reopen(self) -> None:
        if self._directory is not None:
            self._open(RocksEngine(self._directory))
        elif isinstance(self.engine, MemoryEngine):
            self._open(self.engine.copy())

    def end(self) -> None:
        """Close the store for good."""
        self.store.close()


def open_store(engine: Engine | None = None, clock: Clock | None = None) -> Store:
    """Open a store the way a server does."""
    store = Store(engine or MemoryEngine(), clock or ManualClock())
    remove_unfinished(store)
    ensure_system_database(store)
    return store


def finish(work: Generator[None, None, T]) -> T:
    """Run sliced work to its end."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: T = stop.value
            return result


def system(store: Store) -> Database:
    """The database that is always there."""
    return store.catalog.database("_system")


def make_collection(store: Store, name: str, **attributes: Any) -> Collection:
    """Create a collection in `_system`."""
    return create_collection(store, system(store), {"name": name, **attributes})


def make_index(
    store: Store, collection: Collection, *fields: str, **attributes: Any
) -> IndexDefinition:
    """Create a unique persistent index."""
    body = {"type": "persistent", "unique": True, "fields": list(fields), **attributes}
    return finish(create_index(store, system(store), collection, body))[0]


def insert(store: Store, collection: Collection, *documents: Any, mode: str = "") -> list[int]:
    """Insert documents in one transaction; returns their revisions."""
    results = write(store, collection, "insert", *documents, overwrite_mode=mode)
    return [result.revision for result in results]


def write(
    store: Store, collection: Collection, operation: str, *items: Any, **options: Any
) -> list[WriteResult]:
    """One operation on many documents in one transaction; the first error is raised."""
    transaction = Transaction(store, system(store), grouped=len(items) != 1)
    writer = DocumentWriter(transaction, collection, WriteOptions(**options))
    results = [getattr(writer, operation)(item) for item in items]
    transaction.commit()
    return results


def stored(store: Store, collection: Collection) -> dict[int, dict[str, Any]]:
    """All documents by revision, straight from the engine."""
    rows = read_all(store.engine, Family.DOCUMENTS, collection.prefix)
    return {keys.from_u64(key[8:]): json.loads(row) for key, row in rows}


def bodies(store: Store, collection: Collection) -> dict[str, dict[str, Any]]:
    """All documents by key, without system attributes."""
    return {
        document["_key"]: {
            name: value for name, value in document.items() if name not in ("_key", "_id", "_rev")
        }
        for document in stored(store, collection).values()
    }


def primary(store: Store, collection: Collection) -> dict[str, int]:
    """The primary index: key to revision."""
    rows = read_all(store.engine, Family.PRIMARY, collection.prefix)
    return {key[8:].decode(): keys.from_u64(row) for key, row in rows}


def index_entries(store: Store, index: IndexDefinition) -> dict[bytes, int]:
    """The entries of a unique index: term to revision."""
    rows = read_all(store.engine, Family.INDEX, b"")
    return {key[16:]: keys.from_u64(row) for key, row in rows if key[8:16] == keys.u64(index.id)}


def markers(store: Store, after: int = 0) -> list[dict[str, Any]]:
    """The log's lines above a tick, parsed."""
    scan = store.log.scan(after)
    return [json.loads(row[HEADER_BYTES:]) for row in scan.take(1 << 20)]
