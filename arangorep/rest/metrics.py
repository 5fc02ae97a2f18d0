"""`GET /_admin/metrics` and `/_admin/metrics/v2`: what can be counted (data-api 3.1).

Names are those of a real server where this one has the same figure; the others begin with
`arangorep_`. What is not known is left out together with its name.
"""

from __future__ import annotations

from arangorep.errors import HttpNotFound
from arangorep.protocol import headers
from arangorep.rest.admin import allow
from arangorep.rest.answer import Answer
from arangorep.rest.context import Request
from arangorep.rest.exposition import Labelled, Metrics, Read, render
from arangorep.rest.figures import Figures
from arangorep.rest.observation import OTHER_METHOD
from arangorep.rest.replication.metrics import FOLLOWER, LEADER, LOG


def _engine(name: str) -> Read:
    return lambda figures: figures.engine.get(f"rocksdb.{name}")


def _requests(*methods: str) -> Read:
    return lambda figures: figures.counters.requests(*methods)


def _responses(figures: Figures) -> Labelled:
    responses = figures.counters.responses().items()
    return [({"code": str(status)}, count) for status, count in responses]


STORE: Metrics = {
    "rocksdb_estimate_num_keys": (
        "Keys in the store, as RocksDB estimates: documents, indexes, log and catalog.",
        _engine("estimate-num-keys"),
    ),
    "rocksdb_estimate_live_data_size": (
        "Bytes of live data in files, as RocksDB estimates.",
        _engine("estimate-live-data-size"),
    ),
    "rocksdb_live_sst_files_size": (
        "Bytes of files that the newest state needs.",
        _engine("live-sst-files-size"),
    ),
    "rocksdb_total_sst_files_size": (
        "Bytes of files, also of those that only a snapshot needs.",
        _engine("total-sst-files-size"),
    ),
    "rocksdb_cur_size_all_mem_tables": (
        "Bytes in memory tables that are not in files yet.",
        _engine("cur-size-all-mem-tables"),
    ),
    "rocksdb_block_cache_usage": ("Bytes in the block cache.", _engine("block-cache-usage")),
    "rocksdb_block_cache_capacity": (
        "Bytes that the block cache may hold.",
        _engine("block-cache-capacity"),
    ),
    "rocksdb_background_errors": (
        "Errors of RocksDB's background work.",
        _engine("background-errors"),
    ),
    "rocksdb_is_write_stopped": (
        "Whether RocksDB takes no writes at the moment.",
        _engine("is-write-stopped"),
    ),
    "rocksdb_actual_delayed_write_rate": (
        "Bytes a second to which RocksDB slows writes down; 0 is no limit.",
        _engine("actual-delayed-write-rate"),
    ),
    "rocksdb_free_disk_space": (
        "Free bytes of the file system with the data directory.",
        lambda figures: figures.disk_space[0],
    ),
    "rocksdb_total_disk_space": (
        "Bytes of the file system with the data directory.",
        lambda figures: figures.disk_space[1],
    ),
    "arangodb_metadata_number_of_databases": (
        "Databases.",
        lambda figures: len(list(figures.store.catalog.databases)),
    ),
    "arangodb_metadata_number_of_collections": (
        "Collections of all databases.",
        lambda figures: len(list(figures.store.catalog.collections)),
    ),
    "arangorep_documents": ("Documents of all collections.", lambda figures: figures.documents),
}

HTTP: Metrics = {
    "arangodb_http_request_statistics_total_requests_total": ("Requests.", _requests()),
    "arangodb_http_request_statistics_async_requests_total": (
        "Requests that were turned into jobs.",
        lambda figures: figures.counters.async_requests,
    ),
    **{
        f"arangodb_http_request_statistics_http_{method.lower()}_requests_total": (
            f"Requests with the method {method}.",
            _requests(method),
        )
        for method in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
    },
    "arangodb_http_request_statistics_other_http_requests_total": (
        "Requests with a method that HTTP does not define for this server.",
        _requests(OTHER_METHOD),
    ),
    "arangodb_http_response_code_total": ("Answers by status.", _responses),
    "arangodb_client_connection_statistics_client_connections": (
        "Clients that are connected.",
        lambda figures: figures.connections,
    ),
    "arangodb_client_connection_statistics_request_time": (
        "Time from a request's head to its answer, before that is sent, seconds.",
        lambda figures: figures.counters.request_times,
    ),
    "arangodb_client_connection_statistics_bytes_sent": (
        "Sizes of answers without their heads, bytes.",
        lambda figures: figures.counters.body_bytes,
    ),
    "arangorep_loop_held_max_seconds": (
        "Longest time that the event loop was held, since the monitor was last reset.",
        lambda figures: figures.services.loop_monitor.held_max_s,
    ),
    "arangorep_loop_held_seconds_total": (
        "Time that the event loop was held.",
        lambda figures: figures.services.loop_monitor.held_total_s,
    ),
}

PROCESS: Metrics = {
    "arangodb_server_statistics_server_uptime_total": (
        "Seconds since the start.",
        lambda figures: figures.uptime_s,
    ),
    "arangodb_server_statistics_physical_memory": (
        "Bytes of the machine's memory.",
        lambda figures: figures.physical_memory,
    ),
    "arangodb_file_descriptors_current": (
        "Open file descriptors.",
        lambda figures: figures.process.open_files,
    ),
    "arangodb_process_statistics_resident_set_size": (
        "Bytes of this process in memory.",
        lambda figures: figures.process.resident_bytes,
    ),
    "arangodb_process_statistics_resident_set_size_percent": (
        "The same as a part of the machine's memory, 0 to 1.",
        lambda figures: figures.resident_share,
    ),
    "arangodb_process_statistics_virtual_memory_size": (
        "Bytes of addresses of this process.",
        lambda figures: figures.process.virtual_bytes,
    ),
    "arangodb_process_statistics_number_of_threads": (
        "Threads of this process.",
        lambda figures: figures.process.threads,
    ),
    "arangodb_process_statistics_user_time": (
        "Processor time in user mode, seconds.",
        lambda figures: figures.process.user_time_s,
    ),
    "arangodb_process_statistics_system_time": (
        "Processor time in the kernel, seconds.",
        lambda figures: figures.process.system_time_s,
    ),
    "arangodb_process_statistics_minor_page_faults_total": (
        "Page faults without reading from a disk.",
        lambda figures: figures.process.minor_page_faults,
    ),
    "arangodb_process_statistics_major_page_faults_total": (
        "Page faults that read from a disk.",
        lambda figures: figures.process.major_page_faults,
    ),
}

METRICS: Metrics = {**LEADER, **FOLLOWER, **LOG, **STORE, **HTTP, **PROCESS}


async def handle(request: Request) -> Answer:
    """`GET metrics[/v2]`: the same text in both. Errors: 404/404, 405/405."""
    if request.parts not in ([], ["v2"]):
        raise HttpNotFound
    allow(request, "GET")
    text = render(METRICS, Figures(request.services))
    return Answer(200, [text.encode()], headers.TEXT)
