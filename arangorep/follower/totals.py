"""`FollowerTotals`: what all appliers together have done since the server started.

An applier's `Progress` begins anew when the applier is forgotten or its database is dropped, but a
total must never fall. So a progress that was seen once is kept until it is replaced, and what it
held then is added for good.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from arangorep.follower.appliers import Appliers
from arangorep.follower.progress import Progress

COUNTED = (
    "requests",
    "failed_requests",
    "events",
    "documents",
    "removals",
    "resyncs",
    "apply_time_s",
    "fetch_time_s",
    "fetches",
)
"""The members of `Progress` that only grow."""


@dataclass(slots=True)
class FollowerTotals:
    """Sums over the appliers that exist and those that are gone."""

    _past: Counter[str] = field(default_factory=Counter)
    _known: dict[int, Progress] = field(default_factory=dict)
    """By identity; the value keeps it from being taken for another one later."""

    def read(self, appliers: Appliers) -> dict[str, float]:
        """The sums now, by the names in `COUNTED`."""
        current = [applier.progress for applier in (appliers.whole, *appliers.all().values())]
        known = {id(progress): progress for progress in current}
        for identity, progress in self._known.items():
            if identity not in known:
                _add(self._past, progress)
        self._known = known
        totals = self._past.copy()
        for progress in current:
            _add(totals, progress)
        return {name: totals[name] for name in COUNTED}


def _add(sums: Counter[str], progress: Progress) -> None:
    for name in COUNTED:
        sums[name] += getattr(progress, name)
