"""Single and array operations on documents.

Random sequences against dicts are in `model/test_documents_model.py`; here stands each rule.
"""

from __future__ import annotations

from typing import Any

import pytest
from support.reading import read_with_revision
from support.stores import (
    bodies,
    finish,
    insert,
    make_collection,
    markers,
    open_store,
    stored,
    system,
    write,
)

from arangorep.data.collections import rename_collection
from arangorep.data.documents import (
    DocumentWriter,
    WriteOptions,
    WriteResult,
    check_revision,
)
from arangorep.data.transactions import Transaction
from arangorep.errors import (
    ArangoError,
    Conflict,
    DocumentHandleBad,
    DocumentKeyBad,
    DocumentKeyUnexpected,
    DocumentNotFound,
    DocumentTypeInvalid,
    InvalidEdgeAttribute,
    UniqueConstraintViolated,
)
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store
from arangorep.values.revision import revision_text

ENDS = {"_from": "c/1", "_to": "c/2"}
OTHER_REVISION = "_l6zhVTW---"


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    """`c` with a document `a` of revision `revision_of(a)`."""
    made = make_collection(store, "c")
    insert(store, made, {"_key": "a", "n": 1, "o": {"x": 1, "y": 2}})
    return made


@pytest.fixture
def edges(store: Store) -> Collection:
    made = make_collection(store, "e", type=3)
    insert(store, made, {"_key": "a", **ENDS, "n": 1})
    return made


def one(store: Store, collection: Collection, name: str, item: Any, **options: Any) -> WriteResult:
    (result,) = write(store, collection, name, item, **options)
    return result


def fails(
    error: type[ArangoError],
    store: Store,
    collection: Collection,
    name: str,
    item: Any,
    **options: Any,
) -> ArangoError:
    """The operation raises and logs nothing."""
    before = store.log.last_tick
    with pytest.raises(error) as raised:
        one(store, collection, name, item, **options)
    assert store.log.last_tick == before
    assert findings(store) == []
    return raised.value


def revision_of(store: Store, collection: Collection, key: str = "a") -> str:
    return revision_text(read_with_revision(store, collection, key)[0])


# -- inserting -------------------------------------------------------------------------------------


def test_an_inserted_document(store: Store, collection: Collection) -> None:
    result = one(store, collection, "insert", {"b": 1, "_key": "k", "_id": "x/y", "_rev": "z"})
    assert (result.key, result.old_revision, result.old) == ("k", 0, None)
    revision, row = read_with_revision(store, collection, "k")
    assert (result.revision, result.new) == (revision, row)
    text = revision_text(revision)
    assert row == b'{"_key":"k","_id":"c/k","_rev":"%b","b":1}' % text.encode()


def test_the_given_document_is_not_changed(store: Store, edges: Collection) -> None:
    document = {"_key": "k", "_id": "x", **ENDS, "o": {"x": None}}
    before = {**document, "o": {"x": None}}
    one(store, edges, "insert", document)
    one(store, edges, "update", document, keep_null=False)
    one(store, edges, "replace", document)
    assert document == before


def test_ends_are_ordinary_attributes_of_a_document(store: Store, collection: Collection) -> None:
    one(store, collection, "insert", {"_key": "k", "_from": 1})
    assert bodies(store, collection)["k"] == {"_from": 1}


def test_generated_keys(store: Store, collection: Collection) -> None:
    results = write(store, collection, "insert", {}, {"_rev": "x"}, {"_id": "c/mine"})
    keys = [int(result.key) for result in results]
    assert keys == sorted(set(keys))
    assert collection.state.counters.last_value == keys[-1]
    one(store, collection, "insert", {"_key": str(keys[-1] + 1000)})
    assert int(one(store, collection, "insert", {}).key) > keys[-1] + 1000


@pytest.mark.parametrize("key", [None, 1, "", "a b", "ä", "a/b", "x" * 255, ["a"]])
def test_bad_keys(store: Store, collection: Collection, key: object) -> None:
    fails(DocumentKeyBad, store, collection, "insert", {"_key": key})


def test_a_collection_that_chooses_its_keys(store: Store) -> None:
    made = make_collection(store, "g", keyOptions={"allowUserKeys": False})
    fails(DocumentKeyUnexpected, store, made, "insert", {"_key": "mine"})
    one(store, made, "insert", {})


@pytest.mark.parametrize("document", [None, 1, "a", [], [{}]])
@pytest.mark.parametrize("operation", ["insert", "replace", "update"])
def test_a_document_is_an_object(
    store: Store, collection: Collection, operation: str, document: object
) -> None:
    fails(DocumentTypeInvalid, store, collection, operation, document)


