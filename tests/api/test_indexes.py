"""Indexes: definitions of every type, uniqueness enforced on every write (data-api 8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.server import Api, ServerThread, error_of

from arangorep.config import Config

PRIMARY = {
    "id": "c/0",
    "type": "primary",
    "name": "primary",
    "fields": ["_key"],
    "unique": True,
    "sparse": False,
    "selectivityEstimate": 1,
}

EDGE = {
    "id": "c/1",
    "type": "edge",
    "name": "edge",
    "fields": ["_from", "_to"],
    "unique": False,
    "sparse": False,
    "selectivityEstimate": 1,
}

PERSISTENT = {
    "type": "persistent",
    "fields": ["a"],
    "unique": False,
    "sparse": False,
    "deduplicate": True,
    "estimates": True,
    "cacheEnabled": False,
    "selectivityEstimate": 1,
}


@pytest.fixture
def docs(api: Api) -> Api:
    """A database with the empty collection `c`."""
    api.create_collection("c")
    return api


def create(api: Api, **definition: Any) -> Any:
    return api.post("/_api/index", {"type": "persistent", **definition}, collection="c")


def unique(api: Api, *fields: str, **more: Any) -> dict[str, Any]:
    """Create a unique index; returns its description."""
    answer = create(api, fields=list(fields), unique=True, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()


def listed(api: Api, **params: Any) -> list[dict[str, Any]]:
    answer = api.get("/_api/index", collection="c", **params).json()
    assert answer["identifiers"] == {index["id"]: index for index in answer["indexes"]}
    return answer["indexes"]


# -- definitions ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "builtin"), [(2, [PRIMARY]), (3, [PRIMARY, EDGE])])
def test_a_new_collection_has_its_builtin_indexes(
    api: Api, kind: int, builtin: list[dict[str, Any]]
) -> None:
    api.create_collection("c", type=kind)
    assert listed(api) == builtin
    for index in builtin:
        for handle in (index["id"].partition("/")[2], index["name"]):
            found = api.get(f"/_api/index/c/{handle}").json()
            assert found == {**index, "error": False, "code": 200}
            assert error_of(api.delete(f"/_api/index/c/{handle}")) == (403, 11)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ({}, {}),
        ({"unique": True, "sparse": True}, {"unique": True, "sparse": True}),
        ({"unique": "yes", "sparse": 1}, {}),
        (
            {"deduplicate": False, "cacheEnabled": True},
            {"deduplicate": False, "cacheEnabled": True},
        ),
        ({"estimates": False, "unique": True}, {"estimates": False, "unique": True}),
        ({"storedValues": ["b", "c.d"]}, {"storedValues": ["b", "c.d"]}),
        ({"storedValues": []}, {}),
        ({"inBackground": True, "unknown": 1}, {}),
        ({"fields": ["b.c.d", "e[*].f", "_key"]}, {"fields": ["b.c.d", "e[*].f", "_key"]}),
        ({"fields": ["maçã", "with blank"]}, {"fields": ["maçã", "with blank"]}),
        ({"type": "hash"}, {"type": "hash"}),
        ({"type": "skiplist", "sparse": True}, {"type": "skiplist", "sparse": True}),
        ({"name": "byA"}, {"name": "byA"}),
        ({"name": "_under"}, {"name": "_under"}),
        ({"name": "索引 2"}, {"name": "索引 2"}),
        ({"name": "cafe\u0301"}, {"name": "caf\u00e9"}),
        ({"name": "x" * 256}, {"name": "x" * 256}),
    ],
)
def test_a_persistent_index(docs: Api, given: dict[str, Any], stored: dict[str, Any]) -> None:
    answer = create(docs, **{"fields": ["a"], **given})
    assert answer.status_code == 201
    created = answer.json()
    assert created.pop("isNewlyCreated") is True
    assert (created.pop("error"), created.pop("code")) == (False, 201)
    assert created["id"].startswith("c/")
    assert created["name"]
    expected = {**PERSISTENT, "id": created["id"], "name": created["name"], **stored}
    assert created == expected
    assert listed(docs) == [PRIMARY, created]
    for handle in (created["id"].partition("/")[2], created["name"]):
        found = docs.get(f"/_api/index/c/{quote(handle)}").json()
        assert found == {**created, "error": False, "code": 200}


def test_an_index_without_estimates_shows_none(docs: Api) -> None:
    created = create(docs, fields=["a"], estimates=False).json()
    assert created["estimates"] is False
    assert "selectivityEstimate" not in created


def test_default_names_are_numbers_and_differ(docs: Api) -> None:
    names = [create(docs, fields=[field]).json()["name"] for field in "abc"]
    assert all(name.startswith("idx_") and name[4:].isdigit() for name in names)
    assert len(set(names)) == 3


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (
            {"type": "ttl", "fields": ["t"], "expireAfter": 3600, "unique": True},
            {"fields": ["t"], "expireAfter": 3600, "estimates": False},
        ),
        (
            {"type": "ttl", "fields": ["t"], "expireAfter": 0.5, "estimates": True},
            {"fields": ["t"], "expireAfter": 0.5, "estimates": True, "selectivityEstimate": 1},
        ),
        (
            {"type": "geo", "fields": ["lat", "lon"]},
            {
                "fields": ["lat", "lon"],
                "geoJson": False,
                "legacyPolygons": False,
                "bestIndexedLevel": 17,
                "worstIndexedLevel": 4,
                "maxNumCoverCells": 8,
            },
        ),
        (
            {"type": "geo", "fields": ["p"], "geoJson": True, "maxNumCoverCells": 12},
            {
                "fields": ["p"],
                "geoJson": True,
                "legacyPolygons": False,
                "bestIndexedLevel": 17,
                "worstIndexedLevel": 4,
                "maxNumCoverCells": 12,
            },
        ),
        ({"type": "fulltext", "fields": ["t"]}, {"fields": ["t"], "minLength": 2}),
        (
            {"type": "fulltext", "fields": ["t"], "minLength": 4},
            {"fields": ["t"], "minLength": 4},
        ),
        (
            {"type": "mdi", "fields": ["x", "y"], "fieldValueTypes": "double"},
            {
                "fields": ["x", "y"],
                "fieldValueTypes": "double",
                "estimates": False,
                "sparse": False,
                "selectivityEstimate": 1,
            },
        ),
        (
            {
                "type": "mdi-prefixed",
                "fields": ["x"],
                "prefixFields": ["p"],
                "fieldValueTypes": "double",
            },
            {
                "fields": ["x"],
                "prefixFields": ["p"],
                "fieldValueTypes": "double",
                "estimates": False,
                "sparse": False,
                "selectivityEstimate": 1,
            },
        ),
    ],
)
def test_other_types_are_stored(docs: Api, given: dict[str, Any], stored: dict[str, Any]) -> None:
    created = create(docs, **given).json()
    for name in ("id", "name", "isNewlyCreated", "error", "code"):
        created.pop(name)
    assert created == {"type": given["type"], "unique": False, "sparse": True, **stored}
    docs.insert("c", [{"t": 1}, {"t": 1}, {"lat": 1}, {"x": 1, "p": 1}, {"x": 1, "p": 1}])


def test_an_inverted_index_keeps_its_definition(docs: Api) -> None:
    fields = ["a", {"name": "b.c", "analyzer": "text_en"}]
    created = create(docs, type="inverted", fields=fields, analyzer="identity").json()
    assert created["fields"] == [{"name": "a"}, {"name": "b.c", "analyzer": "text_en"}]
    assert created["primarySort"] == {"fields": [], "compression": "lz4"}
    assert created["storedValues"] == []
    assert listed(docs)[1]["consolidationPolicy"]["type"] == "tier"


def test_the_list_with_stats_and_selectivity(docs: Api) -> None:
    created = create(docs, fields=["a"]).json()
    assert all("figures" not in index for index in listed(docs))
    assert all("figures" in index for index in listed(docs, withStats="true"))
    answer = docs.get("/_api/index/selectivity", collection="c").json()
    assert answer["indexes"] == {"c/0": 1, created["id"]: 1}
    assert docs.post("/_api/index/sync-caches").json() == {
        "error": False,
        "code": 200,
        "result": {},
    }


@pytest.mark.parametrize("handle", ["c", "id", "guid"])
def test_the_collection_may_be_named_by_id(docs: Api, handle: str) -> None:
    properties = docs.get("/_api/collection/c").json()
    text = {"c": "c", "id": properties["id"], "guid": properties["globallyUniqueId"]}[handle]
    definition = {"type": "persistent", "fields": ["a"]}
    created = docs.post("/_api/index", definition, collection=text).json()
    assert created["id"].startswith("c/")
    path = f"/_api/index/{quote(text, safe='')}/{created['id'].partition('/')[2]}"
    assert docs.get(path).json()["name"] == created["name"]
    assert docs.delete(path).json()["id"] == created["id"]


# -- equality and names --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        ({}, False),
        ({"name": "other"}, False),
        ({"deduplicate": False, "estimates": False, "cacheEnabled": True}, False),
        ({"inBackground": True}, False),
        ({"unique": False}, True),
        ({"sparse": True}, True),
        ({"fields": ["b", "a"]}, True),
        ({"fields": ["a"]}, True),
        ({"fields": ["a", "b", "c"]}, True),
        ({"type": "hash"}, True),
        ({"storedValues": ["x"]}, True),
    ],
)
def test_an_equal_index_is_created_once(docs: Api, change: dict[str, Any], is_new: bool) -> None:
    definition = {"fields": ["a", "b"], "unique": True, "name": "first"}
    first = create(docs, **definition).json()
    answer = create(docs, **{**definition, "name": "second", **change})
    assert answer.status_code == (201 if is_new else 200)
    found = answer.json()
    assert (found["isNewlyCreated"], found["code"]) == (is_new, answer.status_code)
    assert (found["id"] != first["id"]) is is_new
    assert len(listed(docs)) == (3 if is_new else 2)
    if not is_new:
        assert found["name"] == "first"


@pytest.mark.parametrize(
    "definition", [{"type": "ttl", "expireAfter": 5}, {"type": "geo"}, {"type": "fulltext"}]
)
def test_type_specific_options_take_part_in_equality(docs: Api, definition: dict[str, Any]) -> None:
    options: dict[str, dict[str, Any]] = {
        "ttl": {"expireAfter": 6},
        "geo": {"geoJson": True},
        "fulltext": {"minLength": 3},
    }
    assert create(docs, fields=["a"], **definition).status_code == 201
    assert create(docs, fields=["a"], **definition).status_code == 200
    changed = {**definition, **options[definition["type"]]}
    assert create(docs, fields=["a"], **changed).status_code == 201


@pytest.mark.parametrize("name", ["taken", "primary", "edge"])
def test_a_taken_name(docs: Api, name: str) -> None:
    create(docs, fields=["a"], name="taken")
    answer = create(docs, fields=["b"], name=name)
    assert error_of(answer) == (400, 1005)
    assert answer.json()["errorMessage"].startswith("duplicate value for `id` or `name`")
    assert len(listed(docs)) == 2


def test_names_are_per_collection(docs: Api) -> None:
    docs.create_collection("d")
    for collection in ("c", "d"):
        definition = {"type": "persistent", "fields": ["a"], "name": "same"}
        assert docs.post("/_api/index", definition, collection=collection).status_code == 201


def test_32_stored_values_are_the_most(docs: Api) -> None:
    values = [f"v{number}" for number in range(33)]
    assert create(docs, fields=["a"], storedValues=values[:32]).status_code == 201
    assert error_of(create(docs, fields=["b"], storedValues=values)) == (400, 10)


# -- drop ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{number}", "{name}", "c%2F{number}", "c%2F{name}"])
def test_drop(docs: Api, form: str) -> None:
    created = unique(docs, "a", name="by a")
    docs.insert("c", {"a": 1})
    number = created["id"].partition("/")[2]
    path = "/_api/index/c/" + form.format(number=number, name=quote("by a"))
    answer = docs.delete(path)
    assert answer.status_code == 200
    assert answer.json() == {"id": created["id"], "error": False, "code": 200}
    assert listed(docs) == [PRIMARY]
    assert error_of(docs.delete(path)) == (404, 1212)
    docs.insert("c", {"a": 1})


def test_a_name_and_a_definition_are_free_after_a_drop(docs: Api) -> None:
    first = unique(docs, "a", name="again")
    docs.insert("c", {"a": 1})
    docs.delete("/_api/index/c/again")
    second = unique(docs, "a", name="again")
    assert second["id"] != first["id"]
    assert error_of(docs.post("/_api/document/c", {"a": 1})) == (409, 1210)


def test_an_index_of_another_collection_is_not_dropped(docs: Api) -> None:
    docs.create_collection("d")
    number = unique(docs, "a", name="of c")["id"].partition("/")[2]
    assert error_of(docs.delete(f"/_api/index/d/{number}")) == (404, 1212)
    assert error_of(docs.delete("/_api/index/d/of%20c")) == (404, 1212)
    assert error_of(docs.delete(f"/_api/index/d/c%2F{number}")) == (400, 1213)
    assert len(listed(docs)) == 2


def test_read_only_mode_refuses_indexes(docs: Api) -> None:
    create(docs, fields=["a"], name="kept")
    docs.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        assert error_of(create(docs, fields=["b"])) == (403, 1004)
        assert error_of(docs.delete("/_api/index/c/kept")) == (403, 1004)
        assert len(listed(docs)) == 2
    finally:
        docs.put("/_admin/server/mode", {"mode": "default"})


def test_indexes_survive_a_restart(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0)
    with ServerThread(config) as first, Api(first.url, "_system") as client:
        client.create_collection("c")
        unique(client, "n", sparse=True)
        create(client, type="ttl", fields=["t"], expireAfter=5)
        create(client, type="inverted", fields=[{"name": "x"}])
        client.insert("c", [{"_key": "a", "n": 1}, {"_key": "b"}])
        before = listed(client)
    with ServerThread(config) as second, Api(second.url, "_system") as client:
        assert listed(client) == before
        assert error_of(client.post("/_api/document/c", {"n": 1})) == (409, 1210)
        assert client.put("/_api/document/c/a", {"n": 2}).status_code == 202
        client.insert("c", {"n": 1})


# -- uniqueness ----------------------------------------------------------------------------------


def violates(answer: Any, index: dict[str, Any], key: str) -> bool:
    """Whether the answer blames this index and the document with this key."""
    assert error_of(answer) == (409, 1210)
    text = (
        f"unique constraint violated - in index {index['name']} of type {index['type']} "
        f"over '{', '.join(index['fields'])}'; conflicting key: {key}"
    )
    return bool(answer.json()["errorMessage"] == text)


@pytest.mark.parametrize("kind", ["persistent", "hash", "skiplist"])
def test_every_write_is_checked(docs: Api, kind: str) -> None:
    index = unique(docs, "n", type=kind, name="by_n")
    docs.insert("c", [{"_key": "a", "n": 1}, {"_key": "b", "n": 2}])
    before = docs.get("/_api/wal/lastTick").json()["tick"]
    assert violates(docs.post("/_api/document/c", {"n": 1}), index, "a")
    assert violates(docs.put("/_api/document/c/b", {"n": 1}), index, "a")
    assert violates(docs.patch("/_api/document/c/a", {"n": 2.0}), index, "b")
    for mode in ("replace", "update"):
        body = {"_key": "b", "n": 1}
        assert violates(docs.post("/_api/document/c", body, overwriteMode=mode), index, "a")
    assert docs.get("/_api/wal/lastTick").json()["tick"] == before
    assert docs.put("/_api/document/c/a", {"n": 1}).status_code == 202
    assert docs.patch("/_api/document/c/a", {"m": 1}).status_code == 202
    assert (
        docs.post("/_api/document/c", {"_key": "a", "n": 1}, overwriteMode="replace").status_code
        == 202
    )


def test_a_value_is_free_again_after_the_document_changed_or_went(docs: Api) -> None:
    unique(docs, "n")
    docs.insert("c", [{"_key": "a", "n": 1}, {"_key": "b", "n": 2}, {"_key": "c", "n": 3}])
    docs.patch("/_api/document/c/a", {"n": 10})
    docs.put("/_api/document/c/b", {"n": 20})
    docs.delete("/_api/document/c/c")
    docs.insert("c", [{"n": 1}, {"n": 2}, {"n": 3}])
    assert docs.get("/_api/collection/c/count").json()["count"] == 5


def test_values_change_hands_within_an_array(docs: Api) -> None:
    unique(docs, "n")
    items = [{"_key": "a", "n": 1}, {"_key": "b", "n": 1}, {"_key": "c", "n": 2}]
    found = docs.insert("c", items)
    assert [item.get("errorNum") for item in found] == [None, 1210, None]
    moved = docs.patch("/_api/document/c", [{"_key": "a", "n": 3}, {"_key": "c", "n": 1}]).json()
    assert [item.get("errorNum") for item in moved] == [None, None]
    swapped = docs.put("/_api/document/c", [{"_key": "a", "n": 1}, {"_key": "c", "n": 3}]).json()
    assert [item.get("errorNum") for item in swapped] == [1210, 1210]
    removed = docs.delete("/_api/document/c", ["a"]).json()
    assert removed[0]["_key"] == "a"
    assert docs.insert("c", [{"n": 3}, {"n": 1}])[1]["errorNum"] == 1210


@pytest.mark.parametrize("count", [200, 1000])
def test_many_documents_against_a_unique_index(docs: Api, count: int) -> None:
    unique(docs, "n")
    found = docs.insert("c", [{"n": number // 2} for number in range(count)])
    assert [item.get("errorNum") for item in found] == [None, 1210] * (count // 2)
    assert docs.get("/_api/collection/c/count").json()["count"] == count // 2


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        (1, 1, True),
        (1, 1.0, True),
        (0, -0.0, True),
        (2**53, float(2**53), True),
        (2**64 - 1, 2**64 - 2, False),
        (1, "1", False),
        (1, True, False),
        (0, False, False),
        (0, None, False),
        (False, None, False),
        ("", None, False),
        ("a", "A", False),
        ("é", "e\u0301", False),
        ("x" * 300, "x" * 300, True),
        ("x" * 300, "x" * 299 + "y", False),
        ([], [], True),
        ([1, 2], [1.0, 2.0], True),
        ([1, 2], [2, 1], False),
        ([1], 1, False),
        ([], {}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "x"}]}, True),
        (None, None, True),
    ],
)
def test_which_values_are_equal(docs: Api, one: object, other: object, collide: bool) -> None:
    unique(docs, "v")
    docs.insert("c", {"v": one})
    answer = docs.post("/_api/document/c", {"v": other})
    assert answer.status_code == (409 if collide else 202)


@pytest.mark.parametrize(
    ("fields", "one", "other", "sparse_collides", "full_collides"),
    [
        (["a"], {}, {}, False, True),
        (["a"], {"a": None}, {}, False, True),
        (["a"], {"a": None}, {"a": None}, False, True),
        (["a"], {"a": 1}, {"a": 1}, True, True),
        (["a"], {"a": 1}, {}, False, False),
        (["a", "b"], {"a": 1}, {"a": 1}, False, True),
        (["a", "b"], {"a": 1, "b": 2}, {"a": 1, "b": 2}, True, True),
        (["a", "b"], {"a": 1, "b": 2}, {"a": 2, "b": 1}, False, False),
        (["a", "b"], {"a": "1", "b": "2:"}, {"a": "1s2", "b": ":"}, False, False),
        (["a.b"], {"a": {"b": 1}}, {"a": {"b": 1}}, True, True),
        (["a.b"], {"a": {"b": 1}}, {"a.b": 1}, False, False),
        (["a.b"], {"a": 1}, {"a": {"c": 1}}, False, True),
        (["a.b"], {"a": [{"b": 1}]}, {}, False, True),
        (["a[*]"], {"a": [1, 2]}, {"a": [2, 3]}, True, True),
        (["a[*]"], {"a": [1, 2]}, {"a": [3, 4]}, False, False),
        (["a[*]"], {"a": [1]}, {"a": 1}, False, False),
        (["a[*]"], {"a": []}, {}, False, True),
        (["a[*].b"], {"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": 1}]}, True, True),
        (["a[*]", "c"], {"a": [1, 2], "c": 1}, {"a": [2], "c": 2}, False, False),
        (["a[*]", "c"], {"a": [1, 2], "c": 1}, {"a": [2], "c": 1}, True, True),
    ],
)
@pytest.mark.parametrize("sparse", [True, False])
def test_missing_values_paths_and_expansions(
    docs: Api,
    fields: list[str],
    one: dict[str, Any],
    other: dict[str, Any],
    sparse_collides: bool,
    full_collides: bool,
    sparse: bool,
) -> None:
    unique(docs, *fields, sparse=sparse)
    docs.insert("c", one)
    answer = docs.post("/_api/document/c", other)
    assert answer.status_code == (409 if (sparse_collides if sparse else full_collides) else 202)


@pytest.mark.parametrize(("deduplicate", "status"), [(True, 202), (False, 409)])
def test_equal_elements_of_one_document(docs: Api, deduplicate: bool, status: int) -> None:
    index = unique(docs, "a[*]", deduplicate=deduplicate)
    answer = docs.post("/_api/document/c", {"_key": "k", "a": [1, 2, 1]})
    assert answer.status_code == status
    if not deduplicate:
        assert violates(answer, index, "k")
    assert docs.post("/_api/document/c", {"_key": "l", "a": [3]}).status_code == 202


def test_several_unique_indexes(docs: Api) -> None:
    by_a, by_b = unique(docs, "a"), unique(docs, "b", sparse=True)
    docs.insert("c", {"_key": "k", "a": 1, "b": 1})
    assert violates(docs.post("/_api/document/c", {"a": 1, "b": 2}), by_a, "k")
    assert violates(docs.post("/_api/document/c", {"a": 2, "b": 1}), by_b, "k")
    docs.insert("c", {"a": 2})  # nothing of the refused ones is left behind
    docs.insert("c", {"a": 3, "b": 2})


def test_system_attributes_in_a_unique_index(api: Api) -> None:
    api.create_collection("c", type=3)
    unique(api, "_from", "_to")
    unique(api, "_key", "x")
    edge = {"_from": "v/1", "_to": "v/2"}
    api.insert("c", edge)
    assert error_of(api.post("/_api/document/c", edge)) == (409, 1210)
    api.insert("c", {"_from": "v/2", "_to": "v/1"})


# -- an index over documents that are there ------------------------------------------------------


def test_creating_a_unique_index_over_equal_values_fails(docs: Api) -> None:
    docs.insert("c", [{"_key": f"k{n}", "n": n % 999} for n in range(1000)])
    before = docs.get("/_api/wal/lastTick").json()["tick"]
    answer = create(docs, fields=["n"], unique=True, name="by_n")
    assert error_of(answer) == (400, 1210)
    assert "in index by_n of type persistent over 'n'" in answer.json()["errorMessage"]
    assert listed(docs) == [PRIMARY]
    assert docs.get("/_api/wal/lastTick").json()["tick"] == before
    docs.insert("c", {"n": 5})
    assert create(docs, fields=["n"], name="by_n").status_code == 201


def test_a_unique_index_knows_the_documents_that_were_there(docs: Api) -> None:
    docs.insert("c", [{"_key": f"k{n}", "n": n} for n in range(1000)])
    index = unique(docs, "n", sparse=True)
    assert violates(docs.post("/_api/document/c", {"n": 777}), index, "k777")
    docs.delete("/_api/document/c/k777")
    docs.insert("c", {"n": 777})


def test_a_unique_index_over_arrays_that_were_there(docs: Api) -> None:
    docs.insert("c", {"_key": "k", "a": [1, 1]})
    assert error_of(create(docs, fields=["a[*]"], unique=True, deduplicate=False)) == (400, 1210)
    index = unique(docs, "a[*]")
    assert violates(docs.post("/_api/document/c", {"a": [2, 1]}), index, "k")


@pytest.mark.parametrize("body", [{"_key": "k", "n": 2}, {"_key": "other", "n": 1}])
def test_truncate_and_drop_free_the_values(docs: Api, body: dict[str, Any]) -> None:
    unique(docs, "n")
    docs.insert("c", {"_key": "k", "n": 1})
    docs.put("/_api/collection/c/truncate")
    docs.insert("c", body)
    docs.delete("/_api/collection/c")
    docs.create_collection("c")
    assert listed(docs) == [PRIMARY]
    docs.insert("c", [{"n": 1}, {"n": 1}])
