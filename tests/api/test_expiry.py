"""Documents that expire on a running server: followers, transactions, modes, `kill -9`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.pair import Pair, fresh_pair, two_servers
from support.process import ServerProcess, check
from support.queries import rows, send
from support.same_content import compare_collections
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.clock import ManualClock
from arangorep.config import Config
from arangorep.storage.integrity import findings

EXPIRED = 1_000_000_000
"""Long ago."""

NEVER = 10**11

Expire = Callable[[], None]


def expire_on(server: ServerThread) -> None:
    """What the background does every half minute."""
    assert server.server._background is not None
    server.run(server.server._background.expire())


@pytest.fixture
def expire(server: ServerThread) -> Iterator[Expire]:
    yield lambda: expire_on(server)
    assert server.call(lambda: findings(server.server.node.store)) == []


@pytest.fixture
def c(api: Api) -> Api:
    """A collection `c` whose documents expire at `t`."""
    api.create_collection("c")
    index(api)
    return api


def index(api: Api, collection: str = "c", **members: Any) -> str:
    body = {"type": "ttl", "fields": ["t"], "expireAfter": 0, **members}
    response = api.post("/_api/index", body, collection=collection)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def fill(api: Api, expired: int, living: int = 0, collection: str = "c") -> None:
    api.insert(collection, [{"_key": f"old{n}", "t": EXPIRED + n} for n in range(expired)])
    if living:
        api.insert(collection, [{"_key": f"new{n}", "t": NEVER + n} for n in range(living)])


def count(api: Api, collection: str = "c") -> int:
    return int(api.get(f"/_api/collection/{collection}/count").json()["count"])


def test_what_is_due_goes(c: Api, expire: Expire) -> None:
    fill(c, 450, 3)
    c.insert("c", [{"_key": "text", "t": "soon"}, {"_key": "none"}])
    tick = c.get("/_api/wal/lastTick").json()["tick"]
    expire()
    assert sorted(rows(c, "FOR d IN c RETURN d._key")) == ["new0", "new1", "new2", "none", "text"]
    assert count(c) == 5
    kinds = [marker["type"] for marker in c.tail(tick)]
    assert kinds.count(2302) == 450
    assert set(kinds) == {2200, 2201, 2302}
    tick = c.get("/_api/wal/lastTick").json()["tick"]
    expire()
    assert c.tail(tick) == []


def test_the_clock_decides(manual: tuple[ServerThread, ManualClock]) -> None:
    server, clock = manual
    with server.fresh_database() as api:
        api.create_collection("c")
        index(api, expireAfter=60)
        now = clock.wall_us() / 1_000_000
        api.insert("c", [{"_key": "n", "t": now}, {"_key": "d", "t": "2023-11-14T22:13:20Z"}])
        clock.advance_s(60)
        expire_on(server)
        assert count(api) == 2
        api.patch("/_api/document/c/n", {"t": now + 1})
        clock.advance_s(0.001)
        expire_on(server)
        assert rows(api, "FOR d IN c RETURN d._key") == ["n"]
        clock.advance_s(1)
        expire_on(server)
        assert count(api) == 0


def test_an_index_after_the_documents(api: Api, expire: Expire) -> None:
    api.create_collection("c")
    fill(api, 300, 1)
    expire()
    assert count(api) == 301
    name = index(api)
    assert api.delete(f"/_api/index/{name}").status_code == 200
    expire()
    assert count(api) == 301
    index(api)
    expire()
    assert count(api) == 1


def test_imports_and_arrays_make_entries(c: Api, expire: Expire) -> None:
    lines = "".join(f'{{"_key":"i{n}","t":{EXPIRED}}}\n' for n in range(250))
    assert c.post("/_api/import", lines, collection="c", type="documents").status_code == 201
    c.insert("c", [{"_key": f"i{n}"} for n in range(5)], overwriteMode="update", keepNull="true")
    c.insert("c", [{"_key": f"i{n}"} for n in range(5, 10)], overwriteMode="replace")
    send(c, "FOR n IN 0..9 INSERT {t: n} INTO c")
    send(c, "UPDATE 'i10' WITH {t: null} IN c")
    expire()
    assert sorted(rows(c, "FOR d IN c RETURN d._key")) == ["i10", "i5", "i6", "i7", "i8", "i9"]


def test_bounds_of_a_run(c: Api, expire: Expire, monkeypatch: pytest.MonkeyPatch) -> None:
    c.create_collection("d")
    index(c, "d")
    fill(c, 500)
    fill(c, 500, collection="d")
    monkeypatch.setattr("arangorep.server.background.TTL_REMOVALS_MAX", (210, 310))
    expire()
    assert sorted([count(c), count(c, "d")]) == [290, 400]
    expire()
    assert sorted([count(c), count(c, "d")]) == [80, 300]


def test_read_only_mode(c: Api, system: Api, expire: Expire) -> None:
    fill(c, 5)
    system.put("/_admin/server/mode", {"mode": "readonly"})
    try:
        expire()
        assert count(c) == 5
    finally:
        system.put("/_admin/server/mode", {"mode": "default"})
    expire()
    assert count(c) == 0


def test_collections_that_change_their_name_or_go(c: Api, expire: Expire) -> None:
    fill(c, 5)
    c.put("/_api/collection/c/rename", {"name": "d"})
    expire()
    assert count(c, "d") == 0
    fill(c, 5, collection="d")
    c.delete("/_api/collection/d")
    expire()
    assert error_of(c.get("/_api/collection/d")) == (404, 1203)


# -- transactions ----------------------------------------------------------------------------------


def begin(api: Api, **collections: Any) -> str:
    response = api.post("/_api/transaction/begin", {"collections": collections})
    assert response.status_code == 201, response.text
    return str(response.json()["result"]["id"])


def test_claimed_documents_stay(c: Api, expire: Expire) -> None:
    fill(c, 5)
    transaction = begin(c, write="c")
    headers = {"x-arango-trx-id": transaction}
    c.request("PATCH", "/_api/document/c/old1", {"t": NEVER}, headers=headers)
    c.request("DELETE", "/_api/document/c/old2", headers=headers)
    c.request("POST", "/_api/document/c", {"_key": "mine", "t": EXPIRED}, headers=headers)
    expire()
    assert sorted(rows(c, "FOR d IN c RETURN d._key")) == ["old1", "old2"]
    assert c.put(f"/_api/transaction/{transaction}").status_code == 200
    assert sorted(rows(c, "FOR d IN c RETURN d._key")) == ["mine", "old1"]
    expire()
    assert rows(c, "FOR d IN c RETURN d._key") == ["old1"]


def test_what_expires_under_a_transaction(c: Api, expire: Expire) -> None:
    fill(c, 5)
    transaction = begin(c, write="c")
    headers = {"x-arango-trx-id": transaction}
    expire()
    assert count(c) == 0
    assert len(send(c, "FOR d IN c RETURN d", headers=headers).json()["result"]) == 5
    late = c.request("PATCH", "/_api/document/c/old1", {"t": NEVER}, headers=headers)
    assert error_of(late) == (409, 1200)
    assert c.put(f"/_api/transaction/{transaction}").status_code == 200
    assert count(c) == 0


def test_a_collection_that_one_transaction_has_alone(c: Api, expire: Expire) -> None:
    fill(c, 5)
    transaction = begin(c, exclusive="c")
    expire()
    assert count(c) == 5
    assert c.delete(f"/_api/transaction/{transaction}").status_code == 200
    expire()
    assert count(c) == 0


# -- replication -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, ...]]:
    with two_servers(tmp_path_factory.mktemp("pair")) as both:
        yield both


@pytest.fixture
def pair(servers: tuple[ServerThread, ServerThread]) -> Iterator[Pair]:
    with fresh_pair(*servers) as both:
        yield both


def check_same(pair: Pair) -> None:
    """Down to rows and index entries; both servers stand still."""
    sides = (pair.leader_server, pair.leader), (pair.follower_server, pair.follower)
    stores = [server.server.node.store for server, _ in sides]
    found = [store.catalog.database(api.database).find("c") for store, (_, api) in
             zip(stores, sides, strict=True)]  # fmt: skip
    compare_collections((stores[0], stores[1]), found[0], found[1])
    for server, _ in sides:
        assert server.call(lambda node=server.server.node: findings(node.store)) == []


@pytest.mark.parametrize("is_late", [False, True])
def test_a_follower_waits_for_its_leader(pair: Pair, is_late: bool) -> None:
    pair.leader.create_collection("c")
    if not is_late:
        index(pair.leader)
    fill(pair.leader, 300, 3)
    pair.follow()
    if is_late:
        index(pair.leader)
    pair.catch_up()
    expire_on(pair.follower_server)
    assert count(pair.follower) == 303
    check_same(pair)
    assert error_of(send(pair.follower, "FOR d IN c REMOVE d IN c")) == (403, 1004)
    assert error_of(send(pair.follower, "INSERT {} INTO c")) == (403, 1004)
    assert len(rows(pair.follower, "FOR d IN c RETURN d")) == 303
    expire_on(pair.leader_server)
    pair.leader.insert("c", {"_key": "after", "t": EXPIRED})
    pair.catch_up()
    assert count(pair.follower) == 4
    check_same(pair)
    pair.stop()


def test_who_follows_no_more_expires_by_itself(pair: Pair) -> None:
    pair.leader.create_collection("c")
    index(pair.leader)
    fill(pair.leader, 3)
    pair.follow()
    pair.catch_up()
    pair.stop()
    expire_on(pair.follower_server)
    assert (count(pair.leader), count(pair.follower)) == (3, 0)


# -- kill -9 ---------------------------------------------------------------------------------------


def test_entries_survive_a_kill(tmp_path: Path) -> None:
    try:
        _kill_under_load(tmp_path / "data")
    finally:
        ServerProcess.kill_all()


def _kill_under_load(path: Path) -> None:
    written = 0

    def write(url: str) -> None:
        nonlocal written
        with Api(url, "_system") as api:
            while True:
                try:
                    moment = EXPIRED if written % 3 else NEVER
                    documents = [{"_key": f"k{n}", "t": moment, "n": written} for n in range(50)]
                    api.insert("c", documents, overwriteMode="replace")
                    api.delete(f"/_api/document/c/k{written % 50}")
                except OSError:
                    return
                written += 1

    for number in range(2):
        server = ServerProcess(path)
        with Api(server.url, "_system") as api:
            if not number:
                api.create_collection("c")
                index(api)
        goal = written + 30
        writer = threading.Thread(target=write, args=(server.url,))
        writer.start()
        wait_for(lambda goal=goal: True if written > goal else None)
        server.kill()
        writer.join(60)
        assert not writer.is_alive()
        checked = check(path)
        assert checked.returncode == 0, checked.stdout + checked.stderr
    with ServerThread(Config(path, port=0)) as running, Api(running.url, "_system") as api:
        living = set(rows(api, "FOR d IN c FILTER d.t == @t RETURN d._key", {"t": NEVER}))
        assert count(api) > 0
        expire_on(running)
        assert set(rows(api, "FOR d IN c RETURN d._key")) == living
        assert running.call(lambda: findings(running.server.node.store)) == []
