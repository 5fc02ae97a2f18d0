"""A point in time: a backup, and the log archive on top of it up to a tick or a moment."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.process import check
from support.server import Api, ServerThread
from support.wait import wait_for

from arangorep.backup.log_archive import log_files
from arangorep.clock import ManualClock
from arangorep.config import Config

State = dict[str, dict[str, Any]]


@dataclass
class Past:
    """A server's history: its state at some ticks, its backups, its log archive."""

    path: Path
    states: list[tuple[str, str, State]]
    """Tick, moment, documents by collection."""

    @property
    def log(self) -> Path:
        return self.path / "log"

    def backup(self, kind: str) -> Path:
        [found] = [p for p in (self.path / kind).iterdir() if p.stem.startswith("20")]
        return found


def state_of(api: Api) -> State:
    names = [c["name"] for c in api.get("/_api/collection?excludeSystem=true").json()["result"]]
    batch = api.create_batch()
    return {name: {d["_key"]: d for d in api.dump(name, batch)} for name in names}


def finished(api: Api, path: str) -> None:
    task = api.session.post(f"{api.url}{path}").json()["taskUid"]
    shown = wait_for(
        lambda: (t := api.session.get(f"{api.url}/tasks/{task}").json())["finishedAt"] and t
    )
    assert shown["status"] == "succeeded", shown


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    path = tmp_path_factory.mktemp("past")
    config = Config(
        path / "data",
        port=0,
        dump_directory=path / "dumps",
        snapshot_directory=path / "snapshots",
        log_archive=path / "log",
    )
    clock = ManualClock()
    states: list[tuple[str, str, State]] = []
    with ServerThread(config, clock) as server, Api(server.url, "_system") as api:
        archiver = server.server.node.archiver
        assert archiver is not None

        def note() -> None:
            tick = api.get("/_api/wal/lastTick").json()
            states.append((tick["tick"], tick["time"], state_of(api)))
            clock.advance_s(10)
            server.run(archiver.step())

        api.create_collection("c")
        index = {"type": "persistent", "fields": ["n"], "unique": True, "sparse": True}
        api.post("/_api/index", index, collection="c")
        api.insert("c", [{"_key": f"k{n}", "n": n} for n in range(50)])
        finished(api, "/dumps")
        finished(api, "/snapshots")
        note()
        api.insert("c", [{"_key": f"l{n}", "n": 100 + n} for n in range(300)])
        api.delete("/_api/document/c", [f"k{n}" for n in range(20)])
        note()
        api.create_collection("gone")
        api.insert("gone", {"_key": "x"})
        note()
        api.delete("/_api/collection/gone")
        api.put("/_api/collection/c/rename", {"name": "ü"})
        api.patch("/_api/document/ü/k30", {"again": True})
        begun = api.post("/_api/transaction/begin", {"collections": {"write": "ü"}}).json()
        trx = {"x-arango-trx-id": begun["result"]["id"]}
        api.request("POST", "/_api/document/ü", [{"_key": "t1"}, {"_key": "t2"}], headers=trx)
        api.put(f"/_api/transaction/{begun['result']['id']}")
        note()
        api.put("/_api/collection/ü/truncate")
        note()
    return Past(path, states)


def restore(*arguments: Any) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "arangorep", "restore", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def restored(path: Path) -> State:
    checked = check(path)
    assert checked.returncode == 0, checked.stdout
    with ServerThread(Config(path, port=0)) as server, Api(server.url, "_system") as api:
        assert int(api.get("/_api/wal/lastTick").json()["tick"]) > 10**15
        return state_of(api)


@pytest.mark.parametrize("kind", ["dumps", "snapshots"])
@pytest.mark.parametrize("by", ["tick", "moment"])
@pytest.mark.parametrize("number", range(5))
def test_every_moment_comes_back(
    past: Past, tmp_path: Path, kind: str, by: str, number: int
) -> None:
    tick, moment, expected = past.states[number]
    until = tick if by == "tick" else moment
    target = tmp_path / "data"
    status, printed = restore(
        past.backup(kind), target, "--log-archive", past.log, "--until", until
    )
    assert status == 0, printed
    found = restored(target)
    assert found == expected


def test_everything_that_was_archived(past: Past, tmp_path: Path) -> None:
    status, printed = restore(past.backup("dumps"), tmp_path / "d", "--log-archive", past.log)
    assert status == 0, printed
    assert restored(tmp_path / "d") == past.states[-1][2]


def test_a_backup_alone(past: Past, tmp_path: Path) -> None:
    status, printed = restore(past.backup("snapshots"), tmp_path / "d")
    assert status == 0, printed
    assert restored(tmp_path / "d") == past.states[0][2]


def test_what_cannot_be(past: Past, tmp_path: Path) -> None:
    backup, target = past.backup("dumps"), tmp_path / "d"
    files = log_files(past.log)
    holed = tmp_path / "holed"
    holed.mkdir()
    for file in (files[0], *files[2:]):
        (holed / file.path.name).write_bytes(file.path.read_bytes())
    torn = tmp_path / "torn"
    torn.mkdir()
    for file in files:
        (torn / file.path.name).write_bytes(file.path.read_bytes()[:-3])
    for arguments, expected in (
        ((backup, target, "--until", "5"), "--until needs --log-archive"),
        ((backup, target, "--log-archive", past.log, "--until", "soon"), "neither a tick"),
        ((backup, target, "--log-archive", past.log, "--until", "1"), "after 1"),
        ((backup, target, "--log-archive", past.log, "--until", 10**9), "ends at tick"),
        ((backup, target, "--log-archive", holed), "lacks ticks"),
        ((backup, target, "--log-archive", torn), "cut off or was changed"),
        ((tmp_path / "nothing", target), "is no file"),
        ((backup, "http://127.0.0.1:1", "--until", "5"), "need a data directory"),
    ):
        status, printed = restore(*arguments)
        assert status != 0, printed
        assert expected in printed
        assert "Traceback" not in printed
        assert not target.exists()
    target.mkdir()
    (target / "mine").write_text("x")
    status, printed = restore(backup, target)
    assert (status, "is not empty" in printed) == (1, True)
    assert (target / "mine").read_text() == "x"
