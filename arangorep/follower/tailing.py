"""`TailingSyncer`: reads the leader's log without end and applies it.

One chunk is fetched ahead while one is applied; when nothing is new it polls more and more slowly.
Source: follower 6.
"""

from __future__ import annotations

import asyncio
import contextlib

from arangorep.clock import stopwatch_s
from arangorep.errors import (
    LeaderChanged,
    LeaderError,
    NoResponse,
    NoStartTick,
    StartTickNotPresent,
)
from arangorep.follower.applying import MarkerApplier
from arangorep.follower.backlog import Backlog
from arangorep.follower.config import ApplierConfig
from arangorep.follower.held_batch import HeldBatch
from arangorep.follower.leader import Leader, LeaderState, TailChunk
from arangorep.follower.lines import check_last_tick, split_lines
from arangorep.follower.progress import RUNNING, Progress, TickState
from arangorep.follower.site import Site
from arangorep.limits import BACKLOG_IDLE_CYCLES, IDLE_WAIT_S_MAX, IDLE_WAIT_S_MIN
from arangorep.pacing import drive, give_turn

FASTER_UNTIL = ((60, 10), (30, 6), (15, 2))
"""Idle cycles beyond which the wait is multiplied, with `adaptivePolling`."""

RETRY_WAIT_S_DEFAULT = 30.0


