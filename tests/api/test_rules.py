"""What a collection demands of documents: JSON schema and computed values (data-api 5.3)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from support.pair import Pair, contents, fresh_pair, two_servers
from support.queries import rows, send
from support.server import Api, ServerThread, error_of

from arangorep.data.collections import restore_collection, restore_properties

NUMBER = {"properties": {"n": {"type": "number"}}, "required": ["n"]}
GOOD, BAD, WORSE = {"n": 1}, {"n": "x"}, {"n": [], "x": 1}
REFUSED, WRONG_SCHEMA, WRONG_VALUES = (400, 1620), (400, 1621), (400, 10)


def schema(level: str = "strict", rule: Any = None, message: str = "a number!") -> dict[str, Any]:
    return {"rule": NUMBER if rule is None else rule, "level": level, "message": message}


def made(api: Api, level: str = "strict", rule: Any = None, **attributes: Any) -> Api:
    """A collection `c` with a schema, and in it `good` and `bad`, which was there before."""
    api.create_collection("c", **attributes)
    ends = {"_from": "v/a", "_to": "v/b"} if attributes.get("type") == 3 else {}
    api.insert("c", [{"_key": "good", **GOOD, **ends}, {"_key": "bad", **BAD, **ends}])
    response = api.put("/_api/collection/c/properties", {"schema": schema(level, rule)})
    assert response.status_code == 200, response.text
    return api


Write = Callable[[Api], requests.Response]


def inserts(document: dict[str, Any]) -> dict[str, Write]:
    """Ways to make a new document, each of which fails if the document does."""
    return {
        "POST": lambda api: api.post("/_api/document/c", document),
        "AQL": lambda api: send(api, "INSERT @d INTO c", {"d": document}),
        "AQL overwrite": lambda api: send(
            api, "INSERT @d INTO c OPTIONS {overwriteMode: 'update'}", {"d": document}
        ),
        "import": lambda api: api.post(
            "/_api/import", [document], collection="c", type="array", complete="true"
        ),
        "overwriteMode": lambda api: api.post(
            "/_api/document/c", document, overwriteMode="replace"
        ),
    }


def replaces(key: str, document: dict[str, Any]) -> dict[str, Write]:
    """Ways to give a document another body."""
    whole = {"_key": key, **document}
    return {
        "PUT": lambda api: api.put(f"/_api/document/c/{key}", document),
        "overwrite": lambda api: api.post("/_api/document/c", whole, overwrite="true"),
        "AQL": lambda api: send(api, "REPLACE @k WITH @d IN c", {"k": key, "d": document}),
        "import": lambda api: api.post(
            "/_api/import", [whole], collection="c", type="array", onDuplicate="replace",
            complete="true",
        ),
        "replace-by-example": lambda api: api.put(
            "/_api/simple/replace-by-example",
            {"collection": "c", "example": {"_key": key}, "newValue": document},
        ),
    }  # fmt: skip


def updates(key: str, patch: dict[str, Any]) -> dict[str, Write]:
    """Ways to change a part of a document."""
    whole = {"_key": key, **patch}
    return {
        "PATCH": lambda api: api.patch(f"/_api/document/c/{key}", patch),
        "overwriteMode": lambda api: api.post("/_api/document/c", whole, overwriteMode="update"),
        "AQL": lambda api: send(api, "UPDATE @k WITH @d IN c", {"k": key, "d": patch}),
        "import": lambda api: api.post(
            "/_api/import", [whole], collection="c", type="array", onDuplicate="update",
            complete="true",
        ),
    }  # fmt: skip


def check(api: Api, writes: dict[str, Write], *, passes: bool) -> None:
    before = rows(api, "FOR d IN c SORT d._key RETURN d")
    for name, write in writes.items():
        response = write(api)
        if passes:
            assert response.status_code in (200, 201, 202), (name, response.text)
        else:
            assert error_of(response) == REFUSED, name
            assert response.json()["errorMessage"] == "a number!", name
            assert rows(api, "FOR d IN c SORT d._key RETURN d") == before, name


# -- levels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["none", "new", "moderate", "strict"])
def test_levels(api: Api, level: str) -> None:
    made(api, level)
    check(api, inserts(GOOD), passes=True)
    check(api, inserts(BAD), passes=level == "none")
    for changes in (replaces, updates):
        check(api, changes("bad", WORSE), passes=level in ("none", "new", "moderate"))
        check(api, changes("good", WORSE), passes=level in ("none", "new"))
        check(api, changes("bad", GOOD), passes=True)
        check(api, changes("good", GOOD), passes=True)
        api.put("/_api/document/c/bad", BAD, skipDocumentValidation="true")


@pytest.mark.parametrize("level", ["new", "moderate", "strict"])
def test_who_asks_is_not_validated(api: Api, level: str) -> None:
    made(api, level)
    skip = {"skipDocumentValidation": "true"}
    assert api.post("/_api/document/c", BAD, **skip).status_code == 202
    assert api.put("/_api/document/c/good", BAD, **skip).status_code == 202
    assert api.patch("/_api/document/c/good", WORSE, **skip).status_code == 202
    assert "error" not in api.post("/_api/document/c", [BAD, BAD], **skip).text
    imported = api.post("/_api/import", [BAD], collection="c", type="array", **skip).json()
    assert (imported["created"], imported["errors"]) == (1, 0)


def test_queries_that_ask_are_not_validated(api: Api) -> None:
    made(api)
    text = "INSERT {n: 'x'} INTO c OPTIONS {skipDocumentValidation: true}"
    assert send(api, text).status_code == 201


def test_arrays(api: Api) -> None:
    made(api)
    response = api.post("/_api/document/c", [GOOD, BAD, {"_key": "k", **GOOD}, 5])
    items = response.json()
    assert [item.get("errorNum") for item in items] == [None, 1620, None, 1227]
    assert items[1]["errorMessage"] == "a number!"
    assert response.headers["x-arango-error-codes"] == '{"1620":1,"1227":1}'
    response = api.patch("/_api/document/c", [{"_key": "k", "n": "x"}, {"_key": "good", "n": 5}])
    assert [item.get("errorNum") for item in response.json()] == [1620, None]
    imported = api.post("/_api/import", [GOOD, BAD], collection="c", type="array").json()
    assert (imported["created"], imported["errors"]) == (1, 1)


def test_a_query_is_all_or_nothing(api: Api) -> None:
    made(api)
    text = "FOR n IN [1, 2, 'x'] INSERT {n} INTO c"
    assert error_of(send(api, text)) == REFUSED
    assert len(rows(api, "FOR d IN c RETURN d")) == 2
    ignoring = send(api, text + " OPTIONS {ignoreErrors: true}").json()["extra"]["stats"]
    assert (ignoring["writesExecuted"], ignoring["writesIgnored"]) == (2, 1)


def test_in_a_transaction(api: Api) -> None:
    made(api)
    begun = api.post("/_api/transaction/begin", {"collections": {"write": ["c"]}}).json()
    headers = {"x-arango-trx-id": begun["result"]["id"]}

    def inside(method: str, path: str, body: Any) -> requests.Response:
        return api.request(method, path, body, headers=headers)

    assert error_of(inside("POST", "/_api/document/c", BAD)) == REFUSED
    assert error_of(inside("PATCH", "/_api/document/c/good", BAD)) == REFUSED
    assert inside("POST", "/_api/document/c", {"_key": "k", **GOOD}).status_code == 202
    assert api.put(f"/_api/transaction/{begun['result']['id']}").status_code == 200
    begun = api.post("/_api/transaction/begin", {"collections": {"write": ["c"]}}).json()
    headers = {"x-arango-trx-id": begun["result"]["id"]}
    failed = inside("POST", "/_api/cursor", {"query": "UPDATE 'k' WITH {n: 'x'} IN c"})
    assert error_of(failed) == REFUSED
    assert api.delete(f"/_api/transaction/{begun['result']['id']}").status_code == 200
    assert sorted(rows(api, "FOR d IN c RETURN d._key")) == ["bad", "good", "k"]


def test_the_usual_message(api: Api) -> None:
    api.create_collection("c", schema={"rule": NUMBER})
    response = api.post("/_api/document/c", BAD)
    assert error_of(response) == REFUSED
    assert api.get("/_api/collection/c/properties").json()["schema"] == {
        "rule": NUMBER, "level": "strict", "message": "", "type": "json"
    }  # fmt: skip


@pytest.mark.parametrize("kind", [2, 3])
def test_system_attributes_are_no_matter_of_the_schema(api: Api, kind: int) -> None:
    made(api, rule={**NUMBER, "additionalProperties": False}, type=kind)
    ends = {"_from": "v/a", "_to": "v/b"} if kind == 3 else {}
    assert api.post("/_api/document/c", {"_key": "k", **GOOD, **ends}).status_code == 202
    assert api.patch("/_api/document/c/k", {"n": 5}).status_code == 202
    assert api.put("/_api/document/c/k", {**GOOD, **ends}).status_code == 202
    assert error_of(api.post("/_api/document/c", {**GOOD, **ends, "x": 1})) == REFUSED
    if kind == 3:
        assert error_of(api.post("/_api/document/c", GOOD)) == (400, 1233)


@pytest.mark.parametrize("clearing", [None, {}])
def test_a_schema_that_is_taken_away(api: Api, clearing: Any) -> None:
    made(api)
    assert api.put("/_api/collection/c/properties", {"schema": clearing}).status_code == 200
    assert api.get("/_api/collection/c/properties").json()["schema"] is None
    assert api.post("/_api/document/c", BAD).status_code == 202


# -- schemas that are none, or mean harm -----------------------------------------------------------

BAD_SCHEMAS = [
    "x",
    5,
    [],
    {"level": "strict"},
    {"rule": None},
    {"rule": []},
    {"rule": {}, "level": "loose"},
    {"rule": {}, "level": None},
    {"rule": {}, "message": 5},
    {"rule": {}, "type": "xml"},
    {"rule": {"type": "nonsense"}},
    {"rule": {"type": 5}, "level": "none"},
    {"rule": {"minimum": "1"}},
    {"rule": {"properties": []}},
    {"rule": {"pattern": "("}},
    {"rule": {"pattern": "((a{1,1000}){1,1000}){1,1000}"}},
    {"rule": {"$ref": "#/definitions/nope"}},
    {"rule": {"$ref": "http://127.0.0.1:1/schema"}},
    {"rule": {"properties": {"a": {"$ref": "file:///etc/passwd"}}}},
    {"rule": {"id": "http://example.com/a", "properties": {"a": {"$ref": "b.json"}}}},
]


@pytest.mark.parametrize("value", BAD_SCHEMAS)
def test_bad_schemas(api: Api, value: Any) -> None:
    assert error_of(api.post("/_api/collection", {"name": "x", "schema": value})) == WRONG_SCHEMA
    assert error_of(api.get("/_api/collection/x")) == (404, 1203)
    made(api)
    changed = api.put("/_api/collection/c/properties", {"schema": value, "waitForSync": True})
    assert error_of(changed) == WRONG_SCHEMA
    properties = api.get("/_api/collection/c/properties").json()
    assert (properties["schema"]["rule"], properties["waitForSync"]) == (NUMBER, False)


def nested(levels: int, inner: Any = None) -> Any:
    for _ in range(levels):
        inner = {"a": inner}
    return inner


def test_schemas_that_call_themselves(api: Api) -> None:
    for number, rule in enumerate(
        (
            {"$ref": "#"},
            {"allOf": [{"$ref": "#"}]},
            {"properties": {"a": {"$ref": "#"}}, "type": ["object", "null"]},
            {
                "definitions": {"x": {"$ref": "#/definitions/y"}, "y": {"$ref": "#/definitions/x"}},
                "anyOf": [{"$ref": "#/definitions/x"}],
            },
        )
    ):
        name = f"c{number}"
        api.create_collection(name, schema={"rule": rule})
        assert api.post(f"/_api/document/{name}", nested(190)).status_code in (202, 400)
    assert error_of(api.post("/_api/document/c2", nested(50, 5))) == REFUSED


def test_a_pattern_that_would_take_for_ever(api: Api) -> None:
    api.create_collection("c", schema={"rule": {"properties": {"a": {"pattern": "^(a+)+$"}}}})
    assert error_of(api.post("/_api/document/c", {"a": "a" * 100_000 + "b"})) == REFUSED
    assert api.post("/_api/document/c", {"a": "a" * 100_000}).status_code == 202


def test_a_large_schema(api: Api) -> None:
    properties = {f"attribute{n}": {"type": "string", "minLength": n} for n in range(20_000)}
    api.create_collection("c", schema={"rule": {"properties": properties}})
    assert error_of(api.post("/_api/document/c", {"attribute19999": "x"})) == REFUSED
    assert api.post("/_api/document/c", {"x": 1}).status_code == 202


def test_a_schema_that_doubles_itself(api: Api) -> None:
    """Some kilobytes, and one insert would never end: it must not be taken."""
    definitions: dict[str, Any] = {
        f"a{n}": {"allOf": [{"$ref": f"#/definitions/a{n + 1}"}] * 2} for n in range(100)
    }
    rule = {"definitions": {**definitions, "a100": {}}, "$ref": "#/definitions/a0"}
    assert error_of(api.post("/_api/collection", {"name": "c", "schema": {"rule": rule}})) == (
        WRONG_SCHEMA
    )


def test_documents_that_nest_too_deep(api: Api) -> None:
    api.create_collection("c", schema={"rule": {"type": "object"}})
    assert api.post("/_api/document/c", nested(198, {})).status_code == 202
    for levels in (199, 300, 900):
        assert error_of(api.post("/_api/document/c", nested(levels, {}))) == (400, 600)


# -- computed values -------------------------------------------------------------------------------


def value(name: str = "x", expression: str = "RETURN 1", **members: Any) -> dict[str, Any]:
    return {"name": name, "expression": expression, "overwrite": True, **members}


def computing(api: Api, *values: dict[str, Any], **attributes: Any) -> Api:
    api.create_collection("c", computedValues=list(values), **attributes)
    return api


def body(api: Api, key: str) -> dict[str, Any]:
    document = api.get(f"/_api/document/c/{key}").json()
    return {name: member for name, member in document.items() if name not in ("_id", "_rev")}


def test_they_are_shown_whole(api: Api) -> None:
    created = api.create_collection("c", computedValues=[value()])
    expected = [
        {
            "name": "x", "expression": "RETURN 1", "overwrite": True, "keepNull": True,
            "computeOn": ["insert", "update", "replace"], "failOnWarning": False,
        }
    ]  # fmt: skip
    assert created["computedValues"] == expected
    assert api.get("/_api/collection/c/properties").json()["computedValues"] == expected
    markers = [m for m in api.tail(0) if m["type"] == 2000 and m["data"]["name"] == "c"]
    assert markers[0]["data"]["computedValues"] == expected
    for clearing in ([], None):
        api.put("/_api/collection/c/properties", {"computedValues": [value("y")]})
        shown = api.put("/_api/collection/c/properties", {"computedValues": clearing}).json()
        assert shown["computedValues"] is None
    assert api.insert("c", {}, returnNew="true")["new"].keys() == {"_key", "_id", "_rev"}


@pytest.mark.parametrize("event", ["insert", "update", "replace"])
def test_events(api: Api, event: str) -> None:
    computing(api, value("x", "RETURN CONCAT(@doc._key, '+', @doc.a)", computeOn=[event]))
    for name, write in (
        ("insert", lambda key: api.post("/_api/document/c", {"_key": key, "a": 1})),
        ("update", lambda key: api.patch(f"/_api/document/c/{key}", {"a": 2})),
        ("replace", lambda key: api.put(f"/_api/document/c/{key}", {"a": 3})),
        ("update", lambda key: api.post(
            "/_api/document/c", {"_key": key, "a": 4}, overwriteMode="update")),
        ("replace", lambda key: api.post(
            "/_api/document/c", {"_key": key, "a": 5}, overwriteMode="replace")),
        ("update", lambda key: send(api, "UPDATE @k WITH {a: 6} IN c", {"k": key})),
        ("replace", lambda key: send(api, "REPLACE @k WITH {a: 7} IN c", {"k": key})),
        ("update", lambda key: api.patch("/_api/document/c", [{"_key": key, "a": 8}])),
    ):  # fmt: skip
        if name != "insert":
            api.put("/_api/collection/c/properties", {"computedValues": None})
            api.post("/_api/document/c", {"_key": "k"}, overwriteMode="replace")
            api.put(
                "/_api/collection/c/properties",
                {"computedValues": [value("x", "RETURN @doc.a", computeOn=[event])]},
            )
        assert write("k").status_code in (201, 202)
        assert ("x" in body(api, "k")) is (name == event), name


def test_every_way_to_insert(api: Api) -> None:
    computing(api, value("x", "RETURN @doc.a * 2"), value("id", "RETURN @doc._id"))
    api.insert("c", {"_key": "one", "a": 1})
    api.insert("c", [{"_key": "two", "a": 2}, {"_key": "three", "a": 3}])
    api.post("/_api/import", [{"_key": "four", "a": 4}], collection="c", type="array")
    send(api, "INSERT {_key: 'five', a: 5} INTO c")
    begun = api.post("/_api/transaction/begin", {"collections": {"write": ["c"]}}).json()
    headers = {"x-arango-trx-id": begun["result"]["id"]}
    api.request("POST", "/_api/document/c", {"_key": "six", "a": 6}, headers=headers)
    api.put(f"/_api/transaction/{begun['result']['id']}")
    found = rows(api, "FOR d IN c SORT d.a RETURN [d._key, d.x, d.id]")
    names = ["one", "two", "three", "four", "five", "six"]
    assert found == [[name, 2 * n, f"c/{name}"] for n, name in enumerate(names, 1)]


def test_overwrite(api: Api) -> None:
    computing(api, value("x", "RETURN 'made'", overwrite=False), value("y", "RETURN 'made'"))
    api.insert("c", [{"_key": "a", "x": "given", "y": "given"}, {"_key": "b", "x": None}])
    assert body(api, "a") == {"_key": "a", "x": "given", "y": "made"}
    assert body(api, "b") == {"_key": "b", "x": None, "y": "made"}
    api.patch("/_api/document/c/b", {"x": None}, keepNull="false")
    assert body(api, "b")["x"] == "made"


def test_keep_null_and_warnings(api: Api) -> None:
    computing(
        api,
        value("kept", "RETURN @doc.nothing"),
        value("gone", "RETURN null", keepNull=False),
        value("warned", "RETURN 1 / @doc.zero"),
        value("strict", "RETURN 1 / @doc.one", failOnWarning=True),
    )
    api.insert("c", {"_key": "k", "gone": 5, "zero": 0, "one": 1})
    assert body(api, "k") == {
        "_key": "k", "kept": None, "warned": None, "strict": 1, "zero": 0, "one": 1
    }  # fmt: skip
    response = api.patch("/_api/document/c/k", {"one": 0})
    assert error_of(response) == WRONG_VALUES
    assert "strict" in response.json()["errorMessage"]
    assert body(api, "k")["one"] == 1
    items = api.post("/_api/document/c", [{"one": 0}, {"one": 2}]).json()
    assert [item.get("errorNum") for item in items] == [10, None]


def test_they_do_not_see_each_other_and_come_before_the_schema(api: Api) -> None:
    computing(
        api,
        value("n", "RETURN @doc.given"),
        value("m", "RETURN @doc.n"),
        schema={"rule": NUMBER},
    )
    api.insert("c", {"_key": "k", "given": 1})
    assert body(api, "k") == {"_key": "k", "given": 1, "n": 1, "m": None}
    assert error_of(api.post("/_api/document/c", {"given": "x", "n": 1})) == REFUSED


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ("x", WRONG_VALUES),
        ({}, WRONG_VALUES),
        ([5], WRONG_VALUES),
        ([{}], WRONG_VALUES),
        ([value("")], WRONG_VALUES),
        ([value("_key")], WRONG_VALUES),
        ([value("_from")], WRONG_VALUES),
        ([value("x"), value("x")], WRONG_VALUES),
        ([{"name": "x", "expression": "RETURN 1"}], WRONG_VALUES),
        ([value("x", "1")], WRONG_VALUES),
        ([value("x", "RETURN")], WRONG_VALUES),
        ([value("x", "RETURN doc")], WRONG_VALUES),
        ([value("x", "RETURN @other")], WRONG_VALUES),
        ([value("x", "RETURN 1 RETURN 2")], WRONG_VALUES),
        ([value("x", computeOn=[])], WRONG_VALUES),
        ([value("x", computeOn=["remove"])], WRONG_VALUES),
        ([value("x", computeOn="insert")], WRONG_VALUES),
        ([value("x", keepNull=1)], WRONG_VALUES),
        ([value("x", "RETURN UPPER()")], WRONG_VALUES),
        ([value("x", "RETURN NOSUCH(1)")], (501, 9)),
        ([value("x", "RETURN (FOR d IN c RETURN d)")], (501, 9)),
    ],
)
def test_bad_definitions(api: Api, values: Any, error: tuple[int, int]) -> None:
    created = api.post("/_api/collection", {"name": "c", "computedValues": values})
    assert error_of(created) == error
    assert error_of(api.get("/_api/collection/c")) == (404, 1203)
    api.create_collection("d", computedValues=[value("kept")])
    changed = api.put("/_api/collection/d/properties", {"computedValues": values})
    assert error_of(changed) == error
    shown = api.get("/_api/collection/d/properties").json()["computedValues"]
    assert [one["name"] for one in shown] == ["kept"]


def test_values_that_grow_without_end(api: Api) -> None:
    computing(api, value("x", "RETURN [@doc.x, @doc.x, @doc.x, @doc.x]"))
    api.insert("c", {"_key": "k", "x": "x" * 1000})
    statuses = {api.patch("/_api/document/c/k", {"n": n}).status_code for n in range(15)}
    assert statuses == {202, 400}
    assert api.delete("/_api/document/c/k").status_code == 202


def test_rules_that_change_while_writes_run(api: Api, server: ServerThread) -> None:
    """Every array is written under one set of rules, whichever it was."""
    api.create_collection("c")
    url, database = server.url, api.database

    def change() -> None:
        with Api(url, database) as other:
            for n in range(40):
                changed = {"computedValues": [value("x", f"RETURN {n}")]}
                assert other.put("/_api/collection/c/properties", changed).status_code == 200

    changing = threading.Thread(target=change)
    changing.start()
    for number in range(20):
        api.insert("c", [{"array": number} for _ in range(500)])
    changing.join(60)
    assert not changing.is_alive()
    seen: dict[int, set[Any]] = {}
    for document in rows(api, "FOR d IN c RETURN d", batchSize=5000):
        seen.setdefault(document["array"], set()).add(document.get("x"))
    assert len(seen) == 20
    assert all(len(values) == 1 for values in seen.values())


# -- replication -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, ...]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def pair(servers: tuple[ServerThread, ServerThread]) -> Iterator[Pair]:
    with fresh_pair(*servers) as both:
        yield both


def test_a_follower_stores_what_its_leader_computed(pair: Pair) -> None:
    values = [value("x", "RETURN RAND()"), value("now", "RETURN DATE_NOW()")]
    computing(pair.leader, *values, schema=schema("strict"))
    pair.leader.insert("c", [{"n": n} for n in range(300)])
    pair.leader.insert("c", {"_key": "bad", **BAD}, skipDocumentValidation="true")
    pair.follow()
    pair.leader.insert("c", {"_key": "worse", **WORSE}, skipDocumentValidation="true")
    pair.leader.patch("/_api/document/c/bad", {"y": 1}, skipDocumentValidation="true")
    send(pair.leader, "FOR d IN c FILTER d.n < 10 UPDATE d WITH {n: d.n} IN c")
    pair.catch_up()
    assert len(contents(pair.leader, "c")) == 302
    assert pair.same("c")
    shown = [
        {name: api.get("/_api/collection/c/properties").json()[name] for name in
         ("schema", "computedValues")}
        for api in (pair.leader, pair.follower)
    ]  # fmt: skip
    assert shown[0] == shown[1]
    pair.leader.put("/_api/collection/c/properties", {"computedValues": [], "schema": None})
    pair.catch_up()
    properties = pair.follower.get("/_api/collection/c/properties").json()
    assert (properties["schema"], properties["computedValues"]) == (None, None)
    pair.stop()


def restored(server: ServerThread, api: Api, **attributes: Any) -> Api:
    """A collection `c` as a leader describes it, whatever it demands."""
    store = server.server.node.store
    described = {"name": "c", "type": 2, "globallyUniqueId": "h1/1", **attributes}
    server.call(lambda: restore_collection(store, store.catalog.database(api.database), described))
    return api


FOREIGN = [value("x", "RETURN NOSUCH(@doc.a)", computeOn=["insert"])]


def test_values_that_cannot_be_computed_here(api: Api, server: ServerThread) -> None:
    restored(server, api, computedValues=FOREIGN)
    assert api.get("/_api/collection/c/properties").json()["computedValues"] == FOREIGN
    for write in inserts(GOOD).values():
        assert error_of(write(api)) == (501, 9)
    assert rows(api, "FOR d IN c RETURN d") == []
    assert api.put("/_api/collection/c/properties", {"waitForSync": False}).status_code == 200
    cleared = api.put("/_api/collection/c/properties", {"computedValues": []})
    assert cleared.status_code == 200
    assert api.post("/_api/document/c", GOOD).status_code == 202


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/_api/document/c/k", None),
        ("DELETE", "/_api/document/c", ["k"]),
        ("PUT", "/_api/simple/remove-by-keys", {"collection": "c", "keys": ["k"]}),
        ("POST", "/_api/cursor", {"query": "REMOVE 'k' IN c"}),
    ],
)
def test_removing_needs_no_computed_values(
    api: Api, server: ServerThread, method: str, path: str, body: Any
) -> None:
    restored(server, api)
    api.insert("c", {"_key": "k"})
    store = server.server.node.store
    database = store.catalog.database(api.database)
    described = {"computedValues": FOREIGN}
    server.call(lambda: restore_properties(store, database, database.find("c"), described))
    assert api.request(method, path, body).status_code in (200, 201, 202)


def test_schemas_that_cannot_be_read_here(api: Api, server: ServerThread) -> None:
    lookahead = {"properties": {"a": {"pattern": "^(?!x)"}}}
    restored(server, api, schema=schema("strict", lookahead))
    assert error_of(api.post("/_api/document/c", {"a": "b"})) == WRONG_SCHEMA
    skip = {"skipDocumentValidation": "true"}
    assert api.post("/_api/document/c", {"_key": "k", "a": "b"}, **skip).status_code == 202
    assert api.delete("/_api/document/c/k").status_code == 202


def test_other_properties_of_a_collection_whose_schema_cannot_be_read(
    api: Api, server: ServerThread
) -> None:
    lookahead = {"properties": {"a": {"pattern": "^(?!x)"}}}
    restored(server, api, schema=schema("strict", lookahead))
    assert api.put("/_api/collection/c/properties", {"waitForSync": True}).status_code == 200
