"""Damaged files: whatever cannot be read to its end is an error, never a shorter answer."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread, error_of

from arangorep.config import Config

DOCUMENTS = 600
DAMAGED = 400
"""The document in whose block a byte is changed: some dumps of it begin well."""


def payload(number: int) -> str:
    """Text that does not compress, so that it stands in the file as it is."""
    noise = b"".join(hashlib.sha512(b"%d/%d" % (number, i)).digest() for i in range(6))
    return base64.b64encode(noise).decode()


@dataclass(frozen=True)
class Loaded:
    """A data directory with two collections, written by a server that has stopped cleanly."""

    directory: Path
    revisions: list[str]
    """Of the documents of `damaged`, in their order."""

    def damage(self, family: str) -> None:
        """Change one byte of a document in the family's file."""
        wanted = payload(DAMAGED)[200:232].encode()
        hits = [
            (path, data.index(wanted))
            for path in self.directory.glob("*.sst")
            for data in [path.read_bytes()]
            # among the properties at a file's end is `column.family.name`
            if wanted in data and b"name" + family.encode() in data[-2048:]
        ]
        assert len(hits) == 1, f"{len(hits)} files of {family} hold the document"
        path, at = hits[0]
        data = bytearray(path.read_bytes())
        data[at] ^= 0x01
        path.write_bytes(data)


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    directory = tmp_path / "data"
    with ServerThread(Config(directory, port=0)) as server, Api(server.url, "_system") as api:
        for name in ("damaged", "whole"):
            api.create_collection(name)
        documents = [{"_key": f"{n:04}", "v": payload(n)} for n in range(DOCUMENTS)]
        revisions = [item["_rev"] for item in api.insert("damaged", documents)]
        api.insert("whole", [{"_key": "k"}])
        server.call(server.server.node.store.engine.flush)
    return Loaded(directory, revisions)


@pytest.fixture
def broken_documents(loaded: Loaded) -> Iterator[tuple[Api, Loaded]]:
    """A server over documents of which one block cannot be read."""
    loaded.damage("documents")
    with (
        ServerThread(Config(loaded.directory, port=0)) as server,
        Api(server.url, "_system") as api,
    ):
        yield api, loaded


def dump(api: Api, batch: str, **params: Any) -> requests.Response:
    query = {"collection": "damaged", "batchId": batch, "useEnvelope": "false", **params}
    return api.get("/_api/replication/dump", **query)


def lives_on(api: Api) -> bool:
    """Whether the rest of the server works: reading, writing and dumping what is whole."""
    api.insert("whole", {"_key": "new"}, overwriteMode="replace")
    found = api.dump("whole", api.create_batch())
    return {document["_key"] for document in found} == {"k", "new"}


@pytest.mark.parametrize("envelope", ["true", "false"])
def test_a_whole_dump_over_damage_is_an_error(
    broken_documents: tuple[Api, Loaded], envelope: str
) -> None:
    api, _ = broken_documents
    batch = api.create_batch()
    for _ in range(3):  # asking again must not end in success either
        response = dump(api, batch, chunkSize=10**8, useEnvelope=envelope)
        assert error_of(response) == (500, 4)
        assert "damaged" in response.json()["errorMessage"]
        assert "x-arango-replication-checkmore" not in response.headers
    assert lives_on(api)


@pytest.mark.parametrize("size", [1, 10_000, 131_072])
def test_chunks_before_the_damage_are_right_and_then_comes_an_error(
    broken_documents: tuple[Api, Loaded], size: int
) -> None:
    api, _ = broken_documents
    batch = api.create_batch()
    found: list[dict[str, Any]] = []
    while (response := dump(api, batch, chunkSize=size)).status_code == 200:
        assert response.headers["x-arango-replication-checkmore"] == "true"
        found += map(json.loads, response.content.splitlines())
    assert error_of(response) == (500, 4)
    assert [d["_key"] for d in found] == [f"{n:04}" for n in range(len(found))]
    assert [d["v"] for d in found] == [payload(n) for n in range(len(found))]
    assert len(found) <= DAMAGED
    assert error_of(dump(api, batch, chunkSize=size)) == (500, 4)
    assert lives_on(api)


