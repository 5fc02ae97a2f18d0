"""Starting from a dump or a snapshot: when, when not, and what comes of it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from support.backups import Backups, backup_config, files, fill, restored, restored_config
from support.equality import differences
from support.pair import Pair, impatient, last_tick
from support.process import check
from support.server import Api, ServerThread
from support.wait import wait_for

from arangorep.backup import placing
from arangorep.clock import ManualClock
from arangorep.codec.json import dumps, loads
from arangorep.errors import StartupError
from arangorep.values.revision import encode_hlc

KINDS = ("dump", "snapshot")
ROOT = ("root", "secret")
DATABASE = "ünï x"
NOW = 1_700_000_000_000 << 20
"""A revision of 2023."""


@dataclass
class Sources:
    """A dump and a snapshot of the same server."""

    dump: Path
    snapshot: Path

    def __getitem__(self, kind: str) -> Path:
        return self.dump if kind == "dump" else self.snapshot


def take(server: ServerThread, path: Path) -> Sources:
    """A dump and a snapshot of a server that has its directories below `path`."""
    backups = Backups(server.url)
    uid = backups.dump()
    backups.snapshot()
    return Sources(path / "dumps" / f"{uid}.dump", path / "snapshots" / "data.snapshot")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Sources:
    """Of a server with one small collection."""
    path = tmp_path_factory.mktemp("small")
    with ServerThread(backup_config(path)) as server, server.fresh_database("x") as api:
        fill(api, "c", 100)
        return take(server, path)


def names(url: str) -> list[str]:
    return sorted(requests.get(f"{url}/_api/database", timeout=30).json()["result"])


def tree(path: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {
        str(one.relative_to(path)): one.read_bytes()
        for one in sorted(path.rglob("*"))
        if one.is_file()
    }


def refusal(path: Path, kind: str, source: Path, **options: Any) -> str:
    """The error of a start that is refused."""
    with (
        pytest.raises(StartupError) as caught,
        ServerThread(restored_config(path, kind, source, **options)),
    ):
        pass
    return str(caught.value)


# -- the decision table (backups 1.11) -------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ignore_missing", [False, True])
@pytest.mark.parametrize("ignore_exists", [False, True])
@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize("is_empty", [False, True])
def test_decisions(
    sources: Sources, tmp_path: Path, kind: str, is_empty: bool, exists: bool,
    ignore_missing: bool, ignore_exists: bool,
) -> None:  # fmt: skip
    if not is_empty:
        with ServerThread(backup_config(tmp_path)):
            pass
    before = tree(tmp_path / "data")
    source = sources[kind] if exists else tmp_path / "absent"
    options = {"ignore_missing": ignore_missing, "ignore_if_db_exists": ignore_exists}
    if is_empty and exists:
        expected = "import"
    elif not is_empty and not ignore_exists:
        expected = "database already exists"
    elif not exists and not ignore_missing:
        expected = "doesn't exist"
    else:
        expected = "start"
    if expected in ("import", "start"):
        with ServerThread(restored_config(tmp_path, kind, source, **options)) as server:
            found = names(server.url)
        assert found == (["_system", "x"] if expected == "import" else ["_system"])
        return
    assert expected in refusal(tmp_path, kind, source, **options)
    assert tree(tmp_path / "data") == before
    assert files(tmp_path) == ([] if is_empty else ["data"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_directory_counts_as_none(sources: Sources, tmp_path: Path, kind: str) -> None:
    (tmp_path / "data").mkdir()
    with restored(tmp_path, kind, sources[kind]) as server:
        assert names(server.url) == ["_system", "x"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_start_without_the_option(sources: Sources, tmp_path: Path, kind: str) -> None:
    with restored(tmp_path, kind, sources[kind]) as server:
        assert differences(server.url, server.url) == []
    assert check(tmp_path / "data").returncode == 0
    with ServerThread(backup_config(tmp_path)) as server:
        assert names(server.url) == ["_system", "x"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_data_directory_that_is_a_link(sources: Sources, tmp_path: Path, kind: str) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "volume")
    with restored(tmp_path, kind, sources[kind]) as server:
        assert names(server.url) == ["_system", "x"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_working_directory(
    sources: Sources, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    config = restored_config(Path(), kind, sources[kind])
    object.__setattr__(config, "data_directory", Path())
    with ServerThread(config) as server:
        assert names(server.url) == ["_system", "x"]


def test_leftovers_of_an_import_are_no_hindrance(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "data.importing" / "x").mkdir(parents=True)
    with restored(tmp_path, "dump", sources.dump) as server:
        assert names(server.url) == ["_system", "x"]
    assert "data.importing" not in files(tmp_path)


# -- command line ----------------------------------------------------------------------------------


def serve(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "arangorep", "serve", str(path / "data"), "--port", "0", *options],
        capture_output=True, text=True, timeout=60, check=False, cwd=path,
    )  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        ["--ignore-missing-dump"],
        ["--ignore-dump-if-db-exists"],
        ["--ignore-missing-snapshot"],
        ["--ignore-snapshot-if-db-exists"],
        ["--import-dump", "a", "--ignore-missing-snapshot"],
        ["--import-snapshot", "a", "--ignore-dump-if-db-exists"],
        ["--import-dump", "a", "--import-snapshot", "b"],
    ],
)
def test_options_that_do_not_fit(tmp_path: Path, options: list[str]) -> None:
    done = serve(tmp_path, *options)
    assert (done.returncode, "Usage" in done.stderr) == (2, True)
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_import_is_told_in_a_line(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name, word in (("absent", "doesn't exist"), ("file", "cannot import")):
        done = serve(tmp_path, f"--import-{kind}", name)
        assert (done.returncode, word in done.stderr) == (1, True)
        assert "Traceback" not in done.stderr
    assert files(tmp_path) == ["file"]


# -- what is damaged -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_archives_are_refused(sources: Sources, tmp_path: Path, kind: str) -> None:
    whole = sources[kind].read_bytes()
    damaged = tmp_path / "damaged"
    cases = [whole[: len(whole) * part // 7] for part in range(7)]
    for at in range(0, len(whole), len(whole) // 9):
        flipped = bytearray(whole)
        flipped[at] ^= 1
        cases.append(bytes(flipped))
    cases += [whole[:-1], whole + b"\0", whole * 2]
    for data in cases:
        damaged.write_bytes(data)
        assert "cannot import" in refusal(tmp_path, kind, damaged)
        assert files(tmp_path) == ["damaged"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_dump_is_no_snapshot(sources: Sources, tmp_path: Path, kind: str) -> None:
    other = "snapshot" if kind == "dump" else "dump"
    assert "this version" in refusal(tmp_path, kind, sources[other])
    assert files(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_error_leaves_nothing(
    sources: Sources, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "data").mkdir()
    monkeypatch.setattr(placing, "sync_directory", fail)
    assert "No space left" in refusal(tmp_path, kind, sources[kind])
    assert files(tmp_path) == ["data"]


# -- what comes of it ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServerThread, Sources]]:
    """A server with some of everything, and what was taken of it."""
    path = tmp_path_factory.mktemp("rich")
    header = "Basic " + base64.b64encode(":".join(ROOT).encode()).decode()
    with pytest.MonkeyPatch.context() as patch:
        original = Api.__init__

        def with_password(self: Api, url: str, database: str) -> None:
            original(self, url, database)
            self.session.headers["Authorization"] = header

        patch.setattr(Api, "__init__", with_password)
        with (
            ServerThread(backup_config(path, root_password=ROOT[1])) as server,
            server.fresh_database(DATABASE) as api,
        ):
            fill_richly(api)
            backups = Backups(server.url, ROOT)
            uid = backups.dump()
            backups.snapshot()
            yield (
                server,
                Sources(path / "dumps" / f"{uid}.dump", path / "snapshots" / "data.snapshot"),
            )


def fill_richly(api: Api) -> None:
    def done(method: str, where: str, body: Any = None, **params: Any) -> None:
        answer = api.request(method, where, body, params=params)
        assert answer.status_code < 300, answer.text

    fill(api, "plain", 1500)
    for name in ("a", "A", "maçã ☃", "x" * 250):
        api.create_collection(name)
        api.insert(name, [{"_key": "k:1@b", "t": "line\nbreak ☃ \x7f"}, {"_key": "7"}])
    api.create_collection(
        "empty", waitForSync=True, cacheEnabled=True,
        schema={"rule": {"type": "object"}, "level": "moderate", "message": "no"},
        computedValues=[{"name": "n", "expression": "RETURN 1", "overwrite": True}],
    )  # fmt: skip
    api.create_collection("edges", type=3)
    api.insert("edges", [{"_from": "a/7", "_to": "A/7"} for _ in range(20)])
    api.create_collection("auto", keyOptions={"type": "autoincrement", "increment": 5, "offset": 1})
    for _ in range(3):
        api.insert("auto", {})
    done("DELETE", "/_api/document/auto/11")
    for index in (
        {"type": "persistent", "fields": ["t"], "sparse": True, "name": "thin"},
        {"type": "ttl", "fields": ["u"], "expireAfter": 10**8},
        {"type": "geo", "fields": ["g"]},
        {"type": "inverted", "fields": ["w"], "name": "words"},
    ):
        done("POST", "/_api/index", index, collection="plain")
    done("POST", "/_api/index", {"type": "persistent", "fields": ["t"], "unique": True},
         collection="a")  # fmt: skip
    api.create_collection("big")
    api.insert("big", {"_key": "big", "t": "☃" * (10 << 20)})
    fill(api, "before", 10)
    done("PUT", "/_api/collection/before/rename", {"name": "after"})
    fill(api, "before", 5)
    links = {"plain": {"includeAllFields": True}, "after": {}}
    done("POST", "/_api/view", {"name": "ansicht ☃", "type": "arangosearch", "links": links})
    alias = {"collection": "plain", "index": "words"}
    done("POST", "/_api/view", {"name": "alias", "type": "search-alias", "indexes": [alias]})
    done("POST", "/_api/analyzer", {"name": "mine", "type": "identity"})
    with Api(api.url, "_system") as system:
        for user, active in (("bob", True), ("asleep", False)):
            body = {"user": user, "passwd": "pass", "active": active, "extra": {"n": 1}}
            assert system.post("/_api/user", body).status_code == 201
        grant = f"/_api/user/bob/database/{quote(DATABASE)}"
        assert system.put(grant, {"grant": "ro"}).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_everything_comes_back(
    rich: tuple[ServerThread, Sources], tmp_path: Path, kind: str
) -> None:
    server, sources = rich
    config = restored_config(tmp_path, kind, sources[kind])
    object.__setattr__(config, "root_password", ROOT[1])
    with ServerThread(config) as other:
        assert differences(server.url, other.url) == []
        for where in ("view", "analyzer", "user", "collection/before/count"):
            assert shown(other.url, where) == shown(server.url, where)
        for name in ("ansicht ☃", "alias"):
            where = f"view/{quote(name)}/properties"
            assert shown(other.url, where) == shown(server.url, where)
        login(other.url)
        with Api(other.url, DATABASE) as api:
            assert api.insert("auto", {})["_key"] == "16"
            assert int(api.insert("after", {})["_key"]) > 10
            twice = api.post("/_api/document/a", {"t": "line\nbreak ☃ \x7f"})
            assert (twice.status_code, twice.json()["errorNum"]) == (409, 1210)
    assert check(tmp_path / "data").returncode == 0


def shown(url: str, where: str) -> Any:
    """An answer without the ids that belong to one server."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(one) for one in value]
        if isinstance(value, dict):
            return {n: plain(v) for n, v in value.items() if n not in ("id", "objectId")}
        return value

    with Api(url, DATABASE) as api:
        answer = api.get(f"/_api/{where}")
    assert answer.status_code == 200, answer.text
    return plain(answer.json())


