"""Bad input: an error of the right number, an unchanged store, a usable connection."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from support.raw import RawAnswer, RawConnection
from support.server import Api, ServerThread, error_of

from arangorep.config import Config

BODY_BYTES_MAX = 1024 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    config = Config(tmp_path_factory.mktemp("data"), port=0, body_bytes_max=BODY_BYTES_MAX)
    with ServerThread(config) as running:
        with RawConnection(running.port) as connection:
            create_the_world(connection)
        yield running


def create_the_world(connection: RawConnection) -> None:
    """`c` with a document `k`, edges `e`, and `a` that makes its keys by counting."""
    for path, body in [
        ("/_api/collection", {"name": "c"}),
        ("/_api/collection", {"name": "e", "type": 3}),
        ("/_api/collection", {"name": "a", "keyOptions": {"type": "autoincrement"}}),
        ("/_api/collection", {"name": "own", "keyOptions": {"allowUserKeys": False}}),
        ("/_api/document/c", {"_key": "k", "n": 1}),
        ("/_api/document/e", {"_key": "k", "_from": "c/k", "_to": "c/k"}),
        ("/_api/index?collection=c", {"type": "persistent", "fields": ["n"], "unique": True}),
        ("/_api/index?collection=c", {"type": "ttl", "fields": ["t"], "expireAfter": 1}),
    ]:
        assert connection.request("POST", path, json.dumps(body).encode()).status < 300


@dataclass(frozen=True)
class World:
    """The server, a connection to it, and everything that bad input must leave as it is."""

    server: ServerThread
    connection: RawConnection

    def state(self) -> list[Any]:
        """Last tick, databases, and of each collection its properties and checksum."""
        tick = self.server.call(lambda: self.server.server.node.store.log.last_tick)
        databases = self.connection.request("GET", "/_api/database").json()["result"]
        listed = self.connection.request("GET", "/_api/collection").json()["result"]
        collections = [
            self.connection.request("GET", f"/_api/collection/{entry['name']}/{word}").json()
            for entry in listed
            for word in ("figures", "checksum?withData=true&withRevisions=true")
        ]
        return [tick, databases, *collections]

    def send(
        self, method: str, target: str, body: bytes | None = None, **headers: str
    ) -> RawAnswer:
        """Send a request, and one more to see that the connection goes on."""
        answer = self.connection.request(method, target, body, headers)
        assert self.connection.request("GET", "/_api/version").status == 200
        return answer


@pytest.fixture
def world(server: ServerThread) -> Iterator[World]:
    """The world, which is the same after the test."""
    with RawConnection(server.port) as connection:
        world = World(server, connection)
        before = world.state()
        yield world
        assert world.state() == before


def nested(depth: int) -> bytes:
    """An object of this many levels, every other of them an array."""
    opening = [b'{"a":' if level % 2 == 0 else b"[" for level in range(depth)]
    closing = [b"}" if level % 2 == 0 else b"]" for level in reversed(range(depth))]
    return b"".join([*opening, b"1", *closing])


# -- bodies that are no JSON ---------------------------------------------------------------------

READS_JSON = [
    ("POST", "/_api/collection"),
    ("PUT", "/_api/collection/c/properties"),
    ("PUT", "/_api/collection/c/rename"),
    ("PUT", "/_api/collection/c/load"),
    ("POST", "/_api/database"),
    ("POST", "/_api/document/c"),
    ("PUT", "/_api/document/c"),
    ("PATCH", "/_api/document/c"),
    ("DELETE", "/_api/document/c"),
    ("PUT", "/_api/document/c?onlyget=1"),
    ("PUT", "/_api/document/c/k"),
    ("PATCH", "/_api/document/c/k"),
    ("POST", "/_api/index?collection=c"),
    ("POST", "/_api/import?collection=c&type=array"),
    ("POST", "/_api/import?collection=c&type=documents&complete=true"),
    ("PUT", "/_admin/server/mode"),
]

NO_JSON = [
    b"{",
    b"}",
    b'{"a":1,}',
    b'{"a" 1}',
    b"{'a':1}",
    b"{a:1}",
    b"[1 2]",
    b"[",
    b"nul",
    b"True",
    b"NaN",
    b"Infinity",
    b"01",
    b"1.",
    b".5",
    b"+1",
    b"0x10",
    b"1e400",
    b"-1e400",
    b'{"a":1e999}',
    b'"\t"',
    b'"\\x41"',
    b'"\\u12"',
    b'"open',
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf{}",
    b'{"a":"\xc3\x28"}',
    b'{"\xff":1}',
    b'{"a":"\xed\xa0\x80"}',
    b'{"a":"\\ud800"}',
    b'{"\\udc00":1}',
    b'{"a":"\\udc00\\ud800"}',
    b'{"_key":"x"}{"_key":"y"}',
    b"<xml/>",
    b"[" * 1100 + b"]" * 1100,
    b"[" * 100_000,
]


@pytest.mark.parametrize(("method", "target"), READS_JSON)
def test_a_body_that_is_no_json(world: World, method: str, target: str) -> None:
    for body in NO_JSON:
        answer = world.send(method, target, body)
        assert answer.error == (400, 600), body
        if "import" not in target:
            assert answer.json()["errorMessage"].startswith("VPackError error: ")


# -- bodies of the wrong kind --------------------------------------------------------------------

NO_OBJECT = [None, b"", b"  \r\n", b"null", b"true", b"0", b"1.5", b'"text"']
NO_LIST = [*NO_OBJECT, b"{}"]


@pytest.mark.parametrize(
    ("method", "target", "bodies", "error"),
    [
        ("POST", "/_api/collection", [*NO_OBJECT, b"[]", b"{}"], (400, 1208)),
        ("PUT", "/_api/collection/c/properties", [*NO_OBJECT, b"[]"], (400, 10)),
        ("PUT", "/_api/collection/c/rename", [*NO_OBJECT, b"[]", b"{}"], (400, 1208)),
        ("POST", "/_api/database", [*NO_OBJECT, b"[]"], (400, 400)),
        ("POST", "/_api/database", [b"{}"], (400, 1229)),
        ("POST", "/_api/document/c", NO_OBJECT, (400, 1227)),
        ("PUT", "/_api/document/c/k", [*NO_OBJECT, b"[]", b'[{"_key":"k"}]'], (400, 1227)),
        ("PATCH", "/_api/document/c/k", [*NO_OBJECT, b"[]", b'[{"_key":"k"}]'], (400, 1227)),
        ("PUT", "/_api/document/c", [*NO_LIST, b'{"_key":"k"}'], (400, 1227)),
        ("PATCH", "/_api/document/c", [*NO_LIST, b'{"_key":"k"}'], (400, 1227)),
        ("PUT", "/_api/document/c?onlyget=1", [*NO_LIST, b'{"_key":"k"}'], (400, 1227)),
        ("DELETE", "/_api/document/c", NO_OBJECT, (400, 400)),
        ("POST", "/_api/index?collection=c", [*NO_OBJECT, b"[]", b"{}"], (400, 10)),
        ("POST", "/_api/import?collection=c&type=array", [None, b"", b"{}", b"1"], (400, 400)),
        ("POST", "/_api/import?collection=c&type=array", [b" ", b"\n"], (400, 600)),
        ("POST", "/_api/import?collection=c", [None, b"", b"[]", b'["a"]'], (400, 400)),
        (
            "POST",
            "/_api/import?collection=c",
            [b"{}\n", b"1\n[1]", b"\n\n", b"[1]\n[]"],
            (400, 400),
        ),
        ("PUT", "/_admin/server/mode", [*NO_OBJECT, b"[]", b"{}"], (400, 400)),
        ("PUT", "/_admin/server/mode", [b'{"mode":true}', b'{"mode":"slow"}'], (400, 400)),
    ],
)
def test_a_body_of_the_wrong_kind(
    world: World, method: str, target: str, bodies: list[bytes | None], error: tuple[int, int]
) -> None:
    for body in bodies:
        assert world.send(method, target, body).error == error, body


# -- members of the wrong kind -------------------------------------------------------------------

NO_STRING = [None, True, 0, 1.5, [], {}, ["c"], {"a": 1}]


@pytest.mark.parametrize("value", NO_STRING)
@pytest.mark.parametrize(
    ("method", "target", "member", "error"),
    [
        ("POST", "/_api/collection", "name", (400, 1208)),
        ("PUT", "/_api/collection/c/rename", "name", (400, 1208)),
        ("POST", "/_api/database", "name", (400, 1229)),
        ("POST", "/_api/document/c", "_key", (400, 1221)),
        ("POST", "/_api/index?collection=c", "type", (400, 10)),
    ],
)
def test_a_text_that_is_none(
    world: World, method: str, target: str, member: str, error: tuple[int, int], value: object
) -> None:
    body = {"fields": ["z"], member: value}
    assert world.send(method, target, json.dumps(body).encode()).error == error


@pytest.mark.parametrize(
    ("member", "value", "error"),
    [
        ("keyOptions", {"type": "unknown"}, (400, 1232)),
        ("keyOptions", {"type": None}, (400, 1232)),
        ("keyOptions", {"type": ["traditional"]}, (400, 1232)),
        ("keyOptions", {"allowUserKeys": "yes"}, (400, 1232)),
        ("keyOptions", {"allowUserKeys": 1}, (400, 1232)),
        ("keyOptions", {"lastValue": -1}, (400, 1232)),
        ("keyOptions", {"lastValue": "1"}, (400, 1232)),
        ("keyOptions", {"lastValue": 1.5}, (400, 1232)),
        ("keyOptions", {"lastValue": 2**64}, (400, 1232)),
        ("keyOptions", {"increment": 1}, (400, 1232)),
        ("keyOptions", {"type": "padded", "offset": 1}, (400, 1232)),
        ("keyOptions", {"type": "uuid", "lastValue": 1}, (400, 1232)),
        ("keyOptions", {"type": "autoincrement", "increment": 0}, (400, 1232)),
        ("keyOptions", {"type": "autoincrement", "increment": 65536}, (400, 1232)),
        ("keyOptions", {"type": "autoincrement", "increment": True}, (400, 1232)),
        ("keyOptions", {"type": "autoincrement", "offset": -1}, (400, 1232)),
        ("keyOptions", {"type": "autoincrement", "offset": 2**64}, (400, 1232)),
        ("schema", 1, (400, 1621)),
        ("schema", [], (400, 1621)),
        ("schema", "rule", (400, 1621)),
        ("schema", {"level": "none"}, (400, 1621)),
        ("schema", {"rule": []}, (400, 1621)),
        ("schema", {"rule": {}, "level": "loose"}, (400, 1621)),
        ("schema", {"rule": {}, "level": None}, (400, 1621)),
        ("schema", {"rule": {}, "message": 1}, (400, 1621)),
        ("schema", {"rule": {}, "type": "xml"}, (400, 1621)),
        ("computedValues", 1, (400, 10)),
        ("computedValues", {"name": "a"}, (400, 10)),
        ("computedValues", [{"name": "a", "expression": "RETURN 1"}], (400, 10)),
        (
            "computedValues",
            [{"name": "a", "expression": "RETURN A::B(1)", "overwrite": True}],
            (501, 9),
        ),
        ("shardKeys", "_key", (400, 10)),
        ("isSystem", True, (400, 1208)),
    ],
)
def test_a_bad_collection_property(
    world: World, member: str, value: object, error: tuple[int, int]
) -> None:
    body = json.dumps({"name": "bad", member: value}).encode()
    assert world.send("POST", "/_api/collection", body).error == error
    if member in ("schema", "computedValues"):
        assert world.send("PUT", "/_api/collection/c/properties", body).error == error


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("options", 1),
        ("options", []),
        ("options", "flexible"),
        ("users", 1),
        ("users", {}),
        ("users", ["root"]),
        ("users", [None]),
        ("users", [{}]),
        ("users", [{"username": 1}]),
        ("users", [{"username": None}]),
        ("users", [{"username": "u", "passwd": 1}]),
        ("users", [{"username": "u", "active": "yes"}]),
        ("users", [{"username": "u", "extra": []}]),
        ("users", [{"username": "u"}, {"user": []}]),
    ],
)
def test_a_bad_database_definition(world: World, member: str, value: object) -> None:
    body = json.dumps({"name": "bad", member: value}).encode()
    assert world.send("POST", "/_api/database", body).error == (400, 400)


@pytest.mark.parametrize(
    "definition",
    [
        {},
        {"type": "persistent"},
        {"type": "persistent", "fields": None},
        {"type": "persistent", "fields": []},
        {"type": "persistent", "fields": "a"},
        {"type": "persistent", "fields": {"a": 1}},
        {"type": "persistent", "fields": [1]},
        {"type": "persistent", "fields": [None]},
        {"type": "persistent", "fields": [["a"]]},
        {"type": "persistent", "fields": [""]},
        {"type": "persistent", "fields": ["a", "a"]},
        {"type": "persistent", "fields": ["a..b"]},
        {"type": "persistent", "fields": [".a"]},
        {"type": "persistent", "fields": ["a."]},
        {"type": "persistent", "fields": ["a[*].b[*]"]},
        {"type": "persistent", "fields": ["a[0]"]},
        {"type": "persistent", "fields": ["_id"]},
        {"type": "persistent", "fields": ["a", "_id"]},
        {"type": "persistent", "fields": ["a"], "storedValues": "b"},
        {"type": "persistent", "fields": ["a"], "storedValues": [1]},
        {"type": "persistent", "fields": ["a"], "storedValues": ["b", "b"]},
        {"type": "persistent", "fields": ["a"], "storedValues": [f"a{n}" for n in range(33)]},
        {"type": "ttl", "fields": ["a"]},
        {"type": "ttl", "fields": ["a"], "expireAfter": None},
        {"type": "ttl", "fields": ["a"], "expireAfter": "1"},
        {"type": "ttl", "fields": ["a"], "expireAfter": -1},
        {"type": "ttl", "fields": ["a"], "expireAfter": True},
        {"type": "ttl", "fields": ["a", "b"], "expireAfter": 1},
        {"type": "geo", "fields": ["a", "b", "c"]},
        {"type": "fulltext", "fields": ["a", "b"]},
        {"type": "mdi", "fields": ["a"], "fieldValueTypes": "float"},
        {"type": "mdi", "fields": ["a"]},
        {"type": "mdi-prefixed", "fields": ["a"], "fieldValueTypes": "double"},
        {"type": "inverted", "fields": [{"nom": "a"}]},
        {"type": "inverted", "fields": []},
        {"type": "primary", "fields": ["_key"]},
        {"type": "edge", "fields": ["_from", "_to"]},
        {"type": "bitmap", "fields": ["a"]},
        {"type": "PERSISTENT", "fields": ["a"]},
        {"fields": ["a"]},
    ],
)
def test_a_bad_index_definition(world: World, definition: dict[str, object]) -> None:
    body = json.dumps(definition).encode()
    assert world.send("POST", "/_api/index?collection=c", body).error == (400, 10)


# -- names and keys ------------------------------------------------------------------------------

ILLEGAL_NAMES = [
    "",
    "/",
    "a/b",
    "a:b",
    "..",
    ".",
    ".a",
    "../../etc",
    "\0",
    "a\0b",
    "a\nb",
    "a\x1f",
    "1",
    "1a",
    " a",
    "a ",
    "x" * 257,
    "é" * 129,
    "\U0001f600" * 65,
]


@pytest.mark.parametrize("name", ILLEGAL_NAMES)
@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", "/_api/collection"),
        ("PUT", "/_api/collection/c/rename"),
        ("POST", "/_api/database"),
        ("POST", "/_api/index?collection=c"),
    ],
)
def test_an_illegal_name(world: World, method: str, target: str, name: str) -> None:
    body = {"name": name, "type": "persistent", "fields": ["z"]}
    assert world.send(method, target, json.dumps(body).encode()).error == (400, 1208)


@pytest.mark.parametrize(
    ("name", "error"),
    [("_bad", (400, 1208)), ("x" * 129, (400, 1208)), ("_system", (409, 1207))],
)
def test_names_that_no_new_database_may_have(
    world: World, name: str, error: tuple[int, int]
) -> None:
    body = json.dumps({"name": name}).encode()
    assert world.send("POST", "/_api/database", body).error == error


@pytest.mark.parametrize(
    ("collection", "name", "error"),
    [
        ("c", "_c", (400, 1208)),
        ("c", "e", (409, 1207)),
        ("_graphs", "graphs", (403, 11)),
        ("_graphs", "_graphs2", (403, 11)),
        ("nope", "c2", (404, 1203)),
    ],
)
def test_a_forbidden_rename(
    world: World, collection: str, name: str, error: tuple[int, int]
) -> None:
    target = f"/_api/collection/{collection}/rename"
    assert world.send("PUT", target, json.dumps({"name": name}).encode()).error == error


ILLEGAL_KEYS = [
    "",
    "/",
    "a/b",
    "c/k",
    "..\\",
    "a b",
    " a",
    "\0",
    "a\0",
    "a\n",
    "k\r\nx: y",
    '"',
    'a"b',
    "a\\b",
    "é",
    "\U0001f600",
    "a?",
    "a#b",
    "a&b",
    "[a]",
    "<a>",
    "a~",
    "a^",
    "a|b",
    "`",
    "{}",
    "x" * 255,
    "x" * 100_000,
]


@pytest.mark.parametrize("key", ILLEGAL_KEYS)
def test_an_illegal_key(world: World, key: str) -> None:
    document = json.dumps({"_key": key}).encode()
    assert world.send("POST", "/_api/document/c", document).error == (400, 1221)
    for mode in ("ignore", "replace", "update"):
        target = f"/_api/document/c?overwriteMode={mode}"
        assert world.send("POST", target, document).error == (400, 1221)
    many = world.send("POST", "/_api/document/c?waitForSync=1", b"[%b,%b]" % (document, document))
    assert many.status == 202  # synced, had any of them been stored
    assert [item["errorNum"] for item in many.json()] == [1221, 1221]
    assert json.loads(many.headers["x-arango-error-codes"]) == {"1221": 2}
    target = "/_api/import?collection=c&type=documents&complete=1"
    assert world.send("POST", target, document).error == (400, 1221)


@pytest.mark.parametrize(
    ("collection", "key", "number"),
    [
        ("a", "x1", 1221),
        ("a", "-1", 1221),
        ("a", "1.5", 1221),
        ("own", "k", 1222),
        ("c", "k", 1210),
    ],
)
def test_a_key_that_the_collection_does_not_take(
    world: World, collection: str, key: str, number: int
) -> None:
    document = json.dumps({"_key": key}).encode()
    answer = world.send("POST", f"/_api/document/{collection}", document)
    assert answer.error == (409 if number == 1210 else 400, number)


@pytest.mark.parametrize(
    "key",
    ["nope", "%00", "%2F", "..%2F..%2Fetc", "a%20b", "%22", "%F0%9F%98%80", "x" * 255, "x" * 9000],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_key_in_the_path_that_cannot_exist(world: World, method: str, key: str) -> None:
    body = b'{"n":2}' if method.startswith("P") else None
    answer = world.send(method, f"/_api/document/c/{key}", body)
    assert answer.error == (404, 1202)
    assert world.send("HEAD", f"/_api/document/c/{key}").status == 404


@pytest.mark.parametrize(
    ("item", "numbers"),
    [
        (None, {"PUT": 1227, "PATCH": 1227, "DELETE": 1205, "onlyget": 1205}),
        (1, {"PUT": 1227, "PATCH": 1227, "DELETE": 1205, "onlyget": 1205}),
        ([], {"PUT": 1227, "PATCH": 1227, "DELETE": 1205, "onlyget": 1205}),
        ("", {"PUT": 1227, "PATCH": 1227, "DELETE": 1205, "onlyget": 1205}),
        ("c/", {"PUT": 1227, "PATCH": 1227, "DELETE": 1205, "onlyget": 1205}),
        ("nope", {"PUT": 1227, "PATCH": 1227, "DELETE": 1202, "onlyget": 1202}),
        ("a/b/k", {"PUT": 1227, "PATCH": 1227, "DELETE": 1202, "onlyget": 1202}),
        ("\0", {"PUT": 1227, "PATCH": 1227, "DELETE": 1202, "onlyget": 1202}),
        ({}, {"PUT": 1205, "PATCH": 1205, "DELETE": 1205, "onlyget": 1205}),
        ({"n": 1}, {"PUT": 1205, "PATCH": 1205, "DELETE": 1205, "onlyget": 1205}),
        ({"_key": ""}, {"PUT": 1221, "PATCH": 1221, "DELETE": 1221, "onlyget": 1221}),
        ({"_key": 1}, {"PUT": 1221, "PATCH": 1221, "DELETE": 1221, "onlyget": 1221}),
        ({"_key": None}, {"PUT": 1221, "PATCH": 1221, "DELETE": 1221, "onlyget": 1221}),
        ({"_key": "a b"}, {"PUT": 1202, "PATCH": 1202, "DELETE": 1202, "onlyget": 1202}),
        ({"_id": 1}, {"PUT": 1205, "PATCH": 1205, "DELETE": 1205, "onlyget": 1205}),
        ({"_id": "k"}, {"PUT": 1205, "PATCH": 1205, "DELETE": 1205, "onlyget": 1205}),
        ({"_id": "c/nope"}, {"PUT": 1202, "PATCH": 1202, "DELETE": 1202, "onlyget": 1202}),
    ],
)
def test_an_array_item_that_names_no_document(
    world: World, item: object, numbers: dict[str, int]
) -> None:
    for method, number in numbers.items():
        target = "/_api/document/c?onlyget=1" if method == "onlyget" else "/_api/document/c"
        method = "PUT" if method == "onlyget" else method
        answer = world.send(method, target, json.dumps([item]).encode())
        assert answer.status in (200, 202)
        [found] = answer.json()
        assert found["error"] is True
        assert found["errorNum"] == number
        assert found["errorMessage"]
        assert "code" not in found
        assert json.loads(answer.headers["x-arango-error-codes"]) == {str(number): 1}


@pytest.mark.parametrize(
    "handle",
    [
        None,
        1,
        [],
        "",
        "k",
        "/",
        "c/",
        "/k",
        "c/k/k",
        "c/a b",
        "c/é",
        " c/k",
        "1a/k",
        "..//k",
        "c\0/k",
        "c/k\n",
        "c/" + "x" * 255,
        "x" * 257 + "/k",
        "e\u0301/k",
    ],
)
@pytest.mark.parametrize("end", ["_from", "_to"])
def test_a_bad_edge_end(world: World, end: str, handle: object) -> None:
    edge = {"_from": "c/k", "_to": "c/k", end: handle}
    other = "_to" if end == "_from" else "_from"
    assert_bad_edge = [
        ("POST", "/_api/document/e", edge),
        ("POST", "/_api/document/e", {other: "c/k"}),
        ("PUT", "/_api/document/e/k", edge),
        ("PUT", "/_api/document/e/k", {other: "c/k"}),
        ("PATCH", "/_api/document/e/k", {end: handle}),
        ("POST", "/_api/import?collection=e&type=documents&complete=1", edge),
    ]
    for method, target, body in assert_bad_edge:
        answer = world.send(method, target, json.dumps(body).encode())
        assert answer.error == (400, 1233), (method, target, body)
    answer = world.send("POST", "/_api/document/e", json.dumps([edge, {}]).encode())
    assert [item["errorNum"] for item in answer.json()] == [1233, 1233]


# -- nesting and numbers -------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [200, 254, 255, 256, 1000])
@pytest.mark.parametrize(
    ("method", "target", "around"),
    [
        ("POST", "/_api/document/c", b"%b"),
        ("PUT", "/_api/document/c/k", b"%b"),
        ("PATCH", "/_api/document/c/k", b"%b"),
        ("POST", "/_api/collection", b"%b"),
        ("POST", "/_api/database", b"%b"),
        ("POST", "/_api/index?collection=c", b"%b"),
        ("PUT", "/_api/collection/c/properties", b"%b"),
        ("PUT", "/_admin/server/mode", b"%b"),
        ("POST", "/_api/import?collection=c&type=documents&complete=1", b"%b\n"),
        ("POST", "/_api/import?collection=c&type=array&complete=1", b"[%b]"),
        ("POST", "/_api/import?collection=c&complete=1", b'["_key","n"]\n["deep",%b]\n'),
    ],
)
def test_nesting_too_deep(
    world: World, method: str, target: str, around: bytes, depth: int
) -> None:
    answer = world.send(method, target, around % nested(depth))
    assert answer.error == (400, 600)
    assert answer.json()["errorMessage"].startswith("VPackError error: ")


@pytest.mark.parametrize("depth", [200, 255, 1000])
def test_nesting_too_deep_in_an_array_concerns_its_item(world: World, depth: int) -> None:
    document = nested(depth)
    for method in ("POST", "PUT", "PATCH"):
        with_key = b'{"_key":"k",' + document[1:]
        answer = world.send(method, "/_api/document/c", b"[%b,1]" % with_key)
        expected = [1210, 1227] if method == "POST" else [600, 1227]
        assert [item["errorNum"] for item in answer.json()] == expected
    answer = world.send("POST", "/_api/document/c", b"[%b]" % document)
    assert [item["errorNum"] for item in answer.json()] == [600]


@pytest.mark.parametrize("kind", ["documents", "array"])
@pytest.mark.parametrize("depth", [200, 255, 1000])
def test_nesting_too_deep_is_counted_by_an_import(world: World, kind: str, depth: int) -> None:
    document = nested(depth)
    body = b"[%b]" % document if kind == "array" else document
    answer = world.send("POST", f"/_api/import?collection=c&type={kind}&details=1", body)
    assert answer.status == 201
    assert (answer.json()["created"], answer.json()["errors"]) == (0, 1)
    assert len(answer.json()["details"]) == 1


@pytest.mark.parametrize("depth", [1, 100, 198, 199])
def test_the_deepest_nesting(api: Api, depth: int) -> None:
    api.create_collection("c")
    document = nested(depth)
    key = api.post("/_api/document/c", document).json()["_key"]
    assert api.get(f"/_api/document/c/{key}").content.endswith(document[1:])
    assert api.put(f"/_api/document/c/{key}", document).status_code == 202
    assert api.patch(f"/_api/document/c/{key}", document).status_code == 202
    assert api.post("/_api/document/c", b"[%b]" % document).json()[0]["_key"]
    imported = api.post("/_api/import", document, collection="c", type="documents")
    assert imported.json()["created"] == 1
    assert api.get("/_api/collection/c/checksum", withData=True).json()["checksum"] != "0"


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551616", "1.8446744073709552e19"),
        ("-9223372036854775809", "-9.223372036854775808e18"),
        ("1" + "0" * 300, "1e300"),
        ("0.1", "0.1"),
        ("-0.0", "-0.0"),
        ("1E5", "100000.0"),
        ("1.7976931348623157e308", "1.7976931348623157e308"),
        ("5e-324", "5e-324"),
        ("1e-400", "0.0"),
    ],
)
def test_numbers_keep_64_bits_or_become_doubles(api: Api, written: str, stored: str) -> None:
    api.create_collection("c")
    api.insert("c", f'{{"_key":"k","n":{written}}}')
    number = api.get("/_api/document/c/k").json()["n"]
    expected = json.loads(stored)
    assert (type(number), number) == (type(expected), expected)


def test_of_duplicate_attribute_names_the_last_counts(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", '{"_key":"a","n":1,"_key":"b","n":2,"o":{"x":1,"x":2}}')
    assert api.get("/_api/document/c/a").status_code == 404
    document = api.get("/_api/document/c/b").json()
    assert (document["n"], document["o"]) == (2, {"x": 2})
    assert api.post("/_api/collection", '{"name":"x","name":"y"}').json()["name"] == "y"


@pytest.mark.parametrize(
    "name", ["", "_", "_custom", "a.b", "a/b", "\0", "é", "😀", '"', "\\", "a" * 70_000]
)
def test_attribute_names_may_be_anything(api: Api, name: str) -> None:
    api.create_collection("c")
    document = {"_key": "k", name: {name: [name]}}
    api.insert("c", document)
    stored = api.get("/_api/document/c/k").json()
    assert stored[name] == {name: [name]}
    assert api.patch("/_api/document/c/k", {name: None}, keepNull="false").status_code == 202
    assert name not in api.get("/_api/document/c/k").json()


# -- methods and paths ---------------------------------------------------------------------------

DATA_ROUTES = {
    "/": "GET HEAD",
    "/_api/version": "GET HEAD",
    "/_admin/version": "GET HEAD",
    "/_api/engine": "GET HEAD",
    "/_api/endpoint": "GET HEAD",
    "/_api/key-generators": "GET HEAD",
    "/_admin/status": "GET HEAD",
    "/_admin/time": "GET HEAD",
    "/_admin/database/target-version": "GET HEAD",
    "/_admin/server/role": "GET HEAD",
    "/_admin/server/id": "GET HEAD",
    "/_admin/server/mode": "GET HEAD PUT",
    "/_admin/server/availability": "GET HEAD",
    "/_admin/compact": "PUT",
    "/_admin/wal/flush": "PUT",
    "/_admin/wal/transactions": "GET HEAD",
    "/_api/database": "GET HEAD POST DELETE",
    "/_api/collection": "GET HEAD POST PUT DELETE",
    "/_api/collection/c": "GET HEAD POST PUT DELETE",
    "/_api/collection/c/count": "GET HEAD POST PUT DELETE",
    "/_api/document": "GET HEAD POST PUT PATCH DELETE",
    "/_api/document/c/k": "GET HEAD POST PUT PATCH DELETE",
    "/_api/import": "POST",
    "/_api/index": "GET HEAD POST DELETE",
    "/_api/index/c/0": "GET HEAD POST DELETE",
    "/_api/job/1": "GET HEAD PUT DELETE",
}
"""Routes and the methods that are not answered with 405; some of them need another path."""


@pytest.mark.parametrize("target", DATA_ROUTES)
def test_methods_that_a_route_does_not_have(world: World, target: str) -> None:
    known = DATA_ROUTES[target].split()
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "MKCOL", "SEARCH"):
        if method in known:
            continue
        body = b"{}" if method in ("POST", "PUT", "PATCH") else None
        answer = world.send(method, target, body)
        assert answer.status == 405, method
        assert method == "HEAD" or answer.error == (405, 405)


@pytest.mark.parametrize(
    ("method", "target", "error"),
    [
        ("GET", "/_api/collection/c/words", (404, 404)),
        ("GET", "/_api/collection/c/count/1", (400, 400)),
        ("GET", "/_api/collection/c/shards", (501, 9)),
        ("PUT", "/_api/collection/c/words", (404, 404)),
        ("PUT", "/_api/collection/c/count", (404, 404)),
        ("PUT", "/_api/collection/c/responsibleShard", (501, 1471)),
        ("PUT", "/_api/collection", (400, 400)),
        ("PUT", "/_api/collection/c", (400, 400)),
        ("PUT", "/_api/collection/c/truncate/now", (400, 400)),
        ("POST", "/_api/collection/c", (400, 400)),
        ("DELETE", "/_api/collection", (400, 400)),
        ("DELETE", "/_api/collection/c/count", (400, 400)),
        ("GET", "/_api/document", (404, 1203)),
        ("GET", "/_api/document/c", (404, 1203)),
        ("GET", "/_api/document/c/k/x", (400, 601)),
        ("POST", "/_api/document", (400, 1204)),
        ("POST", "/_api/document?collection=", (400, 1204)),
        ("POST", "/_api/document?collection=nope", (404, 1203)),
        ("POST", "/_api/document/c/k", (400, 601)),
        ("PUT", "/_api/document", (400, 400)),
        ("PUT", "/_api/document/c/k/x", (400, 400)),
        ("PATCH", "/_api/document", (400, 400)),
        ("PATCH", "/_api/document/c/k/x", (400, 400)),
        ("DELETE", "/_api/document", (400, 400)),
        ("DELETE", "/_api/document/c/k/x", (400, 400)),
        ("POST", "/_api/import", (400, 1204)),
        ("POST", "/_api/import?collection=", (400, 1204)),
        ("POST", "/_api/import?collection=nope&createCollection=true", (404, 1203)),
        ("POST", "/_api/import/c?collection=c", (400, 400)),
        ("GET", "/_api/index", (404, 1203)),
        ("GET", "/_api/index?collection=nope", (404, 1203)),
        ("GET", "/_api/index/c", (400, 400)),
        ("GET", "/_api/index/c/0/x", (400, 400)),
        ("GET", "/_api/index/c/7", (404, 1212)),
        ("GET", "/_api/index/c/%00", (404, 1212)),
        ("GET", "/_api/index/nope/0", (404, 1203)),
        ("POST", "/_api/index", (404, 1203)),
        ("POST", "/_api/index?collection=nope", (404, 1203)),
        ("POST", "/_api/index/c", (400, 400)),
        ("DELETE", "/_api/index", (400, 400)),
        ("DELETE", "/_api/index/c", (400, 400)),
        ("DELETE", "/_api/index/c/0", (403, 11)),
        ("DELETE", "/_api/index/e/edge", (403, 11)),
        ("DELETE", "/_api/index/c/7", (404, 1212)),
        ("DELETE", "/_api/index/c/e%2F7", (400, 1213)),
        ("DELETE", "/_api/index/c/c%2F7", (404, 1212)),
        ("DELETE", "/_api/index/c/c%2F", (400, 1214)),
        ("GET", "/_api/database/nothing", (400, 10)),
        ("GET", "/_api/database/user/root", (400, 400)),
        ("POST", "/_api/database/d", (400, 400)),
        ("DELETE", "/_api/database", (400, 400)),
        ("DELETE", "/_api/database/_system", (403, 11)),
        ("DELETE", "/_api/database/nope", (404, 1228)),
        ("DELETE", "/_api/database/%00", (404, 1228)),
        ("GET", "/_admin/server", (404, 404)),
        ("GET", "/_admin/server/words", (404, 404)),
        ("GET", "/_admin/wal", (404, 404)),
        ("PUT", "/_admin/wal/words", (404, 404)),
        ("PUT", "/_admin/server/mode/x", (404, 404)),
        ("GET", "/_admin/server/id", (500, 500)),
        ("GET", "/_api/job", (400, 400)),
        ("PUT", "/_api/job", (400, 400)),
        ("GET", "/_api/job/x", (404, 404)),
        ("PUT", "/_api/job/0", (404, 404)),
        ("PUT", "/_api/job/99999999999999999999999999", (404, 404)),
        ("PUT", "/_api/job/0/cancel", (404, 404)),
        ("PUT", "/_api/job/0/stop", (400, 400)),
        ("DELETE", "/_api/job/0", (404, 404)),
    ],
)
def test_paths_that_a_route_does_not_have(
    world: World, method: str, target: str, error: tuple[int, int]
) -> None:
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None
    assert world.send(method, target, body).error == error


@pytest.mark.parametrize(
    "collection",
    ["nope", "%00", "..", "c%2Fk", "C", "c%20", "0", "18446744073709551616", "9" * 500, "x" * 9000],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_api/collection/{}"),
        ("GET", "/_api/collection/{}/properties"),
        ("GET", "/_api/collection/{}/checksum"),
        ("PUT", "/_api/collection/{}/truncate"),
        ("PUT", "/_api/collection/{}/rename"),
        ("DELETE", "/_api/collection/{}"),
        ("GET", "/_api/document/{}/k"),
        ("POST", "/_api/document/{}"),
        ("PUT", "/_api/document/{}"),
        ("PUT", "/_api/document/{}?onlyget=1"),
        ("PATCH", "/_api/document/{}/k"),
        ("DELETE", "/_api/document/{}/k"),
        ("POST", "/_api/import?collection={}"),
        ("GET", "/_api/index?collection={}"),
        ("POST", "/_api/index?collection={}"),
        ("GET", "/_api/index/{}/0"),
        ("DELETE", "/_api/index/{}/0"),
    ],
)
def test_an_unknown_collection(world: World, method: str, path: str, collection: str) -> None:
    body = b"[]" if method in ("POST", "PUT", "PATCH") else None
    assert world.send(method, path.format(collection), body).error == (404, 1203)


@pytest.mark.parametrize("broken", ["%", "%4", "%zz", "%ff", "%c3%28", "%ed%a0%80", "%e2%82"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_db/{}/_api/version"),
        ("GET", "/_api/collection/{}"),
        ("PUT", "/_api/collection/c/{}"),
        ("GET", "/_api/document/c/{}"),
        ("DELETE", "/_api/document/{}/k"),
        ("POST", "/_api/document?collection={}"),
        ("POST", "/_api/document/c?waitForSync={}"),
        ("POST", "/_api/document/c?{}=1"),
        ("POST", "/_api/import?collection=c&fromPrefix={}"),
        ("DELETE", "/_api/index/c/{}"),
        ("DELETE", "/_api/database/{}"),
        ("GET", "/_api/job/{}"),
    ],
)
def test_a_url_that_cannot_be_decoded(world: World, method: str, path: str, broken: str) -> None:
    body = b"{}" if method in ("POST", "PUT") else None
    assert world.send(method, path.format(broken), body).error == (400, 10)


# -- query values --------------------------------------------------------------------------------

GARBAGE = ["", "undefined", "null", "2", "-1", "tru", "%00", "%F0%9F%98%80", "1e400", "9" * 40]


@pytest.mark.parametrize("value", GARBAGE)
def test_a_garbage_flag_is_false(api: Api, value: str) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": "k", "o": {"a": 1}})
    flags = ("returnNew", "returnOld", "silent", "waitForSync", "overwrite", "mergeObjects")
    query = "&".join(f"{name}={value}" for name in flags)
    answer = api.patch(f"/_api/document/c/k?{query}&x=1", {"o": {"b": 1}})
    assert answer.status_code == 202
    assert set(answer.json()) == {"_id", "_key", "_rev", "_oldRev"}
    assert api.get("/_api/document/c/k").json()["o"] == {"b": 1}
    taken = api.post(f"/_api/document/c?{query}&x=1", {"_key": "k"})
    assert error_of(taken) == (409, 1210)
    listed = api.get(f"/_api/collection?excludeSystem={value}&x=1").json()["result"]
    assert any(entry["isSystem"] for entry in listed)


@pytest.mark.parametrize("value", GARBAGE)
def test_garbage_words_and_numbers_have_no_effect(api: Api, value: str) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": "k"})
    taken = api.post(f"/_api/document/c?overwriteMode={value}&x=1", {"_key": "k"})
    assert error_of(taken) == (409, 1210)
    imported = api.post(
        f"/_api/import?collection=c&onDuplicate={value}&line={value}&type=documents&details=1",
        {"_key": "k"},
    )
    assert imported.json()["errors"] == 1
    assert api.get(f"/_api/job/done?count={value}&x=1").json() == []
    assert api.delete(f"/_api/job/expired?stamp={value}&x=1").json() == {"result": True}


@pytest.mark.parametrize(
    "revision", ["", " ", '"', '""', "'", "*", "-", "x", "_l6zhVTW---", "1", "é", "9" * 99, "\t"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_if_match_that_is_no_revision_never_matches(
    world: World, method: str, revision: str
) -> None:
    body = b'{"n":2}' if method.startswith("P") else None
    answer = world.send(method, "/_api/document/c/k", body, **{"If-Match": revision})
    assert answer.error == (412, 1200)
    assert answer.headers["etag"] == f'"{answer.json()["_rev"]}"'
    assert (answer.json()["_id"], answer.json()["_key"]) == ("c/k", "k")


@pytest.mark.parametrize("revision", ["x", 1, True, [], {}, 1.5, "é", "_l6zhVTW---"])
def test_a_body_revision_that_is_none_never_matches(world: World, revision: object) -> None:
    body = json.dumps({"_rev": revision, "n": 2}).encode()
    for method in ("PUT", "PATCH"):
        answer = world.send(method, "/_api/document/c/k?ignoreRevs=false", body)
        assert answer.error == (412, 1200)
    items = json.dumps([{"_key": "k", "_rev": revision}]).encode()
    for method in ("PUT", "PATCH", "DELETE"):
        answer = world.send(method, "/_api/document/c?ignoreRevs=false", items)
        assert [item["errorNum"] for item in answer.json()] == [1200]


# -- bodies over the limit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "target"),
    [
        *READS_JSON,
        ("POST", "/_api/import?collection=c"),
        ("POST", "/_api/import?collection=c&type=documents"),
    ],
)
def test_a_body_over_the_limit(world: World, method: str, target: str) -> None:
    body = b'{"_key":"big","name":"big"}\n'.ljust(BODY_BYTES_MAX + 1)
    assert world.send(method, target, body).error == (413, 413)


def test_a_body_at_the_limit_is_taken(api: Api) -> None:
    api.create_collection("c")
    front, back = b'{"_key":"big","text":"', b'"}'
    text = b"x" * (BODY_BYTES_MAX - len(front) - len(back))
    assert api.post("/_api/document/c", front + text + back).status_code == 202
    assert len(api.get("/_api/document/c/big").json()["text"]) == len(text)
