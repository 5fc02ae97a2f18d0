"""Documents, written through transactions, against plain dicts.

Three collections: one of edges, one with two unique indexes that come and go, one with nothing to
enforce, where arrays take a faster way. The oracle says for every operation which faults it has and
what it stores; rows, entries, counts and trees are then read back from the engine. The store is
stopped, killed, checkpointed and pruned in between.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from support.reading import read_with_revision
from support.stores import (
    Bench,
    WriteFault,
    failing_writes,
    finish,
    index_entries,
    make_collection,
    make_index,
    primary,
    stored,
    system,
)

from arangorep.data import bulk, documents
from arangorep.data.collections import rename_collection, truncate_collection
from arangorep.data.documents import (
    DocumentWriter,
    Outcome,
    WriteOptions,
    WriteResult,
)
from arangorep.data.indexes import drop_index
from arangorep.data.transactions import Transaction
from arangorep.errors import (
    ArangoError,
    Conflict,
    DocumentNotFound,
    InvalidEdgeAttribute,
    UniqueConstraintViolated,
)
from arangorep.storage import log
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.values.revision import revision_text

Body = dict[str, Any]

EXAMPLES = settings().max_examples
PLAIN, EDGES, FREE = NAMES = ("plain", "edges", "free")
KEYS = [f"k{n}" for n in range(5)]
SLICE = 3
MORE_KEYS = ["1", "007", "a:b", "zz", "Z"]
INDEXES = {"by_u": "u", "by_t": "t[*]"}
"""Both are unique and sparse."""


@dataclass
class Document:
    body: Body
    revision: int


@dataclass
class Content:
    """What one collection holds."""

    is_edge: bool
    indexes: set[str] = field(default_factory=set)
    documents: dict[str, Document] = field(default_factory=dict)

    def copy(self) -> Content:
        return Content(self.is_edge, set(self.indexes), dict(self.documents))

    def entries(self) -> dict[str, Counter[int]]:
        """For each index the revisions its entries lead to."""
        return {
            index: Counter(
                document.revision
                for document in self.documents.values()
                for _ in indexed(index, document.body)
            )
            for index in self.indexes
        }

    def collides(self, key: str, body: Body) -> bool:
        """Whether a document of another key has one of the body's unique values."""
        return any(
            indexed(index, body) & indexed(index, other.body)
            for index in self.indexes
            for other_key, other in self.documents.items()
            if other_key != key
        )


def comparable(value: Any) -> Any:
    """Something hashable that is equal exactly when the database calls the values equal."""
    if isinstance(value, (list, tuple)):
        return "list", tuple(map(comparable, value))
    if isinstance(value, dict):
        return "object", frozenset((name, comparable(member)) for name, member in value.items())
    return type(value) in (int, float), type(value) is bool, value


def indexed(index: str, body: Body) -> set[Any]:
    """The distinct values of a body in one of `INDEXES`."""
    value = body.get(index[3:])
    if index == "by_u":
        return set() if value is None else {comparable(value)}
    elements = value if isinstance(value, list) else []
    return {comparable(element) for element in elements if element is not None}


def merged(old: Body, patch: Body, keep_null: bool, merge_objects: bool) -> Body:
    """The body after a patch."""
    result = {}
    for name in [*old, *(name for name in patch if name not in old)]:
        if name not in patch:
            result[name] = old[name]
            continue
        before, after = old.get(name), patch[name]
        if after is None and not keep_null:
            continue
        if isinstance(after, dict):
            below = before if merge_objects and isinstance(before, dict) else {}
            after = merged(below, after, keep_null, merge_objects)
        result[name] = after
    return result


# -- what is done --------------------------------------------------------------------------------

scalars = st.none() | st.integers(0, 3) | st.sampled_from([1.0, 2.0, "1", "x", True])
small_objects = st.dictionaries(st.sampled_from("abc"), scalars, max_size=3)
values = scalars | st.lists(scalars, max_size=3) | small_objects
bodies = st.fixed_dictionaries(
    {},
    optional={
        "u": scalars | small_objects,
        "t": st.lists(scalars, max_size=3),
        "o": small_objects,
        "v": values,
        '"é\n': values,
    },
)
handles = st.sampled_from(["plain/k1", "other/x", "17/y"])
ends = st.fixed_dictionaries({"_from": handles, "_to": handles})
no_ends = st.sampled_from([{}, {"_from": "plain/k1"}, {"_from": "plain/k1", "_to": "nowhere"}])


