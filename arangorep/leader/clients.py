"""Replication clients: who reads the log, up to where, until when (leader-api 8.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arangorep.clock import Clock, iso_time
from arangorep.limits import CLIENT_TTL_S_DEFAULT


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """What a request says about its sender; unset numbers are 0."""

    syncer_id: int = 0
    server_id: int = 0
    info: str = ""

    @property
    def key(self) -> tuple[str, int] | None:
        """What the table knows the client by; None when it stays anonymous."""
        if self.syncer_id:
            return ("syncer", self.syncer_id)
        if self.server_id:
            return ("server", self.server_id)
        return None


@dataclass(slots=True)
class Client:
    """One row of the table; moments in microseconds."""

    identity: ClientIdentity
    seen_wall_us: int
    expires_us: int
    expires_wall_us: int
    last_served_tick: int

    def describe(self) -> dict[str, Any]:
        return {
            "syncerId": str(self.identity.syncer_id),
            "serverId": str(self.identity.server_id),
            "clientInfo": self.identity.info,
            "time": iso_time(self.seen_wall_us),
            "expires": iso_time(self.expires_wall_us),
            "lastServedTick": str(self.last_served_tick),
        }


class ReplicationClients:
    """The clients of each database, in memory only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tables: dict[int, dict[tuple[str, int], Client]] = {}

    def track(
        self, database_id: int, identity: ClientIdentity, served_tick: int, ttl_s: float
    ) -> None:
        """Create or refresh; `served_tick` 0 keeps the known one. Anonymous requests do nothing."""
        key = identity.key
        if key is None:
            return
        table = self._tables.setdefault(database_id, {})
        client = table.get(key)
        if client is None:
            client = table[key] = Client(identity, 0, 0, 0, served_tick)
        elif served_tick > 0:
            client.last_served_tick = served_tick
        if identity.info or not client.identity.info:
            client.identity = identity
        self._renew(client, ttl_s)

    def extend(self, database_id: int, identity: ClientIdentity, ttl_s: float) -> None:
        """Move the expiry of a known client; unknown ones stay unknown."""
        key = identity.key
        client = self._tables.get(database_id, {}).get(key) if key is not None else None
        if client is not None:
            self._renew(client, ttl_s)

    def untrack(self, identity: ClientIdentity) -> None:
        """Forget the client in every database."""
        key = identity.key
        if key is not None:
            for table in self._tables.values():
                table.pop(key, None)

    def forget_database(self, database_id: int) -> None:
        """Drop the clients of a database that is gone: they need no log any more."""
        self._tables.pop(database_id, None)

    def _renew(self, client: Client, ttl_s: float) -> None:
        ttl_us = round((ttl_s if ttl_s > 0 else CLIENT_TTL_S_DEFAULT) * 1_000_000)
        client.seen_wall_us = self._clock.wall_us()
        client.expires_wall_us = client.seen_wall_us + ttl_us
        client.expires_us = self._clock.monotonic_us() + ttl_us

    def sweep(self) -> None:
        """Remove expired clients and empty tables."""
        now_us = self._clock.monotonic_us()
        for database_id, table in list(self._tables.items()):
            for key, client in list(table.items()):
                if client.expires_us < now_us:
                    del table[key]
            if not table:
                del self._tables[database_id]

    def describe(self, database_id: int) -> list[dict[str, Any]]:
        """The `clients` of logger-state."""
        return [client.describe() for client in self._tables.get(database_id, {}).values()]

    def needed_tick(self) -> int | None:
        """The lowest tick any client was served; what is above must be kept. None: no client."""
        served = (c.last_served_tick for table in self._tables.values() for c in table.values())
        return min(served, default=None)
