"""A server in a process of its own, to be killed."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

TIMEOUT_S = 60


class ServerProcess:
    """`python -m arangorep serve` on a free port. `url` is known once it is started."""

    _running: ClassVar[list[ServerProcess]] = []

    @classmethod
    def kill_all(cls) -> None:
        """Leave none behind, also when a test failed half way."""
        while cls._running:
            cls._running.pop().kill()

    def __init__(self, path: Path, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "arangorep", "serve", str(path), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(self)
        self.url = self.wait_for(r"listening on (http://\S+)")[1]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read what the server prints up to a line that matches."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.search(pattern, line)
            if found:
                return found
        assert self._process.stderr is not None
        raise AssertionError(f"it never said '{pattern}': {self._process.stderr.read()}")

    def commands_of_children(self) -> bytes:
        """The command lines of the processes that the server has started."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        found = b""
        for child in children:
            with contextlib.suppress(OSError):  # it has just ended
                found += Path(f"/proc/{child}/cmdline").read_bytes()
        return found

    def kill(self) -> None:
        """`kill -9`: nothing of the process runs any more."""
        self._process.kill()
        self._finish()

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> tuple[int, str]:
        """Exit status and standard error of a process that ends by itself."""
        errors = self._finish()
        return self._process.returncode, errors

    def _finish(self) -> str:
        """Wait for the end of the process; returns its standard error."""
        if self._process.stdout is None or self._process.stdout.closed:
            return ""
        _, errors = self._process.communicate(timeout=TIMEOUT_S)
        if self in self._running:
            self._running.remove(self)
        return errors


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """`arangorep check` of a data directory."""
    return subprocess.run(
        [sys.executable, "-m", "arangorep", "check", str(path)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
