"""Archives: a compressed tar with a manifest as its last entry (backups 6.2, 6.3).

An archive is written under another name, synced and renamed, so one with its own name is whole. The
manifest names every entry with size, hash and number of documents: an archive that was cut off or
changed is refused with the name of the entry that is wrong. All of it blocks: for worker threads.
"""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import io
import os
import tarfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, Self

import xxhash

from arangorep import __version__
from arangorep.backup import manifest
from arangorep.backup.files import sync_directory
from arangorep.backup.layout import MANIFEST
from arangorep.backup.problems import DumpCorrupt
from arangorep.codec.json import loads
from arangorep.errors import ArangoError
from arangorep.limits import (
    ARCHIVE_ENTRIES_MAX,
    ARCHIVE_FREE_BYTES,
    ARCHIVE_HEADER_BYTES_MAX,
    ARCHIVE_MANIFEST_BYTES_MAX,
    ARCHIVE_RATIO_MAX,
)


class Stopped(Exception):
    """Nobody wants the archive any more."""


class Readable(Protocol):
    """What is read from: an entry's content, or a packed file."""

    def read(self, size: int = -1, /) -> bytes: ...


METADATA = "metadata.json"
"""The first entry; what it holds is up to the kind of archive."""
METADATA_BYTES_MAX = 1024 * 1024
PARTIAL = ".partial"
GZIP_LEVEL = 1
COPY_BYTES = 1024 * 1024


@dataclass(slots=True)
class Entry:
    """A file in an archive. `documents` of what holds none is None."""

    name: str
    size: int
    xxh3: str
    documents: int | None = None

    def listed(self) -> manifest.Entry:
        """As the manifest has it."""
        unpacked = None if self.documents is None else self.size
        return manifest.Entry(self.name, self.size, self.xxh3, self.documents, unpacked)


class ArchiveWriter:
    """Writes one archive. End it with `finish` or `abort`. Errors: `OSError`."""

    def __init__(self, path: Path, *, mode: int, level: int = GZIP_LEVEL) -> None:
        """`level` 0 keeps the format and packs nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._mode = path, mode
        self._partial = path.parent / f".{path.name}{PARTIAL}"
        self._partial.unlink(missing_ok=True)
        descriptor = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        # by this `remove_leftovers` of another server sees that somebody is at work
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._packer = gzip.GzipFile(
            fileobj=self._file, mode="wb", compresslevel=level, filename="", mtime=0
        )
        self._tar = tarfile.open(  # noqa: SIM115  # closed by `finish`
            fileobj=self._packer, mode="w|", format=tarfile.PAX_FORMAT
        )
        self._entries: list[Entry] = []

    def add(self, name: str, pieces: Sequence[bytes], documents: int | None = None) -> None:
        """Add a file that is in memory."""
        digest = xxhash.xxh3_64()
        for piece in pieces:
            digest.update(piece)
        size = sum(map(len, pieces))
        self._tar.addfile(_header(name, size), _Pieces(pieces))
        self._entries.append(Entry(name, size, digest.hexdigest(), documents))

    def add_file(self, name: str, path: Path, stop: threading.Event) -> None:
        """Add a file from disk. Errors: `Stopped` as soon as `stop` is set."""
        with path.open("rb") as source:
            size = os.fstat(source.fileno()).st_size
            hashed = _Hashed(source, [name], stop)
            self._tar.addfile(_header(name, size), hashed)
            self._entries.append(Entry(name, size, hashed.finish(name, size)))

    def finish(self, *, created: str = "", server_id: str | None = None, tick: str = "0") -> int:
        """Add the manifest, bring everything to the disk, give it its name; returns the size."""
        entries = tuple(entry.listed() for entry in self._entries)
        tool = f"arangorep {__version__}"
        data = manifest.encode(manifest.Manifest(tool, created, server_id, tick, entries))
        self._tar.addfile(_header(MANIFEST, len(data)), io.BytesIO(data))
        self._tar.close()
        self._packer.close()
        self._file.flush()
        self._file.write(_seal(_digest_of(self._partial)))
        self._file.flush()
        os.fchmod(self._file.fileno(), self._mode)
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self._file.close()
        os.replace(self._partial, self._path)
        sync_directory(self._path.parent)
        return size

    def abort(self) -> None:
        """Leave nothing behind. Twice does no harm."""
        for part in (self._tar, self._packer, self._file):
            with contextlib.suppress(OSError, ValueError):
                part.close()
        self._partial.unlink(missing_ok=True)


def _seal(digest: bytes) -> bytes:
    """An empty member of the gzip format that carries the hash of all bytes before it.

    Packed data may be changed so that they unpack to the same; tools that unpack skip this.
    """
    field = b"AR" + len(digest).to_bytes(2, "little") + digest
    head = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff" + len(field).to_bytes(2, "little")
    return head + field + b"\x03\x00" + bytes(8)


SEAL_BYTES = len(_seal(bytes(8)))
SEAL_HASH_AT = _seal(b"\x55" * 8).index(b"\x55" * 8)


def _digest_of(path: Path, *, without: int = 0) -> bytes:
    """The hash of a file's bytes, but for some at its end."""
    digest, left = xxhash.xxh3_64(), path.stat().st_size - without
    with path.open("rb") as source:
        while left > 0 and (piece := source.read(min(left, COPY_BYTES))):
            digest.update(piece)
            left -= len(piece)
    return digest.digest()


