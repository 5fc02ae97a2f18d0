"""Bind values: whether a query has exactly those that it names. Source: data-api 9.2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arangorep.aql.expressions import path_of
from arangorep.aql.plan import CollectionRef
from arangorep.errors import BindParameterMissing, BindParameterUndeclared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arangorep.aql.plan import Query


def check_bind_values(query: Query, binds: Mapping[str, Any]) -> None:
    """Check `bindVars`; the value of `@@name` is under `@name`.

    Raises `BindParameterMissing` (1551), `BindParameterUndeclared` (1552) and, for what stands for
    a collection or an attribute without being its name, `BindParameterType` (1553).
    """
    for name in sorted(query.binds - binds.keys()):
        raise BindParameterMissing(f"no value specified for declared bind parameter '{name}'")
    for name in sorted(binds.keys() - query.binds):
        raise BindParameterUndeclared(f"bind parameter '{name}' was not declared in the query")
    for name in sorted(query.binds):
        if name.startswith("@"):
            CollectionRef(None, name).resolve(binds)
    for name in sorted(query.path_binds):
        path_of(name, binds[name])