class TailingSyncer:
    """Follows one leader from a tick on, for one database or for all."""

    def __init__(
        self,
        site: Site,
        leader: Leader,
        config: ApplierConfig,
        progress: Progress,
        ticks: TickState,
        state_key: bytes,
        database_id: int,
        *,
        is_new_start: bool,
    ) -> None:
        """`database_id` 0 follows all databases; `is_new_start` with a tick that was given."""
        self._is_new_start = is_new_start
        self._site = site
        self._leader = leader
        self._config = config
        self._progress = progress
        self._ticks = ticks
        self._database_id = database_id
        self._names: dict[str, str] = {}
        self._applier = MarkerApplier(
            site.store,
            ticks,
            state_key,
            progress,
            database_id=database_id,
            excluded=self._excluded,
            learn_name=self._learn_name,
            ignore_errors=config.ignoreErrors,
            is_checked=site.is_checked,
            skips_views=bool(config.restrictCollections),
        )
        self._backlog = Backlog(site, self._applier, self._apply_text)
        self._failures = 0
        self._idle_cycles = 0
        self._from_tick = 0
        self._fetch_tick = 0
        self._last_scanned = 0

    async def run(self) -> None:
        """Tail until cancelled. Errors: 1400 to 1408, 1413, 1414, 1203, 1210, 1228, 600."""
        progress = self._progress
        progress.phase = RUNNING
        await self._connect()
        if not self._ticks.applied:
            raise NoStartTick
        if self._config.restrictCollections:
            await self._learn_names()
        if self._is_new_start:
            await self._ask_for_open_transactions()
        self._from_tick = self._fetch_tick = self._last_scanned = self._ticks.applied
        progress.tell("tailing the leader's log")
        ahead: asyncio.Task[TailChunk] | None = None
        try:
            while True:
                try:
                    if self._failures:
                        await self._check_identity()  # perhaps another server has the address now
                    chunk = await (ahead or self._fetch())
                    ahead = None
                    worked = self._advance(chunk)
                    if chunk.check_more and worked:
                        ahead = asyncio.create_task(self._fetch())
                    worked = await self._apply(chunk) or worked
                except (NoResponse, LeaderError) as error:
                    await _dropped(ahead)
                    ahead = None
                    await self._failed(error)
                    continue
                self._failures = progress.failed_connects = 0
                if worked:
                    self._idle_cycles = 0
                else:
                    await self._idle()
        finally:
            await _dropped(ahead)
            await self._backlog.close()

    async def _connect(self) -> None:
        """Errors: 500/1404 when the leader is another one than before; those of `fetch_state`."""
        self._progress.tell("fetching the leader's state")
        while True:
            try:
                state = await self._leader.fetch_state()
                break
            except NoResponse as error:
                await self._failed(error)
        self._failures = self._progress.failed_connects = 0
        self._check_server(state)
        self._ticks.server_id = state.server_id
        self._progress.available = state.last_tick

    async def _check_identity(self) -> None:
        self._check_server(await self._leader.fetch_state())

    def _check_server(self, state: LeaderState) -> None:
        if self._ticks.server_id not in (0, state.server_id):
            raise LeaderChanged(
                f"leader change: followed {self._ticks.server_id} so far, "
                f"the leader is now {state.server_id}"
            )

    async def _ask_for_open_transactions(self) -> None:
        """As real followers do. RocksDB leaders never have any to tell: only errors count."""
        while True:
            try:
                await self._leader.open_transactions(
                    0, self._ticks.applied, is_global=not self._database_id
                )
                break
            except (NoResponse, LeaderError) as error:
                await self._failed(error)
        self._failures = self._progress.failed_connects = 0

    async def _failed(self, error: NoResponse | LeaderError) -> None:
        """Wait before the next try. Errors: the same error, after too many in a row."""
        self._failures += 1
        self._progress.failed_connects = self._failures
        if self._failures > self._config.maxConnectRetries:
            raise error
        self._progress.tell(f"{error.message}; trying again")
        # what was fetched but not applied is asked for again
        await self._backlog.drop()
        self._applier.forget_transactions()
        self._fetch_tick = self._last_scanned = self._ticks.applied
        wait_s = self._config.connectionRetryWaitTime or RETRY_WAIT_S_DEFAULT
        await self._site.sleep(max(wait_s, IDLE_WAIT_S_MIN))

    # -- fetching --------------------------------------------------------------------------------

    async def _fetch(self) -> TailChunk:
        started_s = stopwatch_s()
        chunk = await self._leader.tail(
            self._fetch_tick,
            self._last_scanned,
            self._config.chunk_bytes(),
            first_regular=self._from_tick,
            include_system=self._config.includeSystem,
            include_foxx_queues=self._config.includeFoxxQueues,
            is_global=not self._database_id,
        )
        self._progress.fetch_time_s += stopwatch_s() - started_s
        self._progress.fetches += 1
        return chunk

    def _advance(self, chunk: TailChunk) -> bool:
        """Move the position behind a chunk; returns whether it moved. Errors: 500/1414."""
        if not chunk.from_present and self._fetch_tick > 0:
            self._not_present(chunk)
        before = self._fetch_tick
        if not chunk.last_included and chunk.last_scanned > self._fetch_tick:
            self._fetch_tick = max(self._fetch_tick, chunk.last_scanned - 1)
        if chunk.last_included > self._fetch_tick:
            self._fetch_tick = chunk.last_included
        self._last_scanned = max(chunk.last_scanned, self._fetch_tick)
        self._progress.available = chunk.last_tick
        return self._fetch_tick > before and chunk.last_included > 0

    def _not_present(self, chunk: TailChunk) -> None:
        self._applier.forget_transactions()
        if self._config.requireFromPresent:
            raise StartTickNotPresent(
                f"start tick not present: the leader's log does not reach back to "
                f"{self._fetch_tick} any more (its last tick is {chunk.last_tick})"
            )
        self._progress.tell(
            f"the leader has lost log behind {self._fetch_tick}: data may be missing"
        )

    # -- applying --------------------------------------------------------------------------------

    async def _apply(self, chunk: TailChunk) -> bool:
        """Apply a chunk; returns whether it held markers for us."""
        before = self._progress.events
        started_s = stopwatch_s()
        if self._backlog.takes(chunk):
            await self._backlog.add(chunk)
            self._count_apply(started_s)
            return True
        await self._backlog.drain()
        groups = await drive(split_lines(chunk.body))
        if chunk.last_included or groups:
            check_last_tick(groups[-1] if groups else [], chunk.last_included)
        await self._apply_groups(groups, chunk.asked_from)
        scanned = chunk.last_included or chunk.last_scanned
        if not chunk.check_more:
            scanned = max(scanned, chunk.last_scanned)
        async with self._site.write_lock:
            self._applier.catch_up(min(scanned, chunk.last_tick))
            self._applier.store_ticks()
        self._count_apply(started_s)
        return self._progress.events > before

    def _count_apply(self, started_s: float) -> None:
        self._progress.apply_time_s += stopwatch_s() - started_s
        self._progress.applies += 1

    async def _apply_text(self, text: bytes, after: int) -> None:
        await self._apply_groups(await drive(split_lines(text)), after)

    async def _apply_groups(self, groups: list[list[bytes]], after: int) -> None:
        for lines in groups:
            async with self._site.write_lock:
                await drive(self._applier.apply(lines, after))
            await give_turn()

    # -- waiting ---------------------------------------------------------------------------------

    async def _idle(self) -> None:
        self._idle_cycles += 1
        if self._idle_cycles == BACKLOG_IDLE_CYCLES:
            await self._backlog.rest()
        await self._site.sleep(idle_wait_s(self._config, self._idle_cycles))

    # -- restriction -----------------------------------------------------------------------------

    async def _learn_names(self) -> None:
        """Names of the leader's collections by globallyUniqueId: markers do not carry them."""
        held = await HeldBatch.open(self._leader, self._site.sleep, with_state=False)
        try:
            inventory = await self._leader.inventory(
                held.handle,
                include_system=self._config.includeSystem,
                include_foxx_queues=self._config.includeFoxxQueues,
                is_global=not self._database_id,
            )
        finally:
            await asyncio.shield(held.close())
        parts = inventory["databases"].values() if not self._database_id else [inventory]
        for part in parts:
            for entry in part.get("collections", []):
                parameters = entry.get("parameters", {})
                self._names[str(parameters.get("globallyUniqueId"))] = str(parameters.get("name"))

    def _learn_name(self, guid: object, name: object) -> None:
        if self._config.restrictCollections and isinstance(guid, str) and isinstance(name, str):
            self._names[guid] = name

    def _excluded(self, guid: str) -> bool:
        name = self._names.get(guid)
        return name is not None and not self._config.replicates(name)


def idle_wait_s(config: ApplierConfig, idle_cycles: int) -> float:
    """How long to wait after so many answers in a row without anything new."""
    wait_s = max(config.idleMinWaitTime, IDLE_WAIT_S_MIN)
    if config.adaptivePolling:
        factor = next((factor for cycles, factor in FASTER_UNTIL if idle_cycles > cycles), 1)
        wait_s = min(wait_s * factor, max(config.idleMaxWaitTime, config.idleMinWaitTime))
    return min(wait_s, IDLE_WAIT_S_MAX)


async def _dropped(ahead: asyncio.Task[TailChunk] | None) -> None:
    if ahead is not None:
        ahead.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await ahead
