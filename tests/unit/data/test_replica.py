"""Documents of a leader: whatever the order and repetition, the leader's state is the result."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.stores import (
    insert,
    make_collection,
    make_index,
    markers,
    open_store,
    primary,
    stored,
    system,
)

from arangorep.codec.json import dumps
from arangorep.data.replica import ReplicaWriter
from arangorep.data.transactions import Transaction
from arangorep.errors import InvalidResponse
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.storage.rows import build_row, row_key
from arangorep.storage.store import Store
from arangorep.values.revision import revision_text

BASE = 1_700_000_000_000 << 20


@pytest.fixture
def store() -> Store:
    return open_store()


@pytest.fixture
def collection(store: Store) -> Collection:
    return make_collection(store, "c")


@pytest.fixture
def unique(store: Store) -> Collection:
    made = make_collection(store, "u")
    make_index(store, made, "n")
    return made


def row(collection: Collection, key: str, revision: int, **body: Any) -> bytes:
    text = revision_text(revision).encode()
    return build_row(key.encode(), collection.name_json, text, body)


def put_all(
    store: Store, collection: Collection, *documents: tuple[str, int, dict[str, Any]]
) -> int:
    """One block in one transaction; returns how many were new."""
    transaction = Transaction(store, system(store), grouped=False)
    writer = ReplicaWriter(transaction, collection)
    found = writer.put_all(
        [key.encode() for key, _, _ in documents],
        [revision for _, revision, _ in documents],
        [row(collection, key, revision, **body) for key, revision, body in documents],
    )
    transaction.commit()
    return found


def content(store: Store, collection: Collection) -> dict[str, tuple[int, Any]]:
    """Documents by key: revision and `n`."""
    assert findings(store) == []
    found = {d["_key"]: (r, d.get("n")) for r, d in stored(store, collection).items()}
    assert {key: revision for key, (revision, _) in found.items()} == primary(store, collection)
    return found


# -- single documents ----------------------------------------------------------------------------


def test_a_document_is_stored_as_it_is(store: Store, collection: Collection) -> None:
    before = store.log.last_tick
    assert put_all(store, collection, ("a", BASE + 5, {"n": 1, "s": "é"})) == 1
    assert stored(store, collection) == {
        BASE + 5: {"_key": "a", "_id": "c/a", "_rev": revision_text(BASE + 5), "n": 1, "s": "é"}
    }
    (marker,) = markers(store, before)
    assert marker["type"] == 2300
    assert dumps(marker["data"]) == row(collection, "a", BASE + 5, n=1, s="é")
    assert findings(store) == []


def test_the_same_revision_is_left_alone(store: Store, collection: Collection) -> None:
    documents = [("a", BASE + 5, {"n": 1}), ("b", BASE + 6, {"n": 2})]
    put_all(store, collection, *documents)
    before = store.log.last_tick
    assert put_all(store, collection, *documents) == 0
    assert put_all(store, collection, *documents[::-1]) == 0
    assert markers(store, before) == []
    assert put_all(store, collection, *documents, ("d", BASE + 7, {})) == 1


@pytest.mark.parametrize("other", [BASE + 1, BASE + 9])
def test_another_revision_replaces(store: Store, collection: Collection, other: int) -> None:
    """Also an older one: the leader is right."""
    put_all(store, collection, ("a", BASE + 5, {"n": 1}))
    assert put_all(store, collection, ("a", other, {"n": 2})) == 1
    assert content(store, collection) == {"a": (other, 2)}


def test_local_revisions_are_greater_afterwards(store: Store, collection: Collection) -> None:
    far = store.last_revision + (1000 << 20)
    put_all(store, collection, ("a", far, {}))
    (local,) = insert(store, collection, {"_key": "b"})
    assert local > far
    assert findings(store) == []


@pytest.mark.parametrize("revision", [0, 2**64 - 1, 2**64 - 2, 2**63 + 1])
def test_a_revision_is_usable_or_refused(
    store: Store, collection: Collection, revision: int
) -> None:
    """What is taken leaves a store that can be written to."""
    try:
        put_all(store, collection, ("a", revision, {"n": 1}))
    except InvalidResponse:
        assert content(store, collection) == {}
    else:
        assert content(store, collection) == {"a": (revision, 1)}
    insert(store, collection, {"_key": "local"})
    assert findings(store) == []


def test_numeric_keys_are_tracked(store: Store) -> None:
    counted = make_collection(store, "n", keyOptions={"type": "autoincrement"})
    put_all(store, counted, ("x", BASE + 1, {}), ("41", BASE + 2, {}))
    assert counted.state.counters.last_value == 41
    insert(store, counted, {})
    assert "42" in primary(store, counted)


@pytest.mark.parametrize("revision", [17, 12_345_678_901, 1_450_656_000_000])
def test_a_revision_outside_every_tree_is_refused(
    store: Store, collection: Collection, revision: int
) -> None:
    """The decimal revisions of documents that are older than hybrid logical clocks."""
    with pytest.raises(InvalidResponse):
        put_all(store, collection, ("a", BASE, {}), ("b", revision, {}))
    assert content(store, collection) == {}


# -- removals ------------------------------------------------------------------------------------


def test_a_removal_carries_its_revision(store: Store, collection: Collection) -> None:
    put_all(store, collection, ("a", BASE + 5, {}), ("b", BASE + 6, {}))
    before = store.log.last_tick
    transaction = Transaction(store, system(store), grouped=False)
    writer = ReplicaWriter(transaction, collection)
    assert writer.remove(b"a", BASE + 70)
    assert not writer.remove(b"a", BASE + 71)
    assert not writer.remove(b"zz")
    assert writer.remove(b"b")
    transaction.commit()
    first, second = markers(store, before)
    assert (first["type"], second["type"]) == (2302, 2302)
    assert first["data"] == {"_key": "a", "_rev": revision_text(BASE + 70)}
    assert second["data"]["_key"] == "b"
    assert content(store, collection) == {}


def remove_revisions(store: Store, collection: Collection, *pairs: tuple[int, str]) -> int:
    """In one transaction; returns how many were there."""
    transaction = Transaction(store, system(store), grouped=False)
    writer = ReplicaWriter(transaction, collection)
    revisions, keys = [r for r, _ in pairs], [key.encode() for _, key in pairs]
    gone = writer.remove_revisions(revisions, keys)
    transaction.commit()
    return gone


def test_removing_by_revision(store: Store, collection: Collection) -> None:
    put_all(store, collection, *((f"k{n}", BASE + n, {}) for n in range(1, 6)))
    pairs = (BASE + 2, "k2"), (BASE + 4, "k4"), (BASE + 4, "k4"), (BASE + 99, "k99")
    before = store.log.last_tick
    assert remove_revisions(store, collection, *pairs) == 2
    assert sorted(content(store, collection)) == ["k1", "k3", "k5"]
    assert [(m["type"], m["data"]["_key"]) for m in markers(store, before)] == [
        (2302, "k2"),
        (2302, "k4"),
    ]
    assert remove_revisions(store, collection, *pairs) == 0
    assert remove_revisions(store, collection) == 0


def test_a_document_that_has_changed_since_is_left_alone(
    store: Store, collection: Collection
) -> None:
    """Its key was looked up when it still had the revision that is to go."""
    put_all(store, collection, ("a", BASE + 1, {"n": 1}), ("b", BASE + 2, {"n": 2}))
    put_all(store, collection, ("a", BASE + 9, {"n": 9}))
    before = store.log.last_tick
    assert remove_revisions(store, collection, (BASE + 1, "a")) == 0
    assert content(store, collection) == {"a": (BASE + 9, 9), "b": (BASE + 2, 2)}
    assert markers(store, before) == []
    assert remove_revisions(store, collection, (BASE + 1, "a"), (BASE + 9, "a")) == 1
    assert content(store, collection) == {"b": (BASE + 2, 2)}


def test_a_document_that_changes_in_the_same_transaction_is_left_alone(
    store: Store, collection: Collection
) -> None:
    put_all(store, collection, ("a", BASE + 1, {"n": 1}))
    transaction = Transaction(store, system(store), grouped=False)
    writer = ReplicaWriter(transaction, collection)
    writer.put(b"a", BASE + 2, row(collection, "a", BASE + 2, n=2))
    assert writer.remove_revisions([BASE + 1], [b"a"]) == 0
    transaction.commit()
    assert content(store, collection) == {"a": (BASE + 2, 2)}


def test_a_revision_of_another_key_is_left_alone(store: Store, collection: Collection) -> None:
    put_all(store, collection, ("a", BASE + 1, {"n": 1}), ("b", BASE + 2, {"n": 2}))
    assert remove_revisions(store, collection, (BASE + 1, "b"), (BASE + 2, "a")) == 0
    assert len(content(store, collection)) == 2


def test_an_empty_key_does_nothing(store: Store, collection: Collection) -> None:
    put_all(store, collection, ("a", BASE + 1, {"n": 1}))
    before = store.log.last_tick
    assert remove_revisions(store, collection, (BASE + 1, ""), (0, ""), (BASE + 5, "")) == 0
    assert content(store, collection) == {"a": (BASE + 1, 1)}
    assert markers(store, before) == []


def test_every_revision_needs_its_key(store: Store, collection: Collection) -> None:
    put_all(store, collection, ("a", BASE + 1, {}))
    writer = ReplicaWriter(Transaction(store, system(store), grouped=False), collection)
    with pytest.raises(ValueError, match="shorter"):
        writer.remove_revisions([BASE + 1], [])


# -- in the way ----------------------------------------------------------------------------------


def test_a_unique_value_of_another_document_gives_way(store: Store, unique: Collection) -> None:
    put_all(store, unique, ("a", BASE + 1, {"n": 1}), ("b", BASE + 2, {"n": 2}))
    assert put_all(store, unique, ("c", BASE + 3, {"n": 1}), ("a", BASE + 4, {"n": 2})) == 2
    assert content(store, unique) == {"c": (BASE + 3, 1), "a": (BASE + 4, 2)}


def test_a_document_may_stand_in_the_way_twice(store: Store) -> None:
    made = make_collection(store, "u")
    make_index(store, made, "n")
    make_index(store, made, "m")
    put_all(store, made, ("a", BASE + 1, {"n": 1, "m": 1}), ("b", BASE + 2, {"n": 2, "m": 2}))
    put_all(store, made, ("c", BASE + 3, {"n": 1, "m": 2}))
    assert content(store, made) == {"c": (BASE + 3, 1)}
    put_all(store, made, ("c", BASE + 4, {"n": 2, "m": 1}))
    assert content(store, made) == {"c": (BASE + 4, 2)}


def test_a_revision_under_another_key_gives_way(store: Store, collection: Collection) -> None:
    put_all(store, collection, ("a", BASE + 1, {"n": 1}), ("b", BASE + 2, {"n": 2}))
    put_all(store, collection, ("b", BASE + 1, {"n": 3}))
    assert content(store, collection) == {"b": (BASE + 1, 3)}


def test_one_key_twice_in_a_block(store: Store, collection: Collection) -> None:
    put_all(store, collection, ("a", BASE + 1, {"n": 1}), ("a", BASE + 2, {"n": 2}))
    assert content(store, collection) == {"a": (BASE + 2, 2)}


# -- against a model -----------------------------------------------------------------------------

KEYS = "abcd1"
Step = tuple[str, Any]
documents = st.tuples(st.sampled_from(KEYS), st.integers(1, 12), st.integers(0, 3))
steps = st.one_of(
    st.tuples(st.just("put"), st.lists(documents, min_size=1, max_size=5)),
    st.tuples(st.just("remove"), st.sampled_from(KEYS)),
    st.tuples(st.just("remove_revisions"), st.lists(st.integers(1, 12), max_size=3)),
    st.tuples(
        st.just("remove_pairs"),
        st.lists(st.tuples(st.integers(1, 12), st.sampled_from(["", *KEYS])), max_size=3),
    ),
)
transactions = st.lists(st.lists(steps, min_size=1, max_size=4), min_size=1, max_size=5)


class Model:
    """Key to (revision, n). With `unique`, no value of `n` stands twice."""

    def __init__(self, *, unique: bool) -> None:
        self.documents: dict[str, tuple[int, int]] = {}
        self.unique = unique

    def put(self, key: str, revision: int, n: int) -> bool:
        if self.documents.get(key, (0, 0))[0] == revision:
            return False
        for other, (held, value) in list(self.documents.items()):
            if other != key and (held == revision or (self.unique and value == n)):
                del self.documents[other]
        self.documents[key] = (revision, n)
        return True

    def apply(self, step: Step) -> int:
        match step:
            case "put", found:
                return sum(self.put(key, BASE + r, n) for key, r, n in found)
            case "remove", key:
                return int(self.documents.pop(key, None) is not None)
            case "remove_revisions", revisions:
                wanted = {BASE + r for r in revisions}
                return self.drop([k for k, (r, _) in self.documents.items() if r in wanted])
            case _, pairs:
                wanted = {(BASE + r, key) for r, key in pairs}
                return self.drop([k for k, (r, _) in self.documents.items() if (r, k) in wanted])

    def drop(self, keys: list[str]) -> int:
        for key in keys:
            del self.documents[key]
        return len(keys)


def key_of(writer: ReplicaWriter, revision: int) -> bytes:
    """What whoever removes a revision has to look up."""
    inner = writer._writer
    return row_key(inner.row(revision)) if inner.has_revision(revision) else b""


def apply(writer: ReplicaWriter, collection: Collection, step: Step, *, singly: bool) -> int:
    match step:
        case "put", found:
            names = [key.encode() for key, _, _ in found]
            revisions = [BASE + r for _, r, _ in found]
            rows = [row(collection, key, BASE + r, n=n) for key, r, n in found]
            if singly:
                return sum(map(writer.put, names, revisions, rows))
            return writer.put_all(names, revisions, rows)
        case "remove", key:
            return int(writer.remove(key.encode()))
        case "remove_revisions", found:
            revisions = [BASE + r for r in found]
            return writer.remove_revisions(revisions, [key_of(writer, r) for r in revisions])
        case _, pairs:
            revisions = [BASE + r for r, _ in pairs]
            return writer.remove_revisions(revisions, [key.encode() for _, key in pairs])


@given(log=transactions, unique=st.booleans(), grouped=st.booleans(), singly=st.booleans())
@example([[("put", [("a", 1, 0), ("b", 2, 1)]), ("put", [("a", 3, 1)])]], True, True, False)
def test_every_step_does_what_the_model_does(
    log: list[list[Step]], unique: bool, grouped: bool, singly: bool
) -> None:
    store = open_store()
    collection = make_collection(store, "c")
    if unique:
        make_index(store, collection, "n")
    model = Model(unique=unique)
    for part in log:
        transaction = Transaction(store, system(store), grouped=grouped)
        writer = ReplicaWriter(transaction, collection)
        for step in part:
            assert apply(writer, collection, step, singly=singly) == model.apply(step)
        transaction.commit()
        assert content(store, collection) == model.documents
        assert collection.count == len(model.documents)


@given(
    final=st.dictionaries(st.sampled_from(KEYS), st.integers(0, 9), max_size=5),
    log=transactions,
    order=st.randoms(use_true_random=False),
    unique=st.booleans(),
)
def test_any_history_converges_to_the_leaders_state(
    final: dict[str, int], log: list[list[Step]], order: Any, unique: bool
) -> None:
    """Whatever was here: removing what the leader has not and storing what it has is enough."""
    store = open_store()
    collection = make_collection(store, "c")
    if unique:
        make_index(store, collection, "n")
        final = {key: number for number, key in enumerate(final)}
    for part in log:
        transaction = Transaction(store, system(store), grouped=True)
        writer = ReplicaWriter(transaction, collection)
        for step in part:
            apply(writer, collection, step, singly=False)
        transaction.commit()
    leader = {key: (BASE + 50 + at, n) for at, (key, n) in enumerate(final.items())}
    here = content(store, collection)
    surplus = [(r, key) for key, (r, _) in here.items() if key not in final]
    assert remove_revisions(store, collection, *surplus) == len(surplus)
    wanted = [(key, revision, {"n": n}) for key, (revision, n) in leader.items()]
    order.shuffle(wanted)
    for _ in range(2):
        for document in wanted:
            put_all(store, collection, document)
        assert content(store, collection) == leader


@given(
    present=st.lists(documents, max_size=5),
    block=st.lists(documents, min_size=1, max_size=8),
    ascending=st.booleans(),
    is_same=st.booleans(),
)
def test_a_block_is_the_same_as_its_documents_one_by_one(
    present: list[tuple[str, int, int]],
    block: list[tuple[str, int, int]],
    ascending: bool,
    is_same: bool,
) -> None:
    """In the log, too."""
    if ascending:
        block = [(key, 20 + at, n) for at, (key, _, n) in enumerate(block)]
    found = []
    for singly in (False, True):
        store = open_store()
        collection = make_collection(store, "c")
        transaction = Transaction(store, system(store), grouped=False)
        writer = ReplicaWriter(transaction, collection)
        if present:
            apply(writer, collection, ("put", present), singly=True)
        if not is_same:
            transaction.commit()
            transaction = Transaction(store, system(store), grouped=False)
            writer = ReplicaWriter(transaction, collection)
        changed = apply(writer, collection, ("put", block), singly=singly)
        transaction.commit()
        log = [
            (m["type"], {**m["data"], "_rev": 0})
            for m in markers(store)
            if m["type"] in (2300, 2302)
        ]
        found.append((changed, content(store, collection), log))
    assert found[0] == found[1]


def test_revisions_that_fit_no_tree_together_are_refused_before_anything_is_written(
    store: Store, collection: Collection
) -> None:
    low, high = 6 * 10**17, 105 * 10**17
    with pytest.raises(InvalidResponse):
        put_all(store, collection, ("a", low, {}), ("b", high, {}))
    transaction = Transaction(store, system(store), grouped=False)
    for number, revision in enumerate((low, high)):
        writer = ReplicaWriter(transaction, collection)
        rows = [row(collection, f"k{number}", revision)]
        if revision == high:
            with pytest.raises(InvalidResponse):
                writer.put_all([b"k1"], [revision], rows)
        else:
            writer.put_all([b"k0"], [revision], rows)
    transaction.commit()
    assert collection.count == 1
    assert findings(store) == []
