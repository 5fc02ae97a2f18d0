"""arangojs against a real server: the tests of `tests/node`, run by node's own test runner.

The driver is installed as the lock file says: into `tests/node/node_modules` if someone did so,
else into a copy of the folder outside the tree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.drivers import ROOT_PASSWORD
from support.server import ServerThread

FOLDER = Path(__file__).resolve().parents[1] / "node"
INSTALL_S, RUN_S = 240, 120


def run(folder: Path, seconds: int, *command: str, **variables: str) -> None:
    """Run a command in a folder; what it printed is the failure."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the tests and the driver."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{' and '.join(missing)} not found")
    assert not missing, f"{' and '.join(missing)} not found: install nodejs and npm (see .ci/run)"
    if (FOLDER / "node_modules").is_dir():
        return FOLDER
    copy = tmp_path / "node"
    shutil.copytree(FOLDER, copy)
    run(copy, INSTALL_S, "npm", "ci")
    return copy


@pytest.mark.timeout(INSTALL_S + RUN_S + 30)
def test_arangojs(secured: ServerThread, installed: Path) -> None:
    files = sorted(path.name for path in installed.glob("*.test.mjs"))
    assert len(files) > 3
    variables = {"ARANGOREP_URL": secured.url, "ARANGOREP_PASSWORD": ROOT_PASSWORD}
    run(installed, RUN_S, "node", "--test", *files, **variables)
