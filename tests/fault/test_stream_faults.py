"""A server that stops or dies with open stream transactions."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.process import ServerProcess, check
from support.server import Api

STOP_S = 10


@pytest.fixture(autouse=True)
def _leave_none() -> Iterator[None]:
    yield
    ServerProcess.kill_all()


def begin(api: Api, kind: str = "write") -> str:
    response = api.post("/_api/transaction/begin", {"collections": {kind: ["c"]}})
    assert response.status_code == 201, response.text
    return response.json()["result"]["id"]


def filled(server: ServerProcess) -> list[str]:
    """Three open transactions with many changes, and one that is committed."""
    with Api(server.url, "_system") as api:
        api.create_collection("c")
        api.post(
            "/_api/index", {"type": "persistent", "fields": ["n"], "unique": True}, collection="c"
        )
        api.insert("c", [{"_key": key, "n": key} for key in "abc"])
        transactions = [begin(api) for _ in range(4)]
        for number, transaction in enumerate(transactions):
            headers = {"x-arango-trx-id": transaction}
            documents = [{"_key": f"k{number}-{n}", "n": f"{number}-{n}"} for n in range(500)]
            sent = api.request("POST", "/_api/document/c", documents, headers=headers)
            assert sent.status_code == 202
        removed = api.request(
            "DELETE", "/_api/document/c/a", headers={"x-arango-trx-id": transactions[1]}
        )
        assert removed.status_code == 202
        assert api.put(f"/_api/transaction/{transactions[0]}?waitForSync=true").status_code == 200
        return transactions


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_open_transactions_leave_nothing(tmp_path: Path, how: str) -> None:
    path = tmp_path / "data"
    server = ServerProcess(path)
    transactions = filled(server)
    if how == "stop":
        started = time.monotonic()
        server.terminate()
        code, errors = server.wait()
        assert (code, "Traceback" in errors) == (0, False), errors
        assert time.monotonic() - started < STOP_S
    else:
        server.kill()
    found = check(path)
    assert found.returncode == 0, found.stdout
    again = ServerProcess(path)
    with Api(again.url, "_system") as api:
        assert api.get("/_api/collection/c/count").json()["count"] == 503
        assert api.get("/_api/transaction").json()["transactions"] == []
        assert api.get(f"/_api/transaction/{transactions[1]}").status_code == 404
        assert api.put("/_api/document/c/a", {"n": "1-7"}).status_code == 202
        assert int(begin(api)) > int(transactions[-1])
    again.kill()
    assert check(path).returncode == 0


@pytest.mark.parametrize("is_job", [False, True])
def test_a_stop_does_not_wait_for_a_collection(tmp_path: Path, is_job: bool) -> None:
    server = ServerProcess(tmp_path / "data")
    stopped = threading.Event()
    with Api(server.url, "_system") as api:
        api.create_collection("c")
        begin(api, "exclusive")

        def write() -> None:
            headers = {"x-arango-async": "store"} if is_job else None
            gone = contextlib.suppress(requests.ConnectionError)
            with Api(server.url, "_system") as other, gone:
                other.request("POST", "/_api/document/c", {"_key": "x"}, headers=headers)

        waiting = threading.Thread(target=write)
        waiting.start()
        time.sleep(0.5)  # nothing tells that it waits now

        def stop() -> None:
            server.terminate()
            server.wait()
            stopped.set()

        threading.Thread(target=stop, daemon=True).start()
        in_time = stopped.wait(STOP_S)
        server._process.kill()
        waiting.join(60)
    assert in_time
