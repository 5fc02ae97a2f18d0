"""Running a query against the store (data-api 9.2): reading row by row, writing as one transaction.

What a query returns comes out as finished JSON, with `PAUSE` where others may have their turn.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from arangorep.aql.context import Environment
from arangorep.aql.expressions import Variable
from arangorep.aql.pipeline import PAUSE, Change, Execution, Pause
from arangorep.aql.plan import Limit, Query, Return
from arangorep.codec.json import Fragment, dumps, loads_shallow
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.reading import row_blocks
from arangorep.data.stream import StreamTransaction
from arangorep.data.transactions import Transaction
from arangorep.errors import ArangoError, NotImplementedHere, ResourceLimit
from arangorep.limits import QUERY_ROWS_PER_SLICE, STREAM_BYTES_MAX
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.store import Store
from arangorep.values.document import key_of

Results = Iterator[bytes | Pause]
HEAVY_BYTES = 4096
"""After a larger result others may have their turn."""


@dataclass(slots=True)
class QueryFigures:
    """What `extra.stats` tells of a run."""

    writes_executed: int = 0
    writes_ignored: int = 0
    scanned: int = 0


class QueryRun:
    """One run of a plan. `reads` and `writes` are the collections that it names, looked up.

    Errors: 400/1501, 1551, 1552, 1553.
    """

    def __init__(
        self,
        store: Store,
        query: Query,
        binds: Mapping[str, Any],
        reads: Collection | None,
        stream: StreamTransaction | None = None,
    ) -> None:
        environment = Environment(lambda: store.clock.wall_us() // 1000, random.random)
        self.execution = Execution(query, binds, environment)
        self.figures = QueryFigures()
        self._store, self._query = store, query
        self._reads, self._stream = reads, stream

    def known_count(self) -> int | None:
        """How many values come, where that can be told without running the query."""
        if self._reads is None or not self._is_plain_scan:
            return None
        stream, count = self._stream, self._reads.count
        if stream is not None:
            count = stream.count(self._reads)
        for skip, room in self.execution.limits():
            count = max(0, count - skip)
            count = count if room is None else min(count, room)
        return count

    def values(self) -> Results:
        """What a query that writes nothing returns."""
        for value in self.execution.run(self._documents()):
            if value is PAUSE:
                yield PAUSE
                continue
            text = _compact(value)
            yield text
            if len(text) > HEAVY_BYTES:
                yield PAUSE

    def write(self, database: Database, writes: Collection) -> Results:
        """Make the changes; the caller holds the write lock until the end.

        Nothing is written when any of them fails, unless `ignoreErrors` is set.
        Errors: those of `DocumentWriter`.
        """
        transaction = self._stream or Transaction(self._store, database, grouped=True)
        options = self.execution.options
        writer = DocumentWriter(transaction, writes, _write_options(options))
        for change in self.execution.run(self._documents()):
            if change is PAUSE:
                yield PAUSE
                continue
            try:
                result = self._apply(writer, change)
            except ArangoError:
                if options.get("ignoreErrors") is not True:
                    raise
                self.figures.writes_ignored += 1
                continue
            self.figures.writes_executed += 1
            if transaction.staged.log_bytes > STREAM_BYTES_MAX:
                raise ResourceLimit(
                    f"resource limit exceeded: a query changes up to {STREAM_BYTES_MAX} bytes",
                    http_status=400,
                )
            if result is not None:
                yield result
        if self._stream is None:
            transaction.commit()

    def _apply(self, writer: DocumentWriter, change: Change) -> bytes | None:
        """Make one change; returns what RETURN makes of it."""
        if change.kind == "insert":
            done = writer.insert(change.body)
        elif change.kind == "remove":
            done = writer.remove(change.target)
        else:
            body = change.body
            if isinstance(body, dict):
                body = {**body, "_key": key_of(change.target)}
                if change.target is not change.body:
                    body.pop("_rev", None)
                if isinstance(change.target, dict) and "_rev" in change.target:
                    body["_rev"] = change.target["_rev"]
            done = (writer.update if change.kind == "update" else writer.replace)(body)
        returns = getattr(self._query.final, "returns", None)
        if returns is None:
            return None
        old = None if done.old is None else loads_shallow(done.old)
        new = None if done.new is None else loads_shallow(done.new)
        return _compact(self.execution.returned(change, old=old, new=new))

    @property
    def _is_plain_scan(self) -> bool:
        """`FOR d IN c [LIMIT …] RETURN d…`: as many values as documents."""
        query = self._query
        return (
            query.source is not None
            and query.source.collection is not None
            and isinstance(query.final, Return)
            and not query.final.is_distinct
            and all(isinstance(clause, Limit) for clause in query.clauses)
        )

    @property
    def _is_copy(self) -> bool:
        """Whether documents are returned as they are: then nobody needs to parse them."""
        final, source = self._query.final, self._query.source
        return (
            self._is_plain_scan
            and isinstance(final, Return)
            and source is not None
            and isinstance(final.value, Variable)
            and final.value.name == source.variable
        )

    def _documents(self) -> Iterator[Any]:
        if self._reads is None:
            return
        read: Any = Fragment if self._is_copy else loads_shallow
        blocks: Iterable[list[bytes]] = row_blocks(self._store, self._reads, self._stream)
        if self._stream is not None and self._query.is_write:
            blocks = list(blocks)  # a transaction would show what the query itself has written
        for block in blocks:
            for start in range(0, len(block), QUERY_ROWS_PER_SLICE):
                rows = block[start : start + QUERY_ROWS_PER_SLICE]
                self.figures.scanned += len(rows)
                yield from map(read, rows)
                yield PAUSE


def _compact(value: Any) -> bytes:
    """JSON in as many bytes as it has: the writer's own result keeps a buffer of 4 KB, which is
    too much for each of very many."""
    return dumps([value])[1:-1]


def check_full_count(query: Query, wanted: object) -> None:
    """Errors: 501/9 for the count before a LIMIT, which stops reading."""
    if wanted is True and any(isinstance(clause, Limit) for clause in query.clauses):
        raise NotImplementedHere("not implemented: fullCount of a query with LIMIT")


def _write_options(options: Mapping[str, Any]) -> WriteOptions:
    mode = options.get("overwriteMode", "replace" if options.get("overwrite") is True else "")
    return WriteOptions(
        overwrite_mode=mode if isinstance(mode, str) else "",
        keep_null=options.get("keepNull", True) is not False,
        merge_objects=options.get("mergeObjects", True) is not False,
        ignore_revisions=options.get("ignoreRevs", True) is not False,
        is_validated=options.get("skipDocumentValidation") is not True,
    )
