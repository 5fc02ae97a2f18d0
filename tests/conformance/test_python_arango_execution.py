"""python-arango in other modes: transactions, jobs, batches, overload control, packed bodies."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pytest
from arango import ArangoClient
from arango.collection import StandardCollection
from arango.database import StandardDatabase, TransactionDatabase
from arango.exceptions import (
    AsyncJobCancelError,
    AsyncJobClearError,
    AsyncJobListError,
    AsyncJobResultError,
    AsyncJobStatusError,
    BatchStateError,
    DocumentInsertError,
    OverloadControlExecutorError,
    TransactionAbortError,
    TransactionCommitError,
    TransactionExecuteError,
    TransactionFetchError,
    TransactionInitError,
    TransactionStatusError,
)
from arango.http import DefaultHTTPClient, DeflateRequestCompression
from arango.job import AsyncJob, BatchJob
from arango.request import Request
from arango.response import Response
from support.drivers import ROOT_PASSWORD
from support.process import ServerProcess
from support.server import ServerThread
from support.wait import wait_for

Json = dict[str, Any]


# -- stream transactions -------------------------------------------------------------------------


def test_a_transaction_is_committed(db: StandardDatabase, col: StandardCollection) -> None:
    transaction = db.begin_transaction(
        read="c",
        write=["c"],
        sync=True,
        allow_implicit=False,
        lock_timeout=1000,
        max_size=100_000,
        skip_fast_lock_round=True,
    )
    assert transaction.transaction_id.isdigit()
    assert transaction.transaction_status() == "running"
    assert transaction.context == "transaction"
    inside = transaction.collection("c")
    inside.insert({"_key": "a", "n": 1})
    assert inside.has("a")
    assert (inside.count(), col.count()) == (1, 0)
    assert not col.has("a")
    assert {"id": transaction.transaction_id, "state": "running"} in db.list_transactions()
    assert transaction.commit_transaction() is True
    assert transaction.transaction_status() == "committed"
    assert transaction.commit_transaction() is True
    assert col.get("a")["n"] == 1
    assert db.list_transactions() == []
    with pytest.raises(TransactionAbortError) as refused:
        transaction.abort_transaction()
    assert refused.value.http_code == 400


def test_a_transaction_is_aborted(db: StandardDatabase, col: StandardCollection) -> None:
    col.insert({"_key": "a", "n": 1})
    transaction = db.begin_transaction(exclusive="c")
    inside = transaction.collection("c")
    inside.update({"_key": "a", "n": 2})
    inside.insert_many([{"_key": "b"}, {"_key": "d"}])
    assert inside.get("a")["n"] == 2
    inside.delete("b")
    assert transaction.abort_transaction() is True
    assert transaction.transaction_status() == "aborted"
    assert transaction.abort_transaction() is True
    with pytest.raises(TransactionCommitError) as refused:
        transaction.commit_transaction()
    assert refused.value.http_code == 400
    assert (col.count(), col.get("a")["n"]) == (1, 1)


def test_a_transaction_is_taken_up_again(db: StandardDatabase, col: StandardCollection) -> None:
    begun = db.begin_transaction(write="c")
    begun.collection("c").insert({"_key": "a"})
    taken = db.fetch_transaction(begun.transaction_id)
    assert isinstance(taken, TransactionDatabase)
    assert taken.transaction_id == begun.transaction_id
    assert taken.transaction_status() == "running"
    assert taken.collection("c").has("a")
    assert taken.commit_transaction()
    assert begun.transaction_status() == "committed"
    assert col.has("a")


def test_transactions_that_are_not_there(db: StandardDatabase, col: StandardCollection) -> None:
    with pytest.raises(TransactionInitError) as unknown:
        db.begin_transaction(write="nowhere")
    assert unknown.value.error_code == 1203
    for wrong in ("illegal", "12345"):
        with pytest.raises(TransactionFetchError) as missing:
            db.fetch_transaction(wrong)
        assert missing.value.error_code in (10, 1655)
    transaction = db.begin_transaction(write="c")
    transaction._executor._id = "12345"
    for act, error in (
        (transaction.transaction_status, TransactionStatusError),
        (transaction.commit_transaction, TransactionCommitError),
        (transaction.abort_transaction, TransactionAbortError),
    ):
        with pytest.raises(error) as gone:
            act()
        assert (gone.value.http_code, gone.value.error_code) == (404, 1655)


def test_queries_within_a_transaction(db: StandardDatabase, col: StandardCollection) -> None:
    transaction = db.begin_transaction(write="c")
    inside = transaction.collection("c")
    inside.insert_many([{"_key": "a", "n": 1}, {"_key": "b", "n": 1}])
    assert sorted(inside.keys()) == ["a", "b"]
    assert inside.update_match({"n": 1}, {"n": 2}) == 2
    assert list(transaction.aql.execute("FOR d IN c SORT d._key RETURN d.n")) == [2, 2]
    assert list(col.keys()) == []
    assert transaction.commit_transaction()
    assert [document["n"] for document in col] == [2, 2]


def test_a_transaction_in_javascript(db: StandardDatabase, col: StandardCollection) -> None:
    with pytest.raises(TransactionExecuteError) as refused:
        db.execute_transaction("function () { return 1; }", write=["c"], params={"a": 1})
    assert (refused.value.http_code, refused.value.error_code) == (501, 9)


# -- asynchronous jobs ---------------------------------------------------------------------------


def finished(job: object) -> AsyncJob[Any]:
    """A job once it is done."""
    assert isinstance(job, AsyncJob)
    wait_for(lambda: True if job.status() == "done" else None)
    return job


def test_the_life_of_a_job(db: StandardDatabase, col: StandardCollection) -> None:
    asynchronous = db.begin_async_execution()
    assert asynchronous.context == "async"
    job = finished(asynchronous.collection("c").insert({"_key": "k"}))
    assert job.id in db.async_jobs("done", count=10)
    assert job.result()["_key"] == "k"
    for act, error in (
        (job.status, AsyncJobStatusError),
        (job.result, AsyncJobResultError),
        (job.cancel, AsyncJobCancelError),
        (job.clear, AsyncJobClearError),
    ):
        with pytest.raises(error, match=f"job {job.id} not found"):
            act()
    assert job.cancel(ignore_missing=True) is False
    assert job.clear(ignore_missing=True) is False


def test_jobs_whose_answer_is_a_cursor(db: StandardDatabase, col: StandardCollection) -> None:
    col.insert_many([{"_key": "a"}, {"_key": "b"}, {"_key": "c"}])
    asynchronous = db.begin_async_execution()
    keys = finished(asynchronous.collection("c").keys()).result()
    assert sorted(keys) == ["a", "b", "c"]
    some = finished(asynchronous.aql.execute("FOR d IN c SORT d._key RETURN d._key", batch_size=1))
    assert list(some.result()) == ["a", "b", "c"]


def test_jobs_are_cleared(db: StandardDatabase, col: StandardCollection) -> None:
    asynchronous = db.begin_async_execution()
    first, second = (finished(asynchronous.collection("c").count()) for _ in range(2))
    assert first.clear() is True
    assert set(db.async_jobs("done")) == {second.id}
    assert db.clear_async_jobs(threshold=1) is True
    assert db.async_jobs("done") == [second.id]
    assert db.clear_async_jobs() is True
    assert db.async_jobs("done") == db.async_jobs("pending") == []
    with pytest.raises(AsyncJobListError):
        db.async_jobs("bad_parameter")


def test_jobs_without_a_result(db: StandardDatabase, col: StandardCollection) -> None:
    forgetful = db.begin_async_execution(return_result=False)
    assert forgetful.collection("c").insert({"_key": "k"}) is None
    wait_for(lambda: col.has("k") or None)
    assert db.async_jobs("done") == []


# -- batches, which are threads of the client ----------------------------------------------------


@pytest.mark.filterwarnings("ignore:The batch request API:FutureWarning")
def test_a_batch(db: StandardDatabase, col: StandardCollection) -> None:
    with db.begin_batch_execution(return_result=True, max_workers=4) as batch:
        inside = batch.collection("c")
        jobs = [inside.insert({"_key": f"k{number}"}) for number in range(20)]
        again = inside.insert({"_key": "k0"})
        assert len(batch.queued_jobs() or ()) == 21
    assert sorted(col.keys()) == sorted(f"k{number}" for number in range(20))
    results = []
    for job in [*jobs, again]:
        assert isinstance(job, BatchJob)
        assert job.status() == "done"
        try:
            results.append(job.result()["_id"][:3])
        except DocumentInsertError as error:
            results.append(error.error_code)
    assert results.count("c/k") == 20
    assert results.count(1210) == 1
    with pytest.raises(BatchStateError):
        batch.commit()


@pytest.mark.filterwarnings("ignore:The batch request API:FutureWarning")
def test_a_batch_without_results(db: StandardDatabase, col: StandardCollection) -> None:
    batch = db.begin_batch_execution(return_result=False)
    assert batch.collection("c").insert({"_key": "k"}) is None
    assert batch.queued_jobs() is None
    assert not col.has("k")
    assert batch.commit() is None
    assert col.has("k")


# -- overload control ----------------------------------------------------------------------------


def test_controlled_execution(db: StandardDatabase, col: StandardCollection) -> None:
    controlled = db.begin_controlled_execution(100)
    assert (controlled.max_queue_time, controlled.last_queue_time) == (100, 0.0)
    controlled._executor._queue_time_seconds = -1.0
    assert controlled.collection("c").insert({"_key": "k"})
    assert controlled.last_queue_time >= 0
    controlled.adjust_max_queue_time(None)
    assert controlled.max_queue_time is None
    assert controlled.version() == "3.12.9"
    controlled.adjust_max_queue_time(0)
    assert controlled.collection("c").count() == 1
    with pytest.raises(OverloadControlExecutorError) as refused:
        controlled.collection("c").insert({"_key": "k"})
    assert refused.value.error_code == 1210


# -- packed bodies -------------------------------------------------------------------------------


class Recording(DefaultHTTPClient):
    """Keeps what went over the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[Json, Any]] = []
        self.received: list[Json] = []

    def send_request(self, session: Any, method: str, url: str, **given: Any) -> Response:
        response = super().send_request(session, method, url, **given)
        self.sent.append((dict(given.get("headers") or {}), given.get("data")))
        self.received.append({name.lower(): text for name, text in response.headers.items()})
        return response


