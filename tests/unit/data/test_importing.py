"""Bulk import: three shapes of a body, what counts as what, and all or nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.stores import (
    bodies,
    finish,
    insert,
    make_collection,
    make_index,
    markers,
    open_store,
    system,
)

from arangorep.data import importing
from arangorep.data.importing import ImportCounts, ImportOptions, import_documents
from arangorep.errors import (
    ArangoError,
    CorruptedJson,
    DocumentKeyBad,
    HttpBadParameter,
    InvalidEdgeAttribute,
    UniqueConstraintViolated,
)
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store

LINES, ARRAY, TABLE = "documents", "array", ""


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    return make_collection(store, "c")


@pytest.fixture
def edges(store: Store) -> Collection:
    return make_collection(store, "e", type=3)


def load(store: Store, collection: Collection, data: str | bytes, **options: Any) -> ImportCounts:
    raw = data.encode() if isinstance(data, str) else data
    work = import_documents(store, system(store), collection, raw, ImportOptions(**options))
    counts = finish(work)
    assert findings(store) == []
    return counts


def numbers(counts: ImportCounts) -> dict[str, int]:
    """The counters that are not zero."""
    described = counts.describe(details=False)
    assert described.pop("error") is False
    return {name: value for name, value in described.items() if value}


# -- shapes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (LINES, '{"_key":"a","n":1}\n{"_key":"b","n":null}\n'),
        (LINES, '  {"_key":"a","n":1} \r\n\t{"_key":"b","n":null}\r\n'),
        (LINES, '{"_key":"a","n":1}\n{"_key":"b","n":null}'),
        (ARRAY, '[{"_key":"a","n":1},{"_key":"b","n":null}]'),
        ("list", ' [ {"_key":"a","n":1},\n{"_key":"b","n":null} ] '),
        ("auto", '{"_key":"a","n":1}\n{"_key":"b","n":null}'),
        ("auto", ' \n[{"_key":"a","n":1},{"_key":"b","n":null}]'),
    ],
)
def test_documents_of_every_shape(
    store: Store, collection: Collection, kind: str, data: str
) -> None:
    assert numbers(load(store, collection, data, type=kind)) == {"created": 2}
    assert bodies(store, collection) == {"a": {"n": 1}, "b": {"n": None}}


@pytest.mark.parametrize("kind", [TABLE, "csv"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_a_table_leaves_nulls_out(
    store: Store, collection: Collection, kind: str, end: str
) -> None:
    data = '["_key","n","m"]\n["a",1,null]\r\n ["b",null,[2]] ' + end
    assert numbers(load(store, collection, data, type=kind)) == {"created": 2}
    assert bodies(store, collection) == {"a": {"n": 1}, "b": {"m": [2]}}


@pytest.mark.parametrize(
    ("kind", "data"),
    [(LINES, ""), (LINES, "  "), (ARRAY, "[]"), ("auto", ""), (TABLE, '["a"]\n')],
)
def test_nothing_to_import(store: Store, collection: Collection, kind: str, data: str) -> None:
    before = store.log.last_tick
    assert numbers(load(store, collection, data, type=kind)) == {}
    assert store.log.last_tick == before


@pytest.mark.parametrize(
    ("kind", "data", "error", "text"),
    [
        (ARRAY, "", HttpBadParameter, "expecting a JSON array in the request"),
        (ARRAY, "{}", HttpBadParameter, "expecting a JSON array in the request"),
        (ARRAY, "5", HttpBadParameter, "expecting a JSON array in the request"),
        (ARRAY, "[{]", CorruptedJson, "VPackError"),
        (ARRAY, b"\xff", CorruptedJson, "VPackError"),
        (TABLE, "", HttpBadParameter, "no JSON array found in second line"),
        (TABLE, '["a"]', HttpBadParameter, "no JSON array found in second line"),
        (TABLE, '{"a":1}\n[1]', HttpBadParameter, "no JSON string array found in first line"),
        (TABLE, '["a",1]\n[1,2]', HttpBadParameter, "no JSON string array found in first line"),
        (TABLE, "nonsense\n[1]", HttpBadParameter, "no JSON string array found in first line"),
        (TABLE, "\n\n", HttpBadParameter, "no JSON string array found in first line"),
    ],
)
@pytest.mark.parametrize("complete", [False, True])
def test_bodies_of_the_wrong_shape(
    store: Store,
    collection: Collection,
    kind: str,
    data: str | bytes,
    error: type[ArangoError],
    text: str,
    complete: bool,
) -> None:
    insert(store, collection, {"_key": "there"})
    before = store.log.last_tick
    with pytest.raises(error, match=text):
        load(store, collection, data, type=kind, complete=complete, overwrite=True)
    assert store.log.last_tick == before
    assert set(bodies(store, collection)) == {"there"}, "a bad request truncates nothing"


# -- counters --------------------------------------------------------------------------------------


def test_blank_lines_are_empty_but_the_last_is_not(store: Store, collection: Collection) -> None:
    counts = load(store, collection, '\n{"a":1}\n  \n\r\n{"a":2}\n\n', type=LINES)
    assert numbers(counts) == {"created": 2, "empty": 4}
    table = load(store, collection, '["a"]\n\n[1]\n \n', type=TABLE)
    assert numbers(table) == {"created": 1, "empty": 2}


DUPLICATES = '[{"_key":"a","o":{"x":1}},{"_key":"b"},{"_key":"a","o":{"y":null},"m":1}]'


@pytest.mark.parametrize(
    ("mode", "expected", "content"),
    [
        ("error", {"created": 1, "errors": 2}, {"n": 0}),
        ("ignore", {"created": 1, "ignored": 2}, {"n": 0}),
        ("replace", {"created": 1, "updated": 2}, {"o": {"y": None}, "m": 1}),
        ("update", {"created": 1, "updated": 2}, {"n": 0, "o": {"x": 1, "y": None}, "m": 1}),
    ],
)
def test_what_happens_to_duplicates(
    store: Store,
    collection: Collection,
    mode: str,
    expected: dict[str, int],
    content: dict[str, Any],
) -> None:
    insert(store, collection, {"_key": "a", "n": 0})
    counts = load(store, collection, DUPLICATES, type=ARRAY, on_duplicate=mode)
    assert numbers(counts) == expected
    assert bodies(store, collection) == {"a": content, "b": {}}


def test_details_are_shown_on_demand() -> None:
    counts = ImportCounts(created=1, errors=1, details=["at position 1: x"])
    assert counts.describe(details=True) == {
        "error": False,
        "created": 1,
        "errors": 1,
        "empty": 0,
        "updated": 0,
        "ignored": 0,
        "details": ["at position 1: x"],
    }
    assert "details" not in counts.describe(details=False)


# -- details ---------------------------------------------------------------------------------------


def details(store: Store, collection: Collection, data: str | bytes, **options: Any) -> list[str]:
    counts = load(store, collection, data, **options)
    assert counts.errors == len(counts.details)
    return counts.details


def test_positions_of_store_errors_count_from_zero(store: Store, collection: Collection) -> None:
    found = details(store, collection, '[{"_key":"a"},{"_key":"a"},{"_key":"ü"}]', type=ARRAY)
    assert found == [
        "at position 1: creating document failed with error 'unique constraint violated', "
        'offending document: {"_key":"a"}',
        "at position 2: creating document failed with error 'illegal document key', "
        'offending document: {"_key":"ü"}',
    ]


def test_positions_of_earlier_errors_count_from_one(store: Store, collection: Collection) -> None:
    found = details(store, collection, '{}\n\n5\n{"a":\n', type=LINES)
    assert found[0] == (
        "at position 2: invalid JSON type (expecting object), offending document: 5"
    )
    assert found[1].startswith("at position 3: VPackError error: ")
    assert found[1].endswith('offending document: {"a":')


def test_a_single_edge_without_ends_is_at_position_one(store: Store, edges: Collection) -> None:
    found = details(store, edges, '[{"_key":"a","_to":"c/1"}]', type=ARRAY)
    assert found == [
        "at position 1: missing '_from' or '_to' attribute, "
        'offending document: {"_key":"a","_to":"c/1"}'
    ]


def test_positions_start_at_an_offset(store: Store, collection: Collection) -> None:
    found = details(store, collection, '[1,{"_key":""}]', type=ARRAY, line_offset=100)
    assert [text.partition(":")[0] for text in found] == ["at position 101", "at position 101"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("[1]", "wrong number of JSON values"),
        ("[1,2,3]", "wrong number of JSON values"),
        ('{"a":1}', "no valid JSON data"),
        ("7", "no valid JSON data"),
        ("[1,", "VPackError error"),
    ],
)
def test_bad_rows_of_a_table(store: Store, collection: Collection, row: str, reason: str) -> None:
    (found,) = details(store, collection, f'["a","b"]\n[1,2]\n{row}\n', type=TABLE)
    assert found.startswith(f"at position 2: {reason}")
    assert found.endswith(f"offending document: {row}")


def test_short_rows_may_be_allowed(store: Store, collection: Collection) -> None:
    data = '["_key","a","b"]\n["x"]\n["y",1]\n["z",1,2,3]\n'
    counts = load(store, collection, data, type=TABLE, ignore_missing=True)
    assert numbers(counts) == {"created": 2, "errors": 1}
    assert bodies(store, collection) == {"x": {}, "y": {"a": 1}}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (ARRAY, '[{"_key":"","t":"%s"}]'),
        (LINES, '"%s"'),
        (LINES, '{"t":"%s"'),
        (TABLE, '["a"]\n"%s"'),
        (TABLE, '["a"]\n["%s",2]'),
    ],
)
@pytest.mark.parametrize("shift", range(3))
def test_long_texts_are_cut_between_characters(
    store: Store, collection: Collection, kind: str, data: str, shift: int
) -> None:
    (found,) = details(store, collection, data % ("x" * shift + "€" * 500), type=kind)
    text = found.rpartition("offending document: ")[2]
    assert text.endswith("€...")
    assert len(text) == 255 + 3
    assert "\ufffd" not in text


def test_a_document_that_nests_too_deep(store: Store, collection: Collection) -> None:
    deep = "[" * 300 + "]" * 300
    counts = load(store, collection, f'[{{"_key":"a"}},{{"d":{deep}}}]', type=ARRAY)
    assert numbers(counts) == {"created": 1, "errors": 1}


# -- edges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "prefix", "overwrite", "expected"),
    [
        ("1", "v", False, "v/1"),
        ("1", "v/", False, "v/1"),
        (1, "v", False, "v/1"),
        ("x/1", "v", False, "x/1"),
        ("x/1", "v", True, "v/1"),
        ("x/1", "", True, "x/1"),
        ("1", "", False, None),
        (True, "v", False, None),
        (1.5, "v", False, None),
        (None, "v", False, None),
    ],
)
@pytest.mark.parametrize("name", ["_from", "_to"])
def test_prefixes_of_ends(
    store: Store,
    edges: Collection,
    name: str,
    value: object,
    prefix: str,
    overwrite: bool,
    expected: str | None,
) -> None:
    document = {"_key": "a", "_from": "w/9", "_to": "w/9", name: value}
    options = {f"{name[1:]}_prefix": prefix, "overwrite_collection_prefix": overwrite}
    counts = load(store, edges, json.dumps([document]), type=ARRAY, **options)
    if expected is None:
        assert numbers(counts) == {"errors": 1}
    else:
        other = "_to" if name == "_from" else "_from"
        assert bodies(store, edges)["a"] == {name: expected, other: "w/9"}


def test_documents_keep_their_ends_as_they_are(store: Store, collection: Collection) -> None:
    load(store, collection, '[{"_key":"a","_from":"1"}]', type=ARRAY, from_prefix="v")
    assert bodies(store, collection) == {"a": {"_from": "1"}}


# -- pieces, and all or nothing --------------------------------------------------------------------


@pytest.fixture
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "IMPORT_ROWS_PER_COMMIT", 3)


@pytest.mark.usefixtures("_small_pieces")
def test_a_long_import_is_committed_in_pieces(store: Store, collection: Collection) -> None:
    before = store.log.last_tick
    data = "".join(f'{{"_key":"k{n}"}}\n' for n in range(8)).encode()
    work = import_documents(store, system(store), collection, data, ImportOptions(type=LINES))
    counts = [collection.count for _ in work]
    assert counts == [3, 6, 8]
    types = [marker["type"] for marker in markers(store, before)]
    assert types == [2200, *[2300] * 3, 2201] * 2 + [2200, *[2300] * 2, 2201]


@pytest.mark.usefixtures("_small_pieces")
def test_a_complete_import_is_one_transaction(store: Store, collection: Collection) -> None:
    before = store.log.last_tick
    data = "".join(f'{{"_key":"k{n}"}}\n' for n in range(8)).encode()
    options = ImportOptions(type=LINES, complete=True)
    work = import_documents(store, system(store), collection, data, options)
    assert [collection.count for _ in work] == [0, 0, 0]
    assert collection.count == 8
    types = [marker["type"] for marker in markers(store, before)]
    assert types == [2200, *[2300] * 8, 2201]


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize(
    ("last", "error", "text"),
    [
        ('{"_key":"k1"}', UniqueConstraintViolated, "conflicting key: k1"),
        ('{"_key":"ü"}', DocumentKeyBad, "illegal document key"),
        ("5", HttpBadParameter, "at position 8: invalid JSON type"),
        ("{", CorruptedJson, "at position 8: VPackError"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_complete_import_fails_as_a_whole(
    store: Store,
    collection: Collection,
    last: str,
    error: type[ArangoError],
    text: str,
    overwrite: bool,
) -> None:
    insert(store, collection, {"_key": "there"})
    before = store.log.last_tick
    data = "".join(f'{{"_key":"k{n}"}}\n' for n in range(7)) + last
    with pytest.raises(error, match=text):
        load(store, collection, data, type=LINES, complete=True, overwrite=overwrite)
    assert store.log.last_tick == before
    assert set(bodies(store, collection)) == {"there"}
    assert findings(store) == []


def test_a_complete_import_of_edges_fails_as_a_whole(store: Store, edges: Collection) -> None:
    data = '[{"_from":"a/1","_to":"a/2"},{"_from":"a/1"}]'
    with pytest.raises(InvalidEdgeAttribute):
        load(store, edges, data, type=ARRAY, complete=True)
    assert edges.count == 0


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("complete", [False, True])
def test_overwriting_begins_with_nothing(
    store: Store, collection: Collection, complete: bool
) -> None:
    make_index(store, collection, "n", sparse=True)
    insert(store, collection, {"_key": "k1", "n": 1}, {"_key": "old", "n": 2})
    before = store.log.last_tick
    data = "".join(f'{{"_key":"k{n}","n":{n}}}\n' for n in range(5))
    counts = load(store, collection, data, type=LINES, overwrite=True, complete=complete)
    assert numbers(counts) == {"created": 5}
    assert set(bodies(store, collection)) == {f"k{n}" for n in range(5)}
    types = [marker["type"] for marker in markers(store, before)]
    if complete:
        assert (types[0], types.count(2302), types.count(2004)) == (2200, 2, 0)
    else:
        # a follower refuses to truncate inside of a transaction
        assert types[:2] == [2004, 2200]
        assert types.count(2004) == 1


def test_overwriting_with_nothing_truncates(store: Store, collection: Collection) -> None:
    insert(store, collection, {"_key": "a"})
    assert numbers(load(store, collection, "[]", type=ARRAY, overwrite=True)) == {}
    assert collection.count == 0


def test_failures_do_not_stop_an_import(store: Store, collection: Collection) -> None:
    data = '{"_key":"a"}\n{"_key":"a"}\n5\n{\n{"_key":"b"}\n'
    assert numbers(load(store, collection, data, type=LINES)) == {"created": 2, "errors": 3}
    assert set(bodies(store, collection)) == {"a", "b"}