def test_a_key_that_exists(store: Store, collection: Collection) -> None:
    error = fails(UniqueConstraintViolated, store, collection, "insert", {"_key": "a"})
    assert error.message == (
        "unique constraint violated - in index primary of type primary over '_key'; "
        "conflicting key: a"
    )
    fails(
        UniqueConstraintViolated,
        store,
        collection,
        "insert",
        {"_key": "a"},
        overwrite_mode="conflict",
    )


def test_ignoring_what_exists(store: Store, collection: Collection) -> None:
    revision, row = read_with_revision(store, collection, "a")
    before = store.log.last_tick
    result = one(store, collection, "insert", {"_key": "a", "n": 5}, overwrite_mode="ignore")
    assert result == WriteResult("a", revision)
    assert store.log.last_tick == before
    assert read_with_revision(store, collection, "a") == (revision, row)


def test_replacing_what_exists(store: Store, collection: Collection) -> None:
    old_revision, old = read_with_revision(store, collection, "a")
    result = one(store, collection, "insert", {"_key": "a", "m": 5}, overwrite_mode="replace")
    assert (result.old_revision, result.old) == (old_revision, old)
    assert result.new == read_with_revision(store, collection, "a")[1]
    assert bodies(store, collection) == {"a": {"m": 5}}


def test_updating_what_exists(store: Store, collection: Collection) -> None:
    patch = {"_key": "a", "o": {"x": None, "z": 3}}
    one(store, collection, "insert", patch, overwrite_mode="update", keep_null=False)
    assert bodies(store, collection) == {"a": {"n": 1, "o": {"y": 2, "z": 3}}}


@pytest.mark.parametrize("mode", ["replace", "update"])
def test_overwriting_compares_revisions_if_asked(
    store: Store, collection: Collection, mode: str
) -> None:
    options = {"overwrite_mode": mode, "ignore_revisions": False}
    wrong = {"_key": "a", "_rev": OTHER_REVISION}
    fails(Conflict, store, collection, "insert", wrong, **options)
    right = {"_key": "a", "_rev": revision_of(store, collection)}
    assert one(store, collection, "insert", right, **options).old_revision


# -- replacing and updating ------------------------------------------------------------------------


def test_replacing(store: Store, collection: Collection) -> None:
    old_revision, old = read_with_revision(store, collection, "a")
    result = one(store, collection, "replace", {"_key": "a", "m": 2, "_rev": "ignored"})
    assert (result.old_revision, result.old) == (old_revision, old)
    assert result.revision > old_revision
    assert bodies(store, collection) == {"a": {"m": 2}}
    assert len(stored(store, collection)) == 1, "the old row is gone"


def test_a_document_may_be_named_by_its_handle(store: Store, collection: Collection) -> None:
    one(store, collection, "replace", {"_id": "c/a", "n": 2})
    one(store, collection, "update", {"_id": "whatever/a", "m": 3})
    assert bodies(store, collection) == {"a": {"n": 2, "m": 3}}


@pytest.mark.parametrize("operation", ["replace", "update"])
@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({}, DocumentHandleBad),
        ({"n": 1}, DocumentHandleBad),
        ({"_id": "a"}, DocumentHandleBad),
        ({"_key": ""}, DocumentKeyBad),
        ({"_key": 1}, DocumentKeyBad),
        ({"_key": "nowhere"}, DocumentNotFound),
        ({"_key": "ä ö"}, DocumentNotFound),
        ({"_id": "c/nowhere"}, DocumentNotFound),
    ],
)
def test_what_cannot_be_found(
    store: Store, collection: Collection, operation: str, document: Any, error: type[ArangoError]
) -> None:
    fails(error, store, collection, operation, document)


def test_updating_merges(store: Store, collection: Collection) -> None:
    one(store, collection, "update", {"_key": "a", "o": {"x": None, "z": 3}, "m": None})
    assert bodies(store, collection)["a"] == {
        "n": 1,
        "o": {"x": None, "y": 2, "z": 3},
        "m": None,
    }
    one(store, collection, "update", {"_key": "a", "o": {"y": 1}}, merge_objects=False)
    assert bodies(store, collection)["a"]["o"] == {"y": 1}
    one(store, collection, "update", {"_key": "a", "n": None}, keep_null=False)
    assert "n" not in bodies(store, collection)["a"]


