"""64 clients at once; then everything agrees, and the log replayed gives the same trees."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.crowd import ACTS, Crowd
from support.pair import Pair, impatient
from support.process import ServerProcess, check
from support.same_content import compare_collections
from support.server import Api, ServerThread

from arangorep.config import Config

NAMES = ("bank", "mixed", "unique")


def test_a_crowd_leaves_everything_in_order(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "leader")
    crowd = Crowd(server.url, seed=64)
    try:
        asyncio.run(crowd.run())
    finally:
        server.terminate()
        status, errors = server.wait()
    assert crowd.failures == []
    assert crowd.done.keys() == ACTS.keys()
    assert status == 0, errors
    assert "ERROR" not in errors
    checked = check(tmp_path / "leader")
    assert checked.returncode == 0, checked.stdout
    _replayed_log_gives_the_same(tmp_path)


def _replayed_log_gives_the_same(path: Path) -> None:
    """A new server applies the whole log: what tick 1 may hold is its own `_system`."""
    with (
        impatient(),
        ServerThread(Config(path / "leader", port=0)) as leader,
        ServerThread(Config(path / "copy", port=0)) as follower,
        Api(leader.url, "_system") as there,
        Api(follower.url, "_system") as here,
    ):
        pair = Pair(leader, follower, there, here)
        pair.done("PUT", "applier-config", pair.config(includeSystem=False))
        pair.done("PUT", "applier-start", **{"from": 1})
        pair.catch_up()
        pair.stop()
        stores = leader.server.node.store, follower.server.node.store
        databases = [store.catalog.database("_system") for store in stores]
        for name in NAMES:
            one, other = (database.find(name) for database in databases)
            assert one.count > 5
            compare_collections(stores, one, other)
