"""
`mx`: would mail for the name be delivered anywhere?

Source:
    RFC 5321, 5.1: without MX, the name's own address takes the mail; RFC 7505: "0 ." takes none
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from commands.command import Outcome
from commands.dns.asking import (
    MAX_RECORDS,
    UNANSWERED,
    Asking,
    outcome,
    shortest_ttl,
    status_of,
)
from commands.dns.channel import Reply
from commands.dns.lookup import Lookup, look_up
from commands.dns.resolver import MX


@dataclass(frozen=True, slots=True)
class Route:
    """The replies for one name."""

    #: To the question for MX.
    mx: Reply
    #: To those for addresses, which are asked only where there is no MX.
    addresses: Lookup | None


class Mx(Asking[Route]):
    """Ask for a name's mail servers, and for its own addresses where it has none."""

    name = "mx"
    statuses = ("mail", "implicit", "null-mx", "nodata", "nxdomain", *UNANSWERED)
    good = frozenset({"mail", "implicit"})
    volatile = frozenset({"ttl"})

    async def execute(self, execution: str) -> Route:
        """Ask for MX, and for addresses where there is none."""
        mx = await self._resolver.ask(execution, MX)
        missing = status_of(mx, MX) == "nodata"
        return Route(mx, await look_up(self._resolver, execution) if missing else None)

    def interpret(self, output: Route) -> Outcome:
        """Say what the replies mean together."""
        if output.addresses is not None:
            return _without_mx(output.mx, output.addresses)
        if output.mx.status != "ok":
            return outcome(output.mx.status, [output.mx])
        found = _exchanges(output.mx)
        # Beside other servers a null MX is against RFC 7505, and sends no mail away.
        status = "mail" if any(one["exchange"] != "." for one in found) else "null-mx"
        answer = {"mx": found[:MAX_RECORDS], "ttl": shortest_ttl(output.mx)}
        return outcome(status, [output.mx], answer)


def _without_mx(mx: Reply, lookup: Lookup) -> Outcome:
    replies = (mx, *lookup.replies)
    if lookup.status == "ok":
        addresses = lookup.addresses[:MAX_RECORDS]
        answer = {"mx": [], "addresses": addresses, "ttl": shortest_ttl(replies[-1])}
        return outcome("implicit", replies, answer)
    # The name exists for MX, so it cannot be missing for A: the first word stands.
    return outcome("nodata" if lookup.status == "nxdomain" else lookup.status, replies)


def _exchanges(reply: Reply) -> list[dict[str, Any]]:
    pairs = sorted((one.data.priority, one.data.exchange.lower() or ".") for one in reply.of(MX))
    return [{"preference": preference, "exchange": exchange} for preference, exchange in pairs]
