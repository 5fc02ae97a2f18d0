"""Expressions: what binds first, what is evaluated, what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql.parser import Parser
from arangorep.aql.tokens import tokenize
from arangorep.errors import (
    BindParameterType,
    FunctionArgumentCount,
    NotImplementedHere,
    QueryParse,
    ResourceLimit,
)
from arangorep.limits import AQL_NESTING_MAX, AQL_TOKENS_MAX, JSON_DEPTH_MAX

ValueOf = Callable[..., Any]

PRECEDENCE: dict[str, Any] = {
    "1 + 2 * 3": 7,
    "(1 + 2) * 3": 9,
    "10 - 2 - 3": 5,
    "8 / 2 / 2": 2,
    "2 * 3 % 4": 2,
    "-2 * 3": -6,
    "2 - -2": 4,
    "1 + 1 == 2": True,
    "1 < 2 == true": True,
    "true == 1 < 2": True,
    "1 IN [1] == true": True,
    "1 < 2 IN [true]": True,
    "0 == 1 IN [1]": False,
    "1 + 1 IN [2]": True,
    "2 IN 1..3": True,
    "[2] == 2..1 + 1": True,
    "1 == 2 || 1 == 1": True,
    "true || false && false": True,
    "(true || false) && false": False,
    "true OR false AND false": True,
    "NOT true == false": True,
    "!true || true": True,
    "!false && false": False,
    "NOT 1 IN [false]": True,
    "null ?? 1 || 2": 1,
    "0 || null ?? 3": 3,
    "1 ? 2 : 3": 2,
    "0 ? 2 : 3": 3,
    "0 ? 1 : 0 ? 2 : 3": 3,
    "0 ? 1 : 1 ? 2 : 3": 2,
    "1 ? 0 ? 4 : 5 : 6": 5,
    "1 == 1 ? 'y' : 'n'": "y",
    "0 || 0 ? 'y' : 'n'": "n",
    "'a' ?: 'b'": "a",
    "'' ?: 'b'": "b",
    "'' ? : 'b'": "b",
    "0 ?: null ?: 7": 7,
    "0 ?: 1 ? 2 : 3": 2,
    "0 ?? 1": 0,
    "null ?? null ?? 2": 2,
    "null ?? null": None,
    "'a' LIKE 'a' == true": True,
    "-[5][0]": -5,
    "- {a: 5}.a": -5,
}


@pytest.mark.parametrize("text", PRECEDENCE)
def test_precedence(value_of: ValueOf, text: str) -> None:
    assert value_of(text) == PRECEDENCE[text]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 && 2", 2),
        ("0 && 2", 0),
        ("'' && 2", ""),
        ("null and 1", None),
        ("[] && 2", 2),
        ("1 || 2", 1),
        ("0 || 2", 2),
        ("null || ''", ""),
        ("0 || null || 'x' || 1", "x"),
        ("1 && 2 && null && 3", None),
    ],
)
def test_logical_operators_give_operands(value_of: ValueOf, text: str, value: Any) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    "text",
    ["1 || 1 / 0", "0 && 1 / 0", "1 ?? 1 / 0", "1 ? 2 : 1 / 0", "0 ? 1 / 0 : 2", "1 ?: 1 / 0"],
)
def test_operands_that_do_not_matter_are_not_evaluated(
    evaluate: Callable[..., Any], text: str
) -> None:
    assert evaluate(text).warnings == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("NULL", None),
        ("True", True),
        ("[]", []),
        ("[1, 'a', [null],]", [1, "a", [None]]),
        ("{}", {}),
        ("{a: 1, 'b': 2, \"c\": 3, `d`: 4,}", {"a": 1, "b": 2, "c": 3, "d": 4}),
        ("{x}", {"x": 9}),
        ("{x, y: x}", {"x": 9, "y": 9}),
        ("{[CONCAT('a', 1)]: 2, [3]: 4}", {"a1": 2, "3": 4}),
        ("{@k: 1}", {"key": 1}),
        ("{a: 1, a: 2}", {"a": 2}),
        ("{options: 1, count: 2}", {"options": 1, "count": 2}),
        ("x", 9),
        ("`x`", 9),
        ("(((x)))", 9),
        ("/* a */ x // b", 9),
        ("concat('a', 'b',)", "ab"),
        ("Concat ( 'a' )", "a"),
    ],
)
def test_literals_names_and_calls(value_of: ValueOf, text: str, value: Any) -> None:
    binds = {"k": "key"} if "@k" in text else {}
    assert value_of(text, {"x": 9}, **binds) == value


def test_binds_are_listed() -> None:
    parser = Parser("[@a, {@b: @c}.@d, [0][@e]]")
    parser.expression()
    assert parser.binds == {"a", "b", "c", "d", "e"}
    assert parser.path_binds == {"d"}


@pytest.mark.parametrize("value", [1, None, {}, [], ["a", 1]])
def test_an_attribute_bind_is_a_name_or_a_path(value_of: ValueOf, value: Any) -> None:
    with pytest.raises(BindParameterType, match="'p'"):
        value_of("{}.@p", p=value)


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        ("FOO(1)", "function FOO()"),
        ("near(1)", "function NEAR()"),
        ("WITHIN(1, 2)", "function WITHIN()"),
        ("FULLTEXT(1)", "function FULLTEXT()"),
        ("GEO_POLYGON([[", "function GEO_POLYGON()"),
        ("REGEX_TEST('a', 'b')", "function REGEX_TEST()"),
        ("DOCUMENT('a/b')", "function DOCUMENT()"),
        ("LIKE('a', 'b')", "function LIKE()"),
        ("my::own::function(1)", "user-defined functions (my::)"),
        ("a", "'a' (no variable"),
        ("a.b", "'a' (no variable"),
        ("{a}", "'a' (no variable"),
        ("@@c", "a collection (@@c)"),
        ("LENGTH(@@c)", "a collection (@@c)"),
        ("(FOR x IN y RETURN x)", "subqueries"),
        ("LENGTH(FOR x IN y RETURN x)", "subqueries"),
        ("(return 1)", "subqueries"),
        ("[1][*]", "array operators"),
        ("[1][**]", "array operators"),
        ("[1][? 1 FILTER CURRENT]", "array operators"),
        ("'a' =~ 'b'", "regular expressions (=~)"),
        ("'a' !~ 'b'", "regular expressions (!~)"),
        ("[1] ALL == 1", "ALL"),
        ("[1] any in [1]", "ANY"),
        ("[1] NONE > 1", "NONE"),
        ("OUTBOUND 'a' b", "graph traversals"),
    ],
)
def test_what_is_not_supported_is_named(text: str, construct: str) -> None:
    parser = Parser(text)
    with pytest.raises(NotImplementedHere) as caught:  # noqa: PT012
        parser.expression()
        raise parser.unexpected()
    assert construct in caught.value.message
    assert caught.value.http_status == 501


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("", "end of query near '' at position 1:1"),
        ("1 +", "end of query near '' at position 1:4"),
        ("+", "end of query"),
        ("(1", "end of query"),
        ("[1", "end of query"),
        ("[1 2]", "number near '2]' at position 1:4"),
        ("[,]", "',' near ',]'"),
        ("{a: }", "'}' near '}'"),
        ("{1: 2}", "number near '1: 2}'"),
        ("{@a}", "'}' near '}'"),
        ("{'a'}", "'}' near '}'"),
        ("{for: 1}", "'FOR' near 'for: 1}'"),
        ("CONCAT(1", "end of query"),
        ("CONCAT(,1)", "',' near ',1)'"),
        ("1 ? 2", "end of query"),
        ("[].", "end of query"),
        ("[].1", "number near '.1' at position 1:3"),
        ("{}.for", "'FOR' near 'for'"),
        ("{}.'a'", "string near ''a''"),
        ("{}.@@a", "collection bind near '@@a'"),
        ("1\n== ==", "'==' near '==' at position 2:4"),
        ("1 NOT 2", "'NOT' near 'NOT 2'"),
        ("1 = 2", "'=' near '= 2'"),
        ("`concat`('a')", "'('"),
    ],
)
def test_syntax_errors_say_where(text: str, near: str) -> None:
    parser = Parser(text)
    if text.startswith("`"):
        parser.variables = {"concat"}
    with pytest.raises(QueryParse) as caught:  # noqa: PT012
        parser.expression()
        raise parser.unexpected()
    assert near in caught.value.message
    assert caught.value.http_status == 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("LOWER()", "'LOWER()': expected 1, got 0"),
        ("lower(1, 2)", "'LOWER()': expected 1, got 2"),
        ("RAND(1)", "expected 0, got 1"),
        ("SUBSTRING('a')", "expected 2 to 3, got 1"),
        ("CONCAT()", "expected 1 or more, got 0"),
    ],
)
def test_arguments_are_counted(text: str, expected: str) -> None:
    with pytest.raises(FunctionArgumentCount) as caught:
        Parser(text).expression()
    assert expected in caught.value.message
    assert (caught.value.http_status, caught.value.error_num) == (400, 1541)


# -- hostile -------------------------------------------------------------------------------

EVERY_LEVEL = "0 ? 0 : null ?? 0 || 1 && 0 != 1 IN 0 < 0 .. 0 + 1 * -[0, "
"""Each level of operators once: the deepest tree that a bracket can make."""


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"),
        ("[", "]"),
        ("{a:", "}"),
        ("{[", "]:0}"),
        ("[0][", "]"),
        ("ABS(", ")"),
        ("1?", ":0"),
        ("(-", ")"),
    ],
)
def test_nesting_is_bounded(opening: str, closing: str) -> None:
    depth = AQL_NESTING_MAX - 1
    Parser(opening * depth + "0" + closing * depth).expression()
    for deeper in (depth + 1, 5_000):
        with pytest.raises(ResourceLimit, match="nest") as caught:
            Parser(opening * deeper + "0" + closing * deeper).expression()
        assert caught.value.http_status == 400


def test_the_deepest_tree_is_within_the_interpreters_bound(value_of: ValueOf) -> None:
    """With values as deep as they get, and room left for what calls the evaluation."""
    deep: Any = 0
    for _ in range(JSON_DEPTH_MAX):
        deep = [deep]
    depth = AQL_NESTING_MAX - 1
    text = EVERY_LEVEL * depth + "@deep == @deep" + "][1]" * depth
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(usual - 150)
    try:
        value_of(text, deep=deep)
    finally:
        sys.setrecursionlimit(usual)


@pytest.mark.parametrize(
    "piece", ["1+", "!", "- ", "1||", "0&&", "null??", "0?1:", "0?:", "1==", "1..", "'a'LIKE "]
)
def test_long_chains_are_flat(piece: str, value_of: ValueOf) -> None:
    words = len(tokenize(piece)) - 1
    value_of(piece * ((AQL_TOKENS_MAX - 1) // words) + "1")


def test_long_lists_and_paths(value_of: ValueOf) -> None:
    count = AQL_TOKENS_MAX // 4 - 1
    assert len(value_of("[" + "1," * count + "]")) == count
    assert value_of("{" + "a:1," * count + "}") == {"a": 1}
    assert value_of("null" + ".a" * count) is None
    assert value_of("null" + "[0]" * count) is None
    assert value_of("CONCAT(" + "'a'," * count + ")") == "a" * count


@pytest.mark.parametrize(
    "text",
    [
        "0..10000000",
        "1e18..-1e18",
        "[1..300000, 1..300000, 1..300000, 1..300000]",
        "CONCAT({s})",
        "[{s}]",
        "CONCAT_SEPARATOR(@s, 1, 2, 3, 4, 5)",
        "SUBSTITUTE(@s, 'x', @s)",
        "SUBSTITUTE(@s, ['x', 'y'], @s)",
        "CONCAT([{s}])",
        "JSON_STRINGIFY([{s}])",
        "SPLIT(@s, '')",
        "JSON_PARSE(@s)",
        "APPEND(1..600000, 1..600000)",
    ],
)
def test_values_do_not_grow_without_bound(value_of: ValueOf, text: str) -> None:
    text = text.replace("{s}", ",".join(["@s"] * 10))
    binds = {"s": "x" * 4_000_000} if "@s" in text else {}
    with pytest.raises(ResourceLimit) as caught:
        value_of(text, **binds)
    assert caught.value.http_status == 400


def test_doubling_does_not_get_far(value_of: ValueOf) -> None:
    for template in ("CONCAT({0}, {1})", "APPEND({0}, {1})", "[{0}, {1}]"):
        value: Any = ["x" * 1000] if "APPEND" in template else "x" * 1000
        with pytest.raises(ResourceLimit):  # noqa: PT012
            for _ in range(60):
                value = value_of(template.format("@v", "@v"), v=value)


FRAGMENTS = """
    1 2.5 'a' "b" null true @a @@b x y CONCAT( LENGTH( ABS( ( ) [ ] { } , : . .. ? ?? + - * / %
    == < >= IN NOT LIKE AND || ! [* FOR RETURN :: =~ FOO( -1 `x` //c /*d*/
"""


@given(st.lists(st.sampled_from(FRAGMENTS.split()), max_size=14).map(" ".join))
def test_any_words_give_a_value_or_an_error(text: str) -> None:
    with suppress(QueryParse, NotImplementedHere, FunctionArgumentCount):
        parser = Parser(text)
        parser.variables = {"x", "y"}
        parser.expression()
