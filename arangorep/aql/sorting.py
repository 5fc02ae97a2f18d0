"""Rows in the order of keys, held in memory up to a bound.

Equal rows stay in the order in which they came. Nothing here takes long at once: rows are sorted
in runs as they come, and the runs are merged as they are read.
"""

from __future__ import annotations

from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING

from arangorep.errors import ResourceLimit
from arangorep.limits import AQL_ROWS_HELD_MAX, AQL_SORT_RUN_ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arangorep.aql.expressions import Row
    from arangorep.aql.ordering import Key

_by_key = itemgetter(0)
_row_of = itemgetter(1)


class AllRows:
    """All rows of a SORT: sorted runs, merged when they are read. The order is stable."""

    def __init__(self) -> None:
        self._run: list[tuple[Key, Row]] = []
        self._runs = [self._run]
        self._held = 0

    def add(self, key: Key, row: Row) -> None:
        """Take one more row."""
        if len(self._run) == AQL_SORT_RUN_ROWS:
            self._run.sort(key=_by_key)
            self._run = []
            self._runs.append(self._run)
        self._run.append((key, row))
        self._held += 1
        check_held(self._held)

    def in_order(self) -> Iterator[Row]:
        """The rows by their keys."""
        self._run.sort(key=_by_key)
        return map(_row_of, merge(*self._runs, key=_by_key))


class FirstRows:
    """Those rows of a SORT that a LIMIT behind it can reach, and few more."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._rows: list[tuple[Key, Row]] = []

    def add(self, key: Key, row: Row) -> None:
        """Take one more row."""
        self._rows.append((key, row))
        if len(self._rows) >= self._keep + AQL_SORT_RUN_ROWS:
            self._shorten()

    def in_order(self) -> Iterator[Row]:
        """The rows by their keys."""
        self._shorten()
        return map(_row_of, self._rows)

    def _shorten(self) -> None:
        self._rows.sort(key=_by_key)
        del self._rows[self._keep :]


def check_held(rows: int) -> None:
    """Raises `ResourceLimit` (32, HTTP 400) when more rows are held than allowed."""
    if rows > AQL_ROWS_HELD_MAX:
        raise ResourceLimit(
            f"resource limit exceeded: SORT and DISTINCT hold up to {AQL_ROWS_HELD_MAX} rows",
            http_status=400,
        )
