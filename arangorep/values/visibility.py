"""Which collections replication speaks of: system collections have rules of their own.

A leader applies them to inventory and tail, a follower to what it is offered.
Source: leader-api 3 and 7.6, follower 2.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

ALWAYS_HIDDEN_PREFIX: Final = "_statistics"
ALWAYS_HIDDEN: Final = frozenset({"_routing"})
FOXX_QUEUES: Final = frozenset({"_jobs", "_queues"})

Filter = Callable[[str], bool]


def system_filter(*, include_system: bool, include_foxx_queues: bool) -> Filter:
    """Which collection names inventory and tail show."""

    def shows(name: str) -> bool:
        if not name.startswith("_"):
            return True
        if name.startswith(ALWAYS_HIDDEN_PREFIX) or name in ALWAYS_HIDDEN:
            return False
        return include_system and (include_foxx_queues or name not in FOXX_QUEUES)

    return shows
