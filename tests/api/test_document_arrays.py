"""Arrays of documents: one transaction, one result for each item (data-api 6.7 to 6.9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.server import Api, ServerThread

from arangorep.data.collections import rename_collection

IDENTITY = {"_id", "_key", "_rev"}
CHANGED = IDENTITY | {"_oldRev"}
NOT_FOUND = {"error": True, "errorNum": 1202, "errorMessage": "document not found"}
CONFLICT = {
    "error": True,
    "errorNum": 1200,
    "errorMessage": "conflict, _rev values do not match",
}


@pytest.fixture
def docs(api: Api) -> Api:
    """A database with the collection `c` and its documents `a` and `b`."""
    api.create_collection("c")
    api.insert("c", [{"_key": "a", "n": 1}, {"_key": "b", "n": 2}])
    return api


def send(api: Api, method: str, items: Any, **params: Any) -> Any:
    return api.request(method, "/_api/document/c", items, params=params)


def stored(api: Api) -> dict[str, dict[str, Any]]:
    """Every document's own attributes, by key."""
    dumped = api.dump("c", api.create_batch())
    return {
        document["_key"]: {k: v for k, v in document.items() if k not in IDENTITY}
        for document in dumped
    }


def error_codes(answer: Any) -> dict[str, int] | None:
    text = answer.headers.get("x-arango-error-codes")
    return None if text is None else json.loads(text)


# -- every operation -----------------------------------------------------------------------------


def test_insert(docs: Api) -> None:
    answer = send(docs, "POST", [{"_key": "c"}, {"n": 5}, {"_key": "d", "_rev": "x", "_id": 1}])
    assert answer.status_code == 202
    assert error_codes(answer) is None
    assert "etag" not in answer.headers
    assert "location" not in answer.headers
    items = answer.json()
    assert [set(item) for item in items] == [IDENTITY] * 3
    assert [items[0]["_key"], items[2]["_key"]] == ["c", "d"]
    assert all(item["_id"] == f"c/{item['_key']}" for item in items)
    assert len({item["_rev"] for item in items}) == 3
    assert stored(docs) == {
        "a": {"n": 1},
        "b": {"n": 2},
        "c": {},
        items[1]["_key"]: {"n": 5},
        "d": {},
    }


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("PUT", {"a": {"m": 3}, "b": {"m": 4}}),
        ("PATCH", {"a": {"n": 1, "m": 3}, "b": {"n": 2, "m": 4}}),
    ],
)
def test_replace_and_update(docs: Api, method: str, expected: dict[str, dict[str, int]]) -> None:
    before = {key: docs.get(f"/_api/document/c/{key}").json() for key in "ab"}
    items = [{"_key": "b", "m": 4}, {"_id": "c/a", "m": 3}]
    answer = send(docs, method, items, returnOld=1, returnNew=1)
    assert answer.status_code == 202
    found = answer.json()
    assert [set(item) for item in found] == [CHANGED | {"old", "new"}] * 2
    assert [item["_key"] for item in found] == ["b", "a"]
    for item in found:
        assert item["old"] == before[item["_key"]]
        assert item["_oldRev"] == item["old"]["_rev"]
        assert item["new"] == docs.get(f"/_api/document/c/{item['_key']}").json()
        assert item["_rev"] == item["new"]["_rev"] != item["_oldRev"]
    assert stored(docs) == expected


@pytest.mark.parametrize(
    "items",
    [
        ["a", "b"],
        ["c/a", "other/b"],
        [{"_key": "a"}, {"_id": "c/b"}],
        [{"_key": "a", "_id": "c/ignored"}, "b"],
    ],
)
def test_remove(docs: Api, items: list[object]) -> None:
    before = [docs.get(f"/_api/document/c/{key}").json() for key in "ab"]
    answer = send(docs, "DELETE", items, returnOld=1)
    assert answer.status_code == 202
    found = answer.json()
    assert [set(item) for item in found] == [IDENTITY | {"old"}] * 2
    assert [item["old"] for item in found] == before
    assert [item["_rev"] for item in found] == [document["_rev"] for document in before]
    assert stored(docs) == {}


def test_remove_takes_one_object_too(docs: Api) -> None:
    answer = send(docs, "DELETE", {"_key": "a"})
    assert [item["_key"] for item in answer.json()] == ["a"]
    assert stored(docs) == {"b": {"n": 2}}


