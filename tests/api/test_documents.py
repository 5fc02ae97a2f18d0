"""Single documents: insert, read, replace, update, remove (data-api 6.1 to 6.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from support.raw import RawConnection
from support.server import Api, ServerThread, error_of

IDENTITY = {"_id", "_key", "_rev"}
CHANGED = IDENTITY | {"_oldRev"}

KEY_CHARACTERS = "azAZ09_-.@()+,=;$!*'%:"


@pytest.fixture
def docs(api: Api) -> Api:
    """A database with the empty collection `c`."""
    api.create_collection("c")
    return api


@pytest.fixture
def last_tick(server: ServerThread) -> Callable[[], int]:
    """Reads the position of the log."""
    return lambda: server.call(lambda: server.server.node.store.log.last_tick)


def get(api: Api, key: str = "k") -> dict[str, Any]:
    response = api.get(f"/_api/document/c/{quote(key, safe='')}")
    assert response.status_code == 200, response.text
    return response.json()


def content(api: Api, key: str = "k") -> dict[str, Any]:
    """The document without its system attributes."""
    return {name: value for name, value in get(api, key).items() if name not in IDENTITY}


# -- insert --------------------------------------------------------------------------------------


def test_an_inserted_document_is_identified(docs: Api) -> None:
    answer = docs.post("/_api/document/c", {"_key": "k", "n": 1})
    assert answer.status_code == 202
    body = answer.json()
    assert set(body) == IDENTITY
    assert (body["_id"], body["_key"]) == ("c/k", "k")
    assert re.fullmatch(r"[A-Za-z0-9_-]{11}", body["_rev"])
    assert answer.headers["etag"] == f'"{body["_rev"]}"'
    assert answer.headers["location"] == f"/_db/{docs.database}/_api/document/c/k"
    assert get(docs) == {**body, "n": 1}


def test_the_collection_may_stand_in_the_query(docs: Api) -> None:
    answer = docs.post("/_api/document", {"_key": "k"}, collection="c")
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/_db/{docs.database}/_api/document/c/k"


def test_system_attributes_of_the_body_are_replaced(docs: Api) -> None:
    given = {"n": 1, "_rev": "_l6zhVTW---", "_id": {"not": "an id"}, "_key": "k", "_own": 2}
    inserted = docs.insert("c", given)
    assert inserted["_rev"] != "_l6zhVTW---"
    stored = get(docs)
    assert stored == {**inserted, "n": 1, "_own": 2}
    assert list(stored) == ["_key", "_id", "_rev", "n", "_own"]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -1.5e-7,
        2**64 - 1,
        -(2**63),
        "",
        'é😀\u0000\u2028"\\/\x7f',
        [],
        {},
        [[], {}, [None, {"a": []}]],
        {"z": 1, "a": {"y": None, "b": [1, "1", 1.0]}},
        "x" * 100_000,
    ],
)
def test_values_come_back_as_they_were(docs: Api, value: object) -> None:
    docs.insert("c", {"_key": "k", "value": value})
    found = get(docs)["value"]
    assert found == value
    assert type(found) is type(value)
    if isinstance(value, dict):
        assert list(found) == list(value)


@pytest.mark.parametrize("key", [KEY_CHARACTERS, *KEY_CHARACTERS, "x" * 254, "..", "0", "-1"])
def test_keys(docs: Api, server: ServerThread, key: str) -> None:
    answer = docs.post("/_api/document/c", {"_key": key})
    assert answer.json()["_id"] == f"c/{key}"
    location = answer.headers["location"]
    # a bare connection, because other clients resolve the dots of a path on their own
    with RawConnection(server.port) as connection:
        for method in ("GET", "DELETE"):
            assert connection.request(method, location).json()["_key"] == key
        assert connection.request("GET", location).error == (404, 1202)


def test_return_new(docs: Api) -> None:
    answer = docs.post("/_api/document/c", {"_key": "k", "n": 1}, returnNew="true").json()
    assert set(answer) == IDENTITY | {"new"}
    assert answer["new"] == get(docs)
    only_old = docs.post("/_api/document/c", {"_key": "l"}, returnOld="true").json()
    assert set(only_old) == IDENTITY


def test_a_taken_key(docs: Api) -> None:
    first = docs.insert("c", {"_key": "k", "n": 1})
    for params in ({}, {"overwriteMode": "conflict"}, {"overwriteMode": "other"}):
        answer = docs.post("/_api/document/c", {"_key": "k", "n": 2}, **params)
        assert error_of(answer) == (409, 1210)
        assert answer.json()["errorMessage"] == (
            "unique constraint violated - in index primary of type primary over '_key'; "
            "conflicting key: k"
        )
    assert get(docs) == {**first, "n": 1}


# -- insert over an existing document ------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"overwrite": "true"}, {"o": {"b": 2}}),
        ({"overwriteMode": "replace"}, {"o": {"b": 2}}),
        ({"overwriteMode": "replace", "overwrite": "false"}, {"o": {"b": 2}}),
        ({"overwriteMode": "update"}, {"n": 1, "o": {"a": 1, "b": 2}}),
        ({"overwriteMode": "update", "overwrite": "true"}, {"n": 1, "o": {"a": 1, "b": 2}}),
        ({"overwriteMode": "update", "mergeObjects": "false"}, {"n": 1, "o": {"b": 2}}),
        ({"overwriteMode": "unknown", "overwrite": "true"}, {"o": {"b": 2}}),
    ],
)
def test_overwriting(docs: Api, params: dict[str, str], expected: dict[str, object]) -> None:
    first = docs.insert("c", {"_key": "k", "n": 1, "o": {"a": 1}})
    old = get(docs)
    answer = docs.post(
        "/_api/document/c", {"_key": "k", "o": {"b": 2}}, returnOld=1, returnNew=1, **params
    )
    assert answer.status_code == 202
    body = answer.json()
    assert set(body) == CHANGED | {"old", "new"}
    assert body["_oldRev"] == first["_rev"] != body["_rev"]
    assert answer.headers["etag"] == f'"{body["_rev"]}"'
    assert body["old"] == old
    assert body["new"] == get(docs)
    assert content(docs) == expected


@pytest.mark.parametrize(
    ("keep_null", "expected"), [("true", {"n": None, "m": 1}), ("false", {"m": 1})]
)
def test_overwriting_by_update_and_nulls(
    docs: Api, keep_null: str, expected: dict[str, object]
) -> None:
    docs.insert("c", {"_key": "k", "n": 1, "m": 1})
    params = {"overwriteMode": "update", "keepNull": keep_null}
    docs.insert("c", {"_key": "k", "n": None}, **params)
    assert content(docs) == expected


def test_overwriting_by_ignoring_changes_nothing(docs: Api, last_tick: Callable[[], int]) -> None:
    first = docs.insert("c", {"_key": "k", "n": 1})
    before = last_tick()
    answer = docs.post(
        "/_api/document/c", {"_key": "k", "n": 2}, overwriteMode="ignore", returnNew=1, returnOld=1
    )
    assert answer.status_code == 202
    assert answer.json() == first
    assert answer.headers["etag"] == f'"{first["_rev"]}"'
    assert last_tick() == before


@pytest.mark.parametrize("mode", ["ignore", "replace", "update"])
def test_overwriting_nothing_inserts(docs: Api, mode: str) -> None:
    answer = docs.post(
        "/_api/document/c", {"_key": "k", "n": 1}, overwriteMode=mode, returnNew=1, returnOld=1
    )
    assert set(answer.json()) == IDENTITY | {"new"}
    assert content(docs) == {"n": 1}


@pytest.mark.parametrize("mode", ["replace", "update"])
def test_overwriting_checks_the_revision_when_asked(docs: Api, mode: str) -> None:
    current = docs.insert("c", {"_key": "k"})["_rev"]
    params = {"overwriteMode": mode, "ignoreRevs": "false"}
    wrong = docs.post("/_api/document/c", {"_key": "k", "_rev": "_l6zhVTW---"}, **params)
    assert error_of(wrong) == (412, 1200)
    right = docs.post("/_api/document/c", {"_key": "k", "_rev": current}, **params)
    assert right.json()["_oldRev"] == current


# -- read ----------------------------------------------------------------------------------------


def test_get_and_head(docs: Api) -> None:
    revision = docs.insert("c", {"_key": "k", "n": "é"})["_rev"]
    got = docs.get("/_api/document/c/k")
    head = docs.request("HEAD", "/_api/document/c/k")
    for answer in (got, head):
        assert answer.status_code == 200
        assert answer.headers["etag"] == f'"{revision}"'
        assert answer.headers["content-length"] == str(len(got.content))
        assert "x-arango-potential-dirty-read" not in answer.headers
    assert head.content == b""
    assert error_of(docs.get("/_api/document/c/nope")) == (404, 1202)
    missing = docs.request("HEAD", "/_api/document/c/nope")
    assert (missing.status_code, missing.content) == (404, b"")
    assert docs.request("HEAD", "/_api/document/c").status_code == 400


def test_a_dirty_read_is_marked(docs: Api) -> None:
    docs.insert("c", {"_key": "k"})
    headers = {"x-arango-allow-dirty-read": "true"}
    answer = docs.request("GET", "/_api/document/c/k", headers=headers)
    assert answer.headers["x-arango-potential-dirty-read"] == "true"


@pytest.mark.parametrize("form", ["{}", '"{}"', "'{}'"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_conditional_reads(docs: Api, form: str, method: str) -> None:
    current = docs.insert("c", {"_key": "k"})["_rev"]

    def status(header: str, revision: str) -> int:
        headers = {header: form.format(revision)}
        answer = docs.request(method, "/_api/document/c/k", headers=headers)
        assert answer.headers["etag"] == f'"{current}"'
        if answer.status_code == 412 and method == "GET":
            assert answer.json()["_rev"] == current
        if answer.status_code == 304:
            assert answer.content == b""
            assert answer.headers["content-type"].startswith("text/plain")
        return answer.status_code

    assert status("If-None-Match", current) == 304
    assert status("If-None-Match", "_l6zhVTW---") == 200
    assert status("If-None-Match", "nonsense") == 200
    assert status("If-Match", current) == 200
    assert status("If-Match", "_l6zhVTW---") == 412
    assert status("If-Match", "nonsense") == 412


# -- replace, update, remove ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_change_names_the_old_revision(docs: Api, method: str) -> None:
    first = docs.insert("c", {"_key": "k", "n": 1})["_rev"]
    body = None if method == "DELETE" else {"_key": "other", "_id": "c/other", "m": 2}
    answer = docs.request(method, "/_api/document/c/k", body)
    assert answer.status_code == 202
    found = answer.json()
    assert found["_id"] == "c/k"
    assert answer.headers["location"] == f"/_db/{docs.database}/_api/document/c/k"
    assert answer.headers["etag"] == f'"{found["_rev"]}"'
    if method == "DELETE":
        assert set(found) == IDENTITY
        assert found["_rev"] == first
        assert error_of(docs.get("/_api/document/c/k")) == (404, 1202)
    else:
        assert set(found) == CHANGED
        assert found["_oldRev"] == first != found["_rev"]
        assert content(docs) == ({"m": 2} if method == "PUT" else {"n": 1, "m": 2})
    assert error_of(docs.get("/_api/document/c/other")) == (404, 1202)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_return_old_and_new(docs: Api, method: str) -> None:
    docs.insert("c", {"_key": "k", "n": 1})
    old = get(docs)
    body = None if method == "DELETE" else {"m": 2}
    params = {"returnOld": "true", "returnNew": "true"}
    found = docs.request(method, "/_api/document/c/k", body, params=params).json()
    assert found["old"] == old
    if method == "DELETE":
        assert set(found) == IDENTITY | {"old"}
    else:
        assert found["new"] == get(docs)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_silence(docs: Api, method: str) -> None:
    if method != "POST":
        docs.insert("c", {"_key": "k"})
    path = "/_api/document/c" if method == "POST" else "/_api/document/c/k"
    params = {"silent": "true", "returnNew": "true", "returnOld": "true"}
    answer = docs.request(method, path, {"_key": "k", "n": 1}, params=params)
    assert answer.status_code == 202
    assert answer.json() == {}
    assert "etag" not in answer.headers
    assert "location" not in answer.headers
    assert docs.get("/_api/collection/c/count").json()["count"] == (0 if method == "DELETE" else 1)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("asked_by", ["parameter", "collection", "neither"])
def test_the_status_tells_whether_a_write_was_synced(api: Api, method: str, asked_by: str) -> None:
    api.create_collection("c", waitForSync=asked_by == "collection")
    if method != "POST":
        api.insert("c", {"_key": "k"})
    path = "/_api/document/c" if method == "POST" else "/_api/document/c/k"
    params = {"waitForSync": "true" if asked_by == "parameter" else "false"}
    answer = api.request(method, path, {"_key": "k", "n": 1}, params=params)
    synced = 200 if method == "DELETE" else 201
    assert answer.status_code == (202 if asked_by == "neither" else synced)


@pytest.mark.parametrize(
    ("stored", "patch", "params", "expected"),
    [
        ({"a": 1}, {"b": 2}, {}, {"a": 1, "b": 2}),
        ({"a": 1}, {"a": None}, {}, {"a": None}),
        ({"a": 1}, {"a": None}, {"keepNull": "false"}, {}),
        ({"a": None}, {"b": 1}, {"keepNull": "false"}, {"a": None, "b": 1}),
        ({"a": 1}, {"z": None}, {"keepNull": "false"}, {"a": 1}),
        ({"o": {"a": 1}}, {"o": {"b": 2}}, {}, {"o": {"a": 1, "b": 2}}),
        ({"o": {"a": 1}}, {"o": {"b": 2}}, {"mergeObjects": "false"}, {"o": {"b": 2}}),
        ({"o": {"a": 1}}, {"o": {}}, {}, {"o": {"a": 1}}),
        ({"o": {"a": 1}}, {"o": {}}, {"mergeObjects": "false"}, {"o": {}}),
        ({"o": {"p": {"a": 1}}}, {"o": {"p": {"b": 2}}}, {}, {"o": {"p": {"a": 1, "b": 2}}}),
        ({"o": {"a": 1, "b": 2}}, {"o": {"a": None}}, {"keepNull": "false"}, {"o": {"b": 2}}),
        ({}, {"o": {"a": None, "b": {"c": None}}}, {"keepNull": "false"}, {"o": {"b": {}}}),
        ({"l": [1, 2]}, {"l": [3]}, {}, {"l": [3]}),
        ({"l": [1]}, {"l": [None]}, {"keepNull": "false"}, {"l": [None]}),
        ({"o": [1]}, {"o": {"a": 1}}, {}, {"o": {"a": 1}}),
        ({"o": {"a": 1}}, {"o": 1}, {}, {"o": 1}),
        ({"": 1}, {"": {"": None}}, {}, {"": {"": None}}),
    ],
)
def test_merging(
    docs: Api,
    stored: dict[str, object],
    patch: dict[str, object],
    params: dict[str, str],
    expected: dict[str, object],
) -> None:
    docs.insert("c", {"_key": "k", **stored})
    assert docs.patch("/_api/document/c/k", patch, **params).status_code == 202
    assert content(docs) == expected


def test_a_merge_keeps_the_order_of_attributes(docs: Api) -> None:
    docs.insert("c", {"_key": "k", "z": 1, "a": 1})
    docs.patch("/_api/document/c/k", {"b": 1, "z": 2})
    assert list(get(docs)) == ["_key", "_id", "_rev", "z", "a", "b"]


@pytest.mark.parametrize("patch", [{}, {"_key": "k"}, {"_key": "other"}])
def test_an_empty_patch_writes_nothing(
    docs: Api, last_tick: Callable[[], int], patch: dict[str, object]
) -> None:
    first = docs.insert("c", {"_key": "k", "n": 1})["_rev"]
    before = last_tick()
    answer = docs.patch("/_api/document/c/k", patch, returnNew=1, returnOld=1)
    assert answer.status_code == 202
    found = answer.json()
    assert found["_rev"] == found["_oldRev"] == first
    assert found["new"] == found["old"] == get(docs)
    assert last_tick() == before


@pytest.mark.parametrize("patch", [{"n": 1}, {"_rev": "x"}, {"_id": "c/k"}])
def test_a_patch_with_any_other_member_is_a_write(
    docs: Api, last_tick: Callable[[], int], patch: dict[str, object]
) -> None:
    first = docs.insert("c", {"_key": "k", "n": 1})["_rev"]
    before = last_tick()
    assert docs.patch("/_api/document/c/k", patch).json()["_rev"] != first
    assert content(docs) == {"n": 1}
    assert last_tick() > before


def test_an_equal_replacement_is_a_write(docs: Api) -> None:
    first = docs.insert("c", {"_key": "k", "n": 1})["_rev"]
    assert docs.put("/_api/document/c/k", {"n": 1}).json()["_rev"] != first


# -- revisions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", '"{}"', "'{}'"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_if_match(docs: Api, method: str, form: str) -> None:
    old = docs.insert("c", {"_key": "k", "n": 1})["_rev"]
    current = docs.patch("/_api/document/c/k", {"n": 2}).json()["_rev"]
    body = None if method == "DELETE" else {"n": 3, "_rev": current}

    def send(revision: str) -> Any:
        headers = {"If-Match": form.format(revision)}
        return docs.request(method, "/_api/document/c/k", body, headers=headers)

    refused = send(old)
    assert error_of(refused) == (412, 1200)
    assert refused.headers["etag"] == f'"{current}"'
    assert {name: refused.json()[name] for name in IDENTITY} == {
        "_id": "c/k",
        "_key": "k",
        "_rev": current,
    }
    assert refused.json()["errorMessage"] == "conflict, _rev values do not match"
    assert get(docs)["n"] == 2
    assert send(current).status_code == 202
    assert error_of(send(current)) == ((404, 1202) if method == "DELETE" else (412, 1200))


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_the_revision_of_the_body_counts_only_when_asked_for(docs: Api, method: str) -> None:
    old = docs.insert("c", {"_key": "k"})["_rev"]
    current = docs.put("/_api/document/c/k", {"n": 1}).json()["_rev"]

    def send(body: dict[str, object], **params: str) -> Any:
        return docs.request(method, "/_api/document/c/k", body, params=params)

    assert error_of(send({"_rev": old, "n": 2}, ignoreRevs="false")) == (412, 1200)
    assert content(docs) == {"n": 1}
    assert send({"_rev": current, "n": 2}, ignoreRevs="false").status_code == 202
    assert send({"n": 3}, ignoreRevs="false").status_code == 202
    assert send({"_rev": old, "n": 4}, ignoreRevs="true").status_code == 202
    assert send({"_rev": old, "n": 5}).status_code == 202
    assert content(docs) == {"n": 5}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_missing_document_is_missing_whatever_its_revision(docs: Api, method: str) -> None:
    headers = {"If-Match": "_l6zhVTW---"}
    answer = docs.request(method, "/_api/document/c/k", {"n": 1}, headers=headers)
    assert error_of(answer) == (404, 1202)


def test_revisions_grow(docs: Api) -> None:
    digits = "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    revisions = [docs.insert("c", {})["_rev"] for _ in range(5)]
    keys = [[digits.index(digit) for digit in revision] for revision in revisions]
    assert keys == sorted(keys)
    assert len(set(revisions)) == 5


# -- versionAttribute ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "given", "written"),
    [
        (1, 2, True),
        (2, 2, False),
        (2, 1, False),
        (1, 1.5, True),
        (1.5, 1, False),
        (-1, -2, False),
        (None, 0, True),
        ("2", 1, True),
        (2, "1", True),
        (2, None, True),
        (True, 0, True),
        (2, False, True),
        ([5], 1, True),
        (2**64 - 1, 2**64 - 2, False),
        (2**53, 2**53 + 1, True),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "params"),
    [
        ("PUT", "/_api/document/c/k", {}),
        ("PATCH", "/_api/document/c/k", {}),
        ("POST", "/_api/document/c", {"overwriteMode": "replace"}),
        ("POST", "/_api/document/c", {"overwriteMode": "update"}),
    ],
)
def test_an_older_version_is_not_written(
    docs: Api,
    method: str,
    path: str,
    params: dict[str, str],
    stored: object,
    given: object,
    written: bool,
) -> None:
    first = docs.insert("c", {"_key": "k", "version": stored})["_rev"]
    body = {"_key": "k", "version": given, "x": 1}
    answer = docs.request(method, path, body, params={"versionAttribute": "version", **params})
    assert answer.status_code == 202
    assert answer.json()["_oldRev"] == first
    assert (answer.json()["_rev"] != first) is written
    assert ("x" in get(docs)) is written


@pytest.mark.parametrize(
    ("method", "stored", "given"),
    [
        ("PUT", {}, {"version": 1}),
        ("PUT", {"version": 1}, {}),
        ("PUT", {}, {}),
        ("PATCH", {}, {"version": 1}),
        ("PATCH", {"version": 1}, {}),
        ("PATCH", {}, {}),
    ],
)
def test_a_missing_version_is_a_normal_write(
    docs: Api, method: str, stored: dict[str, int], given: dict[str, int]
) -> None:
    first = docs.insert("c", {"_key": "k", **stored})["_rev"]
    params = {"versionAttribute": "version"}
    answer = docs.request(method, "/_api/document/c/k", {**given, "x": 1}, params=params)
    assert answer.json()["_rev"] != first
    assert get(docs)["x"] == 1


# -- key generators ------------------------------------------------------------------------------


@pytest.fixture
def keys_of(api: Api) -> Iterator[Callable[..., list[str]]]:
    """Creates `c` with key options, and inserts documents with the given or generated keys."""

    def insert(*given: str | None, **options: Any) -> list[str]:
        if options:
            api.create_collection("c", keyOptions=options)
        bodies = [{} if key is None else {"_key": key} for key in given]
        return [api.insert("c", body)["_key"] for body in bodies]

    yield insert
    last_value = api.get("/_api/collection/c/properties").json()["keyOptions"].get("lastValue")
    assert last_value is None or isinstance(last_value, int)


def test_traditional_keys_are_growing_numbers(keys_of: Callable[..., list[str]]) -> None:
    keys = keys_of(None, None, None, type="traditional")
    assert keys == sorted(keys, key=int)
    assert len(set(keys)) == 3


def test_traditional_keys_pass_the_numbers_of_users(keys_of: Callable[..., list[str]]) -> None:
    keys = keys_of("9000000000", None, "9000000100x", None, "x9100000000", None, type="traditional")
    assert keys[1] == "9000000001"
    assert keys[3] == "9000000101"
    assert keys[5] == "9000000102"


def test_traditional_keys_start_behind_the_last_value(keys_of: Callable[..., list[str]]) -> None:
    assert keys_of(None, type="traditional", lastValue=9_000_000_000) == ["9000000001"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["1", "2", "3"]),
        ({"increment": 10}, ["10", "20", "30"]),
        ({"offset": 5}, ["5", "6", "7"]),
        ({"increment": 10, "offset": 3}, ["3", "13", "23"]),
        ({"increment": 10, "offset": 3, "lastValue": 14}, ["23", "33", "43"]),
        ({"increment": 65535, "offset": 1}, ["1", "65536", "131071"]),
    ],
)
def test_autoincrement(
    keys_of: Callable[..., list[str]], options: dict[str, int], expected: list[str]
) -> None:
    assert keys_of(None, None, None, type="autoincrement", **options) == expected


def test_autoincrement_passes_the_numbers_of_users(keys_of: Callable[..., list[str]]) -> None:
    keys = keys_of(None, "25", None, "7", None, type="autoincrement", increment=10)
    assert keys == ["10", "25", "30", "7", "40"]


def test_autoincrement_runs_out_of_keys(api: Api) -> None:
    api.create_collection("c", keyOptions={"type": "autoincrement", "lastValue": 2**64 - 2})
    assert api.insert("c", {})["_key"] == str(2**64 - 1)
    assert error_of(api.post("/_api/document/c", {})) == (500, 1225)
    assert api.get("/_api/collection/c/count").json()["count"] == 1


def test_padded_keys_sort_as_texts(keys_of: Callable[..., list[str]]) -> None:
    keys = keys_of(None, "00000000ffffffff", None, "abc", None, type="padded")
    assert all(re.fullmatch("[0-9a-f]{16}", key) for key in (keys[0], keys[2], keys[4]))
    assert keys[2] == "0000000100000000"
    assert keys[0] < keys[2] < keys[4]


def test_uuid_keys(keys_of: Callable[..., list[str]]) -> None:
    pattern = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    keys = keys_of(None, None, "mine", type="uuid")
    assert all(re.fullmatch(pattern, key) for key in keys[:2])
    assert keys[0] != keys[1]
    assert keys[2] == "mine"


@pytest.mark.parametrize("kind", ["traditional", "autoincrement", "padded", "uuid"])
def test_users_may_be_forbidden_to_choose_keys(api: Api, kind: str) -> None:
    api.create_collection("c", keyOptions={"type": kind, "allowUserKeys": False})
    assert error_of(api.post("/_api/document/c", {"_key": "1"})) == (400, 1222)
    key = api.insert("c", {})["_key"]
    assert api.put(f"/_api/document/c/{key}", {"_key": key, "n": 1}).status_code == 202
    assert api.patch(f"/_api/document/c/{key}", {"m": 1}).status_code == 202
    assert get(api, key)["n"] == 1


def test_the_last_value_is_shown_and_survives_removals(api: Api) -> None:
    api.create_collection("c", keyOptions={"type": "autoincrement"})
    api.insert("c", [{}, {"_key": "40"}, {}])
    for key in ("1", "40", "41"):
        assert api.delete(f"/_api/document/c/{key}").status_code == 202
    properties = api.get("/_api/collection/c/properties").json()
    assert properties["keyOptions"]["lastValue"] == 41
    assert api.insert("c", {})["_key"] == "42"


# -- read-only mode ------------------------------------------------------------------------------


def test_read_only_mode_refuses_writes(docs: Api) -> None:
    docs.insert("c", {"_key": "k", "n": 1})
    docs.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        for method, path in (
            ("POST", "/_api/document/c"),
            ("PUT", "/_api/document/c/k"),
            ("PATCH", "/_api/document/c/k"),
            ("DELETE", "/_api/document/c/k"),
            ("PUT", "/_api/document/c"),
            ("PATCH", "/_api/document/c"),
            ("DELETE", "/_api/document/c"),
        ):
            assert error_of(docs.request(method, path, {"n": 2})) == (403, 1004)
        assert content(docs) == {"n": 1}
        assert docs.put("/_api/document/c", ["k"], onlyget=1).json()[0]["n"] == 1
    finally:
        docs.put("/_admin/server/mode", {"mode": "default"})
    assert docs.delete("/_api/document/c/k").status_code == 202
