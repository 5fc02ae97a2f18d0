"""Accounts and tokens at their edges (data-api 2): hostile headers, races, `_users` by hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from support.server import TIMEOUT_S, Api, ServerThread, error_of

from arangorep.config import Config

SECRET = "0123456789abcdef0123456789abcdef"
HEADER = '{"alg":"HS256","typ":"JWT"}'
ROOT = '{"iss":"arangodb","preferred_username":"root"%s}'
PASSWORD = "pw"

ADMIN = "root"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    path = tmp_path_factory.mktemp("data")
    with ServerThread(Config(path, port=0, root_password=PASSWORD, jwt_secret=SECRET)) as running:
        yield running


def user(server: ServerThread, name: str, password: str, database: str = "_system") -> Api:
    client = Api(server.url, database)
    client.session.auth = (name.encode(), password.encode())
    return client


@pytest.fixture
def root(secured: ServerThread) -> Iterator[Api]:
    with user(secured, "root", PASSWORD) as client:
        yield client
        for account in client.get("/_api/user").json()["result"]:
            if account["user"] != "root":
                client.delete(f"/_api/user/{quote(account['user'], safe='')}")


def b64(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(payload: str, header: str = HEADER) -> bytes:
    """Signed by hand: libraries refuse to make most of these."""
    front = b64(header) + b"." + b64(payload)
    return front + b"." + b64(hmac.new(SECRET.encode(), front, hashlib.sha256).digest())


def ask(
    server: ServerThread, authorization: bytes, path: str = "/_api/version", method: str = "GET"
) -> requests.Response:
    headers = {"Authorization": authorization}
    return requests.request(method, server.url + path, headers=headers, timeout=TIMEOUT_S)


# -- headers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    [
        b"basic",
        b"basic ",
        b"basic \xff\xfe",
        b"basic " + base64.b64encode(b"\xff:\xff"),
        b"basic " + base64.b64encode(b"root"),
        b"basic " + base64.b64encode(b":pw"),
        b"basic " + b"A" * 500_000,
        b"bearer",
        b"bearer ..",
        b"bearer a.b.c",
        b"bearer " + b"." * 500_000,
        b"bearer " + b64("[" * 200_000) + b".e30.e30",
        b"digest root:pw",
        b"negotiate " + b"x" * 100_000,
    ],
    ids=lambda header: header[:20].decode("latin-1"),
)
def test_headers_that_say_nothing(secured: ServerThread, authorization: bytes) -> None:
    assert error_of(ask(secured, authorization)) == (401, 11)
    assert ask(secured, authorization, "/_admin/server/availability").status_code == 200


def test_a_header_of_more_than_a_megabyte(secured: ServerThread) -> None:
    assert ask(secured, b"basic " + b"A" * (1024 * 1024)).status_code == 431


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a.\xff.c"])
def test_bytes_that_are_no_text(secured: ServerThread, text: bytes) -> None:
    assert error_of(ask(secured, b"bearer " + text)) == (401, 11)


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (',"exp":' + "9" * 400, 200),
        (',"exp":' + "9" * 5000, 401),
        (',"exp":-' + "9" * 400, 401),
        (',"exp":0', 401),
        (',"exp":1.5', 401),
        (',"exp":true', 401),
        (',"exp":"9999999999"', 401),
        (',"exp":[]', 401),
        (',"exp":null', 200),
        (',"iat":' + "9" * 400, 200),
        (',"iat":"x","nbf":' + "9" * 400, 200),
        (',"aud":["x"]', 200),
        (',"iss":["arangodb"]', 401),
        (',"iss":"other"', 401),
        (',"preferred_username":5', 401),
        (',"preferred_username":""', 401),
        (',"preferred_username":"nobody"', 401),
        (',"preferred_username":"\\ud800"', 401),
        (',"allowed_paths":"/_api/version"', 401),
        (',"allowed_paths":[5]', 401),
        (',"allowed_paths":[]', 401),
        (',"allowed_paths":null', 200),
        (',"x":' + "[" * 100_000 + "]" * 100_000, 401),
    ],
    ids=lambda value: str(value)[:30],
)
def test_claims(secured: ServerThread, more: str, status: int) -> None:
    assert ask(secured, b"bearer " + token(ROOT % more)).status_code == status


@pytest.mark.parametrize(
    "header",
    ['{"alg":"none","typ":"JWT"}', '{"alg":"HS512","typ":"JWT"}', '{"alg":["HS256"],"typ":"JWT"}',
     '{"alg":"HS256"}', '{"alg":"HS256","typ":"X"}', '{"alg":"HS256","typ":"JWT","kid":5}',
     "[]", "5", "{", '{"alg":"HS256","typ":"JWT","b64":false,"crit":["b64"]}'],
)  # fmt: skip
def test_headers_of_tokens(secured: ServerThread, header: str) -> None:
    assert error_of(ask(secured, b"bearer " + token(ROOT % "", header))) == (401, 11)
    unsigned = b64(header) + b"." + b64(ROOT % "") + b"."
    assert error_of(ask(secured, b"bearer " + unsigned)) == (401, 11)


def test_renewing_a_token_that_ends_far_away(secured: ServerThread) -> None:
    endless = b"bearer " + token(ROOT % (',"exp":' + "9" * 400))
    renewed = ask(secured, endless, "/_open/auth/renew", "POST")
    assert (renewed.status_code, renewed.json()) == (200, {})


def test_allowed_paths(secured: ServerThread) -> None:
    only = b"bearer " + token(ROOT % f',"allowed_paths":["/_api/version","/_api/user/{ADMIN}"]')
    for path in ("/_api/version", "/_db/_system/_api/version", "/_api/version?details=true"):
        assert ask(secured, only, path).status_code == 200, path
    for path in (
        "/_api/collection",
        "/_api/version/",
        "/_api/Version",
        "/_api/user",
        f"/_api/user/{ADMIN}/database",
        "/_api/version/../collection",
    ):
        assert error_of(ask(secured, only, path)) == (401, 11), path


# -- transactions belong to their users ------------------------------------------------------------


def test_transactions_of_others(secured: ServerThread, root: Api) -> None:
    root.create_collection("c")
    for name in ("ann", "ben"):
        root.post("/_api/user", {"user": name, "passwd": "p"})
        root.put(f"/_api/user/{name}/database/_system", {"grant": "rw"})
    ann, ben = (user(secured, name, "p") for name in ("ann", "ben"))
    body = {"collections": {"write": "c"}}
    mine = ann.post("/_api/transaction/begin", body).json()["result"]["id"]
    inside = {"x-arango-trx-id": mine}
    path = f"/_api/transaction/{mine}"
    for other in (ben, root):
        for response in (
            other.get(path),
            other.put(path),
            other.delete(path),
            other.request("POST", "/_api/document/c", {}, headers=inside),
            other.request("GET", "/_api/collection/c/count", headers=inside),
        ):
            assert error_of(response) == (404, 1655)
    root.put("/_api/user/ben/database/_system", {"grant": "ro"})
    assert ben.get("/_api/transaction").json()["transactions"] == []
    assert error_of(ben.post("/_api/transaction/begin", body)) == (403, 11)
    assert ann.request("POST", "/_api/document/c", {}, headers=inside).status_code == 202
    root.put("/_api/user/ann/database/_system", {"grant": "ro"})
    denied = ann.request("POST", "/_api/document/c", {}, headers=inside)
    assert error_of(denied) == (403, 11), "levels are asked for at every write"
    root.patch("/_api/user/ann", {"active": False})
    assert error_of(ann.put(path)) == (401, 11)
    root.patch("/_api/user/ann", {"active": True})
    assert ann.delete(path).status_code == 200
    root.delete("/_api/collection/c")


# -- accounts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["ü", "u\u0308", "名前", "😀", "a b", " ", "a/b", "a:b", "%2F", "#?&", "\x00", "\n",
     '"\\', "_system", "*", "database", "x" * 1000, "\u202e", "null"],
)  # fmt: skip
def test_names(root: Api, secured: ServerThread, name: str) -> None:
    assert root.post("/_api/user", {"user": name, "passwd": name}).status_code == 201
    path = f"/_api/user/{quote(name, safe='')}"
    assert root.get(path).json()["user"] == name
    assert root.put(f"{path}/database/_system", {"grant": "ro"}).status_code == 200
    assert root.get(f"{path}/database/_system").json()["result"] == "ro"
    listed = [account["user"] for account in root.get("/_api/user").json()["result"]]
    assert sorted(listed) == sorted([name, "root"])
    body = {"username": name, "password": name}
    issued = requests.post(f"{secured.url}/_open/auth", json=body, timeout=TIMEOUT_S)
    assert issued.status_code == 200
    if ":" not in name:
        with user(secured, name, name) as own:
            assert own.get("/_api/version").status_code == 200
    assert error_of(root.post("/_api/user", {"user": name})) == (409, 1702)


def test_one_name_made_by_many(root: Api, secured: ServerThread) -> None:
    statuses: list[int] = []

    def create(number: int) -> None:
        with user(secured, "root", PASSWORD) as client:
            body = {"user": "ann", "passwd": str(number)}
            statuses.append(client.post("/_api/user", body).status_code)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [201] + [409] * 9
    documents = root.dump("_users", root.create_batch())
    assert sorted(document["user"] for document in documents) == ["ann", "root"]


@pytest.mark.parametrize("wrong", [None, True, 5, "", [], {}, {"x": []}, [[{}]]], ids=repr)
def test_documents_written_by_hand(root: Api, wrong: Any) -> None:
    """Whatever stands in `_users`, nobody is locked out and nothing answers 5xx."""
    written = [
        {"user": wrong},
        {"user": "bad", "authData": wrong, "databases": wrong, "userData": wrong},
        {"user": "worse", "authData": {"simple": wrong}, "databases": {"_system": wrong}},
        {"user": "worst", "authData": {"active": True, "simple": {"hash": wrong, "salt": wrong}}},
    ]
    keys = [one["_key"] for one in root.insert("_users", written)]
    try:
        for response in (
            root.get("/_api/version"),
            root.get("/_api/user"),
            *(root.get(f"/_api/user/{name}") for name in ("bad", "worse", "worst")),
            *(root.get(f"/_api/user/{n}/database?full=true") for n in ("bad", "worse", "worst")),
        ):
            assert response.status_code == 200, response.text
        for name in ("bad", "worse", "worst"):
            assert error_of(root.post(f"/_api/user/{name}", {"passwd": ""})) == (404, 1703)
    finally:
        root.delete("/_api/document/_users", keys)


def test_dropping_the_accounts(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0, root_password=PASSWORD)
    with ServerThread(config) as server, user(server, "root", PASSWORD) as client:
        assert error_of(client.delete("/_api/collection/_users")) == (403, 11)
        dropped = client.delete("/_api/collection/_users", isSystem="true")
        assert dropped.status_code == 200
        assert error_of(client.get("/_api/version")) == (401, 11)
        body = {"username": "root", "password": PASSWORD}
        login = requests.post(f"{server.url}/_open/auth", json=body, timeout=TIMEOUT_S)
        assert error_of(login) == (401, 401)
    with ServerThread(config) as server, user(server, "root", PASSWORD) as client:
        assert [one["user"] for one in client.get("/_api/user").json()["result"]] == ["root"]
