"""`/_admin/backup/{upload,download}` for places of this machine's file system (backups 3.5)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from posixpath import normpath
from typing import Any

from arangorep.backup.transfer import download, upload
from arangorep.backup.transfers import Direction
from arangorep.clock import iso_time
from arangorep.errors import BadRemoteRepository, HttpBadParameter
from arangorep.rest.context import Request

LOCAL = "local"
"""The one kind of place there is; the others are services of other companies."""
REMOTE_CHARACTERS_MAX = 4096
_parts_of = re.compile(r"([^/:]+):([^:]*)", re.DOTALL).fullmatch


def transfer(
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
    backup_id = body["id"]
    place = _place(request, body) / backup_id
    directory = request.services.runner.places.checkpoints
    if source is None:
        work = partial(download, place, directory)
    else:
        moment = iso_time(request.services.clock.wall_us())
        work = partial(upload, source, place, moment, str(request.store.server_id))
    return {name: transfers.start(direction, backup_id, place, work)}, 202


def _place(request: Request, body: dict[str, Any]) -> Path:
    """Where backups are copied to or from. Errors: 400/400; 400/7008."""
    remote, config = body.get("remoteRepository"), body.get("config")
    if not isinstance(remote, str) or not isinstance(config, dict):
        raise HttpBadParameter("bad parameter: 'remoteRepository' and 'config' are needed")
    path = parse_repository(remote, config)
    allowed, data = request.services.backup_path_prefix, request.services.runner.places.data
    resolved = path.resolve()  # links are followed: it counts where the files would be
    if not resolved.is_relative_to(allowed.resolve()):
        raise BadRemoteRepository(f"bad remote repository: {path} is not below {allowed}")
    if resolved.is_relative_to(data.resolve()):
        raise BadRemoteRepository(f"bad remote repository: {path} is within the data directory")
    return resolved


def parse_repository(remote: str, config: dict[str, Any]) -> Path:
    """`<section of config>:<absolute path>`, of which `//` and `..` are resolved.

    Errors: 400/7008, also for sections of another type than `local`.
    """
    parts = _parts_of(remote)
    if parts is None or len(remote) > REMOTE_CHARACTERS_MAX or "\0" in remote:
        raise BadRemoteRepository("bad remote repository: expecting '<section>:<path>'")
    section = config.get(parts[1])
    if not isinstance(section, dict):
        raise BadRemoteRepository(f"bad remote repository: 'config' has no '{parts[1]}'")
    if section.get("type") != LOCAL:
        raise BadRemoteRepository(f"bad remote repository: only the type '{LOCAL}' is here")
    if not parts[2].startswith("/"):
        raise BadRemoteRepository("bad remote repository: the path must be absolute")
    return Path("/" + normpath(parts[2]).lstrip("/"))
