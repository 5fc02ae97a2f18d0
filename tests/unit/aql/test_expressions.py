"""Parts of expressions that a text cannot show."""

from __future__ import annotations

import pytest

from arangorep.aql.context import Context, Environment
from arangorep.aql.expressions import ArrayLiteral, Bind, Constant, ObjectLiteral, Variable, path_of
from arangorep.errors import BindParameterType


def test_values_are_shared_and_literals_are_new(environment: Environment) -> None:
    shared: list[int] = [1]
    context = Context({"b": shared}, environment)
    assert Bind("b").evaluate({}, context) is shared
    assert Variable("v").evaluate({"v": shared}, context) is shared
    array = ArrayLiteral((Bind("b"), Constant(2)))
    assert array.evaluate({}, context) == [[1], 2]
    assert array.evaluate({}, context) is not array.evaluate({}, context)
    made = ObjectLiteral(((Constant("a"), Bind("b")),)).evaluate({}, context)
    assert made["a"] is shared


def test_paths_of_bind_values() -> None:
    assert path_of("p", "a.b") == ["a.b"]
    assert path_of("p", ["a", "b"]) == ["a", "b"]
    with pytest.raises(BindParameterType) as caught:
        path_of("p", 1)
    assert "'p'" in caught.value.message
    assert caught.value.error_num == 1553
