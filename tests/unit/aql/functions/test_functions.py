"""The table of functions as a whole."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql.functions import find_function, function_names
from arangorep.errors import ResourceLimit

WANTED = """
    CONCAT CONCAT_SEPARATOR LOWER UPPER LENGTH COUNT CHAR_LENGTH SUBSTRING LEFT RIGHT TRIM LTRIM
    RTRIM CONTAINS STARTS_WITH FIND_FIRST SPLIT SUBSTITUTE REVERSE TO_STRING TO_NUMBER TO_BOOL
    TO_ARRAY IS_NULL IS_BOOL IS_NUMBER IS_STRING IS_ARRAY IS_LIST IS_OBJECT IS_DOCUMENT TYPENAME
    NOT_NULL FIRST LAST NTH PUSH APPEND UNIQUE SORTED MIN MAX SUM AVERAGE AVG ABS CEIL FLOOR
    ROUND SQRT POW HAS ATTRIBUTES VALUES KEEP UNSET MERGE ZIP DATE_NOW DATE_ISO8601
    DATE_TIMESTAMP MD5 SHA1 SHA256 UUID RAND JSON_STRINGIFY JSON_PARSE PARSE_IDENTIFIER
    PARSE_KEY PARSE_COLLECTION IS_SAME_COLLECTION
"""


def test_the_table_is_complete() -> None:
    assert set(WANTED.split()) <= set(function_names())


@pytest.mark.parametrize("name", ["NEAR", "REGEX_TEST", "SLEEP", "DOCUMENT", "CALL", "", "V8"])
def test_what_is_not_in_it(name: str) -> None:
    assert find_function(name) is None


@pytest.mark.parametrize("name", function_names())
def test_declared_counts_fit_the_functions(name: str) -> None:
    function = find_function(name.lower())
    assert function is not None
    parameters = list(inspect.signature(function.call).parameters.values())[1:]
    rest = [p for p in parameters if p.kind is p.VAR_POSITIONAL]
    single = [p for p in parameters if p.kind is not p.VAR_POSITIONAL]
    required = [p for p in single if p.default is p.empty]
    assert len(required) <= function.least
    if not rest:
        assert function.most == len(single)
        assert function.least == len(required)


VALUES: list[Any] = [
    *(None, True, 0, -1, 2, 1.5, 1e300, "", "a", "2024-02-29", "c/k", "[1]", [], [1, "a", None]),
    *([[]], [{"a": 1}], {}, {"a": 1, "_b": [2]}),
]


@pytest.mark.parametrize("name", function_names())
@given(data=st.data())
def test_any_arguments_give_a_value_of_json(
    name: str, data: st.DataObject, value_of: Callable[..., Any]
) -> None:
    function = find_function(name)
    assert function is not None
    most = function.least + 3 if function.most is None else function.most
    count = data.draw(st.integers(function.least, most))
    arguments = data.draw(st.lists(st.sampled_from(VALUES), min_size=count, max_size=count))
    before = repr(arguments)
    names = ", ".join(f"@a{i}" for i in range(count))
    value = value_of(f"[{name}({names})]", **{f"a{i}": v for i, v in enumerate(arguments)})
    assert value_of("JSON_PARSE(JSON_STRINGIFY(@v)) == @v", v=value) is True
    assert repr(arguments) == before, "arguments are not changed"


@pytest.mark.parametrize("name", function_names())
def test_large_arguments_give_a_value_or_a_refusal(name: str, value_of: Callable[..., Any]) -> None:
    function = find_function(name)
    assert function is not None
    most = max(function.least, 3 if function.most is None else min(function.most, 3))
    names = ", ".join(["@v"] * most)
    for value in ("ab" * 1_000_000, ["a"] * 100_000, {str(i): i for i in range(50_000)}):
        binds = {"v": value} if most else {}
        with suppress(ResourceLimit):
            value_of(f"{name}({names})", **binds)
