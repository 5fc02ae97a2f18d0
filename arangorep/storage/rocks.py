"""`RocksEngine`: the engine contract on RocksDB. The only module that knows rocksdict.

What the library does not tell (each has a contract test):

* `Rdict.snapshot()` iterators show later writes. Iterators opened directly keep the view they were
  opened with, so scans and cursors are opened early and kept.
* an upper bound is kept as a bare pointer into the bytes object: scan and bound live in one object.
* `values()` iterators end silently on a read error; `RdictIter.status()` tells.
* dropping a handle of a family flushes it: handles are fetched once and kept until `close`.
"""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Any

from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    Checkpoint,
    DBCompressionType,
    IngestExternalFileOptions,
    Options,
    Rdict,
    RdictIter,
    ReadOptions,
    SstFileWriter,
    WriteBatch,
    WriteOptions,
)

from arangorep.errors import CorruptionError, StartupError
from arangorep.storage.engine import Cursor, EngineProperties, Family, Scan, WriteSet

BLOCK_CACHE_BYTES = 64 * 1024 * 1024
BLOCK_BYTES = 16 * 1024
MEMTABLE_BYTES = {
    Family.DOCUMENTS: 32 * 1024 * 1024,
    Family.PRIMARY: 16 * 1024 * 1024,
    Family.INDEX: 16 * 1024 * 1024,
    Family.LOG: 32 * 1024 * 1024,
    Family.META: 4 * 1024 * 1024,
}
BLOOM_BITS = 10
LOAD_DIRECTORY = "loading"
WRITE_ORDER = (Family.DOCUMENTS, Family.PRIMARY, Family.INDEX, Family.LOG, Family.META)

WHOLE_PROPERTIES = (
    "rocksdb.block-cache-capacity",
    "rocksdb.block-cache-usage",
    "rocksdb.block-cache-pinned-usage",
    "rocksdb.background-errors",
    "rocksdb.is-write-stopped",
    "rocksdb.actual-delayed-write-rate",
    "rocksdb.num-running-flushes",
    "rocksdb.num-running-compactions",
)
FAMILY_PROPERTIES = (
    "rocksdb.estimate-num-keys",
    "rocksdb.estimate-live-data-size",
    "rocksdb.live-sst-files-size",
    "rocksdb.total-sst-files-size",
    "rocksdb.cur-size-all-mem-tables",
    "rocksdb.size-all-mem-tables",
    "rocksdb.num-immutable-mem-table",
    "rocksdb.num-entries-active-mem-table",
    "rocksdb.num-deletes-active-mem-table",
    "rocksdb.estimate-table-readers-mem",
    "rocksdb.estimate-pending-compaction-bytes",
    "rocksdb.compaction-pending",
    "rocksdb.mem-table-flush-pending",
    "rocksdb.num-live-versions",
)
"""All are read from memory: some 20 us together. Snapshots are not among them: there are none."""


def _options(cache: Cache, memtable_bytes: int, *, bloom: bool) -> Options:
    table = BlockBasedOptions()
    table.set_block_size(BLOCK_BYTES)
    table.set_block_cache(cache)
    if bloom:
        table.set_bloom_filter(BLOOM_BITS, False)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(memtable_bytes)
    options.set_max_background_jobs(2)
    # one thread writes: no need for tables that several may write to at once
    options.set_allow_concurrent_memtable_write(False)
    options.set_keep_log_file_num(4)
    options.set_max_total_wal_size(512 * 1024 * 1024)
    return options


def _passing() -> ReadOptions:
    """For scans and scattered reads: filling the cache costs a scan a fifth of its time, and would
    push out what point reads need."""
    options = ReadOptions()
    options.fill_cache(False)  # type: ignore[call-arg]  # the stub lacks the argument
    return options


def _scan_options(end: bytes) -> ReadOptions:
    options = _passing()
    options.set_iterate_upper_bound(end)
    return options


class RocksScan:
    """A bounded `values()` iterator together with the bound it points into."""

    __slots__ = ("_bound", "_rows")

    def __init__(self, handle: Rdict, start: bytes, end: bytes) -> None:
        self._bound = end
        self._rows: Iterator[Any] = handle.values(from_key=start, read_opt=_scan_options(end))

    def take(self, rows: int) -> list[bytes]:
        return list(islice(self._rows, rows))

    def close(self) -> None:
        self._rows = iter(())


