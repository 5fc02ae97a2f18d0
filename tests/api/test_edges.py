"""Edge collections: `_from` and `_to` (data-api 5.5, 6)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from support.server import Api, error_of

IDENTITY = {"_id", "_key", "_rev"}


@pytest.fixture
def edges(api: Api) -> Api:
    """A database with the empty edge collection `e`."""
    api.create_collection("e", type=3)
    return api


def get(api: Api, key: str = "k") -> dict[str, Any]:
    return api.get(f"/_api/document/e/{key}").json()


def ends(api: Api, key: str = "k") -> tuple[str, str]:
    edge = get(api, key)
    return edge["_from"], edge["_to"]


def test_an_edge_is_stored_with_its_ends_in_front(edges: Api) -> None:
    answer = edges.post(
        "/_api/document/e", {"n": 1, "_to": "v/2", "_key": "k", "_from": "v/1"}, returnNew=1
    )
    assert answer.status_code == 202
    assert set(answer.json()) == IDENTITY | {"new"}
    edge = get(edges)
    assert list(edge) == ["_key", "_id", "_from", "_to", "_rev", "n"]
    assert ends(edges) == ("v/1", "v/2")
    assert answer.json()["new"] == edge


def test_the_ends_need_not_exist(edges: Api) -> None:
    edges.insert("e", {"_from": "nowhere/1", "_to": "e/never"})


@pytest.mark.parametrize(
    "handle",
    [
        "v/k",
        "_users/k",
        "12345/k",
        "maçã/k",
        "😀/k",
        "with blank/k",
        "v/" + "x" * 254,
        "x" * 256 + "/k",
        "v/azAZ09_-.@()+,=;$!*'%:",
    ],
)
def test_handles(edges: Api, handle: str) -> None:
    edges.insert("e", {"_key": "k", "_from": handle, "_to": "v/1"})
    edges.put("/_api/document/e/k", {"_from": "v/1", "_to": handle})
    assert ends(edges) == ("v/1", handle)


@pytest.mark.parametrize(
    "bad",
    [{}, {"_from": "v/1"}, {"_to": "v/1"}, {"_from": "v/1", "_to": "v"}, {"_from": 1, "_to": 2}],
)
def test_both_ends_are_required(edges: Api, bad: dict[str, object]) -> None:
    good = {"_key": "k", "_from": "v/1", "_to": "v/2"}
    assert error_of(edges.post("/_api/document/e", bad)) == (400, 1233)
    items = edges.insert("e", [bad, good, bad])
    assert [item.get("errorNum") for item in items] == [1233, None, 1233]
    assert error_of(edges.put("/_api/document/e/k", bad)) == (400, 1233)
    items = edges.put("/_api/document/e", [{**bad, "_key": "k"}, good]).json()
    assert [item.get("errorNum") for item in items] == [1233, None]
    assert ends(edges) == ("v/1", "v/2")


def test_an_update_may_leave_the_ends_out(edges: Api) -> None:
    edges.insert("e", {"_key": "k", "_from": "v/1", "_to": "v/2", "o": {"a": 1}})
    assert edges.patch("/_api/document/e/k", {"o": {"b": 2}}).status_code == 202
    assert edges.patch("/_api/document/e/k", {"_to": "v/3"}).status_code == 202
    assert ends(edges) == ("v/1", "v/3")
    assert get(edges)["o"] == {"a": 1, "b": 2}
    assert list(get(edges)) == ["_key", "_id", "_from", "_to", "_rev", "o"]


@pytest.mark.parametrize("bad", [None, "", "v", 1, "v/a b"])
@pytest.mark.parametrize("end", ["_from", "_to"])
def test_an_update_may_not_break_an_end(edges: Api, end: str, bad: object) -> None:
    edges.insert("e", {"_key": "k", "_from": "v/1", "_to": "v/2"})
    for keep_null in ("true", "false"):
        answer = edges.patch("/_api/document/e/k", {end: bad}, keepNull=keep_null)
        assert error_of(answer) == (400, 1233)
    assert ends(edges) == ("v/1", "v/2")


def test_a_replacement_takes_new_ends(edges: Api) -> None:
    edges.insert("e", {"_key": "k", "_from": "v/1", "_to": "v/2", "n": 1})
    old = get(edges)
    answer = edges.put(
        "/_api/document/e/k", {"_from": "w/1", "_to": "w/2"}, returnOld=1, returnNew=1
    ).json()
    assert answer["old"] == old
    assert answer["new"] == get(edges)
    assert ends(edges) == ("w/1", "w/2")
    assert "n" not in get(edges)


@pytest.mark.parametrize("mode", ["replace", "update", "ignore"])
def test_overwriting_an_edge_needs_valid_ends(edges: Api, mode: str) -> None:
    edges.insert("e", {"_key": "k", "_from": "v/1", "_to": "v/2", "n": 1})
    bad = {"_key": "k", "_from": "v/9", "_to": "v"}
    assert error_of(edges.post("/_api/document/e", bad, overwriteMode=mode)) == (400, 1233)
    good = {"_key": "k", "_from": "v/8", "_to": "v/9"}
    assert edges.post("/_api/document/e", good, overwriteMode=mode).status_code == 202
    assert ends(edges) == (("v/1", "v/2") if mode == "ignore" else ("v/8", "v/9"))
    assert ("n" in get(edges)) is (mode != "replace")


@pytest.mark.parametrize("count", [1, 200, 450])
def test_arrays_of_edges(edges: Api, count: int) -> None:
    items = [
        {"_key": f"k{n}", "_from": f"v/{n}", "_to": f"v/{n + 1}", "n": n} for n in range(count)
    ]
    inserted = edges.insert("e", items)
    assert [item["_key"] for item in inserted] == [item["_key"] for item in items]
    assert all(set(item) == IDENTITY for item in inserted)
    updated = edges.patch("/_api/document/e", [{"_key": "k0", "_to": "w/1"}], returnNew=1).json()
    assert updated[0]["new"]["_to"] == "w/1"
    read = edges.put("/_api/document/e", [item["_key"] for item in items], onlyget=1).json()
    assert [edge["_from"] for edge in read] == [item["_from"] for item in items]
    assert [edge["n"] for edge in read] == list(range(count))


def test_a_renamed_vertex_collection_leaves_the_ends_alone(edges: Api) -> None:
    edges.create_collection("v")
    edges.insert("v", {"_key": "1"})
    edges.insert("e", {"_key": "k", "_from": "v/1", "_to": "v/1"})
    edges.put("/_api/collection/v/rename", {"name": "w"})
    assert ends(edges) == ("v/1", "v/1")
    edges.put("/_api/collection/e/rename", {"name": "rëlation"})
    edge = edges.get(f"/_api/document/{quote('rëlation')}/k").json()
    assert (edge["_id"], edge["_from"]) == ("rëlation/k", "v/1")


def test_in_a_document_collection_the_ends_are_ordinary(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": "k", "_from": 1, "_to": None})
    stored = api.get("/_api/document/c/k").json()
    assert (stored["_from"], stored["_to"]) == (1, None)
    api.patch("/_api/document/c/k", {"_from": None}, keepNull="false")
    assert "_from" not in api.get("/_api/document/c/k").json()
