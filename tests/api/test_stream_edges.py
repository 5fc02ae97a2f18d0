"""Stream transactions at their edges: preconditions, jobs, races, bounds (data-api 6 and 10.1)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.config import Config
from arangorep.data import streams

MANY = 20_000


def begin(api: Api, *write: str, **declared: Any) -> str:
    body = {"collections": {"write": list(write), **declared}}
    response = api.post("/_api/transaction/begin", body)
    assert response.status_code == 201, response.text
    return response.json()["result"]["id"]


def end(api: Api, method: str, transaction: str) -> requests.Response:
    return api.request(method, f"/_api/transaction/{transaction}")


def within(
    api: Api, transaction: str, method: str, path: str, body: Any = None, **headers: str
) -> requests.Response:
    given = {"x-arango-trx-id": transaction, **headers}
    return api.request(method, path, body, headers=given)


@pytest.fixture
def c(api: Api) -> Iterator[Api]:
    api.create_collection("c")
    api.insert("c", [{"_key": key, "n": key} for key in "abc"])
    yield api
    for transaction in api.get("/_api/transaction").json()["transactions"]:
        end(api, "DELETE", transaction["id"])


def count(api: Api) -> int:
    return api.get("/_api/collection/c/count").json()["count"]


# -- what goes with a write ------------------------------------------------------------------------


def test_preconditions_see_the_own_changes(c: Api) -> None:
    transaction = begin(c, "c")
    path = "/_api/document/c/a"
    before = c.get(path).json()["_rev"]
    after = within(c, transaction, "PATCH", path, {"m": 1}, **{"If-Match": before}).json()["_rev"]
    for method in ("PUT", "PATCH", "DELETE"):
        refused = within(c, transaction, method, path, {}, **{"If-Match": before})
        assert error_of(refused) == (412, 1200)
        assert refused.json()["_rev"] == after
    assert within(c, transaction, "GET", path, **{"If-Match": after}).status_code == 200
    assert within(c, transaction, "GET", path, **{"If-None-Match": after}).status_code == 304
    assert within(c, transaction, "GET", path, **{"If-Match": before}).status_code == 412
    removed = within(c, transaction, "DELETE", f"{path}?returnOld=true", **{"If-Match": after})
    assert removed.json()["old"]["m"] == 1
    assert c.get(path).json()["_rev"] == before
    end(c, "PUT", transaction)
    assert error_of(c.get(path)) == (404, 1202)


def test_overwrite_modes_with_old_and_new(c: Api) -> None:
    transaction = begin(c, "c")

    def post(key: str, mode: str) -> requests.Response:
        path = f"/_api/document/c?overwriteMode={mode}&returnOld=true&returnNew=true"
        return within(c, transaction, "POST", path, {"_key": key, "m": mode})

    for key in ("a", "new"):
        if key == "new":
            assert post(key, "ignore").json()["new"]["m"] == "ignore"
        updated = post(key, "update").json()
        assert updated["new"].get("n") == (key if key == "a" else None)
        assert updated["_oldRev"] == updated["old"]["_rev"]
        replaced = post(key, "replace").json()
        assert replaced["old"] == updated["new"]
        assert "n" not in replaced["new"]
        assert "new" not in post(key, "ignore").json()
        assert error_of(post(key, "conflict")) == (409, 1210)
    silent = within(c, transaction, "POST", "/_api/document/c?silent=true", [{"_key": "s"}])
    assert silent.json() == {}
    end(c, "PUT", transaction)
    assert c.get("/_api/document/c/new").json()["m"] == "replace"
    assert count(c) == 5


def test_a_job_is_part_of_it(c: Api) -> None:
    transaction = begin(c, "c")
    store = {"x-arango-async": "store"}
    started = within(c, transaction, "POST", "/_api/document/c", {"_key": "job"}, **store)
    job = started.headers["x-arango-async-id"]
    answer = wait_for(lambda: fetched(c, job))
    assert answer.status_code == 202
    assert count(c) == 3
    end(c, "PUT", transaction)
    assert count(c) == 4
    late = within(c, transaction, "POST", "/_api/document/c", {"_key": "late"}, **store)
    assert wait_for(lambda: fetched(c, late.headers["x-arango-async-id"])).status_code == 404
    assert count(c) == 4


def fetched(api: Api, job: str) -> requests.Response | None:
    response = api.put(f"/_api/job/{job}")
    return response if "x-arango-async-id" in response.headers else None


@pytest.mark.parametrize("text", ["", "-1", "1.5", "0x1", "1 2", "²", "٣", "true"])
def test_ids_that_are_no_numbers(c: Api, text: str) -> None:
    header: dict[str, Any] = {"x-arango-trx-id": text.encode()}
    response = c.request("GET", "/_api/document/c/a", headers=header)
    assert error_of(response) == (400, 10)


@pytest.mark.parametrize("text", ["0", "9" * 19, "9" * 40, "9" * 5000, "18446744073709551616"])
def test_ids_of_no_transaction(c: Api, text: str) -> None:
    assert error_of(within(c, text, "GET", "/_api/document/c/a")) == (404, 1655)


@pytest.mark.parametrize("seconds", ["1e308", "900", "0", "0.001"])
@pytest.mark.parametrize("size", ["1e308", "0", "18446744073709551615"])
def test_numbers_of_a_declaration(c: Api, seconds: str, size: str) -> None:
    body = f'{{"collections":{{}},"lockTimeout":{seconds},"maxTransactionSize":{size}}}'
    assert c.post("/_api/transaction/begin", body).status_code == 201


# -- races -----------------------------------------------------------------------------------------


def while_writing(api: Api, transaction: str, act: Callable[[], Any]) -> tuple[Any, Any]:
    """Do something while a large array is written into the transaction; both answers."""
    answers: list[requests.Response] = []

    def write() -> None:
        with Api(api.url, api.database) as other:
            documents = [{"_key": f"k{n}"} for n in range(MANY)]
            path = "/_api/document/c?silent=true"
            answers.append(within(other, transaction, "POST", path, documents))

    writer = threading.Thread(target=write)
    writer.start()
    wait_for(lambda: inside(api, transaction) > 3 or None)
    found = act()
    writer.join(60)
    return answers[0], found


def inside(api: Api, transaction: str) -> int:
    response = within(api, transaction, "GET", "/_api/collection/c/count")
    return response.json().get("count", MANY)


def test_a_commit_waits_for_a_write_in_flight(c: Api) -> None:
    transaction = begin(c, "c")
    written, committed = while_writing(c, transaction, lambda: end(c, "PUT", transaction))
    assert (written.status_code, committed.status_code) == (202, 200)
    assert count(c) == 3 + MANY


def test_an_abort_waits_for_a_write_in_flight(c: Api) -> None:
    before = c.get("/_api/wal/lastTick").json()["tick"]
    transaction = begin(c, "c")
    written, aborted = while_writing(c, transaction, lambda: end(c, "DELETE", transaction))
    assert (written.status_code, aborted.status_code) == (202, 200)
    assert count(c) == 3
    assert c.tail(before) == []
    assert c.insert("c", {"_key": "k7"})["_key"] == "k7"


def test_a_drop_while_a_write_is_in_flight(c: Api) -> None:
    transaction = begin(c, "c")
    within(c, transaction, "GET", "/_api/document/c/a")
    written, dropped = while_writing(c, transaction, lambda: c.delete("/_api/collection/c"))
    assert (written.status_code, dropped.status_code) == (202, 200)
    assert end(c, "PUT", transaction).status_code in (400, 409)


def test_many_wait_for_a_collection(c: Api) -> None:
    transaction = begin(c, exclusive=["c"])
    statuses: list[int] = []

    def own() -> None:
        with Api(c.url, c.database) as other:
            mine = begin(other, exclusive="c")
            number = inside(other, mine)
            within(other, mine, "PATCH", "/_api/document/c/a", {"n": number})
            within(other, mine, "POST", "/_api/document/c", {})
            statuses.append(end(other, "PUT", mine).status_code)

    def write() -> None:
        with Api(c.url, c.database) as other:
            statuses.append(other.post("/_api/document/c", {}).status_code)

    waiting = [threading.Thread(target=work) for work in (own, write) * 15]
    for one in waiting:
        one.start()
    assert statuses == []
    end(c, "DELETE", transaction)
    for one in waiting:
        one.join(60)
    assert sorted(statuses) == [200] * 15 + [202] * 15
    assert count(c) == 33


# -- bounds ----------------------------------------------------------------------------------------


def test_too_many(c: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_MAX", 5)
    begun = [begin(c, "c") for _ in range(5)]
    body = {"collections": {"write": "c"}}
    assert error_of(c.post("/_api/transaction/begin", body)) == (400, 32)
    assert c.insert("c", {"_key": "x"})["_key"] == "x"
    end(c, "DELETE", begun[0])
    begin(c, "c")


def test_ended_ones_are_forgotten(c: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS_REMEMBERED", 3)
    running = begin(c, "c")
    ended = []
    for _ in range(5):
        ended.append(begin(c, "c"))
        end(c, "PUT", ended[-1])
    begin(c, "c")
    assert error_of(end(c, "GET", ended[0])) == (404, 1655)
    assert end(c, "GET", ended[-1]).json()["result"]["status"] == "committed"
    assert end(c, "GET", running).json()["result"]["status"] == "running"


# -- what is not right yet -------------------------------------------------------------------------


def test_a_transaction_that_a_drop_has_ended_claims_nothing(c: Api) -> None:
    c.create_collection("d")
    c.insert("d", {"_key": "k"})
    transaction = begin(c, "c", "d")
    within(c, transaction, "PATCH", "/_api/document/c/a", {"n": 1})
    within(c, transaction, "GET", "/_api/document/d/k")
    c.delete("/_api/collection/d")
    assert c.get("/_api/transaction").json()["transactions"] == []
    assert c.patch("/_api/document/c/a", {"n": 2}).status_code == 202


@pytest.mark.parametrize("how", ["collection", "parameter"])
def test_a_commit_after_writes_with_wait_for_sync_waits(tmp_path: Path, how: str) -> None:
    config = Config(tmp_path / "data", port=0, sync_interval_ms=1_000_000)
    with ServerThread(config) as server, Api(server.url, "_system") as api:
        api.create_collection("c", waitForSync=how == "collection")
        transaction = begin(api, "c")
        path = "/_api/document/c" + ("?waitForSync=true" if how == "parameter" else "")
        assert within(api, transaction, "POST", path, {}).status_code in (201, 202)
        store = server.server.node.store
        assert end(api, "PUT", transaction).status_code == 200
        assert not server.call(lambda: store.unsynced)


def test_nothing_is_committed_in_read_only_mode(c: Api, system: Api) -> None:
    transaction = begin(c, "c")
    within(c, transaction, "POST", "/_api/document/c", {})
    system.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        assert error_of(end(c, "PUT", transaction)) == (403, 1004)
        assert count(c) == 3
    finally:
        system.put("/_admin/server/mode", {"mode": "default"})


def test_a_complete_import_that_fails_leaves_nothing(c: Api) -> None:
    transaction = begin(c, "c")
    lines = '{"_key":"x"}\n{"_key":"x"}\n'
    path = "/_api/import?collection=c&type=documents&complete=true"
    assert error_of(within(c, transaction, "POST", path, lines)) == (409, 1210)
    end(c, "PUT", transaction)
    assert error_of(c.get("/_api/document/c/x")) == (404, 1202)


def test_a_claimed_account_does_not_fail_a_drop(system: Api) -> None:
    system.create_collection("d")
    system.post("/_api/user", {"user": "claimed"})
    system.put("/_api/user/claimed/database/_system/d", {"grant": "ro"})
    accounts = system.dump("_users", system.create_batch())
    [key] = [one["_key"] for one in accounts if one["user"] == "claimed"]
    transaction = begin(system, "_users")
    within(system, transaction, "PATCH", f"/_api/document/_users/{key}", {"x": 1})
    try:
        dropped = system.delete("/_api/collection/d")
        exists = system.get("/_api/collection/d").status_code == 200
        assert (dropped.status_code == 200) is not exists
    finally:
        end(system, "DELETE", transaction)
        system.delete("/_api/collection/d")
        system.delete("/_api/user/claimed")
