"""The functions that expressions may call: one table, from the modules of this folder.

None of them reads collections, and none takes a regular expression: a hostile one would hold the
server. `JSON_PARSE` and everything that makes text or arrays is bounded (`context.expect`).
Where arguments have a type that a function cannot use, its value is null, with a warning.
Source: data-api 5.3, 9.3 and the AQL documentation.
"""

from __future__ import annotations

from typing import Final

from arangorep.aql.function import Function
from arangorep.aql.functions import dates, identifiers, kinds, lists, numbers, objects, text

_TABLE: Final = {
    function.name: function
    for module in (dates, identifiers, kinds, lists, numbers, objects, text)
    for function in module.FUNCTIONS
}


def find_function(name: str) -> Function | None:
    """The function of a name in any case; None for one that is not here."""
    return _TABLE.get(name.upper())


def function_names() -> list[str]:
    """All names, sorted."""
    return sorted(_TABLE)
