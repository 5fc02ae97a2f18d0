"""Asynchronous jobs: started by a header, listed, fetched once, cancelled (data-api 10.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread, error_of

from arangorep.clock import ManualClock
from arangorep.config import Config

UNKNOWN = (404, 404)
DONE = {"result": True}


@pytest.fixture
def docs(api: Api) -> Iterator[Api]:
    """A database with the empty collection `c`; no job is left behind."""
    api.create_collection("c")
    yield api
    api.delete("/_api/job/all")


@pytest.fixture
def held(server: ServerThread) -> Iterator[Callable[[], None]]:
    """Writes wait until the returned function is called, at the latest until the test ends."""
    lock = server.server.node.services.write_lock
    server.run(lock.acquire())

    def release() -> None:
        if lock.locked():
            server.call(lock.release)

    yield release
    release()


def start(api: Api, method: str, path: str, body: Any = None, wanted: str = "store") -> str:
    """Start a job; returns its id."""
    answer = api.request(method, path, body, headers={"x-arango-async": wanted})
    assert answer.status_code == 202
    assert answer.content == b""
    assert answer.headers["content-type"].startswith("text/plain")
    job_id = answer.headers["x-arango-async-id"]
    assert job_id.isdigit()
    return job_id


def wait(api: Api, job_id: str) -> None:
    """Ask until the job is done; every question gives the server a turn."""
    for _ in range(10_000):
        if api.get(f"/_api/job/{job_id}").status_code == 200:
            return
    raise AssertionError("the job does not end")


def fetch(api: Api, job_id: str) -> requests.Response:
    wait(api, job_id)
    answer = api.put(f"/_api/job/{job_id}")
    assert answer.headers["x-arango-async-id"] == job_id
    return answer


def jobs(api: Api, state: str, **params: Any) -> list[str]:
    return api.get(f"/_api/job/{state}", **params).json()


def test_a_stored_result_is_the_answer_itself_and_fetched_once(docs: Api) -> None:
    job_id = start(docs, "POST", "/_api/document/c?returnNew=1", {"_key": "k", "n": 1})
    answer = fetch(docs, job_id)
    assert answer.status_code == 202
    assert answer.json()["new"]["n"] == 1
    assert answer.headers["etag"] == f'"{answer.json()["_rev"]}"'
    assert answer.headers["location"] == f"/_db/{docs.database}/_api/document/c/k"
    assert answer.headers["content-type"].startswith("application/json")
    assert docs.get("/_api/document/c/k").json()["n"] == 1
    for method in ("GET", "PUT", "DELETE"):
        assert error_of(docs.request(method, f"/_api/job/{job_id}")) == UNKNOWN


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("POST", "/_api/document/nope", {}, (404, 1203)),
        ("POST", "/_api/document/c", [1, 2, "{"], None),
        ("POST", "/_api/document/c", "{", (400, 600)),
        ("POST", "/_api/collection", {"name": "c"}, (409, 1207)),
        ("GET", "/_api/document/c/k", None, (404, 1202)),
        ("PATCH", "/_api/version", None, (405, 405)),
        ("POST", "/_api/cursor", {}, (400, 1502)),
    ],
)
def test_an_error_is_a_result_like_any_other(
    docs: Api, method: str, path: str, body: Any, error: tuple[int, int] | None
) -> None:
    answer = fetch(docs, start(docs, method, path, body))
    if error is None:
        assert [item["errorNum"] for item in answer.json()] == [1227, 1227, 1227]
        assert answer.headers["x-arango-error-codes"] == '{"1227":3}'
    else:
        assert error_of(answer) == error


def test_an_unknown_path_is_refused_at_once(docs: Api) -> None:
    answer = docs.request("GET", "/_api/nothing", headers={"x-arango-async": "store"})
    assert error_of(answer) == (404, 404)
    assert "x-arango-async-id" not in answer.headers


def test_a_pending_job(docs: Api, held: Callable[[], None]) -> None:
    job_id = start(docs, "POST", "/_api/document/c", {"_key": "k"})
    assert jobs(docs, "pending") == [job_id]
    assert jobs(docs, "done") == []
    for method in ("GET", "PUT"):
        answer = docs.request(method, f"/_api/job/{job_id}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["content-length"] == "0"
    held()
    wait(docs, job_id)
    assert jobs(docs, "pending") == []
    assert jobs(docs, "done") == [job_id]
    done = docs.get(f"/_api/job/{job_id}")
    assert (done.status_code, done.content) == (200, b"")
    assert done.headers["content-type"].startswith("text/plain")
    assert fetch(docs, job_id).json()["_key"] == "k"
    assert jobs(docs, "done") == []


def test_jobs_run_in_the_order_of_their_requests(docs: Api, held: Callable[[], None]) -> None:
    ids = [start(docs, "POST", "/_api/document/c", {"_key": f"k{n}"}) for n in range(20)]
    ids.append(start(docs, "PUT", "/_api/collection/c/truncate"))
    ids.append(start(docs, "POST", "/_api/document/c", {"_key": "last"}))
    assert jobs(docs, "pending") == ids
    assert jobs(docs, "pending", count=3) == ids[:3]
    held()
    for job_id in ids:
        assert fetch(docs, job_id).status_code in (200, 202)
    assert docs.get("/_api/collection/c/count").json()["count"] == 1
    assert [int(job_id) for job_id in ids] == sorted(map(int, ids))


def test_lists_show_100_jobs_unless_told_otherwise(docs: Api) -> None:
    ids = [start(docs, "GET", "/_api/version") for _ in range(105)]
    for job_id in ids:
        wait(docs, job_id)
    assert jobs(docs, "done") == ids[:100]
    assert jobs(docs, "done", count=104) == ids[:104]
    assert jobs(docs, "done", count=1000) == ids
    assert docs.delete("/_api/job/all").json() == DONE
    assert jobs(docs, "done") == []


@pytest.mark.parametrize("wanted", ["true", "TRUE", "True"])
def test_a_result_nobody_wants(docs: Api, wanted: str) -> None:
    headers = {"x-arango-async": wanted}
    answer = docs.request("POST", "/_api/document/c", {"_key": "k"}, headers=headers)
    assert (answer.status_code, answer.content) == (202, b"")
    assert "x-arango-async-id" not in answer.headers
    # a later write waits for the lock, so the earlier one is over when it is answered
    docs.insert("c", {"_key": "l"})
    assert docs.get("/_api/document/c/k").status_code == 200
    assert jobs(docs, "done") == jobs(docs, "pending") == []


@pytest.mark.parametrize("wanted", ["false", "", "no", "1", "stores"])
def test_other_words_mean_no_job(docs: Api, wanted: str) -> None:
    headers = {"x-arango-async": wanted}
    answer = docs.request("POST", "/_api/document/c", {"_key": "k"}, headers=headers)
    assert answer.json()["_key"] == "k"
    assert "x-arango-async-id" not in answer.headers


def test_the_job_api_itself_is_never_a_job(docs: Api) -> None:
    job_id = start(docs, "GET", "/_api/version")
    wait(docs, job_id)
    headers = {"x-arango-async": "store"}
    answer = docs.request("PUT", f"/_api/job/{job_id}", headers=headers)
    assert answer.json()["server"] == "arango"


def test_cancel(docs: Api, held: Callable[[], None]) -> None:
    job_id = start(docs, "POST", "/_api/document/c", {"_key": "k"})
    assert docs.put(f"/_api/job/{job_id}/cancel").json() == DONE
    held()
    assert error_of(fetch(docs, job_id)) == (410, 21)
    docs.insert("c", {"_key": "other"})
    assert error_of(docs.get("/_api/document/c/k")) == (404, 1202)
    assert error_of(docs.put(f"/_api/job/{job_id}/cancel")) == UNKNOWN


def test_cancelling_what_is_done_changes_nothing(docs: Api) -> None:
    job_id = start(docs, "GET", "/_api/version")
    wait(docs, job_id)
    assert docs.put(f"/_api/job/{job_id}/cancel").json() == DONE
    assert fetch(docs, job_id).json()["server"] == "arango"


def test_delete(docs: Api, held: Callable[[], None]) -> None:
    done = start(docs, "GET", "/_api/version")
    running = start(docs, "POST", "/_api/document/c", {"_key": "k"})
    wait(docs, done)
    assert docs.delete(f"/_api/job/{done}").json() == DONE
    assert docs.delete(f"/_api/job/{running}").json() == DONE
    for job_id in (done, running):
        assert error_of(docs.get(f"/_api/job/{job_id}")) == UNKNOWN
    held()
    docs.insert("c", {"_key": "later"})
    assert docs.get("/_api/document/c/k").status_code == 200


def test_delete_all_spares_what_runs(docs: Api, held: Callable[[], None]) -> None:
    done = start(docs, "GET", "/_api/version")
    running = start(docs, "POST", "/_api/document/c", {"_key": "k"})
    wait(docs, done)
    assert docs.delete("/_api/job/all").json() == DONE
    assert jobs(docs, "done") == []
    assert jobs(docs, "pending") == [running]
    held()
    assert fetch(docs, running).json()["_key"] == "k"


def test_delete_expired(manual: tuple[ServerThread, ManualClock]) -> None:
    running, clock = manual
    with Api(running.url, "_system") as client:
        ids = []
        for _ in range(3):
            ids.append(start(client, "GET", "/_api/version"))
            wait(client, ids[-1])
            running.call(lambda: clock.advance_s(10))
        for stamp, left in ((1_700_000_000, 3), (1_700_000_011, 1), (1_700_000_100, 0)):
            assert client.delete("/_api/job/expired", stamp=stamp).json() == DONE
            assert jobs(client, "done") == ids[3 - left :]


def test_the_queue_has_an_end(docs: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arangorep.rest.jobs.JOBS_MAX", 3)
    for _ in range(3):
        start(docs, "GET", "/_api/version")
    answer = docs.request("GET", "/_api/version", headers={"x-arango-async": "store"})
    assert error_of(answer) == (503, 21003)
    docs.delete(f"/_api/job/{jobs(docs, 'done')[0]}")
    start(docs, "GET", "/_api/version")


def test_large_results_wait_only_up_to_a_bound(docs: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arangorep.rest.jobs.JOB_RESULT_BYTES_MAX", 100_000)
    docs.insert("c", {"_key": "k", "text": "x" * 60_000})
    ids = [start(docs, "GET", "/_api/document/c/k") for _ in range(2)]
    for job_id in ids:
        wait(docs, job_id)
    answer = docs.request("GET", "/_api/version", headers={"x-arango-async": "store"})
    assert error_of(answer) == (503, 21003)
    assert len(fetch(docs, ids[0]).json()["text"]) == 60_000
    start(docs, "GET", "/_api/version")


def test_the_body_of_a_job_is_read_before_the_next_request(docs: Api) -> None:
    items = [{"_key": f"k{n}", "text": "x" * 200} for n in range(5000)]
    job_id = start(docs, "POST", "/_api/document/c", items)
    assert docs.get("/_api/version").status_code == 200
    assert len(fetch(docs, job_id).json()) == 5000


def test_jobs_are_finished_when_the_server_stops(tmp_path: Path) -> None:
    config = Config(tmp_path / "data", port=0)
    with ServerThread(config) as first, Api(first.url, "_system") as client:
        client.create_collection("c")
        for wanted in ("store", "true"):
            headers = {"x-arango-async": wanted}
            body = [{"_key": f"{wanted}{number}"} for number in range(2000)]
            client.request("POST", "/_api/document/c", body, headers=headers)
    with ServerThread(config) as second, Api(second.url, "_system") as client:
        assert client.get("/_api/collection/c/count").json()["count"] == 4000
