"""
A web server that costs little: the same page for every request, one a connection.

Reads from the command line the PEM file of a certificate with its key, or nothing for no TLS;
prints its port.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

BODY = b"<html><head><title>A page</title></head><body>" + b"." * 10_000
HEAD = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(BODY)}\r\n\r\n"
PAGE = HEAD.encode() + BODY


class OnePage(asyncio.Protocol):
    """Answers what looks like the end of a request's head, and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer."""
        if data.endswith(b"\r\n\r\n"):
            self._transport.write(PAGE)
            self._transport.close()


async def serve(certificate: str | None) -> None:
    """Serve until killed."""
    tls = None
    if certificate:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(OnePage, "127.0.0.1", 0, ssl=tls, backlog=4_096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1] if len(sys.argv) > 1 else None))
