"""`arangorep sync | follow | applier`: replication as people start and watch it."""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from arangorep.cli.client import ApiClient, reason, server_options
from arangorep.cli.progress import SyncBars, error_of, lag_line
from arangorep.clock import pause
from arangorep.codec.json import dumps

POLL_S = 0.2
LAG_POLL_S = 1.0

leader_options = [
    click.option("--leader-database", default=None, help="Default: the same name as here."),
    click.option("--leader-user", default=""),
    click.option(
        "--leader-password", default="", help="Better: the variable ARANGOREP_LEADER_PASSWORD."
    ),
    click.option("--global", "is_global", is_flag=True, help="All databases."),
    click.option("--include-system/--no-include-system", default=True),
    click.option("--collection", "collections", multiple=True, help="Only these (repeatable)."),
    click.option("--exclude", multiple=True, help="All but these (repeatable)."),
]


def _with_leader_options(command: Any) -> Any:
    for option in reversed(leader_options):
        command = option(command)
    return command


def _settings() -> dict[str, Any]:
    return {"show_default": True, "auto_envvar_prefix": "ARANGOREP"}


def _config(leader_url: str, options: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The body of `sync` and `make-follower`."""
    config = {"endpoint": leader_url, "includeSystem": options["include_system"], **more}
    if options["leader_database"]:
        config["database"] = options["leader_database"]
    if options["leader_user"]:
        config["username"] = options["leader_user"]
        config["password"] = options["leader_password"]
    if options["collections"] and options["exclude"]:
        raise click.UsageError("--collection and --exclude cannot stand together")
    named = options["collections"] or options["exclude"]
    if named:
        config["restrictType"] = "include" if options["collections"] else "exclude"
        config["restrictCollections"] = list(named)
    return config


def _leader_client(leader_url: str, options: dict[str, Any], database: str) -> ApiClient | None:
    """A client to ask the leader for counts; none when it follows all databases."""
    if options["is_global"]:
        return None
    user = options["leader_user"] or "root"
    name = options["leader_database"] or database
    return ApiClient(leader_url, name, user, options["leader_password"], timeout_s=5)


class _Replication:
    """The applier of one database of a server, or the global one."""

    def __init__(self, client: ApiClient, *, is_global: bool) -> None:
        self._client = client
        self._query = "?global=true" if is_global else ""

    def _path(self, command: str) -> str:
        return f"/_api/replication/{command}{self._query}"

    def state(self) -> dict[str, Any]:
        return self._client.call("GET", self._path("applier-state"))

    def call(self, command: str) -> dict[str, Any]:
        return self._client.call("PUT", self._path(command))

    def start_job(self, command: str, config: dict[str, Any]) -> str:
        """Run a command in the background of the server; returns the job's id."""
        status, answer, headers = self._client.request(
            "PUT", self._path(command), dumps(config), x_arango_async="store"
        )
        if status != 202:
            raise click.ClickException(reason(answer))
        return headers["x-arango-async-id"]

    def poll(self, job: str) -> dict[str, Any] | None:
        """A job's answer, None while it runs. Errors: the job's own as `click.ClickException`."""
        status, answer, headers = self._client.request("PUT", f"/_api/job/{job}")
        if status == 204 and "x-arango-async-id" not in headers:
            return None
        if status >= 400:
            raise click.ClickException(reason(answer))
        return answer


@click.command("sync", context_settings=_settings())
@click.argument("leader_url")
@server_options
@_with_leader_options
@click.option("--incremental", is_flag=True, help="Fetch only what differs.")
def sync(
    leader_url: str,
    endpoint: str,
    database: str,
    user: str,
    password: str,
    incremental: bool,
    **options: Any,
) -> None:
    """Copy the leader's present state into a running server, once."""
    client = ApiClient(endpoint, database, user, password)
    replication = _Replication(client, is_global=options["is_global"])
    job = replication.start_job("sync", _config(leader_url, options, incremental=incremental))
    with SyncBars(_leader_client(leader_url, options, database)) as bars:
        while (answer := replication.poll(job)) is None:
            bars.show(replication.state())
            pause(POLL_S)
        state = replication.state()
        bars.show(state)
    synced = state["state"]["progress"].get("collections", [])
    documents = sum(collection["documents"] for collection in synced)
    click.echo(
        f"synchronised {len(synced)} collections, {documents} documents fetched, "
        f"up to the leader's tick {answer['lastLogTick']}"
    )


@click.command("follow", context_settings=_settings())
@click.argument("leader_url")
@server_options
@_with_leader_options
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Start a server on this directory, at the endpoint's port, and stop it at the end.",
)
@click.option("--incremental", is_flag=True, help="Fetch only what differs.")
@click.option("--once", is_flag=True, help="End when the follower has caught up.")
def follow(
    leader_url: str,
    endpoint: str,
    database: str,
    user: str,
    password: str,
    data: Path | None,
    incremental: bool,
    once: bool,
    **options: Any,
) -> None:
    """Make a server a follower: synchronise, then stay behind the leader by moments."""
    config = _config(leader_url, options, incremental=incremental, autoStart=True, autoResync=True)
    with _server(data, endpoint, password) as url:
        client = ApiClient(url, database, user, password)
        replication = _Replication(client, is_global=options["is_global"])
        job = replication.start_job("make-follower", config)
        with SyncBars(_leader_client(leader_url, options, database)) as bars:
            while replication.poll(job) is None:
                bars.show(replication.state())
                pause(POLL_S)
            bars.show(replication.state())
        _watch(replication, once=once)


def _watch(replication: _Replication, *, once: bool) -> None:
    """Show the lag until interrupted, or until there is none. Errors: the applier's."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            state = replication.state()
            click.echo(lag_line(state))
            if state["state"]["phase"] == "inactive":
                raise click.ClickException(error_of(state) or "the applier was stopped")
            if once and state["state"].get("ticksBehind") == 0 and state["state"]["totalRequests"]:
                return
            pause(LAG_POLL_S)


@contextlib.contextmanager
def _server(data: Path | None, endpoint: str, password: str) -> Iterator[str]:
    """The address of the follower; with `data` a server of our own that ends with us."""
    if data is None:
        yield endpoint
        return
    port = re.search(r":(\d+)/?$", endpoint)
    command = [sys.executable, "-m", "arangorep", "serve", str(data)]
    command += ["--port", port[1] if port else "8529", "--log-level", "warning"]
    environment = {"ARANGOREP_ROOT_PASSWORD": password} if password else None
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"listening on (\S+)", line)
        if found is None:
            raise click.ClickException("the server did not start")
        click.echo(line.strip())
        yield found[1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


@click.group("applier")
def applier() -> None:
    """Look at a server's applier, start or stop it."""


def _applier_command(name: str, about: str) -> None:
    @applier.command(name, help=about, context_settings=_settings())
    @server_options
    @click.option("--global", "is_global", is_flag=True, help="The global applier.")
    def command(endpoint: str, database: str, user: str, password: str, is_global: bool) -> None:
        client = ApiClient(endpoint, database, user, password)
        replication = _Replication(client, is_global=is_global)
        state = replication.state() if name == "state" else replication.call(f"applier-{name}")
        click.echo(f"endpoint  {state.get('endpoint', 'none')}")
        click.echo(f"state     {lag_line(state)}")
        click.echo(f"progress  {state['state']['progress'].get('message', '')}")
        click.echo(f"error     {error_of(state) or 'none'}")


_applier_command("state", "Show what the applier does.")
_applier_command("start", "Tail from the stored position.")
_applier_command("stop", "Stop tailing, also a running synchronisation.")