@pytest.mark.parametrize("flag", ["true", "1", "0", "false", "undefined"])
def test_read(docs: Api, flag: str) -> None:
    expected = [docs.get(f"/_api/document/c/{key}").json() for key in "aba"]
    items = ["a", "nope", {"_id": "c/b"}, "c/a"]
    answer = send(docs, "PUT", items, onlyget=flag)
    assert answer.status_code == 200
    assert answer.json() == [expected[0], NOT_FOUND, expected[1], expected[2]]
    assert error_codes(answer) == {"1202": 1}
    assert send(docs, "PUT", [], onlyget=flag).json() == []


def test_read_without_a_value_for_onlyget(docs: Api) -> None:
    answer = docs.put("/_api/document/c?onlyget", ["a"])
    assert answer.json()[0]["n"] == 1


def test_read_checks_revisions_only_when_asked_for(docs: Api) -> None:
    revision = docs.get("/_api/document/c/a").json()["_rev"]
    items = [{"_key": "a", "_rev": revision}, {"_key": "a", "_rev": "_l6zhVTW---"}, {"_key": "a"}]
    checked = send(docs, "PUT", items, onlyget=1, ignoreRevs="false").json()
    assert [item.get("errorNum") for item in checked] == [None, 1200, None]
    assert checked[1] == CONFLICT
    unchecked = send(docs, "PUT", items, onlyget=1).json()
    assert [item["_rev"] for item in unchecked] == [revision] * 3


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_an_empty_array(docs: Api, server: ServerThread, method: str) -> None:
    def last_tick() -> int:
        return server.call(lambda: server.server.node.store.log.last_tick)

    before = last_tick()
    answer = send(docs, method, [])
    assert (answer.status_code, answer.json()) == (202, [])
    assert error_codes(answer) is None
    assert last_tick() == before


# -- items that fail -----------------------------------------------------------------------------


def test_a_failing_item_does_not_stop_the_others(docs: Api) -> None:
    items = [{"_key": "c"}, {"_key": 1}, {"_key": "a"}, 7, {"_key": "d"}, {"_key": "b"}]
    answer = send(docs, "POST", items)
    assert answer.status_code == 202
    found = answer.json()
    assert [item.get("errorNum") for item in found] == [None, 1221, 1210, 1227, None, 1210]
    assert all(
        set(item) == {"error", "errorNum", "errorMessage"} for item in found if "error" in item
    )
    assert found[2]["errorMessage"].startswith("unique constraint violated")
    assert error_codes(answer) == {"1221": 1, "1210": 2, "1227": 1}
    assert stored(docs).keys() == {"a", "b", "c", "d"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_revisions_of_items(docs: Api, method: str) -> None:
    current = docs.get("/_api/document/c/a").json()["_rev"]
    items = [{"_key": "a", "_rev": current}, {"_key": "b", "_rev": current}, {"_key": "x"}]
    answer = send(docs, method, items, ignoreRevs="false")
    first, second, third = answer.json()
    assert first["_key"] == "a"
    assert (second, third) == (CONFLICT, NOT_FOUND)
    assert error_codes(answer) == {"1200": 1, "1202": 1}
    assert [item.get("errorNum") for item in send(docs, method, items[1:]).json()] == [None, 1202]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_if_match_concerns_single_documents_only(docs: Api, method: str) -> None:
    key = "c" if method == "POST" else "a"
    headers = {"If-Match": "_l6zhVTW---"}
    answer = docs.request(method, "/_api/document/c", [{"_key": key, "n": 3}], headers=headers)
    assert answer.json()[0]["_key"] == key


# -- the same key more than once -----------------------------------------------------------------


def test_an_item_sees_those_before_it(docs: Api) -> None:
    inserted = send(docs, "POST", [{"_key": "x", "n": 1}, {"_key": "x", "n": 2}])
    assert [item.get("errorNum") for item in inserted.json()] == [None, 1210]
    updated = send(docs, "PATCH", [{"_key": "x", "m": n} for n in range(3)]).json()
    assert [item["_oldRev"] for item in updated[1:]] == [item["_rev"] for item in updated[:-1]]
    replaced = send(docs, "PUT", [{"_key": "x", "p": 1}, {"_key": "x", "q": 2}], returnOld=1).json()
    assert replaced[1]["old"]["p"] == 1
    assert stored(docs)["x"] == {"q": 2}
    removed = send(docs, "DELETE", ["x", "x", "a"]).json()
    assert [item.get("errorNum") for item in removed] == [None, 1202, None]
    assert stored(docs).keys() == {"b"}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ignore", {"n": 1}),
        ("replace", {"p": 3}),
        ("update", {"n": 1, "m": 2, "p": 3}),
        ("conflict", {"n": 1}),
    ],
)
def test_overwriting_within_an_array(docs: Api, mode: str, expected: dict[str, int]) -> None:
    items = [{"_key": "x", "n": 1}, {"_key": "x", "m": 2}, {"_key": "x", "p": 3}]
    found = send(docs, "POST", items, overwriteMode=mode, returnOld=1, returnNew=1).json()
    assert stored(docs)["x"] == expected
    if mode == "conflict":
        assert [item.get("errorNum") for item in found] == [None, 1210, 1210]
    elif mode == "ignore":
        assert [set(item) for item in found] == [IDENTITY | {"new"}, IDENTITY, IDENTITY]
        assert len({item["_rev"] for item in found}) == 1
    else:
        assert set(found[0]) == IDENTITY | {"new"}
        assert [set(item) for item in found[1:]] == [CHANGED | {"old", "new"}] * 2
        assert found[2]["_oldRev"] == found[1]["_rev"] == found[2]["old"]["_rev"]


