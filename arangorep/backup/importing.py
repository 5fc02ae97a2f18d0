"""Starting from a dump or a snapshot (backups 1.9 to 1.11, 6.2).

Everything is verified first and built beside the data directory, which is put in place by a rename
at the end: a failed import leaves things as they were. Ticks go on above every tick that was ever
handed out, so that whoever followed the old server notices.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from arangorep.backup import layout
from arangorep.backup.archive import Readable, check_seal, read_archive
from arangorep.backup.checking import check_directory
from arangorep.backup.directory import read_directory
from arangorep.backup.files import sync_directory
from arangorep.backup.packing import line_blocks
from arangorep.backup.problems import DumpCorrupt, DumpNotFound
from arangorep.clock import Clock
from arangorep.codec.json import loads
from arangorep.data.collections import restore_collection
from arangorep.data.databases import create_database, ensure_system_database
from arangorep.data.indexes import restore_index
from arangorep.data.replica import ReplicaWriter
from arangorep.data.transactions import Transaction
from arangorep.data.views import restore_view
from arangorep.errors import ArangoError, StartupError
from arangorep.follower.lines import cut_documents
from arangorep.follower.load_worker import prepare
from arangorep.limits import DUMP_PART_BYTES, IMPORT_ROWS_PER_COMMIT
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.keys import TASK, after
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

IMPORTING = ".importing"
STORE_FOLDER = "store/"
METADATA = "metadata.json"
READ_BYTES = 1024 * 1024

Advance = Callable[[int], None]


def has_data(directory: Path) -> bool:
    """Whether a data directory exists and has at least one entry."""
    return directory.is_dir() and any(directory.iterdir())


def verify_archive(path: Path) -> dict[str, Any]:
    """Read an archive to its end; returns its metadata and counts. Errors: `DumpCorrupt`,
    `DumpNotFound`."""
    if not path.is_file():
        raise DumpNotFound(f"{path} is no file")
    metadata: dict[str, Any] = {}
    entries = documents = 0
    found = []
    for entry, content in read_archive(path):
        if not entries:
            metadata = _metadata(entry.name, content)
        elif entry.name.endswith(layout.DATA):
            documents += _check_lines(entry.name, content)
        found.append(entry)
        entries += 1
    check_seal(path)
    expected = sum(entry.documents for entry in found)
    if documents != expected:
        raise DumpCorrupt("manifest.json", f"tells of {expected} documents, there are {documents}")
    return {**metadata, "entries": entries, "documents": documents}


def _metadata(name: str, content: Readable) -> dict[str, Any]:
    try:
        metadata = loads(content.read(READ_BYTES))
    except ArangoError as error:
        raise DumpCorrupt(name, error.message) from None
    if name != METADATA or not isinstance(metadata, dict):
        raise DumpCorrupt(name, "the archive does not begin with its metadata")
    return metadata


def _check_lines(name: str, content: Readable) -> int:
    """Number of documents; each line must be an object with a key."""
    count = 0
    for lines in _blocks(content):
        for line in lines:
            try:
                value = loads(line)
            except ArangoError as error:
                raise DumpCorrupt(name, f"line {count + 1}: {error.message}") from None
            if not isinstance(value, dict) or not isinstance(value.get("_key"), str):
                raise DumpCorrupt(name, f"line {count + 1} is no document")
            count += 1
    return count


def _blocks(content: Readable) -> Iterator[list[bytes]]:
    """Lines of a data file, some megabytes at a time."""
    rest = b""
    while piece := content.read(DUMP_PART_BYTES):
        *lines, rest = (rest + piece).split(b"\n")
        yield lines
    if rest:
        yield [rest]


# -- putting in place ------------------------------------------------------------------------------


GoOn = Callable[[Store, dict[str, Any]], None]
"""What is done with a store before it takes its place; it is handed the backup's metadata."""


def _as_it_is(store: Store, metadata: dict[str, Any]) -> None:
    pass


def import_snapshot(
    path: Path, directory: Path, clock: Clock, go_on: GoOn = _as_it_is
) -> dict[str, Any]:
    """Make `directory` what a packed snapshot holds. Errors: `StartupError`."""
    return _import(path, directory, lambda beside: _unpack_store(path, beside, clock, go_on))


