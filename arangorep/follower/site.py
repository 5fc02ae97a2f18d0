"""`Site`: the follower's own side, which a synchronisation writes to.

Each piece of work takes the write lock for about the time of one commit; users and other appliers
get their turn between two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from arangorep.clock import Clock
from arangorep.data.replica import ReplicaWriter
from arangorep.data.transactions import Transaction
from arangorep.errors import CollectionNotFound, DatabaseNotFound
from arangorep.follower.leader import Sleep
from arangorep.follower.lines import cut_documents, from_values, split_lines
from arangorep.limits import (
    APPLY_ROWS_PER_COMMIT,
    REMOVALS_PER_COMMIT,
    SCATTERED_READS_AT_ONCE,
    SCATTERED_ROWS_PER_READ,
)
from arangorep.pacing import drive, ended, give_turn, in_thread
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.engine import Family
from arangorep.storage.rows import row_key
from arangorep.storage.snapshot import rows_limit
from arangorep.storage.store import Store

T = TypeVar("T")


@dataclass(slots=True)
class Site:
    """The store, its write lock, and time."""

    store: Store
    clock: Clock
    write_lock: asyncio.Lock
    sleep: Sleep
    is_checked: bool = False
    """Whether every received document is parsed: for leaders that are not trusted."""

    async def run(self, work: Generator[None, None, T]) -> T:
        """Drive sliced work with the write lock held."""
        async with self.write_lock:
            return await drive(work)

    def database(self, database_id: int) -> Database:
        """Errors: 404/1228 when it is gone."""
        found = self.store.catalog.database_by_id(database_id)
        if found is None:
            raise DatabaseNotFound
        return found

    def collection(self, database_id: int, guid: str) -> tuple[Database, Collection]:
        """A collection as it is now. Errors: 404/1203, 404/1228 when it is gone."""
        database = self.database(database_id)
        found = database.by_guid(guid)
        if found is None:
            raise CollectionNotFound(f"collection or view not found: {guid}")
        return database, found

    async def store_lines(self, database_id: int, guid: str, body: bytes) -> int:
        """Store the documents of a dump chunk; returns how many there were."""
        count = 0
        for lines in await drive(split_lines(body)):
            for start in range(0, len(lines), APPLY_ROWS_PER_COMMIT):
                part = lines[start : start + APPLY_ROWS_PER_COMMIT]
                async with self.write_lock:
                    database, collection = self.collection(database_id, guid)
                    documents = cut_documents(
                        part, collection.name_json, is_checked=self.is_checked
                    )
                    transaction = Transaction(self.store, database, grouped=False)
                    writer = ReplicaWriter(transaction, collection)
                    writer.put_all(documents.names, documents.revisions, documents.rows)
                    transaction.commit()
                count += len(part)
                await give_turn()
        return count

    async def store_values(self, database_id: int, guid: str, values: Sequence[Any]) -> int:
        """Store parsed documents; returns how many were not there yet."""
        changed = 0
        for start in range(0, len(values), APPLY_ROWS_PER_COMMIT):
            part = values[start : start + APPLY_ROWS_PER_COMMIT]
            async with self.write_lock:
                database, collection = self.collection(database_id, guid)
                documents = from_values(part, collection.name_json)
                transaction = Transaction(self.store, database, grouped=False)
                writer = ReplicaWriter(transaction, collection)
                changed += writer.put_all(documents.names, documents.revisions, documents.rows)
                transaction.commit()
            await give_turn()
        return changed

    async def find_keys(self, database_id: int, guid: str, revisions: Sequence[int]) -> list[bytes]:
        """The keys of documents, empty where there is none.

        Read in threads: they lie scattered on the disk.
        """
        _, collection = self.collection(database_id, guid)
        names = [collection.prefix + revision.to_bytes(8, "big") for revision in revisions]
        largest_bytes = collection.state.counters.largest_bytes
        size = min(rows_limit(SCATTERED_READS_AT_ONCE * largest_bytes), SCATTERED_ROWS_PER_READ)
        room = asyncio.Semaphore(SCATTERED_READS_AT_ONCE)

        async def read(some: list[bytes]) -> list[bytes]:
            async with room:
                found: list[bytes] = await in_thread(partial(_keys_of, self.store, some))
                return found

        reads = [
            asyncio.create_task(read(names[at : at + size])) for at in range(0, len(names), size)
        ]
        try:
            return list(chain.from_iterable(await asyncio.gather(*reads)))
        finally:  # whatever happened: nobody reads on while the store is closed
            for one in reads:
                one.cancel()
            await ended(*reads)

    async def remove_revisions(
        self, database_id: int, guid: str, revisions: Sequence[int], keys: Sequence[bytes]
    ) -> int:
        """Remove documents that the leader does not have; returns how many there were."""
        gone = 0
        for start in range(0, len(revisions), REMOVALS_PER_COMMIT):
            part = slice(start, start + REMOVALS_PER_COMMIT)
            async with self.write_lock:
                database, collection = self.collection(database_id, guid)
                transaction = Transaction(self.store, database, grouped=False)
                writer = ReplicaWriter(transaction, collection)
                gone += writer.remove_revisions(revisions[part], keys[part])
                transaction.commit()
            await give_turn()
        return gone


def _keys_of(store: Store, names: list[bytes]) -> list[bytes]:
    """Callable from worker threads."""
    rows = store.engine.get_many(Family.DOCUMENTS, names)
    return [b"" if row is None else row_key(row) for row in rows]
