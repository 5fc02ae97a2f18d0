"""Dumps that clients fetch batch by batch over several connections (leader-api 11).

A dump is a snapshot with a position in a list of collections. Each batch holds documents of one
collection and is kept under the client's number for it until the client says that it has it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from arangorep.clock import Clock
from arangorep.errors import BadParameter, CursorNotFound, Forbidden, ResourceLimit
from arangorep.leader.dump import DumpCursor, read_chunk
from arangorep.limits import (
    BATCH_TTL_S_MAX,
    PARALLEL_DUMP_BATCH_BYTES,
    PARALLEL_DUMP_DOCUMENTS,
    PARALLEL_DUMP_TTL_S_DEFAULT,
    PARALLEL_DUMP_UNACKNOWLEDGED,
    PARALLEL_DUMPS_MAX,
)
from arangorep.storage.catalog import Collection
from arangorep.storage.store import Store

NUMBERS = ("batchSize", "docsPerBatch", "prefetchCount", "parallelism", "ttl")


@dataclass(frozen=True, slots=True)
class DumpOptions:
    """The body of `start`; sizes are clamped to what limits.py allows."""

    collections: tuple[str, ...]
    batch_bytes: int
    batch_documents: int
    ttl_s: float


def parse_options(body: object) -> DumpOptions:
    """Errors: 400/10, also for a member that is not known."""
    members = {} if body is None else body
    if not isinstance(members, dict):
        raise BadParameter("bad parameter: the body must be an object")
    for name in members:
        if name not in (*NUMBERS, "shards"):
            raise BadParameter(f"bad parameter: unexpected attribute '{name}'")
    names = members.get("shards", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadParameter("bad parameter: 'shards' must be an array of collection names")
    numbers = {name: _number(members, name) for name in NUMBERS}
    return DumpOptions(
        collections=tuple(dict.fromkeys(names)),
        batch_bytes=_clamped(numbers["batchSize"], PARALLEL_DUMP_BATCH_BYTES),
        batch_documents=_clamped(numbers["docsPerBatch"], PARALLEL_DUMP_DOCUMENTS),
        ttl_s=min(numbers["ttl"] or PARALLEL_DUMP_TTL_S_DEFAULT, BATCH_TTL_S_MAX),
    )


def _number(members: Mapping[str, Any], name: str) -> float | None:
    value = members.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise BadParameter(f"bad parameter: '{name}' must be a number, not negative")
    return value


def _clamped(value: float | None, bounds: tuple[int, int, int]) -> int:
    least, default, greatest = bounds
    return default if value is None else int(min(max(value, least), greatest))


@dataclass(frozen=True, slots=True)
class DumpBatch:
    """Documents of one collection, as lines."""

    collection: str
    pieces: list[bytes]


class ParallelDump:
    """One dump: its snapshot, what is left, and the batches that were not acknowledged."""

    def __init__(
        self,
        store: Store,
        collections: list[Collection],
        options: DumpOptions,
        owner: tuple[str, int],
        *,
        as_velocypack: bool,
    ) -> None:
        self.owner = owner
        """User and database that it belongs to."""
        self.options = options
        self.as_velocypack = as_velocypack
        self.expires_us = 0
        self.users = 0
        self._store = store
        self._snapshot = store.snapshot()
        self._left = [(one, one.info.name) for one in reversed(collections)]
        self._cursor: DumpCursor | None = None
        self._kept: dict[int, DumpBatch] = {}
        # from now on dropping one of them ends the dump
        self._snapshot.used.update(one.info.id for one in collections)

    @property
    def is_gone(self) -> bool:
        """Whether a collection was dropped, and the snapshot with it."""
        return self._snapshot.closed

    def acknowledge(self, number: int) -> None:
        """The client has this batch."""
        self._kept.pop(number, None)

    def next(self, number: int) -> Generator[None, None, DumpBatch | None]:
        """The batch under this number: the one that was given out under it, or the next one.

        None when everything was given out. One caller at a time. Errors: 400/32;
        `CorruptionError`; 404/1600.
        """
        kept = self._kept.get(number)
        if kept is not None:
            return kept
        if len(self._kept) >= PARALLEL_DUMP_UNACKNOWLEDGED:
            raise ResourceLimit(
                "resource limit exceeded: too many batches without lastBatch", http_status=400
            )
        while self._left:
            if self.is_gone:
                raise CursorNotFound
            collection, name = self._left[-1]
            cursor = self._cursor = self._cursor_of(collection)
            chunk = yield from read_chunk(
                cursor,
                collection,
                self.options.batch_bytes,
                envelope=False,
                documents_max=self.options.batch_documents,
            )
            if not chunk.check_more:
                self._left.pop()
                self._cursor = None
            if chunk.pieces:
                batch = self._kept[number] = DumpBatch(name, chunk.pieces)
                return batch
        return None

    def _cursor_of(self, collection: Collection) -> DumpCursor:
        """Where to go on: behind the last finished batch when one was given up half way."""
        cursor = self._cursor
        if cursor is None:
            return DumpCursor(self._snapshot.scan(collection))
        if not cursor.is_torn:
            return cursor
        cursor.rows.close()
        last = cursor.last_revision
        if not last:
            return DumpCursor(self._snapshot.scan(collection))
        return DumpCursor(self._snapshot.scan_behind(collection, last), last)

    def close(self) -> None:
        """Release the snapshot."""
        self._kept.clear()
        self._left.clear()
        self._store.release(self._snapshot)


class ParallelDumps:
    """All dumps of the server, by id."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._dumps: dict[str, ParallelDump] = {}

    def __len__(self) -> int:
        return len(self._dumps)

    def start(
        self,
        collections: list[Collection],
        options: DumpOptions,
        owner: tuple[str, int],
        *,
        as_velocypack: bool,
    ) -> str:
        """Take a snapshot now; returns the id. Errors: 400/32."""
        self.sweep()
        if len(self._dumps) >= PARALLEL_DUMPS_MAX:
            raise ResourceLimit(
                "resource limit exceeded: too many dumps are running", http_status=400
            )
        dump = ParallelDump(self._store, collections, options, owner, as_velocypack=as_velocypack)
        dump_id = f"dump-{self._store.next_revision()}"
        self._dumps[dump_id] = dump
        self.touch(dump)
        return dump_id

    def find(self, dump_id: str, owner: tuple[str, int]) -> ParallelDump:
        """Errors: 404/1600; 403/11 for another user's or another database's."""
        dump = self._dumps.get(dump_id)
        if dump is None or dump.is_gone:
            raise CursorNotFound
        if dump.owner != owner:
            raise Forbidden("forbidden: the dump belongs to another user or database")
        return dump

    def touch(self, dump: ParallelDump) -> None:
        """Prolong by its TTL."""
        dump.expires_us = self._clock.monotonic_us() + round(dump.options.ttl_s * 1_000_000)

    def end(self, dump_id: str) -> None:
        """Forget a dump that `find` returned."""
        self._dumps.pop(dump_id).close()

    def sweep(self) -> None:
        """Forget what was not used for its TTL, or lost its snapshot."""
        now_us = self._clock.monotonic_us()
        for dump_id, dump in list(self._dumps.items()):
            if not dump.users and (dump.expires_us <= now_us or dump.is_gone):
                self.end(dump_id)
