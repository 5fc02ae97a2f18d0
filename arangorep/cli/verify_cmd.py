"""`arangorep verify`: tell whether a dump is whole."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from arangorep.backup.checking import check_directory
from arangorep.backup.directory import check_files, read_manifest
from arangorep.backup.hot_restore import META
from arangorep.backup.importing import verify_archive
from arangorep.backup.layout import MANIFEST
from arangorep.backup.problems import DumpCorrupt, DumpNotFound

CORRUPT = 65
"""Exit status for a dump that is not whole (EX_DATAERR of sysexits.h)."""

NOT_FOUND = 66
"""Exit status when there is no dump (EX_NOINPUT of sysexits.h)."""

Advance = Callable[[int], None]


@click.command("verify")
@click.argument("path", type=click.Path(path_type=Path))
def verify(path: Path) -> None:
    """Verify the dump at PATH: manifest, sizes, hashes, counts, and every document.

    Also snapshots, and hot backups that were uploaded to a directory. Exits with 65 when something
    is wrong, naming the entry, and with 66 when there is no dump.
    """
    try:
        with bytes_bar("verifying") as advance:
            message = _kind_of(path)(path, advance)
    except (DumpCorrupt, DumpNotFound) as error:
        refuse(error)
    click.echo(message)


def _kind_of(path: Path) -> Callable[[Path, Advance], str]:
    """What checks whatever lies at a path: one function for each kind of dump."""
    if (path / META).exists():
        return verify_copy
    return verify_directory if path.is_dir() else verify_file


def verify_copy(path: Path, advance: Advance) -> str:
    """A hot backup where it was uploaded to. Errors: `DumpCorrupt`, `DumpNotFound`."""
    manifest = read_manifest(path)
    if manifest is None:
        raise DumpCorrupt(MANIFEST, "is missing: the copy of this backup is not complete")
    check_files(path, manifest, advance)
    held = f"{len(manifest.entries)} files, {manifest.size} bytes"
    return f"{path} is sound: a hot backup of {manifest.created}, {held}"


def verify_directory(path: Path, advance: Advance) -> str:
    """A dump directory, ours or arangodump's. Errors: `DumpCorrupt`, `DumpNotFound`."""
    found = check_directory(path, advance)
    held = (
        f"{found.databases} databases, {found.collections} collections, "
        f"{found.views} views, {found.documents} documents"
    )
    if found.tick is None:
        return f"{path} can be read: {held}; there is no manifest to compare with"
    return f"{path} is sound: {held}, tick {found.tick}"


def verify_file(path: Path, advance: Advance) -> str:
    """An archive of a dump or a snapshot. Errors: `DumpCorrupt`, `DumpNotFound`."""
    if not path.exists():
        raise DumpNotFound(f"{path} does not exist")
    found = verify_archive(path, advance=advance)
    kind = "a dump" if "dumpUid" in found else "a snapshot"
    held = f"{found['entries']} entries, {found['documents']} documents"
    return f"{path} is sound: {kind} of tick {found.get('tick')}, {held}"


class _Corrupt(click.ClickException):
    exit_code = CORRUPT


class _NotFound(click.ClickException):
    exit_code = NOT_FOUND


def refuse(error: DumpCorrupt | DumpNotFound) -> NoReturn:
    """End the command in one line."""
    kind = _Corrupt if isinstance(error, DumpCorrupt) else _NotFound
    raise kind(str(error)) from None


@contextlib.contextmanager
def bytes_bar(title: str) -> Iterator[Advance]:
    """A bar for bytes without a known end."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=None)
        yield lambda size: progress.advance(task, size)