def login(url: str) -> None:
    """Who may log in, and what for."""
    for user, status in (("bob", 200), ("asleep", 401), ("nobody", 401)):
        body = {"username": user, "password": "pass"}
        assert requests.post(f"{url}/_open/auth", json=body, timeout=30).status_code == status
    where = f"{url}/_db/{quote(DATABASE)}/_api"
    read = requests.get(f"{where}/collection/plain", auth=("bob", "pass"), timeout=30)
    write = requests.post(f"{where}/document/plain", json={}, auth=("bob", "pass"), timeout=30)
    assert (read.status_code, write.status_code) == (200, 403)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_server(tmp_path: Path, kind: str) -> None:
    with ServerThread(backup_config(tmp_path)) as server:
        sources = take(server, tmp_path)
        with restored(tmp_path / "o", kind, sources[kind]) as other:
            assert differences(server.url, other.url) == []
            assert Backups(other.url).tasks() == []
    assert check(tmp_path / "o" / "data").returncode == 0


def test_a_dump_of_a_part(tmp_path: Path) -> None:
    """Without `_system` a new one is made."""
    with ServerThread(backup_config(tmp_path)) as server, server.fresh_database("x") as api:
        fill(api, "c", 10)
        fill(api, "d", 10)
        uid = Backups(server.url).dump(databases=["x"], collections=["c"], includeSystem=False)
    with restored(tmp_path / "o", "dump", tmp_path / "dumps" / f"{uid}.dump") as other:
        assert names(other.url) == ["_system", "x"]
        with Api(other.url, "x") as api:
            assert api.get("/_api/collection/c/count").json()["count"] == 10
            assert api.get("/_api/collection/d").status_code == 404


