"""Opening a store: the catalog from its rows, the revision trees from their rows and the log.

A tree row is valid at its own tick; `trees-valid` says from where the log must be replayed for all
of them. When the log no longer reaches back that far, a tree is built anew from the documents.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np

from arangorep.codec import msgpack
from arangorep.errors import CorruptionError
from arangorep.storage import keys
from arangorep.storage.catalog import Catalog, Collection
from arangorep.storage.engine import Cursor, Engine, Family
from arangorep.storage.log import HEADER, OperationLog
from arangorep.storage.state import CollectionState, Counters
from arangorep.values.collection import CollectionInfo
from arangorep.values.database import DatabaseInfo
from arangorep.values.marker import MarkerType
from arangorep.values.revision_tree import RevisionTree, RevisionTreeError
from arangorep.values.view import ViewInfo

BLOCK_ROWS = 16_384
DOCUMENT_MARKERS = frozenset({MarkerType.DOCUMENT, MarkerType.REMOVE})


def load_catalog(engine: Engine, catalog: Catalog) -> None:
    """Fill `catalog` from `meta`; trees are still empty."""
    cursor = engine.cursor(Family.META)
    for _, row in _rows(cursor, keys.DATABASE):
        catalog.add_database(DatabaseInfo.unpack(msgpack.unpack(row)))
    counters = {
        keys.from_u64(key[len(keys.COUNTER) :]): Counters.unpack(row)
        for key, row in _rows(cursor, keys.COUNTER)
    }
    for _, row in _rows(cursor, keys.COLLECTION):
        info = CollectionInfo.unpack(msgpack.unpack(row))
        state = CollectionState(counters.get(info.id, Counters()), RevisionTree())
        catalog.add_collection(info, state)
    for _, row in _rows(cursor, keys.VIEW):
        catalog.put_view(ViewInfo.unpack(msgpack.unpack(row)))
    for key, row in _rows(cursor, keys.GAP):
        collection = catalog.collection_by_id(keys.from_u64(key[len(keys.GAP) :]))
        if collection is not None:
            collection.gap = keys.from_u64(row)
    cursor.close()


def _rows(cursor: Cursor, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    start, end = prefix, keys.after(prefix)
    while rows := cursor.items(start, end, 1024):
        yield from rows
        start = rows[-1][0] + b"\0"


def recover_trees(engine: Engine, catalog: Catalog, log: OperationLog) -> int:
    """Bring every tree up to the log's last tick; returns the stored `trees-valid` tick."""
    stored = engine.get(Family.META, keys.TREES_VALID)
    valid = keys.from_u64(stored) if stored is not None else 0
    if valid < log.floor:
        for collection in catalog.collections:
            collection.state.tree = build_tree(engine, collection)
            collection.state.tree_dirty = True
        return valid
    ticks = {c.info.id: _load_tree(engine, c, valid, log) for c in catalog.collections}
    _replay(engine, catalog, log, valid, ticks)
    return valid


def _load_tree(engine: Engine, collection: Collection, valid: int, log: OperationLog) -> int:
    """Set the collection's tree as stored; returns the tick up to which it is right."""
    row = engine.get(Family.META, keys.TREE + collection.prefix)
    try:
        if row is not None:
            collection.state.tree = RevisionTree.from_bytes(row[8:])
            return keys.from_u64(row)
        if collection.info.id > valid:
            return valid  # younger than the last checkpoint: the log knows all of it
    except RevisionTreeError:
        pass  # a damaged row is as good as none
    collection.state.tree = build_tree(engine, collection)
    collection.state.tree_dirty = True
    return log.last_tick


def build_tree(engine: Engine, collection: Collection) -> RevisionTree:
    """The tree of the documents that are there now, from their keys."""
    work = tree_slices(engine, collection)
    while True:
        try:
            next(work)
        except StopIteration as stop:
            tree: RevisionTree = stop.value
            return tree


def tree_slices(engine: Engine, collection: Collection) -> Generator[None, None, RevisionTree]:
    """`build_tree` in slices of about a millisecond."""
    tree = RevisionTree()
    cursor = engine.cursor(Family.DOCUMENTS)
    start = collection.prefix
    while found := cursor.keys(start, collection.document_end, BLOCK_ROWS // 8):
        revisions = np.frombuffer(b"".join(found), dtype=">u8")[1::2].astype(np.uint64)
        tree.insert_sorted_array(revisions)
        start = found[-1] + b"\0"
        yield
    cursor.close()
    return tree


def _replay(
    engine: Engine, catalog: Catalog, log: OperationLog, after: int, ticks: dict[int, int]
) -> None:
    cursor = log.cursor()
    last = after
    while rows := cursor.values(keys.u64(last + 1), keys.u64(keys.U64_MAX), BLOCK_ROWS):
        changed: dict[int, tuple[list[int], list[int]]] = {}
        for row in rows:
            kind, _, _, cid, last, new, old = HEADER.unpack_from(row)
            if last <= ticks.get(cid, keys.U64_MAX):
                continue
            if kind == MarkerType.COLLECTION_TRUNCATE:
                changed.pop(cid, None)
                _tree_of(catalog, cid).clear()
                continue
            if kind not in DOCUMENT_MARKERS:
                continue
            inserted, removed = changed.setdefault(cid, ([], []))
            if new:
                inserted.append(new)
            if old:
                removed.append(old)
        for cid, (inserted, removed) in changed.items():
            tree = _tree_of(catalog, cid)
            try:
                # inserts first: what came and went within the block stands in both lists
                tree.insert(inserted)
                tree.remove(removed)
            except RevisionTreeError:  # the stored tree was wrong: the documents are not
                collection = catalog.collection_by_id(cid)
                if collection is not None:
                    collection.state.tree = build_tree(engine, collection)
                    ticks[cid] = log.last_tick
    cursor.close()
    if last != max(log.last_tick, after):
        raise CorruptionError(f"the log ends at {last} instead of {log.last_tick}")


def _tree_of(catalog: Catalog, collection_id: int) -> RevisionTree:
    collection = catalog.collection_by_id(collection_id)
    if collection is None:
        raise CorruptionError(f"no collection {collection_id}")
    collection.state.tree_dirty = True
    return collection.state.tree
