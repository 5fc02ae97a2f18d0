"""Inserting many new documents at once: the hot path of loading.

A block of plain documents (`cutting`) takes this way when there is nothing to enforce and no key of
it exists. Then revisions and ticks are taken as ranges, and rows are joined without touching parsed
objects. Everything else goes one by one through `DocumentWriter.insert`, which this module must
never differ from in its results.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from arangorep.data.cutting import CutBlock
from arangorep.data.transactions import CollectionWriter
from arangorep.errors import OutOfKeys
from arangorep.values.key_generator import KeyOptions, generate

FEWEST = 8
"""Smaller blocks are not worth the preparation."""


@dataclass(frozen=True, slots=True)
class InsertedBlock:
    """Keys, revisions and rows of new documents."""

    names: list[bytes]
    revisions: range
    rows: list[bytes]


def insert_block(
    writer: CollectionWriter, options: KeyOptions, block: CutBlock, next_tick: Callable[[], int]
) -> InsertedBlock | None:
    """Store new documents; None, with nothing changed, when a key of them exists."""
    names, last_value = block.names, max(writer.last_value, block.last_value)
    if names is None:
        names = []
        try:
            for _ in block.tails:
                # a generated key lies above every key that the generator has seen: it is free
                key, last_value = generate(options, last_value, next_tick)
                names.append(key.encode())
        except OutOfKeys:
            return None
    elif not writer.are_free(names):
        return None
    writer.last_value = last_value
    revisions, rows = writer.put_block(names, block.tails)
    return InsertedBlock(names, revisions, rows)
