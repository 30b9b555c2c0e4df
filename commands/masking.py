"""Texts of others in one line, and without the secrets that must not be logged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

#: In the place of a secret.
MASK = "***"
#: Characters of a problem's words.
MAX_WORDS = 300
#: Shorter pieces are ports and versions; replaced, they would spoil every other word.
_MIN_SECRET = 4
_SEPARATORS = re.compile(r"[/:@?&=,;#\s]+")


def pieces(url: str) -> set[str]:
    """Return everything in a URL that could be a secret: all but its scheme, also decoded."""
    _, _, rest = url.partition("://")
    found = {piece for piece in _SEPARATORS.split(rest) if len(piece) >= _MIN_SECRET}
    return found | {unquote(piece) for piece in found}


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return a text as one line without the secrets, the longest first."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return " ".join(text.split())[:MAX_WORDS]


def one_line(text: str, most: int) -> str:
    """Return a text (at most so many characters) without what would end a header or a line."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else "\ufffd" for c in words)[:most]
