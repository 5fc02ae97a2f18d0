"""`/_api/document` (data-api 6): one document or an array of them, as one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from arangorep.codec.json import dumps, json_text
from arangorep.data.bulk import InsertedBlock
from arangorep.data.cutting import CutBlock
from arangorep.data.documents import (
    DocumentWriter,
    Operation,
    Outcomes,
    WriteOptions,
    WriteResult,
    check_revision,
    read_document,
)
from arangorep.data.rules import Rules
from arangorep.data.stream import StreamTransaction
from arangorep.data.transactions import Transaction, takes_blocks
from arangorep.errors import (
    ArangoError,
    CollectionNotFound,
    CollectionParameterMissing,
    Conflict,
    DocumentTypeInvalid,
    HttpBadParameter,
    MethodNotAllowed,
    SuperfluousSuffices,
)
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.pacing import drive
from arangorep.protocol import headers
from arangorep.protocol.params import Query
from arangorep.rest.answer import Answer, json_answer, raw_answer
from arangorep.rest.context import Request
from arangorep.rest.negotiation import is_velocypack
from arangorep.rest.writing import writing
from arangorep.storage.catalog import Collection
from arangorep.storage.rows import identities, row_revision
from arangorep.storage.store import Store
from arangorep.values.document import key_of
from arangorep.values.key_generator import KeyOptions
from arangorep.values.revision import REVISION_MAX, parse_revision, revision_text
from arangorep.values.revision_arrays import encode_range

OVERWRITE_MODES = frozenset({"ignore", "replace", "update", "conflict"})


async def handle(request: Request) -> Answer:
    """Insert, read, replace, update and remove documents."""
    if headers.TRANSACTION_ID not in request.headers:
        # nothing is asked for as often as one document
        return _read(request, None) if request.method == "GET" else await _handle(request, None)
    with request.stream() as stream:
        return await _handle(request, stream)


async def _handle(request: Request, stream: StreamTransaction | None) -> Answer:
    match request.method:
        case "GET" | "HEAD":
            return _read(request, stream)
        case "POST":
            return await _insert(request, stream)
        case "PUT" if "onlyget" in request.query:
            return await _read_many(request, stream)
        case "PUT" | "PATCH":
            return await _modify(request, stream)
        case "DELETE":
            return await _remove(request, stream)
    raise MethodNotAllowed


# -- reading -----------------------------------------------------------------------------------


def _read(request: Request, stream: StreamTransaction | None) -> Answer:
    parts = request.parts
    if len(parts) > 2:
        raise SuperfluousSuffices("expecting GET /_api/document/<collection>/<key>")
    if len(parts) < 2:
        if request.method == "HEAD":
            raise HttpBadParameter
        raise CollectionNotFound
    collection = request.collection(parts[0])
    row = read_document(request.store, collection, parts[1], stream)
    revision, given = row_revision(row), request.headers
    etag = {"etag": f'"{revision}"'}
    not_wanted = given.get("If-None-Match")
    if not_wanted is not None and _revision_in(not_wanted) == parse_revision(revision):
        return Answer(304, content_type=headers.TEXT, headers=etag)
    wanted = given.get("If-Match")
    if wanted is not None and _revision_in(wanted) != parse_revision(revision):
        _precondition_failed(collection, parts[1], parse_revision(revision), wanted)
    if headers.DIRTY_READ in given:
        etag[headers.POTENTIAL_DIRTY_READ] = "true"
    return Answer(200, [row], headers=etag)


def _unquote(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    return text


def _revision_in(text: str) -> int:
    revision = parse_revision(_unquote(text))
    return -1 if revision == REVISION_MAX else revision


def _precondition_failed(collection: Collection, key: str, current: int, wanted: str) -> None:
    try:
        check_revision(collection, key, current, _unquote(wanted))
    except Conflict as error:
        _as_failed_precondition(error)
        raise


def _as_failed_precondition(error: Conflict) -> None:
    """412 for a revision that does not match; a claim of a transaction stays 409."""
    if "_rev" not in error.extra:
        return
    error.http_status = 412
    error.headers = {"etag": f'"{error.extra["_rev"]}"'}


async def _read_many(request: Request, stream: StreamTransaction | None) -> Answer:
    request.require_parts(1)
    collection = request.collection(request.parts[0])
    items = await request.documents()
    if not isinstance(items, list):
        raise DocumentTypeInvalid
    ignore_revisions = request.query.flag("ignoreRevs", True)
    rows = await drive(
        _lookups(request.store, collection, items, stream, ignore_revisions=ignore_revisions)
    )
    return _array_answer(rows, 200)


def _lookups(
    store: Store,
    collection: Collection,
    items: list[object],
    stream: StreamTransaction | None,
    *,
    ignore_revisions: bool,
) -> Generator[None, None, _Items]:
    found = _Items()
    for number, item in enumerate(items):
        try:
            key = key_of(item)
            row = read_document(store, collection, key, stream)
            given = item.get("_rev") if isinstance(item, dict) else None
            if not ignore_revisions and given is not None:
                check_revision(collection, key, parse_revision(row_revision(row)), given)
            found.rows.append(row)
        except ArangoError as error:
            found.fail(error)
        if number % WRITE_ROWS_PER_SLICE == 0:
            yield
    return found


# -- writing -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What the client wants to see of a write."""

    return_new: bool = False
    return_old: bool = False
    silent: bool = False
    wait_for_sync: bool = False

    @staticmethod
    def of(query: Query, collection: Collection) -> _Wishes:
        return _Wishes(
            return_new=query.flag("returnNew"),
            return_old=query.flag("returnOld"),
            silent=query.flag("silent"),
            wait_for_sync=query.flag("waitForSync") or collection.info.wait_for_sync,
        )


