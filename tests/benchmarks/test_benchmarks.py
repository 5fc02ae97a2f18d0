"""Every benchmark runs, on little data; what it measures there is not judged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = sorted(
    path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in ("common", "replication")
)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_answers_with_ratios(name: str) -> None:
    done = subprocess.run(
        [sys.executable, f"{name}.py", "--documents", "2000", "--rounds", "1", "--json"],
        cwd=BENCHMARKS,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    results = json.loads(done.stdout)
    assert results
    for result in results:
        assert result["ratio"] > 0
        assert all(figure > 0 for figure in result["figures"].values())
        assert result["met"] is eval(f"{result['ratio']} {result['goal']}")
