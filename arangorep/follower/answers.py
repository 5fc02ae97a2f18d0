"""Reading what a leader answers: values of the right shape, or the error that says what is not."""

from __future__ import annotations

from typing import Any

from arangorep.codec.json import loads, loads_shallow
from arangorep.errors import (
    ArangoError,
    CursorNotFound,
    InvalidResponse,
    LeaderError,
    NotImplementedHere,
)
from arangorep.follower.transport import Response
from arangorep.protocol.params import parse_number
from arangorep.values.revision import REVISION_MAX, decode_hlc
from arangorep.values.revision_arrays import decode_many

ERROR_TEXT_MAX = 500
BATCH_GONE = (1600, 400)
"""What servers answer with 404 to a request with an unknown batch; real ones to a dump: 400."""


def leader_error(method: str, target: str, response: Response) -> ArangoError:
    """1402, or what a caller handles itself: 404 of a batch (1600), 501 of a missing tree."""
    text = response.body[:ERROR_TEXT_MAX].decode("utf-8", "replace")
    message = f"leader error: {method} {target}: HTTP {response.status}: {text}"
    number = _error_num(response.body)
    if response.status == 404 and number in BATCH_GONE:
        return CursorNotFound(message)
    if response.status == 501:
        return NotImplementedHere(message)
    return LeaderError(message, extra={"leaderErrorNum": number, "leaderStatus": response.status})


def _error_num(body: bytes) -> int:
    try:
        value = loads(body)
    except ArangoError:
        return 0
    found = value.get("errorNum") if isinstance(value, dict) else 0
    return found if type(found) is int else 0


def json_of(response: Response, *, is_deep: bool = False) -> Any:
    """The body; with `is_deep` its parts may nest too deep. Errors: 500/1401."""
    try:
        return loads_shallow(response.body) if is_deep else loads(response.body)
    except ArangoError:
        raise InvalidResponse("invalid response: the body is no JSON") from None


def object_of(response: Response) -> dict[str, Any]:
    """The body, an object. Errors: 500/1401."""
    value = json_of(response)
    if not isinstance(value, dict):
        raise InvalidResponse("invalid response: the body is no object")
    return value


def text_in(value: dict[str, Any], name: str) -> str:
    """A text that is not empty. Errors: 500/1401."""
    found = value.get(name)
    if not isinstance(found, str) or not found:
        raise InvalidResponse(f"invalid response: '{name}' is missing")
    return found


def tick_in(value: dict[str, Any], name: str) -> int:
    """A number in a text, not 0. Errors: 500/1401."""
    found = parse_number(text_in(value, name))
    if not found:
        raise InvalidResponse(f"invalid response: '{name}' is no tick")
    return found


def missing(name: str) -> InvalidResponse:
    """The error for a header that is not there."""
    return InvalidResponse(f"invalid response: header {name} is missing")


def number_in(response: Response, name: str) -> int | None:
    """A header that is a number, None when it is missing."""
    text = response.headers.get(name)
    return None if text is None else parse_number(text)


def flag_in(response: Response, name: str) -> bool | None:
    """A header that is true or false, None when it is missing."""
    text = response.headers.get(name)
    return None if text is None else text.strip().lower() == "true"


def revisions_of(value: object) -> list[int]:
    """One of the lists of a ranges answer. Errors: 500/1401 unless its revisions ascend."""
    if not isinstance(value, list):
        raise InvalidResponse("invalid response: a range is no array")
    try:
        quick = decode_many([text.encode() for text in value])
    except AttributeError:
        quick = None
    found: list[int] = (
        quick.tolist()
        if quick is not None
        else [decode_hlc(text) if isinstance(text, str) else REVISION_MAX for text in value]
    )
    if REVISION_MAX in found or found != sorted(found):
        raise InvalidResponse("invalid response: a range does not hold ascending revisions")
    return found