@pytest.mark.parametrize("patch", [{"_key": "a"}, {"_id": "c/a"}])
def test_a_patch_of_nothing_writes_nothing(
    store: Store, collection: Collection, patch: dict[str, Any]
) -> None:
    revision, row = read_with_revision(store, collection, "a")
    before = store.log.last_tick
    result = one(store, collection, "update", patch)
    assert result == WriteResult("a", revision, revision, row, row)
    assert store.log.last_tick == before


def test_a_patch_with_any_further_member_is_a_write(store: Store, collection: Collection) -> None:
    old, _ = read_with_revision(store, collection, "a")
    result = one(store, collection, "update", {"_key": "a", "_rev": "x"})
    assert result.revision > old
    assert len(markers(store)) > 0


@pytest.mark.parametrize("operation", ["replace", "update", "remove"])
@pytest.mark.parametrize("given", [OTHER_REVISION, "", "no revision!", 5, ["x"]])
def test_a_wrong_revision(
    store: Store, collection: Collection, operation: str, given: object
) -> None:
    current = revision_of(store, collection)
    item = {"_key": "a", "_rev": given, "n": 2}
    error = fails(Conflict, store, collection, operation, item, ignore_revisions=False)
    assert error.http_status == 409
    assert error.extra == {"_id": "c/a", "_key": "a", "_rev": current}
    one(store, collection, operation, item)


@pytest.mark.parametrize("operation", ["replace", "update", "remove"])
def test_the_right_revision_or_none(store: Store, collection: Collection, operation: str) -> None:
    item = {"_key": "a", "_rev": revision_of(store, collection), "n": 2}
    one(store, collection, operation, item, ignore_revisions=False)
    insert(store, collection, {"_key": "a"}, mode="replace")
    one(store, collection, operation, {"_key": "a", "n": 3}, ignore_revisions=False)


def test_a_null_revision_is_none(store: Store, collection: Collection) -> None:
    one(store, collection, "update", {"_key": "a", "_rev": None}, ignore_revisions=False)


# -- versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["replace", "update"])
@pytest.mark.parametrize(
    ("stored_version", "given", "skipped"),
    [
        (5, 4, True),
        (5, 5, True),
        (5, 5.0, True),
        (5, 6, False),
        (5, 5.5, False),
        (5, "4", False),
        (5, None, False),
        (5, True, False),
        ("5", 4, False),
        (None, 4, False),
    ],
)
def test_versions(
    store: Store,
    collection: Collection,
    operation: str,
    stored_version: object,
    given: object,
    skipped: bool,
) -> None:
    insert(store, collection, {"_key": "v", "version": stored_version})
    revision, row = read_with_revision(store, collection, "v")
    before = store.log.last_tick
    patch = {"_key": "v", "version": given, "new": 1}
    result = one(store, collection, operation, patch, version_attribute="version")
    assert (store.log.last_tick == before) is skipped
    if skipped:
        assert result == WriteResult("v", revision, revision, row, row)
    else:
        assert result.revision > revision


@pytest.mark.parametrize("operation", ["replace", "update"])
def test_a_document_without_version_is_written(
    store: Store, collection: Collection, operation: str
) -> None:
    insert(store, collection, {"_key": "v", "version": 5})
    patch = {"_key": "v", "new": 1}
    result = one(store, collection, operation, patch, version_attribute="version")
    assert result.revision > result.old_revision


# -- removing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ["a", "c/a", "other/a", {"_key": "a"}, {"_id": "c/a"}])
def test_removing(store: Store, collection: Collection, item: object) -> None:
    revision, row = read_with_revision(store, collection, "a")
    assert one(store, collection, "remove", item) == WriteResult("a", revision, 0, None, row)
    assert collection.count == 0
    fails(DocumentNotFound, store, collection, "remove", item)


@pytest.mark.parametrize(
    ("item", "error"),
    [
        ("", DocumentHandleBad),
        ("c/", DocumentHandleBad),
        ({}, DocumentHandleBad),
        (1, DocumentHandleBad),
        (None, DocumentHandleBad),
        ({"_key": ""}, DocumentKeyBad),
        ({"_key": None}, DocumentKeyBad),
        ("nowhere", DocumentNotFound),
        ("a b", DocumentNotFound),
    ],
)
def test_what_cannot_be_removed(
    store: Store, collection: Collection, item: object, error: type[ArangoError]
) -> None:
    fails(error, store, collection, "remove", item)


# -- edges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["insert", "replace"])
@pytest.mark.parametrize(
    "ends",
    [{}, {"_from": "c/1"}, {"_to": "c/1"}, {**ENDS, "_to": "nowhere"}, {**ENDS, "_from": 1}],
)
def test_edges_need_both_ends(
    store: Store, edges: Collection, operation: str, ends: dict[str, Any]
) -> None:
    key = "new" if operation == "insert" else "a"
    fails(InvalidEdgeAttribute, store, edges, operation, {"_key": key, **ends})


