"""Batches: snapshots that clients hold by id, for a while (leader-api 2).

A batch lives on the monotonic clock. Using it prolongs it, `sweep` removes what has expired, and an
expired batch that was not swept yet is revived by its next use. Removing a batch releases its
snapshot, and with it the iterators that pin files, as soon as no request uses it any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from arangorep.clock import Clock
from arangorep.errors import CursorNotFound
from arangorep.leader.clients import ClientIdentity, ReplicationClients
from arangorep.leader.dump import DumpCursor
from arangorep.limits import (
    BATCH_TTL_S_AFTER_INVENTORY,
    BATCH_TTL_S_DEFAULT,
    BATCH_TTL_S_MAX,
    CLIENT_TTL_S_AFTER_BATCH,
)
from arangorep.storage.catalog import Collection
from arangorep.storage.store import Store
from arangorep.values.tree_leaves import U64Array


class Batch:
    """A snapshot with an id, a TTL and the positions of the dumps that run on it."""

    def __init__(
        self, batch_id: int, store: Store, ttl_s: float, client: ClientIdentity, database_id: int
    ) -> None:
        self.id = batch_id
        self.tick = store.log.last_tick
        """The log position of the snapshot: a follower tails from here."""
        self.snapshot = store.snapshot()
        self.ttl_s = ttl_s
        self.database_id = database_id
        # a batch without client is its own client (leader-api 2.4)
        self.client = client if client.key else ClientIdentity(server_id=batch_id)
        self.expires_us = 0
        self.users = 0
        """Requests at work on the snapshot."""
        self.dumps: dict[int, DumpCursor] = {}
        self.listed: tuple[int, U64Array] | None = None
        """A collection that is being compared, by its id, and all its revisions."""

    def dump_cursor(self, collection: Collection, after: int = 0) -> DumpCursor:
        """The collection's position in this batch; a new one after the last was read to its end.

        A client that says behind which revision it goes on (`after`, not 0) gets exactly that, so
        an answer that was lost can be asked for again.
        """
        cursor = self.dumps.get(collection.info.id)
        if cursor is not None and not cursor.busy and not cursor.fits(after):
            after = after or cursor.last_revision  # what a torn chunk has taken is read again
            cursor.rows.close()
            cursor = None
        given = after
        if cursor is None and after and not self.snapshot.revisions(collection, 0, after, 1):
            after = 0  # nothing lies before: the fast way
        if cursor is None and after:
            cursor = DumpCursor(self.snapshot.scan_behind(collection, after), after)
            self.dumps[collection.info.id] = cursor
        if cursor is None:
            cursor = DumpCursor(self.snapshot.scan(collection), given)
            self.dumps[collection.info.id] = cursor
        return cursor


class BatchRegistry:
    """All batches of the server, whatever database they were made in."""

    def __init__(self, store: Store, clock: Clock, clients: ReplicationClients) -> None:
        self._store = store
        self._clock = clock
        self._clients = clients
        self._batches: dict[int, Batch] = {}

    def __len__(self) -> int:
        return len(self._batches)

    def create(self, ttl_s: float, client: ClientIdentity, database_id: int) -> Batch:
        """Take a snapshot now. `ttl_s` is any number; zero and less mean the default."""
        ttl_s = effective_ttl_s(ttl_s)
        batch = Batch(self._store.ticks.next(), self._store, ttl_s, client, database_id)
        self._batches[batch.id] = batch
        self._prolong(batch, ttl_s)
        self._clients.track(database_id, client, batch.tick, ttl_s)
        return batch

    def extend(self, batch_id: int, ttl_s: float) -> None:
        """Prolong; never below the TTL it was made with. Errors: 404/1600."""
        ttl_s = effective_ttl_s(ttl_s)
        batch = self._find(batch_id)
        self._prolong(batch, max(ttl_s, batch.ttl_s))
        self._clients.extend(batch.database_id, batch.client, ttl_s)

    def delete(self, batch_id: int) -> None:
        """Release the batch. Errors: 404/1600."""
        batch = self._find(batch_id)
        self._remove(batch)
        self._clients.extend(batch.database_id, batch.client, CLIENT_TTL_S_AFTER_BATCH)

    @contextmanager
    def use(self, batch_id: int, *, long: bool = False) -> Iterator[Batch]:
        """A batch for the time of one request, which prolongs it at its begin and at its end.

        By the batch's own TTL, with `long` by two hours at least. The snapshot stays for the
        request when the batch is deleted or expires meanwhile. Errors: 404/1600, also when a
        collection that the batch dumped was dropped, before or meanwhile.
        """
        batch = self._find(batch_id)
        ttl_s = max(batch.ttl_s, BATCH_TTL_S_AFTER_INVENTORY if long else 0.0)
        self._prolong(batch, ttl_s)
        self._clients.track(batch.database_id, batch.client, batch.tick, batch.ttl_s)
        batch.users += 1
        try:
            yield batch
        except Exception:
            if batch.snapshot.closed:
                raise CursorNotFound("cursor not found: the batch ended meanwhile") from None
            raise
        finally:
            batch.users -= 1
            if batch.id in self._batches:
                self._prolong(batch, ttl_s)
            elif not batch.users:
                self._release(batch)

    def sweep(self) -> int:
        """Remove expired batches; returns how many."""
        now_us = self._clock.monotonic_us()
        gone = [b for b in self._batches.values() if b.expires_us < now_us or b.snapshot.closed]
        for batch in gone:
            self._remove(batch)
        return len(gone)

    def _find(self, batch_id: int) -> Batch:
        batch = self._batches.get(batch_id)
        if batch is not None and batch.snapshot.closed:
            self._remove(batch)
            batch = None
        if batch is None:
            raise CursorNotFound("cursor not found: batch is unknown or expired")
        return batch

    def _prolong(self, batch: Batch, ttl_s: float) -> None:
        expires_us = self._clock.monotonic_us() + round(ttl_s * 1_000_000)
        batch.expires_us = max(batch.expires_us, expires_us)

    def _remove(self, batch: Batch) -> None:
        del self._batches[batch.id]
        if not batch.users:
            self._release(batch)

    def _release(self, batch: Batch) -> None:
        batch.dumps.clear()
        self._store.release(batch.snapshot)


def effective_ttl_s(ttl_s: float) -> float:
    """The TTL a request means: seconds, the default for anything that is not above zero."""
    if not ttl_s > 0:
        return BATCH_TTL_S_DEFAULT
    return min(ttl_s, BATCH_TTL_S_MAX)
