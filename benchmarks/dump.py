"""How fast is a dump over HTTP, measured against a bare `values()` scan of the same family?"""

from __future__ import annotations

import argparse

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
    timed,
)

from arangorep.storage.engine import Family
from arangorep.storage.rocks import RocksEngine

CHUNK_BYTES = 8 * 1024 * 1024


def dump(port: int, *, envelope: bool) -> int:
    """Dump the collection in a batch of its own, discarding bodies; returns their bytes."""
    connection = Connection(port)
    batch = connection.json("POST", "/_api/replication/batch", {"ttl": 600})["id"]
    path = (
        f"/_api/replication/dump?collection={COLLECTION}&batchId={batch}"
        f"&chunkSize={CHUNK_BYTES}&useEnvelope={'true' if envelope else 'false'}"
    )
    size, more = 0, "true"
    while more == "true":
        status, headers, _, length = connection.request("GET", path, keep=False)
        assert status == 200, status
        size += length
        more = headers["x-arango-replication-checkmore"]
    connection.request("DELETE", f"/_api/replication/batch/{batch}")
    connection.close()
    return size


def scan(engine: RocksEngine) -> None:
    """The baseline: iterate all values of the family and do nothing with them."""
    for _ in engine._handles[Family.DOCUMENTS].values():
        pass


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of scan, dump without and with envelope."""
    documents = arguments.documents
    times: dict[str, list[float]] = {"scan": [], "plain": [], "envelope": []}
    with scratch() as path:
        build_store(path / "data", documents)
        with ServerProcess(path / "data") as server:
            engine = RocksEngine(path / "data", read_only=True)
            scan(engine)
            for _ in range(arguments.rounds):
                times["scan"].append(timed(lambda: scan(engine)))
                times["plain"].append(timed(lambda: dump(server.port, envelope=False)))
                times["envelope"].append(timed(lambda: dump(server.port, envelope=True)))
            engine.close()
    rates = {name: documents / median(values) for name, values in times.items()}
    return [
        at_least("dump, bare lines", rates["plain"] / rates["scan"], 0.6, **rates),
        at_least("dump, with envelope", rates["envelope"] / rates["scan"], 0.25, **rates),
    ]


if __name__ == "__main__":
    main(run)
