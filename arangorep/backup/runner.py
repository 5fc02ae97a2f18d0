"""`TaskRunner`: does what is enqueued, one batch of tasks at a time (backups 1.7, 6.5)."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from arangorep.backup.dumping import DumpOptions
from arangorep.backup.jobs import BackupPlaces, write_dump, write_snapshot
from arangorep.backup.tasks import Status, Task, TaskStore, TaskType
from arangorep.clock import Clock
from arangorep.errors import ArangoError
from arangorep.limits import TASK_RETRY_S
from arangorep.pacing import Signal
from arangorep.storage.store import Store

log = logging.getLogger("arangorep.backup")

LINK = "https://docs.meilisearch.com/errors#"
SYSTEM_CODES = {
    errno.ENOSPC: "no_space_left_on_device",
    errno.EIO: "io_error",
    errno.EMFILE: "too_many_open_files",
}


def error_object(code: str, message: str, kind: str = "invalid_request") -> dict[str, str]:
    """How the interface tells of an error, in answers and in tasks."""
    return {"message": message, "code": code, "type": kind, "link": f"{LINK}{code}"}


def error_of(error: BaseException) -> dict[str, str]:
    """What a failed task shows."""
    if isinstance(error, OSError):
        code = SYSTEM_CODES.get(error.errno or 0)
        where = f": {error.filename}" if error.filename else ""
        text = f"{error.strerror or error}{where}"
        if code is not None:
            return error_object(code, text, "system")
        return error_object("internal", text, "internal")
    if isinstance(error, ArangoError):
        return error_object("internal", error.message, "internal")
    return error_object("internal", f"{type(error).__name__}: {error}", "internal")


def dump_options(details: dict[str, Any]) -> DumpOptions:
    """What a dump's task says about what is dumped."""
    return DumpOptions(
        databases=tuple(details.get("databases", ())),
        collections=tuple(details.get("collections", ())),
        include_system=details.get("includeSystem", True),
        label=details.get("label", ""),
    )


