"""`/_admin/backup/*` as drivers and arangobackup use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from arango import ArangoClient
from arango.database import StandardDatabase
from arango.exceptions import BackupCreateError, BackupDeleteError, BackupGetError
from support.backups import Backups, backup_config, files, fill, held
from support.process import check
from support.server import Api, ServerThread, error_of

from arangorep.backup import hot_restore
from arangorep.rest import hot_backup
from arangorep.rest.hot_backup import clean_label

ID = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}\.[0-9]{2}\.[0-9]{2}Z_[A-Za-z0-9._-]*")
CREATED = ["id", "potentiallyInconsistent", "sizeInBytes", "datetime", "nrDBServers", "nrFiles"]
LISTED = {
    "id", "version", "datetime", "keys", "sizeInBytes", "nrFiles", "nrDBServers", "available",
    "nrPiecesPresent", "potentiallyInconsistent", "countIncludesFilesOnly",
}  # fmt: skip

Entry = dict[str, Any]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerThread]:
    with ServerThread(backup_config(tmp_path)) as running:
        yield running


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where backups are kept."""
    return tmp_path / "data" / "backups"


@pytest.fixture
def backups(server: ServerThread) -> Backups:
    return Backups(server.url)


@pytest.fixture
def driver(server: ServerThread) -> Iterator[StandardDatabase]:
    client = ArangoClient(hosts=server.url)
    yield client.db("_system")
    client.close()


def create(backups: Backups, **body: Any) -> Entry:
    answer = backups.done("POST", "/_admin/backup/create", body, status=201)
    assert (answer["error"], answer["code"]) == (False, 201)
    found: Entry = answer["result"]
    return found


def listed(backups: Backups, body: Any = None) -> dict[str, Entry]:
    answer = backups.done("POST", "/_admin/backup/list", body)
    assert answer["result"]["server"].isdigit()
    found: dict[str, Entry] = answer["result"]["list"]
    return found


def refused(backups: Backups, path: str, body: Any = None, method: str = "POST") -> tuple[int, int]:
    return error_of(backups.call(method, f"/_admin/backup/{path}", body))


# -- python-arango ---------------------------------------------------------------------------------


def test_with_python_arango(driver: StandardDatabase, place: Path) -> None:
    made = driver.backup.create(label="mine", allow_inconsistent=True, force=False, timeout=1)
    assert made["backup_id"].endswith("_mine")
    assert files(place) == [made["backup_id"]]
    found = driver.backup.get()
    assert list(found["list"]) == [made["backup_id"]]
    assert driver.backup.get(made["backup_id"])["list"].keys() == {made["backup_id"]}
    assert driver.backup.delete(made["backup_id"]) is True
    assert driver.backup.get()["list"] == {}
    assert files(place) == []


def test_errors_with_python_arango(driver: StandardDatabase) -> None:
    with pytest.raises(BackupGetError) as missing:
        driver.backup.get("nope")
    assert (missing.value.http_code, missing.value.error_code) == (404, 404)
    with pytest.raises(BackupDeleteError) as gone:
        driver.backup.delete("nope")
    assert gone.value.http_code == 404
    label: Any = 7
    with pytest.raises(BackupCreateError) as bad:
        driver.backup.create(label=label)
    assert (bad.value.http_code, bad.value.error_code) == (400, 400)


# -- create ----------------------------------------------------------------------------------------


def test_create(backups: Backups, place: Path) -> None:
    made = create(backups, label="foo")
    assert list(made) == CREATED
    assert ID.fullmatch(made["id"])
    assert made["id"] == made["datetime"].replace(":", ".") + "_foo"
    assert (made["potentiallyInconsistent"], made["nrDBServers"]) == (False, 1)
    stored = [path for path in (place / made["id"]).iterdir() if path.name != "META"]
    assert made["nrFiles"] == len(stored)
    assert made["sizeInBytes"] == sum(path.stat().st_size for path in stored)


@pytest.mark.parametrize("body", [{}, {"label": None}, {"label": ""}])
def test_without_a_label_it_gets_a_uuid(backups: Backups, body: dict[str, Any]) -> None:
    assert re.search(r"_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", create(backups, **body)["id"])


def test_without_a_body(backups: Backups) -> None:
    backups.done("POST", "/_admin/backup/create", status=201)


