"""What the commands that ask the name servers have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, ClassVar, Final, Generic, Self, TypeVar

from commands.command import Command, Outcome
from commands.dns.channel import Reply
from commands.dns.resolver import Resolver
from commands.environment import Environment
from commands.handling import Handling

Replies = TypeVar("Replies")

#: The statuses of a question that nobody answered, in the order of reports.
UNANSWERED: Final = ("servfail", "refused", "timeout", "error")
#: Of one answer at most so many records are kept: a stranger can put 3,000 into 64 KiB, and who
#: looks at a report reads no more than these.
MAX_RECORDS: Final = 100

_ERRORS = {
    "servfail": "the name server could not find out (SERVFAIL)",
    "refused": "the name server refused to answer (REFUSED)",
    "timeout": "the name server did not answer in time",
}


class Asking(Command[str, Replies], Generic[Replies]):
    """A command whose work is questions to the configured name servers, by c-ares."""

    unsure: ClassVar[frozenset[str]] = frozenset(UNANSWERED)
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

    def counters(self) -> Mapping[str, int]:
        """Return the questions by name server and what came of them."""
        return self._resolver.counters()


def status_of(reply: Reply, record_type: int) -> str:
    """Return ``ok`` where a reply has records of the type asked, else why it has none."""
    # An answer may consist of aliases alone: the name is there, and has nothing of this type.
    return "nodata" if reply.status == "ok" and not reply.of(record_type) else reply.status


def outcome(
    status: str,
    replies: Sequence[Reply],
    answer: Mapping[str, Any] | None = None,
    *,
    error: str | None = None,
) -> Outcome:
    """Return the outcome of a name's questions, of which the last one decided."""
    last = replies[-1]
    return Outcome(
        status=status,
        answer=answer,
        error=error or last.error or _ERRORS.get(status),
        decided_by=last.server,
        latency_ms=sum(reply.seconds for reply in replies) * 1000,
    )


def shortest_ttl(reply: Reply) -> int:
    """Return for how many seconds an answer holds: as long as each of its records does."""
    return int(min(record.ttl for record in reply.records))
