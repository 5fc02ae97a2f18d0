"""The form of bodies: JSON or VelocyPack, packed or plain (leader-api 10.6, data-api 1.5).

Handlers know JSON only. What a client sends as VelocyPack becomes plain values before they see it;
what it wants as VelocyPack is made of the finished answer, so that no handler can forget it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from arangorep.codec import velocypack
from arangorep.codec.compression import Compressor, wanted_coding
from arangorep.codec.json import check_depth
from arangorep.limits import COMPRESSED_BYTES_MIN, ENCODED_IN_PLACE_BYTES, ENCODED_ROWS_PER_SLICE
from arangorep.pacing import drive
from arangorep.protocol import headers
from arangorep.rest.answer import Answer

NEVER_PACKED = frozenset({204, 304})
PACKED_PIECE_BYTES = 64 * 1024


def is_velocypack(content_type: str | None) -> bool:
    """Whether a `Content-Type` or `Accept` says exactly that."""
    return content_type is not None and content_type.strip() == headers.VELOCYPACK


async def decoded(data: bytes) -> Any:
    """The value of a VelocyPack body. Errors: 400/600."""
    if len(data) <= ENCODED_IN_PLACE_BYTES:
        return _decode(data)
    return await asyncio.to_thread(_decode, data)


def _decode(data: bytes) -> Any:
    value = velocypack.decode(data)
    check_depth(value)  # it must be possible to send it as JSON
    return value


async def suited(method: str, request_headers: Mapping[str, str], answer: Answer) -> Answer:
    """The answer in the form that the client asked for; streams choose theirs themselves."""
    if answer.stream is not None:
        return answer
    if is_velocypack(request_headers.get("Accept")):
        await _encode(answer)
    accepted = request_headers.get("Accept-Encoding")
    if accepted and method != "HEAD":
        await _pack(accepted, answer)
    return answer


# -- VelocyPack ------------------------------------------------------------------------------------


async def _encode(answer: Answer) -> None:
    """Turn JSON into VelocyPack: one value, or one for each line of a dump or tail."""
    if answer.content_type == headers.DUMP:
        if answer.is_array:
            answer.pieces, answer.status = [await as_array(answer.pieces)], 200
        else:
            answer.pieces = await drive(_encode_lines(answer.pieces))
    elif answer.content_type == headers.JSON and answer.pieces:
        text = b"".join(answer.pieces)
        answer.pieces.clear()
        if len(text) <= ENCODED_IN_PLACE_BYTES:
            answer.pieces.append(velocypack.encode_json(text))
        else:
            answer.pieces.append(await asyncio.to_thread(velocypack.encode_json, text))
    elif answer.content_type != headers.JSON:
        return
    answer.content_type = headers.VELOCYPACK


def _encode_lines(pieces: list[bytes]) -> Generator[None, None, list[bytes]]:
    """Each line as a value; the lines' pieces are dropped on the way."""
    encoded: list[bytes] = []
    pieces.reverse()
    while pieces:
        lines = pieces.pop().splitlines()
        values: list[bytes] = []
        for start in range(0, len(lines), ENCODED_ROWS_PER_SLICE):
            rows = lines[start : start + ENCODED_ROWS_PER_SLICE]
            values += velocypack.encode_json_rows(rows)
            yield
        encoded.append(b"".join(values))
    return encoded


async def as_array(pieces: list[bytes]) -> bytes:
    """Lines as one compact array; uses `pieces` up."""
    return await asyncio.to_thread(_array_of, await drive(_encode_lines(pieces)))


def _array_of(pieces: list[bytes]) -> bytes:
    return velocypack.compact_array([one for piece in pieces for one in velocypack.split(piece)])


# -- compression -----------------------------------------------------------------------------------


async def _pack(accepted: str, answer: Answer) -> None:
    """Compress what is worth it.

    Dumps and tails only for clients that name one coding and nothing else: those mean it, while
    HTTP libraries offer every coding they know with every request.
    """
    if answer.length < COMPRESSED_BYTES_MIN or answer.status in NEVER_PACKED:
        return
    if (
        answer.content_type in (headers.DUMP, headers.VELOCYPACK, headers.BINARY)
        and "," in accepted
    ):
        return
    coding = wanted_coding(accepted)
    if coding is None or "content-encoding" in answer.headers:
        return
    answer.pieces = await drive(_packed(Compressor(coding), answer.pieces))
    answer.headers["content-encoding"] = coding


def _packed(compressor: Compressor, pieces: list[bytes]) -> Generator[None, None, list[bytes]]:
    packed: list[bytes] = []
    for part in _parts(pieces):
        packed.append(compressor.feed(part))
        yield
    packed.append(compressor.finish())
    return [part for part in packed if part]


def _parts(pieces: list[bytes]) -> Iterator[bytes]:
    """Pieces of a size that is packed within a millisecond."""
    pieces.reverse()
    while pieces:
        piece = pieces.pop()
        for start in range(0, len(piece), PACKED_PIECE_BYTES):
            yield piece[start : start + PACKED_PIECE_BYTES]
