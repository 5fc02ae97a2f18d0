"""`kill -9` in the middle of a backup: a file is whole or not there; the next start tidies up."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.backups import Backups, backup_config, files, restored
from support.equality import differences
from support.process import ServerProcess, check
from support.server import Api, ServerThread

from arangorep.backup.archive import check_seal
from arangorep.backup.importing import verify_archive

KILLED = """
import json, os, signal, sys
module, owner, name, after = sys.argv[1:4] + [int(sys.argv[4])]
place = __import__(module, fromlist=["x"])
place = getattr(place, owner) if owner else place
original, left = getattr(place, name), [after]
def call(*args, **options):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **options)
setattr(place, name, call)
from arangorep.cli.main import main
sys.argv = ["arangorep", "serve", *sys.argv[5:]]
main()
"""
"""A server that dies when it calls a function the n-th time."""

Place = tuple[str, str, str, int]

ARCHIVE, JOBS, IMPORTING, PLACING = (
    f"arangorep.backup.{n}" for n in ("archive", "jobs", "importing", "placing")
)
WRITING: list[Place] = [
    (ARCHIVE, "ArchiveWriter", "add", 0),
    (ARCHIVE, "ArchiveWriter", "add", 5),
    (ARCHIVE, "ArchiveWriter", "finish", 0),
    (ARCHIVE, "", "_seal", 0),
    ("os", "", "replace", 0),
    (ARCHIVE, "", "sync_directory", 0),
]
PACKING: list[Place] = [
    (JOBS, "", "take_checkpoint", 0),
    (JOBS, "", "_pack", 0),
    (ARCHIVE, "ArchiveWriter", "add_file", 0),
    (ARCHIVE, "ArchiveWriter", "add_file", 3),
    (ARCHIVE, "ArchiveWriter", "finish", 0),
    ("os", "", "replace", 0),
    (JOBS, "", "_refresh_latest", 0),
    ("os", "", "link", 0),
    ("os", "", "replace", 1),
]
LOADING: list[Place] = [
    (IMPORTING, "", "read_archive", 0),
    (ARCHIVE, "_Hashed", "finish", 2),
    (IMPORTING, "", "start_anew", 0),
    (IMPORTING, "", "take_place", 0),
    ("pathlib", "Path", "rmdir", 0),
    ("pathlib", "Path", "rename", 0),
]


class DoomedServer(ServerProcess):
    """Runs until it comes to the place; `url` as usual."""

    def __init__(self, place: Place, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", KILLED, *map(str, place), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._running.append(self)

    def listen(self) -> str:
        self.url = self.wait_for(r"listening on (http://\S+)")[1]
        return self.url

    def killed(self) -> None:
        """Wait for its death."""
        status, errors = self.wait()
        assert status == -signal.SIGKILL, errors


def options(path: Path) -> list[str]:
    return [
        str(path / "data"), "--port", "0", "--dump-dir", str(path / "dumps"),
        "--snapshot-dir", str(path / "snapshots"),
    ]  # fmt: skip


def named(places: list[Place]) -> Any:
    return pytest.mark.parametrize("place", places, ids=lambda p: f"{p[1]}.{p[2]}-{p[3]}")


def fill(url: str) -> None:
    with Api(url, "_system") as api:
        for name in ("a", "b", "c", "d"):
            api.create_collection(name)
            api.insert(name, [{"_key": str(n), "t": "x" * 50} for n in range(300)])


def start(server: ServerProcess, path: str) -> None:
    """Ask for a task; whether the answer still arrives is left open."""
    with contextlib.suppress(requests.ConnectionError):
        Backups(server.url).call("POST", path)


@pytest.fixture(autouse=True)
def _no_process_survives() -> Iterator[None]:
    yield
    ServerProcess.kill_all()


def whole(path: Path) -> list[str]:
    """The files that have their names, each of which is complete; parts are only hidden ones."""
    found = [name for name in files(path) if not name.startswith(".")]
    for name in found:
        verify_archive(path / name)
        check_seal(path / name)
    return found


@named(WRITING)
def test_a_dump(tmp_path: Path, place: Place) -> None:
    server = DoomedServer(place, *options(tmp_path))
    fill(server.listen())
    start(server, "/dumps")
    server.killed()
    assert len(whole(tmp_path / "dumps")) <= 1
    assert check(tmp_path / "data").returncode == 0
    with ServerThread(backup_config(tmp_path)) as again:
        backups = Backups(again.url)
        (task,) = backups.wait()
        assert (task["uid"], task["status"]) == (0, "succeeded")
        source = tmp_path / "dumps" / f"{task['details']['dumpUid']}.dump"
        assert files(tmp_path / "dumps") == whole(tmp_path / "dumps") == [source.name]
        with restored(tmp_path / "o", "dump", source) as other:
            assert differences(again.url, other.url) == []


@named(PACKING)
def test_a_snapshot(tmp_path: Path, place: Place) -> None:
    with ServerThread(backup_config(tmp_path)) as server:
        fill(server.url)
        Backups(server.url).snapshot()
    before = whole(tmp_path / "snapshots")
    doomed = DoomedServer(place, *options(tmp_path))
    doomed.listen()
    start(doomed, "/snapshots")
    doomed.killed()
    assert set(before) <= set(whole(tmp_path / "snapshots"))
    assert check(tmp_path / "data").returncode == 0
    with ServerThread(backup_config(tmp_path)) as again:
        tasks = Backups(again.url).wait()
        assert {task["status"] for task in tasks} == {"succeeded"}
        found = whole(tmp_path / "snapshots")
        assert files(tmp_path / "snapshots") == found
        assert files(tmp_path / "data" / "backups") == []
        latest = tmp_path / "snapshots" / "data.snapshot"
        assert latest.samefile(tmp_path / "snapshots" / found[-2])
        with restored(tmp_path / "o", "snapshot", latest) as other:
            assert differences(again.url, other.url) == []


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    path = tmp_path_factory.mktemp("sources")
    with ServerThread(backup_config(path)) as server:
        fill(server.url)
        uid = Backups(server.url).dump()
        Backups(server.url).snapshot()
    return {
        "dump": path / "dumps" / f"{uid}.dump",
        "snapshot": path / "snapshots" / "data.snapshot",
    }


@pytest.mark.parametrize("kind", ["dump", "snapshot"])
@named(LOADING)
def test_an_import(tmp_path: Path, sources: dict[str, Path], place: Place, kind: str) -> None:
    (tmp_path / "data").mkdir()
    doomed = DoomedServer(place, *options(tmp_path), f"--import-{kind}", str(sources[kind]))
    doomed.killed()
    assert files(tmp_path / "data") == []
    server = ServerProcess(
        tmp_path / "data", f"--import-{kind}", str(sources[kind]), *options(tmp_path)[3:]
    )
    with Api(server.url, "_system") as api:
        for name in "abcd":
            assert api.get(f"/_api/collection/{name}/count").json()["count"] == 300
    server.terminate()
    assert server.wait()[0] == 0
    assert check(tmp_path / "data").returncode == 0
    assert "data.importing" not in files(tmp_path)


def test_a_start_without_the_option_tidies_up(tmp_path: Path, sources: dict[str, Path]) -> None:
    doomed = DoomedServer(
        (IMPORTING, "", "start_anew", 0), *options(tmp_path), "--import-dump", str(sources["dump"])
    )
    doomed.killed()
    with ServerThread(backup_config(tmp_path)):
        pass
    assert "data.importing" not in files(tmp_path)
