"""Compressed bodies: gzip (RFC 1952) and deflate (RFC 1950), unpacked piece by piece.

Source: data-api 1.5.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from arangorep.errors import BadParameter

PIECE_BYTES = 256 * 1024
"""What one step unpacks at most, however well it was packed."""

_WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


def is_packed(coding: str) -> bool:
    """Whether a `Content-Encoding` is one that is unpacked here."""
    return coding.strip().lower() in _WINDOW_BITS


class Decompressor:
    """Unpacks one body. Errors: 400/10 for data that is not of the coding."""

    def __init__(self, window_bits: int) -> None:
        self._unpacker = zlib.decompressobj(window_bits)

    @classmethod
    def of(cls, coding: str) -> Decompressor | None:
        """The one for a `Content-Encoding`; None for a coding that is passed through."""
        window_bits = _WINDOW_BITS.get(coding.strip().lower())
        return None if window_bits is None else cls(window_bits)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, in pieces. Errors: 400/10."""
        unpacker = self._unpacker
        while data:
            try:
                piece = unpacker.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise BadParameter(f"bad parameter: the body is not compressed: {error}") from None
            if unpacker.unused_data:
                raise BadParameter("bad parameter: data after the end of the compressed body")
            if piece:
                yield piece
            data = unpacker.unconsumed_tail

    def finish(self) -> None:
        """To be called at the end of the data. Errors: 400/10 when it is cut off."""
        if not self._unpacker.eof:
            raise BadParameter("bad parameter: the compressed body is cut off")


def wanted_coding(accepted: str) -> str | None:
    """The coding to answer in, of an `Accept-Encoding`: gzip before deflate, None for neither."""
    codings = set()
    for part in accepted.lower().split(","):
        name, _, parameters = part.partition(";")
        quality = parameters.partition(";")[0].replace(" ", "").removeprefix("q=")
        if quality.strip("0.") or not quality:
            codings.add(name.strip())
    return next((name for name in _WINDOW_BITS if name in codings), None)


class Compressor:
    """Packs one body piece by piece, quickly rather than small."""

    def __init__(self, coding: str) -> None:
        self._packer = zlib.compressobj(level=1, wbits=_WINDOW_BITS[coding])

    def feed(self, data: bytes) -> bytes:
        """What is ready so far; perhaps nothing."""
        return self._packer.compress(data)

    def finish(self) -> bytes:
        """The rest."""
        return self._packer.flush()
