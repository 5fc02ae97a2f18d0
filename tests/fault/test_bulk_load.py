"""Large collections are loaded past the log: what is promised about it, also after `kill -9`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.process import ServerProcess, check
from support.server import Api
from support.stores import make_collection, system
from support.wait import wait_for

from arangorep.clock import ManualClock
from arangorep.data.databases import ensure_system_database
from arangorep.storage.engine import Family
from arangorep.storage.integrity import findings
from arangorep.storage.loading import finish_loads
from arangorep.storage.rocks import RocksEngine, write_sorted
from arangorep.storage.rows import build_row
from arangorep.storage.store import Store
from arangorep.values.revision import revision_text

DOCUMENTS = 30_000
FIRST = 1_700_000_000_000 << 20


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    yield
    ServerProcess.kill_all()


def fill(api: Api, name: str) -> None:
    api.create_collection(name)
    for start in range(0, DOCUMENTS, 5000):
        numbers = range(start, start + 5000)
        text = "Grüße " * 30
        api.insert(name, [{"_key": f"k{n * 7919 % DOCUMENTS}", "t": text} for n in numbers])


def checksum(api: Api, name: str) -> str:
    path = f"/_api/collection/{name}/checksum"
    answer = api.get(path, withRevisions="true", withData="true").json()
    return str(answer.get("checksum", answer))


def follow(follower: Api, leader: ServerProcess) -> None:
    body = {"endpoint": leader.url, "autoStart": True, "connectionRetryWaitTime": 0.2}
    follower.put("/_api/replication/make-follower", body)


def test_who_tails_from_before_is_told_of_the_gap(tmp_path: Path) -> None:
    leader, follower = ServerProcess(tmp_path / "l"), ServerProcess(tmp_path / "f")
    with Api(leader.url, "_system") as a, Api(follower.url, "_system") as b:
        fill(a, "c")
        assert b.post("/_api/database", {"name": "other"}).status_code == 201
        before = b.get("/_api/wal/lastTick").json()["tick"]
        follow(b, leader)
        assert checksum(a, "c") == checksum(b, "c")
        logged = [m for m in b.tail(before) if m["type"] == 2300]
        assert len(logged) < DOCUMENTS // 2, "loaded past the log"
        for query, present in (
            ({"from": before}, "false"),
            ({"from": before, "global": "true"}, "false"),
        ):
            answer = b.get("/_api/wal/tail", **query)
            assert answer.headers["x-arango-replication-frompresent"] == present
        a.insert("c", {"_key": "later"})
        wait_for(lambda: b.get("/_api/document/c/later").status_code == 200 or None)
        last = b.get("/_api/wal/lastTick").json()["tick"]
        answer = b.get("/_api/wal/tail", **{"from": last})
        assert answer.headers["x-arango-replication-frompresent"] == "true"
        with Api(follower.url, "other") as other:
            answer = other.get("/_api/wal/tail", **{"from": before})
            assert answer.headers["x-arango-replication-frompresent"] == "true"
    follower.kill()
    again = ServerProcess(tmp_path / "f")
    with Api(again.url, "_system") as b:
        answer = b.get("/_api/wal/tail", **{"from": before})
        assert answer.headers["x-arango-replication-frompresent"] == "false", "also after a restart"
    again.kill()
    assert check(tmp_path / "f").returncode == 0


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_killed_load_is_repaired_and_goes_on(tmp_path: Path, share: float) -> None:
    leader, follower = ServerProcess(tmp_path / "l"), ServerProcess(tmp_path / "f")
    with Api(leader.url, "_system") as a, Api(follower.url, "_system") as b:
        fill(a, "c")

        def loaded() -> bool | None:
            state = b.get("/_api/replication/applier-state").json()["state"]["progress"]
            done = sum(one["documents"] for one in state.get("collections", []))
            return done >= share * DOCUMENTS or None

        starting = threading.Thread(target=_follow_quietly, args=(follower.url, leader))
        starting.start()
        wait_for(loaded)
        follower.kill()
        starting.join()
        assert check(tmp_path / "f").returncode in (0, 1)
        again = ServerProcess(tmp_path / "f")
        with Api(again.url, "_system") as c:
            wait_for(
                lambda: c.get("/_api/replication/applier-state").json()["state"]["running"] or None
            )
            assert checksum(a, "c") == checksum(c, "c")
        again.kill()
    assert check(tmp_path / "f").stdout.startswith(str(tmp_path / "f"))
    assert check(tmp_path / "f").returncode == 0


def _follow_quietly(url: str, leader: ServerProcess) -> None:
    try:
        with Api(url, "_system") as api:
            follow(api, leader)
    except OSError:
        pass  # the follower is killed while it works


@pytest.mark.parametrize("families", [[], [Family.DOCUMENTS], [Family.DOCUMENTS, Family.PRIMARY]])
def test_whatever_was_taken_over_becomes_whole(tmp_path: Path, families: list[Family]) -> None:
    store = Store(RocksEngine(tmp_path / "s"), ManualClock())
    ensure_system_database(store)
    collection = make_collection(store, "c")
    store.begin_load(collection)
    revisions = range(FIRST, FIRST + 100)
    stamps = [revision.to_bytes(8, "big") for revision in revisions]
    names = [b"k%03d" % (number * 37 % 100) for number in range(100)]
    rows = {
        Family.DOCUMENTS: sorted(
            (collection.prefix + stamp, build_row(name, b"c", revision_text(r).encode(), {"n": r}))
            for r, stamp, name in zip(revisions, stamps, names, strict=True)
        ),
        Family.PRIMARY: sorted(
            (collection.prefix + name, stamp) for name, stamp in zip(names, stamps, strict=True)
        ),
    }
    for family in families:
        path = store.engine.load_directory / family.value
        write_sorted(path, *map(list, zip(*rows[family], strict=True)))
        store.engine.ingest(family, [path])
    store.engine.close()  # nothing else of the store was told: as after a crash
    store = Store(RocksEngine(tmp_path / "s"), ManualClock())
    finish_loads(store)
    collection = system(store).find("c")
    assert collection.count == (100 if families else 0)
    assert findings(store) == []
    if families:
        assert store.last_revision >= revisions[-1]
        assert collection.gap
    store.close()
