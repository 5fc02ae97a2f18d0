"""The options a server runs with, as operators may read them over HTTP: without secrets."""

from __future__ import annotations

from arangorep.config import Config
from arangorep.rest.observation import Option


def describe_options(config: Config) -> tuple[Option, ...]:
    """Options by their names on the command line.

    Each is named here on purpose: a new secret in `Config` must not appear by itself.
    """
    return (
        Option("address", config.address, "Address that is listened on"),
        Option("port", config.port, "Port that is listened on; 0 was any free one"),
        Option("authentication", config.root_password is not None, "Whether requests need a user"),
        Option("data-directory", str(config.data_directory), "Directory of the store"),
        Option("insecure", config.insecure, "Whether any address may go without authentication"),
        Option("wal-retention-bytes", config.retention.size_bytes, "Bytes of the log kept at most"),
        Option(
            "wal-retention-seconds",
            config.retention.age_s,
            "How long log is kept that no client needs",
        ),
        Option("sync-interval-ms", config.sync_interval_ms, "How often commits reach the disk"),
        Option("max-body-bytes", config.body_bytes_max, "Longest body of a request"),
        Option(
            "auto-start-appliers",
            config.start_appliers,
            "Whether appliers with autoStart go on at a start",
        ),
        Option(
            "writable-follower",
            config.writable_follower,
            "Whether users may write where an applier does",
        ),
        Option(
            "check-replicated-documents",
            config.check_replicated_documents,
            "Whether a leader's documents are parsed before they are stored",
        ),
        Option("backup-api-enabled", config.backup_api, "Who may use /_admin/backup"),
        Option(
            "backup-local-path-prefix",
            str(config.backup_path_prefix),
            "Where backups may be uploaded to and downloaded from",
        ),
        Option("snapshot-keep", config.snapshots_kept, "Snapshots that are kept at most"),
    )
