"""`Leader`: the requests a follower sends, and the checks of what comes back.

The sequence of paths, parameters and headers is that of a real follower, so that any leader of
version 3.8 and later understands it. Source: follower 1 to 6.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from arangorep.codec.json import dumps, loads
from arangorep.errors import (
    ArangoError,
    CursorNotFound,
    InvalidResponse,
    LeaderError,
    LeaderIncompatible,
    NoResponse,
    NotImplementedHere,
    ReplicationLoop,
)
from arangorep.follower.progress import Progress
from arangorep.follower.transport import Response, Transport
from arangorep.limits import LEADER_RETRIES, LEADER_RETRY_WAIT_S
from arangorep.protocol import headers
from arangorep.protocol.params import parse_number
from arangorep.protocol.revision_tree import decode_tree
from arangorep.values.revision import (
    REVISION_MAX,
    decode_hlc,
    encode_hlc,
    parse_revision,
    revision_text,
)
from arangorep.values.revision_tree import RevisionTree, RevisionTreeError

Sleep = Callable[[float], Awaitable[object]]
Params = list[tuple[str, str]]
Range = tuple[int, int]

SOURCE = "X-Arango-Source"
ERROR_TEXT_MAX = 500
MAJOR = "3"


@dataclass(frozen=True, slots=True)
class LeaderState:
    """Who the leader is. `features` are extensions that only this server announces."""

    server_id: int
    version: str
    engine: str
    last_tick: int
    features: frozenset[str]


@dataclass(frozen=True, slots=True)
class BatchHandle:
    """A batch on the leader: its id and the tick of its snapshot."""

    id: str
    tick: int


@dataclass(frozen=True, slots=True)
class DumpChunk:
    """Lines of a dump, and from where to go on."""

    body: bytes
    last_included: int
    check_more: bool


@dataclass(frozen=True, slots=True)
class TailChunk:
    """Lines of the log with the numbers of the headers."""

    body: bytes
    check_more: bool
    last_included: int
    last_scanned: int
    last_tick: int
    from_present: bool


class Leader:
    """One leader as seen from one database. Errors of all requests: 500/1400, 1401, 1402."""

    def __init__(
        self, transport: Transport, database: str, own_id: int, progress: Progress, sleep: Sleep
    ) -> None:
        self._transport = transport
        self._prefix = f"/_db/{quote(database, safe='')}"
        self._own_id = own_id
        self._progress = progress
        self._sleep = sleep
        self.state: LeaderState | None = None

    def in_database(self, database: str) -> Leader:
        """The same leader, asked below another database."""
        other = Leader(self._transport, database, self._own_id, self._progress, self._sleep)
        other.state = self.state
        return other

    def has(self, feature: str) -> bool:
        """Whether the leader announced an extension."""
        return self.state is not None and feature in self.state.features

    async def close(self) -> None:
        """Release the connections."""
        await self._transport.close()

    # -- one request ------------------------------------------------------------

    async def _call(
        self,
        method: str,
        path: str,
        params: Params,
        body: bytes | None = None,
        extra: dict[str, str] | None = None,
        *,
        retries: int = 0,
        wait_s: float = LEADER_RETRY_WAIT_S,
    ) -> Response:
        """Errors: 500/1400 after the last try; 500/1402 for a status of 400 and above."""
        target = f"{self._prefix}{path}"
        if params:
            target += "?" + urlencode(params)
        sent = {SOURCE: str(self._own_id), **(extra or {})}
        progress = self._progress
        while True:
            progress.requests += 1
            try:
                response = await self._transport.send(method, target, sent, body)
                break
            except NoResponse:
                progress.failed_requests += 1
                if not retries:
                    raise
                retries -= 1
            await self._sleep(wait_s)
        if response.status >= 400:
            raise _leader_error(method, target, response)
        return response

    def _own(self) -> tuple[str, str]:
        return ("serverId", str(self._own_id))

    # -- who it is ------------------------------------------------------------

    async def fetch_state(self) -> LeaderState:
        """`logger-state`. Errors also: 500/1401, 1403, 1405."""
        response = await self._call(
            "GET", "/_api/replication/logger-state", [self._own()], retries=1, wait_s=0.5
        )
        return self._take_state(_object(response))

    def _take_state(self, value: dict[str, Any]) -> LeaderState:
        state, server = value.get("state"), value.get("server")
        if not isinstance(state, dict) or not isinstance(server, dict):
            raise InvalidResponse("invalid response: the leader's state lacks 'state' or 'server'")
        last_tick = _tick(state, "lastLogTick")
        server_id = _tick(server, "serverId")
        version = _text(server, "version")
        if version.partition(".")[0] != MAJOR:
            raise LeaderIncompatible(f"leader incompatible: version {version}")
        if server_id == self._own_id:
            raise ReplicationLoop(
                f"loop detected: the leader has this server's own id {self._own_id}"
            )
        features = server.get("features", [])
        self.state = LeaderState(
            server_id,
            version,
            engine=str(server.get("engine", "unknown")),
            last_tick=last_tick,
            features=frozenset(f for f in features if isinstance(f, str))
            if isinstance(features, list)
            else frozenset(),
        )
        return self.state

    # -- batch and inventory ------------------------------------------------------------

    async def create_batch(self, ttl_s: float, *, with_state: bool) -> BatchHandle:
        """A snapshot on the leader; `state` is filled too."""
        params = [self._own()]
        if with_state:
            params.append(("state", "true"))
        body = dumps({"ttl": int(ttl_s)})
        response = await self._call(
            "POST", "/_api/replication/batch", params, body, retries=LEADER_RETRIES
        )
        answer = _object(response)
        batch = BatchHandle(_text(answer, "id"), _tick(answer, "lastTick"))
        if with_state:
            state = answer.get("state")
            if isinstance(state, dict):
                self._take_state(state)
            else:
                await self.fetch_state()
        return batch

    async def extend_batch(self, batch: BatchHandle, ttl_s: float) -> None:
        """Prolong the batch."""
        path = f"/_api/replication/batch/{batch.id}"
        await self._call("PUT", path, [self._own()], dumps({"ttl": int(ttl_s)}))

    async def delete_batch(self, batch: BatchHandle) -> None:
        """Release the batch; that it is gone already does no harm."""
        path = f"/_api/replication/batch/{batch.id}"
        await self._call("DELETE", path, [self._own()])

    async def inventory(
        self,
        batch: BatchHandle,
        *,
        include_system: bool,
        include_foxx_queues: bool,
        is_global: bool = False,
    ) -> dict[str, Any]:
        """What exists on the leader."""
        params = [self._own(), ("batchId", batch.id)]
        if is_global:
            params.append(("global", "true"))
        if include_system:
            params.append(("includeSystem", "true"))
        if include_foxx_queues:
            params.append(("includeFoxxQueues", "true"))
        response = await self._call(
            "GET", "/_api/replication/inventory", params, retries=LEADER_RETRIES
        )
        return _object(response)

    # -- dump ------------------------------------------------------------

    async def dump(
        self,
        batch: BatchHandle,
        collection: str,
        after: int,
        chunk_bytes: int,
        *,
        include_system: bool,
    ) -> DumpChunk:
        """The next chunk of a collection. Never repeated: the leader keeps the position."""
        params = [
            ("collection", collection),
            ("batchId", batch.id),
            ("includeSystem", headers.flag(include_system)),
            ("useEnvelope", "false"),
            self._own(),
        ]
        if batch.tick:
            params.append(("to", str(batch.tick + 1)))
        params += [("from", str(after)), ("chunkSize", str(chunk_bytes))]
        response = await self._call("GET", "/_api/replication/dump", params)
        check_more = _flag(response, headers.CHECK_MORE)
        if check_more is None:
            raise _missing(headers.CHECK_MORE)
        last = _number(response, headers.LAST_INCLUDED)
        if last is None and check_more:
            raise _missing(headers.LAST_INCLUDED)
        return DumpChunk(response.body, last or 0, check_more and (last or 0) > after)

    # -- revisions ------------------------------------------------------------

    def _of(self, batch: BatchHandle, collection: str) -> Params:
        return [("collection", collection), self._own(), ("batchId", batch.id)]

    async def tree(self, batch: BatchHandle, collection: str) -> RevisionTree:
        """The collection's revision tree. Errors also: 501/9 where the leader has none."""
        params = [
            ("collection", collection),
            ("onlyPopulated", "true"),
            ("to", str(batch.tick)),
            self._own(),
            ("batchId", batch.id),
        ]
        response = await self._call(
            "GET", "/_api/replication/revisions/tree", params, retries=LEADER_RETRIES
        )
        try:
            return decode_tree(_json(response))
        except RevisionTreeError as error:
            raise InvalidResponse(f"invalid response: revision tree: {error}") from None

    async def ranges(
        self, batch: BatchHandle, collection: str, ranges: Sequence[Range], resume: int
    ) -> tuple[list[list[int]], int | None]:
        """Revisions in the ranges from `resume` on; the second value is where to go on, or None."""
        params = [
            *self._of(batch, collection),
            ("resume", revision_text(resume)),
            ("resumeHLC", encode_hlc(resume)),
            ("encodeAsHLC", "true"),
        ]
        body = dumps([[encode_hlc(low), encode_hlc(high)] for low, high in ranges])
        response = await self._call("PUT", "/_api/replication/revisions/ranges", params, body)
        answer = _object(response)
        lists = answer.get("ranges")
        if not isinstance(lists, list):
            raise InvalidResponse("invalid response: no 'ranges'")
        found = [_revisions(one) for one in lists]
        if isinstance(answer.get("resumeHLC"), str):
            return found, decode_hlc(answer["resumeHLC"])
        if isinstance(answer.get("resume"), str):
            return found, parse_revision(answer["resume"])
        return found, None

    async def documents(
        self, batch: BatchHandle, collection: str, revisions: Sequence[int]
    ) -> list[Any]:
        """Documents of some revisions: fewer than asked for is allowed, none is not."""
        params = [*self._of(batch, collection), ("encodeAsHLC", "true")]
        body = dumps([encode_hlc(revision) for revision in revisions])
        response = await self._call(
            "PUT",
            "/_api/replication/revisions/documents",
            params,
            body,
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        answer = _json(response)
        if not isinstance(answer, list) or not answer:
            raise InvalidResponse("invalid response: no documents")
        return answer

    async def blocks(
        self, batch: BatchHandle, collection: str, ranges: Sequence[Range], size: int
    ) -> bytes:
        """Ends and hashes of blocks of `size` revisions (an extension, feature `blocks`)."""
        params = [*self._of(batch, collection), ("blockSize", str(size))]
        body = dumps([[encode_hlc(low), encode_hlc(high)] for low, high in ranges])
        response = await self._call("PUT", "/_api/replication/revisions/blocks", params, body)
        return response.body

    # -- keys ------------------------------------------------------------

    async def start_keys(self, batch: BatchHandle, collection: str, *, quick: bool) -> str:
        """Ask for the keys of a collection; returns the id of the job that prepares them."""
        params = [
            ("collection", collection),
            ("to", str(batch.tick)),
            self._own(),
            ("batchId", batch.id),
        ]
        if quick:
            params.append(("quick", "true"))
        response = await self._call(
            "POST", "/_api/replication/keys", params, b"", {"X-Arango-Async": "store"}
        )
        job = response.headers.get(headers.ASYNC_ID)
        if not job:
            raise _missing(headers.ASYNC_ID)
        return job

    async def poll_job(self, job: str) -> dict[str, Any] | None:
        """The answer of a job, None while it runs."""
        response = await self._call("PUT", f"/_api/job/{job}", [])
        return _object(response) if response.headers.get(headers.ASYNC_ID) else None

    async def key_chunks(self, keys_id: str, size: int) -> list[dict[str, Any]]:
        """Chunks of keys: `low`, `high`, `hash`."""
        params = [("chunkSize", str(size))]
        answer = _json(await self._call("GET", f"/_api/replication/keys/{keys_id}", params))
        if not isinstance(answer, list) or not all(isinstance(one, dict) for one in answer):
            raise InvalidResponse("invalid response: no chunks of keys")
        return answer

    async def chunk_keys(self, keys_id: str, number: int, size: int, low: str) -> list[list[str]]:
        """`[key, rev]` pairs of one chunk."""
        answer = await self._key_chunk(keys_id, "keys", number, size, low, None, 0)
        if not answer or not all(isinstance(one, list) and len(one) == 2 for one in answer):
            raise InvalidResponse("invalid response: no keys")
        return answer

    async def chunk_documents(
        self, keys_id: str, number: int, size: int, low: str, positions: list[int], offset: int
    ) -> list[Any]:
        """Documents at positions of one chunk."""
        return await self._key_chunk(keys_id, "docs", number, size, low, positions, offset)

    async def _key_chunk(
        self,
        keys_id: str,
        kind: str,
        number: int,
        size: int,
        low: str,
        positions: list[int] | None,
        offset: int,
    ) -> list[Any]:
        params = [
            ("type", kind),
            ("chunk", str(number)),
            ("chunkSize", str(size)),
            ("low", low),
        ]
        if positions is not None:
            params.append(("offset", str(offset)))
        body = b"" if positions is None else dumps(positions)
        answer = _json(await self._call("PUT", f"/_api/replication/keys/{keys_id}", params, body))
        if not isinstance(answer, list):
            raise InvalidResponse("invalid response: a chunk is no array")
        return answer

    async def delete_keys(self, keys_id: str) -> None:
        """Forget the prepared keys."""
        await self._call("DELETE", f"/_api/replication/keys/{keys_id}", [])

    # -- tail ------------------------------------------------------------

    async def open_transactions(
        self, after: int, to: int, *, is_global: bool
    ) -> tuple[list[str], int, bool]:
        """Ids of transactions open between two ticks, where to start, and whether it is there."""
        params = [("global", "true")] if is_global else []
        params += [self._own(), ("from", str(after)), ("to", str(to))]
        response = await self._call("GET", "/_api/wal/open-transactions", params)
        start = _number(response, headers.LAST_INCLUDED)
        if start is None:
            start = _number(response, headers.LAST_TICK)
        if start is None:
            raise _missing(headers.LAST_INCLUDED)
        # arangorep and newer leaders have nothing to tell and may say so with 204
        ids = _json(response) if response.body else []
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise InvalidResponse("invalid response: open transactions")
        return ids, start, bool(_flag(response, headers.FROM_PRESENT))

    async def tail(
        self,
        after: int,
        last_scanned: int,
        chunk_bytes: int,
        *,
        first_regular: int,
        include_system: bool,
        include_foxx_queues: bool,
        is_global: bool,
    ) -> TailChunk:
        """Markers above `after`."""
        params = [("global", "true")] if is_global else []
        params += [
            ("chunkSize", str(chunk_bytes)),
            ("from", str(after)),
            ("lastScanned", str(last_scanned)),
        ]
        if first_regular > after:
            params.append(("firstRegular", str(first_regular)))
        params += [
            self._own(),
            ("includeSystem", headers.flag(include_system)),
            ("includeFoxxQueues", headers.flag(include_foxx_queues)),
        ]
        response = await self._call("PUT", "/_api/wal/tail", params, b"[]")
        check_more = _flag(response, headers.CHECK_MORE)
        last_included = _number(response, headers.LAST_INCLUDED)
        last_tick = _number(response, headers.LAST_TICK)
        if check_more is None or last_included is None or last_tick is None:
            raise InvalidResponse("invalid response: the tail lacks a replication header")
        return TailChunk(
            response.body,
            check_more,
            last_included,
            _number(response, headers.LAST_SCANNED) or 0,
            last_tick,
            bool(_flag(response, headers.FROM_PRESENT)),
        )


# -- reading answers ------------------------------------------------------------


def _leader_error(method: str, target: str, response: Response) -> ArangoError:
    """1402, or what a caller handles itself: 404 of a batch (1600), 501 of a missing tree."""
    text = response.body[:ERROR_TEXT_MAX].decode("utf-8", "replace")
    message = f"leader error: {method} {target}: HTTP {response.status}: {text}"
    if response.status == 404 and (
        b'"errorNum":1600' in response.body or b"batch" in response.body
    ):
        return CursorNotFound(message)
    if response.status == 501:
        return NotImplementedHere(message)
    return LeaderError(message, extra={"leaderErrorNum": _error_num(response.body)})


def _error_num(body: bytes) -> int:
    try:
        value = loads(body)
    except ArangoError:
        return 0
    found = value.get("errorNum") if isinstance(value, dict) else 0
    return found if type(found) is int else 0


def _json(response: Response) -> Any:
    try:
        return loads(response.body)
    except ArangoError:
        raise InvalidResponse("invalid response: the body is no JSON") from None


def _object(response: Response) -> dict[str, Any]:
    value = _json(response)
    if not isinstance(value, dict):
        raise InvalidResponse("invalid response: the body is no object")
    return value


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise InvalidResponse(f"invalid response: '{name}' is missing")
    return found


def _tick(value: dict[str, Any], name: str) -> int:
    found = parse_number(_text(value, name))
    if not found:
        raise InvalidResponse(f"invalid response: '{name}' is no tick")
    return found


def _missing(name: str) -> InvalidResponse:
    return InvalidResponse(f"invalid response: header {name} is missing")


def _number(response: Response, name: str) -> int | None:
    text = response.headers.get(name)
    return None if text is None else parse_number(text)


def _flag(response: Response, name: str) -> bool | None:
    text = response.headers.get(name)
    return None if text is None else text.strip().lower() == "true"


def _revisions(value: object) -> list[int]:
    if not isinstance(value, list):
        raise InvalidResponse("invalid response: a range is no array")
    found = [decode_hlc(text) if isinstance(text, str) else REVISION_MAX for text in value]
    if REVISION_MAX in found or found != sorted(found):
        raise InvalidResponse("invalid response: a range does not hold ascending revisions")
    return found
