"""Files of a dump: written as a whole or not at all, hashed on their way, read without surprises.

A file is written under another name, synced, renamed, and then its directory is synced. So
whatever has its name is complete, also after a power loss (backups 6.2). Files are readable by
their owner only: dumps may hold credentials.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import xxhash

from arangorep.backup.packing import Bounds, Packer, packing_of, unpacked
from arangorep.backup.problems import DumpCorrupt
from arangorep.limits import BACKUP_JSON_BYTES_MAX, BACKUP_PIECE_BYTES

PARTIAL: Final = ".partial"
FILE_MODE: Final = 0o600
DIRECTORY_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class Stored:
    """What a file holds, as it lies on disk."""

    size: int
    xxh3: str
    """64 bits in 16 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class StoredData(Stored):
    """A data file: also what it unpacks to."""

    documents: int
    unpacked_size: int


# -- writing --------------------------------------------------------------------------------------


class AtomicFile:
    """A file that appears under its name at the end of a `with` block that went well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._partial = path.with_name(_partial_name(path.name))
        self._partial.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._partial, flags, FILE_MODE), "wb", buffering=0)
        self._hash = xxhash.xxh3_64()
        self._size = 0

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file.closed:
            return
        if kind is None:
            self.commit()
        else:
            self.discard()

    def write(self, data: bytes) -> None:
        """Append."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._hash.update(data)
        self._size += len(data)

    @property
    def stored(self) -> Stored:
        """What was written so far."""
        return Stored(self._size, self._hash.hexdigest())

    def commit(self) -> Stored:
        """Sync, rename, sync the directory. Errors: `OSError`, and nothing is left behind."""
        try:
            os.fsync(self._file.fileno())
            self._file.close()
            self._partial.replace(self.path)
        except OSError:
            self.discard()
            raise
        sync_directory(self.path.parent)
        return self.stored

    def discard(self) -> None:
        """Leave nothing."""
        self._file.close()
        with contextlib.suppress(OSError):
            self._partial.unlink(missing_ok=True)


class DataFile:
    """A data file that is being written: whole lines in, packed by the ending of its name."""

    def __init__(self, path: Path) -> None:
        self._file = AtomicFile(path)
        self._packer = Packer(packing_of(path.name))
        self._documents = 0
        self._unpacked_size = 0

    def __enter__(self) -> DataFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.discard()  # does nothing after `commit`

    def write(self, lines: bytes) -> None:
        """Whole lines, each ending with a newline."""
        self._documents += lines.count(b"\n")
        self._unpacked_size += len(lines)
        # in pieces, so that the packed form of a large chunk is not in memory as a whole
        for start in range(0, len(lines), BACKUP_PIECE_BYTES):
            self._write(self._packer.feed(lines[start : start + BACKUP_PIECE_BYTES]))

    def commit(self) -> StoredData:
        """Errors: `OSError`, and nothing is left behind."""
        self._write(self._packer.finish())
        stored = self._file.commit()
        return StoredData(stored.size, stored.xxh3, self._documents, self._unpacked_size)

    def _write(self, data: bytes) -> None:
        if data:
            self._file.write(data)


def write_file(path: Path, data: bytes) -> Stored:
    """A small file, at once."""
    with AtomicFile(path) as file:
        file.write(data)
    return file.stored


def sync_directory(path: Path) -> None:
    """Make names in a directory survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Create a directory and those above it; one that exists is fine."""
    missing = [p for p in (path, *path.parents) if not p.exists()]
    for directory in reversed(missing):
        directory.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        sync_directory(directory.parent)


def is_partial(file_name: str) -> bool:
    """Whether a file is what an interrupted `AtomicFile` leaves."""
    return file_name.startswith(".") and file_name.endswith(PARTIAL)


def _partial_name(file_name: str) -> str:
    # hashed, because the name may be as long as a name can be
    return f".{xxhash.xxh3_64_hexdigest(file_name.encode())}{PARTIAL}"


# -- reading --------------------------------------------------------------------------------------


def open_regular(path: Path, entry: str) -> IO[bytes]:
    """Open a file that is a file: no link, no pipe, no device. Errors: `DumpCorrupt`."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        if path.is_symlink():
            raise DumpCorrupt(entry, "is a symbolic link")
        file = os.fdopen(os.open(path, flags), "rb", buffering=0)
    except FileNotFoundError:
        raise DumpCorrupt(entry, "is missing") from None
    except OSError as error:
        raise DumpCorrupt(entry, f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise DumpCorrupt(entry, "is no regular file")
    return file


def read_file(path: Path, entry: str, bytes_max: int = BACKUP_JSON_BYTES_MAX) -> bytes:
    """A small file as a whole. Errors: `DumpCorrupt`, also for one that is not small."""
    with open_regular(path, entry) as file:
        size = os.fstat(file.fileno()).st_size
        if size > bytes_max:
            raise DumpCorrupt(entry, f"has {size} bytes, more than {bytes_max}")
        return b"".join(_chunks(file, entry))


def read_chunks(path: Path, entry: str) -> Iterator[bytes]:
    """The stored bytes. Errors: `DumpCorrupt`."""
    with open_regular(path, entry) as file:
        yield from _chunks(file, entry)


def read_pieces(path: Path, entry: str, unpacked_size: int | None = None) -> Iterator[bytes]:
    """What a data file unpacks to, in bounded pieces. Errors: `DumpCorrupt`."""
    bounds = Bounds(unpacked_size)
    return unpacked(read_chunks(path, entry), packing_of(path.name), entry, bounds)


def hash_file(path: Path, entry: str) -> Stored:
    """Size and hash of a file. Errors: `DumpCorrupt`."""
    state, size = xxhash.xxh3_64(), 0
    for chunk in read_chunks(path, entry):
        state.update(chunk)
        size += len(chunk)
    return Stored(size, state.hexdigest())


def _chunks(file: IO[bytes], entry: str) -> Iterator[bytes]:
    try:
        while chunk := file.read(BACKUP_PIECE_BYTES):
            yield chunk
    except OSError as error:
        raise DumpCorrupt(entry, f"cannot be read: {error.strerror}") from None
