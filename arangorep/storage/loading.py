"""Repairing collections whose loading past the log was cut off by a crash.

Documents and keys arrive in separate files, so one of them may be missing: the documents are what
counts, everything else is made from them anew. What was loaded aside and never put in place
(`aside.py`) is removed.
"""

from __future__ import annotations

import numpy as np

from arangorep.storage import keys
from arangorep.storage.aside import discard
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.rows import row_key
from arangorep.storage.state import Counters
from arangorep.storage.store import Store
from arangorep.values.revision_tree import RevisionTree

BLOCK_ROWS = 2048


def finish_loads(store: Store) -> None:
    """At start: make every collection whole that was being loaded."""
    cursor = store.engine.cursor(Family.META)
    marks = cursor.keys(keys.LOADING, keys.after(keys.LOADING), 1 << 20)
    cursor.close()
    for mark in marks:
        collection = store.catalog.collection_by_id(keys.from_u64(mark[len(keys.LOADING) :]))
        if collection is None:
            discard(store, mark[len(keys.LOADING) :])
            continue
        _repair(store, collection)
        store.end_load(collection)


def _repair(store: Store, collection: Collection) -> None:
    """Build primary index, counters and tree from the documents. There are no unique indexes."""
    engine = store.engine
    changes = WriteSet()
    changes.ranges.append((Family.PRIMARY, collection.prefix, collection.document_end))
    engine.write(changes)
    tree, count, largest, last = RevisionTree(), 0, 0, 0
    cursor = engine.cursor(Family.DOCUMENTS)
    start = collection.prefix
    while rows := cursor.items(start, collection.document_end, BLOCK_ROWS):
        changes = WriteSet()
        entries = {collection.prefix + row_key(row): key[8:] for key, row in rows}
        changes.entries[Family.PRIMARY].update(entries)
        engine.write(changes)
        tree.insert_sorted_array(np.array([keys.from_u64(key[8:]) for key, _ in rows], np.uint64))
        count += len(rows)
        largest = max(largest, max(len(row) for _, row in rows))
        last = keys.from_u64(rows[-1][0][8:])
        start = rows[-1][0] + b"\0"
    cursor.close()
    old = collection.state.counters
    revision = max(old.revision, last)
    counters = Counters(count, old.last_value, revision, max(old.largest_bytes, largest))
    collection.state.tree, collection.state.counters = tree, counters
    store.write_meta({keys.COUNTER + collection.prefix: counters.pack()})
    store.observe_revision(revision)