def is_sealed(path: Path) -> bool:
    """Whether a file ends like an archive that was written to its end; nothing else is read."""
    with path.open("rb") as source:
        source.seek(max(0, path.stat().st_size - SEAL_BYTES))
        seal = source.read()
    return seal == _seal(seal[SEAL_HASH_AT : SEAL_HASH_AT + 8])


def check_seal(path: Path) -> None:
    """Errors: `DumpCorrupt` when any byte of the file is not what was written."""
    with path.open("rb") as source:
        source.seek(max(0, path.stat().st_size - SEAL_BYTES))
        seal = source.read()
    if seal != _seal(_digest_of(path, without=SEAL_BYTES)):
        raise DumpCorrupt("the archive", "is cut off or was changed")


class _Pieces(io.RawIOBase):
    """Pieces in memory as a file to be read once; none of them is joined."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = [memoryview(piece) for piece in reversed(pieces)]

    def read(self, size: int = -1) -> bytes:
        wanted, parts = size, []
        while self._pieces and wanted:
            piece = self._pieces.pop()
            if len(piece) > wanted:
                self._pieces.append(piece[wanted:])
                piece = piece[:wanted]
            wanted -= len(piece)
            parts.append(piece)
        return b"".join(parts)


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header


def remove_leftovers(directory: Path) -> None:
    """At start: remove what an interrupted writer left; what is being written now stays."""
    for path in directory.glob(f".*{PARTIAL}"):
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)


# -- reading ---------------------------------------------------------------------------------------


def read_archive(path: Path) -> Iterator[tuple[Entry, Readable]]:
    """Every entry but the manifest, in order, with its content; hashes are checked on the way.

    Each content is to be read to its end before the next entry is asked for. When the iteration
    ends without an error, the archive is whole and was not changed. Errors: `OSError`;
    `DumpCorrupt` naming the entry.
    """
    seen: list[Entry] = []
    place, room = ["the archive"], _room(path)
    with (
        _translated(place),
        gzip.open(path, "rb") as packed,
        tarfile.open(fileobj=packed, mode="r|", tarinfo=_Header) as tar,
    ):
        for header in tar:
            place[0] = name = _checked_name(header)
            room -= header.size
            if room < 0 or len(seen) > ARCHIVE_ENTRIES_MAX:
                raise DumpCorrupt(name, "the archive unpacks to far more than it can hold")
            tar.members = []  # type: ignore[attr-defined]  # it would keep every one of them
            content = tar.extractfile(header)
            assert content is not None  # it is a regular file
            if name == MANIFEST:
                found = manifest.decode(content.read(ARCHIVE_MANIFEST_BYTES_MAX))
                _compare(found.entries, seen)
                _expect_end(tar, packed)
                return
            entry, hashed = Entry(name, header.size, ""), _Hashed(content, place)
            yield entry, hashed
            entry.xxh3 = hashed.finish(name, header.size)
            seen.append(entry)
    raise DumpCorrupt(MANIFEST, "is missing: the archive is not complete")


@contextlib.contextmanager
def _translated(place: list[str]) -> Iterator[None]:
    """Errors: `DumpCorrupt` for what the libraries find, naming the entry that is being read."""
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, ValueError) as error:
        raise DumpCorrupt(place[0], f"the archive is cut off or damaged here: {error}") from None


class _Header(tarfile.TarInfo):
    """A header whose extension, which the library reads as a whole, has a sensible length."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        is_plain = found.type in (tarfile.REGTYPE, tarfile.AREGTYPE)
        is_sparse = found.type == tarfile.GNUTYPE_SPARSE
        if is_sparse or (not is_plain and found.size > ARCHIVE_HEADER_BYTES_MAX):
            raise DumpCorrupt("the archive", "a header is longer than any name can be")
        return found


