"""What a worker's program is: tasks in, answers out, until the input ends.

Tasks on standard input and answers on standard output, both as a length (4 bytes, big-endian) and
MessagePack; behind a task come the `size` bytes it is about. Such a program imports little and
opens no store.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from struct import Struct
from typing import Any

from arangorep.codec import msgpack

LENGTH = Struct(">I")

Answer = dict[str, Any]


def answer_tasks(work: Callable[[Answer, bytes], Answer]) -> None:
    """Answer until the input ends. A task without bytes is answered with nothing: it was a test."""
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
