"""The process that parses arrays of documents, so that the server's own stays free.

A program of `workers.program`: the bytes of a task are an array of documents as JSON.
"""

from __future__ import annotations

from typing import Any

from arangorep.codec.json import loads_shallow
from arangorep.data.cutting import CutBlock, cut_block
from arangorep.values.key_generator import KeyOptions
from arangorep.workers.program import answer_tasks

PROGRAM = "arangorep.data.cut_worker"


def cut(task: dict[str, Any], body: bytes) -> dict[str, Any]:
    """`blocks` of `rows` documents, with keys and texts joined by newlines: texts have none.

    The answer is empty when not all of it is plain: then the server parses the body itself.
    """
    documents, rows = loads_shallow(body), task["rows"]
    options = KeyOptions(**task["keys"])
    blocks = []
    for start in range(0, len(documents), rows):
        block = cut_block(options, documents[start : start + rows])
        if block is None:
            return {}
        names = None if block.names is None else b"\n".join(block.names)
        blocks.append([names, b"\n".join(block.tails), block.last_value])
    return {"blocks": blocks}


def cut_blocks(answer: dict[str, Any]) -> list[CutBlock]:
    """What `cut` has answered."""
    return [
        CutBlock(None if names is None else names.split(b"\n"), tails.split(b"\n"), last_value)
        for names, tails, last_value in answer["blocks"]
    ]


if __name__ == "__main__":
    answer_tasks(cut)
