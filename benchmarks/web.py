"""
Web servers on loopback addresses: HTTP on five of them, TLS with a certificate of its own on four.

A process of its own, `python -m benchmarks.web <folder>`, so that what it takes is not counted as
anybody else's. The folder holds `names.json`: kind of certificate -> names, and gets `ca.pem`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

#: Kind of certificate -> the address that has it. All of 127.0.0.0/8 is this machine.
TLS_ADDRESSES = {
    "valid": "127.0.1.1",
    "expired": "127.0.1.2",
    "wrong-name": "127.0.1.3",
    "self-signed": "127.0.1.4",
}
#: HTTP, and nothing on the port for TLS.
HTTP_ONLY = "127.0.1.5"
#: Nothing listens here.
NOBODY = "127.0.1.6"
_PAGE = b"<!doctype html><title>A page</title><p>Hello.</p>"
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: loopback\r\nContent-Type: text/html\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_PAGE), _PAGE)
)


class _Page(asyncio.Protocol):
    """Answers whatever is asked, once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._heard = b""

    def data_received(self, data: bytes) -> None:
        """Answer when the request is whole."""
        self._heard += data
        if b"\r\n\r\n" in self._heard:
            self._transport.write(_ANSWER)
            self._transport.close()


def certificates(folder: Path) -> dict[str, ssl.SSLContext]:
    """Make a certificate of each kind; the good authority goes to `ca.pem`."""
    names: dict[str, list[str]] = json.loads((folder / "names.json").read_text())
    authority, stranger = trustme.CA(), trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    made = {
        "valid": authority.issue_cert(*names["valid"]),
        "expired": authority.issue_cert(*names["expired"], not_after=yesterday),
        "wrong-name": authority.issue_cert("somebody.else.example"),
    }
    contexts = {kind: ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) for kind in TLS_ADDRESSES}
    for kind, certificate in made.items():
        certificate.configure_cert(contexts[kind])
    # An authority's own certificate is what it has signed itself.
    with stranger.private_key_pem.tempfile() as key, stranger.cert_pem.tempfile() as own:
        contexts["self-signed"].load_cert_chain(own, key)
    return contexts


async def _serve(folder: Path) -> None:
    loop = asyncio.get_running_loop()
    contexts = certificates(folder)
    first = await loop.create_server(_Page, HTTP_ONLY, 0, backlog=4096)
    http_port = first.sockets[0].getsockname()[1]
    tls_port = 0
    for kind, address in TLS_ADDRESSES.items():
        await loop.create_server(_Page, address, http_port, backlog=4096)
        tls = await loop.create_server(_Page, address, tls_port, ssl=contexts[kind], backlog=4096)
        tls_port = tls.sockets[0].getsockname()[1]
    ports = folder / "ports.part"
    ports.write_text(json.dumps({"http": http_port, "tls": tls_port}))
    ports.rename(folder / "ports.json")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1])))
