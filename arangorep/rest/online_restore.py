"""`POST /{collection}/:restore` (backups 2.6): upserts of documents while they come.

Items are stored in pieces of a thousand, each one transaction; with `onError=abort` they are held
and stored by one. Every item is counted, and what could not be stored is named in its place.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from arangorep.backup.items import as_document, without_binary
from arangorep.clock import stopwatch_s
from arangorep.codec.json import Fragment, dumps, dumps_indented, loads_shallow
from arangorep.codec.splitting import (
    ArraySplitter,
    LineSplitter,
    Malformed,
    MessagePackSplitter,
    Splitter,
)
from arangorep.data.collections import create_collection, drop_collection
from arangorep.data.documents import DocumentWriter, Outcomes, WriteOptions, WriteResult
from arangorep.data.transactions import Transaction
from arangorep.errors import (
    ArangoError,
    BadParameter,
    CollectionNotFound,
    CorruptedJson,
    ResourceLimit,
)
from arangorep.limits import (
    BACKUP_LINE_BYTES_MAX,
    RESTORE_BYTES_PER_COMMIT,
    RESTORE_ITEMS_SHOWN,
    RESTORE_ROWS_PER_COMMIT,
    RESTORE_WHOLE_BYTES_MAX,
    WRITE_ROWS_PER_SLICE,
)
from arangorep.pacing import drive, give_turn
from arangorep.protocol import headers
from arangorep.rest.answer import Answer, raw_answer
from arangorep.rest.context import Request
from arangorep.rest.media import Media, media_of
from arangorep.rest.writing import writing
from arangorep.values.account import Level

SPLITTERS: dict[Media, type[ArraySplitter | LineSplitter | MessagePackSplitter]] = {
    Media.JSON: ArraySplitter,
    Media.LINES: LineSplitter,
    Media.MESSAGEPACK: MessagePackSplitter,
}

Members = dict[str, Any]


async def restore(request: Request, name: str) -> Answer:
    """Errors: 400/600 for a body that cannot be read on, telling where, and what was stored before;
    400/10; 404/1203; 403/11, 403/1004; 415/415; with `onError=abort` that of the first item."""
    started_s = stopwatch_s()
    if request.header(headers.TRANSACTION_ID) is not None:
        raise BadParameter("bad parameter: a restore is no part of a transaction")
    wishes = _Wishes.of(request)
    splitter = SPLITTERS[wishes.media](BACKUP_LINE_BYTES_MAX)
    request.check_documents_writable()
    _check_rights(request, name, wishes)
    run = _Whole(request, name, wishes) if wishes.abort else _Pieces(request, name, wishes)
    try:
        await _read(request, splitter, run)
        collection_waits = await run.finish()
    except Malformed as error:
        raise _unreadable(error, splitter, run) from None
    except ArangoError as error:
        error.extra = {**error.extra, "committed": run.tally.counts()}
        raise
    if collection_waits or request.query.flag("waitForSync"):
        await request.services.group_sync.wait()
    run.tally.ignored = splitter.blank
    took_s = round(stopwatch_s() - started_s, 6)
    answer = {**run.tally.counts(), **run.tally.listed(), "took": took_s}
    if request.query.has_flag("pretty"):
        return raw_answer(dumps_indented(loads_shallow(dumps(answer)), 0))
    return raw_answer(dumps(answer))


@dataclass(frozen=True, slots=True)
class _Wishes:
    """Query parameters and form of the body."""

    create_collection: bool
    abort: bool
    media: Media

    @property
    def may_be_binary(self) -> bool:
        """Whether there may be values that JSON has not."""
        return self.media is Media.MESSAGEPACK

    @staticmethod
    def of(request: Request) -> _Wishes:
        on_error = request.query.text("onError", "report")
        if on_error not in ("report", "abort"):
            raise BadParameter("bad parameter: onError is 'report' or 'abort'")
        create = request.query.flag("createCollection", True)
        return _Wishes(create, on_error == "abort", media_of(request.header("Content-Type")))


def _check_rights(request: Request, name: str, wishes: _Wishes) -> None:
    """Before the body is read. Errors: 404/1203; 403/11; 403/1004."""
    if _exists(request, name) or not wishes.create_collection:
        request.writable_collection(name)
        return
    request.check_catalog_writable()
    request.check_collection_level(name, Level.WRITE)
    request.check_not_followed(name)


def _exists(request: Request, name: str) -> bool:
    try:
        request.database.find(name)
    except CollectionNotFound:
        return False
    return True


async def _read(request: Request, splitter: Splitter, run: _Run) -> None:
    async for chunk in request.chunks():
        run.came(len(chunk))
        for number, item in enumerate(splitter.feed(chunk), 1):
            await run.take(item)
            if not number % WRITE_ROWS_PER_SLICE:
                await give_turn()
        await give_turn()
    for item in splitter.finish():
        await run.take(item)


def _unreadable(error: Malformed, splitter: Splitter, run: _Run) -> CorruptedJson:
    """What is wrong where, and what of the body before it is stored."""
    run.tally.ignored = splitter.blank
    counts = run.tally.counts()
    kept = (
        "nothing is stored"
        if not counts["indexed"]
        else f"{counts['indexed']} documents of the body are stored"
    )
    place = {"offset": error.offset, **({"line": error.line} if error.line else {})}
    return CorruptedJson(f"{error}; {kept}", extra={**place, "committed": counts})


# -- counting --------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Tally:
    """The answer's members. What is not listed any more is still counted."""

    total: int = 0
    processed: int = 0
    prepared: int = 0
    created: int = 0
    replaced: int = 0
    ignored: int = 0
    """Blank lines."""
    errors: int = 0
    items: list[Any] = field(default_factory=list)
    errors_listed_late: int = 0
    name_json: bytes = b""

    def stored(self, position: int, result: WriteResult) -> None:
        """An item was written."""
        if result.old_revision:
            self.replaced += 1
        else:
            self.created += 1
        if position < RESTORE_ITEMS_SHOWN:
            identity = b'{"_id":"%b/%b"}' % (self.name_json, result.key.encode())
            self.items.append(Fragment(identity))

    def failed(self, position: int, error: ArangoError) -> None:
        """An item was refused."""
        self.errors += 1
        if position >= RESTORE_ITEMS_SHOWN:
            if self.errors_listed_late >= RESTORE_ITEMS_SHOWN:
                return
            self.errors_listed_late += 1
        self.items.append(
            {
                "position": position,
                "status": error.http_status,
                "type": HTTPStatus(error.http_status).phrase,
                "message": error.message,
                "error": True,
                "errorNum": error.error_num,
                "errorMessage": error.message,
            }
        )

    def counts(self) -> dict[str, int]:
        """The figures."""
        return {
            "total": self.total,
            "processed": self.processed,
            "prepared": self.prepared,
            "indexed": self.created + self.replaced,
            "created": self.created,
            "replaced": self.replaced,
            "ignored": self.ignored,
            "errors": self.errors,
        }

    def listed(self) -> Members:
        """Items in the order of the body, and how many are not among them."""
        return {"items": self.items, "itemsOmitted": self.processed - len(self.items)}


