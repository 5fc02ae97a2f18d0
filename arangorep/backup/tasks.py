"""Tasks: what is to be done about backups, and what became of it (backups 1.4 to 1.7, 6.2).

A task is a row of `meta`, so it survives restarts. What was running when the server ended is
enqueued again with its own uid; finished tasks stay until they are deleted or too many.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from arangorep.codec import msgpack
from arangorep.errors import ResourceLimit
from arangorep.limits import TASKS_MAX
from arangorep.storage import keys
from arangorep.storage.engine import Family
from arangorep.storage.store import Store


class TaskType(StrEnum):
    """What a task does; the values are those of the interface."""

    CANCELATION = "taskCancelation"
    DELETION = "taskDeletion"
    SNAPSHOT = "snapshotCreation"
    DUMP = "dumpCreation"


class Status(StrEnum):
    """How far a task is."""

    ENQUEUED = "enqueued"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


FINISHED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})


@dataclass(frozen=True, slots=True)
class Task:
    """One task. Moments are microseconds since 1970, None before they have come."""

    uid: int
    type: TaskType
    enqueued_us: int
    status: Status = Status.ENQUEUED
    started_us: int | None = None
    finished_us: int | None = None
    batch_uid: int | None = None
    canceled_by: int | None = None
    error: dict[str, str] | None = None
    details: dict[str, Any] = field(default_factory=dict)
    """What is shown of the type, and what the job needs; see `describe`."""

    def pack(self) -> bytes:
        """Bytes for storage; `unpack` is the inverse."""
        packed = {name: getattr(self, name) for name in self.__slots__}
        packed["type"], packed["status"] = str(self.type), str(self.status)
        return msgpack.pack(packed)

    @staticmethod
    def unpack(data: bytes) -> Task:
        """The task that `pack` was called on."""
        packed = msgpack.unpack(data)
        packed["type"], packed["status"] = TaskType(packed["type"]), Status(packed["status"])
        return Task(**packed)

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED


class TaskStore:
    """All tasks, in memory and in `meta`; only this writes them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tasks: dict[int, Task] = {}
        cursor = store.engine.cursor(Family.META)
        start, end = keys.TASK, keys.after(keys.TASK)
        while rows := cursor.items(start, end, 1000):
            for _, row in rows:
                task = Task.unpack(row)
                self._tasks[task.uid] = task
            start = rows[-1][0] + b"\0"
        cursor.close()
        for task in list(self._tasks.values()):
            if task.status is Status.PROCESSING:
                self.put(replace(task, status=Status.ENQUEUED, started_us=None, batch_uid=None))

    def __iter__(self) -> Iterable[Task]:
        return iter(self._tasks.values())

    def get(self, uid: int) -> Task | None:
        return self._tasks.get(uid)

    def all(self) -> list[Task]:
        """Every task, by uid."""
        return [self._tasks[uid] for uid in sorted(self._tasks)]

    @property
    def next_uid(self) -> int:
        """One more than the greatest there is."""
        return max(self._tasks, default=-1) + 1

    def add(self, kind: TaskType, now_us: int, details: dict[str, Any]) -> Task:
        """Enqueue a task. Errors: 400/32 when there are too many unfinished ones."""
        helps = kind in (TaskType.CANCELATION, TaskType.DELETION)
        room = TASKS_MAX * 2 if helps else TASKS_MAX
        if sum(not task.is_finished for task in self._tasks.values()) >= room:
            raise ResourceLimit(
                "resource limit exceeded: too many tasks are enqueued", http_status=400
            )
        task = Task(self.next_uid, kind, now_us, details=details)
        self.put(task)
        self._forget_oldest()
        return task

    def put(self, task: Task) -> None:
        """Store a task as it is now."""
        self._tasks[task.uid] = task
        self._store.write_meta({keys.TASK + keys.u64(task.uid): task.pack()})

    def remove(self, uids: Iterable[int]) -> None:
        """Forget tasks."""
        rows: dict[bytes, bytes | None] = {}
        for uid in uids:
            if self._tasks.pop(uid, None) is not None:
                rows[keys.TASK + keys.u64(uid)] = None
        self._store.write_meta(rows)

    def next(self) -> list[Task]:
        """What is to be done next: the newest cancelation, all deletions, all snapshots at once, or
        the oldest dump (backups 6.5)."""
        waiting = [task for task in self.all() if task.status is Status.ENQUEUED]
        for kind in TaskType:
            found = [task for task in waiting if task.type is kind]
            if not found:
                continue
            if kind is TaskType.CANCELATION:
                return found[-1:]
            return found[:1] if kind is TaskType.DUMP else found
        return []

    def _forget_oldest(self) -> None:
        finished = [task.uid for task in self.all() if task.is_finished]
        if len(finished) > TASKS_MAX:
            self.remove(finished[: len(finished) - TASKS_MAX])
