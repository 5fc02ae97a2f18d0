"""Reading a whole collection in slices, as it is now or as a stream transaction sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arangorep.codec.json import loads_shallow
from arangorep.data.stream import StreamTransaction
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.rows import renamer
from arangorep.storage.snapshot import rows_limit
from arangorep.storage.store import Store


def row_blocks(
    store: Store, collection: Collection, stream: StreamTransaction | None = None
) -> Iterator[list[bytes]]:
    """All documents of this moment as clients see them, some hundred rows at a time.

    Without a transaction the moment is pinned by a cursor until the iterator is closed. Errors
    with one: 400/1652, 404/1203, 410/1654.
    """
    blocks = _pinned(store, collection) if stream is None else stream.rows(collection)
    for block in blocks:
        # asked for each block: a collection may get another name meanwhile
        if collection.info.renamed:
            block = list(map(renamer(collection.name_json), block))
        yield block


def documents(store: Store, collection: Collection) -> list[dict[str, Any]]:
    """All documents at once: for small system collections."""
    return [loads_shallow(row) for block in row_blocks(store, collection) for row in block]


def _pinned(store: Store, collection: Collection) -> Iterator[list[bytes]]:
    cursor = store.engine.cursor(Family.DOCUMENTS)
    rows = rows_limit(collection.state.counters.largest_bytes)
    start = collection.prefix
    try:
        while found := cursor.items(start, collection.document_end, rows):
            yield [row for _, row in found]
            start = found[-1][0] + b"\0"
    finally:
        cursor.close()
