"""
The fast path: a whole chunk of lines at once, for the names that need no rewriting.

A name is *plain* when `normalise` would only lower its case and take off its final dot, without
any flag. Everything else is left to `normalise`; both give the same answer on every line.
"""

from __future__ import annotations

import re

from tasks.load.reasons import SPECIAL_USE

_SPECIAL = "|".join(sorted(SPECIAL_USE)).encode("ascii")
#: One match a line: the name in group 1, or nothing in it when the line is not plain.
#: The lookahead bounds the name at 253 bytes; a line of only digits and dots has no TLD of letters.
_PLAIN = re.compile(
    rb"^((?=[^\n]{3,253}+\.?$)"
    rb"(?:(?!xn--|-)[a-z0-9-]{1,63}+(?<!-)\.)+"
    rb"(?!(?:" + _SPECIAL + rb")\.?$)[a-z]{1,63}+)\.?$|^.*$",
    re.MULTILINE,
)


def plain_names(data: bytes) -> list[bytes]:
    """
    Pick the plain names out of lines.

    Args:
        data: n >= 1 lines joined by LF, without a final LF, in any case.

    Returns:
        n items: the name, or `b""` where the line is not plain.
    """
    return _PLAIN.findall(data.lower())
