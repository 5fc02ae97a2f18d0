"""Functions about strings. Positions and lengths count code points, the first one is 0."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from arangorep.aql.context import NODE_WEIGHT
from arangorep.aql.conversions import checked_text, joined, to_bool, to_integer, to_text
from arangorep.aql.function import Function, wrong_type

if TYPE_CHECKING:
    from arangorep.aql.context import Context

_SPACE: Final = " \t\r\n"
_COMPILING_WORK: Final = 64
"""Weight that a character of an expression costs when it is compiled."""

_BOTH, _LEFT, _RIGHT = 0, 1, 2


# -- joining -------------------------------------------------------------------------------


def _concat(context: Context, *values: Any) -> str:
    """Nulls are left out; a single array stands for its elements."""
    return _joined(context, "", values)


def _concat_separator(context: Context, separator: Any, *values: Any) -> str:
    return _joined(context, to_text(context, separator), values)


def _joined(context: Context, separator: str, values: tuple[Any, ...]) -> str:
    parts = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    texts = [to_text(context, part) for part in parts if part is not None]
    return joined(context, separator, texts)


# -- length and parts -------------------------------------------------------------------------


def length(context: Context, value: Any) -> int:
    """Elements of an array, attributes of an object, 1 for true, characters of all else."""
    if isinstance(value, (list, dict)):
        return len(value)
    if isinstance(value, bool):
        return int(value)
    return len(to_text(context, value))


def _char_length(context: Context, value: Any) -> int:
    return len(to_text(context, value))


def _substring(context: Context, value: Any, offset: Any, count: Any = None) -> str:
    """A negative offset counts from the end; without a count it goes to the end."""
    text = to_text(context, value)
    start = to_integer(offset)
    if start < 0:
        start = max(start + len(text), 0)
    if count is None:
        return text[start:]
    return text[start : start + max(to_integer(count), 0)]


def _left(context: Context, value: Any, count: Any) -> str:
    return to_text(context, value)[: max(to_integer(count), 0)]


def _right(context: Context, value: Any, count: Any) -> str:
    text = to_text(context, value)
    return text[max(len(text) - max(to_integer(count), 0), 0) :]


def _split(context: Context, value: Any, separator: Any = None, limit: Any = None) -> Any:
    """Parts between separators, at most `limit` of them; several separators in an array."""
    text = to_text(context, value)
    if separator is None:
        return [text]
    most = None if limit is None else to_integer(limit)
    if most is not None and most < 0:
        return wrong_type(context, "SPLIT")
    several = separator if isinstance(separator, list) else [separator]
    separators = [to_text(context, one) for one in several]
    context.expect((NODE_WEIGHT + 1) * len(text) + sum(map(len, separators)))
    if "" in separators:
        parts = list(text)
    elif len(separators) == 1:
        parts = text.split(separators[0])
    else:
        parts = _any_of(context, separators).split(text) if separators else [text]
    return parts[:most]


# -- changing -------------------------------------------------------------------------------


def _lower(context: Context, value: Any) -> str:
    return checked_text(context, to_text(context, value).lower())


def _upper(context: Context, value: Any) -> str:
    return checked_text(context, to_text(context, value).upper())


def _trim(context: Context, value: Any, what: Any = _BOTH) -> str:
    """The second argument is the characters to cut off, or 0 both sides, 1 left, 2 right."""
    text = to_text(context, value)
    if isinstance(what, str):
        return text.strip(what)
    side = to_integer(what)
    if side == _LEFT:
        return text.lstrip(_SPACE)
    return text.rstrip(_SPACE) if side == _RIGHT else text.strip(_SPACE)


def _trim_left(context: Context, value: Any, characters: Any = _SPACE) -> str:
    return to_text(context, value).lstrip(to_text(context, characters))


def _trim_right(context: Context, value: Any, characters: Any = _SPACE) -> str:
    return to_text(context, value).rstrip(to_text(context, characters))


def _substitute(
    context: Context, value: Any, search: Any, replacement: Any = None, limit: Any = None
) -> Any:
    """Every search string by its replacement, from left to right, at most `limit` times.

    The search is a string, an array with a replacement for all or an array of them, or an object
    of searches and replacements (then the limit is the third argument).
    """
    text = to_text(context, value)
    if isinstance(search, dict):
        limit = replacement
        pairs = {name: to_text(context, new) for name, new in search.items()}
    else:
        pairs = _pairs(context, search, replacement)
    most = -1 if limit is None else to_integer(limit)
    if limit is not None and most < 0:
        return wrong_type(context, "SUBSTITUTE")
    pairs.pop("", None)
    if not pairs or most == 0:
        return text
    return _replaced(context, text, pairs, most)


def _pairs(context: Context, search: Any, replacement: Any) -> dict[str, str]:
    searches = search if isinstance(search, list) else [search]
    if isinstance(replacement, list):
        news = [to_text(context, new) for new in replacement[: len(searches)]]
        news += [""] * (len(searches) - len(news))
    else:
        news = [to_text(context, replacement)] * len(searches)
    old = [to_text(context, one) for one in searches]
    # of equal searches the first one counts
    return dict(zip(reversed(old), reversed(news), strict=True))


def _replaced(context: Context, text: str, pairs: dict[str, str], most: int) -> str:
    if len(pairs) == 1:
        ((old, new),) = pairs.items()
        count = text.count(old) if most < 0 else min(text.count(old), most)
        context.expect(len(text) + count * (len(new) - len(old)))
        return text.replace(old, new, most)
    parts = []
    position = 0
    for found in _any_of(context, sorted(pairs, key=len, reverse=True)).finditer(text):
        context.spend(2 * NODE_WEIGHT)
        parts += [text[position : found.start()], pairs[found.group()]]
        position = found.end()
        most -= 1
        if most == 0:
            break
    return joined(context, "", [*parts, text[position:]])


def _any_of(context: Context, texts: list[str]) -> re.Pattern[str]:
    """Finds the first of some texts: literals only, so that each place is looked at once."""
    context.expect(_COMPILING_WORK * sum(map(len, texts)))
    return re.compile("|".join(map(re.escape, texts)))


# -- searching -------------------------------------------------------------------------------


def _contains(context: Context, value: Any, search: Any, as_index: Any = False) -> bool | int:
    """Whether, or with a true third argument where; an empty search is nowhere."""
    wanted = to_text(context, search)
    index = to_text(context, value).find(wanted) if wanted else -1
    return index if to_bool(as_index) else index >= 0


def _find_first(
    context: Context, value: Any, search: Any, start: Any = None, end: Any = None
) -> int:
    """The first place at or behind `start` that ends at or before `end`, both included; or -1."""
    text, wanted = to_text(context, value), to_text(context, search)
    first = 0 if start is None else to_integer(start)
    last = len(text) - 1 if end is None else to_integer(end)
    if first < 0 or last < 0:
        return -1
    return text.find(wanted, first, last + 1)


def _starts_with(context: Context, value: Any, prefix: Any, least: Any = 1) -> bool:
    """With an array of prefixes, whether at least so many of them fit."""
    text = to_text(context, value)
    if isinstance(prefix, list):
        fitting = sum(text.startswith(to_text(context, one)) for one in prefix)
        return fitting >= to_integer(least)
    return text.startswith(to_text(context, prefix))


# -- digests -------------------------------------------------------------------------------


def _md5(context: Context, value: Any) -> str:
    return hashlib.md5(to_text(context, value).encode(), usedforsecurity=False).hexdigest()


def _sha1(context: Context, value: Any) -> str:
    return hashlib.sha1(to_text(context, value).encode(), usedforsecurity=False).hexdigest()


def _sha256(context: Context, value: Any) -> str:
    return hashlib.sha256(to_text(context, value).encode()).hexdigest()


FUNCTIONS: Final = (
    Function("CONCAT", _concat, 1, None),
    Function("CONCAT_SEPARATOR", _concat_separator, 2, None),
    Function("LENGTH", length, 1, 1),
    Function("COUNT", length, 1, 1),
    Function("CHAR_LENGTH", _char_length, 1, 1),
    Function("SUBSTRING", _substring, 2, 3),
    Function("LEFT", _left, 2, 2),
    Function("RIGHT", _right, 2, 2),
    Function("SPLIT", _split, 1, 3, makes=True),
    Function("LOWER", _lower, 1, 1),
    Function("UPPER", _upper, 1, 1),
    Function("TRIM", _trim, 1, 2),
    Function("LTRIM", _trim_left, 1, 2),
    Function("RTRIM", _trim_right, 1, 2),
    Function("SUBSTITUTE", _substitute, 2, 4),
    Function("CONTAINS", _contains, 2, 3),
    Function("FIND_FIRST", _find_first, 2, 4),
    Function("STARTS_WITH", _starts_with, 2, 3),
    Function("MD5", _md5, 1, 1),
    Function("SHA1", _sha1, 1, 1),
    Function("SHA256", _sha256, 1, 1),
)
