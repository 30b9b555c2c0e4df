"""The zone file: the owner of each record is a name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.load.readers.candidates import LineReader

_QUOTED_OR_COMMENT = re.compile(rb'"(?:[^"\\]|\\.)*"|;.*')
_TTL_OR_CLASS = re.compile(rb"(?:\d+[smhdw]?)+|in|ch|hs|any", re.IGNORECASE)


class ZoneReader(LineReader):
    """
    Reads master files: owner names only, relative ones with `$ORIGIN` after them.

    Directives, the further lines of a record in parentheses, and the hashes of NSEC3 count as
    comments. Without `$ORIGIN` a relative name is taken as it is.

    Source:
        RFC 1035, 5.1; RFC 2308, 4 ($TTL); RFC 5155, 3
    """

    def __init__(self, *, max_line_bytes: int) -> None:
        super().__init__(max_line_bytes=max_line_bytes)
        self._origin = b""
        self._owner: bytes | None = None
        self._open_parentheses = 0

    def parse(self, line: bytes) -> Sequence[bytes] | str:
        """Read a line of a record."""
        text = _QUOTED_OR_COMMENT.sub(b"", line) if b'"' in line or b";" in line else line
        is_continuation = self._open_parentheses > 0
        self._open_parentheses = max(
            0, self._open_parentheses + text.count(b"(") - text.count(b")")
        )
        tokens = text.split()
        if is_continuation or not tokens:
            return ()
        if tokens[0].startswith(b"$"):
            self._directive(tokens)
            return ()
        if not text[:1].isspace():
            self._owner = tokens.pop(0)
        if _is_hash(tokens):
            return ()
        return self._absolute(self._owner)

    def _directive(self, tokens: list[bytes]) -> None:
        if tokens[0].upper() == b"$ORIGIN" and len(tokens) > 1:
            origin = tokens[1].removesuffix(b".")
            is_relative = self._origin and not tokens[1].endswith(b".")
            self._origin = origin + b"." + self._origin if is_relative else origin

    def _absolute(self, owner: bytes | None) -> Sequence[bytes] | str:
        if owner is None or (owner == b"@" and not self._origin):
            return "no_name"
        if owner == b"@":
            return (self._origin,)
        if owner.endswith(b".") or not self._origin:
            return (owner,)
        return (owner + b"." + self._origin,)


def _is_hash(tokens: list[bytes]) -> bool:
    """Say whether a record belongs to NSEC3: its owner is a hash, not a name."""
    for index, token in enumerate(tokens[:4]):
        if not _TTL_OR_CLASS.fullmatch(token):
            kinds = [kind.upper() for kind in tokens[index : index + 2]]
            return kinds[0] == b"NSEC3" or kinds == [b"RRSIG", b"NSEC3"]
    return False