def test_empty_patches_in_an_array_write_nothing(docs: Api) -> None:
    revision = docs.get("/_api/document/c/a").json()["_rev"]
    tick = docs.get("/_api/wal/lastTick").json()["tick"]
    found = send(docs, "PATCH", [{"_key": "a"}, {"_key": "a"}, {"_id": "c/a"}]).json()
    assert [(item["_rev"], item["_oldRev"]) for item in found] == [(revision, revision)] * 3
    assert docs.get("/_api/wal/lastTick").json()["tick"] == tick


# -- silent, waitForSync, versionAttribute -------------------------------------------------------


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_silence_leaves_only_errors(docs: Api, method: str) -> None:
    good = ["x", "y"] if method == "POST" else ["a", "b"]
    bad = "a" if method == "POST" else "x"
    items = [{"_key": good[0]}, {"_key": bad}, {"_key": good[1]}]
    answer = send(docs, method, items, silent=1, returnOld=1, returnNew=1)
    number = 1210 if method == "POST" else 1202
    assert [item["errorNum"] for item in answer.json()] == [number]
    assert error_codes(answer) == {str(number): 1}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_silence_without_errors_is_an_empty_object(docs: Api, method: str) -> None:
    key = "x" if method == "POST" else "a"
    answer = send(docs, method, [{"_key": key, "n": 9}], silent=1)
    assert (answer.status_code, answer.json()) == (202, {})
    assert error_codes(answer) is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("wait", ["parameter", "collection"])
def test_the_status_of_a_synced_array(api: Api, method: str, wait: str) -> None:
    api.create_collection("c", waitForSync=wait == "collection")
    api.insert("c", [{"_key": "a"}])
    params = {"waitForSync": "true"} if wait == "parameter" else {}
    good, bad = ({"_key": "b"}, {"_key": "a"})
    if method != "POST":
        good, bad = bad, good
    synced = 200 if method == "DELETE" else 201
    assert send(api, method, [bad, good, bad], **params).status_code == synced
    assert send(api, method, [{"_key": 1}, 5], **params).status_code == 202  # nothing was stored


def test_older_versions_are_skipped_item_by_item(docs: Api) -> None:
    send(docs, "PATCH", [{"_key": "a", "v": 5}, {"_key": "b", "v": 5}])
    items = [{"_key": "a", "v": 4}, {"_key": "b", "v": 6}, {"_key": "b", "v": 5}]
    found = send(docs, "PATCH", items, versionAttribute="v").json()
    assert [item["_rev"] == item["_oldRev"] for item in found] == [True, False, True]
    assert stored(docs) == {"a": {"n": 1, "v": 5}, "b": {"n": 2, "v": 6}}


# -- many documents ------------------------------------------------------------------------------


def large_insert(count: int) -> list[dict[str, Any]]:
    """Documents of many kinds; every seventh has a key that is taken by its predecessor."""
    documents: list[dict[str, Any]] = []
    for number in range(count):
        key = number - 1 if number % 7 == 6 else number
        documents.append({"_key": f"k{key}", "n": number, "text": "é" * (number % 50)})
    return documents


