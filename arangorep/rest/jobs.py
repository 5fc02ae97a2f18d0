"""Asynchronous jobs: requests answered with 202 and fetched later (leader-api 0, data-api 10.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from arangorep.clock import Clock
from arangorep.errors import HttpNotFound, QueueFull, RequestCanceled
from arangorep.limits import JOB_RESULT_BYTES_MAX, JOBS_MAX
from arangorep.rest.answer import Answer, error_answer


@dataclass(slots=True)
class Job:
    """A running or finished request; `answer` is None while it runs."""

    owner: str
    task: asyncio.Task[None]
    created_s: float
    answer: Answer | None = None


class JobRegistry:
    """All jobs whose result is waited for, by id."""

    def __init__(self, clock: Clock, next_id: Callable[[], int]) -> None:
        self._clock = clock
        self._next_id = next_id
        self._jobs: dict[int, Job] = {}
        self._detached: set[asyncio.Task[None]] = set()
        self._bytes = 0

    def start(self, run: Callable[[], Awaitable[Answer]], owner: str) -> int:
        """Run a request in the background and keep its answer. Errors: 503/21003."""
        if len(self._jobs) >= JOBS_MAX or self._bytes >= JOB_RESULT_BYTES_MAX:
            raise QueueFull
        job_id = self._next_id()

        async def work() -> None:
            answer = await run()
            job = self._jobs.get(job_id)
            if job is not None:
                job.answer = answer
                self._bytes += answer.length

        task = asyncio.get_running_loop().create_task(work())
        self._jobs[job_id] = Job(owner, task, self._clock.wall_us() / 1_000_000)
        return job_id

    def start_detached(self, run: Callable[[], Awaitable[Answer]]) -> None:
        """Run a request whose answer nobody wants. Errors: 503/21003."""
        if len(self._detached) >= JOBS_MAX:
            raise QueueFull

        async def work() -> None:
            await run()

        task = asyncio.get_running_loop().create_task(work())
        self._detached.add(task)
        task.add_done_callback(self._detached.discard)

    def is_done(self, job_id: int, owner: str) -> bool:
        """Errors: 404/404."""
        return self._find(job_id, owner).answer is not None

    def fetch(self, job_id: int, owner: str) -> Answer | None:
        """The answer, once; None while the job runs. Errors: 404/404."""
        job = self._find(job_id, owner)
        if job.answer is not None:
            self._forget(job_id)
        return job.answer

    def cancel(self, job_id: int, owner: str) -> None:
        """Stop a running job; its answer becomes 410/21. Errors: 404/404."""
        job = self._find(job_id, owner)
        if job.answer is None:
            job.task.cancel()
            job.answer = error_answer(RequestCanceled())
            self._bytes += job.answer.length

    def delete(self, job_id: int, owner: str) -> None:
        """Forget a result; a running job goes on unseen. Errors: 404/404."""
        self._find(job_id, owner)
        self._forget(job_id)

    def delete_all(self, owner: str, *, created_before_s: float | None = None) -> None:
        """Forget every result, or those of jobs that were created before a Unix time."""
        for job_id, job in list(self._jobs.items()):
            old = created_before_s is None or job.created_s < created_before_s
            if job.owner == owner and old and job.answer is not None:
                self._forget(job_id)

    def ids(self, owner: str, *, done: bool, count: int) -> list[str]:
        """Ids of finished or running jobs, oldest first."""
        found = [
            str(job_id)
            for job_id, job in self._jobs.items()
            if job.owner == owner and (job.answer is not None) == done
        ]
        return found[:count]

    async def finish(self) -> None:
        """Wait for everything that runs (clean stop)."""
        running = [job.task for job in self._jobs.values() if not job.task.done()]
        await asyncio.gather(*running, *self._detached, return_exceptions=True)

    def _find(self, job_id: int, owner: str) -> Job:
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise HttpNotFound
        return job

    def _forget(self, job_id: int) -> None:
        job = self._jobs.pop(job_id)
        if job.answer is not None:
            self._bytes -= job.answer.length