async def _insert(request: Request, stream: StreamTransaction | None) -> Answer:
    parts = request.parts
    if len(parts) > 1:
        raise SuperfluousSuffices(
            "superfluous suffix, expecting POST /_api/document?collection=<identifier>"
        )
    name = parts[0] if parts else request.query.text("collection")
    if not name:
        raise CollectionParameterMissing
    request.check_documents_writable()
    collection = request.collection(name)
    cut = None if stream is not None else await _cut_body(request, collection)
    body = cut or await request.documents()
    if not isinstance(body, (dict, list, CutArray)):
        raise DocumentTypeInvalid
    return await _write(request, stream, name, body, "insert", _options(request.query))


@dataclass(frozen=True, slots=True)
class CutArray:
    """A body whose documents a worker has parsed and cut."""

    blocks: list[CutBlock]
    options: KeyOptions


async def _cut_body(request: Request, collection: Collection) -> CutArray | None:
    """None when the body is to be parsed here, as for whatever takes no blocks."""
    info = collection.info
    if is_velocypack(request.header("Content-Type")) or Rules.apply_to(info):
        return None
    if not takes_blocks(collection):
        return None
    blocks = await request.services.cutter.cut(await request.read_body(), info.key_options)
    return None if blocks is None else CutArray(blocks, info.key_options)


async def _modify(request: Request, stream: StreamTransaction | None) -> Answer:
    parts = request.parts
    if len(parts) not in (1, 2):
        raise HttpBadParameter("bad parameter: expecting a collection, or a collection and a key")
    request.check_documents_writable()
    request.collection(parts[0])
    body = await request.documents()
    operation = "replace" if request.method == "PUT" else "update"
    options = _options(request.query)
    if len(parts) == 1 and not isinstance(body, list):
        raise DocumentTypeInvalid
    if len(parts) == 2:
        if not isinstance(body, dict):
            raise DocumentTypeInvalid
        body = {**body, "_key": parts[1]}
        options = _with_precondition(request, body, options)
    return await _write(request, stream, parts[0], body, operation, options)


async def _remove(request: Request, stream: StreamTransaction | None) -> Answer:
    parts = request.parts
    request.check_documents_writable()
    if len(parts) not in (1, 2):
        raise HttpBadParameter("bad parameter: expecting a collection, or a collection and a key")
    request.collection(parts[0])
    options = _options(request.query)
    if len(parts) == 2:
        item: dict[str, Any] = {"_key": parts[1]}
        options = _with_precondition(request, item, options)
        return await _write(request, stream, parts[0], item, "remove", options)
    body = await request.documents()
    if isinstance(body, dict):
        body = [body]
    if not isinstance(body, list):
        raise HttpBadParameter("Request body not parseable")
    return await _write(request, stream, parts[0], body, "remove", options)


def _options(query: Query) -> WriteOptions:
    mode = query.text("overwriteMode")
    if mode not in OVERWRITE_MODES:
        mode = "replace" if query.flag("overwrite") else ""
    return WriteOptions(
        overwrite_mode=mode,
        keep_null=query.flag("keepNull", True),
        merge_objects=query.flag("mergeObjects", True),
        ignore_revisions=query.flag("ignoreRevs", True),
        version_attribute=query.text("versionAttribute"),
        is_validated=not query.flag("skipDocumentValidation"),
    )


def _with_precondition(
    request: Request, document: dict[str, Any], options: WriteOptions
) -> WriteOptions:
    """Put `If-Match` into the document: it overrides the body's `_rev` and forces the check."""
    wanted = request.header("If-Match")
    if wanted is None:
        return options
    document["_rev"] = _unquote(wanted)
    return replace(options, overwrite_mode="", ignore_revisions=False)


