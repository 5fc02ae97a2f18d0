"""A server that dies under load, or is told to stop, or finds another one in its place."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from support.process import TIMEOUT_S, ServerProcess, check
from support.raw import RawConnection, request_bytes
from support.server import Api
from support.wait import wait_for

from arangorep.storage.engine import Family, WriteSet
from arangorep.storage.rocks import RocksEngine

Catalog = dict[str, tuple[int, set[str]]]
"""Collections: how many documents, which indexes."""

SYNC_INTERVAL_S = 0.1
WRITERS = 3


@pytest.fixture(autouse=True)
def _no_process_survives() -> Iterator[None]:
    yield
    ServerProcess.kill_all()


@dataclass
class Writer:
    """Writes to keys of its own and remembers what was acknowledged, and when."""

    number: int
    url: str
    seed: int
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[tuple[float, bool, dict[str, int | None]]] = field(default_factory=list)
    """Moment, whether it was synced, and what each key then held (None: removed)."""
    unsure: dict[str, int | None] = field(default_factory=dict)
    """What the last request wanted, when its answer never came."""

    def run(self) -> None:
        random_ = random.Random(self.seed + self.number)
        with Api(self.url, "_system") as api:
            step = 0
            while not self.stop.is_set():
                step += 1
                synced = random_.random() < 0.2
                try:
                    self._write(api, random_, step, synced)
                except requests.RequestException:
                    return
                self.acknowledged.append((time.monotonic(), synced, self.unsure))
                self.unsure = {}

    def _write(self, api: Api, random_: random.Random, step: int, synced: bool) -> None:
        params = {"waitForSync": "true"} if synced else {}
        key = f"w{self.number}-{random_.randrange(20)}"
        kind = random_.random()
        if kind < 0.5:
            self.unsure = {key: step}
            answer = api.post(
                "/_api/document/c", {"_key": key, "n": step}, overwriteMode="replace", **params
            )
        elif kind < 0.8:
            keys = [f"w{self.number}-{n}" for n in random_.sample(range(20), 10)]
            self.unsure = dict.fromkeys(keys, step)
            documents = [{"_key": k, "n": step} for k in keys]
            answer = api.post("/_api/document/c", documents, overwriteMode="update", **params)
        else:
            self.unsure = {key: None}
            answer = api.delete(f"/_api/document/c/{key}", **params)
            assert answer.status_code in (200, 202, 404)
            return
        assert answer.status_code in (201, 202), answer.text


def contents(url: str) -> dict[str, int]:
    """Every document that is there."""
    with Api(url, "_system") as api:
        documents = api.dump("c", api.create_batch())
        assert api.get("/_api/collection/c/count").json()["count"] == len(documents)
        return {document["_key"]: document["n"] for document in documents}


def allowed(writer: Writer, killed_at: float) -> dict[str, set[int | None]]:
    """What each key may hold after the kill: its last certain value and everything later."""
    certain: dict[str, int | None] = {}
    later: dict[str, set[int | None]] = {}
    for moment, synced, values in writer.acknowledged:
        for key, value in values.items():
            if synced or moment < killed_at - 2 * SYNC_INTERVAL_S:
                certain[key] = value
                later[key] = set()
            else:
                later.setdefault(key, set()).add(value)
    for key, value in writer.unsure.items():
        later.setdefault(key, set()).add(value)
    return {
        key: {certain.get(key)} | later.get(key, set()) for key in certain.keys() | later.keys()
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_was_acknowledged_survives_kill_9(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "data"
    random_ = random.Random(seed)
    server = ServerProcess(path, "--sync-interval-ms", str(int(SYNC_INTERVAL_S * 1000)))
    with Api(server.url, "_system") as api:
        api.create_collection("c")
        body = {"type": "persistent", "fields": ["unset"], "unique": True, "sparse": True}
        assert api.post("/_api/index", body, collection="c").status_code == 201
    for _ in range(2):
        known = contents(server.url)
        writers = [
            Writer(number, server.url, random_.randrange(1 << 30)) for number in range(WRITERS)
        ]
        threads = [threading.Thread(target=writer.run) for writer in writers]
        for thread in threads:
            thread.start()
        goal = random_.randrange(100, 400)
        while sum(len(writer.acknowledged) for writer in writers) < goal:
            assert any(thread.is_alive() for thread in threads)
            threading.Event().wait(0.005)
        server.kill()
        killed_at = time.monotonic()
        for writer, thread in zip(writers, threads, strict=True):
            writer.stop.set()
            thread.join(TIMEOUT_S)
        checked = check(path)
        assert checked.returncode == 0, f"seed {seed}: {checked.stderr}"
        server = ServerProcess(path)
        found = contents(server.url)
        for writer in writers:
            for key, values in allowed(writer, killed_at).items():
                known.pop(key, None)
                assert found.pop(key, None) in values, f"seed {seed}: {key}"
        assert found == known, f"seed {seed}: documents that nobody touched"
    server.terminate()
    assert server.wait()[0] == 0
    assert check(path).returncode == 0


@dataclass
class Builder:
    """Changes the catalog step by step; what it saw answered is `done`, what it asked, `asked`."""

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    answers: int = 0
    done: Catalog = field(default_factory=dict)
    asked: Catalog = field(default_factory=dict)

    def run(self) -> None:
        with Api(self.url, "_system") as api:
            for number in range(10_000):
                for step in (self._build, self._fill, self._rename, self._empty, self._drop):
                    if self.stop.is_set():
                        return
                    try:
                        answer = step(api, number)
                    except requests.RequestException:
                        return
                    assert answer.status_code in (200, 201, 202), answer.text
                    self.done, self.answers = self.asked, self.answers + 1

    def _build(self, api: Api, number: int) -> requests.Response:
        """An index over many documents, or its end."""
        count, indexes = self.done["large"]
        if "by_n" in indexes:
            self.asked = {**self.done, "large": (count, set())}
            return api.delete("/_api/index/large/by_n")
        self.asked = {**self.done, "large": (count, {"by_n"})}
        body = {"type": "persistent", "fields": ["n"], "unique": True, "name": "by_n"}
        return api.post("/_api/index", body, collection="large")

    def _fill(self, api: Api, number: int) -> requests.Response:
        """A collection with documents: two requests."""
        self.asked = {**self.done, "small": (0, set())}
        api.create_collection("small")
        self.done = self.asked
        self.asked = {**self.done, "small": (50, set())}
        return api.post("/_api/document/small", [{"n": number}] * 50)

    def _rename(self, api: Api, number: int) -> requests.Response:
        self.asked = {**self.done, f"renamed{number}": self.done["small"]}
        del self.asked["small"]
        return api.put("/_api/collection/small/rename", {"name": f"renamed{number}"})

    def _empty(self, api: Api, number: int) -> requests.Response:
        self.asked = {**self.done, f"renamed{number}": (0, set())}
        return api.put(f"/_api/collection/renamed{number}/truncate")

    def _drop(self, api: Api, number: int) -> requests.Response:
        self.asked = {name: it for name, it in self.done.items() if name == "large"}
        return api.delete(f"/_api/collection/renamed{number}")


def catalog_of(url: str) -> Catalog:
    """Every collection that is there, with its count and the names of its indexes."""
    found: Catalog = {}
    with Api(url, "_system") as api:
        for each in api.get("/_api/collection", excludeSystem="true").json()["result"]:
            name = each["name"]
            indexes = api.get("/_api/index", collection=name).json()["indexes"]
            count = api.get(f"/_api/collection/{name}/count").json()["count"]
            found[name] = (count, {index["name"] for index in indexes} - {"primary"})
    return found


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_the_catalog_survives_kill_9(tmp_path: Path, seed: int) -> None:
    """Nothing is half done, whether a definition, a rename, a truncation or a long index build."""
    path = tmp_path / "data"
    random_ = random.Random(seed)
    server = ServerProcess(path)
    with Api(server.url, "_system") as api:
        api.create_collection("large")
        api.insert("large", [{"n": n} for n in range(5000)])
    builder = Builder(server.url, done={"large": (5000, set())})
    thread = threading.Thread(target=builder.run)
    thread.start()
    goal = random_.randrange(5, 30)
    while builder.answers < goal:
        assert thread.is_alive()
        threading.Event().wait(0.001)
    threading.Event().wait(random_.random() * 0.05)  # somewhere within a request
    server.kill()
    builder.stop.set()
    thread.join(TIMEOUT_S)
    checked = check(path)
    assert checked.returncode == 0, f"seed {seed}: {checked.stderr}"
    server = ServerProcess(path)
    assert catalog_of(server.url) in (builder.done, builder.asked), f"seed {seed}"
    server.terminate()
    assert server.wait()[0] == 0
    assert check(path).returncode == 0


def test_a_stop_lets_requests_finish(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    answers: list[requests.Response] = []
    with Api(server.url, "_system") as api:
        api.create_collection("c")
        documents: list[dict[str, Any]] = [{"text": "x" * 100, "n": n} for n in range(30_000)]
        thread = threading.Thread(
            target=lambda: answers.append(
                api.post("/_api/document/c", documents, waitForSync="true")
            )
        )
        with Api(server.url, "_system") as other:
            batch = other.create_batch()
            thread.start()
            # the write lock is taken when the log's next tick moves on
            while int(other.create_batch()) < int(batch) + 1000:
                assert thread.is_alive() or answers
        server.terminate()
        thread.join(TIMEOUT_S)
    assert answers[0].status_code == 201
    assert len(answers[0].json()) == 30_000
    code, errors = server.wait()
    assert code == 0, errors
    assert "Traceback" not in errors
    again = ServerProcess(tmp_path / "data")
    assert len(contents(again.url)) == 30_000
    again.kill()


def refuses(port: int) -> bool | None:
    """Whether nobody listens; None while somebody still does."""
    try:
        RawConnection(port).close()
    except ConnectionRefusedError:
        return True
    return None


def test_a_stop_waits_for_a_body_that_is_still_coming(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    documents = [{"_key": f"k{n}", "text": "x" * 100} for n in range(5000)]
    body = json.dumps(documents).encode()
    with Api(server.url, "_system") as api:
        api.create_collection("c")
        # its connection stays open and idle, which must not hold up the stop
        with RawConnection(server.port) as slow:
            length = {"Content-Length": str(len(body)), "Expect": "100-continue"}
            slow.send(request_bytes("POST", "/_api/document/c?waitForSync=true", None, length))
            assert slow.read().status == 100, "the server has begun with the request"
            slow.send(body[: len(body) // 2])
            server.terminate()
            server.wait_for("stopping")
            wait_for(lambda: refuses(server.port))
            slow.send(body[len(body) // 2 :])
            answer = slow.read()
    assert answer.status == 201
    assert [item["_key"] for item in answer.json()] == [d["_key"] for d in documents]
    code, errors = server.wait()
    assert code == 0, errors
    assert "Traceback" not in errors
    assert check(tmp_path / "data").returncode == 0
    again = ServerProcess(tmp_path / "data")
    with Api(again.url, "_system") as api:
        assert api.get("/_api/collection/c/count").json()["count"] == len(documents)
    again.kill()


def test_a_second_server_is_told_in_one_line(tmp_path: Path) -> None:
    first = ServerProcess(tmp_path / "data")
    second = subprocess.run(
        [sys.executable, "-m", "arangorep", "serve", str(tmp_path / "data"), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert second.returncode == 1
    assert "in use by another process" in second.stderr
    assert "Traceback" not in second.stderr
    assert requests.get(f"{first.url}/_api/version", timeout=TIMEOUT_S).status_code == 200
    first.kill()


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """The directory of a server that held some documents and stopped well."""
    server = ServerProcess(tmp_path / "data")
    with Api(server.url, "_system") as api:
        api.create_collection("c")
        body = {"type": "persistent", "fields": ["n"], "unique": True}
        api.post("/_api/index", body, collection="c")
        api.insert("c", [{"_key": f"k{n}", "n": n} for n in range(3000)])
        api.delete("/_api/document/c/k7")
    server.terminate()
    assert server.wait()[0] == 0
    assert check(tmp_path / "data").returncode == 0
    return tmp_path / "data"


@pytest.mark.parametrize("family", list(Family))
def test_check_finds_a_missing_row(stopped: Path, family: Family) -> None:
    engine = RocksEngine(stopped)
    prefix = b"counter/" if family is Family.META else b""
    cursor = engine.cursor(family)
    found = cursor.keys(prefix, prefix + b"\xff" * 9, 10_000)
    cursor.close()
    changes = WriteSet()
    # counters of the newest collection; of the others a row in the middle of the array insert
    changes.entries[family][found[-1 if family is Family.META else len(found) // 2]] = None
    engine.write(changes)
    engine.close()
    checked = check(stopped)
    assert checked.returncode == 1
    assert "collection c" in checked.stderr
    assert "Traceback" not in checked.stderr


def test_check_finds_damage_in_any_file(stopped: Path) -> None:
    engine = RocksEngine(stopped)
    engine.flush()
    engine.compact()
    engine.close()
    tables = list(stopped.glob("*.sst"))
    assert len(tables) == len(Family)
    for table in tables:
        sound = table.read_bytes()
        data = bytearray(sound)
        data[len(data) // 4 : len(data) // 4 + 64] = b"\xa5" * 64
        table.write_bytes(data)
        checked = check(stopped)
        assert checked.returncode == 1
        assert "checksum" in checked.stderr
        assert "Traceback" not in checked.stderr
        table.write_bytes(sound)
    assert check(stopped).returncode == 0
