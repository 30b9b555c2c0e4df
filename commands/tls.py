"""`tls`: does the host speak TLS, and is its certificate one that a browser would take?"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from pydantic import Field, FilePath

from commands.command import MAX_ERROR_LENGTH, Command, Options, Outcome
from commands.environment import Environment
from commands.handling import Handling
from commands.net.certificate import certificate_fields, in_date
from commands.net.connect import connect
from commands.net.guard import AddressBlocked, Guard, NoAddress
from commands.net.handshake import Session, reading_context, shake_hands, verifying_context

STATUSES = (
    "valid",
    "expiring",
    "expired",
    "not-yet-valid",
    "wrong-name",
    "self-signed",
    "untrusted",
    "no-tls",
    "no-address",
    "blocked",
    "refused",
    "timeout",
    "error",
)
#: OpenSSL's code of what is wrong with a certificate -> status; any other code is ``untrusted``.
#: It names one fault where there are several: first the chain, then the name, then the dates.
#: Source: openssl/x509_vfy.h
VERDICTS = {
    9: "not-yet-valid",
    10: "expired",
    18: "self-signed",
    62: "wrong-name",
    64: "wrong-name",
}
#: Class of an exception, the nearest first -> status; what nobody names is ``error``.
FAILURES: Mapping[type, str] = {
    NoAddress: "no-address",
    AddressBlocked: "blocked",
    ConnectionRefusedError: "refused",
    TimeoutError: "timeout",
    ssl.SSLError: "no-tls",
}
#: Seconds for one connection, and as long again for one handshake; twice that in the second pass.
WAIT_SECONDS = 5.0

_HOST = re.compile(r"[A-Za-z0-9_:-]+(\.[A-Za-z0-9_-]+)*")
_LABEL_BYTES = 63


class TlsOptions(Options):
    """What is connected to, and what is thought of what is found."""

    port: int = Field(
        default=443, ge=1, le=65_535, description="TCP port; TLS from the first byte."
    )
    warn_days: int = Field(
        default=14,
        ge=0,
        le=3_650,
        description="A certificate with fewer days left is `expiring`, no longer `valid`.",
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="PEM file on each worker: authorities that are trusted besides the system's.",
    )
    alpn: tuple[str, ...] = Field(
        default=("h2", "http/1.1"),
        max_length=8,
        description="Application protocols that are offered; empty where the port is not for HTTP.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One host's TLS."""

    #: Where.
    address: str
    #: None where the certificate was refused and did not come a second time.
    session: Session | None
    #: Why the certificate is not to be trusted: OpenSSL's code and words.
    code: int = 0
    reason: str | None = None
    #: Of connecting and the first handshake.
    milliseconds: float


class Tls(Command[str, Seen]):
    """Shake hands with a host, verify its certificate, and tell what is in it."""

    name = "tls"
    statuses = STATUSES
    good = frozenset({"valid", "expiring"})
    volatile = frozenset({"address", "days_left"})
    unsure = frozenset({"timeout", "error"})
    #: Each step is bounded by itself; a name may wait long for its name server's next free slot.
    handling = Handling(timeout_seconds=None, reactions={"ConnectionResetError": "retry"})
    options: TlsOptions

    def __init__(self, options: Mapping[str, Any], environment: Environment) -> None:
        """Check the options."""
        super().__init__(options, environment)
        self._guard = Guard(environment)
        self._seconds = WAIT_SECONDS * (2 if environment.second_pass else 1)

    @classmethod
    def options_type(cls) -> type[Options]:
        """Return the model of the options."""
        return TlsOptions

    async def __aenter__(self) -> Self:
        """Read the authorities, once for the batch, and open the way to the name servers."""
        # It takes some 30 ms, in which the other batches of the loop shall go on.
        self._verifying = await asyncio.to_thread(
            verifying_context, self.options.ca_file, self.options.alpn
        )
        self._reading = reading_context(self.options.alpn)
        await self._guard.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self._guard.close()

    def prepare(self, payload: str) -> str:
        """
        Return the host.

        Raises:
            ValueError: It cannot be a name in a TLS handshake.
        """
        host = payload.removesuffix(".")
        if not _HOST.fullmatch(host) or max(map(len, host.split("."))) > _LABEL_BYTES:
            message = f"{payload[:MAX_ERROR_LENGTH]!r} is no host name"
            raise ValueError(message)
        return host

    async def execute(self, execution: str) -> Seen:
        """Shake hands; where the certificate is refused, once more only to read it."""
        addresses = await self._guard.addresses(execution)
        began = time.perf_counter()
        connected, address = await connect(
            addresses, self.options.port, timeout_seconds=self._seconds
        )
        try:
            session = await shake_hands(
                connected, self._verifying, execution, timeout_seconds=self._seconds
            )
        except ssl.SSLCertVerificationError as error:
            milliseconds = (time.perf_counter() - began) * 1000
            return Seen(
                address=address,
                session=await self._read(address, execution),
                code=error.verify_code,
                reason=error.verify_message[:MAX_ERROR_LENGTH],
                milliseconds=milliseconds,
            )
        milliseconds = (time.perf_counter() - began) * 1000
        return Seen(address=address, session=session, milliseconds=milliseconds)

    async def _read(self, address: str, host: str) -> Session | None:
        try:
            connected, _ = await connect(
                (address,), self.options.port, timeout_seconds=self._seconds
            )
            return await shake_hands(connected, self._reading, host, timeout_seconds=self._seconds)
        except OSError:
            # The verdict is there; only what the certificate says is not.
            return None

    def interpret(self, output: Seen) -> Outcome:
        """Say what the certificate is worth."""
        now = datetime.now(UTC)
        answer: dict[str, Any] = {"address": output.address}
        if output.reason is not None:
            answer["reason"] = output.reason
        if output.session is not None:
            answer |= {
                "protocol": output.session.protocol,
                "cipher": output.session.cipher,
                "alpn": output.session.alpn,
                **certificate_fields(output.session.certificate, now),
            }
        return Outcome(
            status=self._status(output, answer, now),
            answer=answer,
            error=output.reason,
            decided_by=output.address,
            latency_ms=output.milliseconds,
        )

    def _status(self, seen: Seen, answer: dict[str, Any], now: datetime) -> str:
        if seen.reason is None:
            left = answer.get("days_left", self.options.warn_days)
            return "expiring" if left < self.options.warn_days else "valid"
        status = VERDICTS.get(seen.code, "untrusted")
        # OpenSSL's words are the same where it is an issuer's certificate whose dates do not hold.
        if status in {"expired", "not-yet-valid"} and in_date(answer, now):
            return "untrusted"
        return status

    def mark(self, error: BaseException) -> Outcome:
        """Say what an exception means."""
        found = (FAILURES[kind] for kind in type(error).__mro__ if kind in FAILURES)
        status = next(found, self.failed_status)
        if isinstance(error, NoAddress) and error.status not in {"nxdomain", "nodata"}:
            # Nobody said that there is none.
            status = "timeout" if error.status == "timeout" else "error"
        return Outcome(status=status, error=_words(error)[:MAX_ERROR_LENGTH])


def _words(error: BaseException) -> str:
    if isinstance(error, NoAddress | AddressBlocked):
        return str(error)
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, ConnectionResetError):
        return "the connection was closed before the handshake was done"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.errno:
        # Not `strerror`, in which asyncio repeats the address.
        return os.strerror(error.errno)
    return f"{type(error).__name__}: {error}"
