"""How fast does an applier work off a backlog, against a dump? How late is a single write?"""

from __future__ import annotations

import argparse
import time

from common import (
    COLLECTION,
    Connection,
    Result,
    ServerProcess,
    at_least,
    at_most,
    build_store,
    main,
    scratch,
    timed,
)
from dump import dump
from memory import family_peak_mib
from replication import count

IDLE_S = 0.5
WRITES = 20
RSS_MIB_MAX = 150


def start(follower: int, leader: int, tick: int) -> None:
    """Make the follower tail from a tick."""
    connection = Connection(follower)
    config = {
        "endpoint": f"tcp://127.0.0.1:{leader}",
        "idleMinWaitTime": IDLE_S,
        "adaptivePolling": False,
    }
    connection.json("PUT", "/_api/replication/applier-config", config)
    connection.json("PUT", f"/_api/replication/applier-start?from={tick}")
    connection.close()


def wait_for(port: int, wanted: int) -> None:
    """Poll until the collection has so many documents."""
    while count(port) < wanted:
        time.sleep(0.02)


def catch_up(follower: int, leader: int) -> None:
    """Work off everything that the leader's log has."""
    start(follower, leader, 1)
    wait_for(follower, count(leader))


def latest(follower: int, leader: int, documents: int) -> float:
    """The longest of some waits for a single document, as multiples of the idle wait."""
    waits = []
    connection = Connection(leader)
    for number in range(1, WRITES + 1):
        time.sleep(IDLE_S * 1.37)
        connection.json("POST", f"/_api/document/{COLLECTION}", {"n": number})
        waits.append(timed(lambda: wait_for(follower, documents + number)))
    connection.close()
    return max(waits) / IDLE_S


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of a dump and of working off all markers; memory in one of its own."""
    documents = arguments.documents
    ratios, rates, lates = [], [], []
    with scratch() as path:
        build_store(path / "leader", documents)
        with ServerProcess(path / "leader") as leader:
            dump(leader.port, envelope=False)
            for number in range(arguments.rounds):
                dumped = timed(lambda: dump(leader.port, envelope=False))
                with ServerProcess(path / f"follower{number}") as follower:
                    took = timed(lambda: catch_up(follower.port, leader.port))
                    if not number:
                        lates.append(latest(follower.port, leader.port, documents))
                ratios.append(dumped / took)
                rates.append((documents / dumped, documents / took))
            with ServerProcess(path / "measured") as follower:
                peak = family_peak_mib(follower, lambda: catch_up(follower.port, leader.port))
    middle = sorted(ratios)[len(ratios) // 2]
    dump_rate, tail_rate = rates[ratios.index(middle)]
    peak = max(peak, 0.001)
    return [
        at_least("applying a backlog / dump", middle, 0.12, dump=dump_rate, tail=tail_rate),
        at_most("a write arrives within, in idleMinWaitTime", max(lates), 2, multiples=max(lates)),
        at_most(f"applying: MiB above idle / {RSS_MIB_MAX}", peak / RSS_MIB_MAX, 1, mib=peak),
    ]


if __name__ == "__main__":
    main(run)
