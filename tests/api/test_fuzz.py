"""Random requests to every route: answered properly, and the store stays sound."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.raw import RawAnswer, RawConnection
from support.server import ServerThread

from arangorep.rest.routes import ROUTES
from arangorep.storage.integrity import findings

DATABASE = "fuzz"
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

COLLECTIONS: list[dict[str, Any]] = [
    {"name": "c"},
    {"name": "e", "type": 3},
    {"name": "u", "keyOptions": {"type": "autoincrement", "increment": 7}},
]

PARTS = [
    *("c", "e", "u", "k1", "k2", "0", "primary", "nope", "_graphs", "a/b", "..", "\0", "%", "maçã"),
    *("load", "count", "figures", "revision", "checksum", "properties", "truncate", "rename"),
    *("recalculateCount", "role", "mode", "availability", "id", "user", "current", "flush"),
    *("pending", "done", "all", "expired", "cancel", "selectivity", "sync-caches"),
    *("batch", "inventory", "dump", "keys", "revisions", "tree", "ranges", "documents"),
    *("logger-state", "logger-follow", "server-id", "tail", "range", "lastTick"),
    *("entries", "level", "structured", "stats", "v2"),
]

PARAMETERS = [
    *("collection", "type", "onDuplicate", "complete", "details", "overwrite", "fromPrefix"),
    *("toPrefix", "ignoreMissing", "line", "overwriteCollectionPrefix", "waitForSync", "silent"),
    *("returnNew", "returnOld", "overwriteMode", "keepNull", "mergeObjects", "ignoreRevs"),
    *("versionAttribute", "onlyget", "excludeSystem", "isSystem", "withData", "withRevisions"),
    *("count", "stamp", "withStats", "batchId", "chunkSize", "from", "to", "global", "syncerId"),
    *("serverId", "lastScanned", "includeSystem", "useEnvelope", "resume", "onlyPopulated"),
    *("upto", "level", "start", "size", "offset", "search", "sort", "withAppenders"),
]

VALUES = [
    *("true", "false", "1", "0", "", "undefined", "c", "e", "u", "nope", "documents", "array"),
    *("auto", "list", "update", "replace", "ignore", "error", "-1", "18446744073709551616", "n"),
    *("1e3", "\0", "é", "_rev", "_key"),
]

NAMES = [
    *("_key", "_id", "_rev", "_from", "_to", "name", "type", "fields", "unique", "sparse", "n"),
    *("keyOptions", "schema", "computedValues", "mode", "count", "ttl", "users", "options", "a"),
    *("waitForSync", "expireAfter", "storedValues", "allowUserKeys", "lastValue", "rule", ""),
]

SCALARS = [
    *(None, True, False, 0, 1, -1, 2**63, 2**64 - 1, -(2**63), 1.5, 1e308, "", "k1", "k2", "c"),
    *("c/k1", "e/k2", "persistent", "ttl", "geo", "edge", "autoincrement", "uuid", "json", "a.b"),
    *("a[*]", "readonly", "x" * 300, "\0", "é", "😀", "18446744073709551615"),
]

texts = st.text(st.characters(codec="utf-8"), max_size=6)
names = st.sampled_from(NAMES) | texts
values = st.recursive(
    st.sampled_from(SCALARS) | texts | st.integers(-(2**64), 2**65) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(names, values, max_size=5)
json_bodies = st.one_of(documents, st.lists(documents, max_size=4), values).map(
    lambda value: json.dumps(value).encode()
)
lines = st.lists(json_bodies, max_size=4).map(b"\n".join)
bodies = st.none() | json_bodies | lines | st.binary(max_size=20)
parameters = st.sampled_from(PARAMETERS)
parameter_values = st.sampled_from(VALUES) | texts
HEADERS: list[dict[str, str]] = [
    {},
    {},
    {},
    {},
    {},
    {},
    {"If-Match": "_l6zhVTW---"},
    {"If-None-Match": '"1"'},
    {"x-arango-async": "true"},
    {"x-arango-async": "store"},
    {"x-arango-async": "maybe"},
    {"x-arango-hlc": "N9999999998"},
    {"Content-Encoding": "gzip"},
    {"Content-Type": "application/x-velocypack"},
    {"Expect": "nothing"},
    {"Origin": "null"},
]
headers = st.sampled_from(HEADERS)


@dataclass(frozen=True)
class Sent:
    """One random request."""

    method: str
    route: str
    parts: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes | None

    @property
    def target(self) -> str:
        path = "/".join(quote(part, safe="") for part in (DATABASE, *self.parts) if part)
        database, _, rest = path.partition("/")
        return f"/_db/{database}/{self.route}/{rest}?{urlencode(self.query)}&"


collections = st.sampled_from(["c", "c", "e", "u", "nope"]) | texts
document_keys = st.sampled_from(["k1", "k2", "k3", "%", "a b"]) | texts
indexes = st.sampled_from(["0", "primary", "1", "edge", "idx"]) | texts
readers = st.sampled_from(["properties", "count", "figures", "revision", "checksum", "shards", "x"])
writers = st.sampled_from(["load", "unload", "truncate", "properties", "rename", "compact", "x"])
jobs = st.sampled_from(["pending", "done", "all", "expired", "0"]) | texts
batches = st.integers(0, 500).map(str)
logs = st.sampled_from(["range", "lastTick", "tail", "open-transactions"])
loggers = st.sampled_from(
    ["logger-state", "logger-follow", "logger-tick-ranges", "inventory", "dump", "server-id"]
)
trees = st.sampled_from(["tree", "ranges", "documents"])


def nearly(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """A body as it should be, as JSON, with some members of it replaced or added at random."""
    return st.builds(
        lambda right, wrong: json.dumps({**right, **wrong}).encode(),
        st.fixed_dictionaries(members),
        st.just({}) | documents,
    )


def listed(items: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(items, max_size=4).map(lambda parts: b"[" + b",".join(parts) + b"]")


handles = st.sampled_from(["c/k1", "c/k2", "e/k1", "k1"])
document = nearly(_key=document_keys, _from=handles, _to=handles, _rev=values, n=values)
document_lines = st.lists(document, max_size=4).map(b"\n".join)
definition = nearly(name=st.sampled_from(["c2", "é", "_x"]), type=st.integers(0, 4), schema=values)
change = nearly(waitForSync=st.booleans(), schema=values, computedValues=values)
index = nearly(
    type=st.sampled_from(["persistent", "hash", "ttl", "geo", "inverted", "mdi"]),
    fields=st.lists(st.sampled_from(["n", "a.b", "a[*]", "_key"]) | names, max_size=2),
    unique=st.booleans(),
    sparse=st.booleans(),
    expireAfter=values,
)
batch = nearly(ttl=st.floats(0.001, 100))

IN_QUERY = {"collection": st.sampled_from(["c", "c", "e", "u", "nope"])}
IMPORT = {**IN_QUERY, "type": st.sampled_from(["documents", "array", "auto", "list", "x"])}
READ = ["GET", "HEAD"]


@dataclass(frozen=True)
class Shape:
    """Methods, route, parts, query and body that a client might really combine."""

    methods: list[str]
    route: str
    parts: list[st.SearchStrategy[str]] = field(default_factory=list)
    body: st.SearchStrategy[bytes | None] = bodies
    query: dict[str, st.SearchStrategy[str]] = field(default_factory=dict)

    def requests(self) -> st.SearchStrategy[Sent]:
        return st.builds(
            Sent,
            method=st.sampled_from(self.methods),
            route=st.just(self.route),
            parts=st.tuples(*self.parts).map(list),
            query=st.builds(
                lambda usual, others: {**usual, **others},
                st.fixed_dictionaries(self.query),
                st.dictionaries(parameters, parameter_values, max_size=3),
            ),
            headers=headers,
            body=self.body | bodies,
        )


SHAPES = [
    Shape(["POST"], "_api/document", [collections], document | listed(document)),
    Shape(["PUT", "PATCH", "DELETE"], "_api/document", [collections], listed(document)),
    Shape([*READ, "DELETE"], "_api/document", [collections, document_keys], st.none()),
    Shape(["PUT", "PATCH"], "_api/document", [collections, document_keys], document),
    Shape(["POST"], "_api/import", [], listed(document) | document_lines, IMPORT),
    Shape([*READ, "POST"], "_api/collection", [], definition),
    Shape([*READ, "DELETE"], "_api/collection", [collections], st.none()),
    Shape(READ, "_api/collection", [collections, readers], st.none()),
    Shape(["PUT"], "_api/collection", [collections, writers], definition | change),
    Shape([*READ, "POST"], "_api/index", [], index, IN_QUERY),
    Shape([*READ, "DELETE"], "_api/index", [collections, indexes], st.none()),
    Shape(READ, "_api/database", [st.sampled_from(["user", "current", "x"])]),
    Shape(["GET", "PUT", "DELETE"], "_api/job", [jobs]),
    Shape(["GET", "PUT"], "_admin/server", [st.sampled_from(["role", "mode", "availability"])]),
    Shape(["GET", "PUT"], "_api/replication", [loggers], query=IN_QUERY),
    Shape(["POST"], "_api/replication", [st.sampled_from(["batch", "keys"])], batch, IN_QUERY),
    Shape(["PUT", "DELETE"], "_api/replication", [st.just("batch"), batches], batch),
    Shape(["GET", "PUT", "POST"], "_api/replication", [st.just("revisions"), trees]),
    Shape(["GET", "PUT"], "_api/wal", [logs]),
]

anything = st.builds(
    Sent,
    method=st.sampled_from(METHODS),
    route=st.sampled_from(sorted(ROUTES)),
    parts=st.lists(st.sampled_from(PARTS) | texts, max_size=3),
    query=st.dictionaries(parameters, parameter_values, max_size=4),
    headers=headers,
    body=bodies,
)

requests = st.one_of(anything, *(shape.requests() for shape in SHAPES))


class Complaints(logging.Handler):
    """Keeps what the server logs as an error, also of requests whose answer nobody sees."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@pytest.fixture(scope="module")