@dataclass(frozen=True)
class Step:
    """One operation. `revision` says which `_rev` it names: none, the present or a wrong one.

    `present` picks a key of the documents that are there, if it can, instead of `key`.
    """

    name: str
    collection: str
    key: str | None
    present: bool
    body: Body
    ends: Body
    revision: str


steps = st.builds(
    Step,
    st.sampled_from(["insert", "insert", "insert", "replace", "update", "remove", "clear"]),
    st.sampled_from([PLAIN, PLAIN, EDGES, FREE]),
    st.sampled_from(KEYS),
    st.sampled_from([True, True, False]),
    bodies,
    ends | ends | ends | no_ends,
    st.sampled_from(["", "", "right", "wrong"]),
) | st.builds(
    Step,
    st.just("insert"),
    st.sampled_from(NAMES),
    st.none(),
    st.just(False),
    bodies,
    ends,
    st.just(""),
)
array_steps = st.builds(
    Step,
    st.just("insert"),
    st.just(FREE),
    st.sampled_from(KEYS + MORE_KEYS),
    st.just(False),
    bodies,
    st.just({}),
    st.just(""),
)


def by_key(block: list[Step]) -> list[Step]:
    return sorted(block, key=lambda step: step.key or "")


blocks = st.lists(array_steps, min_size=SLICE, max_size=SLICE, unique_by=lambda step: step.key)
"""What the fast way takes: as many documents as it looks at in one go, all of other keys."""
arrays = st.lists(
    blocks.map(by_key)
    | blocks
    | st.lists(array_steps, min_size=1, max_size=SLICE)
    | st.lists(st.builds(replace, array_steps, key=st.none()), min_size=SLICE, max_size=SLICE),
    min_size=1,
    max_size=4,
)
all_options = st.builds(
    WriteOptions,
    overwrite_mode=st.sampled_from(["", "conflict", "ignore", "replace", "update"]),
    keep_null=st.booleans(),
    merge_objects=st.booleans(),
    ignore_revisions=st.booleans(),
)
fates = st.sampled_from(["commit", "commit", "commit", "abandon", "fail"])


