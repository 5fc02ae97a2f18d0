"""Archives: a compressed tar with a manifest as its last entry (backups 6.2, 6.3).

An archive is written under another name, synced and renamed, so one with its own name is whole. The
manifest names every entry with size, hash and number of documents: an archive that was cut off or
changed is refused with the name of the entry that is wrong. All of it blocks: for worker threads.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gzip
import io
import os
import sys
import tarfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol, Self, cast

import xxhash
import zstandard

from arangorep import __version__
from arangorep.backup import manifest
from arangorep.backup.files import sync_directory
from arangorep.backup.layout import MANIFEST
from arangorep.backup.packing import ZSTD_WINDOW_BYTES_MAX, Packer
from arangorep.backup.problems import DumpCorrupt
from arangorep.codec.json import loads
from arangorep.errors import ArangoError
from arangorep.limits import (
    ARCHIVE_ENTRIES_MAX,
    ARCHIVE_FREE_BYTES,
    ARCHIVE_HEADER_BYTES_MAX,
    ARCHIVE_MANIFEST_BYTES_MAX,
    ARCHIVE_METADATA_BYTES_MAX,
    ARCHIVE_RATIO_MAX,
)


class Stopped(Exception):
    """Nobody wants the archive any more."""


class Readable(Protocol):
    """What is read from: an entry's content, or a packed file."""

    def read(self, size: int = -1, /) -> bytes: ...


METADATA = "metadata.json"
"""The first entry; what it holds is up to the kind of archive."""
PARTIAL = ".partial"
PACKING_LEVEL = 1
COPY_BYTES = 1024 * 1024
SEND_BYTES = 8 * 1024 * 1024


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
    """Writes one archive. End it with `finish` or `abort`. Errors: `OSError`.

    `packing` is `gzip`, `zstd` or `none`.
    """

    def __init__(self, path: Path, *, mode: int, packing: str = "gzip") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._mode, self._packing = path, mode, packing
        self._partial = path.parent / f".{path.name}{PARTIAL}"
        self._partial.unlink(missing_ok=True)
        descriptor = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(descriptor, "wb", COPY_BYTES)
        # by this `remove_leftovers` of another server sees that somebody is at work
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._packer = Packer(packing, PACKING_LEVEL)
        self._digest = xxhash.xxh3_64()
        self._size = self._sent = 0
        self._entries: list[Entry] = []

    def add(self, name: str, pieces: Sequence[bytes], documents: int | None = None) -> None:
        """Add a file that is in memory."""
        # one long call at a time: between short ones this thread would wait for its turn with the
        # one that reads, and neither would get on
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        digest, size = xxhash.xxh3_64(data), len(data)
        self._pack(_header(name, size))
        self._pack(data)
        self._pack(_padding(size))
        self._entries.append(Entry(name, size, digest.hexdigest(), documents))

    def add_file(self, name: str, path: Path, stop: threading.Event) -> None:
        """Add a file from disk. Errors: `Stopped` soon after `stop` is set."""
        digest, size = xxhash.xxh3_64(), path.stat().st_size
        self._pack(_header(name, size))
        with path.open("rb", buffering=0) as source:
            left = size
            while left and (piece := source.read(min(left, COPY_BYTES))):
                if stop.is_set():
                    raise Stopped
                digest.update(piece)
                self._pack(piece)
                left -= len(piece)
        if left:
            raise OSError(errno.EIO, "a file became shorter while it was read", str(path))
        self._pack(_padding(size))
        self._entries.append(Entry(name, size, digest.hexdigest()))

    def _pack(self, data: bytes) -> None:
        self._write(self._packer.feed(data))

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._size += len(data)
        if self._size - self._sent >= SEND_BYTES:
            # the disk starts on them now; `finish` would have to wait for all of them at once
            self._file.flush()
            _send_to_disk(self._file.fileno(), self._sent, self._size - self._sent)
            self._sent = self._size

    def finish(self, *, created: str = "", server_id: str | None = None, tick: str = "0") -> int:
        """Add the manifest, bring everything to the disk, give it its name; returns the size."""
        entries = tuple(entry.listed() for entry in self._entries)
        tool = f"arangorep {__version__}"
        listed = manifest.encode(manifest.Manifest(tool, created, server_id, tick, entries))
        self.add(MANIFEST, [listed])
        self._pack(bytes(2 * tarfile.BLOCKSIZE))
        self._write(self._packer.finish())
        self._write(_seal(self._packing, self._digest.digest()))
        self._file.flush()
        os.fchmod(self._file.fileno(), self._mode)
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._partial, self._path)
        sync_directory(self._path.parent)
        return self._size

    def abort(self) -> None:
        """Leave nothing behind. Twice does no harm."""
        with contextlib.suppress(OSError, ValueError):
            self._file.close()
        self._partial.unlink(missing_ok=True)


def _send_to_disk(descriptor: int, start: int, size: int) -> None:
    """Begin to write pages out, without waiting, and do not keep them: nobody reads them soon."""
    if sys.platform == "linux":
        os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


# -- the seal --------------------------------------------------------------------------------------


