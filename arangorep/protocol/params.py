"""Query parameters with the server's parsing rules (leader-api 10.3, data-api 1.2).

Numbers are the leading digits, garbage is 0; booleans are true for a handful of words and false for
everything else. Only broken percent-encoding or text that is not UTF-8 is an error.
"""

from __future__ import annotations

import math
import re
from urllib.parse import unquote_to_bytes

from arangorep.errors import BadParameter

TRUE_WORDS = frozenset({"true", "yes", "on", "y", "1", "✓"})
PRESENCE_ONLY = frozenset({"onlyget", "pretty"})
"""Parameters that need no value; others without `=` are ignored (data-api 1.2, backups 2.5)."""

U64_MAX = 2**64 - 1
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LEADING_DIGITS = re.compile(r"[0-9]+")
_CLIENT_ID = re.compile(r"[1-9][0-9]{0,19}")


def decode_part(text: str) -> str:
    """Percent-decode one path part. Errors: 400/10."""
    if "%" not in text and text.isascii():
        return text
    if _BROKEN_PERCENT.search(text):
        raise BadParameter("bad parameter: broken percent-encoding in the URL")
    try:
        return unquote_to_bytes(text.encode(errors="surrogateescape")).decode()
    except UnicodeDecodeError:
        raise BadParameter("bad parameter: the URL is not UTF-8") from None


def parse_number(text: str) -> int:
    """The leading digits as a number; none or beyond 64 bit: 0."""
    found = _LEADING_DIGITS.match(text.strip())
    # longer digit runs cannot be a u64 and are not worth converting
    digits = found[0].lstrip("0") if found is not None else ""
    if not digits or len(digits) > 20:
        return 0
    number = int(digits)
    return number if number <= U64_MAX else 0


def parse_flag(text: str) -> bool:
    """Whether the text is one of the words for true."""
    return text.strip().lower() in TRUE_WORDS


def parse_client_id(text: str) -> int:
    """`syncerId`: digits, no leading zero, above zero, 64 bit. Errors: 400/10 (leader-api 2.1)."""
    if not _CLIENT_ID.fullmatch(text) or int(text) > U64_MAX:
        raise BadParameter("bad parameter: syncerId must be a positive number")
    return int(text)


def number_of(value: object) -> float | None:
    """A JSON number as float; None for anything else, also for booleans."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


class Query:
    """The parameters of one request; the last of repeated ones wins."""

    __slots__ = ("_values", "raw")

    def __init__(self, raw: str) -> None:
        self.raw = raw
        self._values: dict[str, str] = {}
        if not raw:
            return
        pairs = raw.split("&")
        if pairs[-1].endswith("="):
            pairs.pop()  # a trailing `name=` counts as absent
        for pair in pairs:
            name, equals, value = pair.partition("=")
            if name and (equals or name in PRESENCE_ONLY):
                decoded = decode_part(value.replace("+", " "))
                self._values[decode_part(name.replace("+", " "))] = decoded

    def names(self) -> list[str]:
        """The names that are given."""
        return list(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """The value as it is."""
        return self._values.get(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        """As boolean; unknown words are false, only absence gives the default."""
        value = self._values.get(name)
        return default if value is None else parse_flag(value)

    def has_flag(self, name: str) -> bool:
        """As boolean of a parameter that may stand without a value and is true then."""
        value = self._values.get(name)
        return value is not None and (not value or parse_flag(value))

    def number(self, name: str, default: int = 0) -> int:
        """As unsigned 64-bit number; garbage is 0, only absence gives the default."""
        value = self._values.get(name)
        return default if value is None else parse_number(value)
