"""`Transfers`: the uploads and downloads of hot backups that run and ran (backups 3.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from arangorep.backup.archive import Stopped
from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.transfer import Progress, Work
from arangorep.clock import Clock, iso_time
from arangorep.errors import (
    ArangoError,
    BackupConflict,
    HotDownloadFailed,
    HotUploadFailed,
    HttpBadParameter,
    HttpNotFound,
)
from arangorep.limits import TRANSFERS_AT_ONCE, TRANSFERS_KEPT
from arangorep.pacing import in_thread

SINGLE_SERVER = "SNGL"
"""How the interface calls a server that is alone."""


class Direction(StrEnum):
    """Which way; the value is the operation's name."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


class State(StrEnum):
    """As status answers have it."""

    STARTED = "STARTED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(slots=True)
class Transfer:
    """One copy of a backup from or to a place."""

    id: str
    direction: Direction
    backup_id: str
    place: Path
    started: str
    progress: Progress = field(default_factory=Progress)
    state: State = State.STARTED
    error: ArangoError | None = None
    progressed: str = ""

    def describe(self) -> dict[str, Any]:
        """The status answer."""
        server: dict[str, Any] = {"Status": str(self.state)}
        if self.progress.total:
            server["Progress"] = {
                "Total": self.progress.total,
                "Done": self.progress.done,
                "Time": self.progressed or self.started,
            }
        if self.error is not None:
            server["Error"] = self.error.error_num
            server["ErrorMessage"] = self.error.message
        return {
            "Timestamp": self.started,
            f"{self.direction.capitalize()}Id": self.id,
            "Cancelled": self.progress.stop.is_set(),
            "BackupId": self.backup_id,
            "DBServers": {SINGLE_SERVER: server},
        }


class Transfers:
    """Starts them, tells of them, ends them. A restart forgets all."""

    def __init__(self, clock: Clock, next_id: Callable[[], int]) -> None:
        self._clock, self._next_id = clock, next_id
        self._known: dict[str, Transfer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(TRANSFERS_AT_ONCE)

    def start(self, direction: Direction, backup_id: str, place: Path, work: Work) -> str:
        """Begin, and return the id. Errors: 409/7011 while the same runs, or too many do."""
        running = [one for one in self._known.values() if one.state is State.STARTED]
        if any((one.direction, one.place) == (direction, place) for one in running):
            raise BackupConflict(f"this {direction} of '{backup_id}' is under way")
        if len(running) >= TRANSFERS_KEPT:
            raise BackupConflict("too many transfers are under way")
        moment = iso_time(self._clock.wall_us())
        transfer = Transfer(str(self._next_id()), direction, backup_id, place, moment)
        self._forget_some()
        self._known[transfer.id] = transfer
        task = asyncio.get_running_loop().create_task(self._run(transfer, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return transfer.id

    def status(self, direction: Direction, transfer_id: str) -> dict[str, Any]:
        """Errors: 404/404."""
        found = self._find(direction, transfer_id)
        if found.state is State.STARTED:
            found.progressed = iso_time(self._clock.wall_us())
        return found.describe()

    def abort(self, direction: Direction, transfer_id: str) -> None:
        """Errors: 404/404; 400/400 for one that has ended."""
        found = self._find(direction, transfer_id)
        if found.state is not State.STARTED:
            raise HttpBadParameter(f"bad parameter: the {direction} has ended")
        found.progress.stop.set()

    def is_copied(self, backup_id: str) -> bool:
        """Whether a transfer of this backup runs."""
        return any(
            one.backup_id == backup_id and one.state is State.STARTED
            for one in self._known.values()
        )

    async def stop(self) -> None:
        """End what runs, and wait for it."""
        for transfer in self._known.values():
            transfer.progress.stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _find(self, direction: Direction, transfer_id: str) -> Transfer:
        found = self._known.get(transfer_id)
        if found is None or found.direction is not direction:
            raise HttpNotFound(f"no {direction} '{transfer_id[:40]}'")
        return found

    def _forget_some(self) -> None:
        ended = [one.id for one in self._known.values() if one.state is not State.STARTED]
        for transfer_id in ended[: max(0, len(self._known) + 1 - TRANSFERS_KEPT)]:
            del self._known[transfer_id]

    async def _run(self, transfer: Transfer, work: Work) -> None:
        failed = HotUploadFailed if transfer.direction is Direction.UPLOAD else HotDownloadFailed
        try:
            async with self._room:
                await in_thread(lambda: work(transfer.progress))
            transfer.state = State.COMPLETED
        except Stopped:
            transfer.state = State.CANCELLED
        except ArangoError as error:
            transfer.state, transfer.error = State.FAILED, error
        except (OSError, DumpCorrupt) as error:
            text = error.strerror if isinstance(error, OSError) else None
            transfer.state, transfer.error = State.FAILED, failed(f"{text or error}")
        transfer.progressed = iso_time(self._clock.wall_us())
