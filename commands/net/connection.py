"""
Connections to the addresses that `guard` has looked at, as httpcore wants them.

The library is told a host, for the certificate and for what it sends; where the bytes go is decided
here alone. It never learns how to resolve a name.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import anyio
import httpcore
from httpcore import AsyncNetworkStream

#: Of each family so many addresses are tried. A stranger may list hundreds that lead nowhere.
MOST_OF_A_FAMILY = 2


class Unconnected(httpcore.ConnectError):
    """No address of the host could be connected to: there is no way, or something forbids it."""


class Refused(Unconnected):
    """The host is there, and nothing listens at the port."""


class Unanswered(httpcore.ConnectTimeout):
    """No address of the host answered in time."""


class HandshakeFailed(httpcore.ConnectError):
    """The host is connected to, and TLS with it cannot be set up."""


class TooMuchSent(httpcore.RemoteProtocolError):
    """The host sends more than anything that is wanted of it may take."""


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to the first of some addresses that accepts; for one connection."""

    def __init__(self, addresses: Sequence[str], *, most_bytes: int) -> None:
        """
        Take the addresses.

        Args:
            addresses: Looked at by the caller, in the order of preference.
            most_bytes: What may be received in all, before and after decryption alike.
        """
        self._addresses = _worth_trying(addresses)
        self._most_bytes = most_bytes
        self._network = httpcore.AnyIOBackend()
        self._stream: AsyncNetworkStream | None = None
        #: The address connected to.
        self.address: str | None = None

    async def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - whatever it is called
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore gives it
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """
        Connect to one of the addresses; `host` does not count.

        Args:
            timeout: Of each address, in seconds.

        Raises:
            Refused: One of the addresses says that nothing listens.
            Unanswered: One of them says nothing, and none refuses.
            Unconnected: There is no way to any of them.
        """
        failed: list[Exception] = []
        for address in self._addresses:
            try:
                stream = await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed.append(_named(error, address, port))
                continue
            self._stream = stream
            self.address = address
            return _Bounded(stream, self._most_bytes)
        # What says most about the host: its refusal, then its silence.
        raise min(failed, key=lambda error: (Refused, Unanswered, Unconnected).index(type(error)))

    async def aclose(self) -> None:
        """Close the connection. httpcore leaves it open where it is stopped amid a handshake."""
        if self._stream is not None:
            await self._stream.aclose()


class _Bounded(AsyncNetworkStream):
    """A stream from which no more than so many bytes are read."""

    def __init__(self, stream: AsyncNetworkStream, most_bytes: int) -> None:
        self._stream = stream
        self._left = most_bytes

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore gives it
        data = await self._stream.read(max_bytes, timeout)
        self._left -= len(data)
        if self._left < 0:
            raise TooMuchSent("more bytes came than the answer may take")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore gives it
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore gives it
    ) -> AsyncNetworkStream:
        try:
            stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except httpcore.ConnectError as error:
            raise HandshakeFailed(_reason(error)) from error
        return _Bounded(stream, self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _worth_trying(addresses: Sequence[str]) -> list[str]:
    # Some of either family: this machine may have no way at all for one of them.
    ipv6 = [address for address in addresses if ":" in address]
    ipv4 = [address for address in addresses if ":" not in address]
    return ipv4[:MOST_OF_A_FAMILY] + ipv6[:MOST_OF_A_FAMILY]


def _named(error: Exception, address: str, port: int) -> Exception:
    """Return the exception that says what became of connecting to an address."""
    where = f"{address} port {port}"
    if isinstance(error, httpcore.ConnectTimeout):
        return Unanswered(f"{where} did not answer in time")
    cause: BaseException | None = error
    while cause is not None and not (isinstance(cause, OSError) and cause.errno):
        cause = cause.__cause__
    kind = Refused if isinstance(cause, ConnectionRefusedError) else Unconnected
    words = os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else error
    return kind(f"{where}: {words}")


def _reason(error: httpcore.ConnectError) -> str:
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the certificate is not good: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"no TLS with this server: {cause.reason or cause}"
    if isinstance(cause, anyio.EndOfStream | anyio.BrokenResourceError):
        return "the server closed the connection amid the TLS handshake"
    return str(error)
