"""`Worker`: a process with one task at a time, for asynchronous code."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from arangorep.codec import msgpack
from arangorep.limits import LOAD_BYTES, WORKER_PATIENCE_S
from arangorep.workers.program import LENGTH, command_of

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
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[dict[str, Any]]] = set()
        self.waiting = 0
        """Tasks that have not ended."""

    @property
    def is_ready(self) -> bool:
        """Whether a task would be begun at once, or after those that wait."""
        return self._process is not None

    @property
    def has_ended(self) -> bool:
        """Whether it never started, or is gone: no task will be done."""
        if self._process is None:
            return self._starting.done()
        return self._process.returncode is not None

    async def _start(self) -> None:
        """Nothing is raised: one that does not start `has_ended`."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            process = await asyncio.shield(self._spawning)
            await _exchange(process, {}, [])
            self._process = process

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
                if self._process is None:
                    return {"error": "the worker does not start"}
                async with asyncio.timeout(self._patience_s):
                    return await _exchange(self._process, task, body)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self._kill()
            return {"error": f"the worker ended: {error!r}"}
        finally:
            self.waiting -= 1

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        """End the process, and wait until it is gone."""
        with contextlib.suppress(OSError):
            process = await self._spawning
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await asyncio.gather(self._starting, *self._running, return_exceptions=True)


async def _spawn(program: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command_of(program),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LOAD_BYTES,
    )


async def _exchange(
    process: asyncio.subprocess.Process, task: dict[str, Any], body: Body
) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    packed = msgpack.pack({**task, "size": sum(map(len, body))})
    process.stdin.write(LENGTH.pack(len(packed)) + packed)
    for piece in body:
        process.stdin.write(piece)
        await process.stdin.drain()
    size = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))[0]
    answer: dict[str, Any] = msgpack.unpack(await process.stdout.readexactly(size))
    return answer