def test_a_snapshot_is_no_task_of_its_copy(sources: Sources, tmp_path: Path) -> None:
    with restored(tmp_path, "snapshot", sources.snapshot) as other:
        assert Backups(other.url).tasks() == []
        assert Backups(other.url).done("GET", "/dumps") == {"results": []}


# -- directories -----------------------------------------------------------------------------------


def unpack(archive: Path, path: Path) -> Path:
    path.mkdir()
    subprocess.run(["tar", "xzf", archive, "-C", path], check=True)
    return path


def test_an_unpacked_archive(sources: Sources, tmp_path: Path) -> None:
    source = unpack(sources.dump, tmp_path / "unpacked")
    with restored(tmp_path / "o", "dump", source) as other:
        assert names(other.url) == ["_system", "x"]


def test_an_unpacked_archive_without_manifest(sources: Sources, tmp_path: Path) -> None:
    source = unpack(sources.dump, tmp_path / "unpacked")
    (source / "manifest.json").unlink()
    with (
        restored(tmp_path / "o", "dump", source) as one,
        restored(tmp_path / "p", "dump", sources.dump) as other,
    ):
        assert differences(one.url, other.url) == []


def arangodump(path: Path, *parts: list[dict[str, Any]]) -> Path:
    """A directory as arangodump writes it, with one collection `c` in parts."""
    path.mkdir()
    (path / "ENCRYPTION").write_text("none")
    head = {"database": "x", "lastTickAtDumpStart": "5", "properties": {"name": "x"}}
    (path / "dump.json").write_bytes(dumps(head))
    stem = f"c_{hashlib.md5(b'c').hexdigest()}"
    parameters = {"name": "c", "type": 2, "cid": "77", "globallyUniqueId": "h/77"}
    structure = {"parameters": parameters, "indexes": []}
    (path / f"{stem}.structure.json").write_bytes(dumps(structure))
    for number, documents in enumerate(parts):
        lines = [json.dumps(one, separators=(",", ":")) + "\n" for one in documents]
        (path / f"{stem}.{number}.data.json").write_text("".join(lines))
    return path


