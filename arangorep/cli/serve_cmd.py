"""`arangorep serve`: start a server and run it until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import click

from arangorep.backup.launch import LaunchImport
from arangorep.config import DEFAULT_ADDRESS, DEFAULT_PORT, Config
from arangorep.errors import StartupError
from arangorep.leader.retention import Retention
from arangorep.limits import (
    BODY_BYTES_MAX,
    DAY_S,
    LOG_RETENTION_BYTES_DEFAULT,
    LOG_RETENTION_S_DEFAULT,
    SNAPSHOT_INTERVAL_S_DEFAULT,
    SNAPSHOTS_KEPT_DEFAULT,
    SYNC_INTERVAL_MS_DEFAULT,
)
from arangorep.server.app import Server
from arangorep.workers.memory import keep_freed_memory

if sys.platform != "win32":
    from uvloop import run
else:
    from asyncio import run

SWITCH_INTERVAL_S = 0.000_05
"""A thread that waits for the interpreter asks for it after so long.

The event loop gives it away for microseconds at each of its turns, and each time the waiting thread
begins to wait anew: with Python's 5 ms, threads that pack or sync starve while a dump is read.
"""

LOG_LEVELS = ["debug", "info", "warning", "error"]


def _read_file(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Options of a TOML file become defaults: flags and environment win over them."""
    if path is None:
        return
    try:
        options = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{path}: {error}") from None
    known = {parameter.name for parameter in context.command.params}
    values = {name.replace("-", "_"): value for name, value in options.items()}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise click.BadParameter(f"{path}: unknown option '{unknown[0]}'")
    context.default_map = {**(context.default_map or {}), **values}


