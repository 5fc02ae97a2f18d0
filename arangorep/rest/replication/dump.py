"""`GET /_api/replication/dump` (leader-api 4): the hot path."""

from __future__ import annotations

from arangorep.errors import (
    CollectionNotFound,
    CorruptionError,
    HttpBadParameter,
    InternalError,
)
from arangorep.leader.batches import Batch
from arangorep.leader.dump import DumpChunk, ended_early, read_chunk
from arangorep.limits import DUMP_CHUNK_BYTES_DEFAULT
from arangorep.pacing import drive
from arangorep.protocol import headers
from arangorep.rest.answer import Answer
from arangorep.rest.context import Request
from arangorep.storage.catalog import Collection


async def handle(request: Request) -> Answer:
    """The next chunk of a collection at a batch.

    Errors: 400/400 (authenticated: 404/1203) without collection; 404/400 without a batchId;
    404/1600 without a known batch; 404/1203; 400/400 while another request reads the same
    collection of the batch; 500/4 when the store cannot be read to the end.
    """
    query = request.query
    name = query.text("collection")
    if not name:
        if request.services.authenticator.enabled:
            raise CollectionNotFound
        raise HttpBadParameter("invalid collection parameter")
    if "batchId" not in query:
        raise HttpBadParameter("replication dump - request misses batchId", http_status=404)
    with request.services.batches.use(query.number("batchId")) as batch:
        answer = _answer(await _read(request, batch, request.collection(name)))
    answer.is_array = query.flag("array")
    request.services.observation.counters.dumped(answer.length)
    return answer


async def _read(request: Request, batch: Batch, collection: Collection) -> DumpChunk:
    query = request.query
    cursor = batch.dump_cursor(collection, query.number("from"))
    if cursor.busy:
        raise HttpBadParameter("replication dump - the collection is being dumped already")
    chunk_bytes = query.number("chunkSize", DUMP_CHUNK_BYTES_DEFAULT)
    envelope = query.flag("useEnvelope", True)
    try:
        chunk = await drive(read_chunk(cursor, collection, chunk_bytes, envelope=envelope))
    except CorruptionError as error:
        raise InternalError(ended_early(error, collection)) from error
    if not chunk.check_more:
        batch.dumps.pop(collection.info.id, None)  # the next request starts from the beginning
    return chunk


def _answer(chunk: DumpChunk) -> Answer:
    return Answer(
        200 if chunk.pieces else 204,
        chunk.pieces,
        headers.DUMP,
        {
            headers.CHECK_MORE: headers.flag(chunk.check_more),
            headers.LAST_INCLUDED: str(chunk.last_revision),
        },
    )
