"""Documents on their way to a server: pieces in parallel and out of order, in bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import click

from arangorep.backup.problems import DumpCorrupt

PIECES_PER_THREAD = 2
"""Pieces that wait for a thread or are being sent."""

T = TypeVar("T")
Problem = click.ClickException | DumpCorrupt


class _Transfer(Generic[T]):
    """One collection on its way: over when the last of its pieces is."""

    def __init__(self, target: T) -> None:
        self.target = target
        self.pending = 1  # whoever reads the pieces counts as one
        self.problem: Problem | None = None


class PieceSender(Generic[T]):
    """Sends the pieces of many targets through a pool.

    `send` is called in the pool's threads for each piece. `over` is called once for each target,
    in any thread, when all of its pieces are through or one has failed; it tells whether to go on.
    """

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        threads: int,
        send: Callable[[T, bytes], None],
        over: Callable[[T, Problem | None], bool],
    ) -> None:
        self._pool = pool
        self._send = send
        self._over = over
        self._room = threading.Semaphore(threads * PIECES_PER_THREAD)
        self._lock = threading.Lock()
        self._goes_on = True

    def feed(self, target: T, pieces: Iterable[bytes], *, in_order: bool) -> bool:
        """Hand out the pieces of one target; returns whether others may follow."""
        transfer = _Transfer(target)
        try:
            for piece in pieces:
                self._room.acquire()
                if not self._goes_on or transfer.problem is not None:
                    self._room.release()
                    break
                with self._lock:
                    transfer.pending += 1
                job = self._pool.submit(self._one, transfer, piece)
                if in_order:
                    job.result()
        except DumpCorrupt as problem:
            transfer.problem = transfer.problem or problem
        self._release(transfer)
        return self._goes_on

    def _one(self, transfer: _Transfer[T], piece: bytes) -> None:
        try:
            if self._goes_on and transfer.problem is None:
                self._send(transfer.target, piece)
        except click.ClickException as problem:
            transfer.problem = transfer.problem or problem
        finally:
            self._room.release()
            self._release(transfer)

    def _release(self, transfer: _Transfer[T]) -> None:
        with self._lock:
            transfer.pending -= 1
            is_over = not transfer.pending
        # what was cut short by another target's failure is neither done nor to blame
        if is_over and self._goes_on and not self._over(transfer.target, transfer.problem):
            self._goes_on = False
