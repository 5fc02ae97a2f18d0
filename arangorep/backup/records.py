"""The file format of offline dumps: pure bytes in and out (backups 6.4).

All integers are big-endian.

    "arangorep-dump-" kind(4: meta, schm, docs) version(2)
    header length(4)  header: a MessagePack map  xxh64 of everything before(8)
    frames            tag(1) length(4) payload xxh64 of tag, length and payload(8)

| tag | payload |
|-----|---------|
| `S` | a MessagePack map: a section begins, with the records of one collection or with views |
| `R` | MessagePack records of the section, one behind the other |
| `E` | number of all records(8), xxh64 of all before this frame(8); the file ends behind it |

A file that is cut off or that was changed anywhere is found to be so: each byte is under a hash,
the order of the frames and their number are under the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from struct import Struct
from typing import Any, Final

import xxhash

from arangorep.backup.problems import DumpCorrupt
from arangorep.codec import msgpack
from arangorep.limits import RECORD_BLOCK_BYTES_MAX, RECORD_HEADER_BYTES_MAX

MAGIC: Final = b"arangorep-dump-"
VERSION: Final = 1
PIECE_BYTES: Final = 1024 * 1024
"""Asked of the source at once: a length that lies costs no more memory than there are bytes."""

_HEAD: Final = Struct(">4sHI")
_FRAME: Final = Struct(">1sI")
_TRAILER: Final = Struct(">QQ")
_HASH_BYTES: Final = 8
_SECTION, _RECORDS, _END = b"S", b"R", b"E"

Members = dict[str, Any]


class Kind(StrEnum):
    """What a file holds; its value stands in the file."""

    METADATA = "meta"
    SCHEMA = "schm"
    DOCUMENTS = "docs"


class Source:
    """Bytes that come in order. `read` gives up to so many, and none at the end."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._held = b""
        self.offset = 0
        """Of the next byte."""

    def peek(self, count: int) -> bytes:
        """The next bytes without taking them; fewer at the end."""
        while len(self._held) < count:
            more = self._read(count - len(self._held))
            if not more:
                break
            self._held += more
        return self._held[:count]

    def take(self, count: int) -> bytes:
        """Exactly so many. Errors: `DumpCorrupt` at the end."""
        pieces = [self._held[:count]]
        self._held = self._held[count:]
        missing = count - len(pieces[0])
        while missing:
            piece = self._read(min(missing, PIECE_BYTES))
            if not piece:
                raise DumpCorrupt(f"offset {self.offset}", "the file is cut off")
            pieces.append(piece)
            missing -= len(piece)
        self.offset += count
        return b"".join(pieces)

    def rest(self) -> Iterator[bytes]:
        """Everything that is left, in pieces."""
        while piece := (self.peek(1) and self._held) or self._read(PIECE_BYTES):
            self._held = b""
            self.offset += len(piece)
            yield piece


# -- writing --------------------------------------------------------------------------------------


