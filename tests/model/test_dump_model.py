"""Dumps and tails over HTTP against a plain copy of the data, while everything else goes on.

Batches are opened at random moments. What a dump of a batch gives, chunk by chunk between writes,
must be what the model held when the batch was made; and a dump with the log since the batch applied
on top must be what the model holds now. The model learns nothing from the server but revisions.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.revisions import hash_of, number_of
from support.server import Api, ServerThread, error_of

EXAMPLES = settings().max_examples * 6 // 10
STEPS = 50
NAMES = ["a", "b", "a-long-name", "ü €"]
BATCHES_MAX = 3

Document = dict[str, Any]


@dataclass
class Collection:
    """A collection that exists: its documents by key, without `_id`."""

    cuid: str
    edge: bool
    documents: dict[str, Document] = field(default_factory=dict)


@dataclass
class Batch:
    """A batch, what it has to show, and what was read of it."""

    id: str
    tick: str
    shown: dict[str, dict[str, Document]]
    """Documents by key, of each collection that existed."""
    used: set[str] = field(default_factory=set)
    parts: dict[str, list[Document]] = field(default_factory=dict)
    """Dumps under way."""
    whole: dict[str, list[Document]] = field(default_factory=dict)
    """Dumps that were read to the end."""


keys = st.integers(0, 9).map("k{}".format)
bodies = st.builds(
    lambda number, size, other: {"n": number, "s": "ä" * size, **other},
    st.integers(0, 99),
    st.sampled_from([0, 3, 100, 3000]),
    st.sampled_from(
        [{}, {"_rev": "ignored"}, {"o": {"_rev": "r", "_key": "x"}}, {"t": '","_id":"'}]
    ),
)
numbers = st.integers(0, 7)
chunk_sizes = st.sampled_from([1, 60, 500, 3000, 20_000, 10**7])


class DumpMachine(RuleBasedStateMachine):
    _databases = itertools.count(1)

    def __init__(self, server: ServerThread) -> None:
        super().__init__()
        self.server = server
        self.system = Api(server.url, "_system")
        self.api = Api(server.url, f"model{next(self._databases)}")
        created = self.system.post("/_api/database", {"name": self.api.database})
        assert created.status_code == 201
        self.live: dict[str, Collection] = {}
        self.batches: list[Batch] = []

    def teardown(self) -> None:
        for batch in self.batches:
            self.follow(batch, 20_000, scanning=True)
        assert self.system.delete(f"/_api/database/{self.api.database}").status_code == 200
        self.api.session.close()
        self.system.session.close()

    @initialize(counts=st.lists(st.integers(0, 30), min_size=1, max_size=3))
    def begin(self, counts: list[int]) -> None:
        """A few collections to start with."""
        for number, count in enumerate(counts):
            self.create(0, edge=count % 2 == 1)
            items = [(f"k{key}", {"s": "x" * 20 * key}) for key in range(count)]
            self.insert_many(number, items, "")

    # -- collections -----------------------------------------------------------------------------

    def pick(self, number: int) -> tuple[str, Collection]:
        """One of the collections there are, and its name."""
        name = sorted(self.live)[number % len(self.live)]
        return name, self.live[name]

    def unused(self, number: int) -> str:
        """A name that no collection has."""
        free = [name for name in NAMES if name not in self.live]
        return free[number % len(free)]

    @precondition(lambda self: len(self.live) < len(NAMES))
    @rule(number=numbers, edge=st.booleans())
    def create(self, number: int, edge: bool) -> None:
        name = self.unused(number)
        response = self.api.post("/_api/collection", {"name": name, "type": 3 if edge else 2})
        assert response.status_code == 200
        self.live[name] = Collection(response.json()["globallyUniqueId"], edge)

    @precondition(lambda self: len(self.live) > 1)
    @rule(number=numbers)
    def drop(self, number: int) -> None:
        name, collection = self.pick(number)
        assert self.api.delete(f"/_api/collection/{name}").status_code == 200
        del self.live[name]
        for batch in [batch for batch in self.batches if collection.cuid in batch.used]:
            ended = self.api.get("/_api/replication/inventory", batchId=batch.id)
            assert error_of(ended) == (404, 1600)
            self.batches.remove(batch)

    @precondition(lambda self: len(self.live) < len(NAMES))
    @rule(number=numbers, new_name=numbers)
    def rename(self, number: int, new_name: int) -> None:
        old, collection = self.pick(number)
        new = self.unused(new_name)
        response = self.api.put(f"/_api/collection/{old}/rename", {"name": new})
        assert response.status_code == 200
        del self.live[old]
        self.live[new] = collection

    @rule(number=numbers)
    def truncate(self, number: int) -> None:
        name, collection = self.pick(number)
        assert self.api.put(f"/_api/collection/{name}/truncate").status_code == 200
        collection.documents.clear()

    # -- documents -------------------------------------------------------------------------------

    def complete(self, collection: Collection, body: Document) -> Document:
        return {**body, "_from": "x/1", "_to": "y/2"} if collection.edge else body

    def store(self, collection: Collection, key: str, body: Document, revision: str) -> None:
        rest = {name: value for name, value in body.items() if name not in ("_key", "_rev")}
        collection.documents[key] = {"_key": key, "_rev": revision, **rest}

    def absorb(
        self,
        collection: Collection,
        key: str,
        body: Document,
        item: Document,
        exists: bool,
        mode: str,
    ) -> None:
        """Take over what one insert did."""
        if exists and mode == "":
            assert item["errorNum"] == 1210
        elif exists and mode == "update":
            merged = {**collection.documents[key], **body}
            self.store(collection, key, merged, item["_rev"])
        elif not exists or mode == "replace":
            self.store(collection, key, body, item["_rev"])

    @rule(
        picked=numbers,
        key=keys,
        body=bodies,
        mode=st.sampled_from(["", "ignore", "replace", "update"]),
    )
    def insert(self, picked: int, key: str, body: Document, mode: str) -> None:
        name, collection = self.pick(picked)
        body = self.complete(collection, body)
        exists = key in collection.documents
        path = f"/_api/document/{name}"
        response = self.api.post(path, {"_key": key, **body}, overwriteMode=mode)
        assert response.status_code == (409 if exists and mode == "" else 202)
        self.absorb(collection, key, body, response.json(), exists, mode)

    @rule(
        picked=numbers,
        items=st.lists(st.tuples(keys, bodies), max_size=12),
        mode=st.sampled_from(["", "ignore", "replace", "update"]),
    )
    def insert_many(self, picked: int, items: list[tuple[str, Document]], mode: str) -> None:
        name, collection = self.pick(picked)
        given = [(key, self.complete(collection, body)) for key, body in items]
        response = self.api.post(
            f"/_api/document/{name}",
            [{"_key": key, **body} for key, body in given],
            overwriteMode=mode,
        )
        assert response.status_code == 202
        for (key, body), item in zip(given, response.json(), strict=True):
            self.absorb(collection, key, body, item, key in collection.documents, mode)

    @rule(picked=numbers, key=keys, body=bodies, method=st.sampled_from(["PUT", "PATCH"]))
    def change(self, picked: int, key: str, body: Document, method: str) -> None:
        name, collection = self.pick(picked)
        body = self.complete(collection, body)
        response = self.api.request(method, f"/_api/document/{name}/{key}", body)
        old = collection.documents.get(key)
        if old is None:
            assert error_of(response) == (404, 1202)
            return
        assert response.status_code == 202
        new = body if method == "PUT" else {**old, **body}
        self.store(collection, key, new, response.json()["_rev"])

    @rule(picked=numbers, keys=st.lists(keys, min_size=1, max_size=8), single=st.booleans())
    def remove(self, picked: int, keys: list[str], single: bool) -> None:
        name, collection = self.pick(picked)
        documents = collection.documents
        if single:
            response = self.api.delete(f"/_api/document/{name}/{keys[0]}")
            assert response.status_code == (202 if keys[0] in documents else 404)
            documents.pop(keys[0], None)
            return
        response = self.api.delete(f"/_api/document/{name}", keys)
        for key, item in zip(keys, response.json(), strict=True):
            assert ("_rev" in item) is (key in documents)
            documents.pop(key, None)

    @rule()
    def settle(self) -> None:
        """Move everything into files and throw away what nobody can see."""
        engine = self.server.server.node.store.engine
        self.server.call(engine.flush)
        self.server.call(engine.compact)

    # -- batches ---------------------------------------------------------------------------------

    @precondition(lambda self: len(self.batches) < BATCHES_MAX)
    @rule()
    def open_batch(self) -> None:
        answer = self.api.post("/_api/replication/batch", {"ttl": 600}).json()
        shown = {c.cuid: deepcopy(c.documents) for c in self.live.values()}
        self.batches.append(Batch(answer["id"], answer["lastTick"], shown))

    @precondition(lambda self: self.batches)
    @rule(number=numbers)
    def close_batch(self, number: int) -> None:
        batch = self.batches.pop(number % len(self.batches))
        path = f"/_api/replication/batch/{batch.id}"
        assert self.api.delete(path).status_code == 204
        assert error_of(self.api.delete(path)) == (404, 1600)

    @precondition(lambda self: self.batches)
    @rule(
        number=numbers,
        picked=numbers,
        sizes=st.lists(chunk_sizes, min_size=1, max_size=4),
        envelope=st.booleans(),
    )
    def dump(self, number: int, picked: int, sizes: list[int], envelope: bool) -> None:
        """Read a few chunks; the dump goes on where the last ones ended."""
        batch = self.batches[number % len(self.batches)]
        name, _ = self.pick(picked)
        for size in sizes:
            self.read_chunk(batch, name, size, envelope)

    def read_chunk(self, batch: Batch, name: str, size: int, envelope: bool) -> bool:
        """Read one chunk and check it; True when more follow."""
        response = self.api.get(
            "/_api/replication/dump",
            collection=name,
            batchId=batch.id,
            chunkSize=size,
            useEnvelope=envelope,
        )
        assert response.status_code in (200, 204), response.text
        cuid = self.live[name].cuid
        batch.used.add(cuid)
        found = [json.loads(line) for line in response.content.splitlines()]
        if envelope:
            assert all(line["type"] == 2300 for line in found)
            found = [line["data"] for line in found]
        for document in found:
            assert document.pop("_id") == f"{name}/{document['_key']}"
        part = batch.parts.setdefault(cuid, [])
        part += found
        shown = batch.shown.get(cuid, {})
        expected = sorted(shown.values(), key=lambda document: number_of(document["_rev"]))
        assert part == expected[: len(part)]
        if response.headers["x-arango-replication-checkmore"] == "true":
            assert found
            return True
        assert part == expected
        batch.whole[cuid] = batch.parts.pop(cuid)
        return False

    @precondition(lambda self: self.batches)
    @rule(number=numbers, picked=numbers)
    def look_at_tree(self, number: int, picked: int) -> None:
        batch = self.batches[number % len(self.batches)]
        name, collection = self.pick(picked)
        cuid = collection.cuid
        batch.used.add(cuid)
        tree = self.api.get(
            "/_api/replication/revisions/tree",
            collection=name,
            batchId=batch.id,
            onlyPopulated="true",
        ).json()
        shown = batch.shown.get(cuid, {})
        mixed = 0
        for document in shown.values():
            mixed ^= hash_of(number_of(document["_rev"]))
        assert (tree["count"], tree["hash"]) == (len(shown), mixed)

    # -- following -------------------------------------------------------------------------------

    @precondition(lambda self: self.batches)
    @rule(number=numbers, size=chunk_sizes, scanning=st.booleans())
    def catch_up(self, number: int, size: int, scanning: bool) -> None:
        self.follow(self.batches[number % len(self.batches)], size, scanning)

    def follow(self, batch: Batch, size: int, scanning: bool) -> None:
        """Be a follower: inventory, dumps (also earlier ones), then the log since the batch."""
        inventory = self.api.get(
            "/_api/replication/inventory", batchId=batch.id, includeSystem="false"
        ).json()
        copy: dict[str, Collection] = {}
        for entry in inventory["collections"]:
            parameters = entry["parameters"]
            cuid = parameters["globallyUniqueId"]
            if cuid not in batch.whole:
                while self.read_chunk(batch, parameters["name"], size, envelope=False):
                    pass
            documents = {document["_key"]: document for document in batch.whole[cuid]}
            copy[cuid] = Collection(parameters["name"], parameters["type"] == 3, documents)
        present = {collection.cuid: name for name, collection in self.live.items()}
        for marker in self.markers(batch.tick, size, scanning):
            if marker["type"] == 2300:  # with the name the collection has now
                key = marker["data"]["_key"]
                assert marker["data"].pop("_id") == f"{present[marker['cuid']]}/{key}"
            apply(copy, marker)
        expected = {c.cuid: (name, c.edge, c.documents) for name, c in self.live.items()}
        found = {cuid: (c.cuid, c.edge, c.documents) for cuid, c in copy.items()}
        assert found == expected

    def markers(self, after: str, size: int, scanning: bool) -> Iterator[dict[str, Any]]:
        scanned = after
        while True:
            query = {"from": after, "chunkSize": size, "includeSystem": "false"}
            if scanning:
                query["lastScanned"] = scanned
            response = self.api.get("/_api/wal/tail", **query)
            assert response.status_code in (200, 204), response.text
            assert response.headers["x-arango-replication-frompresent"] == "true"
            for line in response.content.splitlines():
                yield json.loads(line)
            if response.headers["x-arango-replication-checkmore"] == "false":
                return
            after = response.headers["x-arango-replication-lastincluded"]
            scanned = response.headers["x-arango-replication-lastscanned"]


def apply(copy: dict[str, Collection], marker: dict[str, Any]) -> None:
    """What a follower does with one marker. Its collections keep their names in `cuid`."""
    data = marker.get("data", {})
    match marker["type"]:
        case 2000:
            copy.setdefault(marker["cuid"], Collection(data["name"], data["type"] == 3))
        case 2001:
            copy.pop(marker["cuid"], None)
        case 2002:
            copy[marker["cuid"]].cuid = data["name"]
        case 2004:
            copy[marker["cuid"]].documents.clear()
        case 2300:
            copy[marker["cuid"]].documents[data["_key"]] = data
        case 2302:
            copy[marker["cuid"]].documents.pop(data["_key"], None)
        case kind:
            assert kind in (2003, 2200, 2201)


@pytest.mark.timeout(600)
def test_dumps_show_their_batch_and_the_log_leads_to_the_present(server: ServerThread) -> None:
    run_state_machine_as_test(
        lambda: DumpMachine(server),
        settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS),
    )
