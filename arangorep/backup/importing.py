"""Starting from a dump or a snapshot (backups 1.9 to 1.11, 6.2).

Everything is verified first and built beside the data directory, which is put in place by a rename
at the end: a failed import leaves things as they were. Ticks go on above every tick that was ever
handed out, so that whoever followed the old server notices.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from arangorep.backup import layout
from arangorep.backup.archive import (
    METADATA,
    Entry,
    Readable,
    Stopped,
    check_seal,
    parse_metadata,
    read_archive,
)
from arangorep.backup.checking import check_directory
from arangorep.backup.directory import read_directory
from arangorep.backup.jobs import STORE_FOLDER
from arangorep.backup.loader import DumpLoader
from arangorep.backup.packing import line_blocks
from arangorep.backup.placing import claimed, discard, place_for, take_place
from arangorep.backup.problems import DumpCorrupt, DumpNotFound
from arangorep.backup.sorting import Sorters
from arangorep.clock import Clock
from arangorep.codec.json import loads
from arangorep.data.databases import ensure_system_database
from arangorep.errors import ArangoError, StartupError
from arangorep.limits import LOAD_BYTES
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.keys import TASK, after
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

READABLE = {"dumpVersion": ("A1",), "snapshotVersion": ("S1",)}
READ_BYTES = 1024 * 1024
PIECE_BYTES = LOAD_BYTES + LOAD_BYTES // 16
"""Half of a data file of ours and a little more, so that no small piece is left over."""

Advance = Callable[[int], None]


def _untold(_: int) -> None:
    pass


def verify_archive(
    path: Path, stop: threading.Event | None = None, advance: Advance = _untold
) -> dict[str, Any]:
    """Read an archive to its end; returns its metadata and counts.

    `advance` is told the bytes of each entry.
    Errors: `DumpCorrupt`; `DumpNotFound`; `OSError`; `Stopped` soon after `stop` is set.
    """
    stop = stop or threading.Event()
    if not path.is_file():
        raise DumpNotFound(f"{path} is no file")
    metadata: dict[str, Any] = {}
    entries = documents = 0
    found = []
    for entry, content in read_archive(path):
        if not entries:
            metadata = parse_metadata(entry.name, content)
        elif entry.name.endswith(layout.DATA):
            documents += _check_lines(entry.name, content, stop)
        found.append(entry)
        entries += 1
        advance(entry.size)
    check_seal(path)
    expected = sum(entry.documents or 0 for entry in found)
    if documents != expected:
        raise DumpCorrupt(layout.MANIFEST, f"tells of {expected} documents, there are {documents}")
    return {**metadata, "entries": entries, "documents": documents}


def _check_lines(name: str, content: Readable, stop: threading.Event) -> int:
    """Number of documents; each line must be an object with a key."""
    count = 0
    for lines in _blocks(content):
        if stop.is_set():
            raise Stopped
        for line in lines.removesuffix(b"\n").split(b"\n"):
            try:
                value = loads(line)
            except ArangoError as error:
                raise DumpCorrupt(name, f"line {count + 1}: {error.message}") from None
            if not isinstance(value, dict) or not isinstance(value.get("_key"), str):
                raise DumpCorrupt(name, f"line {count + 1} is no document")
            count += 1
    return count


def _blocks(content: Readable) -> Iterator[bytes]:
    """Whole lines of a data file, some megabytes at a time."""
    rest = b""
    while piece := content.read(PIECE_BYTES):
        end = piece.rfind(b"\n") + 1
        if end:
            yield rest + piece[:end]
            rest = b""
        rest += piece[end:]
    if rest:
        yield rest


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
    place = place_for(directory)
    with claimed(place):
        try:
            metadata = build(place.beside)
            take_place(place)
        except (DumpCorrupt, DumpNotFound, ArangoError, OSError) as error:
            discard(place)
            message = error.message if isinstance(error, ArangoError) else error
            raise StartupError(f"cannot import {path}: {message}") from error
        except BaseException:
            discard(place)
            raise
    return metadata


def _unpack_store(path: Path, beside: Path, clock: Clock, go_on: GoOn) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for entry, content in _entries(path):
        folder, _, name = entry.name.partition("/")
        if not metadata:
            metadata = _checked_metadata(entry, content, "snapshotVersion", "snapshot")
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


def _entries(path: Path) -> Iterator[tuple[Entry, Readable]]:
    """Of an archive that is whole. Errors: `DumpCorrupt`, `DumpNotFound`."""
    if not path.is_file():
        raise DumpNotFound(f"{path} is no file")
    check_seal(path)
    yield from read_archive(path)


def _checked_metadata(entry: Entry, content: Readable, member: str, what: str) -> dict[str, Any]:
    metadata = parse_metadata(entry.name, content)
    if metadata.get(member) not in READABLE[member]:
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
    is_directory = path.is_dir()
    if is_directory:
        check_directory(path)
    store = Store(RocksEngine(beside), clock)
    try:
        ensure_system_database(store)
        with Sorters() as sorters:
            loader = DumpLoader(store, sorters)
            metadata = _read_directory(path, loader) if is_directory else _read_dump(path, loader)
            loader.finish()
        if "tick" in metadata:
            store.start_anew(max(store.log.last_tick, int(metadata["tick"])))
        go_on(store, metadata)
        start_anew(store, clock)
    finally:
        store.close()
    return metadata


def _read_dump(path: Path, loader: DumpLoader) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for entry, content in _entries(path):
        folder, _, name = entry.name.rpartition("/")
        if not metadata:
            metadata = _checked_metadata(entry, content, "dumpVersion", "dump")
        elif name == layout.DUMP_JSON:
            head = layout.parse_dump_json(content.read(), entry.name)
            loader.database(folder, head.name or folder)
        elif name.endswith(layout.STRUCTURE):
            loader.collection(folder, layout.parse_structure(content.read(), entry.name))
        elif name.endswith(layout.VIEW):
            loader.view(folder, layout.parse_view(content.read(), entry.name))
        elif name.endswith(layout.DATA):
            for lines in _blocks(content):
                loader.documents(entry.name, lines)
    return metadata


def _read_directory(path: Path, loader: DumpLoader) -> dict[str, Any]:
    """There is no metadata in a directory that arangodump wrote."""
    dump = read_directory(path)
    for database in dump.databases:
        folder, enveloped = database.directory, database.head.has_envelopes
        loader.database(folder, database.head.name or folder or "_system")
        for files in database.collections:
            loader.collection(folder, files.structure)
            for file in files.data:
                for lines in line_blocks(dump.pieces(file), LOAD_BYTES, file):
                    loader.documents(file, lines, in_envelopes=enveloped)
        for view in database.views:
            loader.view(folder, view)
    return {}
