"""Figures of this process and its machine, from the operating system.

What a system does not tell is None: the files of `/proc` are Linux's.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc/self")


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """Times in seconds, sizes in bytes."""

    user_time_s: float
    system_time_s: float
    minor_page_faults: int | None = None
    major_page_faults: int | None = None
    threads: int | None = None
    virtual_bytes: int | None = None
    resident_bytes: int | None = None
    open_files: int | None = None


def read_process() -> ProcessFigures:
    """The figures of this process now."""
    times = os.times()
    try:
        # the second field is the program's name in parentheses: it may hold anything
        fields = (PROC / "stat").read_text(errors="replace").rpartition(")")[2].split()
        open_files = len(os.listdir(PROC / "fd"))
    except OSError:
        return ProcessFigures(times.user, times.system)
    return ProcessFigures(
        times.user,
        times.system,
        minor_page_faults=int(fields[7]),
        major_page_faults=int(fields[9]),
        threads=int(fields[17]),
        virtual_bytes=int(fields[20]),
        resident_bytes=int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        open_files=open_files,
    )


def physical_memory() -> int | None:
    """Bytes of the machine's memory."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def disk_space(directory: Path) -> tuple[int, int] | None:
    """Free and total bytes of the file system that holds the directory."""
    try:
        usage = shutil.disk_usage(directory)
    except OSError:
        return None
    return usage.free, usage.total