class RecordWriter:
    """Makes the bytes of one file, piece by piece: `start`, sections with records, `end`."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._hash = xxhash.xxh64()
        self.count = 0
        """Records so far."""

    def start(self, header: Mapping[str, Any]) -> bytes:
        """Everything in front of the frames."""
        packed = msgpack.pack(dict(header))
        head = MAGIC + _HEAD.pack(self._kind.encode(), VERSION, len(packed)) + packed
        return self._hashed(head + xxhash.xxh64_digest(head))

    def section(self, members: Mapping[str, Any]) -> bytes:
        """A section begins."""
        return self._hashed(_frame(_SECTION, msgpack.pack(dict(members))))

    def records(self, values: Iterable[Any]) -> bytes:
        """Records of the section; a caller gives as many as make a block of a good size."""
        packed = [msgpack.pack(value) for value in values]
        self.count += len(packed)
        return self._hashed(_frame(_RECORDS, b"".join(packed)))

    def end(self) -> bytes:
        """The trailer."""
        return _frame(_END, _TRAILER.pack(self.count, self._hash.intdigest()))

    def _hashed(self, data: bytes) -> bytes:
        self._hash.update(data)
        return data


def _frame(tag: bytes, payload: bytes) -> bytes:
    framed = _FRAME.pack(tag, len(payload)) + payload
    return framed + xxhash.xxh64_digest(framed)


# -- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Section:
    """The beginning of a section."""

    members: Members


def is_record_file(source: Source) -> bool:
    """Whether what comes next is a file of this format, perhaps a damaged one."""
    return source.peek(len(MAGIC)) == MAGIC


class RecordReader:
    """Reads one file. Errors everywhere: `DumpCorrupt`.

    Only when `frames` has come to its end is it known that the file is whole.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._hash = xxhash.xxh64()
        self.count = 0
        self.kind, self.header = self._head()

    def _head(self) -> tuple[Kind, Members]:
        fixed = self._source.take(len(MAGIC) + _HEAD.size)
        if not fixed.startswith(MAGIC):
            raise DumpCorrupt("header", "this is no dump of arangorep")
        word, version, length = _HEAD.unpack_from(fixed, len(MAGIC))
        if length > RECORD_HEADER_BYTES_MAX:
            raise DumpCorrupt("header", "it is too long")
        packed = self._source.take(length)
        self._take_hash(fixed + packed, "header")
        # only now it is known that nobody's disk wrote these
        if version != VERSION:
            raise DumpCorrupt("header", f"it has format {version}, this version reads {VERSION}")
        if word.decode("latin-1") not in tuple(Kind):
            raise DumpCorrupt("header", f"unknown kind {word!r}")
        return Kind(word.decode()), _members(packed, "header")

    def frames(self) -> Iterator[Section | list[Any]]:
        """Sections and, behind each, lists of its records."""
        while True:
            at = f"block at offset {self._source.offset}"
            so_far = self._hash.intdigest()
            front = self._source.take(_FRAME.size)
            tag, length = _FRAME.unpack(front)
            if tag not in (_SECTION, _RECORDS, _END) or length > RECORD_BLOCK_BYTES_MAX:
                raise DumpCorrupt(at, "it is damaged")
            payload = self._source.take(length)
            self._take_hash(front + payload, at)
            if tag == _END:
                self._finish(payload, so_far)
                return
            if tag == _SECTION:
                yield Section(_members(payload, at))
            else:
                yield self._records(payload, at)

    def _records(self, payload: bytes, at: str) -> list[Any]:
        try:
            found = msgpack.unpack_records(payload)
        except ValueError as error:
            raise DumpCorrupt(at, str(error)) from None
        self.count += len(found)
        return found

    def _finish(self, payload: bytes, so_far: int) -> None:
        if len(payload) != _TRAILER.size:
            raise DumpCorrupt("trailer", "it is damaged")
        count, stated = _TRAILER.unpack(payload)
        if count != self.count:
            raise DumpCorrupt("trailer", f"{count} records expected, {self.count} found")
        if stated != so_far:
            raise DumpCorrupt("trailer", "the blocks are not those that were written")
        if self._source.peek(1):
            raise DumpCorrupt("trailer", "something follows the end")

    def _take_hash(self, data: bytes, at: str) -> None:
        stated = self._source.take(_HASH_BYTES)
        if xxhash.xxh64_digest(data) != stated:
            raise DumpCorrupt(at, "it is damaged: its hash is another one")
        self._hash.update(data)
        self._hash.update(stated)


def _members(packed: bytes, at: str) -> Members:
    try:
        found = msgpack.unpack_records(packed)
    except ValueError as error:
        raise DumpCorrupt(at, str(error)) from None
    if len(found) != 1 or not isinstance(found[0], dict):
        raise DumpCorrupt(at, "it is no map")
    return found[0]
