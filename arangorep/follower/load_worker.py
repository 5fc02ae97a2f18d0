"""The process that turns dump lines into sorted files, so that the server's own stays free.

A program of `workers.program`: the bytes of a task are the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arangorep.follower.lines import cut_documents, cut_plain
from arangorep.follower.sorted_rows import write_rows
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
    if int(revisions[0]) <= task["after"]:
        return {}
    files = Path(task["documents"]), Path(task["primary"])
    return write_rows(task, *files, rows, names, revisions)


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
