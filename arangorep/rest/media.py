"""Choosing between JSON, JSON lines and MessagePack by `Accept` and `Content-Type` (backups 2.5).

Used where Xapiand's routes are spoken; everything else is JSON or VelocyPack (`negotiation.py`).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from arangorep.errors import NotAcceptable, UnsupportedMediaType


class Media(Enum):
    """A form of many documents."""

    JSON = "application/json"
    LINES = "application/x-ndjson"
    MESSAGEPACK = "application/msgpack"


_NAMES: dict[str, Media] = {
    "application/json": Media.JSON,
    "application/x-json": Media.JSON,
    "text/json": Media.JSON,
    "application/x-ndjson": Media.LINES,
    "application/ndjson": Media.LINES,
    "application/jsonl": Media.LINES,
    "application/x-jsonlines": Media.LINES,
    "application/msgpack": Media.MESSAGEPACK,
    "application/x-msgpack": Media.MESSAGEPACK,
    "application/vnd.msgpack": Media.MESSAGEPACK,
}
_TAKEN_FOR_JSON = ("", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What tools send that were not told what they send."""


class Chosen(NamedTuple):
    """A form, and the name that the client has for it."""

    media: Media
    name: str

    @property
    def content_type(self) -> str:
        """The header of the answer."""
        return f"{self.name}; charset=utf-8"


def media_of(content_type: str | None) -> Media:
    """The form of a body. Errors: 415/415."""
    name = _plain(content_type)
    if name in _TAKEN_FOR_JSON:
        return Media.JSON
    found = _NAMES.get(name)
    if found is None:
        raise UnsupportedMediaType(f"a body of type '{name}' cannot be read; {_choices()}")
    return found


def chosen_media(accept: str | None, content_type: str | None) -> Chosen:
    """The form to answer in: the best of `Accept`, that of the request before others.

    Errors: 406/406.
    """
    own = _NAMES.get(_plain(content_type))
    best: tuple[tuple[float, int, bool, int], Chosen] | None = None
    ranges = _ranges("*/*" if accept is None or not accept.strip() else accept)
    for order, name in enumerate(_NAMES):
        specific, quality, position = _match(ranges, name)
        if quality <= 0:
            continue
        media = _NAMES[name]
        # a name that was not asked for stands for its form only when it is the usual one
        if specific < 2 and name != media.value:
            continue
        rank = (quality, specific, media is own, -(position if specific == 2 else order))
        if best is None or rank > best[0]:
            best = rank, Chosen(media, name)
    if best is None:
        raise NotAcceptable(f"nothing of '{accept}' can be made; {_choices()}")
    return best[1]


def _plain(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _choices() -> str:
    return "expecting one of " + ", ".join(media.value for media in Media)


def _ranges(accept: str) -> dict[str, tuple[float, int]]:
    """Media ranges with their quality and position."""
    found: dict[str, tuple[float, int]] = {}
    for position, part in enumerate(accept.split(",")):
        name, *parameters = [piece.strip().lower() for piece in part.split(";")]
        if name:
            found.setdefault(name, (_quality(parameters), position))
    return found


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0


def _match(ranges: dict[str, tuple[float, int]], name: str) -> tuple[int, float, int]:
    """How exactly a range names it (2, 1, 0), its quality (0: not at all), its position."""
    for specific, pattern in ((2, name), (1, name.partition("/")[0] + "/*"), (0, "*/*")):
        if pattern in ranges:
            return (specific, *ranges[pattern])
    return 0, 0.0, 0
