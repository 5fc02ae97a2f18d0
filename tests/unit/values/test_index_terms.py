"""Entries of unique indexes (data-api 8.4)."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from arangorep.errors import UniqueConstraintViolated
from arangorep.values.index import IndexDefinition, parse_index
from arangorep.values.index_terms import unique_terms, violation


def index(*fields: str, **options: Any) -> IndexDefinition:
    body = {"type": "persistent", "fields": list(fields), "unique": True, **options}
    return parse_index(body, new_id=1, default_name="idx_1")


def terms(definition: IndexDefinition, **document: Any) -> list[bytes]:
    return unique_terms(definition, {"_key": "k", **document})


A = index("a")
SPARSE_A = index("a", sparse=True)


def term(value: Any) -> bytes:
    (only,) = terms(A, a=value)
    return only


# -- equality of values -------------------------------------------------------------------------

DISTINCT: list[Any] = [
    None,
    False,
    True,
    0,
    1,
    -1,
    10,
    0.5,
    2**53,
    2**53 + 1,
    2**64 - 1,
    -(2**63),
    1e300,
    "",
    "0",
    "null",
    "n",
    "a",
    "A",
    "ä",
    "a\u0308",
    [],
    [None],
    [[]],
    [1, 2],
    [2, 1],
    [12],
    ["1", "2"],
    ["12"],
    ["", "12"],
    ["1", "2;"],
    {},
    {"a": 1},
    {"a": None},
    {"b": 1},
    {"a": {"b": 1}},
    {"a": 1, "b": 2},
    {"a": 2, "b": 1},
    [["a", 1]],
    ["a", 1],
    "x" * 62,
    "x" * 100,
    "x" * 99 + "y",
    ["x" * 100],
]


def test_distinct_values_have_distinct_terms() -> None:
    assert len({term(value) for value in DISTINCT}) == len(DISTINCT)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (1, 1.0),
        (100, 1e2),
        (0, -0.0),
        (0.0, -0.0),
        (10**15, 1e15),
        (2**63, float(2**63)),
        ([1, 2], [1.0, 2.0]),
        ({"a": 1, "b": [0]}, {"b": [-0.0], "a": 1.0}),
    ],
)
def test_equal_values_have_equal_terms(first: Any, second: Any) -> None:
    assert term(first) == term(second)


def test_terms_are_bounded() -> None:
    assert len(term("x" * 60)) == 64
    assert len(term("x" * 61)) == 17
    assert len(term("x" * 100_000)) == 17
    assert len(term(list(range(1000)))) == 17


def test_a_digest_cannot_be_written_as_a_value() -> None:
    assert term("x" * 100)[:1] == b"#"
    starts = {term(value)[:1] for value in DISTINCT if len(term(value)) <= 16}
    assert b"#" not in starts
    assert starts == {b"n", b"f", b"t", b"i", b"d", b"s", b"[", b"{"}


def test_infinity_and_nan_have_terms() -> None:
    # JSON has neither, but a value from a leader may.
    assert len({term(math.inf), term(-math.inf), term(math.nan)}) == 3


NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=70)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=6,
)


def equal(first: Any, second: Any) -> bool:
    """Equality as data-api 8.4 tells it; exact for numbers, strict about kinds."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, int | float) and isinstance(second, int | float):
        return Fraction(first) == Fraction(second)
    if type(first) is not type(second):
        return False
    if isinstance(first, list):
        return len(first) == len(second) and all(map(equal, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[n], second[n]) for n in first)
    return bool(first == second)


def rewritten(value: Any) -> Any:
    """The same value, written another way where there is one."""
    if isinstance(value, list):
        return [rewritten(element) for element in value]
    if isinstance(value, dict):
        return {name: rewritten(member) for name, member in reversed(value.items())}
    if type(value) is int and int(float(value)) == value:
        return float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@given(VALUES, VALUES)
def test_terms_are_equal_exactly_when_values_are(first: Any, second: Any) -> None:
    assert (term(first) == term(second)) is equal(first, second)


@given(VALUES)
def test_terms_do_not_depend_on_how_a_value_is_written(value: Any) -> None:
    assert equal(value, rewritten(value))
    assert term(rewritten(value)) == term(value)


@given(NUMBERS, NUMBERS)
@example(2**53 + 1, 2.0**53)
@example(2**64 - 1, 2.0**64)
def test_terms_of_numbers_are_exact(first: Any, second: Any) -> None:
    assert (term(first) == term(second)) is (Fraction(first) == Fraction(second))


SMALL_VALUES: list[Any] = [None, False, 0, 1, "", "1", "i1;", [], [1], {}]
SMALL = st.sampled_from(SMALL_VALUES)


