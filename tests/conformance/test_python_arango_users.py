"""python-arango knows people: users, what they may do, and how they show who they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from arango import ArangoClient
from arango.collection import StandardCollection
from arango.connection import JwtConnection
from arango.database import StandardDatabase
from arango.exceptions import (
    ArangoServerError,
    CollectionCreateError,
    CollectionListError,
    DatabaseListError,
    DatabasePropertiesError,
    DocumentGetError,
    DocumentInsertError,
    JWTAuthError,
    JWTExpiredError,
    JWTRefreshError,
    PermissionGetError,
    PermissionListError,
    PermissionResetError,
    PermissionUpdateError,
    ServerConnectionError,
    UserCreateError,
    UserDeleteError,
    UserGetError,
    UserReplaceError,
    UserUpdateError,
)
from arango.http import DefaultHTTPClient
from support.drivers import ROOT_PASSWORD, fresh_name, superuser_token, user_token
from support.server import ServerThread

Json = dict[str, Any]

FOREIGN = "a secret of some other server, long enough"


@pytest.fixture
def user(system: StandardDatabase) -> Iterator[str]:
    """The name of a user without any rights; the password is `pw`."""
    name = fresh_name("user")
    assert system.create_user(name, "pw", active=True, extra={"a": 1})
    yield name
    system.delete_user(name, ignore_missing=True)


def refusal(error: ArangoServerError) -> tuple[int, int | None]:
    return error.http_code, error.error_code


# -- users ---------------------------------------------------------------------------------------


def test_creating_users(system: StandardDatabase) -> None:
    name = fresh_name("user")
    expected = {"username": name, "active": True, "extra": {"foo": "bar"}}
    assert system.create_user(name, "pw", active=True, extra={"foo": "bar"}) == expected
    assert system.has_user(name)
    assert system.user(name) == expected
    assert [one for one in system.users() if one["username"] == name] == [expected]
    with pytest.raises(UserCreateError) as taken:
        system.create_user(name, "other")
    assert refusal(taken.value) == (409, 1702)
    assert system.delete_user(name)
    assert not system.has_user(name)
    assert system.create_user(name) == {"username": name, "active": True, "extra": {}}
    assert system.delete_user(name)


def test_updating_a_user(system: StandardDatabase, user: str) -> None:
    updated = system.update_user(user, password="new", active=False, extra={"b": 2})
    assert updated == {"username": user, "active": False, "extra": {"a": 1, "b": 2}}
    assert system.user(user) == updated
    assert system.update_user(user, active=True)["extra"] == {"a": 1, "b": 2}


def test_replacing_a_user(system: StandardDatabase, user: str) -> None:
    replaced = system.replace_user(user, "new", active=False, extra={"c": 3})
    assert replaced == {"username": user, "active": False, "extra": {"c": 3}} == system.user(user)
    assert system.replace_user(user, "new") == {"username": user, "active": True, "extra": {}}


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda db: db.user("nobody"), UserGetError),
        (lambda db: db.update_user("nobody", password="x"), UserUpdateError),
        (lambda db: db.replace_user("nobody", "x"), UserReplaceError),
        (lambda db: db.delete_user("nobody"), UserDeleteError),
        (lambda db: db.permissions("nobody"), PermissionListError),
        (lambda db: db.permission("nobody", "_system"), PermissionGetError),
        (lambda db: db.update_permission("nobody", "ro", "_system"), PermissionUpdateError),
        (lambda db: db.reset_permission("nobody", "_system"), PermissionResetError),
    ],
)
def test_a_user_who_is_not_there(
    system: StandardDatabase,
    act: Callable[[StandardDatabase], object],
    error: type[ArangoServerError],
) -> None:
    with pytest.raises(error) as missing:
        act(system)
    assert refusal(missing.value) == (404, 1703)
    assert system.delete_user("nobody", ignore_missing=True) is False


def test_a_new_password_counts_at_once(
    client: ArangoClient, system: StandardDatabase, db: StandardDatabase, user: str
) -> None:
    system.update_permission(user, "rw", db.name)
    first = client.db(db.name, user, "pw", verify=True)
    system.update_user(user, password="new")
    with pytest.raises(DatabasePropertiesError) as refused:
        first.properties()
    assert refusal(refused.value) == (401, 11)
    second = client.db(db.name, user, "new", verify=True)
    system.replace_user(user, "newest")
    with pytest.raises(DatabasePropertiesError):
        second.properties()
    third = client.db(db.name, user, "newest", verify=True)
    system.update_user(user, active=False)
    with pytest.raises(DatabasePropertiesError):
        third.properties()


def test_users_of_a_new_database(client: ArangoClient, system: StandardDatabase) -> None:
    name = fresh_name("py")
    users = [
        {"username": f"{name}a", "password": "1", "active": True, "extra": {"x": 1}},
        {"username": f"{name}b", "password": "2", "active": False},
    ]
    assert system.create_database(name, users=users)
    assert system.user(f"{name}a")["extra"] == {"x": 1}
    assert system.permission(f"{name}a", name) == "rw"
    assert system.permission(f"{name}a", "_system") == "none"
    entered = client.db(name, f"{name}a", "1", verify=True)
    assert isinstance(entered.create_collection("c"), StandardCollection)
    with pytest.raises(ServerConnectionError):
        client.db(name, f"{name}b", "2", verify=True)
    assert system.delete_database(name)
    for one in users:
        assert system.delete_user(one["username"])


def test_users_may_change_themselves_only(
    client: ArangoClient, system: StandardDatabase, db: StandardDatabase, user: str
) -> None:
    system.update_permission(user, "rw", db.name)
    own = client.db(db.name, user, "pw")
    assert own.user(user)["username"] == user
    assert own.update_user(user, extra={"mine": True})["extra"]["mine"] is True
    for act, error in (
        (lambda: own.user("root"), UserGetError),
        (lambda: own.create_user("friend", "x"), UserCreateError),
        (lambda: own.delete_user("root"), UserDeleteError),
        (lambda: own.update_permission(user, "rw", "_system"), PermissionUpdateError),
    ):
        with pytest.raises(error) as refused:
            act()
        assert refusal(refused.value) == (403, 11)


# -- permissions ---------------------------------------------------------------------------------


def test_permissions_of_a_database(
    client: ArangoClient, system: StandardDatabase, db: StandardDatabase, user: str
) -> None:
    db.create_collection("c")
    theirs = client.db(db.name, user, "pw")
    assert system.permission(user, db.name) == "none"
    with pytest.raises(CollectionListError) as nothing:
        theirs.collections()
    assert refusal(nothing.value) == (401, 11)
    assert system.update_permission(user, "ro", db.name) is True
    assert system.permission(user, db.name) == "ro"
    assert theirs.collections()
    with pytest.raises(CollectionCreateError) as reading:
        theirs.create_collection("d")
    assert refusal(reading.value) == (403, 11)
    assert system.update_permission(user, "rw", db.name) is True
    assert isinstance(theirs.create_collection("d"), StandardCollection)
    assert system.permissions(user)[db.name]["permission"] == "rw"
    assert system.reset_permission(user, db.name) is True
    assert system.permission(user, db.name) == "none"
    with pytest.raises(CollectionListError):
        theirs.collections()


def test_permissions_of_a_collection(
    client: ArangoClient, system: StandardDatabase, db: StandardDatabase, user: str
) -> None:
    db.create_collection("c").insert({"_key": "k"})
    system.update_permission(user, "rw", db.name)
    theirs = client.db(db.name, user, "pw").collection("c")
    assert system.permission(user, db.name, "c") == "rw"
    assert system.update_permission(user, "ro", db.name, "c") is True
    assert system.permission(user, db.name, "c") == "ro"
    assert theirs.get("k")
    with pytest.raises(DocumentInsertError) as reading:
        theirs.insert({})
    assert refusal(reading.value) in ((403, 11), (403, 1004))
    assert system.update_permission(user, "none", db.name, "c") is True
    assert system.permissions(user)[db.name]["collections"]["c"] == "none"
    with pytest.raises(DocumentGetError) as nothing:
        theirs.get("k")
    assert refusal(nothing.value) == (403, 11)
    assert system.reset_permission(user, db.name, "c") is True
    assert system.permission(user, db.name, "c") == "rw"
    assert theirs.insert({})


def test_what_cannot_be_granted(system: StandardDatabase, user: str) -> None:
    with pytest.raises(PermissionUpdateError) as wrong:
        system.update_permission(user, "everything", "_system")
    assert refusal(wrong.value) == (400, 10)


def test_databases_that_a_user_sees(
    client: ArangoClient, system: StandardDatabase, db: StandardDatabase, user: str
) -> None:
    system.update_permission(user, "ro", db.name)
    theirs = client.db(db.name, user, "pw")
    assert theirs.databases_accessible_to_user() == [db.name]
    with pytest.raises(DatabaseListError) as refused:
        theirs.databases()
    assert refused.value.http_code == 403


# -- how one shows who one is ----------------------------------------------------------------------


def test_jwt_by_name_and_password(client: ArangoClient) -> None:
    db = client.db("_system", "root", ROOT_PASSWORD, verify=True, auth_method="jwt")
    assert isinstance(db.conn, JwtConnection)
    assert db.version() == "3.12.9"
    assert db.conn.ping() == 200
    db.conn.refresh_token()
    assert db.properties()["name"] == "_system"
    with pytest.raises(JWTAuthError) as wrong:
        client.db("_system", "root", "wrong", auth_method="jwt")
    assert refusal(wrong.value) == (401, 401)


def test_a_token_that_is_not_accepted_is_fetched_anew(client: ArangoClient) -> None:
    db = client.db("_system", "root", ROOT_PASSWORD, auth_method="jwt")
    assert isinstance(db.conn, JwtConnection)
    db.conn._auth_header = f"bearer {user_token('root', secret=FOREIGN)}"
    assert db.properties()["name"] == "_system"
    db.conn._auth_header = f"bearer {user_token('root', valid_s=-10)}"
    assert db.properties()["name"] == "_system"


def test_a_ready_token(client: ArangoClient, db: StandardDatabase, user: str) -> None:
    given = user_token("root")
    own = client.db(db.name, user_token=given, verify=True)
    assert own.properties()["name"] == db.name
    theirs = client.db(db.name, user_token=user_token(user))
    with pytest.raises(JWTRefreshError):
        theirs.properties()
    with pytest.raises(JWTExpiredError):
        client.db(db.name, user_token=user_token("root", valid_s=-10))
    foreign = client.db(db.name, user_token=user_token("root", secret=FOREIGN))
    with pytest.raises(JWTRefreshError):
        foreign.properties()


def test_a_superusers_token(client: ArangoClient, db: StandardDatabase) -> None:
    powerful = client.db("_system", superuser_token=superuser_token(), verify=True)
    assert db.name in powerful.databases()
    powerful.conn.set_token(superuser_token())
    assert powerful.has_user("root")
    with pytest.raises(JWTExpiredError):
        powerful.conn.set_token(superuser_token(valid_s=-1))
    for token in (superuser_token(valid_s=-1), superuser_token(secret=FOREIGN)):
        with pytest.raises(ServerConnectionError, match="expired"):
            client.db("_system", superuser_token=token, verify=True)


def test_several_hosts(secured: ServerThread) -> None:
    """The client goes on to the next one when nobody answers."""
    for strategy in ("roundrobin", "random", "fallback"):
        client = ArangoClient(
            hosts=["http://127.0.0.1:1", secured.url],
            host_resolver=strategy,
            http_client=DefaultHTTPClient(retry_attempts=0),
        )
        db = client.db("_system", "root", ROOT_PASSWORD)
        assert [db.version() for _ in range(2)] == ["3.12.9"] * 2
        client.close()
