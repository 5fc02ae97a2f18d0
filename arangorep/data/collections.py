"""Creating, changing and dropping collections, with markers (data-api 5, leader-api 7.7)."""

from __future__ import annotations

from arangorep.codec.json import dumps, json_text
from arangorep.data.markers import log_marker
from arangorep.data.rules import check_schema, described_computed_values
from arangorep.data.transactions import Transaction
from arangorep.data.views import check_name_is_free, drop_view, park_view, stage_links
from arangorep.errors import Forbidden
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.commit import Commit, DropCollection, PutCollection, PutLoaded
from arangorep.storage.store import Store
from arangorep.values import names
from arangorep.values.collection import (
    CollectionInfo,
    change_properties,
    parse_collection,
    parse_stored_collection,
    stored_properties,
)
from arangorep.values.marker import MarkerType


def create_collection(store: Store, database: Database, body: object) -> Collection:
    """Errors: 400/1208, 1232, 1621, 10; 409/1207; 501/9."""
    info, last_value = parse_collection(
        _checked(body),
        new_id=store.ticks.next(),
        database_id=database.info.id,
        server_id=store.server_id,
    )
    check_schema(info.schema)
    check_name_is_free(database, info.name)
    commit = Commit()
    stage_new_collection(store, database, info, last_value, commit)
    store.commit(commit)
    return database.find(info.name)


def _checked(body: object) -> object:
    """A client's body with its computed values checked and filled up. Errors: 400/10; 501/9."""
    if not isinstance(body, dict) or "computedValues" not in body:
        return body
    return {**body, "computedValues": described_computed_values(body["computedValues"])}


def stage_new_collection(
    store: Store, database: Database, info: CollectionInfo, last_value: int, commit: Commit
) -> None:
    """Add a collection and its marker 2000 to `commit`."""
    commit.catalog.append(PutCollection(info))
    commit.delta(info.id).last_value = last_value
    _log_definition(store, database, info, last_value, MarkerType.COLLECTION_CREATE, commit)


def stage_loaded_collection(
    store: Store, database: Database, loaded: Collection, commit: Commit
) -> None:
    """Add a collection that was filled aside, and its marker 2000, to `commit`.

    The log does not tell of its documents, so it gets a gap behind the marker.
    """
    info, last_value = loaded.info, loaded.state.counters.last_value
    _log_definition(store, database, info, last_value, MarkerType.COLLECTION_CREATE, commit)
    gap = store.ticks.next() if loaded.count else 0
    commit.catalog.append(PutLoaded(info, loaded.state, gap))


def stage_changed_collection(
    store: Store, database: Database, info: CollectionInfo, last_value: int, commit: Commit
) -> None:
    """Add a changed definition and its marker 2003 to `commit`."""
    commit.catalog.append(PutCollection(info))
    _log_definition(store, database, info, last_value, MarkerType.COLLECTION_CHANGE, commit)


def change_collection(
    store: Store, database: Database, collection: Collection, body: object
) -> None:
    """Change the changeable properties; marker 2003. Errors: 400/10, 1621; 501/9."""
    info = change_properties(collection.info, _checked(body))
    if isinstance(body, dict) and "schema" in body:
        check_schema(info.schema)
    commit = Commit()
    last_value = collection.state.counters.last_value
    stage_changed_collection(store, database, info, last_value, commit)
    store.commit(commit)


def restore_collection(store: Store, database: Database, body: object) -> Collection:
    """Create a collection as a leader describes it, keeping its globallyUniqueId.

    A collection of the same id and type is left as it is. Another one of the same name gives way:
    a system collection is emptied and kept, any other dropped. Source: follower 6.5.
    Errors: 400/1208, 1232, 1621, 10.
    """
    info, last_value = parse_stored_collection(
        body,
        new_id=store.ticks.next(),
        database_id=database.info.id,
        server_id=store.server_id,
    )
    make_way_for_collection(store, database, body)
    present = database.by_guid(info.guid) or database.named(info.name)
    if present is not None:
        return present
    commit = Commit()
    stage_new_collection(store, database, info, last_value, commit)
    store.commit(commit)
    return database.find(info.guid)


