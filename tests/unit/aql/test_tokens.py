"""The words of AQL."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql.tokens import KEYWORDS, Kind, tokenize
from arangorep.errors import QueryParse, ResourceLimit
from arangorep.limits import AQL_TEXT_CHARS_MAX, AQL_TOKENS_MAX


def kinds(text: str) -> list[tuple[Kind, Any]]:
    """Kind and meaning of each token but the end."""
    tokens = tokenize(text)
    assert tokens[-1].kind is Kind.END
    return [(t.kind, t.text if t.kind is Kind.SYMBOL else t.value) for t in tokens[:-1]]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("42", 42),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("1E-2", 0.01),
        ("2.5e+1", 25.0),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", float(2**63)),
        ("9" * 5000, None),
        ("1e999", None),
        ("0x1F", 31),
        ("0b101", 5),
        ("0xFFFFFFFFFFFFFFFF", float(2**64 - 1)),
        ("0x" + "F" * 2000, None),
    ],
)
def test_numbers(text: str, number: object) -> None:
    ((kind, value),) = kinds(text)
    assert kind is Kind.NUMBER
    assert value == number
    assert type(value) is type(number)


@pytest.mark.parametrize(
    ("text", "string"),
    [
        ('""', ""),
        ("''", ""),
        ('"a\'b"', "a'b"),
        ("'a\"b'", 'a"b'),
        (r'"a\"b"', 'a"b'),
        (r"'a\'b'", "a'b"),
        (r'"\n\t\r\b\f\\\/"', "\n\t\r\b\f\\/"),
        (r'"\u00e4\u20AC"', "ä€"),
        (r'"\ud83d\ude00"', "😀"),
        ('"line\nline"', "line\nline"),
        (r'"\q"', "q"),
        ('"// no comment /*"', "// no comment /*"),
    ],
)
def test_strings(text: str, string: str) -> None:
    assert kinds(text) == [(Kind.STRING, string)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("doc", (Kind.NAME, "doc")),
        ("_doc1", (Kind.NAME, "_doc1")),
        ("$doc", (Kind.NAME, "$doc")),
        ("`for`", (Kind.QUOTED, "for")),
        ("´a b´", (Kind.QUOTED, "a b")),
        (r"`a\`b`", (Kind.QUOTED, "a`b")),
        ("@x", (Kind.BIND, "x")),
        ("@0", (Kind.BIND, "0")),
        ("@_x_1", (Kind.BIND, "_x_1")),
        ("@@collection", (Kind.COLLECTION_BIND, "@collection")),
        ("Return", (Kind.SYMBOL, "RETURN")),
        ("&&", (Kind.SYMBOL, "AND")),
        ("and", (Kind.SYMBOL, "AND")),
        ("||", (Kind.SYMBOL, "OR")),
        ("!", (Kind.SYMBOL, "NOT")),
        ("==", (Kind.SYMBOL, "==")),
        ("=~", (Kind.SYMBOL, "=~")),
        ("??", (Kind.SYMBOL, "??")),
        ("options", (Kind.NAME, "options")),
    ],
)
def test_single_tokens(text: str, expected: tuple[Kind, str]) -> None:
    assert kinds(text) == [expected]


def test_every_keyword_is_one_in_any_case() -> None:
    for word in KEYWORDS:
        assert kinds(f"{word} {word.lower()} `{word}`") == [
            (Kind.SYMBOL, word),
            (Kind.SYMBOL, word),
            (Kind.QUOTED, word),
        ]


def test_a_range_is_no_fraction() -> None:
    assert [value for _, value in kinds("1..10")] == [1, "..", 10]
    assert [value for _, value in kinds("1.5..2.5")] == [1.5, "..", 2.5]


def test_comments_and_space_separate() -> None:
    text = "a// to the end\r\nb/* over\n lines */c/**/d\t//last"
    assert [value for _, value in kinds(text)] == ["a", "b", "c", "d"]


def test_offsets_count_characters() -> None:
    assert [token.offset for token in tokenize("'ä' + 1")] == [0, 4, 6, 7]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\n  #", "unexpected character near '#' at position 2:3"),
        ("'abc", "unexpected end of query within a string near ''abc' at position 1:1"),
        ('x "', "end of query within a string"),
        ("`abc", "end of query within a quoted name"),
        ("´", "end of query within a quoted name"),
        ("``", "end of query within a quoted name"),
        ("1 /* x", "end of query within a comment near '/* x' at position 1:3"),
        ("@", "character near '@'"),
        ("_", "character near '_'"),
        ("ä", "character near 'ä'"),
        ("\x00", "character"),
        (r"'\ud800'", "half of a surrogate pair"),
        (r"'\ude00\ud83d'", "half of a surrogate pair"),
        ("a & b", "character near '& b'"),
    ],
)
def test_what_starts_no_token(text: str, message: str) -> None:
    with pytest.raises(QueryParse) as caught:
        tokenize(text)
    assert message in caught.value.message


def test_length_is_bounded() -> None:
    assert len(tokenize(" " * AQL_TEXT_CHARS_MAX)) == 1
    assert len(tokenize("1," * (AQL_TOKENS_MAX // 2))) == AQL_TOKENS_MAX + 1
    for text in (" " * (AQL_TEXT_CHARS_MAX + 1), "1," * (AQL_TOKENS_MAX // 2) + "1"):
        with pytest.raises(ResourceLimit, match="a query has up to") as caught:
            tokenize(text)
        assert caught.value.http_status == 400


@pytest.mark.parametrize("piece", ['"\\', "'", "`\\", "/*", "/* *", "_", "1e", ".", "@", "\\"])
def test_repetition_takes_no_more_than_linear_time(piece: str) -> None:
    text = (piece * AQL_TEXT_CHARS_MAX)[:AQL_TEXT_CHARS_MAX]
    with suppress(QueryParse, ResourceLimit):
        tokenize(text)


@given(st.text())
def test_any_text_gives_tokens_or_an_error(text: str) -> None:
    with suppress(QueryParse):
        assert tokenize(text)[-1].offset == len(text)
