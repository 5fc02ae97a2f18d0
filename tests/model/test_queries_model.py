"""Queries against plain Python over the same documents, and batches against the whole result."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cmp_to_key
from itertools import zip_longest
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.stores import bodies, finish, insert, make_collection, open_store, system

from arangorep.aql.pipeline import PAUSE, Pause
from arangorep.aql.statements import parse_query
from arangorep.data.queries import QueryRun
from arangorep.data.reading import row_blocks
from arangorep.rest.cursor_registry import ResultReader
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store

Document = dict[str, Any]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.5, -1.5, 1.0, 2**53, 2**64 - 1])
    | st.sampled_from(["", "a", "ab", "b", "Z", "é", "1"])
)
values = scalars | st.lists(scalars, max_size=2)
documents = st.lists(
    st.dictionaries(st.sampled_from(["a", "b"]), values), max_size=12
)  # a member may be missing
names = st.sampled_from(["a", "b", "c"])


# -- the order of AQL, written down again ----------------------------------------------------------


def rank(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool):
        return 1
    return 2 if isinstance(value, (int, float)) else 3 if isinstance(value, str) else 4


def order(one: Any, other: Any) -> int:
    """Below, equal or above zero."""
    if rank(one) != rank(other):
        return rank(one) - rank(other)
    if one is None:
        return 0
    if not isinstance(one, list):
        return int(one > other) - int(one < other)
    end = object()
    for left, right in zip_longest(one, other, fillvalue=end):
        if left is end or right is end:
            return -1 if left is end else 1
        if found := order(left, right):
            return found
    return 0


COMPARISONS: dict[str, Callable[[int], bool]] = {
    "==": lambda found: found == 0,
    "!=": lambda found: found != 0,
    "<": lambda found: found < 0,
    "<=": lambda found: found <= 0,
    ">": lambda found: found > 0,
    ">=": lambda found: found >= 0,
}


# -- queries ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """A query in parts; its text with bind values, and what Python makes of it."""

    filters: list[tuple[str, str, Any]]
    joined_by: str
    sorts: list[tuple[str, bool]]
    limit: tuple[int, int | None] | None

    def clauses(self) -> tuple[str, Document]:
        binds: Document = {"@c": "c"}
        text = "FOR d IN @@c"
        conditions = []
        for number, (name, comparison, value) in enumerate(self.filters):
            binds |= {f"n{number}": name, f"v{number}": value}
            conditions.append(f"d[@n{number}] {comparison} @v{number}")
        if conditions:
            text += f" FILTER {f' {self.joined_by} '.join(conditions)}"
        if self.sorts:
            keys = (f"d.`{name}` {'DESC' if down else 'ASC'}" for name, down in self.sorts)
            text += f" SORT {', '.join(keys)}"
        if self.limit is not None:
            binds |= {"skip": self.limit[0], "count": self.limit[1]}
            text += " LIMIT @skip, @count"
        return text, binds

    def chosen(self, all_of_them: list[Document]) -> list[Document]:
        combine = all if self.joined_by == "AND" else any
        found = [
            document
            for document in all_of_them
            if not self.filters
            or combine(
                COMPARISONS[comparison](order(document.get(name), value))
                for name, comparison, value in self.filters
            )
        ]
        for name, down in reversed(self.sorts):
            found.sort(
                key=cmp_to_key(lambda one, other, n=name: order(one.get(n), other.get(n))),
                reverse=down,
            )
        if self.limit is None:
            return found
        skip, count = self.limit
        return found[skip:] if count is None else found[skip : skip + count]


asked = st.builds(
    Asked,
    filters=st.lists(st.tuples(names, st.sampled_from(list(COMPARISONS)), values), max_size=3),
    joined_by=st.sampled_from(["AND", "OR"]),
    sorts=st.lists(st.tuples(names, st.booleans()), max_size=2),
    limit=st.none() | st.tuples(st.integers(0, 5), st.none() | st.integers(0, 8)),
)


def filled(given_documents: list[Document]) -> tuple[Store, Collection]:
    store = open_store()
    collection = make_collection(store, "c")
    if given_documents:
        keyed = [{"_key": f"{n:03}", **one} for n, one in enumerate(given_documents)]
        insert(store, collection, *keyed)
    return store, collection


def run(store: Store, collection: Collection, text: str, binds: Document) -> list[Any]:
    found = QueryRun(store, parse_query(text), binds, collection).values()
    return [json.loads(one) for one in found if one is not PAUSE]


@given(documents, asked)
def test_a_query_chooses_what_python_does(given_documents: list[Document], question: Asked) -> None:
    store, collection = filled(given_documents)
    stored = [json.loads(row) for block in row_blocks(store, collection) for row in block]
    clauses, binds = question.clauses()
    expected = question.chosen(stored)
    assert run(store, collection, f"{clauses} RETURN d", binds) == expected
    assert run(store, collection, f"{clauses} RETURN d._key", binds) == [
        document["_key"] for document in expected
    ]
    counted = f"{clauses} COLLECT WITH COUNT INTO n RETURN n"
    assert run(store, collection, counted, binds) == [len(expected)]


@given(documents, asked, st.sampled_from(["update", "replace", "remove"]))
def test_a_query_changes_what_it_chose(
    given_documents: list[Document], question: Asked, kind: str
) -> None:
    store, collection = filled(given_documents)
    stored = [json.loads(row) for block in row_blocks(store, collection) for row in block]
    clauses, binds = question.clauses()
    changed = {document["_key"] for document in question.chosen(stored)}
    final = {
        "update": "UPDATE d WITH {x: d.a} IN c RETURN NEW._key",
        "replace": "REPLACE d WITH {x: 1} IN c RETURN NEW._key",
        "remove": "REMOVE d IN c RETURN OLD._key",
    }[kind]
    before = bodies(store, collection)
    query = QueryRun(store, parse_query(f"{clauses} {final}"), binds, collection)
    results = [one for one in query.write(system(store), collection) if one is not PAUSE]
    assert {json.loads(one) for one in results} == changed
    assert query.figures.writes_executed == len(changed)
    after = bodies(store, collection)
    for key, body in before.items():
        if key not in changed:
            assert after.pop(key) == body
        elif kind != "remove":
            expected = {**body, "x": body.get("a")} if kind == "update" else {"x": 1}
            assert after.pop(key) == expected
    assert after == {}
    assert findings(store) == []


# -- batches ---------------------------------------------------------------------------------------


@given(
    st.lists(st.just(PAUSE) | st.integers(0, 99).map(lambda n: b"%d" % n), max_size=40),
    st.lists(st.integers(1, 9), min_size=1, max_size=40),
)
def test_batches_are_the_whole_in_pieces(results: list[bytes | Pause], sizes: list[int]) -> None:
    def pieces() -> Iterator[bytes | Pause]:
        yield from results

    reader = ResultReader(pieces())
    whole = [one for one in results if one is not PAUSE]
    found: list[bytes] = []
    has_more = True
    number = 0
    while has_more:
        size = sizes[number % len(sizes)]
        number += 1
        batch, has_more = finish(reader.take(size))
        assert len(batch) == size if has_more else len(batch) <= size
        assert batch or number == 1  # no empty batch at the end
        found += batch
    assert found == whole
    assert finish(reader.take(5)) == ([], False)


@given(st.integers(0, 700), st.lists(st.integers(1, 300), min_size=1, max_size=5))
def test_batches_of_documents_that_change_meanwhile(count: int, sizes: list[int]) -> None:
    store, collection = filled([{"a": n} for n in range(count)])
    query = QueryRun(store, parse_query("FOR d IN c RETURN d.a"), {}, collection)
    assert query.known_count() == count
    reader = ResultReader(query.values())
    found: list[int] = []
    has_more, number = True, 0
    while has_more:
        batch, has_more = finish(reader.take(sizes[number % len(sizes)]))
        found += map(json.loads, batch)
        insert(store, collection, {"_key": f"late{number}", "a": -1})
        number += 1
    assert found == list(range(count))
