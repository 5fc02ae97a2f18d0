"""New documents of one collection as sorted files: what both workers of a follower do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arangorep.storage.keys import pack_many
from arangorep.storage.rocks import write_sorted
from arangorep.values.key_generator import KeyOptions, track_all
from arangorep.values.revision import REVISION_MAX
from arangorep.values.tree_leaves import U64Array


def write_rows(
    task: dict[str, Any],
    documents: Path,
    primary: Path,
    rows: Sequence[bytes],
    names: Sequence[bytes],
    revisions: U64Array,
) -> dict[str, Any]:
    """Write documents by revision and revisions by key, and tell what a server must know of them.

    The answer is empty unless the revisions ascend and no key stands twice.
    """
    if (revisions[1:] <= revisions[:-1]).any() or int(revisions[-1]) == REVISION_MAX:
        return {}
    stamps, prefix = pack_many(revisions), task["prefix"]
    write_sorted(documents, [prefix + stamp for stamp in stamps], rows)
    given = names
    if not all(map(bytes.__lt__, names, names[1:])):
        order = sorted(range(len(names)), key=names.__getitem__)
        names, stamps = [names[at] for at in order], [stamps[at] for at in order]
        if any(map(bytes.__eq__, names, names[1:])):
            return {}
    write_sorted(primary, [prefix + name for name in names], stamps)
    return {
        "revisions": revisions.astype(">u8").tobytes(),
        "largest": len(max(rows, key=len)),
        "last_value": track_all(KeyOptions(**task["keys"]), task["last_value"], given),
        "first": names[0],
        "last": names[-1],
    }