@pytest.mark.parametrize(
    ("label", "cleaned"),
    [
        ("foo", "foo"), ("a b\tc", "a_b_c"), ("a/b\\c:d", "a.b.c.d"), ("../../x", "......x"),
        ("ünï", "n"), ("☃", ""), ("a-b_c.d", "a-b_c.d"), ("\x00\x07", ""), ("..", ".."),
    ],
)  # fmt: skip
def test_labels_are_cleaned(backups: Backups, label: str, cleaned: str) -> None:
    assert clean_label(label) == cleaned
    made = create(backups, label=label)
    assert made["id"].endswith(f"Z_{cleaned}")
    assert list(listed(backups)) == [made["id"]]


@pytest.mark.parametrize("length", [230, 1000])
def test_long_labels_are_cut(backups: Backups, length: int) -> None:
    made = create(backups, label="a" * length)
    assert len(made["id"]) <= 254
    backups.done("POST", "/_admin/backup/delete", {"id": made["id"]})


@pytest.mark.parametrize("label", [7, True, [], {}])
def test_labels_that_are_none(backups: Backups, label: object) -> None:
    assert refused(backups, "create", {"label": label}) == (400, 400)
    assert listed(backups) == {}


def test_the_copy_is_a_sound_store(server: ServerThread, backups: Backups, place: Path) -> None:
    with server.fresh_database("x") as api:
        fill(api, "c", 300)
        made = create(backups)
        api.put("/_api/collection/c/truncate")
    report = check(place / made["id"])
    assert report.returncode == 0, report.stderr
    assert " 301 documents" in report.stdout  # one in `_users`


