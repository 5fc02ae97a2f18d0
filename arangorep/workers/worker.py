"""`Worker`: a process with one task at a time, for asynchronous code."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any

from arangorep.codec import msgpack
from arangorep.limits import LOAD_BYTES
from arangorep.workers.program import LENGTH


class Workers:
    """Some processes that run the same program."""

    def __init__(self, program: str, count: int) -> None:
        self._workers = [Worker(program) for _ in range(count)]

    async def run(self, task: dict[str, Any], body: list[bytes]) -> dict[str, Any]:
        """One task, by the worker with the fewest waiting."""
        return await min(self._workers, key=lambda worker: worker.waiting).run(task, body)

    async def close(self) -> None:
        """End all processes."""
        await asyncio.gather(*(worker.close() for worker in self._workers))


class Worker:
    """The process, started at once and ready a little later. `program` is a module's name."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._starting = asyncio.create_task(self._start())
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._running: set[asyncio.Task[dict[str, Any]]] = set()
        self.waiting = 0

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
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LOAD_BYTES,
        )
        try:
            await _exchange(process, {}, [])
        except BaseException:
            process.kill()
            raise
        self._process = process

    async def run(self, task: dict[str, Any], body: list[bytes]) -> dict[str, Any]:
        """One task. The answer is empty, or has `error`, when the worker could not do it.

        A cancel does not reach the task that has begun: its answer would be taken for the next's.
        """
        running = asyncio.create_task(self._run(task, body))
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        return await asyncio.shield(running)

    async def _run(self, task: dict[str, Any], body: list[bytes]) -> dict[str, Any]:
        self.waiting += 1
        async with self._turn:
            try:
                await asyncio.shield(self._starting)
                assert self._process is not None
                return await _exchange(self._process, task, body)
            except (OSError, asyncio.IncompleteReadError) as error:
                return {"error": f"the worker ended: {error}"}
            finally:
                self.waiting -= 1

    async def close(self) -> None:
        """End the process."""
        self._starting.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._starting
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await asyncio.gather(*self._running, return_exceptions=True)


async def _exchange(
    process: asyncio.subprocess.Process, task: dict[str, Any], body: list[bytes]
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
