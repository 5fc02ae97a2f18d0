"""`Progress` and `TickState`: the state document (follower 7.3) and what is kept (6.8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.clock import ManualClock, iso_time
from arangorep.errors import NoResponse, StartTickNotPresent
from arangorep.follower.progress import (
    INACTIVE,
    INITIAL,
    RUNNING,
    SHUTDOWN,
    CollectionProgress,
    Progress,
    TickState,
)

TICKS = [
    "lastAppliedContinuousTick",
    "lastProcessedContinuousTick",
    "lastAvailableContinuousTick",
    "safeResumeTick",
]
COUNTERS = {
    "requests": "totalRequests",
    "failed_requests": "totalFailedConnects",
    "events": "totalEvents",
    "documents": "totalDocuments",
    "removals": "totalRemovals",
    "resyncs": "totalResyncs",
    "excluded": "totalOperationsExcluded",
    "apply_time_s": "totalApplyTime",
    "fetch_time_s": "totalFetchTime",
}
U64 = st.integers(0, 2**64 - 1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def progress(clock: ManualClock) -> Progress:
    return Progress(clock)


def now(clock: ManualClock) -> str:
    return iso_time(clock.wall_us())


def test_before_the_first_run(progress: Progress, clock: ManualClock) -> None:
    assert list(progress.describe(TickState()).items()) == [
        ("started", ""),
        ("running", False),
        ("phase", "inactive"),
        ("lastAppliedContinuousTick", None),
        ("lastProcessedContinuousTick", None),
        ("lastAvailableContinuousTick", None),
        ("safeResumeTick", None),
        ("progress", {"time": "", "failedConnects": 0}),
        ("totalRequests", 0),
        ("totalFailedConnects", 0),
        ("totalEvents", 0),
        ("totalDocuments", 0),
        ("totalRemovals", 0),
        ("totalResyncs", 0),
        ("totalOperationsExcluded", 0),
        ("totalApplyTime", 0),
        ("averageApplyTime", 0),
        ("totalFetchTime", 0),
        ("averageFetchTime", 0),
        ("lastError", {"errorNum": 0}),
        ("time", now(clock)),
    ]


@pytest.mark.parametrize("phase", [INACTIVE, INITIAL, RUNNING, SHUTDOWN])
def test_only_tailing_is_running(progress: Progress, phase: str) -> None:
    progress.phase = phase
    state = progress.describe(TickState(applied=5))
    assert state["phase"] == phase
    assert state["running"] is (phase == "running")
    assert ("ticksBehind" in state) is (phase == "running")


@pytest.mark.parametrize(
    ("available", "applied", "behind"), [(130, 123, 7), (5, 5, 0), (4, 5, 0), (0, 0, 0)]
)
def test_how_far_it_is_behind(
    progress: Progress, available: int, applied: int, behind: int
) -> None:
    progress.phase, progress.available = RUNNING, available
    state = progress.describe(TickState(applied=applied))
    assert state["ticksBehind"] == behind
    expected = {name: str(applied) if applied else None for name in TICKS}
    expected["lastAvailableContinuousTick"] = str(available) if available else None
    assert {name: state[name] for name in TICKS} == expected


@pytest.mark.parametrize("attribute", COUNTERS)
def test_counters(progress: Progress, attribute: str) -> None:
    setattr(progress, attribute, 7)
    state = progress.describe(TickState())
    assert {name: state[name] for name in COUNTERS.values()} == {
        name: 7 if COUNTERS[attribute] == name else 0 for name in COUNTERS.values()
    }


def test_averages(progress: Progress) -> None:
    progress.apply_time_s, progress.applies = 6.0, 4
    progress.fetch_time_s, progress.fetches = 9.0, 2
    state = progress.describe(TickState())
    assert (state["averageApplyTime"], state["averageFetchTime"]) == (1.5, 4.5)


def test_what_happens_now(progress: Progress, clock: ManualClock) -> None:
    progress.failed_connects = 3
    progress.tell("fetching")
    said = now(clock)
    clock.advance_s(100)
    state = progress.describe(TickState())
    assert state["progress"] == {"time": said, "message": "fetching", "failedConnects": 3}
    assert state["time"] == now(clock) != said


def test_collections_are_shown_while_there_are_any(progress: Progress) -> None:
    progress.collections["guid"] = CollectionProgress("c", 10, 5, 300)
    assert progress.describe(TickState())["progress"]["collections"] == [
        {"name": "c", "expected": 10, "documents": 5, "bytes": 300, "done": False}
    ]


def test_the_last_error(progress: Progress, clock: ManualClock) -> None:
    progress.fail(StartTickNotPresent("gone"))
    failed = now(clock)
    clock.advance_s(100)
    expected = {"errorNum": 1414, "time": failed, "errorMessage": "gone"}
    assert progress.describe(TickState())["lastError"] == expected
    progress.fail(NoResponse(""))
    assert progress.describe(TickState())["lastError"] == {"errorNum": 1400, "time": now(clock)}
    progress.clear_error()
    assert progress.describe(TickState())["lastError"] == {"errorNum": 0}


@given(server_id=U64, applied=U64, initial=st.booleans())
def test_what_is_kept_comes_back(server_id: int, applied: int, initial: bool) -> None:
    ticks = TickState(server_id, applied, initial)
    row = ticks.pack()
    assert isinstance(row, bytes)
    assert TickState.unpack(row) == ticks


def test_nothing_is_known_at_first() -> None:
    assert TickState() == TickState(server_id=0, applied=0, initial=False)
