"""Two real servers, one following the other, and what tests of that ask again and again."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
from support.server import Api, ServerThread
from support.wait import wait_for

from arangorep.config import Config
from arangorep.leader.retention import Retention, prune_log

WAIT_S = 0.01
REPLICATION = "/_api/replication/"
READ_ONLY = (403, 1004)

Document = dict[str, Any]
State = dict[str, Any]


@dataclass
class Pair:
    """A database of a leader and one of a follower; their names differ unless both are `_system`.

    With `whole` the requests about the applier are about the global one.
    """

    leader_server: ServerThread
    follower_server: ServerThread
    leader: Api
    follower: Api
    whole: bool = False

    def config(self, **attributes: Any) -> dict[str, Any]:
        """A configuration that follows the leader impatiently."""
        given = {
            "endpoint": endpoint(self.leader_server),
            "idleMinWaitTime": WAIT_S,
            "idleMaxWaitTime": WAIT_S,
            "connectionRetryWaitTime": WAIT_S,
            **attributes,
        }
        if not self.whole:
            given.setdefault("database", self.leader.database)
        return given

    def call(self, method: str, command: str, body: Any = None, **params: Any) -> requests.Response:
        """A request to the follower's replication API."""
        if self.whole:
            params["global"] = "true"
        return self.follower.request(method, REPLICATION + command, body, params=params)

    def done(self, method: str, command: str, body: Any = None, **params: Any) -> Any:
        """The body of a request that must succeed."""
        response = self.call(method, command, body, **params)
        assert response.status_code == 200, response.text
        return response.json()

    def sync(self, **attributes: Any) -> dict[str, Any]:
        """One successful initial synchronisation."""
        answer: dict[str, Any] = self.done("PUT", "sync", self.config(**attributes))
        return answer

    def follow(self, **attributes: Any) -> State:
        """`make-follower`; returns `state` of its answer."""
        return self.done("PUT", "make-follower", self.config(**attributes))["state"]

    def stop(self) -> State:
        """`applier-stop`; returns `state` of its answer."""
        return self.done("PUT", "applier-stop")["state"]

    def state(self) -> State:
        """`state` of `applier-state`."""
        return self.done("GET", "applier-state")["state"]

    def catch_up(self) -> State:
        """Wait until the follower has applied everything the leader has."""
        last = last_tick(self.leader)

        def look() -> State | None:
            state = self.state()
            assert state["phase"] in ("running", "initial"), state
            return state if int(state["lastAppliedContinuousTick"] or 0) >= last else None

        return wait_for(look)

    def failure(self) -> int:
        """Wait until the applier has stopped; returns the number of its error."""

        def look() -> int | None:
            state = self.state()
            return None if state["phase"] != "inactive" else state["lastError"]["errorNum"]

        return wait_for(look)

    def same(self, *collections: str) -> bool:
        """Whether collections hold the same documents in the same revisions."""
        return all(
            contents(self.leader, name) == contents(self.follower, name) for name in collections
        )


@contextmanager
def two_servers(path: Path) -> Iterator[tuple[ServerThread, ServerThread]]:
    """A leader and a follower without delays between two tries."""
    with (
        impatient(),
        ServerThread(Config(path / "leader", port=0)) as leader,
        ServerThread(Config(path / "follower", port=0)) as follower,
    ):
        yield leader, follower


@contextmanager
def impatient() -> Iterator[None]:
    """Followers of this process hardly wait, and do not repeat their first request."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arangorep.follower.tailing.IDLE_WAIT_S_MIN", WAIT_S)
        patch.setattr("arangorep.follower.leader.LEADER_RETRIES", 0)
        yield


@contextmanager
def fresh_pair(leader: ServerThread, follower: ServerThread) -> Iterator[Pair]:
    """A new database on both servers."""
    with leader.fresh_database() as there, follower.fresh_database() as here:
        yield Pair(leader, follower, there, here)


@contextmanager
def system_pair(leader: ServerThread, follower: ServerThread) -> Iterator[Pair]:
    """`_system` of both servers with the global applier."""
    with Api(leader.url, "_system") as there, Api(follower.url, "_system") as here:
        yield Pair(leader, follower, there, here, whole=True)


@contextmanager
def closed_port() -> Iterator[str]:
    """An endpoint where nobody listens: the port is taken, but not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def silent_leader() -> Iterator[tuple[str, socket.socket]]:
    """An endpoint that takes connections and never answers; `accept` tells that one has come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}", listener


@contextmanager
def sync_under_way(pair: Pair) -> Iterator[str]:
    """A `sync` as job that does not end by itself; gives the job's id."""
    with silent_leader() as (where, listener):
        job = start_job(pair.follower, "sync", pair.config(endpoint=where))
        connection, _ = listener.accept()
        with connection:
            yield job
            pair.stop()


def start_job(api: Api, command: str, body: Any) -> str:
    """Start a replication command as asynchronous job; returns its id."""
    headers = {"x-arango-async": "store"}
    response = api.request("PUT", REPLICATION + command, body, headers=headers)
    assert response.status_code == 202, response.text
    return response.headers["x-arango-async-id"]


def job_answer(api: Api, job: str) -> requests.Response:
    """Wait for the answer of a job."""

    def look() -> requests.Response | None:
        response = api.put(f"/_api/job/{job}")
        return response if "x-arango-async-id" in response.headers else None

    return wait_for(look)


def endpoint(server: ServerThread) -> str:
    """A server's endpoint as replication writes it."""
    return f"tcp://127.0.0.1:{server.port}"


def last_tick(api: Api) -> int:
    """The last tick of a server's log."""
    return int(api.get("/_api/wal/lastTick").json()["tick"])


def contents(api: Api, collection: str) -> dict[str, Document]:
    """All documents of a collection by key."""
    batch = api.create_batch()
    documents = api.dump(collection, batch)
    assert api.delete(f"/_api/replication/batch/{batch}").status_code == 204
    return {document["_key"]: document for document in documents}


def collections(api: Api) -> list[str]:
    """The names of all collections that are no system collections."""
    listed = api.get("/_api/collection", excludeSystem="true").json()["result"]
    return sorted(collection["name"] for collection in listed)


def index_fields(api: Api, collection: str) -> list[list[str]]:
    """The fields of all indexes a user made."""
    listed = api.get("/_api/index", collection=collection).json()["indexes"]
    return sorted(index["fields"] for index in listed if index["type"] == "persistent")


def lose_log(server: ServerThread) -> None:
    """A leader throws away its whole log. `log.SEGMENT_BYTES` must be tiny."""
    services = server.server.node.services

    def prune() -> bool:
        for _ in services.store.checkpoint_trees():
            pass
        keep = Retention(size_bytes=0)
        return prune_log(services.store, services.clients, keep, services.clock.wall_us())

    assert server.call(prune)


def batches(server: ServerThread) -> int:
    """How many batches a leader holds."""
    return server.call(partial(len, server.server.node.services.batches))
