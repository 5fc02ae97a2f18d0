"""Where an offline restore goes: a database, collections that are filled aside, and one commit.

Until `commit` nothing of it can be seen; `close` removes what was not put in place.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

from arangorep.backup.endpoint import Endpoint
from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.records import Section
from arangorep.data.collections import (
    stage_dropped_collection,
    stage_loaded_collection,
)
from arangorep.data.databases import SYSTEM_COLLECTIONS, stage_new_database
from arangorep.data.transactions import Transaction
from arangorep.data.views import check_name_is_free
from arangorep.storage import aside
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.commit import Commit
from arangorep.storage.rows import row_key
from arangorep.storage.store import Store
from arangorep.values.collection import CollectionInfo, parse_collection
from arangorep.values.database import DatabaseInfo
from arangorep.values.names import check_database_name


class RestoreRefused(Exception):
    """The file is whole, but what it holds cannot go there."""


class Target:
    """One database. Errors: 400/1208 when it would have to be created and cannot be called so."""

    def __init__(self, store: Store, endpoint: Endpoint, warnings: list[str]) -> None:
        self._store, self._endpoint, self._warnings = store, endpoint, warnings
        self.changed = 0
        """Collections and views that were created or changed."""
        self._planned: list[Callable[[Commit], None]] = []
        self._new_names: set[str] = set()
        self._loaded: dict[str, tuple[Collection, CollectionInfo]] = {}
        self._is_new = not store.catalog.has_database(endpoint.database)
        if self._is_new:
            name = check_database_name(endpoint.database)
            self.database = Database(DatabaseInfo(store.ticks.next(), name))
            warnings.append(f"there is no database '{name}': it is created")
        else:
            self.database = store.catalog.database(endpoint.database)

    @property
    def single(self) -> str | None:
        """The one collection that everything goes into, whatever it was called."""
        return self._endpoint.collection

    def name_of(self, section: Section) -> str:
        """What the collection of a section is called here. Errors: `DumpCorrupt`."""
        name = section.members.get("collection")
        if not isinstance(name, str):
            raise DumpCorrupt("blocks", "a section without a collection")
        return self._endpoint.collection or name

    def default_info(self, name: str) -> CollectionInfo:
        """A new collection with the defaults. Errors: 400/1208; 409/1207 for a view's name."""
        check_name_is_free(self.database, name)
        info, _ = parse_collection(
            {"name": name, "isSystem": name.startswith("_")},
            new_id=self._store.ticks.next(),
            database_id=self.database.info.id,
            server_id=self._store.server_id,
        )
        return info

    def warn(self, text: str) -> None:
        """Tell a person."""
        self._warnings.append(text)

    def warn_of_defaults(self, name: str) -> None:
        """Tell that metadata should have come first."""
        self._warnings.append(
            f"there is no collection '{name}': it is created with defaults; "
            "restore its metadata first to have its properties"
        )

    def load_aside(
        self, name: str, info: CollectionInfo | None = None
    ) -> Generator[None, None, Collection]:
        """A collection that takes the place of the one of that name, with the same documents.

        `info` is its definition if that changes. While it is filled, keys are taken as they come
        and nothing is computed. Errors: 409/1210 of an index in `info`; 400/1208; 409/1207.
        """
        if name in self._loaded:
            return self._loaded[name][0]
        store, present = self._store, self.database.named(name)
        if present is None:
            self.warn_of_defaults(name)
            info, last_value = self.default_info(name), 0
        else:
            info = replace(info or present.info, id=store.ticks.next())
            last_value = present.state.counters.last_value
        key_options = replace(info.key_options, allow_user_keys=True)
        lenient = replace(info, computed_values=None, key_options=key_options)
        found = aside.begin(store, lenient, last_value)
        self._loaded[name] = found, info
        if present is not None:
            yield from self._copy(present, found)
        return found

    def plan(self, stage: Callable[[Commit], None], *, new_name: str = "") -> None:
        """Have `stage` add something to the commit; `new_name` is that of a new collection."""
        self._planned.append(stage)
        self._new_names.add(new_name)

    def _copy(self, present: Collection, into: Collection) -> Generator[None, None, None]:
        for block in aside.rows_of(self._store, present):
            transaction = Transaction(self._store, self.database, grouped=False)
            writer = transaction.writer(into)
            for revision, row in block:
                writer.put_row(row_key(row), 0, revision, row)
            writer.finish()
            aside.write(self._store, into, transaction.staged)
            yield

    def commit(self) -> None:
        """Put everything in place at once."""
        staged = Commit()
        if self._is_new:
            names = {*self._loaded, *self._new_names}
            system = tuple(name for name in SYSTEM_COLLECTIONS if name not in names)
            stage_new_database(self._store, self.database.info, staged, system)
        for name, (loaded, info) in self._loaded.items():
            present = self.database.named(name)
            if present is not None:
                stage_dropped_collection(self._store, self.database, present, staged)
            loaded.describe(info)
            stage_loaded_collection(self._store, self.database, loaded, staged)
        for stage in self._planned:
            stage(staged)
        self.changed = len(self._loaded) + len(self._planned)
        self._store.commit(staged)
        self._loaded.clear()

    def close(self) -> None:
        """Remove what was loaded and not put in place."""
        for loaded, _ in self._loaded.values():
            aside.discard(self._store, loaded.prefix)
        self._loaded.clear()
