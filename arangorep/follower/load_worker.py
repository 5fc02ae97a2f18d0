"""The process that turns dump lines into sorted files, so that the server's own stays free.

A program of `workers.program`: the bytes of a task are the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arangorep.follower.lines import cut_documents, cut_plain
from arangorep.storage.keys import pack_many
from arangorep.storage.rocks import write_sorted
from arangorep.values.key_generator import KeyOptions, track_all
from arangorep.values.revision import REVISION_MAX
from arangorep.values.tree_leaves import U64Array
from arangorep.workers.program import answer_tasks


def prepare(task: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Write the two files of a task: documents by revision, revisions by key.

    The answer is empty when the lines are not plain new documents with ascending revisions: then
    the server goes the slow way, which tells what is wrong.
    """
    if not body.endswith(b"\n"):
        return {}
    rows, names, revisions = _cut(body, task["name"], is_checked=task["is_checked"])
    is_behind = int(revisions[0]) <= task["after"] or int(revisions[-1]) == REVISION_MAX
    if is_behind or (revisions[1:] <= revisions[:-1]).any():
        return {}
    stamps = pack_many(revisions)
    prefix = task["prefix"]
    write_sorted(Path(task["documents"]), [prefix + stamp for stamp in stamps], rows)
    given = names
    if not all(map(bytes.__lt__, names, names[1:])):
        order = sorted(range(len(names)), key=names.__getitem__)
        names, stamps = [names[at] for at in order], [stamps[at] for at in order]
        if any(map(bytes.__eq__, names, names[1:])):
            return {}
    write_sorted(Path(task["primary"]), [prefix + name for name in names], stamps)
    return {
        "revisions": revisions.astype(">u8").tobytes(),
        "largest": len(max(rows, key=len)),
        "last_value": track_all(KeyOptions(**task["keys"]), task["last_value"], given),
        "first": names[0],
        "last": names[-1],
    }


def _cut(
    body: bytes, name: bytes, *, is_checked: bool
) -> tuple[Sequence[bytes], Sequence[bytes], U64Array]:
    """Rows, keys and revisions. Errors: those of `cut_documents`."""
    found = None if is_checked else cut_plain(body, name)
    if found is not None:
        return found
    documents = cut_documents(body.split(b"\n")[:-1], name, is_checked=is_checked)
    return documents.rows, documents.names, np.array(documents.revisions, dtype=np.uint64)


if __name__ == "__main__":
    answer_tasks(prepare)
