"""What the one who runs a plan asks it."""

from __future__ import annotations

from typing import Any

import pytest

from arangorep.aql.plan import CollectionRef
from arangorep.aql.statements import parse_query
from arangorep.errors import BindParameterType


@pytest.mark.parametrize(
    ("text", "reads", "writes"),
    [
        ("RETURN 1", None, None),
        ("FOR x IN [1] RETURN x", None, None),
        ("FOR x IN a RETURN x", "a", None),
        ("FOR x IN `a b` RETURN x", "a b", None),
        ("FOR x IN @@c RETURN x", "users", None),
        ("FOR x IN @@c REMOVE x IN @@c", "users", "users"),
        ("FOR x IN a INSERT x INTO @@c", "a", "users"),
        ("INSERT {} INTO 'a'", None, "a"),
    ],
)
def test_collections(text: str, reads: str | None, writes: str | None) -> None:
    query = parse_query(text)
    binds = {"@c": "users"}
    assert query.reads(binds) == reads
    assert query.writes(binds) == writes
    assert query.is_write is (writes is not None)


@pytest.mark.parametrize("value", [None, 1, ["users"], {}])
def test_a_collection_is_named_by_a_string(value: Any) -> None:
    with pytest.raises(BindParameterType, match="'@c'") as caught:
        CollectionRef(None, "@c").resolve({"@c": value})
    assert (caught.value.error_num, caught.value.http_status) == (1553, 400)
