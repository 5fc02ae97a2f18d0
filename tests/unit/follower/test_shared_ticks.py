"""Markers that share a tick, as those of ArangoDB leaders do (leader-api 7.8)."""

from __future__ import annotations

import json

import pytest
from support.stores import Bench, bodies, finish, make_collection

from arangorep.clock import ManualClock
from arangorep.data.transactions import Transaction
from arangorep.follower.applying import MarkerApplier
from arangorep.follower.progress import Progress, TickState
from arangorep.storage.catalog import Collection
from arangorep.storage.integrity import findings
from arangorep.values.revision import revision_text

REVISION = 1_790_000_000_000 << 20


class Followed:
    """A collection, and an applier that has applied everything up to tick 1000."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.collection: Collection = make_collection(self.bench.store, "c")
        self.ticks = TickState(applied=1000)
        self.applier = MarkerApplier(
            self.bench.store,
            self.ticks,
            b"state",
            Progress(ManualClock()),
            database_id=0,
            excluded=lambda guid: False,
            learn_name=lambda guid, name: None,
            ignore_errors=0,
        )

    def apply(self, *groups: list[bytes], after: int = 1000) -> None:
        for group in groups:
            finish(self.applier.apply(group, after))

    def line(self, tick: int, kind: int, tid: str, **data: object) -> bytes:
        guid = self.collection.info.guid
        marker = {"tick": str(tick), "type": kind, "db": "_system", "cuid": guid,
                  "tid": tid, "data": data}  # fmt: skip
        if kind in (2200, 2201):
            del marker["cuid"], marker["data"]
        return json.dumps(marker, separators=(",", ":")).encode()

    def insert(self, tick: int, key: str, tid: str = "0", **more: object) -> bytes:
        revision = revision_text(REVISION + tick * 100 + ord(key[0]))
        return self.line(tick, 2300, tid, _key=key, _id=f"c/{key}", _rev=revision, **more)

    def stored(self) -> set[str]:
        return set(bodies(self.bench.store, self.collection))


LOG = [
    lambda f: f.insert(1001, "a"),
    lambda f: f.line(1003, 2200, "7"),
    lambda f: f.insert(1003, "b", "7"),
    lambda f: f.insert(1005, "c", "7"),
    lambda f: f.line(1005, 2201, "7"),
    lambda f: f.line(1006, 2200, "8"),
    lambda f: f.insert(1006, "d", "8"),
    lambda f: f.line(1006, 2201, "8"),
    lambda f: f.insert(1007, "e"),
]


@pytest.mark.parametrize("cut", range(len(LOG) + 1))
def test_an_answer_may_be_applied_in_any_pieces(cut: int) -> None:
    followed = Followed()
    lines = [line(followed) for line in LOG]
    followed.apply(lines[:cut], lines[cut:])
    assert followed.stored() == set("abcde")
    assert followed.ticks.applied == 1007
    assert findings(followed.bench.store) == []


def test_line_by_line() -> None:
    followed = Followed()
    followed.apply(*([line(followed)] for line in LOG))
    assert followed.stored() == set("abcde")


def test_what_was_not_asked_for_is_left_out() -> None:
    followed = Followed()
    followed.apply([followed.insert(999, "x"), followed.insert(1000, "y"), LOG[0](followed)])
    assert followed.stored() == {"a"}
    followed.apply([line(followed) for line in LOG], after=1006)
    assert followed.stored() == {"a", "e"}


@pytest.mark.parametrize("text", ["18446744073709551614", "18446744073709551615", "1", "zzz", ""])
def test_a_removal_with_an_absurd_revision(text: str) -> None:
    """Whoever writes next must be able to write above it."""
    followed = Followed()
    removal = followed.line(1002, 2302, "0", _key="a", _rev=text)
    followed.apply([followed.insert(1001, "a"), removal])
    assert followed.stored() == set()
    store = followed.bench.store
    database = store.catalog.database("_system")
    transaction = Transaction(store, database, grouped=False)
    transaction.writer(followed.collection).put(b"new", 0, {})
    transaction.commit()
    assert findings(store) == []


def test_a_removal_from_the_future_is_not_overtaken() -> None:
    followed = Followed()
    ahead = REVISION + (86_400_000 << 20)
    removal = followed.line(1002, 2302, "0", _key="a", _rev=revision_text(ahead))
    followed.apply([followed.insert(1001, "a"), removal])
    assert followed.bench.store.next_revision() > ahead
