"""What a server counts and knows about itself, for the endpoints that show it.

Counting happens where the event is: requests in `dispatch`, dumps and tails in their handlers.
Everything else is looked up when somebody asks (`figures`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from arangorep.follower.totals import FollowerTotals
from arangorep.leader.retention import Retention
from arangorep.rest.answer import Answer
from arangorep.rest.log_book import LogBook

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER_METHOD = "OTHER"

TIME_CUTS_S = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Upper ends of the intervals in which a real server counts durations."""

BYTE_CUTS = (250, 1_000, 2_000, 5_000, 10_000)
"""The same for sizes."""


class Distribution:
    """Numbers counted by interval. An interval holds its upper end; the last one has none.

    `Counters.answered` counts.
    """

    __slots__ = ("counts", "cuts", "total")

    def __init__(self, cuts: Sequence[float]) -> None:
        self.cuts = cuts
        self.counts = [0] * (len(cuts) + 1)
        self.total: float = 0

    @property
    def count(self) -> int:
        """How many numbers there were."""
        return sum(self.counts)

    def cumulated(self) -> list[int]:
        """For each cut how many numbers do not exceed it, and last how many there are."""
        return list(accumulate(self.counts))


class Counters:
    """What has happened since the server started."""

    __slots__ = (
        "answers",
        "async_requests",
        "body_bytes",
        "cluster_inventory_requests",
        "dump_bytes",
        "dump_requests",
        "request_times",
        "tail_bytes",
        "tail_requests",
    )

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int], int] = defaultdict(int)
        """Requests by method and status."""
        self.request_times = Distribution(TIME_CUTS_S)
        self.body_bytes = Distribution(BYTE_CUTS)
        self.async_requests = 0
        self.dump_requests = 0
        self.dump_bytes = 0
        self.tail_requests = 0
        self.tail_bytes = 0
        self.cluster_inventory_requests = 0

    def answered(self, method: str, answer: Answer, seconds: float) -> None:
        """Count one request: its answer, and how long that took to make.

        Every request comes by here, so the usual ones go the short way: half a microsecond.
        """
        pieces = answer.pieces
        size_bytes = len(pieces[0]) if len(pieces) == 1 else answer.length
        times, sizes = self.request_times, self.body_bytes
        times.total += seconds
        times.counts[0 if seconds <= TIME_CUTS_S[0] else bisect_left(TIME_CUTS_S, seconds)] += 1
        sizes.total += size_bytes
        sizes.counts[0 if size_bytes <= BYTE_CUTS[0] else bisect_left(BYTE_CUTS, size_bytes)] += 1
        kind = method, answer.status
        if kind not in self.answers and method not in METHODS:
            kind = OTHER_METHOD, answer.status  # clients can make up methods: no keys of theirs
        self.answers[kind] += 1

    def dumped(self, size_bytes: int) -> None:
        """Count one answered request to dump."""
        self.dump_requests += 1
        self.dump_bytes += size_bytes

    def tailed(self, size_bytes: int) -> None:
        """Count one answered request to tail."""
        self.tail_requests += 1
        self.tail_bytes += size_bytes

    def requests(self, *methods: str) -> int:
        """Requests with these methods; of all without any."""
        wanted = methods or (*METHODS, OTHER_METHOD)
        return sum(n for (method, _), n in self.answers.items() if method in wanted)

    def responses(self) -> Mapping[int, int]:
        """Answers by status."""
        found: dict[int, int] = {}
        for (_, status), count in self.answers.items():
            found[status] = found.get(status, 0) + count
        return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Option:
    """An option the server runs with. Secrets never become one."""

    name: str
    value: str | int | float | bool
    description: str


@dataclass(slots=True)
class Observation:
    """Everything the observing endpoints need beyond the services themselves."""

    log_book: LogBook
    started_us: int
    """Monotonic clock, microseconds."""
    data_directory: Path
    retention: Retention = field(default_factory=Retention)
    options: Sequence[Option] = ()
    counters: Counters = field(default_factory=Counters)
    followed: FollowerTotals = field(default_factory=FollowerTotals)
    structured_log: dict[str, bool] = field(default_factory=dict)
    """What clients have asked to see in the log, by name."""
    connections: Callable[[], int] | None = None
    """How many clients are connected; None while there is no network."""