class DocumentsMachine(RuleBasedStateMachine):
    def __init__(self, directory: Callable[[], Path | None]) -> None:
        super().__init__()
        self.bench = Bench(directory())
        self.names = {name: name for name in NAMES}
        self.contents = {name: Content(name == EDGES) for name in NAMES}
        self.newest = 0
        for name in NAMES:
            make_collection(self.bench.store, name, type=3 if name == EDGES else 2)
        for index in INDEXES:
            self.create_index(index)

    def teardown(self) -> None:
        self.bench.end()

    def collection(self, name: str) -> Collection:
        return system(self.bench.store).find(self.names[name])

    # -- rules ---------------------------------------------------------------------------------

    @rule(work=st.lists(steps, min_size=1, max_size=6), options=all_options, fate=fates)
    def transaction(self, work: list[Step], options: WriteOptions, fate: str) -> None:
        """Any operations on both collections, as one."""
        store = self.bench.store
        before = {name: content.copy() for name, content in self.contents.items()}
        transaction = Transaction(store, system(store), grouped=len(work) > 1)
        for step in map(self.aimed, work):
            collection = self.collection(step.collection)
            writer = DocumentWriter(transaction, collection, options)
            if step.name == "clear":
                transaction.writer(collection).clear()
                self.contents[step.collection].documents.clear()
            else:
                self.run(step, writer, options)
        if fate == "fail":
            with failing_writes(self.bench.engine):
                try:
                    transaction.commit()
                except WriteFault:
                    fate = "abandon"
        elif fate == "commit":
            transaction.commit()
        if fate == "abandon":
            self.contents = before

    @rule(work=arrays, options=all_options, fresh=st.booleans())
    def array(self, work: list[list[Step]], options: WriteOptions, fresh: bool) -> None:
        """An array of inserts, which the writer cuts into blocks; perhaps the first ones."""
        if fresh:
            self.truncate(FREE)
        store, content = self.bench.store, self.contents[FREE]
        collection = self.collection(FREE)
        transaction = Transaction(store, system(store), grouped=True)
        writer = DocumentWriter(transaction, collection, options)
        items = [step for steps in work for step in steps]
        documents = [self.written(step, None) for step in items]
        outcomes = list(finish(writer.each(documents, writer.insert)))
        assert len(outcomes) == len(items)
        for step, outcome in zip(items, outcomes, strict=True):
            self.judge(step, content.documents.get(step.key or ""), options, outcome)
        transaction.commit()

    @rule(data=st.data(), name=st.sampled_from(NAMES), index=st.sampled_from(sorted(INDEXES)))
    def catalog(self, data: st.DataObject, name: str, index: str) -> None:
        """Change something about a collection."""
        match data.draw(st.sampled_from(["truncate", "rename", "create", "create", "drop"])):
            case "truncate":
                self.truncate(name)
            case "rename":
                self.rename(name, data.draw(st.sampled_from(["a", 'b"\\ü', "c c"])))
            case "create":
                self.create_index(index)
            case "drop":
                self.drop_index(index)

    @rule(data=st.data())
    def disk(self, data: st.DataObject) -> None:
        """What a server does beside writing, and what happens to it."""
        match data.draw(st.sampled_from(["stop", "crash", "crash", "checkpoint", "prune"])):
            case "stop":
                self.bench.stop()
            case "crash":
                self.bench.crash()
            case "checkpoint":
                self.checkpoint(data.draw(st.integers(0, 8)))
            case "prune":
                self.prune()

    def truncate(self, name: str) -> None:
        truncate_collection(self.bench.store, system(self.bench.store), self.collection(name))
        self.contents[name].documents.clear()

    def rename(self, name: str, new_name: str) -> None:
        store = self.bench.store
        body = {"name": f"{new_name}{name}"}
        rename_collection(store, system(store), self.collection(name), body)
        self.names[name] = body["name"]

    def create_index(self, index: str) -> None:
        content = self.contents[PLAIN]
        if index in content.indexes:
            return
        values = [value for d in content.documents.values() for value in indexed(index, d.body)]
        store, collection = self.bench.store, self.collection(PLAIN)
        if len(set(values)) < len(values):
            with pytest.raises(UniqueConstraintViolated) as refused:
                make_index(store, collection, INDEXES[index], name=index, sparse=True)
            assert refused.value.http_status == 400
        else:
            make_index(store, collection, INDEXES[index], name=index, sparse=True)
            content.indexes.add(index)

    def drop_index(self, index: str) -> None:
        if index in self.contents[PLAIN].indexes:
            store = self.bench.store
            drop_index(store, system(store), self.collection(PLAIN), index)
            self.contents[PLAIN].indexes.remove(index)

    def checkpoint(self, steps: int) -> None:
        """Write trees, perhaps not to the end."""
        work = self.bench.store.checkpoint_trees()
        for _ in itertools.islice(work, steps):
            pass
        work.close()

    def prune(self) -> None:
        """Drop the log that a restart does not need."""
        finish(self.bench.store.checkpoint_trees())
        self.bench.store.log.prune(self.bench.store.trees_valid)

    # -- one operation ---------------------------------------------------------------------------

    def aimed(self, step: Step) -> Step:
        """The step with the key it is really about."""
        keys = sorted(self.contents[step.collection].documents)
        if not step.present or not keys or step.key is None:
            return step
        return replace(step, key=keys[KEYS.index(step.key) % len(keys)])

    def run(self, step: Step, writer: DocumentWriter, options: WriteOptions) -> None:
        """Do it, and compare with what it ought to do."""
        present = self.contents[step.collection].documents.get(step.key or "")
        outcome: Outcome
        try:
            outcome = getattr(writer, step.name)(self.written(step, present))
        except ArangoError as error:
            outcome = error
        self.judge(step, present, options, outcome)

    def judge(
        self, step: Step, present: Document | None, options: WriteOptions, outcome: Outcome
    ) -> None:
        """Compare an outcome with what it ought to be, and take it over."""
        content = self.contents[step.collection]
        faults = self.faults(step, content, present, options)
        note(f"{step}: {outcome!r}; faults: {faults}")
        if isinstance(outcome, ArangoError):
            assert type(outcome) in faults
        else:
            assert not faults
            self.take_over(step, content, present, options, outcome)

    def written(self, step: Step, present: Document | None) -> Body:
        """The document as a client sends it."""
        document: Body = {}
        if step.key is not None:
            document["_key"] = step.key
        if step.name != "remove":
            document |= self.body(step)
        if step.revision:
            right = present.revision if present and step.revision == "right" else 17
            document["_rev"] = revision_text(right)
        return document

    def body(self, step: Step) -> Body:
        return {**(step.ends if step.collection == EDGES else {}), **step.body}

    def new_body(self, step: Step, present: Document | None, options: WriteOptions) -> Body:
        """What is stored when nothing is wrong."""
        patches = step.name == "update" or options.overwrite_mode == "update"
        if present is None or not patches or step.name == "replace":
            return self.body(step)
        return merged(present.body, self.body(step), options.keep_null, options.merge_objects)

    def changes_nothing(self, step: Step, present: Document | None, options: WriteOptions) -> bool:
        if step.name == "update":
            return not self.body(step) and not step.revision
        return step.name == "insert" and present is not None and options.overwrite_mode == "ignore"

    def faults(
        self, step: Step, content: Content, present: Document | None, options: WriteOptions
    ) -> set[type[ArangoError]]:
        """All errors an operation may be answered with."""
        found: set[type[ArangoError]] = set()
        if step.name != "insert" and present is None:
            return {DocumentNotFound}
        overwrites = options.overwrite_mode in ("replace", "update")
        if step.name == "insert" and content.is_edge and not complete(self.body(step)):
            found.add(InvalidEdgeAttribute)
        if self.changes_nothing(step, present, options):
            return found
        if step.name == "insert" and present is not None and not overwrites:
            return found | {UniqueConstraintViolated}
        if present and step.revision == "wrong" and not options.ignore_revisions:
            found.add(Conflict)
        if step.name != "remove":
            body = self.new_body(step, present, options)
            if content.is_edge and not complete(body):
                found.add(InvalidEdgeAttribute)
            if content.collides(step.key or "", body):
                found.add(UniqueConstraintViolated)
        return found

    def take_over(
        self,
        step: Step,
        content: Content,
        present: Document | None,
        options: WriteOptions,
        result: WriteResult,
    ) -> None:
        key = step.key or result.key
        assert result.key == key
        if step.name == "remove":
            assert present is not None
            assert result.revision == present.revision
            del content.documents[key]
        elif self.changes_nothing(step, present, options):
            assert present is not None
            assert result.revision == present.revision
        else:
            assert step.key or key not in content.documents
            assert result.revision > self.newest
            assert result.old_revision == (present.revision if present else 0)
            body = self.new_body(step, present, options)
            content.documents[key] = Document(body, result.revision)
        self.newest = max(self.newest, result.revision)

    # -- what must hold after every rule -----------------------------------------------------------

    @invariant()
    def rows_are_as_the_dicts_say(self) -> None:
        for name, content in self.contents.items():
            collection = self.collection(name)
            expected = content.documents
            assert collection.count == len(expected)
            assert primary(self.bench.store, collection) == {
                key: document.revision for key, document in expected.items()
            }
            found = stored(self.bench.store, collection)
            assert found.keys() == {document.revision for document in expected.values()}
            for key, document in expected.items():
                revision, row = read_with_revision(self.bench.store, collection, key)
                assert revision == document.revision
                raw = found[revision]
                assert as_text(without_system(raw, key, revision)) == as_text(document.body)
                assert b'"_id":' + as_json(f"{self.names[name]}/{key}") in row

    @invariant()
    def unique_entries_are_as_the_dicts_say(self) -> None:
        for name, content in self.contents.items():
            found = {
                index.name: Counter(index_entries(self.bench.store, index).values())
                for index in self.collection(name).info.indexes
            }
            assert found == content.entries()

    @invariant()
    def the_store_agrees_with_itself(self) -> None:
        assert findings(self.bench.store) == []


