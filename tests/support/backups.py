"""What tests of backups ask again and again of a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread
from support.wait import wait_for

from arangorep.backup.archive import ArchiveWriter
from arangorep.backup.launch import LaunchImport
from arangorep.config import Config

TIMEOUT_S = 30
DUMPS, SNAPSHOTS = "dumps", "snapshots"

Task = dict[str, Any]


def backup_config(path: Path, name: str = "data", **options: Any) -> Config:
    """A configuration whose directories all lie below `path`."""
    return Config(
        path / name, port=0, dump_directory=path / DUMPS, snapshot_directory=path / SNAPSHOTS,
        **options,
    )  # fmt: skip


def restored_config(path: Path, kind: str, source: Path, **options: Any) -> Config:
    """The configuration of a server of its own that starts with `source`."""
    return Config(
        path / "data", port=0, dump_directory=path / DUMPS, snapshot_directory=path / SNAPSHOTS,
        launch_import=LaunchImport(kind, source, **options),
    )  # fmt: skip


class Backups:
    """Requests about backups to one server."""

    def __init__(self, url: str, auth: tuple[str, str] | None = None) -> None:
        self.url, self.auth = url, auth

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        return requests.request(
            method, self.url + path, json=body, headers=headers, auth=self.auth, timeout=TIMEOUT_S
        )

    def done(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        """The body of a request that must be answered with a status."""
        answer = self.call(method, path, body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def refused(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and code, after checking that it is an error of the right form."""
        answer = self.call(method, path, body)
        error = answer.json()
        assert list(error) == ["message", "code", "type", "link"], error
        assert error["link"].endswith(error["code"])
        return answer.status_code, error["code"]

    def task(self, uid: int) -> Task:
        found: Task = self.done("GET", f"/tasks/{uid}")
        return found

    def tasks(self, query: str = "") -> list[Task]:
        """The newest first."""
        found: list[Task] = self.done("GET", f"/tasks?limit=1000&{query}")["results"]
        return found

    def wait(self) -> list[Task]:
        """Wait until everything is finished; the newest task first."""

        def look() -> list[Task] | None:
            found = self.tasks()
            return found if all(task["finishedAt"] for task in found) else None

        return wait_for(look)

    def dump(self, **wishes: Any) -> str:
        """One successful dump; returns its uid."""
        started = self.done("POST", "/dumps", wishes or None, status=202)
        self.wait()
        status = self.status(started["uid"])
        assert status["status"] == "done", status
        return str(started["uid"])

    def snapshot(self) -> None:
        """One successful snapshot."""
        uid = self.done("POST", "/snapshots", status=202)["taskUid"]
        self.wait()
        assert self.task(uid)["status"] == "succeeded", self.task(uid)

    def status(self, uid: str) -> Any:
        return self.done("GET", f"/dumps/{uid}/status")


class Gate:
    """Holds worker threads at a method of `ArchiveWriter` until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def reached(self) -> None:
        assert self.entered.wait(TIMEOUT_S)

    def open(self) -> None:
        self.opened.set()


@contextmanager
def held(
    method: str = "add", *, owner: Any = ArchiveWriter, times: int = 1, after: int = 0
) -> Iterator[Gate]:
    """The first calls of a method wait for the gate, after some that pass."""
    gate, original = Gate(), getattr(owner, method)
    calls = iter([True] * after + [False] * times)

    def wait(*args: Any, **options: Any) -> Any:
        if not next(calls, True):
            gate.entered.set()
            gate.opened.wait(TIMEOUT_S)
        return original(*args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, method, wait)
        try:
            yield gate
        finally:
            gate.open()


def files(directory: Path) -> list[str]:
    """The names in a directory; none when it is not there."""
    return sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []


@contextmanager
def restored(path: Path, kind: str, source: Path) -> Iterator[ServerThread]:
    """A server that started with a dump or a snapshot."""
    with ServerThread(restored_config(path, kind, source)) as server:
        yield server


def fill(api: Api, collection: str, count: int, size: int = 100) -> None:
    """A collection with documents."""
    api.create_collection(collection)
    for start in range(0, count, 1000):
        numbers = range(start, min(count, start + 1000))
        api.insert(collection, [{"_key": str(n), "t": "x" * size} for n in numbers])
