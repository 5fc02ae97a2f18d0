"""Workers: processes that begin, do tasks in turn, and end without a trace."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.wait import wait_in_loop

from arangorep.codec import msgpack
from arangorep.data.cut_worker import PROGRAM
from arangorep.workers.program import HEAD, LENGTH, command_of
from arangorep.workers.shared_file import SharedFile
from arangorep.workers.worker import Worker, Workers

TASK = {"rows": 10, "keys": {}}
BODY = [b'[{"_key":"a"},', b'{"_key":"b"}]']
ANSWER = {"blocks": [[b"a\nb", b"\n", 0]]}


async def test_tasks_are_done_in_turn() -> None:
    worker = Worker(PROGRAM)
    found = await asyncio.gather(*(worker.run(TASK, BODY) for _ in range(5)))
    assert found == [ANSWER] * 5
    assert (worker.waiting, worker.is_ready, worker.has_ended) == (0, True, False)
    await worker.close()
    assert worker.has_ended


async def test_the_one_with_the_fewest_waiting_takes_the_next() -> None:
    workers = Workers(PROGRAM, 2)
    tasks = [asyncio.create_task(workers.run(TASK, BODY)) for _ in range(4)]
    await wait_in_loop(lambda: sum(w.waiting for w in workers._workers) == 4 or None)
    assert [worker.waiting for worker in workers._workers] == [2, 2]
    assert [await task for task in tasks] == [ANSWER] * 4
    await workers.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 5, 50])
async def test_closed_while_it_starts(turns: int) -> None:
    worker = Worker(PROGRAM)
    for _ in range(turns):
        await asyncio.sleep(0)
    task = asyncio.create_task(worker.run(TASK, BODY))
    await asyncio.sleep(0)
    await worker.close()
    assert (await task).keys() <= {"blocks", "error"}
    assert (await worker._spawning).process.returncode is not None


async def test_a_cancelled_wait_leaves_the_order_alone() -> None:
    worker = Worker(PROGRAM)
    first = asyncio.create_task(worker.run(TASK, [b'[{"_key":"first"}]']))
    await wait_in_loop(lambda: worker.is_ready or None)
    first.cancel()
    assert await worker.run(TASK, BODY) == ANSWER
    await worker.close()


async def test_a_program_that_is_none() -> None:
    worker = Worker("arangorep.no_such_program")
    assert "error" in await worker.run(TASK, BODY)
    assert (worker.is_ready, worker.has_ended) == (False, True)
    await worker.close()


async def test_a_task_that_takes_too_long() -> None:
    worker = Worker(PROGRAM, patience_s=0.2)
    await wait_in_loop(lambda: worker.is_ready or None)
    assert worker._child is not None
    os.kill(worker._child.process.pid, signal.SIGSTOP)
    assert "error" in await worker.run(TASK, BODY)
    await wait_in_loop(lambda: worker.has_ended or None)
    await worker.close()


async def test_an_answer_that_is_shorter_than_told(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker(PROGRAM)
    await wait_in_loop(lambda: worker.is_ready or None)
    assert worker._child is not None
    read = worker._child.answers.read
    monkeypatch.setattr(SharedFile, "read", lambda _, size: read(size + 1_000_000))
    assert "less was written" in (await worker.run(TASK, BODY))["error"]
    await wait_in_loop(lambda: worker.has_ended or None)
    await worker.close()


async def test_its_files_are_closed_when_it_has_ended() -> None:
    worker = Worker(PROGRAM)
    await wait_in_loop(lambda: worker.is_ready or None)
    child = worker._child
    assert child is not None
    os.kill(child.process.pid, signal.SIGKILL)
    await child.end
    assert (child.tasks.descriptor, child.answers.descriptor) == (-1, -1)
    assert "error" in await worker.run(TASK, BODY)
    await worker.close()


async def test_an_interrupt_is_meant_for_the_server() -> None:
    worker = Worker(PROGRAM)
    await wait_in_loop(lambda: worker.is_ready or None)
    assert worker._child is not None
    os.kill(worker._child.process.pid, signal.SIGINT)
    assert await worker.run(TASK, BODY) == ANSWER
    await worker.close()


def test_modules_of_the_directory_are_not_taken(tmp_path: Path) -> None:
    """A server may be started where anybody may write."""
    for name in ("orjson", "msgpack", "runpy", "arangorep"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    packed = msgpack.pack({})
    tasks, answers = SharedFile.create(), SharedFile.create()
    tasks.write([packed])
    done = subprocess.run(
        command_of(PROGRAM, tasks, answers),
        input=HEAD.pack(len(packed), 0),
        pass_fds=[tasks.descriptor, answers.descriptor],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    answer = msgpack.pack({})
    assert (done.stdout, done.stderr) == (LENGTH.pack(len(answer)), b"")
    assert answers.read(len(answer)) == [answer]
    tasks.close()
    answers.close()
