"""`/_admin/backup/{upload,download}` for places of this machine's file system (backups 3.5)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from posixpath import normpath
from typing import Any, NamedTuple

from arangorep.backup.transfer import Progress, download, upload
from arangorep.backup.transfers import Direction
from arangorep.errors import BadRemoteRepository, HttpBadParameter
from arangorep.limits import BACKUP_PLACE_CHARACTERS_MAX
from arangorep.pacing import in_thread
from arangorep.rest.context import Request

LOCAL = "local"
"""The one kind of place there is; the others are services of other companies."""
_parts_of = re.compile(r"([^/:]+):([^:]*)", re.DOTALL).fullmatch


async def transfer(
    request: Request, direction: Direction, body: dict[str, Any], source: Path | None
) -> tuple[dict[str, Any], int]:
    """Start, tell of, or end a transfer; `source` is the backup that an upload copies.

    Errors: 400/400; 400/7008; 404/404; 409/7011.
    """
    transfers, name = request.services.transfers, f"{direction}Id"
    if name in body:
        number = body[name]
        if not isinstance(number, str):
            raise HttpBadParameter(f"bad parameter: '{name}' must be a string")
        if body.get("abort") is True:
            transfers.abort(direction, number)
            return {}, 200
        return transfers.status(direction, number), 200
    remote, config = body.get("remoteRepository"), body.get("config")
    if not isinstance(remote, str) or not isinstance(config, dict):
        raise HttpBadParameter("bad parameter: 'remoteRepository' and 'config' are needed")
    backup_id, places = body["id"], request.services.runner.places
    bounds = Bounds(request.services.backup_path_prefix, places.data)
    wanted = parse_repository(remote, config) / backup_id
    place = await in_thread(partial(bounds.check, wanted))

    def work(progress: Progress) -> None:
        bounds.check(wanted)  # it may have waited, and links are made quickly
        if source is None:
            download(place, places.checkpoints / backup_id, progress)
        else:
            upload(source, place, progress)

    return {name: transfers.start(direction, backup_id, place, work)}, 202


class Bounds(NamedTuple):
    """Where backups may be copied to and from."""

    prefix: Path
    data: Path
    """The data directory: nothing may be copied into it, or over it."""

    def check(self, wanted: Path) -> Path:
        """The directory that is meant, links followed. Errors: 400/7008."""
        resolved, data = wanted.resolve(), self.data.resolve()
        if not resolved.is_relative_to(self.prefix.resolve()):
            raise BadRemoteRepository(f"bad remote repository: {wanted} is not below {self.prefix}")
        if resolved.is_relative_to(data) or data.is_relative_to(resolved):
            raise BadRemoteRepository(f"bad remote repository: {wanted} is where the data are")
        return resolved


def parse_repository(remote: str, config: dict[str, Any]) -> Path:
    """`<section of config>:<absolute path>`, of which `//` and `..` are resolved.

    Errors: 400/7008, also for sections of another type than `local`.
    """
    parts = _parts_of(remote)
    if parts is None or len(remote) > BACKUP_PLACE_CHARACTERS_MAX or "\0" in remote:
        raise BadRemoteRepository("bad remote repository: expecting '<section>:<path>'")
    section = config.get(parts[1])
    if not isinstance(section, dict):
        raise BadRemoteRepository(f"bad remote repository: 'config' has no '{parts[1]}'")
    if section.get("type") != LOCAL:
        raise BadRemoteRepository(f"bad remote repository: only the type '{LOCAL}' is here")
    if not parts[2].startswith("/"):
        raise BadRemoteRepository("bad remote repository: the path must be absolute")
    return Path("/" + normpath(parts[2]).lstrip("/"))
