"""Hot backups are copied to a directory and back: `/_admin/backup/{upload,download}`."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arango import ArangoClient
from support.backups import Backups, Gate, backup_config, files, fill, held
from support.equality import differences
from support.process import check
from support.server import Api, ServerThread, error_of
from support.wait import wait_for

from arangorep.backup import transfer
from arangorep.backup.files import AtomicFile
from arangorep.config import Config
from arangorep.server.options import describe_options

CONFIG = {"here": {"type": "local", "copy-links": "false"}}


class Mover(Backups):
    """Uploads and downloads of one server."""

    def create(self) -> str:
        made: str = self.done("POST", "/_admin/backup/create", {}, status=201)["result"]["id"]
        return made

    def listed(self) -> list[str]:
        return list(self.done("POST", "/_admin/backup/list")["result"]["list"])

    def start(self, word: str, backup_id: str, place: Path | str) -> str:
        wish = {"id": backup_id, "remoteRepository": f"here:{place}", "config": CONFIG}
        answer = self.done("POST", f"/_admin/backup/{word}", wish, status=202)
        assert (answer["error"], answer["code"], list(answer["result"])) == (
            False, 202, [f"{word}Id"],
        )  # fmt: skip
        assert answer["result"][f"{word}Id"].isdigit()
        return str(answer["result"][f"{word}Id"])

    def state(self, word: str, number: str) -> dict[str, Any]:
        answer = self.done("POST", f"/_admin/backup/{word}", {f"{word}Id": number})
        found: dict[str, Any] = answer["result"]
        return found

    def end(self, word: str, number: str) -> dict[str, Any]:
        """What became of it."""

        def look() -> dict[str, Any] | None:
            server: dict[str, Any] = self.state(word, number)["DBServers"]["SNGL"]
            return None if server["Status"] == "STARTED" else server

        return wait_for(look)

    def move(self, word: str, backup_id: str, place: Path | str) -> dict[str, Any]:
        return self.end(word, self.start(word, backup_id, place))

    def error(self, word: str, **body: Any) -> tuple[int, int]:
        return error_of(self.call("POST", f"/_admin/backup/{word}", body))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerThread]:
    with ServerThread(backup_config(tmp_path)) as running:
        yield running


@pytest.fixture
def mover(server: ServerThread) -> Mover:
    with Api(server.url, "_system") as api:
        fill(api, "c", 200)
    return Mover(server.url)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where backups are copied to."""
    return tmp_path / "away" / "backups"


# -- there and back --------------------------------------------------------------------------------


def test_what_was_uploaded_is_downloaded_and_restored_elsewhere(
    tmp_path: Path, server: ServerThread, mover: Mover, place: Path
) -> None:
    made = mover.create()
    entry = mover.done("POST", "/_admin/backup/list")["result"]["list"][made]
    ended = mover.move("upload", made, place)
    assert ended["Status"] == "COMPLETED"
    number = entry["nrFiles"] + 1  # and its description
    assert (ended["Progress"]["Total"], ended["Progress"]["Done"]) == (number, number)
    with ServerThread(backup_config(tmp_path / "other")) as running:
        other = Mover(running.url)
        running.server.node.services.shut_down = lambda: None
        assert other.move("download", made, place)["Status"] == "COMPLETED"
        assert other.done("POST", "/_admin/backup/list")["result"]["list"] == {made: entry}
        assert check(tmp_path / "other" / "data" / "backups" / made).returncode == 0
        assert other.done("POST", "/_admin/backup/restore", {"id": made})["code"] == 200
    with ServerThread(backup_config(tmp_path / "other")) as restored:
        assert differences(server.url, restored.url) == []


