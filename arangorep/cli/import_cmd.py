"""`arangorep import`: load a file into a collection of a running server."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from arangorep.cli.client import ApiClient, reason, server_options
from arangorep.codec.json import dumps, loads
from arangorep.errors import ArangoError, DuplicateName

REQUEST_BYTES = 1024 * 1024
"""A request carries about this much: the server commits it in slices of a millisecond."""

DETAILS_SHOWN_MAX = 10


Reader = Callable[[IO[bytes]], Iterator[tuple[bytes, int]]]
"""Yields JSON texts of documents, each with the bytes of the source it stands for."""


@dataclass(slots=True)
class Totals:
    """What the server counted so far."""

    created: int = 0
    updated: int = 0
    ignored: int = 0
    errors: int = 0


@click.command("import", context_settings={"show_default": True, "auto_envvar_prefix": "ARANGOREP"})
@click.argument("file", type=click.Path(allow_dash=True, dir_okay=False))
@server_options
@click.option("--collection", required=True)
@click.option("--create-collection", is_flag=True, help="Create the collection if it is missing.")
@click.option(
    "--type",
    "kind",
    type=click.Choice(["jsonl", "json", "csv"]),
    help="Default: from the file's name, else jsonl.",
)
@click.option(
    "--on-duplicate", default="error", type=click.Choice(["error", "update", "replace", "ignore"])
)
def import_file(
    file: str,
    endpoint: str,
    database: str,
    collection: str,
    create_collection: bool,
    kind: str | None,
    on_duplicate: str,
    user: str,
    password: str,
) -> None:
    """Load FILE (`-` for standard input) into a collection through the HTTP API."""
    client = ApiClient(endpoint, database, user, password)
    totals = Totals()
    try:
        if create_collection:
            _create(client, collection)
        with _source(file) as source, _progress(source, file) as advance:
            for body, size in _requests(source, kind or _kind_of(file)):
                _count(totals, _import(client, collection, body, on_duplicate))
                advance(size)
    except OSError as error:
        raise click.ClickException(f"{file}: {error}") from None
    except ArangoError as error:
        raise click.ClickException(f"{file}: {error.message}") from None
    click.echo(
        f"created {totals.created}, updated {totals.updated}, "
        f"ignored {totals.ignored}, errors {totals.errors}"
    )
    if totals.errors:
        raise SystemExit(1)


# -- reading -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _source(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with Path(file).open("rb") as opened:
            yield opened


def _kind_of(file: str) -> str:
    return {".json": "json", ".csv": "csv"}.get(Path(file).suffix.lower(), "jsonl")


def _requests(source: IO[bytes], kind: str) -> Iterator[tuple[bytes, int]]:
    """Bodies of JSON lines, each with the bytes of the source it stands for."""
    readers: dict[str, Reader] = {"jsonl": _json_lines, "json": _json_array, "csv": _csv_rows}
    batch: list[bytes] = []
    size = consumed = 0
    for line, source_bytes in readers[kind](source):
        batch.append(line)
        size += len(line)
        consumed += source_bytes
        if size >= REQUEST_BYTES:
            yield b"\n".join(batch), consumed
            batch, size, consumed = [], 0, 0
    if batch:
        yield b"\n".join(batch), consumed


def _json_lines(source: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    for line in source:
        text = line.strip()
        if text:
            yield text, len(line)


def _json_array(source: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    data = source.read()
    documents = loads(data)
    if not isinstance(documents, list):
        raise click.ClickException("the file does not hold a JSON array")
    share = len(data) // max(len(documents), 1)
    for document in documents:
        yield dumps(document), share


def _csv_rows(source: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    text = io.TextIOWrapper(source, encoding="utf-8-sig", newline="")
    try:
        for row in csv.DictReader(text):
            document = {
                name: _converted(value)
                for name, value in row.items()
                if isinstance(name, str) and value not in (None, "")
            }
            line = dumps(document)
            yield line, len(line)
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.ClickException(f"not a CSV file: {error}") from None


def _converted(text: Any) -> Any:
    """Numbers, `true`, `false` and `null` become what they look like; the rest stays text."""
    words = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    converters: list[Callable[[str], int | float]] = [int, float]
    for convert in converters:
        with contextlib.suppress(ValueError):
            number = convert(text)
            # only texts that a number is written as: no 007, 1_000, nan or inf
            return number if text.lstrip("-")[:1].isdigit() and _is_plain(text) else text
    return text


def _is_plain(text: str) -> bool:
    digits = text.lstrip("-")
    leading_zero = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return not leading_zero and "_" not in text and text == text.strip()


# -- progress and counting -----------------------------------------------------------------------


@contextlib.contextmanager
def _progress(source: IO[bytes], file: str) -> Iterator[Any]:
    total = None if file == "-" else os.fstat(source.fileno()).st_size
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("importing", total=total)
        yield lambda size: progress.advance(task, size)
        if total is not None:
            progress.update(task, completed=total)


def _count(totals: Totals, answer: dict[str, Any]) -> None:
    for detail in answer.get("details", [])[: max(0, DETAILS_SHOWN_MAX - totals.errors)]:
        click.echo(detail, err=True)
    totals.created += answer["created"]
    totals.updated += answer["updated"]
    totals.ignored += answer["ignored"]
    totals.errors += answer["errors"]


# -- HTTP ----------------------------------------------------------------------------------------


def _create(client: ApiClient, name: str) -> None:
    """Create the collection, or find that it exists."""
    status, answer, _ = client.request("POST", "/_api/collection", dumps({"name": name}))
    if status != 200 and answer.get("errorNum") != DuplicateName.error_num:
        raise click.ClickException(reason(answer))


def _import(client: ApiClient, collection: str, body: bytes, on_duplicate: str) -> dict[str, Any]:
    """Send JSON lines; the answer's counters."""
    query = {
        "collection": collection,
        "type": "documents",
        "details": "true",
        "onDuplicate": on_duplicate,
    }
    status, answer, _ = client.request("POST", f"/_api/import?{urlencode(query)}", body)
    if status != 201:
        raise click.ClickException(reason(answer))
    return answer
