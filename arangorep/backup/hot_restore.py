"""Putting a checkpoint in the place of the store's files: a hot backup's restore (backups 3.4).

A server that is told to restore writes down what is to happen and restarts; the swap is done before
the store is opened. Each step is noted before it begins, so an interrupted swap is finished by the
next start and never leaves a mixture.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from arangorep.backup.files import sync_directory, write_file
from arangorep.backup.importing import forget_tasks, start_anew
from arangorep.backup.jobs import CHECKPOINTS
from arangorep.clock import Clock
from arangorep.errors import StartupError
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

NOTE = "RESTORE"
RESTORING = ".restoring"
SAVING, PLACING, RENEWING = "saving", "placing", "renewing"
META = "META"


class RestoreUnderWay(Exception):
    """A restore was asked for before; the server has yet to restart."""


def prepare_restore(directory: Path, backup_id: str, saved_as: str) -> None:
    """Link the files of a checkpoint aside and note that they are to be put in place.

    `saved_as` is where among the backups the present files go; what lies there is removed when all
    else is ready. Errors: `RestoreUnderWay`; `OSError`, and then nothing is noted.
    """
    checkpoints = directory / CHECKPOINTS
    source, aside = checkpoints / backup_id, checkpoints / RESTORING
    try:
        aside.mkdir()
    except FileExistsError:
        raise RestoreUnderWay from None
    try:
        for file in source.iterdir():
            if file.is_file() and file.name != META:
                # tables never change; everything else is written to once it is in use
                if file.suffix == ".sst":
                    os.link(file, aside / file.name)
                else:
                    _copy_synced(file, aside / file.name)
        sync_directory(aside)
        shutil.rmtree(checkpoints / saved_as, ignore_errors=True)
        _note(directory, SAVING, saved_as)
    except BaseException:
        if not (directory / NOTE).exists():
            shutil.rmtree(aside, ignore_errors=True)
        raise


def _copy_synced(source: Path, target: Path) -> None:
    with source.open("rb") as read, target.open("xb") as written:
        shutil.copyfileobj(read, written)
        written.flush()
        os.fsync(written.fileno())


def finish_restore(directory: Path, clock: Clock) -> None:
    """At start: do what is noted, or what is left of it. Errors: `StartupError`."""
    note = directory / NOTE
    if not note.is_file():
        # a preparation that did not get as far as the note
        shutil.rmtree(directory / CHECKPOINTS / RESTORING, ignore_errors=True)
        return
    try:
        step, saved_as = json.loads(note.read_text(encoding="utf-8"))
    except (ValueError, TypeError):
        raise StartupError(f"{note} cannot be read: a restore was interrupted") from None
    checkpoints = directory / CHECKPOINTS
    if step == SAVING:
        saved = checkpoints / saved_as
        saved.mkdir(exist_ok=True)
        _move_files(directory, saved)
        _note(directory, PLACING, saved_as)
        step = PLACING
    if step == PLACING:
        _move_files(checkpoints / RESTORING, directory)
        _note(directory, RENEWING, saved_as)
    store = Store(RocksEngine(directory), clock)
    try:
        forget_tasks(store)
        start_anew(store, clock)
    finally:
        store.close()
    note.unlink()
    shutil.rmtree(checkpoints / RESTORING, ignore_errors=True)
    sync_directory(directory)


def _note(directory: Path, step: str, saved_as: str) -> None:
    write_file(directory / NOTE, json.dumps([step, saved_as]).encode())


def _move_files(source: Path, target: Path) -> None:
    for file in source.iterdir():
        if file.is_file() and file.name != NOTE:
            file.rename(target / file.name)
    sync_directory(source)
    sync_directory(target)
