"""The addresses of a name: what `host` is about, and what mail falls back to."""

from __future__ import annotations

from dataclasses import dataclass

from commands.dns.channel import Reply
from commands.dns.resolver import AAAA, A, Resolver


@dataclass(frozen=True, slots=True)
class Lookup:
    """The replies for one name."""

    #: To the question for A.
    a: Reply
    #: To the question for AAAA, which is asked only where there is no A.
    aaaa: Reply | None
    #: The addresses; sorted, since name servers turn the order round at every question.
    addresses: list[str]

    @property
    def replies(self) -> tuple[Reply, ...]:
        """All replies; the last one decides."""
        return (self.a,) if self.aaaa is None else (self.a, self.aaaa)

    @property
    def status(self) -> str:
        """``ok`` where there are addresses, else why there are none."""
        if self.addresses:
            return "ok"
        if self.aaaa is None:
            return self.a.status
        # A name that exists for one type cannot be missing for another: the first word stands.
        return "nodata" if self.aaaa.status in {"ok", "nxdomain"} else self.aaaa.status


async def look_up(resolver: Resolver, name: str) -> Lookup:
    """Ask for A, and for AAAA where there is none."""
    a = await resolver.ask(name, A)
    addresses = _addresses(a, A)
    if addresses or a.status not in {"ok", "nodata"}:
        return Lookup(a, None, addresses)
    aaaa = await resolver.ask(name, AAAA)
    return Lookup(a, aaaa, _addresses(aaaa, AAAA))


def _addresses(reply: Reply, record_type: int) -> list[str]:
    return sorted(record.data.addr for record in reply.of(record_type))
