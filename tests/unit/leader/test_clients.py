"""The client table (leader-api 8.5)."""

from __future__ import annotations

import pytest

from arangorep.clock import ManualClock, iso_time
from arangorep.leader.clients import ClientIdentity, ReplicationClients

SYNCER = ClientIdentity(syncer_id=1)
SERVER = ClientIdentity(server_id=1)
NOBODY = ClientIdentity(info="nobody")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def clients(clock: ManualClock) -> ReplicationClients:
    return ReplicationClients(clock)


def served(clients: ReplicationClients, database: int = 1) -> list[tuple[str, str, str]]:
    return [
        (row["syncerId"], row["serverId"], row["lastServedTick"])
        for row in clients.describe(database)
    ]


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        (ClientIdentity(3, 4), ("syncer", 3)),
        (ClientIdentity(0, 4), ("server", 4)),
        (ClientIdentity(3, 0), ("syncer", 3)),
        (ClientIdentity(0, 0, "text"), None),
    ],
)
def test_the_syncer_id_counts_before_the_server_id(
    identity: ClientIdentity, key: tuple[str, int] | None
) -> None:
    assert identity.key == key


def test_equal_numbers_of_different_kinds_are_different_clients(
    clients: ReplicationClients,
) -> None:
    clients.track(1, SYNCER, 10, 60)
    clients.track(1, SERVER, 20, 60)
    assert served(clients) == [("1", "0", "10"), ("0", "1", "20")]


def test_nobody_is_not_tracked(clients: ReplicationClients) -> None:
    clients.track(1, NOBODY, 10, 60)
    clients.extend(1, NOBODY, 60)
    clients.untrack(NOBODY)
    assert served(clients) == []
    assert clients.needed_tick() is None


def test_a_served_tick_of_zero_keeps_the_known_one(clients: ReplicationClients) -> None:
    for tick, expected in ((10, "10"), (0, "10"), (7, "7"), (0, "7")):
        clients.track(1, SYNCER, tick, 60)
        assert served(clients) == [("1", "0", expected)]


def test_a_new_client_may_begin_at_zero_and_then_needs_everything(
    clients: ReplicationClients,
) -> None:
    clients.track(1, SYNCER, 50, 60)
    clients.track(2, SERVER, 0, 60)
    assert clients.needed_tick() == 0


@pytest.mark.parametrize(("ttl_s", "lives_s"), [(60, 60), (0.5, 0.5), (0, 7200), (-1, 7200)])
def test_expiry(
    clients: ReplicationClients, clock: ManualClock, ttl_s: float, lives_s: float
) -> None:
    clients.track(1, SYNCER, 10, ttl_s)
    (row,) = clients.describe(1)
    assert row["expires"] == iso_time(clock.wall_us() + round(lives_s * 1_000_000))
    clock.advance_s(lives_s)
    clients.sweep()
    assert len(served(clients)) == 1
    clock.advance_s(0.000001)
    clients.sweep()
    assert served(clients) == []
    assert clients.needed_tick() is None


def test_extending_moves_the_expiry_either_way_and_keeps_the_tick(
    clients: ReplicationClients, clock: ManualClock
) -> None:
    clients.track(1, SYNCER, 10, 60)
    for ttl_s in (500, 15):
        clock.advance_s(10)
        clients.extend(1, SYNCER, ttl_s)
        (row,) = clients.describe(1)
        assert row["time"] == iso_time(clock.wall_us())
        assert row["expires"] == iso_time(clock.wall_us() + ttl_s * 1_000_000)
        assert row["lastServedTick"] == "10"


def test_extending_what_is_unknown_creates_nothing(clients: ReplicationClients) -> None:
    clients.track(1, SYNCER, 10, 60)
    clients.extend(1, SERVER, 60)
    clients.extend(2, SYNCER, 60)
    assert (len(served(clients)), served(clients, 2)) == (1, [])


def test_untracking_forgets_in_every_database(clients: ReplicationClients) -> None:
    for database in (1, 2):
        clients.track(database, SYNCER, 10, 60)
        clients.track(database, SERVER, 20, 60)
    clients.untrack(SYNCER)
    assert served(clients) == served(clients, 2) == [("0", "1", "20")]


def test_a_dropped_database_needs_nothing(clients: ReplicationClients) -> None:
    clients.track(1, SYNCER, 30, 60)
    clients.track(2, SYNCER, 20, 60)
    clients.forget_database(2)
    clients.forget_database(3)
    assert served(clients, 2) == []
    assert clients.needed_tick() == 30


def test_the_lowest_tick_of_all_databases_is_needed(clients: ReplicationClients) -> None:
    clients.track(1, SYNCER, 30, 60)
    clients.track(2, SYNCER, 20, 60)
    clients.track(2, SERVER, 40, 60)
    assert clients.needed_tick() == 20
    clients.untrack(SYNCER)
    assert clients.needed_tick() == 40


def test_the_text_is_that_of_the_last_request_that_had_one(clients: ReplicationClients) -> None:
    for given, shown in (("", ""), ("first", "first"), ("", "first"), ("second", "second")):
        clients.track(1, ClientIdentity(syncer_id=1, info=given), 10, 60)
        assert clients.describe(1)[0]["clientInfo"] == shown
