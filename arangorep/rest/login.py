"""`/_open/auth`: a token for a name and password (data-api 2.2)."""

from __future__ import annotations

from arangorep.errors import (
    CorruptedJson,
    HttpBadParameter,
    HttpNotFound,
    HttpUnauthorized,
    MethodNotAllowed,
    UserNotFound,
)
from arangorep.rest.answer import Answer, json_answer
from arangorep.rest.context import Request


async def handle(request: Request) -> Answer:
    """Errors: 405/405; 404/404 for another path."""
    if request.parts not in ([], ["renew"]):
        raise HttpNotFound
    if request.method != "POST":
        raise MethodNotAllowed
    return _renew(request) if request.parts else await _login(request)


async def _login(request: Request) -> Answer:
    """Errors: 400/400 for a body of another shape; 401/401 for wrong credentials."""
    try:
        body = await request.json()
    except CorruptedJson:
        body = None
    members = body if isinstance(body, dict) else {}
    user, password = members.get("username"), members.get("password")
    if not isinstance(user, str) or not isinstance(password, str):
        raise HttpBadParameter("invalid JSON")
    authenticator = request.services.authenticator
    # without authentication everybody is a superuser; drivers want a token all the same
    if authenticator.enabled and authenticator.login(user, password) is None:
        raise HttpUnauthorized("Wrong credentials")
    return json_answer({"jwt": authenticator.issue_token(user)})


def _renew(request: Request) -> Answer:
    """200 with a new token, or with `{}` while the old one is good. Errors: 404/1703."""
    identity = request.identity
    if identity.account is None or identity.token_expires_s is None:
        raise UserNotFound
    token = request.services.authenticator.renew_token(identity)
    return json_answer({} if token is None else {"jwt": token})
