"""`BulkLoad`: a large collection into the store through sorted files, past log and memory tables.

Worker processes cut lines and write the files; here they are only taken over. What is not plain
is committed like any other documents. The log does not tell of loaded documents: whoever tails
this server is told that it has a gap.
Source: performance 7.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from arangorep.follower.site import Site
from arangorep.limits import LOAD_BYTES, LOAD_PIECES_IN_FLIGHT
from arangorep.storage.catalog import Collection
from arangorep.storage.engine import Family
from arangorep.workers.worker import Workers

log = logging.getLogger("arangorep.follower")

PROGRAM = "arangorep.follower.load_worker"


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
        self._flying: list[
            asyncio.Task[tuple[list[bytes], dict[Family, Path], dict[str, Any]]]
        ] = []
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
            if not task.cancelled() and task.exception() is None:
                _unlink(task.result()[1])
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
            await self._take_one()

    async def _submit(self) -> None:
        if not self._gathered:
            return
        body, self._gathered, self._size = self._gathered, [], 0
        while len(self._flying) >= LOAD_PIECES_IN_FLIGHT:
            await self._take_one()
        self._flying.append(asyncio.create_task(self._prepare(body)))

    async def _prepare(
        self, body: list[bytes]
    ) -> tuple[list[bytes], dict[Family, Path], dict[str, Any]]:
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
        return body, files, answer

    async def _take_one(self) -> None:
        """Take over the oldest piece."""
        body, files, answer = await self._flying.pop(0)
        async with self._site.write_lock:
            is_loaded = await self._load(files, answer)
        if is_loaded:
            self.documents += len(answer["revisions"]) // 8
            return
        _unlink(files)
        for piece in body:
            self.documents += await self._site.store_lines(*self._place, piece)

    async def _load(self, files: dict[Family, Path], answer: dict[str, Any]) -> bool:
        store = self._site.store
        _, collection = self._site.collection(*self._place)
        if "revisions" not in answer:
            return False
        revisions = np.frombuffer(answer["revisions"], dtype=">u8").astype(np.uint64)
        first, last = int(revisions[0]), int(revisions[-1])
        state = collection.state
        if first <= state.counters.revision or not state.tree.accepts(first, last):
            return False
        if self._loaded is not collection:
            store.begin_load(collection)
            # the files are durable by themselves: the note about them must be so before
            await asyncio.get_running_loop().run_in_executor(None, store.engine.sync_log)
            self._loaded = collection
        store.observe_revision(last)
        self._is_torn = True
        store.load(
            collection,
            files,
            revisions,
            largest_bytes=answer["largest"],
            last_value=max(answer["last_value"], collection.state.counters.last_value),
        )
        self._is_torn = False
        return True


def _unlink(files: dict[Family, Path]) -> None:
    """Remove files that are not taken over."""
    for path in files.values():
        path.unlink(missing_ok=True)
