"""Revision ids and trees in the words of the specification; shares no code with the server."""

from __future__ import annotations

HLC_DIGITS = "-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def number_of(text: str) -> int:
    """An HLC text as number."""
    number = 0
    for digit in text:
        number = number * 64 + HLC_DIGITS.index(digit)
    return number


def hlc_of(number: int) -> str:
    """A number as HLC text."""
    text = ""
    while number:
        number, digit = divmod(number, 64)
        text = HLC_DIGITS[digit] + text
    return text


def hash_of(number: int) -> int:
    """FNV-1a over the id's bytes."""
    value = 0xCBF29CE484222325
    for byte in number.to_bytes(8, "little"):
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def leaves_of(
    numbers: list[int], range_min: int, range_max: int, depth: int
) -> dict[int, tuple[int, int]]:
    """The populated leaves of a tree: index to (count, hash)."""
    bucket = (range_max - range_min) // 8**depth
    leaves: dict[int, tuple[int, int]] = {}
    for number in numbers:
        count, mixed = leaves.get((number - range_min) // bucket, (0, 0))
        leaves[(number - range_min) // bucket] = (count + 1, mixed ^ hash_of(number))
    return leaves
