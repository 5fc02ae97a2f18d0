"""`Sorters`: processes that turn lines of an import into sorted files, for code that blocks.

The same program as a follower's (`follower.load_worker`). Each has one task at a time; what comes
in small pieces is done here, because a process takes longer to start.
"""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from arangorep.codec import msgpack
from arangorep.errors import ArangoError
from arangorep.follower.load_worker import prepare
from arangorep.follower.loading import PROGRAM
from arangorep.limits import IMPORT_SORTERS, IMPORT_SORTERS_FROM_BYTES
from arangorep.workers.program import HEAD, LENGTH, command_of
from arangorep.workers.shared_file import SharedFile

Answer = dict[str, Any]


class Sorters:
    """Some processes, started when there is work for them. A context manager."""

    def __init__(self) -> None:
        self._processes: list[_Sorter] = []
        self._next = 0

    def __enter__(self) -> Sorters:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.kill()

    def submit(self, task: dict[str, Any], lines: bytes) -> Callable[[], Answer]:
        """Begin a task of `load_worker.prepare`; what is returned waits for its answer.

        Answers are to be taken in the order of the tasks. Errors of both: `OSError` when a process
        ended.
        """
        if len(lines) < IMPORT_SORTERS_FROM_BYTES:
            return lambda: _prepared(task, lines)
        if not self._processes:
            self._processes = [_Sorter() for _ in range(IMPORT_SORTERS)]
        self._next = (self._next + 1) % len(self._processes)
        sorter = self._processes[self._next]
        sorter.send(task, lines)
        return sorter.receive


def _prepared(task: dict[str, Any], lines: bytes) -> Answer:
    try:
        return prepare(task, lines)
    except ArangoError:
        return {}


class _Sorter:
    def __init__(self) -> None:
        with ExitStack() as stack:
            self._tasks = SharedFile.create()
            stack.callback(self._tasks.close)
            self._said = SharedFile.create()
            stack.callback(self._said.close)
            self._process = subprocess.Popen(
                command_of(PROGRAM, self._tasks, self._said),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[self._tasks.descriptor, self._said.descriptor],
            )
            self._closing = stack.pop_all()
        self._unread = 0
        self._answers: deque[Answer] = deque()

    def send(self, task: dict[str, Any], lines: bytes) -> None:
        assert self._process.stdin is not None
        while self._unread:
            # it takes nothing more before its answer is read
            self._answers.append(self._read())
        packed = msgpack.pack(task)
        self._tasks.write([packed, lines])
        self._process.stdin.write(HEAD.pack(len(packed), len(lines)))
        self._process.stdin.flush()
        self._unread += 1

    def receive(self) -> Answer:
        return self._answers.popleft() if self._answers else self._read()

    def _read(self) -> Answer:
        assert self._process.stdout is not None
        head = self._process.stdout.read(LENGTH.size)
        if len(head) < LENGTH.size:
            raise OSError("a process that sorts documents ended")
        answer: Answer = msgpack.unpack(*self._said.read(*LENGTH.unpack(head)))
        self._unread -= 1
        return answer

    def kill(self) -> None:
        with self._closing:
            self._process.kill()
            self._process.communicate()
