"""`/_admin/log`: the server's own log and its levels (data-api 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from arangorep.clock import iso_time
from arangorep.errors import BadParameter, HttpNotFound
from arangorep.protocol.params import Query
from arangorep.rest.admin import allow
from arangorep.rest.answer import Answer, json_answer, ok
from arangorep.rest.context import Request
from arangorep.rest.log_book import GENERAL, LEVEL_NAMES, Entry, LogBook, parse_level

INFO = LEVEL_NAMES.index("INFO")
STRUCTURED = ("database", "url", "username")
"""What a client may want to see in every line of a log."""


async def handle(request: Request) -> Answer:
    """Errors: 403/11 for no administrator; 404/404; 405/405; 400/10."""
    request.require_admin()
    match request.parts:
        case []:
            return _records(request, _columns)
        case ["entries"]:
            return _records(request, _messages)
        case ["level"]:
            return await _levels(request)
        case ["structured"]:
            return await _structured(request)
    raise HttpNotFound


# -- records -------------------------------------------------------------------------------------


def _records(request: Request, show: Callable[[int, list[Entry]], dict[str, Any]]) -> Answer:
    """`GET` reads, `DELETE` forgets. Errors: 400/10 for a level that does not exist."""
    allow(request, "GET", "DELETE")
    book = request.services.observation.log_book
    if request.method == "DELETE":
        book.clear()
        return ok()
    query = request.query
    found = book.entries(_filter(query))
    if query.text("sort").lower() == "desc":
        found.reverse()
    first = query.number("offset")
    return json_answer(show(len(found), found[first : first + query.number("size", len(found))]))


def _filter(query: Query) -> Callable[[Entry], bool]:
    """What `upto` or `level`, `start` and `search` say together. Errors: 400/10."""
    if "upto" in query and "level" in query:
        raise BadParameter("bad parameter: only one of 'upto' and 'level' can be used")
    only = parse_level(query.text("level")) if "level" in query else None
    most = parse_level(query.text("upto")) if "upto" in query else INFO
    start, search = query.number("start"), query.text("search").lower()

    def wanted(entry: Entry) -> bool:
        fits = entry.level <= most if only is None else entry.level == only
        return fits and entry.id >= start and search in entry.message.lower()

    return wanted


def _messages(total: int, entries: list[Entry]) -> dict[str, Any]:
    messages = [
        {
            "id": entry.id,
            "topic": entry.topic,
            "level": LEVEL_NAMES[entry.level],
            "date": iso_time(entry.wall_us),
            "message": entry.message,
        }
        for entry in entries
    ]
    return {"total": total, "messages": messages}


def _columns(total: int, entries: list[Entry]) -> dict[str, Any]:
    """The older form: an array for each member."""
    return {
        "totalAmount": total,
        "lid": [entry.id for entry in entries],
        "topic": [entry.topic for entry in entries],
        "level": [entry.level for entry in entries],
        "timestamp": [entry.wall_us // 1_000_000 for entry in entries],
        "text": [entry.message for entry in entries],
    }


# -- levels --------------------------------------------------------------------------------------


async def _levels(request: Request) -> Answer:
    """`GET` shows, `PUT` changes, `DELETE` restores what the server started with."""
    allow(request, "GET", "PUT", "DELETE")
    book = request.services.observation.log_book
    with_appenders = request.query.flag("withAppenders")
    if request.method == "PUT":
        book.set_levels(_wanted_levels(await request.json(), with_appenders=with_appenders))
    elif request.method == "DELETE":
        book.reset_levels()
    return json_answer(_shown_levels(book, with_appenders=with_appenders))


def _wanted_levels(body: object, *, with_appenders: bool) -> dict[str, object]:
    """Levels by topic; a text is `topic=level`, or a level of the general topic. Errors: 400/10."""
    if isinstance(body, str):
        topic, equals, level = body.partition("=")
        return {topic: level} if equals else {GENERAL: body}
    if isinstance(body, dict) and with_appenders:
        if body.get("appenders"):
            raise BadParameter("bad parameter: there are no appenders with levels of their own")
        body = body.get("global", {})
    if not isinstance(body, dict):
        raise BadParameter("bad parameter: expecting an object with levels by topic")
    return body


def _shown_levels(book: LogBook, *, with_appenders: bool) -> dict[str, Any]:
    levels = book.levels()
    return {"global": levels, "appenders": {}} if with_appenders else levels


async def _structured(request: Request) -> Answer:
    """`GET|PUT structured`: what is switched on. Kept for who asks; the log has no such members."""
    allow(request, "GET", "PUT")
    switched_on = request.services.observation.structured_log
    if request.method == "PUT":
        body = await request.json()
        if not isinstance(body, dict) or not all(isinstance(on, bool) for on in body.values()):
            raise BadParameter("bad parameter: expecting an object with true or false by name")
        switched_on.update({name: on for name, on in body.items() if name in STRUCTURED})
    return json_answer({name: True for name in STRUCTURED if switched_on.get(name)})
