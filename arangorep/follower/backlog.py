"""`Backlog`: a long stretch of the leader's log, worked off through sorted files.

Worker processes turn plain insertions into rows of documents, primary index and log; here they are
only taken over, with the applied tick, by one commit a piece (`Store.take_over`). Everything else,
and whatever was found not to fit when its turn came, goes the usual way, marker by marker.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from arangorep.follower.applying import MarkerApplier, Target
from arangorep.follower.leader import TailChunk
from arangorep.follower.lines import (
    check_last_tick,
    count_lines,
    end_of_commit,
    end_of_whole,
    first_document,
    tick_in_front,
)
from arangorep.follower.site import Site
from arangorep.limits import (
    BACKLOG_BYTES_MAX,
    BACKLOG_BYTES_MIN,
    BACKLOG_CHUNKS_BETWEEN_TRIES,
    BACKLOG_PATIENCE_MAX,
    BACKLOG_PIECE_BYTES,
    BACKLOG_PIECES_IN_FLIGHT,
    BACKLOG_TICKS_MIN,
    LOAD_WORKERS,
)
from arangorep.pacing import ended, in_thread
from arangorep.storage.commit import Commit
from arangorep.storage.engine import Family
from arangorep.storage.intake import Intake, Ranges
from arangorep.storage.keys import u64
from arangorep.values.tree_leaves import U64Array
from arangorep.workers.worker import Workers

log = logging.getLogger("arangorep.follower")

PROGRAM = "arangorep.follower.backlog_worker"
FAMILIES = (Family.DOCUMENTS, Family.PRIMARY, Family.LOG)
Apply = Callable[[bytes, int], Awaitable[None]]
"""Applies lines the usual way; the number is the tick that they lie behind."""


@dataclass(frozen=True, slots=True)
class Part:
    """Whole lines of a chunk, from `start` on up to `end`; not copied."""

    body: bytes
    start: int
    end: int
    after: int
    """The tick that the chunk was to begin behind."""

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def view(self) -> memoryview:
        """The bytes."""
        return memoryview(self.body)[self.start : self.end]

    @property
    def lines(self) -> int:
        """How many there are."""
        return count_lines(self.view)


@dataclass(frozen=True, slots=True)
class Flight:
    """Lines whose files are being written."""

    parts: list[Part]
    target: Target
    ticks: range
    """Of its markers here."""
    files: dict[Family, Path]
    answer: asyncio.Task[dict[str, Any]]


class Backlog:
    """Takes chunks of a tail in their order, as long as there are more than can be kept up with."""

    def __init__(self, site: Site, applier: MarkerApplier, apply: Apply) -> None:
        self._site = site
        self._applier = applier
        self._apply = apply
        self._directory = site.store.engine.load_directory
        self._workers: Workers | None = None
        self._whole: list[Part] = []
        """What was not sent to a worker yet; it begins and ends outside of transactions."""
        self._rest: list[Part] = []
        """What comes behind that."""
        self._flying: deque[Flight] = deque()
        self._pause = 0
        """Chunks that go the usual way before the next try."""
        self._patience = 1
        self._number = 0

    def takes(self, chunk: TailChunk) -> bool:
        """Whether to `add` this chunk; if not, `drain` comes before anything else."""
        if self._directory is None or not chunk.check_more:
            return False
        tick = tick_in_front(chunk.body)
        if tick is None or tick <= chunk.asked_from or not chunk.body.endswith(b"\n"):
            return False
        if self._whole or self._rest or self._flying:
            return True
        if self._pause:
            self._pause -= 1
            return False
        # processes take as long to start as some ten thousand markers to apply
        is_far_behind = chunk.last_tick - chunk.last_included >= BACKLOG_TICKS_MIN
        return len(chunk.body) >= BACKLOG_BYTES_MIN and (is_far_behind or self._workers is not None)

    async def add(self, chunk: TailChunk) -> None:
        """Send on what is whole; returns when there is room for more.

        Errors: 500/1400 for a chunk that was cut off; those of `MarkerApplier.apply`.
        """
        start = chunk.body.rfind(b"\n", 0, -1) + 1
        check_last_tick([chunk.body[start:-1]], chunk.last_included)
        text, begin = chunk.body, 0
        if not self._applier.is_between_transactions:  # what the applier began, it ends
            begin = end_of_commit(text) or len(text)
            await self._apply(text[:begin], chunk.asked_from)
        end = end_of_whole(text)
        if end > begin:
            self._whole += [*self._rest, Part(text, begin, end, chunk.asked_from)]
            self._rest, begin = [], end
        if begin < len(text):
            self._rest.append(Part(text, begin, len(text), chunk.asked_from))
        if sum(map(len, self._whole)) >= BACKLOG_PIECE_BYTES:
            parts, self._whole = self._whole, []
            await self._submit(parts)
        if self._pause or sum(map(len, self._rest)) > BACKLOG_BYTES_MAX:
            await self.drain()  # nothing for workers, or a transaction too large to be kept here

    async def drain(self) -> None:
        """Take over everything, and apply what is left of it."""
        if sum(map(len, self._whole)) >= BACKLOG_BYTES_MIN and not self._pause:
            parts, self._whole = self._whole, []
            await self._submit(parts)
        while self._flying:
            await self._take_one()
        parts = self._whole + self._rest
        self._whole, self._rest = [], []
        if parts:
            await self._apply_parts(parts)

    async def _apply_parts(self, parts: list[Part]) -> None:
        for part in parts:
            await self._apply(bytes(part.view), part.after)

    async def drop(self) -> None:
        """Forget what was not taken over: it will be asked for again."""
        self._whole, self._rest = [], []
        # not cancelled: a worker that is left within a task would give its answer to the next one
        await ended(*(flight.answer for flight in self._flying))
        while self._flying:
            _unlink(self._flying.popleft())

    async def rest(self) -> None:
        """Nothing has come for a while: end the processes."""
        workers, self._workers = self._workers, None
        if workers is not None:
            await workers.close()

    async def close(self) -> None:
        """Leave nothing behind."""
        await self.drop()
        await self.rest()

    # -- one piece ---------------------------------------------------------------------------------

    async def _submit(self, parts: list[Part]) -> None:
        while len(self._flying) >= BACKLOG_PIECES_IN_FLIGHT:
            await self._take_one()
        target = self._target_of(parts)
        if target is None:
            while self._flying:
                await self._take_one()
            await self._apply_parts(parts)
            return
        assert self._directory is not None
        if self._workers is None:
            self._workers = Workers(PROGRAM, LOAD_WORKERS)
        self._number += 1
        stem = f"{target.collection.info.id}-log-{self._number}"
        files = {family: self._directory / f"{stem}.{family.value}" for family in FAMILIES}
        ticks = self._site.store.ticks.take(sum(part.lines for part in parts))
        task = self._task(target, ticks) | {
            "files": {family.value: str(path) for family, path in files.items()}
        }
        answer = asyncio.create_task(self._workers.run(task, [part.view for part in parts]))
        self._flying.append(Flight(parts, target, ticks, files, answer))

    def _target_of(self, parts: list[Part]) -> Target | None:
        """Where they all go, if the first documents are no exception."""
        found = (first_document(part.body, part.start) for part in parts[:2])
        scope = next(filter(None, found), None)
        return None if scope is None else self._applier.target_of(*scope)

    def _task(self, target: Target, ticks: range) -> dict[str, Any]:
        """What `backlog_worker.prepare` is told."""
        database, collection = target.database, target.collection
        return {
            "db": target.leader_db,
            "guid": target.leader_guid,
            "own_db": database.name_json,
            "own_guid": collection.guid_json,
            "name": target.name,
            "database": database.info.id,
            "collection": collection.info.id,
            "prefix": collection.prefix,
            "keys": asdict(collection.info.key_options),
            "last_value": collection.state.counters.last_value,
            "tick": ticks.start,
            "moment": self._site.store.moment,
            "is_checked": self._site.is_checked,
        }

    async def _take_one(self) -> None:
        """Take over the oldest piece, and what else is ready; or apply it the usual way."""
        flight = self._flying[0]
        answer = await asyncio.shield(flight.answer)
        if "error" in answer:
            log.warning("applying a backlog: %s", answer["error"])
        async with self._site.write_lock:
            pieces = _ready(self._flying)
            is_taken = await self._take_over(pieces)
        if is_taken:
            self._patience = 1
            for _ in pieces:
                self._flying.popleft()
            return
        self._flying.popleft()
        _unlink(flight)
        if not self._pause:  # the others in flight are of the same try
            self._pause = self._patience * BACKLOG_CHUNKS_BETWEEN_TRIES
            self._patience = min(2 * self._patience, BACKLOG_PATIENCE_MAX)
        await self._apply_parts(flight.parts)
        while self._flying:  # their ticks are older now than those of what was just applied
            await self._take_one()

    async def _take_over(self, pieces: list[Piece]) -> bool:
        """False, and nothing has happened, when they do not fit what is here by now."""
        if not pieces or not self._fits(pieces):
            return False
        store, collection = self._site.store, pieces[0].flight.target.collection
        commit = Commit()
        delta = commit.delta(collection.info.id)
        delta.last_value = collection.state.counters.last_value
        for piece in pieces:
            commit.last_tick = piece.flight.ticks[-1]
            commit.log_bytes += piece.answer["log_bytes"]
            delta.blocks.append(piece.revisions)
            delta.largest_bytes = max(delta.largest_bytes, piece.answer["largest"])
            delta.last_value = max(delta.last_value, piece.answer["last_value"])
        delta.revision = pieces[-1].last_revision
        store.observe_revision(delta.revision)
        tick = pieces[-1].answer["tick"]
        intake = _intake(pieces)
        with store.riding(self._applier.riders(tick)):
            prepared = store.announce(commit, intake)
        try:
            # files are durable by themselves: the note about them must be so before
            await in_thread(store.engine.sync_log)
        except BaseException:
            store.withdraw()
            raise
        store.take_over(commit, intake, prepared)
        markers = sum(len(piece.flight.ticks) for piece in pieces)
        self._applier.passed(tick, delta.documents, markers)
        return True

    def _fits(self, pieces: list[Piece]) -> bool:
        """Whether ticks and documents come behind all others, and the keys are free."""
        store, flight = self._site.store, pieces[0].flight
        state, first = flight.target.collection.state, pieces[0].first_revision
        if self._target_of(flight.parts) != flight.target:
            return False
        if store.log.last_tick >= flight.ticks.start or first <= state.counters.revision:
            return False
        cursor = store.engine.cursor(Family.PRIMARY)
        others = cursor.keys(*_ranges(pieces)[Family.PRIMARY], 1)
        cursor.close()
        return not others and state.tree.accepts(first, pieces[-1].last_revision)


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines whose files are written."""

    flight: Flight
    answer: dict[str, Any]
    revisions: U64Array

    @property
    def first_revision(self) -> int:
        """Of its documents."""
        return int(self.revisions[0])

    @property
    def last_revision(self) -> int:
        """Of its documents."""
        return int(self.revisions[-1])

    def follows(self, other: Piece) -> bool:
        """Whether all in it comes behind all in the other one."""
        return (
            self.flight.target == other.flight.target
            and self.first_revision > other.last_revision
            and self.answer["first"] > other.answer["last"]
        )


