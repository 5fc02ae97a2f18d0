"""`StreamTransactions`: every stream transaction by id, and which collections they hold.

Who writes into a collection asks `is_open_for` first: a collection that one transaction has
declared `exclusive` is closed for all others. Source: data-api 10.1.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from arangorep.clock import Clock
from arangorep.data.stream import StreamTransaction
from arangorep.errors import (
    BadParameter,
    ResourceLimit,
    TransactionAborted,
    TransactionDisallowed,
    TransactionNotFound,
)
from arangorep.limits import (
    STREAM_BYTES_MAX,
    STREAM_IDLE_S,
    STREAM_LOCK_WAIT_S_DEFAULT,
    STREAMS_MAX,
    STREAMS_REMEMBERED,
)
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.store import Store

RUNNING, COMMITTED, ABORTED = "running", "committed", "aborted"


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a transaction is begun with: names or ids of collections, and options."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    exclusive: tuple[str, ...]
    allow_implicit: bool
    wait_for_sync: bool
    lock_wait_s: float
    bytes_max: int


def parse_declaration(body: object) -> Declaration:
    """Errors: 400/10."""
    if not isinstance(body, dict) or not isinstance(body.get("collections"), dict):
        raise BadParameter("bad parameter: 'collections' must be an object")
    collections = body["collections"]
    wait_s = _number(body, "lockTimeout", STREAM_LOCK_WAIT_S_DEFAULT)
    return Declaration(
        read=_names(collections, "read"),
        write=_names(collections, "write"),
        exclusive=_names(collections, "exclusive"),
        allow_implicit=_flag(collections, "allowImplicit", _flag(body, "allowImplicit", True)),
        wait_for_sync=_flag(body, "waitForSync", False),
        # 0 means no bound; then the idle time of whoever holds the collection is one
        lock_wait_s=wait_s or STREAM_LOCK_WAIT_S_DEFAULT,
        bytes_max=min(int(_number(body, "maxTransactionSize", 0)) or STREAM_BYTES_MAX,
                      STREAM_BYTES_MAX),
    )  # fmt: skip


def _names(collections: Mapping[str, Any], member: str) -> tuple[str, ...]:
    value = collections.get(member, [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadParameter(f"bad parameter: '{member}' must be an array of collection names")
    return tuple(names)


def _number(body: Mapping[str, Any], member: str, default: float) -> float:
    value = body.get(member)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise BadParameter(f"bad parameter: '{member}' must be a number, not negative")
    return float(value)


def _flag(body: Mapping[str, Any], member: str, default: bool) -> bool:
    value = body.get(member)
    return value if isinstance(value, bool) else default


@dataclass(slots=True)
class Stream:
    """A transaction as the registry knows it; `transaction` is None when it is over."""

    owner: str
    database: str
    state: str
    transaction: StreamTransaction | None
    exclusive: frozenset[int] = frozenset()
    wait_for_sync: bool = False
    expires_us: int = 0
    users: int = 0
    """Requests that use it now: it does not expire under them."""


class StreamTransactions:
    """Begins, finds and ends transactions. `on_end` is called when one gives its claims back."""

    def __init__(self, store: Store, clock: Clock, on_end: Callable[[], None]) -> None:
        self._store, self._clock, self._on_end = store, clock, on_end
        self._streams: dict[int, Stream] = {}
        self._running: dict[int, Stream] = {}

    def __len__(self) -> int:
        return len(self._running)

    # -- who may write where -----------------------------------------------------------------------

    def is_open_for(self, collection_id: int, transaction_id: int = 0) -> bool:
        """Whether no other transaction has the collection to itself."""
        return not any(
            collection_id in stream.exclusive and other != transaction_id
            for other, stream in self._running.items()
        )

    def is_unused(self, collection_id: int) -> bool:
        """Whether no transaction may write into the collection."""
        return not any(
            stream.transaction is not None and collection_id in stream.transaction.writable
            for stream in self._running.values()
        )

    def may_begin(self, writing: list[Collection], exclusive: list[Collection]) -> bool:
        """Whether a transaction with these collections need not wait."""
        return all(self.is_open_for(c.info.id) for c in writing) and all(
            self.is_unused(c.info.id) for c in exclusive
        )

    # -- life --------------------------------------------------------------------------------------

    def begin(
        self,
        database: Database,
        owner: str,
        reading: list[Collection],
        writing: list[Collection],
        exclusive: list[Collection],
        declared: Declaration,
    ) -> StreamTransaction:
        """Start a transaction; the caller has seen that it `may_begin`. Errors: 400/32."""
        if len(self._running) >= STREAMS_MAX:
            raise ResourceLimit(
                "resource limit exceeded: too many transactions are running", http_status=400
            )
        ids = [frozenset(c.info.id for c in group) for group in (reading, writing, exclusive)]
        transaction = StreamTransaction(
            self._store,
            database,
            self._store.ticks.next(),
            readable=ids[0],
            writable=ids[1] | ids[2],
            allow_implicit=declared.allow_implicit,
            bytes_max=declared.bytes_max,
        )
        stream = Stream(
            owner, database.info.name, RUNNING, transaction, ids[2], declared.wait_for_sync
        )
        self._touch(stream)
        self._streams[transaction.id] = self._running[transaction.id] = stream
        self._forget_oldest()
        return transaction

    @contextmanager
    def use(self, transaction_id: int, owner: str, database: str) -> Iterator[StreamTransaction]:
        """A running transaction, which does not expire meanwhile. Errors: 404/1655; 410/1654."""
        stream = self._find(transaction_id, owner, database)
        if stream.transaction is None:
            raise TransactionAborted if stream.state is ABORTED else TransactionNotFound
        stream.users += 1
        try:
            yield stream.transaction
        finally:
            stream.users -= 1
            self._touch(stream)
            self._end_if_torn(transaction_id, stream)

    def _end_if_torn(self, transaction_id: int, stream: Stream) -> None:
        """Not before the last has left: another request may be in the middle of its changes."""
        found = stream.transaction
        if found is not None and found.is_torn and not stream.users:
            self._end(transaction_id, stream, ABORTED)

    def state(self, transaction_id: int, owner: str, database: str) -> str:
        """Errors: 404/1655."""
        return self._find(transaction_id, owner, database).state

    def written(self, transaction_id: int, owner: str, database: str) -> list[Collection]:
        """Collections that a running transaction would change. Errors: 404/1655."""
        found = self._find(transaction_id, owner, database).transaction
        return [] if found is None else found.written()

    def commit(self, transaction_id: int, owner: str, database: str) -> Generator[None, None, bool]:
        """Write what the transaction holds; twice does no harm. The caller holds the write lock.

        Returns whether it wants to wait for the disk. Errors: 404/1655; 400/1653 after an abort;
        409/1200, which aborts it.
        """
        stream = self._find(transaction_id, owner, database)
        if stream.transaction is None:
            if stream.state is ABORTED:
                raise TransactionDisallowed("the transaction was aborted")
            return False
        if stream.transaction.is_torn:
            self._end(transaction_id, stream, ABORTED)
            raise TransactionDisallowed("the transaction was aborted")
        wants_sync = stream.wait_for_sync or stream.transaction.wait_for_sync
        stream.users += 1
        try:
            yield from stream.transaction.commit_in_slices()
        except BaseException:
            self._end(transaction_id, stream, ABORTED)
            raise
        finally:
            stream.users -= 1
        self._end(transaction_id, stream, COMMITTED)
        return wants_sync

    def abort(self, transaction_id: int, owner: str, database: str) -> None:
        """Twice does no harm. Errors: 404/1655; 400/1653 after a commit."""
        stream = self._find(transaction_id, owner, database)
        if stream.state is COMMITTED:
            raise TransactionDisallowed("the transaction was committed")
        self._end(transaction_id, stream, ABORTED)

    def running(self, owner: str | None, database: str | None) -> list[int]:
        """Ids of the transactions of a user in a database, oldest first; None stands for all."""
        return [
            transaction_id
            for transaction_id, stream in self._running.items()
            if database in (None, stream.database) and owner in (None, stream.owner)
        ]

    def sweep(self) -> None:
        """Abort what was not used for too long, or can see nothing any more."""
        for transaction_id, stream in list(self._running.items()):
            if self._is_over(stream):
                self._end(transaction_id, stream, ABORTED)

    def abort_all(self) -> None:
        """At the stop of the server."""
        for transaction_id, stream in list(self._running.items()):
            self._end(transaction_id, stream, ABORTED)

    def _find(self, transaction_id: int, owner: str, database: str) -> Stream:
        stream = self._streams.get(transaction_id)
        if stream is None or stream.owner != owner or stream.database != database:
            raise TransactionNotFound
        if self._is_over(stream):
            self._end(transaction_id, stream, ABORTED)
        return stream

    def _is_over(self, stream: Stream) -> bool:
        """Whether it was idle for too long, or lost its snapshot with a dropped collection."""
        if stream.users or stream.transaction is None:
            return False
        is_idle = stream.expires_us <= self._clock.monotonic_us()
        return is_idle or stream.transaction.snapshot.closed

    def _touch(self, stream: Stream) -> None:
        stream.expires_us = self._clock.monotonic_us() + round(STREAM_IDLE_S * 1_000_000)

    def _end(self, transaction_id: int, stream: Stream, state: str) -> None:
        if stream.transaction is not None:
            stream.transaction.abort()
            stream.transaction, stream.state = None, state
            del self._running[transaction_id]
            self._on_end()

    def _forget_oldest(self) -> None:
        for transaction_id in list(self._streams):
            if len(self._streams) <= STREAMS_REMEMBERED:
                break
            if transaction_id not in self._running:
                del self._streams[transaction_id]
