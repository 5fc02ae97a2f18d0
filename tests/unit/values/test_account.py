"""Accounts: documents of `_users`, hashes and levels (data-api 2.1, 2.3)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.values.account import (
    ANY,
    NO_GRANT,
    Account,
    Grant,
    Identity,
    Level,
    authentication,
    parse_account,
    password_hash,
    permissions,
)

LEVELS = (None, *Level)


def account(**grants: Any) -> Account:
    """An account with grants by database; `any` stands for `*`."""
    named = {ANY if name == "any" else name: grant for name, grant in grants.items()}
    return Account("1", "ann", True, {}, "", "", "sha256", named)


def first(*levels: Level | None) -> Level:
    return next((level for level in levels if level is not None), Level.NONE)


# -- levels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("own", "wildcard"), [*itertools.product(LEVELS, LEVELS)])
def test_levels_of_databases(own: Level | None, wildcard: Level | None) -> None:
    ann = account(d=Grant(own), any=Grant(wildcard))
    assert ann.database_level("d") is first(own, wildcard)
    assert ann.database_level("other") is first(wildcard)
    assert Identity("ann", ann).database_level("d") is first(own, wildcard)


@pytest.mark.parametrize(
    ("own", "others", "here", "wildcard"),
    [*itertools.product(LEVELS, repeat=4)],
)
def test_levels_of_collections(
    own: Level | None, others: Level | None, here: Level | None, wildcard: Level | None
) -> None:
    """Explicit, else `<database>/*`, else that of the database."""
    named = {n: level for n, level in (("c", own), (ANY, others)) if level is not None}
    ann = account(d=Grant(here, named), any=Grant(wildcard))
    assert ann.collection_level("d", "c") is first(own, others, here, wildcard)
    assert ann.collection_level("d", "x") is first(others, here, wildcard)
    assert ann.collection_level("d", "_graphs") is first(here, wildcard)
    assert ann.collection_level("other", "c") is first(wildcard)
    assert Identity("ann", ann).collection_level("d", "c") is ann.collection_level("d", "c")


@pytest.mark.parametrize("level", [Level.NONE, Level.READ])
def test_the_level_of_all_collections_of_all_databases(level: Level) -> None:
    ann = account(any=Grant(Level.WRITE, {ANY: level}))
    assert ann.collection_level("d", "c") is level


@pytest.mark.parametrize(("own", "wildcard"), [*itertools.product(LEVELS, LEVELS)])
def test_accounts_belong_to_administrators(own: Level | None, wildcard: Level | None) -> None:
    ann = account(_system=Grant(own, {"_users": Level.WRITE}), any=Grant(wildcard))
    is_admin = first(own, wildcard) is Level.WRITE
    assert ann.is_admin is is_admin
    assert Identity("ann", ann).is_admin is is_admin
    expected = Level.WRITE if is_admin else Level.NONE
    assert ann.collection_level("_system", "_users") is expected


def test_who_has_no_account() -> None:
    superuser, nobody = Identity("root"), Identity("", is_anonymous=True)
    for identity, level in ((superuser, Level.WRITE), (nobody, Level.NONE)):
        assert identity.is_admin is bool(level)
        assert identity.database_level("d") is level
        assert identity.collection_level("_system", "_users") is level


# -- passwords -------------------------------------------------------------------------------------


def test_the_known_hash() -> None:
    assert password_hash("99c8510e", "").startswith("0ff79b09")


@given(st.text(max_size=4), st.text(max_size=4), st.text(max_size=4))
def test_passwords(salt: str, password: str, other: str) -> None:
    document = {"_key": "1", "user": "ann", "authData": authentication("s", password, active=True)}
    ann = parse_account(document)
    assert ann is not None
    assert ann.active
    assert ann.matches(password)
    assert ann.matches(other) is (other == password)
    assert len(password_hash(salt, password)) == 64


@pytest.mark.parametrize("password", ["", "x", "\ud800", "\x00", "😀"])
@pytest.mark.parametrize(
    "simple",
    [
        {},
        {"hash": "", "salt": "", "method": "sha256"},
        {"hash": "", "salt": "", "method": ""},
        {"hash": password_hash("", ""), "salt": "", "method": "md5"},
        {"hash": password_hash("", ""), "salt": ""},
        {"hash": password_hash("", "").upper(), "salt": "", "method": "sha256"},
        {"hash": "ü", "salt": "ü", "method": "sha256"},
        {"hash": [], "salt": {}, "method": 5},
    ],
)
def test_hashes_that_match_nothing(simple: Any, password: str) -> None:
    ann = parse_account({"_key": "1", "user": "ann", "authData": {"simple": simple}})
    assert ann is not None
    assert not ann.matches(password)


# -- documents -------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["permissions", "collections", "read", "write", "undefined", "*", "d"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
documents = st.fixed_dictionaries(
    {"_key": st.just("1")},
    optional=dict.fromkeys(("user", "authData", "databases", "userData", "configData"), values),
)


@given(documents)
def test_any_document_is_an_account_or_none(document: dict[str, Any]) -> None:
    found = parse_account(document)
    name = document.get("user")
    assert (found is not None) is (isinstance(name, str) and bool(name))
    if found is not None:
        for place in ("d", "_system", ANY):
            assert found.database_level(place) in Level
            assert found.collection_level(place, "c") in Level
        assert isinstance(found.describe()["extra"], dict)
        assert not found.matches("")


@pytest.mark.parametrize("active", [None, 1, "true", [], {}, False])
def test_only_true_is_active(active: Any) -> None:
    ann = parse_account({"_key": "1", "user": "ann", "authData": {"active": active}})
    assert ann is not None
    assert not ann.active


@pytest.mark.parametrize("level", Level)
def test_permissions_are_read_back(level: Level) -> None:
    grant = {"permissions": permissions(level), "collections": {}}
    for name in ("c", ANY):
        grant["collections"][name] = {"permissions": permissions(level)}
    ann = parse_account({"_key": "1", "user": "ann", "databases": {"d": grant}})
    assert ann is not None
    assert ann.grant("d") == Grant(level, {"c": level, ANY: level})
    assert ann.grant("e") is NO_GRANT


@pytest.mark.parametrize(
    ("allowed", "level"),
    [
        (None, None),
        ("rw", None),
        ([], None),
        ({"undefined": True}, None),
        ({"undefined": True, "write": True}, None),
        ({}, Level.NONE),
        ({"read": False, "write": False}, Level.NONE),
        ({"read": True}, Level.READ),
        ({"read": 1}, Level.NONE),
        ({"write": True}, Level.WRITE),
        ({"write": "yes", "read": True}, Level.READ),
    ],
)
def test_permissions_of_documents(allowed: Any, level: Level | None) -> None:
    databases = {"d": {"permissions": allowed}}
    ann = parse_account({"_key": "1", "user": "ann", "databases": databases})
    assert ann is not None
    assert ann.grant("d").level is level
