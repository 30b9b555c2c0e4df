"""
`http`: does a web server answer under the name, and with what?

Whoever owns a name decides where it leads and what comes back, so nothing is believed: each hop is
looked up once and looked at (`commands.net.guard`), the connection goes to the very address that
was looked at (`commands.net.connection`), and what is read is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from commands.command import MAX_ERROR_LENGTH, Command, Options, Outcome
from commands.environment import Environment
from commands.handling import Handling
from commands.http.fetch import Fetcher, Page
from commands.http.options import HttpOptions
from commands.http.title import title_of
from commands.http.urls import check, first_url, host_of, shown
from commands.http.verdicts import STATUSES, UNSURE, status_of_code, verdict_on
from commands.net.connection import Refused, Unanswered, Unconnected
from commands.net.guard import Guard

#: Characters of the header `Server` that an answer keeps; the longest honest ones list modules.
MAX_SERVER_LENGTH = 200
#: Seconds for one request, from connecting to the last byte that is read.
REQUEST_SECONDS = 30.0
_CUT_SHORT = {
    "redirect": "a redirect that leads nowhere, or is not followed",
    "redirect-loop": "redirects in a circle, or more of them than max_hops",
    "protocol-error": "a status code that is none of HTTP's final ones",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a name led to."""

    #: The last answer.
    page: Page
    #: What was asked before, in order.
    hops: tuple[Mapping[str, Any], ...]
    #: Whether it is a redirect that was not followed because there were others before.
    in_loop: bool


class Http(Command[tuple[httpx.URL, ...], Visit]):
    """Ask for a page, follow its redirects, and say what the last answer is."""

    name = "http"
    statuses = STATUSES
    good = frozenset({"ok"})
    unsure = UNSURE
    volatile = frozenset({"address", "body_bytes", "ttfb_ms"})
    in_flight = 100
    #: A connection that breaks off is worth a second try, since servers that restart do that.
    #: Each request is bounded by itself; a domain may wait long for its turn to ask name servers.
    handling = Handling(
        timeout_seconds=None, retries=2, reactions={"ReadError": "retry", "WriteError": "retry"}
    )
    options: HttpOptions

    def __init__(self, options: Mapping[str, Any], environment: Environment) -> None:
        """Check the options."""
        super().__init__(options, environment)
        self._guard = Guard(environment)
        self._fetcher = Fetcher(self.options)

    @classmethod
    def options_type(cls) -> type[Options]:
        """Return the options."""
        return HttpOptions

    async def __aenter__(self) -> Self:
        """Open the way to the name servers."""
        await self._guard.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self._guard.close()

    def prepare(self, payload: str) -> tuple[httpx.URL, ...]:
        """
        Return the URLs to begin with, the next one where nothing accepts connections.

        Raises:
            ValueError: It is no name of a host.
        """
        schemes = self.options.first_schemes
        return tuple(first_url(scheme, payload, self.options) for scheme in schemes)

    async def execute(self, execution: tuple[httpx.URL, ...]) -> Visit:
        """Ask, and follow."""
        hops: list[Mapping[str, Any]] = []
        page = await self._first(execution, hops)
        seen = {*execution[: len(hops) + 1]}
        followed = 0
        while (target := page.target) is not None and self.options.max_hops:
            if target in seen or followed == self.options.max_hops:
                return Visit(page, tuple(hops), in_loop=True)
            hops.append({"url": shown(page.url), "status_code": page.status_code})
            seen.add(target)
            followed += 1
            page = await self._next(target)
        return Visit(page, tuple(hops), in_loop=False)

    def interpret(self, output: Visit) -> Outcome:
        """Say what the last answer means."""
        page = output.page
        status = "redirect-loop" if output.in_loop else status_of_code(page.status_code)
        answer = {
            "url": shown(page.url),
            "status_code": page.status_code,
            "http_version": page.http_version,
            "title": title_of(page.body, page.headers, most_bytes=self.options.max_body_bytes),
            "server": page.headers.get("server", "")[:MAX_SERVER_LENGTH] or None,
            "address": page.address,
            "hops": list(output.hops),
            "ttfb_ms": round(page.ttfb_ms, 3),
            "body_bytes": len(page.body),
        }
        return Outcome(
            status=status,
            answer=answer,
            error=_CUT_SHORT.get(status),
            decided_by=page.address,
            latency_ms=page.ttfb_ms,
        )

    def mark(self, error: BaseException) -> Outcome:
        """Say what an exception means; `verdicts` knows."""
        verdict = verdict_on(error)
        if verdict is None:
            return super().mark(error)
        status, words = verdict
        return Outcome(status=status, error=words[:MAX_ERROR_LENGTH])

    def counters(self) -> Mapping[str, int]:
        """Return the questions by name server and what came of them."""
        return self._guard.counters()

    async def _first(self, urls: tuple[httpx.URL, ...], hops: list[Mapping[str, Any]]) -> Page:
        """Ask for the first of the URLs, of one host, whose port accepts connections."""
        with _noted(urls[0]):
            addresses = await self._guard.addresses(host_of(urls[0]))
        *others, last = urls
        for url in others:
            try:
                return await self._fetched(url, addresses)
            except (Refused, Unanswered, Unconnected) as error:
                hops.append({"url": shown(url), "error": _kind(error)})
        with _noted(last):
            return await self._fetched(last, addresses)

    async def _fetched(self, url: httpx.URL, addresses: Sequence[str]) -> Page:
        async with asyncio.timeout(REQUEST_SECONDS):
            return await self._fetcher.fetch(url, addresses)

    async def _next(self, url: httpx.URL) -> Page:
        """Ask for what a redirect leads to, which is a host like any other."""
        with _noted(url):
            check(url, self.options)
            return await self._fetched(url, await self._guard.addresses(host_of(url)))


def _kind(error: Exception) -> str:
    """Say why nothing accepted, without the address: that changes without meaning anything."""
    return {Refused: "refused", Unanswered: "timeout"}.get(type(error), "no connection")


@contextmanager
def _noted(url: httpx.URL) -> Iterator[None]:
    """Add to an exception where it happened."""
    try:
        yield
    except Exception as error:
        error.add_note(f"at {shown(url)}")
        raise