# -- storing ---------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Item:
    """An item on its way: a document, or why it is none."""

    position: int
    document: Members | ArangoError


class _Run(ABC):
    """Takes items; what becomes of them is the matter of the two kinds."""

    def __init__(self, request: Request, name: str, wishes: _Wishes) -> None:
        self._request, self._name, self._wishes = request, name, wishes
        self.tally = _Tally()

    @abstractmethod
    def came(self, size: int) -> None:
        """So many bytes of the body came."""

    @abstractmethod
    async def take(self, item: object) -> None:
        """The next item, as it was sent."""

    @abstractmethod
    async def finish(self) -> bool:
        """The body is whole. Returns whether the collection wants to wait for the disk."""

    def _prepare(self, item: object) -> _Item:
        position = self.tally.total
        self.tally.total += 1
        try:
            plain = without_binary(item) if self._wishes.may_be_binary else item
            return _Item(position, as_document(plain))
        except ArangoError as error:
            return _Item(position, error)

    async def _ensure_collection(self) -> bool:
        """Create the collection if it is missing; returns whether that was needed."""
        request = self._request
        if _exists(request, self._name) or not self._wishes.create_collection:
            return False
        async with request.services.write_lock:
            if _exists(request, self._name):
                return False
            _check_rights(request, self._name, self._wishes)
            create_collection(request.store, request.database, {"name": self._name})
        return True

    async def _store(self, items: list[_Item]) -> bool:
        """One transaction; returns whether the collection wants to wait for the disk."""
        request, tally = self._request, self.tally
        documents = [item.document for item in items if isinstance(item.document, dict)]
        async with writing(request, self._name) as collection:
            transaction = Transaction(request.store, request.database, grouped=True)
            writer = DocumentWriter(transaction, collection, WriteOptions(overwrite_mode="replace"))
            outcomes = await drive(writer.each(documents, writer.insert))
            if self._wishes.abort:
                _raise_first(items, outcomes)
            transaction.commit()
            waits, tally.name_json = collection.info.wait_for_sync, collection.name_json
        tally.processed += len(items)
        tally.prepared += len(documents)
        written = iter(outcomes)
        for number, item in enumerate(items, 1):
            outcome = item.document if isinstance(item.document, ArangoError) else next(written)
            if isinstance(outcome, ArangoError):
                tally.failed(item.position, outcome)
            else:
                tally.stored(item.position, outcome)
            if not number % RESTORE_ROWS_PER_COMMIT:
                await give_turn()
        return waits


