"""Stream transactions against dicts: snapshot isolation, claims, and one group in the log.

Several transactions and plain writes are interleaved on two collections, one with a unique index,
one with an autoincrement key. The oracle keeps a copy of the dicts for each transaction and
predicts every conflict: the first who writes a key or a unique value has it. Collections are
dropped, renamed and truncated in between, and the store is stopped and killed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from support.reading import read_with_revision
from support.stores import Bench, finish, make_collection, make_index, markers, primary, system

from arangorep.data import bulk, documents
from arangorep.data.collections import drop_collection, rename_collection, truncate_collection
from arangorep.data.documents import DocumentWriter, Outcome, WriteOptions
from arangorep.data.reading import row_blocks
from arangorep.data.streams import Declaration, StreamTransactions
from arangorep.data.transactions import Transaction
from arangorep.errors import (
    ArangoError,
    CollectionNotFound,
    Conflict,
    DocumentNotFound,
    TransactionAborted,
    TransactionDisallowed,
    UniqueConstraintViolated,
)
from arangorep.limits import STREAM_IDLE_S
from arangorep.storage import log
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.values.revision import parse_revision

EXAMPLES = settings().max_examples
UNIQUE, AUTO = NAMES = ("unique", "auto")
KEYS = ["a", "b", "c", "d"]
PLACE = ("root", "_system")
DECLARED = Declaration((), (), (), True, False, 0, 1 << 20)


@dataclass(frozen=True)
class Document:
    n: int | None
    revision: int


Contents = dict[str, dict[str, Document]]


@dataclass
class Open:
    """A running transaction: what it sees, and what it has claimed."""

    view: Contents
    own: Contents = field(default_factory=lambda: {name: {} for name in NAMES})
    """What it put; a removed document is in `removed`."""
    removed: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in NAMES})
    keys: dict[tuple[str, str], int] = field(default_factory=dict)
    """Claimed keys, and the revision they had."""
    values: dict[tuple[str, int], int] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    """Collections that were dropped since it began."""

    entered: set[str] = field(default_factory=set)
    """Collections that it tried to write into."""


@dataclass(frozen=True)
class Step:
    name: str
    collection: str
    key: str | None
    n: int | None


steps = (
    st.builds(
        Step,
        st.sampled_from(["insert", "insert", "upsert", "replace", "update", "remove"]),
        st.just(UNIQUE),
        st.sampled_from(KEYS),
        st.none() | st.integers(0, 3),
    )
    | st.builds(
        Step,
        st.sampled_from(["replace", "remove"]),
        st.just(AUTO),
        st.sampled_from([str(n) for n in range(1, 6)]),
        st.none(),
    )
    | st.builds(Step, st.just("insert"), st.just(AUTO), st.none(), st.none() | st.integers(0, 3))
)


class StreamsMachine(RuleBasedStateMachine):
    def __init__(self, directory: Callable[[], Path | None]) -> None:
        super().__init__()
        self.bench = Bench(directory())
        self.names = {name: name for name in NAMES}
        self.committed: Contents = {name: {} for name in NAMES}
        self.open: dict[int, Open] = {}
        self.given: set[str] = set()
        """Keys that the generator gave."""
        self.ends = 0
        for name in NAMES:
            self.create(name)
        self.begin_anew()
        self.plain([Step("insert", UNIQUE, key, n) for n, key in enumerate(KEYS[:2])])
        self.plain_array(3)
        self.begin()

    def teardown(self) -> None:
        self.bench.end()

    def create(self, name: str) -> None:
        options = {"keyOptions": {"type": "autoincrement"}} if name == AUTO else {}
        collection = make_collection(self.bench.store, self.names[name], **options)
        if name == UNIQUE:
            make_index(self.bench.store, collection, "n", sparse=True)
        else:
            self.given = set()

    def begin_anew(self) -> None:
        """After a start: no transaction is left, and only what was committed is known."""
        self.streams = StreamTransactions(self.bench.store, self.bench.clock, self.note_end)
        self.open.clear()
        self.given = set(self.committed[AUTO])

    def note_end(self) -> None:
        self.ends += 1

    def collection(self, name: str) -> Collection:
        return system(self.bench.store).find(self.names[name])

    def pick(self, number: int) -> int | None:
        return sorted(self.open)[number % len(self.open)] if self.open else None

    # -- life of transactions ------------------------------------------------------------------

    @rule()
    def begin_one(self) -> None:
        self.begin()

    def begin(self) -> None:
        if len(self.open) == 3:
            return
        everything = [self.collection(name) for name in NAMES]
        begun = self.streams.begin(system(self.bench.store), PLACE[0], [], everything, [], DECLARED)
        self.open[begun.id] = Open({name: dict(self.committed[name]) for name in NAMES})

    @rule(number=st.integers(0, 2))
    def commit(self, number: int) -> None:
        transaction_id = self.pick(number)
        if transaction_id is None:
            return
        model = self.open.pop(transaction_id)
        stale = bool(model.entered & model.gone) or any(
            self.revision(name, key) != seen for (name, key), seen in model.keys.items()
        )
        stale = stale or any(
            self.holder_revision(name, n) != seen for (name, n), seen in model.values.items()
        )
        before = self.bench.store.log.last_tick
        if stale:
            with pytest.raises(Conflict):
                finish(self.streams.commit(transaction_id, *PLACE))
            assert self.bench.store.log.last_tick == before
            assert self.streams.state(transaction_id, *PLACE) == "aborted"
            return
        finish(self.streams.commit(transaction_id, *PLACE))
        assert self.streams.state(transaction_id, *PLACE) == "committed"
        for name in NAMES:
            for key in model.removed[name]:
                self.committed[name].pop(key, None)
            self.committed[name].update(model.own[name])

    @rule(number=st.integers(0, 2))
    def abort(self, number: int) -> None:
        transaction_id = self.pick(number)
        if transaction_id is not None:
            del self.open[transaction_id]
            self.streams.abort(transaction_id, *PLACE)
            with pytest.raises(TransactionDisallowed):
                finish(self.streams.commit(transaction_id, *PLACE))

    def expire(self) -> None:
        self.bench.clock.advance_s(STREAM_IDLE_S + 1)
        ended = self.ends
        self.streams.sweep()
        assert self.ends == ended + len(self.open)
        for transaction_id in self.open:
            with pytest.raises(TransactionAborted):
                self.use(transaction_id)
        self.open.clear()

    def use(self, transaction_id: int) -> None:
        with self.streams.use(transaction_id, *PLACE):
            pass

    # -- writing -------------------------------------------------------------------------------

    @rule(work=st.lists(steps, min_size=1, max_size=3))
    def plain(self, work: list[Step]) -> None:
        """Writes outside of all transactions."""
        for step in work:
            self.plain_one(step)

    def plain_one(self, step: Step) -> None:
        store, collection = self.bench.store, self.collection(step.collection)
        transaction = Transaction(store, system(store), grouped=False)
        outcome = run(step, DocumentWriter(transaction, collection, options(step)))
        content = self.committed[step.collection]
        faults = self.faults(step, content, content, 0)
        self.judge(step, outcome, faults)
        transaction.commit()
        self.take_over(step, outcome, content)

    @rule(count=st.integers(2, 4))
    def plain_array(self, count: int) -> None:
        """Generated keys, many at once: the fast way when nobody has claimed anything."""
        store, collection = self.bench.store, self.collection(AUTO)
        transaction = Transaction(store, system(store), grouped=True)
        writer = DocumentWriter(transaction, collection, WriteOptions())
        outcomes = list(finish(writer.each([{"n": 1}] * count, writer.insert)))
        transaction.commit()
        for outcome in outcomes:
            self.take_over(Step("insert", AUTO, None, 1), outcome, self.committed[AUTO])

    @rule(number=st.integers(0, 2), work=st.lists(steps, min_size=1, max_size=4))
    def inside(self, number: int, work: list[Step]) -> None:
        """Writes in a transaction, which is begun if there is none."""
        if not self.open:
            self.begin()
        for step in work:
            self.inside_one(sorted(self.open)[number % len(self.open)], step)

    @rule(
        number=st.integers(0, 2),
        first=steps,
        second=steps,
        same=st.booleans(),
        plain_first=st.booleans(),
    )
    def race(self, number: int, first: Step, second: Step, same: bool, plain_first: bool) -> None:
        """A write in a transaction and one outside, often of the same document."""
        if not self.open:
            self.begin()
        if same and first.key is not None:
            second = replace(second, key=first.key, collection=first.collection)
        transaction_id = sorted(self.open)[number % len(self.open)]
        if plain_first:
            self.plain_one(second)
        self.inside_one(transaction_id, first)
        if not plain_first:
            self.plain_one(second)

    def inside_one(self, transaction_id: int, step: Step) -> None:
        model, name = self.open[transaction_id], step.collection
        with self.streams.use(transaction_id, *PLACE) as stream:
            if name in model.gone:
                with pytest.raises(CollectionNotFound):
                    stream.writer(self.collection(name))
                return
            writer = DocumentWriter(stream, self.collection(name), options(step))
            outcome = run(step, writer)
        seen = model.view[name]
        model.touched.add(name)
        model.entered.add(name)
        faults = self.faults(step, seen, self.overlay(model, name), transaction_id)
        key = step.key
        if key is not None and (name, key) not in model.keys and reaches_claim(step, seen):
            if self.claimant(name, key) or self.revision(name, key) != revision_of(seen.get(key)):
                faults.add(Conflict)
            else:  # also when the write fails then
                model.keys[name, key] = self.revision(name, key)
        self.judge(step, outcome, faults)
        if not isinstance(outcome, ArangoError):
            assert key is not None or self.revision(name, outcome.key) == 0
            model.keys.setdefault((name, outcome.key), 0)
            if step.name != "remove" and name == UNIQUE and self.new_n(step, seen) is not None:
                claimed = (name, self.new_n(step, seen))
                model.values.setdefault(claimed, self.holder_revision(*claimed))
            self.take_over(step, outcome, seen)
            model.own[name].pop(outcome.key, None)
            model.removed[name].discard(outcome.key)
            if step.name == "remove":
                model.removed[name].add(outcome.key)
            else:
                model.own[name][outcome.key] = seen[outcome.key]

    @rule(number=st.integers(0, 2), name=st.sampled_from(NAMES))
    def clear_inside(self, number: int, name: str) -> None:
        """Truncation as part of a transaction; it may stop half way."""
        transaction_id = self.pick(number)
        if transaction_id is None or name in self.open[transaction_id].gone:
            return
        model = self.open[transaction_id]
        seen = model.view[name]
        model.touched.add(name)
        model.entered.add(name)
        is_stopped = any(
            (name, key) not in model.keys
            and (self.claimant(name, key) or self.revision(name, key) != document.revision)
            for key, document in seen.items()
        )
        with self.streams.use(transaction_id, *PLACE) as stream:
            writer = stream.writer(self.collection(name))
            if is_stopped:
                with pytest.raises(Conflict):
                    writer.clear()
            else:
                writer.clear()
            # the order of removals is that of the rows: see how far it came
            for key in [key for key in seen if not writer.find(key.encode())]:
                model.keys.setdefault((name, key), self.revision(name, key))
                model.own[name].pop(key, None)
                model.removed[name].add(key)
                del seen[key]
        assert is_stopped or not seen

    # -- collections and disk --------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), data=st.data())
    def disturb(self, name: str, data: st.DataObject) -> None:
        """What happens to collections and stores beside writing."""
        match data.draw(st.sampled_from(["drop", "rename", "truncate", "stop", "crash", "expire"])):
            case "drop":
                self.drop(name)
            case "rename":
                self.rename(name, data.draw(st.sampled_from(["x", 'y"\\ü'])))
            case "truncate":
                self.truncate(name)
            case "expire":
                self.expire()
            case kind:
                self.restart(kind)

    def drop(self, name: str) -> None:
        """A collection goes, and another one of its name comes."""
        store = self.bench.store
        drop_collection(store, system(store), self.collection(name), allow_system=False)
        self.committed[name].clear()
        for transaction_id, model in list(self.open.items()):
            if self.streams.state(transaction_id, *PLACE) == "aborted":
                assert name in model.touched, "it never looked at the collection"
                del self.open[transaction_id]
            else:
                model.gone.add(name)
        self.create(name)

    def rename(self, name: str, new_name: str) -> None:
        store, new_name = self.bench.store, f"{new_name}{name}"
        rename_collection(store, system(store), self.collection(name), {"name": new_name})
        self.names[name] = new_name

    def truncate(self, name: str) -> None:
        """As an applier does it, which waits for nobody's claims."""
        store = self.bench.store
        truncate_collection(store, system(store), self.collection(name))
        self.committed[name].clear()

    def restart(self, kind: str) -> None:
        if kind == "stop":
            self.bench.stop()
        else:
            self.streams.abort_all()  # a dead process has no iterators either
            self.bench.crash()
        self.begin_anew()

    # -- reading -------------------------------------------------------------------------------

    @rule(number=st.integers(0, 2), name=st.sampled_from(NAMES))
    def read_inside(self, number: int, name: str) -> None:
        """Documents, all rows and the count, as of the beginning with the own changes."""
        transaction_id = self.pick(number)
        if transaction_id is None:
            return
        model, collection = self.open[transaction_id], self.collection(name)
        store, seen = self.bench.store, model.view[name]
        with self.streams.use(transaction_id, *PLACE) as stream:
            if name in model.gone:
                with pytest.raises(CollectionNotFound):
                    stream.count(collection)
                return
            model.touched.add(name)
            assert stream.count(collection) == len(seen)
            blocks = row_blocks(store, collection, stream)
            rows = [json.loads(row) for block in blocks for row in block]
            assert len(rows) == len(seen)
            assert {row["_key"]: parsed(row) for row in rows} == seen
            assert all(row["_id"] == f"{self.names[name]}/{row['_key']}" for row in rows)
            for key in {*KEYS, *seen, *self.committed[name]}:
                if key in seen:
                    revision, row = read_with_revision(store, collection, key, stream)
                    assert revision == seen[key].revision
                    assert parsed(json.loads(row)) == seen[key]
                else:
                    with pytest.raises(DocumentNotFound):
                        read_with_revision(store, collection, key, stream)

    # -- the oracle ----------------------------------------------------------------------------

    def revision(self, name: str, key: str) -> int:
        return revision_of(self.committed[name].get(key))

    def holder_revision(self, name: str, n: int | None) -> int:
        held = (d.revision for d in self.committed[name].values() if n is not None and d.n == n)
        return next(held, 0)

    def claimant(self, name: str, key: str, but: int = 0) -> bool:
        """Whether a transaction has claimed the key of the collection that is there now."""
        return any(
            (name, key) in model.keys and name not in model.gone
            for other, model in self.open.items()
            if other != but
        )

    def value_claimant(self, name: str, n: int, but: int) -> bool:
        return any(
            (name, n) in model.values and name not in model.gone
            for other, model in self.open.items()
            if other != but
        )

    def overlay(self, model: Open, name: str) -> dict[str, Document]:
        """What unique values are compared with: what is committed now, under the own changes."""
        mine = {*model.own[name], *model.removed[name]}
        others = {k: d for k, d in self.committed[name].items() if k not in mine}
        return {**others, **model.own[name]}

    @staticmethod
    def new_n(step: Step, seen: dict[str, Document]) -> int | None:
        present = seen.get(step.key or "")
        if step.name == "update" and step.n is None and present is not None:
            return present.n
        return step.n

    def faults(
        self, step: Step, seen: dict[str, Document], held: dict[str, Document], who: int
    ) -> set[type[ArangoError]]:
        """Errors that a write may be answered with; keys inside of a transaction apart."""
        name, key = step.collection, step.key
        found: set[type[ArangoError]] = set()
        if step.name in ("replace", "update", "remove") and key not in seen:
            return {DocumentNotFound}
        if step.name == "insert" and key in seen:
            return {UniqueConstraintViolated}
        if key is not None and not who and self.claimant(name, key):
            found.add(Conflict)
        n = self.new_n(step, seen)
        if step.name == "remove" or name != UNIQUE or n is None:
            return found
        if self.value_claimant(name, n, who):
            found.add(Conflict)
        if any(d.n == n for other, d in held.items() if other != key):
            found.add(UniqueConstraintViolated)
        return found

    def judge(self, step: Step, outcome: Outcome, faults: set[type[ArangoError]]) -> None:
        if isinstance(outcome, ArangoError):
            assert type(outcome) in faults, (step, outcome, faults)
        else:
            assert not faults, (step, outcome, faults)

    def take_over(self, step: Step, outcome: Outcome, content: dict[str, Document]) -> None:
        if isinstance(outcome, ArangoError):
            return
        if step.name == "remove":
            del content[outcome.key]
            return
        if step.key is None:
            assert outcome.key not in self.given, "a generated key is given once"
            self.given.add(outcome.key)
        content[outcome.key] = Document(self.new_n(step, content), outcome.revision)

    # -- what must hold after every rule ---------------------------------------------------------

    @invariant()
    def rows_are_as_the_dicts_say(self) -> None:
        for name, content in self.committed.items():
            collection = self.collection(name)
            assert primary(self.bench.store, collection) == {
                key: document.revision for key, document in content.items()
            }
            for key, document in content.items():
                _, row = read_with_revision(self.bench.store, collection, key)
                assert parsed(json.loads(row)) == document

    @invariant()
    def the_store_agrees_with_itself(self) -> None:
        assert findings(self.bench.store) == []

    @invariant()
    def replaying_the_log_gives_the_same(self) -> None:
        replayed = replay(markers(self.bench.store))
        for name, content in self.committed.items():
            guid = self.collection(name).info.guid
            assert replayed.get(guid, {}) == content

    @invariant()
    def claims_are_those_of_running_transactions(self) -> None:
        assert len(self.streams) == len(self.open)
        owners = {owner for name in NAMES for owner in self.collection(name).locks.values()}
        assert owners <= {i for i, model in self.open.items() if model.keys}
        for name in NAMES:
            claimed = {
                key for model in self.open.values() if name not in model.gone
                for collection, key in model.keys if collection == name
            }  # fmt: skip
            prefix = self.collection(name).prefix
            locks = self.collection(name).locks
            assert {prefix + key.encode() for key in claimed} <= locks.keys()
            values = sum(
                1 for model in self.open.values() if name not in model.gone
                for collection, _ in model.values if collection == name
            )  # fmt: skip
            assert len(locks) == len(claimed) + values


