"""The process that turns dump lines into sorted files, so that the server's own stays free.

A program of `workers.program`: the bytes of a task are the lines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from arangorep.follower.lines import cut_documents
from arangorep.storage.rocks import write_sorted
from arangorep.values.key_generator import KeyOptions, track_all
from arangorep.workers.program import answer_tasks


def prepare(task: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Write the two files of a task: documents by revision, revisions by key.

    The answer is empty when the lines are not plain new documents with ascending revisions: then
    the server goes the slow way, which tells what is wrong.
    """
    lines = body.split(b"\n")
    if lines.pop():
        return {}
    documents = cut_documents(lines, task["name"], is_checked=task["is_checked"])
    revisions = np.array(documents.revisions, dtype=np.uint64)
    if int(revisions[0]) <= task["after"] or (revisions[1:] <= revisions[:-1]).any():
        return {}
    packed = revisions.astype(">u8").tobytes()
    stamps = [packed[at : at + 8] for at in range(0, len(packed), 8)]
    prefix = task["prefix"]
    write_sorted(Path(task["documents"]), [prefix + stamp for stamp in stamps], documents.rows)
    names = documents.names
    if not all(map(bytes.__lt__, names, names[1:])):
        order = sorted(range(len(names)), key=names.__getitem__)
        names, stamps = [names[at] for at in order], [stamps[at] for at in order]
        if any(map(bytes.__eq__, names, names[1:])):
            return {}
    write_sorted(Path(task["primary"]), [prefix + name for name in names], stamps)
    return {
        "revisions": packed,
        "largest": len(max(documents.rows, key=len)),
        "last_value": track_all(KeyOptions(**task["keys"]), task["last_value"], documents.names),
        "first": names[0],
        "last": names[-1],
    }


if __name__ == "__main__":
    answer_tasks(prepare)
