"""Certificates of one's own, and TLS before any server that speaks none."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.services.loops import running_loop

__all__ = ["Authority", "running_tls_proxy"]

CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Issued:
    """The PEM files of a certificate."""

    certificate: Path
    key: Path


class Authority:
    """
    Signs certificates.

    Args:
        directory: For the files of all of them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Authority of the tests")
        certificate = _builder(self._name, self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        #: Its own certificate, as PEM.
        self.ca_file = directory / "ca.pem"
        self._write(self.ca_file, certificate)

    def issue(self, host: str) -> Issued:
        """
        Sign a certificate.

        Args:
            host: An IP address or a name; also that of the files.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            named = x509.DNSName(host)
        issued = Issued(self._directory / f"{host}.pem", self._directory / f"{host}.key")
        issued.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        certificate = _builder(_name(host), self._name, key.public_key()).add_extension(
            x509.SubjectAlternativeName([named]), critical=False
        )
        self._write(issued.certificate, certificate)
        return issued

    def _write(self, path: Path, certificate: x509.CertificateBuilder) -> None:
        signed = certificate.sign(self._key, hashes.SHA256())
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))


@contextlib.contextmanager
def running_tls_proxy(upstream_port: int, issued: Issued, *, ca_file: Path) -> Iterator[int]:
    """
    Give the port of a proxy on 127.0.0.1 that ends TLS and passes on what is within.

    Args:
        upstream_port: Where it connects to, on 127.0.0.1.
        issued: What it shows to clients.
        ca_file: Who must have signed the certificates of clients.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca_file)
    context.load_cert_chain(issued.certificate, issued.key)
    context.verify_mode = ssl.CERT_OPTIONAL
    proxy = _Proxy(upstream_port)
    with running_loop("tls") as loop:
        try:
            yield asyncio.run_coroutine_threadsafe(proxy.start(context), loop).result()
        finally:
            asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result()


class _Proxy:
    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self._passing: set[asyncio.Task[None]] = set()

    async def start(self, context: ssl.SSLContext) -> int:
        """Listen, and return the port."""
        self._server = await asyncio.start_server(self._client, "127.0.0.1", 0, ssl=context)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        """Listen no more, and end what is being passed."""
        self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        for source, target in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(_pass(source, target))
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)


async def _pass(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK):
            target.write(data)
            await target.drain()
    finally:
        target.close()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )
