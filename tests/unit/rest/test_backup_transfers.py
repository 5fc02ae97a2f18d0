"""Where hot backups may be copied to and from."""

from __future__ import annotations

from pathlib import Path

import pytest

from arangorep.errors import BadRemoteRepository
from arangorep.rest.backup_transfers import Bounds, parse_repository


@pytest.mark.parametrize(
    ("wanted", "is_allowed"),
    [
        ("x/b", True), ("x/../x/b", True), ("x", True), ("", False), ("y/b", False),
        ("x/data", False), ("x/data/b", False), ("x/data2", True), ("x/link/b", False),
        ("x/../../b", False),
    ],
)  # fmt: skip
def test_bounds(tmp_path: Path, wanted: str, is_allowed: bool) -> None:
    (tmp_path / "x" / "data" / "deep").mkdir(parents=True)
    (tmp_path / "x" / "link").symlink_to(tmp_path / "y")
    data = tmp_path / "x" / "data" / "deep"
    bounds = Bounds(tmp_path / "x", data.parent)
    if wanted == "x":
        bounds = Bounds(tmp_path / "x", tmp_path / "elsewhere")
    if is_allowed:
        assert bounds.check(tmp_path / wanted) == (tmp_path / wanted).resolve()
    else:
        with pytest.raises(BadRemoteRepository):
            bounds.check(tmp_path / wanted)


@pytest.mark.parametrize(
    ("remote", "path"),
    [("l:/a/b", "/a/b"), ("l://a//b/", "/a/b"), ("l:/a/./c/../b", "/a/b"), ("l:/", "/"),
     ("l:/../../a", "/a")],
)  # fmt: skip
def test_places(remote: str, path: str) -> None:
    assert parse_repository(remote, {"l": {"type": "local"}}) == Path(path)
