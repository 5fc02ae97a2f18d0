"""Names for what is not here."""

from __future__ import annotations

import pytest

from arangorep.aql.tokens import tokenize
from arangorep.aql.unsupported import construct_at, not_supported, unknown_name


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        ("upsert", "UPSERT"),
        ("Search", "SEARCH"),
        ("options", "OPTIONS here"),
        ("outbound", "graph traversals"),
        ("`search`", None),
        ("'search'", None),
        ("select", None),
        ("==", None),
        ("return", None),
    ],
)
def test_constructs(text: str, construct: str | None) -> None:
    assert construct_at(tokenize(text)[0]) == construct


def test_errors_name_what_is_missing() -> None:
    assert not_supported("X").message == "not implemented: this server does not support X in AQL"
    assert "'users'" in unknown_name("users").message
    assert (unknown_name("a").error_num, unknown_name("a").http_status) == (9, 501)
