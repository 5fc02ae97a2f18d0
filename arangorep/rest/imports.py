"""`POST /_api/import` (data-api 7)."""

from __future__ import annotations

from arangorep.codec.json import dumps
from arangorep.data.importing import ImportOptions, import_documents
from arangorep.errors import CollectionParameterMissing, MethodNotAllowed
from arangorep.pacing import drive
from arangorep.protocol.params import Query
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request
from arangorep.rest.negotiation import is_velocypack
from arangorep.rest.writing import sync_if_wanted, writing


async def handle(request: Request) -> Answer:
    """Answers 201 whatever happened to single documents, unless `complete` is set."""
    if request.method != "POST":
        raise MethodNotAllowed
    request.require_parts(0)
    name = request.query.text("collection")
    if not name:
        raise CollectionParameterMissing
    request.check_documents_writable()
    request.collection(name)
    data = await _data(request)
    options = _options(request.query)
    with request.stream() as stream:
        async with writing(request, name, stream, alone=options.overwrite and not stream) as found:
            collection = found
            counts = await drive(
                import_documents(request.store, request.database, collection, data, options, stream)
            )
        await sync_if_wanted(request, collection, stream)
    return json_answer(counts.describe(details=request.query.flag("details")), 201)


async def _data(request: Request) -> bytes:
    """The body as text: of VelocyPack, an array of documents or of rows. Errors: 400/600."""
    if not is_velocypack(request.header("Content-Type")):
        return await request.read_body()
    value = await request.json()
    if request.query.text("type") in ("array", "list", "auto") or not isinstance(value, list):
        return dumps(value)
    return b"\n".join(map(dumps, value))


def _options(query: Query) -> ImportOptions:
    on_duplicate = query.text("onDuplicate", "error")
    return ImportOptions(
        type=query.text("type"),
        on_duplicate=on_duplicate if on_duplicate in ("update", "replace", "ignore") else "error",
        complete=query.flag("complete"),
        overwrite=query.flag("overwrite"),
        ignore_missing=query.flag("ignoreMissing"),
        from_prefix=query.text("fromPrefix"),
        to_prefix=query.text("toPrefix"),
        overwrite_collection_prefix=query.flag("overwriteCollectionPrefix"),
        line_offset=query.number("line"),
        is_validated=not query.flag("skipDocumentValidation"),
    )