def read_metadata(path: Path) -> dict[str, Any]:
    """What an archive begins with; the rest is not looked at. Errors: `OSError`; `DumpCorrupt`."""
    for entry, content in read_archive(path):
        return parse_metadata(entry.name, content)
    raise DumpCorrupt("the archive", "is empty")


def parse_metadata(name: str, content: Readable) -> dict[str, Any]:
    """The first entry. Errors: `DumpCorrupt`."""
    try:
        metadata = loads(content.read(METADATA_BYTES_MAX))
    except ArangoError as error:
        raise DumpCorrupt(name, error.message) from None
    if name != METADATA or not isinstance(metadata, dict):
        raise DumpCorrupt(name, "the archive does not begin with its metadata")
    return metadata


def _room(path: Path) -> int:
    """Bytes that an archive of this size may unpack to."""
    return path.stat().st_size * ARCHIVE_RATIO_MAX + ARCHIVE_FREE_BYTES


def _expect_end(tar: tarfile.TarFile, packed: Readable) -> None:
    """Errors: `DumpCorrupt` for anything behind the manifest."""
    if tar.next() is not None:
        raise DumpCorrupt(MANIFEST, "is not the last entry")
    while padding := packed.read(COPY_BYTES):  # also checks the sum at the end of the packed data
        if padding.strip(b"\0"):
            raise DumpCorrupt(MANIFEST, "data follow the last entry")


def _checked_name(header: tarfile.TarInfo) -> str:
    """Errors: `DumpCorrupt` for links and for names that lead out of the archive."""
    name = header.name
    path = PurePosixPath(name)
    if not header.isreg():
        raise DumpCorrupt(name, "is no regular file")
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not name:
        raise DumpCorrupt(name, "the name leads out of the archive")
    return name


class _Hashed(io.RawIOBase):
    """The content of an entry, hashed while it is read."""

    def __init__(
        self, content: Readable, place: list[str], stop: threading.Event | None = None
    ) -> None:
        self._content, self._place, self._stop = content, place, stop
        self._digest = xxhash.xxh3_64()
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        if self._stop is not None and self._stop.is_set():
            raise Stopped
        with _translated(self._place):
            data = self._content.read(size)
        self._digest.update(data)
        self._size += len(data)
        return data

    def finish(self, name: str, size: int) -> str:
        """Read what nobody has read; returns the hash. Errors: `DumpCorrupt` when it is short."""
        while self.read(COPY_BYTES):
            pass
        if self._size != size:
            raise DumpCorrupt(name, f"ends after {self._size} of {size} bytes")
        return self._digest.hexdigest()


def _compare(expected: Sequence[manifest.Entry], seen: list[Entry]) -> None:
    """Take over the numbers of documents. Errors: `DumpCorrupt` for the first that differs."""
    for wanted, found in zip(expected, seen, strict=False):
        if wanted.path != found.name:
            raise DumpCorrupt(found.name, f"stands where {wanted.path} is expected")
        if (wanted.size, wanted.xxh3) != (found.size, found.xxh3):
            raise DumpCorrupt(found.name, "was changed: its hash is not that of the manifest")
        found.documents = wanted.documents
    if len(expected) > len(seen):
        raise DumpCorrupt(expected[len(seen)].path, "is missing")
    if len(seen) > len(expected):
        raise DumpCorrupt(seen[len(expected)].name, "is not in the manifest")
