"""Values of VelocyPack that JSON has no form for, as `decode(…, typed=True)` gives them.

Doubles beyond JSON (NaN and infinities) come as floats. Source: velocypack 2, 6.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class UtcDate:
    """Milliseconds since 1970 in UTC; negative before."""

    ms: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes that are no text."""

    data: bytes


@dataclass(frozen=True, slots=True)
class MinKey:
    """Sorts before everything."""


@dataclass(frozen=True, slots=True)
class MaxKey:
    """Sorts behind everything."""


@dataclass(frozen=True, slots=True)
class Illegal:
    """A value that says it is none."""


@dataclass(frozen=True, slots=True)
class Custom:
    """A value whose meaning the format leaves open; `payload` without head and length."""

    head: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value with a number in front."""

    tag: int
    value: Any
