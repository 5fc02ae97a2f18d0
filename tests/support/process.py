"""A server in a process of its own, to be killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 60


class ServerProcess:
    """`python -m arangorep serve` on a free port. `url` is known once it is started."""

    def __init__(self, path: Path, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "arangorep", "serve", str(path), "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self._wait_for_url()

    def _wait_for_url(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = re.search(r"listening on (http://\S+)", line)
            if found:
                return found[1]
        assert self._process.stderr is not None
        raise AssertionError(f"the server did not start: {self._process.stderr.read()}")

    def kill(self) -> None:
        """`kill -9`: nothing of the process runs any more."""
        self._process.kill()
        self._process.communicate(timeout=TIMEOUT_S)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> tuple[int, str]:
        """Exit status and standard error of a process that ends by itself."""
        _, errors = self._process.communicate(timeout=TIMEOUT_S)
        return self._process.returncode, errors


def check(path: Path) -> subprocess.CompletedProcess[str]:
    """`arangorep check` of a data directory."""
    return subprocess.run(
        [sys.executable, "-m", "arangorep", "check", str(path)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
