"""New documents of one collection as sorted files: what both workers of a follower do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arangorep.storage.rocks import write_sorted
from arangorep.values.key_generator import KeyOptions, track_all

NO_REVISION = b"\xff" * 8
"""What a text becomes that is no revision."""


def write_rows(
    task: dict[str, Any],
    documents: Path,
    primary: Path,
    rows: Sequence[bytes],
    names: Sequence[bytes],
    stamps: Sequence[bytes],
) -> dict[str, Any]:
    """Write documents by revision and revisions by key, and tell what a server must know of them.

    `stamps` are the revisions, 8 bytes each, big-endian. The answer is empty unless they ascend and
    no key stands twice.
    """
    if not all(map(bytes.__lt__, stamps, stamps[1:])) or stamps[-1] == NO_REVISION:
        return {}
    prefix, revisions = task["prefix"], b"".join(stamps)
    write_sorted(documents, [prefix + stamp for stamp in stamps], rows)
    given = names
    if not all(map(bytes.__lt__, names, names[1:])):
        order = sorted(range(len(names)), key=names.__getitem__)
        names, stamps = [names[at] for at in order], [stamps[at] for at in order]
        if any(map(bytes.__eq__, names, names[1:])):
            return {}
    write_sorted(primary, [prefix + name for name in names], stamps)
    return {
        "revisions": revisions,
        "largest": len(max(rows, key=len)),
        "last_value": track_all(KeyOptions(**task["keys"]), task["last_value"], given),
        "first": names[0],
        "last": names[-1],
    }
