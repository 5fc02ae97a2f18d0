"""Building a data directory from a backup, and from the log archive up to a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from arangorep.backup.importing import import_dump, import_snapshot, verify_archive
from arangorep.backup.log_archive import Until, replay
from arangorep.clock import Clock
from arangorep.errors import StartupError
from arangorep.storage.store import Store
from arangorep.values.dates import read_date


def parse_until(text: str) -> Until:
    """A tick in digits, or an ISO 8601 date with a dash. Errors: `ValueError`."""
    if text.isascii() and text.isdigit():
        return Until(tick=int(text))
    stamp_ms = read_date(text) if "-" in text else None
    if stamp_ms is None:
        raise ValueError(f"'{text}' is neither a tick nor a moment such as 2026-11-21T21:00:00Z")
    return Until(wall_ms=stamp_ms)


def build(
    backup: Path, directory: Path, clock: Clock, log: Path | None, until: Until
) -> dict[str, Any]:
    """Make `directory` what an archive holds, and then what the log tells up to a moment.

    `directory` must be empty or not there. Returns the backup's metadata, with `appliedTick`.
    Errors: `StartupError`; `DumpCorrupt`, `DumpNotFound` for the backup.
    """
    if directory.exists() and any(directory.iterdir()):
        raise StartupError(f"{directory} is not empty: nothing was restored")
    applied: dict[str, Any] = {}

    def go_on(store: Store, metadata: dict[str, Any]) -> None:
        if log is None:
            return
        start = store.log.last_tick
        if until.tick is not None and until.tick < start:
            raise StartupError(f"the backup is of tick {start}, after {until.tick}")
        applied["appliedTick"] = replay(store, clock, log, str(metadata.get("serverId")), until)

    is_dump = "dumpUid" in verify_archive(backup)
    make = import_dump if is_dump else import_snapshot
    return {**make(backup, directory, clock, go_on), **applied}
