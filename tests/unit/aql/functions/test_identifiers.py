"""Functions about handles, and UUIDs."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from arangorep.aql.context import Context, Environment
from arangorep.aql.functions import find_function

CASES: dict[str, Any] = {
    "PARSE_IDENTIFIER('users/john')": {"collection": "users", "key": "john"},
    "PARSE_IDENTIFIER({_id: 'users/john'})": {"collection": "users", "key": "john"},
    "PARSE_COLLECTION('users/john')": "users",
    "PARSE_KEY('users/john')": "john",
    "PARSE_KEY({_id: 'users/john', _key: 'x'})": "john",
    "IS_SAME_COLLECTION('users', 'users/john')": True,
    "IS_SAME_COLLECTION('users', {_id: 'users/john'})": True,
    "IS_SAME_COLLECTION('users', 'edges/1')": False,
    "IS_SAME_COLLECTION('users/1', 'users/2')": True,
}

BAD = ["'users'", "'a/b/c'", "'/b'", "'a/'", "1", "null", "{}", "{_id: 1}", "[]"]


@pytest.mark.parametrize("text", CASES)
def test_values(value_of: Callable[..., Any], text: str) -> None:
    assert value_of(text) == CASES[text]


@pytest.mark.parametrize("argument", BAD)
def test_what_is_no_handle_gives_null_and_warns(
    evaluate: Callable[..., Any], argument: str
) -> None:
    for name in ("PARSE_IDENTIFIER", "PARSE_COLLECTION", "PARSE_KEY"):
        evaluated = evaluate(f"{name}({argument})")
        assert evaluated.value is None
        assert evaluated.warnings == [1542]
    if argument != "'users'":
        assert evaluate(f"IS_SAME_COLLECTION('users', {argument})").warnings == [1542]


def test_uuids_are_of_version_4() -> None:
    environment = Environment(now_ms=lambda: 0, random=random.Random(1).random)
    function = find_function("UUID")
    assert function is not None
    made = {function.call(Context({}, environment)) for _ in range(1000)}
    assert len(made) == 1000
    for text in made:
        parsed = uuid.UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (4, uuid.RFC_4122)
