"""The process that turns dump lines into sorted files, so that the server's own stays free.

A program of `workers.program`: the bytes of a task are the lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arangorep.follower.plain_rows import cut_plain
from arangorep.follower.sorted_rows import write_rows
from arangorep.workers.program import answer_tasks


def prepare(task: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Write the two files of a task: documents by revision, revisions by key.

    The answer is empty when the lines are not plain new documents with ascending revisions: then
    the server goes the slow way, which tells what is wrong.
    """
    if not body.endswith(b"\n"):
        return {}
    rows, names, stamps = _cut(body, task["name"], is_checked=task["is_checked"])
    if int.from_bytes(stamps[0]) <= task["after"]:
        return {}
    files = Path(task["documents"]), Path(task["primary"])
    return write_rows(task, *files, rows, names, stamps)


def _cut(
    body: bytes, name: bytes, *, is_checked: bool
) -> tuple[Sequence[bytes], Sequence[bytes], Sequence[bytes]]:
    """Rows, keys and revisions. Errors: those of `cut_documents`."""
    found = None if is_checked else cut_plain(body, name)
    if found is not None:
        return found
    # rarely needed, and most of what a start would cost
    from arangorep.follower.lines import cut_documents

    documents = cut_documents(body.split(b"\n")[:-1], name, is_checked=is_checked)
    stamps = [revision.to_bytes(8) for revision in documents.revisions]
    return documents.rows, documents.names, stamps


if __name__ == "__main__":
    answer_tasks(prepare)