@pytest.mark.parametrize("wanted", ["gzip", "deflate"])
def test_packed_both_ways(
    secured: ServerThread, db: StandardDatabase, col: StandardCollection, wanted: str
) -> None:
    wire = Recording()
    packing = ArangoClient(
        hosts=secured.url,
        http_client=wire,
        request_compression=DeflateRequestCompression(threshold=200, level=9),
        response_compression=wanted,
    )
    own = packing.db(db.name, "root", ROOT_PASSWORD).collection("c")
    text = "the same again and again " * 200
    own.insert({"_key": "small"})
    assert "content-encoding" not in wire.sent[-1][0]
    own.insert({"_key": "large", "text": text})
    headers, body = wire.sent[-1]
    assert headers["content-encoding"] == "deflate"
    assert zlib.decompress(body).decode().count("again") == 400
    assert own.get("large")["text"] == text == col.get("large")["text"]
    assert wire.sent[-1][0]["accept-encoding"] == wanted
    assert wire.received[-1]["content-encoding"] == wanted
    packing.close()


def test_raw_requests(db: StandardDatabase) -> None:
    """`db.request` is for calls that the client has no method for."""
    answer = db.request(Request(method="get", endpoint="/_api/version", params={"details": True}))
    assert answer.is_success
    assert answer.body["details"]["role"] == "SINGLE"
    assert answer.headers["content-type"].startswith("application/json")
    missing = db.request(Request(method="get", endpoint="/_api/collection/nowhere"))
    assert (missing.is_success, missing.error_code) == (False, 1203)


# -- the end -------------------------------------------------------------------------------------


def test_shutting_a_server_down(tmp_path: Path) -> None:
    try:
        process = ServerProcess(tmp_path / "data", "--root-password", ROOT_PASSWORD)
        client = ArangoClient(hosts=process.url, request_timeout=30)
        assert client.hosts == [process.url]
        assert client.db("_system", "root", ROOT_PASSWORD).shutdown() is True
        client.close()
        assert process.wait()[0] == 0
    finally:
        ServerProcess.kill_all()