def import_dump(
    path: Path, directory: Path, clock: Clock, go_on: GoOn = _as_it_is
) -> dict[str, Any]:
    """Make `directory` a new store with what a dump holds: an archive or arangodump's directory.

    Errors: `StartupError`.
    """
    return _import(path, directory, lambda beside: _load_dump(path, beside, clock, go_on))


def _import(path: Path, directory: Path, build: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    beside = directory.with_name(directory.name + IMPORTING)
    shutil.rmtree(beside, ignore_errors=True)
    try:
        metadata = build(beside)
        _take_place(beside, directory)
    except (DumpCorrupt, DumpNotFound, ArangoError, OSError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        message = error.message if isinstance(error, ArangoError) else error
        raise StartupError(f"cannot import {path}: {message}") from error
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return metadata


def _take_place(beside: Path, directory: Path) -> None:
    for file in beside.iterdir():
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
    sync_directory(beside)
    if directory.is_dir():
        directory.rmdir()  # it is empty
    beside.rename(directory)
    sync_directory(directory.parent)


def _unpack_store(path: Path, beside: Path, clock: Clock, go_on: GoOn) -> dict[str, Any]:
    metadata = _checked(path, "snapshotVersion", "S1", "snapshot")
    beside.mkdir(parents=True)
    for entry, content in read_archive(path):
        folder, _, name = entry.name.partition("/")
        if entry.name == METADATA:
            continue
        if folder + "/" != STORE_FOLDER or not name or "/" in name:
            raise DumpCorrupt(entry.name, "does not belong to a snapshot")
        with (beside / name).open("wb") as target:
            while piece := content.read(READ_BYTES):
                target.write(piece)
    store = Store(RocksEngine(beside), clock)
    try:
        forget_tasks(store)
        go_on(store, metadata)
        start_anew(store, clock)
    finally:
        store.close()
    return metadata


def _checked(path: Path, member: str, version: str, what: str) -> dict[str, Any]:
    metadata = verify_archive(path)
    if metadata.get(member) != version:
        raise DumpCorrupt(METADATA, f"is not that of a {what} that this version reads")
    return metadata


def forget_tasks(store: Store) -> None:
    """Remove all tasks: the snapshot's own stands in it as unfinished and must not run again."""
    changes = WriteSet()
    changes.ranges.append((Family.META, TASK, after(TASK)))
    store.engine.write(changes)


def start_anew(store: Store, clock: Clock) -> None:
    """Ticks go on at the microseconds since 1970: no server has handed out as many."""
    store.start_anew(max(store.ticks.current, clock.wall_us()))


# -- dumps -----------------------------------------------------------------------------------------


def _load_dump(path: Path, beside: Path, clock: Clock, go_on: GoOn) -> dict[str, Any]:
    beside.mkdir(parents=True)
    is_directory = path.is_dir()
    if is_directory:
        check_directory(path)
        metadata: dict[str, Any] = {}
    else:
        metadata = _checked(path, "dumpVersion", "A1", "dump")
    store = Store(RocksEngine(beside), clock)
    try:
        ensure_system_database(store)
        loader = DumpLoader(store)
        if is_directory:
            _read_directory(path, loader)
        else:
            _read_dump(path, loader)
        loader.finish()
        if "tick" in metadata:
            store.start_anew(max(store.log.last_tick, int(metadata["tick"])))
        go_on(store, metadata)
        start_anew(store, clock)
    finally:
        store.close()
    return metadata


def _read_dump(path: Path, loader: DumpLoader) -> None:
    for entry, content in read_archive(path):
        folder, _, name = entry.name.rpartition("/")
        if name == layout.DUMP_JSON:
            head = layout.parse_dump_json(content.read(), entry.name)
            loader.database(folder, head.name or folder)
        elif name.endswith(layout.STRUCTURE):
            loader.collection(folder, layout.parse_structure(content.read(), entry.name))
        elif name.endswith(layout.VIEW):
            loader.view(folder, layout.parse_view(content.read(), entry.name))
        elif name.endswith(layout.DATA):
            for lines in _blocks(content):
                loader.documents(lines)


def _read_directory(path: Path, loader: DumpLoader) -> None:
    dump = read_directory(path)
    for database in dump.databases:
        folder = database.directory
        loader.database(folder, database.head.name or folder or "_system")
        for files in database.collections:
            loader.collection(folder, files.structure)
            for file in files.data:
                for block in line_blocks(dump.pieces(file), DUMP_PART_BYTES, file):
                    loader.documents(block.splitlines())
        for view in database.views:
            loader.view(folder, view)


@dataclass(slots=True)
class _Left:
    """What is made when all documents are there."""

    indexes: list[tuple[Database, Collection, list[Any]]] = field(default_factory=list)
    views: list[tuple[Database, dict[str, Any]]] = field(default_factory=list)


class DumpLoader:
    """Fills a new store with what a dump holds, in the order in which it holds it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._databases: dict[str, Database] = {}
        self._current: tuple[Database, Collection] | None = None
        self._is_loading = False
        self._left = _Left()
        self._numbers = 0

    def database(self, folder: str, name: str) -> None:
        """Make a database. Errors: 400/1208, 1229."""
        if not self._store.catalog.has_database(name):
            create_database(self._store, {"name": name})
        self._databases[folder] = self._store.catalog.database(name)

    def collection(self, folder: str, structure: layout.Structure) -> None:
        """Make a collection; the next documents are its own. Errors: those of its definition."""
        self._end_collection()
        database = self._databases.get(folder)
        if database is None:
            raise DumpCorrupt(f"{folder}/{layout.DUMP_JSON}", "is missing")
        made = restore_collection(self._store, database, structure.parameters)
        self._current = database, made
        self._left.indexes.append((database, made, structure.indexes))

    def view(self, folder: str, definition: dict[str, Any]) -> None:
        """Remember a view."""
        self._left.views.append((self._databases[folder], definition))

    def documents(self, lines: list[bytes]) -> None:
        """Store documents of the collection that was named last. Errors: 500/1401; 400/600."""
        if self._current is None:
            raise DumpCorrupt("a data file", "stands before its structure")
        database, collection = self._current
        lines = [line for line in lines if line.strip()]
        if lines and not self._load(collection, lines):
            for start in range(0, len(lines), IMPORT_ROWS_PER_COMMIT):
                documents = cut_documents(
                    lines[start : start + IMPORT_ROWS_PER_COMMIT], collection.name_json
                )
                transaction = Transaction(self._store, database, grouped=False)
                writer = ReplicaWriter(transaction, collection)
                writer.put_all(documents.names, documents.revisions, documents.rows)
                transaction.commit()

    def _load(self, collection: Collection, lines: list[bytes]) -> bool:
        """Hand sorted files to the store; False when the documents are not plain new ones."""
        store = self._store
        directory = store.engine.load_directory
        if directory is None:
            return False
        directory.mkdir(exist_ok=True)
        files = {
            family: directory / f"{self._numbers}.{name}.sst"
            for family, name in ((Family.DOCUMENTS, "documents"), (Family.PRIMARY, "primary"))
        }
        self._numbers += 1
        counters, options = collection.state.counters, collection.info.key_options
        task = {
            "name": collection.name_json,
            "is_checked": False,
            "after": counters.revision if counters.count else 0,
            "prefix": collection.prefix,
            "documents": str(files[Family.DOCUMENTS]),
            "primary": str(files[Family.PRIMARY]),
            "keys": {n: getattr(options, n) for n in options.__slots__},
            "last_value": counters.last_value,
        }
        done = prepare(task, b"\n".join([*lines, b""]))
        if not done:
            for file in files.values():
                file.unlink(missing_ok=True)
            return False
        if not self._is_loading:
            store.begin_load(collection)
            self._is_loading = True
        store.observe_revision(int.from_bytes(done["revisions"][-8:], "big"))
        store.load(
            collection,
            files,
            np.frombuffer(done["revisions"], dtype=">u8").astype(np.uint64),
            largest_bytes=done["largest"],
            last_value=done["last_value"],
        )
        return True

    def _end_collection(self) -> None:
        if self._is_loading and self._current is not None:
            self._store.end_load(self._current[1])
        self._is_loading = False

    def finish(self) -> None:
        """Indexes and views, now that all documents are there."""
        self._end_collection()
        for database, collection, indexes in self._left.indexes:
            for definition in indexes:
                for _ in restore_index(self._store, database, collection, definition):
                    pass
        for database, definition in self._left.views:
            restore_view(self._store, database, definition)
