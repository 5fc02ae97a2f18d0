"""`/{collection}/:dump` and `/{collection}/:restore`, as Xapiand has them (backups 2.5, 2.6).

A dump is the documents of one moment, streamed from a snapshot. Errors have Xapiand's members
beside ArangoDB's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from arangorep.codec import msgpack
from arangorep.codec.json import dumps_indented, loads_shallow
from arangorep.errors import ArangoError, BadParameter, HttpBadParameter, MethodNotAllowed
from arangorep.limits import ENCODED_ROWS_PER_SLICE, SCAN_ROWS_MAX
from arangorep.protocol import headers
from arangorep.rest.answer import Answer
from arangorep.rest.context import Request
from arangorep.rest.media import Media, chosen_media
from arangorep.rest.online_restore import restore
from arangorep.storage.catalog import Collection
from arangorep.storage.rows import renamer
from arangorep.storage.store import Store
from arangorep.values.names import normalize_name

DUMP: Final = ":dump"
RESTORE: Final = ":restore"
COUNT: Final = "x-arangorep-count"


def is_online(last_part: str) -> bool:
    """Whether a path that ends so, and that nobody else answers, is for `handle`."""
    return last_part in (DUMP, RESTORE)


async def handle(request: Request) -> Answer:
    """Errors: 400/400 unless exactly one collection is named; 405/405."""
    *names, word = request.parts
    try:
        if len(names) != 1 or not names[0]:
            raise HttpBadParameter(f"bad parameter: expecting one collection in front of {word}")
        methods = ("GET", "HEAD", "POST") if word == DUMP else ("POST",)
        if request.method not in methods:
            raise MethodNotAllowed
        run: Callable[[Request, str], Awaitable[Answer]] = dump if word == DUMP else restore
        return await run(request, normalize_name(names[0]))
    except ArangoError as error:
        in_its_form(error)
        raise


def in_its_form(error: ArangoError) -> None:
    """Give an error Xapiand's members. Twice does no harm."""
    phrase = HTTPStatus(error.http_status).phrase
    own = {"status": error.http_status, "type": phrase, "message": error.message}
    error.extra = {**own, **error.extra}


async def dump(request: Request, name: str) -> Answer:
    """All documents of this moment. Errors: 404/1203; 403/11; 406/406; 400/10."""
    for header in (headers.ASYNC, headers.TRANSACTION_ID):
        if request.header(header) is not None:
            raise BadParameter(f"bad parameter: a dump does not go with {header}")
    collection = request.collection(name)
    chosen = chosen_media(request.header("Accept"), request.header("Content-Type"))
    pretty = request.query.has_flag("pretty")
    stream = DocumentStream(request.store, collection, chosen.media, pretty=pretty)
    answer = Answer(content_type=chosen.content_type, stream=stream)
    answer.headers[headers.LAST_INCLUDED] = str(stream.tick)
    answer.headers[COUNT] = str(stream.count)
    return answer


class DocumentStream:
    """The body of a dump, made while it is sent.

    A class and no generator: it is closed also when nothing was ever asked of it, and the snapshot
    is released in any case.
    """

    def __init__(self, store: Store, collection: Collection, media: Media, *, pretty: bool) -> None:
        self._store, self._collection = store, collection
        self._media, self._pretty = media, pretty
        self._snapshot = store.snapshot()
        self.tick = store.log.last_tick
        self.count = self._snapshot.state(collection).count
        self._scan = self._snapshot.scan(collection)
        # parsing and writing a row costs some ten times as much as copying it
        is_copied = media is not Media.MESSAGEPACK and not pretty
        self._rows = SCAN_ROWS_MAX if is_copied else 2 * ENCODED_ROWS_PER_SLICE
        self._begun = self._ended = False

    def __aiter__(self) -> DocumentStream:
        return self

    async def __anext__(self) -> bytes:
        """Errors: `CorruptionError`; 404/1600 when the collection was dropped."""
        if self._ended:
            raise StopAsyncIteration
        rows = self._scan.take(self._rows)
        if self._collection.info.renamed:
            rows = list(map(renamer(self._collection.name_json), rows))
        front = b"" if self._begun else self._front()
        if rows:
            piece = front + self._encoded(rows)
            self._begun = True
            return piece
        self._ended = True
        if self._media is Media.JSON:
            return front + (b"\n]\n" if self._pretty and self._begun else b"]")
        if not front:
            raise StopAsyncIteration
        return front

    async def aclose(self) -> None:
        """Release what is pinned. Twice does no harm."""
        self._ended = True
        self._store.release(self._snapshot)

    def _front(self) -> bytes:
        match self._media:
            case Media.JSON:
                return b"["
            case Media.MESSAGEPACK:
                return msgpack.array_header(self.count)
        return b""

    def _encoded(self, rows: list[bytes]) -> bytes:
        if self._media is Media.LINES:
            return b"\n".join(rows) + b"\n"
        if self._media is Media.MESSAGEPACK:
            return b"".join(msgpack.pack(loads_shallow(row)) for row in rows)
        if self._pretty:
            indented = (dumps_indented(loads_shallow(row), 1) for row in rows)
            return (b",\n" if self._begun else b"\n") + b",\n".join(indented)
        return (b"," if self._begun else b"") + b",".join(rows)
