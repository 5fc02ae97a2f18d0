"""Copying a hot backup to another place and back (backups 3.5).

At its place a backup is a directory with the backup's files and a manifest that names all of them
with their hashes. Its description is written first and the manifest last: without it the copy is
not complete. An upload does not copy files again that lie there with the same content, so one that
was interrupted goes on where it stopped. All of it blocks: for worker threads.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import xxhash

from arangorep import __version__
from arangorep.backup import manifest
from arangorep.backup.archive import Stopped
from arangorep.backup.files import (
    AtomicFile,
    Stored,
    make_directory,
    read_chunks,
    read_file,
    sync_directory,
    write_file,
)
from arangorep.backup.hot_restore import META
from arangorep.backup.jobs import CHECKPOINT_PREFIX
from arangorep.backup.layout import MANIFEST
from arangorep.backup.manifest import Entry, Manifest
from arangorep.backup.problems import DumpCorrupt
from arangorep.codec.json import loads
from arangorep.errors import ArangoError, HotDownloadFailed, HotUploadFailed, NoSuchHotBackup


@dataclass(slots=True)
class Progress:
    """Files to copy and files that are there; `stop` asks the work to end with `Stopped`."""

    total: int = 0
    done: int = 0
    stop: Event = field(default_factory=Event)


Work = Callable[[Progress], None]


def upload(source: Path, target: Path, progress: Progress) -> None:
    """Bring a backup to a place.

    Errors: `HotUploadFailed` where something else lies, `OSError`, `DumpCorrupt`, `Stopped`.
    """
    names = sorted(file.name for file in source.iterdir() if file.is_file() and file.name != META)
    names.insert(0, META)
    progress.total = len(names)
    entries = []
    for name in names:
        stored = _hash(source / name, name, progress)
        entries.append(Entry(name, stored.size, stored.xxh3))
    created = _meta_of(source)["datetime"]
    tool = f"arangorep {__version__}"
    listed = manifest.encode(Manifest(tool, created, None, "0", tuple(entries)))
    _make_way(target, source.name)
    if _manifest_of(target) != listed:  # until all is there, nothing says that it were
        (target / MANIFEST).unlink(missing_ok=True)
        sync_directory(target)
    for entry in entries:
        if not _holds(target, entry, progress):
            _copy(source, target, entry, progress)
        progress.done += 1
    write_file(target / MANIFEST, listed)


def _make_way(target: Path, backup_id: str) -> None:
    """Errors: `HotUploadFailed` for a directory with files that are none of this backup."""
    make_directory(target)
    if any(target.iterdir()) and not (target / MANIFEST).is_file():
        try:
            _check_meta(target, backup_id)
        except DumpCorrupt:
            raise HotUploadFailed(f"{target} holds something else") from None


def download(source: Path, place: Path, progress: Progress) -> None:
    """Bring the backup that is named as `place` is from `source` there, as a whole.

    Errors: `NoSuchHotBackup`, `HotDownloadFailed`, `OSError`, `DumpCorrupt`, `Stopped`.
    """
    data = _manifest_of(source)
    if data is None:
        raise NoSuchHotBackup(f"no such backup: {source} has no manifest")
    entries = manifest.decode(data).entries
    if any("/" in entry.path for entry in entries):
        raise DumpCorrupt(MANIFEST, "is not that of a hot backup")
    progress.total = len(entries)
    if place.exists():
        if not all(_holds(place, entry, progress) for entry in entries):
            raise HotDownloadFailed(f"another backup '{place.name}' is here already")
        progress.done = len(entries)
        return
    hidden = place.parent / f"{CHECKPOINT_PREFIX}{uuid4()}"
    make_directory(hidden)
    try:
        for entry in entries:
            _copy(source, hidden, entry, progress)
            progress.done += 1
        _check_meta(hidden, place.name)
        if not (hidden / "CURRENT").is_file():
            raise DumpCorrupt("CURRENT", "is missing")
        sync_directory(hidden)
        hidden.rename(place)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    sync_directory(place.parent)


def _manifest_of(directory: Path) -> bytes | None:
    """Errors: `DumpCorrupt`."""
    if not os.path.lexists(directory / MANIFEST):
        return None
    return read_file(directory / MANIFEST, MANIFEST)


def _holds(directory: Path, entry: Entry, progress: Progress) -> bool:
    """Whether a file with this content is there."""
    path = directory / entry.path
    if not os.path.lexists(path) or path.lstat().st_size != entry.size:
        return False
    return _hash(path, entry.path, progress) == Stored(entry.size, entry.xxh3)


def _hash(path: Path, name: str, progress: Progress) -> Stored:
    """Size and hash of a file. Errors: `DumpCorrupt`, `Stopped`."""
    state, size = xxhash.xxh3_64(), 0
    for chunk in read_chunks(path, name):
        _check(progress)
        state.update(chunk)
        size += len(chunk)
    return Stored(size, state.hexdigest())


def _copy(source: Path, target: Path, entry: Entry, progress: Progress) -> None:
    """One file, which is what the manifest says. Errors: `OSError`, `DumpCorrupt`, `Stopped`."""
    _check(progress)
    with AtomicFile(target / entry.path) as file:
        for chunk in read_chunks(source / entry.path, entry.path):
            _check(progress)
            if file.stored.size + len(chunk) > entry.size:
                raise DumpCorrupt(entry.path, f"is longer than {entry.size} bytes")
            file.write(chunk)
        if file.stored != Stored(entry.size, entry.xxh3):
            raise DumpCorrupt(entry.path, "was changed: its hash is not that of the manifest")


def _check(progress: Progress) -> None:
    if progress.stop.is_set():
        raise Stopped


def _meta_of(directory: Path) -> dict[str, Any]:
    """Errors: `DumpCorrupt`."""
    try:
        found = loads(read_file(directory / META, META))
    except ArangoError as error:
        raise DumpCorrupt(META, error.message) from None
    if not isinstance(found, dict) or not all(
        isinstance(found.get(name), str) for name in ("id", "datetime")
    ):
        raise DumpCorrupt(META, "is no description of a backup")
    return found


def _check_meta(directory: Path, backup_id: str) -> None:
    """Errors: `DumpCorrupt` for what is no backup, or another one."""
    if _meta_of(directory)["id"] != backup_id:
        raise DumpCorrupt(META, f"is not that of '{backup_id}'")
