"""`DumpLoader`: fills a new store with the documents, indexes and views of a dump.

Documents with ascending revisions become sorted files that the store takes in whole; all others are
put one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from arangorep.backup import layout
from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.sorting import Sorters
from arangorep.codec.json import loads
from arangorep.data.collections import restore_collection
from arangorep.data.databases import create_database
from arangorep.data.documents import DocumentWriter
from arangorep.data.indexes import restore_index
from arangorep.data.replica import ReplicaWriter
from arangorep.data.restoring import RESTORED, content_of, document_of, removed_key
from arangorep.data.transactions import Transaction
from arangorep.data.views import restore_view
from arangorep.errors import ArangoError, CorruptedJson
from arangorep.follower.lines import from_values
from arangorep.limits import IMPORT_ROWS_PER_COMMIT, IMPORT_SORTERS
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.engine import Family
from arangorep.storage.keys import after
from arangorep.storage.store import Store
from arangorep.values.revision import REVISION_MAX, parse_revision

KEYS_PER_BLOCK = 16_384


@dataclass(slots=True)
class _Left:
    """What is made when all documents are there."""

    indexes: list[tuple[Database, Collection, list[Any]]] = field(default_factory=list)
    views: list[tuple[Database, dict[str, Any]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines on their way into sorted files. `entry` is the file of the dump they stand in."""

    entry: str
    lines: bytes
    files: dict[Family, Path]
    answer: Callable[[], dict[str, Any]]


@dataclass(slots=True)
class _Filling:
    """The collection whose documents are being read."""

    database: Database
    collection: Collection
    is_loading: bool = False
    spans: list[tuple[bytes, bytes]] = field(default_factory=list)
    """First and last key of each sorted file."""
    may_overlap: bool = False
    """Whether documents came another way, so that the spans do not tell all keys."""
    pieces: deque[_Piece] = field(default_factory=deque)
    """What is being sorted, in order."""

    def overlaps(self) -> bool:
        """Whether one key may stand in two of the files."""
        spans = sorted(self.spans)
        touching = any(a[1] >= b[0] for a, b in pairwise(spans))
        return touching or (self.may_overlap and bool(spans))


