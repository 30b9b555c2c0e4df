"""Which status an answer or an exception means: the one place that says so."""

from __future__ import annotations

import ssl

import h2.exceptions
import httpcore

from commands.http.urls import UrlBlocked
from commands.net.connection import HandshakeFailed, Refused, Unanswered, Unconnected
from commands.net.guard import AddressBlocked, NoAddress

STATUSES = (
    "ok",
    "redirect",
    "redirect-loop",
    "client-error",
    "server-error",
    "blocked",
    "no-address",
    "refused",
    "tls-error",
    "protocol-error",
    "timeout",
    "error",
)
#: They may say more about the way, or about the moment, than about the domain.
UNSURE = frozenset({"protocol-error", "timeout", "error"})

#: By the first digit of the status code. Others are none of HTTP's final ones.
CODES = {2: "ok", 3: "redirect", 4: "client-error", 5: "server-error"}
#: Class of an exception -> status, and words where its own say nothing. The nearest base counts.
EXCEPTIONS: dict[type[BaseException], tuple[str, str | None]] = {
    UrlBlocked: ("blocked", None),
    AddressBlocked: ("blocked", None),
    Refused: ("refused", None),
    Unanswered: ("timeout", None),
    Unconnected: ("error", None),
    HandshakeFailed: ("tls-error", None),
    # After the handshake, e.g. the demand for a certificate of ours.
    ssl.SSLError: ("tls-error", None),
    httpcore.ConnectTimeout: ("timeout", "the TLS handshake took too long"),
    httpcore.TimeoutException: ("timeout", "the server fell silent"),
    TimeoutError: ("timeout", "the request took too long"),
    httpcore.ReadError: ("protocol-error", "the server broke the connection off"),
    httpcore.WriteError: ("protocol-error", "the server broke the connection off"),
    # Also where it is the library that finds fault with what it was sent.
    httpcore.ProtocolError: ("protocol-error", None),
    h2.exceptions.H2Error: ("protocol-error", None),
    # HTTP/2's GOAWAY before the answer.
    httpcore.ConnectionNotAvailable: ("protocol-error", "the server ended before it answered"),
}
#: What the name server said -> status. Where it failed, the domain is not known to have no address.
LOOKUPS = {"nxdomain": "no-address", "nodata": "no-address", "timeout": "timeout"}


def status_of_code(code: int) -> str:
    """Return the status of a final answer."""
    return CODES.get(code // 100, "protocol-error")


def verdict_on(error: BaseException) -> tuple[str, str] | None:
    """Return the status that an exception means, and words for it; None for one not foreseen."""
    notes = "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
    if isinstance(error, NoAddress):
        return LOOKUPS.get(error.status, "error"), f"{error}{notes}"
    for kind in type(error).__mro__:
        if kind in EXCEPTIONS:
            status, words = EXCEPTIONS[kind]
            return status, f"{words or str(error) or kind.__name__}{notes}"
    return None
