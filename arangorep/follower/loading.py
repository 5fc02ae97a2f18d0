"""`BulkLoad`: a large collection into the store through sorted files, past log and memory tables.

Worker processes cut lines and write the files; here they are only taken over. What is not plain
is committed like any other documents. The log does not tell of loaded documents: whoever tails
this server is told that it has a gap.
Source: performance 7.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from arangorep.follower.site import Site
from arangorep.limits import LOAD_BYTES, LOAD_PIECES_IN_FLIGHT
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.storage.state import CollectionState
from arangorep.values.tree_leaves import U64Array
from arangorep.workers.worker import Workers

log = logging.getLogger("arangorep.follower")

PROGRAM = "arangorep.follower.load_worker"


@dataclass(frozen=True, slots=True)
class _Piece:
    """Lines, the files they become, and what the worker says of them."""

    body: list[bytes]
    files: dict[Family, Path]
    answer: dict[str, Any]


class BulkLoad:
    """Loads one collection that was empty; use as an asynchronous context manager.

    `add` takes chunks of lines in revision order. Errors: those of `Site.store_lines`.
    """

    def __init__(self, site: Site, worker: Workers, database_id: int, guid: str) -> None:
        self._site = site
        self._worker = worker
        self._place = (database_id, guid)
        self._gathered: list[bytes] = []
        self._size = 0
        self._flying: deque[asyncio.Task[_Piece]] = deque()
        self._loaded: Collection | None = None
        self._number = 0
        self._is_torn = False
        """Whether files were being taken over when it failed."""
        self.documents = 0
        """Stored so far."""

    async def __aenter__(self) -> BulkLoad:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # not cancelled: a worker that is left within a task would give its answer to the next one
        for task in self._flying:
            await asyncio.wait([task])
            if not _failed(task):
                _unlink(task.result().files)
        loaded, catalog = self._loaded, self._site.store.catalog
        if self._is_torn:
            return  # the note stays: the next start makes the collection whole
        if loaded is not None and catalog.collection_by_id(loaded.info.id) is loaded:
            self._site.store.end_load(loaded)

    async def add(self, body: bytes) -> None:
        """Take over a chunk."""
        self._gathered.append(body)
        self._size += len(body)
        if self._size >= LOAD_BYTES:
            await self._submit()

    async def finish(self) -> None:
        """Store what is left."""
        await self._submit()
        while self._flying:
            await self._take_some()

    async def _submit(self) -> None:
        if not self._gathered:
            return
        body, self._gathered, self._size = self._gathered, [], 0
        while len(self._flying) >= LOAD_PIECES_IN_FLIGHT:
            await self._take_some()
        self._flying.append(asyncio.create_task(self._prepare(body)))

    async def _prepare(self, body: list[bytes]) -> _Piece:
        """Have the files of one piece written."""
        _, collection = self._site.collection(*self._place)
        directory = self._site.store.engine.load_directory
        assert directory is not None
        self._number += 1
        stem = f"{collection.info.id}-{self._number}"
        files = {
            Family.DOCUMENTS: directory / f"{stem}.documents",
            Family.PRIMARY: directory / f"{stem}.primary",
        }
        counters = collection.state.counters
        answer = await self._worker.run(
            {
                "name": collection.name_json,
                "is_checked": self._site.is_checked,
                "prefix": collection.prefix,
                "after": counters.revision,
                "documents": str(files[Family.DOCUMENTS]),
                "primary": str(files[Family.PRIMARY]),
                "keys": asdict(collection.info.key_options),
                "last_value": counters.last_value,
            },
            body,
        )
        if "error" in answer:
            log.warning("loading %s: %s", collection.info.name, answer["error"])
        return _Piece(body, files, answer)

    async def _take_some(self) -> None:
        """Take over the oldest piece and those behind it that are ready, or store its lines.

        Together, because the engine waits four times for the disk whenever it takes files over.
        """
        oldest = await asyncio.shield(self._flying[0])
        async with self._site.write_lock:
            taken = await self._load(_ready(self._flying))
        for _ in range(taken):
            self.documents += len(self._flying.popleft().result().answer["revisions"]) // 8
        if taken:
            return
        self._flying.popleft()
        _unlink(oldest.files)
        for piece in oldest.body:
            self.documents += await self._site.store_lines(*self._place, piece)

    async def _load(self, pieces: list[_Piece]) -> int:
        """How many of the first ones could be taken over."""
        store = self._site.store
        _, collection = self._site.collection(*self._place)
        revisions, pieces = _fitting(pieces, collection.state)
        if not pieces:
            return 0
        if self._loaded is not collection:
            store.begin_load(collection)
            # the files are durable by themselves: the note about them must be so before
            await asyncio.get_running_loop().run_in_executor(None, store.engine.sync_log)
            self._loaded = collection
        store.observe_revision(int(revisions[-1]))
        self._is_torn = True
        last_values = [piece.answer["last_value"] for piece in pieces]
        store.load(
            collection,
            {family: [piece.files[family] for piece in pieces] for family in pieces[0].files},
            revisions,
            largest_bytes=max(piece.answer["largest"] for piece in pieces),
            last_value=max(*last_values, collection.state.counters.last_value),
        )
        self._is_torn = False
        return len(pieces)


def _ready(flying: Iterable[asyncio.Task[_Piece]]) -> list[_Piece]:
    """The first pieces, up to one that is not finished or has failed."""
    ended = takewhile(lambda task: task.done() and not _failed(task), flying)
    return [task.result() for task in ended]


def _failed(task: asyncio.Task[_Piece]) -> bool:
    return task.cancelled() or task.exception() is not None


def _fitting(pieces: list[_Piece], state: CollectionState) -> tuple[U64Array, list[_Piece]]:
    """The first pieces that can be taken over, each above the one before, and their revisions."""
    found: list[U64Array] = []
    after = state.counters.revision
    for piece in pieces:
        if "revisions" not in piece.answer:
            break
        revisions = np.frombuffer(piece.answer["revisions"], dtype=">u8").astype(np.uint64)
        lowest = int(found[0][0]) if found else int(revisions[0])
        if int(revisions[0]) <= after or not state.tree.accepts(lowest, int(revisions[-1])):
            break
        found.append(revisions)
        after = int(revisions[-1])
    joined = np.concatenate(found) if found else np.empty(0, np.uint64)
    return joined, pieces[: len(found)]


def _unlink(files: dict[Family, Path]) -> None:
    """Remove files that are not taken over."""
    for path in files.values():
        path.unlink(missing_ok=True)
