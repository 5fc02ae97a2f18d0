"""A problem is one line that begins with its entry."""

from __future__ import annotations

from arangorep.backup.problems import DumpCorrupt, DumpNotFound


def test_the_entry_comes_first() -> None:
    problem = DumpCorrupt("a/b", "is missing")
    assert (str(problem), problem.entry, problem.problem) == (
        "a/b: is missing",
        "a/b",
        "is missing",
    )
    assert str(DumpNotFound("no dump")) == "no dump"
