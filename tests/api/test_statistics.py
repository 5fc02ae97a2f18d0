"""`/_admin/statistics`, its description, and `/_api/engine/stats` (data-api 3)."""

from __future__ import annotations

import pytest
from support.server import Api, ServerThread, error_of

from arangorep.clock import ManualClock
from arangorep.rest.observation import BYTE_CUTS, TIME_CUTS_S

STATISTICS = "/_admin/statistics"
DESCRIPTION = "/_admin/statistics-description"


def test_the_description_fits_the_figures(system: Api) -> None:
    """What is described is there, what is there is described, of the type that is said."""
    described = system.get(DESCRIPTION).json()
    seen = system.get(STATISTICS).json()
    assert (described["error"], described["code"]) == (False, 200)
    assert (seen["error"], seen["code"], seen["enabled"]) == (False, 200, True)
    groups = {group["group"] for group in described["groups"]}
    assert groups == {"system", "client", "http", "server"}
    assert all(group["name"] and group["description"] for group in described["groups"])
    assert seen.keys() == {"time", "enabled", "error", "code"} | groups
    known = {(figure["group"], figure["identifier"]) for figure in described["figures"]}
    assert len(known) == len(described["figures"])
    assert known == {(group, name) for group in groups for name in seen[group]}
    for figure in described["figures"]:
        value = seen[figure["group"]][figure["identifier"]]
        assert figure["name"]
        assert figure["description"]
        assert figure["units"] in ("seconds", "bytes", "number", "percent")
        if figure["type"] == "distribution":
            assert value.keys() == {"sum", "count", "counts"}
            assert len(value["counts"]) == len(figure["cuts"]) + 1
            assert sum(value["counts"]) == value["count"]
        else:
            assert figure["type"] in ("current", "accumulated")
            assert "cuts" not in figure
            assert isinstance(value, (int, float))


def test_cuts_are_told(system: Api) -> None:
    figures = {f["identifier"]: f for f in system.get(DESCRIPTION).json()["figures"]}
    assert figures["requestTime"]["cuts"] == list(TIME_CUTS_S)
    assert figures["bytesSent"]["cuts"] == list(BYTE_CUTS)


def test_requests_are_counted(system: Api) -> None:
    before = system.get(STATISTICS).json()
    system.post("/_api/nothing")
    size = len(system.get("/_api/version").content)
    after = system.get(STATISTICS).json()
    # the first look counts as well, once it is answered
    grown = {name: after["http"][name] - before["http"][name] for name in after["http"]}
    assert {name: count for name, count in grown.items() if count} == {
        "requestsTotal": 3,
        "requestsGet": 2,
        "requestsPost": 1,
    }
    sent = [seen["client"]["bytesSent"] for seen in (before, after)]
    assert sent[1]["count"] - sent[0]["count"] == 3
    assert sent[1]["sum"] - sent[0]["sum"] > size
    times = [seen["client"]["requestTime"] for seen in (before, after)]
    assert times[1]["sum"] > times[0]["sum"]


def test_the_system_has_figures(system: Api) -> None:
    seen = system.get(STATISTICS).json()
    assert seen["system"].keys() == {
        *("minorPageFaults", "majorPageFaults", "userTime", "systemTime", "numberOfThreads"),
        *("residentSize", "residentSizePercent", "virtualSize"),
    }
    assert 0 < seen["system"]["residentSize"] < seen["system"]["virtualSize"]
    assert seen["system"]["residentSize"] < seen["server"]["physicalMemory"]
    assert seen["client"]["httpConnections"] >= 1


def test_time_and_uptime_are_the_clock(manual: tuple[ServerThread, ManualClock]) -> None:
    running, clock = manual
    running.call(lambda: clock.advance_s(2.5))
    with Api(running.url, "_system") as client:
        seen = client.get(STATISTICS).json()
    assert seen["time"] == 1_700_000_002.5
    assert seen["server"]["uptime"] == 2.5


def test_engine_stats(api: Api) -> None:
    before = api.get("/_api/engine/stats").json()
    assert before["rocksdb.block-cache-capacity"] == 64 * 1024 * 1024
    families = before.pop("columnFamilies")
    assert families.keys() == {"documents", "primary", "index", "log", "meta"}
    assert all(name.startswith("rocksdb.") and value >= 0 for name, value in before.items())
    keys = "rocksdb.estimate-num-keys"
    assert before[keys] == sum(figures[keys] for figures in families.values())
    api.create_collection("c")
    api.insert("c", [{}] * 20)
    after = api.get("/_api/engine/stats").json()["columnFamilies"]
    for family in ("documents", "primary", "log"):
        assert after[family][keys] - families[family][keys] >= 20


@pytest.mark.parametrize("path", [STATISTICS, DESCRIPTION, "/_api/engine/stats"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_figures_are_only_read(system: Api, path: str, method: str) -> None:
    assert error_of(system.request(method, path)) == (405, 405)


@pytest.mark.parametrize("path", [f"{STATISTICS}/http", f"{DESCRIPTION}/http"])
def test_there_is_nothing_below(system: Api, path: str) -> None:
    assert error_of(system.get(path)) == (404, 404)
    assert error_of(system.get("/_api/engine/stats/more")) == (400, 400)
