"""Reading the revisions of a collection without its documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_engine import MemoryEngine
from support.stores import finish, insert, make_collection, open_store, primary, system, write

from arangorep.data.collections import truncate_collection
from arangorep.errors import CorruptionError
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Engine, Family, WriteSet
from arangorep.storage.listing import NOTHING, all_revisions, take_revisions
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

MODULE = "arangorep.storage.listing"
PREFIX = keys.u64(4711)


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    engine: Engine = MemoryEngine()
    if request.param == "rocks":
        engine = RocksEngine(tmp_path / "data")
    opened = open_store(engine)
    yield opened
    opened.close()


@pytest.fixture
def collection(store: Store) -> Collection:
    return make_collection(store, "c")


def fill(store: Store, collection: Collection, *names: str) -> list[int]:
    return insert(store, collection, *({"_key": name} for name in names))


def listed(store: Store, collection: Collection) -> list[int]:
    found = finish(all_revisions(store.engine, collection))
    assert found.dtype == np.uint64
    return found.tolist()


# -- all -----------------------------------------------------------------------------------------


def test_an_empty_collection(store: Store, collection: Collection) -> None:
    assert listed(store, collection) == []
    fill(store, collection, "a")
    write(store, collection, "remove", {"_key": "a"})
    assert listed(store, collection) == []


@pytest.mark.parametrize("rows", [1, 2, 5, 6, 7, 4096])
def test_revisions_ascend_whatever_the_keys(
    store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(f"{MODULE}.ROWS_PER_SLICE", rows)
    revisions = fill(store, collection, *"zmabyc")
    assert listed(store, collection) == sorted(revisions)
    (newest,) = insert(store, collection, {"_key": "m"}, mode="replace")
    write(store, collection, "remove", {"_key": "y"})
    expected = [r for n, r in zip("zmabyc", revisions, strict=True) if n not in "my"] + [newest]
    assert listed(store, collection) == expected == sorted(primary(store, collection).values())


def test_collections_beside_each_other(store: Store) -> None:
    made = [make_collection(store, name) for name in "abc"]
    revisions = [fill(store, collection, "k", f"k{n}") for n, collection in enumerate(made)]
    assert [listed(store, collection) for collection in made] == revisions


@given(names=st.lists(st.integers(0, 99), max_size=30, unique=True), rows=st.integers(1, 8))
def test_any_number_of_documents(names: list[int], rows: int) -> None:
    store = open_store()
    collection = make_collection(store, "c")
    revisions = fill(store, collection, *(f"k{n}" for n in names)) if names else []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{MODULE}.ROWS_PER_SLICE", rows)
        work = all_revisions(store.engine, collection)
        slices = len(list(work))
        assert listed(store, collection) == sorted(revisions)
    assert slices == -(-len(names) // rows)


@pytest.mark.parametrize("change", ["insert", "replace", "remove", "truncate"])
@pytest.mark.parametrize("slices", [1, 2, 3])
def test_a_writer_between_two_slices_does_not_matter(
    store: Store,
    collection: Collection,
    monkeypatch: pytest.MonkeyPatch,
    change: str,
    slices: int,
) -> None:
    """What is listed is what was there when it began."""
    monkeypatch.setattr(f"{MODULE}.ROWS_PER_SLICE", 2)
    revisions = fill(store, collection, *"hgfedcba")
    work = all_revisions(store.engine, collection)
    for _ in range(slices):
        next(work)
    match change:
        case "insert":
            fill(store, collection, *"0AZz", "b1", "g1", "zz")
        case "replace":
            insert(store, collection, {"_key": "a"}, {"_key": "h"}, mode="replace")
        case "remove":
            write(store, collection, "remove", *({"_key": name} for name in "agh"))
        case _:
            truncate_collection(store, system(store), collection)
    assert finish(work).tolist() == revisions


def test_it_begins_with_the_first_slice(store: Store, collection: Collection) -> None:
    fill(store, collection, "a")
    work = all_revisions(store.engine, collection)
    fill(store, collection, "b")
    assert finish(work).tolist() == sorted(primary(store, collection).values())


@pytest.mark.parametrize("name", ["a", "c", "e"])
def test_too_few_keys_are_a_corruption(store: Store, collection: Collection, name: str) -> None:
    fill(store, collection, *"abcde")
    changes = WriteSet()
    changes.entries[Family.PRIMARY][collection.prefix + name.encode()] = None
    store.engine.write(changes)
    with pytest.raises(CorruptionError, match="ended after 4 of 5 keys"):
        finish(all_revisions(store.engine, collection))


def test_too_many_keys_are_a_corruption(store: Store, collection: Collection) -> None:
    fill(store, collection, *"ab")
    changes = WriteSet()
    changes.entries[Family.PRIMARY][collection.prefix + b"x"] = keys.u64(5)
    store.engine.write(changes)
    with pytest.raises(CorruptionError):
        finish(all_revisions(store.engine, collection))


# -- some ----------------------------------------------------------------------------------------


class Keys:
    """A scan that remembers how many rows each call asked for."""

    def __init__(self, revisions: list[int]) -> None:
        self.rest = [PREFIX + keys.u64(revision) for revision in revisions]
        self.asked: list[int] = []

    def take(self, rows: int) -> list[bytes]:
        self.asked.append(rows)
        taken, self.rest = self.rest[:rows], self.rest[rows:]
        return taken

    def close(self) -> None:
        self.rest = []


@given(
    revisions=st.lists(st.integers(0, 2**64 - 1), max_size=30),
    wanted=st.lists(st.integers(0, 12), min_size=1, max_size=6),
    per_slice=st.integers(1, 8),
)
def test_revisions_are_taken_one_after_the_other(
    revisions: list[int], wanted: list[int], per_slice: int
) -> None:
    """As many as asked for, not one more, in slices; what is left comes next."""
    scan = Keys(revisions)
    left = revisions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{MODULE}.ROWS_PER_SLICE", per_slice)
        for rows in wanted:
            scan.asked.clear()
            found = finish(take_revisions(scan, rows))
            assert found.dtype == np.uint64
            assert found.tolist() == left[:rows]
            left = left[rows:]
            assert len(scan.rest) == len(left)
            assert max(scan.asked, default=0) <= min(rows, per_slice)


@pytest.mark.parametrize(
    ("there", "rows", "asked"),
    [
        (10, 0, []),
        (0, 5, [3]),
        (10, 3, [3]),
        (10, 4, [3, 1]),
        (10, 9, [3, 3, 3]),
        (6, 9, [3, 3, 3]),
        (5, 9, [3, 3]),
    ],
)
def test_nothing_is_read_behind_the_end(
    monkeypatch: pytest.MonkeyPatch, there: int, rows: int, asked: list[int]
) -> None:
    monkeypatch.setattr(f"{MODULE}.ROWS_PER_SLICE", 3)
    scan = Keys(list(range(there)))
    assert finish(take_revisions(scan, rows)).tolist() == list(range(there))[:rows]
    assert scan.asked == asked


def test_turns_are_given_between_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.ROWS_PER_SLICE", 3)
    work = take_revisions(Keys(list(range(10))), 10)
    assert len(list(work)) == 4


def test_nothing_stays_nothing() -> None:
    assert NOTHING.tolist() == []
    assert finish(take_revisions(Keys([]), 5)).dtype == NOTHING.dtype == np.uint64


def test_revisions_of_a_store(store: Store, collection: Collection) -> None:
    revisions = fill(store, collection, *"cab")
    fill(store, make_collection(store, "other"), *"xy")
    scan = store.engine.scan_keys(Family.DOCUMENTS, collection.prefix, collection.document_end)
    assert finish(take_revisions(scan, 2)).tolist() == revisions[:2]
    assert finish(take_revisions(scan, 2)).tolist() == revisions[2:]
    scan.close()
    assert finish(take_revisions(scan, 2)).tolist() == []
