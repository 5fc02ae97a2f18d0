"""Where an import builds a store, and how the store gets to its place.

It is built beside the data directory and renamed, or within it where that cannot be renamed. Either
way a crash leaves the old place or the new one, after the next start at the latest.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from arangorep.backup.files import sync_directory, write_file
from arangorep.errors import StartupError

IMPORTING = ".importing"
MOVING = ".moving"
"""In what is built: it is complete and being put in its place."""
NO_DATA = (IMPORTING, "lost+found")


def has_data(directory: Path) -> bool:
    """Whether a data directory exists and has an entry, other than of an import cut off."""
    return directory.is_dir() and any(e.name not in NO_DATA for e in directory.iterdir())


@dataclass(frozen=True, slots=True)
class Place:
    """Where a store is built, and where it goes."""

    directory: Path
    beside: Path

    @property
    def is_inside(self) -> bool:
        """Whether it is built within its place, which itself cannot be renamed."""
        return self.beside.parent == self.directory


def place_for(directory: Path) -> Place:
    """Beside the data directory; within it where that cannot be renamed, as a volume cannot."""
    real = directory.resolve()
    fixed = real.is_mount() or real == Path.cwd()
    if fixed or (real.is_dir() and not os.access(real.parent, os.W_OK)):
        return Place(real, real / IMPORTING)
    return Place(real, real.with_name(real.name + IMPORTING))


@contextlib.contextmanager
def claimed(place: Place) -> Iterator[None]:
    """An empty folder to build in, held so that no other process builds there.

    Errors: `StartupError`.
    """
    try:
        _clear(place)
        place.beside.mkdir(parents=True)
        descriptor = os.open(place.beside, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StartupError(f"cannot write to {place.beside}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def remove_unfinished_import(directory: Path) -> None:
    """At start: put in place what an import has finished, or remove what it has not.

    Errors: `StartupError` while another process imports.
    """
    place = place_for(directory)
    if place.is_inside and (place.beside / MOVING).exists():
        _move_inside(place)
    _clear(place)


def _clear(place: Place) -> None:
    try:
        descriptor = os.open(place.beside, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(place.beside)
    except BlockingIOError:
        raise StartupError(f"another process imports into {place.directory}") from None
    finally:
        os.close(descriptor)


def discard(place: Place) -> None:
    """Remove what was built, unless it is on its way: the next start goes on with that."""
    if not (place.beside / MOVING).exists():
        shutil.rmtree(place.beside, ignore_errors=True)


def take_place(place: Place) -> None:
    """Bring what was built to the disk and put it where it belongs. Errors: `OSError`."""
    for file in place.beside.iterdir():
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
    sync_directory(place.beside)
    if place.is_inside:
        # from here on the next start goes on with it
        write_file(place.beside / MOVING, b"")
        _move_inside(place)
    else:
        if place.directory.is_dir():
            place.directory.rmdir()  # it is empty
        place.beside.rename(place.directory)
        sync_directory(place.directory.parent)


def _move_inside(place: Place) -> None:
    for file in place.beside.iterdir():
        if file.name != MOVING:
            file.rename(place.directory / file.name)
    sync_directory(place.directory)
    (place.beside / MOVING).unlink()
    place.beside.rmdir()