def complete(body: Body) -> bool:
    """Whether an edge has both ends."""
    return all("/" in str(body.get(name)) for name in ("_from", "_to"))


def as_text(body: Body) -> str:
    """Order and kinds of numbers count, but the ends of an edge go first."""
    ends = {name: body[name] for name in ("_from", "_to") if name in body}
    return json.dumps({**ends, **body})


def as_json(text: str) -> bytes:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode()


def without_system(document: Body, key: str, revision: int) -> Body:
    """The stored document's body, after checking its system attributes."""
    body = dict(document)
    assert body.pop("_key") == key
    assert body.pop("_rev") == revision_text(revision)
    assert body.pop("_id").endswith(f"/{key}")
    return body


@pytest.fixture(autouse=True)
def _small_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments, slices and the blocks of the fast way become so small that runs cross them."""
    monkeypatch.setattr(log, "SEGMENT_BYTES", 3000)
    monkeypatch.setattr(documents, "WRITE_ROWS_PER_SLICE", SLICE)
    monkeypatch.setattr(bulk, "FEWEST", 2)


def test_documents_in_memory() -> None:
    run_state_machine_as_test(
        lambda: DocumentsMachine(lambda: None),
        settings=settings(max_examples=3 * EXAMPLES // 2, stateful_step_count=25),
    )


def test_documents_on_rocksdb(tmp_path: Path) -> None:
    numbers = itertools.count()
    run_state_machine_as_test(
        lambda: DocumentsMachine(lambda: tmp_path / str(next(numbers))),
        settings=settings(max_examples=EXAMPLES // 6, stateful_step_count=20),
    )
