"""JSON as bytes: parsing with the server's errors, writing without escaping UTF-8.

Numbers keep 64-bit integers exactly; beyond that they become doubles (data-api 6.1).
"""

from __future__ import annotations

from typing import Any

import orjson

from arangorep.errors import CorruptedJson
from arangorep.limits import JSON_DEPTH_MAX

_TOO_DEEP = "VPackError error: Too deep nesting in Array/Object"

Fragment = orjson.Fragment
"""Bytes that are JSON already, copied into a larger value instead of being parsed."""


def dumps(value: Any) -> bytes:
    """Plain values (and `Fragment`s) to compact UTF-8 bytes.

    Errors: 400/600 for what nests so deep that it cannot be written; it came from `loads_shallow`.
    """
    return dumps_all([value])[0]


def dumps_all(values: list[Any]) -> list[bytes]:
    """`dumps` of each. Errors: 400/600 when any of them nests too deep."""
    try:
        return [orjson.dumps(value) for value in values]
    except orjson.JSONEncodeError as error:
        if "Recursion limit" in str(error):
            raise CorruptedJson(_TOO_DEEP) from None
        raise


def dumps_indented(value: Any, level: int) -> bytes:
    """For people: two blanks for each level, and `level` more of them in front of each line."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    blanks = b"  " * level
    # line breaks of strings are escaped: every one here is between members
    return blanks + text.replace(b"\n", b"\n" + blanks)


def loads(data: bytes) -> Any:
    """Parse one JSON value. Errors: 400/600 for anything that is not JSON or nests too deep."""
    value = loads_shallow(data)
    if may_be_too_deep(data):
        check_depth(value)
    return value


def loads_shallow(data: bytes) -> Any:
    """Like `loads`, for callers that check the depth themselves, part by part."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CorruptedJson(f"VPackError error: {error}") from None


def may_be_too_deep(data: bytes) -> bool:
    """Whether `data` has enough brackets to nest deeper than allowed; cheap, no false 'no'."""
    return data.count(b"{") + data.count(b"[") > JSON_DEPTH_MAX


def check_depth(value: Any) -> None:
    """Refuse values that nest deeper than `JSON_DEPTH_MAX`. Errors: 400/600."""
    level = [value]
    for _ in range(JSON_DEPTH_MAX):
        below: list[Any] = []
        for container in level:
            if isinstance(container, dict):
                below.extend(v for v in container.values() if isinstance(v, (dict, list)))
            elif isinstance(container, list):
                below.extend(v for v in container if isinstance(v, (dict, list)))
        if not below:
            return
        level = below
    raise CorruptedJson(_TOO_DEEP)


def json_text(text: str) -> bytes:
    """`text` as the inside of a JSON string: escaped, UTF-8, without the quotes."""
    return orjson.dumps(text)[1:-1]
