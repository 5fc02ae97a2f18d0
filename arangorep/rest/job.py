"""`/_api/job`: fetching, listing, cancelling and forgetting asynchronous jobs (data-api 10.2)."""

from __future__ import annotations

from arangorep.errors import HttpBadParameter, HttpNotFound, MethodNotAllowed
from arangorep.protocol import headers
from arangorep.protocol.params import parse_number
from arangorep.rest.answer import Answer, json_answer, no_content
from arangorep.rest.context import Request

LISTED_DEFAULT = 100


async def handle(request: Request) -> Answer:
    """Errors: 400/400 without an id; 404/404 for an unknown one or another user's."""
    jobs, parts = request.services.jobs, request.parts
    if not parts:
        raise HttpBadParameter("bad parameter: a job id is needed")
    match request.method:
        case "GET" | "HEAD":
            return _show(request)
        case "PUT" if len(parts) == 1:
            answer = jobs.fetch(_id(parts[0]), request.user)
            if answer is None:
                return no_content()
            answer.headers[headers.ASYNC_ID] = parts[0]
            return answer
        case "PUT" if len(parts) == 2 and parts[1] == "cancel":
            jobs.cancel(_id(parts[0]), request.user)
            return json_answer({"result": True})
        case "PUT":
            raise HttpBadParameter
        case "DELETE" if parts[0] == "all":
            jobs.delete_all(request.user)
        case "DELETE" if parts[0] == "expired":
            before_s = float(request.query.number("stamp"))
            jobs.delete_all(request.user, created_before_s=before_s)
        case "DELETE":
            jobs.delete(_id(parts[0]), request.user)
        case _:
            raise MethodNotAllowed
    return json_answer({"result": True})


def _show(request: Request) -> Answer:
    jobs, word = request.services.jobs, request.parts[0]
    if word in ("pending", "done"):
        count = request.query.number("count", LISTED_DEFAULT)
        return json_answer(jobs.ids(request.user, done=word == "done", count=count))
    if jobs.is_done(_id(word), request.user):
        return Answer(200, content_type=headers.TEXT)
    return no_content()


def _id(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise HttpNotFound
    return parse_number(text)
