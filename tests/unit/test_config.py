"""What a server refuses to be told."""

from __future__ import annotations

from pathlib import Path

import pytest

from arangorep.config import Config, is_loopback
from arangorep.errors import StartupError


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.0.1", False),
        ("example.org", False),
    ],
)
def test_only_loopback_is_open_without_a_password(address: str, expected: bool) -> None:
    assert is_loopback(address) is expected
    config = Config(Path("data"), address=address)
    if expected:
        config.check()
    else:
        with pytest.raises(StartupError, match="without authentication"):
            config.check()
    Config(Path("data"), address=address, root_password="x").check()
    Config(Path("data"), address=address, insecure=True).check()


def test_an_empty_password_is_none_of_the_two() -> None:
    with pytest.raises(StartupError, match="empty"):
        Config(Path("data"), root_password="", insecure=True).check()