def document(key: str, revision: int, **members: Any) -> dict[str, Any]:
    return {"_key": key, "_id": f"c/{key}", "_rev": encode_hlc(revision), **members}


def imported(path: Path, source: Path) -> list[str]:
    """The keys of `c` after an import, in the order of a dump; the store is sound."""
    with restored(path, "dump", source) as server, Api(server.url, "x") as api:
        found = [one["_key"] for one in api.dump("c", api.create_batch())]
        assert api.get("/_api/collection/c/count").json()["count"] == len(found)
        assert api.insert("c", {"_key": "more"})["_rev"] > encode_hlc(NOW)
    report = check(path / "data")
    assert report.returncode == 0, report.stderr
    return found


def test_parts_in_any_order(tmp_path: Path) -> None:
    parts = (
        [document("a", NOW + 10), document("b", NOW + 20)],
        [document("c", NOW + 5), document("d", NOW + 15)],
        [document("e", NOW + 30)],
    )
    assert imported(tmp_path, arangodump(tmp_path / "s", *parts)) == ["c", "a", "d", "b", "e"]


def test_odd_lines(tmp_path: Path) -> None:
    """Members in another order, another name in `_id`, blanks."""
    source = arangodump(tmp_path / "s", [document("a", NOW + 1)])
    (data,) = source.glob("*.data.json")
    revision = encode_hlc(NOW + 2)
    with data.open("a") as file:
        file.write(f'\n{{"t": 1, "_rev": "{revision}", "_id": "other/b", "_key": "b"}}\n')
    assert imported(tmp_path, source) == ["a", "b"]


