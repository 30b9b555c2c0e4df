"""A TLS handshake over a connection, and what one side learns of the other in it."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from commands.errors import NoAuthorities


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What both sides agreed on."""

    #: ``TLSv1.3`` or another of OpenSSL's names.
    protocol: str
    #: OpenSSL's name of it.
    cipher: str
    #: The application protocol; none where the server took none of those that were offered.
    alpn: str | None
    #: The server's own certificate, DER.
    certificate: bytes


def verifying_context(ca_file: Path | None, protocols: Sequence[str]) -> ssl.SSLContext:
    """
    Make a context that ends the handshake at a certificate that is not to be trusted.

    Args:
        ca_file: PEM, certificate authorities that are trusted besides the system's.
        protocols: What is offered by ALPN; nothing where it is empty.

    Raises:
        NoAuthorities: The file cannot be used, or there is none and the system has none either.
    """
    context = ssl.create_default_context()
    # The default of Python 3.11; later ones demand more of a certificate than browsers do.
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise NoAuthorities(f"{ca_file} has no certificates in PEM: {error}") from error
    elif not _system_has_authorities():
        raise NoAuthorities(
            "this machine knows no certificate authority, so no certificate could be verified; "
            "on Debian: apt-get install ca-certificates"
        )
    _offer(context, protocols)
    return context


def reading_context(protocols: Sequence[str]) -> ssl.SSLContext:
    """Make a context that takes any certificate, only to read it: nothing is ever sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # A key that is too short for a verdict of "good" can be read all the same.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    _offer(context, protocols)
    return context


async def shake_hands(
    connected: socket.socket, context: ssl.SSLContext, host: str, *, timeout_seconds: float
) -> Session:
    """
    Do the handshake and hang up.

    The size of what a server may send is bounded by OpenSSL: 100 kB of certificates.

    Args:
        connected: Given away; it is closed in any case.
        context: Says what is verified.
        host: The name for SNI, and that the certificate must have where the context verifies.
        timeout_seconds: For the handshake.

    Raises:
        ssl.SSLCertVerificationError: The certificate is not to be trusted.
        ssl.SSLError: What the other side says is no TLS, or no TLS that suits both.
        ConnectionResetError: It hung up.
        TimeoutError: It did not come to an end.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_seconds):
            transport, _ = await loop.create_connection(
                asyncio.Protocol, sock=connected, ssl=context, server_hostname=host
            )
    except OSError as error:
        # asyncio's frames are in a cycle with the error, and hold a buffer of 256 kB, which would
        # wait for the garbage collector: 200 MB more after a thousand names.
        raise error.with_traceback(None) from None
    try:
        return _session(cast("ssl.SSLObject", transport.get_extra_info("ssl_object")))
    finally:
        # Nobody has said anything yet that a slow farewell could lose.
        transport.abort()


def _session(agreed: ssl.SSLObject) -> Session:
    cipher = agreed.cipher()
    return Session(
        protocol=agreed.version() or "",
        cipher=cipher[0] if cipher else "",
        alpn=agreed.selected_alpn_protocol(),
        certificate=agreed.getpeercert(binary_form=True) or b"",
    )


def _offer(context: ssl.SSLContext, protocols: Sequence[str]) -> None:
    if protocols:
        context.set_alpn_protocols(list(protocols))


def _system_has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile) or bool(paths.capath and any(Path(paths.capath).iterdir()))
