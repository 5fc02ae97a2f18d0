"""The number of arguments and the warning for their types."""

from __future__ import annotations

import pytest

from arangorep.aql.context import Context, Environment
from arangorep.aql.function import Function, wrong_type
from arangorep.errors import FunctionArgumentCount


def function(least: int, most: int | None) -> Function:
    return Function("F", lambda context: None, least, most)


@pytest.mark.parametrize(
    ("least", "most", "fitting", "others"),
    [(0, 0, [0], [1]), (1, 2, [1, 2], [0, 3]), (2, None, [2, 99], [0, 1])],
)
def test_counts(least: int, most: int | None, fitting: list[int], others: list[int]) -> None:
    for count in fitting:
        function(least, most).check_count(count)
    for count in others:
        with pytest.raises(FunctionArgumentCount, match=r"'F\(\)'"):
            function(least, most).check_count(count)


def test_wrong_types_warn(environment: Environment) -> None:
    context = Context({}, environment)
    wrong_type(context, "F")
    assert [(w.code, w.message) for w in context.warnings] == [
        (1542, "invalid argument type in call to function 'F()'")
    ]