def test_one_revision_in_two_parts(tmp_path: Path) -> None:
    """Shards of a cluster hand out revisions independently of each other."""
    parts = [document("a", NOW + 10)], [document("b", NOW + 10)]
    assert sorted(imported(tmp_path, arangodump(tmp_path / "s", *parts))) == ["a", "b"]


def test_one_key_in_two_parts(tmp_path: Path) -> None:
    parts = [document("a", NOW + 1)], [document("a", NOW + 2), document("b", NOW + 3)]
    source = arangodump(tmp_path / "s", *parts)
    try:
        found = imported(tmp_path, source)
    except StartupError:
        return
    assert found == ["a", "b"]


def test_revisions_that_cannot_be_kept_become_new_ones(tmp_path: Path) -> None:
    documents = [
        document("a", (1 << 64) - 2),
        {"_key": "b", "_id": "c/b", "_rev": "12345"},
        {"_key": "c", "_id": "c/c"},
        document("d", NOW),
    ]
    source = arangodump(tmp_path / "s", documents)
    assert sorted(imported(tmp_path, source)) == ["a", "b", "c", "d"]


def test_markers_in_envelopes(tmp_path: Path) -> None:
    lines = [
        {"type": 2300, "data": document("a", NOW)},
        {"type": 2300, "data": document("b", NOW + 1)},
        {"type": 2302, "data": {"_key": "a", "_rev": encode_hlc(NOW + 2)}},
        {"type": 2300, "data": document("c", NOW + 3)},
    ]
    source = arangodump(tmp_path / "s", lines)
    head = loads((source / "dump.json").read_bytes())
    (source / "dump.json").write_bytes(dumps({**head, "useEnvelope": True}))
    assert imported(tmp_path, source) == ["b", "c"]


def test_a_line_that_is_no_document(tmp_path: Path) -> None:
    source = arangodump(tmp_path / "s", [document("a", NOW)])
    (data,) = source.glob("*.data.json")
    for line in ("{", "[]", '{"_key":7}', "{}"):
        data.write_text(line + "\n")
        assert data.name in refusal(tmp_path, "dump", source)
    assert files(tmp_path) == ["s"]