def _seal(packing: str, digest: bytes) -> bytes:
    """The hash of all bytes before it, in a form that tools which unpack skip.

    Packed data may be changed so that they unpack to the same. For gzip it is an empty member with
    the hash in an extra field; otherwise a frame of zstd that is to be skipped.
    """
    field = b"AR" + len(digest).to_bytes(2, "little") + digest
    size = len(field)
    if packing != "gzip":
        return b"\x50\x2a\x4d\x18" + size.to_bytes(4, "little") + field
    head = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff" + size.to_bytes(2, "little")
    return head + field + b"\x03\x00" + bytes(8)


HASH_MARK = b"AR\x08\x00"


def _packing_of(path: Path) -> str:
    with path.open("rb") as source:
        magic = source.read(4)
    if magic[:2] == b"\x1f\x8b":
        return "gzip"
    return "zstd" if magic == b"\x28\xb5\x2f\xfd" else "none"


def _seal_bytes(path: Path) -> int:
    return len(_seal(_packing_of(path), bytes(8)))


def _tail(path: Path) -> bytes:
    """What stands where the seal should."""
    with path.open("rb") as source:
        source.seek(max(0, path.stat().st_size - _seal_bytes(path)))
        return source.read()


def is_sealed(path: Path) -> bool:
    """Whether a file ends like an archive that was written to its end; nothing else is read."""
    tail = _tail(path)
    at = tail.find(HASH_MARK) + len(HASH_MARK)
    return tail == _seal(_packing_of(path), tail[at : at + 8])


def check_seal(path: Path) -> None:
    """Errors: `DumpCorrupt` when any byte of the file is not what was written."""
    digest = _digest_of(path, without=_seal_bytes(path))
    if _tail(path) != _seal(_packing_of(path), digest):
        raise DumpCorrupt("the archive", "is cut off or was changed")


def _digest_of(path: Path, *, without: int) -> bytes:
    """The hash of a file's bytes, but for some at its end."""
    digest, left = xxhash.xxh3_64(), path.stat().st_size - without
    with path.open("rb") as source:
        while left > 0 and (piece := source.read(min(left, COPY_BYTES))):
            digest.update(piece)
            left -= len(piece)
    return digest.digest()


def _header(name: str, size: int) -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, 0o600
    return header.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


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
        contextlib.closing(_open(path)) as packed,
        tarfile.open(fileobj=packed, mode="r|", bufsize=COPY_BYTES, tarinfo=_Header) as tar,
    ):
        for header in tar:
            place[0] = name = _checked_name(header)
            room -= header.size
            if room < 0 or len(seen) > ARCHIVE_ENTRIES_MAX:
                raise DumpCorrupt(name, "the archive unpacks to far more than it can hold")
            # it would keep every one of them
            tar.members = []  # type: ignore[attr-defined]  # the stub lacks the attribute
            content = tar.extractfile(header)
            assert content is not None  # it is a regular file
            if name == MANIFEST:
                found = manifest.decode(content.read(ARCHIVE_MANIFEST_BYTES_MAX))
                _compare(found.entries, seen)
                _expect_end(tar)
                return
            entry, hashed = Entry(name, header.size, ""), _Hashed(content, place)
            yield entry, hashed
            entry.xxh3 = hashed.finish(name, header.size)
            seen.append(entry)
    raise DumpCorrupt(MANIFEST, "is missing: the archive is not complete")


def _open(path: Path) -> BinaryIO:
    """The tar within, to be read once."""
    packing = _packing_of(path)
    if packing == "gzip":
        return cast(BinaryIO, gzip.open(path, "rb"))
    file = path.open("rb")
    if packing == "none":
        return cast(BinaryIO, _Front(file, path.stat().st_size - _seal_bytes(path)))
    context = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
    return cast(BinaryIO, context.stream_reader(file, read_across_frames=True))


class _Front(io.RawIOBase):
    """A file without its last bytes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()
        super().close()


@contextlib.contextmanager
def _translated(place: list[str]) -> Iterator[None]:
    """Errors: `DumpCorrupt` for what the libraries find, naming the entry that is being read."""
    try:
        yield
    except (
        tarfile.TarError,
        gzip.BadGzipFile,
        EOFError,
        zlib.error,
        zstandard.ZstdError,
        ValueError,
    ) as error:
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
        metadata = loads(content.read(ARCHIVE_METADATA_BYTES_MAX))
    except ArangoError as error:
        raise DumpCorrupt(name, error.message) from None
    if name != METADATA or not isinstance(metadata, dict):
        raise DumpCorrupt(name, "the archive does not begin with its metadata")
    return metadata


def _room(path: Path) -> int:
    """Bytes that an archive of this size may unpack to."""
    return path.stat().st_size * ARCHIVE_RATIO_MAX + ARCHIVE_FREE_BYTES


def _expect_end(tar: tarfile.TarFile) -> None:
    """Errors: `DumpCorrupt` for anything behind the manifest."""
    if tar.next() is not None:
        raise DumpCorrupt(MANIFEST, "is not the last entry")
    rest = cast(Readable, tar.fileobj)  # what the library has read ahead is there too
    while padding := rest.read(COPY_BYTES):  # also checks the sum at the end of the packed data
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

    def __init__(self, content: Readable, place: list[str]) -> None:
        self._content, self._place = content, place
        self._digest = xxhash.xxh3_64()
        self._size = 0

    def read(self, size: int = -1) -> bytes:
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
