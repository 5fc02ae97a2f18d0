"""Rows are held in order, stable and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.aql import sorting
from arangorep.aql.sorting import AllRows, FirstRows, check_held
from arangorep.errors import ResourceLimit
from arangorep.limits import AQL_ROWS_HELD_MAX, AQL_SORT_RUN_ROWS


def fill(held: AllRows | FirstRows, keys: list[int]) -> list[tuple[int, int]]:
    """Add a row for each key and give back keys and places of the rows in order."""
    for place, key in enumerate(keys):
        held.add((key,), {"key": key, "place": place})
    return [(row["key"], row["place"]) for row in held.in_order()]


def expected(keys: list[int]) -> list[tuple[int, int]]:
    return sorted((key, place) for place, key in enumerate(keys))


KEYS = [(i * 7919) % 13 for i in range(3 * AQL_SORT_RUN_ROWS + 7)]


def test_runs_are_merged_in_order() -> None:
    assert fill(AllRows(), KEYS) == expected(KEYS)
    assert fill(AllRows(), []) == []


@pytest.mark.parametrize("keep", [0, 1, 5, AQL_SORT_RUN_ROWS])
def test_the_first_rows(keep: int) -> None:
    assert fill(FirstRows(keep), KEYS) == expected(KEYS)[:keep]
    assert fill(FirstRows(keep), [2, 1]) == expected([2, 1])[:keep]


@given(keys=st.lists(st.integers(0, 5), max_size=40), keep=st.integers(0, 12))
def test_any_keys(keys: list[int], keep: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "AQL_SORT_RUN_ROWS", 4)
        assert fill(AllRows(), keys) == expected(keys)
        assert fill(FirstRows(keep), keys) == expected(keys)[:keep]


def test_the_number_of_rows_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    check_held(AQL_ROWS_HELD_MAX)
    with pytest.raises(ResourceLimit, match="rows") as caught:
        check_held(AQL_ROWS_HELD_MAX + 1)
    assert caught.value.http_status == 400
    monkeypatch.setattr(sorting, "AQL_ROWS_HELD_MAX", 10)
    row: dict[str, Any] = {}
    held = AllRows()
    for key in range(10):
        held.add((key,), row)
    with pytest.raises(ResourceLimit):
        held.add((11,), row)
    first = FirstRows(3)
    for key in range(2000):
        first.add((key,), row)
