"""`Worker`: a process with one task at a time, for asynchronous code."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from arangorep.codec import msgpack
from arangorep.limits import WORKER_PATIENCE_S
from arangorep.workers.program import HEAD, LENGTH, command_of
from arangorep.workers.shared_file import SharedFile

Body = Sequence[bytes | memoryview]


class Workers:
    """Some processes that run the same program."""

    def __init__(self, program: str, count: int) -> None:
        self._workers = [Worker(program) for _ in range(count)]

    async def run(self, task: dict[str, Any], body: Body) -> dict[str, Any]:
        """One task, by the worker with the fewest waiting."""
        return await min(self._workers, key=lambda worker: worker.waiting).run(task, body)

    async def close(self) -> None:
        """End all processes."""
        await asyncio.gather(*(worker.close() for worker in self._workers))


class Worker:
    """The process, started at once and ready a little later. `program` is a module's name.

    A task that takes longer than `patience_s` is given up, and the process with it.
    """

    def __init__(self, program: str, patience_s: float = WORKER_PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._spawning = asyncio.create_task(_spawn(program))
        self._starting = asyncio.create_task(self._start())
        self._child: _Child | None = None
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[dict[str, Any]]] = set()
        self.waiting = 0
        """Tasks that have not ended."""

    @property
    def is_ready(self) -> bool:
        """Whether a task would be begun at once, or after those that wait."""
        return self._child is not None

    @property
    def has_ended(self) -> bool:
        """Whether it never started, or is gone: no task will be done."""
        if self._child is None:
            return self._starting.done()
        return self._child.process.returncode is not None

    async def _start(self) -> None:
        """Nothing is raised: one that does not start `has_ended`."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            child = await asyncio.shield(self._spawning)
            await child.exchange({}, [])
            self._child = child

    async def run(self, task: dict[str, Any], body: Body) -> dict[str, Any]:
        """One task. The answer is empty, or has `error`, when the worker could not do it.

        A cancel does not reach the task that has begun: its answer would be taken for the next's.
        """
        self.waiting += 1
        running = asyncio.create_task(self._run(task, body))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.shield(running)

    async def _run(self, task: dict[str, Any], body: Body) -> dict[str, Any]:
        try:
            async with self._turn:
                await asyncio.shield(self._starting)
                if self._child is None:
                    return {"error": "the worker does not start"}
                async with asyncio.timeout(self._patience_s):
                    return await self._child.exchange(task, body)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self._kill()
            return {"error": f"the worker ended: {error!r}"}
        finally:
            self.waiting -= 1

    def _kill(self) -> None:
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.process.kill()

    async def close(self) -> None:
        """End the process, and wait until it is gone."""
        with contextlib.suppress(OSError):
            child = await self._spawning
            with contextlib.suppress(ProcessLookupError):
                child.process.kill()
            await child.end
        await asyncio.gather(self._starting, *self._running, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class _Child:
    """The process, and the files it shares with this one, which are closed when it has ended."""

    process: asyncio.subprocess.Process
    tasks: SharedFile
    answers: SharedFile
    end: asyncio.Task[None]

    async def exchange(self, task: dict[str, Any], body: Body) -> dict[str, Any]:
        """A task and its answer. Errors: `OSError`, `IncompleteReadError` when the process ends."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        packed = msgpack.pack(task)
        self.tasks.write([packed, *body])
        self.process.stdin.write(HEAD.pack(len(packed), sum(map(len, body))))
        await self.process.stdin.drain()
        size = LENGTH.unpack(await self.process.stdout.readexactly(LENGTH.size))[0]
        answer: dict[str, Any] = msgpack.unpack(*self.answers.read(size))
        return answer


async def _spawn(program: str) -> _Child:
    async with contextlib.AsyncExitStack() as stack:
        tasks = SharedFile.create()
        stack.callback(tasks.close)
        answers = SharedFile.create()
        stack.callback(answers.close)
        process = await asyncio.create_subprocess_exec(
            *command_of(program, tasks, answers),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=[tasks.descriptor, answers.descriptor],
        )
        end = asyncio.create_task(_close_after(process, stack.pop_all()))
    return _Child(process, tasks, answers, end)


async def _close_after(
    process: asyncio.subprocess.Process, files: contextlib.AsyncExitStack
) -> None:
    await process.wait()
    await files.aclose()
