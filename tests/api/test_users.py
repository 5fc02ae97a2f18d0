"""Accounts, tokens and levels (data-api 2)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests
from support.server import Api, ServerThread, error_of

from arangorep.clock import ManualClock
from arangorep.config import Config

SECRET = "0123456789abcdef0123456789abcdef"

ADMIN = "root"
"""The account that every server has."""


class User(Api):
    """A client that comes with a name and password, or with a token."""

    def __init__(
        self,
        url: str,
        name: str = "",
        password: str = "",
        database: str = "_system",
        token: str = "",
    ) -> None:
        super().__init__(url, database)
        if token:
            self.session.headers["Authorization"] = f"bearer {token}"
        elif name:
            self.session.auth = (name.encode(), password.encode())

    def at(self, database: str) -> User:
        other = User(self.url, database=database)
        other.session = self.session
        return other


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    config = Config(tmp_path_factory.mktemp("data"), port=0, root_password="pw", jwt_secret=SECRET)
    with ServerThread(config) as running:
        yield running


@pytest.fixture
def root(secured: ServerThread) -> Iterator[User]:
    """An administrator; everything made in the test goes away."""
    with User(secured.url, "root", "pw") as client:
        yield client
        for user in client.get("/_api/user").json()["result"]:
            if user["user"] != "root":
                client.delete(f"/_api/user/{requests.utils.quote(user['user'], safe='')}")
        for name in client.get("/_api/database").json()["result"]:
            if name != "_system":
                client.delete(f"/_api/database/{name}")


def make(root: User, name: str = "ann", password: str = "p") -> User:
    response = root.post("/_api/user", {"user": name, "passwd": password})
    assert response.status_code == 201, response.text
    return User(root.url, name, password)


def database(root: User, name: str = "d1", *users: str) -> User:
    body = {"name": name, "users": [{"username": user, "passwd": "p"} for user in users]}
    assert root.post("/_api/database", body).status_code == 201
    return root.at(name)


# -- accounts --------------------------------------------------------------------------------------


def test_the_life_of_an_account(root: User) -> None:
    created = root.post("/_api/user", {"user": "ann", "passwd": "p", "extra": {"a": 1}})
    assert created.status_code == 201
    assert created.json() == {
        "user": "ann", "active": True, "extra": {"a": 1}, "code": 201, "error": False,
    }  # fmt: skip
    assert error_of(root.post("/_api/user", {"user": "ann"})) == (409, 1702)
    shown = root.get("/_api/user/ann").json()
    assert shown == {"user": "ann", "active": True, "extra": {"a": 1}, "code": 200, "error": False}
    patched = root.patch("/_api/user/ann", {"extra": {"b": 2}}).json()
    assert patched["extra"] == {"a": 1, "b": 2}
    assert root.post("/_api/user/ann", {"passwd": "p"}).json()["result"] is True
    replaced = root.put("/_api/user/ann", {"passwd": "q", "active": True}).json()
    assert replaced["extra"] == {}
    assert error_of(root.post("/_api/user/ann", {"passwd": "p"})) == (404, 1703)
    assert root.post("/_api/user/ann", {"passwd": "q"}).status_code == 200
    names = [user["user"] for user in root.get("/_api/user").json()["result"]]
    assert names == ["ann", "root"]
    gone = root.delete("/_api/user/ann")
    assert (gone.status_code, gone.json()) == (202, {"error": False, "code": 202})
    for response in (
        root.get("/_api/user/ann"),
        root.put("/_api/user/ann", {"passwd": ""}),
        root.patch("/_api/user/ann", {}),
        root.delete("/_api/user/ann"),
        root.get("/_api/user/ann/database"),
        root.put("/_api/user/ann/database/x", {"grant": "rw"}),
    ):
        assert error_of(response) == (404, 1703)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, (400, 1700)),
        ({"user": ""}, (400, 1700)),
        ({"user": 5}, (400, 1700)),
        ([], (400, 400)),
        (b"", (400, 400)),
        (b"{", (400, 600)),
        ({"user": "x", "passwd": 1}, (400, 10)),
        ({"user": "x", "active": "yes"}, (400, 10)),
        ({"user": "x", "extra": []}, (400, 10)),
    ],
)
def test_bodies_that_make_no_account(root: User, body: Any, expected: tuple[int, int]) -> None:
    assert error_of(root.post("/_api/user", body)) == expected
    assert [u["user"] for u in root.get("/_api/user").json()["result"]] == ["root"]


def test_paths_and_methods(root: User) -> None:
    assert error_of(root.get(f"/_api/user/{ADMIN}/nothing")) == (400, 10)
    assert error_of(root.get(f"/_api/user/{ADMIN}/database/a/b/c")) == (400, 10)
    assert error_of(root.put(f"/_api/user/{ADMIN}/database", {})) == (400, 10)
    assert error_of(root.delete("/_api/user")) == (405, 405)
    assert error_of(root.post(f"/_api/user/{ADMIN}/database/x")) == (405, 405)
    for body in ({}, {"grant": "all"}, {"grant": 1}, []):
        assert error_of(root.put(f"/_api/user/{ADMIN}/database/x", body)) == (400, 10)
    assert error_of(root.delete(f"/_api/user/{ADMIN}")) == (403, 11)


def test_the_document_of_an_account(root: User) -> None:
    make(root, "ann", "")
    root.put("/_api/user/ann/database/d", {"grant": "ro"})
    root.put("/_api/user/ann/database/d/c", {"grant": "rw"})
    batch = root.create_batch()
    documents = root.dump("_users", batch)
    [document] = [d for d in documents if d["user"] == "ann"]
    simple = document["authData"]["simple"]
    assert simple["method"] == "sha256"
    assert len(simple["salt"]) == 8
    assert len(simple["hash"]) == 64
    assert document["authData"]["active"] is True
    assert document["databases"] == {
        "d": {
            "permissions": {"read": True, "write": False},
            "collections": {"c": {"permissions": {"read": True, "write": True}}},
        }
    }
    assert document["source"] == "LOCAL"


def test_a_change_counts_at_once(root: User) -> None:
    ann = make(root)
    root.put("/_api/user/ann/database/_system", {"grant": "ro"})
    assert ann.get("/_api/version").status_code == 200
    root.patch("/_api/user/ann", {"passwd": "new"})
    assert error_of(ann.get("/_api/version")) == (401, 11)
    ann = User(root.url, "ann", "new")
    assert ann.get("/_api/version").status_code == 200
    root.patch("/_api/user/ann", {"active": False})
    assert error_of(ann.get("/_api/version")) == (401, 11)
    root.patch("/_api/user/ann", {"active": True})
    assert ann.get("/_api/version").status_code == 200
    root.delete("/_api/user/ann")
    assert error_of(ann.get("/_api/version")) == (401, 11)


def test_accounts_survive_and_roots_password_is_set_at_start(tmp_path: Any) -> None:
    with ServerThread(Config(tmp_path, port=0, root_password="one")) as server:
        make(User(server.url, "root", "one"))
    with ServerThread(Config(tmp_path, port=0, root_password="two")) as server:
        assert User(server.url, "root", "one").get("/_api/user").status_code == 401
        names = User(server.url, "root", "two").get("/_api/user").json()["result"]
        assert [user["user"] for user in names] == ["ann", "root"]
        assert User(server.url, "ann", "p").post("/_api/user/ann", {"passwd": "p"}).ok
    with ServerThread(Config(tmp_path, port=0)) as server:
        # without authentication nobody is asked
        assert User(server.url).get("/_api/user").status_code == 200


# -- tokens ----------------------------------------------------------------------------------------


def login(api: Api, **body: Any) -> requests.Response:
    return api.session.post(f"{api.url}/_open/auth", json=body)


def test_a_token_for_name_and_password(root: User) -> None:
    make(root)
    root.put("/_api/user/ann/database/_system", {"grant": "ro"})
    stranger = User(root.url)
    answer = login(stranger, username="ann", password="p")
    assert list(answer.json()) == ["jwt"]
    claims = jwt.decode(answer.json()["jwt"], SECRET, algorithms=["HS256"], issuer="arangodb")
    assert claims["preferred_username"] == "ann"
    assert claims["exp"] - claims["iat"] == 3600
    ann = User(root.url, token=answer.json()["jwt"])
    assert ann.get("/_api/version").status_code == 200
    assert error_of(ann.get("/_api/user")) == (403, 403)
    assert ann.session.post(f"{ann.url}/_open/auth/renew").json() == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, 400)),
        (b"{", (400, 400)),
        (b"[]", (400, 400)),
        (b'{"username":"root"}', (400, 400)),
        (b'{"username":"root","password":1}', (400, 400)),
        (b'{"username":"root","password":"x"}', (401, 401)),
        (b'{"username":"nobody","password":"pw"}', (401, 401)),
    ],
)
def test_no_token(secured: ServerThread, body: bytes, expected: tuple[int, int]) -> None:
    response = requests.post(f"{secured.url}/_open/auth", data=body)
    assert error_of(response) == expected


def test_an_inactive_user_gets_no_token(root: User) -> None:
    root.post("/_api/user", {"user": "ann", "passwd": "p", "active": False})
    assert error_of(login(root, username="ann", password="p")) == (401, 401)


def test_a_token_ends_and_is_renewed(tmp_path: Any) -> None:
    clock = ManualClock()
    with ServerThread(Config(tmp_path, port=0, root_password="pw"), clock) as server:
        token = login(User(server.url), username="root", password="pw").json()["jwt"]
        root = User(server.url, token=token)
        assert root.get("/_api/version").ok
        clock.advance_s(3600 - 149)
        renewed = root.session.post(f"{server.url}/_open/auth/renew").json()["jwt"]
        clock.advance_s(149)
        assert error_of(root.get("/_api/version")) == (401, 11)
        assert User(server.url, token=renewed).get("/_api/version").ok
        by_password = User(server.url, "root", "pw")
        response = by_password.session.post(f"{server.url}/_open/auth/renew")
        assert error_of(response) == (404, 1703)


def superuser(**claims: Any) -> str:
    return jwt.encode({"iss": "arangodb", "server_id": "x", **claims}, SECRET, algorithm="HS256")


def test_a_superusers_token(root: User) -> None:
    api = User(root.url, token=superuser())
    assert api.get("/_api/user").status_code == 200
    assert error_of(User(root.url, database="nope", token=superuser()).get("/_api/version")) == (
        404, 1228,
    )  # fmt: skip
    limited = User(root.url, token=superuser(allowed_paths=["/_api/version"]))
    assert limited.get("/_api/version").status_code == 200
    assert error_of(limited.get("/_api/user")) == (401, 11)
    for token in ("x", "a.b.c", superuser(exp=1), superuser(iss="x"), superuser() + "x"):
        assert error_of(User(root.url, token=token).get("/_api/version")) == (401, 11)


def test_a_users_token_without_the_user(root: User) -> None:
    token = jwt.encode(
        {"iss": "arangodb", "preferred_username": "ghost"}, SECRET, algorithm="HS256"
    )
    assert error_of(User(root.url, token=token).get("/_api/version")) == (401, 11)


def test_packed_bodies_of_nobody(secured: ServerThread) -> None:
    response = requests.post(
        f"{secured.url}/_open/auth", data=b"x", headers={"Content-Encoding": "gzip"}
    )
    assert error_of(response) == (403, 11)


# -- levels ----------------------------------------------------------------------------------------


def test_a_database_with_users(root: User) -> None:
    database(root, "d1", "ann")
    ann = User(root.url, "ann", "p", "d1")
    assert ann.get("/_api/database/current").json()["result"]["name"] == "d1"
    assert ann.get("/_api/database/user").json()["result"] == ["d1"]
    assert error_of(ann.at("_system").get("/_api/version")) == (401, 11)
    assert error_of(ann.at("nope").get("/_api/version")) == (401, 11)
    assert error_of(root.at("nope").get("/_api/version")) == (404, 1228)
    assert ann.post("/_api/collection", {"name": "c"}).status_code == 200
    assert ann.insert("c", {"_key": "a"})["_key"] == "a"
    assert ann.at("_system").get("/_api/user/ann").status_code == 200
    assert error_of(ann.at("_system").get(f"/_api/user/{ADMIN}")) == (403, 11)
    assert error_of(ann.at("_system").get("/_api/user")) == (403, 403)
    levels = root.get("/_api/user/ann/database").json()["result"]
    assert levels == {"d1": "rw", "*": "none"}
    root.delete("/_api/database/d1")
    assert root.get("/_api/user/ann/database").json()["result"] == {"*": "none"}
    database(root, "d1")
    assert error_of(ann.get("/_api/version")) == (401, 11)


def test_an_account_that_exists_keeps_its_password(root: User) -> None:
    make(root, "ann", "old")
    database(root, "d1", "ann")
    assert User(root.url, "ann", "old", "d1").get("/_api/version").ok


def test_reading_only(root: User) -> None:
    d1 = database(root, "d1", "ann")
    d1.create_collection("c")
    d1.insert("c", {"_key": "a"})
    ann = User(root.url, "ann", "p", "d1")
    root.put("/_api/user/ann/database/d1", {"grant": "ro"})
    root.put("/_api/user/ann/database/d1/*", {"grant": "ro"})
    assert ann.get("/_api/document/c/a").status_code == 200
    assert ann.get("/_api/collection/c/properties").status_code == 200
    for response in (
        ann.post("/_api/document/c", {}),
        ann.put("/_api/document/c/a", {}),
        ann.delete("/_api/document/c/a"),
        ann.put("/_api/collection/c/truncate"),
        ann.put("/_api/collection/c/rename", {"name": "e"}),
        ann.put("/_api/collection/c/properties", {}),
        ann.delete("/_api/collection/c"),
        ann.post("/_api/collection", {"name": "e"}),
        ann.post("/_api/index?collection=c", {"type": "persistent", "fields": ["a"]}),
        ann.post("/_api/import?collection=c&type=documents", "{}"),
        ann.put("/_api/replication/applier-config", {}),
        ann.get("/_api/wal/tail"),
        ann.put("/_admin/server/mode", {"mode": "readonly"}),
    ):
        assert error_of(response) == (403, 11)
    assert error_of(ann.at("_system").post("/_api/database", {"name": "x"})) == (401, 11)


def test_levels_of_collections(root: User) -> None:
    d1 = database(root, "d1", "ann")
    for name in ("open", "read", "shut"):
        d1.create_collection(name)
        d1.insert(name, {"_key": "a"})
    root.put("/_api/user/ann/database/d1/read", {"grant": "ro"})
    answer = root.put("/_api/user/ann/database/d1/shut", {"grant": "none"})
    assert answer.json() == {"d1/shut": "none", "code": 200, "error": False}
    ann = User(root.url, "ann", "p", "d1")
    listed = ann.get("/_api/collection").json()["result"]
    assert {c["name"] for c in listed if not c["isSystem"]} == {"open", "read"}
    assert ann.post("/_api/document/open", {}).status_code == 202
    assert error_of(ann.post("/_api/document/read", {})) == (403, 11)
    assert ann.get("/_api/document/read/a").status_code == 200
    for response in (
        ann.get("/_api/document/shut/a"),
        ann.get("/_api/collection/shut/count"),
        ann.get("/_api/index?collection=shut"),
        ann.post("/_api/document/shut", {}),
    ):
        assert error_of(response) == (403, 11)
    batch = ann.create_batch()
    inventory = ann.get("/_api/replication/inventory", batchId=batch).json()
    names = {c["parameters"]["name"] for c in inventory["collections"]}
    assert {n for n in names if not n.startswith("_")} == {"open", "read"}
    dumped = ann.get("/_api/replication/dump", collection="shut", batchId=batch)
    assert error_of(dumped) == (403, 11)
    assert len(ann.dump("read", batch)) == 1
    for path, word in (
        ("d1", "rw"), ("d1/open", "rw"), ("d1/read", "ro"), ("d1/shut", "none"), ("x", "none"),
        ("d1/open?configured=true", "undefined"), ("d1/read?configured=true", "ro"),
    ):  # fmt: skip
        assert root.get(f"/_api/user/ann/database/{path}").json()["result"] == word, path
    full = root.get("/_api/user/ann/database?full=true").json()["result"]
    assert full["d1"]["permission"] == "rw"
    assert full["d1"]["collections"] == {
        "open": "undefined", "read": "ro", "shut": "none", "*": "rw",
    }  # fmt: skip
    assert full["*"] == {"permission": "none"}
    assert root.delete("/_api/user/ann/database/d1/shut").status_code == 202
    assert ann.get("/_api/document/shut/a").status_code == 200
    d1.delete("/_api/collection/read")
    d1.create_collection("read")
    assert ann.post("/_api/document/read", {}).status_code == 202


def test_a_level_for_all_databases(root: User) -> None:
    database(root, "d1")
    database(root, "d2")
    make(root)
    root.put("/_api/user/ann/database/*", {"grant": "ro"})
    root.put("/_api/user/ann/database/d2", {"grant": "none"})
    ann = User(root.url, "ann", "p")
    assert ann.get("/_api/database/user").json()["result"] == ["_system", "d1"]
    assert error_of(ann.at("d2").get("/_api/version")) == (401, 11)
    assert error_of(ann.at("nope").get("/_api/version")) == (404, 1228)
    assert root.get("/_api/user/ann/database").json()["result"] == {
        "_system": "ro", "d1": "ro", "*": "ro",
    }  # fmt: skip
    root.delete("/_api/user/ann/database/d2")
    assert ann.at("d2").get("/_api/version").status_code == 200


def test_accounts_are_not_read_by_users(root: User) -> None:
    make(root)
    root.put("/_api/user/ann/database/_system", {"grant": "ro"})
    ann = User(root.url, "ann", "p")
    assert error_of(ann.get("/_api/collection/_users/count")) == (403, 11)
    batch = ann.create_batch()
    dumped = ann.get("/_api/replication/dump", collection="_users", batchId=batch)
    assert error_of(dumped) == (403, 11)


def test_users_change_themselves_but_not_whether_they_are_active(root: User) -> None:
    ann = make(root)
    assert ann.patch("/_api/user/ann", {"passwd": "q", "active": False}).status_code == 200
    again = User(root.url, "ann", "q")
    assert again.get("/_api/user/ann").json()["active"] is True
    assert error_of(again.put("/_api/user/ann/database/_system", {"grant": "rw"})) == (403, 11)
    assert error_of(again.delete("/_api/user/ann")) == (403, 11)
    assert error_of(again.post("/_api/user", {"user": "x"})) == (403, 11)


def test_jobs_belong_to_their_user(root: User) -> None:
    database(root, "d1", "ann", "ben")
    ann, ben = (User(root.url, name, "p", "d1") for name in ("ann", "ben"))
    started = ann.request("GET", "/_api/version", headers={"x-arango-async": "store"})
    job = started.headers["x-arango-async-id"]
    assert error_of(ben.put(f"/_api/job/{job}")) == (404, 404)
    assert error_of(root.put(f"/_api/job/{job}")) == (404, 404)
    fetched = ann.put(f"/_api/job/{job}")
    while fetched.status_code == 204:
        fetched = ann.put(f"/_api/job/{job}")
    assert json.loads(fetched.content)["server"] == "arango"


def test_a_name_with_everything_in_it(root: User) -> None:
    name, password = "Ünï cödé/ü:ser@x", "pä:ß 😀"
    root.post("/_api/user", {"user": name, "passwd": password})
    quoted = requests.utils.quote(name, safe="")
    assert root.get(f"/_api/user/{quoted}").json()["user"] == name
    token = login(root, username=name, password=password).json()["jwt"]
    assert User(root.url, token=token).get(f"/_api/user/{quoted}").status_code == 200
    header = "Basic " + base64.b64encode(b"x").decode()
    assert (
        requests.get(f"{root.url}/_api/version", headers={"Authorization": header}).status_code
        == 401
    )
