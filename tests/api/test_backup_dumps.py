"""`/_admin/backup/dump` and `/_admin/backup/verify`: dumps by ArangoDB's rules."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.backups import Backups, backup_config, fill, held
from support.server import Api, ServerThread, error_of

from arangorep.backup.problems import DumpNotFound
from arangorep.rest import backup_dumps


@pytest.fixture
def backups(tmp_path: Path) -> Iterator[Backups]:
    with ServerThread(backup_config(tmp_path)) as running, Api(running.url, "_system") as api:
        fill(api, "c", 200)
        yield Backups(running.url)


def refused(backups: Backups, method: str, path: str, body: object = None) -> tuple[int, int]:
    return error_of(backups.call(method, f"/_admin/backup/{path}", body))


def test_a_dump_and_its_status(backups: Backups) -> None:
    answer = backups.done("POST", "/_admin/backup/dump", {"label": "x"}, status=202)
    assert (answer["error"], answer["code"], answer["result"]["status"]) == (
        False, 202, "in_progress",
    )  # fmt: skip
    uid = answer["result"]["uid"]
    backups.wait()
    told = backups.done("GET", f"/_admin/backup/dump/{uid}")["result"]
    assert told == backups.status(uid)
    assert (told["status"], told["label"], told["documents"]) == ("done", "x", 201)


def test_a_second_one_conflicts(backups: Backups) -> None:
    with held() as gate:
        backups.done("POST", "/_admin/backup/dump", status=202)
        gate.reached()
        assert refused(backups, "POST", "dump") == (409, 7011)
        backups.done("POST", "/_admin/backup/dump", {"queue": True}, status=202)
        gate.open()
    assert len(backups.wait()) == 2


@pytest.mark.parametrize("body", [[], 7, "x", {"label": 7}, {"unknown": 1}, {"databases": [7]}])
def test_bad_wishes(backups: Backups, body: object) -> None:
    assert refused(backups, "POST", "dump", body) == (400, 400)
    assert backups.tasks() == []


def test_databases_that_are_none(backups: Backups) -> None:
    assert refused(backups, "POST", "dump", {"databases": ["nope"]}) == (404, 1228)


@pytest.mark.parametrize("uid", ["nope", "20200101-000000000", "%2E%2E", "%00", "a%2Fb"])
def test_unknown_dumps(backups: Backups, uid: str) -> None:
    assert refused(backups, "GET", f"dump/{uid}") == (404, 404)
    assert refused(backups, "POST", "verify", {"uid": uid}) == (404, 404)


@pytest.mark.parametrize("path", ["dump", "dump/x/y", "verify"])
def test_other_paths(backups: Backups, path: str) -> None:
    assert refused(backups, "GET", path) == (405, 405)


# -- verify ----------------------------------------------------------------------------------------


def test_verify(backups: Backups) -> None:
    uid = backups.dump()
    told = backups.done("POST", "/_admin/backup/verify", {"uid": uid})["result"]
    assert (told["uid"], told["valid"], told["documents"]) == (uid, True, 201)


def test_verify_a_snapshot(backups: Backups, tmp_path: Path) -> None:
    backups.snapshot()
    (path,) = (tmp_path / "snapshots").glob("2*.snapshot")
    told = backups.done("POST", "/_admin/backup/verify", {"uid": path.stem})["result"]
    assert (told["valid"], told["snapshotUid"]) == (True, path.stem)


def test_verify_a_damaged_one(backups: Backups, tmp_path: Path) -> None:
    uid = backups.dump(compression="none")
    path = tmp_path / "dumps" / f"{uid}.dump"
    data = bytearray(path.read_bytes())
    at = data.index(b'"_key":"1"')
    data[at + 8] ^= 1
    path.write_bytes(data)
    told = backups.done("POST", "/_admin/backup/verify", {"uid": uid})["result"]
    assert (told["valid"], told.keys()) == (False, {"uid", "valid", "entry", "problem"})
    assert ".data.json" in told["entry"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (DumpNotFound("gone"), (404, 404)),
        (FileNotFoundError(2, "No such file"), (404, 404)),
        (OSError(5, "Input/output error"), (500, 7001)),
    ],
)
def test_verify_what_cannot_be_read(
    backups: Backups, monkeypatch: pytest.MonkeyPatch, fault: Exception, expected: tuple[int, int]
) -> None:
    def fail(*_: object) -> None:
        raise fault

    uid = backups.dump()
    monkeypatch.setattr(backup_dumps, "verify_archive", fail)
    assert refused(backups, "POST", "verify", {"uid": uid}) == expected


def test_verifications_take_one_thread(backups: Backups, monkeypatch: pytest.MonkeyPatch) -> None:
    uid, running, most = backups.dump(), [0], [0]
    plain = backup_dumps.verify_archive

    def counted(*arguments: Any) -> Any:
        running[0] += 1
        most[0] = max(most[0], running[0])
        found = plain(*arguments)
        running[0] -= 1
        return found

    monkeypatch.setattr(backup_dumps, "verify_archive", counted)
    with ThreadPoolExecutor(5) as pool:
        ask = [
            pool.submit(backups.done, "POST", "/_admin/backup/verify", {"uid": uid})
            for _ in range(5)
        ]
        assert all(one.result()["result"]["valid"] for one in ask)
    assert most[0] == 1


@pytest.mark.parametrize("body", [None, [], {}, {"uid": None}, {"uid": 7}])
def test_verify_nothing(backups: Backups, body: object) -> None:
    assert refused(backups, "POST", "verify", body) == (400, 400)
