"""
`rdap`: is the registrable domain of a name registered? Asked of its registry's RDAP server.

``not-found`` says that the registry does not have it, not that anybody could have it: names are
also reserved, blocked or sold at a price of their own. Registries allow few questions; so all
workers together keep to a pace for each server, and whoever is refused leaves it alone for a while.

Source:
    RFC 7480, 9082, 9083 and 9224
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import Field

from commands.command import Command, Options, Outcome
from commands.environment import Environment
from commands.handling import Handling
from commands.net.fetch import Fetched, Fetcher, TooLarge
from commands.net.guard import AddressBlocked
from commands.registrable import registrable_domain
from commands.registration.bootstrap import DEFAULT_URL, rdap_servers, server_of
from commands.registration.copies import with_slash
from commands.registration.refusals import GivenUp, Refusals
from commands.registration.verdict import verdict
from commands.turns import NoTurn

#: A usual answer has 10 kB.
MOST_BYTES = 512 << 10
#: For one request, from connecting to the last byte, in seconds. Waiting for a turn is not in it.
REQUEST_SECONDS = 20.0
#: How often an answer may lead elsewhere.
MOST_REDIRECTS = 3
_HEADERS = {"Accept": "application/rdap+json, application/json;q=0.9"}
_URL = r"^https?://[^\s/?#]+[^\s?#]*$"


class LeadsNowhere(Exception):
    """A server's redirects lead on and on, or to what is no address of the web."""


class RdapOptions(Options):
    """What a user may set for `rdap`."""

    per_second: float = Field(
        default=1.0,
        ge=0.01,
        le=100,
        description="Questions a second to one RDAP server, from all workers together.",
    )
    bootstrap: str = Field(
        default=DEFAULT_URL,
        pattern=_URL,
        max_length=2_000,
        description="URL of the list of RDAP servers (RFC 9224).",
    )
    server: str | None = Field(
        default=None,
        pattern=_URL,
        max_length=2_000,
        description="URL of one RDAP server that is asked about all names; no list is used then.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What came of asking about one domain."""

    #: The registrable domain.
    domain: str
    #: The server's URL, which the list names; None where it names none.
    server: str | None = None
    #: The last answer; None where nobody could be asked.
    fetched: Fetched | None = None


class Rdap(Command[str, Asked]):
    """Ask the registry about a name's registrable domain."""

    name = "rdap"
    statuses = (
        *("registered", "not-found", "unsupported-tld", "rate-limited", "server-error"),
        *("invalid", "blocked", "timeout", "error"),
    )
    good = frozenset({"registered"})
    unsure = frozenset({"rate-limited", "server-error", "invalid", "timeout", "error"})
    volatile = frozenset({"server"})
    #: At one a second, and with as many others under way: half an hour, after which RabbitMQ
    #: would take the batch for lost.
    largest_batch = 50
    #: Most of them wait for their turn.
    in_flight = 100
    #: Each request is bounded by itself; a domain may wait long for its turn.
    handling = Handling(
        timeout_seconds=None,
        retries=2,
        backoff_seconds=1.0,
        reactions={"NetworkError": "retry", "RemoteProtocolError": "retry", "NoTurn": "retry"},
    )
    options: RdapOptions

    def __init__(self, options: Mapping[str, Any], environment: Environment) -> None:
        """Check the options."""
        super().__init__(options, environment)
        self._fetcher = Fetcher(environment)
        self._refusals = Refusals(environment.turns)
        self._servers: Mapping[str, str] = {}
        self._counts: Counter[str] = Counter()

    @classmethod
    def options_type(cls) -> type[RdapOptions]:
        """Return the model of the options."""
        return RdapOptions

    async def __aenter__(self) -> Self:
        """Find out which servers there are; `ServersUnknown` if that is not possible."""
        await self._fetcher.open()
        try:
            if self.options.server is None:
                self._servers = await rdap_servers(
                    self.options.bootstrap, self.environment.cache_folder, self._fetcher
                )
        except BaseException:
            await self._fetcher.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._fetcher.close()

    def prepare(self, payload: str) -> str:
        """Return the registrable domain; ValueError for a public suffix."""
        registrable = registrable_domain(payload.lower().rstrip("."), registries_only=True)
        if registrable is None:
            raise ValueError(f"{payload!r} is a public suffix: nobody can register it")
        return registrable

    async def execute(self, execution: str) -> Asked:
        """Ask the server, and those that it points at, each at its pace."""
        server = self.options.server or server_of(self._servers, execution)
        if server is None:
            return Asked(domain=execution)
        url = httpx.URL(f"{with_slash(server)}domain/{execution}")
        for _ in range(1 + MOST_REDIRECTS):
            fetched = await self._ask(url)
            elsewhere = fetched.elsewhere
            if elsewhere is None:
                return Asked(domain=execution, server=server, fetched=fetched)
            url = elsewhere
        message = f"more than {MOST_REDIRECTS} redirects, the last one to {url}"
        raise LeadsNowhere(message)

    def interpret(self, output: Asked) -> Outcome:
        """Say what the answer means; where the status is sure, with what was learned."""
        if output.fetched is None:
            return Outcome(status="unsupported-tld", answer={"asked": output.domain})
        said = verdict(output.fetched)
        answer = {"asked": output.domain, "server": output.server, **(said.facts or {})}
        return Outcome(
            status=said.status,
            answer=None if said.status in self.unsure else answer,
            error=said.error,
            decided_by=_host(output.fetched.url),
            latency_ms=output.fetched.seconds * 1000,
        )

    def mark(self, error: BaseException) -> Outcome:
        """Say what an exception means."""
        marked = super().mark(error)
        for kinds, status in _MEANINGS:
            if isinstance(error, kinds):
                return replace(marked, status=status)
        return marked

    def counters(self) -> Mapping[str, int]:
        """Return the questions by server, and how many of them it refused."""
        return self._counts

    async def _ask(self, url: httpx.URL) -> Fetched:
        """Ask one server when it is our turn, and hear if it wants to be left alone."""
        if url.scheme not in {"http", "https"} or not url.host:
            message = f"redirected to {url}, which is no address of the web"
            raise LeadsNowhere(message)
        host = _host(url)
        self._refusals.check(host)
        await self.environment.turns.wait(host, self.options.per_second)
        # Those before us in the line may have been refused.
        self._refusals.check(host)
        self._counts[f"{host} asked"] += 1
        fetched = await self._fetcher.get(
            url, headers=_HEADERS, most_bytes=MOST_BYTES, seconds=REQUEST_SECONDS
        )
        await self._heed(host, fetched)
        return fetched

    async def _heed(self, host: str, fetched: Fetched) -> None:
        status = verdict(fetched).status
        retry_after = fetched.headers.get("retry-after")
        if status == "rate-limited" or (status == "server-error" and retry_after is not None):
            self._counts[f"{host} refused"] += 1
            # What was said about this domain counts, even if nobody else can be told.
            with suppress(NoTurn):
                await self._refusals.refused(host, retry_after)
        else:
            self._refusals.answered(host)


def _host(url: httpx.URL) -> str:
    """Return what has a pace: the host, and its port where it is not the usual one."""
    return url.netloc.decode("ascii")


#: What an exception means for a domain; anything else is the status for errors.
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((GivenUp,), "rate-limited"),
    ((AddressBlocked,), "blocked"),
    ((httpx.TimeoutException, TimeoutError), "timeout"),
    ((LeadsNowhere, TooLarge), "invalid"),
)