class RocksKeyScan:
    """The same of `keys()`; from its last key on it can be seen why it ended."""

    __slots__ = ("_bound", "_handle", "_last", "_rows")

    def __init__(self, handle: Rdict, start: bytes, end: bytes) -> None:
        self._bound, self._last = end, start
        self._handle: Rdict | None = handle
        self._rows: Iterator[Any] = handle.keys(from_key=start, read_opt=_scan_options(end))

    def take(self, rows: int) -> list[bytes]:
        found = list(islice(self._rows, rows))
        self._last = found[-1] if found else self._last
        if len(found) < rows and self._handle is not None:
            # one that begins at the unreadable block does not end silently
            cursor = RocksCursor(self._handle)
            cursor.keys(self._last, self._bound, 2)
            cursor.close()
        return found

    def close(self) -> None:
        self._rows, self._handle = iter(()), None


class RocksCursor:
    """An unbounded iterator that is sought anew for every read and checked at its end."""

    __slots__ = ("_failed", "_iterator")

    def __init__(self, handle: Rdict) -> None:
        iterator = handle.iter()
        # the view is fixed at creation; the first seek only places it
        self._iterator: RdictIter | None = iterator
        self._failed = False

    def _seek(self, start: bytes) -> RdictIter:
        if self._iterator is None:
            raise ValueError("the cursor is closed")
        iterator = self._iterator
        iterator.seek(start)
        if not iterator.valid() and self._failed:
            # the library repeats the last error for some blocks that are whole: go elsewhere first
            iterator.seek_to_last()
            iterator.seek(start)
        self._failed = False
        return iterator

    def _check(self, iterator: RdictIter) -> None:
        try:
            iterator.status()
        except Exception as error:
            self._failed = True
            raise CorruptionError(str(error)) from error

    def items(self, start: bytes, end: bytes, rows: int) -> list[tuple[bytes, bytes]]:
        iterator = self._seek(start)
        valid, key, value, step = iterator.valid, iterator.key, iterator.value, iterator.next
        found: list[tuple[bytes, bytes]] = []
        for _ in range(rows):
            if not valid():
                self._check(iterator)
                break
            current = key()
            if current >= end:
                break
            found.append((current, value()))
            step()
        return found

    def keys(self, start: bytes, end: bytes, rows: int) -> list[bytes]:
        iterator = self._seek(start)
        valid, key, step = iterator.valid, iterator.key, iterator.next
        found: list[bytes] = []
        for _ in range(rows):
            if not valid():
                self._check(iterator)
                break
            current = key()
            if current >= end:
                break
            found.append(current)
            step()
        return found

    def values(self, start: bytes, end: bytes, rows: int) -> list[bytes]:
        return [value for _, value in self.items(start, end, rows)]

    def last_key(self, start: bytes, end: bytes) -> bytes | None:
        if self._iterator is None:
            raise ValueError("the cursor is closed")
        iterator = self._iterator
        iterator.seek_for_prev(end)
        if iterator.valid() and iterator.key() == end:
            iterator.prev()
        if not iterator.valid():
            self._check(iterator)
            return None
        found: bytes = iterator.key()
        return found if found >= start else None

    def close(self) -> None:
        self._iterator = None


