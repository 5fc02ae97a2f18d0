"""What an interrupted command left is believed as far as it is whole."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from arangorep.cli.journal import Journal


def test_header_and_records_come_back(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.begin({"a": 1})
    journal.append({"n": 1})
    journal.append({"n": 2})
    journal.close()
    path.write_bytes(path.read_bytes() + b'{"n":')
    again = Journal(path)
    assert again.read() == ({"a": 1}, [{"n": 1}, {"n": 2}])
    again.append({"n": 3})
    assert again.read()[1][-1] == {"n": 3}
    again.begin({"b": 1})
    assert again.read() == ({"b": 1}, [])
    again.remove()
    assert not path.exists()


def test_one_command_at_a_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    with pytest.raises(click.ClickException, match="another command works on"):
        Journal(tmp_path / "j")
    journal.close()
    assert not (tmp_path / "j").exists()  # nothing was in it
    journal.close()


@pytest.mark.parametrize("data", [b"", b"{}", b"[]\n", b"{\n", b"\xff\n", b"{}\n7\n"])
def test_anything_else_is_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "j").write_bytes(data)
    journal = Journal(tmp_path / "j")
    assert journal.read() == (None, [])
    journal.close()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "j").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic link"):
        Journal(tmp_path / "j")
    assert not (tmp_path / "other").exists()