def _raise_first(items: list[_Item], outcomes: Outcomes) -> None:
    """Errors: that of the first document that was refused, with its position."""
    good = (item for item in items if isinstance(item.document, dict))
    for item, outcome in zip(good, outcomes, strict=True):
        if isinstance(outcome, ArangoError):
            _raise_at(item.position, outcome)


def _raise_at(position: int, error: ArangoError) -> None:
    error.message = f"{error.message}; item {position}, nothing is stored"
    error.extra = {**error.extra, "position": position}
    raise error


class _Pieces(_Run):
    """Stores what came, piece by piece; failures are counted."""

    def __init__(self, request: Request, name: str, wishes: _Wishes) -> None:
        super().__init__(request, name, wishes)
        self._block: list[_Item] = []
        self._bytes = 0
        self._waits = False
        self._is_there = False

    def came(self, size: int) -> None:
        self._bytes += size

    async def take(self, item: object) -> None:
        self._block.append(self._prepare(item))
        if len(self._block) >= RESTORE_ROWS_PER_COMMIT or self._bytes >= RESTORE_BYTES_PER_COMMIT:
            await self._flush()

    async def finish(self) -> bool:
        await self._flush()
        return self._waits

    async def _flush(self) -> None:
        if not self._is_there:
            await self._ensure_collection()
            self._is_there = True
        block, self._block, self._bytes = self._block, [], 0
        self._waits = await self._store(block)


class _Whole(_Run):
    """Holds everything, as JSON, and stores it by one transaction."""

    def __init__(self, request: Request, name: str, wishes: _Wishes) -> None:
        super().__init__(request, name, wishes)
        self._held: list[bytes] = []
        self._bytes = 0

    def came(self, size: int) -> None:
        pass  # what is gathered is bounded item by item

    async def take(self, item: object) -> None:
        prepared = self._prepare(item)
        if isinstance(prepared.document, ArangoError):
            _raise_at(prepared.position, prepared.document)
        text = dumps(prepared.document)
        self._bytes += len(text)
        if self._bytes > RESTORE_WHOLE_BYTES_MAX:
            raise ResourceLimit(
                f"onError=abort takes up to {RESTORE_WHOLE_BYTES_MAX} bytes of documents",
                http_status=400,
            )
        self._held.append(text)

    async def finish(self) -> bool:
        is_new = await self._ensure_collection()
        try:
            return await self._store(list(self._items()))
        except BaseException:
            if is_new:
                await self._drop_again()
            raise

    def _items(self) -> Iterator[_Item]:
        self._held.reverse()
        position = 0
        while self._held:
            yield _Item(position, loads_shallow(self._held.pop()))
            position += 1

    async def _drop_again(self) -> None:
        """The collection that was created for nothing, unless somebody uses it already."""
        request = self._request
        async with request.services.write_lock:
            found = request.database.named(self._name)
            if found is not None and not found.count:
                drop_collection(request.store, request.database, found, allow_system=False)
