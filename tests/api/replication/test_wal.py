"""`/_api/wal`: the operation log as a follower reads it (leader-api 7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import requests
from support.raw import RawConnection
from support.revisions import number_of
from support.server import Api, ServerThread, error_of
from support.timed import TimedServer

from arangorep.clock import iso_time

Marker = dict[str, Any]
U64_MAX = 2**64 - 1
CHUNK_MIN = 16_384


@dataclass(frozen=True)
class Tail:
    """One answer of `wal/tail`."""

    status: int
    lines: list[bytes]
    last_included: int
    last_scanned: int
    last_tick: int
    check_more: bool
    from_present: bool

    @property
    def markers(self) -> list[Marker]:
        return [json.loads(line) for line in self.lines]


def parse(response: requests.Response) -> Tail:
    assert response.status_code in (200, 204), response.text
    headers = {
        name.removeprefix("x-arango-replication-"): value
        for name, value in ((n.lower(), v) for n, v in response.headers.items())
        if name.startswith("x-arango-replication-")
    }
    assert set(headers) == {
        "checkmore",
        "lastincluded",
        "lastscanned",
        "lasttick",
        "frompresent",
    }
    if response.status_code == 200:
        assert response.headers["content-type"] == "application/x-arango-dump; charset=utf-8"
        assert response.content.endswith(b"\n")
    else:
        assert response.headers["content-length"] == "0"
    boolean = {"true": True, "false": False}
    return Tail(
        status=response.status_code,
        lines=response.content.splitlines(keepends=True),
        last_included=int(headers["lastincluded"]),
        last_scanned=int(headers["lastscanned"]),
        last_tick=int(headers["lasttick"]),
        check_more=boolean[headers["checkmore"]],
        from_present=boolean[headers["frompresent"]],
    )


def tail(api: Api, after: int = 0, **params: Any) -> Tail:
    return parse(api.get("/_api/wal/tail", **{"from": after, **params}))


def last_tick(api: Api) -> int:
    return int(api.get("/_api/wal/lastTick").json()["tick"])


def recorded(api: Api, act: Callable[[], Any], **params: Any) -> list[Marker]:
    """The markers of what `act` does."""
    before = last_tick(api)
    act()
    return api.tail(before, **params)


def types(markers: list[Marker]) -> list[int]:
    return [marker["type"] for marker in markers]


def guid(api: Api, collection: str = "c") -> str:
    return api.get(f"/_api/collection/{collection}").json()["globallyUniqueId"]


def definition(api: Api, collection: str = "c") -> dict[str, Any]:
    """What the inventory says of a collection, as a marker holds it."""
    inventory = api.get(
        "/_api/replication/inventory", batchId=api.create_batch(), collection=collection
    )
    (entry,) = inventory.json()["collections"]
    return {**entry["parameters"], "indexes": entry["indexes"]}


# -- markers -------------------------------------------------------------------------------------


def test_creating_and_dropping_a_database(server: ServerThread, system: Api) -> None:
    before = last_tick(system)
    with server.fresh_database("näme") as api:
        (created, *_) = api.tail(0)
        properties = api.get("/_api/replication/inventory", batchId=api.create_batch()).json()[
            "properties"
        ]
    assert list(created) == ["tick", "type", "db", "data"]
    assert (created["type"], created["db"], created["data"]) == (1100, "näme", properties)
    assert tail(system, before).markers == []  # not of this database
    (dropped,) = global_tail(system, before)
    assert list(dropped) == ["tick", "type", "db"]
    assert (dropped["type"], dropped["db"]) == (1101, "näme")


def global_tail(system: Api, after: int, **params: Any) -> list[Marker]:
    return system.tail(after, **{"global": "true", **params})


def test_creating_a_collection(api: Api) -> None:
    (marker,) = recorded(api, lambda: api.create_collection("c", type=3, waitForSync=True))
    assert list(marker) == ["tick", "db", "cuid", "type", "data"]
    assert (marker["db"], marker["cuid"], marker["type"]) == (api.database, guid(api), 2000)
    assert marker["data"] == definition(api)
    assert marker["data"]["indexes"] == []
    assert not {"objectId", "statusString", "path"} & set(marker["data"])


def test_dropping_a_collection(api: Api) -> None:
    api.create_collection("c")
    expected = guid(api)
    (marker,) = recorded(api, lambda: api.delete("/_api/collection/c"))
    assert list(marker) == ["tick", "type", "db", "cuid"]
    assert (marker["type"], marker["db"], marker["cuid"]) == (2001, api.database, expected)


def test_renaming_a_collection(api: Api) -> None:
    api.create_collection("c")
    (marker,) = recorded(api, lambda: api.put("/_api/collection/c/rename", {"name": 'ü "quoted"'}))
    assert list(marker) == ["tick", "db", "cuid", "type", "data"]
    assert marker["type"] == 2002
    assert marker["cuid"] == guid(api, 'ü "quoted"')
    assert marker["data"] == {"name": 'ü "quoted"'}


def test_changing_a_collection(api: Api) -> None:
    api.create_collection("c")
    api.post("/_api/index", {"type": "persistent", "fields": ["a"]}, collection="c")
    (marker,) = recorded(
        api, lambda: api.put("/_api/collection/c/properties", {"waitForSync": True})
    )
    assert list(marker) == ["tick", "db", "cuid", "type", "data"]
    assert (marker["type"], marker["cuid"]) == (2003, guid(api))
    assert marker["data"] == definition(api)
    assert marker["data"]["waitForSync"] is True
    assert len(marker["data"]["indexes"]) == 1


def test_truncating_a_collection(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", [{}, {}])
    (marker,) = recorded(api, lambda: api.put("/_api/collection/c/truncate"))
    assert list(marker) == ["tick", "type", "db", "cuid"]
    assert (marker["type"], marker["db"], marker["cuid"]) == (2004, api.database, guid(api))


def test_creating_and_dropping_an_index(api: Api) -> None:
    api.create_collection("c")
    body = {"type": "persistent", "fields": ["a", "b"], "unique": True, "name": "ab"}
    (created,) = recorded(api, lambda: api.post("/_api/index", body, collection="c"))
    assert list(created) == ["tick", "type", "db", "cuid", "data"]
    assert (created["type"], created["cuid"]) == (2100, guid(api))
    assert [created["data"]] == definition(api)["indexes"]
    index = created["data"]["id"]
    (dropped,) = recorded(api, lambda: api.delete(f"/_api/index/c/{index}"))
    assert list(dropped) == ["tick", "type", "db", "cuid", "data"]
    assert (dropped["type"], dropped["cuid"], dropped["data"]) == (2101, guid(api), {"id": index})


WRITES: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    "insert": ("POST", "", {"_key": "new", "a": 1}, {}),
    "replace": ("PUT", "/k", {"a": 1}, {}),
    "update": ("PATCH", "/k", {"a": 1}, {}),
    "insert over": ("POST", "", {"_key": "k", "a": 1}, {"overwriteMode": "replace"}),
    "insert into": ("POST", "", {"_key": "k", "a": 1}, {"overwriteMode": "update"}),
}


@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize("write", list(WRITES))
def test_writing_one_document(api: Api, write: str, edge: bool) -> None:
    api.create_collection("c", type=3 if edge else 2)
    ends = {"_from": "x/1", "_to": "é/y"} if edge else {}
    api.insert("c", {"_key": "k", "old": "ü", **ends})
    method, part, body, params = WRITES[write]
    (marker,) = recorded(
        api,
        lambda: api.request(method, f"/_api/document/c{part}", {**body, **ends}, params=params),
    )
    assert list(marker) == ["tick", "type", "db", "cuid", "tid", "data"]
    assert (marker["type"], marker["db"], marker["tid"]) == (2300, api.database, "0")
    assert marker["cuid"] == guid(api)
    assert marker["data"] == api.get(f"/_api/document/c/{body.get('_key', 'k')}").json()
    system = ["_key", "_id", "_from", "_to", "_rev"] if edge else ["_key", "_id", "_rev"]
    assert list(marker["data"])[: len(system)] == system


def test_removing_one_document(api: Api) -> None:
    api.create_collection("c")
    inserted = api.insert("c", {"_key": "k", "v": "x" * 100})
    (marker,) = recorded(api, lambda: api.delete("/_api/document/c/k"))
    assert list(marker) == ["tick", "type", "db", "cuid", "tid", "data"]
    assert (marker["type"], marker["tid"], marker["cuid"]) == (2302, "0", guid(api))
    assert list(marker["data"]) == ["_key", "_rev"]
    assert marker["data"]["_key"] == "k"
    assert number_of(marker["data"]["_rev"]) > number_of(inserted["_rev"])


def check_transaction(api: Api, markers: list[Marker], operations: list[int]) -> None:
    """That the markers are one transaction of these operations."""
    first, *inner, last = markers
    assert types(markers) == [2200, *operations, 2201]
    assert list(first) == list(last) == ["tick", "type", "tid", "db"]
    assert first["db"] == last["db"] == api.database
    assert {marker["tid"] for marker in markers} == {first["tid"]}
    assert first["tid"].isdecimal()
    assert first["tid"] != "0"
    assert all(list(m) == ["tick", "type", "db", "cuid", "tid", "data"] for m in inner)


@pytest.mark.parametrize("count", [1, 3, 500])
def test_writing_an_array_is_one_transaction(api: Api, count: int) -> None:
    api.create_collection("c")
    keys = [f"k{number}" for number in range(count)]
    steps: list[tuple[str, Callable[[str], Any], int]] = [
        ("POST", lambda key: {"_key": key}, 2300),
        ("PATCH", lambda key: {"_key": key, "a": 1}, 2300),
        ("PUT", lambda key: {"_key": key, "b": 1}, 2300),
        ("DELETE", lambda key: key, 2302),
    ]
    tids = set()
    for method, body, kind in steps:
        write = partial(api.request, method, "/_api/document/c", [*map(body, keys)])
        markers = recorded(api, write)
        check_transaction(api, markers, [kind] * count)
        assert [marker["data"]["_key"] for marker in markers[1:-1]] == keys
        tids.add(markers[0]["tid"])
    assert len(tids) == 4


def test_an_import_is_transactions_too(api: Api) -> None:
    api.create_collection("c")
    lines = '{"_key":"a"}\n{"_key":"b"}\n{"_key":"a"}\n'
    markers = recorded(
        api, lambda: api.post("/_api/import", lines, collection="c", type="documents")
    )
    check_transaction(api, markers, [2300, 2300])


def test_items_that_fail_leave_no_marker(api: Api) -> None:
    api.create_collection("c")
    api.insert("c", {"_key": "a"})
    markers = recorded(
        api, lambda: api.insert("c", [{"_key": "a"}, {"_key": 1}, {"_key": "b"}, "x", {"_key": ""}])
    )
    check_transaction(api, markers, [2300])
    assert markers[1]["data"]["_key"] == "b"
    markers = recorded(api, lambda: api.delete("/_api/document/c", ["z", "a", "a"]))
    check_transaction(api, markers, [2302])


def test_one_document_twice_in_an_array_is_two_operations(api: Api) -> None:
    api.create_collection("c")
    body = [{"_key": "a", "n": 1}, {"_key": "a", "n": 2}]
    markers = recorded(api, lambda: api.insert("c", body, overwriteMode="replace"))
    check_transaction(api, markers, [2300, 2300])
    assert [marker["data"]["n"] for marker in markers[1:-1]] == [1, 2]


NOTHING: dict[str, Callable[[Api], Any]] = {
    "an update of nothing": lambda api: api.patch("/_api/document/c/k", {}),
    "an array of such": lambda api: api.patch("/_api/document/c", [{"_key": "k"}]),
    "an ignored insert": lambda api: api.insert("c", {"_key": "k"}, overwriteMode="ignore"),
    "a failed insert": lambda api: api.post("/_api/document/c", {"_key": "k"}),
    "failed inserts": lambda api: api.post("/_api/document/c", [{"_key": "k"}, {"_key": "k"}]),
    "an empty array": lambda api: api.insert("c", []),
    "a failed precondition": lambda api: api.request(
        "PUT", "/_api/document/c/k", {}, headers={"If-Match": '"_abc"'}
    ),
    "removing what is not there": lambda api: api.delete("/_api/document/c/nothing"),
    "a failed replace": lambda api: api.put("/_api/document/c/nothing", {}),
    "truncating an empty collection": lambda api: api.put("/_api/collection/empty/truncate"),
    "renaming to the same name": lambda api: api.put("/_api/collection/c/rename", {"name": "c"}),
    "an index that exists": lambda api: api.post(
        "/_api/index", {"type": "persistent", "fields": ["a"]}, collection="c"
    ),
    "an index that cannot be built": lambda api: api.post(
        "/_api/index", {"type": "persistent", "fields": ["z"], "unique": True}, collection="c"
    ),
    "a collection that exists": lambda api: api.post("/_api/collection", {"name": "c"}),
    "reading": lambda api: api.get("/_api/document/c/k"),
    "a batch": lambda api: api.create_batch(),
}


@pytest.mark.parametrize("name", list(NOTHING))
def test_what_changes_nothing_writes_no_marker(api: Api, name: str) -> None:
    api.create_collection("c")
    api.create_collection("empty")
    api.insert("c", [{"_key": "k"}, {"_key": "l"}])
    api.post("/_api/index", {"type": "persistent", "fields": ["a"]}, collection="c")
    before = last_tick(api)
    NOTHING[name](api)
    assert last_tick(api) == before
    assert tail(api, before).status == 204


def busy_life(api: Api) -> None:
    """Some of everything, in a database of its own."""
    for name in ("c", "d"):
        api.create_collection(name)
    api.insert("c", {"_key": "one"})
    api.insert("c", [{"_key": f"k{n}", "v": "ä" * n} for n in range(30)])
    api.insert("d", {"_key": "other"})
    api.put("/_api/collection/c/properties", {"cacheEnabled": True})
    api.patch("/_api/document/c/one", {"n": 1})
    api.delete("/_api/document/c", ["k1", "k2"])
    index = api.post("/_api/index", {"type": "persistent", "fields": ["a"]}, collection="c")
    api.delete(f"/_api/index/{index.json()['id']}")
    api.put("/_api/collection/d/truncate")
    api.insert("d", [{"_key": "again"}])


def test_ticks_grow_and_everything_is_there(api: Api) -> None:
    busy_life(api)
    markers = api.tail(0)
    ticks = [int(marker["tick"]) for marker in markers]
    assert ticks == sorted(set(ticks))
    assert types(markers) == [
        1100,
        *[2000] * 4,
        2300,
        *[2200, *[2300] * 30, 2201],
        2300,
        2003,
        2300,
        *[2200, 2302, 2302, 2201],
        2100,
        2101,
        2004,
        *[2200, 2300, 2201],
    ]


# -- headers and bounds --------------------------------------------------------------------------


def test_an_answer_with_markers(api: Api) -> None:
    busy_life(api)
    last = last_tick(api)
    answer = tail(api, 0)
    assert answer.status == 200
    assert answer.last_included == answer.last_scanned == answer.last_tick == last
    assert (answer.check_more, answer.from_present) == (False, True)
    assert int(answer.markers[-1]["tick"]) == last


def test_at_the_end_of_the_log(server: ServerThread, api: Api) -> None:
    last = last_tick(api)
    answer = tail(api, last)
    assert answer == Tail(204, [], 0, last, last, check_more=False, from_present=True)
    with RawConnection(server.port) as connection:
        raw = connection.request("GET", f"/_db/{api.database}/_api/wal/tail?from={last}")
        assert (raw.status, raw.body, raw.headers["content-length"]) == (204, b"", "0")


@pytest.mark.parametrize("ahead", [1, 1000, 2**40])
def test_behind_the_end_of_the_log(api: Api, ahead: int) -> None:
    last = last_tick(api)
    answer = tail(api, last + ahead)
    assert answer == Tail(204, [], 0, 0, last, check_more=False, from_present=False)


def test_nothing_visible_is_204_with_what_was_scanned(server: ServerThread, api: Api) -> None:
    before = last_tick(api)
    with server.fresh_database() as other:
        other.create_collection("c")
        other.insert("c", [{} for _ in range(300)])
    last = last_tick(api)
    answer = tail(api, before)
    assert answer == Tail(204, [], 0, last, last, check_more=False, from_present=True)


def test_lines_are_utf8_as_it_is(api: Api) -> None:
    api.create_collection("c")
    before = last_tick(api)
    api.insert("c", {"_key": "k", "v": 'é€😀"'})
    assert 'é€😀\\"'.encode() in tail(api, before).lines[0]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_from_is_exclusive_and_to_inclusive(api: Api, method: str) -> None:
    api.create_collection("c")
    before = last_tick(api)
    for number in range(6):
        api.insert("c", {"_key": f"k{number}"})
    ticks = [int(marker["tick"]) for marker in api.tail(before)]
    for low in range(6):
        for high in range(low, 6):
            params = {"from": ticks[low], "to": ticks[high]}
            body: list[str] | None = [] if method == "PUT" else None
            answer = parse(api.request(method, "/_api/wal/tail", body, params=params))
            found = [int(marker["tick"]) for marker in answer.markers]
            assert found == ticks[low + 1 : high + 1]
            assert answer.last_included == (found[-1] if found else 0)
            assert answer.check_more is (bool(found) and high < 5)
            assert answer.from_present


def test_to_does_not_cut_a_transaction(api: Api) -> None:
    """A transaction that begins at or below `to` comes whole (leader-api 7.5)."""
    api.create_collection("c")
    before = last_tick(api)
    api.insert("c", [{} for _ in range(10)])
    api.insert("c", {})
    ticks = [int(marker["tick"]) for marker in api.tail(before)]
    for high in range(12):
        answer = tail(api, before, to=ticks[high])
        assert [int(marker["tick"]) for marker in answer.markers] == ticks[:12]


@pytest.mark.parametrize(
    ("params", "ok"),
    [
        ({"from": 5, "to": 4}, False),
        ({"to": 0}, False),
        ({"to": "x"}, False),
        ({"from": 1}, True),
        ({"from": 5, "to": 5}, True),
        ({"from": "x"}, True),
        ({"from": 2**64, "to": 5}, True),
        ({"from": U64_MAX}, True),
    ],
)
@pytest.mark.parametrize("path", ["tail", "open-transactions"])
def test_from_must_not_lie_above_to(api: Api, path: str, params: Any, ok: bool) -> None:
    response = api.get(f"/_api/wal/{path}", **params)
    if ok:
        assert response.status_code in (200, 204)
    else:
        assert error_of(response) == (400, 400)


def test_open_transactions_are_never_there(api: Api) -> None:
    response = api.get("/_api/wal/open-transactions")
    assert (response.status_code, response.content) == (200, b"[]")
    assert response.headers["x-arango-replication-frompresent"] == "true"
    assert response.headers["x-arango-replication-lastincluded"] == "0"


def test_range_and_last_tick(timed: TimedServer) -> None:
    api = timed.api
    logger = api.get("/_api/replication/logger-state").json()
    server = {"version": logger["server"]["version"], "serverId": logger["server"]["serverId"]}
    now = iso_time(timed.clock.wall_us())
    last = logger["state"]["lastLogTick"]
    first = api.get("/_api/replication/logger-first-tick").json()["firstTick"]
    span = api.get("/_api/wal/range").json()
    assert span == {"time": now, "tickMin": first, "tickMax": last, "server": server}
    assert api.get("/_api/wal/lastTick").json() == {"time": now, "tick": last, "server": server}
    api.create_collection("c")
    assert last_tick(api) > int(last)


# -- chunks and transactions ---------------------------------------------------------------------


def walk(api: Api, after: int, *, scanning: bool, **params: Any) -> list[Tail]:
    """Tail to the end; with `scanning` as a client that takes transactions in parts."""
    answers: list[Tail] = []
    scanned = after if scanning else 0
    while True:
        extra = {"lastScanned": scanned} if scanning else {}
        answers.append(tail(api, after, **extra, **params))
        if not answers[-1].check_more:
            return answers
        after = answers[-1].last_included
        scanned = answers[-1].last_scanned


def keys_of(answers: list[Tail]) -> list[str]:
    return [
        marker["data"]["_key"]
        for answer in answers
        for marker in answer.markers
        if marker["type"] == 2300
    ]


@pytest.mark.parametrize("size", [0, 1, CHUNK_MIN, 30_000, 100_000])
@pytest.mark.parametrize("scanning", [False, True])
def test_single_writes_come_in_chunks(api: Api, size: int, scanning: bool) -> None:
    api.create_collection("c")
    before = last_tick(api)
    keys = [f"k{number}" for number in range(150)]
    for key in keys:
        api.insert("c", {"_key": key, "v": "x" * 700})
    answers = walk(api, before, scanning=scanning, chunkSize=size)
    assert keys_of(answers) == keys
    effective = max(size, CHUNK_MIN)
    for answer in answers[:-1]:
        length = sum(map(len, answer.lines))
        assert length - len(answer.lines[-1]) < effective <= length
        assert answer.last_included == answer.last_scanned == int(answer.markers[-1]["tick"])
        assert answer.last_tick == last_tick(api)
        assert answer.from_present


@pytest.mark.parametrize("size", [1, 30_000])
def test_a_transaction_comes_whole_without_last_scanned(api: Api, size: int) -> None:
    api.create_collection("c")
    before = last_tick(api)
    for part in range(3):
        api.insert("c", [{"_key": f"{part}-{n}", "v": "x" * 700} for n in range(100)])
    answers = walk(api, before, scanning=False, chunkSize=size)
    assert len(answers) == 3
    for answer in answers:
        check_transaction(api, answer.markers, [2300] * 100)


@pytest.mark.parametrize("size", [1, 30_000])
def test_a_transaction_is_split_for_clients_that_send_last_scanned(api: Api, size: int) -> None:
    api.create_collection("c")
    before = last_tick(api)
    api.insert("c", [{"_key": f"k{n}", "v": "x" * 700} for n in range(300)])
    api.insert("c", {"_key": "after"})
    whole = tail(api, before, chunkSize=10**7).lines
    answers = walk(api, before, scanning=True, chunkSize=size)
    assert len(answers) > 5
    assert [line for answer in answers for line in answer.lines] == whole
    for answer in answers[:-1]:
        assert 0 < answer.last_included <= answer.last_scanned
        assert sum(map(len, answer.lines)) < max(size, CHUNK_MIN) + 2000


@pytest.mark.parametrize("params", [{}, {"lastScanned": "1"}, {"chunkSize": "0"}])
def test_resuming_anywhere_loses_nothing(api: Api, params: dict[str, str]) -> None:
    busy_life(api)
    lines = tail(api, 0).lines
    for position, line in enumerate(lines):
        tick = int(json.loads(line)["tick"])
        assert tail(api, tick, **params).lines == lines[position + 1 :]
        assert tail(api, tick - 1, **params).lines[-len(lines) :] == lines[position:]


def test_a_marker_larger_than_the_chunk_comes_whole(api: Api) -> None:
    api.create_collection("c")
    before = last_tick(api)
    for key in ("a", "b"):
        api.insert("c", {"_key": key, "v": "x" * 2_000_000})
    answers = walk(api, before, scanning=True, chunkSize=CHUNK_MIN)
    assert [keys_of([answer]) for answer in answers] == [["a"], ["b"]]


def test_the_default_chunk_is_one_mib(api: Api) -> None:
    api.create_collection("c")
    before = last_tick(api)
    for number in range(4):
        api.insert("c", {"_key": f"k{number}", "v": "x" * 400_000})
    assert [len(answer.lines) for answer in walk(api, before, scanning=False)] == [3, 1]


def test_check_more_may_be_true_with_nothing_visible_behind(server: ServerThread, api: Api) -> None:
    api.create_collection("c")
    before = last_tick(api)
    api.insert("c", {"_key": "k"})
    with server.fresh_database() as other:
        other.create_collection("c")
        first, second = walk(api, before, scanning=False)
        assert (len(first.lines), first.check_more) == (1, True)
        assert first.last_included < first.last_scanned == first.last_tick
        assert (second.status, second.last_included) == (204, 0)


# -- what is visible -----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["name", "id", "globallyUniqueId"])
def test_one_collection_only(api: Api, by: str) -> None:
    busy_life(api)
    properties = api.get("/_api/collection/d").json()
    markers = api.tail(0, collection=properties[by])
    documents = [marker for marker in markers if "cuid" in marker]
    assert {marker["cuid"] for marker in documents} == {properties["globallyUniqueId"]}
    assert types(documents) == [2000, 2300, 2004, 2300]
    # brackets come even when all that is between them is left out
    brackets = [marker for marker in markers if "cuid" not in marker]
    assert types(brackets) == [2200, 2201] * 3


def test_an_unknown_collection_is_1203(server: ServerThread, api: Api) -> None:
    with server.fresh_database() as other:
        other.create_collection("elsewhere")
        for name in ("nowhere", "elsewhere", "999999"):
            assert error_of(api.get("/_api/wal/tail", collection=name)) == (404, 1203)
            assert error_of(api.put("/_api/wal/tail", [], collection=name)) == (404, 1203)


SYSTEM = ["_jobs", "_queues", "_statistics", "_statistics15", "_routing", "_apps"]


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        ({}, ["_apps", "c"]),
        ({"includeSystem": "true"}, ["_apps", "c"]),
        ({"includeSystem": "false"}, ["c"]),
        ({"includeSystem": "false", "includeFoxxQueues": "true"}, ["c"]),
        ({"includeFoxxQueues": "true"}, ["_jobs", "_queues", "_apps", "c"]),
    ],
)
@pytest.mark.parametrize("scope", ["database", "global"])
def test_system_collections_are_filtered(
    system: Api, api: Api, params: dict[str, str], shown: list[str], scope: str
) -> None:
    before = last_tick(api)
    for name in [*SYSTEM, "c"]:
        api.create_collection(name, isSystem=name.startswith("_"))
        api.insert(name, {"_key": name})
        api.insert(name, [{}])
    if scope == "global":
        markers = global_tail(system, before, **params)
    else:
        markers = api.tail(before, **params)
    assert [m["data"]["name"] for m in markers if m["type"] == 2000] == shown
    assert [m["data"]["_key"] for m in markers if m["type"] == 2300 and m["tid"] == "0"] == shown
    assert types(markers).count(2200) == len(SYSTEM) + 1


def test_a_dropped_collection_leaves_only_its_drop(api: Api) -> None:
    before = last_tick(api)
    dropped = {}
    for name in ("c", "_system_one"):
        api.create_collection(name, isSystem=name.startswith("_"))
        dropped[name] = guid(api, name)
        api.insert(name, {"_key": "single"})
        api.insert(name, [{"_key": "many"}])
        api.post("/_api/index", {"type": "persistent", "fields": ["a"]}, collection=name)
        api.put(f"/_api/collection/{name}/properties", {"waitForSync": True})
        api.put(f"/_api/collection/{name}/truncate")
        assert api.delete(f"/_api/collection/{name}", isSystem="true").status_code == 200
    for params in ({}, {"includeSystem": "false"}):
        markers = api.tail(before, **params)
        assert types(markers) == [2200, 2201, 2001] * 2
        assert [m["cuid"] for m in markers if m["type"] == 2001] == list(dropped.values())


def test_a_collection_made_again_shows_only_its_new_life(api: Api) -> None:
    before = last_tick(api)
    api.create_collection("c")
    api.insert("c", {"_key": "old"})
    api.delete("/_api/collection/c")
    api.create_collection("c")
    api.insert("c", {"_key": "new"})
    for params in ({}, {"collection": "c"}):
        markers = [m for m in api.tail(before, **params) if m["type"] != 2001]
        assert types(markers) == [2000, 2300]
        assert markers[1]["data"]["_key"] == "new"


def test_a_renamed_collection_has_its_new_name_in_every_id(api: Api) -> None:
    api.create_collection("first")
    cuid = guid(api, "first")
    before = last_tick(api)
    api.insert("first", {"_key": "a", "ref": 'first/x","data":{"_key":"'})
    api.insert("first", [{"_key": "b"}, {"_key": "c"}])
    api.delete("/_api/document/first/b")
    for old, new in (("first", "a-longer-name"), ("a-longer-name", 'ü "q"')):
        assert api.put(f"/_api/collection/{old}/rename", {"name": new}).status_code == 200
    api.insert('ü "q"', {"_key": "d"})
    markers = api.tail(before)
    assert types(markers) == [2300, 2200, 2300, 2300, 2201, 2302, 2002, 2002, 2300]
    documents = [marker for marker in markers if marker["type"] == 2300]
    assert [m["data"]["_id"] for m in documents] == [f'ü "q"/{key}' for key in "abcd"]
    assert documents[0]["data"]["ref"] == 'first/x","data":{"_key":"'
    assert documents[-1]["data"] == api.get('/_api/document/ü "q"/d').json()
    assert {marker["cuid"] for marker in markers if "cuid" in marker} == {cuid}
    # a follower that replays the stream ends at the present name
    assert [m["data"]["name"] for m in markers if m["type"] == 2002][-1] == 'ü "q"'


def test_a_tail_shows_its_own_database_only(server: ServerThread, api: Api) -> None:
    before = last_tick(api)
    with server.fresh_database() as other:
        for client in (api, other):
            client.create_collection("c")
            client.insert("c", [{"_key": client.database}])
        for client in (api, other):
            markers = client.tail(before)
            assert {marker["db"] for marker in markers} == {client.database}
            assert keys_of([tail(client, before)]) == [client.database]


def test_a_global_tail_shows_every_database(server: ServerThread, system: Api, api: Api) -> None:
    before = last_tick(system)
    with server.fresh_database() as other:
        for client in (api, other):
            client.create_collection("c")
            client.insert("c", [{"_key": client.database}])
        markers = global_tail(system, before)
        assert [m["db"] for m in markers if m["type"] == 1100] == [other.database]
        for client in (api, other):
            own = [marker for marker in markers if marker["db"] == client.database]
            assert own == client.tail(before)
        # `collection` is only looked at within one database
        assert global_tail(system, before, collection="nowhere") == markers
    after = global_tail(system, before)
    assert [m for m in after if m["db"] == other.database] == [
        marker for marker in after if marker["type"] == 1101
    ]
    assert [m for m in after if m["db"] == api.database] == api.tail(before)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_global_is_only_for_the_system_database(api: Api, method: str) -> None:
    response = api.request(method, "/_api/wal/tail", [], params={"global": "true"})
    assert error_of(response) == (403, 11)
    response = api.request(method, "/_api/wal/tail", [], params={"global": "false"})
    assert response.status_code == 200


# -- pruning -------------------------------------------------------------------------------------


def test_what_was_pruned_is_not_present(
    timed: TimedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arangorep.storage.log.SEGMENT_BYTES", 3000)
    api = timed.api
    api.create_collection("c")
    for number in range(40):
        api.insert("c", {"_key": f"k{number}", "v": "x" * 200})
    log = timed.services.store.log
    lines = tail(api, 0).lines
    ticks = [int(json.loads(line)["tick"]) for line in lines]
    floor = timed.thread.call(lambda: log.prune(ticks[20]))
    assert 0 < floor <= ticks[20]
    kept = [line for line, tick in zip(lines, ticks, strict=True) if tick > floor]
    assert 10 < len(kept) < 40
    for after, present in ((0, False), (floor - 1, False), (floor, True), (floor + 1, True)):
        answer = tail(api, after)
        assert answer.from_present is present
        assert answer.lines == [
            line for line, t in zip(lines, ticks, strict=True) if t > max(after, floor)
        ]
    first = ticks[len(lines) - len(kept)]
    assert api.get("/_api/wal/range").json()["tickMin"] == str(first)
    assert api.get("/_api/replication/logger-first-tick").json() == {"firstTick": str(first)}


def prune_everything(timed: TimedServer) -> int:
    """Leave no marker in the log; returns the last tick."""
    log = timed.services.store.log
    last = last_tick(timed.api)
    timed.thread.call(log.close_segment)
    timed.thread.call(lambda: log.prune(last))
    return last


def test_a_log_pruned_to_its_end(timed: TimedServer) -> None:
    api = timed.api
    last = prune_everything(timed)
    assert tail(api, last) == Tail(204, [], 0, last, last, check_more=False, from_present=True)
    span = api.get("/_api/wal/range").json()
    assert (span["tickMin"], span["tickMax"]) == ("0", str(last))
    assert api.get("/_api/replication/logger-first-tick").json() == {"firstTick": None}
    ranges = api.get("/_api/replication/logger-tick-ranges").json()
    assert [(r["status"], r["tickMax"]) for r in ranges] == [("open", str(last))]
    api.create_collection("c")
    assert types(tail(api, last).markers) == [2000]
    assert tail(api, 0).from_present is False


@pytest.mark.parametrize("back", [1, 10**9])
def test_from_before_a_log_pruned_to_its_end_is_not_present(timed: TimedServer, back: int) -> None:
    last = prune_everything(timed)
    answer = tail(timed.api, max(0, last - back))
    assert (answer.status, answer.lines, answer.last_included) == (204, [], 0)
    assert (answer.from_present, answer.check_more) == (False, False)


# -- clients -------------------------------------------------------------------------------------


def test_tailing_registers_the_client_in_every_database(timed: TimedServer) -> None:
    api = timed.api
    last = last_tick(api)
    tail(api, last, syncerId=5, serverId=6, clientInfo="me")
    now_us = timed.clock.wall_us()
    expected = {
        "syncerId": "5",
        "serverId": "6",
        "clientInfo": "me",
        "time": iso_time(now_us),
        "expires": iso_time(now_us + 1200 * 1_000_000),
        "lastServedTick": str(last),
    }
    assert timed.clients() == [expected]
    with Api(timed.thread.url, "_system") as system:
        logger = system.get("/_api/replication/logger-state").json()
    assert logger["clients"] == [expected]
    timed.pass_time(1200)
    assert len(timed.clients()) == 1
    timed.pass_time(1)
    assert timed.clients() == []


def test_the_served_tick_is_from_and_zero_keeps_it(timed: TimedServer) -> None:
    api = timed.api
    busy_life(api)
    last = last_tick(api)
    for after, served in ((0, 0), (last - 5, last - 5), (0, last - 5), (last, last)):
        timed.advance(10)
        tail(api, after, serverId=7)
        (client,) = timed.clients()
        assert client["lastServedTick"] == str(served)
        assert client["time"] == iso_time(timed.clock.wall_us())


def test_a_client_without_ids_is_not_registered(timed: TimedServer) -> None:
    tail(timed.api, 1, clientInfo="nobody")
    assert timed.clients() == []


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_track_only_registers_and_reads_nothing(timed: TimedServer, method: str) -> None:
    params = {"from": 55, "serverId": 7, "trackOnly": "true"}
    response = timed.api.request(method, "/_api/wal/tail", [], params=params)
    assert response.status_code == 200
    assert response.json() == {"error": False, "code": 200, "result": {}}
    (client,) = timed.clients()
    assert (client["serverId"], client["lastServedTick"]) == ("7", "55")


@pytest.mark.parametrize("params", [{"syncerId": 5}, {"syncerId": 5, "serverId": 7}])
def test_deleting_unregisters_the_client_everywhere(
    timed: TimedServer, params: dict[str, int]
) -> None:
    api = timed.api
    tail(api, 1, syncerId=5)
    tail(api, 1, serverId=7)
    response = api.delete("/_api/wal/tail", **params)
    assert response.status_code == 200
    assert response.json() == {"error": False, "code": 200, "result": {}}
    assert [client["serverId"] for client in timed.clients()] == ["7"]
    with Api(timed.thread.url, "_system") as system:
        clients = system.get("/_api/replication/logger-state").json()["clients"]
    assert [client["serverId"] for client in clients] == ["7"]


@pytest.mark.parametrize("params", [{}, {"serverId": 99}])
def test_deleting_an_unknown_client_is_fine(api: Api, params: dict[str, int]) -> None:
    assert api.delete("/_api/wal/tail", **params).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("text", ["", "0", "01", "x", "18446744073709551616"])
def test_a_malformed_syncer_id_is_refused_first(api: Api, method: str, text: str) -> None:
    params = {"syncerId": text, "global": "true", "from": 5, "to": 4}
    assert error_of(api.request(method, "/_api/wal/tail", "{}", params=params)) == (400, 10)


# -- PUT -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["[]", '["1","2"]', '["x"]'])
def test_put_takes_transaction_ids_and_answers_as_get(api: Api, body: str) -> None:
    busy_life(api)
    response = api.put("/_api/wal/tail", body, **{"from": 0}, firstRegularTick=7, barrier=1)
    assert parse(response) == tail(api, 0)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, (400, 400)),
        ("{}", (400, 400)),
        ("null", (400, 400)),
        ('"1"', (400, 400)),
        ("[1]", (400, 400)),
        ('["1",null]', (400, 400)),
        ("[", (400, 600)),
    ],
)
def test_put_wants_an_array_of_texts(api: Api, body: str | None, expected: tuple[int, int]) -> None:
    assert error_of(api.put("/_api/wal/tail", body)) == expected


def test_a_dropped_database_has_no_clients(server: ServerThread) -> None:
    clients = server.server.node.services.clients
    with server.fresh_database("gone") as gone:
        tail(gone, 0, serverId=4711)
        database = int(gone.get("/_api/database/current").json()["result"]["id"])
        assert server.call(lambda: len(clients.describe(database))) == 1
    assert server.call(lambda: clients.describe(database)) == []
