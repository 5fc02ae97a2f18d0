"""`ReplicaWriter`: documents as a leader has them, with their keys, revisions and bytes unchanged.

Everything here may be repeated: a document that is there with the same revision is left alone, and
one that stands in the way (same key, or a unique value of another document) gives way, because the
leader's state is the one that counts. Source: follower 3.3, 4.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import ge

import numpy as np

from arangorep.data.transactions import CollectionWriter, Transaction
from arangorep.errors import InvalidResponse
from arangorep.storage.catalog import Collection
from arangorep.storage.rows import row_key
from arangorep.values.key_generator import track_all
from arangorep.values.revision import REVISION_MAX


class ReplicaWriter:
    """Applies a leader's documents to one collection inside a transaction."""

    def __init__(self, transaction: Transaction, collection: Collection) -> None:
        self._store = transaction.store
        self._writer: CollectionWriter = transaction.writer(collection)
        self._keys = collection.info.key_options
        self._accepts = collection.state.tree.accepts

    def can_keep(self, key: bytes, revision: int) -> bool:
        """Whether a document may have this revision: it is one, and no other document has it."""
        if revision >= REVISION_MAX or not self._fits(revision, revision):
            return False
        return not self._writer.has_revision(revision) or self._writer.find(key) == revision

    def put_all(
        self, names: Sequence[bytes], revisions: Sequence[int], rows: Sequence[bytes]
    ) -> int:
        """Store documents in this order; returns how many were not there yet.

        Errors: 500/1401 for a revision that no document can have.
        """
        if not names:
            return 0
        last = max(revisions)
        if last >= REVISION_MAX or not self._fits(min(revisions), last):
            raise InvalidResponse("invalid response: a document has no usable _rev")
        self._store.observe_revision(last)
        writer = self._writer
        writer.last_value = track_all(self._keys, writer.last_value, names)
        if self._are_new(names, revisions):
            ticks = self._store.ticks.take(len(names))
            stamps = np.array(revisions, dtype=np.uint64)
            self._writer.put_rows(list(names), stamps, ticks, list(rows))
            return len(names)
        return sum(map(self.put, names, revisions, rows))

    def _fits(self, low: int, high: int) -> bool:
        """Whether the tree takes these together with what the transaction has put so far."""
        writer = self._writer
        return self._accepts(min(low, writer.oldest_put), max(high, writer.newest_put))

    def _are_new(self, names: Sequence[bytes], revisions: Sequence[int]) -> bool:
        """Whether neither keys nor revisions can collide with what is stored."""
        writer = self._writer
        if writer.is_unique or revisions[0] <= writer.newest_revision:
            return False
        return not any(map(ge, revisions, revisions[1:])) and writer.are_free(list(names))

    def put(self, key: bytes, revision: int, row: bytes) -> bool:
        """Store one document; False when it was there. Whatever stands in its way is removed."""
        writer = self._writer
        old_revision = writer.find(key)
        if old_revision == revision:
            return False
        for holder in writer.holders(row, old_revision):
            writer.remove(row_key(writer.row(holder)), holder)
        if revision <= writer.newest_revision and writer.has_revision(revision):
            # another key under the same stamp: only a damaged or foreign store has such documents
            writer.remove(row_key(writer.row(revision)), revision)
        writer.put_row(key, old_revision, revision, row)
        return True

    def remove(self, key: bytes, revision: int = 0) -> bool:
        """Remove the document with this key; `revision` is that of the removal, if it is known.

        One that no document could have counts as unknown: what comes later must be above it.
        """
        old_revision = self._writer.find(key)
        if not old_revision:
            return False
        if revision >= REVISION_MAX or not self._accepts(revision):
            revision = 0
        self._store.observe_revision(revision)
        self._writer.remove(key, old_revision, revision)
        return True

    def remove_revisions(self, revisions: Sequence[int], keys: Sequence[bytes]) -> int:
        """Remove documents of which revision and key are known; returns how many there still were.

        An empty key stands for a document that was not there.
        """
        gone = 0
        for revision, key in zip(revisions, keys, strict=True):
            if key and self._writer.find(key) == revision:
                self._writer.remove(key, revision)
                gone += 1
        return gone
