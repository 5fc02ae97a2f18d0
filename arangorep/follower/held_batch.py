"""`HeldBatch`: a batch on the leader that is kept alive by a timer, whatever the work takes.

A real follower prolongs its batch between two steps, so one heavy collection can outlive it; here a
task renews it at a third of its TTL. Source: follower 2.3 and 2.8.
"""

from __future__ import annotations

import asyncio
import contextlib

from arangorep.errors import ArangoError, CursorNotFound
from arangorep.follower.leader import BatchHandle, Leader, Sleep
from arangorep.limits import LEADER_BATCH_TTL_S

RENEWALS_PER_TTL = 3


class HeldBatch:
    """Create with `open`, end with `close`."""

    def __init__(self, leader: Leader, handle: BatchHandle, sleep: Sleep) -> None:
        self.handle = handle
        self._leader = leader
        self._sleep = sleep
        self._timer = asyncio.get_running_loop().create_task(self._renew())

    @classmethod
    async def open(cls, leader: Leader, sleep: Sleep, *, with_state: bool) -> HeldBatch:
        """Take a snapshot on the leader. Errors: those of `Leader.create_batch`."""
        handle = await leader.create_batch(LEADER_BATCH_TTL_S, with_state=with_state)
        return cls(leader, handle, sleep)

    async def close(self) -> None:
        """Release the snapshot; a leader that does not answer will do so by itself."""
        await self._stop_timer()
        with contextlib.suppress(ArangoError):
            await self._leader.delete_batch(self.handle)

    async def abandon(self) -> None:
        """Stop renewing a batch that is lost."""
        await self._stop_timer()

    async def _stop_timer(self) -> None:
        self._timer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._timer

    async def _renew(self) -> None:
        while True:
            await self._sleep(LEADER_BATCH_TTL_S / RENEWALS_PER_TTL)
            try:
                await self._leader.extend_batch(self.handle, LEADER_BATCH_TTL_S)
            except CursorNotFound:
                return  # whoever uses the batch will notice
            except ArangoError:
                continue  # the next third of the TTL may go better
