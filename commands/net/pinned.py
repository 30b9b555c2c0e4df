"""
HTTP connections to checked addresses only.

httpx gives the name of a host to its transport, and that resolves it. Here the guard resolves and
looks, and the connection goes to the address that was looked at; TLS and the Host header keep the
name. A connection that is kept open is not resolved again: it stays where it is.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterable
from functools import cache

import httpcore
import httpx

from commands.net.connection import CheckedNetwork
from commands.net.guard import Guard

#: To one server and to all of them together; the pace of a server is somebody else's affair.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=15.0)


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Connects to the addresses that a guard gives."""

    def __init__(self, guard: Guard) -> None:
        """Take an open guard."""
        self._guard = guard

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore calls it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """
        Connect to a host.

        Raises:
            NoAddress: The host has none.
            AddressBlocked: The host has one that may not be connected to.
            httpcore.ConnectError: None of its addresses accepts.
            httpcore.ConnectTimeout: Likewise.
        """
        addresses = await self._guard.addresses(host)
        # Not bounded: it serves many answers, each of which is.
        network = CheckedNetwork(addresses, most_bytes=sys.maxsize)
        return await network.connect_tcp(host, port, timeout, local_address, socket_options)


class PinnedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, but for who connects."""

    def __init__(self, guard: Guard) -> None:
        """Take a guard, which is to be open before the first request."""
        super().__init__(verify=_verifying(), limits=LIMITS, trust_env=False)
        # httpx has no argument for it.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_verifying(),
            max_connections=LIMITS.max_connections,
            max_keepalive_connections=LIMITS.max_keepalive_connections,
            keepalive_expiry=LIMITS.keepalive_expiry,
            network_backend=PinnedBackend(guard),
        )


@cache
def _verifying() -> ssl.SSLContext:
    # Reading the certificates takes some 20 ms: once a process. SSL_CERT_FILE is honoured.
    return httpx.create_ssl_context()