@given(st.tuples(SMALL, SMALL), st.tuples(SMALL, SMALL))
def test_terms_of_two_fields_do_not_run_together(first: Any, second: Any) -> None:
    definition = index("a", "b")
    same = equal(list(first), list(second))
    one = terms(definition, a=first[0], b=first[1])
    other = terms(definition, a=second[0], b=second[1])
    assert (one == other) is same


@given(VALUES)
def test_the_short_cut_for_one_plain_field_changes_nothing(value: Any) -> None:
    assume(value is not None)
    assert terms(A, a=value) == terms(index("o.a"), o={"a": value})


# -- missing values -----------------------------------------------------------------------------


def test_missing_is_null_unless_sparse() -> None:
    assert terms(A) == terms(A, a=None) != []
    assert terms(SPARSE_A) == terms(SPARSE_A, a=None) == []
    assert terms(SPARSE_A, a=0) == terms(A, a=0)
    assert terms(SPARSE_A, a=False) != []


def test_sparse_with_several_fields_needs_all_of_them() -> None:
    sparse, dense = index("a", "b", sparse=True), index("a", "b")
    assert terms(sparse, a=1) == terms(sparse, b=1) == terms(sparse, a=1, b=None) == []
    assert terms(sparse, a=1, b=2) == terms(dense, a=1, b=2) != []
    assert terms(dense, a=1) == terms(dense, a=1, b=None) != terms(dense, b=1)


# -- paths --------------------------------------------------------------------------------------


def test_paths_descend_objects() -> None:
    definition = index("a.b.c")
    assert terms(definition, a={"b": {"c": 5}}) == [term(5)]
    for elsewhere in (None, 5, "b", [{"b": {"c": 5}}], {"b": 5}, {"b": {"d": 5}}):
        assert terms(definition, a=elsewhere) == [term(None)]
    assert terms(definition, **{"a.b.c": 5}) == [term(None)]
    assert terms(index("a.b", sparse=True), a={"c": 1}) == []


def test_expansion_gives_an_entry_for_each_element() -> None:
    definition = index("a[*]")
    assert terms(definition, a=[1, "x", None]) == [term(1), term("x"), term(None)]
    assert terms(definition, a=[[1]]) == [term([1])]


def test_expansion_below_and_above_attributes() -> None:
    definition = index("a.b[*].c.d")
    document = {"b": [{"c": {"d": 1}}, {"c": {"d": 2}}, {"c": 3}, 4]}
    assert terms(definition, a=document) == [term(1), term(2), term(None)]


@pytest.mark.parametrize("value", [None, [], 5, {"0": 1}, "text"])
def test_expansion_of_nothing_is_null_unless_sparse(value: Any) -> None:
    assert terms(index("a[*]"), a=value) == [term(None)]
    assert terms(index("a[*]", sparse=True), a=value) == []


def test_sparse_leaves_out_elements() -> None:
    definition = index("a[*].b", sparse=True)
    document: list[Any] = [{"b": 1}, {"b": None}, {}, 5, {"b": 2}]
    assert terms(definition, a=document) == [term(1), term(2)]


def test_expansions_of_several_fields_combine() -> None:
    definition = index("a[*]", "b", "c[*]")
    combined = terms(definition, a=[1, 2], b=0, c=["x", "y"])
    triple = index("p", "q", "r")
    assert combined == [
        terms(triple, p=p, q=0, r=r)[0] for p, r in [(1, "x"), (1, "y"), (2, "x"), (2, "y")]
    ]


def test_equal_elements_of_one_document() -> None:
    assert terms(index("a[*]"), a=[1, 2, 1.0, 1]) == [term(1), term(2)]
    strict = index("a[*]", deduplicate=False)
    assert terms(strict, a=[1, 2]) == [term(1), term(2)]
    with pytest.raises(UniqueConstraintViolated) as caught:
        terms(strict, a=[1, 2, 1.0])
    assert caught.value.message == violation(strict, "k")
    with pytest.raises(UniqueConstraintViolated):
        terms(strict, a=[None, None])
    # Left out of a sparse index, nulls do not collide.
    assert terms(index("a[*]", deduplicate=False, sparse=True), a=[None, None]) == []


def test_system_attributes_can_be_indexed() -> None:
    assert terms(index("_key")) == [term("k")]
    assert terms(index("_from", "a"), _from="c/1", a=1) == terms(index("x", "y"), x="c/1", y=1)


def test_text_of_a_violation() -> None:
    definition = index("a", "b.c", type="hash", name="mine")
    assert violation(definition, "k1") == (
        "unique constraint violated - in index mine of type hash over 'a, b.c'; conflicting key: k1"
    )
