"""A leader and a follower in one process under virtual time: what `schedule.py` plays with.

Everything random comes from one seed and nothing real decides anything: the loop's time is virtual,
requests are calls, disks are dicts. A crash takes the dict, cancels what the server was doing and
opens another server on the dict; a dead server can neither write nor send any more.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import random
import selectors
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from multidict import CIMultiDict
from support.memory_engine import MemoryEngine

import arangorep.server.app  # noqa: F401  # so that every module is there to be tuned
from arangorep.clock import ManualClock
from arangorep.codec.json import dumps, loads
from arangorep.config import Config
from arangorep.errors import NoResponse
from arangorep.follower.config import ApplierConfig
from arangorep.follower.transport import Response
from arangorep.rest.answer import Answer
from arangorep.rest.cutter import Cutter
from arangorep.rest.dispatch import Dispatcher
from arangorep.server.node import Node
from arangorep.storage import keys
from arangorep.storage.engine import Family, WriteSet

ROUNDS_MAX = 400_000
"""Rounds of the loop before a schedule counts as one that never ends."""


TELLS_REQUESTS = bool(os.environ.get("SIMULATION_REQUESTS"))
"""Whether a story shows the requests of the follower as well."""


class Killed(BaseException):
    """The process died at this write."""


class Stuck(AssertionError):
    """Nothing can happen any more, or it never ends."""


class DyingEngine(MemoryEngine):
    """A disk whose process can be killed at one of its next writes, before it or behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left: int | None = None
        self.dies_behind = False
        self.is_dead = False
        self.on_death: Callable[[], None] = lambda: None

    def survivor(self) -> DyingEngine:
        """What the next process finds."""
        twin = DyingEngine()
        twin._live = {family: dict(content) for family, content in self._live.items()}
        return twin

    def write(self, changes: WriteSet) -> None:
        if self.is_dead:
            raise Killed
        if self.writes_left is None:
            super().write(changes)
            return
        self.writes_left -= 1
        if self.writes_left >= 0:
            super().write(changes)
            return
        if self.dies_behind:
            super().write(changes)
        self.on_death()
        raise Killed


class Life:
    """One process: from a start to the crash."""

    def __init__(self) -> None:
        self.is_dead = False
        self.tasks: set[asyncio.Task[Any]] = set()

    def cancel_all(self) -> None:
        for task in list(self.tasks):
            task.cancel()


LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("LIFE", default=None)


class _Selector(selectors.SelectSelector):
    """Waits by moving the time."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        self.loop.turn(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when nothing is ready, and that has no threads."""

    def __init__(self, on_round: Callable[[], None], on_time: Callable[[float], None]) -> None:
        self._now_s = 0.0
        self.rounds = 0
        self._on_round, self._on_time = on_round, on_time
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        self.set_task_factory(_owned_task)

    def time(self) -> float:
        return self._now_s

    def run_in_executor(self, executor: object, work: Any, *values: Any) -> Any:
        """What would run in a thread runs now, and ends in the next round."""
        done = self.create_future()
        try:
            done.set_result(work(*values))
        except Exception as error:
            done.set_exception(error)
        return done

    def turn(self, timeout: float | None) -> None:
        """One round; `timeout` is None when nothing will ever happen again."""
        self.rounds += 1
        if self.rounds > ROUNDS_MAX:
            raise Stuck("the schedule does not end")
        self._on_round()
        if timeout is None:
            raise Stuck("everybody waits for nothing")
        if timeout > 0:
            self._now_s += timeout + 1e-9
            self._on_time(timeout)


