"""The filter list of ad blockers: `||example.com^`, and much that is not one name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.load.comments import is_comment
from tasks.load.readers.candidates import LineReader
from tasks.load.readers.hosts import ADDRESS, hosts_names

#: Source: https://adguard-dns.io/kb/general/dns-filtering-syntax/
_RULE = re.compile(rb"(?:\|\|)?([^\s|^$/*]+)\^?(?:\$.*)?")
_COSMETIC = re.compile(rb"#[@?$%]*#")


class AdblockReader(LineReader):
    """Reads filter lists; only a rule that blocks one whole name holds a name."""

    def parse(self, line: bytes) -> Sequence[bytes] | str:
        """Read a rule; lists for name servers also have plain names and hosts lines in them."""
        rule = line.strip()
        if rule.startswith(b"@@"):
            return "exception_rule"
        if _COSMETIC.search(rule):
            return "pattern"
        if is_comment(rule[:16].decode("utf-8", "replace")):
            return ()
        if ADDRESS.match(rule):
            names = hosts_names(rule)
            # One name a line is what the ledger promises of this format.
            return names if isinstance(names, str) or len(names) < 2 else "pattern"
        plain = rule.split(b" #", 1)[0].rstrip()
        matched = _RULE.fullmatch(plain)
        return (matched[1],) if matched else "pattern"
