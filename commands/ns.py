"""`ns`: is the name delegated? The cheapest hint at whether somebody has registered it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from commands.command import Options, Outcome
from commands.dns.asking import MAX_RECORDS, UNANSWERED, Asking, outcome
from commands.dns.channel import Reply
from commands.dns.resolver import NS
from commands.registrable import registrable_domain


class NsOptions(Options):
    """Which name's servers are meant."""

    at: Literal["registrable", "name"] = Field(
        default="registrable",
        description=(
            "`registrable` asks for the registrable domain of the name, by the Public Suffix List "
            "(a public suffix is asked for itself); `name` asks for the name itself."
        ),
    )


class Ns(Asking[tuple[str, Reply]]):
    """Ask for a domain's name servers."""

    name = "ns"
    statuses = ("delegated", "nodata", "nxdomain", *UNANSWERED)
    good = frozenset({"delegated"})
    volatile = frozenset({"ttl"})
    options: NsOptions

    @classmethod
    def options_type(cls) -> type[NsOptions]:
        """Return its options."""
        return NsOptions

    def prepare(self, payload: str) -> str:
        """Return the name to ask for."""
        if self.options.at == "name":
            return payload
        # A public suffix is asked for itself.
        return registrable_domain(payload) or payload

    async def execute(self, execution: str) -> tuple[str, Reply]:
        """Ask; the name goes with the reply."""
        return execution, await self._resolver.ask(execution, NS)

    def interpret(self, output: tuple[str, Reply]) -> Outcome:
        """Say whether the name itself has name servers."""
        asked, reply = output
        # An alias answers with those of the name it leads to: another delegation than was asked.
        found = [record for record in reply.of(NS) if _same(record.name, asked)]
        if not found:
            return outcome("nodata" if reply.status == "ok" else reply.status, [reply])
        names = sorted({record.data.nsdname.lower() for record in found})
        ttl = min(record.ttl for record in found)
        return outcome(
            "delegated", [reply], {"asked": asked, "ns": names[:MAX_RECORDS], "ttl": ttl}
        )


def _same(one: str, other: str) -> bool:
    return one.rstrip(".").lower() == other.rstrip(".").lower()
