"""`arangorep restore`: put a dump directory back into a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from arangorep.backup.checking import check_documents
from arangorep.backup.directory import DumpDirectory, check_files, read_directory, read_manifest
from arangorep.backup.log_archive import Until
from arangorep.backup.problems import DumpCorrupt, DumpNotFound
from arangorep.backup.rewind import build, parse_until
from arangorep.cli.journal import Journal
from arangorep.cli.restore_plan import RestoreOptions, identity, missing_names, parse_names
from arangorep.cli.restore_run import RestoreRun, Totals
from arangorep.cli.verify_cmd import bytes_bar, refuse
from arangorep.cli.wire import Connections
from arangorep.clock import SystemClock
from arangorep.errors import StartupError
from arangorep.limits import BACKUP_THREADS_MAX, RESTORE_PIECE_BYTES

JOURNAL = ".arangorep-restore.progress"
JOURNAL_FORMAT = 1


@click.command(
    "restore", context_settings={"show_default": True, "auto_envvar_prefix": "ARANGOREP"}
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target")
@click.option("--database", help="Restore under another name. Default: the one in the dump.")
@click.option("--create-database", is_flag=True, help="Create databases that are missing.")
@click.option("--all-databases", is_flag=True, help="Every database of such a dump.")
@click.option("--collection", "collections", multiple=True, help="Only these (repeatable).")
@click.option("--include-system", is_flag=True, help="Also collections whose names start with _.")
@click.option("--overwrite/--no-overwrite", default=True, help="Replace what is there already.")
@click.option("--import-data/--no-import-data", default=True, help="Documents.")
@click.option(
    "--create-collection/--no-create-collection", default=True, help="Collections and views."
)
@click.option("--map", "names", multiple=True, metavar="OLD=NEW", help="Rename (repeatable).")
@click.option("--user", default="root")
@click.option("--password", default="", help="Better: the variable ARANGOREP_PASSWORD.")
@click.option(
    "--threads", default=2, type=click.IntRange(1, BACKUP_THREADS_MAX), help="Requests at once."
)
@click.option(
    "--batch-size",
    default=RESTORE_PIECE_BYTES[1],
    type=click.IntRange(RESTORE_PIECE_BYTES[0], RESTORE_PIECE_BYTES[2]),
    help="Bytes of documents in one request.",
)
@click.option("--force", is_flag=True, help="Go on after errors; the exit status is still 1.")
@click.option("--resume", is_flag=True, help="Leave out what an interrupted restore had done.")
@click.option(
    "--verify/--no-verify", "verifies", default=True, help="Read the whole dump before anything."
)
@click.option(
    "--log-archive",
    type=click.Path(file_okay=False, path_type=Path),
    help="With a directory as TARGET: go on with the log kept there by `serve --log-archive`.",
)
@click.option(
    "--until", metavar="TICK|TIME", help="How far, for example 2026-11-21T21:00:00Z. Default: all."
)
def restore(
    source: Path,
    target: str,
    log_archive: Path | None,
    until: str | None,
    **more: Any,
) -> None:
    """Restore SOURCE to TARGET.

    TARGET is the URL of a server, and SOURCE a directory that arangodump or `arangorep dump` has
    written. Or TARGET is a new data directory, and SOURCE a file that POST /dumps or POST
    /snapshots has written; then --log-archive and --until bring it up to a moment. Exits with 65
    when the dump is damaged, and with 66 when there is none. Edges keep the names of vertex
    collections that --map renames.
    """
    if "://" in target:
        if log_archive is not None or until is not None:
            raise click.UsageError("--log-archive and --until need a data directory as TARGET")
        _restore_to_server(source, target, **more)
    else:
        _build(source, Path(target), log_archive, until)


def _build(source: Path, directory: Path, log_archive: Path | None, until: str | None) -> None:
    if until is not None and log_archive is None:
        raise click.UsageError("--until needs --log-archive")
    try:
        wanted = Until() if until is None else parse_until(until)
        found = build(source, directory, SystemClock(), log_archive, wanted)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except (DumpCorrupt, DumpNotFound) as error:
        refuse(error)
    except StartupError as error:
        raise click.ClickException(str(error)) from None
    tick = found.get("appliedTick", found.get("tick"))
    click.echo(f"{directory} holds the state of tick {tick}")


def _restore_to_server(
    directory: Path, url: str, user: str, password: str, resume: bool, verifies: bool, **more: Any
) -> None:
    if not directory.is_dir():
        refuse(DumpNotFound(f"{directory} is no directory"))
    options = _options(more)
    connections = Connections(url, user, password)
    try:
        dump = _read(directory, verifies=verifies)
        _check(dump, options)
        journal = _journal(directory)
        try:
            run = RestoreRun(dump, options, connections, (user, password), journal)
            _take_up(run, journal, identity(dump, options, url), resume=resume)
            totals = run.run()
            if journal is not None and not totals.errors:
                journal.remove()
        finally:
            if journal is not None:
                journal.close()
    except (DumpCorrupt, DumpNotFound) as error:
        refuse(error)
    finally:
        connections.close()
    _report(totals)


def _options(given: dict[str, Any]) -> RestoreOptions:
    try:
        names = parse_names(given.pop("names"))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    options = RestoreOptions(names=names, **given)
    if options.database and options.all_databases:
        raise click.UsageError("--database and --all-databases cannot stand together")
    return options


def _read(directory: Path, *, verifies: bool) -> DumpDirectory:
    """The dump, read through to its last line unless that is not wanted."""
    if not verifies:
        return read_directory(directory)
    with bytes_bar("verifying") as advance:
        manifest = read_manifest(directory)
        if manifest is not None:
            check_files(directory, manifest, advance)
        dump = read_directory(directory)
        check_documents(dump, advance, parses=False)
    return dump


def _check(dump: DumpDirectory, options: RestoreOptions) -> None:
    if dump.has_all and not options.all_databases:
        raise click.ClickException(
            f"{dump.root} holds all databases: use --all-databases, or give one of its directories"
        )
    missing = missing_names(dump, options)
    if missing:
        raise click.ClickException(f"the dump holds no collection {', '.join(missing)}")


def _journal(directory: Path) -> Journal | None:
    """The progress file; none when the dump lies where nothing can be written."""
    try:
        return Journal(directory / JOURNAL)
    except OSError:
        click.echo(f"{directory} cannot be written to: no --resume after an interruption", err=True)
        return None


def _take_up(run: RestoreRun, journal: Journal | None, wanted: str, *, resume: bool) -> None:
    if journal is None:
        return
    header, records = journal.read()
    known = header is not None and header.get("format") == JOURNAL_FORMAT
    if resume and known and header is not None and header.get("restore") == wanted:
        click.echo(f"resuming: {run.resume(records)} collections were finished")
        return
    if resume:
        reason = "the interrupted restore was another one" if known else "nothing was interrupted"
        click.echo(f"nothing to resume: {reason}; everything is restored")
    journal.begin({"format": JOURNAL_FORMAT, "restore": wanted})


def _report(totals: Totals) -> None:
    click.echo(
        f"restored {totals.collections} collections, {totals.documents} documents, "
        f"{totals.views} views"
    )
    if totals.errors:
        raise click.ClickException(f"{totals.errors} errors")