async def _write(
    request: Request,
    stream: StreamTransaction | None,
    name: str,
    body: Any,
    operation: str,
    options: WriteOptions,
) -> Answer:
    """Run one or many operations as one transaction and describe what became of them."""
    services = request.services
    many = isinstance(body, (list, CutArray))
    async with writing(request, name, stream) as collection:
        wishes = _Wishes.of(request.query, collection)
        transaction = stream or Transaction(services.store, request.database, grouped=many)
        writer = DocumentWriter(transaction, collection, options)
        run: Operation = getattr(writer, operation)
        outcomes: Outcomes | WriteResult
        if isinstance(body, CutArray):
            outcomes = await drive(writer.insert_each(body.blocks, body.options))
        elif many:
            outcomes = await drive(writer.each(body, run))
        else:
            outcomes = _run_single(run, body)
        if stream is None:
            transaction.commit()
        elif wishes.wait_for_sync:
            stream.wait_for_sync = True
            wishes = replace(wishes, wait_for_sync=False)
        # as it is now: the collection may be renamed while the answer waits for the disk
        name, name_json = collection.info.name, collection.name_json
    failed = isinstance(outcomes, Outcomes) and outcomes.all_failed
    if wishes.wait_for_sync and not failed:
        await services.group_sync.wait()
    status = _status(operation, wishes, failed)
    if isinstance(outcomes, Outcomes):
        return await _describe_many(name_json, outcomes, wishes, status)
    return _describe_single(request, name, outcomes, wishes, status)


def _run_single(run: Operation, body: object) -> WriteResult:
    try:
        return run(body)
    except Conflict as error:
        _as_failed_precondition(error)
        raise


def _status(operation: str, wishes: _Wishes, failed: bool) -> int:
    if not wishes.wait_for_sync or failed:
        return 202
    return 200 if operation == "remove" else 201


def _describe_single(
    request: Request, name: str, outcome: WriteResult, wishes: _Wishes, status: int
) -> Answer:
    if wishes.silent:
        return json_answer({}, status)
    database = quote(request.database_name)
    location = f"/_db/{database}/_api/document/{quote(name, safe='')}/{quote(outcome.key, safe='')}"
    extra = {"etag": f'"{revision_text(outcome.revision)}"', "location": location}
    return raw_answer(_item(json_text(name), outcome, wishes), status, extra)


def _item(name_json: bytes, result: WriteResult, wishes: _Wishes) -> bytes:
    """One write's answer: identity, and what was asked for."""
    key = result.key.encode()
    item = b'{"_id":"%b/%b","_key":"%b","_rev":"%b"' % (
        name_json,
        key,
        key,
        revision_text(result.revision).encode(),
    )
    if result.old_revision:
        item += b',"_oldRev":"%b"' % revision_text(result.old_revision).encode()
    if wishes.return_new and result.new is not None:
        item += b',"new":' + result.new
    if wishes.return_old and result.old is not None:
        item += b',"old":' + result.old
    return item + b"}"


@dataclass(slots=True)
class _Items:
    """The items of an array answer and how often which error occurred."""

    rows: list[bytes] = field(default_factory=list)
    errors: Counter[int] = field(default_factory=Counter)

    def fail(self, error: ArangoError) -> None:
        self.errors[error.error_num] += 1
        self.rows.append(
            dumps({"error": True, "errorNum": error.error_num, "errorMessage": error.message})
        )


async def _describe_many(
    name_json: bytes, outcomes: Outcomes, wishes: _Wishes, status: int
) -> Answer:
    items = await drive(_describe_each(name_json, outcomes, wishes))
    if wishes.silent and not items.errors:
        return json_answer({}, status)
    return _array_answer(items, status)


def _describe_each(
    name_json: bytes, outcomes: Outcomes, wishes: _Wishes
) -> Generator[None, None, _Items]:
    items = _Items()
    for part in outcomes.parts:
        if isinstance(part, InsertedBlock):
            items.rows += _describe_block(name_json, part, wishes)
        else:
            for outcome in part:
                if isinstance(outcome, ArangoError):
                    items.fail(outcome)
                elif not wishes.silent:
                    items.rows.append(_item(name_json, outcome, wishes))
        yield
    return items


def _describe_block(name_json: bytes, block: InsertedBlock, wishes: _Wishes) -> list[bytes]:
    if wishes.silent:
        return []
    revisions = encode_range(block.revisions)
    if not wishes.return_new:
        return [identities(block.names, name_json, revisions)]
    return [
        b'%b,"new":%b}' % (identities([name], name_json, [revision])[:-1], row)
        for name, revision, row in zip(block.names, revisions, block.rows, strict=True)
    ]


def _array_answer(items: _Items, status: int) -> Answer:
    extra = {}
    if items.errors:
        codes = {str(number): count for number, count in items.errors.items()}
        extra[headers.ERROR_CODES] = dumps(codes).decode()
    return raw_answer(b"[" + b",".join(items.rows) + b"]", status, extra)
