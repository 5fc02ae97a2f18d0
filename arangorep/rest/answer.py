"""What a handler returns: status, headers and body, before anything is sent.

Answers are plain values, so an asynchronous job can keep one and hand it out later.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from arangorep.codec.json import dumps
from arangorep.errors import ArangoError
from arangorep.protocol import headers


@dataclass(slots=True)
class Answer:
    """A response. `pieces` are sent one after the other, with their summed length announced."""

    status: int = 200
    pieces: list[bytes] = field(default_factory=list)
    content_type: str = headers.JSON
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    """In place of `pieces`: a body that is made while it is sent. It is closed in any case; when it
    raises, the connection ends, so that nobody takes the part for the whole."""
    stream_bytes: int | None = None
    """Length of the stream, if it is known."""
    is_array: bool = False
    """Whether the lines of a dump become one array as VelocyPack."""

    @property
    def length(self) -> int:
        """Bytes of the body; 0 for a stream of unknown length."""
        if self.stream is not None:
            return self.stream_bytes or 0
        return sum(map(len, self.pieces))


def json_answer(value: Any, status: int = 200, extra: Mapping[str, str] | None = None) -> Answer:
    """A JSON body."""
    return Answer(status, [dumps(value)], headers=dict(extra or {}))


def raw_answer(body: bytes, status: int = 200, extra: Mapping[str, str] | None = None) -> Answer:
    """A body that is JSON already."""
    return Answer(status, [body], headers=dict(extra or {}))


def ok(value: Mapping[str, Any] | None = None, status: int = 200) -> Answer:
    """A JSON object with `error` false and `code` added."""
    return json_answer({**(value or {}), "error": False, "code": status}, status)


def result(value: Any, status: int = 200) -> Answer:
    """`{"error":false,"code":…,"result":value}`."""
    return json_answer({"error": False, "code": status, "result": value}, status)


def no_content(extra: Mapping[str, str] | None = None) -> Answer:
    """204 without a body."""
    return Answer(204, headers=dict(extra or {}))


def error_answer(error: ArangoError) -> Answer:
    """The error body of data-api 1.4."""
    body = {
        "code": error.http_status,
        "error": True,
        "errorMessage": error.message,
        "errorNum": error.error_num,
        **error.extra,
    }
    return json_answer(body, error.http_status, error.headers)
