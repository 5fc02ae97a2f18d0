"""What `sync` and `follow` show: a bar per collection, then the lag."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from arangorep.cli.client import ApiClient
from arangorep.clock import stopwatch_s

BYTES_PER_MIB = 1024 * 1024


class SyncBars:
    """A progress bar per collection, fed with `applier-state`.

    `leader` is asked how many documents there are; when it does not tell, bars have no end.
    """

    def __init__(self, leader: ApiClient | None) -> None:
        self._leader = leader
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("documents  {task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, TaskID] = {}
        self._started_s: dict[str, float] = {}

    def __enter__(self) -> SyncBars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, state: dict[str, Any]) -> None:
        """Take over the progress of an applier's state; empty collections have no bar."""
        for collection in state["state"]["progress"].get("collections", []):
            name, documents = collection["name"], collection["documents"]
            self._started_s.setdefault(name, stopwatch_s())
            if name not in self._tasks:
                if not documents:
                    continue
                total = self._count(name)
                self._tasks[name] = self._progress.add_task(name, total=total, rate="")
            seconds = stopwatch_s() - self._started_s[name]
            # a collection that was done at first sight was too quick to be measured
            rate = (
                f"{collection['bytes'] / BYTES_PER_MIB / seconds:.1f} MiB/s"
                if seconds > 0.1
                else ""
            )
            total = documents if collection["done"] else None
            task = self._tasks[name]
            if total is not None:
                self._progress.update(task, total=total)
            self._progress.update(task, completed=documents, rate=rate)

    def _count(self, name: str) -> int | None:
        if self._leader is None:
            return None
        try:
            answer = self._leader.call("GET", f"/_api/collection/{quote(name, safe='')}/count")
        except click.ClickException:
            return None
        found = answer.get("count")
        return found if type(found) is int else None


def lag_line(state: dict[str, Any]) -> str:
    """One line about an applier that tails."""
    inner = state["state"]
    return (
        f"{inner['phase']}, {inner.get('ticksBehind', '?')} ticks behind, "
        f"applied tick {inner['lastAppliedContinuousTick'] or 0}, "
        f"{inner['totalDocuments']} documents, {inner['totalRemovals']} removals"
    )


def error_of(state: dict[str, Any]) -> str | None:
    """The applier's last error, in words."""
    found = state["state"]["lastError"]
    if not found["errorNum"]:
        return None
    return f"{found.get('errorMessage', 'error')} ({found['errorNum']})"
