"""Documents: handles, edge attributes, patches and the ways to name a document in an array.

Source: data-api 5.5, 6.5, 6.6, 6.9.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

from arangorep import limits
from arangorep.errors import DocumentHandleBad, DocumentKeyBad, InvalidEdgeAttribute
from arangorep.values.names import KEY_PATTERN, NAME_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping

SYSTEM_ATTRIBUTES: Final = frozenset({"_key", "_id", "_rev"})
"""Kept by the server beside the body. `_from` and `_to` are part of the body (data-api 5.5)."""

_NAME_MAX: Final = limits.COLLECTION_NAME_BYTES_MAX
# The lookahead bounds the part before the slash; in ASCII text that already counts bytes.
_is_handle = re.compile(
    rf"(?=[^/]{{1,{_NAME_MAX}}}/)(?:[0-9]+|{NAME_PATTERN})/{KEY_PATTERN}"
).fullmatch


def is_handle(text: object) -> bool:
    """Whether it is a `<collection name or id>/<key>` that `_from` and `_to` may hold.

    Neither the collection nor the document has to exist. Source: data-api 5.5.
    """
    if not isinstance(text, str) or _is_handle(text) is None:
        return False
    return text.isascii() or _is_stored_form(text.partition("/")[0])


def split_handle(text: object) -> tuple[str, str]:
    """Collection part (name or id) and key of a handle.

    Raises `DocumentHandleBad` (1205). Source: data-api 5.5.
    """
    if not isinstance(text, str) or not is_handle(text):
        raise DocumentHandleBad
    collection, _, key = text.partition("/")
    return collection, key


def check_edge(document: Mapping[str, Any]) -> None:
    """Check the whole body of an edge; after a patch that is the merged body.

    Raises `InvalidEdgeAttribute` (1233) unless `_from` and `_to` are both handles.
    Source: data-api 5.5, 6.2.
    """
    if not (is_handle(document.get("_from")) and is_handle(document.get("_to"))):
        raise InvalidEdgeAttribute


def merge_patch(
    old: dict[str, Any], patch: dict[str, Any], *, keep_null: bool, merge_objects: bool
) -> dict[str, Any]:
    """The body after a patch; both are bodies without system attributes.

    Neither argument is changed; the result shares unchanged values with both. Arrays are replaced
    as they are, nulls inside them included. Source: data-api 6.5.
    """
    merged = dict(old)
    for name, value in patch.items():
        if value is None and not keep_null:
            merged.pop(name, None)
            continue
        if isinstance(value, dict):
            stored = old.get(name)
            if merge_objects and isinstance(stored, dict):
                value = merge_patch(stored, value, keep_null=keep_null, merge_objects=True)
            elif not keep_null:
                value = _without_nulls(value)
        merged[name] = value
    return merged


def key_of(item: object) -> str:
    """The key that an element of a multi-document read or remove names.

    A string is a key or a handle, an object has `_key` or else `_id`. What stands before the slash
    is not looked at, and neither is the alphabet of the key: a key that cannot exist is not found.
    Raises `DocumentKeyBad` (1221) for a `_key` that is empty or no string, `DocumentHandleBad`
    (1205) for everything else without a key. Source: data-api 6.6, 6.7, 6.9.
    """
    if isinstance(item, str):
        head, slash, tail = item.partition("/")
        key = tail if slash else head
    elif not isinstance(item, dict):
        key = ""
    elif "_key" in item:
        return _key_attribute(item["_key"])
    else:
        handle = item.get("_id")
        key = handle.partition("/")[2] if isinstance(handle, str) else ""
    if not key:
        raise DocumentHandleBad
    return key


def _key_attribute(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise DocumentKeyBad
    return value


def _is_stored_form(name: str) -> bool:
    """Whether a name of legal characters is also short and normalized enough to be in use."""
    return len(name.encode()) <= _NAME_MAX and unicodedata.is_normalized("NFC", name)


def _without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_nulls(member) if isinstance(member, dict) else member
        for name, member in value.items()
        if member is not None
    }
