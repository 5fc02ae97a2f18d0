"""Leaders and followers that die by `kill -9` while one is written to and the other follows."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.equality import differences
from support.follow_http import (
    active_state,
    applied,
    begin_to_follow,
    copied,
    free_port,
    last_tick,
    state,
    wait_until_applied,
    wait_until_copied,
)
from support.load import (
    EVERY_MARKER,
    KEEPS_COLLECTIONS,
    KEEPS_DATABASES,
    Load,
    fill,
    prepare,
)
from support.process import ServerProcess, check
from support.server import Api
from support.wait import wait_for

from arangorep.values.marker import MarkerType

LARGE_DOCUMENTS = 20_000
PAUSE_S = 0.002
VICTIMS = (("follower",), ("leader",), ("leader", "follower"), ("follower", "leader"))
"""Who is killed, in the order of coming back."""


@pytest.fixture(autouse=True)
def _no_process_survives() -> Iterator[None]:
    yield
    ServerProcess.kill_all()


class Machine:
    """A server that comes back on its port and directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._port = free_port()
        self.start()

    def start(self) -> None:
        self._process = ServerProcess(self.path, "--port", str(self._port))
        self.url = self._process.url

    def kill(self) -> None:
        self._process.kill()

    def commands_of_children(self) -> bytes:
        """How the processes were started that it has started."""
        return self._process.commands_of_children()


def kill(machines: dict[str, Machine], names: tuple[str, ...]) -> None:
    """Kill some at once and let them come back one after the other."""
    for name in names:
        machines[name].kill()
    for name in names:
        machines[name].start()


def wait_for_ticks(url: str, ticks: int) -> None:
    """Return when a follower that tails has applied so much more of its leader's log."""
    before = applied(state(url))

    def look() -> bool | None:
        now = active_state(url)
        return True if now["phase"] == "running" and applied(now) >= before + ticks else None

    wait_for(look)


def finish(load: Load, *chain: Machine) -> None:
    """Stop the load; everybody gets everything; all are equal and sound, also after a last kill."""
    load.stop()
    for leader, follower in itertools.pairwise(chain):
        wait_until_applied(follower.url, leader.url)
    for follower in chain[1:]:
        assert differences(chain[0].url, follower.url) == []
    for machine in chain:
        machine.kill()
        checked = check(machine.path)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("seed", [1], ids="seed{}".format)
