"""Revision ids: 64-bit stamps of a hybrid logical clock, and their two text forms.

The upper 44 bits are milliseconds since 1970, the lower 20 bits a counter. Ids compare as numbers;
their texts do not sort like them, so decode before comparing. Source: revision tree, section 1.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Final

REVISION_MAX: Final = 2**64 - 1
"""The largest id. Also what an undecodable text becomes, so callers treat it as "invalid"."""

REVISION_LOWER_BOUND: Final = 1_609_459_200_000 << 20
"""2021-01-01T00:00:00Z as an id: where the revision tree of a new collection begins."""

TICK_LIMIT: Final = 1_450_656_000_000
"""Ids up to this one are written as decimal numbers in documents."""

_COUNTER_BITS: Final = 20
_COUNTER_MASK: Final = (1 << _COUNTER_BITS) - 1

_HLC_ALPHABET: Final = b"-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_BASE64_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_HLC_DIGITS_MAX: Final = 11

# The digits are those of base 64 under other names, so the standard library does the arithmetic.
# Bytes outside the alphabet become "!", which its strict mode refuses.
_TO_HLC: Final = bytes.maketrans(_BASE64_ALPHABET, _HLC_ALPHABET)
_FROM_HLC: Final = bytes(
    _BASE64_ALPHABET[_HLC_ALPHABET.index(byte)] if byte in _HLC_ALPHABET else ord("!")
    for byte in range(256)
)
GROUP_BYTES: Final = 9
GROUP_DIGITS: Final = 12
"""So many digits are whole bytes: one byte more than an id has, one digit more than its text."""


def encode_hlc(revision: int) -> str:
    """The id in base 64: at most 11 digits, the most significant first, 0 is the empty text.

    Raises `OverflowError` for a number outside 64 unsigned bits.
    Source: revision tree, section 1.3.
    """
    if revision > REVISION_MAX:
        raise OverflowError(f"revision id {revision} needs more than 64 bits")
    digits = b2a_base64(revision.to_bytes(GROUP_BYTES, "big"), newline=False)
    return digits.translate(_TO_HLC).lstrip(b"-").decode("ascii")


def decode_hlc(text: str | bytes) -> int:
    """The id a base-64 text stands for; `REVISION_MAX` for a text that is none.

    Never raises. Leading zero digits are accepted, and of an eleventh digit only the four bits that
    fit are read. Source: revision tree, section 1.3.
    """
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    if len(text) > _HLC_DIGITS_MAX:
        return REVISION_MAX
    digits = text.translate(_FROM_HLC).rjust(GROUP_DIGITS, b"A")
    try:
        return int.from_bytes(a2b_base64(digits, strict_mode=True), "big") & REVISION_MAX
    except Base64Error:
        return REVISION_MAX


def revision_text(revision: int) -> str:
    """The id as it stands in a document's `_rev`: decimal up to `TICK_LIMIT`, else base 64.

    Raises `OverflowError` like `encode_hlc`. Source: revision tree, section 1.4.
    """
    if revision > TICK_LIMIT:
        return encode_hlc(revision)
    if revision < 0:
        raise OverflowError(f"revision id {revision} is negative")
    return str(revision)


def decode_stamps(texts: Sequence[bytes]) -> list[bytes] | None:
    """Many ids, eight bytes each, big-endian; None as in `decode_groups`."""
    groups = decode_groups(texts)
    if groups is None:
        return None
    return [groups[at : at + 8] for at in range(1, len(groups), GROUP_BYTES)]


def decode_groups(texts: Sequence[bytes]) -> bytes | None:
    """Many texts of at most 11 bytes as groups of `GROUP_BYTES`; None unless each has 11 digits.

    The last eight bytes of a group are the id, big-endian; the first one is none of it.
    """
    joined = b"-" + b"-".join(texts)
    if len(joined) != GROUP_DIGITS * len(texts):
        return None
    try:
        return a2b_base64(joined.translate(_FROM_HLC), strict_mode=True)
    except Base64Error:
        return None


def encode_groups(groups: bytes) -> bytes:
    """The texts of many such groups, each of `GROUP_DIGITS`, the first of which is none of it."""
    return b2a_base64(groups, newline=False).translate(_TO_HLC)


def parse_revision(text: str) -> int:
    """The id a `_rev` stands for; `REVISION_MAX` for a text that is none.

    Never raises. A text that begins with "1" to "9" is an old decimal id, whatever follows: that is
    how a real server reads it, unchecked and modulo 2**64. Source: revision tree, section 1.4.
    """
    if not "1" <= text[:1] <= "9":
        return decode_hlc(text)
    revision = 0
    for byte in text.encode("utf-8", "surrogatepass"):
        signed = byte - 256 if byte > 127 else byte
        revision = (revision * 10 + signed - ord("0")) & REVISION_MAX
    return revision


class HybridLogicalClock:
    """Gives ids that grow strictly, also while the wall clock stands still or goes back.

    Reads no clock itself: the caller hands in milliseconds since 1970. Feeding it every id that
    comes from elsewhere makes later local ids larger than those. Each millisecond's counter starts
    at `first_count` (20 bits; a real server starts at 0): clocks with different ones rarely give
    one id twice. Source: revision tree, section 1.2.
    """

    __slots__ = ("_first_count", "_last")

    def __init__(self, last: int = 0, first_count: int = 0) -> None:
        self._last = _checked(last)
        self._first_count = first_count & _COUNTER_MASK

    @property
    def last(self) -> int:
        """The newest id given or observed so far; 0 at first."""
        return self._last

    def next(self, physical_ms: int) -> int:
        """A new id for a local write at `physical_ms`.

        Raises `OverflowError` at the end of the 64-bit range and leaves the clock as it was.
        """
        stamp = self._last + 1  # a full counter carries into the milliseconds
        if physical_ms > self._last >> _COUNTER_BITS:
            stamp = (physical_ms << _COUNTER_BITS) + self._first_count
        self._last = _checked(stamp)
        return stamp

    def observe(self, received: int, physical_ms: int) -> int:
        """A new id, larger than `received` and than all before, on learning an id from elsewhere.

        Raises `OverflowError` when there is none in 64 bits (so for an undecodable id) and leaves
        the clock as it was.
        """
        last_ms = self._last >> _COUNTER_BITS
        received_ms = received >> _COUNTER_BITS
        newest_ms = max(last_ms, received_ms, physical_ms)
        if newest_ms == last_ms == received_ms:
            counter = max(self._last & _COUNTER_MASK, received & _COUNTER_MASK) + 1
        elif newest_ms == last_ms:
            counter = (self._last & _COUNTER_MASK) + 1
        elif newest_ms == received_ms:
            counter = (received & _COUNTER_MASK) + 1
        else:
            counter = self._first_count
        self._last = _checked((newest_ms << _COUNTER_BITS) + counter)
        return self._last


def _checked(stamp: int) -> int:
    if not 0 <= stamp <= REVISION_MAX:
        raise OverflowError(f"clock stamp {stamp} does not fit into 64 unsigned bits")
    return stamp
