"""The command line: servers, loading, checking, replication, backups."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from arangorep import __version__
from arangorep.cli.offline_cmd import OfflineGroup, offline, run_top_level, top_level_options

COMMANDS = {
    "applier": "follow_cmd",
    "check": "check_cmd",
    "compare": "compare_cmd",
    "dump": "dump_cmd",
    "follow": "follow_cmd",
    "import": "import_cmd",
    "restore": "restore_cmd",
    "serve": "serve_cmd",
    "sync": "follow_cmd",
    "verify": "verify_cmd",
}
"""The module of each command. It is imported when the command is asked for: all of them together
take longer to import than most commands take to run."""


class Commands(OfflineGroup):
    """The top-level command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*COMMANDS, *super().list_commands(ctx)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return super().get_command(ctx, cmd_name)
        name = "import_file" if cmd_name == "import" else cmd_name  # one is a keyword
        found: click.Command = getattr(import_module(f"arangorep.cli.{module}"), name)
        return found


@click.group(
    cls=Commands,
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


cli.add_command(offline)


def main() -> None:
    """Entry point."""
    cli()
