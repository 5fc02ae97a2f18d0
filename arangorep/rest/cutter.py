"""`Cutter`: has large arrays of documents parsed and cut by a worker.

While that process starts, and where it is of no use, the server parses them itself.
"""

from __future__ import annotations

import logging
import os
from dataclasses import asdict

from arangorep.data.cut_worker import PROGRAM, cut_blocks
from arangorep.data.cutting import CutBlock
from arangorep.limits import (
    CUT_BYTES_MAX,
    CUT_FROM_BYTES,
    CUT_PATIENCE_S,
    CUT_ROWS_PER_BLOCK,
    CUT_WAITING_MAX,
    CUT_WORKER_STARTS_MAX,
)
from arangorep.values.key_generator import KeyOptions
from arangorep.workers.worker import Worker

log = logging.getLogger("arangorep.rest")


class Cutter:
    """Starts its worker when there is work for it. To be closed."""

    def __init__(self, cores: int | None = None) -> None:
        # on one core the worker would take the time that it saves
        self._starts_left = CUT_WORKER_STARTS_MAX if (cores or count_cores()) > 1 else 0
        self._worker: Worker | None = None

    async def cut(self, data: bytes, options: KeyOptions) -> list[CutBlock] | None:
        """Blocks of `CUT_ROWS_PER_BLOCK` documents; None when the caller is to parse them."""
        if not CUT_FROM_BYTES <= len(data) <= CUT_BYTES_MAX or data[:1] != b"[":
            return None
        worker = self._ready()
        if worker is None or worker.waiting >= CUT_WAITING_MAX:
            return None
        task = {"rows": CUT_ROWS_PER_BLOCK, "keys": asdict(options)}
        answer = await worker.run(task, [data])
        return cut_blocks(answer) if "blocks" in answer else None

    def _ready(self) -> Worker | None:
        """The worker, or None while there is none that could begin."""
        if self._worker is not None and self._worker.has_ended:
            log.warning("the worker that parses documents ended")
            self._worker = None
        if self._worker is None and self._starts_left > 0:
            self._starts_left -= 1
            self._worker = Worker(PROGRAM, CUT_PATIENCE_S)
        return self._worker if self._worker is not None and self._worker.is_ready else None

    async def close(self) -> None:
        """End the process."""
        self._starts_left = 0
        if self._worker is not None:
            await self._worker.close()


def count_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
