"""How much memory do a dump and a tail of any size take? Peak resident memory above idle."""

from __future__ import annotations

import argparse
import contextlib
import re
import threading
from collections.abc import Callable
from pathlib import Path

from common import (
    COLLECTION,
    Connection,
    Result,
    ServerProcess,
    at_most,
    build_store,
    main,
    scratch,
)

MIB = 1024 * 1024
RSS_MIB_MAX = 100
HUGE = 1 << 40
"""A chunk size beyond everything: the server clamps it."""


def peak_mib(server: ServerProcess, work: Callable[[], None]) -> float:
    """Peak of resident memory during `work` above what it was before, MiB."""
    folder = Path(f"/proc/{server.process.pid}")
    before = server.rss_bytes()
    (folder / "clear_refs").write_text("5", encoding="ascii")  # forget the peak so far
    work()
    found = re.search(r"VmHWM:\s+(\d+) kB", (folder / "status").read_text(encoding="ascii"))
    assert found is not None
    return (int(found[1]) * 1024 - before) / MIB


def family_peak_mib(server: ServerProcess, work: Callable[[], None]) -> float:
    """Like `peak_mib`, with the processes that the server starts: sampled, shares counted once."""
    before = _family_bytes(server.process.pid)
    peak, is_over = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not is_over.wait(0.01):
            peak = max(peak, _family_bytes(server.process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        work()
    finally:
        is_over.set()
        watcher.join()
    return (peak - before) / MIB


def _family_bytes(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return _handed_bytes(pid) + sum(_share_bytes(one) for one in (str(pid), *children))


def _handed_bytes(pid: int) -> int:
    """Memory through which a server hands tasks to workers: it belongs to no process."""
    files = [file for file in Path(f"/proc/{pid}/fd").iterdir() if "memfd:" in _target(file)]
    return sum(_blocks(file) for file in files) * 512


def _target(file: Path) -> str:
    with contextlib.suppress(OSError):  # closed meanwhile
        return str(file.readlink())
    return ""


def _blocks(file: Path) -> int:
    with contextlib.suppress(OSError):
        return file.stat().st_blocks
    return 0


def _share_bytes(pid: str) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:  # it has just ended
        return 0
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found is not None else 0


def read_all(port: int, path: str, batch: bool) -> None:
    """Ask for chunk after chunk with the largest size, discarding bodies."""
    connection = Connection(port)
    after = "0"
    suffix = ""
    if batch:
        made = connection.json("POST", "/_api/replication/batch", {"ttl": 600})
        suffix = f"&batchId={made['id']}"
    while True:
        status, headers, _, _ = connection.request(
            "GET", f"{path}{suffix}&from={after}", keep=False
        )
        assert status in (200, 204), status
        after = headers["x-arango-replication-lastincluded"]
        if headers["x-arango-replication-checkmore"] == "false":
            break
    connection.close()


def run(arguments: argparse.Namespace) -> list[Result]:
    """One dump and one tail over everything, each on a server that has just started."""
    dump = f"/_api/replication/dump?collection={COLLECTION}&useEnvelope=false&chunkSize={HUGE}"
    tail = f"/_api/wal/tail?global=true&chunkSize={HUGE}"
    peaks = {}
    with scratch() as path:
        build_store(path / "data", arguments.documents)
        for name, url, batch in (("dump", dump, True), ("tail", tail, False)):
            with ServerProcess(path / "data") as server:
                peaks[name] = peak_mib(server, lambda: read_all(server.port, url, batch))
    return [
        at_most(f"{name}: MiB above idle / {RSS_MIB_MAX}", peak / RSS_MIB_MAX, 1, mib=peak)
        for name, peak in peaks.items()
    ]


if __name__ == "__main__":
    main(run)
