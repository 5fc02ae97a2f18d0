"""How fast does a follower catch up on insert markers, measured against a bare scan of the log?"""

from __future__ import annotations

import argparse

from common import (
    Connection,
    Result,
    ServerProcess,
    at_least,
    build_store,
    main,
    median,
    scratch,
    timed,
)

from arangorep.storage.engine import Family
from arangorep.storage.rocks import RocksEngine

CHUNK_BYTES = 8 * 1024 * 1024


def catch_up(port: int) -> int:
    """Tail from the beginning to the end, discarding bodies; returns their bytes."""
    connection = Connection(port)
    after, scanned, size = "0", "0", 0
    while True:
        path = (
            f"/_api/wal/tail?from={after}&lastScanned={scanned}&global=true"
            f"&chunkSize={CHUNK_BYTES}&serverId=7"
        )
        status, headers, _, length = connection.request("GET", path, keep=False)
        assert status == 200, status
        size += length
        after = headers["x-arango-replication-lastincluded"]
        scanned = headers["x-arango-replication-lastscanned"]
        if headers["x-arango-replication-checkmore"] == "false":
            connection.close()
            return size


def scan(engine: RocksEngine) -> None:
    """The baseline: iterate all values of the log and do nothing with them."""
    for _ in engine._handles[Family.LOG].values():
        pass


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of scan and catching up."""
    documents = arguments.documents
    times: dict[str, list[float]] = {"scan": [], "tail": []}
    with scratch() as path:
        build_store(path / "data", documents)
        with ServerProcess(path / "data") as server:
            engine = RocksEngine(path / "data", read_only=True)
            scan(engine)
            for _ in range(arguments.rounds):
                times["scan"].append(timed(lambda: scan(engine)))
                times["tail"].append(timed(lambda: catch_up(server.port)))
            engine.close()
    rates = {name: documents / median(values) for name, values in times.items()}
    return [at_least("tail, catching up", rates["tail"] / rates["scan"], 0.4, **rates)]


if __name__ == "__main__":
    main(run)
