"""A follower behind a network that cuts, stalls, repeats and shortens what it carries.

Whatever happens, the follower ends with the leader's data, or stops with an error that says so; and
when the network is well again, it gets there from wherever it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from support.chaos_proxy import ChaosProxy, Fault
from support.equality import differences
from support.follow_http import (
    GLOBAL,
    QUICK,
    begin_to_follow,
    has_applied,
    has_failed,
    last_tick,
    start_again,
    state,
    stop_applier,
    wait_until_applied,
)
from support.load import KEEPS_DATABASES, Load, fill, prepare
from support.server import Api, ServerThread
from support.wait import wait_for

from arangorep.config import Config
from arangorep.follower.leader import Leader

LARGE_DOCUMENTS = 3000
CONFIG = {"requestTimeout": 0.7, "connectTimeout": 0.7, "connectionRetryWaitTime": 0.05}
DATABASES = ("_system", "d0")
RATE = 0.3
BUDGET = 6


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Leader._call.__kwdefaults__
    monkeypatch.setitem(defaults, "wait_s", 0.05)


@pytest.fixture
def leader(tmp_path: Path) -> Iterator[ServerThread]:
    with ServerThread(Config(tmp_path / "leader", port=0)) as running:
        prepare(running.url, DATABASES)
        fill(running.url, "d0", "large", LARGE_DOCUMENTS)
        yield running


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[ServerThread]:
    with ServerThread(Config(tmp_path / "follower", port=0)) as running:
        yield running


def settle(follower: str, leader: str, proxy: ChaosProxy) -> None:
    """Equal data, or an error and equal data once it was started again without faults."""
    goal = last_tick(leader)
    wait_for(lambda: has_failed(follower) or has_applied(state(follower), goal) or None)
    if has_failed(follower):
        proxy.heal()
        start_again(follower)
        wait_until_applied(follower, leader)
    assert differences(leader, follower) == [], proxy.happened


def wait_for_request(proxy: ChaosProxy, follower: str) -> None:
    """Return when the follower has asked once more, or has given up."""
    before = proxy.requests.total()
    wait_for(lambda: has_failed(follower) or proxy.requests.total() > before or None)


def run(
    leader: str,
    follower: str,
    seed: int,
    faults: tuple[Fault, ...],
    budget: int = BUDGET,
    *,
    plain: bool = False,
) -> None:
    """An initial synchronisation and then tailing, both with faults."""
    Load(leader, seed, DATABASES, only=KEEPS_DATABASES).steps(100)
    chaos = ChaosProxy(leader, seed, faults=faults, rate=RATE, budget=budget, plain=plain)
    with chaos as proxy:
        begin_to_follow(follower, proxy.url, **CONFIG)
        settle(follower, leader, proxy)
        assert proxy.requests["GET /_db/d0/_api/replication/dump"] > 5, "several chunks"
        proxy.harm(RATE, budget)
        load = Load(leader, seed + 1000, DATABASES, only=KEEPS_DATABASES)
        for _ in range(3):
            load.steps(50)
            wait_for_request(proxy, follower)
        settle(follower, leader, proxy)
        assert proxy.happened, "no fault at all"


@pytest.mark.parametrize("seed", range(20, 23), ids="seed{}".format)
def test_everything_at_once(leader: ServerThread, follower: ServerThread, seed: int) -> None:
    run(leader.url, follower.url, seed, tuple(Fault))


@pytest.mark.parametrize("fault", list(Fault), ids=lambda fault: fault.name)
def test_one_kind_of_fault(leader: ServerThread, follower: ServerThread, fault: Fault) -> None:
    budget = 2 if fault in (Fault.STALL, Fault.STALL_BODY) else BUDGET
    run(leader.url, follower.url, 40, (fault,), budget)


LOST = (Fault.CUT_BEFORE, Fault.CUT_HEAD, Fault.CUT_BODY, Fault.TRUNCATED, Fault.STALL_BODY)


@pytest.mark.parametrize("seed", [50], ids="seed{}".format)
def test_a_leader_without_extensions(
    leader: ServerThread, follower: ServerThread, seed: int
) -> None:
    """An ArangoDB goes on with a dump where its last answer ended, whether it arrived or not.

    So what arrives must arrive once: requests that are repeated on the way cannot be noticed.
    """
    run(leader.url, follower.url, seed, LOST, 4, plain=True)


# a request to an ArangoDB that arrives twice is what nobody can notice: it is not among these
@pytest.mark.parametrize(
    ("fault", "plain"),
    [
        (Fault.CUT_HEAD, False),
        (Fault.CUT_HEAD, True),
        (Fault.CUT_BODY, False),
        (Fault.CUT_BODY, True),
        (Fault.TWICE, False),
    ],
    ids=lambda value: {False: "arangorep", True: "arangodb"}.get(value, str(value)),
)
@pytest.mark.parametrize("chunk", ["from=[01]&", "from=[0-9]{2}"], ids=["first", "later"])
def test_no_chunk_of_a_dump_is_left_out(
    tmp_path: Path, follower: ServerThread, fault: Fault, chunk: str, plain: bool
) -> None:
    with ServerThread(Config(tmp_path / "leader", port=0)) as leader:
        fill(leader.url, "_system", "large", 1500)
        with Api(leader.url, "_system") as api:
            guid = api.get("/_api/collection/large/properties").json()["globallyUniqueId"]
        where = rf"/_api/replication/dump\?collection={quote(guid, safe='')}&.*{chunk}"
        chaos = ChaosProxy(
            leader.url, 60, faults=(fault,), rate=1, budget=1, where=where, plain=plain
        )
        with chaos as proxy:
            begin_to_follow(follower.url, proxy.url, **CONFIG)
            settle(follower.url, leader.url, proxy)
            assert len(proxy.happened) == 1
            assert proxy.requests["GET /_db/_system/_api/replication/dump"] > 4


def test_an_index_that_is_gone_goes_from_an_empty_collection_too(
    leader: ServerThread, follower: ServerThread
) -> None:
    begin_to_follow(follower.url, leader.url)
    with Api(leader.url, "d0") as api:
        body = {"type": "persistent", "fields": ["u"], "unique": True, "name": "gone"}
        assert api.post("/_api/index", body, collection="c1").status_code == 201
        wait_until_applied(follower.url, leader.url)
        stop_applier(follower.url)
        assert api.delete("/_api/index/c1/gone").status_code == 200
    with Api(follower.url, "_system") as api:
        body = {**QUICK, "endpoint": leader.url.replace("http:", "tcp:"), "incremental": True}
        answer = api.put("/_api/replication/sync", body, **GLOBAL)
        assert answer.status_code == 200, answer.text
    assert differences(leader.url, follower.url) == []


@pytest.mark.parametrize("seed", range(30, 32), ids="seed{}".format)
def test_an_incremental_synchronisation(
    leader: ServerThread, follower: ServerThread, seed: int
) -> None:
    """What a follower missed while it was stopped is found by trees, keys and revisions."""
    begin_to_follow(follower.url, leader.url)
    wait_until_applied(follower.url, leader.url)
    stop_applier(follower.url)
    Load(leader.url, seed, DATABASES, only=KEEPS_DATABASES).steps(150)
    with Api(leader.url, "d0") as api:
        keys = [f"f{number}" for number in range(seed, LARGE_DOCUMENTS, 7)]
        api.delete("/_api/document/large", keys[: len(keys) // 2])
        api.patch("/_api/document/large", [{"_key": key, "m": seed} for key in keys])
    with (
        ChaosProxy(leader.url, seed, rate=RATE, budget=BUDGET) as proxy,
        Api(follower.url, "_system") as api,
    ):
        body = {**QUICK, **CONFIG, "endpoint": proxy.url.replace("http:", "tcp:")}
        body["incremental"] = True
        answer = api.put("/_api/replication/sync", body, **GLOBAL)
        if answer.status_code != 200:
            assert answer.json()["errorNum"] in (600, 1400, 1401, 1402), answer.text
            proxy.heal()
            answer = api.put("/_api/replication/sync", body, **GLOBAL)
            assert answer.status_code == 200, f"{answer.text} {proxy.happened}"
        assert differences(leader.url, follower.url) == [], proxy.happened