def test_two_of_one_name_at_once(
    backups: Backups, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either is refused, or both are whole."""
    monkeypatch.setattr(hot_backup, "iso_time", lambda _: "2026-01-01T00:00:00Z")
    with held("rename", owner=Path) as gate:
        answers: list[int] = []
        first = Thread(
            target=lambda: answers.append(
                backups.call("POST", "/_admin/backup/create", {"label": "x"}).status_code
            )
        )
        first.start()
        gate.reached()
        other = backups.call("POST", "/_admin/backup/create", {"label": "x"})
        gate.open()
        first.join(30)
    assert sorted([*answers, other.status_code]) == [201, 400]
    (name,) = listed(backups)
    assert check(place / name).returncode == 0


# -- list ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [None, {}, {"id": None}])
def test_list(backups: Backups, body: object) -> None:
    assert listed(backups, body) == {}
    made = [create(backups, label=label) for label in "ab"]
    found = listed(backups, body)
    assert list(found) == sorted(one["id"] for one in made)
    for one in made:
        entry = found[one["id"]]
        assert entry.keys() == LISTED
        assert {name: entry[name] for name in CREATED} == one
        assert (entry["available"], entry["keys"], entry["nrPiecesPresent"]) == (True, [], 1)
        assert isinstance(entry["version"], str)


def test_list_some(backups: Backups) -> None:
    one, other, _ = [create(backups, label=label)["id"] for label in "abc"]
    assert list(listed(backups, {"id": one})) == [one]
    assert list(listed(backups, {"id": [other, one]})) == [other, one]
    assert listed(backups, {"id": []}) == {}
    assert refused(backups, "list", {"id": "nope"}) == (404, 404)
    assert refused(backups, "list", {"id": [one, "nope"]}) == (404, 404)
    for wrong in (7, [7], {}):
        assert refused(backups, "list", {"id": wrong}) == (400, 400)


def test_a_damaged_one_is_listed_with_its_error(backups: Backups, place: Path) -> None:
    made = create(backups)["id"]
    (place / made / "META").write_text("{")
    assert listed(backups)[made].keys() == {"errorMessage", "errorNumber"}
    (place / made / "META").unlink()
    assert listed(backups)[made].keys() == {"errorMessage", "errorNumber"}


def test_what_is_not_finished_is_hidden(backups: Backups, place: Path) -> None:
    (place / ".checkpoint-x").mkdir(parents=True)
    (place / "file").touch()
    assert listed(backups) == {}


# -- delete ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../..", "../000004.log", "/", "x/../y", "nope", "a\0b", ".hidden", "ü"]
)
def test_delete_what_is_none(backups: Backups, place: Path, name: str) -> None:
    made = create(backups)["id"]
    before = files(place.parent)
    for wanted in (name, f"{made}/..", f"./{made}", f"../backups/{made}"):
        assert refused(backups, "delete", {"id": wanted})[0] == 404
    assert (files(place), files(place.parent)) == ([made], before)


@pytest.mark.parametrize("body", [None, {}, {"id": None}, {"id": 7}, {"id": ["x"]}])
def test_delete_without_an_id(backups: Backups, body: object) -> None:
    assert refused(backups, "delete", body) == (400, 400)


def test_deleting_twice(backups: Backups) -> None:
    made = create(backups)["id"]
    assert backups.done("POST", "/_admin/backup/delete", {"id": made}) == {
        "error": False, "code": 200, "result": {},
    }  # fmt: skip
    assert refused(backups, "delete", {"id": made})[0] == 404


def test_the_number_of_an_unknown_id(backups: Backups) -> None:
    assert refused(backups, "delete", {"id": "nope"}) == (404, 14)


# -- restore ---------------------------------------------------------------------------------------


def test_a_second_restore_is_refused_before_the_restart(tmp_path: Path, place: Path) -> None:
    with ServerThread(backup_config(tmp_path)) as server, Api(server.url, "_system") as api:
        fill(api, "c", 10)
        made = create(Backups(server.url))["id"]
        server.server.node.services.shut_down = lambda: None
        wish = {"id": made}
        assert Backups(server.url).done("POST", "/_admin/backup/restore", wish)["code"] == 200
        assert refused(Backups(server.url), "restore", wish) == (400, 400)
    with ServerThread(backup_config(tmp_path)) as again:
        assert Backups(again.url).done("GET", "/_api/collection/c/count")["count"] == 10


def test_a_restore_that_cannot_be_prepared_leaves_nothing(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with ServerThread(backup_config(tmp_path)) as server, Api(server.url, "_system") as api:
        fill(api, "c", 10)
        made = create(Backups(server.url))["id"]
        (place / "FAILSAFE").mkdir()
        server.server.node.services.shut_down = lambda: None
        before = files(place.parent)
        with monkeypatch.context() as patch:
            patch.setattr(hot_restore, "_copy_synced", fail)
            assert refused(Backups(server.url), "restore", {"id": made}) == (500, 7002)
        assert files(place) == sorted([made, "FAILSAFE"])
        assert files(place.parent) == before
        api.insert("c", {"_key": "later"})
    with ServerThread(backup_config(tmp_path)) as again:
        assert Backups(again.url).done("GET", "/_api/collection/c/count")["count"] == 11


def test_a_preparation_that_was_cut_off_is_forgotten(tmp_path: Path, place: Path) -> None:
    with ServerThread(backup_config(tmp_path)):
        (place / ".restoring").mkdir(parents=True)
        (place / ".restoring" / "CURRENT").touch()
    with ServerThread(backup_config(tmp_path)):
        assert files(place) == []


@pytest.mark.parametrize("word", ["restore", "delete"])
def test_what_a_restore_has_replaced_is_no_backup(backups: Backups, place: Path, word: str) -> None:
    (place / "FAILSAFE").mkdir(parents=True)
    assert refused(backups, word, {"id": "FAILSAFE"})[0] == 404


# -- the rest --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("word", ["create", "list", "restore", "nothing"])
def test_other_methods(backups: Backups, method: str, word: str) -> None:
    assert refused(backups, word, method=method) == (405, 405)


def test_other_paths(backups: Backups) -> None:
    assert refused(backups, "create/x") == (400, 601)
    assert refused(backups, "") == (400, 601)
    assert refused(backups, "nothing") == (400, 400)


@pytest.mark.parametrize("word", ["create", "list", "restore", "delete", "upload", "download"])
def test_rights(tmp_path: Path, word: str) -> None:
    with ServerThread(backup_config(tmp_path, root_password="secret")) as server:
        root = Backups(server.url, ("root", "secret"))
        root.done("POST", "/_api/user", {"user": "eve", "passwd": "e"}, status=201)
        root.done("PUT", "/_api/user/eve/database/_system", {"grant": "ro"})
        assert refused(Backups(server.url, ("eve", "e")), word) == (403, 403)
        assert refused(Backups(server.url), word) == (401, 11)
        assert listed(root) == {}


def test_backups_survive_a_restart_and_leftovers_do_not(tmp_path: Path, place: Path) -> None:
    with ServerThread(backup_config(tmp_path)) as server:
        made = create(Backups(server.url))["id"]
        (place / ".checkpoint-x.tmp").mkdir()
    with ServerThread(backup_config(tmp_path)) as server:
        assert list(listed(Backups(server.url))) == [made]
    assert files(place) == [made]
