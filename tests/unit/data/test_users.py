"""`UserDirectory`: accounts as documents of `_users` (data-api 2.3)."""

from __future__ import annotations

from typing import Any

import pytest
from support.stores import insert, open_store, stored, system, write

from arangorep.auth.authenticator import Authenticator
from arangorep.auth.tokens import Tokens
from arangorep.clock import ManualClock
from arangorep.data.collections import drop_collection, truncate_collection
from arangorep.data.databases import create_database
from arangorep.data.users import UserDirectory
from arangorep.errors import Conflict, Forbidden, UserDuplicate, UserNotFound
from arangorep.storage.catalog import Collection
from arangorep.storage.store import Store
from arangorep.values.account import ANY, Level, authentication

WRONG: tuple[Any, ...] = (None, True, 5, 1.5, "", "x", [], [[]], {}, {"x": {"x": []}})
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def users(store: Store) -> UserDirectory:
    found = UserDirectory(store)
    found.ensure_root("pw")
    found.create({"user": "ann", "passwd": "p"})
    return found


def collection(store: Store) -> Collection:
    return system(store).find("_users")


def document_of(store: Store, name: str) -> dict[str, Any]:
    [found] = [d for d in stored(store, collection(store)).values() if d.get("user") == name]
    return found


def others(name: str, value: Any) -> list[dict[str, Any]]:
    """A document with a wrong value wherever an account has one."""
    return [
        {"user": value},
        {"user": name, "authData": value, "databases": value, "userData": value},
        {"user": name, "authData": {"active": value, "simple": value}},
        {"user": name, "authData": {"simple": dict.fromkeys(("hash", "salt", "method"), value)}},
        {"user": name, "databases": {"d": value, ANY: {"permissions": value}}},
        {"user": name, "databases": {"d": {"collections": value, "permissions": {"read": value}}}},
        {"user": name, "databases": {"d": {"collections": {"c": value, ANY: {}}}}},
    ]


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_documents_written_by_hand_break_nothing(
    store: Store, users: UserDirectory, value: Any
) -> None:
    clock = ManualClock()
    authenticator = Authenticator(users, Tokens(SECRET), clock, enabled=True)
    for number, document in enumerate(others("bad", value)):
        if document["user"] == "bad":
            document["user"] = f"bad{number}"
        insert(store, collection(store), document)
        users.refresh()
        assert authenticator.login("ann", "p") is not None
        assert authenticator.login("root", "wrong") is None
    for account in users.all():
        account.describe()
        assert account.collection_level("d", "c") in Level
        if account.name not in ("ann", "root"):
            assert authenticator.login(account.name, "") is None
            users.set_level(account.name, "d", "c", Level.READ)
            users.set_level(account.name, "d", "", Level.READ)
            users.update(account.name, {"passwd": "new", "active": True, "extra": {"a": 1}})
            assert authenticator.login(account.name, "new") is not None
            users.remove(account.name)
    assert [account.name for account in users.all()] == ["ann", "root"]


def test_a_hand_written_account_works(store: Store, users: UserDirectory) -> None:
    data = {"user": "ben", "authData": authentication("99c8510e", "", active=True)}
    insert(store, collection(store), data)
    ben = users.get("ben")
    assert ben.hash.startswith("0ff79b09")
    assert ben.matches("")
    assert ben.database_level("d") is Level.NONE
    with pytest.raises(UserDuplicate):
        users.create({"user": "ben"})


def test_accounts_follow_their_documents(store: Store, users: UserDirectory) -> None:
    version = users.version
    key = document_of(store, "ann")["_key"]
    write(store, collection(store), "update", {"_key": key, "user": "ben"})
    assert users.find("ann") is None
    assert users.get("ben").matches("p")
    assert users.version > version
    write(store, collection(store), "remove", {"_key": key})
    with pytest.raises(UserNotFound):
        users.get("ben")


