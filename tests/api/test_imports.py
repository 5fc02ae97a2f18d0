"""Bulk import: three forms of a body, four ways to treat duplicates (data-api 7)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.server import Api, error_of

IDENTITY = {"_id", "_key", "_rev"}
COUNTERS = ("created", "errors", "empty", "updated", "ignored")


@pytest.fixture
def docs(api: Api) -> Api:
    """A database with the empty collection `c` and the empty edge collection `e`."""
    api.create_collection("c")
    api.create_collection("e", type=3)
    return api


def send(api: Api, body: Any, collection: str = "c", **params: Any) -> Any:
    return api.post("/_api/import", body, collection=collection, **params)


def run(api: Api, body: Any, collection: str = "c", **params: Any) -> dict[str, Any]:
    """The answer of an import that was processed; its counters that are 0 are left out."""
    answer = send(api, body, collection, **params)
    assert answer.status_code == 201, answer.text
    counts = answer.json()
    wanted = {"error", *COUNTERS} | ({"details"} if params.get("details") else set())
    assert set(counts) == wanted
    assert counts.pop("error") is False
    return {name: value for name, value in counts.items() if value or name == "details"}


def stored(api: Api, collection: str = "c") -> dict[str, dict[str, Any]]:
    dumped = api.dump(collection, api.create_batch())
    return {
        document["_key"]: {k: v for k, v in document.items() if k not in IDENTITY}
        for document in dumped
    }


# -- forms of a body -----------------------------------------------------------------------------

LINES = '{"_key":"a","n":1}\n{"_key":"b","n":null}\n'
ARRAY = '[{"_key":"a","n":1},{"_key":"b","n":null}]'
TABLE = '["_key","n"]\n["a",1]\n["b",null]\n'


@pytest.mark.parametrize(
    ("kind", "body", "with_null"),
    [
        ("documents", LINES, True),
        ("documents", LINES.rstrip(), True),
        ("documents", LINES.replace("\n", "\r\n"), True),
        ("documents", LINES.replace("{", " \t {"), True),
        ("auto", LINES, True),
        ("auto", "  " + LINES, True),
        ("array", ARRAY, True),
        ("array", f"\n{ARRAY}\n".replace(",", " ,\n"), True),
        ("list", ARRAY, True),
        ("auto", ARRAY, True),
        ("auto", f"\n {ARRAY}", True),
        ("", TABLE, False),
        ("", TABLE.rstrip(), False),
        ("", TABLE.replace("\n", "\r\n"), False),
        ("table", TABLE, False),
        (None, TABLE, False),
    ],
)
def test_forms(docs: Api, kind: str | None, body: str, with_null: bool) -> None:
    assert run(docs, body, type=kind) == {"created": 2}
    assert stored(docs) == {"a": {"n": 1}, "b": {"n": None} if with_null else {}}


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("documents", "", {}),
        ("documents", "\n", {"empty": 1}),
        ("documents", "{}\n\n", {"created": 1, "empty": 1}),
        ("documents", "{}\n\n{}\n \r\n{}\n", {"created": 3, "empty": 2}),
        ("documents", "\n\n\n", {"empty": 3}),
        ("auto", "", {}),
        ("array", "[]", {}),
        ("", '["a"]\n', {}),
        ("", '["a"]\n[1]\n\n[2]\n\n', {"created": 2, "empty": 2}),
        ("", "[]\n[]\n", {"created": 1}),
    ],
)
def test_empty_lines(docs: Api, kind: str, body: str, expected: dict[str, int]) -> None:
    assert run(docs, body, type=kind) == expected


def test_a_table_leaves_nulls_out_and_may_repeat_names(docs: Api) -> None:
    body = '["_key","a","b"]\n["x",null,{"c":null}]\n["y",[],false]\n'
    assert run(docs, body) == {"created": 2}
    assert stored(docs) == {"x": {"b": {"c": None}}, "y": {"a": [], "b": False}}


@pytest.mark.parametrize(
    ("row", "created_if_missing_ignored"), [("[1]", 1), ("[]", 1), ("[1,2,3]", 0)]
)
def test_a_row_of_another_length(docs: Api, row: str, created_if_missing_ignored: int) -> None:
    body = f'["a","b"]\n[1,2]\n{row}\n'
    assert run(docs, body) == {"created": 1, "errors": 1}
    created = 1 + created_if_missing_ignored
    assert run(docs, body, ignoreMissing="true").get("created") == created


@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [
        ("array", "{}", (400, 400)),
        ("array", '"a"', (400, 400)),
        ("list", "", (400, 400)),
        ("array", "[{}", (400, 600)),
        ("array", "[{},]", (400, 600)),
        ("auto", "[{}\n{}]", (400, 600)),
        ("", "", (400, 400)),
        ("", '["a"]', (400, 400)),
        ("", '{"a":1}\n[1]\n', (400, 400)),
        ("", '["a",1]\n[1,2]\n', (400, 400)),
        ("", '["a"\n[1]\n', (400, 400)),
    ],
)
def test_a_body_of_the_wrong_form(docs: Api, kind: str, body: str, error: tuple[int, int]) -> None:
    assert error_of(send(docs, body, type=kind, overwrite="true")) == error


def test_the_collection_is_needed(docs: Api) -> None:
    assert error_of(docs.post("/_api/import", LINES, type="documents")) == (400, 1204)
    answer = send(docs, LINES, "nope", createCollection="true", createCollectionType="edge")
    assert error_of(answer) == (404, 1203)


# -- duplicates ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["documents", "array"])
@pytest.mark.parametrize(
    ("on_duplicate", "counts", "expected"),
    [
        (None, {"errors": 2}, {"n": 1, "o": {"a": 1}}),
        ("error", {"errors": 2}, {"n": 1, "o": {"a": 1}}),
        ("unknown", {"errors": 2}, {"n": 1, "o": {"a": 1}}),
        ("ignore", {"ignored": 2}, {"n": 1, "o": {"a": 1}}),
        ("replace", {"updated": 2}, {"m": 4}),
        ("update", {"updated": 2}, {"n": None, "o": {"a": 1, "b": 2}, "m": 4}),
    ],
)
def test_duplicates(
    docs: Api,
    kind: str,
    on_duplicate: str | None,
    counts: dict[str, int],
    expected: dict[str, Any],
) -> None:
    docs.insert("c", {"_key": "k", "n": 1, "o": {"a": 1}})
    items = [
        {"_key": "k", "n": None, "o": {"b": 2}},
        {"_key": "new"},
        {"_key": "k", "m": 4},
    ]
    body = "\n".join(map(json.dumps, items)) if kind == "documents" else items
    assert run(docs, body, type=kind, onDuplicate=on_duplicate) == {"created": 1, **counts}
    assert stored(docs) == {"k": expected, "new": {}}


@pytest.mark.parametrize(
    ("on_duplicate", "expected"), [("replace", {"b": 2}), ("update", {"a": 1, "b": 2})]
)
def test_the_same_key_twice_in_one_request(
    docs: Api, on_duplicate: str, expected: dict[str, int]
) -> None:
    items = [{"_key": "k", "a": 1}, {"_key": "k", "b": 2}]
    counts = run(docs, items, type="array", onDuplicate=on_duplicate)
    assert counts == {"created": 1, "updated": 1}
    assert stored(docs) == {"k": expected}


def test_a_unique_index_makes_duplicates_too(docs: Api) -> None:
    unique = {"type": "persistent", "fields": ["n"], "unique": True, "name": "by_n"}
    docs.post("/_api/index", unique, collection="c")
    items = [{"_key": "a", "n": 1}, {"_key": "b", "n": 1}, {"_key": "c", "n": 2}]
    for on_duplicate in ("error", "update", "replace", "ignore"):
        assert run(docs, items, type="array", onDuplicate=on_duplicate)["errors"] >= 1
        assert stored(docs) == {"a": {"n": 1}, "c": {"n": 2}}


# -- overwrite and complete ----------------------------------------------------------------------


def test_overwrite_empties_the_collection_first(docs: Api) -> None:
    unique = {"type": "persistent", "fields": ["n"], "unique": True}
    docs.post("/_api/index", unique, collection="c")
    docs.insert("c", [{"_key": "old", "n": 1}, {"_key": "k", "n": 2}])
    items = [{"_key": "k", "n": 1}, {"_key": "k", "n": 3}]
    counts = run(docs, items, type="array", overwrite="true")
    assert counts == {"created": 1, "errors": 1}
    assert stored(docs) == {"k": {"n": 1}}
    assert run(docs, "", type="documents", overwrite="yes") == {}
    assert stored(docs) == {}


@pytest.mark.parametrize("overwrite", ["true", "false"])
@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [
        ("array", [{"_key": "a"}, {"_key": "a"}], (409, 1210)),
        ("array", [{"_key": "a"}, {"_key": "kept"}, {"_key": "kept"}], (409, 1210)),
        ("documents", '{"_key":"a"}\n{"_key":"a b"}', (400, 1221)),
        ("documents", '{"_key":"a"}\n{"_key":', (400, 600)),
        ("documents", '{"_key":"a"}\n[]\n', (400, 400)),
        ("array", [{"_key": "a"}, 5], (400, 400)),
        ("", '["_key"]\n["a"]\n["a"]\n', (409, 1210)),
        ("", '["_key"]\n["a"]\n["b","c"]\n', (400, 600)),
        ("", '["_key"]\n["a"]\n["b"\n', (400, 600)),
    ],
)
def test_complete_stores_everything_or_nothing(
    docs: Api, kind: str, body: Any, error: tuple[int, int], overwrite: str
) -> None:
    docs.insert("c", {"_key": "kept"})
    before = docs.get("/_api/wal/lastTick").json()["tick"]
    answer = send(docs, body, type=kind, complete="true", overwrite=overwrite)
    assert error_of(answer) == error
    assert stored(docs) == {"kept": {}}
    assert docs.get("/_api/wal/lastTick").json()["tick"] == before


def test_complete_without_failures(docs: Api) -> None:
    items = [{"_key": str(n), "n": n} for n in range(2500)]
    assert run(docs, items, type="array", complete="true") == {"created": 2500}
    assert run(docs, items, type="array", complete="true", onDuplicate="ignore") == {
        "ignored": 2500
    }


def test_a_late_failure_undoes_a_large_complete_import(docs: Api) -> None:
    items = [{"_key": str(n)} for n in range(2500)]
    answer = send(docs, [*items, {"_key": "7"}], type="array", complete="true")
    assert error_of(answer) == (409, 1210)
    assert stored(docs) == {}


@pytest.mark.parametrize("kind", ["array", "documents", ""])
def test_many_documents_with_some_failures(docs: Api, kind: str) -> None:
    keys = [n - 1 if n % 7 == 6 else n for n in range(3003)]
    if kind == "array":
        body = json.dumps([{"_key": f"k{key}", "n": n} for n, key in enumerate(keys)])
    elif kind == "documents":
        body = "\n".join(f'{{"_key":"k{key}","n":{n}}}' for n, key in enumerate(keys))
    else:
        body = '["_key","n"]\n' + "\n".join(f'["k{key}",{n}]' for n, key in enumerate(keys))
    counts = run(docs, body, type=kind, details=1)
    assert len(counts.pop("details")) == 429
    assert counts == {"created": 2574, "errors": 429}
    assert len(stored(docs)) == 2574
    counts = run(docs, body, type=kind, onDuplicate="replace")
    assert counts == {"updated": 3003}
    assert stored(docs)["k5"] == {"n": 6}


# -- edges ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "documents"])
@pytest.mark.parametrize(
    ("edge", "params", "ends"),
    [
        (("v/1", "w/2"), {}, ("v/1", "w/2")),
        (("1", "2"), {"fromPrefix": "v", "toPrefix": "w"}, ("v/1", "w/2")),
        (("1", "2"), {"fromPrefix": "v/", "toPrefix": "w/"}, ("v/1", "w/2")),
        ((1, 2), {"fromPrefix": "v", "toPrefix": "w"}, ("v/1", "w/2")),
        (("x/1", "2"), {"fromPrefix": "v", "toPrefix": "w"}, ("x/1", "w/2")),
        (
            ("x/1", "2"),
            {"fromPrefix": "v", "toPrefix": "w", "overwriteCollectionPrefix": "true"},
            ("v/1", "w/2"),
        ),
        (("1", "w/2"), {"fromPrefix": "maçã"}, ("maçã/1", "w/2")),
    ],
)
def test_prefixes_of_ends(
    docs: Api, kind: str, edge: tuple[Any, Any], params: dict[str, str], ends: tuple[str, str]
) -> None:
    item = {"_key": "k", "_from": edge[0], "_to": edge[1]}
    body = [item] if kind == "array" else json.dumps(item)
    assert run(docs, body, "e", type=kind, **params) == {"created": 1}
    assert stored(docs, "e") == {"k": {"_from": ends[0], "_to": ends[1]}}


@pytest.mark.parametrize(
    "edge",
    [
        {},
        {"_from": "v/1"},
        {"_to": "v/1"},
        {"_from": "v/1", "_to": None},
        {"_from": "v/1", "_to": "2"},
        {"_from": "v/1", "_to": True},
        {"_from": "v/1", "_to": ["v/2"]},
        {"_from": "v/1", "_to": "v/2/3"},
    ],
)
def test_an_edge_without_its_ends(docs: Api, edge: dict[str, Any]) -> None:
    good = {"_key": "k", "_from": "v/1", "_to": "v/2"}
    assert run(docs, [edge, good], "e", type="array") == {"created": 1, "errors": 1}
    prefixed = run(docs, [edge], "e", type="array", fromPrefix="v")
    assert prefixed == {"errors": 1}
    answer = send(docs, [edge], "e", type="array", complete="true")
    assert error_of(answer) == (400, 1233)


def test_prefixes_do_not_touch_ordinary_documents(docs: Api) -> None:
    run(docs, [{"_key": "k", "_from": "1"}], type="array", fromPrefix="v")
    assert stored(docs) == {"k": {"_from": "1"}}


# -- details -------------------------------------------------------------------------------------


def details(api: Api, body: Any, collection: str = "c", **params: Any) -> list[str]:
    found = run(api, body, collection, details="true", **params)["details"]
    assert all(isinstance(text, str) for text in found)
    return found


def test_details_of_store_errors_count_from_zero(docs: Api) -> None:
    items = [{"_key": "a"}, {"_key": "a", "n": 1}, {"_key": "ä"}]
    assert details(docs, items, type="array") == [
        "at position 1: creating document failed with error 'unique constraint violated', "
        'offending document: {"_key":"a","n":1}',
        "at position 2: creating document failed with error 'illegal document key', "
        'offending document: {"_key":"ä"}',
    ]
    assert details(docs, [{"_key": "b"}], type="array") == []


def test_details_of_edges_without_ends_count_from_one(docs: Api) -> None:
    assert details(docs, '{"_from":"v/1"}', "e", type="documents") == [
        "at position 1: missing '_from' or '_to' attribute, offending document: {\"_from\":\"v/1\"}"
    ]


@pytest.mark.parametrize(
    ("kind", "body", "position", "offending"),
    [
        ("documents", '{"_key":"a"}\n{"b"}\n', 2, '{"b"}'),
        ("documents", '\n\n{"_key":"a"}\n[1]\n', 2, "[1]"),
        ("array", '[{"_key":"a"},17]', 2, "17"),
        ("array", '[{"_key":"a"},["é"]]', 2, '["é"]'),
        ("", '["_key"]\n["a"]\n["b"\n', 2, '["b"'),
        ("", '["_key"]\n["a"]\n{"b":1}\n', 2, '{"b":1}'),
        ("", '["_key"]\n["a"]\n["b","c"]\n', 2, '["b","c"]'),
    ],
)
def test_details_of_what_is_no_document_count_from_one(
    docs: Api, kind: str, body: str, position: int, offending: str
) -> None:
    [text] = details(docs, body, type=kind)
    assert text.startswith(f"at position {position}: ")
    assert text.endswith(f", offending document: {offending}")


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("array", '[{{"_key":"{}"}}]'),
        ("documents", '{{"_key":"{}"}}'),
        ("documents", '["{}"]'),
        ("documents", '{{"_key":"{}"'),
        ("", '["_key"]\n["{}"]'),
        ("", '["_key"]\n["{}",1]'),
        ("", '["_key"]\n{{"_key":"{}"}}'),
        ("", '["_key"]\n["{}"'),
    ],
)
def test_details_cut_long_documents(docs: Api, kind: str, body: str, letter: str) -> None:
    [text] = details(docs, body.format(letter * 300), type=kind)
    offending = text.partition(", offending document: ")[2]
    assert offending.endswith(letter * 10 + "...")
    assert len(offending) == 258


# -- waitForSync, read-only mode, keys -----------------------------------------------------------


def test_the_status_does_not_tell_about_syncing(docs: Api) -> None:
    assert run(docs, [{}], type="array", waitForSync="true") == {"created": 1}


def test_read_only_mode_refuses_imports(docs: Api) -> None:
    docs.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        assert error_of(send(docs, [{}], type="array", overwrite=1)) == (403, 1004)
    finally:
        docs.put("/_admin/server/mode", {"mode": "default"})
    assert run(docs, [{}], type="array") == {"created": 1}


def test_key_generators_follow_imports(api: Api) -> None:
    api.create_collection("c", keyOptions={"type": "autoincrement", "increment": 10})
    counts = run(api, [{}, {"_key": "25"}, {"_key": "x"}, {}], type="array")
    assert counts == {"created": 3, "errors": 1}
    assert api.insert("c", {})["_key"] == "40"
    assert stored(api).keys() == {"10", "25", "30", "40"}
