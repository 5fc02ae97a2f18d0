"""The block way of inserting gives the same as inserting one by one."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.memory_engine import MemoryEngine
from support.stores import finish

from arangorep.clock import ManualClock
from arangorep.codec import msgpack
from arangorep.data import bulk
from arangorep.data.collections import create_collection
from arangorep.data.cut_worker import cut, cut_blocks
from arangorep.data.cutting import CutBlock, cut_block
from arangorep.data.databases import ensure_system_database
from arangorep.data.documents import DocumentWriter, WriteOptions, WriteResult
from arangorep.data.transactions import Transaction
from arangorep.errors import ArangoError
from arangorep.limits import WRITE_ROWS_PER_SLICE
from arangorep.storage.engine import Family
from arangorep.storage.integrity import findings
from arangorep.storage.store import Store
from arangorep.values.key_generator import KeyOptions

KEYS = st.sampled_from([f"k{n}" for n in range(30)] + ["7", "12", "a/b", "", "x" * 255, "ä"])
DOCUMENTS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"_key": KEYS}, optional={"a": st.integers(0, 9), "_rev": st.just("x")}
        ),
        st.fixed_dictionaries({"a": st.text(), "b": st.lists(st.booleans())}),
        st.fixed_dictionaries({"a": st.integers(0, 9), "_key": KEYS}),
        st.just("no document"),
        # inside of them is what stands between two documents
        st.just({"_key": "k1", "l": [{"z": 1}, {"_key": "k2"}]}),
        st.just({"x": 1, "_key": "k3"}),
        st.just({"x": 1, "_key": 5}),
        st.just({"_key": None}),
        st.sampled_from([197, 198, 199, 200, 300]).map(
            lambda depth: {"_key": f"d{depth}", "a": json.loads("[" * depth + "]" * depth)}
        ),
    ),
    min_size=1,
    max_size=20,
)
ASCENDING = st.integers(8, 40).map(lambda n: [{"_key": f"k{i:03}", "n": i} for i in range(n)])


def insert(
    documents: list[Any], options: dict[str, Any], *, in_blocks: bool, by_worker: bool = False
) -> tuple[Any, Any]:
    """What the store holds and what was answered, after two arrays in a new store."""
    store = Store(MemoryEngine(), ManualClock())
    ensure_system_database(store)
    database = store.catalog.database("_system")
    collection = create_collection(store, database, {"name": "c", "keyOptions": options})
    answers: list[Any] = []
    for half in (documents[::2], documents[1::2]):
        transaction = Transaction(store, database, grouped=True)
        writer = DocumentWriter(transaction, collection, WriteOptions())
        if in_blocks:
            blocks = cut_by_worker(half, collection.info.key_options) if by_worker else None
            if blocks is None:
                work = writer.each(half, writer.insert)
            else:
                work = writer.insert_each(blocks, collection.info.key_options)
            answers += finish(work)
        else:
            answers += [_one(writer, document) for document in half]
        transaction.commit()
    assert findings(store) == []
    assert collection.count == sum(isinstance(answer, WriteResult) for answer in answers)
    primary = store.engine.cursor(Family.PRIMARY).keys(b"", b"\xff" * 9, 1000)
    shown = [a.error_num if isinstance(a, ArangoError) else a.key for a in answers]
    bodies = [_body(a.new) for a in answers if isinstance(a, WriteResult) and a.new]
    return (shown, bodies, collection.state.counters.count), [key[8:] for key in primary]


def cut_by_worker(documents: list[Any], options: KeyOptions) -> list[CutBlock] | None:
    """What comes back from a worker that was sent these documents."""
    task = {"rows": 10, "keys": asdict(options)}
    answer = cut(msgpack.unpack(msgpack.pack(task)), json.dumps(documents).encode())
    answer = msgpack.unpack(msgpack.pack(answer))
    return cut_blocks(answer) if "blocks" in answer else None


def _one(writer: DocumentWriter, document: Any) -> Any:
    try:
        return writer.insert(document)
    except ArangoError as error:
        return error


def _body(row: bytes) -> bytes:
    return row.partition(b'"_rev":"')[2].partition(b'"')[2]


@given(documents=st.one_of(DOCUMENTS, ASCENDING))
def test_blocks_and_single_inserts_agree(documents: list[Any]) -> None:
    given_keys = [d for d in documents if not isinstance(d, dict) or "_key" in d]
    one_by_one = insert(given_keys, {}, in_blocks=False)
    assert insert(given_keys, {}, in_blocks=True) == one_by_one
    assert insert(given_keys, {}, in_blocks=True, by_worker=True) == one_by_one


def test_a_gap_within_a_document_is_none_between_two() -> None:
    documents: list[Any] = [
        {"_key": "a", "l": [{"z": 1}, {"_key": "b"}]},
        {"x": 1, "_key": "b"},
        *({"_key": f"k{n}"} for n in range(8)),
    ]
    assert cut_block(KeyOptions(), documents) is None
    assert cut_block(KeyOptions(), [*documents[:1], *documents[2:]]) is None
    plain = cut_block(KeyOptions(), documents[2:])
    assert plain is not None
    assert plain.documents() == documents[2:]
    sequence = [item for document in documents for item in (document, {"_key": "other"})]
    one_by_one = insert(sequence, {}, in_blocks=False)
    for by_worker in (False, True):
        assert insert(sequence, {}, in_blocks=True, by_worker=by_worker) == one_by_one


@pytest.mark.parametrize("options", [{"type": "padded"}, {"type": "autoincrement"}, {}])
@given(documents=st.one_of(DOCUMENTS, ASCENDING))
def test_a_worker_makes_no_difference(options: dict[str, Any], documents: list[Any]) -> None:
    given_keys = [d for d in documents if not isinstance(d, dict) or "_key" in d]
    one_by_one = insert(given_keys, options, in_blocks=False)
    assert insert(given_keys, options, in_blocks=True, by_worker=True) == one_by_one
    # which numbers generated keys get is another matter
    (_, bodies, count), _ = insert(documents, options, in_blocks=True, by_worker=True)
    assert (bodies, count) == insert(documents, options, in_blocks=False)[0][1:]


def test_keys_that_do_not_stand_in_front_are_put_there() -> None:
    documents: list[Any] = [{"a": n, "_key": f"k{n}", "b": {"_key": "inner"}} for n in range(40)]
    block = cut_block(KeyOptions(), documents)
    assert block is not None
    assert [list(document) for document in block.documents()] == [["_key", "a", "b"]] * 40
    assert block.documents() == documents


def test_numbers_among_keys_are_known_to_the_generator() -> None:
    documents: list[Any] = [{"_key": str(n)} for n in range(10**9, 10**9 + 41)] + [{}]
    for by_worker in (False, True):
        (shown, _, _), _ = insert(documents, {}, in_blocks=True, by_worker=by_worker)
        assert min(int(key) for key in shown) == 10**9
        assert len(set(shown)) == len(documents)


def test_blocks_for_other_options_go_one_by_one() -> None:
    store = Store(MemoryEngine(), ManualClock())
    ensure_system_database(store)
    database = store.catalog.database("_system")
    options = {"keyOptions": {"allowUserKeys": False}}
    collection = create_collection(store, database, {"name": "c", **options})
    blocks = cut_by_worker([{"_key": f"k{n}", "a": n} for n in range(20)], KeyOptions())
    assert blocks is not None
    transaction = Transaction(store, database, grouped=True)
    writer = DocumentWriter(transaction, collection, WriteOptions())
    work = writer.insert_each(blocks, KeyOptions())
    outcomes = finish(work)
    assert [getattr(outcome, "error_num", None) for outcome in outcomes] == [1222] * 20


@pytest.mark.parametrize("kind", ["traditional", "autoincrement", "padded", "uuid"])
def test_generated_keys_are_free_and_ascend(kind: str) -> None:
    documents: list[Any] = [{"n": n} for n in range(500)] + [{}]
    (shown, bodies, count), primary = insert(documents, {"type": kind}, in_blocks=True)
    assert count == len(set(shown)) == len(primary) == 501
    assert bodies.count(b"}") == 1


def test_the_block_way_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    plain = bulk.CollectionWriter.put_block

    def counted(self: Any, names: list[bytes], tails: list[bytes]) -> Any:
        taken.append(len(names))
        return plain(self, names, tails)

    monkeypatch.setattr(bulk.CollectionWriter, "put_block", counted)
    insert([{"_key": f"k{n}", "a": 1} for n in range(100)], {}, in_blocks=True)
    insert([{"a": 1} for _ in range(100)], {}, in_blocks=True)
    assert sum(taken) == 200


def test_a_key_of_an_earlier_block_is_taken() -> None:
    """Also when that block did not ascend, so that its last key is not its greatest."""
    first = [{"_key": f"k{n}"} for n in (9, 1, 2, 3, 4, 5, 6, 0)]
    filler = [{"_key": f"a{n:04}"} for n in range(WRITE_ROWS_PER_SLICE - len(first))]
    second = [{"_key": f"k{n}"} for n in (9, 91, 92, 93, 94, 95, 96, 97)]
    sequence = first + filler + second
    documents = [item for document in sequence for item in (document, None)]
    (shown, _, count), _ = insert(documents, {}, in_blocks=True)
    assert shown.count(1210) == 1
    assert count == len(sequence) - 1


def test_keys_that_run_out_fail_one_by_one() -> None:
    options = {"type": "autoincrement", "offset": 2**64 - 4}
    documents: list[Any] = [{"n": n} for n in range(20)]
    assert insert(documents, options, in_blocks=True) == insert(documents, options, in_blocks=False)


def test_upper_case_keys_count_for_padded_keys() -> None:
    documents: list[Any] = [{"_key": f"{'A' * 15}{n % 10}"} for n in range(10)]
    options = {"type": "padded"}
    assert insert(documents, options, in_blocks=True) == insert(documents, options, in_blocks=False)


def test_the_log_grows_by_what_is_written() -> None:
    store = Store(MemoryEngine(), ManualClock())
    ensure_system_database(store)
    database = store.catalog.database("_system")
    collection = create_collection(store, database, {"name": "c"})
    before = store.log.size_bytes
    after_tick = store.log.last_tick
    transaction = Transaction(store, database, grouped=True)
    writer = DocumentWriter(transaction, collection, WriteOptions())
    for _ in writer.each([{"_key": f"k{n}", "n": n} for n in range(50)], writer.insert):
        pass
    transaction.commit()
    rows = store.engine.scan(Family.LOG, (after_tick + 1).to_bytes(8, "big"), b"\xff" * 9)
    assert store.log.size_bytes - before == sum(map(len, rows.take(1000)))
