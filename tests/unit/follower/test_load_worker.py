"""The worker of an initial synchronisation: lines in, sorted files out."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arangorep.codec.json import dumps
from arangorep.errors import InvalidResponse
from arangorep.follower.load_worker import prepare
from arangorep.follower.plain_rows import cut_plain
from arangorep.values.key_generator import KeyOptions
from arangorep.values.revision import encode_hlc

FIRST = 1_700_000_000_000 << 20


def line(key: str, revision: int, **members: Any) -> bytes:
    front = {"_key": key, "_id": f"c/{key}", "_rev": encode_hlc(revision)}
    return dumps({**front, **members}) + b"\n"


def task_in(path: Path, **changes: Any) -> dict[str, Any]:
    return {
        "name": b"c", "is_checked": False, "after": 0, "prefix": b"collect.",
        "documents": str(path / "d"), "primary": str(path / "p"),
        "keys": asdict(KeyOptions()), "last_value": 7,
    } | changes  # fmt: skip


def revisions_of(answer: dict[str, Any]) -> list[int]:
    packed = answer["revisions"]
    return [int.from_bytes(packed[at : at + 8]) for at in range(0, len(packed), 8)]


def test_it_starts_without_numpy() -> None:
    """Importing it would take most of the time that a worker needs to be there."""
    code = "import sys, arangorep.follower.load_worker; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_told_of_the_documents(tmp_path: Path) -> None:
    lines = [line("b", FIRST), line("12", FIRST + 5, text="long"), line("a", FIRST + 6)]
    answer = prepare(task_in(tmp_path), b"".join(lines))
    assert revisions_of(answer) == [FIRST, FIRST + 5, FIRST + 6]
    assert (answer["first"], answer["last"], answer["last_value"]) == (b"12", b"b", 12)
    assert answer["largest"] == len(lines[1]) - 1
    assert all((tmp_path / name).stat().st_size for name in "dp")


@pytest.mark.parametrize(
    "lines",
    [
        [line("a", FIRST + 1), line("b", FIRST)],
        [line("a", FIRST), line("b", FIRST)],
        [line("a", FIRST), line("a", FIRST + 1)],
        [line("b", FIRST), line("a", FIRST + 1), line("b", FIRST + 2)],
        [line("a", FIRST - 100)],
        [line("a", FIRST), line("b", FIRST + 1)[:-1]],
        [line("a", 2**64 - 1)],
    ],
    ids=["descending", "one revision", "one key", "one key apart", "old", "cut off", "no revision"],
)
@pytest.mark.parametrize("is_plain", [True, False])
def test_what_is_left_to_the_server(tmp_path: Path, lines: list[bytes], is_plain: bool) -> None:
    if not is_plain:
        lines = [lines[0].replace(b'"_id":', b'"_id": '), *lines[1:]]
    answer: dict[str, Any] = {}
    with contextlib.suppress(InvalidResponse):  # told to the server, which then meets it itself
        answer = prepare(task_in(tmp_path, after=FIRST - 1), b"".join(lines))
    assert answer == {}


@pytest.mark.parametrize("is_checked", [True, False])
def test_lines_in_another_form_are_parsed(tmp_path: Path, is_checked: bool) -> None:
    odd = b'{"n":1,"_rev":"%b","_id":"c/b","_key":"b"}\n' % encode_hlc(FIRST + 1).encode()
    body = line("a", FIRST, n=0) + odd
    assert cut_plain(body, b"c") is None
    answer = prepare(task_in(tmp_path, is_checked=is_checked), body)
    assert revisions_of(answer) == [FIRST, FIRST + 1]
    assert answer["largest"] == len(odd) - 1


names = st.text("ab-_.%:@", min_size=1, max_size=5)
members = st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=5), max_size=3)
SYSTEM = {"_key", "_id", "_rev", "_from", "_to"}


@given(st.lists(st.tuples(names, st.integers(1 << 60, 2**64 - 1), members), min_size=1, max_size=5))
def test_plain_lines_are_cut_into_what_they_are(documents: list[tuple[str, int, Any]]) -> None:
    lines = [
        line(key, revision, **{name: value for name, value in more.items() if name not in SYSTEM})
        for key, revision, more in documents
    ]
    found = cut_plain(b"".join(lines), b"c")
    assert found is not None
    rows, keys, stamps = found
    assert list(rows) == [one[:-1] for one in lines]
    assert list(keys) == [key.encode() for key, _, _ in documents]
    assert stamps == [revision.to_bytes(8) for _, revision, _ in documents]


@pytest.mark.parametrize(
    "odd",
    [
        b"\n",
        b"{}\n",
        b"null\n",
        line("a", FIRST)[1:],
        line("a", FIRST).replace(b"c/a", b"c/b"),
        line("a", FIRST).replace(b"c/a", b"d/a"),
        b" " + line("a", FIRST),
        line("a", FIRST)[:-2] + b"\n",
        line("a", FIRST)[:-1] + b" \n",
        b'{"_key":"a","_id":"c/a","_rev":"12345678901"}\n',
    ],
)
def test_one_line_in_another_form_makes_the_rest_odd(odd: bytes) -> None:
    usual = line("u", FIRST)
    assert cut_plain(usual + usual, b"c") is not None
    for body in (b"", odd, odd + usual, usual + odd, usual + odd + usual):
        assert cut_plain(body, b"c") is None
