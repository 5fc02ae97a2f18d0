"""Metrics of replication: what leaders served, what followers did, how much log there is."""

from __future__ import annotations

from arangorep.rest.exposition import Labelled, Metrics, Read
from arangorep.rest.figures import Figures

MS = 1000
"""Milliseconds in a second: replication's times are counted in them."""


def _followed(name: str, factor: int = 1) -> Read:
    return lambda figures: figures.followed[name] * factor


def _active(figures: Figures) -> Labelled:
    appliers = figures.appliers().items()
    return [({"database": name}, int(applier.is_active)) for name, applier in appliers]


def _ticks_behind(figures: Figures) -> Labelled:
    appliers = figures.appliers().items()
    return [({"database": name}, figures.ticks_behind(applier)) for name, applier in appliers]


LEADER: Metrics = {
    "arangodb_replication_clients": (
        "Replication clients that are known, counted in each database.",
        lambda figures: figures.clients,
    ),
    "arangodb_replication_dump_requests_total": (
        "Answered requests to dump a part of a collection.",
        lambda figures: figures.counters.dump_requests,
    ),
    "arangodb_replication_cluster_inventory_requests_total": (
        "Answered requests for a clusterInventory.",
        lambda figures: figures.counters.cluster_inventory_requests,
    ),
    "arangorep_dump_bytes_total": (
        "Bytes of documents in answers to dump requests.",
        lambda figures: figures.counters.dump_bytes,
    ),
    "arangorep_tail_requests_total": (
        "Answered requests to read the operation log.",
        lambda figures: figures.counters.tail_requests,
    ),
    "arangorep_tail_bytes_total": (
        "Bytes of markers in answers to requests that read the operation log.",
        lambda figures: figures.counters.tail_bytes,
    ),
    "arangorep_batches": (
        "Replication batches, each of which holds a snapshot.",
        lambda figures: len(figures.services.batches),
    ),
}

FOLLOWER: Metrics = {
    "arangodb_replication_failed_connects_total": (
        "Requests to leaders that brought no usable answer.",
        _followed("failed_requests"),
    ),
    "arangodb_replication_tailing_requests_total": (
        "Answered requests for a leader's log.",
        _followed("fetches"),
    ),
    "arangodb_replication_tailing_request_time_total": (
        "Time spent waiting for leaders' logs, milliseconds.",
        _followed("fetch_time_s", MS),
    ),
    "arangodb_replication_tailing_apply_time_total": (
        "Time spent applying leaders' logs, milliseconds.",
        _followed("apply_time_s", MS),
    ),
    "arangodb_replication_tailing_markers_total": (
        "Markers of leaders' logs that were worked off.",
        _followed("events"),
    ),
    "arangodb_replication_tailing_removals_total": (
        "Removals in leaders' logs that were applied.",
        _followed("removals"),
    ),
    "arangorep_follower_requests_total": ("Requests sent to leaders.", _followed("requests")),
    "arangorep_follower_documents_total": (
        "Documents taken over from leaders, by synchronisations and from their logs.",
        _followed("documents"),
    ),
    "arangorep_follower_resyncs_total": (
        "Synchronisations that became necessary while following.",
        _followed("resyncs"),
    ),
    "arangorep_applier_active": (
        "Whether a database's applier copies or follows; '*' is the global one.",
        _active,
    ),
    "arangorep_applier_ticks_behind": (
        "Ticks of its leader's log that an applier which follows has not applied yet.",
        _ticks_behind,
    ),
}

LOG: Metrics = {
    "rocksdb_wal_sequence": (
        "Last tick of the operation log.",
        lambda figures: figures.log.last_tick,
    ),
    "rocksdb_wal_sequence_lower_bound": (
        "Tick from which a start after a crash would read the operation log again.",
        lambda figures: figures.store.trees_valid,
    ),
    "rocksdb_wal_released_tick_replication": (
        "Lowest tick that a replication client was served: what is above is kept for it.",
        lambda figures: figures.services.clients.needed_tick(),
    ),
    "rocksdb_live_wal_files": (
        "Segments of the operation log that are written to: always one.",
        lambda figures: 1,
    ),
    "rocksdb_live_wal_files_size": (
        "Bytes in the segment that is written to.",
        lambda figures: figures.log.open.size_bytes,
    ),
    "rocksdb_archived_wal_files": (
        "Closed segments of the operation log.",
        lambda figures: len(figures.log.segments),
    ),
    "rocksdb_archived_wal_files_size": (
        "Bytes in closed segments of the operation log.",
        lambda figures: figures.log.size_bytes - figures.log.open.size_bytes,
    ),
    "rocksdb_prunable_wal_files": (
        "Closed segments that the next pruning will drop.",
        lambda figures: figures.prunable_segments,
    ),
    "arangorep_log_bytes": (
        "Bytes of the operation log before compression.",
        lambda figures: figures.log.size_bytes,
    ),
    "arangorep_log_floor_tick": (
        "Last tick that was pruned: the operation log holds everything above.",
        lambda figures: figures.log.floor,
    ),
}
