"""What does an incremental synchronisation cost after 1 % of the documents changed?

Bytes of both directions against those of a full synchronisation: with the published protocol, whose
revision tree cannot tell the documents of one bulk load apart, and with blocks of revisions between
two arangorep servers; for the latter also the time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from common import Result, ServerProcess, at_most, build_store, main, scratch, timed
from replication import change, count, counted, synchronise

SHARE = 0.01


def measure(path: Path, documents: int) -> dict[str, float]:
    """Bytes and seconds of a full, two incremental and one idle synchronisation."""
    found: dict[str, float] = {}
    build_store(path / "leader", documents)
    with ServerProcess(path / "leader") as leader, ServerProcess(path / "follower") as follower:
        with counted(leader.port) as proxy:
            synchronise(follower.port, proxy.port)
            found["full bytes"] = proxy.bytes
        with ServerProcess(path / "other") as other:
            found["full s"] = timed(lambda: synchronise(other.port, leader.port))
            change(leader.port, documents, SHARE, seed=1)
            with counted(leader.port, hide_blocks=True) as proxy:
                synchronise(follower.port, proxy.port, incremental=True)
                found["published bytes"] = proxy.bytes
            found["blocks s"] = timed(
                lambda: synchronise(other.port, leader.port, incremental=True)
            )
            assert count(other.port) == count(leader.port) == count(follower.port)
            change(leader.port, documents, SHARE, seed=2)
            with counted(leader.port) as proxy:
                synchronise(follower.port, proxy.port, incremental=True)
                found["blocks bytes"] = proxy.bytes
            assert count(leader.port) == count(follower.port)
    return found


def run(arguments: argparse.Namespace) -> list[Result]:
    """One measurement: bytes do not vary."""
    with scratch() as path:
        found = measure(path, arguments.documents)
    full = found["full bytes"]
    return [
        at_most(
            "published protocol, bytes / full", found["published bytes"] / full, 0.08, full=full
        ),
        at_most("blocks, bytes / full", found["blocks bytes"] / full, 0.03, full=full),
        at_most(
            "blocks, time / full",
            found["blocks s"] / found["full s"],
            0.333,
            full_s=found["full s"],
            incremental_s=found["blocks s"],
        ),
    ]


if __name__ == "__main__":
    main(run)
