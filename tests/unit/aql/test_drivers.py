"""The queries that drivers send on their own, word for word (data-api 9.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arangorep.aql.context import Environment
from arangorep.aql.pipeline import Change, Execution
from arangorep.aql.statements import parse_query
from arangorep.errors import NotImplementedHere

Run = Callable[..., list[Any]]

C = {"@collection": "users"}
DOCS: list[dict[str, Any]] = [
    {"_key": "1", "_id": "users/1", "a": 3, "b": {"c": 1}},
    {"_key": "2", "_id": "users/2", "a": 1, "b": {"c": 2}, "b.c": 9},
    {"_key": "3", "_id": "users/3", "a": 2},
]


def keys(results: list[Any]) -> list[str]:
    return [result["_key"] for result in results]


def test_ids_and_keys(run: Run) -> None:
    assert run("FOR doc IN @@collection RETURN doc._id", DOCS, C) == [
        "users/1",
        "users/2",
        "users/3",
    ]
    assert run("FOR doc IN @@collection RETURN doc._key", DOCS, C) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("skip", "limit", "expected"),
    [(0, "null", "123"), (1, "null", "23"), (0, 2, "12"), (1, 1, "2"), (5, 5, "")],
)
def test_all(run: Run, skip: int, limit: object, expected: str) -> None:
    text = f"""
            FOR doc IN @@collection
                LIMIT {skip}, {limit}
                RETURN doc
        """
    assert keys(run(text, DOCS, C)) == list(expected)


def find(filters: str, limit: str, sort: str) -> str:
    return f"""
            FOR doc IN @@collection
                {filters}
                LIMIT {limit}
                {sort}
                RETURN doc
        """


@pytest.mark.parametrize(
    ("filters", "limit", "sort", "binds", "expected"),
    [
        ("", "0, null", "", {}, "123"),
        (
            "FILTER doc[@filter_field_0] == @filter_value_0",
            "0, null",
            "",
            {"filter_field_0": "a", "filter_value_0": 1},
            "2",
        ),
        (
            "FILTER doc[@filter_field_0] == @filter_value_0 AND "
            "doc[@filter_field_1] == @filter_value_1",
            "0, 10",
            "",
            {
                "filter_field_0": "a",
                "filter_value_0": 3,
                "filter_field_1": "b",
                "filter_value_1": {"c": 1},
            },
            "1",
        ),
        (
            "FILTER (HAS(doc, @filter_field_0) ? doc[@filter_field_0] : "
            "doc[@filter_field_0_0][@filter_field_0_1]) == @filter_value_0",
            "0, null",
            "",
            {
                "filter_field_0": "b.c",
                "filter_field_0_0": "b",
                "filter_field_0_1": "c",
                "filter_value_0": 1,
            },
            "1",
        ),
        (
            "",
            "0, null",
            "SORT doc[@sort_field_0] ASC",
            {"sort_field_0": "a"},
            "231",
        ),
        (
            "",
            "0, 2",
            "SORT (HAS(doc, @sort_field_0) ? doc[@sort_field_0] : "
            "doc[@sort_field_0_0][@sort_field_0_1]) DESC, doc[@sort_field_1] ASC",
            {
                "sort_field_0": "b.c",
                "sort_field_0_0": "b",
                "sort_field_0_1": "c",
                "sort_field_1": "a",
            },
            "21",
        ),
        ("FILTER doc.`a` == 2", "0, null", "", {}, "3"),
        ('FILTER doc.`_key` == "1" AND doc.`b` == {"c": 1}', "0, null", "", {}, "1"),
        ("FILTER doc.b.c == 2", "0, null", "SORT doc.a ASC", {}, "2"),
        ("FILTER doc.`b` == null", "0, null", "", {}, "3"),
    ],
)
def test_find(
    run: Run, filters: str, limit: str, sort: str, binds: dict[str, Any], expected: str
) -> None:
    assert keys(run(find(filters, limit, sort), DOCS, {**C, **binds})) == list(expected)


def test_find_in_range(run: Run) -> None:
    text = """
        FOR doc IN @@collection
            FILTER doc.@field >= @lower && doc.@field < @upper
            LIMIT @skip, @limit
            RETURN doc
        """
    binds = {**C, "field": "a", "lower": 2, "upper": 4, "skip": 0, "limit": 2147483647}
    assert keys(run(text, DOCS, binds)) == ["1", "3"]


def test_random(run: Run) -> None:
    text = "FOR doc IN @@collection SORT RAND() LIMIT 1 RETURN doc"
    assert keys(run(text, DOCS, C)) == ["1"]
    assert run(text, [], C) == []


FILTER = "FILTER doc[@filter_field_0] == @filter_value_0"
FILTER_BINDS = {"filter_field_0": "a", "filter_value_0": 2}


@pytest.mark.parametrize(("filters", "limit", "found"), [("", "", 3), (FILTER, "LIMIT 1", 1)])
@pytest.mark.parametrize("sync", ["", ", waitForSync: True"])
def test_update_match(
    environment: Environment, filters: str, limit: str, found: int, sync: str
) -> None:
    text = f"""
            FOR doc IN @@collection
                {filters}
                {limit}
                UPDATE doc WITH @body IN @@collection
                OPTIONS {{ keepNull: @keep_none, mergeObjects: @merge {sync} }}
        """
    binds = {**C, "body": {"x": 1}, "keep_none": True, "merge": False}
    execution = Execution(
        parse_query(text), {**binds, **(FILTER_BINDS if filters else {})}, environment
    )
    items: list[Change] = list(execution.run(DOCS))
    assert [(item.kind, item.body) for item in items] == [("update", {"x": 1})] * found
    assert all(item.target in DOCS for item in items)
    expected = {"keepNull": True, "mergeObjects": False}
    assert execution.options == {**expected, **({"waitForSync": True} if sync else {})}
    assert execution.query.reads(binds) == execution.query.writes(binds) == "users"


@pytest.mark.parametrize("sync", ["", "OPTIONS { waitForSync: True }"])
def test_replace_and_delete_match(run: Run, sync: str) -> None:
    text = f"""
            FOR doc IN @@collection
                {FILTER}
                LIMIT 5
                REPLACE doc WITH @body IN @@collection
                {sync}
        """
    (change,) = run(text, DOCS, {**C, **FILTER_BINDS, "body": {"y": 1}})
    assert (change.kind, change.target, change.body) == ("replace", DOCS[2], {"y": 1})
    text = f"""
            FOR doc IN @@collection
                {FILTER}

                REMOVE doc IN @@collection
                {sync}
        """
    (change,) = run(text, DOCS, {**C, **FILTER_BINDS})
    assert (change.kind, change.target, change.body) == ("remove", DOCS[2], None)


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        (
            """
        FOR doc IN NEAR(@collection, @latitude, @longitude, @limit )
            RETURN doc
        """,
            "NEAR()",
        ),
        (
            """
        FOR doc IN WITHIN(@@collection, @latitude, @longitude, @radius, @distance)
            RETURN doc
        """,
            "WITHIN()",
        ),
        (
            """
            LET rect = GEO_POLYGON([ [
                [1, 2], // bottom-left
                [3, 2], // bottom-right
                [1, 2], // bottom-left (close polygon)
            ] ])

            FOR doc IN @@collection
                FILTER GEO_CONTAINS(rect, doc.loc)
                LIMIT 0, null
                RETURN doc
        """,
            "GEO_POLYGON()",
        ),
        ("FOR doc IN FULLTEXT(@collection, @field, @query, @limit) RETURN doc", "FULLTEXT()"),
    ],
)
def test_geo_and_fulltext_are_refused_by_name(text: str, construct: str) -> None:
    with pytest.raises(NotImplementedHere) as caught:
        parse_query(text)
    assert construct in caught.value.message
    assert caught.value.http_status == 501
