"""Offline dump and restore of a stopped server's data directory (backups 2.2, 6.4).

The same work under two spellings: Xapiand's options of the top-level command
(`arangorep --dump=cities --out=F`), and the commands below `arangorep offline`. Data go to
standard output or come from standard input unless a file is named; what is for people goes to
standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

from arangorep import __version__
from arangorep.backup.endpoint import Endpoint, parse_endpoint
from arangorep.backup.files import AtomicFile
from arangorep.backup.offline import OfflineDump, open_store
from arangorep.backup.offline_restore import OfflineRestore, Report
from arangorep.backup.problems import DumpCorrupt
from arangorep.backup.records import Kind, Source
from arangorep.backup.target import RestoreRefused
from arangorep.clock import SystemClock
from arangorep.errors import ArangoError, CorruptionError, StartupError
from arangorep.storage.store import Store

EX_USAGE, EX_DATA, EX_FAILED, EX_FILE = 64, 65, 70, 72
"""Exit codes, as Xapiand has them; 65 for a damaged or wrong file is ours."""

STANDARD = "-"
DATA_DEFAULT = "./data"
F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """Ends the command with one line."""

    exit_code = EX_FAILED

    def __init__(self, message: str) -> None:
        super().__init__(message.splitlines()[0] if message else "failed")


class Damaged(Failure):
    """The file is not what was written, or no dump at all."""

    exit_code = EX_DATA


class NotOpened(Failure):
    """A file that cannot be opened."""

    exit_code = EX_FILE


class Usage(click.UsageError):
    """Options that do not go together."""

    exit_code = EX_USAGE


class StrictParsing(click.Command):
    """Mixin: a command line that cannot be parsed ends with Xapiand's exit code."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise Usage(error.format_message(), error.ctx) from None


class OfflineCommand(StrictParsing):
    """A command below `offline`."""


class OfflineGroup(StrictParsing, click.Group):
    """The group itself, and the top-level command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise Usage(error.format_message(), error.ctx) from None


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: a dump of a kind, or a restore (None)."""

    kind: Kind | None
    endpoint: str
    data: Path
    file: str = STANDARD
    overwrite: bool = False
    include_system: bool = False
    skip_failed: bool = False
    force: bool = False


# -- running -----------------------------------------------------------------------------------


def run(job: Job) -> None:
    """Do it. Errors: `Failure`."""
    try:
        endpoint = parse_endpoint(job.endpoint)
    except ValueError as error:
        raise Usage(str(error)) from None
    try:
        if job.kind is None:
            _restore(job, endpoint)
        else:
            _dump(job, job.kind, endpoint)
    except DumpCorrupt as error:
        raise Damaged(f"{_shown(job, sys.stdin)}: {error}") from None
    except ArangoError as error:
        raise Failure(f"{endpoint}: {error.message}") from None
    except (RestoreRefused, StartupError, CorruptionError, OSError) as error:
        raise Failure(str(error)) from None


@contextmanager
def _opened(job: Job, *, may_create: bool) -> Iterator[Store]:
    store = open_store(job.data, SystemClock(), may_create=may_create)
    try:
        yield store
    finally:
        store.close()


def _dump(job: Job, kind: Kind, endpoint: Endpoint) -> None:
    _check_new(job)
    with _opened(job, may_create=False) as store:
        dump = OfflineDump(store, kind, endpoint, __version__, include_system=job.include_system)
        with _sink(job) as write, _counting(f"dumping {endpoint}", dump.total) as advance:
            for piece in dump.pieces():
                write(piece)
                advance(dump.records)
        what = {Kind.METADATA: "metadata", Kind.SCHEMA: "schema"}.get(
            kind, f"{dump.total} documents"
        )
        click.echo(
            f"dumped {what} of {endpoint} at tick {dump.tick} to {_shown(job, sys.stdout)}",
            err=True,
        )


def _check_new(job: Job) -> None:
    if job.file != STANDARD and not job.overwrite and Path(job.file).exists():
        raise NotOpened(f"{job.file} exists; --overwrite replaces it")


@contextmanager
def _sink(job: Job) -> Iterator[Callable[[bytes], object]]:
    if job.file == STANDARD:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    try:
        file = AtomicFile(Path(job.file))
    except OSError as error:
        raise NotOpened(f"{job.file}: {error.strerror}") from None
    with file:
        yield file.write


def _restore(job: Job, endpoint: Endpoint) -> None:
    with _input(job) as file, _opened(job, may_create=True) as store:
        source = Source(file.read)
        work = OfflineRestore(store, source, endpoint, skip_failed=job.skip_failed, force=job.force)
        try:
            with _reading(f"restoring {endpoint}") as advance:
                for _ in work.steps():
                    advance(source.offset)
        finally:
            _tell(work.report)
        _sum_up(work.report, endpoint, _shown(job, sys.stdin))


@contextmanager
def _input(job: Job) -> Iterator[IO[bytes]]:
    if job.file == STANDARD:
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(job.file).open("rb"))
        except OSError as error:
            raise NotOpened(f"{job.file}: {error.strerror}") from None
        yield file


# -- for people --------------------------------------------------------------------------------


def _shown(job: Job, standard: Any) -> str:
    return str(standard.name) if job.file == STANDARD else job.file


def _tell(report: Report) -> None:
    for text in report.warnings:
        click.echo(f"Warning: {text}", err=True)
    for text in report.failures:
        click.echo(text, err=True)
    hidden = report.failed - len(report.failures)
    if hidden:
        click.echo(f"... and {hidden} more documents that cannot be stored", err=True)


