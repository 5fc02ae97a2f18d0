"""How a process treats memory that it has given back."""

from __future__ import annotations

import contextlib
import ctypes

from arangorep.limits import FREED_BYTES_KEPT

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt; other C libraries ignore or lack them."""


def keep_freed_memory() -> None:
    """Let the C library keep what was given back instead of asking the kernel again.

    Returning and faulting in the pages of every chunk costs a dump, and a worker's task, a tenth of
    its time.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, FREED_BYTES_KEPT // 2)
        mallopt(M_TRIM_THRESHOLD, FREED_BYTES_KEPT)