@pytest.mark.parametrize("count", [199, 200, 201, 1000, 2501])
def test_many_documents_with_some_failures(api: Api, count: int) -> None:
    api.create_collection("c")
    documents = large_insert(count)
    answer = send(api, "POST", documents, returnNew=1)
    found = answer.json()
    assert len(found) == count
    failed = {number for number in range(count) if number % 7 == 6}
    for number, item in enumerate(found):
        if number in failed:
            assert item["errorNum"] == 1210
        else:
            assert {"_key": item["_key"], **documents[number]} == documents[number]
            assert item["new"]["n"] == number
    assert error_codes(answer) == {"1210": len(failed)}
    assert (
        len(stored(api))
        == count - len(failed)
        == api.get("/_api/collection/c/count").json()["count"]
    )


@pytest.mark.parametrize("count", [200, 1000])
@pytest.mark.parametrize("params", [{}, {"returnNew": 1}, {"silent": 1}])
def test_many_generated_keys(api: Api, count: int, params: dict[str, int]) -> None:
    api.create_collection("c")
    answer = send(api, "POST", [{"n": number} for number in range(count)], **params)
    by_number = {document["n"]: key for key, document in stored(api).items()}
    assert sorted(by_number) == list(range(count))
    if "silent" in params:
        assert answer.json() == {}
    else:
        assert [item["_key"] for item in answer.json()] == [by_number[n] for n in range(count)]
        assert [item["_id"] for item in answer.json()] == [
            f"c/{by_number[n]}" for n in range(count)
        ]


def test_many_updates_replacements_reads_and_removals(api: Api) -> None:
    api.create_collection("c")
    keys = [f"k{number}" for number in range(1234)]
    send(api, "POST", [{"_key": key, "n": 0, "o": {"a": 1}} for key in keys])
    updated = send(api, "PATCH", [{"_key": key, "o": {"b": 2}} for key in keys]).json()
    assert all(item["_rev"] != item["_oldRev"] for item in updated)
    assert set(map(str, stored(api).values())) == {"{'n': 0, 'o': {'a': 1, 'b': 2}}"}
    replaced = send(api, "PUT", [{"_key": key, "m": 1} for key in keys]).json()
    assert [item["_oldRev"] for item in replaced] == [item["_rev"] for item in updated]
    read = send(api, "PUT", keys, onlyget=1).json()
    assert [item["_rev"] for item in read] == [item["_rev"] for item in replaced]
    removed = send(api, "DELETE", [*keys[::2], *keys[::2]])
    assert error_codes(removed) == {"1202": 617}
    assert stored(api).keys() == set(keys[1::2])


@pytest.mark.parametrize(
    "write",
    [
        lambda api: send(api, "POST", [{"_key": "x"}, {"_key": "a"}, {"_key": "y"}]),
        lambda api: send(api, "PUT", [{"_key": "a"}, {"_key": "b"}, {"_key": "x"}]),
        lambda api: send(api, "DELETE", ["a", "b"]),
    ],
)
def test_an_array_is_one_transaction_in_the_log(docs: Api, write: Callable[[Api], Any]) -> None:
    after = docs.get("/_api/wal/lastTick").json()["tick"]
    write(docs)
    markers = docs.tail(after)
    kinds = [marker["type"] for marker in markers]
    assert (kinds[0], kinds[-1], len(kinds)) == (2200, 2201, 4)
    assert len({marker["tid"] for marker in markers}) == 1


def test_a_rename_while_the_answer_waits_for_the_disk(
    server: ServerThread, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer tells the name under which the documents were written."""
    api.create_collection("short")
    services = server.server.node.services
    sync = services.group_sync.wait

    async def rename_first() -> None:
        collection = services.store.catalog.database(api.database).find("short")
        database = services.store.catalog.database(api.database)
        rename_collection(services.store, database, collection, {"name": "a_much_longer_name"})
        await sync()

    monkeypatch.setattr(services.group_sync, "wait", rename_first)
    documents = [{"_key": f"k{n}", "text": "x" * 40} for n in range(20)]
    answer = api.post("/_api/document/short", documents, waitForSync="true")
    assert [item["_id"] for item in answer.json()] == [f"short/k{n}" for n in range(20)]
