"""What lies beyond the follower's bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.following import sync, synced, without_waiting
from support.recorded_leader import RecordedLeader, Reply
from support.server import Api, ServerThread, error_of

from arangorep.clock import SystemClock
from arangorep.config import Config
from arangorep.follower import compare
from arangorep.follower.config import ApplierConfig
from arangorep.follower.leader import Leader
from arangorep.follower.progress import Progress
from arangorep.follower.transport import HttpTransport
from arangorep.limits import OPEN_TRIES

FIRST = 1_700_000_000_000 << 20
LOST = Reply(404, json.dumps({"error": True, "code": 404, "errorNum": 1600}).encode())


@pytest.fixture
def leader(server: ServerThread, monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedLeader]:
    without_waiting(server, monkeypatch)
    with RecordedLeader() as running:
        running.add("c", 500).put("k", FIRST, n=1)
        yield running


def test_a_batch_lost_before_its_inventory_is_taken_anew(api: Api, leader: RecordedLeader) -> None:
    leader.answers["GET /_api/replication/inventory"] = [LOST] * (OPEN_TRIES - 1)
    synced(api, leader)
    assert len(leader.of("inventory")) == OPEN_TRIES


def test_but_not_for_ever(api: Api, leader: RecordedLeader) -> None:
    leader.answers["GET /_api/replication/inventory"] = [LOST] * OPEN_TRIES
    assert error_of(sync(api, leader)) == (404, 1600)
    assert len(leader.of("inventory")) == OPEN_TRIES


def test_a_unique_index_that_came_after_the_first_batch_is_left_to_the_log(
    api: Api, leader: RecordedLeader
) -> None:
    """The log begins at the first batch: its documents were written without the index."""

    def index(number: int, *, unique: bool) -> dict[str, Any]:
        return {"id": str(number), "type": "persistent", "name": f"i{number}", "fields": ["n"],
                "unique": unique, "sparse": False}  # fmt: skip

    collection = leader.collections[0]
    collection.indexes.append(index(601, unique=True))

    def lost(_: object) -> Reply:
        collection.indexes.extend([index(602, unique=True), index(603, unique=False)])
        return LOST

    leader.answers["GET /_api/replication/dump"] = [lost]
    synced(api, leader)
    assert len(leader.of("inventory")) == 2
    found = api.get("/_api/index", collection="c").json()["indexes"]
    assert {one["name"] for one in found} == {"primary", "i601", "i603"}


def test_an_answer_beyond_max_packet_size_is_none(api: Api, leader: RecordedLeader) -> None:
    assert error_of(sync(api, leader, maxPacketSize=20)) == (500, 1400)
    synced(api, leader, maxPacketSize=100_000)


@pytest.mark.parametrize(("bound", "is_counted"), [(3, False), (2, True)])
def test_too_many_differences_are_only_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: int, is_counted: bool
) -> None:
    monkeypatch.setattr(compare, "COMPARED_DOCUMENTS_MAX", bound)
    with (
        ServerThread(Config(tmp_path / "a", port=0)) as a,
        ServerThread(Config(tmp_path / "b", port=0)) as b,
        Api(a.url, "_system") as there,
        Api(b.url, "_system") as here,
    ):
        there.create_collection("c")
        here.create_collection("c")
        there.insert("c", [{"_key": f"k{n}"} for n in range(3)])
        (found,) = asyncio.run(_compare(a.url, b.url))
    assert (found.documents, found.only_a, found.only_b) == (3, 3, 0)
    assert bool(found.notes) is is_counted
    assert bool(found.examples) is not is_counted


async def _compare(a: str, b: str) -> list[compare.Difference]:
    progress = Progress(SystemClock())
    sides = [
        Leader(HttpTransport(ApplierConfig(endpoint=url)), "_system", 1, progress, asyncio.sleep)
        for url in (a, b)
    ]
    try:
        return await compare.Comparison(*sides, include_system=False).database("_system")
    finally:
        for side in sides:
            await side.close()
