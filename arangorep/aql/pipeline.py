"""A plan over rows: clauses as generators that pull from each other, one row at a time.

The caller hands in the documents of the collection and takes values or changes; between two pulls
nothing runs. Where the caller's documents are `PAUSE`, the pipeline passes it on, and where it
makes many rows by itself, it adds some: a `PAUSE` that comes out is a place to let others have
their turn. Nothing is stored here, so that the caller decides what a change does.

`SORT` holds its rows, in runs that are sorted as they fill and merged while they are read; only the
first ones when a `LIMIT` follows. `LIMIT` ends the pulling when it has enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal

from arangorep.aql.binds import check_bind_values
from arangorep.aql.context import Context, Environment, QueryWarning
from arangorep.aql.conversions import integer_range, to_bool
from arangorep.aql.expressions import Chain
from arangorep.aql.ordering import Key, Reversed, type_name
from arangorep.aql.plan import Count, Filter, Let, Limit, Query, Return, Sort, Source, Write
from arangorep.aql.sorting import AllRows, FirstRows, check_held
from arangorep.errors import InvalidType, QueryParse, ResourceLimit
from arangorep.limits import (
    AQL_RANGE_MAX,
    AQL_ROWS_PER_PAUSE,
    AQL_SORT_RUN_ROWS,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from arangorep.aql.expressions import Expression, Row
    from arangorep.aql.plan import Clause


class Pause(Enum):
    """The type of `PAUSE`."""

    PAUSE = "pause"


PAUSE: Final = Pause.PAUSE
"""Stands between rows where the work may be interrupted."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a modification wants done for one row; see `plan.Write` for target and body.

    Neither is checked: a target may name no document, a body may be no object.
    """

    kind: Literal["insert", "update", "replace", "remove"]
    target: Any
    body: Any
    row: Row


class Execution:
    """One run of a query.

    Raises what `binds.check_bind_values` does and `QueryParse` (1501) for OPTIONS that are no
    object.
    """

    def __init__(self, query: Query, binds: Mapping[str, Any], environment: Environment) -> None:
        check_bind_values(query, binds)
        self.query = query
        self.filtered = 0
        """Rows that a FILTER has dropped so far, as in `extra.stats`."""
        self._context = Context(binds, environment)
        self._outer: Row = {}
        self.options = self._options_of(query.final)
        """The OPTIONS of the modification; empty without them. Unknown names are not refused."""

    @property
    def warnings(self) -> list[QueryWarning]:
        """Why values became null, as in `extra.warnings`; the first few of them."""
        return self._context.warnings

    def limits(self) -> list[tuple[int, int | None]]:
        """Skip and count of each LIMIT, in their order. Raises `QueryParse` (1501)."""
        found = [self._limit_of(clause) for clause in self.query.clauses]
        return [(limit.skip, limit.count) for limit in found if limit is not None]

    def run(self, documents: Iterable[Any] = ()) -> Iterator[Any]:
        """What the query returns: values, or for a modification `Change`s; and `PAUSE`s.

        `documents` are those of the collection `query.reads`, with `PAUSE` among them. To be
        called once. Raises `QueryParse` (1501) at once for a LIMIT that is no number; between rows
        `InvalidType` (17) for a FOR over what is no array, `ResourceLimit` (32, HTTP 400).
        """
        rows = self._source(self.query.source, documents)
        clauses = self.query.clauses
        limits = [*map(self._limit_of, clauses), None]
        for clause, limit, following in zip(clauses, limits[:-1], limits[1:], strict=True):
            if limit is not None:
                rows = _limited(limit, rows)
            else:
                rows = self._through(clause, following, rows)
        final = self.query.final
        if isinstance(final, Write):
            return self._changes(final, rows)
        values = self._values(final.value, rows)
        return self._distinct(values) if final.is_distinct else values

    def returned(self, change: Change, *, old: Any, new: Any) -> Any:
        """The value of the modification's RETURN after a change was made.

        `old` and `new` are documents, or None where there is none. Only if `query.final.returns`.
        """
        final = self.query.final
        assert isinstance(final, Write)
        assert final.returns is not None
        self._context.renew()
        row = {**change.row, "OLD": old, "NEW": new}
        return final.returns.value.evaluate(row, self._context)

    # -- rows ---------------------------------------------------------------------------

    def _source(self, source: Source | None, documents: Iterable[Any]) -> Iterator[Row | Pause]:
        outer = self._outer
        for let in self.query.before:
            outer[let.name] = let.value.evaluate(outer, self._context)
        if source is None:
            yield dict(outer)
            return
        elements = documents if source.array is None else self._elements(source.array, outer)
        for element in elements:
            if element is PAUSE:
                yield PAUSE
                continue
            self._context.renew()
            yield {**outer, source.variable: element}

    def _elements(self, array: Expression, outer: Row) -> Iterator[Any]:
        values: Sequence[Any]
        if isinstance(array, Chain) and [one.symbol for one in array.operators] == [".."]:
            first, last = (end.evaluate(outer, self._context) for end in array.operands)
            values = self._range(first, last)
        else:
            values = array.evaluate(outer, self._context)
            if not isinstance(values, list):
                raise InvalidType(
                    "type error: FOR needs a collection or an array, "
                    f"but its operand is of type {type_name(values)}"
                )
        return _with_pauses(values)

    def _range(self, first: Any, last: Any) -> range:
        """Its numbers are made one by one."""
        values = integer_range(first, last)
        if abs(values.stop - values.start) > AQL_RANGE_MAX:
            raise ResourceLimit(
                f"resource limit exceeded: a range has up to {AQL_RANGE_MAX} numbers",
                http_status=400,
            )
        return values

    # -- clauses ---------------------------------------------------------------------------

    def _through(
        self, clause: Clause, limit: _Limit | None, rows: Iterator[Row | Pause]
    ) -> Iterator[Row | Pause]:
        """The rows behind a clause that is no LIMIT; `limit` is of the one that follows it."""
        if isinstance(clause, Filter):
            return self._filter(clause, rows)
        if isinstance(clause, Let):
            return self._let(clause, rows)
        if isinstance(clause, Count):
            return self._count(clause, rows)
        assert isinstance(clause, Sort)
        keep = None if limit is None or limit.count is None else limit.skip + limit.count
        return self._sort(clause, keep, rows)

    def _filter(self, clause: Filter, rows: Iterator[Row | Pause]) -> Iterator[Row | Pause]:
        evaluate, context = clause.condition.evaluate, self._context
        for row in rows:
            if row is PAUSE or to_bool(evaluate(row, context)):
                yield row
            else:
                self.filtered += 1

    def _let(self, clause: Let, rows: Iterator[Row | Pause]) -> Iterator[Row | Pause]:
        for row in rows:
            if row is not PAUSE:
                row[clause.name] = clause.value.evaluate(row, self._context)
            yield row

    def _count(self, clause: Count, rows: Iterator[Row | Pause]) -> Iterator[Row | Pause]:
        count = 0
        for row in rows:
            if row is PAUSE:
                yield PAUSE
            else:
                count += 1
        yield {**self._outer, clause.variable: count}

    def _sort(
        self, clause: Sort, keep: int | None, rows: Iterator[Row | Pause]
    ) -> Iterator[Row | Pause]:
        held = FirstRows(keep) if keep is not None and keep <= AQL_SORT_RUN_ROWS else AllRows()
        for row in rows:
            if row is PAUSE:
                yield PAUSE
            else:
                held.add(self._sort_key(clause, row), row)
        for row in _with_pauses(held.in_order()):
            self._context.renew()
            yield row

    def _sort_key(self, clause: Sort, row: Row) -> Key:
        key = []
        for part in clause.keys:
            value = self._context.key(part.value.evaluate(row, self._context))
            key.append(Reversed(value) if part.is_descending else value)
        return tuple(key)

    # -- what becomes of the rows ---------------------------------------------------------------

    def _values(self, value: Expression, rows: Iterator[Row | Pause]) -> Iterator[Any]:
        for row in rows:
            yield PAUSE if row is PAUSE else value.evaluate(row, self._context)

    def _distinct(self, values: Iterator[Any]) -> Iterator[Any]:
        seen: set[Key] = set()
        for value in values:
            if value is PAUSE:
                yield PAUSE
                continue
            key = self._context.key(value)
            if key in seen:
                continue
            seen.add(key)
            check_held(len(seen))
            yield value

    def _changes(self, write: Write, rows: Iterator[Row | Pause]) -> Iterator[Any]:
        for row in rows:
            if row is PAUSE:
                yield PAUSE
                continue
            target = self._maybe(write.target, row)
            is_shared = write.body is write.target
            body = target if is_shared else self._maybe(write.body, row)
            yield Change(write.kind, target, body, row)

    def _maybe(self, expression: Expression | None, row: Row) -> Any:
        return None if expression is None else expression.evaluate(row, self._context)

    # -- constants ---------------------------------------------------------------------------

    def _limit_of(self, clause: Clause) -> _Limit | None:
        if not isinstance(clause, Limit):
            return None
        return _Limit(self._row_count(clause.skip) or 0, self._row_count(clause.count))

    def _row_count(self, expression: Expression) -> int | None:
        value = expression.evaluate({}, self._context)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise QueryParse("a LIMIT is neither null nor a number that is not negative")
        return int(value)

    def _options_of(self, final: Return | Write) -> dict[str, Any]:
        if not isinstance(final, Write) or final.options is None:
            return {}
        options = final.options.evaluate({}, self._context)
        if not isinstance(options, dict):
            raise QueryParse("OPTIONS are no object")
        return options


@dataclass(frozen=True, slots=True)
class _Limit:
    """The values of a LIMIT; a count of None is unlimited."""

    skip: int
    count: int | None


def _limited(limit: _Limit, rows: Iterator[Row | Pause]) -> Iterator[Row | Pause]:
    """Passes `limit.count` rows and pulls none behind them."""
    skip, count = limit.skip, limit.count
    if count == 0:
        return
    for row in rows:
        if row is PAUSE:
            yield PAUSE
        elif skip > 0:
            skip -= 1
        else:
            yield row
            count = None if count is None else count - 1
            if count == 0:
                return


def _with_pauses(values: Iterable[Any]) -> Iterator[Any]:
    values = iter(values)
    while block := list(islice(values, AQL_ROWS_PER_PAUSE)):
        yield from block
        yield PAUSE
