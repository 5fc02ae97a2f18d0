"""What does an incremental synchronisation cost after 1 % of the documents changed?

Bytes of both directions against those of a full synchronisation: with the published protocol, whose
revision tree cannot tell the documents of one bulk load apart, and with what two arangorep servers
tell each other; for the latter also the time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import Result, ServerProcess, at_most, build_store, main, scratch, timed
from replication import change, count, counted, synchronise

SHARE = 0.01


def bytes_of(path: Path, leader: ServerProcess, documents: int) -> dict[str, float]:
    """Bytes of a full and two incremental synchronisations: they hardly vary."""
    found: dict[str, float] = {}
    with ServerProcess(path / "counted") as follower:
        with counted(leader.port) as proxy:
            synchronise(follower.port, proxy.port)
            found["full"] = proxy.bytes
        for number, name in enumerate(("published", "differences")):
            change(leader.port, documents, SHARE, seed=1 + number)
            with counted(leader.port, hide_differences=name == "published") as proxy:
                synchronise(follower.port, proxy.port, incremental=True)
                found[name] = proxy.bytes
            assert count(leader.port) == count(follower.port)
    return found


def times_of(path: Path, leader: ServerProcess, documents: int, number: int) -> tuple[float, float]:
    """Seconds of a full and an incremental synchronisation of one follower."""
    with ServerProcess(path / f"timed{number}") as follower:
        full_s = timed(lambda: synchronise(follower.port, leader.port))
        change(leader.port, documents, SHARE, seed=10 + number)
        incremental_s = timed(lambda: synchronise(follower.port, leader.port, incremental=True))
        assert count(leader.port) == count(follower.port)
    return full_s, incremental_s


def run(arguments: argparse.Namespace) -> list[Result]:
    """Bytes once, times in rounds."""
    documents = arguments.documents
    with scratch() as path:
        build_store(path / "leader", documents)
        with ServerProcess(path / "leader") as leader:
            sent = bytes_of(path, leader, documents)
            rounds = [
                times_of(path, leader, documents, number) for number in range(arguments.rounds)
            ]
    full = sent["full"]
    full_s, incremental_s = sorted(rounds, key=lambda one: one[1] / one[0])[len(rounds) // 2]
    return [
        at_most("published protocol, bytes / full", sent["published"] / full, 0.08, full=full),
        at_most("differences, bytes / full", sent["differences"] / full, 0.03, full=full),
        at_most(
            "differences, time / full",
            incremental_s / full_s,
            0.333,
            full_s=full_s,
            incremental_s=incremental_s,
        ),
    ]


if __name__ == "__main__":
    main(run)
