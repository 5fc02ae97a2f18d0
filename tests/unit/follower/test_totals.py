"""Totals over all appliers never fall."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from arangorep.clock import ManualClock
from arangorep.follower.appliers import Appliers
from arangorep.follower.progress import Progress
from arangorep.follower.totals import COUNTED, FollowerTotals


class Some:
    """Appliers by name, as far as totals look at them."""

    def __init__(self) -> None:
        self.whole = SimpleNamespace(progress=Progress(ManualClock()))
        self.named: dict[str, Any] = {}

    def all(self) -> dict[str, Any]:
        return self.named

    def add(self, name: str) -> Progress:
        progress = Progress(ManualClock())
        self.named[name] = SimpleNamespace(progress=progress)
        return progress


def read(totals: FollowerTotals, some: Some) -> dict[str, float]:
    return totals.read(cast(Appliers, some))


def test_every_counter_is_summed_over_all_appliers() -> None:
    totals, some = FollowerTotals(), Some()
    assert read(totals, some) == dict.fromkeys(COUNTED, 0)
    one, other = some.add("one"), some.add("other")
    for number, name in enumerate(COUNTED):
        setattr(one, name, number)
        setattr(other, name, 100)
        setattr(some.whole.progress, name, 1000)
    assert read(totals, some) == {name: 1100 + n for n, name in enumerate(COUNTED)}


def test_what_a_gone_applier_did_stays() -> None:
    totals, some = FollowerTotals(), Some()
    progress = some.add("one")
    progress.documents = 5
    assert read(totals, some)["documents"] == 5
    progress.documents = 9  # after the last look
    some.add("one").documents = 1
    for _ in range(2):
        assert read(totals, some)["documents"] == 10
    some.named.clear()
    for _ in range(2):
        assert read(totals, some)["documents"] == 10
