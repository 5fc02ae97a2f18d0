"""Dump chunks: the documents of one collection at a batch, copied from store to wire.

Nothing here parses a document. A chunk is a list of pieces of some 160 KiB, so that the caller can
give other requests their turn between two and send them without joining.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain

from arangorep.errors import BadParameter, CorruptionError
from arangorep.limits import CHUNK_BYTES_MAX
from arangorep.storage.catalog import Collection
from arangorep.storage.rows import KEY_AT, REVISION_BYTES, REVISION_MEMBER, renamer, row_key
from arangorep.storage.snapshot import DocumentScan, ResumedScan
from arangorep.values.collection import EDGE
from arangorep.values.revision import parse_revision
from arangorep.values.revision_arrays import decode_many

BETWEEN = b'","_id":"/","_rev":"'

ENVELOPE = b'{"tick":"%d","type":2300,"key":"%b","rev":"%b","data":%b}\n'

LineMaker = Callable[[list[bytes]], bytes]


@dataclass(frozen=True, slots=True)
class DumpChunk:
    """Lines of a dump: `last_revision` is that of the last document, 0 with none."""

    pieces: list[bytes]
    last_revision: int
    check_more: bool


class DumpCursor:
    """The position of a dump in its batch. One request at a time may use it.

    `last_revision` is that of the last document of a finished chunk; `is_torn` after a chunk that
    was read but never finished, because its reader went away.
    """

    __slots__ = ("busy", "is_torn", "last_revision", "rows")

    def __init__(self, rows: DocumentScan | ResumedScan, last_revision: int = 0) -> None:
        self.rows = rows
        self.busy = False
        self.is_torn = False
        self.last_revision = last_revision

    def fits(self, after: int) -> bool:
        """Whether the next chunk begins behind revision `after`, as a client expects.

        0 is also what clients send that leave the position to the server.
        """
        return not self.is_torn and after in (0, self.last_revision)


def read_chunk(
    cursor: DumpCursor,
    collection: Collection,
    chunk_bytes: int,
    *,
    envelope: bool,
    documents_max: int = sys.maxsize,
) -> Generator[None, None, DumpChunk]:
    """Read documents until `chunk_bytes` are reached; a single document may pass it.

    A generator: it yields after every block of some 0.2 ms. `chunk_bytes` 0 reads
    nothing. Errors: 400/10 when the cursor is in use; `CorruptionError` when the store ends before
    the last document (the chunk is lost, so the caller must not answer with a part of it).
    """
    if cursor.busy:
        raise BadParameter(
            "replication dump - the collection is being dumped already", http_status=400
        )
    cursor.busy = cursor.is_torn = True
    try:
        chunk = yield from _read(cursor.rows, collection, chunk_bytes, envelope, documents_max)
        cursor.is_torn = False
        cursor.last_revision = chunk.last_revision or cursor.last_revision
        return chunk
    finally:
        cursor.busy = False


def _read(
    rows: DocumentScan | ResumedScan,
    collection: Collection,
    chunk_bytes: int,
    envelope: bool,
    documents_max: int,
) -> Generator[None, None, DumpChunk]:
    goal = min(chunk_bytes, CHUNK_BYTES_MAX)
    if not goal:
        return DumpChunk([], 0, not rows.exhausted)
    to_lines = _line_maker(collection, envelope)
    pieces: list[bytes] = []
    size, average = 0, 1
    last = b""
    while size < goal and documents_max:
        block = rows.take(min(documents_max, max(1, (goal - size) // average + 1)))
        if not block:
            break
        piece = to_lines(block)
        if size + len(piece) > goal:
            block, rest = _cut(block, goal - size, len(piece))
            if rest:
                rows.put_back(rest)
                piece = to_lines(block)
        pieces.append(piece)
        documents_max -= len(block)
        size += len(piece)
        average = max(1, len(piece) // len(block))
        last = block[-1]
        yield
    return DumpChunk(pieces, _revision(last) if last else 0, not rows.exhausted)


def _cut(block: list[bytes], room: int, piece_bytes: int) -> tuple[list[bytes], list[bytes]]:
    """Split a block after the document with which `room` is reached, in proportion to its rows.

    Envelope and rename change lengths by about the same for every row, so the share of the raw
    lengths decides; the cut is exact to the document for plain lines.
    """
    lengths = list(accumulate(len(row) + 1 for row in block))
    keep = bisect_left(lengths, room * lengths[-1] / piece_bytes) + 1
    return block[:keep], block[keep:]


# -- lines -------------------------------------------------------------------------------------


def _line_maker(collection: Collection, envelope: bool) -> LineMaker:
    """How a block of this collection becomes lines; renamed collections take the longer way."""
    info = collection.info
    join: LineMaker = _join_plain
    if envelope:
        gap = None if info.type == EDGE else len(BETWEEN) + len(collection.name_json)
        join = partial(_join_enveloped, gap)
    if not info.renamed:
        return join
    to_name = renamer(collection.name_json)
    return lambda block: join([to_name(row) for row in block])


def _join_plain(block: list[bytes]) -> bytes:
    return b"\n".join([*block, b""])  # adding the last newline afterwards would copy everything


def _join_enveloped(gap: int | None, block: list[bytes]) -> bytes:
    """`tick`, `type`, `key`, `rev`, `data`: the published line, cut from the documents' fronts.

    `gap`: bytes between the end of `_key` and the text of `_rev`, less the key; None for edges,
    whose `_from` and `_to` stand in between.
    """
    ends = [row.index(b'"', KEY_AT) for row in block]
    if gap is None:
        starts = [row.index(REVISION_MEMBER, end) + 8 for row, end in zip(block, ends, strict=True)]
        texts = [row[at : at + REVISION_BYTES] for row, at in zip(block, starts, strict=True)]
    else:
        at = gap - KEY_AT
        to = at + REVISION_BYTES
        texts = [row[2 * end + at : 2 * end + to] for row, end in zip(block, ends, strict=True)]
    ticks = decode_many(texts)
    if ticks is None:
        return b"".join([_envelope(row) for row in block])
    names = [row[KEY_AT:end] for row, end in zip(block, ends, strict=True)]
    fields = chain.from_iterable(zip(ticks.tolist(), names, texts, block, strict=True))
    return ENVELOPE * len(block) % tuple(fields)


def _envelope(row: bytes) -> bytes:
    text = _revision_text(row)
    return ENVELOPE % (parse_revision(text.decode()), row_key(row), text, row)


def _revision_text(row: bytes) -> bytes:
    # quotes inside a member are escaped, so the first bare `"_rev":"` is the document's own
    at = row.index(REVISION_MEMBER) + 8
    return row[at : row.index(b'"', at)]


def _revision(row: bytes) -> int:
    return parse_revision(_revision_text(row).decode())


def ended_early(error: CorruptionError, collection: Collection) -> str:
    """The message of the 500 that a cut-off dump becomes."""
    return f"replication dump - collection '{collection.info.name}': {error}"
