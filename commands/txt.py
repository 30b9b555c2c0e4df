"""`txt`: does the name say who may send its mail (SPF), and what becomes of the rest (DMARC)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from commands.command import Outcome
from commands.dns import policies
from commands.dns.asking import UNANSWERED, Asking, outcome
from commands.dns.channel import Reply
from commands.dns.resolver import TXT
from commands.registrable import registrable_domain

#: An SPF record should fit into 450 bytes (RFC 7208, 3.4); beyond this many characters a record's
#: text is cut, since TXT may have 64 KiB.
MAX_TEXT = 2000
#: Characters of a name without its last dot (RFC 1035, 2.3.4).
MAX_NAME = 253


@dataclass(frozen=True, slots=True)
class Published:
    """The replies for one name."""

    #: To the question at the name itself.
    own: Reply
    #: To those for DMARC, by the name that was asked; the last one counts. Not asked where the
    #: first reply settles it.
    dmarc: dict[str, Reply]


class Txt(Asking[Published]):
    """Ask for a name's SPF record, and for the DMARC record that holds for it."""

    name = "txt"
    statuses = ("both", "spf", "dmarc", "neither", "invalid", "nxdomain", *UNANSWERED)
    good = frozenset({"both", "spf", "dmarc"})

    async def execute(self, execution: str) -> Published:
        """Ask at the name, at `_dmarc` below it, and below its registrable domain."""
        own = await self._resolver.ask(execution, TXT)
        replies: dict[str, Reply] = {}
        # Below a name that does not exist nothing does (RFC 8020).
        if own.status in {"ok", "nodata"}:
            for asked in _dmarc_names(execution):
                reply = await self._resolver.ask(asked, TXT, on_behalf_of=execution)
                replies[asked] = reply
                if policies.dmarc(reply) or reply.status in UNANSWERED:
                    break
        return Published(own, replies)

    def interpret(self, output: Published) -> Outcome:
        """Say what the replies mean together."""
        replies = (output.own, *output.dmarc.values())
        if not output.dmarc or replies[-1].status in UNANSWERED:
            return outcome(replies[-1].status, replies)
        spf, dmarc = policies.spf(output.own), policies.dmarc(replies[-1])
        answer = _answer(output, spf, dmarc)
        for kind, records in (("SPF", spf), ("DMARC", dmarc)):
            if len(records) > 1:
                error = f"{len(records)} {kind} records, of which none counts"
                return outcome("invalid", replies, answer, error=error)
        status = {(1, 1): "both", (1, 0): "spf", (0, 1): "dmarc", (0, 0): "neither"}
        return outcome(status[len(spf), len(dmarc)], replies, answer)


def _dmarc_names(name: str) -> list[str]:
    """List where a name's DMARC record may be; a name can be too long to have one of its own."""
    names = dict.fromkeys((name, registrable_domain(name) or name))
    return [f"_dmarc.{domain}" for domain in names if len(domain) <= MAX_NAME - len("_dmarc.")]


def _answer(output: Published, spf: list[str], dmarc: list[str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"others": len(output.own.of(TXT)) - len(spf)}
    if spf:
        answer["spf"] = spf[0][:MAX_TEXT]
    if dmarc:
        tags = policies.tags(dmarc[0])
        answer["dmarc"] = dmarc[0][:MAX_TEXT]
        answer["dmarc_at"] = list(output.dmarc)[-1]
        answer |= {tag: tags[tag] for tag in ("p", "sp") if tag in tags}
    return answer
