"""Functions about objects. An object argument that is none makes the value null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.conversions import to_bool, to_text
from arangorep.aql.function import Function, wrong_type

if TYPE_CHECKING:
    from arangorep.aql.context import Context


def _has(context: Context, value: Any, name: Any) -> bool:
    """Whether an object has the attribute, or what a path of names in an array leads to."""
    names = name if isinstance(name, list) else [name]
    if not names:
        return False
    for step in names:
        text = to_text(context, step)
        if not isinstance(value, dict) or text not in value:
            return False
        value = value[text]
    return True


def _attributes(context: Context, value: Any, plain: Any = False, in_order: Any = False) -> Any:
    """The names; without those that start with `_`, and sorted, if wanted."""
    if not isinstance(value, dict):
        return wrong_type(context, "ATTRIBUTES")
    names = [name for name in value if not (to_bool(plain) and name.startswith("_"))]
    return sorted(names) if to_bool(in_order) else names


def _values(context: Context, value: Any, plain: Any = False) -> Any:
    """The values; without those whose names start with `_`, if wanted."""
    if not isinstance(value, dict):
        return wrong_type(context, "VALUES")
    is_plain = to_bool(plain)
    return [member for name, member in value.items() if not (is_plain and name.startswith("_"))]


def _keep(context: Context, value: Any, *names: Any) -> Any:
    """Only the named attributes, in the order that they have."""
    if not isinstance(value, dict):
        return wrong_type(context, "KEEP")
    kept = _names(context, names)
    return {name: member for name, member in value.items() if name in kept}


def _unset(context: Context, value: Any, *names: Any) -> Any:
    """All but the named attributes."""
    if not isinstance(value, dict):
        return wrong_type(context, "UNSET")
    dropped = _names(context, names)
    return {name: member for name, member in value.items() if name not in dropped}


def _names(context: Context, names: tuple[Any, ...]) -> set[str]:
    """Names that stand as arguments or in arrays."""
    found: set[str] = set()
    for name in names:
        if isinstance(name, list):
            found.update(to_text(context, one) for one in name)
        else:
            found.add(to_text(context, name))
    return found


def _merge(context: Context, *values: Any) -> Any:
    """The attributes of all objects, or of those in a single array; later ones win."""
    objects = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    merged: dict[str, Any] = {}
    for one in objects:
        if not isinstance(one, dict):
            return wrong_type(context, "MERGE")
        context.spend(len(one))
        merged.update(one)
    return merged


def _zip(context: Context, names: Any, values: Any) -> Any:
    """An object of two arrays, names and values; of equal names the first one counts."""
    if not (isinstance(names, list) and isinstance(values, list) and len(names) == len(values)):
        return wrong_type(context, "ZIP")
    made: dict[str, Any] = {}
    for name, value in zip(names, values, strict=True):
        made.setdefault(to_text(context, name), value)
    return made


FUNCTIONS: Final = (
    Function("HAS", _has, 2, 2),
    Function("ATTRIBUTES", _attributes, 1, 3, makes=True),
    Function("VALUES", _values, 1, 2, makes=True),
    Function("KEEP", _keep, 2, None, makes=True),
    Function("UNSET", _unset, 2, None, makes=True),
    Function("MERGE", _merge, 1, None, makes=True),
    Function("ZIP", _zip, 2, 2, makes=True),
)
