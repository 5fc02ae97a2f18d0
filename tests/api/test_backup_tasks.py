"""Dumps and snapshots as tasks: /dumps, /snapshots, /tasks."""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.backups import Backups, Gate, backup_config, files, fill, held, restored
from support.equality import differences
from support.server import Api, ServerThread
from support.wait import wait_for

from arangorep.backup import dumping
from arangorep.backup.archive import ArchiveWriter, check_seal, read_archive
from arangorep.backup.importing import verify_archive
from arangorep.backup.runner import TaskRunner
from arangorep.clock import ManualClock

COMMON = [
    "uid", "batchUid", "indexUid", "status", "type", "canceledBy", "error", "duration",
    "enqueuedAt", "startedAt", "finishedAt",
]  # fmt: skip
SUMMARY = ["taskUid", "indexUid", "status", "type", "enqueuedAt"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def server(place: Path) -> Iterator[ServerThread]:
    with ServerThread(backup_config(place)) as running:
        yield running


@pytest.fixture
def backups(server: ServerThread) -> Backups:
    return Backups(server.url)


@pytest.fixture
def running(backups: Backups) -> Iterator[tuple[Gate, dict[str, Any]]]:
    """A dump that has begun to write; with what the request was answered."""
    with held() as gate:
        started = backups.done("POST", "/dumps", status=202)
        gate.reached()
        yield gate, started


def dump_file(place: Path, uid: str) -> Path:
    return place / "dumps" / f"{uid}.dump"


# -- life of a dump --------------------------------------------------------------------------------


def test_the_first_answer(backups: Backups) -> None:
    started = backups.done("POST", "/dumps", status=202)
    assert started.keys() == {*SUMMARY, "uid", "startedAt"}
    assert re.fullmatch(r"[0-9]{8}-[0-9]{9}", started["uid"])
    moment = started["startedAt"]
    assert started["uid"][:15] == re.sub("[-:]", "", moment[:19]).replace("T", "-")
    assert (started["status"], started["indexUid"]) == ("in_progress", None)
    assert (started["type"], started["taskUid"]) == ("dumpCreation", 0)
    backups.wait()


def test_status_while_it_runs_and_when_it_is_done(
    backups: Backups, running: tuple[Gate, dict[str, Any]], place: Path
) -> None:
    gate, started = running
    status = backups.status(started["uid"])
    assert (status["uid"], status["status"]) == (started["uid"], "in_progress")
    assert status.keys().isdisjoint({"finishedAt", "error", "path"})
    assert files(place / "dumps") == [f".{started['uid']}.dump.partial"]
    gate.open()
    backups.wait()
    status = backups.status(started["uid"])
    assert status["status"] == "done"
    assert "error" not in status
    path = dump_file(place, started["uid"])
    assert status["path"] == str(path)
    assert status["sizeInBytes"] == path.stat().st_size
    assert status["finishedAt"] >= status["startedAt"] >= started["startedAt"]
    assert files(place / "dumps") == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert backups.done("GET", f"/dumps/{started['uid']}") == status


def test_a_second_dump_is_refused_while_one_runs(
    backups: Backups, running: tuple[Gate, dict[str, Any]]
) -> None:
    assert backups.refused("POST", "/dumps") == (409, "dump_already_processing")
    assert backups.refused("POST", "/dumps", {"queue": False})[0] == 409
    running[0].open()
    backups.wait()
    backups.dump()


def test_queue(backups: Backups, running: tuple[Gate, dict[str, Any]], place: Path) -> None:
    second = backups.done("POST", "/dumps", {"queue": True}, status=202)
    assert backups.status(second["uid"])["status"] == "in_progress"
    assert backups.task(second["taskUid"])["status"] == "enqueued"
    running[0].open()
    assert [task["status"] for task in backups.wait()] == ["succeeded"] * 2
    uids = [running[1]["uid"], second["uid"]]
    assert files(place / "dumps") == [f"{uid}.dump" for uid in sorted(uids)]


def test_uids_are_not_repeated(backups: Backups) -> None:
    started = [backups.done("POST", "/dumps", {"queue": True}, status=202) for _ in range(20)]
    assert len({one["uid"] for one in started}) == 20
    backups.wait()


def test_list(backups: Backups) -> None:
    assert backups.done("GET", "/dumps") == {"results": []}
    uids = [backups.dump() for _ in range(2)]
    listed = backups.done("GET", "/dumps")["results"]
    assert [one["uid"] for one in listed] == uids[::-1]
    assert listed == [backups.status(uid) for uid in uids[::-1]]


@pytest.mark.parametrize(
    "path", ["x", "x/status", "20200929-114144097/status", "20200929-114144097/file", "..%2Fx/file"]
)
def test_unknown_dumps(backups: Backups, path: str) -> None:
    assert backups.refused("GET", f"/dumps/{path}") == (404, "dump_not_found")


@pytest.mark.parametrize("uid", ["x", "20200929-114144097", "..%2F..%2Fdata", "%2e%2e", "a%00b"])
def test_unknown_dumps_are_not_deleted(backups: Backups, uid: str) -> None:
    assert backups.refused("DELETE", f"/dumps/{uid}") == (404, "dump_not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/dumps"), ("DELETE", "/dumps"), ("POST", "/dumps/x"), ("POST", "/dumps/x/status"),
        ("DELETE", "/dumps/x/file"), ("GET", "/snapshots"), ("POST", "/snapshots/x"),
        ("POST", "/tasks"), ("PUT", "/tasks"), ("DELETE", "/tasks/0"), ("PATCH", "/tasks/cancel"),
    ],
)  # fmt: skip
def test_wrong_methods(backups: Backups, method: str, path: str) -> None:
    assert backups.refused(method, path) == (405, "bad_request")


