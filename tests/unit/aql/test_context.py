"""Work and size of values are bounded."""

from __future__ import annotations

from typing import Any

import pytest

from arangorep.aql.context import (
    DIVISION_BY_ZERO,
    INVALID_DATE,
    NODE_WEIGHT,
    Context,
    Environment,
)
from arangorep.errors import ResourceLimit
from arangorep.limits import (
    AQL_VALUE_WEIGHT_MAX,
    AQL_WARNINGS_MAX,
    AQL_WORK_MAX,
    JSON_DEPTH_MAX,
)


@pytest.fixture
def context(environment: Environment) -> Context:
    return Context({}, environment)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_work_ends_and_is_renewed_for_each_row(context: Context) -> None:
    context.spend(AQL_WORK_MAX)
    with pytest.raises(ResourceLimit, match="too much work") as caught:
        context.spend(1)
    assert caught.value.http_status == 400
    context.renew()
    context.spend(AQL_WORK_MAX)


def test_a_value_is_weighed(context: Context) -> None:
    room = AQL_VALUE_WEIGHT_MAX
    assert context.made(["x" * (room - 2 * NODE_WEIGHT)])
    for heavy in (
        ["x" * (room - 2 * NODE_WEIGHT + 1)],
        {"x" * (room - 2 * NODE_WEIGHT + 1): 0},
        [0] * (room // NODE_WEIGHT),
        dict.fromkeys(map(str, range(room // NODE_WEIGHT)), 0),
    ):
        context.renew()
        with pytest.raises(ResourceLimit, match="too large a value"):
            context.made(heavy)


def test_shared_parts_weigh_as_often_as_they_are_shown(context: Context) -> None:
    value: list[Any] = [0]
    with pytest.raises(ResourceLimit, match="too large a value"):  # noqa: PT012
        for _ in range(100):
            context.renew()
            value = context.made([value] * 4)


def test_a_value_may_be_as_deep_as_json(context: Context) -> None:
    assert context.made(nested(JSON_DEPTH_MAX))
    assert context.made({"a": nested(JSON_DEPTH_MAX - 1)})
    for deep in (nested(JSON_DEPTH_MAX + 1), {"a": nested(JSON_DEPTH_MAX)}):
        with pytest.raises(ResourceLimit, match="levels"):
            context.made(deep)


def test_keys_cost_work(context: Context) -> None:
    assert context.key([1, "a"]) == (4, (2, 1), (3, "a"))
    with pytest.raises(ResourceLimit, match="work"):  # noqa: PT012
        for _ in range(100):
            context.key("x" * 1_000_000)
    context.renew()
    with pytest.raises(ResourceLimit, match="work"):  # noqa: PT012
        for _ in range(100):
            context.key([0] * 100_000)


def test_the_first_warnings_are_kept(context: Context) -> None:
    for _ in range(AQL_WARNINGS_MAX):
        context.warn(DIVISION_BY_ZERO)
    context.warn(INVALID_DATE)
    assert context.warnings == [DIVISION_BY_ZERO] * AQL_WARNINGS_MAX
