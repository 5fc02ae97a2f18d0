"""`arangorep check`: verify a data directory that no server uses."""

from __future__ import annotations

from pathlib import Path

import click

from arangorep.clock import SystemClock
from arangorep.errors import CorruptionError, StartupError
from arangorep.storage.integrity import findings
from arangorep.storage.rocks import RocksEngine
from arangorep.storage.store import Store

SHOWN_MAX = 50


@click.command()
@click.argument("data_directory", type=click.Path(file_okay=False, path_type=Path))
def check(data_directory: Path) -> None:
    """Verify that documents, indexes, counters, trees and log in DATA_DIRECTORY agree.

    Reads only. Exits with 1 when something does not agree, or the store cannot be opened.
    """
    try:
        engine = RocksEngine(data_directory, read_only=True)
        store = Store(engine, SystemClock(), read_only=True)
        found = findings(store)
    except (StartupError, CorruptionError) as error:
        raise click.ClickException(str(error)) from None
    documents = sum(collection.count for collection in store.catalog.collections)
    collections = sum(1 for _ in store.catalog.collections)
    markers = f"log up to tick {store.log.last_tick}"
    engine.close()
    for text in found[:SHOWN_MAX]:
        click.echo(text, err=True)
    if found:
        raise click.ClickException(f"{len(found)} findings in {data_directory}")
    click.echo(
        f"{data_directory} is sound: {collections} collections, {documents} documents, {markers}"
    )
