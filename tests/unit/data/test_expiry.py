"""Expiry by `ttl` indexes on a store without a server (data-api 8.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stores import (
    Bench,
    bodies,
    finish,
    index_entries,
    insert,
    make_collection,
    make_index,
    markers,
    system,
    write,
)

from arangorep.data.collections import truncate_collection
from arangorep.data.expiry import remove_expired, ttl_indexes
from arangorep.data.indexes import create_index, drop_index
from arangorep.errors import BadParameter
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.values.index import IndexDefinition, parse_index
from arangorep.values.index_terms import expiry_moment_s, ttl_term

NOW = 1_700_000_000


class Expiring:
    """A collection `c` on a store that can be stopped and killed."""

    def __init__(self) -> None:
        self.bench = Bench()
        make_collection(self.bench.store, "c")

    @property
    def collection(self) -> Collection:
        return system(self.bench.store).find("c")

    def index(self, field: str = "t", after: float = 0, **members: Any) -> IndexDefinition:
        return make_index(
            self.bench.store,
            self.collection,
            field,
            **{"type": "ttl", "unique": False, "expireAfter": after, **members},
        )

    def insert(self, *values: Any, field: str = "t") -> None:
        documents = [{"_key": f"k{n}", field: value} for n, value in enumerate(values)]
        insert(self.bench.store, self.collection, *documents)

    def write(self, operation: str, *items: Any, **options: Any) -> None:
        write(self.bench.store, self.collection, operation, *items, **options)

    def run(self, now: float = NOW, most: int = 10**6) -> int:
        """One slice of work."""
        store = self.bench.store
        return remove_expired(store, system(store), self.collection, now, most)

    def run_all(self, now: float = NOW) -> int:
        removed = 0
        while some := self.run(now):
            removed += some
        return removed

    def left(self) -> set[str]:
        assert findings(self.bench.store) == []
        return set(bodies(self.bench.store, self.collection))


@pytest.fixture
def c() -> Expiring:
    return Expiring()


# -- what a moment is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (0, 0.0),
        (-5, -5.0),
        (0.5, 0.5),
        (1e308, 1e308),
        (2**64 - 1, 2.0**64),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20.000Z", NOW),
        ("2023-11-14T22:13:20.250Z", NOW + 0.25),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("2023-11-14 22:13:20", NOW),
        ("2023-11-14T22:13Z", NOW - 20),
        ("2023-11-14", NOW - 80_000),
        (" 2023-11-14 ", NOW - 80_000),
        ("1969-12-31T23:59:59Z", -1),
        (None, None),
        (True, None),
        (False, None),
        ("", None),
        ("soon", None),
        ("1700000000", None),
        ("2023-02-30", None),
        ("2023-11-14T25:00:00Z", None),
        ([], None),
        ([NOW], None),
        ({}, None),
        ({"$date": "2023-11-14"}, None),
        ("x" * 1_000_000, None),
        ("2023-11-14\0", None),
    ],
)
def test_moments(value: Any, moment: float | None) -> None:
    assert expiry_moment_s(value) == moment


@pytest.mark.parametrize("text", ["20230101", "20230101T101010", "2023-W01-1", "2023W011"])
def test_what_a_real_server_reads_as_no_date(text: str) -> None:
    assert expiry_moment_s(text) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2023", 1_672_531_200),
        ("2023-11", 1_698_796_800),
        ("2023-11-4", 1_699_056_000),
        ("2023-1-1T1:2:3Z", 1_672_534_923),
    ],
)
def test_dates_that_aql_reads(text: str, moment: float) -> None:
    """The same words are dates to `DATE_TIMESTAMP` (aql/functions/dates.py)."""
    assert expiry_moment_s(text) == moment


moments = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**11), 10**11)


@given(moments, moments)
def test_terms_sort_like_moments(one: float, other: float) -> None:
    terms = ttl_term(one), ttl_term(other)
    assert [len(term) for term in terms] == [8, 8]
    if one < other:
        # integers beyond 2**53 may fall together
        assert terms[0] < terms[1] or float(one) == float(other)
    if one == other and one != 0:
        assert terms[0] == terms[1]


def test_terms_of_zeros_and_bounds() -> None:
    ordered = [-math.inf, -1e308, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, 1e308, math.inf]
    terms = [ttl_term(moment) for moment in ordered]
    assert terms == sorted(terms)
    assert len(set(terms)) == len(terms)


@given(
    st.lists(st.none() | st.integers(NOW - 50, NOW + 50) | st.floats(NOW - 50, NOW + 50)),
    st.integers(0, 30),
    st.integers(1, 5),
)
def test_what_is_removed_is_what_is_due(values: list[Any], after: int, most: int) -> None:
    c = Expiring()
    c.index(after=after)
    c.insert(*values)
    due = {n: v + after for n, v in enumerate(values) if v is not None and v + after < NOW}
    moments_of = {f"k{n}": moment for n, moment in due.items()}
    before = c.left()
    removed = c.run(most=most)
    assert removed == min(most, len(due))
    gone = before - c.left()
    assert gone <= moments_of.keys()
    if gone:  # those due first
        latest = max(moments_of[key] for key in gone)
        assert all(moments_of[key] >= latest for key in moments_of.keys() - gone)
    c.run_all()
    assert before - c.left() == moments_of.keys()


# -- entries follow the documents ------------------------------------------------------------------


def test_the_moment_itself_is_not_over(c: Expiring) -> None:
    c.index(after=10)
    c.insert(NOW - 11, NOW - 10, NOW - 9)
    assert c.run() == 1
    assert c.left() == {"k1", "k2"}
    assert c.run() == 0
    assert c.run(NOW + 0.001) == 1


def test_changes_of_the_attribute(c: Expiring) -> None:
    index = c.index()
    c.insert(*[NOW - 5] * 6)
    c.write("update", {"_key": "k0", "t": NOW + 5})
    c.write("update", {"_key": "k1", "t": None}, keep_null=False)
    c.write("replace", {"_key": "k2"})
    c.write("update", {"_key": "k3", "other": 1})
    c.write("remove", "k4")
    c.write("insert", {"_key": "k5", "t": "2030-01-01"}, overwrite_mode="replace")
    assert len(index_entries(c.bench.store, index)) == 3
    assert c.run_all() == 1
    assert c.left() == {"k0", "k1", "k2", "k5"}
    c.write("update", {"_key": "k1", "t": NOW - 1})
    c.write("remove", "k2")
    c.write("insert", {"_key": "k2", "t": NOW - 1})
    assert c.run_all() == 2
    assert c.left() == {"k0", "k5"}


def test_many_changes_of_one_document_in_one_transaction(c: Expiring) -> None:
    c.index()
    items: Iterable[Any] = [{"_key": "k", "t": NOW + n} for n in (-5, 5, -5, 7)]
    c.write("insert", *items, overwrite_mode="replace")
    assert c.left() == {"k"}
    assert c.run_all() == 0
    assert c.run_all(NOW + 8) == 1


def test_documents_of_the_same_moment(c: Expiring) -> None:
    index = c.index()
    c.insert(*[NOW - 1] * 500)
    assert len(index_entries(c.bench.store, index)) == 500
    assert c.run_all() == 500
    assert index_entries(c.bench.store, index) == {}


def test_a_nested_path(c: Expiring) -> None:
    c.index("a.b.c")
    values = [{"b": {"c": NOW - 1}}, {"b": {"c": NOW + 1}}, {"b": [NOW - 1]}, {"b": None}, 5, None]
    c.insert(*values, field="a")
    c.write("insert", {"_key": "dotted", "a.b.c": NOW - 1})
    assert c.run_all() == 1
    assert c.left() == {"k1", "k2", "k3", "k4", "k5", "dotted"}


def test_an_index_that_comes_later_and_goes(c: Expiring) -> None:
    c.insert(*[NOW - 1] * (WRITE_ROWS_PER_SLICE + 20))
    assert c.run() == 0
    index = c.index()
    assert len(index_entries(c.bench.store, index)) == WRITE_ROWS_PER_SLICE + 20
    assert c.run() == WRITE_ROWS_PER_SLICE
    drop_index(c.bench.store, system(c.bench.store), c.collection, str(index.id))
    assert index_entries(c.bench.store, index) == {}
    assert ttl_indexes(c.collection) == []
    assert c.run() == 0
    assert len(c.left()) == 20


def test_several_indexes(c: Expiring) -> None:
    c.index("t")
    c.index("u", after=100)
    for key, t, u in (("both", -1, -101), ("t", -1, 0), ("u", 1, -101), ("none", 1, -99)):
        c.write("insert", {"_key": key, "t": NOW + t, "u": NOW + u})
    assert c.run_all() == 3
    assert c.left() == {"none"}


def test_at_most_what_may_be_removed(c: Expiring) -> None:
    c.index("t")
    c.index("u")
    c.insert(*[NOW - 1] * 10)
    c.write("insert", *({"_key": f"u{n}", "u": NOW - 1} for n in range(10)))
    assert [c.run(most=7), c.run(most=7), c.run(most=7), c.run(most=7)] == [7, 7, 6, 0]
    assert c.run(most=0) == 0


def test_beside_a_unique_index(c: Expiring) -> None:
    c.index()
    unique = make_index(c.bench.store, c.collection, "n")
    c.write("insert", {"_key": "a", "t": NOW - 1, "n": 1}, {"_key": "b", "t": NOW + 1, "n": 2})
    assert c.run_all() == 1
    assert len(index_entries(c.bench.store, unique)) == 1
    c.write("insert", {"_key": "c", "n": 1})
    assert c.left() == {"b", "c"}


def test_truncation_clears_the_entries(c: Expiring) -> None:
    index = c.index()
    c.insert(*[NOW - 1] * 10)
    truncate_collection(c.bench.store, system(c.bench.store), c.collection)
    assert index_entries(c.bench.store, index) == {}
    assert c.run() == 0
    assert c.left() == set()


# -- the log, restarts, claims ---------------------------------------------------------------------


def test_removals_are_logged(c: Expiring) -> None:
    c.index()
    c.insert(NOW - 1, NOW - 2, NOW + 1)
    last = c.bench.store.log.last_tick
    assert c.run() == 2
    found = markers(c.bench.store, last)
    assert [marker["type"] for marker in found] == [2200, 2302, 2302, 2201]
    assert [marker["data"]["_key"] for marker in found[1:3]] == ["k1", "k0"]
    c.write("update", {"_key": "k2", "t": NOW - 1})
    last = c.bench.store.log.last_tick
    c.run()
    assert [marker["type"] for marker in markers(c.bench.store, last)] == [2302]
    last = c.bench.store.log.last_tick
    c.run()
    assert markers(c.bench.store, last) == []


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_after_a_restart(c: Expiring, end: str) -> None:
    index = c.index(after=5)
    c.insert(*[NOW - 100] * 10, *[NOW + 100] * 10)
    c.run(most=4)
    getattr(c.bench, end)()
    assert len(index_entries(c.bench.store, index)) == 16
    assert ttl_indexes(c.collection) == [index]
    assert c.run_all() == 6
    getattr(c.bench, end)()
    assert len(c.left()) == 10
    assert c.run_all() == 0


def claim(c: Expiring, *names: str) -> None:
    """As a stream transaction of another id does."""
    for name in names:
        c.collection.locks[c.collection.prefix + name.encode()] = 7


def test_what_a_transaction_has_claimed_stays(c: Expiring) -> None:
    c.index()
    c.insert(*[NOW - 1] * 5)
    claim(c, "k1", "k3")
    last = c.bench.store.log.last_tick
    assert c.run_all() == 3
    assert c.left() == {"k1", "k3"}
    assert len(markers(c.bench.store, last)) == 5
    c.collection.locks.clear()
    assert c.run_all() == 2


def test_claims_hold_up_nothing_else(c: Expiring) -> None:
    c.index()
    c.insert(*[NOW - 10] * WRITE_ROWS_PER_SLICE, *[NOW - 1] * 10)
    claim(c, *(f"k{n}" for n in range(WRITE_ROWS_PER_SLICE)))
    assert c.run_all() == 10


# -- definitions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {}, {"expireAfter": None}, {"expireAfter": -1}, {"expireAfter": "1"},
        {"expireAfter": True}, {"expireAfter": 1, "fields": []},
        {"expireAfter": 1, "fields": ["a", "b"]},
    ],
)  # fmt: skip
def test_bad_definitions(members: dict[str, Any]) -> None:
    body = {"type": "ttl", "fields": ["a"], **members}
    with pytest.raises(BadParameter):
        parse_index(body, new_id=1, default_name="i")


def test_the_same_index_again(c: Expiring) -> None:
    index = c.index(after=5, name="one")
    body = {"type": "ttl", "fields": ["t"], "expireAfter": 5, "name": "two"}
    store = c.bench.store
    assert finish(create_index(store, system(store), c.collection, body)) == (index, False)
    assert index.unique is False
    assert index.sparse is True