def test_status_tells_all(mover: Mover, place: Path) -> None:
    made = mover.create()
    number = mover.start("upload", made, place)
    mover.end("upload", number)
    found = mover.state("upload", number)
    moment = found["Timestamp"]
    assert found == {
        "Timestamp": moment, "UploadId": number, "Cancelled": False, "BackupId": made,
        "DBServers": {"SNGL": {"Status": "COMPLETED", "Progress": {
            "Total": len(files(place / made)) - 1, "Done": len(files(place / made)) - 1,
            "Time": found["DBServers"]["SNGL"]["Progress"]["Time"],
        }}},
    }  # fmt: skip
    other = mover.start("download", made, place)
    assert other != number
    assert mover.end("download", other)["Status"] == "COMPLETED"  # it is here already
    assert mover.state("download", other)["DownloadId"] == other


def test_with_python_arango(server: ServerThread, mover: Mover, place: Path) -> None:
    client = ArangoClient(hosts=server.url)
    backup = client.db("_system").backup
    made = mover.create()
    started = backup.upload(backup_id=made, repository=f"here:/{place}", config=CONFIG)
    number = started["upload_id"]
    mover.end("upload", number)
    found = backup.upload(upload_id=number)
    assert (found["upload_id"], found["backup_id"], found["cancelled"]) == (number, made, False)
    backup.delete(made)
    started = backup.download(backup_id=made, repository=f"here:{place}", config=CONFIG)
    mover.end("download", started["download_id"])
    assert list(backup.get()["list"]) == [made]
    client.close()


def test_the_copy_is_verified_by_the_command_line(mover: Mover, place: Path) -> None:
    made = mover.create()
    mover.move("upload", made, place)
    good = command("verify", place / made)
    assert (good.returncode, "a hot backup of" in good.stdout) == (0, True)
    harm(place / made / "CURRENT", "flipped")
    assert "CURRENT" in command("verify", place / made, code=65).stderr
    (place / made / "manifest.json").unlink()
    assert "not complete" in command("verify", place / made, code=65).stderr
    (place / made / "META").unlink()
    command("verify", place / made, code=66)


def command(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "arangorep", *map(str, arguments)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


# -- only what is new ------------------------------------------------------------------------------


def touched(place: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in place.iterdir()}


def test_what_is_there_is_not_copied_again(mover: Mover, place: Path) -> None:
    made = mover.create()
    mover.move("upload", made, place)
    before = touched(place / made)
    assert mover.move("upload", made, place)["Status"] == "COMPLETED"
    after = touched(place / made)
    assert {n: i for n, i in after.items() if n != "manifest.json"} == {
        n: i for n, i in before.items() if n != "manifest.json"
    }


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "longer"])
def test_an_upload_mends_what_lies_there(mover: Mover, place: Path, damage: str) -> None:
    made = mover.create()
    mover.move("upload", made, place)
    harm(place / made / "META", damage)
    mover.move("upload", made, place)
    mover.done("POST", "/_admin/backup/delete", {"id": made})
    assert mover.move("download", made, place)["Status"] == "COMPLETED"


def harm(path: Path, damage: str) -> None:
    data = path.read_bytes()
    match damage:
        case "gone":
            path.unlink()
        case "cut":
            path.write_bytes(data[:-2])
        case "flipped":
            path.write_bytes(data[:9] + bytes([data[9] ^ 1]) + data[10:])
        case "longer":
            path.write_bytes(data + b" ")


