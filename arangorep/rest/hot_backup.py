"""`/_admin/backup/*`: checkpoints beside the data (backups 3), and dumps (6.1)."""

from __future__ import annotations

import asyncio
import errno
import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from arangorep.backup.files import sync_directory, write_file
from arangorep.backup.hot_restore import META, RestoreUnderWay, prepare_restore
from arangorep.backup.jobs import CHECKPOINT_PREFIX, take_checkpoint
from arangorep.backup.transfers import Direction
from arangorep.clock import iso_time
from arangorep.codec.json import dumps, loads
from arangorep.errors import (
    ArangoError,
    BackupConflict,
    FileNotFound,
    HotBackupFailed,
    HotRestoreFailed,
    HttpBadParameter,
    HttpForbidden,
    HttpNotFound,
    MethodNotAllowed,
    NotImplementedHere,
    SuperfluousSuffices,
)
from arangorep.limits import HOT_BACKUP_ID_CHARACTERS_MAX
from arangorep.pacing import in_thread
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.backup_dumps import dump_status, start_dump, verify_dump
from arangorep.rest.backup_transfers import transfer
from arangorep.rest.context import Request

FAILSAFE = "FAILSAFE"
"""Where the files go that a restore replaces; it is not listed."""

_is_id = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}").fullmatch
RESTART_AFTER_S = 0.5
"""So that the answer arrives before the server goes."""


async def handle(request: Request) -> Answer:
    """Errors: 405/405; 400/601 for other paths; 403/403; 400/400."""
    if request.parts[:1] == ["dump"] and request.method == "GET" and len(request.parts) == 2:
        _check_rights(request)
        return _answer(await dump_status(request, request.parts[1]), 200)
    if request.method != "POST":
        raise MethodNotAllowed
    if len(request.parts) != 1:
        raise SuperfluousSuffices("expecting /_admin/backup/<operation>")
    _check_rights(request)
    body = await request.json()
    given = body if isinstance(body, dict) else {}
    match word := request.parts[0]:
        case "upload" | "download":
            return _answer(*await _transfer(request, Direction(word), given))
        case "dump":
            return _answer(start_dump(request, body), 202)
        case "verify":
            return _answer(await verify_dump(request, given), 200)
        case "create":
            return _answer(await _create(request, given), 201)
        case "list":
            return _answer(await _list(request, given), 200)
        case "restore":
            return _answer(await _restore(request, given), 200)
        case "delete":
            await _delete(request, given)
            return _answer({}, 200)
    raise HttpBadParameter(f"bad parameter: unknown operation '{word}'")


def _check_rights(request: Request) -> None:
    """Errors: 403/403."""
    allowed, identity = request.services.backup_api, request.identity
    if not identity.is_admin:
        raise HttpForbidden("only administrators make backups")
    if allowed == "false" or (allowed == "jwt" and identity.account is not None):
        raise HttpForbidden("the backup API is switched off")


def _answer(value: dict[str, Any], status: int) -> Answer:
    return json_answer({"error": False, "code": status, "result": value}, status)


async def _transfer(
    request: Request, direction: Direction, body: dict[str, Any]
) -> tuple[dict[str, Any], int]:
    """Errors: 400/400; 400/7008; 404/404; 409/7011."""
    if f"{direction}Id" in body:
        return await transfer(request, direction, body, None)
    if direction is Direction.UPLOAD:
        return await transfer(request, direction, body, _find(request, body))
    wanted = body.get("id")
    if not isinstance(wanted, str) or not _is_id(wanted) or wanted == FAILSAFE:
        raise HttpBadParameter("bad parameter: 'id' must be that of a backup")
    return await transfer(request, direction, body, None)


def _directory(request: Request) -> Path:
    return request.services.runner.places.checkpoints