def test_what_the_document_has_beside_stays(store: Store, users: UserDirectory) -> None:
    key = document_of(store, "ann")["_key"]
    write(store, collection(store), "update", {"_key": key, "configData": {"x": 1}, "more": 2})
    users.set_level("ann", "d", "", Level.READ)
    users.update("ann", {"active": False})
    users.replace("ann", {"passwd": "q"})
    found = document_of(store, "ann")
    assert (found["configData"], found["more"], found["_key"]) == ({"x": 1}, 2, key)
    assert users.get("ann").database_level("d") is Level.READ


def two(store: Store, users: UserDirectory) -> None:
    """A second document of ann, with another password."""
    data = {"user": "ann", "authData": authentication("s", "second", active=True)}
    insert(store, collection(store), data)
    assert users.get("ann").matches("p"), "the first document counts"


def test_two_documents_of_one_user(store: Store, users: UserDirectory) -> None:
    two(store, users)
    assert [account.name for account in users.all()] == ["ann", "root"]
    assert not users.get("ann").matches("second")


def test_a_change_does_not_bring_up_the_second_document(store: Store, users: UserDirectory) -> None:
    two(store, users)
    users.update("ann", {"passwd": "new"})
    assert users.get("ann").matches("new")
    assert not users.get("ann").matches("second")


def test_a_removed_user_has_no_second_life(store: Store, users: UserDirectory) -> None:
    two(store, users)
    users.remove("ann")
    assert users.find("ann") is None


def test_root(store: Store, users: UserDirectory) -> None:
    with pytest.raises(Forbidden):
        users.remove("root")
    users.update("root", {"active": False})
    tick = store.log.last_tick
    users.ensure_root(None)
    assert store.log.last_tick == tick
    users.ensure_root("pw")
    assert users.get("root").active
    tick = store.log.last_tick
    users.ensure_root("pw")
    assert store.log.last_tick == tick, "nothing is written at every start"
    users.ensure_root("other")
    assert users.get("root").matches("other")
    assert users.get("root").is_admin


@pytest.mark.parametrize("how", ["drop", "truncate"])
def test_without_any_account(store: Store, users: UserDirectory, how: str) -> None:
    if how == "drop":
        drop_collection(store, system(store), collection(store), allow_system=True)
    else:
        truncate_collection(store, system(store), collection(store))
    assert users.all() == []
    users.forget("d")
    users.ensure_root("pw")
    users.create({"user": "ann"})
    assert [account.name for account in users.all()] == ["ann", "root"]
    assert collection(store).info.is_system


def test_levels_of_what_was_dropped_are_forgotten(users: UserDirectory) -> None:
    for place in (("d", ""), ("d", "c"), ("d", "x"), ("e", "c")):
        users.set_level("ann", *place, Level.READ)
    users.forget("d", "c")
    assert set(users.get("ann").grant("d").collections) == {"x"}
    users.forget("d")
    assert users.get("ann").database_level("d") is Level.NONE
    assert set(users.get("ann").grants) == {"e"}


def test_who_comes_with_a_new_database(store: Store, users: UserDirectory) -> None:
    create_database(store, {"name": "d"})
    given = [{"username": "ann", "passwd": "other"}, {"user": "ben", "passwd": "b"}]
    users.grant_new_database("d", given, "root")
    assert users.get("ann").matches("p"), "who exists keeps the password"
    assert users.get("ben").matches("b")
    for name in ("ann", "ben", "root"):
        assert users.get(name).collection_level("d", "c") is Level.WRITE
    assert "d" not in users.get("root").grants


def test_levels_are_taken_back_from_all_or_from_none(store: Store, users: UserDirectory) -> None:
    users.create({"user": "bob"})
    for name in ("ann", "bob"):
        users.set_level(name, "_system", "c", Level.WRITE)
    found = collection(store)
    entry = found.prefix + users.get("bob").key.encode()
    found.locks[entry] = 7  # a transaction has claimed the account
    with pytest.raises(Conflict):
        users.forget("_system", "c")
    assert ["c" in users.get(n).grants["_system"].collections for n in ("ann", "bob")] == [True] * 2
    del found.locks[entry]
    users.forget("_system", "c")
    assert not any("c" in users.get(n).grants["_system"].collections for n in ("ann", "bob"))
