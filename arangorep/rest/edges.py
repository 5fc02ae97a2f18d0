"""`/_api/edges`: the edges of a vertex, found by reading the collection (data-api 9.4)."""

from __future__ import annotations

from collections.abc import Generator

from arangorep.codec.json import Fragment, json_text, loads_shallow
from arangorep.data.reading import row_blocks
from arangorep.data.stream import StreamTransaction
from arangorep.errors import (
    BadParameter,
    CollectionTypeInvalid,
    DocumentHandleBad,
    HttpBadParameter,
    MethodNotAllowed,
)
from arangorep.pacing import drive
from arangorep.rest.answer import Answer, ok
from arangorep.rest.context import Request
from arangorep.storage.catalog import Collection
from arangorep.values.collection import EDGE
from arangorep.values.document import is_handle

MEMBERS = {
    "any": ("_from", "_to"),
    "out": ("_from",),
    "in": ("_to",),
    "undefined": ("_from", "_to"),
}
"""Where a vertex stands, by direction; `undefined` is what arangojs sends for none."""


async def handle(request: Request) -> Answer:
    """`GET` with `vertex`, `POST` with an array of them. Errors: 400/1218, 1205, 10; 405/405."""
    if request.method not in ("GET", "HEAD", "POST"):
        raise MethodNotAllowed
    request.require_parts(1)
    collection = request.collection(request.parts[0])
    if collection.info.type != EDGE:
        raise CollectionTypeInvalid
    members = MEMBERS.get(request.query.text("direction", "any"))
    if members is None:
        raise BadParameter("bad parameter: direction must be any, in or out")
    vertices = await _vertices(request)
    with request.stream() as stream:
        rows, scanned = await drive(_matching(request, collection, vertices, members, stream))
    stats = {"scannedIndex": 0, "scannedFull": scanned, "filtered": scanned - len(rows)}
    return ok({"edges": Fragment(b"[" + b",".join(rows) + b"]"), "stats": stats})


async def _vertices(request: Request) -> frozenset[str]:
    """Errors: 400/400 for a body that is no array; 400/1205 for what is no handle."""
    found: object = [request.query.text("vertex")]
    if request.method == "POST":
        found = await request.json()
    if not isinstance(found, list):
        raise HttpBadParameter("bad parameter: expecting an array of vertices")
    if not all(is_handle(vertex) for vertex in found):
        raise DocumentHandleBad
    return frozenset(found)


def _matching(
    request: Request,
    collection: Collection,
    vertices: frozenset[str],
    members: tuple[str, ...],
    stream: StreamTransaction | None,
) -> Generator[None, None, tuple[list[bytes], int]]:
    """Rows of the edges, and how many were looked at."""
    needles = [json_text(vertex) for vertex in vertices]
    rows: list[bytes] = []
    scanned = 0
    for block in row_blocks(request.store, collection, stream):
        scanned += len(block)
        for row in block:
            # only what mentions a vertex is worth parsing
            if any(needle in row for needle in needles):
                edge = loads_shallow(row)
                if any(edge[member] in vertices for member in members):
                    rows.append(row)
        yield
    return rows, scanned