def _ready(flights: Iterable[Flight]) -> list[Piece]:
    """The oldest pieces that are prepared and can be taken over together."""
    pieces: list[Piece] = []
    for flight in flights:
        answer = flight.answer.result() if flight.answer.done() else {}
        if "revisions" not in answer:
            break
        revisions = np.frombuffer(answer["revisions"], dtype=">u8").astype(np.uint64)
        piece = Piece(flight, answer, revisions)
        if pieces and not piece.follows(pieces[-1]):
            break
        pieces.append(piece)
    return pieces


def _intake(pieces: list[Piece]) -> Intake:
    files = {family: [piece.flight.files[family] for piece in pieces] for family in FAMILIES}
    return Intake(files, _ranges(pieces))


def _ranges(pieces: list[Piece]) -> Ranges:
    """Of the keys in the files of all three families: there are no others between them."""
    first, last = pieces[0], pieces[-1]
    prefix = first.flight.target.collection.prefix
    stamps = u64(first.first_revision), u64(last.last_revision) + b"\0"
    names = first.answer["first"], last.answer["last"] + b"\0"
    return {
        Family.DOCUMENTS: (prefix + stamps[0], prefix + stamps[1]),
        Family.PRIMARY: (prefix + names[0], prefix + names[1]),
        Family.LOG: (u64(first.flight.ticks.start), u64(last.flight.ticks.stop)),
    }


def _unlink(flight: Flight) -> None:
    for path in flight.files.values():
        path.unlink(missing_ok=True)