class TaskRunner:
    """Owns the task store's changes and the job that runs."""

    def __init__(
        self,
        store: Store,
        places: BackupPlaces,
        clock: Clock,
        version: str,
        write_lock: asyncio.Lock,
    ) -> None:
        self.tasks = TaskStore(store)
        self._write_lock = write_lock
        self.places = places
        self._store, self._clock, self._version = store, clock, version
        self._wake = Signal()
        self._loop_task: asyncio.Task[None] | None = None
        self._job: asyncio.Task[dict[str, Any]] | None = None
        self._running: list[Task] = []
        self._batches = max((t.batch_uid or 0 for t in self.tasks.all()), default=-1) + 1
        self._last_uid_ms = 0

    def start(self) -> None:
        """Begin on the running loop."""
        self._loop_task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End what runs; it begins anew at the next start."""
        if self._loop_task is not None:
            self._loop_task.cancel()
            await asyncio.gather(self._loop_task, return_exceptions=True)

    # -- requests ----------------------------------------------------------------------------------

    def enqueue(self, kind: TaskType, details: dict[str, Any]) -> Task:
        """Errors: 400/32."""
        if kind in (TaskType.DUMP, TaskType.SNAPSHOT):
            details = {**details, "dumpUid": self._new_uid()}
        task = self.tasks.add(kind, self._clock.wall_us(), details)
        self._wake.fire()
        return task

    def is_busy_with(self, kind: TaskType) -> bool:
        """Whether a task of this type is enqueued or runs."""
        return any(t.type is kind and not t.is_finished for t in self.tasks.all())

    def cancel(self, matched: Iterable[Task], original_filter: str) -> Task:
        """Enqueue a cancelation of these tasks; what runs of them is interrupted."""
        uids = [task.uid for task in matched]
        details = {"matchedTasks": len(uids), "canceledTasks": None,
                   "originalFilter": original_filter, "uids": uids}  # fmt: skip
        task = self.enqueue(TaskType.CANCELATION, details)
        if self._job is not None and any(running.uid in uids for running in self._running):
            self._job.cancel()
        return task

    def delete(self, matched: Iterable[Task], original_filter: str) -> Task:
        """Enqueue the deletion of these tasks, as far as they are finished."""
        uids = [task.uid for task in matched]
        details = {"matchedTasks": len(uids), "deletedTasks": None,
                   "originalFilter": original_filter, "uids": uids}  # fmt: skip
        return self.enqueue(TaskType.DELETION, details)

    def _new_uid(self) -> str:
        """The moment, moved on where it is taken: `20200929-114144097`."""
        ms = max(self._clock.wall_us() // 1000, self._last_uid_ms + 1)
        self._last_uid_ms = ms
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
        return moment.strftime("%Y%m%d-%H%M%S") + f"{ms % 1000:03d}"

    # -- work --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            batch = self.tasks.next()
            if not batch:
                await self._wake.wait()
                continue
            try:
                await self._process(batch)
            except asyncio.CancelledError:
                raise
            except Exception:
                # a task that cannot even be noted must not end all others
                log.exception("a task could not be processed")
                await asyncio.sleep(TASK_RETRY_S)

    async def _process(self, batch: list[Task]) -> None:
        started_us = self._clock.wall_us()
        self._running = [
            self._put(
                replace(t, status=Status.PROCESSING, started_us=started_us, batch_uid=self._batches)
            )
            for t in batch
        ]
        self._batches += 1
        self._job = asyncio.get_running_loop().create_task(self._do(self._running))
        try:
            await asyncio.wait([self._job])
        except asyncio.CancelledError:
            self._job.cancel()
            await asyncio.wait([self._job])
            raise
        finally:
            job, self._job = self._job, None
        if not job.cancelled() and job.exception() is not None:
            log.error("task %s failed: %s", batch[0].type, job.exception())
        # nothing tells when there is room again
        while not self._has_noted(job):  # noqa: ASYNC110
            await asyncio.sleep(TASK_RETRY_S)

    def _has_noted(self, job: asyncio.Task[dict[str, Any]]) -> bool:
        """Write down what became of a job; False when that cannot be written, on a full disk say.

        Nothing else is begun before: the tasks would be `processing` for ever.
        """
        try:
            if job.cancelled():
                for task in self._running:
                    waiting = replace(task, status=Status.ENQUEUED, started_us=None, batch_uid=None)
                    self._put(waiting)
            elif (error := job.exception()) is not None:
                self._finish(Status.FAILED, {}, error_of(error))
            else:
                self._finish(Status.SUCCEEDED, job.result(), None)
        except Exception:
            log.exception("what became of a task cannot be noted")
            return False
        return True

    def _put(self, task: Task) -> Task:
        self.tasks.put(task)
        return task

    def _finish(
        self, status: Status, details: dict[str, Any], error: dict[str, str] | None
    ) -> None:
        finished_us = self._clock.wall_us()
        for task in self._running:
            known = {n: v for n, v in task.details.items() if n != "progress"}
            if error is not None and task.type in (TaskType.CANCELATION, TaskType.DELETION):
                known |= {n: 0 for n in ("canceledTasks", "deletedTasks") if n in known}
            done = replace(
                task, status=status, finished_us=finished_us, error=error,
                details={**known, **details},
            )  # fmt: skip
            self._put(done)
        self._running = []

    async def _do(self, tasks: list[Task]) -> dict[str, Any]:
        first = tasks[0]
        match first.type:
            case TaskType.CANCELATION:
                return {"canceledTasks": self._cancel_waiting(first)}
            case TaskType.DELETION:
                return {"deletedTasks": self._delete_finished(tasks)}
            case TaskType.SNAPSHOT:
                return await write_snapshot(
                    self._store,
                    self.places,
                    self._write_lock,
                    uid=first.details["dumpUid"],
                    clock=self._clock,
                    version=self._version,
                )
        return await write_dump(
            self._store,
            self.places,
            dump_options(first.details),
            uid=first.details["dumpUid"],
            clock=self._clock,
            version=self._version,
            advance=self._advance,
            packing=first.details.get("compression", "gzip"),
        )

    def _advance(self, progress: dict[str, Any]) -> None:
        """Note how far the running tasks are, in memory only."""
        for task in self._running:
            task.details["progress"] = progress

    def _cancel_waiting(self, cancelation: Task) -> int:
        count, now_us = 0, self._clock.wall_us()
        for uid in cancelation.details["uids"]:
            task = self.tasks.get(uid)
            if task is not None and task.status is Status.ENQUEUED:
                self._put(
                    replace(
                        task,
                        status=Status.CANCELED,
                        canceled_by=cancelation.uid,
                        started_us=cancelation.started_us,
                        finished_us=now_us,
                    )
                )
                count += 1
        return count

    def _delete_finished(self, deletions: list[Task]) -> int:
        uids = {uid for task in deletions for uid in task.details["uids"]}
        found = [self.tasks.get(uid) for uid in sorted(uids)]
        gone = [task.uid for task in found if task is not None and task.is_finished]
        self.tasks.remove(gone)
        return len(gone)
