"""`Figures`: one look at everything that can be counted. What nobody asks for is not looked up."""

from __future__ import annotations

from functools import cached_property

from arangorep.follower.applier import Applier
from arangorep.follower.progress import RUNNING
from arangorep.leader.retention import prune_tick
from arangorep.rest import process
from arangorep.rest.context import Services
from arangorep.rest.process import ProcessFigures


class Figures:
    """The figures of one server as of now; each is read at most once."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.store = services.store
        self.log = services.store.log
        self.counters = services.observation.counters

    @cached_property
    def process(self) -> ProcessFigures:
        return process.read_process()

    @cached_property
    def physical_memory(self) -> int | None:
        """Bytes."""
        return process.physical_memory()

    @cached_property
    def resident_share(self) -> float | None:
        """Resident memory as a part of the machine's, 0 to 1."""
        resident, total = self.process.resident_bytes, self.physical_memory
        return None if resident is None or not total else resident / total

    @cached_property
    def disk_space(self) -> tuple[int | None, int | None]:
        """Free and total bytes of the file system under the data directory."""
        return process.disk_space(self.services.observation.data_directory) or (None, None)

    @property
    def uptime_s(self) -> float:
        """Seconds since the server was made."""
        now_us = self.services.clock.monotonic_us()
        return (now_us - self.services.observation.started_us) / 1_000_000

    @property
    def connections(self) -> int | None:
        """Clients connected now."""
        count = self.services.observation.connections
        return None if count is None else count()

    @cached_property
    def engine(self) -> dict[str, int]:
        """RocksDB's figures of the whole store, by its names."""
        return self.store.engine.properties().totals()

    @cached_property
    def followed(self) -> dict[str, float]:
        """What the appliers have done (`follower.totals`)."""
        return self.services.observation.followed.read(self.services.appliers)

    @cached_property
    def documents(self) -> int:
        """Documents of all collections."""
        return sum(collection.count for collection in self.store.catalog.collections)

    @property
    def clients(self) -> int:
        """Replication clients, counted in every database they are known in."""
        clients = self.services.clients
        clients.sweep()
        databases = self.store.catalog.databases
        return sum(len(clients.describe(database.info.id)) for database in databases)

    @property
    def prunable_segments(self) -> int:
        """Closed segments of the log that the next pruning will drop."""
        observation, services = self.services.observation, self.services
        limit = prune_tick(
            self.store, services.clients, observation.retention, services.clock.wall_us()
        )
        return sum(segment.last <= limit for segment in self.log.segments)

    def appliers(self) -> dict[str, Applier]:
        """The appliers that were ever configured, by database; the global one is `*`."""
        appliers = {"*": self.services.appliers.whole, **self.services.appliers.all()}
        return {name: applier for name, applier in appliers.items() if applier.is_known}

    @staticmethod
    def ticks_behind(applier: Applier) -> int | None:
        """How far an applier is behind its leader's log; None unless it tails."""
        progress = applier.progress
        if progress.phase != RUNNING:
            return None
        return max(0, progress.available - applier.ticks.applied)
