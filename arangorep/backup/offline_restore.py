"""Restoring one offline file of any kind, ours or Xapiand's, all or nothing (backups 2.2, 6.4).

Documents are loaded aside, together with those that the collection has already; definitions are
gathered. When the file has proved to be whole, one commit puts everything in place, so a damaged
file, a refused document or a crash leave the store as it was.

Documents are upserts by key, and each is looked at by the schema of the collection it goes into.
Computed values are left as they were dumped, and revisions become new.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from arangorep.backup import xapiand
from arangorep.backup.definitions import Definitions
from arangorep.backup.endpoint import Endpoint
from arangorep.backup.items import as_document, without_binary
from arangorep.backup.offline import own_parameters
from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.records import (
    Kind,
    Members,
    RecordReader,
    Section,
    Source,
    is_record_file,
)
from arangorep.backup.target import RestoreRefused, Target
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.transactions import Transaction
from arangorep.errors import ArangoError
from arangorep.limits import FAILURES_SHOWN, RESTORE_ROWS_PER_COMMIT
from arangorep.storage import aside
from arangorep.storage.catalog import Collection
from arangorep.storage.store import Store

T = TypeVar("T")
UPSERT = WriteOptions(overwrite_mode="replace")


@dataclass(slots=True)
class Report:
    """What became of a restore, for people."""

    what: str = ""
    collections: int = 0
    documents: int = 0
    replaced: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    """Of the first documents that could not be stored."""
    warnings: list[str] = field(default_factory=list)


class OfflineRestore:
    """One file into one endpoint. Run `steps` to its end: only then anything has changed.

    With `skip_failed`, documents that cannot be stored are left out. With `force`, a file of a
    server with other parameters is taken.
    """

    def __init__(
        self,
        store: Store,
        source: Source,
        endpoint: Endpoint,
        *,
        skip_failed: bool = False,
        force: bool = False,
    ) -> None:
        self._store, self._source, self._endpoint = store, source, endpoint
        self._skip_failed, self._force = skip_failed, force
        self.report = Report()
        self._target = Target(store, endpoint, self.report.warnings)

    def steps(self) -> Generator[None, None, None]:
        """Works block by block. Errors: `DumpCorrupt`, `RestoreRefused`, those of definitions."""
        try:
            yield from self._read()
            if self.report.failed and not self._skip_failed:
                raise RestoreRefused(f"{self.report.failed} documents cannot be stored")
            self._target.commit()
            self.report.collections = self._target.changed
        finally:
            self._target.close()

    def _read(self) -> Iterator[None]:
        if not self._source.peek(1):
            raise DumpCorrupt("header", "the file is empty")
        if is_record_file(self._source):
            yield from self._records()
        elif xapiand.is_generation_1(self._source):
            self.report.what = "documents of Xapiand"
            yield from self._foreign(xapiand.documents_of_generation_1(self._source))
        elif xapiand.is_generation_2(self._source):
            self.report.what = "documents of Xapiand"
            self.report.warnings.append(
                "the file is a bare stream of MessagePack: nothing in it tells whether it is whole"
            )
            yield from self._foreign(xapiand.documents_of_generation_2(self._source))
        else:
            raise DumpCorrupt("header", "this is no dump that can be restored here")

    def _records(self) -> Iterator[None]:
        reader = RecordReader(self._source)
        self._check(reader.header)
        is_single = _origin(reader.header).get("collection") is not None
        if self._endpoint.collection is not None and not is_single:
            raise DumpCorrupt(
                "header", f"it holds a whole database: restore it into '{self._endpoint.database}/'"
            )
        match reader.kind:
            case Kind.DOCUMENTS:
                self.report.what = "documents"
                yield from self._documents(reader)
            case kind:
                self.report.what = "metadata" if kind is Kind.METADATA else "schema"
                definitions = Definitions(self._store, self._target, kind)
                for frame in reader.frames():
                    definitions.take(frame)
                    yield
                yield from definitions.finish()

    def _check(self, header: Members) -> None:
        """Errors: `RestoreRefused` naming every parameter that differs."""
        stated, own = header.get("parameters"), own_parameters()
        stated = stated if isinstance(stated, dict) else {}
        differing = [
            f"{name} is {stated.get(name)!r} in the file and {own.get(name)!r} here"
            for name in sorted(stated.keys() | own.keys())
            if stated.get(name) != own.get(name)
        ]
        if not differing:
            return
        text = f"the file comes from a server with other parameters: {', '.join(differing)}"
        if not self._force:
            raise RestoreRefused(f"{text}; --force takes it nevertheless")
        self.report.warnings.append(text)

    # -- documents -------------------------------------------------------------------------------

    def _documents(self, reader: RecordReader) -> Iterator[None]:
        into: Collection | None = None
        for frame in reader.frames():
            if isinstance(frame, Section):
                into = yield from self._target.load_aside(self._target.name_of(frame))
            elif into is None:
                raise DumpCorrupt("blocks", "documents without a collection")
            else:
                yield from self._store_all(into, frame)

    def _foreign(self, items: Iterator[object]) -> Iterator[None]:
        if self._endpoint.collection is None:
            raise RestoreRefused("the file does not tell the collection: name it, 'database/name'")
        into = yield from self._target.load_aside(self._endpoint.collection)
        while block := list(islice(items, RESTORE_ROWS_PER_COMMIT)):
            yield from self._store_all(into, block, foreign=True)

    def _store_all(
        self, into: Collection, records: Iterable[object], *, foreign: bool = False
    ) -> Iterator[None]:
        documents: list[Members] = []
        for record in records:
            try:
                documents.append(as_document(without_binary(record) if foreign else record))
            except ArangoError as error:
                self._failed(record, error)
        for start in range(0, len(documents), RESTORE_ROWS_PER_COMMIT):
            self._store_block(into, documents[start : start + RESTORE_ROWS_PER_COMMIT])
            yield

    def _store_block(self, into: Collection, documents: list[Members]) -> None:
        transaction = Transaction(self._store, self._target.database, grouped=False)
        writer = DocumentWriter(transaction, into, UPSERT)
        outcomes = _finish(writer.each(documents, writer.insert))
        for document, outcome in zip(documents, outcomes, strict=True):
            if isinstance(outcome, ArangoError):
                self._failed(document, outcome)
            else:
                self.report.documents += 1
                self.report.replaced += bool(outcome.old_revision)
        transaction.writer(into).finish()
        aside.write(self._store, into, transaction.staged)

    def _failed(self, record: object, error: ArangoError) -> None:
        self.report.failed += 1
        if len(self.report.failures) < FAILURES_SHOWN:
            members = record if isinstance(record, dict) else {}
            key = members.get("_key", members.get("_id"))
            number = self.report.documents + self.report.failed
            self.report.failures.append(
                f"document {number} (key {key!r}): {error.message} ({error.error_num})"
            )


def _origin(header: Members) -> Members:
    found = header.get("origin")
    return found if isinstance(found, dict) else {}


def _finish(work: Generator[None, None, T]) -> T:
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: T = stop.value
            return result
