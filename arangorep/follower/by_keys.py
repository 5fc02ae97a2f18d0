"""Incremental synchronisation by keys: for collections whose leader has no revision tree.

The leader prepares chunks of ascending keys with a hash of keys and revisions. A chunk that hashes
alike here is done; of the others the keys are compared and what differs is fetched.
Source: follower 5.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from arangorep.data.collections import truncate_collection
from arangorep.data.replica import ReplicaWriter
from arangorep.data.transactions import Transaction
from arangorep.errors import HttpNotFound, InvalidResponse, LeaderError, NoResponse
from arangorep.follower.leader import BatchHandle, Leader
from arangorep.follower.site import Site
from arangorep.limits import KEYS_CHUNK_DEFAULT, KEYS_SYNC_WAIT_S_MIN, REMOVALS_PER_COMMIT
from arangorep.pacing import drive, give_turn
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.store import Store
from arangorep.values.checksum import keys_hash
from arangorep.values.revision import revision_text

SCAN_ROWS = 2048
JOB_WAITS_S = ((1, 0.1), (5, 0.2), (20, 0.5), (60, 1.0))
JOB_WAIT_S_LATER = 2.0
WAIT_S_PER_DOCUMENT = 80e-6


@dataclass(frozen=True, slots=True)
class _Chunk:
    number: int
    low: str
    high: str
    hash: str


class KeySync:
    """Brings one collection to the state it has in the leader's batch."""

    def __init__(
        self,
        site: Site,
        leader: Leader,
        batch: BatchHandle,
        database_id: int,
        guid: str,
        wait_s: float,
    ) -> None:
        self._site = site
        self._leader = leader
        self._batch = batch
        self._database_id = database_id
        self._guid = guid
        self._wait_s = max(wait_s, KEYS_SYNC_WAIT_S_MIN)
        self.fetched = 0

    async def run(self) -> None:
        """Errors: 500/1400 when the leader does not finish in time."""
        answer = await self._prepare(quick=True)
        if "id" not in answer and answer.get("count"):
            answer = await self._prepare(quick=False)
        keys_id = answer.get("id")
        try:
            if not answer.get("count") or not isinstance(keys_id, str):
                async with self._site.write_lock:
                    database, collection = self._collection()
                    truncate_collection(self._site.store, database, collection)
                return
            await self._compare(keys_id)
        finally:
            if isinstance(keys_id, str):
                await self._leader.delete_keys(keys_id)

    def _collection(self) -> tuple[Any, Collection]:
        return self._site.collection(self._database_id, self._guid)

    async def _prepare(self, *, quick: bool) -> dict[str, Any]:
        job = await self._leader.start_keys(self._batch, self._guid, quick=quick)
        waited_s = 0.0
        while True:
            try:
                answer = await self._leader.poll_job(job)
            except LeaderError as error:
                if error.extra.get("leaderStatus") != HttpNotFound.default_status:
                    raise
                raise NoResponse(f"no response: the job for keys is gone: {error}") from None
            if answer is not None:
                count = answer.get("count")
                if type(count) is not int:
                    raise InvalidResponse("invalid response: keys without a count")
                self._wait_s = max(self._wait_s, count * WAIT_S_PER_DOCUMENT)
                return answer
            if waited_s > self._wait_s:
                raise NoResponse("no response: the leader did not prepare the keys in time")
            pause_s = next((p for up_to, p in JOB_WAITS_S if waited_s < up_to), JOB_WAIT_S_LATER)
            await self._site.sleep(pause_s)
            waited_s += pause_s

    async def _compare(self, keys_id: str) -> None:
        chunks = _chunks(await self._leader.key_chunks(keys_id, KEYS_CHUNK_DEFAULT))
        edge = b""
        for chunk in chunks:
            low, high = chunk.low.encode(), chunk.high.encode()
            local = await drive(self._local(edge, low, inclusive=False))
            await self._remove([key for key, _ in local])
            here = dict(await drive(self._local(low, high, inclusive=True)))
            edge = high + b"\0"
            pairs = [(key.decode(), revision_text(revision)) for key, revision in here.items()]
            if low in here and high in here and str(keys_hash(pairs)) == chunk.hash:
                continue
            await self._merge(keys_id, chunk, here)
        beyond = await drive(self._local(edge, b"\xff" * 256, inclusive=True))
        await self._remove([key for key, _ in beyond])

    def _local(
        self, start: bytes, end: bytes, *, inclusive: bool
    ) -> Generator[None, None, list[tuple[bytes, int]]]:
        _, collection = self._collection()
        return _keys_between(self._site.store, collection, start, end + b"\0" * inclusive)

    async def _merge(self, keys_id: str, chunk: _Chunk, here: dict[bytes, int]) -> None:
        number, size = chunk.number, KEYS_CHUNK_DEFAULT
        there = await self._leader.chunk_keys(keys_id, number, size, chunk.low)
        texts = {key.encode(): text for key, text in there}
        await self._remove([key for key in here if key not in texts])
        wanted = [
            position
            for position, (key, text) in enumerate(there)
            if key.encode() not in here or revision_text(here[key.encode()]) != text
        ]
        offset = 0
        while offset < len(wanted):
            documents = await self._leader.chunk_documents(
                keys_id, number, size, chunk.low, wanted, offset
            )
            if len(documents) <= offset:
                raise InvalidResponse("invalid response: no documents")
            present = [document for document in documents if document is not None]
            self.fetched += await self._site.store_values(self._database_id, self._guid, present)
            offset = len(documents)

    async def _remove(self, keys: list[bytes]) -> None:
        for start in range(0, len(keys), REMOVALS_PER_COMMIT):
            async with self._site.write_lock:
                database, collection = self._collection()
                transaction = Transaction(self._site.store, database, grouped=False)
                writer = ReplicaWriter(transaction, collection)
                for key in keys[start : start + REMOVALS_PER_COMMIT]:
                    writer.remove(key)
                transaction.commit()
            await give_turn()


def _keys_between(
    store: Store, collection: Collection, start: bytes, end: bytes
) -> Generator[None, None, list[tuple[bytes, int]]]:
    """Keys with start <= key < end, with their revisions."""
    cursor = store.engine.cursor(Family.PRIMARY)
    position, stop = collection.prefix + start, collection.prefix + end
    stop = min(stop, collection.document_end)
    found: list[tuple[bytes, int]] = []
    while rows := cursor.items(position, stop, SCAN_ROWS):
        found += [(key[8:], int.from_bytes(value, "big")) for key, value in rows]
        position = rows[-1][0] + b"\0"
        yield
    cursor.close()
    return found


def _chunks(answer: list[dict[str, Any]]) -> list[_Chunk]:
    """Errors: 500/1401 unless the chunks ascend."""
    chunks = []
    for number, entry in enumerate(answer):
        low, high, mixed = entry.get("low"), entry.get("high"), entry.get("hash")
        if not (isinstance(low, str) and isinstance(high, str) and isinstance(mixed, str)):
            raise InvalidResponse("invalid response: a chunk of keys lacks low, high or hash")
        chunks.append(_Chunk(number, low, high, mixed))
    borders = [border.encode() for chunk in chunks for border in (chunk.low, chunk.high)]
    if borders != sorted(borders):
        raise InvalidResponse("invalid response: chunks of keys do not ascend")
    return chunks
