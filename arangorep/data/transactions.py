"""`Transaction`: changes to documents of one database, gathered and committed at once.

Reads through a transaction see its own changes: they look into the write set first. Nothing outside
is touched before `commit`, so dropping a transaction undoes it. Ticks are handed out while it is
prepared; the caller holds the write lock until `commit` (leader-api 7.8: never interleaved).
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import ge
from typing import Any

import numpy as np

from arangorep.codec.json import check_depth, json_text, loads_shallow, may_be_too_deep
from arangorep.data.markers import log_marker
from arangorep.errors import Conflict, CorruptionError, UniqueConstraintViolated
from arangorep.storage import keys
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.commit import Commit
from arangorep.storage.engine import Family
from arangorep.storage.keys import pack_many
from arangorep.storage.log import HEADER_BYTES, document_entries, pack_header, transaction_line
from arangorep.storage.rows import build_row, build_rows, row_key
from arangorep.storage.store import Store
from arangorep.values.index import IndexDefinition
from arangorep.values.index_terms import index_terms, violation
from arangorep.values.marker import MarkerType
from arangorep.values.revision import REVISION_MAX, revision_text
from arangorep.values.revision_arrays import encode_many
from arangorep.values.tree_leaves import U64Array

EDGE = 3


class Transaction:
    """Gathers document changes. `grouped` puts markers 2200 and 2201 around them."""

    def __init__(self, store: Store, database: Database, *, grouped: bool) -> None:
        self.store = store
        self.database = database
        self.staged = Commit()
        self._writers: dict[int, CollectionWriter] = {}
        self._tid = b"0"
        self._grouped = grouped

    def writer(self, collection: Collection) -> CollectionWriter:
        """The writer of one collection; the same one each time."""
        found = self._writers.get(collection.info.id)
        if found is None:
            if self._grouped and self._tid == b"0":
                self._start()
            found = CollectionWriter(self, collection, self._tid)
            self._writers[collection.info.id] = found
        return found

    def _start(self) -> None:
        tick = self.store.ticks.next()
        self._tid = b"%d" % tick
        self._mark(MarkerType.TRANSACTION_START, tick)

    def _mark(self, kind: MarkerType, tick: int) -> None:
        database, moment = self.database, self.store.moment
        line = transaction_line(kind, tick, self._tid, database.name_json)
        self.staged.log(kind, database.info.id, 0, tick, line, moment)

    def commit(self) -> bool:
        """Write everything at once; nothing at all, and False, when no document changed."""
        changed = [writer.finish() for writer in self._writers.values()]
        if not any(changed):
            return False
        if self._grouped:
            self._mark(MarkerType.TRANSACTION_COMMIT, self.store.ticks.next())
        self.store.commit(self.staged)
        return True


class CollectionWriter:
    """Puts and removes documents of one collection inside a transaction.

    A method that raises has changed nothing, so the transaction can go on with the next document.
    """

    def __init__(self, transaction: Transaction, collection: Collection, tid: bytes) -> None:
        store = transaction.store
        staged = transaction.staged
        info = collection.info
        self.collection = collection
        self.is_edge = info.type == EDGE
        self.last_value = collection.state.counters.last_value
        self._store = store
        self._staged = staged
        self._engine = store.engine
        self._prefix = collection.prefix
        self._documents = staged.changes.entries[Family.DOCUMENTS]
        self._primary = staged.changes.entries[Family.PRIMARY]
        self._index = staged.changes.entries[Family.INDEX]
        self._log = staged.changes.entries[Family.LOG]
        self._unique = [index for index in info.indexes if index.has_entries]
        self._delta = staged.delta(info.id)
        self._scope = (transaction.database.info.id, info.id)
        self._database = transaction.database.identity
        self._line_scope = b'"db":"%b","cuid":"%b","tid":"%b","data":' % (
            transaction.database.name_json,
            collection.guid_json,
            tid,
        )
        self._changed = False
        self._owner = 0
        """Whose claims are no obstacle; stream transactions have an id."""
        self._is_settled = True
        """Whether single rows of what was put can be looked up."""
        self._greatest_put = b""
        """The greatest key that this transaction put."""
        self.newest_revision = collection.state.counters.revision
        """No document was ever stored under a revision above this one."""
        self.oldest_put, self.newest_put = REVISION_MAX, 0
        """The span of the revisions that it has put."""

    # -- reading ---------------------------------------------------------------------------------

    def find(self, key: bytes) -> int:
        """The revision of the document with this key, 0 if there is none."""
        self._settle()
        primary_key = self._prefix + key
        if primary_key in self._primary:
            found = self._primary[primary_key]
        elif self._delta.cleared:
            return 0
        else:
            found = self._engine.get(Family.PRIMARY, primary_key)
        return 0 if found is None else int.from_bytes(found, "big")

    def row(self, revision: int) -> bytes:
        """The stored document of a revision that `find` returned."""
        self._settle()
        document_key = self._prefix + revision.to_bytes(8, "big")
        row = self._documents.get(document_key)
        if row is None:
            row = self._engine.get(Family.DOCUMENTS, document_key)
        if row is None:
            raise CorruptionError(f"primary index names revision {revision}, which is not there")
        return row

    def has_revision(self, revision: int) -> bool:
        """Whether some document is stored under this revision."""
        self._settle()
        document_key = self._prefix + revision.to_bytes(8, "big")
        if document_key in self._documents:
            return self._documents[document_key] is not None
        return not self._delta.cleared and (
            self._engine.get(Family.DOCUMENTS, document_key) is not None
        )

    def _settle(self) -> None:
        """What is newer than a block must be written behind it, and finds it."""
        if not self._is_settled:
            self._staged.changes.settle(Family.DOCUMENTS, Family.PRIMARY)
            self._is_settled = True

    def holders(self, row: bytes, old_revision: int) -> set[int]:
        """Revisions of the other documents that hold a unique value of this row."""
        if not self._unique:
            return set()
        found = {self._holder(entry) for _, entry in self._entries(_content(row))}
        return found - {0, old_revision}

    @property
    def is_unique(self) -> bool:
        """Whether unique indexes must be kept."""
        return bool(self._unique)

    @property
    def takes_blocks(self) -> bool:
        """Whether `put_block` may be used."""
        return takes_blocks(self.collection)

    def check_claim(self, key: bytes) -> None:
        """Errors: 409/1200 when another stream transaction has claimed the document's key."""
        self._check_claim(self._prefix + key)

    def _check_claim(self, entry: bytes) -> None:
        if self.collection.locks.get(entry, self._owner) != self._owner:
            raise Conflict("conflict: another transaction has written the document")

    def are_free(self, names: list[bytes]) -> bool:
        """Whether no document has one of these keys, and no key stands twice."""
        if not any(map(ge, names, names[1:])) and self._is_gap(names[0], names[-1]):
            return True
        return len(set(names)) == len(names) and not any(map(self.find, names))

    def _is_gap(self, first: bytes, last: bytes) -> bool:
        """Whether no key lies between these two: one seek instead of a look-up for each."""
        if first <= self._greatest_put:
            return False
        if self._delta.cleared:
            return True
        cursor = self._engine.cursor(Family.PRIMARY)
        found = cursor.keys(self._prefix + first, self._prefix + last + b"\0", 1)
        cursor.close()
        return not found

    # -- writing ---------------------------------------------------------------------------------

    def put(self, key: bytes, old_revision: int, body: dict[str, Any]) -> tuple[int, bytes]:
        """Store a document under a new revision; returns revision and row.

        `body` has no `_key`, `_id`, `_rev`; in an edge collection it has `_from` and `_to`.
        `old_revision` is what `find` told. Errors: 409/1210 for a unique index; 400/600 for a
        document that nests too deep.
        """
        edge = b""
        if self.is_edge:
            body = dict(body)
            edge = b'"_from":"%b","_to":"%b",' % (
                json_text(body.pop("_from")),
                json_text(body.pop("_to")),
            )
        revision = self._store.next_revision()
        name = self.collection.name_json
        row = build_row(key, name, revision_text(revision).encode(), body, edge)
        if may_be_too_deep(row):
            check_depth(body)
        if self.collection.locks:
            self._check_claims(key, row)
        self.put_row(key, old_revision, revision, row)
        return revision, row

    def put_row(self, key: bytes, old_revision: int, revision: int, row: bytes) -> None:
        """Store a finished row under its own revision, which no other document has.

        `old_revision` is what `find` told. Errors: 409/1210 for a unique index.
        """
        self._settle()
        revision_bytes = revision.to_bytes(8, "big")
        if self._unique:
            self._index_put(row, old_revision, revision_bytes)
        if old_revision:
            self._forget(old_revision)
        self._documents[self._prefix + revision_bytes] = row
        self._primary[self._prefix + key] = revision_bytes
        self._greatest_put = max(self._greatest_put, key)
        self._append(MarkerType.DOCUMENT, row, revision, old_revision)
        delta = self._delta
        delta.inserted.append(revision)
        self.oldest_put = min(self.oldest_put, revision)
        self.newest_put = max(self.newest_put, revision)
        self.newest_revision = max(self.newest_revision, revision)
        if len(row) > delta.largest_bytes:
            delta.largest_bytes = len(row)

    def put_block(self, names: list[bytes], tails: list[bytes]) -> tuple[range, list[bytes]]:
        """Store new documents at once; `tails` are their insides behind the system attributes.

        The same as a `put` for each, for keys that are free in a collection that `takes_blocks`.
        """
        revisions = self._store.take_revisions(len(names))
        ticks = self._store.ticks.take(len(names))
        block = np.arange(revisions.start, revisions.stop, dtype=np.uint64)
        rows = build_rows(names, self.collection.name_json, encode_many(block), tails)
        self.put_rows(names, block, ticks, rows)
        return revisions, rows

    def put_rows(
        self,
        names: list[bytes],
        revisions: U64Array,
        ticks: range,
        rows: list[bytes],
    ) -> None:
        """Store finished rows of new documents, whose revisions ascend.

        Keys and revisions must be free; only in a collection without unique indexes.
        """
        prefix, packed = self._prefix, pack_many(revisions)
        scope = *self._scope, self._line_scope
        positions, entries = document_entries(*scope, ticks, revisions, rows)
        self._staged.changes.blocks += [
            (Family.DOCUMENTS, [prefix + each for each in packed], rows),
            (Family.PRIMARY, [prefix + key for key in names], packed),
            (Family.LOG, positions, entries),
        ]
        self._is_settled = False
        self._staged.log_bytes += sum(map(len, entries))
        self._staged.last_tick = ticks[-1]
        self._delta.blocks.append(revisions)
        self.oldest_put = min(self.oldest_put, int(revisions[0]))
        self.newest_put = max(self.newest_put, int(revisions[-1]))
        self.newest_revision = max(self.newest_revision, int(revisions[-1]))
        self._delta.largest_bytes = max(self._delta.largest_bytes, len(max(rows, key=len)))
        self._greatest_put = max(self._greatest_put, max(names))
        self._changed = True

    def remove(self, key: bytes, old_revision: int, revision: int = 0) -> int:
        """Remove a document; returns the revision of the removal itself: the given one or a new."""
        self._settle()
        revision = revision or self._store.next_revision()
        if self._unique:
            for _, entry in self._entries(_content(self.row(old_revision))):
                self._index[entry] = None
        self._forget(old_revision)
        self._primary[self._prefix + key] = None
        text = b'{"_key":"%b","_rev":"%b"}' % (key, revision_text(revision).encode())
        self._append(MarkerType.REMOVE, text, 0, old_revision)
        self._delta.revision = max(self._delta.revision, revision)
        return revision

    def clear(self) -> None:
        """Remove every document (marker 2004). Nothing happens in an empty collection."""
        delta = self._delta
        if not self.collection.count and not delta.inserted and not delta.blocks:
            return
        clear_documents(self.collection, self._staged)
        delta.inserted.clear()
        delta.blocks.clear()
        delta.removed.clear()
        delta.cleared = True
        delta.revision = self._store.next_revision()
        kind = MarkerType.COLLECTION_TRUNCATE
        log_marker(self._store, self._staged, kind, self._database, self.collection.identity)
        self._changed = True

    def finish(self) -> bool:
        """Hand the last numbers to the commit; returns whether anything changed."""
        delta = self._delta
        if not self._changed:
            del self._staged.deltas[self.collection.info.id]
            return False
        delta.last_value = self.last_value
        if delta.inserted or delta.blocks:
            delta.revision = max(delta.revision, self.newest_revision)
        return True

    def _check_claims(self, key: bytes, row: bytes) -> None:
        self.check_claim(key)
        if self._unique:
            for _, entry in self._entries(_content(row)):
                self._check_claim(entry)

    def _forget(self, old_revision: int) -> None:
        self._documents[self._prefix + old_revision.to_bytes(8, "big")] = None
        self._delta.removed.append(old_revision)

    def _append(self, kind: MarkerType, data: bytes, revision: int, old_revision: int) -> None:
        tick = self._store.ticks.next()
        line = b'{"tick":"%d","type":%d,%b%b}\n' % (tick, kind, self._line_scope, data)
        database_id, collection_id = self._scope
        self._log[tick.to_bytes(8, "big")] = (
            pack_header(kind, 0, database_id, collection_id, tick, revision, old_revision) + line
        )
        self._staged.log_bytes += HEADER_BYTES + len(line)
        self._staged.last_tick = tick
        self._changed = True

    # -- unique indexes ----------------------------------------------------------------------------

    def _entries(self, document: Mapping[str, Any]) -> list[tuple[IndexDefinition, bytes]]:
        return [
            (index, keys.index_prefix(self.collection.info.id, index.id) + term)
            for index in self._unique
            for term in index_terms(index, document)
        ]

    def _index_put(self, row: bytes, old_revision: int, revision: bytes) -> None:
        document = _content(row)
        entries = self._entries(document)
        for index, entry in entries:
            self._check_free(index, entry, old_revision)
        if old_revision:
            for _, entry in self._entries(_content(self.row(old_revision))):
                self._index[entry] = None
        for _, entry in entries:
            self._index[entry] = revision

    def _check_free(self, index: IndexDefinition, entry: bytes, old_revision: int) -> None:
        holder = self._holder(entry)
        if holder and holder != old_revision:
            key = row_key(self.row(holder)).decode()
            raise UniqueConstraintViolated(violation(index, key))

    def _holder(self, entry: bytes) -> int:
        """The revision of the document that a unique entry belongs to, 0 if there is none."""
        if entry in self._index:
            holder = self._index[entry]
        elif self._delta.cleared:
            return 0
        else:
            holder = self._engine.get(Family.INDEX, entry)
        return 0 if holder is None else int.from_bytes(holder, "big")


def takes_blocks(collection: Collection) -> bool:
    """Whether many may be inserted at once: nothing to enforce, no edges, no claims of others."""
    info = collection.info
    return (
        info.type != EDGE
        and not collection.locks
        and not any(index.has_entries for index in info.indexes)
    )


def clear_documents(collection: Collection, staged: Commit) -> None:
    """Stage the removal of all rows of a collection; its definition stays."""
    staged.clear_rows(Family.DOCUMENTS, collection.prefix, collection.document_end)
    staged.clear_rows(Family.PRIMARY, collection.prefix, collection.document_end)
    if collection.info.indexes:
        staged.clear_rows(Family.INDEX, collection.prefix, collection.document_end)


def _content(row: bytes) -> dict[str, Any]:
    document: dict[str, Any] = loads_shallow(row)
    return document


def body_of(row: bytes) -> dict[str, Any]:
    """The stored document without `_key`, `_id`, `_rev`; `_from` and `_to` stay."""
    document = _content(row)
    for name in ("_key", "_id", "_rev"):
        del document[name]
    return document
