"""How fast are dumps to files, against dumps over HTTP, and imports of them, against bare puts?

Dumps go to a file system in memory where there is one: the question is what they cost, and not how
fast the disk is. Snapshots, stores and imports lie on the disk.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
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
from rocksdict import WriteBatch

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
        time.sleep(0.01)


def remove(port: int, uid: str) -> None:
    """Make room: memory is what the dumps lie in."""
    connection = Connection(port)
    connection.request("DELETE", f"/dumps/{uid}")
    connection.close()


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


def import_above(archive: Path, target: Path) -> float:
    """MiB that a server with its helpers takes at most while it imports, above what it has then."""
    command = [sys.executable, "-m", "arangorep", "serve", str(target), "--port", "0"]
    process = subprocess.Popen(
        [*command, "--import-dump", str(archive)], stdout=subprocess.PIPE, text=True
    )
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], family_rss(process.pid))
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stdout is not None
    assert "listening" in process.stdout.readline()
    done.set()
    watcher.join()
    idle = family_rss(process.pid)
    process.terminate()
    process.wait()
    return (peak[0] - idle) / MIB


def family_rss(pid: int) -> int:
    """Resident bytes of a process and those it has started; what has ended counts as 0."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return sum(rss_of(int(one)) for one in [pid, *children])


def rss_of(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


Rows = dict[Family, list[tuple[bytes, bytes]]]


def rows_of(path: Path) -> Rows:
    """What an import of all documents writes: the documents and the entries of their keys."""
    engine = RocksEngine(path, read_only=True)
    found: Rows = {}
    for family in (Family.DOCUMENTS, Family.PRIMARY):
        cursor = engine.cursor(family)
        found[family] = cursor.items(b"", b"\xff" * 16, 1 << 30)
        cursor.close()
    engine.close()
    return found


def bare_puts(path: Path, rows: Rows) -> None:
    """The baseline: the same rows by write batches of 1,000 into a new store, flushed."""
    engine = RocksEngine(path)
    for start in range(0, len(rows[Family.DOCUMENTS]), PUTS):
        batch = WriteBatch(raw_mode=True)
        for family, found in rows.items():
            column = engine._columns[family]
            for key, value in found[start : start + PUTS]:
                batch.put(key, value, column)
        engine._db.write(batch)
    engine.flush()
    engine.close()


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of dump over HTTP, dump to a file, snapshot; then of bare puts and import."""
    documents = arguments.documents
    times: dict[str, list[float]] = {}

    def note(name: str, work: Callable[[], object]) -> None:
        times.setdefault(name, []).append(timed(work))

    with contextlib.ExitStack() as exits:
        path = exits.enter_context(scratch())
        build_store(path / "data", documents)
        dumps = exits.enter_context(scratch(in_memory=True))
        places = ("--dump-dir", str(dumps), "--snapshot-dir", str(path / "snapshots"))
        with ServerProcess(path / "data", *places) as server:
            port, held = server.port, Connection(server.port)
            memory = peak_above(server, lambda: remove(port, task(port, "/dumps", {})))
            memory = max(memory, peak_above(server, lambda: task(port, "/snapshots")))
            held.json("DELETE", "/_admin/arangorep/loop")
            for _ in range(arguments.rounds):
                note("http", lambda: dump(port, envelope=False))
                for packing in ("none", "zstd", "gzip"):
                    wish = {"compression": packing}
                    uids: list[str] = []
                    note(packing, lambda w=wish, u=uids: u.append(task(port, "/dumps", w)))
                    remove(port, uids[0])
                note("snapshot", lambda: task(port, "/snapshots"))
            loop_ms = held.json("GET", "/_admin/arangorep/loop")["heldMaxSeconds"] * 1000
            uid = task(port, "/dumps", {"compression": "none"})
        rows = rows_of(path / "data")
        for number in range(arguments.rounds):
            note("puts", lambda n=number: bare_puts(path / f"puts{n}", rows))
            archive = dumps / f"{uid}.dump"
            note("import", lambda n=number: import_dump(archive, path / f"new{n}", SystemClock()))
        memory = max(memory, import_above(dumps / f"{uid}.dump", path / "served"))
    rates = {name: documents / median(values) for name, values in times.items()}
    seconds = median(times["snapshot"])
    dumped, imported = rates["zstd"] / rates["http"], rates["import"] / rates["puts"]
    return [
        at_least("dump to a file, packed with zstd / over HTTP", dumped, 0.6, **rates),
        at_least("import of a dump / bare puts of its rows", imported, 0.8, **rates),
        at_most("longest hold of the loop meanwhile, ms", loop_ms, 50, snapshot_s=seconds),
        at_most("memory above idle, MiB", memory, 150),
    ]


if __name__ == "__main__":
    main(run)
