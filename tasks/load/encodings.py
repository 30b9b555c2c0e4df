"""Which encoding a text has, and its bytes as UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import Final

from tasks.load.errors import UnknownEncoding

#: Longest first: the mark of UTF-32-LE begins with that of UTF-16-LE.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Codecs of Python that read text and are no encoding of files.
_NOT_OF_FILES: Final = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape", "unicode-escape",
     "raw-unicode-escape", "undefined", "utf-7"}
)  # fmt: skip
_NAMES: Final = {"utf-8": "UTF-8", "utf-16-le": "UTF-16 LE", "utf-16-be": "UTF-16 BE"}

#: ASCII in UTF-16 has a NUL as every second byte; of these shares of NULs one must be passed and
#: the other not reached.
_MANY, _FEW = 0.7, 0.05


def sniff_encoding(head: bytes) -> str:
    """
    Tell the encoding of a text by its byte-order mark, or by NULs as every second byte.

    Args:
        head: The first bytes, some hundred or more if there are so many.

    Returns:
        utf-8 when nothing speaks against it, utf-16-le, utf-16-be, utf-32-le or utf-32-be.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    even, odd = head[0::2], head[1::2]
    if odd and odd.count(0) > _MANY * len(odd) and even.count(0) <= _FEW * len(even):
        return "utf-16-le"
    if odd and even.count(0) > _MANY * len(even) and odd.count(0) <= _FEW * len(odd):
        return "utf-16-be"
    return "utf-8"


def known_encoding(name: str) -> str:
    """
    Return Python's name of an encoding that the user asks for.

    Raises:
        UnknownEncoding: There is none of that name that reads text files.
    """
    try:
        normal = codecs.lookup(name).name
        "".encode(normal)  # Refuses what is no text encoding, such as base64.
    except (LookupError, ValueError, TypeError):
        normal = "undefined"
    if normal in _NOT_OF_FILES:
        raise UnknownEncoding(f"There is no text encoding {name!r}: try utf-8, utf-16 or cp1252.")
    return {"utf-8-sig": "utf-8", "ascii": "utf-8"}.get(normal, normal)


def encoding_words(encoding: str) -> str:
    """Return the encoding as a user writes it."""
    return _NAMES.get(encoding, encoding.upper())


def to_utf8(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """
    Write a text as UTF-8 without a byte-order mark.

    What is invalid stays invalid, so that it costs its own line only: of an 8-bit encoding it
    becomes U+FFFD, of UTF-16 and UTF-32 bytes that are not UTF-8.

    Args:
        pieces: The text in any pieces.
        encoding: A name of `sniff_encoding` or `known_encoding`.
    """
    converted = pieces if encoding == "utf-8" else _converted(pieces, encoding)
    first = b""
    for piece in converted:
        first += piece
        if len(first) >= len(codecs.BOM_UTF8):
            break
    yield first.removeprefix(codecs.BOM_UTF8)
    yield from converted


def _converted(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    wide = encoding.startswith(("utf-16", "utf-32"))
    errors = "surrogatepass" if wide else "replace"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    for piece in pieces:
        yield from _decoded(decoder, piece)
    try:
        decoder.decode(b"", final=True)
    except UnicodeError:
        yield b"\xff"  # Half a character at the end of the file: never valid UTF-8.


def _decoded(decoder: codecs.IncrementalDecoder, piece: bytes) -> Iterator[bytes]:
    try:
        yield decoder.decode(piece).encode("utf-8", "surrogatepass")
    except UnicodeError:  # UTF-32 beyond U+10FFFF: no way to go on within this piece.
        decoder.reset()
        yield b"\xff"
