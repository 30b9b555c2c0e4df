"""Opening a TCP connection to one of the addresses that `Guard` has looked at, and to no other."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

#: A stranger's zone may list hundreds of addresses, each of them a host that never answers.
MOST_ADDRESSES = 3


async def connect(
    addresses: Sequence[str], port: int, *, timeout_seconds: float
) -> tuple[socket.socket, str]:
    """
    Connect to the first address that lets us.

    Args:
        addresses: As `Guard.addresses` gives them; at least one. Only the first few are tried.
        port: 1 to 65535.
        timeout_seconds: For each address.

    Returns:
        The connected socket, non-blocking and the caller's to close, and its address.

    Raises:
        OSError: None does. It is what the first address came to, since a later one is often an
            IPv6 address on a machine that has no IPv6. `TimeoutError` is one of these.
    """
    first: OSError | None = None
    for address in addresses[:MOST_ADDRESSES]:
        try:
            async with asyncio.timeout(timeout_seconds):
                return await _connected(address, port), address
        except OSError as error:
            first = first or error
    raise first or OSError("no address")


async def _connected(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(opened, (address, port))
    except BaseException:
        opened.close()
        raise
    return opened
