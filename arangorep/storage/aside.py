"""Filling a collection beside the catalog; one commit puts it in place (`commit.PutLoaded`).

Nobody sees it before: its rows lie below an id that the catalog does not know. A `loading/` note
tells the next start to remove them, so a crash leaves nothing but the store as it was. The log does
not tell of the documents: the collection gets a gap, as after a large initial load.
"""

from __future__ import annotations

from collections.abc import Iterator

from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.commit import Commit
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.state import CollectionState, Counters
from arangorep.storage.store import Store
from arangorep.values.collection import CollectionInfo
from arangorep.values.revision_tree import RevisionTree

FAMILIES = (Family.DOCUMENTS, Family.PRIMARY, Family.INDEX)
BLOCK_ROWS = 512


def begin(store: Store, info: CollectionInfo, last_value: int) -> Collection:
    """An empty collection that only the caller knows; `info.id` must be new."""
    store.write_meta({keys.LOADING + keys.u64(info.id): b""})
    return Collection(info, CollectionState(Counters(last_value=last_value), RevisionTree()))


def write(store: Store, aside: Collection, staged: Commit) -> None:
    """Write the documents and index entries of a transaction that was made for `aside` alone.

    Its markers are left out. The transaction's writers must be finished.
    """
    delta = staged.deltas.get(aside.info.id)
    if delta is None:
        return
    changes = WriteSet()
    for family in FAMILIES:
        changes.entries[family] = staged.changes.entries[family]
    changes.blocks = [block for block in staged.changes.blocks if block[0] in FAMILIES]
    store.engine.write(changes)
    state = aside.state
    delta.insert_into(state.tree)
    state.tree.remove(delta.removed)
    old = state.counters
    state.counters = Counters(
        count=old.count + delta.documents,
        last_value=old.last_value if delta.last_value is None else delta.last_value,
        revision=max(old.revision, delta.revision),
        largest_bytes=max(old.largest_bytes, delta.largest_bytes),
    )


def rows_of(store: Store, collection: Collection) -> Iterator[list[tuple[int, bytes]]]:
    """Revisions and stored rows of a collection, to be put into another one.

    Errors: `CorruptionError`.
    """
    cursor = store.engine.cursor(Family.DOCUMENTS)
    start = collection.prefix
    try:
        while rows := cursor.items(start, collection.document_end, BLOCK_ROWS):
            yield [(keys.from_u64(key[8:]), row) for key, row in rows]
            start = rows[-1][0] + b"\0"
    finally:
        cursor.close()


def discard(store: Store, prefix: bytes) -> None:
    """Remove what was loaded below an id, and the note that told of it."""
    changes = WriteSet()
    for family in FAMILIES:
        changes.ranges.append((family, prefix, keys.after(prefix)))
    changes.entries[Family.META][keys.LOADING + prefix] = None
    store.engine.write(changes)
