"""`/_api/replication/keys` (leader-api 5)."""

from __future__ import annotations

import re

from arangorep.errors import BadParameter, CursorNotFound, HttpBadParameter, MethodNotAllowed
from arangorep.leader.batches import Batch
from arangorep.leader.keys import chunk_documents, find_chunk, key_chunks
from arangorep.limits import KEYS_CHUNK_DEFAULT, KEYS_CHUNK_MAX, KEYS_CHUNK_MIN, KEYS_QUICK_MAX
from arangorep.pacing import drive
from arangorep.protocol.params import U64_MAX, parse_number
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request
from arangorep.storage.catalog import Collection

KEYS_ID = re.compile(r"([0-9]{2,20})-([0-9]{1,20})")


async def handle(request: Request) -> Answer:
    """POST counts, GET hashes chunks of keys, PUT reads one chunk, DELETE is a courtesy."""
    if request.method == "POST":
        return _count(request)
    if request.method not in ("GET", "PUT", "DELETE"):
        raise MethodNotAllowed
    if len(request.parts) != 2:
        raise HttpBadParameter("expecting /_api/replication/keys/<keysId>")
    if request.method == "DELETE":
        return json_answer({"id": request.parts[1], "error": False, "code": 202}, 202)
    matched = KEYS_ID.fullmatch(request.parts[1])
    if matched is None:
        raise CursorNotFound("cursor not found: malformed keys id")
    with request.services.batches.use(parse_number(matched[1]), long=True) as batch:
        collection = request.collection(matched[2])
        if request.method == "GET":
            return json_answer(await drive(key_chunks(batch, collection, _chunk_size(request))))
        return await _chunk(request, batch, collection)


def _count(request: Request) -> Answer:
    query = request.query
    name = query.text("collection")
    if not name:
        raise HttpBadParameter("invalid collection parameter")
    if query.text("quick") not in ("", "true", "false"):
        raise HttpBadParameter("invalid quick parameter: must be boolean")
    if "batchId" not in query:
        raise CursorNotFound("batchId not specified")
    with request.services.batches.use(query.number("batchId"), long=True) as batch:
        collection = request.collection(name)
        count = batch.snapshot.state(collection).count
    if query.flag("quick") and count > KEYS_QUICK_MAX:
        return json_answer({"count": count})
    return json_answer({"id": f"{batch.id}-{collection.info.id}", "count": count})


def _chunk_size(request: Request) -> int:
    size = request.query.number("chunkSize", KEYS_CHUNK_DEFAULT)
    if size < KEYS_CHUNK_MIN:
        return KEYS_CHUNK_DEFAULT
    return min(size, KEYS_CHUNK_MAX)


async def _chunk(request: Request, batch: Batch, collection: Collection) -> Answer:
    query = request.query
    kind = query.text("type")
    if kind not in ("keys", "docs"):
        raise HttpBadParameter("invalid 'type' value")
    chunk, size = query.number("chunk"), _chunk_size(request)
    if chunk * size > U64_MAX:
        raise BadParameter("bad parameter: the chunk lies beyond the last key")
    positions = await request.json() if kind == "docs" else None
    if kind == "docs" and not isinstance(positions, list):
        raise HttpBadParameter("bad parameter: expecting an array of positions")
    pairs = await drive(find_chunk(batch, collection, chunk, size, query.text("low")))
    if not isinstance(positions, list):
        return json_answer(pairs)
    offset = query.number("offset") if "offset" in query else None
    return json_answer(await drive(chunk_documents(batch, collection, pairs, positions, offset)))
