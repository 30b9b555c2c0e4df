"""The fields of a certificate, for an answer. All of its text is a stranger's, so it is cut."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509

#: Of each text. The longest common name and organization that X.520 allows fit, and so does a name.
MAX_TEXT = 256
#: Of the names. A certificate of a content delivery network has hundreds, of other people mostly.
MAX_NAMES = 20
#: Hexadecimal digits of a serial number: RFC 5280 allows 20 bytes.
MAX_SERIAL = 40

# What is odd about strangers' certificates is nobody's business here, and each odd length would be
# another warning to remember.
warnings.filterwarnings("ignore", module=r"commands\.net\.certificate")


def certificate_fields(certificate: bytes, now: datetime) -> dict[str, Any]:
    """
    Read a certificate.

    Args:
        certificate: DER; a stranger may have put anything into it.
        now: With a time zone.

    Returns:
        ``issuer``, ``subject``, ``names`` and how many they are (``names_count``), ``not_before``,
        ``not_after``, ``days_left``, ``serial``, ``key``; a field that cannot be read is left out.
    """
    fields: dict[str, Any] = {}
    with suppress(Exception):
        read = x509.load_der_x509_certificate(certificate)
        for part in (_texts, _names, _dates, _key):
            # What a certificate may hold is more than cryptography has thought of: besides
            # ValueError there have been InvalidVersion and TypeError.
            with suppress(Exception):
                fields |= part(read, now)
    return fields


def in_date(fields: dict[str, Any], now: datetime) -> bool | None:
    """Say whether a certificate's own dates hold; None where they could not be read."""
    if "not_after" not in fields:
        return None
    begin, end = (datetime.fromisoformat(fields[key]) for key in ("not_before", "not_after"))
    return begin <= now <= end


def _texts(read: x509.Certificate, _now: datetime) -> dict[str, Any]:
    return {
        "issuer": read.issuer.rfc4514_string()[:MAX_TEXT],
        "subject": read.subject.rfc4514_string()[:MAX_TEXT],
        "serial": format(read.serial_number, "x")[:MAX_SERIAL],
    }


def _names(read: x509.Certificate, _now: datetime) -> dict[str, Any]:
    try:
        found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {"names": [], "names_count": 0}
    names = list(_hosts(found))
    return {"names": names[:MAX_NAMES], "names_count": len(names)}


def _hosts(names: x509.SubjectAlternativeName) -> Iterator[str]:
    for name in names:
        if isinstance(name, x509.DNSName | x509.IPAddress):
            yield str(name.value)[:MAX_TEXT]


def _dates(read: x509.Certificate, now: datetime) -> dict[str, Any]:
    begin, end = read.not_valid_before_utc, read.not_valid_after_utc
    return {
        "not_before": begin.astimezone(UTC).isoformat(),
        "not_after": end.astimezone(UTC).isoformat(),
        # Rounded down: of a certificate that ended an hour ago it is -1.
        "days_left": (end - now) // timedelta(days=1),
    }


def _key(read: x509.Certificate, _now: datetime) -> dict[str, Any]:
    key = read.public_key()
    kind = type(key).__name__.removesuffix("PublicKey").strip("_")
    # Those with one size only, as Ed25519, do not say it.
    return {"key": {"type": kind, "bits": getattr(key, "key_size", None)}}