def test_killed_while_tailing(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    leader, follower = Machine(tmp_path / "leader"), Machine(tmp_path / "follower")
    prepare(leader.url)
    begin_to_follow(follower.url, leader.url)
    wait_until_applied(follower.url, leader.url)
    with Load(leader.url, seed, pause_s=PAUSE_S) as load:
        for victims in random_.sample(VICTIMS, len(VICTIMS)):
            wait_for_ticks(follower.url, random_.randrange(1, 1500))
            kill({"leader": leader, "follower": follower}, victims)
        wait_for_ticks(follower.url, 1)
        finish(load, leader, follower)
    assert load.lost, "the load never met a dead leader"


@pytest.mark.parametrize("only_kill", VICTIMS, ids="-".join)
def test_killed_during_the_initial_synchronisation(
    tmp_path: Path, only_kill: tuple[str, ...]
) -> None:
    seed = 10 + VICTIMS.index(only_kill)
    random_ = random.Random(seed)
    leader, follower = Machine(tmp_path / "leader"), Machine(tmp_path / "follower")
    prepare(leader.url)
    fill(leader.url, "d0", "large", LARGE_DOCUMENTS)
    load = Load(leader.url, seed, only=KEEPS_DATABASES, pause_s=PAUSE_S)
    load.steps(100)
    with load:
        begin_to_follow(follower.url, leader.url)
        for _ in range(2):
            wait_until_copied(follower.url, random_.randrange(LARGE_DOCUMENTS))
            kill({"leader": leader, "follower": follower}, only_kill)
        finish(load, leader, follower)


def test_databases_come_and_go_during_the_initial_synchronisation(tmp_path: Path) -> None:
    leader, follower = Machine(tmp_path / "leader"), Machine(tmp_path / "follower")
    prepare(leader.url)
    fill(leader.url, "_system", "large", LARGE_DOCUMENTS)
    with Load(leader.url, 20, databases=("_system", "d0", "d1")) as load:
        begin_to_follow(follower.url, leader.url)
        wait_for(lambda: copied(active_state(follower.url)) or None)
        for database in ("d0", "d1"):
            with Api(leader.url, "_system") as api:
                api.delete(f"/_api/database/{database}")
        load.wait_for_steps(100)
        finish(load, leader, follower)


@pytest.mark.parametrize("seed", [30], ids="seed{}".format)
def test_a_chain_whose_parts_are_killed(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    names = ("leader", "middle", "last")
    machines = {name: Machine(tmp_path / name) for name in names}
    leader, middle, last = machines.values()
    prepare(leader.url)
    fill(leader.url, "d0", "large", LARGE_DOCUMENTS // 4)
    # what the middle loads in one go is not in its log: the last must synchronise anew then
    resync = {"autoResync": True, "autoResyncRetries": 1000}
    for url, leader_url in ((middle.url, leader.url), (last.url, middle.url)):
        begin_to_follow(url, leader_url, **resync)
        wait_until_applied(url, leader_url)
    with Load(leader.url, seed, pause_s=PAUSE_S) as load:
        for _ in range(3):
            wait_for_ticks(last.url, random_.randrange(1, 500))
            kill(machines, tuple(random_.sample(names, random_.randint(1, 2))))
        wait_for_ticks(last.url, 1)
        finish(load, *machines.values())


Told = tuple[int, str, str]


def history(url: str, after: int) -> list[Told]:
    """What the log tells behind a tick, without what each server numbers for itself."""
    with Api(url, "_system") as api:
        markers = api.tail(after, **{"global": "true"})
    # changes that change nothing are not repeated
    told = [each for each in markers if each["type"] != MarkerType.COLLECTION_CHANGE]
    return [(each["type"], each.get("cuid", ""), _told(each)) for each in told]


def _told(marker: dict[str, Any]) -> str:
    data = marker.get("data", {})
    if marker["type"] in (MarkerType.DOCUMENT, MarkerType.REMOVE):
        return f"{data['_key']} {data['_rev']}"
    return str(data.get("name", data.get("id", "")))


@pytest.mark.parametrize("seed", [40], ids="seed{}".format)
def test_every_marker_is_applied_exactly_once(tmp_path: Path, seed: int) -> None:
    """What the follower's log tells is what the leader's does, in its order, despite the kills."""
    random_ = random.Random(seed)
    leader, follower = Machine(tmp_path / "leader"), Machine(tmp_path / "follower")
    prepare(leader.url)
    begin_to_follow(follower.url, leader.url)
    wait_until_applied(follower.url, leader.url)
    begin, own_begin = last_tick(leader.url), last_tick(follower.url)
    follower.kill()
    Load(leader.url, seed, only=KEEPS_COLLECTIONS).steps(500)
    end = last_tick(leader.url)
    for _ in range(3):
        follower.start()
        before = applied(state(follower.url))
        goal = min(before + random_.randrange(1, (end - begin) // 5), end)
        wait_for(lambda goal=goal: applied(active_state(follower.url)) >= goal or None)
        follower.kill()
    follower.start()
    wait_until_applied(follower.url, leader.url)
    there, here = history(leader.url, begin), history(follower.url, own_begin)
    documents = Counter((cuid, told) for kind, cuid, told in here if kind == MarkerType.DOCUMENT)
    assert documents
    assert [each for each, times in documents.items() if times > 1] == []
    assert here == there
    assert differences(leader.url, follower.url) == []
    follower.kill()
    assert check(follower.path).returncode == 0


def test_every_type_of_marker_is_followed(tmp_path: Path) -> None:
    """What the tests above rely on, without a kill; it also tells what the load is worth."""
    leader, follower = Machine(tmp_path / "leader"), Machine(tmp_path / "follower")
    with Api(leader.url, "_system") as api:
        first = last_tick(leader.url)
        prepare(leader.url)
        begin_to_follow(follower.url, leader.url)
        wait_until_applied(follower.url, leader.url)
        load = Load(leader.url, 50)
        types: set[int] = set()
        for _ in range(20):
            load.steps(200)
            wait_until_applied(follower.url, leader.url)
            # those of what was dropped are hidden, so not every round shows all
            types |= {each["type"] for each in api.tail(first, **{"global": "true"})}
            first = last_tick(leader.url)
            if types >= EVERY_MARKER:
                break
        assert differences(leader.url, follower.url) == []
    assert types >= EVERY_MARKER


def test_an_import_that_empties_the_collection_is_followed(tmp_path: Path) -> None:
    leader, follower = Machine(tmp_path / "leader"), Machine(tmp_path / "follower")
    prepare(leader.url)
    begin_to_follow(follower.url, leader.url)
    wait_until_applied(follower.url, leader.url)
    load = Load(leader.url, 60, only=frozenset({"insert_many", "import"}), overwrites=True)
    load.steps(300)
    wait_until_applied(follower.url, leader.url)
    assert differences(leader.url, follower.url) == []


BACKLOG = 120_000
"""Markers beyond what lets a follower take workers to help."""


def is_helped(machine: Machine) -> bool | None:
    """Whether processes prepare what the follower applies."""
    return True if b"backlog_worker" in machine.commands_of_children() else None


def test_killed_while_working_off_a_backlog(tmp_path: Path) -> None:
    """Files are taken over with the applied tick or not at all, whenever it dies."""
    random_ = random.Random(70)
    leader, follower = Machine(tmp_path / "leader"), Machine(tmp_path / "follower")
    with Api(leader.url, "_system") as api:
        api.create_collection("large")
        begin_to_follow(follower.url, leader.url, chunkSize=0)
        wait_until_applied(follower.url, leader.url)
        begin, own_begin = last_tick(leader.url), last_tick(follower.url)
        follower.kill()
        for start in range(0, BACKLOG, 3000):
            numbers = range(start, start + 3000)
            api.insert("large", [{"_key": f"k{n:07}", "t": "x" * (n % 90)} for n in numbers])
            if start % 30_000 == 0:
                api.put(f"/_api/document/large/k{start:07}", {"changed": True})
    end = last_tick(leader.url)
    for _ in range(4):
        follower.start()
        before = applied(state(follower.url))
        goal = min(before + random_.randrange(1, (end - begin) // 5), end)
        if end - before > 105_000:
            wait_for(lambda: is_helped(follower))
        wait_for(lambda goal=goal: applied(active_state(follower.url)) >= goal or None)
        follower.kill()
    follower.start()
    wait_until_applied(follower.url, leader.url)
    assert history(follower.url, own_begin) == history(leader.url, begin)
    assert differences(leader.url, follower.url) == []
    follower.kill()
    assert check(follower.path).returncode == 0
