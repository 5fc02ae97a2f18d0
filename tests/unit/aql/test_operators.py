"""What each operator does with values of each type."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql.context import Context, Environment
from arangorep.aql.operators import is_like
from arangorep.errors import ResourceLimit
from arangorep.limits import AQL_LIKE_CHARS_MAX

ValueOf = Callable[..., Any]

CASES: dict[str, Any] = {
    # arithmetic converts
    "1 + 2": 3,
    "1 + '2'": 3,
    "'a' + 1": 1,
    "null + 1": 1,
    "true + true": 2,
    "[5] + 1": 6,
    "[5, 6] + 1": 1,
    "{} + 1": 1,
    "1.5 + 1.5": 3,
    "5 - 7": -2,
    "3 * '4'": 12,
    "0.1 * 3": 0.1 * 3,
    "4 / 2": 2,
    "5 / 2": 2.5,
    "1 / 0": None,
    "0 / 0": None,
    "1 / null": None,
    "7 % 3": 1,
    "-7 % 3": -1,
    "7 % -3": 1,
    "7.5 % 2": 1.5,
    "7 % 0": None,
    "9223372036854775807 + 1": 2.0**63,
    "9223372036854775807 + 0": 2**63 - 1,
    "9223372036854775807 * 2": 2.0**64,
    "-9223372036854775807 - 2": -(2.0**63),
    "1e308 * 10": None,
    "1e308 + 1e308": None,
    "1e999": None,
    # unary
    "-5": -5,
    "+'5'": 5,
    "-'5'": -5,
    "-null": 0,
    "- -5": 5,
    "!null": True,
    "!1": False,
    "NOT ''": True,
    "not []": False,
    "!!'x'": True,
    "!-1": False,
    "-!1": 0,
    # comparison does not convert
    "1 == 1.0": True,
    "1 == '1'": False,
    "null == false": False,
    "0 == false": False,
    "'a' == 'a'": True,
    "'a' == 'A'": False,
    "[1, 2] == [1, 2.0]": True,
    "[1, 2] == [2, 1]": False,
    "{a: 1, b: 2} == {b: 2, a: 1}": True,
    "{} == {a: null}": True,
    "[] == {}": False,
    "1 != 2": True,
    "1 != '1'": True,
    "'a' != 'a'": False,
    "null < false": True,
    "false < 0": True,
    "99 < ''": True,
    "'z' < []": True,
    "[1] < {}": True,
    "1 < 1": False,
    "1 <= 1": True,
    "2 > 1": True,
    "1 > 2": False,
    "2 >= 2": True,
    "1 >= 2": False,
    "'a' < 'b'": True,
    "null <= null": True,
    # arrays
    "2 IN [1, 2.0]": True,
    "'2' IN [1, 2]": False,
    "[1] IN [[1.0]]": True,
    "{a: 1} IN [0, {a: 1}]": True,
    "[1] IN [{}, 1]": False,
    "null IN [null]": True,
    "1 IN null": False,
    "1 IN 1": False,
    "'a' IN 'abc'": False,
    "'a' IN {a: 1}": False,
    "2 NOT IN [1, 2]": False,
    "3 NOT IN [1, 2]": True,
    "3 not in [1, 2]": True,
    "3 !IN [1, 2]": True,
    "1 NOT IN null": False,
    # patterns
    "'abc' LIKE 'abc'": True,
    "'abc' LIKE 'ab'": False,
    "'abc' LIKE 'a%'": True,
    "'abc' LIKE '%c'": True,
    "'abc' LIKE '%b%'": True,
    "'abc' LIKE '%d%'": False,
    "'abc' LIKE 'a_c'": True,
    "'abc' LIKE 'ab_c'": False,
    "'abc' LIKE 'A%'": False,
    "'abc' LIKE '%'": True,
    "'' LIKE '%'": True,
    "'' LIKE ''": True,
    "'ab' LIKE 'a%a%b'": False,
    "'aab' LIKE '%ab%ab'": False,
    "'a' LIKE 'a%a'": False,
    "'a\nb' LIKE 'a_b'": True,
    "'a%b' LIKE 'a\\\\%b'": True,
    "'axb' LIKE 'a\\\\%b'": False,
    "'a_b' LIKE 'a\\\\_b'": True,
    "'a\\\\b' LIKE 'a\\\\\\\\b'": True,
    "'a\\\\x' LIKE 'a\\\\x'": True,
    "'a.c' LIKE 'a.c'": True,
    "'abc' LIKE 'a.c'": False,
    "123 LIKE '1%'": True,
    "null LIKE ''": True,
    "'abc' NOT LIKE 'a%'": False,
    "'abc' NOT LIKE 'b%'": True,
    # ranges
    "1..3": [1, 2, 3],
    "3..1": [3, 2, 1],
    "1..'2'": [1, 2],
    "2 IN 1..3": True,
    "-1..1": [-1, 0, 1],
    "1..1+2": [1, 2, 3],
}


@pytest.mark.parametrize("text", CASES)
def test_operators(value_of: ValueOf, text: str) -> None:
    value = value_of(text)
    assert value == CASES[text]
    assert type(value) is type(CASES[text])


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("1 / 0", [1562]),
        ("1 % 0", [1562]),
        ("1e308 * 10", [1504]),
        ("1 / 0 + 1 / 0", [1562, 1562]),
        ("1 + 'a'", []),
    ],
)
def test_warnings(evaluate: Callable[..., Any], text: str, codes: list[int]) -> None:
    assert evaluate(text).warnings == codes


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("doc.a", 1),
        ("doc.`a`", 1),
        ("doc['a']", 1),
        ("doc[@name]", 1),
        ("doc.@name", 1),
        ("doc.@path", 2),
        ("doc.b.c", 2),
        ("doc.b['c']", 2),
        ("doc.b.x", None),
        ("doc.x.y.z", None),
        ("doc.a.b", None),
        ("doc.d[0]", 10),
        ("doc.d[-1]", 12),
        ("doc.d[3]", None),
        ("doc.d[-4]", None),
        ("doc.d[1.9]", 11),
        ("doc.d['1']", 11),
        ("doc.d['-1']", 12),
        ("doc.d['x']", None),
        ("doc.d[null]", None),
        ("doc.d[true]", None),
        ("doc.d[[1]]", None),
        ("doc.d.length", None),
        ("doc['7']", 7),
        ("doc[7]", 7),
        ("doc[7.9]", 7),
        ("doc[null]", None),
        ("doc['b']['c']", 2),
        ("doc[CONCAT('b', '')].c", 2),
        ("null.a", None),
        ("'abc'[0]", None),
        ("5 .a", None),
        ("{a: 5}.a", 5),
        ("[4, 5][1]", 5),
        ("(doc).a", 1),
        ("@bound.b.c", 2),
    ],
)
def test_access(value_of: ValueOf, text: str, value: Any) -> None:
    doc = {"a": 1, "b": {"c": 2}, "d": [10, 11, 12], "7": 7}
    binds = {"name": "a", "path": ["b", "c"], "bound": doc}
    used = {name: binds[name] for name in binds if f"@{name}" in text}
    assert value_of(text, {"doc": doc}, **used) == value


def test_long_patterns_are_refused(value_of: ValueOf) -> None:
    assert value_of("'a' LIKE @p", p="%" * AQL_LIKE_CHARS_MAX) is True
    with pytest.raises(ResourceLimit, match="pattern"):
        value_of("'a' LIKE @p", p="%" * (AQL_LIKE_CHARS_MAX + 1))


def test_patterns_have_no_hard_texts(value_of: ValueOf) -> None:
    """Where a backtracking matcher would not come to an end."""
    text, pattern = "a" * 5000, "%a" * 500 + "%b"
    assert value_of("@t LIKE @p", t=text, p=pattern) is False


def test_a_row_has_only_so_much_work(value_of: ValueOf) -> None:
    with pytest.raises(ResourceLimit, match="work"):
        value_of(" || ".join(["(@a == @b)"] * 200), a=[0] * 100_000, b=[1] * 100_000)
    with pytest.raises(ResourceLimit, match="work"):
        value_of(" || ".join(["(0 IN @a)"] * 200), a=[1] * 100_000)
    with pytest.raises(ResourceLimit, match="work"):
        value_of(" || ".join(["(@a == @b)"] * 200), a="x" * 1_000_000, b="x" * 999_999 + "y")


@given(st.text("ab", max_size=8), st.text("ab%_", max_size=6))
def test_like_is_what_a_backtracking_matcher_says(text: str, pattern: str) -> None:
    context = Context({}, Environment(lambda: 0, lambda: 0.0))
    shell = pattern.replace("%", "*").replace("_", "?")
    expected = re.fullmatch(translate(shell), text) is not None
    assert is_like(context, text, pattern) is expected
