"""How fast are array inserts over HTTP, against bare `WriteBatch` puts of the same rows?

The baseline writes what the server writes for a document (document, primary entry, log marker),
from rows that are ready, in batches of as many: no HTTP, no JSON, no look-ups. Like the server it
has a new process in each round: where memory was in use before, puts take two thirds of the time.
"""

from __future__ import annotations

import argparse
import json
import shutil
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from common import (
    COLLECTION,
    Connection,
    Result,
    ServerProcess,
    at_least,
    build_store,
    document,
    main,
    scratch,
    timed,
)
from rocksdict import WriteBatch

from arangorep.storage.engine import Family
from arangorep.storage.rocks import RocksEngine

ARRAY = 1000
CONNECTIONS = 2
ROUNDS = 7
WARM_ARRAYS = 40
"""Sent before the time counts: a server starts a process at the first large array."""
ROWS_OF = (Family.DOCUMENTS, Family.PRIMARY, Family.LOG)


def bodies(documents: int) -> list[bytes]:
    """The request bodies: arrays of `ARRAY` documents."""
    return [
        json.dumps(
            [document(number) for number in range(start, start + ARRAY)], ensure_ascii=False
        ).encode()
        for start in range(0, documents, ARRAY)
    ]


def insert(port: int, collection: str, arrays: list[bytes]) -> None:
    """Two connections share the arrays, as bulk loaders do: one sends while the other waits."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda part: insert_each(port, collection, part), halves(arrays)))


def halves(arrays: list[bytes]) -> list[list[bytes]]:
    """One share for each connection."""
    return [arrays[start::CONNECTIONS] for start in range(CONNECTIONS)]


def insert_each(port: int, collection: str, arrays: list[bytes]) -> None:
    """One connection, one request after the other."""
    connection = Connection(port)
    for body in arrays:
        status, headers, _, _ = connection.request(
            "POST", f"/_api/document/{collection}", body, keep=False
        )
        assert status == 202, status
        assert "x-arango-error-codes" not in headers
    connection.close()


def stored_rows(path: Path, documents: int) -> list[dict[Family, list[tuple[bytes, bytes]]]]:
    """What a server wrote for these documents, cut into batches of `ARRAY`."""
    engine = RocksEngine(path, read_only=True)
    rows = {family: engine.cursor(family).items(b"", b"\xff" * 9, 1 << 30) for family in ROWS_OF}
    engine.close()
    return [
        {family: found[start : start + ARRAY] for family, found in rows.items()}
        for start in range(0, documents, ARRAY)
    ]


def put(path: Path, rows: Path, documents: int) -> float:
    """Seconds that the bare puts take; `rows` is where a server has written them."""
    batches = stored_rows(rows, documents)
    engine = RocksEngine(path)

    def work() -> None:
        for rows_by_family in batches:
            batch = WriteBatch(raw_mode=True)
            for family, rows in rows_by_family.items():
                column = engine._columns[family]
                for key, value in rows:
                    batch.put(key, value, column)
            engine._db.write(batch)

    seconds = timed(work)
    engine.close()
    return seconds


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of bare puts and inserts, each into an empty place."""
    documents = arguments.documents
    arrays = bodies(documents)
    ratios, rates = [], []
    with scratch() as path:
        build_store(path / "rows", documents)
        for number in range(arguments.rounds):
            with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
                places = path / f"puts{number}", path / "rows"
                puts = fresh.submit(put, *places, documents).result()
            with ServerProcess(path / f"data{number}") as server:
                connection = Connection(server.port)
                for name in ("warm", COLLECTION):
                    connection.json("POST", "/_api/collection", {"name": name})
                connection.close()
                insert(server.port, "warm", arrays[:WARM_ARRAYS])
                inserts = timed(lambda: insert(server.port, COLLECTION, arrays))
            # one next to the other: the disk of a shared machine has good and bad minutes
            ratios.append(puts / inserts)
            rates.append((documents / puts, documents / inserts))
            shutil.rmtree(path / f"puts{number}")
            shutil.rmtree(path / f"data{number}")
    middle = sorted(ratios)[len(ratios) // 2]
    puts_per_s, inserts_per_s = rates[ratios.index(middle)]
    return [
        at_least("array inserts of 1,000", middle, 0.35, puts=puts_per_s, inserts=inserts_per_s)
    ]


if __name__ == "__main__":
    main(run, documents=100_000, rounds=ROUNDS)
