"""Getting one document of a bounded size in a bounded time; redirects are the caller's affair."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx

from commands.environment import Environment
from commands.net.guard import Guard
from commands.net.pinned import PinnedTransport

#: Says who asks, as is polite.
USER_AGENT = "rollcall (domain checker)"
#: Seconds for each of: connecting, a silence while sending, a silence while receiving.
SILENCE_SECONDS = 10.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class TooLarge(Exception):
    """A document has more bytes than whoever wanted it is ready to read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a server said."""

    #: The address that was asked.
    url: httpx.URL
    status: int
    headers: httpx.Headers
    body: bytes
    #: From the request to the last byte, connecting included.
    seconds: float

    @property
    def elsewhere(self) -> httpx.URL | None:
        """Where a redirect leads; httpx has made sure that it is an address of some kind."""
        location = self.headers.get("location")
        if self.status not in REDIRECTS or not location:
            return None
        return self.url.join(location)


class Fetcher:
    """Gets documents from hosts that strangers may have named; one for a batch."""

    def __init__(self, environment: Environment) -> None:
        """Take the settings; `open` does the work."""
        self._guard = Guard(environment)
        self._client = httpx.AsyncClient(
            transport=PinnedTransport(self._guard),
            timeout=SILENCE_SECONDS,
            follow_redirects=False,
            trust_env=False,
            # Unpacking what a stranger packed would undo the bound on its size.
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    async def open(self) -> Self:
        """
        Open the way to the name servers.

        Raises:
            BadNameServer: The setting is wrong.
            NoNameServerAnswers: None of them answers.
        """
        await self._guard.open()
        return self

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        self._guard.close()

    async def __aenter__(self) -> Self:
        """Open."""
        return await self.open()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        await self.close()

    async def get(
        self, url: httpx.URL, *, headers: Mapping[str, str], most_bytes: int, seconds: float
    ) -> Fetched:
        """
        Get one document.

        Args:
            url: Where.
            headers: Of the request.
            most_bytes: How long the document may be.
            seconds: How long all of it may take.

        Raises:
            httpx.HTTPError: The way there, or the answer, is broken.
            TimeoutError: It took too long.
            TooLarge: It is too long.
            NoAddress: The host has no address.
            AddressBlocked: It may not be connected to.
        """
        began = time.perf_counter()
        async with (
            asyncio.timeout(seconds),
            self._client.stream("GET", url, headers=dict(headers)) as response,
        ):
            body = await _read(response, most_bytes)
        return Fetched(
            url=url,
            status=response.status_code,
            headers=response.headers,
            body=body,
            seconds=time.perf_counter() - began,
        )


async def _read(response: httpx.Response, most_bytes: int) -> bytes:
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > most_bytes:
            raise TooLarge(f"more than {most_bytes} bytes")
    return bytes(body)
