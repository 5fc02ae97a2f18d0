"""Do single reads stay quick while a full dump runs, and is the event loop ever held for long?"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from multiprocessing.synchronize import Event

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
from dump import dump

GETS = 4000
LOOP_MS_MAX = 10


def latencies(port: int, documents: int) -> list[float]:
    """Seconds of single-document GETs, one after the other on one connection."""
    connection = Connection(port)
    times = []
    for number in range(GETS):
        start = time.perf_counter()
        status, *_ = connection.request(
            "GET", f"/_api/document/{COLLECTION}/k{number % documents:09d}"
        )
        times.append(time.perf_counter() - start)
        assert status == 200
    connection.close()
    return times


def p99(times: list[float]) -> float:
    """The 99th percentile."""
    return sorted(times)[len(times) * 99 // 100]


def keep_dumping(port: int, started: Event, stop: Event) -> None:
    """Dump again and again until told to stop."""
    while not stop.is_set():
        started.set()
        dump(port, envelope=False)


def run(arguments: argparse.Namespace) -> list[Result]:
    """Without a dump, then with one running in another process."""
    context = multiprocessing.get_context("spawn")
    with scratch() as path:
        build_store(path / "data", arguments.documents)
        with ServerProcess(path / "data") as server:
            admin = Connection(server.port)
            latencies(server.port, arguments.documents)
            alone = p99(latencies(server.port, arguments.documents))
            started, stop = context.Event(), context.Event()
            dumper = context.Process(target=keep_dumping, args=(server.port, started, stop))
            dumper.start()
            started.wait(30)
            admin.json("DELETE", "/_admin/arangorep/loop")
            during = p99(latencies(server.port, arguments.documents))
            held_ms = admin.json("GET", "/_admin/arangorep/loop")["heldMaxSeconds"] * 1000
            stop.set()
            dumper.join(120)
            admin.close()
    return [
        at_most(
            "p99 of GETs during a dump / without",
            during / alone,
            5,
            during_us=during * 1e6,
            alone_us=alone * 1e6,
        ),
        at_most(
            f"longest hold of the event loop / {LOOP_MS_MAX} ms",
            held_ms / LOOP_MS_MAX,
            1,
            held_ms=held_ms,
        ),
    ]


if __name__ == "__main__":
    main(run)
