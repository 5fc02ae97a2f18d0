"""`arangorep sync`, `follow`, `applier` and `compare`, as a person uses them: two real servers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.process import ServerProcess
from support.server import Api, ServerThread

from arangorep.config import Config

COMMAND = [sys.executable, "-m", "arangorep"]
TIMEOUT_S = 60
CLOSED = "http://127.0.0.1:9"


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status, and everything that was printed."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Api, Api]]:
    """A leader with some documents and an empty follower."""
    with (
        ServerThread(Config(tmp_path / "leader", port=0)) as leader,
        ServerThread(Config(tmp_path / "follower", port=0)) as follower,
        Api(leader.url, "_system") as a,
        Api(follower.url, "_system") as b,
    ):
        a.create_collection("cities")
        a.insert("cities", [{"_key": f"k{n}", "name": f"Köln {n}"} for n in range(300)])
        a.create_collection("other")
        yield a, b


def compare(a: Api, b: Api, *options: str) -> tuple[int, str]:
    return run("compare", a.url, b.url, *options)


def test_sync_copies_and_compare_agrees(pair: tuple[Api, Api]) -> None:
    leader, follower = pair
    status, printed = run("sync", leader.url, "--endpoint", follower.url)
    assert status == 0, printed
    assert "synchronised 5 collections, 301 documents fetched" in printed
    assert compare(leader, follower) == (0, "equal: 2 collections, 300 documents\n")


def test_compare_tells_what_differs(pair: tuple[Api, Api]) -> None:
    leader, follower = pair
    assert run("sync", leader.url, "--endpoint", follower.url)[0] == 0
    leader.insert("cities", {"_key": "new"})
    leader.delete("/_api/document/cities/k5")
    leader.patch("/_api/document/cities/k6", {"name": "Bonn"})
    leader.post("/_api/index", {"type": "persistent", "fields": ["name"]}, collection="other")
    leader.create_collection("more")
    assert leader.post("/_api/database", {"name": "elsewhere"}).status_code == 201
    status, printed = compare(leader, follower)
    assert status == 1
    for line in (
        "_system/cities: 1 documents only on A, 1 documents only on B, 1 documents differ",
        "    new: only on A",
        "    k5: only on B",
        "    k6: differs",
        "_system/other: indexes differ",
        "_system/more: only on A",
        "elsewhere/*: database is missing on B",
    ):
        assert line in printed.splitlines(), printed
    status, printed = run(
        "sync", leader.url, "--endpoint", follower.url, "--incremental", "--global"
    )
    assert status == 0, printed
    assert compare(leader, follower)[0] == 0


def test_the_same_content_under_another_revision_is_told(pair: tuple[Api, Api]) -> None:
    leader, follower = pair
    follower.create_collection("cities")
    follower.insert("cities", {"_key": "k1", "name": "Köln 1"})
    status, printed = compare(leader, follower, "--database", "_system")
    assert status == 1
    assert "k1: only _rev differs" in printed


def test_follow_until_caught_up_then_stop_and_go_on(pair: tuple[Api, Api]) -> None:
    leader, follower = pair
    status, printed = run("follow", leader.url, "--endpoint", follower.url, "--once")
    assert status == 0, printed
    assert "running, 0 ticks behind" in printed
    status, printed = run("applier", "state", "--endpoint", follower.url)
    assert status == 0
    assert f"endpoint  {leader.url}" in printed
    assert "error     none" in printed
    assert "inactive" in run("applier", "stop", "--endpoint", follower.url)[1]
    assert "running" in run("applier", "start", "--endpoint", follower.url)[1]
    assert follower.put("/_api/replication/applier-stop").status_code == 200
    assert compare(leader, follower)[0] == 0


def test_follow_starts_a_server_of_its_own(pair: tuple[Api, Api], tmp_path: Path) -> None:
    leader, _ = pair
    data = tmp_path / "own"
    status, printed = run(
        "follow",
        leader.url,
        "--data",
        str(data),
        "--endpoint",
        "http://127.0.0.1:0",
        "--once",
        "--collection",
        "cities",
    )
    assert status == 0, printed
    assert "arangorep is listening on" in printed
    again = ServerProcess(data)
    try:
        with Api(again.url, "_system") as copy:
            assert copy.get("/_api/collection/cities/count").json()["count"] == 300
            assert copy.get("/_api/collection/other").status_code == 404
    finally:
        again.kill()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sync", CLOSED, "--endpoint", CLOSED), "127.0.0.1:9"),
        (("compare", CLOSED, CLOSED), "127.0.0.1:9"),
        (("applier", "state", "--endpoint", CLOSED), "127.0.0.1:9"),
        (("sync", "nonsense"), "Error"),
        (("compare", "a", "b"), "not an http"),
        (("follow", CLOSED, "--collection", "a", "--exclude", "b"), "cannot stand together"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(arguments: tuple[str, ...], said: str) -> None:
    status, printed = run(*arguments)
    assert status != 0
    assert said in printed


def test_a_leader_that_is_not_there(pair: tuple[Api, Api]) -> None:
    _, follower = pair
    status, printed = run("sync", "tcp://127.0.0.1:9", "--endpoint", follower.url)
    assert status == 1
    assert "no response" in printed
    assert "(1400)" in printed
