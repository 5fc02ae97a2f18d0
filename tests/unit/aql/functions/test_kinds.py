"""Functions about types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from arangorep.errors import ResourceLimit

CASES: dict[str, Any] = {
    "TO_STRING(null)": "",
    "TO_STRING([1, 'a'])": '[1,"a"]',
    "TO_STRING(1.0)": "1",
    "TO_NUMBER('12.5')": 12.5,
    "TO_NUMBER('12.0')": 12,
    "TO_NUMBER('x')": 0,
    "TO_NUMBER(true)": 1,
    "TO_BOOL('')": False,
    "TO_BOOL([])": True,
    "TO_BOOL('0')": True,
    "TO_ARRAY(null)": [],
    "TO_ARRAY(1)": [1],
    "TO_ARRAY([1])": [1],
    "TO_ARRAY({a: 1, b: 2})": [1, 2],
    "TO_LIST('a')": ["a"],
    "TYPENAME(null)": "null",
    "TYPENAME(1.5)": "number",
    "TYPENAME({})": "object",
    "IS_NULL(null)": True,
    "IS_NULL(0)": False,
    "IS_BOOL(false)": True,
    "IS_BOOL(0)": False,
    "IS_NUMBER(0)": True,
    "IS_NUMBER(1.5)": True,
    "IS_NUMBER(true)": False,
    "IS_STRING('')": True,
    "IS_STRING(1)": False,
    "IS_ARRAY([])": True,
    "IS_LIST([])": True,
    "IS_ARRAY({})": False,
    "IS_OBJECT({})": True,
    "IS_DOCUMENT({})": True,
    "IS_OBJECT([])": False,
    "NOT_NULL(null, 0, 1)": 0,
    "NOT_NULL(null, null)": None,
    "JSON_STRINGIFY({a: [1, null]})": '{"a":[1,null]}',
    "JSON_STRINGIFY('a\\nb')": '"a\\nb"',
    "JSON_STRINGIFY(null)": "null",
    "JSON_PARSE('{\"a\": [1.5]}')": {"a": [1.5]},
    "JSON_PARSE('nul')": None,
    "JSON_PARSE('')": None,
    "JSON_PARSE(1)": None,
}


@pytest.mark.parametrize("text", CASES)
def test_values(value_of: Callable[..., Any], text: str) -> None:
    value = value_of(text)
    assert value == CASES[text]
    assert type(value) is type(CASES[text])


def test_json_of_any_depth(value_of: Callable[..., Any]) -> None:
    assert value_of("JSON_PARSE(@t)", t="[" * 199 + "]" * 199)
    assert value_of("JSON_PARSE(@t)", t="[" * 200 + "]" * 200) is None
    assert value_of("JSON_PARSE(@t)", t="[" * 100_000) is None
    with pytest.raises(ResourceLimit, match="levels"):
        value_of("[JSON_PARSE(@t)]", t="[" * 199 + "]" * 199)


def test_what_is_no_json_warns(evaluate: Callable[..., Any]) -> None:
    assert evaluate("JSON_PARSE('{')").warnings == [1542]
    assert evaluate("JSON_PARSE([])").warnings == [1542]