def sound(server: ServerThread) -> Iterator[ServerThread]:
    """The module's server; at the end its log holds no error and its store is sound."""
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    yield server
    logging.getLogger().removeHandler(complaints)
    assert complaints.texts == []
    assert server.call(lambda: findings(server.server.node.store)) == []


def restore_the_world(connection: RawConnection) -> None:
    """Whatever the last example dropped or switched off is there again."""
    connection.request("PUT", "/_admin/server/mode", b'{"mode":"default"}')
    connection.request("POST", "/_api/database", b'{"name":"%b"}' % DATABASE.encode())
    prefix = f"/_db/{DATABASE}/_api"
    for collection in COLLECTIONS:
        connection.request("POST", f"{prefix}/collection", json.dumps(collection).encode())
    unique = b'{"type":"persistent","fields":["n"],"unique":true,"sparse":true,"name":"idx"}'
    connection.request("POST", f"{prefix}/index?collection=c", unique)
    edges = b'[{"_key":"k1","_from":"c/k1","_to":"c/k2"},{"_key":"k2"}]'
    for name in ("c", "e"):
        connection.request("POST", f"{prefix}/document/{name}", edges)


def check(sent: Sent, answer: RawAnswer) -> None:
    if answer.status < 400:
        if answer.headers.get("content-type", "").startswith("application/json") and answer.body:
            answer.json()
        return
    if sent.method == "HEAD":
        assert answer.status < 500 or answer.status in (500, 501, 503)
        return
    status, number = answer.error
    # a single server has no id (data-api 3), and keys can run out (data-api 5.6)
    assert status < 500 or status in (501, 503) or number in (500, 1225), answer


@given(st.lists(requests, min_size=1, max_size=8))
def test_every_request_is_answered_and_the_connection_goes_on(
    sound: ServerThread, sent: list[Sent]
) -> None:
    with RawConnection(sound.port) as connection:
        restore_the_world(connection)
        for one in sent:
            check(one, connection.request(one.method, one.target, one.body, one.headers))
        assert connection.request("GET", "/_api/version").status == 200
