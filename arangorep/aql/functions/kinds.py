"""Functions about types: conversions, checks, JSON and the first value that is not null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.conversions import normal_number, to_array, to_bool, to_json, to_number, to_text
from arangorep.aql.function import Function, wrong_type
from arangorep.aql.ordering import type_name
from arangorep.codec import json
from arangorep.errors import CorruptedJson

if TYPE_CHECKING:
    from collections.abc import Callable

    from arangorep.aql.context import Context

_PARSED_WEIGHT: Final = 8
"""A character of JSON makes at most this much: `[0,0,…` has a node for each two of them."""


def _to_bool(context: Context, value: Any) -> bool:
    return to_bool(value)


def _to_number(context: Context, value: Any) -> int | float | None:
    return normal_number(context, to_number(value))


def _to_array(context: Context, value: Any) -> list[Any]:
    return to_array(value)


def _type_name(context: Context, value: Any) -> str:
    return type_name(value)


def _checks(*names: str) -> Callable[[Context, Any], bool]:
    def is_one_of(context: Context, value: Any) -> bool:
        return type_name(value) in names

    return is_one_of


def _not_null(context: Context, *values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _json_parse(context: Context, text: Any) -> Any:
    if not isinstance(text, str):
        return wrong_type(context, "JSON_PARSE")
    context.expect(_PARSED_WEIGHT * len(text))
    try:
        return json.loads(text.encode())
    except CorruptedJson:
        return wrong_type(context, "JSON_PARSE")


FUNCTIONS: Final = (
    Function("TO_BOOL", _to_bool, 1, 1),
    Function("TO_NUMBER", _to_number, 1, 1),
    Function("TO_STRING", to_text, 1, 1),
    Function("TO_ARRAY", _to_array, 1, 1, makes=True),
    Function("TO_LIST", _to_array, 1, 1, makes=True),
    Function("TYPENAME", _type_name, 1, 1),
    Function("IS_NULL", _checks("null"), 1, 1),
    Function("IS_BOOL", _checks("bool"), 1, 1),
    Function("IS_NUMBER", _checks("number"), 1, 1),
    Function("IS_STRING", _checks("string"), 1, 1),
    Function("IS_ARRAY", _checks("array"), 1, 1),
    Function("IS_LIST", _checks("array"), 1, 1),
    Function("IS_OBJECT", _checks("object"), 1, 1),
    Function("IS_DOCUMENT", _checks("object"), 1, 1),
    Function("NOT_NULL", _not_null, 1, None),
    Function("JSON_STRINGIFY", to_json, 1, 1),
    Function("JSON_PARSE", _json_parse, 1, 1),
)
