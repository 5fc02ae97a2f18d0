"""The keys protocol: comparing a collection in chunks of sorted keys (leader-api 5).

For followers of collections without revision trees. Everything is read from the batch's snapshot;
the only state is the batch itself, so positions never get lost.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from arangorep.codec.json import Fragment
from arangorep.errors import BadParameter
from arangorep.leader.batches import Batch
from arangorep.limits import KEYS_DOCUMENTS_BYTES_MAX, SCAN_ROWS_MAX
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.rows import with_name
from arangorep.values.checksum import keys_hash
from arangorep.values.revision import revision_text


def key_chunks(
    batch: Batch, collection: Collection, chunk_size: int
) -> Generator[None, None, list[dict[str, str]]]:
    """`[{low, high, hash}]`, one per `chunk_size` keys in bytewise order."""
    chunks: list[dict[str, str]] = []
    start = collection.prefix
    while pairs := (yield from read_keys(batch, collection, start, chunk_size)):
        chunks.append(_chunk(pairs))
        start = collection.prefix + pairs[-1][0].encode() + b"\0"
    return chunks


def read_keys(
    batch: Batch, collection: Collection, start: bytes, wanted: int
) -> Generator[None, None, list[tuple[str, str]]]:
    """At most `wanted` pairs of key and revision text from the primary key `start` on."""
    batch.snapshot.used.add(collection.info.id)
    pairs: list[tuple[str, str]] = []
    while len(pairs) < wanted:
        rows = min(SCAN_ROWS_MAX, wanted - len(pairs))
        block = batch.snapshot.primary.items(start, collection.document_end, rows)
        pairs += [(k[8:].decode(), revision_text(keys.from_u64(v))) for k, v in block]
        if len(block) < rows:
            break
        start = block[-1][0] + b"\0"
        yield
    return pairs


def find_chunk(
    batch: Batch, collection: Collection, chunk: int, chunk_size: int, low: str
) -> Generator[None, None, list[tuple[str, str]]]:
    """The pairs of one chunk: from key `low` on, or after skipping `chunk * chunk_size` keys.

    Errors: 400/10 when the chunk lies beyond the last key.
    """
    if low:
        return (
            yield from read_keys(batch, collection, collection.prefix + low.encode(), chunk_size)
        )
    count = batch.snapshot.state(collection).count
    skip = chunk * chunk_size
    if skip and skip >= count:
        raise BadParameter("bad parameter: the chunk lies beyond the last key")
    start = collection.prefix
    while skip:
        skipped = yield from read_keys(batch, collection, start, min(skip, chunk_size))
        if not skipped:
            break
        skip -= len(skipped)
        start = collection.prefix + skipped[-1][0].encode() + b"\0"
    return (yield from read_keys(batch, collection, start, chunk_size))


def chunk_documents(
    batch: Batch,
    collection: Collection,
    pairs: list[tuple[str, str]],
    positions: list[Any],
    offset: int | None,
) -> Generator[None, None, list[Fragment | None]]:
    """The documents at `positions` of a chunk. The first `offset` come back as null.

    Stops after 8 MiB when `offset` is in use: such a client asks for the rest. Errors: 400/10 for
    a position that is no number or lies beyond the chunk.
    """
    skipped = offset or 0
    answer: list[Fragment | None] = [None] * min(skipped, len(positions))
    size = 0
    for number, position in enumerate(positions[skipped:]):
        if isinstance(position, bool) or not isinstance(position, int):
            raise BadParameter("bad parameter: positions must be numbers")
        if not 0 <= position < len(pairs):
            raise BadParameter("bad parameter: the position lies beyond the chunk")
        row = _document(batch, collection, pairs[position][0])
        answer.append(Fragment(row))
        size += len(row)
        if size > KEYS_DOCUMENTS_BYTES_MAX and offset is not None:
            break
        if number % 100 == 99:
            yield
    return answer


def _document(batch: Batch, collection: Collection, key: str) -> bytes:
    primary_key = collection.prefix + key.encode()
    revision = batch.snapshot.primary.values(primary_key, primary_key + b"\0", 1)
    row = batch.snapshot.document(collection, keys.from_u64(revision[0])) if revision else None
    if row is None:
        raise BadParameter("bad parameter: the key is not in the snapshot")
    return with_name(row, collection.name_json) if collection.info.renamed else row


def _chunk(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return {"low": pairs[0][0], "high": pairs[-1][0], "hash": str(keys_hash(pairs))}
