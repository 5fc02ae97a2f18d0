"""`arangorep dump`: write a server's databases into a directory of arangodump's format."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from arangorep.backup import layout
from arangorep.backup.directory import read_manifest
from arangorep.backup.files import make_directory
from arangorep.backup.manifest import Manifest
from arangorep.backup.problems import DumpCorrupt
from arangorep.cli.dump_run import DumpOptions, DumpRun, Resumed
from arangorep.cli.dump_source import Source
from arangorep.cli.journal import Journal
from arangorep.cli.transfer_bars import BYTES_PER_MIB
from arangorep.cli.wire import Connections
from arangorep.limits import BACKUP_THREADS_MAX


@click.command("dump", context_settings={"show_default": True, "auto_envvar_prefix": "ARANGOREP"})
@click.argument("url")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--database", default="_system")
@click.option("--all-databases", is_flag=True, help="Each in a sub-directory, all of one moment.")
@click.option("--collection", "collections", multiple=True, help="Only these (repeatable).")
@click.option("--exclude", multiple=True, help="All but these (repeatable).")
@click.option("--include-system", is_flag=True, help="Also collections whose names start with _.")
@click.option("--user", default="root")
@click.option("--password", default="", help="Better: the variable ARANGOREP_PASSWORD.")
@click.option(
    "--threads",
    default=2,
    type=click.IntRange(1, BACKUP_THREADS_MAX),
    help="Collections at once.",
)
@click.option(
    "--compress",
    default="gzip",
    type=click.Choice(list(layout.PACKINGS)),
    help="zstd is smaller and faster, but arangorestore cannot read it.",
)
@click.option("--resume", is_flag=True, help="Take up an interrupted dump, if its moment is left.")
@click.option("--overwrite", is_flag=True, help="Replace what DIRECTORY holds of a dump.")
def dump(
    url: str, directory: Path, user: str, password: str, resume: bool, overwrite: bool, **more: Any
) -> None:
    """Dump the server at URL into DIRECTORY: one moment of one database, or of all.

    The directory is one that arangodump writes, so arangorestore reads it, and has a manifest in
    addition. Definitions are the present ones, documents are those of the moment.
    """
    options = DumpOptions(**more)
    if options.collections and options.exclude:
        raise click.UsageError("--collection and --exclude cannot stand together")
    connections = Connections(url, user, password)
    try:
        source = Source(connections, "_system" if options.all_databases else options.database)
        source.identify()
        manifest = _dump(source, directory, options, resume=resume, overwrite=overwrite)
    except DumpCorrupt as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename or directory}: {error.strerror}") from None
    finally:
        connections.close()
    if manifest is not None:
        _report(manifest, directory)


def _dump(
    source: Source, directory: Path, options: DumpOptions, *, resume: bool, overwrite: bool
) -> Manifest | None:
    if _is_finished(directory) and resume and not overwrite:
        click.echo(f"{directory} holds a finished dump: nothing to resume")
        return None
    make_directory(directory)
    names = set(os.listdir(directory))
    if names and not overwrite and not (resume and layout.UNFINISHED in names):
        hint = "--resume" if layout.UNFINISHED in names else "--overwrite"
        raise click.ClickException(f"{directory} is not empty; {hint} goes on in it")
    journal = Journal(directory / layout.UNFINISHED)
    try:
        run = DumpRun(source, directory, options, journal)
        return run.run(_resumed(run) if resume else None)
    finally:
        journal.close()


def _is_finished(directory: Path) -> bool:
    try:
        return directory.is_dir() and read_manifest(directory) is not None
    except DumpCorrupt:
        return False


def _resumed(run: DumpRun) -> Resumed | None:
    found = run.resumable()
    if isinstance(found, str):
        click.echo(f"nothing to resume: {found}; everything is dumped anew")
        return None
    count = len(found.finished)
    click.echo(f"resuming at tick {found.batch.tick}: {count} collections were finished")
    return found


def _report(manifest: Manifest, directory: Path) -> None:
    data = sum(1 for entry in manifest.entries if entry.documents is not None)
    click.echo(
        f"dumped {data} collections, {manifest.documents} documents, "
        f"{manifest.size / BYTES_PER_MIB:.1f} MiB to {directory}; "
        f"a follower can go on at tick {manifest.tick}"
    )
