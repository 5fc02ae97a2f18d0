"""What a worker's program is: tasks in, answers out, until the input ends.

Tasks on standard input and answers on standard output, both as a length (4 bytes, big-endian) and
MessagePack; behind a task come the `size` bytes it is about. Such a program imports little and
opens no store.
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

LENGTH = Struct(">I")
ROOT = Path(__file__).parents[2]
"""Where the package lies, if it is not installed."""

Answer = dict[str, Any]


def command_of(program: str) -> list[str]:
    """What starts a program, given as the name of a module.

    Modules are not looked for in the directory that the server happens to be started in.
    """
    # nothing there calculates with matrices: numpy need not start threads for that
    start = "import os, runpy, sys; os.putenv('OPENBLAS_NUM_THREADS', '1')"
    path = f"sys.path.append({str(ROOT)!r})"
    run = f"runpy.run_module({program!r}, {{}}, '__main__')"
    return [sys.executable, "-P", "-c", f"{start}; {path}; {run}"]


def answer_tasks(work: Callable[[Answer, bytes], Answer]) -> None:
    """Answer until the input ends. A task without bytes is answered with nothing: it was a test."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is meant for the server, which ends this too
    keep_freed_memory()
    gc.disable()  # a task makes no cycles, only very many objects
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(LENGTH.size)) == LENGTH.size:
        task = msgpack.unpack(source.read(LENGTH.unpack(head)[0]))
        body = source.read(task["size"])
        try:
            answer = work(task, body) if body else {}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        packed = msgpack.pack(answer)
        sink.write(LENGTH.pack(len(packed)) + packed)
        sink.flush()
