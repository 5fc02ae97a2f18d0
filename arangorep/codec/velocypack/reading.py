"""What the readers of values share: their shape, their context and how they refuse.

A reader is called with the position of a head byte that exists, and must neither trust nor touch a
byte at `end` or behind it. Source: velocypack 8.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from arangorep.errors import CorruptedJson


@dataclass(frozen=True, slots=True)
class Reading:
    """What holds for one call: a reader per head byte, and the names of collections if known."""

    readers: Sequence[Reader]
    name_of: Callable[[int], str | None] | None = None


Reader: TypeAlias = Callable[[bytes, int, int, int, Reading], tuple[Any, int]]
"""(data, position, end, containers around the value, context) to the value and where it ends."""


def refused(why: str, at: int) -> CorruptedJson:
    """The error (400/600) for a value that starts at byte `at`."""
    return CorruptedJson(f"VPackError error: {why} at byte {at}")


def too_deep(at: int) -> CorruptedJson:
    """The error (400/600) for a container at byte `at` within too many others."""
    return refused("Too deep nesting in Array/Object", at)


def cut_off(at: int) -> CorruptedJson:
    """The error (400/600) for a value whose bytes are not all there."""
    return refused("the value is cut off", at)


def read_length(data: bytes, at: int, end: int, width: int) -> tuple[int, int]:
    """Where the bytes behind a length field start and end (velocypack 8, rule 3).

    The field of `width` bytes stands behind the head at `at`. A field that is itself cut off reads
    as a smaller number, but ends beyond `end` all the same.
    """
    start = at + 1 + width
    finish = start + int.from_bytes(data[at + 1 : start], "little")
    if finish > end:
        raise cut_off(at)
    return start, finish
