"""Each example runs as its own first lines say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from support.server import Api, ServerThread

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TIMEOUT_S = 60


def run(name: str, *arguments: str) -> str:
    """The output of an example that ends well."""
    command = [sys.executable] if name.endswith(".py") else ["sh"]
    done = subprocess.run(
        [*command, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_cities_are_loaded_and_copied(server: ServerThread, system: Api) -> None:
    printed = run("load_cities.py", server.url)
    count = system.get("/_api/collection/cities/count").json()["count"]
    assert f"{count:,} cities" in printed
    assert "Tokyo" in printed
    assert count > 25_000
    assert system.get("/_api/document/cities/1850147").json()["countrycode"] == "JP"
    system.delete("/_api/document/cities/1850147")
    copied = run("full_copy.py", server.url, "--once")
    assert f"cities: {count - 1:,} documents" in copied
    # and one account
    assert re.search(rf"at tick \d+: {count:,} documents", copied)


def test_a_copy_follows_what_happens_after_the_snapshot(server: ServerThread, api: Api) -> None:
    api.create_collection("c")
    api.insert("c", [{"_key": f"k{n}"} for n in range(10)])
    url = f"{server.url}"
    follower = subprocess.Popen(
        [sys.executable, "-u", str(EXAMPLES / "full_copy.py"), url, api.database],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follower.stdout is not None
    try:
        lines = iter(follower.stdout.readline, "")
        assert any(line.endswith(": 10 documents\n") for line in lines)
        api.insert("c", [{"_key": "k10"}, {"_key": "k11"}, {"_key": "k12"}])
        api.delete("/_api/document/c/k1")
        assert any(line.endswith(": 12 documents\n") for line in lines)
        api.put("/_api/collection/c/truncate")
        assert any(line.endswith(": 0 documents\n") for line in lines)
    finally:
        follower.kill()
        follower.communicate()


def test_a_batch_is_kept_alive_until_the_dump_ends(server: ServerThread, api: Api) -> None:
    batch = api.create_batch(ttl=60)
    with subprocess.Popen(["sleep", "60"]) as dump:
        keeper = subprocess.Popen(
            ["sh", str(EXAMPLES / "extend_batch_ttl.sh"), server.url, batch, "3", str(dump.pid)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert keeper.stdout is not None
        assert f"batch {batch} lives" in keeper.stdout.readline()
        dump.kill()
    rest, _ = keeper.communicate(timeout=TIMEOUT_S)
    assert "has ended" in rest
    assert keeper.returncode == 0
    api.delete(f"/_api/replication/batch/{batch}")
    gone = subprocess.run(
        ["sh", str(EXAMPLES / "extend_batch_ttl.sh"), server.url, batch],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert gone.returncode == 1
    assert "is gone (HTTP 404)" in gone.stderr
