"""The stored form of documents, and cutting it without parsing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.codec.json import json_text
from arangorep.storage.rows import (
    build_row,
    identities,
    line_with_name,
    renamer,
    row_key,
    with_name,
)
from arangorep.values.names import KEY_PATTERN, NAME_PATTERN
from arangorep.values.revision import REVISION_LOWER_BOUND, revision_text

NAMES = ["c", "mötör 😀", 'a"b', "back\\slash", '"', "\\", '\\"_rev\\":\\"', 'x","_key":"y', "{}[]"]

names = st.sampled_from(NAMES) | st.from_regex(NAME_PATTERN, fullmatch=True)
keys = st.from_regex(KEY_PATTERN, fullmatch=True)
revisions = st.integers(REVISION_LOWER_BOUND, REVISION_LOWER_BOUND * 2).map(revision_text)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=6,
)
bodies = st.dictionaries(
    st.text().filter(lambda name: name not in ("_key", "_id", "_rev", "_from", "_to")),
    values,
    max_size=4,
)


def edge_of(start: str, end: str) -> bytes:
    return b'"_from":"%b","_to":"%b",' % (json_text(start), json_text(end))


def row_of(key: str, name: str, revision: str, body: dict, edge: bytes = b"") -> bytes:
    return build_row(key.encode(), json_text(name), revision.encode(), body, edge)


def test_the_documented_examples() -> None:
    assert row_of("k", "coll", "_l6zhVTW---", {"a": 1}) == (
        b'{"_key":"k","_id":"coll/k","_rev":"_l6zhVTW---","a":1}'
    )
    assert row_of("k", "coll", "_l6zhVTW---", {}, edge_of("c/1", "c/2")) == (
        b'{"_key":"k","_id":"coll/k","_from":"c/1","_to":"c/2","_rev":"_l6zhVTW---"}'
    )


@given(keys, names, revisions, bodies)
def test_a_row_is_the_document_as_json(key: str, name: str, revision: str, body: dict) -> None:
    parsed = json.loads(row_of(key, name, revision, body))
    assert list(parsed) == ["_key", "_id", "_rev", *body]
    assert parsed == {"_key": key, "_id": f"{name}/{key}", "_rev": revision, **body}


@given(keys, names, names, revisions, bodies)
def test_an_edge_has_its_ends_before_the_revision(
    key: str, name: str, end: str, revision: str, body: dict
) -> None:
    parsed = json.loads(row_of(key, name, revision, body, edge_of(f"{end}/1", f"{name}/2")))
    assert list(parsed)[:5] == ["_key", "_id", "_from", "_to", "_rev"]
    assert (parsed["_from"], parsed["_to"]) == (f"{end}/1", f"{name}/2")


def test_text_is_not_escaped_more_than_needed() -> None:
    row = row_of("k", "c", "_abc", {"é": "😀 ü"})
    assert "😀 ü".encode() in row
    assert row.endswith('"é":"😀 ü"}'.encode())


@given(keys, names, revisions, bodies)
def test_the_key_is_cut_from_the_front(key: str, name: str, revision: str, body: dict) -> None:
    assert row_key(row_of(key, name, revision, body)) == key.encode()


@given(keys, names, names, revisions, bodies)
def test_renaming_changes_the_id_and_nothing_else(
    key: str, name: str, new: str, revision: str, body: dict
) -> None:
    for edge in (b"", edge_of(f"{name}/1", f"{name}/2")):
        row = row_of(key, name, revision, body, edge)
        expected = row_of(key, new, revision, body, edge)
        assert with_name(row, json_text(new)) == expected
        assert renamer(json_text(new))(row) == expected
        assert with_name(expected, json_text(name)) == row


@given(names, names, keys, names, names, revisions, bodies)
def test_renaming_in_a_logged_line(
    database: str, guid: str, key: str, name: str, new: str, revision: str, body: dict
) -> None:
    def line(row: bytes) -> bytes:
        return b'{"tick":"17","type":2300,"db":"%b","cuid":"%b","tid":"0","data":%b}\n' % (
            json_text(database),
            json_text(guid),
            row,
        )

    before = line(row_of(key, name, revision, body))
    after = line(row_of(key, new, revision, body))
    assert line_with_name(before, json_text(new)) == after


@pytest.mark.parametrize("name", NAMES)
def test_a_database_that_looks_like_a_document_does_not_confuse_the_cut(name: str) -> None:
    database = ',"data":{"_key":"x","_id":"y/z"'
    row = row_of("k", "old", "_abc", {"data": {"_key": "inner"}})
    line = b'{"db":"%b","data":%b}\n' % (json_text(database), row)
    renamed = json.loads(line_with_name(line, json_text(name)))
    assert renamed["db"] == database
    assert renamed["data"]["_id"] == f"{name}/k"
    assert renamed["data"]["data"] == {"_key": "inner"}


@given(st.lists(st.tuples(keys, revisions), max_size=4), names | st.just("100%b %% %"))
def test_identities_of_documents(documents: list[tuple[str, str]], name: str) -> None:
    found = [key.encode() for key, _ in documents], [text.encode() for _, text in documents]
    assert json.loads(b"[%b]" % identities(found[0], json_text(name), found[1])) == [
        {"_key": key, "_id": f"{name}/{key}", "_rev": revision} for key, revision in documents
    ]
