"""`arangorep compare`: tells whether two servers hold the same data."""

from __future__ import annotations

import asyncio
import secrets

import click

from arangorep.cli.client import ApiClient
from arangorep.clock import SystemClock
from arangorep.errors import ArangoError
from arangorep.follower.compare import Comparison, Difference
from arangorep.follower.config import ApplierConfig
from arangorep.follower.leader import Leader
from arangorep.follower.progress import Progress
from arangorep.follower.transport import HttpTransport


@click.command(
    "compare", context_settings={"show_default": True, "auto_envvar_prefix": "ARANGOREP"}
)
@click.argument("url_a")
@click.argument("url_b")
@click.option("--database", "databases", multiple=True, help="Default: all that the first has.")
@click.option("--include-system", is_flag=True, help="Also collections whose names start with _.")
@click.option("--user-a", default="root")
@click.option("--password-a", default="")
@click.option("--user-b", default="root")
@click.option("--password-b", default="")
def compare(
    url_a: str,
    url_b: str,
    databases: tuple[str, ...],
    include_system: bool,
    user_a: str,
    password_a: str,
    user_b: str,
    password_b: str,
) -> None:
    """Compare the servers at URL_A and URL_B; exit status 0 only when they are equal."""
    configs = [
        ApplierConfig(endpoint=url_a, username=user_a, password=password_a),
        ApplierConfig(endpoint=url_b, username=user_b, password=password_b),
    ]
    lists = [
        set(_databases(url_a, user_a, password_a)),
        set(_databases(url_b, user_b, password_b)),
    ]
    try:
        for config in configs:
            config.check_endpoint()
        wanted = databases or tuple(sorted(lists[0] | lists[1]))
        found = asyncio.run(_compare(configs, lists, wanted, include_system=include_system))
    except ArangoError as error:
        raise click.ClickException(error.message) from None
    differing = [difference for difference in found if not difference.is_equal]
    for difference in differing:
        click.echo(_describe(difference))
    documents = sum(difference.documents for difference in found)
    if differing:
        raise click.ClickException(f"{len(differing)} of {len(found)} collections differ")
    click.echo(f"equal: {len(found)} collections, {documents} documents")


def _databases(url: str, user: str, password: str) -> list[str]:
    answer = ApiClient(url, "_system", user, password).call("GET", "/_api/database/user")
    return list(answer.get("result", []))


async def _compare(
    configs: list[ApplierConfig],
    lists: list[set[str]],
    databases: tuple[str, ...],
    *,
    include_system: bool,
) -> list[Difference]:
    own_id = secrets.randbits(47)
    progress = Progress(SystemClock())
    sides = [
        Leader(HttpTransport(config), "_system", own_id, progress, asyncio.sleep)
        for config in configs
    ]
    found: list[Difference] = []
    try:
        comparison = Comparison(*sides, include_system=include_system)
        for name in databases:
            missing = [side for side, names in enumerate(lists) if name not in names]
            if missing:
                where = " and ".join("AB"[side] for side in missing)
                found.append(Difference(name, "*", notes=[f"database is missing on {where}"]))
            else:
                found += await comparison.database(name)
    finally:
        for side in sides:
            await side.close()
    return found


def _describe(difference: Difference) -> str:
    parts = list(difference.notes)
    if difference.only_a:
        parts.append(f"{difference.only_a} documents only on A")
    if difference.only_b:
        parts.append(f"{difference.only_b} documents only on B")
    if difference.changed:
        parts.append(f"{difference.changed} documents differ")
    lines = [f"{difference.database}/{difference.collection}: {', '.join(parts)}"]
    return "\n".join(lines + [f"    {example}" for example in difference.examples])
