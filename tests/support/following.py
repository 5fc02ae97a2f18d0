"""A follower under test: what its requests to a recorded leader lead to, without waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import requests
from support.recorded_leader import LeaderCollection, RecordedLeader
from support.server import Api, ServerThread

BASE = 1_700_000_000_000 << 20
APART = 1 << 42
"""Between two revisions: farther than a leaf of the revision tree is wide."""

PATH = "/_api/replication"
LONG_S = 100


class Waits(list[float]):
    """What the follower waited for. It never really waits, but for what is to come after hours."""

    async def sleep(self, seconds: float) -> None:
        if seconds > LONG_S:
            await asyncio.Event().wait()
        self.append(seconds)
        await asyncio.sleep(0)


def without_waiting(server: ServerThread, monkeypatch: Any) -> Waits:
    """The appliers of this server do not wait any more."""
    found = Waits()
    monkeypatch.setattr(server.server.node.services.appliers._site, "sleep", found.sleep)
    return found


def revision(number: int) -> int:
    return BASE + number * APART


def filled(leader: RecordedLeader, name: str = "c", cid: int = 500) -> LeaderCollection:
    """Ten documents, each in a leaf of its own."""
    made = leader.add(name, cid)
    for number in range(10):
        made.put(f"k{number}", revision(number), n=number)
    return made


def sync(api: Api, leader: RecordedLeader, **attributes: Any) -> requests.Response:
    body = {"endpoint": leader.endpoint, "maxConnectRetries": 1, **attributes}
    return api.put(f"{PATH}/sync", body)


def synced(api: Api, leader: RecordedLeader, **attributes: Any) -> dict[str, Any]:
    """One synchronisation that succeeds; the leader keeps what it was asked meanwhile."""
    leader.forget()
    response = sync(api, leader, **attributes)
    assert response.status_code == 200, (response.text, leader.lines())
    return response.json()


def own_id(api: Api) -> str:
    return api.get(f"{PATH}/server-id").json()["serverId"]


def check_same(api: Api, collection: LeaderCollection) -> None:
    """That the follower has exactly the leader's documents."""
    found = api.dump(collection.name, api.create_batch())
    assert found == collection.ascending
