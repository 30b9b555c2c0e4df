"""Lines that hold no name on purpose."""

from __future__ import annotations

import re

#: A comment in a plain list. `//` alone begins a URL too, hence the blank after it; `[Adblock` is
#: the first line of a filter list.
_COMMENT = re.compile(r"[#;!]|//(?:\s|\Z)|\[(?:adblock|adguard|ublock)", re.IGNORECASE)
_INLINE = re.compile(r"\s#")


def is_comment(line: str) -> bool:
    """Say whether a line, without blanks before it, is a comment."""
    return _COMMENT.match(line) is not None


def without_inline_comment(text: str) -> str:
    """Cut a line at a `#` after a blank: without the blank it may belong to a URL."""
    return _INLINE.split(text, maxsplit=1)[0] if "#" in text else text
