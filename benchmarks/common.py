"""What the benchmarks share: documents, a server process, a client that throws bodies away, output.

Every benchmark answers one question with a ratio against a baseline measured in the same run,
round by round in turns; absolute times mean nothing on a shared machine.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from arangorep.clock import SystemClock
from arangorep.data.collections import create_collection
from arangorep.data.databases import ensure_system_database
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.transactions import Transaction
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

COLLECTION = "bench"
ROUNDS = 3
WORDS = ("Grüße", "naïve", "東京", "данные", "plain", "replication", "ticks", "snapshots")


def document(number: int) -> dict[str, Any]:
    """A nested document of about 300 bytes with some non-ASCII text; the same for each number."""
    return {
        "_key": f"k{number:09d}",
        "name": f"{WORDS[number % 8]} {number}",
        "count": number,
        "score": number / 7,
        "active": number % 3 == 0,
        "tags": [WORDS[number % 5], WORDS[number % 7]],
        "address": {"city": WORDS[number % 8], "zip": f"{number % 99999:05d}", "floor": None},
        "text": "The quick brown fox jumps over the lazy dog, again and again."[: 40 + number % 21],
    }


def build_store(path: Path, documents: int, collection: str = COLLECTION) -> None:
    """Fill a data directory without a server; everything ends in compacted files."""
    store = Store(RocksEngine(path), SystemClock())
    ensure_system_database(store)
    database = store.catalog.database("_system")
    created = create_collection(store, database, {"name": collection})
    for start in range(0, documents, 5000):
        transaction = Transaction(store, database, grouped=True)
        writer = DocumentWriter(transaction, created, WriteOptions())
        for number in range(start, min(start + 5000, documents)):
            writer.insert(document(number))
        transaction.commit()
    store.engine.flush()
    store.engine.compact()
    store.close()


MEMORY = Path("/dev/shm")


@contextmanager
def scratch(*, in_memory: bool = False) -> Iterator[Path]:
    """A directory that is gone afterwards; `in_memory` where there is such a file system."""
    place = MEMORY if in_memory and MEMORY.is_dir() else None
    path = Path(tempfile.mkdtemp(prefix="arangorep-bench-", dir=place))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class ServerProcess:
    """`arangorep serve` on a free port, in a process of its own."""

    def __init__(self, path: Path, *options: str) -> None:
        command = [sys.executable, "-m", "arangorep", "serve", str(path), "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"listening on http://[\d.]+:(\d+)", line)
            if found:
                self.port = int(found[1])
                return
        raise RuntimeError("the server did not start")

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def rss_bytes(self) -> int:
        """Resident memory of the server."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


class Connection:
    """A keep-alive connection that reads answers at socket speed and can throw bodies away."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(1 << 20)

    def request(
        self, method: str, path: str, body: bytes = b"", *, keep: bool = True
    ) -> tuple[int, dict[str, str], bytes, int]:
        """Status, headers (lower case), the body when `keep`, and its length."""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        self._socket.sendall(head.encode() + body)
        data = b""
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(headers.get("content-length", 0))
        rest = data[end + 4 :]
        if keep:
            while len(rest) < length:
                rest += self._receive()
            return int(lines[0].split()[1]), headers, rest, length
        left = length - len(rest)
        while left > 0:
            left -= self._socket.recv_into(self._buffer, min(left, len(self._buffer)))
        return int(lines[0].split()[1]), headers, b"", length

    def _receive(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """A small request with JSON both ways."""
        _, _, data, _ = self.request(
            method, path, b"" if body is None else json.dumps(body).encode()
        )
        return json.loads(data) if data else None

    def close(self) -> None:
        self._socket.close()


def timed(work: Callable[[], Any]) -> float:
    """Seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@dataclass(slots=True)
class Result:
    """One ratio and whether it meets its goal."""

    question: str
    ratio: float
    goal: str
    met: bool
    figures: dict[str, float]


def at_least(question: str, ratio: float, goal: float, **figures: float) -> Result:
    """A ratio that should be high."""
    return Result(question, ratio, f">= {goal}", ratio >= goal, figures)


def at_most(question: str, ratio: float, goal: float, **figures: float) -> Result:
    """A ratio that should be low."""
    return Result(question, ratio, f"<= {goal}", ratio <= goal, figures)


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def main(
    run: Callable[[argparse.Namespace], list[Result]],
    documents: int = 1_000_000,
    rounds: int = ROUNDS,
) -> None:
    """Parse `--documents`, `--rounds`, `--json`; print results; exit 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=sys.modules[run.__module__].__doc__)
    parser.add_argument("--documents", type=int, default=documents)
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results = run(arguments)
    if arguments.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        for result in results:
            mark = "ok  " if result.met else "MISS"
            figures = ", ".join(f"{name} {value:,.4g}" for name, value in result.figures.items())
            print(f"{mark} {result.question}: {result.ratio:.3f} (goal {result.goal}; {figures})")
    raise SystemExit(0 if all(result.met for result in results) else 1)
