"""The order of AQL values: null < bool < number < string < array < object.

A value has a key, a tuple that Python compares as AQL compares the values:

| value | key |
|---|---|
| null | `(0,)` |
| bool, number, string | `(1, b)`, `(2, n)`, `(3, s)` |
| array | `(4, key, …)` |
| object | `(5, reversed name, key, …)`, by name, without members that are null |

Strings are ordered by code points, not by the rules of a language as a real server does it: the
same within ASCII letters of one case. In an object a missing member counts as null, therefore
`{b: 1} < {a: 0}`: at `a`, the first has null. That is why names are reversed: the smaller name of
two that meet makes the larger object. Keys are flat, one tuple a level, because Python counts
nested comparisons as recursion.
"""

from __future__ import annotations

from typing import Any, Final

Key = tuple[Any, ...]

_RANKS: Final[dict[type, int]] = {
    type(None): 0,
    bool: 1,
    int: 2,
    float: 2,
    str: 3,
    list: 4,
    dict: 5,
}

TYPE_NAMES: Final = ("null", "bool", "number", "string", "array", "object")
"""By rank."""


class Reversed:
    """A key that compares the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __lt__(self, other: Reversed) -> bool:
        return bool(other.key < self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reversed) and bool(self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)


def rank_of(value: Any) -> int:
    """The place of a value's type in the order of types."""
    return _RANKS[type(value)]


def type_name(value: Any) -> str:
    """What `TYPENAME()` calls it."""
    return TYPE_NAMES[rank_of(value)]


def order_key(value: Any) -> Key:
    """The key of a value: hashable, and in the order of AQL.

    Values nest as deep as JSON may (`limits.JSON_DEPTH_MAX`), one call for each level.
    """
    rank = _RANKS[type(value)]
    if rank == 0:
        return (0,)
    if rank < 4:
        return (rank, value)
    parts: list[Any] = [rank]
    if rank == 4:
        for element in value:
            parts.append(order_key(element))
    else:
        for name in sorted(value):
            member = value[name]
            if member is not None:
                parts.append(Reversed(name))
                parts.append(order_key(member))
    return tuple(parts)


def are_equal(left: Any, right: Any) -> bool:
    """Whether two values are the same to AQL."""
    rank = _RANKS[type(left)]
    if rank != _RANKS[type(right)]:
        return False
    if rank < 4:
        return bool(left == right)
    return order_key(left) == order_key(right)
