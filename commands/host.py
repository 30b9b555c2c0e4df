"""`host`: does the name resolve? Asked of the configured name servers by c-ares."""

from __future__ import annotations

from typing import Any

from commands.command import Outcome
from commands.dns.asking import UNANSWERED, Asking, outcome, shortest_ttl
from commands.dns.lookup import Lookup, look_up

STATUSES = ("resolves", "nodata", "nxdomain", *UNANSWERED)


class Host(Asking[Lookup]):
    """Look a name up: A, and AAAA where there is no A."""

    name = "host"
    statuses = STATUSES
    good = frozenset({"resolves"})
    volatile = frozenset({"ttl"})

    async def execute(self, execution: str) -> Lookup:
        """Ask for A, and for AAAA where there is none."""
        return await look_up(self._resolver, execution)

    def interpret(self, output: Lookup) -> Outcome:
        """Say what the replies mean together."""
        if output.status == "ok":
            return outcome("resolves", output.replies, _answer(output))
        return outcome(output.status, output.replies)


def _answer(lookup: Lookup) -> dict[str, Any]:
    reply, key = (lookup.a, "a") if lookup.aaaa is None else (lookup.aaaa, "aaaa")
    answer: dict[str, Any] = {key: lookup.addresses, "ttl": shortest_ttl(reply)}
    aliases = [record.data.cname for record in reply.records if hasattr(record.data, "cname")]
    if aliases:
        answer["cname"] = aliases
    return answer