async def _create(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    label = body.get("label")
    if label is not None and not isinstance(label, str):
        raise HttpBadParameter("bad parameter: 'label' must be a string")
    services = request.services
    moment = iso_time(services.clock.wall_us())
    backup_id = f"{moment.replace(':', '.')}_{clean_label(label or str(uuid4()))}"
    backup_id = backup_id[:HOT_BACKUP_ID_CHARACTERS_MAX]
    directory = _directory(request)
    partial_path = directory / f"{CHECKPOINT_PREFIX}{uuid4()}"
    try:
        await take_checkpoint(request.store, services.write_lock, partial_path)
        entry = await in_thread(partial(_name, partial_path, services.version, backup_id, moment))
    except asyncio.CancelledError:
        await in_thread(partial(shutil.rmtree, partial_path, ignore_errors=True))
        raise
    except OSError as error:
        raise HotBackupFailed(f"internal hot backup error: {error.strerror}") from error
    shown = ("id", "potentiallyInconsistent", "sizeInBytes", "datetime", "nrDBServers", "nrFiles")
    return {name: entry[name] for name in shown}


def _name(partial_path: Path, version: str, backup_id: str, moment: str) -> dict[str, Any]:
    """Give a checkpoint its description and its name. Errors: 400/400 if that exists."""
    directory = partial_path.parent
    try:
        entry = _describe(partial_path, version, backup_id, moment)
        write_file(partial_path / META, dumps(entry))
        partial_path.rename(directory / backup_id)
    except OSError as error:
        shutil.rmtree(partial_path, ignore_errors=True)
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise HttpBadParameter(f"bad parameter: a backup '{backup_id}' exists") from None
        raise
    sync_directory(directory)
    return entry


def _describe(path: Path, version: str, backup_id: str, moment: str) -> dict[str, Any]:
    files = [file for file in path.iterdir() if file.is_file()]
    return {
        "id": backup_id,
        "version": version,
        "datetime": moment,
        "keys": [],
        "sizeInBytes": sum(file.stat().st_size for file in files),
        "nrFiles": len(files),
        "nrDBServers": 1,
        "available": True,
        "nrPiecesPresent": 1,
        "potentiallyInconsistent": False,
        "countIncludesFilesOnly": True,
    }


def clean_label(label: str) -> str:
    """Letters, digits, `-`, `_`, `.` stay, blanks become `_`, other punctuation `.`."""
    kept = []
    for character in label:
        if character.isascii() and (character.isalnum() or character in "-_."):
            kept.append(character)
        elif character.isspace():
            kept.append("_")
        elif character.isascii() and character.isprintable():
            kept.append(".")
    return "".join(kept)


async def _list(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    found = await in_thread(partial(_entries, _directory(request)))
    wanted = body.get("id")
    ids = [wanted] if isinstance(wanted, str) else wanted
    if ids is not None:
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise HttpBadParameter("bad parameter: 'id' must be a string or an array of them")
        for one in ids:
            if one not in found:
                raise HttpNotFound(f"no backup '{one}'")
        found = {one: found[one] for one in ids}
    return {"server": str(request.store.server_id), "list": found}


def _entries(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not directory.is_dir():
        return found
    for path in sorted(directory.iterdir()):
        if path.is_dir() and _is_id(path.name) and path.name != FAILSAFE:
            try:
                found[path.name] = loads((path / META).read_bytes())
            except (OSError, ArangoError) as error:
                found[path.name] = {"errorMessage": str(error), "errorNumber": 4}
    return found


async def _restore(request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Prepare, answer, and let the server restart. Errors: 400/400; 404/404; 501/9 embedded."""
    path = _find(request, body)
    services = request.services
    if services.shut_down is None:
        raise NotImplementedHere("not implemented: this server cannot restart itself")
    entry = _entries(_directory(request))[path.name]
    if entry.get("version") != services.version and body.get("ignoreVersion") is not True:
        raise HttpBadParameter("bad parameter: the backup is of another version")
    moment = iso_time(services.clock.wall_us()).replace(":", ".")
    keeps = body.get("saveCurrent") is True
    saved_as = f"{moment}_before_restore" if keeps else FAILSAFE
    data = services.runner.places.data
    try:
        await in_thread(partial(prepare_restore, data, path.name, saved_as))
    except RestoreUnderWay:
        raise HttpBadParameter("bad parameter: a restore is under way") from None
    except OSError as error:
        raise HotRestoreFailed(f"internal hot restore error: {error.strerror}") from error
    services.restarts = True
    asyncio.get_running_loop().call_later(RESTART_AFTER_S, services.shut_down)
    return {"previous": saved_as, "id": path.name, "isCluster": False}


def _find(request: Request, body: dict[str, Any]) -> Path:
    """Errors: 400/400; 404/404."""
    wanted = body.get("id")
    if not isinstance(wanted, str):
        raise HttpBadParameter("bad parameter: 'id' must be a string")
    path = _directory(request) / wanted
    if not _is_id(wanted) or wanted == FAILSAFE or not path.is_dir():
        raise HttpNotFound(f"no backup '{wanted[:HOT_BACKUP_ID_CHARACTERS_MAX]}'")
    return path


async def _delete(request: Request, body: dict[str, Any]) -> None:
    try:
        path = _find(request, body)
    except HttpNotFound as error:
        raise FileNotFound(error.message) from None
    if request.services.transfers.is_copied(path.name):
        raise BackupConflict(f"conflicts with a transfer of '{path.name}'")
    hidden = path.parent / f"{CHECKPOINT_PREFIX}{uuid4()}"
    try:
        path.rename(hidden)  # a part that is left over is removed at the next start
    except OSError as error:
        raise HotBackupFailed(f"internal hot backup error: {error.strerror}") from error
    await in_thread(partial(shutil.rmtree, hidden, ignore_errors=True))
