"""What `dump`, `restore` and `verify` show: how far the whole is, and what is being worked on."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from arangorep.clock import stopwatch_s

BYTES_PER_MIB = 1024 * 1024


@dataclass(slots=True)
class _Row:
    task: TaskID
    documents: int = 0
    size: int = 0


class TransferBars:
    """A bar for all steps, and a row for each step while it runs. Any thread may call."""

    def __init__(self, title: str, steps: int) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[shown]}"),
            console=Console(stderr=True),
        )
        self._all = _Row(self._progress.add_task(title, total=steps, shown=""))
        self._steps = (0, steps)
        self._rows: dict[str, _Row] = {}
        self._started_s = stopwatch_s()

    def __enter__(self) -> TransferBars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, name: str, documents: int, size: int) -> None:
        """So much more of a step is done."""
        if name not in self._rows:
            self._rows[name] = _Row(self._progress.add_task(f"  {name}", total=None, shown=""))
        for row in (self._rows[name], self._all):
            row.documents += documents
            row.size += size
        row = self._rows[name]
        self._progress.update(row.task, shown=_amount(row))
        self._show()

    def done(self, name: str) -> None:
        """A step is over; its row makes room."""
        row = self._rows.pop(name, None)
        if row is not None:
            self._progress.remove_task(row.task)
        self._steps = (self._steps[0] + 1, self._steps[1])
        self._progress.advance(self._all.task)
        self._show()

    def _show(self) -> None:
        seconds = max(stopwatch_s() - self._started_s, 0.001)
        rate = self._all.size / BYTES_PER_MIB / seconds
        steps = f"{self._steps[0]}/{self._steps[1]} collections"
        shown = f"{steps}, {_amount(self._all)}, {rate:.1f} MiB/s"
        self._progress.update(self._all.task, shown=shown)


def _amount(row: _Row) -> str:
    return f"{row.documents:,} documents, {row.size / BYTES_PER_MIB:.1f} MiB"
