"""`/_api/replication/revisions/{tree,ranges,documents}` (leader-api 6), and `differences`."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager

import numpy as np

from arangorep.codec.json import dumps
from arangorep.errors import (
    HttpBadParameter,
    InternalError,
    MethodNotAllowed,
    NotImplementedHere,
)
from arangorep.leader.batches import Batch
from arangorep.leader.revisions import (
    differing_revisions,
    documents_of_revisions,
    revisions_in_ranges,
)
from arangorep.limits import (
    REVISION_BLOCKS_PER_QUESTION_MAX,
    REVISION_DOCUMENTS_BYTES_MAX,
    SCAN_ROWS_MAX,
)
from arangorep.pacing import drive
from arangorep.protocol import headers
from arangorep.protocol.differences import read_question
from arangorep.protocol.revision_tree import encode_full_tree, encode_tree
from arangorep.rest.answer import Answer, no_content
from arangorep.rest.context import Request
from arangorep.storage.catalog import Collection
from arangorep.values.revision import (
    REVISION_LOWER_BOUND,
    REVISION_MAX,
    decode_hlc,
    encode_hlc,
    parse_revision,
    revision_text,
)
from arangorep.values.revision_arrays import encode_many
from arangorep.values.revision_tree import RevisionTree


async def handle(request: Request) -> Answer:
    """Errors: 405/405 for an unknown word or method."""
    word = request.parts[1] if len(request.parts) > 1 else ""
    match request.method, word:
        case "GET", "tree":
            return await _tree(request)
        case "POST", "tree":
            return await _rebuild(request)
        case "PUT", "ranges":
            return await _ranges(request)
        case "PUT", "differences":
            return await _differences(request)
        case "PUT", "documents":
            return await _documents(request)
    raise MethodNotAllowed


def _collection(request: Request) -> Collection:
    """Errors in this order: 400/400, 404/1203, 501/9."""
    query = request.query
    name = query.text("collection")
    if not name:
        raise HttpBadParameter("invalid collection parameter")
    if "batchId" not in query:
        raise HttpBadParameter("batchId not specified")
    collection = request.collection(name)
    if not collection.info.sync_by_revision:
        raise NotImplementedHere("collection does not support revision-based replication")
    return collection


def _batch(request: Request) -> AbstractContextManager[Batch]:
    return request.services.batches.use(request.query.number("batchId"), long=True)


# -- tree --------------------------------------------------------------------------------------


async def _tree(request: Request) -> Answer:
    collection = _collection(request)
    populated = request.query.flag("onlyPopulated")
    with _batch(request) as batch:
        batch.snapshot.used.add(collection.info.id)
        tree = batch.snapshot.state(collection).tree
        if not request.query.flag("verification"):
            return Answer(pieces=_encode(tree, populated))
        computed = await drive(_computed_tree(batch, collection))
    equal = b"true" if not computed.difference(tree) else b"false"
    return Answer(
        pieces=[
            b'{"computed":',
            *_encode(computed, populated),
            b',"stored":',
            *_encode(tree, populated),
            b',"equal":',
            equal,
            b"}",
        ]
    )


def _encode(tree: RevisionTree, populated: bool) -> list[bytes]:
    return [encode_tree(tree)] if populated else encode_full_tree(tree)


def _computed_tree(batch: Batch, collection: Collection) -> Generator[None, None, RevisionTree]:
    """The tree of the documents that the snapshot really holds."""
    tree = RevisionTree()
    start = 0
    while start <= REVISION_MAX:
        found = batch.snapshot.revisions(collection, start, REVISION_MAX, SCAN_ROWS_MAX)
        tree.insert(found)
        if len(found) < SCAN_ROWS_MAX:
            break
        start = found[-1] + 1
        yield
    return tree


async def _rebuild(request: Request) -> Answer:
    """`POST tree`: build the live tree anew from the documents.

    The batch id is needed but not looked at: the shell sends 42 (revision tree, section 10.2).
    """
    collection = _collection(request)
    async with request.services.write_lock:
        if not await drive(request.store.rebuild_tree(collection)):
            raise InternalError("internal error: the collection was dropped meanwhile")
    return no_content()


# -- ranges and documents ------------------------------------------------------------------------


def _texts(request: Request) -> tuple[Callable[[int], str], Callable[[str], int]]:
    """How revisions are written and read in this request."""
    if request.query.flag("encodeAsHLC"):
        return encode_hlc, decode_hlc
    return revision_text, parse_revision


async def _ranges(request: Request) -> Answer:
    query = request.query
    resume = _resume(request)
    collection = _collection(request)
    with _batch(request) as batch:
        ranges = _parse_ranges(await request.json())
        if "resume" not in query and "resumeHLC" not in query:
            resume = ranges[0][0]
        found = await drive(revisions_in_ranges(batch, collection, ranges, resume))
    write, _ = _texts(request)
    pieces = [b'{"ranges":[', b",".join(_json_texts(inner, write) for inner in found.ranges), b"]"]
    if found.resume is not None:
        texts = revision_text(found.resume), encode_hlc(found.resume)
        pieces.append(b',"resume":"%b","resumeHLC":"%b"' % tuple(map(str.encode, texts)))
    return Answer(pieces=[*pieces, b"}"])


def _json_texts(revisions: list[int], write: Callable[[int], str]) -> bytes:
    """An array of revisions as texts; those of this century go the fast way."""
    if revisions and revisions[0] >= REVISION_LOWER_BOUND:
        texts = encode_many(np.array(revisions, dtype=np.uint64))
        return b'["' + b'","'.join(texts) + b'"]'
    return dumps([write(revision) for revision in revisions])


async def _differences(request: Request) -> Answer:
    """An extension between arangorep servers (`protocol.differences`). Errors: 400/400."""
    collection = _collection(request)
    with _batch(request) as batch:
        question = read_question(await request.read_body(), REVISION_BLOCKS_PER_QUESTION_MAX)
        is_whole = request.query.flag("whole")
        found = await drive(differing_revisions(batch, collection, question, is_whole=is_whole))
    return Answer(pieces=[found.pack()], content_type=headers.BINARY)


def _resume(request: Request) -> int:
    """Errors: 400/400 for text that is no revision."""
    query = request.query
    if "resumeHLC" in query:
        resume = decode_hlc(query.text("resumeHLC"))
    else:
        resume = parse_revision(query.text("resume"))
    if resume == REVISION_MAX:
        raise HttpBadParameter("bad parameter: the resume value is not a revision")
    return resume


def _parse_ranges(body: object) -> list[tuple[int, int]]:
    """Errors: 400/400 unless pairs of revisions, left below right, ascending, not overlapping."""
    if not isinstance(body, list) or not body:
        raise HttpBadParameter("bad parameter: the body must be an array of ranges")
    ranges: list[tuple[int, int]] = []
    for pair in body:
        if not isinstance(pair, list) or len(pair) != 2:
            raise HttpBadParameter("bad parameter: a range is an array of two revisions")
        left, right = (_revision(text, decode_hlc) for text in pair)
        if left >= right or (ranges and left < ranges[-1][1]):
            raise HttpBadParameter("bad parameter: ranges must be ascending and not overlap")
        ranges.append((left, right))
    return ranges


def _revision(text: object, read: Callable[[str], int]) -> int:
    revision = read(text) if isinstance(text, str) else REVISION_MAX
    if revision == REVISION_MAX:
        raise HttpBadParameter("bad parameter: not a revision")
    return revision


async def _documents(request: Request) -> Answer:
    collection = _collection(request)
    with _batch(request) as batch:
        body = await request.json()
        if not isinstance(body, list):
            raise HttpBadParameter("bad parameter: the body must be an array of revisions")
        _, read = _texts(request)
        revisions = [_revision(text, read) for text in body]
        chunk_bytes = request.query.number("chunkSize", REVISION_DOCUMENTS_BYTES_MAX)
        rows = await drive(documents_of_revisions(batch, collection, revisions, chunk_bytes))
    return Answer(pieces=_json_array(rows))


def _json_array(rows: list[bytes]) -> list[bytes]:
    if not rows:
        return [dumps([])]
    pieces = [b"," + b",".join(rows[i : i + 1000]) for i in range(0, len(rows), 1000)]
    pieces[0] = b"[" + pieces[0][1:]
    return [*pieces, b"]"]
