"""Ticks: the one ever-growing counter behind log positions and ids.

A promise in `meta` says up to where ticks may have been handed out. After a crash the counter goes
on above the promise, so no tick is used twice (it may skip up to `TICKS_RESERVED`).
"""

from __future__ import annotations

from arangorep.limits import TICKS_RESERVED
from arangorep.storage import keys
from arangorep.storage.engine import Engine, Family, WriteSet

FIRST_TICK = 100
"""Ids below are reserved for what has a fixed one (`_system` is 1)."""


class TickCounter:
    """Hands out ticks; `current` is the last one handed out."""

    def __init__(self, engine: Engine, *, at_least: int = 0, read_only: bool = False) -> None:
        self._engine = engine
        stored = engine.get(Family.META, keys.TICKS)
        promised = keys.from_u64(stored) if stored is not None else FIRST_TICK
        self.current = max(promised, at_least)
        self._renew_at = self.current
        self._read_only = read_only

    def next(self) -> int:
        """A tick greater than every one before, also across restarts."""
        self.current += 1
        if self.current > self._renew_at:
            self._promise()
        return self.current

    def take(self, count: int) -> range:
        """As many consecutive ticks."""
        first = self.current + 1
        self.current += count
        if self.current > self._renew_at:
            self._promise()
        return range(first, first + count)

    def raise_to(self, tick: int) -> None:
        """Hand out nothing at or below `tick` from now on."""
        if tick > self.current:
            self.current = tick
            if self.current > self._renew_at:
                self._promise()

    def settle(self) -> None:
        """Shrink the promise to what was handed out (clean stop), so that no ticks are skipped."""
        self._write(self.current)
        self._renew_at = self.current

    def _promise(self) -> None:
        # renewed at half, so that the promise is long on disk when its end is reached
        self._write(self.current + TICKS_RESERVED)
        self._renew_at = self.current + TICKS_RESERVED // 2

    def _write(self, promised: int) -> None:
        if self._read_only:
            return
        changes = WriteSet()
        changes.entries[Family.META][keys.TICKS] = keys.u64(promised)
        self._engine.write(changes)
