"""How fast are single-document GETs on 16 connections, against an empty aiohttp handler?"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import uvloop
from common import (
    COLLECTION,
    Connection,
    Result,
    ServerProcess,
    at_least,
    build_store,
    main,
    median,
    scratch,
)

CONNECTIONS = 16
SECONDS = 2.0

EMPTY = """
import asyncio, sys, uvloop
from aiohttp import web

async def empty(request):
    return web.Response()

async def serve():
    app = web.Application()
    app.router.add_get("/empty", empty)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

uvloop.run(serve())
"""


class Asker(asyncio.Protocol):
    """Sends the same request again as soon as its answer is complete."""

    def __init__(self, request: bytes, until: float) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self.answers = 0
        self._request, self._until = request, until
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self._data.lower().index(b"content-length: ") + 16
        length = int(self._data[at : self._data.index(b"\r", at)])
        if len(self._data) < end + 4 + length:
            return
        assert self._data.startswith(b"HTTP/1.1 200")
        self._data = b""
        self.answers += 1
        if time.perf_counter() >= self._until:
            self._transport.close()
            self.done.set_result(None)
        else:
            self._transport.write(self._request)


async def ask(port: int, path: str) -> float:
    """Answers a second over all connections."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    start = time.perf_counter()
    loop = asyncio.get_running_loop()
    askers = []
    for _ in range(CONNECTIONS):
        _, asker = await loop.create_connection(
            lambda: Asker(request, start + SECONDS), "127.0.0.1", port
        )
        askers.append(asker)
    await asyncio.gather(*(asker.done for asker in askers))
    return sum(asker.answers for asker in askers) / (time.perf_counter() - start)


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of both, in turns."""
    rates: dict[str, list[float]] = {"empty": [], "get": []}
    with scratch() as path:
        build_store(path / "data", arguments.documents)
        script = Path(path / "empty.py")
        script.write_text(EMPTY, encoding="utf-8")
        empty = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
        assert empty.stdout is not None
        empty_port = int(empty.stdout.readline())
        with ServerProcess(path / "data") as server:
            connection = Connection(server.port)
            key = connection.json("GET", f"/_api/document/{COLLECTION}/k000000042")["_key"]
            connection.close()
            for _ in range(arguments.rounds):
                rates["empty"].append(uvloop.run(ask(empty_port, "/empty")))
                path_of_key = f"/_api/document/{COLLECTION}/{key}"
                rates["get"].append(uvloop.run(ask(server.port, path_of_key)))
        empty.terminate()
        empty.wait(10)
    empty_rate, get_rate = median(rates["empty"]), median(rates["get"])
    return [
        at_least(
            f"single-document GET, {CONNECTIONS} connections",
            get_rate / empty_rate,
            0.6,
            empty=empty_rate,
            get=get_rate,
        )
    ]


if __name__ == "__main__":
    main(run, documents=100_000)
