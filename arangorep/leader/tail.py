"""Tailing the log: stored lines after a tick, filtered and copied (leader-api 7).

Lines are stored as they are sent. A block of rows is filtered by the 20 bytes in front that name
type, database and collection: each distinct scope is judged once, so the common case, all rows
visible, costs a slice per row and no parsing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from struct import Struct

from arangorep.errors import CorruptionError
from arangorep.limits import CHUNK_BYTES_MAX, SCAN_BYTES_GOAL, TAIL_CHUNK_BYTES_MIN
from arangorep.storage import keys
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.engine import Scan
from arangorep.storage.log import HEADER_BYTES, SCOPE_BYTES, TICK_AT
from arangorep.storage.rows import line_with_name
from arangorep.storage.snapshot import rows_limit
from arangorep.storage.store import Store
from arangorep.values.marker import MarkerType
from arangorep.values.visibility import Filter

SCOPE = Struct(">HHQQ")
VIEW_MARKERS = frozenset({MarkerType.VIEW_CREATE, MarkerType.VIEW_DROP, MarkerType.VIEW_CHANGE})
DATABASE_MARKERS = frozenset({MarkerType.DATABASE_CREATE, MarkerType.DATABASE_DROP})

Transform = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class TailRequest:
    """What to read: ticks above `after`, up to `to`; sizes in bytes."""

    after: int
    to: int
    chunk_bytes: int
    split_transactions: bool
    """Whether a chunk may end inside a transaction (the client sent `lastScanned`)."""


@dataclass(frozen=True, slots=True)
class TailResult:
    """Lines and the numbers that become headers (leader-api 7.4)."""

    pieces: list[bytes]
    last_included: int
    last_scanned: int
    last_tick: int
    from_present: bool

    @property
    def check_more(self) -> bool:
        return 0 < self.last_included < self.last_tick


class Visibility:
    """Which markers a request may see, and how they leave (leader-api 7.6)."""

    def __init__(
        self,
        store: Store,
        database: Database | None,
        shows: Filter,
        only: Collection | None = None,
    ) -> None:
        self._catalog = store.catalog
        self.database_id = None if database is None else database.info.id
        self._shows = shows
        self._only = None if only is None else only.info.id

    def judge(self, scope: bytes) -> Transform | None:
        """How a marker of this scope is sent; None when it is not."""
        kind, _, database_id, collection_id = SCOPE.unpack(scope)
        if self.database_id is not None and database_id != self.database_id:
            return None
        if kind != MarkerType.DATABASE_DROP and not self._catalog.database_by_id(database_id):
            return None
        if not collection_id:
            hidden = kind in DATABASE_MARKERS and self._only is not None
            return None if hidden else self.transform(kind, None)
        if kind in VIEW_MARKERS:
            return self._view(kind, collection_id)
        if kind == MarkerType.COLLECTION_DROP:
            return self.transform(kind, None)  # past every collection filter
        if self._only is not None and collection_id != self._only:
            return None
        collection = self._catalog.collection_by_id(collection_id)
        if collection is None or not self._shows(collection.info.name):
            return None
        return self.transform(kind, collection)

    def _view(self, kind: int, view_id: int) -> Transform | None:
        """A view must exist now, unless the marker tells that it was dropped (leader-api 7.7)."""
        exists = kind == MarkerType.VIEW_DROP or self._catalog.view_by_id(view_id) is not None
        return self.transform(kind, None) if exists and self._only is None else None

    def transform(self, kind: int, collection: Collection | None) -> Transform | None:
        """How a visible marker becomes a line: as stored, unless its collection was renamed."""
        if collection is not None and collection.info.renamed and kind == MarkerType.DOCUMENT:
            name = collection.name_json
            return lambda row: line_with_name(row[HEADER_BYTES:], name)
        return cut_header


def cut_header(row: bytes) -> bytes:
    """The stored line of a log row."""
    return row[HEADER_BYTES:]


def tail(
    store: Store, request: TailRequest, visibility: Visibility
) -> Generator[None, None, TailResult]:
    """Read markers until the chunk is full; yields after every block.

    Errors: `CorruptionError` when the log ends before its last tick.
    """
    last_tick = store.log.last_tick
    if request.after > last_tick:
        return TailResult([], 0, 0, last_tick, from_present=False)
    from_present = request.after >= max(store.log.floor, store.gap(visibility.database_id))
    if request.after == last_tick:
        return TailResult([], 0, last_tick, last_tick, from_present)
    start = max(request.after, store.log.floor)
    reader = _Reader(request, visibility, start, last_tick)
    scan = store.log.scan(start)
    yield from reader.run(scan, rows_limit(store.largest_bytes))
    return TailResult(
        reader.pieces, reader.last_included, reader.last_scanned, store.log.last_tick, from_present
    )


class _Reader:
    """One pass over the log for one answer."""

    def __init__(
        self, request: TailRequest, visibility: Visibility, start: int, last_tick: int
    ) -> None:
        self.pieces: list[bytes] = []
        self.last_included = 0
        self.last_scanned = start
        self._last_tick = last_tick
        self._to = request.to
        self._goal = min(max(request.chunk_bytes, TAIL_CHUNK_BYTES_MIN), CHUNK_BYTES_MAX)
        self._split = request.split_transactions
        self._visibility = visibility
        self._verdicts: dict[bytes, Transform | None] = {}
        self._size = 0
        self._in_transaction = False

    def run(self, scan: Scan, limit: int) -> Generator[None, None, None]:
        """Add blocks until the chunk is full, `to` is passed or the log ends."""
        rows_goal = min(64, limit)
        while True:
            block = scan.take(rows_goal)
            if len(block) < rows_goal and _last(block, self.last_scanned) < self._last_tick:
                raise CorruptionError("the log ended before its last tick")
            if not block:
                return
            done = self._add(block)
            yield
            if done or len(block) < rows_goal:
                return
            average = sum(map(len, block)) // len(block) + 1
            room = (self._goal - self._size) // average + 1
            rows_goal = max(1, min(limit, SCAN_BYTES_GOAL // average, max(room, 16)))

    def _add(self, block: list[bytes]) -> bool:
        """Take rows over; True when nothing more may follow."""
        scopes = [row[:SCOPE_BYTES] for row in block]
        distinct = set(scopes)
        for scope in distinct - self._verdicts.keys():
            self._verdicts[scope] = self._visibility.judge(scope)
        plain = all(self._verdicts[scope] is cut_header for scope in distinct)
        if plain and block and _last(block, 0) <= self._to:
            piece = b"".join([row[HEADER_BYTES:] for row in block])
            if self._size + len(piece) < self._goal:
                self._take_all(block, scopes, distinct, piece)
                return False
        return self._take_some(block, scopes)

    def _take_all(
        self, block: list[bytes], scopes: list[bytes], distinct: set[bytes], piece: bytes
    ) -> None:
        """A block of visible rows that does not fill the chunk."""
        self.pieces.append(piece)
        self._size += len(piece)
        self.last_included = self.last_scanned = _last(block, 0)
        if any(_is_bracket(scope) for scope in distinct):
            for scope in scopes:
                self._step(scope)

    def _take_some(self, block: list[bytes], scopes: list[bytes]) -> bool:
        """Row by row: drop what is hidden, stop with the row that fills the chunk or behind `to`.

        A transaction that begins at or below `to` comes whole.
        """
        lines: list[bytes] = []
        full = False
        for row, scope in zip(block, scopes, strict=True):
            tick = keys.from_u64(row[TICK_AT])
            if tick > self._to and not self._in_transaction:
                full = True
                break
            self._step(scope)
            self.last_scanned = tick
            to_line = self._verdicts[scope]
            line = to_line(row) if to_line is not None else b""
            if line:
                lines.append(line)
                self._size += len(line)
                self.last_included = self.last_scanned
            full = self._size >= self._goal and (self._split or not self._in_transaction)
            if full:
                break
        if lines:
            self.pieces.append(b"".join(lines))
        return full

    def _step(self, scope: bytes) -> None:
        kind = int.from_bytes(scope[:2], "big")
        if kind == MarkerType.TRANSACTION_START:
            self._in_transaction = True
        elif kind == MarkerType.TRANSACTION_COMMIT:
            self._in_transaction = False


def _is_bracket(scope: bytes) -> bool:
    kind = int.from_bytes(scope[:2], "big")
    return kind in (MarkerType.TRANSACTION_START, MarkerType.TRANSACTION_COMMIT)


def _last(block: list[bytes], default: int) -> int:
    return keys.from_u64(block[-1][TICK_AT]) if block else default