def _sum_up(report: Report, endpoint: Endpoint, shown: str) -> None:
    text = f"restored {report.what} from {shown} into {endpoint}"
    if report.documents or report.failed or "documents" in report.what:
        text += (
            f": {report.documents} documents, {report.replaced} of them replaced others, "
            f"{report.failed} left out"
        )
    click.echo(text, err=True)


@contextmanager
def _counting(title: str, total: int) -> Iterator[Callable[[int], None]]:
    with _bars(BarColumn(), MofNCompleteColumn()) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def _reading(title: str) -> Iterator[Callable[[int], None]]:
    with _bars(DownloadColumn()) as progress:
        task = progress.add_task(title, total=None)
        yield lambda done: progress.update(task, completed=done)


def _bars(*columns: Any) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        *columns,
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


# -- options -----------------------------------------------------------------------------------

data_option = click.option(
    "-D",
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA_DEFAULT,
    envvar="ARANGOREP_DATA_DIRECTORY",
    show_default=True,
    help="Data directory of the stopped server.",
)
out_option = click.option("-o", "--out", help="File to write; - is standard output, the default.")
in_option = click.option("-i", "--in", "source", help="File to read; - is standard input.")
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace an existing --out.")
system_option = click.option(
    "--include-system", is_flag=True, help="Also system collections, of 'database/'."
)
error_option = click.option(
    "--on-error",
    type=click.Choice(["abort", "skip"]),
    default="abort",
    show_default=True,
    help="What a document does that cannot be stored.",
)
force_option = click.option(
    "--force", is_flag=True, help="Take a file of a server with other parameters."
)


def _with(*options: Callable[[F], F]) -> Callable[[F], F]:
    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


top_level_options = _with(
    click.option("--dump-metadata", metavar="E", help="Dump properties of an endpoint, offline."),
    click.option("--dump-schema", metavar="E", help="Dump schema, indexes and views, offline."),
    click.option("--dump", metavar="E", help="Dump documents, offline."),
    click.option("--restore", metavar="E", help="Restore any of the three files, offline."),
    out_option,
    in_option,
    data_option,
    overwrite_option,
    system_option,
    error_option,
    force_option,
)


def run_top_level(context: click.Context, options: dict[str, Any]) -> None:
    """What the options of the top-level command ask for. Errors: `Usage`."""
    given = {
        kind: options[name]
        for name, kind in (
            ("dump_metadata", Kind.METADATA),
            ("dump_schema", Kind.SCHEMA),
            ("dump", Kind.DOCUMENTS),
        )
        if options[name] is not None
    }
    restored = options["restore"]
    is_any = bool(given) or restored is not None
    if context.invoked_subcommand is not None:
        if is_any or options["out"] is not None or options["source"] is not None:
            raise Usage("--dump… and --restore are no options of a command", context)
        return
    if given and restored is not None:
        raise Usage("either dump or restore", context)
    if given and options["source"] is not None:
        raise Usage("--in belongs to --restore; a dump has --out", context)
    if restored is not None and options["out"] is not None:
        raise Usage("--out belongs to a dump; --restore has --in", context)
    if not is_any:
        if options["out"] is not None or options["source"] is not None:
            raise Usage("--in and --out need --dump… or --restore", context)
        raise Usage("expecting a command, --dump… or --restore", context)
    if restored is not None:
        run(_restore_job(restored, options["source"], **_restoring(options)))
        return
    if len(given) > 1:
        first = next(iter(given))
        name = {Kind.METADATA: "--dump-metadata", Kind.SCHEMA: "--dump-schema"}[first]
        click.echo(f"Warning: one operation at a time: only {name} is done", err=True)
    kind, endpoint = next(iter(given.items()))
    run(_dump_job(kind, endpoint, options["out"], **_dumping(options)))


def _dumping(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("data", "overwrite", "include_system")}


def _restoring(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in ("data", "on_error", "force")}


def _dump_job(
    kind: Kind, endpoint: str, out: str | None, data: Path, overwrite: bool, include_system: bool
) -> Job:
    return Job(kind, endpoint, data, out or STANDARD, overwrite, include_system)


def _restore_job(endpoint: str, source: str | None, data: Path, on_error: str, force: bool) -> Job:
    skip = on_error == "skip"
    return Job(None, endpoint, data, source or STANDARD, skip_failed=skip, force=force)


# -- commands ----------------------------------------------------------------------------------


@click.group(cls=OfflineGroup)
def offline() -> None:
    """Dump and restore collections of a stopped server.

    An ENDPOINT is `collection` (of _system), `database/collection`, or `database/` for all of it.
    """


def _dump_command(name: str, kind: Kind, summary: str) -> None:
    @offline.command(name, cls=OfflineCommand, help=summary)
    @click.argument("endpoint")
    @_with(out_option, data_option, overwrite_option, system_option)
    def command(endpoint: str, out: str | None, **options: Any) -> None:
        run(_dump_job(kind, endpoint, out, **options))


_dump_command("dump-metadata", Kind.METADATA, "Dump the properties of ENDPOINT.")
_dump_command(
    "dump-schema",
    Kind.SCHEMA,
    "Dump validation rules, computed values, indexes and views of ENDPOINT.",
)
_dump_command("dump", Kind.DOCUMENTS, "Dump the documents of ENDPOINT.")


@offline.command("restore", cls=OfflineCommand)
@click.argument("endpoint")
@_with(in_option, data_option, error_option, force_option)
def restore(endpoint: str, source: str | None, **options: Any) -> None:
    """Restore a file of any kind into ENDPOINT, all of it or nothing."""
    run(_restore_job(endpoint, source, **options))
