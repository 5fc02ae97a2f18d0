"""Cutting a body into its items while it comes: a JSON array, JSON lines, MessagePack.

Memory stays within one item and what was fed last, whatever the body claims about itself. An item
is handed out as soon as its last byte is there; those before a fault are handed out before the
fault is raised. No I/O, no meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

import msgpack
import numpy as np

from arangorep.codec.json import loads_shallow
from arangorep.errors import CorruptedJson

FED_BYTES = 64 * 1024
"""What is looked through in one go: about a millisecond."""

_escapes = re.compile(rb"\\.", re.DOTALL)
_BLANKS = b" \t\r\n"
_QUOTE, _COMMA, _OPEN, _CLOSE = 34, 44, (91, 123), (93, 125)


class Malformed(Exception):
    """The body cannot be read on. `offset` counts bytes, `line` lines from 1 (0: no lines)."""

    def __init__(self, reason: str, offset: int, line: int = 0) -> None:
        self.reason, self.offset, self.line = reason, offset, line
        place = f"line {line}, offset {offset}" if line else f"offset {offset}"
        super().__init__(f"{reason} at {place}")


class Splitter(Protocol):
    """Feed it all of a body, then `finish` it. Both hand out items. Errors: `Malformed`."""

    blank: int
    """Lines that hold nothing."""

    def feed(self, data: bytes) -> Iterator[Any]:
        """The items that `data` completes."""
        ...

    def finish(self) -> Iterator[Any]:
        """The items that the end completes."""
        ...


def _parse(text: bytes, offset: int, line: int = 0) -> Any:
    try:
        return loads_shallow(text)
    except CorruptedJson as error:
        raise Malformed(error.message, offset, line) from None


class LineSplitter:
    """One JSON value a line; blank lines are counted, the last newline may be missing."""

    def __init__(self, item_bytes_max: int) -> None:
        self._max = item_bytes_max
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._offset = 0
        self._line = 1
        self.blank = 0

    def feed(self, data: bytes) -> Iterator[Any]:
        first, newline, rest = data.partition(b"\n")
        self._hold(first)
        if not newline:
            return
        lines = rest.split(b"\n")
        lines[-1], last = b"".join(self._held), lines[-1]
        # what was held comes first, what is not complete stays
        self._held, self._held_bytes = [], 0
        for line in (lines[-1], *lines[:-1]):
            yield from self._item(line)
            self._offset += len(line) + 1
            self._line += 1
        self._hold(last)

    def finish(self) -> Iterator[Any]:
        line = b"".join(self._held)
        if line:
            yield from self._item(line)

    def _hold(self, data: bytes) -> None:
        self._held_bytes += len(data)
        if self._held_bytes > self._max:
            raise Malformed("an item is too large", self._offset, self._line)
        if data:
            self._held.append(data)

    def _item(self, line: bytes) -> Iterator[Any]:
        text = line.strip(_BLANKS)
        if text:
            yield _parse(text, self._offset, self._line)
        else:
            self.blank += 1


class ArraySplitter:
    """The elements of one JSON array. Brackets and strings are found without a loop over bytes."""

    def __init__(self, item_bytes_max: int) -> None:
        self.blank = 0
        self._max = item_bytes_max
        self._held = bytearray()
        """From the beginning of the element at hand."""
        self._held_at = 0
        """Offset of its first byte in the body."""
        self._escape = b""
        self._depth = 0
        self._in_string = False
        self._started = self._ended = False
        self._elements = 0

    def feed(self, data: bytes) -> Iterator[Any]:
        for start in range(0, len(data), FED_BYTES):
            yield from self._feed(data[start : start + FED_BYTES])

    def finish(self) -> Iterator[Any]:
        """Nothing more: an array is complete at its bracket."""
        if not self._ended:
            at = self._held_at + len(self._held)
            what = "the array is not closed" if self._started else "expecting a JSON array"
            raise Malformed(what, at)
        yield from ()

    def _feed(self, data: bytes) -> Iterator[Any]:
        if not self._started:
            data = self._begin(data)
        if not self._ended and data:
            yield from self._elements_of(data)
        elif data.strip(_BLANKS):
            raise Malformed("something follows the array", self._held_at)

    def _begin(self, data: bytes) -> bytes:
        text = data.lstrip(_BLANKS)
        self._held_at += len(data) - len(text)
        if not text:
            return b""
        if text[:1] != b"[":
            raise Malformed("expecting a JSON array", self._held_at)
        self._started = True
        self._held_at += 1
        self._depth = 1
        return text[1:]

    def _elements_of(self, data: bytes) -> Iterator[Any]:
        base = len(self._held)
        held = self._held
        held += data
        done = 0
        for at, is_end in self._cuts(data):
            if self._ended:
                break
            if is_end and data[at : at + 1] != b"]":
                raise Malformed("the array is not closed", self._held_at + base + at)
            yield from self._element(bytes(held[done : base + at]), self._held_at + done, is_end)
            done = base + at + 1
            self._ended = is_end
        self._held_at += done
        del held[:done]
        if self._ended and held.strip(_BLANKS):
            raise Malformed("something follows the array", self._held_at)
        if self._ended:
            held.clear()
        elif len(held) > self._max:
            raise Malformed("an item is too large", self._held_at)

    def _element(self, text: bytes, offset: int, is_end: bool) -> Iterator[Any]:
        if is_end and not self._elements and not text.strip(_BLANKS):
            return  # []
        self._elements += 1
        yield _parse(text, offset)

    def _cuts(self, data: bytes) -> Iterator[tuple[int, bool]]:
        """Where elements end within `data`, and whether the array does."""
        if self._escape:
            # the byte behind a backslash means nothing by itself
            plain = b" " + data[1:]
            self._escape = b""
        else:
            plain = data
        if b"\\" in plain:
            plain = _escapes.sub(b"  ", plain)
            if plain.endswith(b"\\"):
                self._escape, plain = b"\\", plain[:-1] + b" "
        text = np.frombuffer(plain, np.uint8)
        strings = np.cumsum(text == _QUOTE) + int(self._in_string)
        outside = strings % 2 == 0
        opened = ((text == _OPEN[0]) | (text == _OPEN[1])) & outside
        closed = ((text == _CLOSE[0]) | (text == _CLOSE[1])) & outside
        depth = np.cumsum(opened.astype(np.int64) - closed) + self._depth
        self._in_string = bool(strings[-1] % 2)
        self._depth = int(depth[-1])
        cuts = outside & ((text == _COMMA) & (depth == 1) | closed & (depth == 0))
        for at in np.flatnonzero(cuts).tolist():
            yield at, bool(depth[at] == 0)


class MessagePackSplitter:
    """A sequence of values; the elements of an array at the top are items themselves.

    A value is passed over before it is made: what claims to hold more than is there costs nothing.
    """

    def __init__(self, item_bytes_max: int) -> None:
        self.blank = 0
        self._max = item_bytes_max
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._offset = 0
        self._enough = 0
        """With fewer bytes the value at hand was found to be cut off: not looked at each time."""
        self._left = 0
        """Elements that the array at hand still has."""

    def feed(self, data: bytes) -> Iterator[Any]:
        self._held.append(data)
        self._held_bytes += len(data)
        if self._held_bytes < self._enough:
            return
        yield from self._items()
        if self._held_bytes > self._max:
            raise Malformed("an item is too large", self._offset)
        self._enough = 2 * self._held_bytes

    def finish(self) -> Iterator[Any]:
        yield from self._items()
        if self._held_bytes:
            raise Malformed("the last item is cut off", self._offset)
        if self._left:
            raise Malformed(f"the array lacks {self._left} elements", self._offset)

    def _items(self) -> Iterator[Any]:
        held, done = b"".join(self._held), 0
        unpacker = msgpack.Unpacker(max_buffer_size=len(held))
        unpacker.feed(held)
        try:
            while done < len(held):
                if not self._left and _is_array(held[done]):
                    self._left = unpacker.read_array_header()
                    done = unpacker.tell()
                    continue
                unpacker.skip()
                end = unpacker.tell()
                value = msgpack.unpackb(memoryview(held)[done:end], raw=False)
                done = end
                self._left = max(0, self._left - 1)
                yield value
        except msgpack.OutOfData:
            pass
        except (ValueError, msgpack.UnpackException) as error:
            reason = str(error) or type(error).__name__
            raise Malformed(f"no MessagePack: {reason}", self._offset + done) from None
        self._held = [held[done:]]
        self._held_bytes = len(held) - done
        self._offset += done


def _is_array(first: int) -> bool:
    return 0x90 <= first <= 0x9F or first in (0xDC, 0xDD)
