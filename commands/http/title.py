"""The title of a page, from the bytes that were read of it. They are a stranger's."""

from __future__ import annotations

import html
import re
import zlib
from encodings import normalize_encoding
from encodings.aliases import aliases

import httpx

#: Characters; longer ones are adverts.
MAX_TITLE_LENGTH = 200
#: Bytes that are looked at behind `<title>`: as many characters of four bytes, written as entities.
_TITLE_BYTES = 2_000
# No part can run over the next `<`, so that the time is in proportion to the bytes, whatever they
# are: `<title<title<title...` would else take a second for each 64 KiB.
_TITLE = re.compile(rb"<title(?:\s[^<>]*)?>([^<]*)", re.IGNORECASE)
_TOLD = re.compile(rb"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_CHARSET = re.compile(rb"<meta\s[^<>]*?" + _TOLD.pattern, re.IGNORECASE)
#: Of a header with a charset; the time to search it may grow with the square of its length.
_HEADER_CHARACTERS = 256
#: Where a page says its charset (HTML, 13.2.3.2: within the first 1,024 bytes).
_HEAD_BYTES = 1_024
#: Python would look any other name up on the disk, and remember for ever that it found nothing.
_CHARSETS = frozenset({*aliases, *aliases.values()})
#: zlib's number for "gzip or zlib, as its header says".
_GZIP_OR_ZLIB = 47


def title_of(body: bytes, headers: httpx.Headers, *, most_bytes: int) -> str | None:
    """
    Find the title of a page.

    Args:
        body: As it came; it may have been cut.
        headers: They may tell a compression, although none was asked for, and a charset; else
            the page's own word for it counts, then UTF-8.
        most_bytes: To which a compressed page is expanded, so that bombs stay small.

    Returns:
        It without line breaks and cut, or None where there is none or it cannot be read.
    """
    page = _expanded(body, headers.get("content-encoding", "").strip().lower(), most_bytes)
    found = _TITLE.search(page)
    if found is None:
        return None
    kind = headers.get("content-type", "")[:_HEADER_CHARACTERS]
    told = _TOLD.search(kind.encode("ascii", "replace"))
    told = told or _CHARSET.search(page[:_HEAD_BYTES])
    charset = told[1].decode("ascii") if told else "utf-8"
    text = html.unescape(_text(found[1][:_TITLE_BYTES], charset))
    return " ".join(text.split())[:MAX_TITLE_LENGTH] or None


def _expanded(body: bytes, coding: str, most_bytes: int) -> bytes:
    if coding in {"", "identity"} or not body:
        return body
    if coding not in {"gzip", "x-gzip", "deflate"}:
        return b""
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, most_bytes)
    except zlib.error:
        return b""


def _text(data: bytes, charset: str) -> str:
    name = normalize_encoding(charset).lower()
    try:
        return data.decode(name if name in _CHARSETS else "utf-8", "replace")
    except (LookupError, ValueError):
        # It is none for text (`hex`), or fails nevertheless.
        return data.decode("utf-8", "replace")
