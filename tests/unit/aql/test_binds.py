"""Bind values that are missing, too many or of the wrong type (data-api 9.2)."""

from __future__ import annotations

from typing import Any

import pytest

from arangorep.aql.binds import check_bind_values
from arangorep.aql.statements import parse_query
from arangorep.errors import (
    ArangoError,
    BindParameterMissing,
    BindParameterType,
    BindParameterUndeclared,
)

TEXT = "FOR d IN @@c FILTER d.@path == @value RETURN d"
GOOD: dict[str, Any] = {"@c": "users", "path": "a", "value": None}


@pytest.mark.parametrize("path", ["a", "a.b", ["a", "b"]])
def test_good_values(path: Any) -> None:
    check_bind_values(parse_query(TEXT), {**GOOD, "path": path})
    check_bind_values(parse_query("RETURN 1"), {})


@pytest.mark.parametrize(
    ("change", "error", "name"),
    [
        ({"value": ...}, BindParameterMissing, "'value'"),
        ({"@c": ...}, BindParameterMissing, "'@c'"),
        ({"path": ...}, BindParameterMissing, "'path'"),
        ({"other": 1}, BindParameterUndeclared, "'other'"),
        ({"c": "users"}, BindParameterUndeclared, "'c'"),
        ({"@value": 1}, BindParameterUndeclared, "'@value'"),
        ({"@c": 1}, BindParameterType, "'@c'"),
        ({"@c": None}, BindParameterType, "'@c'"),
        ({"path": 1}, BindParameterType, "'path'"),
        ({"path": []}, BindParameterType, "'path'"),
        ({"path": ["a", 1]}, BindParameterType, "'path'"),
    ],
)
def test_bad_values(change: dict[str, Any], error: type[ArangoError], name: str) -> None:
    binds = {key: value for key, value in {**GOOD, **change}.items() if value is not ...}
    with pytest.raises(error) as caught:
        check_bind_values(parse_query(TEXT), binds)
    assert name in caught.value.message
    assert caught.value.http_status == 400
