"""Which SMTP server mail goes to, as its URL says, and what an address may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import SecretStr

from commands.masking import MASK

_PORTS = {"smtp": 25, "smtps": 465}


class MailSettingWrong(ValueError):
    """A setting of e-mail, or an address, cannot be used; says what to write, shows no password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An SMTP server, and how it is spoken to."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    security: Literal["none", "starttls", "tls"]


def smtp_server(url: SecretStr | None, who: str) -> Server:
    """
    Read the URL of an SMTP server.

    Args:
        url: `smtp://user:password@host:port?starttls=1`, `smtps://…`, or None where none is set.
        who: What needs it, for the message.

    Raises:
        MailSettingWrong: There is none, or it is wrong.
    """
    if url is None:
        raise MailSettingWrong(
            f"{who} needs ROLLCALL_SMTP_URL, e.g. smtp://user:password@host:587?starttls=1"
        )
    try:
        parsed = urlsplit(url.get_secret_value())
        port = parsed.port
    except ValueError:
        parsed, port = urlsplit(""), None
    query = parse_qs(parsed.query)
    starttls = query.pop("starttls", ["0"])[-1]
    if parsed.scheme not in _PORTS or not parsed.hostname or query or starttls not in {"0", "1"}:
        # Not the URL itself: there is a password in it.
        raise MailSettingWrong(
            "the setting ROLLCALL_SMTP_URL is wrong: "
            "write smtp://user:password@host:port?starttls=1 or smtps://user:password@host:port"
        )
    plain: Literal["none", "starttls"] = "starttls" if starttls == "1" else "none"
    return Server(
        host=parsed.hostname,
        port=port or _PORTS[parsed.scheme],
        user=unquote(parsed.username or ""),
        password=unquote(parsed.password or ""),
        security="tls" if parsed.scheme == "smtps" else plain,
    )


def check_address(address: str, where: str) -> None:
    """
    Look at an address of one person, without a name.

    Args:
        address: `ann@example.org`.
        where: Where it stands, for the message.

    Raises:
        MailSettingWrong: It is none.
    """
    try:
        parsed = Address(addr_spec=address)
        fits = bool(parsed.username and parsed.domain) and address.isprintable()
    except (MessageError, ValueError, IndexError):
        fits = False
    if not fits or any(character in address for character in " <>?%"):
        # Somebody may have written user:password@host.
        shown = address if ":" not in address else f"{MASK}@{address.rpartition('@')[2]}"
        raise MailSettingWrong(f"{where}{' '.join(shown.split())[:100]} is no e-mail address")
