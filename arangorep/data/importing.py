"""Bulk import (data-api 7): JSON lines, one JSON array, or a table with a header line.

A generator: it gives the caller its turn after every commit. With `complete` the first failure
undoes everything; otherwise documents are committed in pieces and failures are counted.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from arangorep.codec.json import dumps, loads_shallow
from arangorep.data.collections import truncate_collection
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.stream import StreamTransaction
from arangorep.data.transactions import EDGE, Transaction
from arangorep.errors import ArangoError, CorruptedJson, HttpBadParameter, InvalidEdgeAttribute
from arangorep.limits import IMPORT_ROWS_PER_COMMIT
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.engine import Family
from arangorep.storage.store import Store

OFFENDING_CHARACTERS_MAX = 255


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """The query parameters of `POST /_api/import`."""

    type: str = ""
    on_duplicate: str = "error"
    complete: bool = False
    overwrite: bool = False
    ignore_missing: bool = False
    from_prefix: str = ""
    to_prefix: str = ""
    overwrite_collection_prefix: bool = False
    line_offset: int = 0
    is_validated: bool = True


@dataclass(slots=True)
class ImportCounts:
    """The answer's counters and, in `details`, one text for each document that failed."""

    created: int = 0
    errors: int = 0
    empty: int = 0
    updated: int = 0
    ignored: int = 0
    details: list[str] = field(default_factory=list)

    def describe(self, *, details: bool) -> dict[str, Any]:
        answer: dict[str, Any] = {
            "error": False,
            "created": self.created,
            "errors": self.errors,
            "empty": self.empty,
            "updated": self.updated,
            "ignored": self.ignored,
        }
        if details:
            answer["details"] = self.details
        return answer


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line or row that is no document, and why."""

    reason: str
    offending: str = ""


EMPTY = Unreadable("")
"""A blank line."""


def import_documents(
    store: Store,
    database: Database,
    collection: Collection,
    data: bytes,
    options: ImportOptions,
    stream: StreamTransaction | None = None,
) -> Generator[None, None, ImportCounts]:
    """Import `data`, in `stream` if there is one; the caller holds the write lock throughout.

    Errors: 400/400, 400/600 for a body of the wrong shape; with `complete` the error of the first
    document that fails, and nothing is stored.
    """
    documents = _documents(data, options)
    block = list(islice(documents, IMPORT_ROWS_PER_COMMIT))  # a wrong shape shows before any change
    is_whole = options.complete or stream is not None
    if options.overwrite and not is_whole:
        # on its own: a follower refuses to truncate inside of a transaction
        truncate_collection(store, database, collection)
    run = _Import(store, database, collection, options, stream)
    if options.overwrite and is_whole:
        yield from run.remove_all()
    position = options.line_offset
    while block:
        for document in block:
            run.add(document, position)
            if document is not EMPTY:
                position += 1
        if not options.complete:
            run.commit()
        yield
        block = list(islice(documents, IMPORT_ROWS_PER_COMMIT))
    run.commit()
    return run.counts


class _Import:
    """One run: the current transaction and the counts so far."""

    def __init__(
        self,
        store: Store,
        database: Database,
        collection: Collection,
        options: ImportOptions,
        stream: StreamTransaction | None,
    ) -> None:
        self.counts = ImportCounts()
        self._store, self._database = store, database
        self._collection, self._options = collection, options
        self._stream = stream
        self._write_options = WriteOptions(
            overwrite_mode=options.on_duplicate if options.on_duplicate != "error" else "",
            is_validated=options.is_validated,
        )
        self._begin()

    def _begin(self) -> None:
        self.transaction = self._stream or Transaction(self._store, self._database, grouped=True)
        self._writer = DocumentWriter(self.transaction, self._collection, self._write_options)

    def remove_all(self) -> Generator[None, None, None]:
        """Remove every document as part of the transaction, one by one."""
        if self._stream is not None:
            yield from self._stream.writer(self._collection).clear_in_slices()
            return
        writer = self.transaction.writer(self._collection)
        cursor = self._store.engine.cursor(Family.PRIMARY)
        start = self._collection.prefix
        while rows := cursor.items(start, self._collection.document_end, IMPORT_ROWS_PER_COMMIT):
            for key, revision in rows:
                writer.check_claim(key[8:])
                writer.remove(key[8:], int.from_bytes(revision, "big"))
            start = rows[-1][0] + b"\0"
            yield
        cursor.close()

    def commit(self) -> None:
        if self._stream is None:
            self.transaction.commit()
            self._begin()

    def add(self, document: object, position: int) -> None:
        """Store one document or count why not; `position` is 0-based."""
        counts = self.counts
        if document is EMPTY:
            counts.empty += 1
            return
        if isinstance(document, Unreadable):
            if self._options.complete:
                raise CorruptedJson(f"at position {position + 1}: {document.reason}")
            self._fail(position + 1, document.reason, document.offending)
            return
        if not isinstance(document, dict):
            reason = "invalid JSON type (expecting object)"
            if self._options.complete:
                raise HttpBadParameter(f"at position {position + 1}: {reason}")
            self._fail(position + 1, reason, _text(document))
            return
        self._store_one(document, position)

    def _store_one(self, document: dict[str, Any], position: int) -> None:
        counts = self.counts
        if self._collection.info.type == EDGE:
            _prefix_edge(document, self._options)
        try:
            result = self._writer.insert(document)
        except ArangoError as error:
            if self._options.complete:
                raise
            if isinstance(error, InvalidEdgeAttribute):
                # what is wrong before storing counts from 1, as unreadable lines do
                position, reason = position + 1, "missing '_from' or '_to' attribute"
            else:
                reason = f"creating document failed with error '{error.default_message}'"
            self._fail(position, reason, _text(document))
            return
        if result.new is None:
            counts.ignored += 1
        elif result.old is None:
            counts.created += 1
        else:
            counts.updated += 1

    def _fail(self, position: int, reason: str, offending: str) -> None:
        self.counts.errors += 1
        text = f"at position {position}: {reason}"
        self.counts.details.append(
            f"{text}, offending document: {offending}" if offending else text
        )


def _text(document: object) -> str:
    """The document for `details`, cut; empty if it nests too deep to be written at all."""
    try:
        return _cut(dumps(document).decode())
    except CorruptedJson:
        return ""


def _line_text(line: bytes) -> str:
    """An unparsed line for `details`, cut."""
    return _cut(line.decode(errors="replace"))


def _cut(text: str) -> str:
    if len(text) > OFFENDING_CHARACTERS_MAX:
        return text[:OFFENDING_CHARACTERS_MAX] + "..."
    return text


def _prefix_edge(document: dict[str, Any], options: ImportOptions) -> None:
    """Apply `fromPrefix` and `toPrefix` to values that name no collection."""
    for name, prefix in (("_from", options.from_prefix), ("_to", options.to_prefix)):
        value = document.get(name)
        if not prefix or isinstance(value, bool) or not isinstance(value, (str, int)):
            continue
        text = str(value)
        full_prefix = prefix if prefix.endswith("/") else prefix + "/"
        if "/" not in text:
            document[name] = full_prefix + text
        elif options.overwrite_collection_prefix:
            document[name] = full_prefix + text.split("/", 1)[1]


# -- the three shapes of a body ----------------------------------------------------------------


def _documents(data: bytes, options: ImportOptions) -> Iterator[object]:
    kind = options.type
    if kind == "auto":
        kind = "array" if data.lstrip()[:1] == b"[" else "documents"
    if kind in ("array", "list"):
        return iter(_array(data))
    if kind == "documents":
        return _lines(data)
    return _table(data, options)


def _array(data: bytes) -> list[object]:
    if not data:
        raise HttpBadParameter("expecting a JSON array in the request")
    value = loads_shallow(data)
    if not isinstance(value, list):
        raise HttpBadParameter("expecting a JSON array in the request")
    return value


def _split(data: bytes) -> list[bytes]:
    lines = data.split(b"\n")
    if lines and not lines[-1].strip():
        lines.pop()  # the end of the last line, not an empty one
    return lines


def _lines(data: bytes) -> Iterator[object]:
    for line in _split(data):
        text = line.strip()
        yield _parsed(text) if text else EMPTY


def _parsed(text: bytes) -> object:
    try:
        return loads_shallow(text)
    except CorruptedJson as error:
        return Unreadable(error.message, _line_text(text))


def _table(data: bytes, options: ImportOptions) -> Iterator[object]:
    if b"\n" not in data:
        raise HttpBadParameter("no JSON array found in second line")
    head, *rows = _split(data)
    try:
        names = loads_shallow(head)
    except CorruptedJson:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise HttpBadParameter("no JSON string array found in first line")
    return (_row(row.strip(), names, options) for row in rows)


def _row(text: bytes, names: list[str], options: ImportOptions) -> object:
    if not text:
        return EMPTY
    values = _parsed(text)
    if isinstance(values, Unreadable):
        return values
    if not isinstance(values, list):
        return Unreadable("no valid JSON data", _line_text(text))
    short = len(values) < len(names)
    if len(values) > len(names) or (short and not options.ignore_missing):
        return Unreadable("wrong number of JSON values", _line_text(text))
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}
