"""
One request to one host at addresses that the guard has looked at, and what came back.

httpx's engine, httpcore, without the client around it: each request has a connection of its own,
which is closed behind it. So nothing of one domain can reach another one: no cookie, no connection
that a certificate opened for somebody else, no proxy of the environment.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import cast

import httpcore
import httpx

from commands.http.options import HttpOptions
from commands.http.urls import REDIRECTS, next_url
from commands.net.connection import CheckedNetwork

#: Seconds. For each address, and as much for TLS: two lost packets are sent anew within three.
CONNECT_SECONDS = 4.0
#: Seconds without a byte in either direction.
SILENCE_SECONDS = 10.0
#: What may come besides twice the body that is wanted (small chunks are half wrapping): the header,
#: of at most 100 KiB for httpcore, `103 Early Hints`, the frames of HTTP/2 that carry nothing.
OVERHEAD_BYTES = 262_144

SECONDS = {"connect": CONNECT_SECONDS, "read": SILENCE_SECONDS, "write": SILENCE_SECONDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a host answered to one request."""

    url: httpx.URL
    status_code: int
    #: ``HTTP/1.1``, ``HTTP/2``, ...
    http_version: str
    headers: httpx.Headers
    #: The address connected to.
    address: str
    #: Milliseconds from the attempt to connect to the last byte of the header.
    ttfb_ms: float
    #: As it came, cut; empty where the answer is a redirect.
    body: bytes = b""

    @property
    def target(self) -> httpx.URL | None:
        """Where it redirects to; None where it does not, or nowhere that could be asked."""
        location = self.headers.get("location")
        if self.status_code not in REDIRECTS or not location:
            return None
        return next_url(self.url, location)


class Fetcher:
    """Sends requests; one for a batch."""

    def __init__(self, options: HttpOptions) -> None:
        """Take the options."""
        self._options = options
        self._tls = _tls(options.verify, options.http2, ssl.get_default_verify_paths())
        self._most_bytes = 2 * options.max_body_bytes + OVERHEAD_BYTES
        self._headers = [
            (b"User-Agent", options.user_agent.encode("ascii")),
            (b"Accept", b"text/html,*/*;q=0.5"),
            (b"Accept-Encoding", b"identity"),
            (b"Connection", b"close"),
        ]

    async def fetch(self, url: httpx.URL, addresses: Sequence[str]) -> Page:
        """
        Ask once. Exceptions are those of httpcore, h2 and `connection`, and `ssl.SSLError`.

        Args:
            url: Looked at by `urls.check`.
            addresses: Of its host, looked at by the guard.
        """
        network = CheckedNetwork(addresses, most_bytes=self._most_bytes)
        began = time.perf_counter()
        try:
            async with self._sent(url, network) as response:
                ttfb_ms = (time.perf_counter() - began) * 1000
                page = Page(
                    url=url,
                    status_code=response.status,
                    http_version=response.extensions["http_version"].decode("ascii"),
                    headers=httpx.Headers(response.headers),
                    address=network.address or "",
                    ttfb_ms=ttfb_ms,
                )
                if page.target is not None:
                    return page
                return replace(page, body=await _beginning(response, self._options.max_body_bytes))
        except ValueError as error:
            # httpcore reads HTTP/2's status code as it comes.
            raise httpcore.RemoteProtocolError(f"no HTTP: {error}") from error
        finally:
            await network.aclose()

    def _sent(
        self, url: httpx.URL, network: CheckedNetwork
    ) -> AbstractAsyncContextManager[httpcore.Response]:
        target = httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        )
        connection = httpcore.AsyncHTTPConnection(
            target.origin,
            self._tls,
            http2=self._options.http2,
            network_backend=network,
        )
        # Without it httpcore would write an IPv6 address without its brackets.
        headers = [(b"Host", url.netloc), *self._headers]
        extensions = {"timeout": SECONDS}
        return connection.stream(
            self._options.method, target, headers=headers, extensions=extensions
        )


@lru_cache(maxsize=8)
def _tls(
    verify: bool,  # noqa: FBT001 - they are the key
    _http2: bool,  # noqa: FBT001 - httpcore sets it in the context
    _authorities: ssl.DefaultVerifyPaths,
) -> ssl.SSLContext:
    """Make what TLS needs, once a process: loading the authorities takes 0.2 s of the loop's."""
    return httpx.create_ssl_context(verify=verify)


async def _beginning(response: httpcore.Response, most: int) -> bytes:
    body = bytearray()
    async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_stream())) as parts:
        async for part in parts:
            body += part
            if len(body) >= most:
                break
    return bytes(body[:most])