class RocksEngine:
    """An open RocksDB. One process at a time; `StartupError` when another one holds it."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        if read_only and not (path / "CURRENT").exists():
            raise StartupError(f"{path} holds no store")
        cache = Cache(BLOCK_CACHE_BYTES)
        families = {
            family.value: _options(
                cache,
                MEMTABLE_BYTES[family],
                bloom=family in (Family.DOCUMENTS, Family.PRIMARY, Family.INDEX),
            )
            for family in Family
        }
        access = AccessType.read_only(False) if read_only else AccessType.read_write()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._db = Rdict(
                str(path),
                _options(cache, MEMTABLE_BYTES[Family.META], bloom=False),
                column_families=families,
                access_type=access,
            )
        except Exception as error:
            raise StartupError(_why_not_open(path, error)) from error
        self._path = path
        if not read_only:
            shutil.rmtree(path / LOAD_DIRECTORY, ignore_errors=True)
        self._write_options = WriteOptions()
        # the rows of a family ascend within a batch: a quarter less for the memory tables
        self._write_options.memtable_insert_hint_per_batch = True
        self._passing = _passing()
        self._handles = {family: self._db.get_column_family(family.value) for family in Family}
        self._columns = {
            family: self._db.get_column_family_handle(family.value) for family in Family
        }

    def get(self, family: Family, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._handles[family].get(key)
        except Exception as error:
            raise CorruptionError(str(error)) from error
        return value

    def get_many(self, family: Family, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        try:
            return list(self._handles[family].get(list(keys), read_opt=self._passing) or ())
        except Exception as error:
            raise CorruptionError(str(error)) from error

    def write(self, changes: WriteSet) -> None:
        batch = WriteBatch(raw_mode=True)
        for family, start, end in changes.ranges:
            batch.delete_range(start, end, self._columns[family])
        put, delete = batch.put, batch.delete
        # grouped by family: alternating kinds would cost 1.5 times as much in the memory tables
        for family in WRITE_ORDER:
            column = self._columns[family]
            entries = changes.entries[family]
            if None in entries.values():
                for key, value in entries.items():
                    if value is None:
                        delete(key, column)
                    else:
                        put(key, value, column)
            else:  # without a line of Python for each row
                deque(map(put, entries, entries.values(), repeat(column)), maxlen=0)
        for family, keys, values in changes.blocks:
            deque(map(put, keys, values, repeat(self._columns[family])), maxlen=0)
        self._db.write(batch, self._write_options)

    @property
    def load_directory(self) -> Path:
        directory = self._path / LOAD_DIRECTORY
        directory.mkdir(exist_ok=True)
        return directory

    def ingest(self, family: Family, files: Sequence[Path]) -> None:
        options = IngestExternalFileOptions()
        options.set_move_files(True)
        self._handles[family].ingest_external_file([str(path) for path in files], options)

    def scan(self, family: Family, start: bytes, end: bytes) -> Scan:
        return RocksScan(self._handles[family], start, end)

    def scan_keys(self, family: Family, start: bytes, end: bytes) -> Scan:
        return RocksKeyScan(self._handles[family], start, end)

    def cursor(self, family: Family) -> Cursor:
        return RocksCursor(self._handles[family])

    def sync_log(self) -> None:
        self._db.flush_wal(True)

    def flush(self) -> None:
        for handle in self._handles.values():
            handle.flush(True)

    def compact(self) -> None:
        for handle in self._handles.values():
            handle.compact_range(None, None)

    def checkpoint(self, path: Path) -> None:
        Checkpoint(self._db).create_checkpoint(str(path))

    def size_bytes(self) -> int:
        with os.scandir(self._path) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.name.endswith(".sst"))

    def properties(self) -> EngineProperties:
        return EngineProperties(
            _properties(self._db, WHOLE_PROPERTIES),
            {
                family: _properties(handle, FAMILY_PROPERTIES)
                for family, handle in self._handles.items()
            },
        )

    def close(self) -> None:
        # an open handle keeps the directory locked
        self._columns.clear()
        for handle in self._handles.values():
            handle.close()
        self._handles.clear()
        self._db.close()


def _properties(handle: Rdict, names: Sequence[str]) -> dict[str, int]:
    found = {name: handle.property_int_value(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def write_sorted(
    path: Path, keys: Iterable[bytes], values: Iterable[bytes], *, bloom: bool = True
) -> None:
    """Write a file that `RocksEngine.ingest` takes over. Needs no open store; keys must ascend.

    `bloom` where single keys are looked up.
    """
    writer = SstFileWriter(_options(Cache(0), MEMTABLE_BYTES[Family.META], bloom=bloom))
    writer.open(str(path))
    deque(map(writer.__setitem__, keys, values), maxlen=0)
    writer.finish()
    _read_ahead(path)


def _read_ahead(path: Path) -> None:
    """Have the system read a file: the library let it forget what was just written.

    Who takes the file over reads its end at once, and others its documents soon after.
    """
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


def _why_not_open(path: Path, error: Exception) -> str:
    text = str(error)
    if "/LOCK:" in text:
        return f"{path} is in use by another process; one server per data directory"
    return f"{path} cannot be opened: {text}"