def test_a_dump_made_again_over_damage_is_an_error(
    broken_documents: tuple[Api, Loaded],
) -> None:
    """A second dump of the same batch reads in another way; a new batch reads anew."""
    api, _ = broken_documents
    for batch in (api.create_batch(), api.create_batch()):
        assert error_of(dump(api, batch, chunkSize=10**8)) == (500, 4)
    assert lives_on(api)


def test_reading_by_revision_over_damage_is_an_error(
    broken_documents: tuple[Api, Loaded],
) -> None:
    api, loaded = broken_documents
    query = {"collection": "damaged", "batchId": api.create_batch(), "encodeAsHLC": "true"}
    path = "/_api/replication/revisions"
    everything = api.put(f"{path}/documents", loaded.revisions, **query)
    assert error_of(everything) == (500, 4)
    one = api.put(f"{path}/documents", [loaded.revisions[DAMAGED]], **query)
    assert error_of(one) == (500, 4)
    before = api.put(f"{path}/documents", loaded.revisions[:10], **query)
    assert [document["v"] for document in before.json()] == [payload(n) for n in range(10)]
    borders = [[loaded.revisions[0], loaded.revisions[-1]]]
    assert error_of(api.put(f"{path}/ranges", borders, **query)) == (500, 4)
    verified = api.get(f"{path}/tree", verification="true", onlyPopulated="true", **query)
    assert error_of(verified) == (500, 4)
    stored = api.get(f"{path}/tree", onlyPopulated="true", **query)
    assert stored.json()["count"] == DOCUMENTS
    assert error_of(api.post(f"{path}/tree", **query)) == (500, 4)
    assert api.get(f"{path}/tree", onlyPopulated="true", **query).json() == stored.json()
    assert lives_on(api)


def test_reading_by_keys_over_damage_is_an_error(broken_documents: tuple[Api, Loaded]) -> None:
    api, _ = broken_documents
    query = {"collection": "damaged", "batchId": api.create_batch()}
    counted = api.post("/_api/replication/keys", **query).json()
    path = f"/_api/replication/keys/{counted['id']}"
    assert counted["count"] == DOCUMENTS
    assert len(api.get(path).json()) == 1
    assert api.put(path, [0], type="docs").json()[0]["v"] == payload(0)
    assert error_of(api.put(path, [0, DAMAGED], type="docs")) == (500, 4)
    assert lives_on(api)


def test_damage_does_not_spread_to_what_is_whole(broken_documents: tuple[Api, Loaded]) -> None:
    """After an error the same batch still serves the documents of other blocks."""
    api, loaded = broken_documents
    query = {"collection": "damaged", "batchId": api.create_batch()}
    path = "/_api/replication/revisions/documents"
    for number in (0, DAMAGED, 0, 1, DOCUMENTS - 1, DAMAGED, 1):
        response = api.put(path, [loaded.revisions[number]], **query)
        assert (number, response.status_code) == (number, 500 if number == DAMAGED else 200)


@pytest.mark.parametrize("path", ["/_api/wal/tail", "/_api/replication/logger-follow"])
def test_a_tail_over_damage_is_an_error(loaded: Loaded, path: str) -> None:
    loaded.damage("log")
    with (
        ServerThread(Config(loaded.directory, port=0)) as server,
        Api(server.url, "_system") as api,
    ):
        for chunk in (16_384, 10**8):
            after, scanned, seen = "0", "0", []
            while True:
                response = api.get(
                    path, **{"from": after, "lastScanned": scanned, "chunkSize": chunk}
                )
                if response.status_code != 200:
                    break
                seen += [json.loads(line) for line in response.content.splitlines()]
                after = response.headers["x-arango-replication-lastincluded"]
                scanned = response.headers["x-arango-replication-lastscanned"]
            assert error_of(response) == (500, 4)
            ticks = [int(marker["tick"]) for marker in seen]
            assert ticks == sorted(ticks)
            assert sum(marker["type"] == 2300 for marker in seen) <= DAMAGED
        assert len(api.dump("damaged", api.create_batch())) == DOCUMENTS
        assert lives_on(api)
