"""What a worker's program is: tasks in, answers out, until the input ends.

Two shared files hold a task and its answer, both MessagePack, the task followed by the bytes it is
about. Lengths (`HEAD`, `LENGTH`) on standard input and output tell that something is there. Such a
program imports little and opens no store.
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import Any

from arangorep.codec import msgpack
from arangorep.workers.memory import keep_freed_memory
from arangorep.workers.shared_file import SharedFile

HEAD = Struct(">II")
"""Bytes of a task, and of what it is about."""

LENGTH = Struct(">I")
"""Bytes of an answer."""

ROOT = Path(__file__).parents[2]
"""Where the package lies, if it is not installed."""

Answer = dict[str, Any]


def command_of(program: str, tasks: SharedFile, answers: SharedFile) -> list[str]:
    """What starts a program, given as the name of a module. It inherits the two files.

    Modules are not looked for in the directory that the server happens to be started in.
    """
    # nothing there calculates with matrices: numpy need not start threads for that
    start = "import os, runpy, sys; os.putenv('OPENBLAS_NUM_THREADS', '1')"
    path = f"sys.path.append({str(ROOT)!r})"
    run = f"runpy.run_module({program!r}, {{}}, '__main__')"
    files = [str(file.descriptor) for file in (tasks, answers)]
    return [sys.executable, "-P", "-c", f"{start}; {path}; {run}", *files]


def answer_tasks(work: Callable[[Answer, bytes], Answer]) -> None:
    """Answer until the input ends. A task without bytes is answered with nothing: it was a test."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is meant for the server, which ends this too
    keep_freed_memory()
    gc.disable()  # a task makes no cycles, only very many objects
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    tasks, answers = (SharedFile(int(descriptor)) for descriptor in sys.argv[-2:])
    while len(head := source.read(HEAD.size)) == HEAD.size:
        task_bytes, body_bytes = HEAD.unpack(head)
        task, body = tasks.read(task_bytes, body_bytes)
        try:
            answer = work(msgpack.unpack(task), body) if body else {}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        packed = msgpack.pack(answer)
        answers.write([packed])
        sink.write(LENGTH.pack(len(packed)))
        sink.flush()
