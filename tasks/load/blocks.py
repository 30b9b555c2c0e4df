"""A stream of UTF-8 to blocks of whole lines, of bounded size whatever is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tasks.load.encodings import to_utf8
from tasks.load.streams import Stream

BLOCK_BYTES: Final = 4 * 1024 * 1024  #: Long enough that the cost of a block does not count.


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines that follow each other."""

    #: n >= 1 lines joined by LF, without a final LF, without CR.
    data: bytes
    #: Number of the first one, from 1.
    first_line: int
    #: n.
    count: int

    @property
    def numbers(self) -> range:
        """The numbers of the lines (n,)."""
        return range(self.first_line, self.first_line + self.count)


class BlockCutter:
    """
    Cuts streams, one after another, into blocks. LF, CRLF and lone CR end a line, also mixed.

    Attributes:
        lines: How many lines were read so far, of all streams.
        cut_off: The last line of a stream that ended early in the middle of it, else None. It is
            in no block: half a name may be another name.
    """

    def __init__(self, *, max_line_bytes: int) -> None:
        self.lines = 0
        self.cut_off: bytes | None = None
        self._longest = max_line_bytes + 1  # One more than allowed, so that a reader sees it.

    def cut(self, stream: Stream, encoding: str) -> Iterator[Block]:
        """Yield the blocks of a stream; a line over the bound is cut one byte after it."""
        self.cut_off = None
        rest = b""
        for data in self._large_pieces(to_utf8(iter(stream), encoding)):
            head, newline, tail = (rest + data).rpartition(b"\n")
            rest = tail[: self._longest]
            if newline:
                yield self._block(head)
        if rest and stream.damage:
            self.lines += 1
            self.cut_off = rest
        elif rest:
            yield self._block(rest)

    def _block(self, data: bytes) -> Block:
        count = data.count(b"\n") + 1
        self.lines += count
        return Block(data=data, first_line=self.lines - count + 1, count=count)

    def _large_pieces(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Join pieces up to the size of a block, and leave out the rest of overlong lines."""
        parts: list[bytes] = []
        size = line = 0
        for piece in with_lf(pieces):
            kept, line = self._shorten(piece, line)
            parts.append(kept)
            size += len(kept)
            if size >= BLOCK_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
        yield b"".join(parts)

    def _shorten(self, piece: bytes, line: int) -> tuple[bytes, int]:
        """
        Drop what goes beyond the bound from the line that runs into a piece.

        Args:
            piece: Bytes with LF.
            line: Bytes of the line before the piece.

        Returns:
            What is left of the piece, and the bytes of the line at its end.
        """
        end = piece.find(b"\n")
        if end < 0:
            return piece[: max(0, self._longest - line)], line + len(piece)
        last = len(piece) - piece.rfind(b"\n") - 1
        if line + end <= self._longest:
            return piece, last
        return piece[: max(0, self._longest - line)] + piece[end:], last


def with_lf(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Write every newline as LF; a CRLF may lie across two pieces."""
    held = b""
    for piece in pieces:
        data = held + piece
        held = b"\r" if data.endswith(b"\r") else b""
        if b"\r" in data:
            data = data[: len(data) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield data
    if held:
        yield b"\n"