@click.command(context_settings={"show_default": True, "auto_envvar_prefix": "ARANGOREP"})
@click.argument(
    "data_directory",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="ARANGOREP_DATA_DIRECTORY",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    callback=_read_file,
    is_eager=True,
    expose_value=False,
    help="TOML file with any of these options (names without the dashes).",
)
@click.option("--address", default=DEFAULT_ADDRESS, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, type=click.IntRange(0, 65535), help="0: any free.")
@click.option("--root-password", default=None, help="Turns authentication on. Better: the file.")
@click.option(
    "--root-password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File whose first line is root's password; turns authentication on.",
)
@click.option(
    "--jwt-secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the secret that signs tokens, shared by servers that trust each other.",
)
@click.option("--insecure", is_flag=True, help="Listen on other than loopback without password.")
@click.option(
    "--wal-retention-bytes",
    default=LOG_RETENTION_BYTES_DEFAULT,
    type=click.IntRange(0),
    help="The log is never larger, whatever clients need.",
)
@click.option(
    "--wal-retention-seconds",
    default=LOG_RETENTION_S_DEFAULT,
    type=click.IntRange(0),
    help="Log that no client needs is kept this long.",
)
@click.option(
    "--sync-interval-ms",
    default=SYNC_INTERVAL_MS_DEFAULT,
    type=click.IntRange(1, 60_000),
    help="Commits reach the disk at least this often.",
)
@click.option("--max-body-bytes", default=BODY_BYTES_MAX, type=click.IntRange(1024))
@click.option(
    "--auto-start-appliers/--no-auto-start-appliers",
    default=True,
    help="Whether appliers with autoStart go on at start.",
)
@click.option(
    "--writable-follower",
    is_flag=True,
    help="Let users write into collections that an active applier owns.",
)
@click.option(
    "--check-replicated-documents",
    is_flag=True,
    help="Parse every document of a leader: slower, for leaders that are not trusted.",
)
@click.option(
    "--import-dump",
    type=click.Path(path_type=Path),
    help="Start a new store with a dump: an archive, or a directory of arangodump.",
)
@click.option("--ignore-missing-dump", is_flag=True, help="Start without it when it is not there.")
@click.option(
    "--ignore-dump-if-db-exists", is_flag=True, help="Start as usual where data are already."
)
@click.option(
    "--import-snapshot", type=click.Path(path_type=Path), help="Start a new store with a snapshot."
)
@click.option(
    "--ignore-missing-snapshot", is_flag=True, help="Start without it when it is not there."
)
@click.option(
    "--ignore-snapshot-if-db-exists", is_flag=True, help="Start as usual where data are already."
)
@click.option(
    "--dump-dir",
    default="dumps",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where POST /dumps writes.",
)
@click.option(
    "--snapshot-dir",
    default="snapshots",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where POST /snapshots writes.",
)
@click.option(
    "--log-archive",
    default=None,
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the operation log for good in this directory.",
)
@click.option(
    "--schedule-snapshot",
    is_flag=False,
    flag_value=SNAPSHOT_INTERVAL_S_DEFAULT,
    default=None,
    type=click.IntRange(1),
    help="Take a snapshot every so many seconds (a day without a number).",
)
@click.option(
    "--snapshot-keep",
    default=SNAPSHOTS_KEPT_DEFAULT,
    type=click.IntRange(1),
    help="Older snapshots are removed when a new one is complete.",
)
@click.option(
    "--snapshot-keep-days",
    default=None,
    type=click.IntRange(1),
    help="So are snapshots of more days ago; the newest stays.",
)
@click.option(
    "--backup-api-enabled",
    "--backup.api-enabled",
    default="true",
    type=click.Choice(["true", "false", "jwt"]),
    help="Who may use /_admin/backup: administrators, nobody, or superusers by token.",
)
@click.option(
    "--backup-local-path-prefix",
    "--backup.local-path-prefix",
    default="/",
    type=click.Path(file_okay=False, path_type=Path),
    help="Backups are uploaded to and downloaded from directories below this one only.",
)
@click.option("--log-level", default="info", type=click.Choice(LOG_LEVELS))
def serve(
    data_directory: Path,
    address: str,
    port: int,
    root_password: str | None,
    root_password_file: Path | None,
    jwt_secret_file: Path | None,
    insecure: bool,
    wal_retention_bytes: int,
    wal_retention_seconds: int,
    sync_interval_ms: int,
    max_body_bytes: int,
    auto_start_appliers: bool,
    writable_follower: bool,
    check_replicated_documents: bool,
    import_dump: Path | None,
    ignore_missing_dump: bool,
    ignore_dump_if_db_exists: bool,
    import_snapshot: Path | None,
    ignore_missing_snapshot: bool,
    ignore_snapshot_if_db_exists: bool,
    dump_dir: Path,
    snapshot_dir: Path,
    log_archive: Path | None,
    schedule_snapshot: int | None,
    snapshot_keep: int,
    snapshot_keep_days: int | None,
    backup_api_enabled: str,
    backup_local_path_prefix: Path,
    log_level: str,
) -> None:
    """Serve the store in DATA_DIRECTORY, creating it when it is not there."""
    logging.basicConfig(
        level=log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if root_password_file is not None:
        root_password = _first_line(root_password_file)
    config = Config(
        data_directory=data_directory,
        address=address,
        port=port,
        root_password=root_password,
        jwt_secret=None if jwt_secret_file is None else _first_line(jwt_secret_file),
        insecure=insecure,
        retention=Retention(wal_retention_bytes, wal_retention_seconds),
        sync_interval_ms=sync_interval_ms,
        body_bytes_max=max_body_bytes,
        start_appliers=auto_start_appliers,
        writable_follower=writable_follower,
        check_replicated_documents=check_replicated_documents,
        launch_import=_launch_import(
            LaunchWish("dump", import_dump, ignore_missing_dump, ignore_dump_if_db_exists),
            LaunchWish(
                "snapshot", import_snapshot, ignore_missing_snapshot, ignore_snapshot_if_db_exists
            ),
        ),
        dump_directory=dump_dir,
        snapshot_directory=snapshot_dir,
        log_archive=log_archive,
        snapshot_interval_s=schedule_snapshot,
        snapshots_kept=snapshot_keep,
        snapshots_kept_s=snapshot_keep_days and snapshot_keep_days * DAY_S,
        backup_api=backup_api_enabled,
        backup_path_prefix=backup_local_path_prefix,
    )
    try:
        run(_serve(config))
    except StartupError as error:
        raise click.ClickException(str(error)) from None


class LaunchWish(NamedTuple):
    """The three options about one kind of import."""

    kind: str
    path: Path | None
    ignore_missing: bool
    ignore_if_db_exists: bool


def _launch_import(*wishes: LaunchWish) -> LaunchImport | None:
    """Errors: a usage error for two imports, and for flags without theirs."""
    for wish in wishes:
        if wish.path is None and (wish.ignore_missing or wish.ignore_if_db_exists):
            raise click.UsageError(
                f"--ignore-… options of a {wish.kind} go with --import-{wish.kind}"
            )
    found = [
        LaunchImport(wish.kind, wish.path, wish.ignore_missing, wish.ignore_if_db_exists)
        for wish in wishes
        if wish.path is not None
    ]
    if len(found) > 1:
        raise click.UsageError("--import-dump and --import-snapshot exclude each other")
    return found[0] if found else None


def _first_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        raise click.BadParameter(f"{path} has an empty first line")
    return lines[0]


async def _serve(config: Config) -> None:
    while await _serve_once(config):
        click.echo("restarting with the restored backup")
        config = replace(config, launch_import=None)


async def _serve_once(config: Config) -> bool:
    """Run a server until it is told to stop; returns whether it is to start again."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Server(config) as server:
        keep_freed_memory()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        # what lives now lives long: keep the collector from walking it again and again
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 50)
        server.node.services.shut_down = stop.set
        _greet(server, config)
        await stop.wait()
        click.echo("stopping: finishing requests, flushing the log")
    click.echo("stopped")
    return server.node.services.restarts


def _greet(server: Server, config: Config) -> None:
    authentication = "on (user root)" if config.root_password is not None else "off"
    user = "-u root " if config.root_password is not None else ""
    click.echo(f"arangorep is listening on {server.url}")
    click.echo(f"  store           {config.data_directory.resolve()}")
    click.echo(f"  authentication  {authentication}")
    click.echo(f"  try             curl {user}{server.url}/_api/replication/logger-state")
    sys.stdout.flush()
