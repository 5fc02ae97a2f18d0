"""A chunk that is given up half way is read again: a dump never lacks what it had taken."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from support.stores import Bench, finish, insert, make_collection

from arangorep.leader.batches import Batch
from arangorep.leader.clients import ClientIdentity
from arangorep.leader.dump import DumpChunk, read_chunk
from arangorep.leader.parallel_dump import ParallelDump, parse_options
from arangorep.storage.catalog import Collection

DOCUMENTS = 1000


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def collection(bench: Bench) -> Collection:
    made = make_collection(bench.store, "c")
    insert(bench.store, made, *({"_key": f"k{n:04}"} for n in range(DOCUMENTS)))
    return made


def give_up(work: Generator[None, None, Any]) -> None:
    next(work)
    work.close()


def lines(pieces: list[bytes]) -> list[bytes]:
    return b"".join(pieces).splitlines()


@pytest.mark.parametrize("finished", [0, 1, 3])
@pytest.mark.parametrize("says_where", [False, True])
def test_a_dump(bench: Bench, collection: Collection, finished: int, says_where: bool) -> None:
    batch = Batch(1, bench.store, 600, ClientIdentity(), 0)
    found: list[bytes] = []
    last = 0

    def read(size: int) -> Generator[None, None, DumpChunk]:
        cursor = batch.dump_cursor(collection, last if says_where else 0)
        return read_chunk(cursor, collection, size, envelope=False)

    number = 0
    while True:
        if number == finished:
            give_up(read(10**6))
        chunk = finish(read(2000))
        number += 1
        found += lines(chunk.pieces)
        last = chunk.last_revision
        if not chunk.check_more:
            break
    assert len(found) == len(set(found)) == DOCUMENTS


@pytest.mark.parametrize("finished", [0, 1, 3])
def test_a_parallel_dump(bench: Bench, collection: Collection, finished: int) -> None:
    options = parse_options({"batchSize": 4096, "docsPerBatch": 100})
    dump = ParallelDump(bench.store, [collection], options, ("root", 1), as_velocypack=False)
    found: list[bytes] = []
    number = 0
    while True:
        if number == finished:
            give_up(dump.next(number))
        batch = finish(dump.next(number))
        if batch is None:
            break
        found += lines(batch.pieces)
        dump.acknowledge(number)
        number += 1
    assert len(found) == len(set(found)) == DOCUMENTS
