"""Making one server follow another over HTTP, and waiting for where it has come."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from typing import Any, TypeVar

import requests
from support.server import Api
from support.wait import wait_for

T = TypeVar("T")
GLOBAL = {"global": "true"}
PORTS = range(15_000, 32_000)
"""Below what the system gives to outgoing connections."""

QUICK = {
    "autoStart": True,
    "idleMinWaitTime": 0.25,
    "idleMaxWaitTime": 0.25,
    "connectionRetryWaitTime": 0.25,
    "chunkSize": 16384,
}
"""A configuration that wastes no time of a test and cuts what is large into many chunks."""

State = dict[str, Any]


def free_port() -> int:
    """A port that a server can have now and again after it was killed."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def begin_to_follow(url: str, leader_url: str, **config: Any) -> None:
    """`make-follower` of all databases, without waiting for the initial synchronisation."""
    body = {"endpoint": leader_url.replace("http:", "tcp:"), **QUICK, **config}
    with Api(url, "_system") as api:
        answer = api.request(
            "PUT",
            "/_api/replication/make-follower",
            body,
            params=GLOBAL,
            headers={"x-arango-async": "true"},
        )
    assert answer.status_code == 202, answer.text
    wait_for(lambda: True if state(url)["started"] else None)


def start_again(url: str) -> None:
    """`applier-start` of the global applier."""
    with Api(url, "_system") as api:
        answer = api.put("/_api/replication/applier-start", **GLOBAL)
    assert answer.status_code == 200, answer.text


def stop_applier(url: str) -> None:
    """`applier-stop` of the global applier."""
    with Api(url, "_system") as api:
        answer = api.put("/_api/replication/applier-stop", **GLOBAL)
    assert answer.json()["state"]["phase"] == "inactive", answer.text


def state(url: str) -> State:
    """The state of the global applier."""
    with Api(url, "_system") as api:
        answer = api.get("/_api/replication/applier-state", **GLOBAL)
    assert answer.status_code == 200, answer.text
    return answer.json()["state"]


def has_failed(url: str) -> bool:
    """Whether the applier has ended; that it gave no reason then is a failure."""
    now = state(url)
    if now["phase"] != "inactive":
        return False
    assert not now["running"]
    assert now["lastError"]["errorNum"], f"stopped without an error: {now}"
    assert now["lastError"]["errorMessage"], f"stopped without a message: {now}"
    return True


def applied(now: State) -> int:
    """The tick of the leader up to which everything is here."""
    return int(now["lastAppliedContinuousTick"] or 0)


def copied(now: State) -> int:
    """Documents that the initial synchronisation has stored so far."""
    return sum(each["documents"] for each in now["progress"].get("collections", []))


def last_tick(url: str) -> int:
    """The last tick of a server's log."""
    with Api(url, "_system") as api:
        return int(api.get("/_api/wal/lastTick").json()["tick"])


def has_applied(now: State, goal: int) -> bool:
    """Whether a follower tails its leader and has come to a tick."""
    return now["phase"] == "running" and applied(now) >= goal


def active_state(url: str) -> State:
    """The state of an applier that runs; that it stopped is a failure."""
    now = state(url)
    assert now["phase"] != "inactive", f"the applier stopped: {now['lastError']}"
    return now


def wait_until_applied(url: str, leader_url: str) -> None:
    """Return when a follower has everything; that its applier stops is a failure."""
    goal = last_tick(leader_url)
    _wait(lambda: has_applied(active_state(url), goal) or None, url)


def wait_until_copied(url: str, documents: int) -> None:
    """Return when the initial synchronisation has so many documents, or has ended."""

    def look() -> State | None:
        now = active_state(url)
        return now if copied(now) >= documents or now["phase"] == "running" else None

    _wait(look, url)


def _wait(look: Callable[[], T | None], url: str) -> T:
    try:
        return wait_for(look)
    except AssertionError as error:
        try:
            where = state(url)
        except requests.RequestException as lost:
            where = {"lost": str(lost)}
        raise AssertionError(f"{error}; the applier: {where}") from None
