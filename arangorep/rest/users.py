"""`/_api/user`: accounts and levels (data-api 2.3)."""

from __future__ import annotations

import unicodedata
from typing import Any

from arangorep.errors import (
    BadParameter,
    Forbidden,
    HttpBadParameter,
    HttpForbidden,
    MethodNotAllowed,
    ReadOnly,
    UserNotFound,
)
from arangorep.rest.answer import Answer, ok, result
from arangorep.rest.context import Request
from arangorep.storage.catalog import Database
from arangorep.values.account import ANY, LEVELS, UNDEFINED, Account, Level


async def handle(request: Request) -> Answer:
    """Errors: 400/10 for a wrong path; 405/405; 403/11 unless admin (or oneself, for some)."""
    match len(request.parts):
        case 0:
            return await _all(request)
        case 1:
            return await _one(request)
        case 2 | 3 | 4 if request.parts[1] == "database":
            return await _levels(request)
    raise BadParameter("bad parameter: expecting /_api/user/<user>/database/<database>")


async def _all(request: Request) -> Answer:
    if request.method in ("GET", "HEAD"):
        if not request.identity.is_admin:
            raise HttpForbidden
        return result([account.describe() for account in request.services.users.all()])
    if request.method != "POST":
        raise MethodNotAllowed
    request.require_admin()
    body = await request.json()
    async with _writing(request):
        account = request.services.users.create(body)
    return ok(account.describe(), 201)


async def _one(request: Request) -> Answer:
    users, name = request.services.users, request.parts[0]
    if request.method == "POST":
        return await _check_password(request)
    if request.method not in ("GET", "HEAD", "PUT", "PATCH", "DELETE"):
        raise MethodNotAllowed
    if request.method == "DELETE":
        request.require_admin()
        async with _writing(request):
            users.remove(name)
        return ok(status=202)
    _require_admin_or_self(request, name)
    if request.method in ("GET", "HEAD"):
        return ok(users.get(name).describe())
    body = await request.json()
    change = users.replace if request.method == "PUT" else users.update
    async with _writing(request):
        if not request.identity.is_admin:
            body = _own_changes(users.get(name), body)
        account = change(name, body)
    return ok(account.describe())


def _own_changes(account: Account, body: object) -> object:
    """Users change their password and `extra`, not whether they are active."""
    return {**body, "active": account.active} if isinstance(body, dict) else body


async def _check_password(request: Request) -> Answer:
    """`POST /_api/user/<user>` of any user: 200, or 404/1703 for a wrong password."""
    body = await request.json()
    password = body.get("passwd", "") if isinstance(body, dict) else None
    if not isinstance(password, str):
        raise HttpBadParameter("bad parameter: 'passwd' must be a string")
    if request.services.authenticator.login(request.parts[0], password) is None:
        raise UserNotFound
    return result(True)


def _require_admin_or_self(request: Request, name: str) -> None:
    if not request.identity.is_admin and request.user != name:
        raise Forbidden("forbidden: this is for administrators and the user")


def _writing(request: Request) -> Any:
    """The write lock, after checking that accounts may change. Errors: 403/11, 403/1004."""
    services = request.services
    if services.read_only:
        raise Forbidden("forbidden: the server is in read-only mode")
    if not request.may_change_accounts():
        raise ReadOnly("read-only: accounts are replicated from a leader; change them there")
    return services.write_lock


# -- levels --------------------------------------------------------------------------------------


async def _levels(request: Request) -> Answer:
    name = request.parts[0]
    place = [unicodedata.normalize("NFC", part) for part in request.parts[2:]]
    if request.method in ("GET", "HEAD"):
        _require_admin_or_self(request, name)
        return _show_levels(request, request.services.users.get(name), place)
    if not place:
        raise BadParameter("bad parameter: expecting a database")
    request.require_admin()
    database, collection = place[0], place[1] if len(place) == 2 else ""
    users = request.services.users
    if request.method == "PUT":
        level = _level(await request.json())
        async with _writing(request):
            users.set_level(name, database, collection, level)
        return ok({"/".join(place): level.word})
    if request.method == "DELETE":
        async with _writing(request):
            users.set_level(name, database, collection, None)
        return ok(status=202)
    raise MethodNotAllowed


def _level(body: object) -> Level:
    word = body.get("grant") if isinstance(body, dict) else None
    level = LEVELS.get(word) if isinstance(word, str) else None
    if level is None:
        raise BadParameter("bad parameter: 'grant' must be rw, ro or none")
    return level


def _show_levels(request: Request, account: Account, place: list[str]) -> Answer:
    configured = request.query.flag("configured")
    match place:
        case []:
            full = request.query.flag("full")
            return result(_full(request, account) if full else _effective(request, account))
        case [database]:
            level = (
                account.grant(database).level if configured else account.database_level(database)
            )
        case [database, collection]:
            level = account.collection_level(database, collection)
            if configured:
                level = account.grant(database).collections.get(collection)
    return result(_word(level))


def _word(level: Level | None) -> str:
    return UNDEFINED if level is None else level.word


def _effective(request: Request, account: Account) -> dict[str, str]:
    """Every database that the user may use, and the level of all others."""
    levels = {d.info.name: account.database_level(d.info.name) for d in _databases(request)}
    shown = {name: level.word for name, level in levels.items() if level}
    return {**shown, ANY: (account.grant(ANY).level or Level.NONE).word}


def _full(request: Request, account: Account) -> dict[str, Any]:
    """Every database and collection with what is set for it."""
    shown: dict[str, Any] = {}
    for database in _databases(request):
        name = database.info.name
        collections = account.grant(name).collections
        names = [*(c.info.name for c in database if not c.info.is_system), ANY]
        shown[name] = {
            "permission": _word(account.grant(name).level),
            "collections": {each: _word(collections.get(each)) for each in names},
        }
    anywhere = account.grant(ANY)
    shown[ANY] = {"permission": (anywhere.level or Level.NONE).word}
    if ANY in anywhere.collections:
        shown[ANY]["collections"] = {ANY: anywhere.collections[ANY].word}
    return shown


def _databases(request: Request) -> list[Database]:
    return sorted(request.store.catalog.databases, key=lambda d: d.info.name)
