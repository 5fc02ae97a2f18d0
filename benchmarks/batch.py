"""What does a batch cost, and the revision tree of a large collection at it?

Creating a batch is measured against opening one bounded iterator per collection, and against itself
with a thousandth of the documents; the tree against writing out its populated leaves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import Result, at_most, document, main, median, scratch, timed

from arangorep.clock import ManualClock
from arangorep.data.collections import create_collection
from arangorep.data.databases import ensure_system_database
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.transactions import Transaction
from arangorep.leader.batches import BatchRegistry
from arangorep.leader.clients import ClientIdentity, ReplicationClients
from arangorep.protocol.revision_tree import encode_tree
from arangorep.storage.engine import Family
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

COLLECTIONS = 500
REPEATS = 20
STEP_S = 600.0
"""The clock moves on by this between two arrays, so that the tree has thousands of leaves."""


def open_store(path: Path, collections: int, documents: int) -> tuple[Store, ManualClock]:
    """Collections `c0`, `c1`, … with as many documents each."""
    clock = ManualClock()
    store = Store(RocksEngine(path), clock)
    ensure_system_database(store)
    database = store.catalog.database("_system")
    for number in range(collections):
        created = create_collection(store, database, {"name": f"c{number}"})
        for start in range(0, documents, 1000):
            write(store, f"c{number}", range(start, min(start + 1000, documents)))
            clock.advance_s(STEP_S)
        assert created.count == documents
    store.engine.flush()
    store.engine.compact()
    return store, clock


def write(store: Store, name: str, numbers: range) -> None:
    """One array insert."""
    database = store.catalog.database("_system")
    transaction = Transaction(store, database, grouped=True)
    writer = DocumentWriter(transaction, database.find(name), WriteOptions())
    for _ in writer.each([document(number) for number in numbers], writer.insert):
        pass
    transaction.commit()


def creation_s(store: Store, clock: ManualClock) -> float:
    """Seconds to create a batch (median)."""
    registry = BatchRegistry(store, clock, ReplicationClients(clock))
    times = []
    for _ in range(REPEATS):
        made: list[int] = []
        times.append(timed(lambda: made.append(registry.create(60, ClientIdentity(), 1).id)))
        registry.delete(made[0])
    return median(times)


def iterators_s(store: Store) -> float:
    """Seconds to open one bounded iterator for each collection with documents (median)."""
    collections = [c for c in store.catalog.collections if c.count]
    times = []
    for _ in range(REPEATS):
        opened = []

        def work() -> None:
            for c in collections:
                opened.append(store.engine.scan(Family.DOCUMENTS, c.prefix, c.document_end))

        times.append(timed(work))
    return median(times)


def tree_s(store: Store, clock: ManualClock, documents: int) -> tuple[float, float, int]:
    """Seconds for the tree at a batch after more writes, for encoding its leaves; their number."""
    collection = store.catalog.database("_system").find("c0")
    plain, at_batch = [], []
    for number in range(5):
        leaves = collection.state.tree.copy()
        plain.append(timed(lambda: encode_tree(leaves)))
        snapshot = store.snapshot()
        write(store, "c0", range(documents + number * 10, documents + number * 10 + 10))
        at_batch.append(timed(lambda: encode_tree(snapshot.state(collection).tree)))
        assert encode_tree(snapshot.state(collection).tree) == encode_tree(leaves)
        store.release(snapshot)
    return median(at_batch), median(plain), sum(1 for _ in leaves.leaves())


def run(arguments: argparse.Namespace) -> list[Result]:
    """Many small collections, one small, one large."""
    with scratch() as path:
        many, clock = open_store(path / "many", COLLECTIONS, 20)
        creation, iterators = creation_s(many, clock), iterators_s(many)
        many.close()
        small, clock = open_store(path / "small", 1, max(1000, arguments.documents // 1000))
        of_small = creation_s(small, clock)
        small.close()
        large, clock = open_store(path / "large", 1, arguments.documents)
        of_large = creation_s(large, clock)
        at_batch, plain, leaves = tree_s(large, clock, arguments.documents)
        large.close()
    return [
        at_most(
            f"batch over {COLLECTIONS} collections / opening their iterators",
            creation / iterators,
            3,
            batch_us=creation * 1e6,
            iterators_us=iterators * 1e6,
        ),
        at_most(
            "batch with 1,000 times the documents",
            of_large / of_small,
            3,
            large_us=of_large * 1e6,
            small_us=of_small * 1e6,
        ),
        at_most(
            "tree at a batch / encoding its leaves",
            at_batch / plain,
            3,
            at_batch_us=at_batch * 1e6,
            encoding_us=plain * 1e6,
            leaves=leaves,
        ),
    ]


if __name__ == "__main__":
    main(run)
