"""Handles, edges, patches and keys of array elements (data-api 5.5, 6.5, 6.6, 6.9)."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.errors import DocumentHandleBad, DocumentKeyBad, InvalidEdgeAttribute
from arangorep.values.document import (
    SYSTEM_ATTRIBUTES,
    check_edge,
    is_handle,
    key_of,
    merge_patch,
    split_handle,
)

GOOD_HANDLES = [
    ("users/1", "users", "1"),
    ("_users/a", "_users", "a"),
    ("1234/a", "1234", "a"),
    ("mötör/a", "mötör", "a"),
    ("😀/a:b", "😀", "a:b"),
    ("a b/(x)", "a b", "(x)"),
    ("c" * 256 + "/" + "k" * 254, "c" * 256, "k" * 254),
    ("é" * 128 + "/k", "é" * 128, "k"),
]

BAD_HANDLES: list[object] = [
    "",
    "/",
    "users",
    "users/",
    "/1",
    "users/1/2",
    "users/a b",
    "users/ä",
    "users/1\n",
    "1a/1",
    ".a/1",
    " a/1",
    "a /1",
    "a:b/1",
    "a\x00/1",
    "a\ud800/1",
    "mo\u0308to\u0308r/1",
    "c" * 257 + "/k",
    "é" * 128 + "c/k",
    "c/" + "k" * 255,
    None,
    1,
    ["users/1"],
    {"_id": "users/1"},
    b"users/1",
]


@pytest.mark.parametrize(("handle", "collection", "key"), GOOD_HANDLES)
def test_good_handles(handle: str, collection: str, key: str) -> None:
    assert is_handle(handle)
    assert split_handle(handle) == (collection, key)


@pytest.mark.parametrize("handle", BAD_HANDLES)
def test_bad_handles(handle: object) -> None:
    assert not is_handle(handle)
    with pytest.raises(DocumentHandleBad):
        split_handle(handle)


@pytest.mark.parametrize("handle", BAD_HANDLES)
def test_edges_need_two_handles(handle: object) -> None:
    check_edge({"_from": "a/1", "_to": "b/2", "other": None})
    for edge in (
        {"_from": handle, "_to": "b/2"},
        {"_from": "a/1", "_to": handle},
        {"_from": "a/1"},
        {"_to": "a/1"},
        {},
    ):
        with pytest.raises(InvalidEdgeAttribute):
            check_edge(edge)


def test_edge_attributes_belong_to_the_body() -> None:
    assert {"_key", "_id", "_rev"} == SYSTEM_ATTRIBUTES


# -- merge_patch --------------------------------------------------------------------------------

OLD: dict[str, Any] = {"a": 1, "n": None, "o": {"x": 1, "y": None, "z": {"q": 1}}, "l": [1, None]}

MERGES: list[tuple[dict[str, Any], bool, bool, dict[str, Any]]] = [
    ({}, True, True, OLD),
    ({}, False, True, OLD),
    ({"a": 2, "b": 3}, True, True, {**OLD, "a": 2, "b": 3}),
    ({"a": None}, True, True, {**OLD, "a": None}),
    ({"a": None, "missing": None}, False, True, {k: OLD[k] for k in "nol"}),
    ({"a": None}, False, False, {k: OLD[k] for k in "nol"}),
    ({"o": {"x": 2}}, True, True, {**OLD, "o": {"x": 2, "y": None, "z": {"q": 1}}}),
    ({"o": {"x": 2}}, True, False, {**OLD, "o": {"x": 2}}),
    ({"o": {"x": None}}, False, True, {**OLD, "o": {"y": None, "z": {"q": 1}}}),
    ({"o": {"x": None}}, True, True, {**OLD, "o": {"x": None, "y": None, "z": {"q": 1}}}),
    ({"o": {"z": {"q": None}}}, False, True, {**OLD, "o": {"x": 1, "y": None, "z": {}}}),
    ({"new": {"x": None, "y": {"z": None}}}, False, True, {**OLD, "new": {"y": {}}}),
    ({"new": {"x": None}}, True, True, {**OLD, "new": {"x": None}}),
    ({"a": {"x": None}}, False, True, {**OLD, "a": {}}),
    ({"o": 5}, True, True, {**OLD, "o": 5}),
    ({"l": [None, {"x": None}]}, False, True, {**OLD, "l": [None, {"x": None}]}),
    ({"l": [2]}, True, True, {**OLD, "l": [2]}),
]


@pytest.mark.parametrize(("patch", "keep_null", "merge_objects", "expected"), MERGES)
def test_merge_patch(
    patch: dict[str, Any], keep_null: bool, merge_objects: bool, expected: dict[str, Any]
) -> None:
    old = copy.deepcopy(OLD)
    assert merge_patch(old, patch, keep_null=keep_null, merge_objects=merge_objects) == expected
    assert old == OLD


def test_merge_patch_keeps_the_order_of_attributes() -> None:
    merged = merge_patch({"b": 1, "a": 2}, {"c": 3, "b": 4}, keep_null=True, merge_objects=True)
    assert list(merged) == ["b", "a", "c"]


NAMES = st.sampled_from("abc")
VALUES = st.recursive(
    st.none() | st.integers(0, 3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(NAMES, VALUES, max_size=3)


def leaves(value: Any, at: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """A body as flat paths: every object is its own leaf `{}`, and so is everything inside."""
    if not isinstance(value, dict):
        return {at: value}
    flat: dict[tuple[str, ...], Any] = {at: {}}
    for name, member in value.items():
        flat |= leaves(member, (*at, name))
    return flat


def patched_leaves(
    old: dict[str, Any], patch: dict[str, Any], keep_null: bool, merge_objects: bool
) -> dict[tuple[str, ...], Any]:
    """The rules of data-api 6.5 told path by path."""
    before, change = leaves(old), leaves(patch)
    after = dict(before)
    for path in sorted(change, key=len):
        if path == ():
            continue
        both_objects = change[path] == {} == after.get(path) and isinstance(change[path], dict)
        if not (both_objects and merge_objects) and not (len(path) > 1 and not merge_objects):
            after = {p: v for p, v in after.items() if p[: len(path)] != path}
        if change[path] is None and not keep_null:
            continue
        after[path] = change[path]
    return after


@given(BODIES, BODIES, st.booleans(), st.booleans())
def test_merge_patch_agrees_with_the_rules_path_by_path(
    old: dict[str, Any], patch: dict[str, Any], keep_null: bool, merge_objects: bool
) -> None:
    untouched = copy.deepcopy((old, patch))
    merged = merge_patch(old, patch, keep_null=keep_null, merge_objects=merge_objects)
    assert leaves(merged) == patched_leaves(old, patch, keep_null, merge_objects)
    assert (old, patch) == untouched


# -- key_of -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "key"),
    [
        ("k", "k"),
        ("coll/k", "k"),
        ("other coll/k", "k"),
        ({"_key": "k"}, "k"),
        ({"_key": "k", "_id": "coll/other"}, "k"),
        ({"_id": "coll/k", "_rev": "x"}, "k"),
        ("not a key", "not a key"),
    ],
)
def test_key_of(item: object, key: str) -> None:
    assert key_of(item) == key


WITHOUT_KEY: list[object] = ["", "coll/", "/", None, 1, True, [], ["k"], {}, {"a": 1}]


@pytest.mark.parametrize(
    "item",
    [*WITHOUT_KEY, *({"_id": handle} for handle in ("", "k", "coll/", 1, None))],
)
def test_items_without_a_key(item: object) -> None:
    with pytest.raises(DocumentHandleBad):
        key_of(item)


@pytest.mark.parametrize("key", ["", None, 1, [], {}])
def test_items_with_a_bad_key_attribute(key: object) -> None:
    with pytest.raises(DocumentKeyBad):
        key_of({"_key": key, "_id": "coll/k"})
