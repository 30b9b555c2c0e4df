"""Compressed bytes to plain ones, piece by piece: gzip, bzip2, xz and Zstandard."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import zstandard

#: Bytes that a decoder may put out at once.
PIECE_BYTES: Final = 1024 * 1024
#: Zstandard's binding has no bound on its output, and 4 bytes may stand for 128 KiB
#: (RFC 8878, 3.1.1.2.2): so many bytes at once are at most 8 MiB.
ZSTD_FEED_BYTES: Final = 256
#: Bytes of dictionary or window that a decoder may ask for; `xz -9` needs 65 MiB, `zstd --ultra
#: -22` 128 MiB.
WINDOW_BYTES: Final = 128 * 1024 * 1024

FAULTS: Final = (zlib.error, OSError, EOFError, lzma.LZMAError, zstandard.ZstdError, ValueError)


class Damaged(Exception):
    """Raised when no more can be read; what was put out before is good."""


class Decoder(Protocol):
    """One gzip member, bzip2 or xz stream, or Zstandard frame."""

    @property
    def eof(self) -> bool:
        """Whether its end was reached."""

    @property
    def unused_data(self) -> bytes:
        """What came after its end."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Take bytes, put out pieces of bounded size."""


class _ZlibDecoder:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)  # 16 + 15: a gzip header.

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decode(self, data: bytes) -> Iterator[bytes]:
        while data and not self._inner.eof:
            yield self._inner.decompress(data, PIECE_BYTES)
            data = self._inner.unconsumed_tail


class _BufferedDecoder:
    """Bzip2 and xz keep by themselves what they were given and did not need yet."""

    def __init__(self, inner: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._inner = inner

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decode(self, data: bytes) -> Iterator[bytes]:
        yield self._inner.decompress(data, PIECE_BYTES)
        while not (self._inner.needs_input or self._inner.eof):
            yield self._inner.decompress(b"", PIECE_BYTES)


class _ZstdDecoder:
    def __init__(self) -> None:
        self._inner = zstandard.ZstdDecompressor(max_window_size=WINDOW_BYTES).decompressobj()
        self._after = b""

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._after

    def decode(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), ZSTD_FEED_BYTES):
            yield self._inner.decompress(data[start : start + ZSTD_FEED_BYTES])
            if self._inner.eof:
                self._after = self._inner.unused_data + data[start + ZSTD_FEED_BYTES :]
                return


DECODERS: Final[dict[str, Callable[[], Decoder]]] = {
    "gzip": _ZlibDecoder,
    "bzip2": lambda: _BufferedDecoder(bz2.BZ2Decompressor()),
    "xz": lambda: _BufferedDecoder(lzma.LZMADecompressor(memlimit=WINDOW_BYTES)),
    "zstd": _ZstdDecoder,
}


def decompress(packed: Iterator[bytes], container: str) -> Iterator[bytes]:
    """
    Unpack a stream, and all that are appended to it.

    Args:
        packed: The compressed bytes, in pieces.
        container: A key of `DECODERS`.

    Raises:
        Damaged: The stream is cut short, broken, or followed by something else.
    """
    decoder, done, fed = DECODERS[container](), 0, False
    for piece in packed:
        rest = piece
        while rest:
            if decoder.eof:
                rest = rest.lstrip(b"\0")  # Padding of tapes, and of xz.
                if not rest:
                    break
                decoder, done = DECODERS[container](), done + 1
            fed = True
            try:
                yield from decoder.decode(rest)
            except FAULTS as fault:
                raise Damaged(_damage(done, container)) from fault
            rest = decoder.unused_data if decoder.eof else b""
    if fed and not decoder.eof:
        raise Damaged("the archive ends early")


def _damage(streams_done: int, container: str) -> str:
    if streams_done:
        return f"after the first {streams_done} {container} streams the archive is broken"
    return "the archive is broken"
