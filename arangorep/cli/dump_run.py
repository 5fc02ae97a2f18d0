"""One run of `arangorep dump`: from an inventory to a directory with a manifest.

A dump is one moment: all of it comes from one batch. An interrupted one is taken up only while
its batch lives, otherwise everything is dumped anew.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from arangorep import __version__
from arangorep.backup import layout
from arangorep.backup.directory import remove_dump
from arangorep.backup.files import (
    DataFile,
    Stored,
    StoredData,
    hash_file,
    make_directory,
    write_file,
)
from arangorep.backup.layout import Members, Structure
from arangorep.backup.manifest import Entry, Manifest, encode, parse_entry
from arangorep.backup.problems import DumpCorrupt
from arangorep.cli.dump_source import Batch, BatchKeeper, Source, Stopped
from arangorep.cli.journal import Journal
from arangorep.cli.transfer_bars import TransferBars
from arangorep.cli.wire import ServerRefused, Unreachable
from arangorep.clock import SystemClock, iso_time, pause
from arangorep.limits import DUMP_TRIES

JOURNAL_FORMAT = 1


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """What is dumped, and how."""

    database: str
    all_databases: bool
    collections: tuple[str, ...]
    exclude: tuple[str, ...]
    include_system: bool
    compress: str
    threads: int

    def shows(self, name: str) -> bool:
        """Whether a collection is dumped; a system collection that is named always is."""
        if self.collections:
            return name in self.collections
        return name not in self.exclude and (self.include_system or not name.startswith("_"))

    def wants_system(self) -> bool:
        """Whether system collections must be asked for."""
        return self.include_system or any(name.startswith("_") for name in self.collections)

    def describe(self) -> Members:
        """What must be the same for a dump to be taken up."""
        return {
            "database": None if self.all_databases else self.database,
            "collections": sorted(self.collections),
            "exclude": sorted(self.exclude),
            "includeSystem": self.include_system,
            "compress": self.compress,
        }


@dataclass(frozen=True, slots=True)
class _Job:
    """One collection to be dumped; paths are entries."""

    database: str
    structure: Structure
    structure_path: str
    structure_json: bytes
    data_path: str

    @property
    def label(self) -> str:
        return f"{self.database}/{self.structure.name}"

    @property
    def asked_as(self) -> str:
        """An id stays the same when the collection is renamed meanwhile."""
        return self.structure.id or self.structure.name


@dataclass(slots=True)
class _Database:
    """One database to be dumped; `directory` is empty or ends with `/`."""

    name: str
    directory: str
    properties: Members
    views: list[Members]
    jobs: list[_Job] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Resumed:
    """What an interrupted dump left that still is of the same moment."""

    batch: Batch
    finished: dict[str, Entry]
    begun: set[str]


class DumpRun:
    """Writes one dump into `root`, whose journal is `journal`."""

    def __init__(self, source: Source, root: Path, options: DumpOptions, journal: Journal) -> None:
        self._source = source
        self._root = root
        self._options = options
        self._journal = journal
        self._entries: dict[str, Entry] = {}
        self._lock = threading.Lock()
        self._old = Resumed(Batch("", "0"), {}, set())
        self._batch = self._old.batch

    # -- taking up ----------------------------------------------------------------------------

    def resumable(self) -> Resumed | str:
        """What can be taken up, or why everything must be dumped anew."""
        header, records = self._journal.read()
        if header is None or header.get("format") != JOURNAL_FORMAT:
            return "there is no interrupted dump"
        if header.get("options") != self._options.describe():
            return "the interrupted dump had other options"
        if header.get("serverId") != self._source.server_id:
            return "the interrupted dump was of another server"
        batch = Batch(str(header.get("batch")), str(header.get("tick")))
        if not batch.id.isdigit() or not self._source.prolong(batch):
            return "the moment of the interrupted dump is gone"
        finished: dict[str, Entry] = {}
        begun: set[str] = set()
        for record in records:
            try:
                if "done" in record:
                    entry = parse_entry(record["done"], layout.UNFINISHED)
                    finished[entry.path] = entry
                else:
                    begun.add(str(record.get("begun")))
            except DumpCorrupt:
                continue
        return Resumed(batch, finished, begun - finished.keys())

    # -- the run ------------------------------------------------------------------------------

    def run(self, old: Resumed | None) -> Manifest:
        """Dump, and write the manifest at the end. Errors: `ClickException`, `OSError`."""
        self._batch = self._source.open_batch() if old is None else old.batch
        with BatchKeeper(self._source, self._batch):
            databases = list(self._databases())
            self._check_names(databases)
            if old is None:
                remove_dump(self._root)
                self._journal.begin(
                    {
                        "format": JOURNAL_FORMAT,
                        "serverId": self._source.server_id,
                        "batch": self._batch.id,
                        "tick": self._batch.tick,
                        "options": self._options.describe(),
                    }
                )
            else:
                self._old = old
            for database in databases:
                self._begin_database(database)
            self._dump_all([job for database in databases for job in database.jobs])
            for database in databases:
                self._end_database(database)
        manifest = self._finish()
        self._source.release(self._batch)
        return manifest

    def _databases(self) -> Iterator[_Database]:
        """What there is, and where it goes."""
        options = self._options
        names = self._source.databases() if options.all_databases else [options.database]
        for name in names:
            found = self._source.inventory(self._batch, name, include_system=options.wants_system())
            properties = found.get("properties")
            properties = properties if isinstance(properties, dict) else {"name": name}
            views = found.get("views", [])
            if options.collections or not isinstance(views, list):
                views = []  # they would speak of collections that are not there
            directory = ""
            if options.all_databases:
                directory = f"{_safe_name(name, str(properties.get('id', '')))}/"
            views = [layout.view_of(view, f"inventory of {name}") for view in views]
            database = _Database(name, directory, properties, views)
            database.jobs += self._jobs(database, found["collections"])
            yield database

    def _jobs(self, database: _Database, collections: list[Any]) -> Iterator[_Job]:
        for described in collections:
            structure = layout.structure_of(described, f"inventory of {database.name}")
            if not self._options.shows(structure.name):
                continue
            if structure.parameters.get("deleted") is True:
                continue
            _safe_name(structure.name, structure.id)
            stem = database.directory + layout.collection_stem(structure.name, structure.id)
            ending = layout.PACKINGS[self._options.compress]
            yield _Job(
                database.name,
                structure,
                stem + layout.STRUCTURE,
                layout.structure_json(described),
                f"{stem}{layout.DATA}{ending}",
            )

    def _check_names(self, databases: list[_Database]) -> None:
        found = {job.structure.name for database in databases for job in database.jobs}
        missing = sorted(set(self._options.collections) - found)
        if missing:
            raise click.ClickException(f"there is no collection {', '.join(missing)}")

    def _begin_database(self, database: _Database) -> None:
        for directory in {"", database.directory}:
            make_directory(self._root / directory)
            self._write(directory + layout.ENCRYPTION, layout.NOT_ENCRYPTED)

    def _end_database(self, database: _Database) -> None:
        for view in database.views:
            _safe_name(view["name"], str(view.get("id", "")))
            self._write(database.directory + layout.view_file(view), layout.view_json(view))
        # arangodump writes the inventory's tick, which is that of a later moment
        head = layout.dump_json(database.name, self._batch.tick, database.properties)
        self._write(database.directory + layout.DUMP_JSON, head)

    def _finish(self) -> Manifest:
        manifest = Manifest(
            f"arangorep {__version__}",
            iso_time(SystemClock().wall_us()),
            self._source.server_id,
            self._batch.tick,
            tuple(self._entries[path] for path in sorted(self._entries)),
        )
        # of collections that were dropped between an interrupted dump and this one
        remove_dump(self._root, self._entries.keys())
        write_file(self._root / layout.MANIFEST, encode(manifest))
        self._journal.remove()
        return manifest

    # -- collections --------------------------------------------------------------------------

    def _dump_all(self, jobs: list[_Job]) -> None:
        """All collections, some at once. Errors: the first that came up."""
        with (
            TransferBars("dumping", len(jobs)) as bars,
            ThreadPoolExecutor(self._options.threads) as pool,
        ):
            running = [pool.submit(self._dump, job, bars) for job in jobs]
            try:
                done, _ = wait(running, return_when=FIRST_EXCEPTION)
            finally:
                self._source.stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
        errors = [future.exception() for future in done]
        for error in sorted(filter(None, errors), key=lambda e: isinstance(e, Stopped)):
            raise error

    def _dump(self, job: _Job, bars: TransferBars) -> None:
        if self._source.stop.is_set():
            raise Stopped
        try:
            self._write(job.structure_path, job.structure_json)
            entry = self._finished(job) or self._dump_data(job, bars)
        except ServerRefused as error:
            if error.status in (400, 404):
                hint = "the collection or the moment of the dump is gone: --resume dumps anew"
                raise click.ClickException(f"{job.label}: {error.message}; {hint}") from None
            raise
        self._add(entry)
        bars.done(job.label)

    def _finished(self, job: _Job) -> Entry | None:
        """The data file of the interrupted dump, when it is still what it was."""
        entry = self._old.finished.get(job.data_path)
        if entry is None:
            return None
        try:
            stored = hash_file(self._root / job.data_path, job.data_path)
        except DumpCorrupt:
            return None
        return entry if stored == Stored(entry.size, entry.xxh3) else None

    def _dump_data(self, job: _Job, bars: TransferBars) -> Entry:
        is_torn = job.data_path in self._old.begun
        with self._lock:
            self._journal.append({"begun": job.data_path})
        for wait_s in range(1, DUMP_TRIES):
            try:
                stored = self._copy(job, bars, is_torn=is_torn)
                break
            except Unreachable:
                is_torn = True
                pause(wait_s)
        else:
            stored = self._copy(job, bars, is_torn=is_torn)
        entry = Entry(
            job.data_path, stored.size, stored.xxh3, stored.documents, stored.unpacked_size
        )
        with self._lock:
            self._journal.append({"done": entry.describe()})
        return entry

    def _copy(self, job: _Job, bars: TransferBars, *, is_torn: bool) -> StoredData:
        with DataFile(self._root / job.data_path) as file:
            for chunk in self._source.chunks(
                self._batch, job.database, job.asked_as, is_torn=is_torn
            ):
                file.write(chunk)
                bars.advance(job.label, chunk.count(b"\n"), len(chunk))
            return file.commit()

    # -- entries ------------------------------------------------------------------------------

    def _write(self, path: str, data: bytes) -> None:
        stored = write_file(self._root / path, data)
        self._add(Entry(path, stored.size, stored.xxh3))

    def _add(self, entry: Entry) -> None:
        with self._lock:
            self._entries[entry.path] = entry


def _safe_name(name: str, object_id: str) -> str:
    """`layout.file_name_of` of what a server said. Errors: `ClickException`."""
    try:
        return layout.file_name_of(name, object_id)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
