"""`Node`: everything of a server but the network. What tests build when they need no socket."""

from __future__ import annotations

import asyncio
import logging
import secrets

from arangorep import __version__
from arangorep.auth.authenticator import Authenticator
from arangorep.auth.tokens import Tokens
from arangorep.backup.archive import remove_leftovers
from arangorep.backup.hot_restore import finish_restore
from arangorep.backup.jobs import BackupPlaces, remove_checkpoints
from arangorep.backup.launch import import_at_launch
from arangorep.backup.log_archive import LogArchiver
from arangorep.backup.placing import remove_unfinished_import
from arangorep.backup.runner import TaskRunner
from arangorep.backup.transfers import Transfers
from arangorep.clock import Clock, SystemClock
from arangorep.config import REPORTED_VERSION, Config
from arangorep.data.databases import ensure_system_database
from arangorep.data.indexes import remove_unfinished
from arangorep.data.streams import StreamTransactions
from arangorep.data.users import UserDirectory
from arangorep.follower.applier import Connect
from arangorep.follower.appliers import Appliers
from arangorep.follower.leader import Sleep
from arangorep.follower.site import Site
from arangorep.follower.transport import HttpTransport
from arangorep.leader.batches import BatchRegistry
from arangorep.leader.clients import ReplicationClients
from arangorep.leader.parallel_dump import ParallelDumps
from arangorep.limits import LOOP_MONITOR_INTERVAL_MS
from arangorep.pacing import GroupSync, LoopMonitor, Signal
from arangorep.rest.context import Services
from arangorep.rest.cursor_registry import CursorRegistry
from arangorep.rest.cutter import Cutter
from arangorep.rest.jobs import JobRegistry
from arangorep.rest.log_book import LogBook
from arangorep.rest.observation import Observation
from arangorep.server.options import describe_options
from arangorep.storage.engine import Engine
from arangorep.storage.loading import finish_loads
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

log = logging.getLogger("arangorep.node")

JWT_SECRET_BYTES = 32


class Node:
    """An open store with the services on top. Errors: `StartupError`."""

    def __init__(
        self,
        config: Config,
        clock: Clock | None = None,
        engine: Engine | None = None,
        sleep: Sleep = asyncio.sleep,
        connect: Connect = HttpTransport,
    ) -> None:
        self._sleep = sleep
        self._connect = connect
        config.check()
        self.config = config
        self.clock: Clock = clock or SystemClock()
        remove_unfinished_import(config.data_directory)
        if config.launch_import is not None:
            imported = import_at_launch(config.launch_import, config.data_directory, self.clock)
            if imported is not None:
                log.info("imported %s", config.launch_import.path)
        finish_restore(config.data_directory, self.clock)
        self.store = Store(engine or RocksEngine(config.data_directory), self.clock)
        self.archiver = (
            None if config.log_archive is None else LogArchiver(self.store, config.log_archive)
        )
        finish_loads(self.store)
        remove_unfinished(self.store)
        ensure_system_database(self.store)
        users = UserDirectory(self.store)
        users.ensure_root(config.root_password)
        self.tokens = Tokens(config.jwt_secret or secrets.token_hex(JWT_SECRET_BYTES))
        enabled = config.root_password is not None
        write_lock = asyncio.Lock()
        stream_ended = Signal()
        clients = ReplicationClients(self.clock)
        self.services = Services(
            store=self.store,
            clock=self.clock,
            authenticator=Authenticator(users, self.tokens, self.clock, enabled=enabled),
            users=users,
            clients=clients,
            batches=BatchRegistry(self.store, self.clock, clients),
            dumps=ParallelDumps(self.store, self.clock),
            dump_lock=asyncio.Lock(),
            verify_lock=asyncio.Lock(),
            jobs=JobRegistry(self.clock, self.store.ticks.next),
            cutter=Cutter(),
            runner=TaskRunner(self.store, self._places(), self.clock, REPORTED_VERSION, write_lock),
            transfers=Transfers(self.clock, self.store.ticks.next),
            backup_api=config.backup_api,
            backup_path_prefix=config.backup_path_prefix,
            cursors=CursorRegistry(self.clock, self.store.ticks.next),
            write_lock=write_lock,
            streams=StreamTransactions(self.store, self.clock, stream_ended.fire),
            stream_ended=stream_ended,
            group_sync=GroupSync(self.sync),
            loop_monitor=LoopMonitor(LOOP_MONITOR_INTERVAL_MS / 1000),
            appliers=self._appliers(write_lock),
            version=REPORTED_VERSION,
            product_version=__version__,
            writable_follower=config.writable_follower,
            observation=Observation(
                log_book=LogBook(self.clock),
                started_us=self.clock.monotonic_us(),
                data_directory=config.data_directory,
                retention=config.retention,
                options=describe_options(config),
            ),
        )

    def _places(self) -> BackupPlaces:
        config = self.config
        dumps = config.dump_directory or config.data_directory / "dumps"
        snapshots = config.snapshot_directory or config.data_directory / "snapshots"
        for directory in (dumps, snapshots):
            remove_leftovers(directory)
        remove_checkpoints(config.data_directory)
        return BackupPlaces(
            data=config.data_directory,
            dumps=dumps,
            snapshots=snapshots,
            snapshots_kept=config.snapshots_kept,
            snapshots_kept_s=config.snapshots_kept_s,
        )

    def _appliers(self, write_lock: asyncio.Lock) -> Appliers:
        site = Site(
            self.store, self.clock, write_lock, self._sleep, self.config.check_replicated_documents
        )
        return Appliers(site, self._connect)

    def sync(self) -> None:
        """Bring every commit so far to the disk. Runs in a worker thread."""
        self.store.unsynced = False
        try:
            self.store.engine.sync_log()
        except BaseException:
            self.store.unsynced = True  # the next interval tries again
            raise

    def close(self) -> None:
        """Write what a quick restart needs and release the data directory."""
        self.services.cursors.close()
        self.services.streams.abort_all()
        self.store.close()
