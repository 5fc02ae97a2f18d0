"""What a server can be told at start. Filled by the command line, or directly in tests."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from arangorep.backup.launch import LaunchImport
from arangorep.errors import StartupError
from arangorep.leader.retention import Retention
from arangorep.limits import BODY_BYTES_MAX, SNAPSHOTS_KEPT_DEFAULT, SYNC_INTERVAL_MS_DEFAULT

DEFAULT_ADDRESS = "127.0.0.1"
DEFAULT_PORT = 8529
REPORTED_VERSION = "3.12.9"
"""The last ArangoDB version that still has all replication endpoints."""


@dataclass(frozen=True, slots=True)
class Config:
    """Options of a server; `port` 0 picks a free one."""

    data_directory: Path
    address: str = DEFAULT_ADDRESS
    port: int = DEFAULT_PORT
    root_password: str | None = None
    jwt_secret: str | None = None
    """Signs tokens; without one they end with the process."""
    launch_import: LaunchImport | None = None
    """What the store begins with."""
    dump_directory: Path | None = None
    snapshot_directory: Path | None = None
    """Where backups are written; None stands for a folder within the data directory."""
    log_archive: Path | None = None
    """Where the operation log is kept for good."""
    snapshot_interval_s: int | None = None
    """Seconds between two snapshots that nobody asks for; None for none."""
    snapshots_kept: int = SNAPSHOTS_KEPT_DEFAULT
    snapshots_kept_s: int | None = None
    """Snapshots that are older are removed too; the newest never is."""
    backup_api: str = "true"
    """Who may use `/_admin/backup/*`: `true`, `false` or `jwt` (superusers)."""
    backup_path_prefix: Path = Path("/")
    """Backups are copied to and from places below this directory only."""
    insecure: bool = False
    retention: Retention = field(default_factory=Retention)
    sync_interval_ms: int = SYNC_INTERVAL_MS_DEFAULT
    body_bytes_max: int = BODY_BYTES_MAX
    start_appliers: bool = True
    """Whether appliers with `autoStart` go on at start."""
    check_replicated_documents: bool = False
    """Whether a follower parses every document before it stores it as it came."""
    writable_follower: bool = False
    """Whether users may write into collections that an active applier owns."""

    def check(self) -> None:
        """Errors: `StartupError` for an empty password, or none on a public address."""
        if self.root_password == "":
            raise StartupError("the root password is empty; leave the option out for none")
        if self.jwt_secret == "":
            raise StartupError("the JWT secret is empty; leave the option out for a random one")
        if self.root_password is None and not self.insecure and not is_loopback(self.address):
            raise StartupError(
                f"refusing to listen on {self.address} without authentication: "
                "set a root password, or say --insecure"
            )


def is_loopback(address: str) -> bool:
    """Whether only this machine can reach the address."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
