"""`host`: does the name resolve? Asked of the configured name servers by c-ares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from commands.command import Command, Outcome
from commands.dns.channel import Reply
from commands.dns.resolver import AAAA, A, Resolver
from commands.environment import Environment
from commands.handling import Handling

STATUSES = ("resolves", "nodata", "nxdomain", "servfail", "refused", "timeout", "error")
UNSURE = frozenset(STATUSES[3:])

_ERRORS = {
    "servfail": "the name server could not find out (SERVFAIL)",
    "refused": "the name server refused to answer (REFUSED)",
    "timeout": "the name server did not answer in time",
}


@dataclass(frozen=True, slots=True)
class Lookup:
    """The replies for one name."""

    #: To the question for A.
    a: Reply
    #: To the question for AAAA, which is asked only where there is no A.
    aaaa: Reply | None


class Host(Command[str, Lookup]):
    """Look a name up: A, and AAAA where there is no A."""

    name = "host"
    statuses = STATUSES
    good = frozenset({"resolves"})
    unsure = UNSURE
    volatile = frozenset({"ttl"})
    in_flight = 40
    #: Each question is bounded by itself; a name may wait long for its server's next free slot.
    handling = Handling(timeout_seconds=None)

    def __init__(self, options: Mapping[str, Any], environment: Environment) -> None:
        """Check the options."""
        super().__init__(options, environment)
        self._resolver = Resolver(environment)

    async def __aenter__(self) -> Self:
        """Open a channel to each name server."""
        await self._resolver.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the channels."""
        self._resolver.close()

    def prepare(self, payload: str) -> str:
        """Return the name as it is: absolute, so that no search domain is tried."""
        return payload

    async def execute(self, execution: str) -> Lookup:
        """Ask for A, and for AAAA where there is none."""
        a = await self._resolver.ask(execution, A)
        missing = a.status == "nodata" or (a.status == "ok" and not _addresses(a, A))
        aaaa = await self._resolver.ask(execution, AAAA) if missing else None
        return Lookup(a, aaaa)

    def interpret(self, output: Lookup) -> Outcome:
        """Say what the replies mean together."""
        reply, record_type = (output.a, A) if output.aaaa is None else (output.aaaa, AAAA)
        latency = (output.a.seconds + (output.aaaa.seconds if output.aaaa else 0)) * 1000
        addresses = _addresses(reply, record_type)
        if addresses:
            answer = _answer(reply, "a" if record_type == A else "aaaa", addresses)
            return Outcome(
                status="resolves", answer=answer, decided_by=reply.server, latency_ms=latency
            )
        # A name that exists for one type cannot be missing for another: the first word stands.
        exists = output.aaaa is not None and reply.status in {"ok", "nxdomain"}
        status = "nodata" if exists else reply.status
        error = reply.error or _ERRORS.get(status)
        return Outcome(status=status, error=error, decided_by=reply.server, latency_ms=latency)

    def counters(self) -> Mapping[str, int]:
        """Return the questions by name server and what came of them."""
        return self._resolver.counters()


def _addresses(reply: Reply, record_type: int) -> list[str]:
    # Sorted, since name servers turn the order round at every question.
    return sorted(record.data.addr for record in reply.records if record.type == record_type)


def _answer(reply: Reply, key: str, addresses: list[str]) -> dict[str, Any]:
    answer: dict[str, Any] = {key: addresses, "ttl": min(r.ttl for r in reply.records)}
    aliases = [r.data.cname for r in reply.records if hasattr(r.data, "cname")]
    if aliases:
        answer["cname"] = aliases
    return answer