def test_a_complete_copy_stays_one_while_it_is_compared(
    mover: Mover, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    made = mover.create()
    mover.move("upload", made, place)
    with monkeypatch.context() as patch:
        patch.setattr(transfer, "_holds", fail)
        assert mover.move("upload", made, place)["Status"] == "FAILED"
    mover.done("POST", "/_admin/backup/delete", {"id": made})
    assert mover.move("download", made, place)["Status"] == "COMPLETED"


@pytest.mark.parametrize("word", ["upload", "download"])
def test_an_abort_ends_a_comparison(mover: Mover, place: Path, word: str) -> None:
    made = mover.create()
    mover.move("upload", made, place)
    with held("_holds", owner=transfer) as gate:
        number = mover.start(word, made, place)
        gate.reached()
        mover.done("POST", f"/_admin/backup/{word}", {f"{word}Id": number, "abort": True})
        gate.open()
        assert mover.end(word, number)["Status"] == "CANCELLED"


def test_what_else_lies_at_the_place_is_not_touched(mover: Mover, place: Path) -> None:
    made = mover.create()
    (place / made).mkdir(parents=True)
    (place / made / "CURRENT").write_text("mine")
    ended = mover.move("upload", made, place)
    assert (ended["Status"], ended["Error"]) == ("FAILED", 7005)
    assert (place / made / "CURRENT").read_text() == "mine"


def test_an_interrupted_upload_goes_on(mover: Mover, place: Path) -> None:
    made = mover.create()
    with held("_copy", owner=transfer, after=2) as gate:
        number = mover.start("upload", made, place)
        gate.reached()
        mover.done("POST", "/_admin/backup/upload", {"uploadId": number, "abort": True})
        gate.open()
        mover.end("upload", number)
    assert len(files(place / made)) == 2
    assert mover.move("download", made, place)["Error"] == 7007
    before = touched(place / made)
    assert mover.move("upload", made, place)["Status"] == "COMPLETED"
    assert before.items() <= touched(place / made).items()


# -- damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["gone", "cut", "flipped", "longer"])
@pytest.mark.parametrize("name", ["META", "manifest.json", "CURRENT"])
def test_a_damaged_backup_is_not_downloaded(
    mover: Mover, tmp_path: Path, place: Path, damage: str, name: str
) -> None:
    made = mover.create()
    mover.move("upload", made, place)
    harm(place / made / name, damage)
    mover.done("POST", "/_admin/backup/delete", {"id": made})
    ended = mover.move("download", made, place)
    is_unknown = (name, damage) == ("manifest.json", "gone")
    assert (ended["Status"], ended["Error"]) == ("FAILED", 7007 if is_unknown else 7006)
    assert name in ended["ErrorMessage"] or is_unknown
    assert files(tmp_path / "data" / "backups") == []


@pytest.mark.parametrize("kind", ["link", "directory", "pipe"])
def test_what_is_no_file_is_not_read(mover: Mover, tmp_path: Path, place: Path, kind: str) -> None:
    made = mover.create()
    mover.move("upload", made, place)
    mover.done("POST", "/_admin/backup/delete", {"id": made})
    path = place / made / "META"
    path.rename(tmp_path / "moved")
    match kind:
        case "link":
            path.symlink_to(tmp_path / "moved")
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
    assert mover.move("download", made, place)["Error"] == 7006
    assert files(tmp_path / "data" / "backups") == []


def test_another_backup_of_the_same_name(mover: Mover, tmp_path: Path, place: Path) -> None:
    made = mover.create()
    mover.move("upload", made, place)
    (tmp_path / "data" / "backups" / made / "CURRENT").write_bytes(b"other")
    ended = mover.move("download", made, place)
    assert (ended["Status"], ended["Error"]) == ("FAILED", 7006)
    assert "here already" in ended["ErrorMessage"]


def test_a_backup_with_another_name(mover: Mover, tmp_path: Path, place: Path) -> None:
    made = mover.create()
    mover.move("upload", made, place)
    (place / made).rename(place / "renamed")
    assert mover.move("download", "renamed", place)["Error"] == 7006
    assert files(tmp_path / "data" / "backups") == [made]


@pytest.mark.parametrize("word", ["upload", "download"])
def test_a_full_disk(
    mover: Mover, tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    made = mover.create()
    if word == "download":
        mover.move("upload", made, place)
        mover.done("POST", "/_admin/backup/delete", {"id": made})
    with monkeypatch.context() as patch:
        patch.setattr(AtomicFile, "write", full)
        ended = mover.move(word, made, place)
    assert (ended["Status"], ended["Error"]) == ("FAILED", {"upload": 7005, "download": 7006}[word])
    assert ended["ErrorMessage"] == "No space left on device"
    assert not any(name.startswith(".") for name in files(place / made))
    assert files(tmp_path / "data" / "backups") == ([made] if word == "upload" else [])
    assert mover.move(word, made, place)["Status"] == "COMPLETED"


# -- abort, conflicts ------------------------------------------------------------------------------


@pytest.fixture
def copying(mover: Mover, place: Path) -> Iterator[tuple[Gate, str, str]]:
    """An upload that copies its first file: gate, backup, number."""
    made = mover.create()
    with held("_copy", owner=transfer) as gate:
        number = mover.start("upload", made, place)
        gate.reached()
        yield gate, made, number


def test_abort(mover: Mover, copying: tuple[Gate, str, str], place: Path) -> None:
    gate, made, number = copying
    assert mover.state("upload", number)["DBServers"]["SNGL"]["Status"] == "STARTED"
    answer = mover.done("POST", "/_admin/backup/upload", {"uploadId": number, "abort": True})
    assert answer == {"error": False, "code": 200, "result": {}}
    assert mover.state("upload", number)["Cancelled"] is True
    gate.open()
    assert mover.end("upload", number)["Status"] == "CANCELLED"
    assert files(place / made) == []
    assert mover.error("upload", uploadId=number, abort=True) == (400, 400)
    assert mover.move("upload", made, place)["Status"] == "COMPLETED"


def test_conflicts(mover: Mover, copying: tuple[Gate, str, str], place: Path) -> None:
    gate, made, number = copying
    wish = {"id": made, "remoteRepository": f"here:{place}/./", "config": CONFIG}
    assert mover.error("upload", **wish) == (409, 7011)
    assert mover.error("delete", id=made) == (409, 7011)
    assert mover.listed() == [made]
    assert mover.move("upload", made, f"{place}2")["Status"] == "COMPLETED"
    gate.open()
    assert mover.end("upload", number)["Status"] == "COMPLETED"
    mover.done("POST", "/_admin/backup/delete", {"id": made})


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "remote",
    [
        "", "here", "/tmp/x", ":/tmp/x", "here:", "here:x", "here:x/y", "a/b:/tmp", "here:/a:b",
        "nowhere:/tmp", "here:../x", "odd:/tmp", "s3:/tmp", "list:/tmp", "here:/\0",
        "here:/" + "x" * 5000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("word", ["upload", "download"])
def test_bad_places(mover: Mover, tmp_path: Path, word: str, remote: str) -> None:
    made = mover.create()
    config = {**CONFIG, "s3": {"type": "s3"}, "odd": {"type": 7}, "list": []}
    before = files(tmp_path)
    assert mover.error(word, id=made, remoteRepository=remote, config=config) == (400, 7008)
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    "body",
    [
        {}, {"id": 7}, {"id": None}, {"id": ["x"]}, {"uploadId": 7, "downloadId": 7},
        {"id": "{made}"}, {"id": "{made}", "remoteRepository": "here:/tmp"},
        {"id": "{made}", "remoteRepository": "here:/tmp", "config": []},
        {"id": "{made}", "remoteRepository": 7, "config": {}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("word", ["upload", "download"])
def test_bad_bodies(mover: Mover, word: str, body: dict[str, Any]) -> None:
    made = mover.create()
    given = {name: made if value == "{made}" else value for name, value in body.items()}
    assert mover.error(word, **given) == (400, 400)


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", ".hidden", "FAILSAFE", "a\0b", "x" * 300]
)
def test_ids_that_are_none(mover: Mover, place: Path, name: str) -> None:
    wish = {"id": name, "remoteRepository": f"here:{place}", "config": CONFIG}
    assert mover.error("upload", **wish) == (404, 404)
    assert mover.error("download", **wish) == (400, 400)


def test_unknown_numbers(mover: Mover, place: Path) -> None:
    made = mover.create()
    number = mover.start("upload", made, place)
    mover.end("upload", number)
    assert mover.error("download", downloadId=number) == (404, 404)
    assert mover.error("upload", uploadId="x") == (404, 404)
    assert mover.error("upload", uploadId="1", abort=True) == (404, 404)


def test_what_is_not_at_the_place(mover: Mover, place: Path) -> None:
    ended = mover.move("download", "nothing", place)
    assert (ended["Status"], ended["Error"]) == ("FAILED", 7007)


# -- options ---------------------------------------------------------------------------------------


def test_only_below_the_prefix(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "link").symlink_to(tmp_path)
    with ServerThread(backup_config(tmp_path, backup_path_prefix=allowed)) as server:
        mover = Mover(server.url)
        made = mover.create()
        for path in (tmp_path / "x", f"{allowed}/../x", f"{allowed}x", f"{allowed}/link/x"):
            wish = {"id": made, "remoteRepository": f"here:{path}", "config": CONFIG}
            assert mover.error("upload", **wish) == (400, 7008)
            assert mover.error("download", **wish) == (400, 7008)
        assert mover.move("upload", made, allowed / "x")["Status"] == "COMPLETED"
        (tmp_path / "outside").mkdir()
        (allowed / made).symlink_to(tmp_path / "outside")
        wish = {"id": made, "remoteRepository": f"here:{allowed}", "config": CONFIG}
        assert mover.error("upload", **wish) == (400, 7008)
        assert mover.error("download", **wish) == (400, 7008)
    assert not (tmp_path / "x").exists()
    assert files(tmp_path / "outside") == []


def test_a_link_that_comes_while_it_waits(
    tmp_path: Path, server: ServerThread, mover: Mover, place: Path
) -> None:
    made = mover.create()
    (tmp_path / "outside").mkdir()
    server.server.node.services.backup_path_prefix = place.parent
    transfers = server.server.node.services.transfers
    server.run(transfers._room.acquire())
    server.run(transfers._room.acquire())
    number = mover.start("upload", made, place)
    place.parent.mkdir()
    place.symlink_to(tmp_path / "outside")
    server.call(transfers._room.release)
    ended = mover.end("upload", number)
    server.call(transfers._room.release)
    assert (ended["Status"], ended["Error"]) == ("FAILED", 7008)
    assert files(tmp_path / "outside") == []


def test_never_over_the_data_directory(tmp_path: Path, place: Path) -> None:
    """A backup that is named as the data directory is, to where that lies."""
    (tmp_path / "up").mkdir()
    with ServerThread(backup_config(tmp_path / "up", "live")) as server:
        mover = Mover(server.url)
        made = mover.create()
        mover.move("upload", made, place)
        for wanted in (tmp_path / "up" / "live", tmp_path / "up"):
            remote = f"here:{wanted.parent}"
            wish = {"id": wanted.name, "remoteRepository": remote, "config": CONFIG}
            assert mover.error("download", **wish) == (400, 7008)


def test_never_into_the_data_directory(mover: Mover, tmp_path: Path) -> None:
    made = mover.create()
    for path in (tmp_path / "data", tmp_path / "data" / "backups", f"{tmp_path}/x/../data/y"):
        wish = {"id": made, "remoteRepository": f"here:{path}", "config": CONFIG}
        assert mover.error("upload", **wish) == (400, 7008)


@pytest.mark.parametrize("word", ["create", "list", "upload", "download", "dump", "verify"])
def test_switched_off(tmp_path: Path, word: str) -> None:
    config = backup_config(tmp_path, backup_api="false")
    with ServerThread(config) as server:
        assert Mover(server.url).error(word) == (403, 403)


def test_for_superusers_only(tmp_path: Path) -> None:
    config = backup_config(tmp_path, backup_api="jwt", root_password="p", jwt_secret="s")
    with ServerThread(config) as server:
        assert error_of(Backups(server.url, ("root", "p")).call("POST", "/_admin/backup/list")) == (
            403, 403,
        )  # fmt: skip
        services = server.server.node.services
        token = server.server.node.tokens.issue_superuser("x")
        answer = Backups(server.url).call(
            "POST", "/_admin/backup/list", headers={"Authorization": f"bearer {token}"}
        )
        assert (answer.status_code, services.backup_api) == (200, "jwt")


def test_options_are_told() -> None:
    config = Config(Path("x"), backup_api="jwt", backup_path_prefix=Path("/b"))
    told = {option.name: option.value for option in describe_options(config)}
    assert told["backup-api-enabled"] == "jwt"
    assert told["backup-local-path-prefix"] == "/b"
