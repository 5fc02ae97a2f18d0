"""Running plans against a store: what is known before, what is held, what goes meanwhile."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.stores import insert, make_collection, open_store, system

from arangorep.aql.pipeline import PAUSE
from arangorep.aql.statements import parse_query
from arangorep.data.collections import drop_collection
from arangorep.data.queries import QueryRun, check_full_count
from arangorep.data.stream import StreamTransaction
from arangorep.errors import NotImplementedHere, TransactionAborted
from arangorep.limits import QUERY_ROWS_PER_SLICE
from arangorep.storage.catalog import Collection
from arangorep.storage.store import Store

COUNT = 1000


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    made = make_collection(store, "c")
    insert(store, made, *({"_key": f"{n:04}", "n": n} for n in range(COUNT)))
    return made


def begin(store: Store) -> StreamTransaction:
    return StreamTransaction(
        store,
        system(store),
        store.ticks.next(),
        readable=frozenset(),
        writable=frozenset(),
        allow_implicit=True,
        bytes_max=10**9,
    )


def query(store: Store, collection: Collection | None, text: str, **binds: Any) -> QueryRun:
    return QueryRun(store, parse_query(text), binds, collection)


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("FOR d IN c RETURN d", COUNT),
        ("FOR d IN c RETURN d.n", COUNT),
        ("FOR d IN c LIMIT 10 RETURN d", 10),
        ("FOR d IN c LIMIT 990, 20 RETURN d", 10),
        ("FOR d IN c LIMIT 20, null LIMIT 5, 2000 RETURN d", COUNT - 25),
        ("FOR d IN c LIMIT 5000, 1 RETURN d", 0),
        ("FOR d IN c FILTER d.n RETURN d", None),
        ("FOR d IN c RETURN DISTINCT d.n", None),
        ("FOR d IN c SORT d.n LIMIT 1 RETURN d", None),
        ("FOR d IN [1] RETURN d", None),
        ("RETURN 1", None),
    ],
)
def test_known_counts(store: Store, collection: Collection, text: str, known: int | None) -> None:
    reads = collection if " c " in text else None
    run = query(store, reads, text)
    assert run.known_count() == known
    if known is not None:
        assert sum(1 for one in run.values() if one is not PAUSE) == known


def gaps(results: Iterator[Any]) -> Iterator[int]:
    """How many values come between two pauses."""
    number = 0
    for one in results:
        if one is PAUSE:
            yield number
            number = 0
        else:
            number += 1
    yield number


@pytest.mark.parametrize(
    "text",
    ["FOR d IN c RETURN d", "FOR d IN c FILTER d.n > 0 RETURN d.n", "FOR d IN c SORT d.n RETURN 1"],
)
def test_others_have_their_turn(store: Store, collection: Collection, text: str) -> None:
    run = query(store, collection, text)
    most = max(gaps(run.values()))
    assert most <= (200 if "SORT" in text else QUERY_ROWS_PER_SLICE)
    assert run.figures.scanned == COUNT


def test_a_limit_reads_no_further(store: Store, collection: Collection) -> None:
    run = query(store, collection, "FOR d IN c LIMIT 3 RETURN d.n")
    assert [json.loads(one) for one in run.values() if one is not PAUSE] == [0, 1, 2]
    assert run.figures.scanned == QUERY_ROWS_PER_SLICE


def test_full_counts() -> None:
    check_full_count(parse_query("FOR d IN c RETURN d"), True)
    check_full_count(parse_query("FOR d IN c LIMIT 1 RETURN d"), False)
    with pytest.raises(NotImplementedHere):
        check_full_count(parse_query("FOR d IN c LIMIT 1 RETURN d"), True)


def test_a_collection_that_is_dropped_under_a_transaction(
    store: Store, collection: Collection
) -> None:
    plan = parse_query("FOR d IN c RETURN d")
    values = QueryRun(store, plan, {}, collection, begin(store)).values()
    next(values)
    drop_collection(store, system(store), collection, allow_system=False)
    with pytest.raises(TransactionAborted):
        list(values)


MEASURE = """
from support.stores import finish, open_store
from arangorep.aql.statements import parse_query
from arangorep.data.queries import QueryRun
from arangorep.rest.queries import _gathered

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

run = QueryRun(open_store(), parse_query("FOR n IN 1..50000 RETURN n"), {}, None)
before = resident()
held = finish(_gathered(run.values()))
print((resident() - before) // len(held))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_small_results_take_little_memory() -> None:
    """In a process of its own: memory that others have freed would hide what is taken."""
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        capture_output=True, text=True, check=True, timeout=60,
        env={"PYTHONPATH": f"{root}:{root / 'tests'}"},
    )  # fmt: skip
    assert int(done.stdout) < 500
