"""Key generators: `keyOptions`, generated keys and what a key given by a user does to them.

A generator has no state of its own: the last value is passed in and handed back, so that it can be
part of the same commit as the document. Source: data-api 5.6.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from arangorep import limits
from arangorep.errors import DocumentKeyBad, DocumentKeyUnexpected, InvalidKeyGenerator, OutOfKeys
from arangorep.values.names import check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_TYPES: Final = frozenset({"traditional", "autoincrement", "padded", "uuid"})
_U64_MAX: Final = 2**64 - 1
_MAYBE_NUMBERS: Final = frozenset(b"0123456789abcdefABCDEF")

_leading_digits = re.compile(r"[0-9]+").match
_is_number = re.compile(r"[0-9]+").fullmatch
_is_padded = re.compile(r"[0-9a-fA-F]{16}").fullmatch


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """How a collection makes keys; `increment` and `offset` count for autoincrement only."""

    type: str = "traditional"
    allow_user_keys: bool = True
    increment: int = 1
    offset: int = 0

    def describe(self, last_value: int) -> dict[str, Any]:
        """The `keyOptions` member of collection properties. Source: data-api 5.2."""
        described: dict[str, Any] = {"allowUserKeys": self.allow_user_keys, "type": self.type}
        if self.type != "uuid":
            described["lastValue"] = last_value
        if self.type == "autoincrement":
            described["offset"] = self.offset
            described["increment"] = self.increment
        return described


def parse_key_options(value: object) -> tuple[KeyOptions, int]:
    """The options and the last value a collection starts with; anything but an object: defaults.

    Raises `InvalidKeyGenerator` (1232) for members of the wrong kind or range, and for members
    that the type does not know. Source: data-api 5.3, 5.6.
    """
    if not isinstance(value, dict):
        return KeyOptions(), 0
    kind = value.get("type", "traditional")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise InvalidKeyGenerator("invalid key generator type")
    kind = kind.lower()
    allow_user_keys = value.get("allowUserKeys", True)
    if not isinstance(allow_user_keys, bool):
        raise InvalidKeyGenerator("'allowUserKeys' must be a boolean")
    if kind != "autoincrement" and ("increment" in value or "offset" in value):
        raise InvalidKeyGenerator(f"'increment' and 'offset' do not fit key generator '{kind}'")
    if kind == "uuid" and "lastValue" in value:
        raise InvalidKeyGenerator("'lastValue' does not fit key generator 'uuid'")
    options = KeyOptions(
        type=kind,
        allow_user_keys=allow_user_keys,
        increment=_number(value, "increment", 1, low=1, high=limits.AUTOINCREMENT_INCREMENT_MAX),
        offset=_number(value, "offset", 0),
    )
    return options, _number(value, "lastValue", 0)


def generate(options: KeyOptions, last_value: int, next_tick: Callable[[], int]) -> tuple[str, int]:
    """A new key and the new last value; `next_tick` draws from the server's tick counter.

    Raises `OutOfKeys` (1225) when the next value needs more than 64 bits. Source: data-api 5.6.
    """
    if options.type == "uuid":
        return str(uuid.uuid4()), last_value
    if options.type == "autoincrement":
        value = _next_increment(options, last_value)
    else:
        value = max(next_tick(), last_value + 1)
    if value > _U64_MAX:
        raise OutOfKeys
    return f"{value:016x}" if options.type == "padded" else str(value), value


def track(options: KeyOptions, last_value: int, key: str) -> int:
    """The last value after a document was stored under a key that was not generated.

    For keys of clients and of a leader alike: it never refuses a key. Source: data-api 5.6.
    """
    # Most collections are traditional, and most keys given by users do not start with a digit.
    if options.type == "traditional":
        if not "0" <= key[:1] <= "9":
            return last_value
        digits = _leading_digits(key)
        number = int(digits[0]) if digits else 0
    elif options.type == "autoincrement":
        number = int(key) if _is_number(key) else 0
    elif options.type == "padded":
        number = int(key, 16) if _is_padded(key) else 0
    else:
        return last_value
    return number if last_value < number <= _U64_MAX else last_value


def track_all(options: KeyOptions, last_value: int, names: Iterable[bytes]) -> int:
    """`track` for many keys, most of which are seen at once to be no numbers."""
    for name in names:
        if name[0] in _MAYBE_NUMBERS:
            last_value = track(options, last_value, name.decode())
    return last_value


def check_user_key(options: KeyOptions, key: object) -> str:
    """The `_key` of a client's new document, if the collection takes it.

    Raises `DocumentKeyUnexpected` (1222) if users may not choose keys, `DocumentKeyBad` (1221) if
    it is not a legal key or, with autoincrement, not a number. Source: data-api 5.5, 5.6.
    """
    if not options.allow_user_keys:
        raise DocumentKeyUnexpected
    checked = check_key(key)
    if options.type == "autoincrement" and not checked.isdigit():
        raise DocumentKeyBad
    return checked


def _next_increment(options: KeyOptions, last_value: int) -> int:
    """The smallest `offset + n * increment` above the last value."""
    if last_value < options.offset:
        return options.offset
    return last_value + options.increment - (last_value - options.offset) % options.increment


def _number(
    value: dict[str, Any], name: str, default: int, *, low: int = 0, high: int = _U64_MAX
) -> int:
    number = value.get(name, default)
    if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
        raise InvalidKeyGenerator(f"'{name}' must be an integer from {low} to {high}")
    return number
