"""Cursors: results that clients fetch batch by batch (data-api 9.2)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from arangorep.aql.pipeline import PAUSE, Pause
from arangorep.clock import Clock
from arangorep.errors import CursorBusy, CursorNotFound, ResourceLimit
from arangorep.limits import CURSOR_BATCH_BYTES_MAX, CURSORS_MAX

Results = Iterator[bytes | Pause]


class ResultReader:
    """Takes results in batches; knows of one more, so that it can tell whether more come."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._ahead: bytes | None = None
        self._ended = False

    def take(self, count: int) -> Generator[None, None, tuple[list[bytes], bool]]:
        """At most `count` results, and whether there are more; fewer when they are large.

        Yields where others may run.
        """
        taken: list[bytes] = []
        size = 0
        while not self._ended and len(taken) <= count and size <= CURSOR_BATCH_BYTES_MAX:
            if self._ahead is not None:
                taken.append(self._ahead)
                size += len(self._ahead)
                self._ahead = None
                continue
            found = next(self._results, None)
            if found is None:
                self._ended = True
            elif found is PAUSE:
                yield
            else:
                taken.append(found)
                size += len(found)
        if len(taken) > count or (size > CURSOR_BATCH_BYTES_MAX and len(taken) > 1):
            self._ahead = taken.pop()
        elif not self._ended:
            yield from self._look_ahead()
        return taken, self._ahead is not None

    def _look_ahead(self) -> Generator[None, None, None]:
        """Whether there is one more, after a single result that filled a batch."""
        while self._ahead is None and not self._ended:
            found = next(self._results, None)
            if found is None:
                self._ended = True
            elif found is PAUSE:
                yield
            else:
                self._ahead = found

    def close(self) -> None:
        """Release what the results pin."""
        self._ended, self._ahead = True, None
        close = getattr(self._results, "close", None)
        if close is not None:
            close()


@dataclass(slots=True)
class QueryCursor:
    """Results that are left, and how they are asked for."""

    owner: str
    database_id: int
    reader: ResultReader
    batch_size: int
    ttl_s: float
    count: int | None
    extra: Callable[[], dict[str, Any]]
    allows_retry: bool
    expires_us: int = 0
    is_busy: bool = False
    batch_number: int = 1
    last_batch: tuple[list[bytes], bool] = field(default=([], False))


class CursorRegistry:
    """All cursors with results left, by id."""

    def __init__(self, clock: Clock, next_id: Callable[[], int]) -> None:
        self._clock, self._next_id = clock, next_id
        self._cursors: dict[int, QueryCursor] = {}

    def __len__(self) -> int:
        return len(self._cursors)

    def check_room(self) -> None:
        """Errors: 400/32 when there are too many."""
        if len(self._cursors) >= CURSORS_MAX:
            raise ResourceLimit(
                "resource limit exceeded: too many cursors are open", http_status=400
            )

    def add(self, cursor: QueryCursor) -> int:
        """Keep a cursor; returns its id."""
        cursor_id = self._next_id()
        self._cursors[cursor_id] = cursor
        self.touch(cursor)
        return cursor_id

    def find(self, cursor_id: int, owner: str, database_id: int) -> QueryCursor:
        """Errors: 404/1600; 409/1601 while another request reads it."""
        cursor = self._cursors.get(cursor_id)
        if cursor is None or (cursor.owner, cursor.database_id) != (owner, database_id):
            raise CursorNotFound
        if cursor.is_busy:
            raise CursorBusy
        if cursor.expires_us <= self._clock.monotonic_us():
            self.remove(cursor_id)
            raise CursorNotFound
        return cursor

    def touch(self, cursor: QueryCursor) -> None:
        """It was used: it lives for its TTL from now on."""
        cursor.expires_us = self._clock.monotonic_us() + round(cursor.ttl_s * 1_000_000)

    def remove(self, cursor_id: int) -> None:
        """Forget a cursor and release what it pins."""
        cursor = self._cursors.pop(cursor_id, None)
        if cursor is not None:
            cursor.reader.close()

    def forget_database(self, database_id: int) -> None:
        """End the cursors of a database that was dropped."""
        for cursor_id, cursor in list(self._cursors.items()):
            if cursor.database_id == database_id and not cursor.is_busy:
                self.remove(cursor_id)

    def sweep(self) -> None:
        """Forget what was not used for too long."""
        now_us = self._clock.monotonic_us()
        for cursor_id, cursor in list(self._cursors.items()):
            if not cursor.is_busy and cursor.expires_us <= now_us:
                self.remove(cursor_id)

    def close(self) -> None:
        """Forget all (end of the server)."""
        for cursor_id in list(self._cursors):
            self.remove(cursor_id)
