"""The catalog in memory: databases, collections and how to find them.

A mirror of the `database/` and `collection/` rows of `meta`; only `store.py` changes it, right
after the rows were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from arangorep.codec.json import json_text
from arangorep.errors import CollectionNotFound, DatabaseNotFound
from arangorep.storage import keys
from arangorep.storage.state import CollectionState
from arangorep.values.collection import CollectionInfo
from arangorep.values.database import DatabaseInfo
from arangorep.values.view import ViewInfo


class Collection:
    """A collection that exists: its definition, its live state, its key prefix."""

    __slots__ = (
        "document_end",
        "gap",
        "guid_json",
        "info",
        "locks",
        "name_json",
        "prefix",
        "state",
    )

    def __init__(self, info: CollectionInfo, state: CollectionState) -> None:
        self.prefix = keys.u64(info.id)
        self.document_end = keys.after(self.prefix)
        self.state = state
        self.gap = 0
        """Up to this tick the log does not tell of all documents: they were loaded without it."""
        self.locks: dict[bytes, int] = {}
        """Keys of primary and unique indexes that stream transactions have claimed: by whom."""
        self.describe(info)

    def describe(self, info: CollectionInfo) -> None:
        """Take over a changed definition."""
        self.info = info
        self.name_json = json_text(info.name)
        self.guid_json = json_text(info.guid)

    @property
    def identity(self) -> tuple[int, bytes]:
        """Id and globallyUniqueId, as markers name it."""
        return self.info.id, self.guid_json

    @property
    def count(self) -> int:
        return self.state.counters.count


class Database:
    """A database that exists, with its collections by name, id and globallyUniqueId."""

    __slots__ = ("_by_guid", "_by_id", "_by_name", "_views", "info", "name_json")

    def __init__(self, info: DatabaseInfo) -> None:
        self.info = info
        self.name_json = json_text(info.name)
        self._by_name: dict[str, Collection] = {}
        self._by_id: dict[int, Collection] = {}
        self._by_guid: dict[str, Collection] = {}
        self._views: dict[int, ViewInfo] = {}

    @property
    def identity(self) -> tuple[int, bytes]:
        """Id and name, as markers name it."""
        return self.info.id, self.name_json

    def __iter__(self) -> Iterator[Collection]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def named(self, name: str) -> Collection | None:
        """The collection of exactly this name."""
        return self._by_name.get(name)

    def by_guid(self, guid: str) -> Collection | None:
        """The collection of exactly this globallyUniqueId."""
        return self._by_guid.get(guid)

    def find(self, text: str) -> Collection:
        """By name, decimal id or globallyUniqueId. Errors: 404/1203 (leader-api 10.3)."""
        found = self._by_name.get(text)
        if found is None and text.isascii() and text.isdigit():
            found = self._by_id.get(int(text[:20]))
        if found is None:
            found = self._by_guid.get(text)
        if found is None:
            raise CollectionNotFound(f"collection or view not found: {text}")
        return found

    @property
    def views(self) -> Iterable[ViewInfo]:
        return self._views.values()

    def view_named(self, name: str) -> ViewInfo | None:
        """The view of exactly this name."""
        return next((view for view in self._views.values() if view.name == name), None)

    def view_by_guid(self, guid: str) -> ViewInfo | None:
        """The view of exactly this globallyUniqueId."""
        return next((view for view in self._views.values() if view.guid == guid), None)

    def find_view(self, text: str) -> ViewInfo:
        """By name or decimal id. Errors: 404/1203."""
        for view in self._views.values():
            if text in (view.name, str(view.id)):
                return view
        raise CollectionNotFound(f"collection or view not found: {text}")

    def put_view(self, view: ViewInfo) -> None:
        self._views[view.id] = view

    def remove_view(self, view_id: int) -> None:
        self._views.pop(view_id, None)

    def add(self, collection: Collection) -> None:
        info = collection.info
        self._by_name[info.name] = self._by_id[info.id] = self._by_guid[info.guid] = collection

    def remove(self, collection: Collection) -> None:
        info = collection.info
        del self._by_name[info.name], self._by_id[info.id], self._by_guid[info.guid]


class Catalog:
    """Everything that exists, by name and by id."""

    def __init__(self) -> None:
        self._databases: dict[str, Database] = {}
        self._databases_by_id: dict[int, Database] = {}
        self._collections: dict[int, Collection] = {}

    @property
    def databases(self) -> Iterable[Database]:
        return self._databases.values()

    @property
    def collections(self) -> Iterable[Collection]:
        return self._collections.values()

    def database(self, name: str) -> Database:
        """Errors: 404/1228."""
        found = self._databases.get(name)
        if found is None:
            raise DatabaseNotFound
        return found

    def has_database(self, name: str) -> bool:
        return name in self._databases

    def database_by_id(self, database_id: int) -> Database | None:
        return self._databases_by_id.get(database_id)

    def collection_by_id(self, collection_id: int) -> Collection | None:
        return self._collections.get(collection_id)

    def add_database(self, info: DatabaseInfo) -> None:
        self._databases[info.name] = self._databases_by_id[info.id] = Database(info)

    def remove_database(self, database_id: int) -> list[Collection]:
        """Forget the database; returns the collections that went with it."""
        database = self._databases_by_id.pop(database_id)
        del self._databases[database.info.name]
        gone = list(database)
        for collection in gone:
            del self._collections[collection.info.id]
        return gone

    def add_collection(self, info: CollectionInfo, state: CollectionState) -> Collection:
        collection = Collection(info, state)
        self._databases_by_id[info.database_id].add(collection)
        self._collections[info.id] = collection
        return collection

    def change_collection(self, info: CollectionInfo) -> None:
        collection = self._collections[info.id]
        database = self._databases_by_id[info.database_id]
        database.remove(collection)
        collection.describe(info)
        database.add(collection)

    def put_view(self, info: ViewInfo) -> None:
        self._databases_by_id[info.database_id].put_view(info)

    def view_by_id(self, view_id: int) -> ViewInfo | None:
        for database in self._databases.values():
            for view in database.views:
                if view.id == view_id:
                    return view
        return None

    def remove_view(self, view_id: int) -> None:
        for database in self._databases.values():
            database.remove_view(view_id)

    def remove_collection(self, collection_id: int) -> Collection:
        collection = self._collections.pop(collection_id)
        self._databases_by_id[collection.info.database_id].remove(collection)
        return collection