class DumpLoader:
    """Fills a new store with what a dump holds, in the order in which it holds it.

    Documents are cut, not parsed: whoever calls has seen to it that they are what was dumped.
    Errors everywhere: `DumpCorrupt`, `OSError`.
    """

    def __init__(self, store: Store, sorters: Sorters) -> None:
        self._store, self._sorters = store, sorters
        self._databases: dict[str, Database] = {}
        self._filling: _Filling | None = None
        self._left = _Left()
        self._numbers = 0

    def database(self, folder: str, name: str) -> None:
        """Make a database. Errors: 400/1208, 1229."""
        if not self._store.catalog.has_database(name):
            create_database(self._store, {"name": name})
        self._databases[folder] = self._store.catalog.database(name)

    def collection(self, folder: str, structure: layout.Structure) -> None:
        """Make a collection; the next documents are its own. Errors: those of its definition."""
        self._end_collection()
        database = self._databases.get(folder)
        if database is None:
            raise DumpCorrupt(f"{folder}/{layout.DUMP_JSON}", "is missing")
        made = restore_collection(self._store, database, structure.parameters)
        self._filling = _Filling(database, made)
        self._left.indexes.append((database, made, structure.indexes))

    def view(self, folder: str, definition: dict[str, Any]) -> None:
        """Remember a view."""
        self._left.views.append((self._databases[folder], definition))

    def documents(self, entry: str, lines: bytes, *, in_envelopes: bool = False) -> None:
        """Store documents of the collection that was named last; whole lines of one file."""
        filling = self._filling
        if filling is None:
            raise DumpCorrupt(entry, "stands before its structure")
        if self._store.engine.load_directory is None or in_envelopes:
            self._take_all(filling)
            self._put(filling, entry, lines)
            return
        while len(filling.pieces) > IMPORT_SORTERS:
            self._take(filling)
        files = self._files(self._store.engine.load_directory)
        task = _task(filling.collection, files)
        lines = lines if lines.endswith(b"\n") else lines + b"\n"
        answer = self._sorters.submit(task, lines)
        filling.pieces.append(_Piece(entry, lines, files, answer))

    def _files(self, directory: Path) -> dict[Family, Path]:
        directory.mkdir(exist_ok=True)
        self._numbers += 1
        return {
            family: directory / f"{self._numbers}.{name}.sst"
            for family, name in ((Family.DOCUMENTS, "documents"), (Family.PRIMARY, "primary"))
        }

    def _take_all(self, filling: _Filling) -> None:
        while filling.pieces:
            self._take(filling)

    def _take(self, filling: _Filling) -> None:
        """Take over the oldest piece; what cannot be loaded is put."""
        piece = filling.pieces.popleft()
        answer = piece.answer()
        if not self._load(filling, piece, answer):
            for file in piece.files.values():
                file.unlink(missing_ok=True)
            self._put(filling, piece.entry, piece.lines)

    def _put(self, filling: _Filling, entry: str, lines: bytes) -> None:
        """Store documents one by one."""
        filling.may_overlap = True
        found = [line for line in lines.split(b"\n") if line.strip()]
        for start in range(0, len(found), IMPORT_ROWS_PER_COMMIT):
            try:
                self._put_some(filling, found[start : start + IMPORT_ROWS_PER_COMMIT])
            except ArangoError as error:
                raise DumpCorrupt(entry, error.message) from None

    def _put_some(self, filling: _Filling, lines: list[bytes]) -> None:
        """One transaction. A revision that cannot be kept becomes a new one.

        It cannot where another document has it, as shards of a cluster hand them out independently
        of each other, and where it is from before the time that revisions tell.
        """
        transaction = Transaction(self._store, filling.database, grouped=False)
        replica = ReplicaWriter(transaction, filling.collection)
        renewed = DocumentWriter(transaction, filling.collection, RESTORED)
        for line in lines:
            item = loads(line)
            if not isinstance(item, dict):
                raise CorruptedJson("a line is neither a document nor a marker")
            removed = removed_key(item)
            if removed is not None:
                replica.remove(removed.encode())
                continue
            content = content_of(item)
            if replica.can_keep(str(content.get("_key")).encode(), _revision_of(content)):
                found = from_values([content], filling.collection.name_json)
                replica.put_all(found.names, found.revisions, found.rows)
            else:
                renewed.insert(document_of(item))
        transaction.commit()

    def _load(self, filling: _Filling, piece: _Piece, done: dict[str, Any]) -> bool:
        """Hand sorted files to the store; False when the documents are not plain new ones."""
        store, collection = self._store, filling.collection
        revisions = np.frombuffer(done.get("revisions", b""), dtype=">u8").astype(np.uint64)
        counters, accepts = collection.state.counters, collection.state.tree.accepts
        if not len(revisions):
            return False
        first, last = int(revisions[0]), int(revisions[-1])
        is_above = not counters.count or first > counters.revision
        if not is_above or not accepts(first, last):
            return False
        if not filling.is_loading:
            store.begin_load(collection)
            filling.is_loading = True
        filling.spans.append((done["first"], done["last"]))
        store.observe_revision(last)
        store.load(
            collection,
            {family: [path] for family, path in piece.files.items()},
            revisions,
            largest_bytes=done["largest"],
            last_value=max(done["last_value"], counters.last_value),
        )
        return True

    def _end_collection(self) -> None:
        """Errors: `DumpCorrupt` for a key that is there twice."""
        filling = self._filling
        if filling is None:
            return
        self._take_all(filling)
        if filling.is_loading:
            self._store.end_load(filling.collection)
        if filling.overlaps() and self._keys_of(filling.collection) != filling.collection.count:
            name = filling.collection.info.name
            raise DumpCorrupt(name, "one key stands in two of its data files")
        self._filling = None

    def _keys_of(self, collection: Collection) -> int:
        cursor = self._store.engine.cursor(Family.PRIMARY)
        count, start, end = 0, collection.prefix, after(collection.prefix)
        while found := cursor.keys(start, end, KEYS_PER_BLOCK):
            count += len(found)
            start = found[-1] + b"\0"
        cursor.close()
        return count

    def finish(self) -> None:
        """Indexes and views, now that all documents are there."""
        self._end_collection()
        for database, collection, indexes in self._left.indexes:
            for definition in indexes:
                for _ in restore_index(self._store, database, collection, definition):
                    pass
        for database, definition in self._left.views:
            restore_view(self._store, database, definition)


def _revision_of(document: dict[str, Any]) -> int:
    """What `_rev` says; the largest number, which no document can have, when it says nothing."""
    text = document.get("_rev")
    return parse_revision(text) if isinstance(text, str) and text else REVISION_MAX


def _task(collection: Collection, files: dict[Family, Path]) -> dict[str, Any]:
    """What `load_worker.prepare` is told. Whether pieces follow each other is seen later."""
    return {
        "name": collection.name_json,
        "is_checked": False,
        "after": 0,
        "prefix": collection.prefix,
        "documents": str(files[Family.DOCUMENTS]),
        "primary": str(files[Family.PRIMARY]),
        "keys": asdict(collection.info.key_options),
        "last_value": collection.state.counters.last_value,
    }
