"""A hot backup's restore: a restart with it; an interrupted swap is finished at the next start."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.process import ServerProcess, check
from support.server import Api, ServerThread, error_of

from arangorep.backup import hot_restore
from arangorep.clock import SystemClock
from arangorep.config import Config


def keys(api: Api) -> set[str]:
    return {d["_key"] for d in api.dump("c", api.create_batch())}


def fill(api: Api) -> str:
    """Two documents, a backup of the first; returns its id."""
    api.create_collection("c")
    api.insert("c", {"_key": "before"})
    made = api.post("/_admin/backup/create", {"label": "one"})
    assert made.status_code == 201, made.text
    api.insert("c", {"_key": "after"})
    return made.json()["result"]["id"]


def test_the_server_restarts_with_the_backup(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "data")
    with Api(server.url, "_system") as api:
        backup = fill(api)
        tick = int(api.get("/_api/wal/lastTick").json()["tick"])
        answer = api.post("/_admin/backup/restore", {"id": backup, "saveCurrent": True})
        assert answer.status_code == 200, answer.text
        saved = answer.json()["result"]["previous"]
        assert saved.endswith("_before_restore")
    server.url = server.wait_for(r"listening on (http://\S+)")[1]
    with Api(server.url, "_system") as api:
        assert keys(api) == {"before"}
        assert int(api.get("/_api/wal/lastTick").json()["tick"]) > tick
        tail = api.get("/_api/wal/tail", **{"from": tick})
        assert tail.headers["x-arango-replication-frompresent"] == "false"
        listed = api.post("/_admin/backup/list").json()["result"]["list"]
        assert backup in listed
        api.insert("c", {"_key": "again"})
        api.post("/_admin/backup/restore", {"id": backup})
    server.url = server.wait_for(r"listening on (http://\S+)")[1]
    with Api(server.url, "_system") as api:
        assert keys(api) == {"before"}
    server.terminate()
    assert server.wait()[0] == 0
    assert check(tmp_path / "data").returncode == 0
    shutil.copytree(tmp_path / "data" / "backups" / saved, tmp_path / "saved")
    with ServerThread(Config(tmp_path / "saved", port=0)) as old, Api(old.url, "_system") as api:
        assert keys(api) == {"before", "after"}


@pytest.mark.parametrize("step", [0, 3, 7, 9, 11])
def test_an_interrupted_swap_is_finished(
    tmp_path: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the file system did last, the next start ends with the backup's state."""
    data = tmp_path / "data"
    with ServerThread(Config(data, port=0)) as server, Api(server.url, "_system") as api:
        backup = fill(api)
    hot_restore.prepare_restore(data, backup, "FAILSAFE")
    rename, left = Path.rename, [step]

    def failing(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(KeyboardInterrupt):
            hot_restore.finish_restore(data, SystemClock())
    with ServerThread(Config(data, port=0)) as server, Api(server.url, "_system") as api:
        assert keys(api) == {"before"}
    assert check(data).returncode == 0
    assert not (data / hot_restore.NOTE).exists()


def test_an_embedded_server_does_not_restart(tmp_path: Path) -> None:
    with ServerThread(Config(tmp_path, port=0)) as server, Api(server.url, "_system") as api:
        backup = fill(api)
        assert error_of(api.post("/_admin/backup/restore", {"id": backup})) == (501, 9)
        assert error_of(api.post("/_admin/backup/restore", {"id": "nope"})) == (404, 404)
        assert error_of(api.post("/_admin/backup/restore", {"id": "../x"})) == (404, 404)
        assert error_of(api.post("/_admin/backup/restore", {})) == (400, 400)
        assert not (tmp_path / hot_restore.NOTE).exists()