def make_way_for_collection(store: Store, database: Database, body: object) -> None:
    """Drop what a collection to be restored cannot stand beside; system collections are emptied."""
    info, _ = parse_stored_collection(
        body, new_id=0, database_id=database.info.id, server_id=store.server_id
    )
    view = database.view_named(info.name)
    if view is not None:
        drop_view(store, database, view)
    present = database.by_guid(info.guid)
    if present is not None and present.info.type == info.type:
        return
    for other in (present, database.named(info.name)):
        if other is None or database.by_guid(other.info.guid) is not other:
            continue
        if other.info.is_system and other.info.type == info.type:
            truncate_collection(store, database, other)
        else:
            drop_collection(store, database, other, allow_system=True)


def make_way_for_name(store: Store, database: Database, name: str) -> None:
    """Give the collection or view of this name another one, for a moment.

    What a follower has may be ahead of the log it applies: then two collections want one name that
    they had one after the other on the leader, and the log soon tells the right one of each.
    """
    other = database.named(name)
    if other is not None:
        parked = {"name": f"parked-{other.info.id}"}
        rename_collection(store, database, other, parked)
    view = database.view_named(name)
    if view is not None:
        park_view(store, database, view)


def restore_properties(
    store: Store, database: Database, collection: Collection, body: object
) -> None:
    """Take over a leader's properties; marker 2003 only when something changed. Errors: 400/10."""
    info = stored_properties(collection.info, body)
    if info == collection.info:
        return
    commit = Commit()
    last_value = collection.state.counters.last_value
    stage_changed_collection(store, database, info, last_value, commit)
    store.commit(commit)


def rename_collection(
    store: Store, database: Database, collection: Collection, body: object
) -> None:
    """Give a collection another name; its documents stay as they are (`rows.with_name`).

    Errors: 400/1208; 403/11 for a system collection; 409/1207.
    """
    old = collection.info
    given = body.get("name") if isinstance(body, dict) else None
    if isinstance(given, str) and names.normalize_name(given) == old.name:
        return
    if old.is_system:
        raise Forbidden("forbidden: a system collection cannot be renamed")
    name = names.check_collection_name(given, is_system=False)
    check_name_is_free(database, name)
    commit = Commit()
    info = old.renamed_to(name)
    commit.catalog.append(PutCollection(info))
    data = b'{"name":"%b"}' % json_text(name)
    kind = MarkerType.COLLECTION_RENAME
    log_marker(store, commit, kind, database.identity, collection.identity, data)
    stage_links(store, database, commit, old.name, name)
    store.commit(commit)


def drop_collection(
    store: Store, database: Database, collection: Collection, *, allow_system: bool
) -> None:
    """Drop a collection with all its documents; marker 2001. Errors: 403/11."""
    info = collection.info
    if info.is_system and not allow_system:
        raise Forbidden("forbidden: a system collection is only dropped with isSystem=true")
    commit = Commit()
    stage_dropped_collection(store, database, collection, commit)
    store.commit(commit)


def stage_dropped_collection(
    store: Store, database: Database, collection: Collection, commit: Commit
) -> None:
    """Add the end of a collection and its marker 2001 to `commit`."""
    commit.catalog.append(DropCollection(collection.info.id))
    kind = MarkerType.COLLECTION_DROP
    log_marker(store, commit, kind, database.identity, collection.identity)
    stage_links(store, database, commit, collection.info.name, None)


def truncate_collection(store: Store, database: Database, collection: Collection) -> None:
    """Remove every document by one range delete; marker 2004 unless it is empty already."""
    transaction = Transaction(store, database, grouped=False)
    transaction.writer(collection).clear()
    transaction.commit()


def _log_definition(
    store: Store,
    database: Database,
    info: CollectionInfo,
    last_value: int,
    kind: MarkerType,
    commit: Commit,
) -> None:
    data = dumps(info.definition(last_value))
    identity = (info.id, json_text(info.guid))
    log_marker(store, commit, kind, database.identity, identity, data)
