"""`/_admin/metrics`: Prometheus text whose counters move when the thing happens (data-api 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.pair import Pair, fresh_pair, two_servers
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.clock import ManualClock
from arangorep.config import Config
from arangorep.leader.retention import Retention

PATH = "/_admin/metrics"
REQUESTS = "arangodb_http_request_statistics_"
CODES = "arangodb_http_response_code_total"
TIMES = "arangodb_client_connection_statistics_request_time"

EXPECTED = {
    *("arangodb_replication_clients", "arangodb_replication_dump_requests_total"),
    *("arangodb_replication_cluster_inventory_requests_total",),
    *("arangodb_replication_failed_connects_total",),
    *(
        f"arangodb_replication_tailing_{what}_total"
        for what in ("apply_time", "markers", "removals", "request_time", "requests")
    ),
    *("rocksdb_wal_sequence", "rocksdb_wal_sequence_lower_bound", "rocksdb_live_wal_files"),
    *("rocksdb_live_wal_files_size", "rocksdb_archived_wal_files", "rocksdb_prunable_wal_files"),
    *("rocksdb_archived_wal_files_size", "rocksdb_estimate_num_keys"),
    *("rocksdb_estimate_live_data_size", "rocksdb_live_sst_files_size"),
    *("rocksdb_total_sst_files_size", "rocksdb_cur_size_all_mem_tables"),
    *("rocksdb_block_cache_usage", "rocksdb_block_cache_capacity", "rocksdb_background_errors"),
    *("rocksdb_is_write_stopped", "rocksdb_actual_delayed_write_rate"),
    *("rocksdb_free_disk_space", "rocksdb_total_disk_space"),
    *("arangodb_metadata_number_of_databases", "arangodb_metadata_number_of_collections"),
    f"{REQUESTS}total_requests_total",
    CODES,
    *("arangodb_server_statistics_server_uptime_total", "arangodb_file_descriptors_current"),
    "arangodb_client_connection_statistics_client_connections",
    "arangodb_process_statistics_resident_set_size",
}
"""Names of data-api 3.1 that every server has a number for."""

Labels = frozenset[tuple[str, str]]


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self.samples: dict[str, dict[Labels, float]] = {}
        for family in self.families:
            for sample in family.samples:
                labels = dict(sample.labels)
                assert labels.pop("role") == "SINGLE", sample
                same_name = self.samples.setdefault(sample.name, {})
                assert frozenset(labels.items()) not in same_name, sample
                same_name[frozenset(labels.items())] = sample.value

    def __getitem__(self, name: str) -> float:
        """The value of a metric without labels."""
        (value,) = self.samples[name].values()
        return value

    def labelled(self, name: str, **labels: str) -> float:
        """The value with these labels; 0 when there is none."""
        return self.samples.get(name, {}).get(frozenset(labels.items()), 0)


def scrape(api: Api) -> Scrape:
    response = api.get(PATH)
    assert response.status_code == 200
    return Scrape(response.text)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Api]:
    """A server that nobody else sends requests to."""
    with (
        ServerThread(Config(tmp_path / "data", port=0)) as running,
        Api(running.url, "_system") as client,
    ):
        yield client


# -- form ----------------------------------------------------------------------------------------


def test_every_metric_is_described_and_has_the_right_type(system: Api) -> None:
    response = system.get(PATH)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    seen = Scrape(response.text)
    assert seen.families
    for family in seen.families:
        assert family.documentation, family.name
        assert family.samples, family.name
        names = {sample.name for sample in family.samples}
        if family.type == "histogram":
            assert names == {f"{family.name}{part}" for part in ("_bucket", "_sum", "_count")}
        else:
            (name,) = names
            assert family.type == ("counter" if name.endswith("_total") else "gauge"), name
            assert all(sample.value >= 0 for sample in family.samples), name


def test_the_documented_names_are_there(system: Api) -> None:
    assert EXPECTED - scrape(system).samples.keys() == set()


def test_both_versions_give_the_same_metrics(system: Api) -> None:
    plain, second = (Scrape(system.get(path).text) for path in (PATH, f"{PATH}/v2"))
    assert plain.samples.keys() == second.samples.keys()


def test_a_value_stands_apart_from_its_labels(system: Api) -> None:
    lines = [line for line in system.get(PATH).text.splitlines() if not line.startswith("#")]
    assert all(line.split(" ")[0].endswith("}") for line in lines)
    assert any(line.startswith('rocksdb_wal_sequence{role="SINGLE"} ') for line in lines)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_metrics_are_only_read(system: Api, method: str) -> None:
    assert error_of(system.request(method, PATH)) == (405, 405)


@pytest.mark.parametrize("rest", ["/v3", "/v2/more", "/v1"])
def test_there_is_nothing_else(system: Api, rest: str) -> None:
    assert error_of(system.get(PATH + rest)) == (404, 404)


# -- the leader's side ---------------------------------------------------------------------------


def test_dumps_count(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", [{"n": n} for n in range(10)])
    batch = api.create_batch()
    before = scrape(api)
    for _ in range(2):
        assert len(api.dump("c", batch)) == 10
    assert api.get("/_api/replication/dump", collection="c", batchId="1").status_code == 404
    after = scrape(api)
    name = "arangodb_replication_dump_requests_total"
    assert after[name] - before[name] == 2
    grown = after["arangorep_dump_bytes_total"] - before["arangorep_dump_bytes_total"]
    one = api.get(
        "/_api/replication/dump", collection="c", batchId=batch, useEnvelope="false"
    ).content
    assert grown == 2 * len(one)


def test_tailing_counts(api: Api) -> None:
    before = scrape(api)
    answers = [api.get("/_api/wal/tail", **{"from": 0}) for _ in range(3)]
    after = scrape(api)
    assert after["arangorep_tail_requests_total"] - before["arangorep_tail_requests_total"] == 3
    grown = after["arangorep_tail_bytes_total"] - before["arangorep_tail_bytes_total"]
    assert grown == sum(len(answer.content) for answer in answers) > 0


def test_cluster_inventories_count(api: Api) -> None:
    name = "arangodb_replication_cluster_inventory_requests_total"
    before = scrape(api)[name]
    assert api.get("/_api/replication/clusterInventory").status_code == 200
    assert scrape(api)[name] - before == 1


def test_batches_and_clients_come_and_go(alone: Api) -> None:
    def seen() -> tuple[float, float]:
        now = scrape(alone)
        return now["arangorep_batches"], now["arangodb_replication_clients"]

    assert seen() == (0, 0)
    first = alone.create_batch(serverId=7)
    second = alone.create_batch(serverId=8)
    assert seen() == (2, 2)
    assert scrape(alone)["rocksdb_wal_released_tick_replication"] > 0
    for batch in (first, second):
        alone.delete(f"/_api/replication/batch/{batch}")
    for client in (7, 8):
        alone.delete("/_api/wal/tail", serverId=client)
    assert seen() == (0, 0)
    assert "rocksdb_wal_released_tick_replication" not in scrape(alone).samples


def test_the_log_grows(api: Api) -> None:
    api.create_collection("c")
    before = scrape(api)
    api.insert("c", [{"text": "x" * 1000} for _ in range(100)])
    after = scrape(api)
    assert after["rocksdb_wal_sequence"] == int(api.get("/_api/wal/lastTick").json()["tick"])
    assert after["rocksdb_wal_sequence"] - before["rocksdb_wal_sequence"] >= 100
    assert after["arangorep_log_bytes"] - before["arangorep_log_bytes"] > 100_000


def test_segments_close_become_prunable_and_go(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0, retention=Retention(size_bytes=0))
    with ServerThread(config) as running, Api(running.url, "_system") as client:
        store = running.server.node.store
        client.create_collection("c")
        before = scrape(client)
        running.call(store.log.close_segment)
        after = scrape(client)
        assert after["rocksdb_archived_wal_files"] - before["rocksdb_archived_wal_files"] == 1
        assert after["rocksdb_archived_wal_files_size"] > before["rocksdb_archived_wal_files_size"]
        assert after["rocksdb_live_wal_files_size"] == 0
        assert after["rocksdb_prunable_wal_files"] == 0, "a restart still needs it for the trees"
        running.call(lambda: list(store.checkpoint_trees()))
        ready = scrape(client)
        assert ready["rocksdb_wal_sequence_lower_bound"] == ready["rocksdb_wal_sequence"]
        assert ready["rocksdb_prunable_wal_files"] == ready["rocksdb_archived_wal_files"]
        running.call(lambda: store.log.prune(store.trees_valid))
        pruned = scrape(client)
        assert pruned["rocksdb_archived_wal_files"] == 0
        assert pruned["arangorep_log_floor_tick"] == pruned["rocksdb_wal_sequence"]


# -- store and catalog ---------------------------------------------------------------------------


def test_catalog_and_store_are_counted(alone: Api) -> None:
    before = scrape(alone)
    assert before["arangodb_metadata_number_of_databases"] == 1
    listed = alone.get("/_api/collection").json()["result"]
    assert before["arangodb_metadata_number_of_collections"] == len(listed)
    alone.post("/_api/database", {"name": "d"})
    alone.create_collection("c")
    alone.insert("c", [{"n": n} for n in range(50)])
    after = scrape(alone)
    assert after["arangodb_metadata_number_of_databases"] == 2
    names = ("arangodb_metadata_number_of_collections", "arangorep_documents")
    assert all(after[name] > before[name] for name in names)
    assert after["arangorep_documents"] - before["arangorep_documents"] >= 50
    assert after["rocksdb_estimate_num_keys"] - before["rocksdb_estimate_num_keys"] >= 100
    assert after["rocksdb_cur_size_all_mem_tables"] > 0
    assert after["rocksdb_block_cache_capacity"] == 64 * 1024 * 1024
    assert after["rocksdb_free_disk_space"] <= after["rocksdb_total_disk_space"]
    assert after["rocksdb_live_sst_files_size"] == 0
    assert alone.put("/_admin/compact").status_code == 200
    assert scrape(alone)["rocksdb_live_sst_files_size"] > 0


# -- requests ------------------------------------------------------------------------------------


def test_requests_count_by_method_and_status(alone: Api) -> None:
    before = scrape(alone)
    alone.create_collection("c")
    alone.get("/_api/version")
    alone.request("HEAD", "/_api/version")
    alone.request("OPTIONS", "/_api/version")
    alone.put("/_admin/server/mode", {"mode": "default"})
    alone.patch("/_api/version")
    alone.delete("/_api/collection/c")
    alone.get("/_api/nothing")
    for method in ("PROPFIND", "PROPFIND", "SEARCH"):
        alone.request(method, "/_api/version")
    after = scrape(alone)

    def grown(name: str) -> float:
        return (
            after[f"{REQUESTS}{name}_requests_total"] - before[f"{REQUESTS}{name}_requests_total"]
        )

    # the first scrape is counted after it was answered
    expected = {"get": 3, "post": 1, "head": 1, "options": 1, "put": 1, "patch": 1, "delete": 1}
    assert {method: grown(f"http_{method}") for method in expected} == expected
    assert grown("other_http") == 3
    assert grown("total") == sum(expected.values()) + 3

    def answered(status: str) -> float:
        return after.labelled(CODES, code=status) - before.labelled(CODES, code=status)

    assert {status: answered(status) for status in ("200", "404", "405")} == {
        "200": 7,
        "404": 1,
        "405": 4,
    }
    assert sum(after.samples[CODES].values()) == after[f"{REQUESTS}total_requests_total"]


def test_jobs_count_as_such(alone: Api) -> None:
    name = f"{REQUESTS}async_requests_total"
    assert scrape(alone)[name] == 0
    for wanted in ("true", "store", "maybe"):
        alone.request("GET", "/_api/version", headers={"x-arango-async": wanted})
    assert scrape(alone)[name] == 2


def test_durations_and_sizes_are_histograms(alone: Api) -> None:
    sent = sum(len(alone.get("/_api/version").content) for _ in range(20))
    seen = scrape(alone)
    for name in (TIMES, "arangodb_client_connection_statistics_bytes_sent"):
        buckets = [
            (float(dict(labels)["le"]), value)
            for labels, value in seen.samples[f"{name}_bucket"].items()
        ]
        counts = [count for _, count in sorted(buckets)]
        assert counts == sorted(counts)
        assert counts[-1] == seen[f"{name}_count"] == 20
    assert seen[f"{TIMES}_sum"] > 0
    assert seen["arangodb_client_connection_statistics_bytes_sent_sum"] == sent


def test_a_long_answer_is_in_the_last_bucket(alone: Api) -> None:
    name = "arangodb_client_connection_statistics_bytes_sent_bucket"
    alone.get("/_api/version")
    alone.create_collection("c")
    alone.insert("c", {"_key": "k", "text": "x" * 20_000})
    plain = {"Accept-Encoding": "identity"}
    assert len(alone.request("GET", "/_api/document/c/k", headers=plain).content) > 20_000
    seen = scrape(alone)
    assert seen.labelled(name, le="+Inf") - seen.labelled(name, le="10000") == 1
    assert seen.labelled(name, le="250") >= 1


def test_connections_are_counted(alone: Api) -> None:
    name = "arangodb_client_connection_statistics_client_connections"
    assert scrape(alone)[name] == 1
    with Api(alone.url, "_system") as other:
        other.get("/_api/version")
        assert scrape(alone)[name] == 2
    wait_for(lambda: True if scrape(alone)[name] == 1 else None)


def test_the_process_has_figures(system: Api) -> None:
    seen = scrape(system)
    assert seen["arangodb_process_statistics_resident_set_size"] > 10_000_000
    assert 0 < seen["arangodb_process_statistics_resident_set_size_percent"] < 1
    assert seen["arangodb_process_statistics_number_of_threads"] >= 2
    assert seen["arangodb_file_descriptors_current"] > 3
    assert seen["arangodb_process_statistics_user_time"] > 0


def test_uptime_is_the_clock(manual: tuple[ServerThread, ManualClock]) -> None:
    running, clock = manual
    name = "arangodb_server_statistics_server_uptime_total"
    with Api(running.url, "_system") as client:
        assert scrape(client)[name] == 0
        running.call(lambda: clock.advance_s(1.25))
        assert scrape(client)[name] == 1.25


# -- the follower's side -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[ServerThread, ServerThread]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def pair(servers: tuple[ServerThread, ServerThread]) -> Iterator[Pair]:
    with fresh_pair(*servers) as made:
        yield made


def test_a_follower_counts_what_it_does(pair: Pair) -> None:
    pair.leader.create_collection("c")
    pair.leader.insert("c", [{"_key": f"k{n}"} for n in range(5)])
    before = scrape(pair.follower)
    pair.follow()
    pair.catch_up()
    copied = scrape(pair.follower)
    pair.leader.insert("c", [{"n": n} for n in range(7)])
    pair.leader.delete("/_api/document/c/k0")
    state = pair.catch_up()
    after = scrape(pair.follower)

    def grown(name: str) -> float:
        return after[name] - before[name]

    prefix = "arangodb_replication_tailing_"
    assert grown(f"{prefix}removals_total") == state["totalRemovals"] == 1
    assert grown(f"{prefix}markers_total") == state["totalEvents"] >= 8
    assert grown("arangorep_follower_documents_total") == state["totalDocuments"] == 12
    assert (
        grown(f"{prefix}requests_total")
        > copied[f"{prefix}requests_total"] - before[f"{prefix}requests_total"]
    )
    assert grown(f"{prefix}request_time_total") > 0
    assert grown(f"{prefix}apply_time_total") > 0
    assert grown("arangorep_follower_requests_total") >= state["totalRequests"] > 0
    here = {"database": pair.follower.database}
    assert after.labelled("arangorep_applier_active", **here) == 1
    assert frozenset(here.items()) in after.samples["arangorep_applier_ticks_behind"]
    pair.stop()
    stopped = scrape(pair.follower)
    assert stopped.labelled("arangorep_applier_active", **here) == 0
    behind = stopped.samples.get("arangorep_applier_ticks_behind", {})
    assert frozenset(here.items()) not in behind


def test_totals_never_fall(pair: Pair) -> None:
    """An applier that is forgotten starts anew; what it did is still counted."""
    pair.leader.create_collection("c")
    pair.leader.insert("c", [{}] * 5)
    name = "arangorep_follower_documents_total"
    pair.follow()
    pair.catch_up()
    before = scrape(pair.follower)[name]
    pair.done("DELETE", "applier-state")
    assert pair.state()["totalDocuments"] == 0
    assert scrape(pair.follower)[name] == before
    pair.leader.insert("c", [{}] * 3)
    pair.follow()
    pair.catch_up()
    again = pair.state()["totalDocuments"]
    assert again >= 3
    assert scrape(pair.follower)[name] == before + again


def test_failed_requests_to_a_leader_count(pair: Pair) -> None:
    name = "arangodb_replication_failed_connects_total"
    before = scrape(pair.follower)[name]
    refused = pair.call("PUT", "sync", pair.config(database="nope"))
    assert refused.status_code >= 400
    failed = pair.state()["totalFailedConnects"]
    assert scrape(pair.follower)[name] - before == failed


def test_a_database_name_is_escaped_in_a_label(servers: tuple[ServerThread, ServerThread]) -> None:
    name = 'say "hi" \\ there'
    leader, follower = servers
    with follower.fresh_database(name) as here, Api(leader.url, "_system") as there:
        pair = Pair(leader, follower, there, here)
        pair.done("PUT", "applier-config", pair.config())
        seen = scrape(here)
        assert frozenset({("database", name)}) in seen.samples["arangorep_applier_active"]
