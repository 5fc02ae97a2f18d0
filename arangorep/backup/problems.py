"""What can be wrong with a dump: told in one line that names the entry."""

from __future__ import annotations


class DumpCorrupt(Exception):
    """An entry of a dump is damaged, is missing, or is something that no dump holds."""

    def __init__(self, entry: str, problem: str) -> None:
        self.entry = entry
        self.problem = problem
        super().__init__(f"{entry}: {problem}")


class DumpNotFound(Exception):
    """There is no dump at that place."""