def test_a_patch_may_leave_the_ends_alone(store: Store, edges: Collection) -> None:
    one(store, edges, "update", {"_key": "a", "n": 2})
    one(store, edges, "update", {"_key": "a", "_to": "d/9"})
    assert bodies(store, edges)["a"] == {"_from": "c/1", "_to": "d/9", "n": 2}
    fails(InvalidEdgeAttribute, store, edges, "update", {"_key": "a", "_to": None})
    patch = {"_key": "a", "_from": None}
    fails(InvalidEdgeAttribute, store, edges, "update", patch, keep_null=False)


# -- arrays ----------------------------------------------------------------------------------------


def test_an_item_that_fails_is_reported_in_its_place(store: Store, collection: Collection) -> None:
    transaction = Transaction(store, system(store), grouped=True)
    writer = DocumentWriter(transaction, collection, WriteOptions())
    items = [{"_key": "x"}, {"_key": "a"}, 5, {"_key": "x"}, {"_key": "y"}]
    outcomes = finish(writer.each(items, writer.insert))
    transaction.commit()
    shown = [o.error_num if isinstance(o, ArangoError) else o.key for o in outcomes]
    assert shown == ["x", 1210, 1227, 1210, "y"]
    assert not outcomes.all_failed
    assert set(bodies(store, collection)) == {"a", "x", "y"}


@pytest.mark.parametrize("operation", ["insert", "replace", "update", "remove"])
def test_arrays_give_others_their_turn(
    store: Store, collection: Collection, operation: str
) -> None:
    count = 3 * WRITE_ROWS_PER_SLICE + 1
    items = [{"_key": f"k{n}"} for n in range(count)]
    if operation != "insert":
        insert(store, collection, *items)
    transaction = Transaction(store, system(store), grouped=True)
    writer = DocumentWriter(transaction, collection, WriteOptions())
    work = writer.each(items, getattr(writer, operation))
    assert sum(1 for _ in work) == 4
    transaction.commit()
    assert collection.count == (1 if operation == "remove" else count + 1)
    assert findings(store) == []


@pytest.mark.parametrize(
    ("items", "failed"), [([], True), ([1, 2], True), ([{}, 2], False), ([{}] * 50, False)]
)
def test_whether_all_failed(
    store: Store, collection: Collection, items: list[Any], failed: bool
) -> None:
    transaction = Transaction(store, system(store), grouped=True)
    writer = DocumentWriter(transaction, collection, WriteOptions())
    assert finish(writer.each(items, writer.insert)).all_failed is failed


def test_later_items_see_earlier_ones(store: Store, collection: Collection) -> None:
    transaction = Transaction(store, system(store), grouped=True)
    writer = DocumentWriter(transaction, collection, WriteOptions())
    patches = [{"_key": "a", f"p{n}": n} for n in range(3)]
    outcomes = list(finish(writer.each(patches, writer.update)))
    transaction.commit()
    assert bodies(store, collection)["a"] == {
        "n": 1,
        "o": {"x": 1, "y": 2},
        "p0": 0,
        "p1": 1,
        "p2": 2,
    }
    revisions = [o.revision for o in outcomes if isinstance(o, WriteResult)]
    assert [o.old_revision for o in outcomes if isinstance(o, WriteResult)][1:] == revisions[:-1]


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["nowhere", "", "a b", "a" * 255, "ä"])
def test_what_is_not_there(store: Store, collection: Collection, key: str) -> None:
    with pytest.raises(DocumentNotFound):
        read_with_revision(store, collection, key)


def test_old_documents_show_the_present_name(store: Store, collection: Collection) -> None:
    rename_collection(store, system(store), collection, {"name": "d"})
    result = one(store, collection, "replace", {"_key": "a"})
    assert result.old is not None
    assert b'"_id":"d/a"' in result.old
    insert(store, collection, {"_key": "b"})
    rename_collection(store, system(store), collection, {"name": "e"})
    for operation in ("update", "remove"):
        result = one(store, collection, operation, {"_key": "b"})
        assert result.old is not None
        assert b'"_id":"e/b"' in result.old


@pytest.mark.parametrize("given", ["_l6zhVTW---", "", "!", 1, None, "17"])
def test_revisions_that_never_match(store: Store, collection: Collection, given: object) -> None:
    current, _ = read_with_revision(store, collection, "a")
    with pytest.raises(Conflict):
        check_revision(collection, "a", current, given)
    check_revision(collection, "a", current, revision_text(current))
