"""What a server imports before it starts, and when it does not (backups 1.11)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arangorep.backup.importing import import_dump, import_snapshot
from arangorep.backup.placing import has_data
from arangorep.clock import Clock
from arangorep.errors import StartupError


@dataclass(frozen=True, slots=True)
class LaunchImport:
    """A dump or a snapshot to start from. `kind` is `dump` or `snapshot`."""

    kind: str
    path: Path
    ignore_missing: bool = False
    ignore_if_db_exists: bool = False


def import_at_launch(wanted: LaunchImport, directory: Path, clock: Clock) -> dict[str, Any] | None:
    """Import, or not; returns the metadata of what was imported.

    The first rule that fits counts: an empty place and a file: import; data, and nobody said to
    ignore that: an error; no file, and nobody said to ignore that: an error; otherwise start as
    usual. Errors: `StartupError`.
    """
    is_empty, exists = not has_data(directory), wanted.path.exists()
    if is_empty and exists:
        run = import_dump if wanted.kind == "dump" else import_snapshot
        return run(wanted.path, directory, clock)
    if not is_empty and not wanted.ignore_if_db_exists:
        raise StartupError(
            f"database already exists at {directory}: nothing was imported; remove it, or say "
            f"--ignore-{wanted.kind}-if-db-exists"
        )
    if not exists and not wanted.ignore_missing:
        raise StartupError(f"{wanted.kind} doesn't exist at {wanted.path}")
    return None
