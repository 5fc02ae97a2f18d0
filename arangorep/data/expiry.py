"""Removing documents whose time has come by a `ttl` index (data-api 8.4).

The index keeps an entry per document in the order of moments, so a run reads only what it removes.
Removals are ordinary ones: they are logged, and followers get them from the log.
"""

from __future__ import annotations

from arangorep.data.transactions import Transaction
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.storage import keys
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.engine import Family
from arangorep.storage.rows import row_key
from arangorep.storage.store import Store
from arangorep.values.index import TTL, IndexDefinition
from arangorep.values.index_terms import ttl_term

TERM_BYTES = 8
"""Of the moment in an entry; the document's key follows."""


def ttl_indexes(collection: Collection) -> list[IndexDefinition]:
    """The indexes by which documents of a collection expire."""
    return [index for index in collection.info.indexes if index.type == TTL]


def remove_expired(
    store: Store, database: Database, collection: Collection, now_s: float, documents_max: int
) -> int:
    """Remove some documents whose time has come; returns how many. The caller holds the write lock.

    At most a slice of work: to be called again while it returns as many as it may remove.
    Documents that a stream transaction has claimed are left for the next run.
    """
    due: dict[int, None] = {}  # each once, in order: several indexes may have it
    for index in ttl_indexes(collection):
        room = min(documents_max, WRITE_ROWS_PER_SLICE) - len(due)
        due |= dict.fromkeys(_expired(store, collection, index, now_s, room))
    if not due:
        return 0
    transaction = Transaction(store, database, grouped=len(due) > 1)
    writer = transaction.writer(collection)
    for revision in due:
        writer.remove(row_key(writer.row(revision)), revision)
    transaction.commit()
    return len(due)


def _expired(
    store: Store,
    collection: Collection,
    index: IndexDefinition,
    now_s: float,
    room: int,
) -> list[int]:
    """Revisions of unclaimed documents that expire by this index, those due first."""
    prefix = keys.index_prefix(collection.info.id, index.id)
    start, end = prefix, prefix + ttl_term(now_s - index.options["expireAfter"])
    found: list[int] = []
    cursor = store.engine.cursor(Family.INDEX)
    try:
        while len(found) < room and (entries := cursor.items(start, end, room)):
            for entry, value in entries:
                key = entry[len(prefix) + TERM_BYTES :]
                if collection.prefix + key not in collection.locks:
                    found.append(int.from_bytes(value, "big"))
            start = entries[-1][0] + b"\0"
    finally:
        cursor.close()
    return found[:room]
