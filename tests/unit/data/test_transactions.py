"""Transactions: what they log, what they see of themselves, and that they are all or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from support.memory_engine import MemoryEngine
from support.stores import (
    WriteFault,
    bodies,
    failing_writes,
    finish,
    index_entries,
    insert,
    make_collection,
    make_index,
    markers,
    open_store,
    primary,
    stored,
    system,
    write,
)

from arangorep.data.collections import rename_collection
from arangorep.data.documents import DocumentWriter, WriteOptions
from arangorep.data.transactions import CollectionWriter, Transaction, body_of
from arangorep.errors import (
    CorruptedJson,
    CorruptionError,
    ResourceLimit,
    UniqueConstraintViolated,
)
from arangorep.limits import JSON_DEPTH_MAX, WRITE_ROWS_PER_SLICE
from arangorep.storage import keys
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.integrity import findings
from arangorep.storage.log import HEADER
from arangorep.storage.store import Store
from arangorep.values import index_terms
from arangorep.values.revision import parse_revision, revision_text


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    return make_collection(store, "c")


@pytest.fixture
def unique(store: Store) -> Collection:
    """A collection whose `n` is unique."""
    made = make_collection(store, "u")
    make_index(store, made, "n", name="by_n")
    return made


def begin(store: Store, *, grouped: bool = True) -> Transaction:
    return Transaction(store, system(store), grouped=grouped)


def content_of(store: Store) -> dict[Family, dict[bytes, bytes]]:
    assert isinstance(store.engine, MemoryEngine)
    return store.engine.content()


# -- what is logged ----------------------------------------------------------------------------


def test_a_single_write_is_one_marker(store: Store, collection: Collection) -> None:
    before = store.log.last_tick
    (revision,) = insert(store, collection, {"_key": "a", "n": 1})
    (marker,) = markers(store, before)
    assert list(marker) == ["tick", "type", "db", "cuid", "tid", "data"]
    assert (marker["type"], marker["db"], marker["cuid"], marker["tid"]) == (
        2300,
        "_system",
        collection.info.guid,
        "0",
    )
    assert marker["data"] == {
        "_key": "a",
        "_id": "c/a",
        "_rev": revision_text(revision),
        "n": 1,
    }


def test_a_removal_tells_key_and_revision(store: Store, collection: Collection) -> None:
    (old,) = insert(store, collection, {"_key": "a"})
    before = store.log.last_tick
    write(store, collection, "remove", "a")
    (marker,) = markers(store, before)
    assert (marker["type"], marker["tid"]) == (2302, "0")
    assert list(marker["data"]) == ["_key", "_rev"]
    assert marker["data"]["_key"] == "a"
    assert parse_revision(marker["data"]["_rev"]) > old, "the revision of the removal itself"
    (row,) = store.log.scan(before).take(2)
    assert HEADER.unpack_from(row)[5:] == (0, old)


def test_a_group_is_bracketed(store: Store, collection: Collection) -> None:
    other = make_collection(store, "other", type=3)
    before = store.log.last_tick
    transaction = begin(store)
    DocumentWriter(transaction, collection, WriteOptions()).insert({"_key": "a"})
    edge = {"_key": "e", "_from": "c/a", "_to": "c/a"}
    DocumentWriter(transaction, other, WriteOptions()).insert(edge)
    DocumentWriter(transaction, collection, WriteOptions()).remove("a")
    transaction.commit()
    found = markers(store, before)
    assert [m["type"] for m in found] == [2200, 2300, 2300, 2302, 2201]
    assert {m["tid"] for m in found} == {found[0]["tick"]}
    assert list(found[0]) == list(found[-1]) == ["tick", "type", "tid", "db"]
    ticks = [int(m["tick"]) for m in found]
    assert ticks == sorted(set(ticks))
    assert store.log.last_tick == ticks[-1]


@pytest.mark.parametrize("grouped", [False, True])
def test_a_transaction_that_changed_nothing_logs_nothing(
    store: Store, collection: Collection, grouped: bool
) -> None:
    before, content = store.log.last_tick, content_of(store)
    transaction = begin(store, grouped=grouped)
    writer = transaction.writer(collection)
    assert writer.find(b"a") == 0
    writer.clear()
    transaction.commit()
    begin(store, grouped=grouped).commit()
    assert store.log.last_tick == before
    after = content_of(store)
    assert {**after, Family.META: {}} == {**content, Family.META: {}}
    assert after[Family.META].keys() == content[Family.META].keys()


def test_a_writer_that_changed_nothing_leaves_its_collection_alone(
    store: Store, collection: Collection
) -> None:
    idle = make_collection(store, "idle")
    revision = idle.state.counters.revision
    transaction = begin(store)
    transaction.writer(idle)
    DocumentWriter(transaction, collection, WriteOptions()).insert({})
    transaction.commit()
    assert idle.state.counters.revision == revision
    assert findings(store) == []


def test_the_log_counts_the_bytes_of_its_rows(store: Store, collection: Collection) -> None:
    insert(store, collection, *({"_key": f"k{n}", "text": "ü" * n} for n in range(30)))
    write(store, collection, "remove", "k1", "k2")
    rows = content_of(store)[Family.LOG].values()
    assert store.log.size_bytes == sum(map(len, rows))


def test_the_header_names_what_came_and_what_went(store: Store, collection: Collection) -> None:
    (old,) = insert(store, collection, {"_key": "a"})
    before = store.log.last_tick
    (new,) = insert(store, collection, {"_key": "a"}, mode="replace")
    (row,) = store.log.scan(before).take(2)
    scope = (2300, 0, 1, collection.info.id)
    assert HEADER.unpack_from(row) == (*scope, store.log.last_tick, new, old)


# -- seeing its own changes ----------------------------------------------------------------------


def test_a_transaction_sees_its_own_changes(store: Store, collection: Collection) -> None:
    (there,) = insert(store, collection, {"_key": "there", "n": 0})
    transaction = begin(store)
    writer = transaction.writer(collection)
    assert writer.find(b"there") == there
    revision, row = writer.put(b"new", 0, {"n": 1})
    assert writer.find(b"new") == revision
    assert writer.row(revision) == row
    second, _ = writer.put(b"new", revision, {"n": 2})
    assert writer.find(b"new") == second > revision
    writer.remove(b"there", there)
    assert writer.find(b"there") == 0
    again, _ = writer.put(b"there", 0, {"n": 3})
    assert writer.find(b"there") == again
    assert transaction.writer(collection) is writer
    assert bodies(store, collection) == {"there": {"n": 0}}, "nobody else sees anything yet"
    transaction.commit()
    assert bodies(store, collection) == {"new": {"n": 2}, "there": {"n": 3}}
    assert primary(store, collection) == {"new": second, "there": again}
    assert findings(store) == []


def test_what_comes_and_goes_leaves_no_row(store: Store, collection: Collection) -> None:
    transaction = begin(store)
    writer = transaction.writer(collection)
    revision, _ = writer.put(b"a", 0, {})
    writer.remove(b"a", revision)
    transaction.commit()
    assert stored(store, collection) == primary(store, collection) == {}
    assert (collection.count, collection.state.tree.count) == (0, 0)
    assert findings(store) == []


def test_clearing_within_a_transaction(store: Store, unique: Collection) -> None:
    insert(store, unique, *({"_key": f"k{n}", "n": n} for n in range(5)))
    before = store.log.last_tick
    transaction = begin(store)
    writer = transaction.writer(unique)
    writer.put(b"early", 0, {"n": 100})
    writer.clear()
    assert writer.find(b"k1") == writer.find(b"early") == 0
    for n, key in enumerate((b"k1", b"k2")):
        writer.put(key, 0, {"n": n})
    transaction.commit()
    assert [m["type"] for m in markers(store, before)] == [2200, 2300, 2004, 2300, 2300, 2201]
    assert bodies(store, unique) == {"k1": {"n": 0}, "k2": {"n": 1}}
    assert unique.count == 2
    assert findings(store) == []
    assert isinstance(store.engine, MemoryEngine)
    assert findings(open_store(store.engine.copy())) == []


def test_clearing_twice(store: Store, collection: Collection) -> None:
    insert(store, collection, {"_key": "a"})
    transaction = begin(store)
    writer = transaction.writer(collection)
    writer.clear()
    writer.put(b"b", 0, {})
    writer.clear()
    transaction.commit()
    assert collection.count == 0
    assert findings(store) == []


# -- all or nothing --------------------------------------------------------------------------------


def test_an_abandoned_transaction_leaves_no_trace(store: Store, unique: Collection) -> None:
    insert(store, unique, {"_key": "a", "n": 1})
    before, tick = content_of(store), store.log.last_tick
    transaction = begin(store)
    writer = transaction.writer(unique)
    writer.put(b"b", 0, {"n": 2})
    writer.remove(b"a", writer.find(b"a"))
    writer.clear()
    del transaction, writer
    assert content_of(store) == before
    assert store.log.last_tick == tick
    insert(store, unique, {"_key": "b", "n": 2})
    assert findings(store) == []


def test_a_transaction_that_cannot_be_written(store: Store, unique: Collection) -> None:
    insert(store, unique, {"_key": "a", "n": 1})
    before = content_of(store)
    with failing_writes(store.engine), pytest.raises(WriteFault):
        insert(store, unique, {"_key": "b", "n": 2}, {"_key": "c", "n": 3})
    assert content_of(store) == before
    assert unique.count == 1
    insert(store, unique, {"_key": "b", "n": 2}, {"_key": "c", "n": 3})
    assert findings(store) == []


def test_a_refused_document_changes_nothing_in_its_transaction(
    store: Store, unique: Collection
) -> None:
    insert(store, unique, {"_key": "a", "n": 1}, {"_key": "b", "n": 2})
    transaction = begin(store)
    writer = transaction.writer(unique)
    staged = transaction.staged
    entries = {family: dict(rows) for family, rows in staged.changes.entries.items()}
    for key, old, body, error in (
        (b"c", 0, {"n": 1}, UniqueConstraintViolated),
        (b"a", writer.find(b"a"), {"n": 2}, UniqueConstraintViolated),
        (b"c", 0, {"deep": nested(JSON_DEPTH_MAX)}, CorruptedJson),
    ):
        with pytest.raises(error):
            writer.put(key, old, body)
        assert staged.changes.entries == entries
    writer.put(b"c", 0, {"n": 3, "deep": nested(JSON_DEPTH_MAX - 1)})
    transaction.commit()
    assert set(bodies(store, unique)) == {"a", "b", "c"}
    assert findings(store) == []


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


# -- unique indexes --------------------------------------------------------------------------------


def test_a_value_is_taken_until_its_document_goes(store: Store, unique: Collection) -> None:
    insert(store, unique, {"_key": "a", "n": 1})
    with pytest.raises(UniqueConstraintViolated, match=r"index by_n .*; conflicting key: a$"):
        insert(store, unique, {"_key": "b", "n": 1.0})
    write(store, unique, "remove", "a")
    insert(store, unique, {"_key": "b", "n": 1})
    assert findings(store) == []


def test_a_document_may_keep_and_swap_its_values(store: Store, unique: Collection) -> None:
    insert(store, unique, {"_key": "a", "n": 1}, {"_key": "b", "n": 2})
    (kept,) = write(store, unique, "update", {"_key": "a", "n": 1, "more": True})
    assert index_entries(store, unique.info.indexes[0])[b"i1;"] == kept.revision
    transaction = begin(store)
    writer = DocumentWriter(transaction, unique, WriteOptions())
    writer.update({"_key": "a", "n": 3})
    writer.update({"_key": "b", "n": 1})
    writer.update({"_key": "a", "n": 2})
    transaction.commit()
    assert {key: body["n"] for key, body in bodies(store, unique).items()} == {"a": 2, "b": 1}
    assert findings(store) == []


def test_within_a_transaction_the_staged_entries_count(store: Store, unique: Collection) -> None:
    transaction = begin(store)
    writer = DocumentWriter(transaction, unique, WriteOptions())
    writer.insert({"_key": "a", "n": 1})
    with pytest.raises(UniqueConstraintViolated, match=r"conflicting key: a$"):
        writer.insert({"_key": "b", "n": 1})
    writer.remove("a")
    writer.insert({"_key": "b", "n": 1})
    transaction.commit()
    assert set(bodies(store, unique)) == {"b"}
    assert findings(store) == []


def test_too_many_entries_are_refused(
    store: Store, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_terms, "INDEX_TERMS_MAX", 6)
    make_index(store, collection, "a[*]", "b[*]")
    insert(store, collection, {"a": [1, 2], "b": [1, 2, 3]})
    with pytest.raises(ResourceLimit) as refused:
        insert(store, collection, {"_key": "x", "a": [5, 6, 7, 8, 9, 10, 11], "b": []})
    assert (refused.value.http_status, refused.value.error_num) == (400, 32)
    assert collection.count == 1
    assert findings(store) == []


def test_the_bound_is_checked_before_anything_is_multiplied(
    store: Store, collection: Collection
) -> None:
    make_index(store, collection, "a[*]", "b[*]", "c[*]")
    numbers = list(range(10_000))
    with pytest.raises(ResourceLimit):
        insert(store, collection, {"a": numbers, "b": numbers, "c": numbers})
    insert(store, collection, {"a": numbers, "b": [1], "c": []})
    assert len(index_entries(store, collection.info.indexes[0])) == 10_000


# -- rows ------------------------------------------------------------------------------------------


def test_a_primary_row_that_leads_nowhere_is_corruption(
    store: Store, collection: Collection
) -> None:
    (revision,) = insert(store, collection, {"_key": "a"})
    changes = WriteSet()
    changes.entries[Family.DOCUMENTS][collection.prefix + keys.u64(revision)] = None
    store.engine.write(changes)
    writer = begin(store).writer(collection)
    with pytest.raises(CorruptionError, match=str(revision)):
        writer.row(writer.find(b"a"))


def test_the_body_of_a_row() -> None:
    row = b'{"_key":"k","_id":"c/k","_from":"a/1","_to":"a/2","_rev":"_abc","a":{"_key":1}}'
    assert body_of(row) == {"_from": "a/1", "_to": "a/2", "a": {"_key": 1}}


def test_a_renamed_collection_writes_its_new_name(store: Store, collection: Collection) -> None:
    insert(store, collection, {"_key": "a"})
    rename_collection(store, system(store), collection, {"name": "d"})
    insert(store, collection, {"_key": "b"})
    ids = {document["_id"] for document in stored(store, collection).values()}
    assert ids == {"c/a", "d/b"}, "what is stored stays, what is new is new"


# -- blocks ----------------------------------------------------------------------------------------


def put_block(writer: CollectionWriter, *names: bytes) -> bool:
    """Store keys as a block if they are free."""
    if not writer.are_free(list(names)):
        return False
    writer.put_block(list(names), [b"}"] * len(names))
    return True


def test_keys_of_a_block_must_be_free(store: Store, collection: Collection) -> None:
    insert(store, collection, {"_key": "m"})
    writer = begin(store).writer(collection)
    assert not writer.are_free([b"a", b"m"])
    assert not writer.are_free([b"n", b"n"])
    assert not writer.are_free([b"m"])
    assert writer.are_free([b"z", b"a"])
    assert put_block(writer, b"n", b"o")
    assert not put_block(writer, b"o", b"p")
    assert put_block(writer, b"p", b"q")
    assert not put_block(writer, b"a", b"p")


def test_a_key_put_singly_is_not_free(store: Store, collection: Collection) -> None:
    writer = begin(store).writer(collection)
    assert put_block(writer, b"a", b"b")
    writer.put(b"y", 0, {})
    assert not put_block(writer, b"x", b"y")
    assert put_block(writer, b"x", b"z")


@pytest.mark.parametrize("first", [(b"b", b"a"), (b"c", b"a", b"b")])
def test_a_key_of_an_unordered_block_is_not_free(
    store: Store, collection: Collection, first: tuple[bytes, ...]
) -> None:
    writer = begin(store).writer(collection)
    assert put_block(writer, *first)
    assert not put_block(writer, b"a", b"z")


@pytest.mark.parametrize("is_cleared", [False, True])
def test_a_block_is_read_and_changed_in_its_transaction(
    store: Store, collection: Collection, is_cleared: bool
) -> None:
    transaction = begin(store)
    writer = transaction.writer(collection)
    revisions, rows = writer.put_block([b"a", b"b", b"c"], [b',"n":1', b',"n":2', b',"n":3'])
    assert [writer.find(key) for key in (b"a", b"b", b"x")] == [revisions[0], revisions[1], 0]
    assert [writer.row(revisions[0]), writer.has_revision(revisions[2])] == [rows[0], True]
    writer.remove(b"a", revisions[0])
    writer.put(b"b", revisions[1], {"n": 20})
    if is_cleared:
        writer.put_block([b"d"], [b""])
        writer.clear()
    (again,), _ = writer.put_block([b"a"], [b',"n":10'])
    assert writer.find(b"c") == (0 if is_cleared else revisions[2])
    assert transaction.commit()
    found = {"a": 10} if is_cleared else {"a": 10, "b": 20, "c": 3}
    transaction = begin(store)
    writer = transaction.writer(collection)
    assert {key: body_of(writer.row(writer.find(key.encode())))["n"] for key in found} == found
    assert (writer.find(b"a"), collection.count, findings(store)) == (again, len(found), [])


def test_an_array_with_a_key_twice_stores_one_document(
    store: Store, collection: Collection
) -> None:
    """The first slice is not in order, the second repeats one of its keys."""
    first = [f"k{n:04}" for n in range(WRITE_ROWS_PER_SLICE)]
    first[0], first[1] = first[1], first[0]
    second = [first[-1], *(f"m{n:04}" for n in range(WRITE_ROWS_PER_SLICE - 1))]
    transaction = begin(store)
    writer = DocumentWriter(transaction, collection, WriteOptions())
    outcomes = list(finish(writer.each([{"_key": key} for key in first + second], writer.insert)))
    assert isinstance(outcomes[WRITE_ROWS_PER_SLICE], UniqueConstraintViolated)
    transaction.commit()
    assert collection.count == 2 * WRITE_ROWS_PER_SLICE - 1
    assert findings(store) == []


def test_a_block_is_what_single_puts_would_be(store: Store, collection: Collection) -> None:
    other = make_collection(store, "other")
    before = store.log.last_tick
    names = [b"a", b"b", b"c"]
    transaction = begin(store)
    revisions, rows = transaction.writer(collection).put_block(
        names, [b"", b',"n":1', b',"%":"%d"']
    )
    transaction.commit()
    blocks = markers(store, before)
    before = store.log.last_tick
    transaction = begin(store)
    writer = transaction.writer(other)
    singles = [
        writer.put(name, 0, body)
        for name, body in zip(names, ({}, {"n": 1}, {"%": "%d"}), strict=True)
    ]
    transaction.commit()
    assert [without_identity(m) for m in blocks] == [
        without_identity(m) for m in markers(store, before)
    ]
    assert bodies(store, collection) == bodies(store, other)
    assert [len(row) for row in rows] == [len(row) - len(b"other") + 1 for _, row in singles]
    assert primary(store, collection) == dict(zip("abc", revisions, strict=True))
    assert findings(store) == []


def without_identity(marker: dict[str, Any]) -> dict[str, Any]:
    """What two equal writes to two collections log alike."""
    data = {
        name: value for name, value in marker.get("data", {}).items() if name not in ("_id", "_rev")
    }
    return {"type": marker["type"], "names": list(marker), "data": data}
