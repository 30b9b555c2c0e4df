"""Servers with certificates of every kind, and what is to be said of each."""

import contextlib
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from commands.command import Outcome
from commands.environment import Environment
from tests.commands.checking import check
from tests.services.listening import Listener, listening, silent

__all__ = [
    "CASES",
    "HOST",
    "PAST",
    "Authorities",
    "Case",
    "Chain",
    "issued",
    "look",
    "made",
    "serving",
]

HOST = "shop.example.com"
NOW = datetime.now(UTC)
#: Days from now: when a certificate begins and when it ends.
FRESH, SHORT = (-1, 60), (-80, 5)
PAST, FUTURE = (-90, -2), (2, 90)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a server shows."""

    key: bytes
    #: The certificate first; PEM.
    certificates: Sequence[bytes]

    def context(self) -> ssl.SSLContext:
        """Make a server's context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Else it would refuse itself a key that is too short.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(b"".join((self.key, *self.certificates)))
            file.flush()
            context.load_cert_chain(file.name)
        return context


@dataclass(frozen=True, slots=True)
class Authorities:
    """One that is trusted, with an intermediate one below it, and one that nobody knows."""

    known: trustme.CA = field(default_factory=trustme.CA)
    unknown: trustme.CA = field(default_factory=trustme.CA)

    def ca_file(self, folder: Path) -> Path:
        """Write what is trusted to a file."""
        path = folder / "known.pem"
        self.known.cert_pem.write_to_path(str(path))
        return path


def issued(
    ca: trustme.CA, *names: str, days: tuple[int, int] = FRESH, intermediates: bool = True
) -> Chain:
    """Let an authority sign a certificate for some names."""
    begin, end = (NOW + timedelta(days=day, hours=12) for day in days)
    leaf = ca.issue_cert(*names, not_before=begin, not_after=end)
    blobs = leaf.cert_chain_pems if intermediates else leaf.cert_chain_pems[:1]
    return Chain(leaf.private_key_pem.bytes(), [blob.bytes() for blob in blobs])


def below(ca: trustme.CA, *, intermediates: bool = True) -> Chain:
    """Let an authority below another one sign."""
    return issued(ca.create_child_ca(), HOST, intermediates=intermediates)


def below_an_expired_one(ca: trustme.CA) -> Chain:
    """Let an authority sign whose own certificate has expired since."""
    child = ca.create_child_ca()
    chain = issued(child, HOST)
    read = child._certificate
    builder = x509.CertificateBuilder(
        read.issuer,
        read.subject,
        read.public_key(),
        read.serial_number,
        NOW - timedelta(days=90),
        NOW - timedelta(days=1),
        list(read.extensions),
    )
    expired = builder.sign(ca._private_key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return Chain(chain.key, [chain.certificates[0], expired])


def made(
    ca: trustme.CA | None = None,
    *,
    bits: int = 2048,
    subject: str = HOST,
    names: Sequence[str] = (HOST,),
) -> Chain:
    """Make a certificate as no authority would; without one, only it vouches for itself."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject, _validate=False)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(ca._certificate.subject if ca else name)
        .public_key(key.public_key())
        .serial_number(0xC0FFEE)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=60))
        .add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
        .sign(ca._private_key if ca else key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return Chain(pem, [certificate.public_bytes(Encoding.PEM)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A server's certificate."""

    chain: Callable[[Authorities], Chain]
    status: str
    #: Part of OpenSSL's words; none where the certificate is to be trusted.
    reason: str | None = None
    days_left: int | None = None
    names: Sequence[str] = (HOST,)


CASES = {
    "good": Case(chain=lambda a: issued(a.known, HOST), status="valid", days_left=60),
    "wildcard": Case(
        chain=lambda a: issued(a.known, "*.example.com"), status="valid", names=["*.example.com"]
    ),
    "chain": Case(chain=lambda a: below(a.known), status="valid"),
    "short": Case(
        chain=lambda a: issued(a.known, HOST, days=SHORT), status="expiring", days_left=5
    ),
    "expired": Case(
        chain=lambda a: issued(a.known, HOST, days=PAST),
        status="expired",
        reason="certificate has expired",
        days_left=-2,
    ),
    "future": Case(
        chain=lambda a: issued(a.known, HOST, days=FUTURE),
        status="not-yet-valid",
        reason="certificate is not yet valid",
        days_left=90,
    ),
    "other name": Case(
        chain=lambda a: issued(a.known, "other.example.com", "127.0.0.1"),
        status="wrong-name",
        reason="Hostname mismatch",
        names=["other.example.com", "127.0.0.1"],
    ),
    "self-signed": Case(
        chain=lambda _: made(), status="self-signed", reason="self-signed certificate"
    ),
    "expired intermediate": Case(
        chain=lambda a: below_an_expired_one(a.known),
        status="untrusted",
        reason="certificate has expired",
        days_left=60,
    ),
    "short key": Case(
        chain=lambda a: made(a.known, bits=1024), status="untrusted", reason="key too weak"
    ),
    "unknown": Case(
        chain=lambda a: issued(a.unknown, HOST),
        status="untrusted",
        reason="unable to get local issuer certificate",
    ),
    "missing intermediate": Case(
        chain=lambda a: below(a.known, intermediates=False),
        status="untrusted",
        reason="unable to get local issuer certificate",
    ),
    "unknown and expired": Case(
        chain=lambda a: issued(a.unknown, HOST, days=PAST),
        status="untrusted",
        reason="unable to get local issuer certificate",
        days_left=-2,
    ),
}


@contextlib.contextmanager
def serving(chain: Chain, *, host: str = "127.0.0.1") -> Iterator[Listener]:
    """Run a server that shakes hands and says no more."""
    with listening(silent, context=chain.context(), host=host) as listener:
        yield listener


def look(environment: Environment, port: int, host: str = HOST, **options: object) -> Outcome:
    """Check one host."""
    checked = check([host], environment, command="tls", options={"port": port, **options})
    return checked.outcomes[host]
