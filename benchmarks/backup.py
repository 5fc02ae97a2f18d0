"""How fast are dumps to files, against dumps over HTTP, and imports of them, against bare puts?"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from pathlib import Path

from common import (
    Connection,
    Result,
    ServerProcess,
    at_least,
    at_most,
    build_store,
    main,
    median,
    scratch,
    timed,
)
from dump import dump
from rocksdict import Options, Rdict, WriteBatch

from arangorep.backup.importing import import_dump
from arangorep.clock import SystemClock
from arangorep.storage.engine import Family
from arangorep.storage.rocks import RocksEngine

MIB = 1024 * 1024
PUTS = 1000


def task(port: int, path: str, body: object = None) -> str:
    """Start a task and wait for its end; returns the dump's uid."""
    connection = Connection(port)
    started = connection.json("POST", path, body)
    while True:
        shown = connection.json("GET", f"/tasks/{started['taskUid']}")
        if shown["finishedAt"] is not None:
            assert shown["status"] == "succeeded", shown
            connection.close()
            return str(started.get("uid", ""))
        time.sleep(0.002)


def peak_above(server: ServerProcess, work: Callable[[], object]) -> float:
    """MiB of resident memory that `work` takes above what was there before it."""
    before, peak, done = server.rss_bytes(), [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], server.rss_bytes())
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return (peak[0] - before) / MIB


def rows_of(path: Path) -> list[tuple[bytes, bytes]]:
    """Keys and values of all documents, for the baseline of the import."""
    engine = RocksEngine(path, read_only=True)
    cursor = engine.cursor(Family.DOCUMENTS)
    rows: list[tuple[bytes, bytes]] = []
    start = b""
    while found := cursor.items(start, b"\xff" * 16, 10_000):
        rows += found
        start = found[-1][0] + b"\0"
    cursor.close()
    engine.close()
    return rows


def bare_puts(path: Path, rows: list[tuple[bytes, bytes]]) -> None:
    """The baseline: the same rows by write batches of 1,000, into a new store."""
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    store = Rdict(str(path), options)
    for start in range(0, len(rows), PUTS):
        batch = WriteBatch(raw_mode=True)
        for key, value in rows[start : start + PUTS]:
            batch.put(key, value)
        store.write(batch)
    store.flush()
    store.close()


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of dump over HTTP, dump to a file, snapshot; then of bare puts and import."""
    documents = arguments.documents
    times: dict[str, list[float]] = {}

    def note(name: str, work: Callable[[], object]) -> None:
        times.setdefault(name, []).append(timed(work))

    with scratch() as path:
        build_store(path / "data", documents)
        places = ("--dump-dir", str(path / "dumps"), "--snapshot-dir", str(path / "snapshots"))
        with ServerProcess(path / "data", *places) as server:
            port, held = server.port, Connection(server.port)
            task(port, "/dumps", {"compression": "none"})
            memory = peak_above(server, lambda: task(port, "/dumps", {}))
            memory = max(memory, peak_above(server, lambda: task(port, "/snapshots")))
            held.json("DELETE", "/_admin/arangorep/loop")
            for _ in range(arguments.rounds):
                note("http", lambda: dump(port, envelope=False))
                note("file", lambda: task(port, "/dumps", {"compression": "none"}))
                note("packed", lambda: task(port, "/dumps", {}))
                note("snapshot", lambda: task(port, "/snapshots"))
            loop_ms = held.json("GET", "/_admin/arangorep/loop")["heldMaxSeconds"] * 1000
            uid = task(port, "/dumps", {"compression": "none"})
        rows = rows_of(path / "data")
        for number in range(arguments.rounds):
            note("puts", lambda n=number: bare_puts(path / f"puts{n}", rows))
            archive = path / "dumps" / f"{uid}.dump"
            note("import", lambda n=number: import_dump(archive, path / f"new{n}", SystemClock()))
    rates = {name: documents / median(values) for name, values in times.items()}
    seconds = median(times["snapshot"])
    dumped, imported = rates["file"] / rates["http"], rates["import"] / rates["puts"]
    return [
        at_least("dump to a file without packing / over HTTP", dumped, 0.6, **rates),
        at_least("import of a dump / bare puts of its rows", imported, 0.8, **rates),
        at_most("longest hold of the loop meanwhile, ms", loop_ms, 50, snapshot_s=seconds),
        at_most("memory above idle, MiB", memory, 150),
    ]


if __name__ == "__main__":
    main(run)