def _owned_task(
    loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    context = options.get("context")
    life = LIFE.get() if context is None else context.get(LIFE)
    if life is not None:
        life.tasks.add(task)
        task.add_done_callback(life.tasks.discard)
        if life.is_dead:
            task.cancel()
    return task


class Machine:
    """A server with its disk, over all its lives."""

    def __init__(self, world: World, name: str, server_id: int, wall_offset_s: float) -> None:
        self._world = world
        self.name = name
        self.clock = ManualClock(1_700_000_000_000_000 + round(wall_offset_s * 1_000_000))
        self.engine = DyingEngine()
        first = WriteSet()
        first.entries[Family.META][keys.FORMAT] = b"1"
        first.entries[Family.META][keys.SERVER_ID] = b"%d" % server_id
        self.engine.write(first)
        self.backup: DyingEngine | None = None
        """What a loss of power would leave."""
        self.life = Life()
        self.life.is_dead = True
        self.dead: list[Life] = []
        self.crashes = 0

    @property
    def is_up(self) -> bool:
        return not self.life.is_dead

    def boot(self) -> None:
        """Open the disk. May be killed by an armed engine, then `is_up` stays false."""
        world = self._world
        self.life = Life()
        self.engine.on_death = self.crash
        try:
            self.node = Node(
                Config(Path("/nonexistent")),
                self.clock,
                self.engine,
                connect=lambda config: world.connect(self, config),
            )
        except Killed:
            return
        self.node.services.cutter = Cutter(cores=1)  # no other process: it would have its own time
        self.dispatcher = Dispatcher(self.node.services)

    def crash(self, *, loses_power: bool = False) -> None:
        """The process is gone, at once and wherever it was."""
        if not self.is_up:
            return
        self._world.tell(f"{self.name} {'loses power' if loses_power else 'dies'}")
        self.crashes += 1
        self.engine.is_dead = True
        if loses_power and self.backup is not None:
            self.engine = self.backup.survivor()
        else:
            self.engine = self.engine.survivor()
        self.life.is_dead = True
        self.dead.append(self.life)
        self.life.cancel_all()

    async def stop(self) -> None:
        """A clean stop; whoever has a request open gets no answer."""
        life = self.life
        await asyncio.wait({self.spawn(self.node.services.appliers.stop())})
        if self.life is life and not life.is_dead:
            self.errand(self.node.close)
            self.crash()

    def bury(self) -> None:
        """Cancel again what the dead still do."""
        for life in self.dead:
            life.cancel_all()
        self.dead = [life for life in self.dead if life.tasks]

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something as part of this process."""
        context = contextvars.copy_context()
        context.run(LIFE.set, self.life)
        return asyncio.get_running_loop().create_task(work, context=context)

    async def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Answer | None:
        """What the server answers, None when it dies meanwhile or is not there."""
        if not self.is_up:
            return None

        async def read_body() -> bytes:
            return body

        task = self.spawn(self.dispatcher.answer(method, target, CIMultiDict(headers), read_body))
        await asyncio.wait({task})
        if task.cancelled() or isinstance(task.exception(), Killed):
            return None
        return task.result()

    async def ask(self, method: str, target: str, body: Any = None) -> tuple[int, Any]:
        """A user's request: status (0 without an answer) and parsed body."""
        data = b"" if body is None else dumps(body)
        answer = await self.answer(method, target, {}, data)
        if answer is None:
            return 0, None
        joined = b"".join(answer.pieces)
        return answer.status, loads(joined) if joined else None

    def errand(self, work: Callable[[], object]) -> None:
        """Something that the server does by itself at once, and may be killed in."""
        if self.is_up:
            try:
                work()
            except Killed:
                self._world.tell(f"{self.name} was killed in an errand")


class Faults:
    """Chances per request, from 0 to 1."""

    def __init__(self, chance: random.Random) -> None:
        level = chance.choice((0.0, 0.0, 0.02, 0.1, 0.3))
        self.refuse = chance.random() * level
        self.lose = chance.random() * level
        self.stall = chance.random() * level
        self.interlude = chance.choice((0.0, 0.1, 0.5))
        self.knows_features = chance.random() < 0.6
        self.has_trees = chance.random() < 0.8

    def end(self) -> None:
        """From now on the network is perfect."""
        self.refuse = self.lose = self.stall = self.interlude = 0.0


class SimulatedTransport:
    """The wire from one life of the follower to whatever leader lives."""

    def __init__(self, world: World, life: Life) -> None:
        self._world, self._life = world, life

    async def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> Response:
        world, chance, faults = self._world, self._world.chance, self._world.faults
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.05)))
        if chance.random() < faults.interlude:
            await world.interlude(target, is_answered=False)
        if self._life.is_dead or chance.random() < faults.refuse:
            raise NoResponse("no response: refused")
        if not faults.has_trees and "/revisions/" in target:
            return Response(501, CIMultiDict(), b'{"error":true,"errorNum":9}')
        answer = await world.leader.answer(method, target, headers, body or b"")
        if answer is None:
            raise NoResponse("no response: the leader is dead")
        joined = b"".join(answer.pieces)
        if not faults.knows_features:
            joined = joined.replace(b'"features":', b'"unknown":')
        world.note_answer(method, target, answer)
        if chance.random() < faults.stall:
            await asyncio.sleep(chance.choice((1, 20, 700, 8000)))
        if chance.random() < faults.interlude:
            await world.interlude(target, is_answered=True)
        if self._life.is_dead or chance.random() < faults.lose:
            raise NoResponse("no response: lost")
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.05)))
        received = CIMultiDict(answer.headers)
        received["Content-Type"] = answer.content_type
        return Response(answer.status, received, joined)

    async def close(self) -> None:
        await asyncio.sleep(0)


