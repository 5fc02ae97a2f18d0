"""Replication under virtual time: seeded schedules of writes, commands, crashes and lost answers.

`SIMULATION_SEEDS` says how many schedules to play; `SIMULATION_FIRST` with which seed to
begin. A failure prints its story; `SIMULATION_REQUESTS=1` adds the follower's requests to it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.schedule import Schedule

from arangorep.errors import NoResponse

BLOCKS = 8
SEEDS_PER_BLOCK = 1_000_000
FIRST = int(os.environ.get("SIMULATION_FIRST", "0"))
SCHEDULES = int(os.environ.get("SIMULATION_SEEDS", "2000"))


def play(schedule: Schedule) -> None:
    """Run a schedule; a failure tells its story."""
    try:
        schedule.run()
    except Exception as error:
        story = "\n".join(schedule.story)
        pytest.fail(f"seed {schedule.seed}: {error!r}\n{story}")


@pytest.mark.timeout(0)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_every_schedule_ends_in_equality_or_a_clear_error(block: int) -> None:
    first = FIRST + block * SEEDS_PER_BLOCK
    for seed in range(first, first + SCHEDULES // BLOCKS):
        play(Schedule(seed))


@pytest.mark.parametrize("seed", [502492, 600018])
def test_a_schedule_that_failed_once(seed: int) -> None:
    play(Schedule(seed))


# -- what schedules have found, without chance ---------------------------------------------------

Interlude = Callable[[str, bool], Awaitable[None]]


class Scene(Schedule):
    """A schedule whose course is written down: no chance, no faults but those of the scene."""

    def __init__(
        self, course: Callable[[Scene], Awaitable[None]], *, is_global: bool = False
    ) -> None:
        super().__init__(0)
        self._course = course
        self.faults.end()
        self.faults.knows_features = self.faults.has_trees = True
        self.is_global, self.database = is_global, "_system"
        self.auto_resync, self.includes_system = False, True
        self.meanwhile: Interlude | None = None

    async def _play(self) -> None:
        self.leader.boot()
        self.follower.boot()
        await self._course(self)

    async def interlude(self, target: str, *, is_answered: bool) -> None:
        if self.meanwhile is not None:
            await self.meanwhile(target, is_answered)

    def watch(self, meanwhile: Interlude) -> None:
        """Call this for every request, before it and behind it."""
        self.meanwhile, self.faults.interlude = meanwhile, 1.0

    async def at_leader(self, method: str, path: str, body: Any = None) -> Any:
        """A request that must succeed."""
        status, answer = await self.leader.ask(method, path, body)
        assert status < 300, (path, status, answer)
        self.tell(f"{method} {path}")
        return answer

    async def command(self, command: str, **config: Any) -> Any:
        """A replication command to the follower, answered."""
        body = {"endpoint": "tcp://leader:8529", **config} if config is not None else None
        status, answer = await self.follower.ask("PUT", self._command(command), body)
        assert status < 300, (command, status, answer)
        self.tell(command)
        return answer

    async def ends_equal(self) -> None:
        """The applier catches up, and both hold the same."""
        await self._let_run()
        assert self._applier().is_active, f"the applier stopped: {self._applier().progress.error}"
        self._compare()


def test_an_applier_that_is_stopped_before_its_first_step_can_be_started_again() -> None:
    async def course(scene: Scene) -> None:
        follow = asyncio.create_task(scene.command("make-follower"))
        stop = asyncio.create_task(scene.command("applier-stop"))
        done, waiting = await asyncio.wait({follow, stop}, timeout=1000)
        for task in done:
            task.result()
        assert not waiting, "a command is never answered"
        assert not scene._applier().is_active
        await scene.command("applier-start")
        await scene.ends_equal()

    play(Scene(course))


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_answer_of_a_dump_loses_no_documents(lost: int) -> None:
    """The first chunk is asked for with `from=0`, which does not say where the dump is to begin."""

    async def course(scene: Scene) -> None:
        await scene.at_leader("POST", "/_api/collection", {"name": "c"})
        documents = [{"_key": f"k{number}", "text": "x" * 500} for number in range(300)]
        await scene.at_leader("POST", "/_api/document/c", documents)
        dumps = 0

        async def meanwhile(target: str, is_answered: bool) -> None:
            nonlocal dumps
            if is_answered and "/dump?collection=h" in target:
                dumps += 1
                if dumps == lost:
                    raise NoResponse("no response: lost")

        scene.watch(meanwhile)
        await scene.command("make-follower", chunkSize=16 * 1024)
        assert dumps > lost
        await scene.ends_equal()

    play(Scene(course))


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("is_empty", [False, True])
def test_a_synchronisation_removes_indexes_that_the_leader_dropped(
    incremental: bool, is_empty: bool
) -> None:
    """A unique one that stays would evict documents that the leader has."""

    async def course(scene: Scene) -> None:
        await scene.at_leader("POST", "/_api/collection", {"name": "c"})
        if not is_empty:
            await scene.at_leader("POST", "/_api/document/c", {"v": 1})
        index = {"type": "persistent", "unique": True, "fields": ["v"], "name": "i"}
        await scene.at_leader("POST", "/_api/index?collection=c", index)
        await scene.command("make-follower")
        await scene.ends_equal()
        await scene.command("applier-stop")
        await scene.at_leader("DELETE", "/_api/index/c/i")
        await scene.command("make-follower", incremental=incremental)
        await scene.at_leader("POST", "/_api/document/c", [{"v": 2}, {"v": 2}])
        await scene.ends_equal()

    play(Scene(course))


def test_a_truncate_beside_a_transaction_of_a_dropped_database_is_applied() -> None:
    """The rest of that transaction is never sent: the leader tells only of what exists."""

    async def course(scene: Scene) -> None:
        await scene.at_leader("POST", "/_api/database", {"name": "d"})
        await scene.at_leader("POST", "/_db/d/_api/collection", {"name": "c"})
        await scene.at_leader("POST", "/_api/collection", {"name": "e"})
        await scene.at_leader("POST", "/_api/document/e", {})
        await scene.command("make-follower", chunkSize=16 * 1024)
        await scene.ends_equal()
        dropped = False

        async def meanwhile(target: str, is_answered: bool) -> None:
            nonlocal dropped
            if is_answered and "/wal/tail" in target and not dropped:
                dropped = True
                await scene.at_leader("DELETE", "/_api/database/d")

        await scene.command("applier-stop")
        documents = [{"text": "x" * 1000} for _ in range(50)]
        await scene.at_leader("POST", "/_db/d/_api/document/c", documents)
        await scene.at_leader("PUT", "/_api/collection/e/truncate")
        scene.watch(meanwhile)
        await scene.command("applier-start")
        await scene.ends_equal()

    play(Scene(course, is_global=True))


def test_a_unique_index_made_after_the_batch_does_not_fail_the_synchronisation() -> None:
    """The inventory is newer than the documents: these may still break the index's rule."""

    async def course(scene: Scene) -> None:
        await scene.at_leader("POST", "/_api/collection", {"name": "c"})
        await scene.at_leader("POST", "/_api/document/c", [{"_key": "a", "v": 1}, {"v": 1}])

        async def meanwhile(target: str, is_answered: bool) -> None:
            if "/inventory" in target and not is_answered:
                await scene.at_leader("DELETE", "/_api/document/c/a")
                index = {"type": "persistent", "unique": True, "fields": ["v"], "name": "i"}
                await scene.at_leader("POST", "/_api/index?collection=c", index)

        scene.watch(meanwhile)
        await scene.command("make-follower")
        await scene.ends_equal()

    play(Scene(course))


