"""Stream transactions (data-api 10.1): isolation, claims, commit, abort, time-out, markers."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.clock import ManualClock

NUMBERS = {"a": 1, "b": 2, "c": 3}


def begin(api: Api, *write: str, **body: Any) -> str:
    response = api.post(
        "/_api/transaction/begin",
        {"collections": {"write": list(write), **body.pop("collections", {})}, **body},
    )
    assert response.status_code == 201, response.text
    answer = response.json()
    assert answer["result"]["status"] == "running"
    return answer["result"]["id"]


class In:
    """Requests that are part of a transaction."""

    def __init__(self, api: Api, transaction: str) -> None:
        self.api, self.headers = api, {"x-arango-trx-id": transaction}

    def __getattr__(self, method: str) -> Any:
        def send(path: str, body: Any = None, **params: Any) -> requests.Response:
            return self.api.request(method.upper(), path, body, params=params, headers=self.headers)

        return send


def end(api: Api, method: str, transaction: str) -> requests.Response:
    return api.request(method, f"/_api/transaction/{transaction}")


@pytest.fixture
def c(api: Api) -> Api:
    api.create_collection("c")
    api.insert("c", [{"_key": key, "n": n} for key, n in NUMBERS.items()])
    return api


def keys(api: Api) -> set[str]:
    return {d["_key"] for d in api.dump("c", api.create_batch())}


def test_begin_look_commit(c: Api) -> None:
    transaction = begin(c, "c")
    inside = In(c, transaction)
    shown = c.get(f"/_api/transaction/{transaction}").json()
    assert shown["result"] == {"id": transaction, "status": "running"}
    assert c.get("/_api/transaction").json() == {
        "transactions": [{"id": transaction, "state": "running"}]
    }
    assert inside.post("/_api/document/c", {"_key": "x", "n": 9}).status_code == 202
    assert c.get("/_api/document/c/x").status_code == 404
    assert inside.get("/_api/document/c/x").json()["n"] == 9
    assert inside.get("/_api/collection/c/count").json()["count"] == 4
    assert c.get("/_api/collection/c/count").json()["count"] == 3
    answer = end(c, "PUT", transaction)
    assert answer.json() == {
        "error": False, "code": 200, "result": {"id": transaction, "status": "committed"},
    }  # fmt: skip
    assert c.get("/_api/document/c/x").json()["n"] == 9
    assert end(c, "PUT", transaction).status_code == 200
    assert error_of(end(c, "DELETE", transaction)) == (400, 1653)
    assert c.get("/_api/transaction").json() == {"transactions": []}


def test_abort_leaves_nothing(c: Api) -> None:
    before = c.get("/_api/wal/lastTick").json()["tick"]
    transaction = begin(c, "c")
    inside = In(c, transaction)
    inside.post("/_api/document/c", [{"_key": str(n)} for n in range(50)])
    inside.delete("/_api/document/c/a")
    inside.put("/_api/collection/c/truncate")
    assert inside.get("/_api/collection/c/count").json()["count"] == 0
    assert end(c, "DELETE", transaction).json()["result"]["status"] == "aborted"
    assert end(c, "DELETE", transaction).status_code == 200
    assert error_of(end(c, "PUT", transaction)) == (400, 1653)
    assert error_of(inside.get("/_api/document/c/a")) == (410, 1654)
    assert keys(c) == {"a", "b", "c"}
    assert c.tail(before) == []
    assert c.post("/_api/document/c", {"_key": "7"}).status_code == 202


def test_reads_see_the_snapshot_and_own_changes(c: Api) -> None:
    transaction = begin(c, "c")
    inside = In(c, transaction)
    c.put("/_api/document/c/a", {"n": 100})
    c.delete("/_api/document/c/b")
    c.insert("c", {"_key": "new"})
    assert inside.get("/_api/document/c/a").json()["n"] == 1
    assert inside.get("/_api/document/c/b").json()["n"] == 2
    assert error_of(inside.get("/_api/document/c/new")) == (404, 1202)
    inside.patch("/_api/document/c/c", {"m": 1})
    found = inside.put("/_api/document/c?onlyget=1", ["a", "c", "new"]).json()
    assert [d.get("n") for d in found] == [1, 3, None]
    assert found[1]["m"] == 1
    assert inside.get("/_api/collection/c/count").json()["count"] == 3
    inside.delete("/_api/document/c/c")
    assert error_of(inside.get("/_api/document/c/c")) == (404, 1202)
    assert inside.post("/_api/document/c", {"_key": "c", "again": True}).status_code == 202
    assert end(c, "PUT", transaction).status_code == 200
    assert c.get("/_api/document/c/c").json()["again"] is True
    assert keys(c) == {"a", "c", "new"}


def test_a_document_that_changed_since_is_not_written(c: Api) -> None:
    transaction = begin(c, "c")
    inside = In(c, transaction)
    c.put("/_api/document/c/a", {"n": 100})
    c.delete("/_api/document/c/b")
    c.insert("c", {"_key": "new"})
    for response in (
        inside.put("/_api/document/c/a", {}),
        inside.patch("/_api/document/c/a", {"n": 5}),
        inside.delete("/_api/document/c/a"),
        inside.delete("/_api/document/c/b"),
        inside.post("/_api/document/c", {"_key": "new"}),
    ):
        assert error_of(response) in ((409, 1200), (409, 1210)), response.text
    # the transaction goes on
    assert inside.patch("/_api/document/c/c", {"n": 5}).status_code == 202
    assert end(c, "PUT", transaction).status_code == 200
    assert c.get("/_api/document/c/a").json()["n"] == 100
    assert c.get("/_api/document/c/c").json()["n"] == 5


def test_a_claimed_document_is_not_written_by_others(c: Api) -> None:
    first, second = begin(c, "c"), begin(c, "c")
    In(c, first).patch("/_api/document/c/a", {"n": 5})
    In(c, first).post("/_api/document/c", {"_key": "x"})
    for who in (c, In(c, second)):
        for response in (
            who.patch("/_api/document/c/a", {"n": 6}),
            who.delete("/_api/document/c/a"),
            who.post("/_api/document/c", {"_key": "x"}),
            who.post("/_api/document/c", {"_key": "a"}, overwrite=True),
        ):
            assert error_of(response)[1] == 1200, response.text
    items = c.post("/_api/document/c", [{"_key": f"y{n}"} for n in range(20)] + [{"_key": "x"}])
    assert [i.get("errorNum") for i in items.json()][-1] == 1200
    assert c.get("/_api/document/c/y7").status_code == 200
    end(c, "DELETE", first)
    assert c.patch("/_api/document/c/a", {"n": 7}).status_code == 202
    end(c, "DELETE", second)


def test_unique_values_are_claimed_too(c: Api) -> None:
    c.post("/_api/index", {"type": "persistent", "fields": ["n"], "unique": True}, collection="c")
    transaction = begin(c, "c")
    inside = In(c, transaction)
    assert inside.post("/_api/document/c", {"_key": "x", "n": 9}).status_code == 202
    assert error_of(inside.post("/_api/document/c", {"_key": "y", "n": 9})) == (409, 1210)
    assert error_of(inside.post("/_api/document/c", {"_key": "y", "n": 1})) == (409, 1210)
    assert error_of(c.post("/_api/document/c", {"_key": "z", "n": 9})) == (409, 1200)
    assert inside.patch("/_api/document/c/a", {"n": 10}).status_code == 202
    assert inside.patch("/_api/document/c/b", {"n": 1}).status_code == 202
    assert end(c, "PUT", transaction).status_code == 200
    assert error_of(c.post("/_api/document/c", {"n": 9})) == (409, 1210)
    assert error_of(c.post("/_api/document/c", {"n": 10})) == (409, 1210)
    assert c.post("/_api/document/c", {"n": 2}).status_code == 202


def test_the_log_shows_one_group_at_the_commit(c: Api) -> None:
    c.create_collection("d")
    before = c.get("/_api/wal/lastTick").json()["tick"]
    transaction = begin(c, "c", "d")
    inside = In(c, transaction)
    inside.post("/_api/document/c", {"_key": "x"})
    c.insert("d", {"_key": "between"})
    inside.post("/_api/document/d", {"_key": "y"})
    inside.delete("/_api/document/c/a")
    end(c, "PUT", transaction)
    markers = c.tail(before)
    assert [m["type"] for m in markers] == [2300, 2200, 2300, 2300, 2302, 2201]
    assert [m["data"]["_key"] for m in markers if "data" in m] == ["between", "x", "y", "a"]
    assert {m["tid"] for m in markers[1:]} == {markers[1]["tid"]}
    ticks = [int(m["tick"]) for m in markers]
    assert ticks == sorted(ticks)


def test_an_empty_transaction_logs_nothing(c: Api) -> None:
    before = c.get("/_api/wal/lastTick").json()["tick"]
    transaction = begin(c, "c")
    assert end(c, "PUT", transaction).status_code == 200
    assert c.tail(before) == []


def test_what_was_not_declared(c: Api) -> None:
    c.create_collection("d")
    c.insert("d", {"_key": "k"})
    transaction = begin(c, "c", collections={"read": "d"})
    inside = In(c, transaction)
    assert inside.get("/_api/document/d/k").status_code == 200
    assert error_of(inside.post("/_api/document/d", {})) == (400, 1652)
    c.create_collection("e")
    assert error_of(inside.get("/_api/collection/e/count")) == (404, 1203)
    end(c, "DELETE", transaction)
    transaction = begin(c, "c", allowImplicit=False)
    assert error_of(In(c, transaction).get("/_api/document/d/k")) == (400, 1652)
    assert In(c, transaction).get("/_api/document/c/a").status_code == 200
    end(c, "DELETE", transaction)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, (400, 10)),
        ([], (400, 10)),
        ({}, (400, 10)),
        ({"collections": []}, (400, 10)),
        ({"collections": {"write": 5}}, (400, 10)),
        ({"collections": {"read": [1]}}, (400, 10)),
        ({"collections": {}, "lockTimeout": -1}, (400, 10)),
        ({"collections": {}, "lockTimeout": "x"}, (400, 10)),
        ({"collections": {}, "maxTransactionSize": True}, (400, 10)),
        ({"collections": {"write": "nope"}}, (404, 1203)),
        (b"{", (400, 600)),
    ],
)
def test_what_does_not_begin(c: Api, body: Any, expected: tuple[int, int]) -> None:
    assert error_of(c.post("/_api/transaction/begin", body)) == expected
    assert c.get("/_api/transaction").json() == {"transactions": []}


def test_ids_that_are_none(c: Api) -> None:
    for method in ("GET", "PUT", "DELETE"):
        assert error_of(end(c, method, "123456")) == (404, 1655)
        assert error_of(end(c, method, "abc")) == (400, 10)
    assert error_of(In(c, "123456").get("/_api/document/c/a")) == (404, 1655)
    assert error_of(In(c, "x").post("/_api/document/c", {})) == (400, 10)
    assert error_of(c.post("/_api/transaction", {"action": "x"})) == (501, 9)
    assert error_of(c.post("/_api/transaction/begin/more", {})) == (404, 404)
    assert error_of(c.patch("/_api/transaction/1", {})) == (405, 405)
    transaction = begin(c, "c")
    with Api(c.url, "_system") as system:
        assert error_of(end(system, "GET", transaction)) == (404, 1655)
        listed = system.get("/_api/transaction").json()["transactions"]
        assert {"id": transaction, "state": "running"} in listed
    end(c, "DELETE", transaction)


def test_an_idle_transaction_is_aborted(manual: tuple[ServerThread, ManualClock]) -> None:
    server, clock = manual
    with server.fresh_database() as api:
        api.create_collection("c")
        transaction = begin(api, "c")
        inside = In(api, transaction)
        inside.post("/_api/document/c", {"_key": "a"})
        clock.advance_s(59)
        assert inside.get("/_api/document/c/a").status_code == 200
        clock.advance_s(59)
        assert inside.get("/_api/document/c/a").status_code == 200
        clock.advance_s(61)
        assert error_of(inside.get("/_api/document/c/a")) == (410, 1654)
        assert api.get(f"/_api/transaction/{transaction}").json()["result"]["status"] == "aborted"
        assert api.insert("c", {"_key": "a"})["_key"] == "a"
        transaction = begin(api, "c")
        clock.advance_s(61)
        wait_for(lambda: not api.get("/_api/transaction").json()["transactions"] or None)


def test_a_collection_to_itself(c: Api) -> None:
    transaction = begin(c, collections={"exclusive": ["c"]})
    done: list[int] = []

    def write() -> None:
        with Api(c.url, c.database) as other:
            done.append(other.post("/_api/document/c", {"_key": "late"}).status_code)

    writer = threading.Thread(target=write)
    writer.start()
    response = c.post(
        "/_api/transaction/begin", {"collections": {"write": "c"}, "lockTimeout": 0.05}
    )
    assert error_of(response) == (500, 18)
    assert c.get("/_api/document/c/a").status_code == 200
    assert In(c, transaction).post("/_api/document/c", {"_key": "first"}).status_code == 202
    assert done == []
    end(c, "PUT", transaction)
    writer.join(30)
    assert done == [202]
    assert {"first", "late"} <= keys(c)


def test_indexes_wait_for_transactions(c: Api) -> None:
    transaction = begin(c, "c")
    In(c, transaction).post("/_api/document/c", {"_key": "x", "n": 1})
    statuses: list[int] = []

    def create() -> None:
        with Api(c.url, c.database) as other:
            body = {"type": "persistent", "fields": ["n"], "unique": True}
            statuses.append(other.post("/_api/index", body, collection="c").status_code)

    creator = threading.Thread(target=create)
    creator.start()
    assert In(c, transaction).delete("/_api/document/c/a").status_code == 202
    assert statuses == []
    end(c, "PUT", transaction)
    creator.join(30)
    assert statuses == [201]


def test_dropping_a_collection_ends_its_transactions(c: Api) -> None:
    transaction = begin(c, "c")
    inside = In(c, transaction)
    inside.get("/_api/document/c/a")
    inside.post("/_api/document/c", {"_key": "x"})
    c.delete("/_api/collection/c")
    c.create_collection("c")
    assert error_of(end(c, "PUT", transaction)) in ((400, 1653), (409, 1200))
    assert c.get("/_api/collection/c/count").json()["count"] == 0


def test_generated_keys_are_never_given_twice(api: Api) -> None:
    api.create_collection("c", keyOptions={"type": "autoincrement"})
    transaction = begin(api, "c")
    mine = [In(api, transaction).post("/_api/document/c", {}).json()["_key"] for _ in range(3)]
    others = [api.insert("c", {})["_key"] for _ in range(3)]
    assert not set(mine) & set(others)
    assert end(api, "PUT", transaction).status_code == 200
    assert keys(api) == {*mine, *others}


def test_imports_and_arrays_are_part_of_it(c: Api) -> None:
    transaction = begin(c, "c")
    inside = In(c, transaction)
    lines = "\n".join(f'{{"_key":"i{n}"}}' for n in range(2500))
    answer = inside.post("/_api/import", lines, collection="c", type="documents")
    assert answer.json()["created"] == 2500
    assert inside.get("/_api/collection/c/count").json()["count"] == 2503
    assert c.get("/_api/collection/c/count").json()["count"] == 3
    answer = inside.post("/_api/import", lines, collection="c", type="documents", overwrite=True)
    assert answer.json()["created"] == 2500
    assert inside.get("/_api/collection/c/count").json()["count"] == 2500
    end(c, "PUT", transaction)
    assert c.get("/_api/collection/c/count").json()["count"] == 2500
    assert len(keys(c)) == 2500


def test_a_renamed_collection(c: Api) -> None:
    transaction = begin(c, "c")
    inside = In(c, transaction)
    inside.post("/_api/document/c", {"_key": "x"})
    c.put("/_api/collection/c/rename", {"name": "e"})
    assert inside.get("/_api/document/e/x").json()["_id"] == "e/x"
    assert inside.get("/_api/document/e/a").json()["_id"] == "e/a"
    end(c, "PUT", transaction)
    assert c.get("/_api/document/e/x").json()["_id"] == "e/x"


def test_a_transaction_may_not_become_too_large(c: Api) -> None:
    transaction = begin(c, "c", maxTransactionSize=1000)
    inside = In(c, transaction)
    assert inside.post("/_api/document/c", {"_key": "x", "t": "x" * 2000}).status_code == 202
    assert error_of(inside.post("/_api/document/c", {"_key": "y"})) == (400, 32)
    assert end(c, "PUT", transaction).status_code == 200
    assert "x" in keys(c)


def test_read_only_mode(c: Api) -> None:
    with Api(c.url, "_system") as system:
        system.put("/_admin/server/mode", {"mode": "readonly"})
        try:
            response = c.post("/_api/transaction/begin", {"collections": {"write": "c"}})
            assert error_of(response) == (403, 1004)
            transaction = c.post("/_api/transaction/begin", {"collections": {"read": "c"}}).json()
            end(c, "PUT", transaction["result"]["id"])
        finally:
            system.put("/_admin/server/mode", {"mode": "default"})


def test_a_truncate_that_fails_half_way_ends_the_transaction(c: Api) -> None:
    transaction = begin(c, "c", maxTransactionSize=40)
    failed = In(c, transaction).put("/_api/collection/c/truncate")
    assert error_of(failed) == (400, 32)
    assert "aborted" in failed.json()["errorMessage"]
    assert error_of(end(c, "PUT", transaction)) == (400, 1653)
    assert keys(c) == set(NUMBERS)


def test_a_truncate_over_what_changed_since(c: Api) -> None:
    transaction = begin(c, "c")
    In(c, transaction).get("/_api/document/c/a")
    c.put("/_api/document/c/b", {"n": 7})
    assert error_of(In(c, transaction).put("/_api/collection/c/truncate")) == (409, 1200)
    end(c, "PUT", transaction)
    assert keys(c) == set(NUMBERS)


def test_a_request_that_is_cancelled_while_it_waits_changes_nothing(
    server: ServerThread, c: Api
) -> None:
    """The one before it may be in the middle of its work, or of the commit."""
    transaction = begin(c, "c")
    inside = In(c, transaction)
    inside.post("/_api/document/c", {"_key": "kept"})
    lock = server.server.node.services.write_lock
    server.run(lock.acquire())
    try:
        headers = {**inside.headers, "x-arango-async": "store"}
        waiting = c.request("POST", "/_api/document/c", {"_key": "late"}, headers=headers)
        job = waiting.headers["x-arango-async-id"]
        assert c.put(f"/_api/job/{job}/cancel").status_code == 200
        wait_for(lambda: c.put(f"/_api/job/{job}").status_code != 204 or None)
    finally:
        server.call(lock.release)
    assert end(c, "GET", transaction).json()["result"]["status"] == "running"
    assert end(c, "PUT", transaction).status_code == 200
    assert keys(c) == {*NUMBERS, "kept"}


def test_a_torn_transaction_ends_with_its_last_request(server: ServerThread, c: Api) -> None:
    transaction = begin(c, "c")
    streams = server.server.node.services.streams
    place = (int(transaction), "root", c.database)

    def use() -> list[str]:
        found = []
        with streams.use(*place):
            with streams.use(*place) as inner:
                inner.is_torn = True
            found.append(streams.state(*place))
        return [*found, streams.state(*place)]

    assert server.call(use) == ["running", "aborted"]
    assert error_of(In(c, transaction).get("/_api/document/c/a")) == (410, 1654)


def test_a_torn_transaction_is_not_committed(server: ServerThread, c: Api) -> None:
    transaction = begin(c, "c")
    inside = In(c, transaction)
    inside.post("/_api/document/c", {"_key": "x"})
    streams = server.server.node.services.streams
    found = streams._running[int(transaction)].transaction
    assert found is not None
    found.is_torn = True
    assert error_of(end(c, "PUT", transaction)) == (400, 1653)
    assert keys(c) == set(NUMBERS)
