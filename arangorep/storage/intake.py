"""Taking over sorted files together with a commit: all of it, or nothing at the next start.

The engine takes a file over for good at once, apart from its atomic writes. So a note tells
beforehand in which ranges of keys there is nothing yet: the commit removes it, and a start that
finds it removes what is in the ranges. Nobody has seen any of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arangorep.codec import msgpack
from arangorep.errors import StartupError
from arangorep.storage import keys
from arangorep.storage.engine import Engine, Family, WriteSet

Ranges = Mapping[Family, tuple[bytes, bytes]]
"""The keys of each family from the first up to, but without, the second."""


@dataclass(frozen=True, slots=True)
class Intake:
    """Files of some families, and the ranges that hold their keys and nothing else."""

    files: Mapping[Family, Sequence[Path]]
    ranges: Ranges

    def note(self) -> bytes:
        """What `undo_intake` reads."""
        return msgpack.pack([[family.value, *found] for family, found in self.ranges.items()])


def undo_intake(engine: Engine, *, read_only: bool) -> None:
    """At start: remove what was taken over without its commit.

    Errors: `StartupError` when there is something, and nothing may be written.
    """
    note = engine.get(Family.META, keys.INTAKE)
    if note is None:
        return
    if read_only:
        raise StartupError("the server died while it took files over: it must be started first")
    changes = WriteSet()
    for name, start, end in msgpack.unpack(note):
        changes.ranges.append((Family(name), start, end))
    changes.entries[Family.META][keys.INTAKE] = None
    engine.write(changes)
