"""The command line: `arangorep serve | import | check | sync | follow | applier | compare`."""

from __future__ import annotations

import click

from arangorep import __version__
from arangorep.cli.check_cmd import check
from arangorep.cli.compare_cmd import compare
from arangorep.cli.follow_cmd import applier, follow, sync
from arangorep.cli.import_cmd import import_file
from arangorep.cli.serve_cmd import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="arangorep")
def cli() -> None:
    """A replication server that speaks ArangoDB's protocol over its own RocksDB store."""


cli.add_command(serve)
cli.add_command(import_file)
cli.add_command(check)
cli.add_command(sync)
cli.add_command(follow)
cli.add_command(applier)
cli.add_command(compare)


def main() -> None:
    """Entry point."""
    cli()