# -- its file --------------------------------------------------------------------------------------


@pytest.fixture
def uid(backups: Backups) -> str:
    return backups.dump()


def ranged(backups: Backups, uid: str, text: str, method: str = "GET") -> requests.Response:
    return backups.call(method, f"/dumps/{uid}/file", headers={"Range": text})


def test_the_file(backups: Backups, uid: str, place: Path) -> None:
    answer = backups.call("GET", f"/dumps/{uid}/file")
    assert answer.content == dump_file(place, uid).read_bytes()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == f'attachment; filename="{uid}.dump"'


def test_head(backups: Backups, uid: str, place: Path) -> None:
    with requests.Session() as session:
        for _ in range(2):  # the connection stays usable
            answer = session.head(f"{backups.url}/dumps/{uid}/file", timeout=30)
            assert answer.headers["content-length"] == str(dump_file(place, uid).stat().st_size)
            assert answer.content == b""
        assert session.get(f"{backups.url}/dumps/{uid}/status", timeout=30).status_code == 200


@pytest.mark.parametrize("text", ["0-0", "0-9", "5-", "100-200", "7-99999999", "-1", "-99999999"])
def test_ranges(backups: Backups, uid: str, place: Path, text: str) -> None:
    data = dump_file(place, uid).read_bytes()
    first, last = text.split("-")
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(len(data), int(last) + 1) if first and last else len(data)
    answer = ranged(backups, uid, f"bytes={text}")
    assert (answer.status_code, answer.content) == (206, data[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(data)}"
    head = ranged(backups, uid, f"bytes={text}", "HEAD")
    assert (head.status_code, head.headers["content-length"]) == (206, str(end - start))


@pytest.mark.parametrize("text", ["bytes=", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1", "0-1", ""])
def test_ranges_that_are_not_understood(backups: Backups, uid: str, text: str) -> None:
    answer = ranged(backups, uid, text)
    assert answer.status_code == 200
    check = backups.call("GET", f"/dumps/{uid}/file").content
    assert answer.content == check


@pytest.mark.parametrize("text", ["bytes=99999999-", "bytes=99999999-999999999", "bytes=-0"])
def test_ranges_behind_the_end(backups: Backups, uid: str, text: str) -> None:
    assert ranged(backups, uid, text).status_code == 416


def test_a_range_behind_the_end_is_told_the_size(backups: Backups, uid: str, place: Path) -> None:
    size = dump_file(place, uid).stat().st_size
    answer = ranged(backups, uid, "bytes=99999999-")
    assert answer.headers.get("content-range") == f"bytes */{size}"


@pytest.mark.parametrize("path", ["/tasks/{}", "/tasks?limit={}", "/tasks?uids={}"])
def test_very_long_numbers(backups: Backups, path: str) -> None:
    assert backups.call("GET", path.format("1" * 5000)).status_code == 400


def test_a_very_long_range(backups: Backups, uid: str) -> None:
    assert ranged(backups, uid, f"bytes={'1' * 5000}-").status_code in (200, 416)


def test_the_file_while_it_is_written(
    backups: Backups, running: tuple[Gate, dict[str, Any]]
) -> None:
    uid = running[1]["uid"]
    assert backups.refused("GET", f"/dumps/{uid}/file") == (409, "dump_already_processing")
    assert backups.refused("DELETE", f"/dumps/{uid}") == (409, "dump_already_processing")


def test_delete(backups: Backups, uid: str, place: Path) -> None:
    answer = backups.call("DELETE", f"/dumps/{uid}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert files(place / "dumps") == []
    assert backups.refused("GET", f"/dumps/{uid}/file") == (404, "dump_not_found")
    assert backups.refused("DELETE", f"/dumps/{uid}") == (404, "dump_not_found")


def test_a_dump_without_its_task(backups: Backups, uid: str) -> None:
    backups.done("DELETE", "/tasks?uids=*")
    backups.wait()
    assert backups.call("GET", f"/dumps/{uid}/file").status_code == 200
    assert [one["uid"] for one in backups.done("GET", "/dumps")["results"]] == [uid]


# -- what is in it ---------------------------------------------------------------------------------


def names_in(path: Path) -> set[str]:
    """`<database folder>/<collection>` of all data files."""
    return {
        re.sub(r"_[0-9a-f]{32}\.[0-9]+\.data\.json$", "", entry.name)
        for entry, _ in read_archive(path)
        if entry.name.endswith(".data.json")
    }


@pytest.fixture
def two_databases(server: ServerThread) -> Iterator[None]:
    with server.fresh_database("one") as one, server.fresh_database("two") as two:
        for api in (one, two):
            for name in ("a", "b"):
                fill(api, name, 3)
        yield


@pytest.mark.parametrize(
    ("wishes", "found"),
    [
        ({"databases": ["one"], "includeSystem": False}, {"one/a", "one/b"}),
        ({"collections": ["a"]}, {"one/a", "two/a"}),
        ({"databases": ["two"], "collections": ["b"]}, {"two/b"}),
        ({"includeSystem": False}, {"one/a", "one/b", "two/a", "two/b"}),
        ({"collections": ["_users"]}, {"_system/_users"}),
    ],
)
@pytest.mark.usefixtures("two_databases")
def test_options(backups: Backups, place: Path, wishes: dict[str, Any], found: set[str]) -> None:
    assert names_in(dump_file(place, backups.dump(**wishes))) == found


@pytest.mark.parametrize(
    "wishes",
    [
        {"databases": "x"}, {"databases": [1]}, {"collections": {}}, {"collections": [None]},
        {"databases": None},
    ],
)  # fmt: skip
def test_bad_options(backups: Backups, wishes: dict[str, Any]) -> None:
    assert backups.refused("POST", "/dumps", wishes) == (400, "bad_request")
    assert backups.tasks() == []


def test_a_database_that_is_not_there(backups: Backups) -> None:
    assert backups.refused("POST", "/dumps", {"databases": ["nope"]})[0] == 404


def test_a_collection_that_is_not_there(backups: Backups) -> None:
    assert backups.refused("POST", "/dumps", {"collections": ["nope"]})[0] in (400, 404)


def test_a_database_dropped_before_its_turn(
    server: ServerThread, backups: Backups, running: tuple[Gate, dict[str, Any]]
) -> None:
    with server.fresh_database("gone"):
        wishes = {"databases": ["gone"], "queue": True}
        second = backups.done("POST", "/dumps", wishes, status=202)
    running[0].open()
    backups.wait()
    assert backups.status(second["uid"])["status"] == "failed"


@pytest.mark.parametrize(
    "wishes", [{"databasse": ["x"]}, {"includeSystem": "no"}, {"queue": "yes"}, {"label": 7}]
)
def test_unknown_options(backups: Backups, wishes: dict[str, Any]) -> None:
    assert backups.refused("POST", "/dumps", wishes) == (400, "bad_request")


def test_a_dump_is_one_moment(server: ServerThread, backups: Backups, place: Path) -> None:
    with server.fresh_database("x") as api:
        for name in ("kept", "emptied"):
            fill(api, name, 2000)
        with held(after=1) as gate:
            started = backups.done("POST", "/dumps", status=202)
            gate.reached()
            api.put("/_api/collection/emptied/truncate")
            api.insert("kept", [{"_key": f"new{n}"} for n in range(500)])
            api.put("/_api/document/kept/7", {"t": "other"})
            api.delete("/_api/document/kept/8")
            fill(api, "late", 3)
            gate.open()
            backups.wait()
        with (
            restored(place / "o", "dump", dump_file(place, started["uid"])) as other,
            Api(other.url, "x") as copy,
        ):
            assert copy.get("/_api/collection/late").status_code == 404
            for name in ("kept", "emptied"):
                found = copy.dump(name, copy.create_batch())
                expected = [(str(n), "x" * 100) for n in range(2000)]
                assert [(one["_key"], one["t"]) for one in found] == expected


def test_a_dump_while_everything_is_written(
    server: ServerThread, backups: Backups, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log behind the tick of the dump, applied to it, gives what the server holds."""
    monkeypatch.setattr(dumping, "DUMP_PART_BYTES", 2000)
    with server.fresh_database("x") as api:
        fill(api, "c", 1000)
        with held(after=3) as gate:
            started = backups.done("POST", "/dumps", status=202)
            gate.reached()
            for number in range(0, 1000, 7):
                api.patch(f"/_api/document/c/{number}", {"n": number})
            for number in range(0, 1000, 11):
                api.delete(f"/_api/document/c/{number}")
            gate.open()
            backups.wait()
        status = backups.status(started["uid"])
        documents: dict[str, Any] = {}
        with (
            restored(place / "o", "dump", dump_file(place, started["uid"])) as other,
            Api(other.url, "x") as copy,
        ):
            documents |= {one["_key"]: one for one in copy.dump("c", copy.create_batch())}
        assert len(documents) == 1000
        for marker in api.tail(status["tick"]):
            if marker["type"] == 2300:
                documents[marker["data"]["_key"]] = marker["data"]
            elif marker["type"] == 2302:
                del documents[marker["data"]["_key"]]
        assert documents == {one["_key"]: one for one in api.dump("c", api.create_batch())}


def test_renamed_during_the_dump(server: ServerThread, backups: Backups, place: Path) -> None:
    with server.fresh_database("x") as api:
        fill(api, "c", 10)
        with held() as gate:
            started = backups.done("POST", "/dumps", status=202)
            gate.reached()
            assert api.put("/_api/collection/c/rename", {"name": "d"}).status_code == 200
            gate.open()
            backups.wait()
        with (
            restored(place / "o", "dump", dump_file(place, started["uid"])) as other,
            Api(other.url, "x") as copy,
        ):
            found = copy.dump("c", copy.create_batch())
            assert [one["_id"] for one in found] == [f"c/{n}" for n in range(10)]


@pytest.mark.parametrize("what", ["collection", "database"])
def test_dropped_during_the_dump(
    server: ServerThread, backups: Backups, place: Path, what: str
) -> None:
    with server.fresh_database("x") as api:
        fill(api, "c", 10)
        with held() as gate:
            started = backups.done("POST", "/dumps", status=202)
            gate.reached()
            if what == "collection":
                api.delete("/_api/collection/c")
            else:
                backups.done("DELETE", "/_api/database/x")
            gate.open()
            backups.wait()
    status = backups.status(started["uid"])
    assert status["status"] == "failed"
    assert status["error"]
    assert status["finishedAt"]
    assert files(place / "dumps") == []
    backups.dump()


def test_parts_are_small(
    server: ServerThread, backups: Backups, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dumping, "DUMP_PART_BYTES", 5000)
    with server.fresh_database("x") as api:
        fill(api, "c", 500)
        uid = backups.dump(databases=["x"], collections=["c"])
        sizes = [e.size for e, _ in read_archive(dump_file(place, uid)) if ".data" in e.name]
        assert len(sizes) > 10
        assert max(sizes) < 6000
        with restored(place / "o", "dump", dump_file(place, uid)) as other:
            assert differences(server.url, other.url, "x") == []


def test_what_it_says_of_itself(server: ServerThread, backups: Backups, place: Path) -> None:
    with server.fresh_database("x") as api:
        fill(api, "c", 5)
        tick = int(api.get("/_api/wal/lastTick").json()["tick"])
        uid = backups.dump(databases=["x"], collections=["c"])
        status = backups.status(uid)
        told = verify_archive(dump_file(place, uid))
        assert (status["documents"], told["documents"]) == (5, 5)
        assert int(told["tick"]) == int(status["tick"]) == tick
        assert (told["dumpVersion"], told["dumpUid"]) == ("A1", uid)


# -- snapshots -------------------------------------------------------------------------------------


def test_snapshot(backups: Backups, place: Path) -> None:
    started = backups.done("POST", "/snapshots", status=202)
    assert list(started) == SUMMARY
    assert (started["status"], started["type"]) == ("enqueued", "snapshotCreation")
    (task,) = backups.wait()
    assert list(task) == COMMON
    assert task["status"] == "succeeded"
    latest, named = place / "snapshots" / "data.snapshot", files(place / "snapshots")
    assert len(named) == 2
    assert latest.samefile(place / "snapshots" / named[0])
    assert stat.S_IMODE(latest.stat().st_mode) == 0o444
    check_seal(latest)
    assert files(place / "data" / "backups") == []


def test_snapshots_are_done_at_once(
    backups: Backups, running: tuple[Gate, dict[str, Any]], place: Path
) -> None:
    for _ in range(3):
        backups.done("POST", "/snapshots", status=202)
    running[0].open()
    snapshots = [task for task in backups.wait() if task["type"] == "snapshotCreation"]
    assert [task["status"] for task in snapshots] == ["succeeded"] * 3
    assert len({task["batchUid"] for task in snapshots}) == 1
    assert len(files(place / "snapshots")) == 2


def test_the_stable_name_is_the_latest(server: ServerThread, backups: Backups, place: Path) -> None:
    latest = place / "snapshots" / "data.snapshot"
    backups.snapshot()
    first = latest.read_bytes()
    with server.fresh_database("x"):
        backups.snapshot()
    assert latest.read_bytes() != first
    assert len(files(place / "snapshots")) == 3


@pytest.mark.parametrize("kept", [1, 2])
def test_retention(place: Path, kept: int) -> None:
    with ServerThread(backup_config(place, snapshots_kept=kept)) as server:
        backups = Backups(server.url)
        (place / "snapshots").mkdir()
        (place / "snapshots" / "mine.snapshot").touch()
        for _ in range(4):
            backups.snapshot()
    found = files(place / "snapshots")
    assert found[-2:] == ["data.snapshot", "mine.snapshot"]
    assert len(found) == kept + 2
    latest = place / "snapshots" / "data.snapshot"
    assert latest.samefile(place / "snapshots" / found[kept - 1])


def test_retention_by_age(place: Path) -> None:
    clock = ManualClock()
    config = backup_config(place, snapshots_kept=5, snapshots_kept_s=2 * 86_400)
    with ServerThread(config, clock) as server:
        backups, found = Backups(server.url), []
        for days in (0, 1, 1, 1, 30):
            clock.advance_s(days * 86_400)
            backups.snapshot()
            found.append(len(files(place / "snapshots")) - 1)
    assert found == [1, 2, 3, 3, 1]


def test_a_failed_snapshot_removes_no_other(
    backups: Backups, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.snapshot()
    before = files(place / "snapshots")
    monkeypatch.setattr(ArchiveWriter, "finish", full)
    backups.done("POST", "/snapshots", status=202)
    assert backups.wait()[0]["error"]["code"] == "no_space_left_on_device"
    assert files(place / "snapshots") == before
    assert files(place / "data" / "backups") == []


def test_scheduled_snapshots(place: Path) -> None:
    with ServerThread(backup_config(place, snapshot_interval_s=0.02)) as server:
        backups = Backups(server.url)
        wait_for(lambda: len(backups.tasks("statuses=succeeded")) > 2 or None)
    assert {"data.snapshot"} < set(files(place / "snapshots"))


def test_scheduled_snapshots_do_not_pile_up(server: ServerThread, backups: Backups) -> None:
    with held("finish") as gate:
        backups.done("POST", "/snapshots", status=202)
        gate.reached()
        for _ in range(3):
            server.run(server.server._background._snapshot())
        waiting = backups.tasks("statuses=enqueued")
        gate.open()
        backups.wait()
    assert waiting == []


# -- tasks -----------------------------------------------------------------------------------------


def test_members_of_each_type(backups: Backups) -> None:
    uid = backups.dump()
    backups.snapshot()
    backups.done("POST", "/tasks/cancel?uids=0")
    backups.done("DELETE", "/tasks?uids=99")
    deletion, cancelation, snapshot, dump = backups.wait()
    with_details = [*COMMON[:6], "details", *COMMON[6:]]
    assert [list(task) for task in (deletion, cancelation, dump)] == [with_details] * 3
    assert list(snapshot) == COMMON
    assert dump["details"] == {"dumpUid": uid}
    assert cancelation["details"] == {
        "matchedTasks": 1, "canceledTasks": 0, "originalFilter": "?uids=0",
    }  # fmt: skip
    assert deletion["details"] == {
        "matchedTasks": 0, "deletedTasks": 0, "originalFilter": "?uids=99",
    }  # fmt: skip
    assert [task["batchUid"] for task in (dump, snapshot, cancelation, deletion)] == [0, 1, 2, 3]
    for task in (dump, snapshot, cancelation, deletion):
        assert re.fullmatch(r"PT[0-9]+(\.[0-9]{3}|\.[0-9]{6})?S", task["duration"])


def test_a_running_task(backups: Backups, running: tuple[Gate, dict[str, Any]]) -> None:
    task = backups.task(running[1]["taskUid"])
    assert (task["status"], task["batchUid"]) == ("processing", 0)
    assert task["startedAt"]
    assert (task["finishedAt"], task["duration"], task["details"]) == (
        None,
        None,
        {"dumpUid": None},
    )
    assert backups.tasks("statuses=enqueued") == []
    assert [one["uid"] for one in backups.tasks("statuses=processing")] == [task["uid"]]


def test_pages(backups: Backups) -> None:
    for _ in range(5):
        backups.snapshot()
    shown = backups.done("GET", "/tasks?limit=2&from=3")
    assert [task["uid"] for task in shown["results"]] == [3, 2]
    assert (shown["total"], shown["from"], shown["next"]) == (5, 3, 1)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/tasks/x", (400, "invalid_task_uids")),
        ("GET", "/tasks/4294967296", (400, "invalid_task_uids")),
        ("GET", "/tasks/-1", (400, "invalid_task_uids")),
        ("GET", "/tasks/7", (404, "task_not_found")),
        ("GET", "/tasks/7/8", (404, "task_not_found")),
        ("GET", "/tasks?what=1", (400, "bad_request")),
        ("GET", "/tasks?uids=a", (400, "invalid_task_uids")),
        ("POST", "/tasks/cancel", (400, "missing_task_filters")),
        ("DELETE", "/tasks", (400, "missing_task_filters")),
        ("POST", "/tasks/cancel?limit=1", (400, "bad_request")),
        ("DELETE", "/tasks?from=1&uids=1", (400, "bad_request")),
        ("DELETE", "/tasks?reverse=true", (400, "bad_request")),
        ("POST", "/tasks/cancel?statuses=no", (400, "invalid_task_statuses")),
    ],
)
def test_refused_requests(backups: Backups, method: str, path: str, code: tuple[int, str]) -> None:
    assert backups.refused(method, path) == code
    assert backups.tasks() == []


def test_an_empty_list_is_not_everything(backups: Backups) -> None:
    assert backups.refused("DELETE", "/tasks?types=dumpCreation&uids=")[0] == 400


def test_cancel_an_enqueued_dump(
    backups: Backups, running: tuple[Gate, dict[str, Any]], place: Path
) -> None:
    second = backups.done("POST", "/dumps", {"queue": True}, status=202)
    answer = backups.done("POST", f"/tasks/cancel?uids={second['taskUid']}")
    assert list(answer) == SUMMARY
    assert answer["type"] == "taskCancelation"
    running[0].open()
    backups.wait()
    task = backups.task(second["taskUid"])
    assert (task["status"], task["canceledBy"]) == ("canceled", answer["taskUid"])
    assert task["details"] == {"dumpUid": None}
    assert task["startedAt"]
    status = backups.status(second["uid"])
    assert (status["status"], bool(status["error"])) == ("failed", True)
    assert backups.task(answer["taskUid"])["details"]["canceledTasks"] == 1
    assert backups.status(running[1]["uid"])["status"] == "done"
    assert files(place / "dumps") == [f"{running[1]['uid']}.dump"]


def test_cancel_a_running_dump(
    backups: Backups, running: tuple[Gate, dict[str, Any]], place: Path
) -> None:
    answer = backups.done("POST", "/tasks/cancel?statuses=processing")
    running[0].open()
    backups.wait()
    task = backups.task(running[1]["taskUid"])
    assert (task["status"], task["canceledBy"]) == ("canceled", answer["taskUid"])
    assert files(place / "dumps") == []
    backups.dump()


def test_canceled_twice(
    backups: Backups, running: tuple[Gate, dict[str, Any]], place: Path
) -> None:
    for _ in range(3):
        backups.done("POST", "/tasks/cancel?uids=0")
    running[0].open()
    backups.wait()
    assert backups.task(0)["status"] == "canceled"
    assert files(place / "dumps") == []
    backups.dump()


@pytest.mark.parametrize(("path", "folder"), [("/dumps", "dumps"), ("/snapshots", "snapshots")])
def test_a_canceled_task_leaves_no_file(
    backups: Backups, place: Path, path: str, folder: str
) -> None:
    with held("finish") as gate:
        started = backups.done("POST", path, status=202)
        gate.reached()
        backups.done("POST", "/tasks/cancel?uids=0")
        gate.open()
        backups.wait()
    status = backups.task(started["taskUid"])["status"]
    assert (status == "succeeded") == bool(files(place / folder)), (status, files(place / folder))


def test_canceled_at_the_very_beginning(backups: Backups, place: Path) -> None:
    original = ArchiveWriter.__init__
    gate = Gate()

    def slow(self: ArchiveWriter, *args: Any, **options: Any) -> None:
        original(self, *args, **options)
        gate.entered.set()
        gate.opened.wait(30)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ArchiveWriter, "__init__", slow)
        backups.done("POST", "/dumps", status=202)
        gate.reached()
        backups.done("POST", "/tasks/cancel?uids=0")
        gate.open()
        backups.wait()
    assert files(place / "dumps") == []


def test_cancel_a_running_snapshot_of_several(
    backups: Backups, running: tuple[Gate, dict[str, Any]], place: Path
) -> None:
    for _ in range(2):
        backups.done("POST", "/snapshots", status=202)
    with held(times=1) as gate:
        running[0].open()
        gate.reached()
        backups.done("POST", "/tasks/cancel?uids=1")
        gate.open()
        backups.wait()
    assert backups.task(2)["status"] == "succeeded"
    assert backups.task(1)["status"] in ("canceled", "succeeded")
    check_seal(place / "snapshots" / "data.snapshot")


def test_cancel_what_is_finished(backups: Backups) -> None:
    backups.dump()
    backups.done("POST", "/tasks/cancel?uids=*")
    cancelation, dump = backups.wait()
    assert (cancelation["details"]["matchedTasks"], cancelation["details"]["canceledTasks"]) == (
        1,
        0,
    )
    assert (dump["status"], dump["canceledBy"]) == ("succeeded", None)


def test_delete_tasks(backups: Backups, place: Path) -> None:
    uid = backups.dump()
    backups.snapshot()
    answer = backups.done("DELETE", "/tasks?types=dumpCreation")
    assert (answer["type"], list(answer)) == ("taskDeletion", SUMMARY)
    deletion, snapshot = backups.wait()
    assert deletion["details"]["deletedTasks"] == 1
    assert (snapshot["uid"], deletion["uid"]) == (1, 2)
    assert backups.refused("GET", "/tasks/0") == (404, "task_not_found")
    assert files(place / "dumps") == [f"{uid}.dump"]


def test_running_and_enqueued_tasks_are_not_deleted(
    backups: Backups, running: tuple[Gate, dict[str, Any]]
) -> None:
    backups.done("POST", "/dumps", {"queue": True}, status=202)
    with held("__init__") as gate:  # the second dump, after the deletion
        backups.done("DELETE", "/tasks?uids=0,1")
        running[0].open()
        gate.reached()
        assert backups.task(1)["status"] == "processing"
        gate.open()
        backups.wait()
    assert backups.task(1)["status"] == "succeeded"


# -- rights ----------------------------------------------------------------------------------------

REQUESTS = [
    ("POST", "/dumps"), ("GET", "/dumps"), ("GET", "/dumps/x/status"), ("GET", "/dumps/x/file"),
    ("DELETE", "/dumps/x"), ("POST", "/snapshots"), ("GET", "/tasks"), ("GET", "/tasks/0"),
    ("POST", "/tasks/cancel?uids=0"), ("DELETE", "/tasks?uids=0"),
]  # fmt: skip


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    path = tmp_path_factory.mktemp("guarded")
    with ServerThread(backup_config(path, root_password="secret")) as server:
        root = Backups(server.url, ("root", "secret"))
        user = {"user": "eve", "passwd": "e"}
        assert root.call("POST", "/_api/user", user).status_code == 201
        root.done("PUT", "/_api/user/eve/database/_system", {"grant": "ro"})
        yield server


@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_only_administrators(guarded: ServerThread, method: str, path: str) -> None:
    eve, nobody = Backups(guarded.url, ("eve", "e")), Backups(guarded.url)
    assert eve.refused(method, path)[0] == 403
    assert nobody.call(method, path).status_code == 401
    assert Backups(guarded.url, ("root", "secret")).tasks() == []


def test_the_form_of_401(guarded: ServerThread) -> None:
    assert Backups(guarded.url).refused("POST", "/dumps")[0] == 401


def test_read_only_mode(backups: Backups) -> None:
    backups.done("PUT", "/_admin/server/mode", {"mode": "readonly"})
    backups.dump()
    backups.snapshot()


# -- when it fails ---------------------------------------------------------------------------------


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device", "x.dump")


@pytest.mark.parametrize("method", ["add", "finish", "__init__"])
@pytest.mark.parametrize(
    ("number", "code", "kind"),
    [
        (errno.ENOSPC, "no_space_left_on_device", "system"),
        (errno.EIO, "io_error", "system"),
        (errno.EMFILE, "too_many_open_files", "system"),
        (errno.EACCES, "internal", "internal"),
    ],
)
def test_disk_errors(
    backups: Backups, place: Path, method: str, number: int, code: str, kind: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "it fails", "x.dump")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ArchiveWriter, method, fail)
        started = backups.done("POST", "/dumps", status=202)
        (task,) = backups.wait()
    assert (task["status"], task["details"]) == ("failed", {"dumpUid": None})
    assert (task["error"]["code"], task["error"]["type"]) == (code, kind)
    status = backups.status(started["uid"])
    assert (status["status"], status["error"]) == ("failed", task["error"]["message"])
    assert status["finishedAt"] == task["finishedAt"]
    assert files(place / "dumps") == []
    backups.dump()


def test_a_directory_that_cannot_be_made(place: Path) -> None:
    (place / "dumps").touch()
    with ServerThread(backup_config(place)) as server:
        backups = Backups(server.url)
        backups.done("POST", "/dumps", status=202)
        (task,) = backups.wait()
        assert (task["status"], task["error"]["code"]) == ("failed", "internal")
        (place / "dumps").unlink()
        backups.dump()


def test_the_directory_is_made_on_every_run(backups: Backups, place: Path) -> None:
    backups.dump()
    shutil.rmtree(place / "dumps")
    uid = backups.dump()
    assert files(place / "dumps") == [f"{uid}.dump"]


def test_the_directory_is_removed_while_it_runs(
    backups: Backups, running: tuple[Gate, dict[str, Any]], place: Path
) -> None:
    shutil.rmtree(place / "dumps")
    running[0].open()
    assert backups.wait()[0]["status"] == "failed"
    backups.dump()


def test_a_result_that_cannot_be_noted(backups: Backups, monkeypatch: pytest.MonkeyPatch) -> None:
    original = TaskRunner._finish
    failed = threading.Event()

    def finish(self: TaskRunner, *args: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.ENOSPC, "No space left on device")
        original(self, *args)

    monkeypatch.setattr(TaskRunner, "_finish", finish)
    backups.done("POST", "/dumps", status=202)
    assert failed.wait(30)
    backups.done("POST", "/snapshots", status=202)
    wait_for(lambda: backups.tasks("types=snapshotCreation&statuses=succeeded") or None)
    assert backups.task(0)["status"] != "processing"


# -- start and stop --------------------------------------------------------------------------------


def test_status_survives_a_restart(place: Path) -> None:
    with ServerThread(backup_config(place)) as server:
        uid = Backups(server.url).dump()
        before = Backups(server.url).status(uid)
    with ServerThread(backup_config(place)) as server:
        backups = Backups(server.url)
        assert backups.status(uid) == before
        assert backups.done("POST", "/snapshots", status=202)["taskUid"] == 1
        assert backups.wait()[0]["batchUid"] == 1


def test_a_clean_stop_while_a_dump_runs(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = TaskRunner.stop
    with held() as gate:

        async def stop(self: TaskRunner) -> None:
            asyncio.get_running_loop().call_soon(gate.open)  # once the job was told to end
            await original(self)

        monkeypatch.setattr(TaskRunner, "stop", stop)
        with ServerThread(backup_config(place)) as server:
            started = Backups(server.url).done("POST", "/dumps", status=202)
            gate.reached()
        assert files(place / "dumps") == []
    with ServerThread(backup_config(place)) as server:
        backups = Backups(server.url)
        (task,) = backups.wait()
        assert (task["uid"], task["status"]) == (started["taskUid"], "succeeded")
        assert backups.status(started["uid"])["status"] == "done"
    assert files(place / "dumps") == [f"{started['uid']}.dump"]


def test_leftovers_are_removed_at_start(place: Path) -> None:
    for folder in ("dumps", "snapshots"):
        (place / folder).mkdir()
        (place / folder / ".20200929-114144097.dump.partial").touch()
        (place / folder / "20200929-114144097.dump").touch()
    (place / "data" / "backups" / ".checkpoint-20200929-114144097").mkdir(parents=True)
    (place / "data" / "backups" / ".checkpoint-20200929-114144097" / "x").touch()
    with ServerThread(backup_config(place)):
        for folder in ("dumps", "snapshots"):
            assert files(place / folder) == ["20200929-114144097.dump"]
        assert files(place / "data" / "backups") == []


# -- several servers -------------------------------------------------------------------------------


def test_servers_that_share_a_snapshot_directory(place: Path) -> None:
    with (
        ServerThread(backup_config(place, "one")) as one,
        ServerThread(backup_config(place, "two", snapshots_kept=1)) as two,
    ):
        Backups(one.url).snapshot()
        (mine,) = [name for name in files(place / "snapshots") if name != "one.snapshot"]
        Backups(two.url).snapshot()
        assert mine in files(place / "snapshots")


def test_a_start_leaves_the_dump_of_another_server(place: Path) -> None:
    with ServerThread(backup_config(place, "one")) as one, held("finish") as gate:
        backups = Backups(one.url)
        backups.done("POST", "/dumps", status=202)
        gate.reached()
        with ServerThread(backup_config(place, "two")):
            gate.open()
            (task,) = backups.wait()
        assert task["status"] == "succeeded"
