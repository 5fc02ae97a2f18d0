"""Transfers: what runs is told, ends when asked to, and is forgotten in time."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from threading import Event

import pytest
from support.wait import wait_in_loop

from arangorep.backup.archive import Stopped
from arangorep.backup.transfer import Progress
from arangorep.backup.transfers import Direction, Transfers
from arangorep.clock import ManualClock
from arangorep.errors import BackupConflict, HttpNotFound
from arangorep.limits import TRANSFERS_AT_ONCE, TRANSFERS_KEPT

UP = Direction.UPLOAD


def transfers() -> Transfers:
    numbers = count(1)
    return Transfers(ManualClock(), lambda: next(numbers))


def until_stopped(progress: Progress) -> None:
    assert progress.stop.wait(30)
    raise Stopped


def nothing(progress: Progress) -> None:
    pass


async def ended(known: Transfers, number: str) -> str:
    """The state it ends with."""

    def look() -> str | None:
        state: str = known.status(UP, number)["DBServers"]["SNGL"]["Status"]
        return None if state == "STARTED" else state

    return await wait_in_loop(look)


async def test_stopping_ends_what_runs_and_what_waits() -> None:
    known = transfers()
    numbers = [known.start(UP, "b", Path(str(n)), until_stopped) for n in range(5)]
    await known.stop()
    assert [await ended(known, number) for number in numbers] == ["CANCELLED"] * 5
    assert not known.is_copied("b")


async def test_some_run_at_once_and_the_others_wait() -> None:
    known, running, most, go_on = transfers(), [0], [0], Event()

    def work(progress: Progress) -> None:
        running[0] += 1
        most[0] = max(most[0], running[0])
        go_on.wait(30)
        running[0] -= 1

    numbers = [known.start(UP, "b", Path(str(n)), work) for n in range(5)]
    await wait_in_loop(lambda: running[0] == TRANSFERS_AT_ONCE or None)
    go_on.set()
    assert [await ended(known, number) for number in numbers] == ["COMPLETED"] * 5
    assert most[0] == TRANSFERS_AT_ONCE


async def test_old_ones_are_forgotten_and_running_ones_are_not() -> None:
    known = transfers()
    first = known.start(UP, "a", Path("first"), until_stopped)
    last = ""
    for n in range(TRANSFERS_KEPT + 5):
        last = known.start(UP, "b", Path(str(n)), nothing)
        await ended(known, last)
    assert known.status(UP, first)["BackupId"] == "a"
    assert known.status(UP, last)["BackupId"] == "b"
    with pytest.raises(HttpNotFound):
        known.status(UP, "2")
    await known.stop()


async def test_too_many() -> None:
    known = transfers()
    for n in range(TRANSFERS_KEPT):
        known.start(UP, "b", Path(str(n)), until_stopped)
    with pytest.raises(BackupConflict):
        known.start(UP, "b", Path("one more"), until_stopped)
    await known.stop()


@pytest.mark.parametrize(
    ("fault", "number"), [(OSError(28, "No space"), 7005), (BackupConflict("x"), 7011)]
)
async def test_errors_are_told(fault: Exception, number: int) -> None:
    def fail(progress: Progress) -> None:
        raise fault

    known = transfers()
    started = known.start(UP, "b", Path("x"), fail)
    assert await ended(known, started) == "FAILED"
    assert known.status(UP, started)["DBServers"]["SNGL"]["Error"] == number
