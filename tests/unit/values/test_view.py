"""Definitions of views (leader-api 3 and 7.7, follower 6.6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.codec import msgpack
from arangorep.codec.json import dumps
from arangorep.errors import BadParameter, IllegalName
from arangorep.values.view import ViewInfo, change_view, parse_stored_view, parse_view

HERE = {"new_id": 7, "database_id": 1, "server_id": 0xAB}
SEARCH = {"name": "v", "type": "arangosearch"}
ALIAS = {"name": "a", "type": "search-alias"}


def one(name: str, index: str = "i") -> dict[str, str]:
    return {"collection": name, "index": index}


def test_identity_and_defaults() -> None:
    view = parse_view(SEARCH, **HERE)
    assert (view.id, view.database_id, view.guid) == (7, 1, "hAB/7")
    assert list(view.describe())[:4] == ["id", "name", "type", "globallyUniqueId"]
    assert view.describe()["links"] == {}
    assert parse_view(ALIAS, **HERE).describe()["indexes"] == []


def test_a_stored_view_keeps_its_guid() -> None:
    assert parse_stored_view({**SEARCH, "globallyUniqueId": "g"}, **HERE).guid == "g"
    for other in (None, "", 5):
        assert parse_stored_view({**SEARCH, "globallyUniqueId": other}, **HERE).guid == "hAB/7"


def test_links_are_filled_up_and_null_is_none() -> None:
    view = parse_view({**SEARCH, "links": {"c": {"x": 1}, "d": None}}, **HERE)
    assert view.collections() == ["c"]
    assert view.properties["links"]["c"] == {
        "analyzers": ["identity"],
        "fields": {},
        "includeAllFields": False,
        "storeValues": "none",
        "trackListPositions": False,
        "x": 1,
    }


def test_an_index_of_an_alias_has_two_members() -> None:
    view = parse_view({**ALIAS, "indexes": [{**one("c"), "other": 1}, one("d")]}, **HERE)
    assert view.properties == {"indexes": [one("c"), one("d")]}
    assert view.collections() == ["c", "d"]


values = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=2) | st.just(1.5)
nested = st.recursive(
    values,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["collection", "index", "operation", "c"]), inner)
    ),
    max_leaves=8,
)
PROPERTIES = ("links", "indexes", "primarySort", "cleanupIntervalStep", "storedValues")
bodies = nested | st.fixed_dictionaries(
    {"name": st.just("v"), "type": st.sampled_from(["arangosearch", "search-alias"]) | nested},
    optional=dict.fromkeys(
        ("links", "indexes", "primarySort", "cleanupIntervalStep", "storedValues"), nested
    ),
)


@given(bodies, bodies, st.booleans())
def test_any_body_is_a_view_or_refused(body: Any, change: Any, is_partial: bool) -> None:
    try:
        view = parse_view(body, **HERE)
    except (BadParameter, IllegalName):
        return
    assert ViewInfo.unpack(msgpack.unpack(msgpack.pack(view.pack()))) == view
    described = json.loads(dumps(view.describe()))
    assert parse_stored_view(described, **HERE) == view
    try:
        changed = change_view(view, change, is_partial=is_partial)
    except BadParameter:
        return
    assert changed.base_info() == view.base_info()
    assert parse_stored_view(changed.describe(), **HERE) == changed
    assert all(isinstance(name, str) for name in changed.collections())


def test_what_was_said_at_the_creation_stays() -> None:
    fixed = {"primarySort": [{"field": "x"}], "writebufferIdle": 1, "storedValues": [1]}
    view = parse_view({**SEARCH, **fixed, "links": {"c": {}}}, **HERE)
    for is_partial in (True, False):
        other = {"primarySort": [], "writebufferIdle": 2, "storedValues": []}
        changed = change_view(view, other, is_partial=is_partial)
        assert {name: changed.properties[name] for name in fixed} == fixed
        assert changed.collections() == (["c"] if is_partial else [])


def test_the_old_definition_is_left_alone() -> None:
    view = parse_view({**SEARCH, "links": {"c": {}}}, **HERE)
    before = dumps(view.describe())
    change_view(view, {"links": {"c": None, "d": {}}}, is_partial=True)
    assert dumps(view.describe()) == before


@pytest.mark.parametrize("name", ["links", "indexes"])
def test_deeply_nested(name: str) -> None:
    deep: Any = {}
    for _ in range(150):
        deep = {"c": deep}
    view = parse_view({**SEARCH, name: deep}, **HERE)
    assert json.loads(dumps(view.describe()))["name"] == "v"
