"""Dump chunks: the documents of one collection at a batch, copied from store to wire.

Nothing here parses a document. A chunk is a list of pieces of some 300 KiB, so that the caller can
give other requests their turn between two and send them without joining.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import accumulate

from arangorep.errors import BadParameter, CorruptionError
from arangorep.limits import CHUNK_BYTES_MAX
from arangorep.storage.catalog import Collection
from arangorep.storage.rows import renamer
from arangorep.storage.snapshot import DocumentScan
from arangorep.values.revision import decode_hlc

PLAIN_BYTES_PER_ROW = 1
REVISION_MEMBER = b'"_rev":"'


@dataclass(frozen=True, slots=True)
class DumpChunk:
    """Lines of a dump: `last_revision` is that of the last document, 0 with none."""

    pieces: list[bytes]
    last_revision: int
    check_more: bool


class DumpCursor:
    """The position of a dump in its batch. One request at a time may use it."""

    __slots__ = ("busy", "rows")

    def __init__(self, rows: DocumentScan) -> None:
        self.rows = rows
        self.busy = False


def read_chunk(
    cursor: DumpCursor, collection: Collection, chunk_bytes: int, *, envelope: bool
) -> Generator[None, None, DumpChunk]:
    """Read documents until `chunk_bytes` are reached; a single document may pass it.

    A generator: it yields after every block of about half a millisecond. `chunk_bytes` 0 reads
    nothing. Errors: 400/10 when the cursor is in use; `CorruptionError` when the store ends before
    the last document (the chunk is lost, so the caller must not answer with a part of it).
    """
    if cursor.busy:
        raise BadParameter(
            "replication dump - the collection is being dumped already", http_status=400
        )
    cursor.busy = True
    try:
        return (yield from _read(cursor.rows, collection, chunk_bytes, envelope))
    finally:
        cursor.busy = False


def _read(
    rows: DocumentScan, collection: Collection, chunk_bytes: int, envelope: bool
) -> Generator[None, None, DumpChunk]:
    goal = min(chunk_bytes, CHUNK_BYTES_MAX)
    if not goal:
        return DumpChunk([], 0, not rows.exhausted)
    to_name = renamer(collection.name_json) if collection.info.renamed else None
    join = _join_enveloped if envelope else _join_plain
    pieces: list[bytes] = []
    size, last = 0, b""
    average = 1
    while size < goal:
        block = rows.take(max(1, (goal - size) // average + 1))
        if not block:
            break
        piece = _piece(block, to_name, join)
        if size + len(piece) > goal:
            block, rest = _cut(block, goal - size, len(piece))
            if rest:
                rows.put_back(rest)
                piece = _piece(block, to_name, join)
        pieces.append(piece)
        size += len(piece)
        average = max(1, len(piece) // len(block))
        last = block[-1]
        yield
    return DumpChunk(pieces, _revision(last) if last else 0, not rows.exhausted)


def _piece(
    block: list[bytes],
    to_name: Callable[[bytes], bytes] | None,
    join: Callable[[list[bytes]], bytes],
) -> bytes:
    return join(block if to_name is None else [to_name(row) for row in block])


def _cut(block: list[bytes], room: int, piece_bytes: int) -> tuple[list[bytes], list[bytes]]:
    """Split a block after the document with which `room` is reached, in proportion to its rows.

    Envelope and rename change lengths by about the same for every row, so the share of the raw
    lengths decides; the cut is exact to the document for plain lines.
    """
    lengths = list(accumulate(len(row) + PLAIN_BYTES_PER_ROW for row in block))
    wanted = room * lengths[-1] / piece_bytes
    keep = bisect_left(lengths, wanted) + 1
    return block[:keep], block[keep:]


def _join_plain(block: list[bytes]) -> bytes:
    return b"\n".join(block) + b"\n"


def _join_enveloped(block: list[bytes]) -> bytes:
    return b"".join([_envelope(row) for row in block])


def _envelope(row: bytes) -> bytes:
    """`tick`, `type`, `key`, `rev`, `data`: the published line, cut from the document's front."""
    key = row[9 : row.index(b'"', 9)]
    # quotes inside a member are escaped, so the first bare `"_rev":"` is the document's own
    at = row.index(REVISION_MEMBER) + 8
    text = row[at : row.index(b'"', at)]
    return b'{"tick":"%d","type":2300,"key":"%b","rev":"%b","data":%b}\n' % (
        decode_hlc(text),
        key,
        text,
        row,
    )


def _revision(row: bytes) -> int:
    at = row.index(REVISION_MEMBER) + 8
    return decode_hlc(row[at : row.index(b'"', at)])


def ended_early(error: CorruptionError, collection: Collection) -> str:
    """The message of the 500 that a cut-off dump becomes."""
    return f"replication dump - collection '{collection.info.name}': {error}"
