"""A leader that is no server: it answers as ArangoDB 3.11 does and writes down what it was asked.

It holds a few documents and computes its answers from them in the words of the specification; it
shares no code with the package. `answers` replaces single answers, also by errors.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import xxhash
from aiohttp import web
from support.revisions import hash_of, hlc_of, leaves_of, number_of

SERVER_ID = "42424242"
TICK = 1000
BATCH = "77"
TREE_MIN = 1_609_459_200_000 << 20
DEPTH = 6
TIMEOUT_S = 30

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request as it came; header names in lower case."""

    method: str
    path: str
    params: Pairs
    headers: dict[str, str]
    body: bytes

    @property
    def line(self) -> str:
        """Method and path, without the database."""
        return f"{self.method} {self.path[self.path.index('/_api') :]}"

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.params]

    def json(self) -> Any:
        return json.loads(self.body)

    def __getitem__(self, name: str) -> str:
        (value,) = (value for given, value in self.params if given == name)
        return value


@dataclass(slots=True)
class Reply:
    """An answer; `HANG` never comes, `LOST` breaks the connection, `TORN` does so on its way."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        return web.Response(status=self.status, body=body, headers=self.headers)


HANG = Reply(status=0)
LOST = Reply(status=-1)
TORN = Reply(status=-2)
Answer = Callable[[Recorded], Reply]


@dataclass
class LeaderCollection:
    """A collection with its documents by revision."""

    name: str
    cid: int
    type: int = 2
    indexes: list[dict[str, Any]] = field(default_factory=list)
    documents: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def guid(self) -> str:
        return self.name if self.name.startswith("_") else f"hAB/{self.cid}"

    def put(self, key: str, revision: int, **attributes: Any) -> None:
        """A document replaces the one with its key."""
        for old in [r for r, d in self.documents.items() if d["_key"] == key]:
            del self.documents[old]
        self.documents[revision] = document(self.name, key, revision, **attributes)

    @property
    def ascending(self) -> list[dict[str, Any]]:
        return [self.documents[revision] for revision in sorted(self.documents)]

    def describe(self) -> dict[str, Any]:
        """The entry of an inventory."""
        return {
            "parameters": {
                "allowUserKeys": True,
                "cacheEnabled": False,
                "cid": str(self.cid),
                "computedValues": None,
                "deleted": False,
                "globallyUniqueId": self.guid,
                "id": str(self.cid),
                "isSmart": False,
                "isSystem": self.name.startswith("_"),
                "keyOptions": {"allowUserKeys": True, "type": "traditional", "lastValue": 0},
                "name": self.name,
                "objectId": "9",
                "planId": str(self.cid),
                "schema": None,
                "status": 3,
                "syncByRevision": True,
                "type": self.type,
                "usesRevisionsAsDocumentIds": True,
                "version": 9,
                "waitForSync": False,
            },
            "indexes": self.indexes,
        }


def document(name: str, key: str, revision: int, **attributes: Any) -> dict[str, Any]:
    return {"_key": key, "_id": f"{name}/{key}", "_rev": hlc_of(revision), **attributes}


def marker(tick: int, kind: int, database: str, **members: Any) -> bytes:
    """One line of a tail."""
    value = {"tick": str(tick), "type": kind, "db": database, **members}
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def tail(
    lines: Iterable[bytes],
    *,
    included: int,
    last: int,
    scanned: int | None = None,
    more: bool = False,
    present: bool = True,
) -> Reply:
    """An answer of `wal/tail`; 204 without lines."""
    body = b"".join(lines)
    headers = {
        "x-arango-replication-checkmore": "true" if more else "false",
        "x-arango-replication-frompresent": "true" if present else "false",
        "x-arango-replication-lastincluded": str(included),
        "x-arango-replication-lastscanned": str(last if scanned is None else scanned),
        "x-arango-replication-lasttick": str(last),
        "content-type": "application/x-arango-dump; charset=utf-8",
    }
    return Reply(200 if body else 204, body, headers)


def hash_of_text(text: str) -> int:
    encoded = text.encode()
    assert len(encoded) <= 126
    return xxhash.xxh64_intdigest(bytes((0x40 + len(encoded),)) + encoded, 0xDEADBEEF)


class RecordedLeader:
    """Runs on an event loop of its own thread. Use as a context manager."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.collections: list[LeaderCollection] = []
        self.databases: dict[str, list[LeaderCollection]] = {}
        self.version = "3.11.8"
        self.features: list[str] = []
        self.has_trees = True
        self.documents_per_chunk = 1000
        self.revisions_per_answer = 1000
        self.documents_per_answer = 1000
        self.polls_per_job = 2
        self.answers: dict[str, list[Reply | Answer]] = {}
        """Answers by `Recorded.line`; taken from the front before anything is computed."""
        self._jobs: dict[str, list[Any]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[Any]] = set()

    def __enter__(self) -> RecordedLeader:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(TIMEOUT_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(TIMEOUT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT_S)
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._runner.cleanup()

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def lines(self) -> list[str]:
        return [request.line for request in list(self.requests)]

    def of(self, word: str) -> list[Recorded]:
        """The requests whose path ends in `word`, or that are below it."""
        found = [r for r in list(self.requests) if f"/{word}" in r.path]
        assert found, (word, self.lines())
        return found

    def forget(self) -> None:
        self.requests.clear()

    def add(self, name: str, cid: int, database: str = "", **attributes: Any) -> LeaderCollection:
        made = LeaderCollection(name, cid, **attributes)
        self.collections.append(made)
        if database:
            self.databases.setdefault(database, []).append(made)
        return made

    # -- answering -------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        recorded = Recorded(
            request.method,
            request.raw_path.partition("?")[0],
            list(request.query.items()),
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        self.requests.append(recorded)
        waiting = self.answers.get(recorded.line)
        found = waiting.pop(0) if waiting else self._compute
        reply = found if isinstance(found, Reply) else found(recorded)
        if reply is HANG:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            await asyncio.Event().wait()
        if reply in (LOST, TORN):
            return await _break_off(request, reply)
        return reply.response()

    def _compute(self, request: Recorded) -> Reply:
        method, _, path = request.line.partition(" ")
        match method, path.split("/")[2:]:
            case "GET", ["replication", "logger-state"]:
                return Reply(200, self.state())
            case "GET", ["wal", "open-transactions"]:
                headers = {
                    "x-arango-replication-frompresent": "true",
                    "x-arango-replication-lastincluded": "0",
                }
                return Reply(200, [], headers)
            case "POST", ["replication", "batch"]:
                answer: dict[str, Any] = {"id": BATCH, "lastTick": str(TICK)}
                if ("state", "true") in request.params:
                    answer["state"] = self.state()
                return Reply(200, answer)
            case "DELETE" | "PUT", ["replication", "batch", _]:
                return Reply(204)
            case "GET", ["replication", "inventory"]:
                return Reply(200, self._inventory(request))
            case "GET", ["replication", "dump"]:
                return self.dump(request, int(request["from"]))
            case "GET", ["replication", "revisions", "tree"]:
                if not self.has_trees:
                    return _error(501, 9)
                return Reply(200, _tree(self._asked(request)))
            case "PUT", ["replication", "revisions", "ranges"]:
                return Reply(200, self._ranges(request))
            case "PUT", ["replication", "revisions", "documents"]:
                there = self._asked(request).documents
                found = [there[number_of(text)] for text in request.json()]
                return Reply(200, found[: self.documents_per_answer])
            case "POST", ["replication", "keys"]:
                count = len(self._asked(request).documents)
                return self._job({"id": f"k{self._asked(request).cid}", "count": count})
            case "PUT", ["job", job]:
                return self._poll(job)
            case _, ["replication", "keys", keys_id]:
                return self._keys(method, keys_id, request)
        return _error(404, 404)

    def state(self) -> dict[str, Any]:
        return {
            "state": {
                "running": True,
                "lastLogTick": str(TICK),
                "lastUncommittedLogTick": str(TICK),
                "totalEvents": 1,
                "time": "2026-01-01T00:00:00Z",
            },
            "server": {
                "version": self.version,
                "serverId": SERVER_ID,
                "engine": "rocksdb",
                **({"features": self.features} if self.features else {}),
            },
            "clients": [],
        }

    def _inventory(self, request: Recorded) -> dict[str, Any]:
        common = {"state": self.state()["state"], "tick": str(TICK)}
        if ("global", "true") not in request.params:
            collections = [one.describe() for one in self.collections]
            return {**common, "collections": collections, "views": [], "properties": {}}
        databases = {
            str(number): {
                "id": str(number),
                "name": name,
                "collections": [one.describe() for one in collections],
                "views": [],
                "properties": {"id": str(number), "name": name},
            }
            for number, (name, collections) in enumerate(self.databases.items(), 1)
        }
        return {**common, "databases": databases}

    def _asked(self, request: Recorded) -> LeaderCollection:
        wanted = request["collection"]
        (found,) = (one for one in self.collections if one.guid == wanted)
        return found

    def dump(self, request: Recorded, after: int) -> Reply:
        """A chunk of the collection that is asked for, behind a revision."""
        documents = self._asked(request).documents
        rest = [revision for revision in sorted(documents) if revision > after]
        part = rest[: self.documents_per_chunk]
        body = b"".join(json.dumps(documents[one]).encode() + b"\n" for one in part)
        headers = {
            "x-arango-replication-checkmore": "true" if len(rest) > len(part) else "false",
            "x-arango-replication-lastincluded": str(part[-1] if part else 0),
            "content-type": "application/x-arango-dump; charset=utf-8",
        }
        return Reply(200 if body else 204, body, headers)

    def _ranges(self, request: Recorded) -> dict[str, Any]:
        """The published procedure, one revision at a time."""
        present = sorted(self._asked(request).documents)
        ranges = [(number_of(low), number_of(high)) for low, high in request.json()]
        resume = number_of(request["resumeHLC"])
        current = 0
        for i, (low, _) in enumerate(ranges):
            if low <= resume or (i > 0 and ranges[i - 1][1] < resume):
                current = i
        answer: list[list[str]] = []
        number, following = 0, resume
        for low, high in ranges[current:]:
            if number >= self.revisions_per_answer:
                break
            inner: list[str] = []
            answer.append(inner)
            following = max(resume, low)
            while number < self.revisions_per_answer:
                rest = [r for r in present if following <= r <= high]
                if not rest:
                    following = high + 1
                    break
                inner.append(hlc_of(rest[0]))
                following = rest[0] + 1
                number += 1
        if following > ranges[-1][1]:
            return {"ranges": answer}
        return {"ranges": answer, "resume": hlc_of(following), "resumeHLC": hlc_of(following)}

    # -- keys ------------------------------------------------------------------------------------

    def _job(self, answer: Any) -> Reply:
        job = str(900 + len(self._jobs))
        self._jobs[job] = [self.polls_per_job, answer]
        return Reply(202, b"", {"x-arango-async-id": job})

    def _poll(self, job: str) -> Reply:
        if job not in self._jobs:
            return _error(404, 404)
        self._jobs[job][0] -= 1
        if self._jobs[job][0] >= 0:
            return Reply(204)
        return Reply(200, self._jobs[job][1], {"x-arango-async-id": job})

    def _keys(self, method: str, keys_id: str, request: Recorded) -> Reply:
        (collection,) = (one for one in self.collections if f"k{one.cid}" == keys_id)
        if method == "DELETE":
            return Reply(200, {"id": keys_id, "error": False, "code": 200})
        size = int(request["chunkSize"])
        documents = sorted(collection.documents.values(), key=lambda one: one["_key"].encode())
        chunks = [documents[at : at + size] for at in range(0, len(documents), size)]
        if method == "GET":
            return Reply(200, [_chunk(part) for part in chunks])
        part = chunks[int(request["chunk"])]
        assert part[0]["_key"] == request["low"]
        if request["type"] == "keys":
            return Reply(200, [[one["_key"], one["_rev"]] for one in part])
        found = [part[position] for position in request.json()]
        offset = int(request["offset"])
        shown = found[offset : offset + self.documents_per_answer]
        return Reply(200, [None] * offset + shown)


def _chunk(documents: list[dict[str, Any]]) -> dict[str, str]:
    mixed = 0x12345678
    for one in documents:
        mixed ^= hash_of_text(one["_key"]) ^ hash_of_text(one["_rev"])
    return {"low": documents[0]["_key"], "high": documents[-1]["_key"], "hash": str(mixed)}


def _tree(collection: LeaderCollection) -> dict[str, Any]:
    revisions = sorted(collection.documents)
    width = 64 * 8**DEPTH
    while revisions and revisions[-1] >= TREE_MIN + width:
        width *= 2
    nodes: list[dict[str, int]] = []
    behind = mixed = 0
    for index, (count, xor) in sorted(
        leaves_of(revisions, TREE_MIN, TREE_MIN + width, DEPTH).items()
    ):
        if index > behind:
            nodes.append({"skip": index - behind} if index > behind + 1 else {})
        nodes.append({"count": count, "hash": xor})
        behind = index + 1
    for revision in revisions:
        mixed ^= hash_of(revision)
    return {
        "version": 1,
        "maxDepth": DEPTH,
        "rangeMax": hlc_of(TREE_MIN + width),
        "rangeMin": hlc_of(TREE_MIN),
        "initialRangeMin": hlc_of(TREE_MIN),
        "count": len(revisions),
        "hash": mixed,
        "nodes": nodes,
    }


async def _break_off(request: web.Request, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-length": "100"})
    if reply is TORN:
        await response.prepare(request)
        await response.write(b"{")
    assert request.transport is not None
    request.transport.close()
    return response


def _error(status: int, number: int) -> Reply:
    body = {"error": True, "code": status, "errorNum": number, "errorMessage": "no"}
    return Reply(status, body, {"content-type": "application/json"})
