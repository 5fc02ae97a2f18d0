"""Packing and unpacking of data files piece by piece, and cutting them into blocks of whole lines.

Everything here works on pieces of bytes, so that it serves files and archives alike. Memory is
bounded whatever comes in: a piece unpacks to some MiB at most, a line has a bound, and the whole
has one as well.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import zstandard

from arangorep.backup.layout import PACKINGS
from arangorep.backup.problems import DumpCorrupt
from arangorep.limits import (
    BACKUP_LINE_BYTES_MAX,
    BACKUP_PIECE_BYTES,
    BACKUP_UNPACKED_BYTES_FREE,
    BACKUP_UNPACKED_RATIO_MAX,
)

GZIP_LEVEL: Final = 6
ZSTD_LEVEL: Final = 3

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
ZSTD_WINDOW_BYTES_MAX: Final = 128 * 1024 * 1024
_ZSTD_STEP: Final = 1024
"""zstd makes a block of 128 KiB of four bytes at best, so a step unpacks to 32 MiB at most."""


def packing_of(file_name: str) -> str:
    """`gzip`, `zstd` or `none`, by the ending."""
    endings = {ending: packing for packing, ending in PACKINGS.items() if ending}
    return next((p for ending, p in endings.items() if file_name.endswith(ending)), "none")


# -- packing --------------------------------------------------------------------------------------


class _Engine(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


class Packer:
    """Packs one file. `feed` and `finish` return what is ready. `level` 1 is the fastest."""

    def __init__(self, packing: str, level: int | None = None) -> None:
        self._engine: _Engine | None = None
        if packing == "gzip":
            self._engine = zlib.compressobj(level or GZIP_LEVEL, wbits=_GZIP_WINDOW)
        elif packing == "zstd":
            # the checksum finds flipped bytes also where there is no manifest, as gzip's does
            engine = zstandard.ZstdCompressor(level=level or ZSTD_LEVEL, write_checksum=True)
            self._engine = engine.compressobj()
        elif packing != "none":
            raise ValueError(f"unknown packing '{packing}'")

    def feed(self, data: bytes) -> bytes:
        """Perhaps nothing yet."""
        return data if self._engine is None else self._engine.compress(data)

    def finish(self) -> bytes:
        """The rest."""
        return b"" if self._engine is None else self._engine.flush()


# -- unpacking ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much a file may unpack to: exactly `unpacked_bytes`, where that is known."""

    unpacked_bytes: int | None = None
    free_bytes: int = BACKUP_UNPACKED_BYTES_FREE
    ratio_max: int = BACKUP_UNPACKED_RATIO_MAX
    line_bytes_max: int = BACKUP_LINE_BYTES_MAX


DEFAULT_BOUNDS: Final = Bounds()


def unpacked(
    chunks: Iterable[bytes], packing: str, entry: str, bounds: Bounds = DEFAULT_BOUNDS
) -> Iterator[bytes]:
    """The content of a file whose stored bytes are `chunks`, in pieces of some MiB at most.

    Errors: `DumpCorrupt` for what is cut off, damaged, or unpacks to more than the bounds allow.
    """
    counted = _Counted(chunks)
    total = 0
    for piece in _open(counted, packing, entry):
        total += len(piece)
        if bounds.unpacked_bytes is not None:
            if total > bounds.unpacked_bytes:
                raise DumpCorrupt(entry, f"holds more than {bounds.unpacked_bytes} bytes")
        elif total > max(bounds.free_bytes, bounds.ratio_max * counted.size):
            raise DumpCorrupt(entry, f"{counted.size} bytes unpack to more than {total}")
        if piece:
            yield piece
    if bounds.unpacked_bytes is not None and total != bounds.unpacked_bytes:
        raise DumpCorrupt(entry, f"holds {total} bytes instead of {bounds.unpacked_bytes}")


class _Counted:
    """Chunks, and how many bytes have been taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk


def _open(chunks: Iterable[bytes], packing: str, entry: str) -> Iterator[bytes]:
    if packing == "none":
        return iter(chunks)
    return _gunzip(chunks, entry) if packing == "gzip" else _unzstd(chunks, entry)


def _gunzip(chunks: Iterable[bytes], entry: str) -> Iterator[bytes]:
    """Any number of gzip members; an empty file is none (RFC 1952)."""
    engine = zlib.decompressobj(_GZIP_WINDOW)
    try:
        for chunk in chunks:
            data = chunk
            while data:
                if engine.eof:
                    engine = zlib.decompressobj(_GZIP_WINDOW)
                yield engine.decompress(data, BACKUP_PIECE_BYTES)
                data = engine.unused_data if engine.eof else engine.unconsumed_tail
            # all input may have gone in while output still waits
            while not engine.eof and (piece := engine.decompress(b"", BACKUP_PIECE_BYTES)):
                yield piece
    except zlib.error as error:
        raise DumpCorrupt(entry, f"is damaged: {error}") from None
    if not engine.eof:
        raise DumpCorrupt(entry, "is cut off")


def _unzstd(chunks: Iterable[bytes], entry: str) -> Iterator[bytes]:
    """Any number of zstd frames (RFC 8878)."""
    dctx = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES_MAX)
    engine = dctx.decompressobj()
    for chunk in chunks:
        for start in range(0, len(chunk), _ZSTD_STEP):
            data = chunk[start : start + _ZSTD_STEP]
            while data:
                if engine.eof:
                    engine = dctx.decompressobj()
                try:
                    yield engine.decompress(data)
                except zstandard.ZstdError as error:
                    raise DumpCorrupt(entry, f"is damaged: {error}") from None
                data = engine.unused_data if engine.eof else b""
    if not engine.eof:
        raise DumpCorrupt(entry, "is cut off")


# -- lines ----------------------------------------------------------------------------------------


def line_blocks(
    pieces: Iterable[bytes],
    block_bytes: int,
    entry: str,
    line_bytes_max: int = BACKUP_LINE_BYTES_MAX,
) -> Iterator[bytes]:
    """The same bytes in blocks of whole lines, of `block_bytes` at most unless a line is longer.

    Only the last block may end without a newline. Errors: `DumpCorrupt` for a line that is longer
    than `line_bytes_max`.
    """
    held = bytearray()
    searched = 0  # so much of `held` is known to be the inside of one long line
    for piece in pieces:
        held += piece
        while len(held) >= block_bytes:
            end = 0 if searched else held.rfind(b"\n", 0, block_bytes) + 1
            end = end or held.find(b"\n", max(searched, block_bytes)) + 1
            if (end or len(held)) > max(line_bytes_max, block_bytes):
                raise DumpCorrupt(entry, f"a line is longer than {line_bytes_max} bytes")
            if not end:
                searched = len(held)
                break
            yield bytes(held[:end])
            del held[:end]
            searched = 0
    if held:
        yield bytes(held)