class World:
    """Both machines, the seed, the time and the record of what happened."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = random.Random(seed)
        self.story: list[str] = []
        self.faults = Faults(self.chance)
        self.loop = VirtualLoop(self._each_round, self._time_passes)
        self.loop.set_exception_handler(self._complain)
        # never to the millisecond: two stores made in one would use one revision for their roots
        skew_s = self.chance.choice((0.003, 0.003, -100, 100, 5))
        self.leader = Machine(self, "leader", 200_000_000_000_001, 0)
        self.follower = Machine(self, "follower", 200_000_000_000_002, skew_s)
        self.doomed_rounds: dict[str, int] = {}
        """Machines that die in so many rounds of the loop."""
        self.complaints: list[str] = []

    def tell(self, what: str) -> None:
        """Add to the story."""
        self.story.append(f"{self.loop.time():10.3f} {what}")

    def connect(self, machine: Machine, config: ApplierConfig) -> SimulatedTransport:
        """`Connect` of both machines."""
        return SimulatedTransport(self, machine.life)

    async def interlude(self, target: str, *, is_answered: bool) -> None:
        """What happens while a request or its answer is on its way. Errors: 500/1400 to lose it."""

    def note_answer(self, method: str, target: str, answer: Answer) -> None:
        """The leader has answered."""
        if TELLS_REQUESTS:
            numbers = {k[21:]: v for k, v in answer.headers.items() if "replication" in k}
            self.tell(f"    {method} {target} -> {answer.status} {answer.length} bytes {numbers}")

    def _each_round(self) -> None:
        for machine in (self.leader, self.follower):
            if machine.dead:
                machine.bury()
            left = self.doomed_rounds.get(machine.name)
            if left is not None:
                self.doomed_rounds[machine.name] = left - 1
                if left <= 0:
                    del self.doomed_rounds[machine.name]
                    machine.crash()

    def _time_passes(self, seconds: float) -> None:
        self.leader.clock.advance_s(seconds)
        self.follower.clock.advance_s(seconds)

    def _complain(self, loop: object, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, (Killed, NoResponse)):
            self.complaints.append(f"{context.get('message')}: {error!r}")

    def end(self) -> None:
        """Stop everything and close the loop."""
        self.doomed_rounds.clear()
        for machine in (self.leader, self.follower):
            machine.crash()
        for _ in range(50):
            left = asyncio.all_tasks(self.loop)
            if not left:
                break
            for task in left:
                task.cancel()
            self.loop.run_until_complete(asyncio.wait(left))
        self.loop.close()


# -- small numbers, so that small schedules meet every border ----------------------------------

SIZES: dict[str, tuple[Any, ...]] = {
    "SYNC_CHUNK_BYTES_MIN": (1,),
    "SYNC_CHUNK_BYTES_DEFAULT": (100, 600, 1_000_000),
    "SYNC_CHUNK_BYTES_MAX": (700, 1_000_000),
    "TAIL_CHUNK_BYTES_MIN": (1,),
    "APPLY_ROWS_PER_COMMIT": (1, 3, 1000),
    "APPLY_BYTES_PER_SLICE": (1, 300, 128 * 1024),
    "REMOVALS_PER_COMMIT": (1, 2, 2000),
    "REVISION_DOCUMENTS_PER_REQUEST": (1, 3, 5000),
    "REVISION_DOCUMENTS_PER_SMALL_REQUEST": (1, 3, 1000),
    "REVISION_REQUESTS_IN_FLIGHT": (1, 4),
    "REVISION_BLOCK_SIZE": (1, 3, 16),
    "REVISIONS_PER_QUESTION": (1, 5, 131_072),
    "REVISIONS_PER_FIRST_QUESTION": (1, 3, 4096),
    "REVISIONS_LISTED_MAX": (0, 2_000_000),
    "SURPLUS_MAX": (0, 3, 250_000),
    "REVISION_DOCUMENTS_BYTES_MAX": (100, 16 * 1024 * 1024),
    "REVISIONS_PER_ANSWER": (1, 3, 65_536),
    "REVISIONS_COMPARED_MAX": (1, 4, 262_144),
    "ROWS_PER_SLICE": (2, 4096),
    "KEYS_CHUNK_DEFAULT": (2, 5000),
    "KEYS_CHUNK_MIN": (1,),
    "KEYS_DOCUMENTS_BYTES_MAX": (100, 8 * 1024 * 1024),
    "SEGMENT_BYTES": (800, 16 * 1024 * 1024),
    "WRITE_ROWS_PER_SLICE": (2, 1000),
}


def _places(name: str) -> list[Any]:
    """The modules that know a constant."""
    return [
        module
        for module_name, module in list(sys.modules.items())
        if module_name.startswith("arangorep.") and name in vars(module)
    ]


PLACES = {name: _places(name) for name in (*SIZES, "stopwatch_s")}


@contextmanager
def tuned(world: World) -> Iterator[None]:
    """Sizes and the stopwatch as the seed wants them, for the time of one schedule."""
    chosen = {name: world.chance.choice(values) for name, values in SIZES.items()}
    step_s = world.chance.choice((0.0, 0.00005, 0.0003))
    lap = 0

    def stopwatch() -> float:
        """Slices take as long as the seed says; all else takes virtual time."""
        nonlocal lap
        lap += 1
        return world.loop.time() + lap * step_s

    chosen["stopwatch_s"] = stopwatch
    changed = [(module, name, getattr(module, name)) for name in chosen for module in PLACES[name]]
    try:
        for module, name, _ in changed:
            setattr(module, name, chosen[name])
        yield
    finally:
        for module, name, value in changed:
            setattr(module, name, value)
