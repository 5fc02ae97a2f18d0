"""`SharedFile`: bytes that a server and a worker hand each other without a stream between them.

A stream of that many bytes wakes both sides some hundred times; a copy into memory that both have
opened and one out of it takes a third of the time.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence

from arangorep.limits import SHARED_BYTES_KEPT


class SharedFile:
    """A file without a name, in memory where the system has such files.

    One side writes, tells the other how much, and waits for an answer before it writes again.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        """Of the open file; a worker inherits it."""

    @classmethod
    def create(cls) -> SharedFile:
        """A new one. Errors: `OSError`."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("arangorep"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Write from the start. Errors: `OSError`."""
        at = 0
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                written = os.pwrite(self.descriptor, rest, at)
                at, rest = at + written, rest[written:]

    def read(self, *sizes_bytes: int) -> list[bytes]:
        """Read what was written, in parts of these sizes. Errors: `OSError`, also for less."""
        found, at = [], 0
        for size in sizes_bytes:
            part = os.pread(self.descriptor, size, at)
            if len(part) < size:
                raise OSError("less was written than was told")
            found.append(part)
            at += size
        if at > SHARED_BYTES_KEPT:
            os.ftruncate(self.descriptor, 0)
        return found

    def close(self) -> None:
        """Close this side's descriptor: what is done afterwards is an `OSError`."""
        descriptor, self.descriptor = self.descriptor, -1
        os.close(descriptor)
