"""Unique indexes of the log that documents of a later batch break (follower 2.4, 6.5)."""

from __future__ import annotations

import json

import pytest
from support.stores import Bench, finish, insert, make_collection

from arangorep.errors import ArangoError, StartTickNotPresent, UniqueConstraintViolated
from arangorep.follower.applying import MarkerApplier
from arangorep.follower.progress import Progress, TickState
from arangorep.storage.integrity import findings


def created(tick: int, settled: int, *values: int) -> ArangoError | None:
    """What comes of an index at a tick, when the last inventory was of another one."""
    bench = Bench()
    collection = make_collection(bench.store, "c")
    insert(bench.store, collection, *({"n": value} for value in values))
    ticks = TickState(applied=1000, settled=settled)
    applier = MarkerApplier(
        bench.store,
        ticks,
        b"state",
        Progress(bench.clock),
        database_id=0,
        excluded=lambda guid: False,
        learn_name=lambda guid, name: None,
        ignore_errors=0,
    )
    index = {"id": "77", "type": "persistent", "fields": ["n"], "unique": True, "sparse": False}
    marker = {"tick": str(tick), "type": 2100, "db": "_system", "cuid": collection.info.guid,
              "data": index}  # fmt: skip
    try:
        finish(applier.apply([json.dumps(marker).encode()], 1000))
    except ArangoError as error:
        assert findings(bench.store) == []
        assert ticks.applied == 1000
        return error
    assert findings(bench.store) == []
    assert ticks.applied == tick
    return None


def test_documents_that_keep_its_rule() -> None:
    assert created(1500, 2000, 1, 2) is None
    assert created(2500, 2000, 1, 2) is None


@pytest.mark.parametrize("tick", [1001, 2000])
def test_documents_that_are_newer_need_another_synchronisation(tick: int) -> None:
    error = created(tick, 2000, 1, 1)
    assert isinstance(error, StartTickNotPresent)
    assert (error.error_num, error.default_status) == (1414, 500)
    assert "newer than a unique index of c" in error.message


def test_documents_that_are_older_broke_the_leaders_rule() -> None:
    assert isinstance(created(2001, 2000, 1, 1), UniqueConstraintViolated)