def test_names_that_change_after_the_batch_do_not_fail_the_tail() -> None:
    """The log then leads through names that are taken already."""

    async def course(scene: Scene) -> None:
        for name in ("a", "b"):
            await scene.at_leader("POST", "/_api/collection", {"name": name})
            await scene.at_leader("POST", f"/_api/document/{name}", {"_key": name})

        async def meanwhile(target: str, is_answered: bool) -> None:
            if "/inventory" in target and not is_answered:
                for old, new in (("a", "x"), ("x", "y"), ("b", "x")):
                    await scene.at_leader("PUT", f"/_api/collection/{old}/rename", {"name": new})

        scene.watch(meanwhile)
        await scene.command("make-follower")
        await scene.ends_equal()

    play(Scene(course))


def test_a_collection_dropped_after_the_inventory_does_not_fail_the_synchronisation() -> None:
    """The log tells of the drop."""

    async def course(scene: Scene) -> None:
        for name in ("a", "b"):
            await scene.at_leader("POST", "/_api/collection", {"name": name})
            await scene.at_leader("POST", f"/_api/document/{name}", {"_key": name})

        async def meanwhile(target: str, is_answered: bool) -> None:
            if "/inventory" in target and is_answered:
                await scene.at_leader("DELETE", "/_api/collection/b")

        scene.watch(meanwhile)
        await scene.command("make-follower")
        await scene.ends_equal()

    play(Scene(course))


