"""`Leader`: the requests a follower sends, and the checks of what comes back.

The sequence of paths, parameters and headers is that of a real follower, so that any leader of
version 3.8 and later understands it. Source: follower 1 to 6.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from arangorep.codec.json import dumps
from arangorep.errors import (
    ArangoError,
    InvalidResponse,
    LeaderIncompatible,
    NoResponse,
    ReplicationLoop,
)
from arangorep.follower.answers import (
    flag_in,
    json_of,
    leader_error,
    missing,
    number_in,
    object_of,
    revisions_of,
    text_in,
    tick_in,
)
from arangorep.follower.progress import Progress
from arangorep.follower.transport import Response, Transport
from arangorep.limits import LEADER_RETRIES, LEADER_RETRY_WAIT_S
from arangorep.protocol import headers
from arangorep.protocol.differences import Differences, Question, read_differences
from arangorep.protocol.revision_tree import decode_tree
from arangorep.values.revision import (
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
MAJOR = "3"
UNAVAILABLE = 503


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
    asked_from: int
    """The tick behind which the log was asked for."""


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
                if response.status == UNAVAILABLE:  # it stops or starts: as good as not there
                    raise NoResponse(f"no response: {method} {target}: HTTP {response.status}")
                break
            except NoResponse:
                progress.failed_requests += 1
                if not retries:
                    raise
                retries -= 1
            await self._sleep(wait_s)
        if response.status >= 400:
            raise leader_error(method, target, response)
        return response

    def _own(self) -> tuple[str, str]:
        return ("serverId", str(self._own_id))

    # -- who it is ------------------------------------------------------------

    async def fetch_state(self) -> LeaderState:
        """`logger-state`. Errors also: 500/1401, 1403, 1405."""
        response = await self._call(
            "GET", "/_api/replication/logger-state", [self._own()], retries=1, wait_s=0.5
        )
        return self._take_state(object_of(response))

    def _take_state(self, value: dict[str, Any]) -> LeaderState:
        state, server = value.get("state"), value.get("server")
        if not isinstance(state, dict) or not isinstance(server, dict):
            raise InvalidResponse("invalid response: the leader's state lacks 'state' or 'server'")
        last_tick = tick_in(state, "lastLogTick")
        server_id = tick_in(server, "serverId")
        version = text_in(server, "version")
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
        answer = object_of(response)
        batch = BatchHandle(text_in(answer, "id"), tick_in(answer, "lastTick"))
        if with_state:
            try:
                await self._learn_state(answer.get("state"))
            except ArangoError:
                with contextlib.suppress(ArangoError):
                    await self.delete_batch(batch)
                raise
        return batch

    async def _learn_state(self, value: object) -> None:
        if isinstance(value, dict):
            self._take_state(value)
        else:
            await self.fetch_state()

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
        return object_of(response)

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
        check_more = flag_in(response, headers.CHECK_MORE)
        if check_more is None:
            raise missing(headers.CHECK_MORE)
        last = number_in(response, headers.LAST_INCLUDED)
        if last is None and check_more:
            raise missing(headers.LAST_INCLUDED)
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
            return decode_tree(json_of(response))
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
        answer = object_of(response)
        lists = answer.get("ranges")
        if not isinstance(lists, list):
            raise InvalidResponse("invalid response: no 'ranges'")
        found = [revisions_of(one) for one in lists]
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
        answer = json_of(response, is_deep=True)
        if not isinstance(answer, list) or not answer:
            raise InvalidResponse("invalid response: no documents")
        return answer

    async def differences(
        self, batch: BatchHandle, collection: str, question: Question, *, is_whole: bool
    ) -> Differences:
        """Where revisions differ from ours (an extension, feature `revision-differences`).

        `is_whole`: the questions are about most of the collection, and more of them follow.
        """
        response = await self._call(
            "PUT",
            "/_api/replication/revisions/differences",
            [*self._of(batch, collection), ("whole", headers.flag(is_whole))],
            question.pack(),
            {"Content-Type": headers.BINARY},
        )
        return read_differences(response.body, question)

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
            raise missing(headers.ASYNC_ID)
        return job

    async def poll_job(self, job: str) -> dict[str, Any] | None:
        """The answer of a job, None while it runs."""
        response = await self._call("PUT", f"/_api/job/{job}", [])
        return object_of(response) if response.headers.get(headers.ASYNC_ID) else None

    async def key_chunks(self, keys_id: str, size: int) -> list[dict[str, Any]]:
        """Chunks of keys: `low`, `high`, `hash`."""
        params = [("chunkSize", str(size))]
        answer = json_of(await self._call("GET", f"/_api/replication/keys/{keys_id}", params))
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
        answer = json_of(await self._call("PUT", f"/_api/replication/keys/{keys_id}", params, body))
        if not isinstance(answer, list):
            raise InvalidResponse("invalid response: a chunk is no array")
        return answer

    async def delete_keys(self, keys_id: str) -> None:
        """Forget the prepared keys."""
        await self._call("DELETE", f"/_api/replication/keys/{keys_id}", [])

    # -- tail ------------------------------------------------------------

    async def open_transactions(self, after: int, to: int, *, is_global: bool) -> list[str]:
        """Ids of transactions open between two ticks."""
        params = [("global", "true")] if is_global else []
        params += [self._own(), ("from", str(after)), ("to", str(to))]
        response = await self._call("GET", "/_api/wal/open-transactions", params)
        start = number_in(response, headers.LAST_INCLUDED)
        if start is None:
            start = number_in(response, headers.LAST_TICK)
        if start is None:
            raise missing(headers.LAST_INCLUDED)
        # arangorep and newer leaders have nothing to tell and may say so with 204
        ids = json_of(response) if response.body else []
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise InvalidResponse("invalid response: open transactions")
        return ids

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
        check_more = flag_in(response, headers.CHECK_MORE)
        last_included = number_in(response, headers.LAST_INCLUDED)
        last_tick = number_in(response, headers.LAST_TICK)
        if check_more is None or last_included is None or last_tick is None:
            raise InvalidResponse("invalid response: the tail lacks a replication header")
        return TailChunk(
            response.body,
            check_more,
            last_included,
            number_in(response, headers.LAST_SCANNED) or 0,
            last_tick,
            bool(flag_in(response, headers.FROM_PRESENT)),
            after,
        )
