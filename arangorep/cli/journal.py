"""What an interrupted command had done: a header, then a line for each step, in one file.

Lines are appended and not synced: what a power loss takes away is done again, and what a line
says about a file is checked before it is believed.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO, Any

import click

from arangorep.backup.files import FILE_MODE
from arangorep.codec.json import dumps, loads
from arangorep.errors import ArangoError

Members = dict[str, Any]


class Journal:
    """Locked while it is open, so that no two commands work on one directory.

    Errors: `OSError`; `ClickException` while another command has it.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, FILE_MODE)
        self._file: IO[bytes] = os.fdopen(descriptor, "r+b", buffering=0)
        self._path = path
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise click.ClickException(f"another command works on {path.parent}") from None

    def read(self) -> tuple[Members | None, list[Members]]:
        """Header and records of an interrupted command; no header when there is none."""
        self._file.seek(0)
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]  # the last line may have been cut off
        try:
            found = [loads(line) for line in whole.splitlines()]
        except ArangoError:
            return None, []
        if not found or not all(isinstance(record, dict) for record in found):
            return None, []
        self._file.truncate(len(whole))
        return found[0], found[1:]

    def begin(self, header: Members) -> None:
        """Start anew."""
        self._file.truncate(0)
        self.append(header)
        os.fsync(self._file.fileno())

    def append(self, record: Members) -> None:
        """Add a line. Callers take turns."""
        self._file.seek(0, os.SEEK_END)
        self._file.write(dumps(record) + b"\n")

    def remove(self) -> None:
        """Delete it: everything is done."""
        self._path.unlink(missing_ok=True)
        self._file.close()

    def close(self) -> None:
        """Leave it for who resumes, unless there is nothing in it."""
        if self._file.closed:
            return
        if not os.fstat(self._file.fileno()).st_size:
            self._path.unlink(missing_ok=True)
        self._file.close()
