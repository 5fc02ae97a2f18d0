"""Reading Xapiand's document dumps of both generations (backups 2.3, 2.4).

Generation 1 has a frame of its own with an XXH32 at the end; generation 2 is MessagePack maps, or
arrays of maps, one behind the other, without anything that tells whether the file is whole. Items
come out in the shape of generation 2: attached blobs stand in `_data`, as base64 once
`items.without_binary` has seen them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import xxhash

from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.records import Source
from arangorep.codec import msgpack
from arangorep.codec.splitting import Malformed, MessagePackSplitter
from arangorep.limits import BACKUP_LINE_BYTES_MAX

HEADER: Final = b"xapiand-dump-"
DOCUMENTS: Final = b"xapiand-dump-docs"

_LONG: Final = 0xFF
_LAST_GROUP: Final = 0x80
_GROUPS_MAX: Final = 9
"""Seven bits each: enough for 63 bits."""

_PART_TYPES: Final = {0: "inplace", 1: "stored", 2: "inplace", 3: "stored"}


def is_generation_1(source: Source) -> bool:
    """Whether what comes next begins as a file of generation 1, of any kind."""
    return source.peek(1 + len(HEADER))[1:] == HEADER


def is_generation_2(source: Source) -> bool:
    """Whether what comes next may be a stream of maps or arrays."""
    first = source.peek(1)
    return bool(first) and (0x80 <= first[0] <= 0x9F or 0xDC <= first[0] <= 0xDF)


def take_length(source: Source) -> int:
    """A number in Xapiand's coding. Errors: `DumpCorrupt`."""
    first = source.take(1)[0]
    if first != _LONG:
        return first
    number = 0
    for group in range(_GROUPS_MAX):
        byte = source.take(1)[0]
        number |= (byte & ~_LAST_GROUP) << 7 * group
        if byte & _LAST_GROUP:
            return number + _LONG
    raise DumpCorrupt(f"offset {source.offset}", "a length has no end")


class _Framed:
    """Strings and single bytes of generation 1, with the hash over what they hold."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._hash = xxhash.xxh32()

    def string(self) -> bytes:
        length = take_length(self._source)
        if length > BACKUP_LINE_BYTES_MAX:
            raise DumpCorrupt(f"offset {self._source.offset}", f"a string of {length} bytes")
        return self._hashed(self._source.take(length))

    def char(self) -> int:
        return self._hashed(self._source.take(1))[0]

    def finish(self) -> None:
        if take_length(self._source) != self._hash.intdigest():
            raise DumpCorrupt("trailer", "the file is damaged: its hash is another one")
        if self._source.peek(1):
            raise DumpCorrupt("trailer", "something follows the end")

    def _hashed(self, data: bytes) -> bytes:
        self._hash.update(data)
        return data


def documents_of_generation_1(source: Source) -> Iterator[dict[str, Any]]:
    """Every document; the hash is compared behind the last one. Errors: `DumpCorrupt`."""
    framed = _Framed(source)
    header = framed.string()
    if header != DOCUMENTS:
        shown = header.decode("latin-1")
        raise DumpCorrupt("header", f"'{shown}': only documents of Xapiand can be restored")
    framed.string()  # where they come from; only for people
    while (document := _document(framed, source)) is not None:
        yield document
    framed.finish()


def _document(framed: _Framed, source: Source) -> dict[str, Any] | None:
    """The next document; None at the end of all."""
    document: dict[str, Any] | None = None
    blobs: list[dict[str, Any]] = []
    parts = 0
    while blob := framed.string():
        parts += 1
        content_type, word = framed.string(), _PART_TYPES.get(framed.char())
        at = f"offset {source.offset}"
        if word is None:
            raise DumpCorrupt(at, "a part of an unknown type")
        if content_type:
            shown = content_type.decode(errors="replace")
            blobs.append({"_content_type": shown, "_type": word, "_blob": blob})
        else:
            document = _object(blob, at)
    if not parts:
        return None
    return {**(document or {}), "_data": blobs} if blobs else document


def _object(packed: bytes, at: str) -> dict[str, Any]:
    try:
        found = msgpack.unpack_records(packed)
    except ValueError as error:
        raise DumpCorrupt(at, str(error)) from None
    if len(found) != 1 or not isinstance(found[0], dict):
        raise DumpCorrupt(at, "a document is no map")
    return found[0]


def documents_of_generation_2(source: Source) -> Iterator[Any]:
    """Every item. Errors: `DumpCorrupt`; a file cut between two documents looks whole."""
    splitter = MessagePackSplitter(BACKUP_LINE_BYTES_MAX)
    try:
        for piece in source.rest():
            yield from splitter.feed(piece)
        yield from splitter.finish()
    except Malformed as error:
        raise DumpCorrupt(f"offset {error.offset}", error.reason) from None