def test_two_commands_at_once_leave_one_applier() -> None:
    """Both wait for the old one to stop; two new ones would write over each other."""

    async def course(scene: Scene) -> None:
        await scene.at_leader("POST", "/_api/collection", {"name": "c"})
        await scene.at_leader("POST", "/_api/document/c", [{} for _ in range(9)])
        await scene.command("make-follower")
        await scene.ends_equal()
        open_batches: set[str] = set()
        most = 0

        async def meanwhile(target: str, is_answered: bool) -> None:
            nonlocal most
            if "/inventory" in target:
                open_batches.add(target)
                most = max(most, len(open_batches))

        scene.watch(meanwhile)
        both = [asyncio.create_task(scene.command("make-follower")) for _ in range(2)]
        await asyncio.wait(both, timeout=1000)
        assert all(task.done() for task in both), "a command is never answered"
        assert most == 1, "two appliers synchronise at once"
        await scene.ends_equal()

    play(Scene(course))


def test_make_follower_takes_the_place_of_a_sync_that_runs() -> None:
    async def course(scene: Scene) -> None:
        await scene.at_leader("POST", "/_api/collection", {"name": "c"})
        asked = asyncio.Event()

        async def meanwhile(target: str, is_answered: bool) -> None:
            if "/inventory" in target and not is_answered and not asked.is_set():
                asked.set()
                await asyncio.sleep(10)

        scene.watch(meanwhile)
        target, body = scene._command("sync"), {"endpoint": "tcp://leader:8529"}
        sync = asyncio.create_task(scene.follower.ask("PUT", target, body))
        await asked.wait()
        await scene.command("make-follower")
        _, answer = await sync
        assert answer["errorNum"] == 1412, answer
        await scene.ends_equal()

    play(Scene(course))


def test_documents_of_a_second_batch_do_not_meet_the_indexes_of_the_first() -> None:
    """A unique index that the leader has dropped meanwhile would evict documents for good."""

    async def course(scene: Scene) -> None:
        await scene.at_leader("POST", "/_api/collection", {"name": "c"})
        index = {"type": "persistent", "unique": True, "fields": ["v"], "name": "i"}
        await scene.at_leader("POST", "/_api/index?collection=c", index)
        await scene.at_leader("POST", "/_api/document/c", {"_key": "a", "v": 1})
        await scene.command("make-follower")
        await scene.ends_equal()
        await scene.command("applier-stop")
        await scene.at_leader("POST", "/_api/document/c", {"_key": "b", "v": 2})
        is_lost = False

        async def meanwhile(target: str, is_answered: bool) -> None:
            nonlocal is_lost
            if "/revisions/tree?collection=h" in target and is_answered and not is_lost:
                is_lost = True
                await scene.at_leader("DELETE", "/_api/index/c/i")
                await scene.at_leader("POST", "/_api/document/c", {"_key": "z", "v": 1})
                scene.leader.clock.advance_s(3 * 3600)
                assert scene.leader.node.services.batches.sweep() == 1

        scene.watch(meanwhile)
        await scene.command("make-follower", incremental=True)
        assert is_lost
        await scene.ends_equal()

    play(Scene(course))


def test_forgetting_an_applier_leaves_another_command_alone() -> None:
    """Both wait for the old one to stop; then one forgets what the other has begun."""

    async def course(scene: Scene) -> None:
        await scene.command("make-follower")
        await scene.ends_equal()
        target = scene._command("applier-state")
        follow = asyncio.create_task(scene.command("make-follower"))
        forget = asyncio.create_task(scene.follower.ask("DELETE", target))
        await asyncio.wait({follow, forget}, timeout=1000)
        assert follow.done(), "a command is never answered"
        assert forget.done(), "a command is never answered"
        applier = scene._applier()
        assert applier.is_active == applier.is_known, "what runs is forgotten"
        if applier.is_active:
            await scene.ends_equal()

    play(Scene(course))
