"""Functions about document handles, and `UUID`.

A handle is given as a string or as an object with `_id`; it is looked at, nothing is looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.function import Function, wrong_type
from arangorep.values.document import is_handle, split_handle

if TYPE_CHECKING:
    from arangorep.aql.context import Context


def _parse_identifier(context: Context, value: Any) -> Any:
    parts = _parts(value)
    if parts is None:
        return wrong_type(context, "PARSE_IDENTIFIER")
    return {"collection": parts[0], "key": parts[1]}


def _parse_collection(context: Context, value: Any) -> Any:
    parts = _parts(value)
    return wrong_type(context, "PARSE_COLLECTION") if parts is None else parts[0]


def _parse_key(context: Context, value: Any) -> Any:
    parts = _parts(value)
    return wrong_type(context, "PARSE_KEY") if parts is None else parts[1]


def _is_same_collection(context: Context, collection: Any, value: Any) -> Any:
    """Both arguments may be a name or a handle; null if one is neither."""
    left, right = _collection(collection), _collection(value)
    if left is None or right is None:
        return wrong_type(context, "IS_SAME_COLLECTION")
    return left == right


def _parts(value: Any) -> tuple[str, str] | None:
    handle = value.get("_id") if isinstance(value, dict) else value
    return split_handle(handle) if is_handle(handle) else None


def _collection(value: Any) -> str | None:
    if isinstance(value, str) and "/" not in value:
        return value
    parts = _parts(value)
    return None if parts is None else parts[0]


def _uuid(context: Context) -> str:
    """A random one, version 4."""
    words = [int(context.environment.random() * 2**32) for _ in range(4)]
    digits = "".join(f"{word:08x}" for word in words)
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


FUNCTIONS: Final = (
    Function("PARSE_IDENTIFIER", _parse_identifier, 1, 1, makes=True),
    Function("PARSE_COLLECTION", _parse_collection, 1, 1),
    Function("PARSE_KEY", _parse_key, 1, 1),
    Function("IS_SAME_COLLECTION", _is_same_collection, 2, 2),
    Function("UUID", _uuid, 0, 0),
)
