"""How far the log may be pruned (leader-api 8.5)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from arangorep.clock import ManualClock
from arangorep.leader.clients import ClientIdentity, ReplicationClients
from arangorep.leader.retention import Retention, prune_log, prune_tick
from arangorep.storage.log import Segment
from arangorep.storage.store import Store

NOW_US = 1_000_000_000
SEGMENTS = [(10, 900), (20, 500), (30, 200), (40, 0)]
"""Last tick, and age in seconds; each has 100 bytes. The open one has 5 more."""


def store(trees_valid: int = 1000, floor: int = 0) -> Store:
    """As much of a store as the decision needs."""
    segments = [
        Segment(last - 10, last, 100, NOW_US - age_s * 1_000_000) for last, age_s in SEGMENTS
    ]
    log = SimpleNamespace(segments=segments, size_bytes=405, floor=floor, pruned=[])

    def prune(up_to: int) -> int:
        log.pruned.append(up_to)
        return max([floor, *(s.last for s in segments if s.last <= up_to)])

    log.prune = prune
    return cast("Store", SimpleNamespace(log=log, trees_valid=trees_valid))


def clients(*ticks: int) -> ReplicationClients:
    table = ReplicationClients(ManualClock())
    for number, tick in enumerate(ticks, 1):
        table.track(number, ClientIdentity(server_id=number), tick, 60)
    return table


@pytest.mark.parametrize(
    ("age_s", "ticks", "expected"),
    [
        (10_000, (), 0),
        (900, (), 0),
        (899, (), 10),
        (300, (), 20),
        (-1, (), 40),
        (300, (1000,), 20),
        (300, (20,), 20),
        (300, (19,), 10),
        (300, (1000, 10), 10),
        (300, (1000, 9), 0),
        (300, (0,), 0),
        (10_000, (1000,), 0),
    ],
)
def test_age_prunes_what_no_client_needs(
    age_s: float, ticks: tuple[int, ...], expected: int
) -> None:
    keep = Retention(size_bytes=10**9, age_s=age_s)
    assert prune_tick(store(), clients(*ticks), keep, NOW_US) == expected


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(405, 0), (404, 10), (306, 10), (305, 10), (304, 20), (105, 30), (5, 40), (0, 40)],
)
def test_size_prunes_even_what_clients_need(size_bytes: int, expected: int) -> None:
    keep = Retention(size_bytes=size_bytes, age_s=10**6)
    for ticks in ((), (0,), (15,)):
        assert prune_tick(store(), clients(*ticks), keep, NOW_US) == expected


@pytest.mark.parametrize(("trees_valid", "expected"), [(0, 0), (5, 5), (15, 15), (40, 40)])
def test_what_the_trees_need_always_stays(trees_valid: int, expected: int) -> None:
    keep = Retention(size_bytes=0, age_s=-1)
    assert prune_tick(store(trees_valid), clients(), keep, NOW_US) == expected


def test_pruning_says_whether_anything_went() -> None:
    keep = Retention(size_bytes=10**9, age_s=300)
    full, pruned = store(), store(floor=20)
    assert prune_log(full, clients(), keep, NOW_US) is True
    assert prune_log(pruned, clients(), keep, NOW_US) is False
    assert prune_log(store(), clients(0), keep, NOW_US) is False
    assert prune_log(store(trees_valid=5), clients(), keep, NOW_US) is False
    assert cast("Any", full.log).pruned == [20]
    assert cast("Any", pruned.log).pruned == []
