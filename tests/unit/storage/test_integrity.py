"""Cross-checks: each kind of disagreement is found and named, and a sound store has none."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from support.memory_engine import MemoryCursor, MemoryEngine
from support.stores import insert, make_collection, make_index, open_store, system, write

from arangorep.clock import ManualClock
from arangorep.data.collections import rename_collection, truncate_collection
from arangorep.data.databases import create_database, drop_database
from arangorep.data.indexes import create_index
from arangorep.errors import CorruptionError
from arangorep.storage import keys
from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.integrity import findings, read_all
from arangorep.storage.log import HEADER_BYTES
from arangorep.storage.store import Store


@pytest.fixture
def store() -> Store:
    """A bit of everything: an index, edges, a rename, a truncation, a dropped database."""
    made = open_store()
    documents = make_collection(made, "documents")
    make_index(made, documents, "n", name="by_n")
    insert(made, documents, *({"_key": f"k{n}", "n": n} for n in range(6)))
    write(made, documents, "remove", "k4", "k5")
    edges = make_collection(made, "edges", type=3)
    insert(made, edges, {"_key": "e", "_from": "documents/k1", "_to": "documents/k2"})
    rename_collection(made, system(made), edges, {"name": 'r"enamed'})
    emptied = make_collection(made, "emptied")
    insert(made, emptied, {"_key": "gone"})
    truncate_collection(made, system(made), emptied)
    create_database(made, {"name": "d"})
    drop_database(made, "d")
    return made


def test_a_sound_store(store: Store) -> None:
    assert findings(store) == []


def test_a_new_store() -> None:
    assert findings(open_store()) == []


def put(store: Store, family: Family, key: bytes, value: bytes | None) -> None:
    changes = WriteSet()
    changes.entries[family][key] = value
    store.engine.write(changes)


def rows(store: Store, family: Family) -> list[tuple[bytes, bytes]]:
    """The rows of `documents` in a family, or all markers of the log."""
    collection = system(store).find("documents")
    prefix = b"" if family is Family.LOG else collection.prefix
    return list(read_all(store.engine, family, prefix))


def change_document(store: Store, change: Callable[[bytes], bytes]) -> None:
    key, row = rows(store, Family.DOCUMENTS)[0]
    put(store, Family.DOCUMENTS, key, change(row))


def with_members(**members: object) -> Callable[[bytes], bytes]:
    return lambda row: json.dumps({**json.loads(row), **members}).encode()


def missing(family: Family) -> Callable[[Store], None]:
    return lambda store: put(store, family, rows(store, family)[0][0], None)


def moved(family: Family) -> Callable[[Store], None]:
    """A row whose value is that of another row."""

    def move(store: Store) -> None:
        (key, _), (_, value), *_ = rows(store, family)
        put(store, family, key, value)

    return move


def unknown(family: Family) -> Callable[[Store], None]:
    return lambda store: put(store, family, keys.u64(99_999) + b"12345678", b"12345678")


def wrong_count(store: Store) -> None:
    system(store).find("documents").state.counters.count += 1


def wrong_tree(store: Store) -> None:
    system(store).find("documents").state.tree.clear()


def last_marker(store: Store, change: Callable[[bytes], bytes | None]) -> None:
    key, row = rows(store, Family.LOG)[-1]
    put(store, Family.LOG, key, change(row))


def marker_of(store: Store, text: bytes) -> tuple[bytes, bytes]:
    return next((key, row) for key, row in rows(store, Family.LOG) if text in row)


def lost_transaction_end(store: Store) -> None:
    put(store, Family.LOG, marker_of(store, b'"type":2201')[0], None)


def lost_transaction_start(store: Store) -> None:
    put(store, Family.LOG, marker_of(store, b'"type":2200')[0], None)


def swapped_markers(store: Store) -> None:
    (first, row), (second, other), *_ = rows(store, Family.LOG)
    put(store, Family.LOG, first, other)
    put(store, Family.LOG, second, row)


def lost_document_marker(store: Store) -> None:
    put(store, Family.LOG, marker_of(store, b'"_key":"k2"')[0], None)


def lost_remove_marker(store: Store) -> None:
    put(store, Family.LOG, marker_of(store, b'"type":2302')[0], None)


def log_ends_in_a_transaction(store: Store) -> None:
    collection = system(store).find("documents")
    insert(store, collection, {"n": 50}, {"n": 51})
    last_marker(store, lambda row: None)
    store.log.last_tick -= 1


DISAGREEMENTS: dict[str, tuple[Callable[[Store], object], str]] = {
    "no document": (missing(Family.DOCUMENTS), "3 documents, but 4 keys"),
    "no primary row": (missing(Family.PRIMARY), "the primary index does not lead to document k0"),
    "primary row of another": (moved(Family.PRIMARY), "does not lead to document k0"),
    "no index entry": (missing(Family.INDEX), "index by_n does not lead to k0"),
    "index entry of another": (moved(Family.INDEX), "index by_n does not lead to k0"),
    "strange documents": (unknown(Family.DOCUMENTS), "documents holds rows of 99999"),
    "strange keys": (unknown(Family.PRIMARY), "primary holds rows of 99999"),
    "strange entries": (unknown(Family.INDEX), "index holds rows of 99999"),
    "no JSON": (
        lambda store: change_document(store, lambda row: row[:-1]),
        "the document of revision [0-9]+ cannot be read",
    ),
    "no object": (lambda store: change_document(store, lambda row: b"[]"), "cannot be read"),
    "no key": (
        lambda store: change_document(store, lambda row: b'{"_rev":"_abc"}'),
        "cannot be read",
    ),
    "a key that is a number": (
        lambda store: change_document(store, with_members(_key=1)),
        "cannot be read",
    ),
    "a revision that is a number": (
        lambda store: change_document(store, with_members(_rev=1)),
        "cannot be read",
    ),
    "another revision": (
        lambda store: change_document(store, with_members(_rev="_l6zhVTW---")),
        "document k0 has _rev _l6zhVTW---, but is stored under revision",
    ),
    "another key": (
        lambda store: change_document(store, with_members(_key="other")),
        "the primary index does not lead to document other",
    ),
    "another indexed value": (
        lambda store: change_document(store, with_members(n=77)),
        "index by_n does not lead to k0",
    ),
    "an entry too many": (
        lambda store: put(
            store,
            Family.INDEX,
            rows(store, Family.INDEX)[0][0] + b"x",
            rows(store, Family.INDEX)[0][1],
        ),
        "4 unique index entries expected, 5 stored",
    ),
    "a wrong count": (wrong_count, "counted 5 documents, found 4"),
    "a wrong tree": (wrong_tree, "the revision tree differs"),
    "a lost end of a transaction": (lost_transaction_end, "a transaction is not closed"),
    "a lost start of a transaction": (lost_transaction_start, "a transaction is not closed"),
    "a log that ends in a transaction": (log_ends_in_a_transaction, "ends inside a transaction"),
    "swapped markers": (swapped_markers, "the log is out of order at tick"),
    "a lost last marker": (lambda store: last_marker(store, lambda row: None), "the log ends at"),
    "an unreadable marker": (
        lambda store: last_marker(store, lambda row: row[:-5]),
        "the marker at tick [0-9]+ cannot be read",
    ),
    "a marker without its line": (
        lambda store: last_marker(store, lambda row: row[:HEADER_BYTES]),
        "the marker at tick [0-9]+ cannot be read",
    ),
    "a marker without a whole header": (
        lambda store: last_marker(store, lambda row: row[:20]),
        "the marker at tick [0-9]+ cannot be read",
    ),
    "a document that the log does not know": (lost_document_marker, "tells of 3 documents"),
    "a removal that the log does not know": (lost_remove_marker, "the log's last word on k4"),
}


@pytest.mark.parametrize("name", DISAGREEMENTS)
def test_a_disagreement_is_found(store: Store, name: str) -> None:
    do, text = DISAGREEMENTS[name]
    do(store)
    found = findings(store)
    assert found
    with pytest.raises(AssertionError, match=text):
        raise AssertionError("\n".join(found))


def test_checking_changes_nothing(store: Store) -> None:
    engine = store.engine
    assert isinstance(engine, MemoryEngine)
    before = engine.content()
    findings(store)
    assert engine.content() == before


def test_an_unfinished_index_is_no_finding(store: Store) -> None:
    """A server that was killed while it built one removes it at its next start."""
    collection = system(store).find("documents")
    body = {"type": "persistent", "unique": True, "fields": ["_key"]}
    work = create_index(store, system(store), collection, body)
    next(work)
    assert isinstance(store.engine, MemoryEngine)
    killed = Store(store.engine.copy(), ManualClock(), read_only=True)
    assert findings(killed) == []
    work.close()


def test_a_pruned_log_is_no_finding(store: Store) -> None:
    store.log.close_segment()
    store.log.prune(store.log.last_tick)
    assert findings(store) == []
    insert(store, system(store).find("documents"), {"_key": "later", "n": 100})
    assert findings(store) == []


class BadBlock(MemoryEngine):
    """An engine that cannot read its documents."""

    def cursor(self, family: Family) -> MemoryCursor:
        if family is Family.DOCUMENTS:
            raise CorruptionError("checksum mismatch")
        return super().cursor(family)


def test_an_unreadable_block_is_a_finding() -> None:
    store = open_store(BadBlock())
    assert findings(store) == ["the store cannot be read to its end: checksum mismatch"]


def test_all_rows_below_a_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arangorep.storage.integrity.BLOCK_ROWS", 3)
    engine = MemoryEngine()
    changes = WriteSet()
    for key in (b"a", b"b", *(b"b%d" % n for n in range(8)), b"c"):
        changes.entries[Family.META][key] = key
    engine.write(changes)
    found = [key for key, _ in read_all(engine, Family.META, b"b")]
    assert found == [b"b", *(b"b%d" % n for n in range(8))]
    assert len(list(read_all(engine, Family.META, b""))) == 11