def test_two_documents_with_a_unique_value(tmp_path: Path) -> None:
    source = arangodump(tmp_path / "s", [document("a", NOW, u=1), document("b", NOW + 1, u=1)])
    (structure,) = source.glob("*.structure.json")
    described = json.loads(structure.read_text())
    index = {"id": "9", "type": "persistent", "name": "u", "fields": ["u"], "unique": True}
    structure.write_bytes(dumps({**described, "indexes": [index]}))
    assert "unique" in refusal(tmp_path, "dump", source)
    assert files(tmp_path) == ["s"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_directory_is_neither(tmp_path: Path, kind: str) -> None:
    (tmp_path / "s").mkdir()
    assert "cannot import" in refusal(tmp_path, kind, tmp_path / "s")
    assert files(tmp_path) == ["s"]


# -- ticks and followers ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_ticks_go_on_above_all_there_were(tmp_path: Path, kind: str) -> None:
    """Also over generations, and where the clock is behind."""
    with ServerThread(backup_config(tmp_path)) as server, server.fresh_database("x") as api:
        fill(api, "c", 10)
        source = take(server, tmp_path)[kind]
        before = last_tick(api)
    for generation, clock in enumerate([None, None, ManualClock()]):
        path = tmp_path / str(generation)
        with ServerThread(restored_config(path, kind, source), clock) as server:
            with Api(server.url, "x") as api:
                assert last_tick(api) >= before
                tail = api.get("/_api/wal/tail", **{"from": before - 1})
                assert tail.headers["x-arango-replication-frompresent"] == "false"
                api.create_collection(f"c{generation}")
                assert last_tick(api) > before
                before = last_tick(api)
            source = take(server, path)[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_follower_of_the_old_server(tmp_path: Path, kind: str) -> None:
    """It notices, and is the same again after it has synchronised."""
    with (
        impatient(),
        ServerThread(backup_config(tmp_path)) as server,
        ServerThread(backup_config(tmp_path / "f")) as follower,
        Api(server.url, "_system") as there,
        Api(follower.url, "_system") as here,
        server.fresh_database("x") as api,
    ):
        fill(api, "c", 50)
        source = take(server, tmp_path)[kind]
        fill(api, "lost", 5)
        pair = Pair(server, follower, there, here, whole=True)
        pair.follow()
        pair.catch_up()
        pair.stop()
        with (
            restored(tmp_path / "o", kind, source) as new,
            Api(new.url, "_system") as now,
            Api(new.url, "x") as data,
        ):
            data.insert("c", {"_key": "new"})
            moved = Pair(new, follower, now, here, whole=True)
            config = moved.config(autoResync=False, requireFromPresent=True)
            assert moved.call("PUT", "applier-config", config).status_code == 200
            assert moved.call("PUT", "applier-start").status_code == 200
            assert moved.failure() == (1404 if kind == "dump" else 1414)
            moved.follow()
            moved.catch_up()
            assert differences(new.url, follower.url) == []
            moved.stop()


def test_a_follower_from_a_dump_of_its_leader(tmp_path: Path) -> None:
    with (
        impatient(),
        ServerThread(backup_config(tmp_path)) as leader,
        Api(leader.url, "_system") as there,
        leader.fresh_database("x") as api,
    ):
        fill(api, "c", 500)
        api.create_collection("e", type=3)
        backups = Backups(leader.url)
        uid = backups.dump()
        tick = backups.status(uid)["tick"]
        fill(api, "late", 20)
        api.insert("c", [{"_key": "z"}])
        api.delete("/_api/document/c/3")
        api.put("/_api/collection/e/rename", {"name": "ee"})
        source = tmp_path / "dumps" / f"{uid}.dump"
        with (
            restored(tmp_path / "f", "dump", source) as follower,
            Api(follower.url, "_system") as here,
        ):
            pair = Pair(leader, follower, there, here, whole=True)
            assert pair.call("PUT", "applier-config", pair.config()).status_code == 200
            pair.done("PUT", "applier-start", **{"from": tick})
            pair.catch_up()
            assert differences(leader.url, follower.url) == []
            api.insert("late", [{"_key": "later"}])
            pair.catch_up()
            assert differences(leader.url, follower.url) == []
            pair.stop()


def test_a_snapshot_of_a_follower_goes_on_following(tmp_path: Path) -> None:
    with (
        impatient(),
        ServerThread(backup_config(tmp_path / "l")) as leader,
        Api(leader.url, "_system") as there,
        leader.fresh_database("x") as api,
    ):
        fill(api, "c", 50)
        with (
            ServerThread(backup_config(tmp_path)) as follower,
            Api(follower.url, "_system") as here,
        ):
            pair = Pair(leader, follower, there, here, whole=True)
            pair.follow(autoStart=True)
            pair.catch_up()
            source = take(follower, tmp_path).snapshot
        fill(api, "d", 7)
        with restored(tmp_path / "o", "snapshot", source) as new, Api(new.url, "_system") as now:
            moved = Pair(leader, new, there, now, whole=True)
            wait_for(lambda: moved.state()["running"] or None)
            moved.catch_up()
            assert differences(leader.url, new.url) == []
            moved.stop()
