"""A proxy between a follower and its leader that does to requests what bad networks do.

It speaks just enough HTTP/1.1 for that: heads, `Content-Length`, keep-alive towards the follower
and one connection per request towards the leader.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import threading
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 30
STALL_S_MAX = 10.0
HEAD_END = b"\r\n\r\n"
_dump_from = re.compile(rb"(/replication/dump\?[^ ]*&from=)[0-9]+")
_length = re.compile(rb"(?i)(content-length: *)([0-9]+)")


class Fault(StrEnum):
    """What can happen to one request."""

    CUT_BEFORE = "cut before the leader saw it"
    CUT_HEAD = "cut within the answer's head"
    CUT_BODY = "cut within the answer's body"
    STALL = "no answer"
    STALL_BODY = "an answer that stops coming"
    TWICE = "sent twice, the second answer"
    LATE = "sent again when it was answered"
    TRUNCATED = "body shortened, Content-Length as it was"
    SHORTENED = "body and Content-Length shortened"
    SHORTENED_LINES = "lines and Content-Length shortened"
    EMPTIED = "no body, Content-Length 0"
    UNAVAILABLE = "503"


REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    b"Content-Length: 86\r\n\r\n"
    b'{"code":503,"error":true,"errorMessage":"service unavailable","errorNum":503}         '
)


@dataclass
class _Message:
    """A request or an answer as bytes."""

    head: bytes
    body: bytes

    @classmethod
    async def read(cls, reader: asyncio.StreamReader) -> _Message:
        head = await reader.readuntil(HEAD_END)
        found = _length.search(head)
        return cls(head, await reader.readexactly(int(found[2])) if found else b"")

    @property
    def first_line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode()

    def with_body(self, body: bytes) -> bytes:
        """The message with another body and its right length."""
        return _length.sub(rb"\g<1>%d" % len(body), self.head) + body


class ChaosProxy:
    """Listens on `url` while it is entered. `rate` of the requests fail, at most `budget` of all.

    Only requests fail whose first line matches `where`. With `plain` the leader's extensions are
    hidden, and where a dump is to go on, so that it is like an ArangoDB. `happened` tells which
    faults there were.
    """

    def __init__(
        self,
        leader_url: str,
        seed: int,
        *,
        faults: tuple[Fault, ...] = tuple(Fault),
        rate: float = 0.2,
        budget: int = 20,
        where: str = "",
        plain: bool = False,
    ) -> None:
        address = urlsplit(leader_url)
        self._host, self._port = address.hostname, address.port
        self._random = random.Random(seed)
        self._faults, self.rate, self.budget = faults, rate, budget
        self._where, self._plain = re.compile(where), plain
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self.happened: list[str] = []
        self.requests: Counter[str] = Counter()
        self.url = ""

    def __enter__(self) -> ChaosProxy:
        self._thread.start()
        self._call(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call(self._end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(TIMEOUT_S)
            self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)

    def heal(self) -> None:
        """From now on everything passes."""
        self.rate = 0.0

    def harm(self, rate: float, budget: int) -> None:
        """From now on this share fails, so many at most."""
        self.rate, self.budget = rate, budget

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- connections ---------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, EOFError, asyncio.LimitOverrunError):
                while True:
                    request = await _Message.read(reader)
                    if not await self._serve(request, reader, writer):
                        break
        except asyncio.CancelledError:
            pass
        finally:
            self._tasks.discard(task)
            if self._random.random() < 0.5:
                writer.transport.abort()
            writer.close()

    def _choose(self, request: _Message) -> Fault | None:
        line = request.first_line
        self.requests[line.split("?")[0]] += 1
        if self.budget <= 0 or not self._where.search(line):
            return None
        if self._random.random() >= self.rate:
            return None
        self.budget -= 1
        fault = self._random.choice(self._faults)
        self.happened.append(f"{line[:100]}: {fault}")
        return fault

    async def _serve(
        self, request: _Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; returns whether the connection goes on."""
        fault = self._choose(request)
        match fault:
            case Fault.CUT_BEFORE:
                return False
            case Fault.UNAVAILABLE:
                writer.write(REFUSAL)
                return True
            case Fault.TWICE:
                await self._ask(request)
        answer = await self._ask(request)
        sent = self._spoiled(answer, fault)
        writer.write(sent)
        await writer.drain()
        match fault:
            case Fault.LATE:
                await self._ask(request)
            case Fault.STALL | Fault.STALL_BODY:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), STALL_S_MAX)
                return False
            case Fault.CUT_HEAD | Fault.CUT_BODY | Fault.TRUNCATED:
                return False
        return True

    def _spoiled(self, answer: _Message, fault: Fault | None) -> bytes:
        """The bytes of an answer that are sent."""
        body, whole = answer.body, answer.head + answer.body
        some = self._random.randrange(len(body)) if body else 0
        match fault:
            case Fault.STALL:
                return b""
            case Fault.CUT_HEAD:
                return whole[: self._random.randrange(len(answer.head))]
            case Fault.CUT_BODY | Fault.STALL_BODY | Fault.TRUNCATED:
                return answer.head + body[:some] if body else whole[:-1]
            case Fault.SHORTENED:
                return answer.with_body(body[:some])
            case Fault.SHORTENED_LINES:
                lines = body.splitlines(keepends=True)
                return answer.with_body(b"".join(lines[: self._random.randint(0, len(lines))]))
            case Fault.EMPTIED:
                return answer.with_body(b"")
        return whole

    async def _ask(self, request: _Message) -> _Message:
        """What the leader answers, over a connection of its own."""
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=2**20)
        try:
            head = _dump_from.sub(rb"\g<1>0", request.head) if self._plain else request.head
            writer.write(head + request.body)
            answer = await _Message.read(reader)
        finally:
            writer.transport.abort()
        if self._plain:
            answer.body = answer.body.replace(b'"features"', b'"unknown_"')
        return answer
