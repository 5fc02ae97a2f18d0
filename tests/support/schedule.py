"""`Schedule`: a seeded course of writes, replication commands and faults, and its end in equality.

After the last step all faults stop. Then the follower must come to hold what the leader holds, by
itself or, where the protocol lets an applier stop with an error, after being told to start anew.
"""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from support.random_writes import NAMES, random_write
from support.same_content import Diverged, compare
from support.simulation import Machine, World, tuned
from support.stores import finish

from arangorep.follower.applier import Applier
from arangorep.leader.clients import ReplicationClients
from arangorep.leader.retention import Retention, prune_log
from arangorep.rest.answer import Answer
from arangorep.storage.catalog import Collection, Database
from arangorep.storage.integrity import findings

PATIENCE_S = 40_000.0
"""Virtual time in which an applier without faults has caught up, or has stopped."""


NO_RESPONSE, LEADER_ERROR, NO_START_TICK, NOT_PRESENT = 1400, 1402, 1413, 1414
NOT_FOUND, BATCH_GONE = 1203, 1600

State = dict[str, dict[str, tuple[Any, ...]]]


class _Errors(logging.Handler):
    """Keeps what the package logs with a traceback: nobody foresaw that."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[1] is not None:
            lines = "".join(traceback.format_exception(record.exc_info[1]))
            self.found.append(f"{record.getMessage()}\n{lines}")


class Schedule(World):
    """One seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        chance = self.chance
        self.is_global = chance.random() < 0.4
        self.database = "_system" if self.is_global else chance.choice(("_system", "d1"))
        self.auto_resync = chance.random() < 0.5
        self.includes_system = chance.random() < 0.7
        self.has_local_writes = chance.random() < 0.15
        self.is_tainted = False
        """Whether the follower was written to behind the applier's back, by users or `sync`."""
        self.is_pruned = self.has_expired = self.is_syncing = False
        self.inventories = 0
        self.floor = 0
        """The leader's last tick when the follower last asked for anything but the log."""
        self.history: dict[int, State] = {}
        self.jobs: list[asyncio.Task[Any]] = []
        self.errors_seen: list[str] = []
        self.in_interlude = False
        self.interludes_left = 40
        self.checked_states = 0

    # -- the course ------------------------------------------------------------------------

    def run(self) -> None:
        """Errors: anything is a failure."""
        errors = _Errors()
        logger = logging.getLogger("arangorep")
        kept = logger.propagate, logger.level
        logger.addHandler(errors)
        logger.propagate = False
        asyncio.set_event_loop(self.loop)
        try:
            with tuned(self):
                try:
                    self.loop.run_until_complete(self._play())
                finally:
                    self.end()
            unforeseen = errors.found + self.complaints
            if unforeseen:
                raise AssertionError("unforeseen: " + "\n".join(unforeseen))
        finally:
            asyncio.set_event_loop(None)
            logger.removeHandler(errors)
            logger.propagate, logger.level = kept

    async def _play(self) -> None:
        chance = self.chance
        self.tell(f"global={self.is_global} database={self.database}")
        self.leader.boot()
        self.follower.boot()
        if self.database != "_system":
            for machine in (self.leader, self.follower):
                await machine.ask("POST", "/_api/database", {"name": self.database})
        for name in NAMES[: chance.randint(0, len(NAMES))]:
            target = f"/_db/{self.database}/_api/collection"
            await self.leader.ask("POST", target, {"name": name})
        for _ in range(chance.choice((0, 3, 12, 25))):
            await self.write(self.leader)
        await self.follow()
        for _ in range(chance.randint(2, 25)):
            await self._step()
            await self._pause()
        await self._finish()

    async def _step(self) -> None:
        chance = self.chance
        steps: tuple[tuple[int, Callable[[], Awaitable[None]]], ...] = (
            (12, self._writes),
            (2, self.follow),
            (2, self._sync),
            (2, self._stop_applier),
            (4, self._start_applier),
            (1, self._forget),
            (4, self._doom_follower),
            (2, self._doom_leader),
            (2, self._expire),
            (2, self._prune),
            (2, self._checkpoint),
            (1, self._write_locally),
            (1, self._change_weather),
        )
        weights = [weight for weight, _ in steps]
        await chance.choices([step for _, step in steps], weights)[0]()
        await self._revive()

    async def _pause(self) -> None:
        chance = self.chance
        kind = chance.random()
        if kind < 0.4:
            for _ in range(chance.randint(0, 40)):
                await asyncio.sleep(0)
        elif kind < 0.95:
            await asyncio.sleep(chance.choice((0.01, 0.1, 1, 5)))
        else:
            await asyncio.sleep(chance.choice((30, 30, 700)))
        await self._revive()

    async def _revive(self) -> None:
        """Start again what died, now or after a while."""
        for machine in (self.leader, self.follower):
            if not machine.is_up and self.chance.random() < 0.5:
                await asyncio.sleep(self.chance.choice((0, 0.1, 20)))
            if not machine.is_up:
                self._start(machine)

    def _start(self, machine: Machine) -> None:
        while not machine.is_up:
            machine.boot()
        self.tell(f"{machine.name} starts")
        if self.chance.random() < 0.3:
            found = findings(machine.node.store)
            assert not found, f"{machine.name} after a crash: {found}"
        if machine is self.follower:
            self._check_applied()
            machine.spawn(self._launch(machine))

    async def _launch(self, machine: Machine) -> None:
        machine.node.services.appliers.start_at_launch()

    async def interlude(self, target: str, *, is_answered: bool) -> None:
        if self.in_interlude or not self.interludes_left:
            return
        self.interludes_left -= 1
        self.in_interlude = True
        try:
            if self.chance.random() < 0.1:
                await self.chance.choice((self._expire, self._prune, self._checkpoint))()
            else:
                await self._writes()
        finally:
            self.in_interlude = False

    # -- writes ------------------------------------------------------------------------

    async def _writes(self) -> None:
        for _ in range(self.chance.choice((1, 1, 3, 8))):
            await self.write(self.leader)

    async def write(self, machine: Machine) -> bool:
        """One random request of a user; returns whether something was written, perhaps."""
        chance = self.chance
        place = self.database
        if self.is_global or chance.random() < 0.1:
            place = chance.choice(("_system", "d1", "d1", "d2")) if self.is_global else "_system"
        if not machine.is_up:
            return False
        catalog = machine.node.store.catalog
        request = random_write(chance, catalog, place, is_global=self.is_global)
        status, _ = await machine.ask(*request)
        where = "" if machine is self.leader else f" AT THE {machine.name}"
        shown = f" {request[2]}" if request[2] is not None else ""
        tick = machine.node.store.log.last_tick
        self.tell(f"  {request[0]} {request[1]}{shown}{where} -> {status} (tick {tick})")
        assert status != 500, f"{request}: {status}"
        if machine is self.leader and machine.is_up:
            self._remember()
        return not status or status < 300

    # -- commands ------------------------------------------------------------------------

    def _config(self) -> dict[str, Any]:
        chance = self.chance
        return {
            "endpoint": "tcp://leader:8529",
            "autoStart": True,
            "autoResync": self.auto_resync,
            "includeSystem": self.includes_system,
            "incremental": chance.random() < 0.5,
            "maxConnectRetries": chance.choice((0, 3, 100)),
            "connectionRetryWaitTime": chance.choice((0.5, 15)),
            "idleMinWaitTime": chance.choice((1, 20)),
            "idleMaxWaitTime": 60,
        }

    def _command(self, command: str, query: str = "") -> str:
        parts = [query] if query else []
        if self.is_global:
            parts.append("global=true")
        return f"/_db/{self.database}/_api/replication/{command}?{'&'.join(parts)}"

    def _tell_follower(self, method: str, target: str, body: Any = None) -> None:
        """Send a command and do not wait for its answer."""
        self.tell(f"{method} {target} {body or ''}")

        async def send() -> None:
            status, answer = await self.follower.ask(method, target, body)
            self.is_syncing = self.is_syncing and "/sync?" not in target
            number = answer.get("errorNum", 0) if status >= 300 else 0
            text = answer.get("errorMessage", "") if status >= 300 else ""
            if "/sync?" in target and status != 200 and number not in (28, 1410, 1411):
                # `sync` leaves the applier's position alone, so it may not tail from there now
                self.is_tainted = True
            self.tell(f"{method} {target} answered: {status} {number} {text}")
            if status >= 300 and number not in (28, 1410, 1411, 1412):
                self._judge(number, text)

        self.jobs.append(asyncio.get_running_loop().create_task(send()))

    async def follow(self) -> None:
        """`make-follower`."""
        self._tell_follower("PUT", self._command("make-follower"), self._config())

    async def _sync(self) -> None:
        config = self._config()
        config["incremental"] = self.chance.random() < 0.7
        self.is_syncing = True
        self._tell_follower("PUT", self._command("sync"), config)

    async def _stop_applier(self) -> None:
        self._tell_follower("PUT", self._command("applier-stop"))

    async def _start_applier(self) -> None:
        self._tell_follower("PUT", self._command("applier-start"))

    async def _forget(self) -> None:
        self._tell_follower("DELETE", self._command("applier-state"))

    async def _write_locally(self) -> None:
        if self.has_local_writes and self.follower.is_up:
            was_active = self._applier().is_active
            if await self.write(self.follower):
                self.is_tainted = True
                self.tell(f"somebody wrote at the follower (active: {was_active})")

    # -- faults ------------------------------------------------------------------------

    async def _doom(self, machine: Machine) -> None:
        chance = self.chance
        kind = chance.choice(("now", "round", "round", "write", "write", "power", "stop"))
        self.tell(f"{machine.name} will die: {kind}")
        if kind == "stop":
            await machine.stop()
        elif kind == "now":
            machine.crash()
        elif kind == "power" and machine is self.follower:
            if machine.backup is None or chance.random() < 0.5:
                machine.backup = machine.engine.survivor()
            else:
                machine.crash(loses_power=True)
                machine.backup = None
        elif kind == "write":
            machine.engine.writes_left = chance.choice((0, 1, 2, 5, 15))
            machine.engine.dies_behind = chance.random() < 0.5
        else:
            self.doomed_rounds[machine.name] = chance.choice((0, 1, 5, 30, 200, 1000))

    async def _doom_follower(self) -> None:
        await self._doom(self.follower)

    async def _doom_leader(self) -> None:
        await self._doom(self.leader)

    async def _expire(self) -> None:
        if self.leader.is_up:
            services = self.leader.node.services
            self.leader.clock.advance_s(self.chance.choice((10, 3 * 3600)))
            gone = services.batches.sweep()
            services.clients.sweep()
            self.has_expired |= gone > 0
            self.tell(f"{gone} batches expire")

    async def _checkpoint(self) -> None:
        machine = self.chance.choice((self.leader, self.follower))
        machine.errand(lambda: finish(machine.node.store.checkpoint_trees()))

    async def _prune(self) -> None:
        machine = self.leader
        cruel = self.chance.random() < 0.4

        def prune() -> None:
            node = machine.node
            finish(node.store.checkpoint_trees())
            if self.chance.random() < 0.5:
                node.store.log.close_segment()
            retention = Retention(size_bytes=0 if cruel else 1 << 40, age_s=0)
            clients: ReplicationClients = node.services.clients
            if prune_log(node.store, clients, retention, node.clock.wall_us() + 1):
                self.is_pruned = True
                self.tell(f"the log is pruned up to {node.store.log.floor} (cruel: {cruel})")

        machine.errand(prune)

    async def _change_weather(self) -> None:
        features, trees = self.faults.knows_features, self.faults.has_trees
        self.faults = type(self.faults)(self.chance)
        self.faults.knows_features, self.faults.has_trees = features, trees

    # -- the end ------------------------------------------------------------------------

    def _applier(self) -> Applier:
        appliers = self.follower.node.services.appliers
        return appliers.whole if self.is_global else appliers.of(self.database)

    def _judge(self, number: int, message: str) -> None:
        """Whether the protocol lets an applier or `sync` end with this error."""
        self.errors_seen.append(f"{number} {re.sub('[0-9]+', 'N', message)[:150]}")
        loses_batches = self.has_expired or self.leader.crashes > 0
        allowed = (
            number in (NO_RESPONSE, LEADER_ERROR, NOT_FOUND, NO_START_TICK)
            or (number == NOT_PRESENT and (self.is_pruned or loses_batches))
            or (number == BATCH_GONE and loses_batches)
            or self.is_tainted
        )
        assert allowed, f"nothing explains the error {number}: {message}"

    async def _finish(self) -> None:
        self.tell("-- no more faults")
        self.faults.end()
        self.doomed_rounds.clear()
        for machine in (self.leader, self.follower):
            machine.engine.writes_left = None
            if not machine.is_up:
                self._start(machine)
        if self.jobs:
            await asyncio.wait(self.jobs, timeout=PATIENCE_S)
            for job in self.jobs:
                assert job.done(), "a command is never answered"
                job.result()
        if self.is_tainted:
            await self.follow()
            await self.jobs[-1]
        for attempt in range(3):
            await self._let_run()
            if self._applier().is_active:
                break
            error = self._applier().progress.error
            number, text = (error.error_num, error.message) if error is not None else (0, "")
            self.tell(f"the applier stopped: {number} {text}")
            if number and self._applier().is_known:
                self._judge(number, text)
            applied = self._applier().ticks.applied
            assert attempt < 2, f"the applier stops without faults: {error}"
            if applied and not number:
                await self._start_applier()
            else:
                await self.follow()
            await self.jobs[-1]
        self._compare()

    async def _let_run(self) -> None:
        """Until the follower has applied everything, or stops."""
        applier = self._applier()
        ends_s = self.loop.time() + PATIENCE_S
        while applier.is_active:
            last = self.leader.node.store.log.last_tick
            if applier.ticks.applied == last and not applier.ticks.initial:
                return
            if self.loop.time() > ends_s:
                raise Diverged(
                    f"no end: applied {applier.ticks.applied} of {last}, "
                    f"{applier.progress.phase}, {applier.progress.message}"
                )
            await asyncio.sleep(5)

    def note_answer(self, method: str, target: str, answer: Answer) -> None:
        super().note_answer(method, target, answer)
        self.inventories += "/inventory?" in target
        if "/wal/tail" not in target:
            self.floor = self.leader.node.store.log.last_tick

    def _remember(self) -> None:
        store = self.leader.node.store
        self.history[store.log.last_tick] = self._state(self.leader)

    def _state(self, machine: Machine) -> State:
        return {
            database.info.name: {
                collection.info.guid: (
                    collection.info.name,
                    collection.count,
                    collection.state.tree.hash,
                    sorted(index.id for index in collection.info.indexes),
                )
                for collection in database
                if self._is_followed(collection)
            }
            for database in self._databases(machine)
        }

    def _is_followed(self, collection: Collection) -> bool:
        return self.includes_system or not collection.info.is_system

    def _databases(self, machine: Machine) -> list[Database]:
        catalog = machine.node.store.catalog
        return [d for d in catalog.databases if self.is_global or d.info.name == self.database]

    def _check_applied(self) -> None:
        """After a crash: the follower is where the leader was at the tick it says."""
        ticks = self._applier().ticks
        then = self.history.get(ticks.applied)
        is_odd = self.is_tainted or self.is_syncing
        if is_odd or ticks.initial or then is None or ticks.applied < self.floor:
            return
        self.checked_states += 1
        here, there = self._state(self.follower), self._state(self.leader)
        expected = _of_present(then, there)
        found = _of_present(here, there)
        if found == expected:
            return
        if self.is_global:
            # a transaction of a database that is gone meanwhile holds back the tick, not the data
            later = [state for tick, state in self.history.items() if tick > ticks.applied]
            if any(_of_present(state, there) == found for state in later):
                return
        raise Diverged(f"after the crash at tick {ticks.applied}: {found} here, {expected} then")

    def _compare(self) -> None:
        """Errors: `Diverged`."""
        compare(
            (self.leader.node.store, self.follower.node.store),
            (self._databases(self.leader), self._databases(self.follower)),
            self._is_followed,
            allows_more=not self.is_global and self._allows_more(),
        )

    def _allows_more(self) -> bool:
        """Whether collections that the leader has dropped may still be here.

        A synchronisation of one database keeps what the leader does not have (follower 2.6).
        """
        return self.inventories > 1 or self.is_tainted


def _of_present(state: State, present: State) -> State:
    """Without what the leader does not have any more: its log does not tell of it either."""
    return {
        name: {guid: state[name][guid] for guid in collections if guid in state.get(name, {})}
        for name, collections in present.items()
    }
