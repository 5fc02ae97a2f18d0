"""Batches while requests are at work on them (leader-api 2.3, 2.4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from support.stores import insert, make_collection, open_store, system

from arangorep.clock import ManualClock
from arangorep.data.collections import drop_collection
from arangorep.errors import BadParameter, CursorNotFound
from arangorep.leader.batches import Batch, BatchRegistry, effective_ttl_s
from arangorep.leader.clients import ClientIdentity, ReplicationClients
from arangorep.storage.catalog import Collection
from arangorep.storage.store import Store

NOBODY = ClientIdentity()
LONG_S = 7200


@dataclass
class Room:
    """A registry over a store in memory, with one collection of three documents."""

    clock: ManualClock
    store: Store
    clients: ReplicationClients
    batches: BatchRegistry
    collection: Collection
    revisions: list[int]

    def create(self, ttl_s: float = 10) -> Batch:
        return self.batches.create(ttl_s, NOBODY, 1)

    def drop(self) -> None:
        drop_collection(self.store, system(self.store), self.collection, allow_system=False)

    def read(self, batch: Batch) -> list[int]:
        return batch.snapshot.revisions(self.collection, 0, 2**64 - 2, 100)


@pytest.fixture
def room() -> Room:
    clock = ManualClock()
    store = open_store(clock=clock)
    collection = make_collection(store, "c")
    revisions = insert(store, collection, {}, {}, {})
    clients = ReplicationClients(clock)
    return Room(clock, store, clients, BatchRegistry(store, clock, clients), collection, revisions)


@pytest.mark.parametrize(
    ("given", "effective"),
    [
        (0.001, 0.001),
        (10, 10),
        (0, LONG_S),
        (-1, LONG_S),
        (math.nan, LONG_S),
        (-math.inf, LONG_S),
        (math.inf, 10 * 365 * 86400),
        (1e300, 10 * 365 * 86400),
    ],
)
def test_the_ttl_that_is_meant(given: float, effective: float) -> None:
    assert effective_ttl_s(given) == effective


@pytest.mark.parametrize("end", ["deleted", "expired"])
def test_a_request_keeps_the_snapshot_of_a_batch_that_ends(room: Room, end: str) -> None:
    batch = room.create()
    with room.batches.use(batch.id) as first, room.batches.use(batch.id) as second:
        assert first is second is batch
        if end == "deleted":
            room.batches.delete(batch.id)
        else:
            room.clock.advance_s(11)
            assert room.batches.sweep() == 1
        with pytest.raises(CursorNotFound), room.batches.use(batch.id):
            pass
        assert len(room.batches) == 0
        insert(room.store, room.collection, {})
        assert room.read(batch) == room.revisions
    assert batch.snapshot.closed


def test_the_last_of_several_requests_closes_the_snapshot(room: Room) -> None:
    batch = room.create()
    with room.batches.use(batch.id):
        with room.batches.use(batch.id):
            room.batches.delete(batch.id)
        assert not batch.snapshot.closed
    assert batch.snapshot.closed


def test_an_end_without_requests_closes_the_snapshot_at_once(room: Room) -> None:
    for _ in range(2):
        batch = room.create()
        with room.batches.use(batch.id):
            pass
        room.batches.delete(batch.id)
        assert batch.snapshot.closed


def test_a_drop_fails_the_requests_at_work_with_1600(room: Room) -> None:
    batch = room.create()

    def request() -> None:
        with room.batches.use(batch.id):
            assert room.read(batch) == room.revisions
            room.drop()
            room.read(batch)

    for _ in range(2):
        with pytest.raises(CursorNotFound):
            request()
    assert len(room.batches) == 0


def test_a_drop_of_what_was_not_read_disturbs_nobody(room: Room) -> None:
    batch = room.create()
    with room.batches.use(batch.id):
        room.drop()
    with room.batches.use(batch.id) as found:
        assert found is batch


def test_sweeping_removes_batches_whose_collection_was_dropped(room: Room) -> None:
    batch = room.create()
    room.read(batch)
    room.drop()
    assert (room.batches.sweep(), len(room.batches)) == (1, 0)


def test_errors_of_a_request_pass_through(room: Room) -> None:
    batch = room.create()
    with pytest.raises(BadParameter), room.batches.use(batch.id):
        raise BadParameter
    assert batch.users == 0
    assert len(room.batches) == 1


@pytest.mark.parametrize(("long", "lives_s"), [(False, 10), (True, LONG_S)])
def test_a_request_prolongs_at_its_end_too(room: Room, long: bool, lives_s: float) -> None:
    batch = room.create()
    with room.batches.use(batch.id, long=long):
        room.clock.advance_s(9)
    room.clock.advance_s(lives_s)
    assert room.batches.sweep() == 0
    room.clock.advance_s(0.000001)
    assert room.batches.sweep() == 1


def test_two_dumps_of_a_batch_share_a_position_per_collection(room: Room) -> None:
    batch, other = room.create(), room.create()
    cursor = batch.dump_cursor(room.collection)
    assert batch.dump_cursor(room.collection) is cursor
    assert other.dump_cursor(room.collection) is not cursor
    assert batch.dump_cursor(make_collection(room.store, "d")) is not cursor


def test_ids_are_ticks_and_the_snapshots_tick_is_the_logs(room: Room) -> None:
    batch = room.create()
    assert batch.id == room.store.ticks.current
    assert batch.tick == room.store.log.last_tick < batch.id