def reaches_claim(step: Step, seen: dict[str, Document]) -> bool:
    """Whether a write comes as far as wanting the document's key."""
    if step.name == "insert":
        return step.key not in seen
    return step.name == "upsert" or step.key in seen


def revision_of(document: Document | None) -> int:
    return 0 if document is None else document.revision


def options(step: Step) -> WriteOptions:
    return WriteOptions(overwrite_mode="replace" if step.name == "upsert" else "")


def run(step: Step, writer: DocumentWriter) -> Outcome:
    body: dict[str, Any] = {} if step.key is None else {"_key": step.key}
    if step.name != "remove":
        body["x"] = 1  # a patch of nothing but the key writes nothing
        if step.n is not None:
            body["n"] = step.n
    try:
        found: Outcome = getattr(writer, "insert" if step.name == "upsert" else step.name)(body)
    except ArangoError as error:
        return error
    return found


def parsed(row: dict[str, Any]) -> Document:
    return Document(row.get("n"), parse_revision(row["_rev"]))


def replay(log_lines: list[dict[str, Any]]) -> dict[str, dict[str, Document]]:
    """Contents by globallyUniqueId; a transaction counts at its end."""
    found: dict[str, dict[str, Document]] = {}
    waiting: list[dict[str, Any]] = []
    tid = ""
    for marker in log_lines:
        if marker["type"] == 2200:
            assert not tid
            tid = marker["tid"]
        elif marker["type"] == 2201:
            assert tid == marker["tid"]
            for one in waiting:
                apply(found, one)
            tid, waiting = "", []
        elif tid:
            assert marker["tid"] == tid
            waiting.append(marker)
        else:
            apply(found, marker)
    assert not tid
    return found


def apply(found: dict[str, dict[str, Document]], marker: dict[str, Any]) -> None:
    content = found.setdefault(marker.get("cuid", ""), {})
    match marker["type"]:
        case 2300:
            content[marker["data"]["_key"]] = parsed(marker["data"])
        case 2302:
            del content[marker["data"]["_key"]]
        case 2001 | 2004:
            content.clear()


@pytest.fixture(autouse=True)
def _small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments and the blocks of the fast way become so small that runs cross them."""
    monkeypatch.setattr(log, "SEGMENT_BYTES", 3000)
    monkeypatch.setattr(documents, "WRITE_ROWS_PER_SLICE", 3)
    monkeypatch.setattr(bulk, "FEWEST", 2)


def test_stream_transactions_in_memory() -> None:
    run_state_machine_as_test(
        lambda: StreamsMachine(lambda: None),
        settings=settings(max_examples=EXAMPLES, stateful_step_count=30),
    )


def test_stream_transactions_on_rocksdb(tmp_path: Path) -> None:
    numbers = itertools.count()
    run_state_machine_as_test(
        lambda: StreamsMachine(lambda: tmp_path / str(next(numbers))),
        settings=settings(max_examples=EXAMPLES // 6, stateful_step_count=25),
    )
