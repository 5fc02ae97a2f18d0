"""How far the log may be pruned: clients, age, size and the trees decide (leader-api 8.5)."""

from __future__ import annotations

from dataclasses import dataclass

from arangorep.leader.clients import ReplicationClients
from arangorep.limits import LOG_RETENTION_BYTES_DEFAULT, LOG_RETENTION_S_DEFAULT
from arangorep.storage.store import Store


@dataclass(frozen=True, slots=True)
class Retention:
    """Bounds of the log. `size_bytes` wins over clients, clients win over `age_s`."""

    size_bytes: int = LOG_RETENTION_BYTES_DEFAULT
    age_s: float = LOG_RETENTION_S_DEFAULT


def prune_tick(
    store: Store, clients: ReplicationClients, retention: Retention, wall_us: int
) -> int:
    """The highest tick that nobody needs any more; 0 when everything must stay.

    Without clients the log is kept for `age_s`. What a restart needs for the revision trees is
    always kept.
    """
    log = store.log
    needed = clients.needed_tick()
    oldest_us = wall_us - round(retention.age_s * 1_000_000)
    excess = log.size_bytes - retention.size_bytes
    limit = 0
    for segment in log.segments:
        too_much = excess > 0
        too_old = segment.closed_us < oldest_us and (needed is None or segment.last <= needed)
        if not (too_much or too_old):
            break
        limit = segment.last
        excess -= segment.size_bytes
    return min(limit, store.trees_valid)


def prune_log(
    store: Store,
    clients: ReplicationClients,
    retention: Retention,
    wall_us: int,
    archived: int | None = None,
) -> bool:
    """Drop what `prune_tick` allows; returns whether anything was dropped.

    Where the log is archived, nothing goes that is not yet (`archived` is the last tick that is).
    """
    floor = store.log.floor
    limit = prune_tick(store, clients, retention, wall_us)
    if archived is not None:
        limit = min(limit, archived)
    return limit > floor and store.log.prune(limit) > floor
