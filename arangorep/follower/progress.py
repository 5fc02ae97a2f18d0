"""`Progress`: what an applier has done and does now, as `applier-state` shows it.

Ticks are persisted with the data they belong to (`TickState`); the counters begin with the server.
Source: follower 6.8 and 7.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from arangorep.clock import Clock, iso_time
from arangorep.codec import msgpack
from arangorep.errors import ArangoError

INACTIVE, INITIAL, RUNNING, SHUTDOWN = "inactive", "initial", "running", "shutdown"


@dataclass(slots=True)
class TickState:
    """Whom this follower follows and how far it has come; 0 is unknown.

    `initial` is set while an initial synchronisation has not been finished: a restart goes on
    with it instead of tailing. Up to the tick `settled` definitions here may be newer than the log.
    """

    server_id: int = 0
    applied: int = 0
    initial: bool = False
    settled: int = 0

    def pack(self) -> bytes:
        return msgpack.pack([self.server_id, self.applied, self.initial, self.settled])

    @staticmethod
    def unpack(row: bytes) -> TickState:
        return TickState(*msgpack.unpack(row))


@dataclass(slots=True)
class CollectionProgress:
    """How far the synchronisation of one collection is; numbers of documents and bytes."""

    name: str
    expected: int = 0
    documents: int = 0
    bytes: int = 0
    done: bool = False

    def describe(self) -> dict[str, Any]:
        """The form in `applier-state`."""
        return {
            "name": self.name,
            "expected": self.expected,
            "documents": self.documents,
            "bytes": self.bytes,
            "done": self.done,
        }


@dataclass(slots=True)
class Progress:
    """Counters, message and last error of one applier."""

    clock: Clock
    phase: str = INACTIVE
    started: str = ""
    available: int = 0
    """The leader's last tick, as far as known."""
    message: str = ""
    message_time: str = ""
    failed_connects: int = 0
    requests: int = 0
    failed_requests: int = 0
    events: int = 0
    documents: int = 0
    removals: int = 0
    resyncs: int = 0
    excluded: int = 0
    apply_time_s: float = 0.0
    applies: int = 0
    fetch_time_s: float = 0.0
    fetches: int = 0
    error: ArangoError | None = None
    error_time: str = ""
    collections: dict[str, CollectionProgress] = field(default_factory=dict)
    """By globallyUniqueId, while an initial synchronisation runs and after it."""

    def tell(self, message: str) -> None:
        """Say what happens now."""
        self.message = message
        self.message_time = self._now()

    def fail(self, error: ArangoError) -> None:
        """Keep the error that ended the run."""
        self.error, self.error_time = error, self._now()

    def clear_error(self) -> None:
        """Forget the last error."""
        self.error, self.error_time = None, ""

    def _now(self) -> str:
        return iso_time(self.clock.wall_us())

    def describe(self, ticks: TickState) -> dict[str, Any]:
        """The `state` member of `applier-state`."""
        behind = {}
        if self.phase == RUNNING:
            behind["ticksBehind"] = max(0, self.available - ticks.applied)
        progress: dict[str, Any] = {"time": self.message_time}
        if self.message:
            progress["message"] = self.message
        progress["failedConnects"] = self.failed_connects
        if self.collections:
            progress["collections"] = [c.describe() for c in self.collections.values()]
        applied = _tick(ticks.applied)
        return {
            "started": self.started,
            "running": self.phase == RUNNING,
            "phase": self.phase,
            "lastAppliedContinuousTick": applied,
            "lastProcessedContinuousTick": applied,
            "lastAvailableContinuousTick": _tick(self.available),
            "safeResumeTick": applied,
            **behind,
            "progress": progress,
            "totalRequests": self.requests,
            "totalFailedConnects": self.failed_requests,
            "totalEvents": self.events,
            "totalDocuments": self.documents,
            "totalRemovals": self.removals,
            "totalResyncs": self.resyncs,
            "totalOperationsExcluded": self.excluded,
            "totalApplyTime": self.apply_time_s,
            "averageApplyTime": self.apply_time_s / max(self.applies, 1),
            "totalFetchTime": self.fetch_time_s,
            "averageFetchTime": self.fetch_time_s / max(self.fetches, 1),
            "lastError": self._describe_error(),
            "time": self._now(),
        }

    def _describe_error(self) -> dict[str, Any]:
        if self.error is None:
            return {"errorNum": 0}
        described = {"errorNum": self.error.error_num, "time": self.error_time}
        return (
            {**described, "errorMessage": self.error.message} if self.error.message else described
        )


def _tick(tick: int) -> str | None:
    return str(tick) if tick else None
