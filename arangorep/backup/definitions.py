"""Restoring metadata and schema: what changes of collections, indexes and views (backups 6.1).

Metadata create a collection, or change what can be changed of one; key options and type only of an
empty one. Schema replaces validation rule, computed values and all indexes. A unique index that is
new to a collection with documents has it loaded aside: nothing changes when they do not fit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final

from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.records import Kind, Members, Section
from arangorep.backup.target import RestoreRefused, Target
from arangorep.codec.json import dumps
from arangorep.data.collections import (
    stage_changed_collection,
    stage_dropped_collection,
    stage_loaded_collection,
    stage_new_collection,
)
from arangorep.data.markers import log_marker
from arangorep.data.rules import check_schema
from arangorep.data.views import check_name_is_free, stage_dropped_view, stage_view
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.commit import Commit, PutCollection
from arangorep.storage.engine import Family
from arangorep.storage.state import CollectionState, Counters
from arangorep.storage.store import Store
from arangorep.values.collection import CollectionInfo, parse_stored_collection, stored_properties
from arangorep.values.index import IndexDefinition, parse_stored_index
from arangorep.values.marker import MarkerType
from arangorep.values.revision_tree import RevisionTree
from arangorep.values.view import ViewInfo, parse_stored_view

_VIEWS: Final = "views"


class Definitions:
    """Gathers the records of one file; `finish` plans what they come to."""

    def __init__(self, store: Store, target: Target, kind: Kind) -> None:
        self._store, self._target, self._kind = store, target, kind
        self._section: Section | None = None
        self._collections: dict[str, Members] = {}
        self._views: list[Members] = []
        self._old_names: dict[str, str] = {}
        """Names in the file to those here."""

    def take(self, frame: Section | list[Any]) -> None:
        """The next frame. Errors: `DumpCorrupt`."""
        if isinstance(frame, Section):
            self._section = frame
            if _VIEWS not in frame.members:
                self._old_names[str(frame.members.get("collection"))] = self._target.name_of(frame)
            return
        if self._section is None or not all(isinstance(record, dict) for record in frame):
            raise DumpCorrupt("blocks", "records that are no definitions")
        if _VIEWS in self._section.members:
            self._views += frame
        else:
            self._collections[self._target.name_of(self._section)] = frame[-1]

    def finish(self) -> Iterator[None]:
        """Plan everything. Errors: `RestoreRefused`; 400/10, 1208, 1210, 1232, 1621; 409/1207."""
        for name, record in self._collections.items():
            if self._kind is Kind.METADATA:
                self._plan_properties(name, record)
            else:
                yield from self._plan_schema(name, record)
            yield
        for view in self._views:
            self._plan_view(view)

    # -- metadata --------------------------------------------------------------------------------

    def _plan_properties(self, name: str, record: Members) -> None:
        store, database = self._store, self._target.database
        info, last_value = parse_stored_collection(
            {**record, "name": name},
            new_id=store.ticks.next(),
            database_id=database.info.id,
            server_id=store.server_id,
        )
        present = database.named(name)
        if present is None:
            check_name_is_free(database, name)
            stage = partial(stage_new_collection, store, database, info, last_value)
            self._target.plan(stage, new_name=name)
            return
        changed = replace(
            present.info,
            type=info.type,
            key_options=info.key_options,
            sync_by_revision=info.sync_by_revision,
            wait_for_sync=info.wait_for_sync,
            cache_enabled=info.cache_enabled,
            internal_validator_type=info.internal_validator_type,
        )
        last_value = max(last_value, present.state.counters.last_value)
        if _identity(changed) == _identity(present.info):
            self._target.plan(partial(self._stage_change, changed, last_value))
        elif present.count:
            raise RestoreRefused(
                f"collection '{name}' holds documents, and its type or key options differ from "
                "those of the file, which cannot be changed"
            )
        else:
            self._target.plan(partial(self._stage_anew, present, changed, last_value))

    def _stage_change(self, info: CollectionInfo, last_value: int, commit: Commit) -> None:
        commit.delta(info.id).last_value = last_value
        stage_changed_collection(self._store, self._target.database, info, last_value, commit)

    def _stage_anew(
        self, present: Collection, info: CollectionInfo, last_value: int, commit: Commit
    ) -> None:
        """An empty collection in place of another one."""
        store, database = self._store, self._target.database
        state = CollectionState(Counters(last_value=last_value), RevisionTree())
        stage_dropped_collection(store, database, present, commit)
        anew = Collection(replace(info, id=store.ticks.next()), state)
        stage_loaded_collection(store, database, anew, commit)

    # -- schema ----------------------------------------------------------------------------------

    def _plan_schema(self, name: str, record: Members) -> Iterator[None]:
        target = self._target
        present = target.database.named(name)
        base = target.default_info(name) if present is None else present.info
        rules = {member: record.get(member) for member in ("schema", "computedValues")}
        info = stored_properties(base, rules)
        check_schema(info.schema)
        info = info.with_indexes(_indexes(record))
        added = [index for index in info.indexes if index not in base.indexes]
        if present is None:
            target.warn_of_defaults(name)
            target.plan(partial(self._stage_new, info), new_name=name)
        elif present.count and any(index.has_entries for index in added):
            yield from target.load_aside(name, info)
        else:
            target.plan(partial(self._stage_schema, base, info, present))

    def _stage_new(self, info: CollectionInfo, commit: Commit) -> None:
        store, database = self._store, self._target.database
        stage_new_collection(store, database, info.with_indexes(()), 0, commit)
        identity = Collection(info, CollectionState(Counters(), RevisionTree())).identity
        self._stage_indexes(identity, (), info.indexes, commit)
        commit.catalog.append(PutCollection(info))

    def _stage_schema(
        self, old: CollectionInfo, new: CollectionInfo, present: Collection, commit: Commit
    ) -> None:
        last_value = present.state.counters.last_value
        same_indexes = new.with_indexes(old.indexes)
        if same_indexes != old:
            stage_changed_collection(
                self._store, self._target.database, same_indexes, last_value, commit
            )
        self._stage_indexes(present.identity, old.indexes, new.indexes, commit)
        commit.catalog.append(PutCollection(new))

    def _stage_indexes(
        self,
        collection: tuple[int, bytes],
        old: tuple[IndexDefinition, ...],
        new: tuple[IndexDefinition, ...],
        commit: Commit,
    ) -> None:
        """Markers 2101 and 2100, and the entries of dropped indexes. New ones have none."""
        database = self._target.database.identity
        for index in old:
            if index not in new:
                prefix = keys.index_prefix(collection[0], index.id)
                commit.clear_rows(Family.INDEX, prefix, keys.after(prefix))
                data = b'{"id":"%d"}' % index.id
                log_marker(self._store, commit, MarkerType.INDEX_DROP, database, collection, data)
        for index in new:
            if index not in old:
                data = dumps(index.describe())
                log_marker(self._store, commit, MarkerType.INDEX_CREATE, database, collection, data)

    # -- views -----------------------------------------------------------------------------------

    def _plan_view(self, record: Members) -> None:
        store, database = self._store, self._target.database
        wanted = parse_stored_view(
            {n: v for n, v in self._renamed(record).items() if n != "globallyUniqueId"},
            new_id=store.ticks.next(),
            database_id=database.info.id,
            server_id=store.server_id,
        )
        present = database.view_named(wanted.name)
        is_renamed = any(old != new for old, new in self._old_names.items())
        if present is None:
            if database.named(wanted.name) is not None or wanted.name in self._collections:
                raise RestoreRefused(f"'{wanted.name}' is a collection here and a view in the file")
            self._target.plan(partial(self._stage_view, None, wanted))
        elif is_renamed:
            self._target.warn(f"there is a view '{wanted.name}' already: it is left as it is")
        elif present.type != wanted.type:
            self._target.plan(partial(self._stage_view, present, wanted))
        elif present.properties != wanted.properties:
            same = replace(wanted, id=present.id, guid=present.guid)
            stage = partial(stage_view, store, database, same, MarkerType.VIEW_CHANGE)
            self._target.plan(stage)

    def _stage_view(self, present: ViewInfo | None, wanted: ViewInfo, commit: Commit) -> None:
        if present is not None:
            stage_dropped_view(self._store, self._target.database, present, commit)
        kind = MarkerType.VIEW_CREATE
        stage_view(self._store, self._target.database, wanted, kind, commit)

    def _renamed(self, record: Members) -> Members:
        """With the names that collections have here."""
        names = self._old_names
        found = dict(record)
        links, indexes = found.get("links"), found.get("indexes")
        if isinstance(links, dict):
            found["links"] = {names.get(name, name): link for name, link in links.items()}
        if isinstance(indexes, list):
            found["indexes"] = [
                {
                    **index,
                    "collection": names.get(str(index.get("collection")), index["collection"]),
                }
                for index in indexes
                if isinstance(index, dict) and "collection" in index
            ]
        return found


def _identity(info: CollectionInfo) -> tuple[object, ...]:
    """What a collection keeps for life."""
    return info.type, info.key_options, info.sync_by_revision


def _indexes(record: Members) -> tuple[IndexDefinition, ...]:
    """Errors: 400/10; `DumpCorrupt` for two of one id or name."""
    given = record.get("indexes")
    found = tuple(map(parse_stored_index, given if isinstance(given, list) else ()))
    ids, names = {index.id for index in found}, {index.name for index in found}
    if len(ids) != len(found) or len(names) != len(found):
        raise DumpCorrupt("blocks", "two indexes have one id or name")
    return found
