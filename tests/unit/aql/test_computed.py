"""Computed values: definitions, and what they make of documents (data-api 5.3)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from arangorep.aql.computed import (
    Event,
    apply_computed_values,
    describe_computed_values,
    parse_computed_values,
)
from arangorep.aql.context import Environment
from arangorep.errors import BadParameter, NotImplementedHere, ResourceLimit


def definition(**members: Any) -> dict[str, Any]:
    return {"name": "x", "expression": "RETURN 1", "overwrite": True, **members}


def applied(
    environment: Environment, document: dict[str, Any], event: Event = "insert", **members: Any
) -> dict[str, Any]:
    values = parse_computed_values([definition(**members)])
    before = repr(document)
    result = apply_computed_values(values, event, document, environment)
    assert repr(document) == before, "the document is not changed"
    return result


# -- definitions -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, []])
def test_none(value: object, environment: Environment) -> None:
    values = parse_computed_values(value)
    assert values == ()
    assert describe_computed_values(values) is None
    document = {"a": 1}
    assert apply_computed_values(values, "insert", document, environment) is document


def test_all_members_are_shown() -> None:
    given = definition(other=1)
    full = {
        "name": "x",
        "expression": "RETURN 1",
        "overwrite": True,
        "computeOn": ["insert", "update", "replace"],
        "keepNull": True,
        "failOnWarning": False,
    }
    assert describe_computed_values(parse_computed_values([given])) == [full]
    changed = {**full, "computeOn": ["update"], "keepNull": False, "failOnWarning": True}
    values = parse_computed_values([changed])
    assert describe_computed_values(values) == [changed]
    assert describe_computed_values(parse_computed_values([values[0].describe()])) == [changed]


def test_events_are_listed_once() -> None:
    (value,) = parse_computed_values([definition(computeOn=["replace", "insert", "replace"])])
    assert value.compute_on == ("replace", "insert")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ...}, "'name'"),
        ({"name": ""}, "'name'"),
        ({"name": 1}, "'name'"),
        *[
            ({"name": name}, f"'{name}' cannot be computed")
            for name in ("_key", "_id", "_rev", "_from", "_to", "shard")
        ],
        ({"expression": ...}, "'expression' must be a string"),
        ({"expression": 1}, "'expression' must be a string"),
        ({"expression": ""}, "must start with RETURN"),
        ({"expression": "1"}, "must start with RETURN"),
        ({"expression": "FOR d IN c RETURN d"}, "must start with RETURN"),
        ({"expression": "LET a = 1 RETURN a"}, "must start with RETURN"),
        ({"expression": "RETURN"}, "end of query"),
        ({"expression": "RETURN 1 +"}, "end of query"),
        ({"expression": "RETURN 1 2"}, "unexpected number"),
        ({"expression": "RETURN 1 RETURN 2"}, "unexpected 'RETURN'"),
        ({"expression": "RETURN DISTINCT 1"}, "DISTINCT"),
        ({"expression": "RETURN @other"}, "'@other'"),
        ({"expression": "RETURN @doc.@doc"}, "'@doc'"),
        ({"expression": "RETURN doc.a"}, "'doc'"),
        ({"expression": "RETURN LENGTH(users)"}, "'users'"),
        ({"expression": "RETURN LOWER()"}, "LOWER()"),
        ({"expression": "RETURN " + "(" * 99 + "1" + ")" * 99}, "nest"),
        ({"overwrite": ...}, "'overwrite' must be a boolean"),
        ({"overwrite": 1}, "'overwrite' must be a boolean"),
        ({"keepNull": "yes"}, "'keepNull' must be a boolean"),
        ({"keepNull": None}, "'keepNull' must be a boolean"),
        ({"failOnWarning": 0}, "'failOnWarning' must be a boolean"),
        ({"computeOn": []}, "'computeOn'"),
        ({"computeOn": "insert"}, "'computeOn'"),
        ({"computeOn": ["insert", "remove"]}, "'computeOn'"),
        ({"computeOn": [["insert"]]}, "'computeOn'"),
        ({"computeOn": None}, "'computeOn'"),
    ],
)
def test_broken_definitions(change: dict[str, Any], message: str) -> None:
    members = {name: value for name, value in definition(**change).items() if value is not ...}
    with pytest.raises(BadParameter) as caught:
        parse_computed_values([members], shard_keys=["shard"])
    assert message in caught.value.message
    assert (caught.value.error_num, caught.value.http_status) == (10, 400)


@pytest.mark.parametrize("value", [{}, "x", 1, True, [1], [None], [[]]])
def test_no_definitions(value: object) -> None:
    with pytest.raises(BadParameter, match="array of objects"):
        parse_computed_values(value)


def test_names_are_unique() -> None:
    parse_computed_values([definition(), definition(name="y")])
    with pytest.raises(BadParameter, match="more than once"):
        parse_computed_values([definition(), definition()])


@pytest.mark.parametrize(
    ("expression", "construct"),
    [
        ("RETURN SOUNDEX(@doc.a)", "SOUNDEX()"),
        ("RETURN (FOR a IN @doc.b RETURN a)", "subqueries"),
        ("RETURN @doc.a[*].b", "array operators"),
        ("RETURN LENGTH(@@c)", "@@c"),
    ],
)
def test_unsupported_expressions(expression: str, construct: str) -> None:
    with pytest.raises(NotImplementedHere) as caught:
        parse_computed_values([definition(expression=expression)])
    assert construct in caught.value.message
    assert "'x'" in caught.value.message
    assert caught.value.http_status == 501


# -- documents -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('RETURN CONCAT(@doc.first, " ", @doc.last)', "Ada Lovelace"),
        ("RETURN LENGTH(@doc)", 3),
        ("RETURN @doc.tags[0]", "b"),
        ("RETURN SORTED(UNIQUE(@doc.tags))", ["a", "b"]),
        ("RETURN @doc", {"first": "Ada", "last": "Lovelace", "tags": ["b", "a", "b"]}),
        ("return DATE_ISO8601(DATE_NOW())", "2024-02-29T12:30:05.042Z"),
        ("RETURN RAND()", 0.25),
        ("RETURN LOWER(LEFT(@doc.last, 2)) // short", "lo"),
        ("RETURN @doc.missing.x", None),
        ("RETURN false", False),
    ],
)
def test_values(environment: Environment, expression: str, value: Any) -> None:
    document = {"first": "Ada", "last": "Lovelace", "tags": ["b", "a", "b"]}
    assert applied(environment, document, expression=expression) == {**document, "x": value}


def test_only_for_the_named_events(environment: Environment) -> None:
    for named in get_args(Event):
        for event in get_args(Event):
            result = applied(environment, {}, event, computeOn=[named])
            assert result == ({"x": 1} if event == named else {})
    assert all(applied(environment, {}, event) == {"x": 1} for event in get_args(Event))


@pytest.mark.parametrize("given", [0, None, "a"])
def test_overwrite(environment: Environment, given: Any) -> None:
    assert applied(environment, {"x": given}, overwrite=True) == {"x": 1}
    assert applied(environment, {"x": given}, overwrite=False) == {"x": given}
    assert applied(environment, {}, overwrite=False) == {"x": 1}


def test_keep_null(environment: Environment) -> None:
    nothing: dict[str, Any] = {"expression": "RETURN null"}
    assert applied(environment, {"a": 1}, **nothing) == {"a": 1, "x": None}
    assert applied(environment, {"a": 1}, keepNull=False, **nothing) == {"a": 1}
    assert applied(environment, {"x": 1}, keepNull=False, **nothing) == {}
    assert applied(environment, {"x": 1}, keepNull=False, overwrite=False, **nothing) == {"x": 1}
    assert applied(environment, {}, keepNull=False, expression="RETURN 0") == {"x": 0}


def test_they_do_not_see_each_other(environment: Environment) -> None:
    values = parse_computed_values(
        [
            definition(name="a", expression="RETURN @doc.a + 1"),
            definition(name="b", expression="RETURN @doc.a"),
        ]
    )
    result = apply_computed_values(values, "insert", {"a": 1}, environment)
    assert result == {"a": 2, "b": 1}


def test_warnings_may_fail(environment: Environment) -> None:
    division: dict[str, Any] = {"expression": "RETURN 1 / @doc.n"}
    assert applied(environment, {"n": 0}, **division) == {"n": 0, "x": None}
    assert applied(environment, {"n": 2}, failOnWarning=True, **division) == {"n": 2, "x": 0.5}
    with pytest.raises(BadParameter, match="'x': division by zero"):
        applied(environment, {"n": 0}, failOnWarning=True, **division)


def test_values_are_bounded(environment: Environment) -> None:
    deep: Any = []
    for _ in range(197):
        deep = [deep]
    document = {"deep": deep}
    assert applied(environment, document, expression="RETURN @doc.deep")["x"] is deep
    for expression in ("RETURN @doc", "RETURN [@doc.deep]"):
        with pytest.raises(ResourceLimit, match="levels"):
            applied(environment, document, expression=expression)
    with pytest.raises(ResourceLimit, match="large"):
        applied(environment, {}, expression="RETURN 1..10000000")
