"""Queries over rows: lazily, in the order of the clauses, with pauses in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql import pipeline
from arangorep.aql.context import Environment
from arangorep.aql.ordering import order_key
from arangorep.aql.pipeline import PAUSE, Change, Execution
from arangorep.aql.statements import parse_query
from arangorep.errors import (
    BindParameterMissing,
    InvalidType,
    QueryParse,
    ResourceLimit,
)
from arangorep.limits import AQL_CLAUSES_MAX, AQL_RANGE_MAX, AQL_ROWS_PER_PAUSE

Run = Callable[..., list[Any]]

DOCS = [{"_key": str(n), "n": n, "g": n % 3} for n in range(10)]


@pytest.mark.parametrize(
    ("text", "results"),
    [
        ("RETURN 1", [1]),
        ("LET a = 2 RETURN a * 3", [6]),
        ("LET a = 2 LET b = a + 1 FOR x IN [b] RETURN [a, x]", [[2, 3]]),
        ("FILTER false RETURN 1", []),
        ("LIMIT 0 RETURN 1", []),
        ("SORT 1 RETURN 1", [1]),
        ("FOR x IN [] RETURN x", []),
        ("FOR x IN [1, 'a', null] RETURN x", [1, "a", None]),
        ("FOR x IN 1..3 RETURN x * x", [1, 4, 9]),
        ("FOR x IN 3..1 RETURN x", [3, 2, 1]),
        ("FOR x IN (1..2) RETURN x", [1, 2]),
        ("FOR x IN APPEND(1..2, 5) RETURN x", [1, 2, 5]),
        ("LET a = [7] FOR x IN a RETURN x", [7]),
        ("FOR d IN c FILTER d.g == 1 RETURN d.n", [1, 4, 7]),
        ("FOR d IN c FILTER d.g == 1 FILTER d.n > 1 RETURN d.n", [4, 7]),
        ("FOR d IN c FILTER d.n RETURN d.n", [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("FOR d IN c LIMIT 2 RETURN d.n", [0, 1]),
        ("FOR d IN c LIMIT 8, 5 RETURN d.n", [8, 9]),
        ("FOR d IN c LIMIT 0, null RETURN d.n", list(range(10))),
        ("FOR d IN c LIMIT 7, null RETURN d.n", [7, 8, 9]),
        ("FOR d IN c LIMIT null RETURN d.n", list(range(10))),
        ("FOR d IN c LIMIT null, 1 RETURN d.n", [0]),
        ("FOR d IN c LIMIT 2 - 1, 1.9 RETURN d.n", [1]),
        ("FOR d IN c LIMIT 5 LIMIT 3, 5 RETURN d.n", [3, 4]),
        ("FOR d IN c SORT d.n DESC LIMIT 2 RETURN d.n", [9, 8]),
        ("FOR d IN c LIMIT 2 SORT d.n DESC RETURN d.n", [1, 0]),
        ("FOR d IN c SORT d.g, d.n DESC LIMIT 5 RETURN d.n", [9, 6, 3, 0, 7]),
        ("FOR d IN c SORT d.g DESC, d.n RETURN d.n", [2, 5, 8, 1, 4, 7, 0, 3, 6, 9]),
        ("FOR d IN c SORT d.g RETURN d.n", [0, 3, 6, 9, 1, 4, 7, 2, 5, 8]),
        ("FOR d IN c SORT null RETURN d.n", list(range(10))),
        ("FOR d IN c SORT RAND() LIMIT 1 RETURN d.n", [0]),
        ("FOR d IN c LET h = d.n / 2 FILTER h > 4 RETURN h", [4.5]),
        ("FOR d IN c RETURN DISTINCT d.g", [0, 1, 2]),
        ("FOR x IN [1, 1.0, '1', [1], [1.0]] RETURN DISTINCT x", [1, "1", [1]]),
        ("FOR d IN c COLLECT WITH COUNT INTO n RETURN n", [10]),
        ("FOR d IN c FILTER d.n > 100 COLLECT WITH COUNT INTO n RETURN n", [0]),
        ("LET a = 1 FOR d IN c LIMIT 4 COLLECT WITH COUNT INTO n FILTER n RETURN n + a", [5]),
        ("FOR d IN c FILTER d._key IN ['3', '5'] RETURN KEEP(d, 'n')", [{"n": 3}, {"n": 5}]),
    ],
)
def test_results(run: Run, text: str, results: list[Any]) -> None:
    assert run(text, DOCS) == results


def test_sorted_by_the_order_of_all_values(run: Run) -> None:
    values = [{}, "b", 2, None, [1], True, "a", 1.5, False, [], {"a": 1}]
    rows = [{"v": value} for value in values] + [{}]
    result = run("FOR d IN c SORT d.v RETURN d.v", rows)
    assert result == [None, None, False, True, 1.5, 2, "a", "b", [], [1], {}, {"a": 1}]
    assert run("FOR d IN c SORT d.v DESC RETURN d.v", rows) == result[::-1]


@given(
    values=st.lists(
        st.tuples(
            st.sampled_from([None, 0, 1, 1.0, "a", [], [1]]), st.sampled_from([0, True, "b", {}])
        ),
        max_size=20,
    ),
    directions=st.tuples(st.sampled_from(["ASC", "DESC"]), st.sampled_from(["", "DESC"])),
)
def test_sorting_is_stable(
    run: Run, values: list[tuple[Any, Any]], directions: tuple[str, str]
) -> None:
    rows = [{"a": a, "b": b, "place": place} for place, (a, b) in enumerate(values)]
    expected = sorted(rows, key=lambda r: order_key(r["b"]), reverse=directions[1] == "DESC")
    expected.sort(key=lambda r: order_key(r["a"]), reverse=directions[0] == "DESC")
    text = f"FOR d IN c SORT d.a {directions[0]}, d.b {directions[1]} RETURN d.place"
    # `reverse` keeps the order of equal rows too
    assert run(text, rows) == [row["place"] for row in expected]


# -- laziness and pauses -------------------------------------------------------------------------


class Documents:
    """Endless documents, counted as they are pulled, with a pause in front of each third one."""

    def __init__(self) -> None:
        self.pulled = 0

    def __iter__(self) -> Iterator[Any]:
        for number in count():
            if number % 3 == 0:
                yield PAUSE
            self.pulled += 1
            yield {"n": number}


def started(text: str, environment: Environment) -> tuple[Iterator[Any], Documents]:
    documents = Documents()
    return Execution(parse_query(text), {}, environment).run(documents), documents


def test_rows_are_pulled_one_by_one(environment: Environment) -> None:
    results, documents = started("FOR d IN c FILTER d.n % 2 RETURN d.n", environment)
    assert documents.pulled == 0
    assert list(islice(results, 4)) == [PAUSE, 1, PAUSE, 3]
    assert documents.pulled == 4


def test_a_limit_ends_the_pulling(environment: Environment) -> None:
    results, documents = started("FOR d IN c LIMIT 2, 3 RETURN d.n", environment)
    assert list(results) == [PAUSE, 2, PAUSE, 3, 4]
    assert documents.pulled == 5
    results, documents = started("FOR d IN c LIMIT 0 RETURN d.n", environment)
    assert list(results) == []
    assert documents.pulled == 0


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("SORT d.n DESC RETURN d.n", [5, 4, 3, 2, 1, 0]),
        ("SORT d.n DESC LIMIT 1 RETURN d.n", [5]),
        ("COLLECT WITH COUNT INTO n RETURN n", [6]),
        ("FILTER false RETURN d", []),
        ("RETURN DISTINCT 1", [1]),
        ("LET x = d LIMIT 5, 1 RETURN x.n", [5]),
        ("LIMIT 5, 1 REMOVE d IN c", [Change("remove", {"n": 5}, None, {"d": {"n": 5}})]),
    ],
)
def test_every_clause_passes_pauses_on(
    environment: Environment, text: str, last: list[Any]
) -> None:
    results, _ = started(f"FOR d IN c LIMIT 6 {text}", environment)
    items = list(results)
    assert items[0] is PAUSE
    assert items.count(PAUSE) >= 2
    assert [item for item in items if item is not PAUSE] == last


def test_what_the_query_makes_itself_has_pauses(environment: Environment) -> None:
    for text in ("FOR i IN 1..1000 FILTER i > 990 RETURN i", "FOR i IN @a FILTER i > 990 RETURN i"):
        binds = {"a": list(range(1, 1001))} if "@a" in text else {}
        items = list(Execution(parse_query(text), binds, environment).run())
        assert items.count(PAUSE) == 1000 // AQL_ROWS_PER_PAUSE
    execution = Execution(parse_query("FOR d IN c SORT d RETURN d"), {}, environment)
    assert list(execution.run(range(1000))).count(PAUSE) == 1000 // AQL_ROWS_PER_PAUSE


def test_a_giant_range_costs_nothing_until_it_is_pulled(run: Run, environment: Environment) -> None:
    assert run(f"FOR i IN 1..{AQL_RANGE_MAX} LIMIT 2 RETURN i") == [1, 2]
    assert run(f"LET n = {AQL_RANGE_MAX} FOR i IN n..1 LIMIT 1 RETURN i") == [AQL_RANGE_MAX]
    for text in (
        f"FOR i IN 0..{AQL_RANGE_MAX} RETURN i",
        "FOR i IN 1e300..-1e300 RETURN i",
        f"FOR i IN (1..2)..{AQL_RANGE_MAX + 1} RETURN i",
    ):
        with pytest.raises(ResourceLimit, match="range"):
            run(text)


def test_many_clauses_are_no_deep_recursion(run: Run) -> None:
    clauses = "SORT 1 " * (AQL_CLAUSES_MAX - 1)
    assert run(f"FOR i IN 1..3 {clauses} RETURN i") == [1, 2, 3]


def test_each_row_has_its_own_work(run: Run) -> None:
    big = list(range(100_000))
    text = "FOR i IN 1..60 FILTER -i NOT IN @a COLLECT WITH COUNT INTO n RETURN n"
    assert run(text, binds={"a": big}) == [60]
    text = "FOR i IN 1..60 SORT i LET x = -i IN @a FILTER x RETURN i"
    assert run(text, binds={"a": big}) == []


def test_distinct_values_are_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arangorep.aql.sorting.AQL_ROWS_HELD_MAX", 10)
    assert len(run("FOR i IN 1..1000 RETURN DISTINCT i % 10")) == 10
    with pytest.raises(ResourceLimit, match="DISTINCT"):
        run("FOR i IN 1..1000 RETURN DISTINCT i % 11")
    with pytest.raises(ResourceLimit, match="SORT"):
        run("FOR i IN 1..11 SORT i RETURN i")
    assert run("FOR i IN 1..100 SORT i DESC LIMIT 1 RETURN i") == [100]


# -- modifications -------------------------------------------------------------------------------


def changes(run: Run, text: str, **binds: Any) -> list[tuple[str, Any, Any]]:
    return [(c.kind, c.target, c.body) for c in run(text, DOCS[:2], binds)]


def test_changes(run: Run) -> None:
    first, second = DOCS[:2]
    assert changes(run, "FOR d IN c REMOVE d IN c") == [
        ("remove", first, None),
        ("remove", second, None),
    ]
    assert changes(run, "FOR d IN c LIMIT 1 UPDATE d WITH {m: d.n + 1} IN c") == [
        ("update", first, {"m": 1})
    ]
    assert changes(run, "FOR d IN c LIMIT 1 UPDATE d._key WITH @b IN c", b={"x": 1}) == [
        ("update", "0", {"x": 1})
    ]
    assert changes(run, "REPLACE {_key: '1', a: 2} IN c") == [
        ("replace", {"_key": "1", "a": 2}, {"_key": "1", "a": 2})
    ]
    assert changes(run, "FOR i IN 1..2 INSERT {i} INTO c") == [
        ("insert", None, {"i": 1}),
        ("insert", None, {"i": 2}),
    ]
    assert changes(run, "INSERT 5 INTO c") == [("insert", None, 5)]


def test_the_result_of_a_change(environment: Environment) -> None:
    text = "LET p = 'x' FOR d IN c UPDATE d WITH {} IN c RETURN [p, d.n, OLD.n, NEW]"
    execution = Execution(parse_query(text), {}, environment)
    (change,) = execution.run(DOCS[3:4])
    assert execution.returned(change, old={"n": "old"}, new=None) == ["x", 3, "old", None]
    assert execution.returned(change, old=None, new=5) == ["x", 3, None, 5]


def test_options(environment: Environment) -> None:
    def options(text: str, **binds: Any) -> dict[str, Any]:
        return Execution(parse_query(text), binds, environment).options

    assert options("REMOVE 'a' IN c") == {}
    assert options("RETURN 1") == {}
    text = "INSERT {} INTO c OPTIONS {waitForSync: true, keepNull: @k, x: 1 + 1}"
    assert options(text, k=False) == {"waitForSync": True, "keepNull": False, "x": 2}
    with pytest.raises(QueryParse, match="OPTIONS"):
        options("INSERT {} INTO c OPTIONS {a: 1}.a")


# -- errors and figures ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["'a'", "1", "null", "{}", "true"])
def test_for_needs_an_array(run: Run, value: str) -> None:
    with pytest.raises(InvalidType, match="FOR needs") as caught:
        run(f"FOR x IN {value} RETURN x")
    assert caught.value.http_status == 400


@pytest.mark.parametrize("limit", ["-1", "'1'", "true", "[1]", "0, -1", "'a', 1", "@n", "1, {}"])
def test_limits_are_numbers(run: Run, limit: str) -> None:
    binds = {"n": "5"} if "@" in limit else {}
    with pytest.raises(QueryParse, match="LIMIT"):
        run(f"FOR d IN c LIMIT {limit} RETURN d", DOCS, binds)


def test_bind_values_are_checked_first(environment: Environment) -> None:
    with pytest.raises(BindParameterMissing):
        Execution(parse_query("RETURN @a"), {}, environment)


def test_figures(environment: Environment) -> None:
    text = "FOR d IN c FILTER d.n > 1 FILTER d.n > 2 RETURN d.n / 0"
    execution = Execution(parse_query(text), {}, environment)
    assert list(execution.run(DOCS)) == [None] * 7
    assert execution.filtered == 3
    assert {warning.code for warning in execution.warnings} == {1562}


def test_documents_are_not_changed(run: Run) -> None:
    documents = [{"n": [1]}]
    run("FOR d IN c LET x = PUSH(d.n, 2) RETURN MERGE(d, {n: x})", documents)
    assert documents == [{"n": [1]}]


def test_the_pause_is_no_value() -> None:
    assert PAUSE is pipeline.Pause.PAUSE
    assert not isinstance(PAUSE, (str, int, list, dict))
