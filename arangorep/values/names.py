"""Names of databases, collections and indexes (the extended scheme) and document keys.

All checks see the NFC form, and lengths count UTF-8 bytes. Source: data-api 4.1, 5.1, 5.5, 8.3.
"""

from __future__ import annotations

import re
import unicodedata

from arangorep import limits
from arangorep.errors import DatabaseNameInvalid, DocumentKeyBad, IllegalName

# A lone surrogate has no UTF-8 form, so no client can ever have meant one.
_INSIDE = r"/:\x00-\x1f\ud800-\udfff"

NAME_PATTERN = rf"[^{_INSIDE}0-9. ](?:[^{_INSIDE}]*[^{_INSIDE} ])?"
"""A name without its bounds: the length in bytes and NFC are for the caller to check."""

KEY_PATTERN = rf"[A-Za-z0-9_\-.@()+,=;$!*'%:]{{1,{limits.KEY_BYTES_MAX}}}"
"""A document key; the alphabet is ASCII, so characters count bytes."""

_is_name = re.compile(NAME_PATTERN).fullmatch
_is_key = re.compile(KEY_PATTERN).fullmatch


def normalize_name(text: str) -> str:
    """The NFC form of a name; names are stored and looked up in this form only.

    Source: data-api 4.1.
    """
    return unicodedata.normalize("NFC", text)


def check_database_name(name: object) -> str:
    """The NFC form of a legal name for a new database.

    `_system` is not legal here: it exists already. Raises `DatabaseNameInvalid` (1229) if it is
    not a string, `IllegalName` (1208) if it breaks a rule. Source: data-api 4.1, 4.2.
    """
    if not isinstance(name, str):
        raise DatabaseNameInvalid
    checked = _check_name(name, "database", limits.DATABASE_NAME_BYTES_MAX)
    if checked[0] == "_":
        raise IllegalName("illegal name: a database name must not start with '_'")
    return checked


def check_collection_name(name: object, *, is_system: bool) -> str:
    """The NFC form of a legal collection name.

    A system collection starts with `_` and no other one does. Raises `IllegalName` (1208), also
    if it is not a string. Source: data-api 5.1.
    """
    checked = _check_name(name, "collection", limits.COLLECTION_NAME_BYTES_MAX)
    if (checked[0] == "_") is not is_system:
        raise IllegalName(
            "illegal name: a leading '_' belongs to system collections, and only there"
        )
    return checked


def check_index_name(name: object) -> str:
    """The NFC form of a legal index name; a leading `_` is allowed.

    Raises `IllegalName` (1208), also if it is not a string. Source: data-api 8.3.
    """
    return _check_name(name, "index", limits.INDEX_NAME_BYTES_MAX)


def is_key(key: str) -> bool:
    """Whether the text can be a `_key`. Source: data-api 5.5."""
    return _is_key(key) is not None


def check_key(key: object) -> str:
    """The key itself, if it can be a `_key`.

    Raises `DocumentKeyBad` (1221), also if it is not a string. Source: data-api 5.5.
    """
    if not isinstance(key, str) or _is_key(key) is None:
        raise DocumentKeyBad
    return key


def _check_name(name: object, kind: str, bytes_max: int) -> str:
    if not isinstance(name, str):
        raise IllegalName(f"illegal name: the {kind} name must be a string")
    normalized = normalize_name(name)
    # The pattern comes first: it refuses what could not be encoded.
    if _is_name(normalized) is None or len(normalized.encode()) > bytes_max:
        raise IllegalName(
            f"illegal name: a {kind} name has 1 to {bytes_max} bytes of UTF-8, no '/', ':' or "
            "control character, no leading digit, '.' or blank and no trailing blank"
        )
    return normalized
