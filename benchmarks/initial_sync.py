"""How fast is an initial synchronisation against a dump whose client throws everything away?

Leader and follower run on the same machine. Also: how much memory does the follower take?
"""

from __future__ import annotations

import argparse

from common import (
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
from replication import count, synchronise

RSS_MIB_MAX = 150


def run(arguments: argparse.Namespace) -> list[Result]:
    """Rounds of a dump and a synchronisation into an empty follower; memory in one of its own."""
    documents = arguments.documents
    ratios, rates = [], []
    with scratch() as path:
        build_store(path / "leader", documents)
        with ServerProcess(path / "leader") as leader:
            dump(leader.port, envelope=False)
            for number in range(arguments.rounds):
                dumped = timed(lambda: dump(leader.port, envelope=False))
                with ServerProcess(path / f"follower{number}") as follower:
                    took = timed(lambda: synchronise(follower.port, leader.port))
                    assert count(follower.port) == documents
                ratios.append(dumped / took)
                rates.append((documents / dumped, documents / took))
            with ServerProcess(path / "measured") as follower:
                # sampling takes a fifth of a processor: not while something else is timed
                peak = family_peak_mib(follower, lambda: synchronise(follower.port, leader.port))
    middle = sorted(ratios)[len(ratios) // 2]
    dump_rate, sync_rate = rates[ratios.index(middle)]
    return [
        at_least("initial sync / dump", middle, 0.25, dump=dump_rate, sync=sync_rate),
        at_most(
            f"initial sync: MiB above idle / {RSS_MIB_MAX}",
            max(peak, 0.001) / RSS_MIB_MAX,
            1,
            mib=max(peak, 0.001),
        ),
    ]


if __name__ == "__main__":
    main(run)
