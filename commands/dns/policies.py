"""
The mail policies among a name's TXT records.

Source:
    RFC 7208, 4.5 and 12 (SPF); RFC 7489, 6.3, 6.4 and 6.6.3 (DMARC)
"""

from __future__ import annotations

import re
from typing import Final

from commands.dns.channel import Reply
from commands.dns.resolver import TXT

#: What a DMARC record can ask for; any other word asks for nothing.
POLICIES: Final = frozenset({"none", "quarantine", "reject"})

_SPF = re.compile(r"v=spf1(?: |\Z)", re.IGNORECASE)
_DMARC = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")


def spf(reply: Reply) -> list[str]:
    """Return the SPF records in a reply; more than one is an error of who wrote them."""
    return [text for text in texts(reply) if _SPF.match(text)]


def dmarc(reply: Reply) -> list[str]:
    """Return the DMARC records in a reply; where there are several, none counts."""
    return [text for text in texts(reply) if _DMARC.match(text)]


def texts(reply: Reply) -> list[str]:
    """Return the texts in a reply, sorted: name servers turn the order round."""
    return sorted(record.data.data.decode(errors="replace") for record in reply.of(TXT))


def tags(record: str) -> dict[str, str]:
    """Return the policies of a DMARC record, ``p`` and ``sp``; without the ones it gets wrong."""
    pairs = (part.partition("=") for part in record.split(";"))
    named = {key.strip().lower(): value.strip().lower() for key, _, value in pairs}
    return {tag: named[tag] for tag in ("p", "sp") if named.get(tag) in POLICIES}
