"""Creating and dropping indexes (data-api 8); markers 2100 and 2101.

Unique persistent indexes are enforced and have entries; every other type is a stored definition.
An index is built before it becomes visible: entries go to the store in pieces under the new id,
then one commit adds the definition. A note in `meta` lets a restart remove a half-built one.
"""

from __future__ import annotations

from collections.abc import Generator

from arangorep.codec.json import dumps, loads_shallow
from arangorep.data.markers import log_marker
from arangorep.errors import (
    DuplicateIdentifier,
    Forbidden,
    IndexHandleBad,
    IndexNotFound,
    UniqueConstraintViolated,
)
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.storage import keys
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.commit import Commit, PutCollection
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.rows import row_key
from arangorep.storage.store import Store
from arangorep.values.index import IndexDefinition, parse_index, parse_stored_index
from arangorep.values.index_terms import index_terms, violation
from arangorep.values.marker import MarkerType


def create_index(
    store: Store, database: Database, collection: Collection, body: object
) -> Generator[None, None, tuple[IndexDefinition, bool]]:
    """Returns the definition and whether it is new. The caller holds the write lock throughout.

    Errors, all HTTP 400: 10, 1005, 1208, 1210.
    """
    new_id = store.ticks.next()
    index = parse_index(body, new_id=new_id, default_name=f"idx_{store.next_revision()}")
    present = collection.info.indexes
    for other in present:
        if other.same_as(index):
            return other, False
    if index.name in {"primary", "edge", *(other.name for other in present)}:
        raise DuplicateIdentifier(f"duplicate value for `id` or `name`: {index.name}")
    yield from _add(store, database, collection, index)
    return index, True


def restore_index(
    store: Store, database: Database, collection: Collection, body: object
) -> Generator[None, None, bool]:
    """Create an index as an inventory or a marker describes it, with its own id and name.

    An index of the same id or name and another definition gives way. Returns whether anything was
    to be done. The caller holds the write lock throughout. Errors, all HTTP 400: 10, 1208, 1210.
    Source: follower 6.6.
    """
    index = parse_stored_index(body)
    make_way_for_index(store, database, collection, body)
    if any(other.id == index.id or other.name == index.name for other in collection.info.indexes):
        return False
    yield from _add(store, database, collection, index)
    return True


def make_way_for_index(
    store: Store, database: Database, collection: Collection, body: object
) -> None:
    """Drop indexes of the same id or name as the one to be restored, but of another definition."""
    index = parse_stored_index(body)
    for other in collection.info.indexes:
        if (other.id == index.id or other.name == index.name) and not other.same_as(index):
            drop_index(store, database, collection, str(other.id))


def _add(
    store: Store, database: Database, collection: Collection, index: IndexDefinition
) -> Generator[None, None, None]:
    """Build the entries, then make the index visible by one commit with marker 2100."""
    present = collection.info.indexes
    if index.has_entries:
        yield from _build(store, collection, index)
    commit = Commit()
    commit.catalog.append(PutCollection(collection.info.with_indexes((*present, index))))
    prefix = keys.index_prefix(collection.info.id, index.id)
    commit.changes.entries[Family.META][keys.BUILDING + prefix] = None
    kind, data = MarkerType.INDEX_CREATE, dumps(index.describe())
    log_marker(store, commit, kind, database.identity, collection.identity, data)
    store.commit(commit)


def _build(
    store: Store, collection: Collection, index: IndexDefinition
) -> Generator[None, None, None]:
    """Write the entries of all documents. Errors: 400/1210; nothing is left behind then."""
    engine = store.engine
    prefix = keys.index_prefix(collection.info.id, index.id)
    note = keys.BUILDING + prefix
    changes = WriteSet()
    changes.entries[Family.META][note] = b""
    engine.write(changes)
    cursor = engine.cursor(Family.DOCUMENTS)
    start = collection.prefix
    try:
        while rows := cursor.items(start, collection.document_end, WRITE_ROWS_PER_SLICE):
            changes = WriteSet()
            entries = changes.entries[Family.INDEX]
            for key, row in rows:
                for term in index_terms(index, loads_shallow(row)):
                    entry = prefix + term
                    if entry in entries or engine.get(Family.INDEX, entry) is not None:
                        conflicting = row_key(row).decode()
                        raise UniqueConstraintViolated(
                            violation(index, conflicting), http_status=400
                        )
                    entries[entry] = key[8:]
            engine.write(changes)
            start = rows[-1][0] + b"\0"
            yield
    except BaseException as error:
        remove_entries(store, note)
        if isinstance(error, UniqueConstraintViolated):
            error.http_status = 400
        raise
    finally:
        cursor.close()


def remove_entries(store: Store, note: bytes) -> None:
    """Remove what a build left behind, and the note that told of it."""
    prefix = note[len(keys.BUILDING) :]
    changes = WriteSet()
    changes.ranges.append((Family.INDEX, prefix, keys.after(prefix)))
    changes.entries[Family.META][note] = None
    store.engine.write(changes)


def remove_unfinished(store: Store) -> None:
    """At start: remove the entries of indexes whose build was cut off."""
    cursor = store.engine.cursor(Family.META)
    notes = cursor.keys(keys.BUILDING, keys.after(keys.BUILDING), 1 << 20)
    cursor.close()
    for note in notes:
        remove_entries(store, note)


def find_index(collection: Collection, handle: str) -> IndexDefinition:
    """By id or name. Errors: 404/1212; 403/11 for the built-in ones; 400/1214."""
    if not handle:
        raise IndexHandleBad
    for index in collection.info.indexes:
        if handle in (str(index.id), index.name):
            return index
    raise IndexNotFound


def drop_index(store: Store, database: Database, collection: Collection, handle: str) -> int:
    """Returns the id. Errors: 404/1212; 403/11 for the primary and edge index."""
    if handle in ("0", "primary") or (collection.info.type == 3 and handle in ("1", "2", "edge")):
        raise Forbidden("forbidden: a built-in index cannot be dropped")
    index = find_index(collection, handle)
    commit = Commit()
    rest = tuple(other for other in collection.info.indexes if other.id != index.id)
    commit.catalog.append(PutCollection(collection.info.with_indexes(rest)))
    prefix = keys.index_prefix(collection.info.id, index.id)
    commit.clear_rows(Family.INDEX, prefix, keys.after(prefix))
    kind, data = MarkerType.INDEX_DROP, b'{"id":"%d"}' % index.id
    log_marker(store, commit, kind, database.identity, collection.identity, data)
    store.commit(commit)
    return index.id
