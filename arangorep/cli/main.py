"""The command line: servers, loading, checking, replication, backups."""

from __future__ import annotations

from typing import Any

import click

from arangorep import __version__
from arangorep.cli.check_cmd import check
from arangorep.cli.compare_cmd import compare
from arangorep.cli.dump_cmd import dump
from arangorep.cli.follow_cmd import applier, follow, sync
from arangorep.cli.import_cmd import import_file
from arangorep.cli.offline_cmd import OfflineGroup, offline, run_top_level, top_level_options
from arangorep.cli.restore_cmd import restore
from arangorep.cli.serve_cmd import serve
from arangorep.cli.verify_cmd import verify


@click.group(
    cls=OfflineGroup,
    invoke_without_command=True,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="arangorep")
@top_level_options
@click.pass_context
def cli(context: click.Context, /, **options: Any) -> None:
    """A replication server that speaks ArangoDB's protocol over its own RocksDB store.

    Without a command, the options dump and restore collections of a stopped server, as those of
    `arangorep offline` do.
    """
    run_top_level(context, options)


cli.add_command(serve)
cli.add_command(import_file)
cli.add_command(check)
cli.add_command(sync)
cli.add_command(follow)
cli.add_command(applier)
cli.add_command(compare)
cli.add_command(dump)
cli.add_command(restore)
cli.add_command(verify)
cli.add_command(offline)


def main() -> None:
    """Entry point."""
    cli()
