"""Cross-checks of a store: documents, primary and unique indexes, counters, trees and log.

Reads everything, changes nothing. Each finding is a sentence for a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from struct import error as StructError

from arangorep.codec.json import loads_shallow
from arangorep.errors import ArangoError, CorruptionError
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Cursor, Engine, Family
from arangorep.storage.log import HEADER, HEADER_BYTES
from arangorep.storage.store import Store
from arangorep.values.index_terms import index_terms
from arangorep.values.marker import MarkerType
from arangorep.values.revision import parse_revision
from arangorep.values.revision_tree import RevisionTree

BLOCK_ROWS = 4096


def check_store(store: Store) -> Iterator[str]:
    """All findings; none means that everything agrees."""
    for collection in store.catalog.collections:
        yield from _check_collection(store, collection)
    yield from _check_orphans(store)
    yield from _check_log(store)


def _check_collection(store: Store, collection: Collection) -> Iterator[str]:
    name = f"collection {collection.info.name} ({collection.info.id})"
    tree, count = RevisionTree(), 0
    entries = 0
    for key, row in read_all(store.engine, Family.DOCUMENTS, collection.prefix):
        count += 1
        revision = keys.from_u64(key[8:])
        tree.insert([revision])
        finding = _check_document(store.engine, collection, revision, row)
        if finding:
            yield f"{name}: {finding}"
            continue
        missing, found = _check_entries(store.engine, collection, row, key[8:])
        entries += found
        yield from (f"{name}: {text}" for text in missing)
    primary = sum(1 for _ in read_all(store.engine, Family.PRIMARY, collection.prefix))
    if primary != count:
        yield f"{name}: {count} documents, but {primary} keys in the primary index"
    # entries of an index whose build was cut off are removed at the next start
    notes = read_all(store.engine, Family.META, keys.BUILDING + collection.prefix)
    unfinished = {note[len(keys.BUILDING) :] for note, _ in notes}
    found_entries = read_all(store.engine, Family.INDEX, collection.prefix)
    stored = sum(1 for key, _ in found_entries if key[:16] not in unfinished)
    if stored != entries:
        yield f"{name}: {entries} unique index entries expected, {stored} stored"
    if collection.count != count:
        yield f"{name}: counted {collection.count} documents, found {count}"
    if tree.difference(collection.state.tree):
        yield f"{name}: the revision tree differs from the documents"


def _check_document(
    engine: Engine, collection: Collection, revision: int, row: bytes
) -> str | None:
    try:
        document = loads_shallow(row)
        key, text = document["_key"], document["_rev"]
    except (ArangoError, KeyError, TypeError):
        key = text = None
    if not isinstance(key, str) or not isinstance(text, str):
        return f"the document of revision {revision} cannot be read"
    if parse_revision(text) != revision:
        return f"document {key} has _rev {text}, but is stored under revision {revision}"
    found = engine.get(Family.PRIMARY, collection.prefix + key.encode())
    if found is None or keys.from_u64(found) != revision:
        return f"the primary index does not lead to document {key}"
    return None


def _check_entries(
    engine: Engine, collection: Collection, row: bytes, revision: bytes
) -> tuple[list[str], int]:
    missing: list[str] = []
    number = 0
    for index in collection.info.indexes:
        if not index.has_entries:
            continue
        document = loads_shallow(row)
        prefix = keys.index_prefix(collection.info.id, index.id)
        for term in set(index_terms(index, document)):
            number += 1
            if engine.get(Family.INDEX, prefix + term) != revision:
                missing.append(f"index {index.name} does not lead to {document['_key']}")
    return missing, number


def _check_orphans(store: Store) -> Iterator[str]:
    """Rows below an id that the catalog does not know."""
    known = {collection.info.id for collection in store.catalog.collections}
    # what was being loaded aside is removed at the next start
    notes = read_all(store.engine, Family.META, keys.LOADING)
    known |= {keys.from_u64(note[len(keys.LOADING) :]) for note, _ in notes}
    for family in (Family.DOCUMENTS, Family.PRIMARY, Family.INDEX):
        for found in _ids(store.engine, family):
            if found not in known:
                yield f"family {family} holds rows of {found}, which does not exist"


def _ids(engine: Engine, family: Family) -> Iterator[int]:
    cursor = engine.cursor(family)
    start = b""
    while rows := cursor.keys(start, b"\xff" * 9, 1):
        found = keys.from_u64(rows[0])
        yield found
        start = keys.u64(found + 1)
    cursor.close()


def _check_log(store: Store) -> Iterator[str]:
    """Ticks grow, transactions close, and the last word on each key is what is stored."""
    last = store.log.floor
    is_open = False
    words: dict[tuple[int, str], int] = {}
    for key, row in read_all(store.engine, Family.LOG, b""):
        tick = keys.from_u64(key)
        try:
            kind, _, _, cid, inside, revision, _ = HEADER.unpack_from(row)
            marker = loads_shallow(row[HEADER_BYTES:])
        except (StructError, ArangoError):
            last = tick
            yield f"the marker at tick {tick} cannot be read"
            continue
        if tick <= last or inside != tick:
            yield f"the log is out of order at tick {tick}"
        last = tick
        if kind in (MarkerType.TRANSACTION_START, MarkerType.TRANSACTION_COMMIT):
            if is_open == (kind == MarkerType.TRANSACTION_START):
                yield f"a transaction is not closed before tick {tick}"
            is_open = kind == MarkerType.TRANSACTION_START
        elif kind in (MarkerType.DOCUMENT, MarkerType.REMOVE):
            words[cid, marker["data"]["_key"]] = revision
        elif kind in (MarkerType.COLLECTION_TRUNCATE, MarkerType.COLLECTION_DROP):
            words = {word: r for word, r in words.items() if word[0] != cid}
    if is_open:
        yield "the log ends inside a transaction"
    if last != store.log.last_tick:
        yield f"the log ends at tick {last} instead of {store.log.last_tick}"
    yield from _check_words(store, words)


def _check_words(store: Store, words: dict[tuple[int, str], int]) -> Iterator[str]:
    for (collection_id, key), revision in words.items():
        collection = store.catalog.collection_by_id(collection_id)
        if collection is None:
            continue
        found = store.engine.get(Family.PRIMARY, collection.prefix + key.encode())
        if (keys.from_u64(found) if found is not None else 0) != revision:
            yield (
                f"collection {collection.info.name}: the log's last word on {key} "
                "is not what is stored"
            )
    alive = Counter(collection_id for (collection_id, _), revision in words.items() if revision)
    for collection in store.catalog.collections:
        # a collection younger than the pruned part of the log stands in it whole
        in_log = alive[collection.info.id]
        is_whole = collection.info.id > store.log.floor and not collection.gap
        if is_whole and in_log != collection.count:
            yield (
                f"collection {collection.info.name}: the log tells of {in_log} documents, "
                f"there are {collection.count}"
            )


def read_all(engine: Engine, family: Family, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every row below `prefix`. Errors: `CorruptionError` for an unreadable block."""
    cursor: Cursor = engine.cursor(family)
    start = prefix
    end = keys.after(prefix) if prefix else b"\xff" * 9
    try:
        while rows := cursor.items(start, end, BLOCK_ROWS):
            yield from rows
            start = rows[-1][0] + b"\0"
    finally:
        cursor.close()


def findings(store: Store) -> list[str]:
    """`check_store` as a list; an unreadable block is a finding too."""
    found: list[str] = []
    try:
        found.extend(check_store(store))
    except CorruptionError as error:
        found.append(f"the store cannot be read to its end: {error}")
    return found
