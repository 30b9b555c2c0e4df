"""E-mail, over the SMTP server of the settings."""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tasks.errors import InputError
from tasks.notify.masking import MASK, masked
from tasks.notify.message import Message, Notice
from tasks.notify.problem import NotSent
from tasks.settings import Settings

#: Of each step of the conversation: less than a try may take, so that the step can be named.
TIMEOUT_SECONDS = 8.0
_PORTS = {"smtp": 25, "smtps": 465}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An SMTP server, and how it is spoken to."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    security: Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class Mail:
    """A target: one mail to some people."""

    recipients: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The target as it may be logged."""
        return f"mailto:{','.join(self.recipients)}"

    @classmethod
    def parse(cls, addresses: str, settings: Settings) -> Mail:
        """
        Read comma-separated addresses.

        Raises:
            InputError: One is none, or the settings for e-mail are not there.
        """
        recipients = tuple(filter(None, (part.strip() for part in addresses.split(","))))
        if not recipients:
            raise InputError("mailto: names nobody: write mailto:ann@example.org")
        for address in recipients:
            _check_address(address, "mailto:")
        smtp_server(settings)
        _check_address(settings.mail_from, "ROLLCALL_MAIL_FROM=")
        return cls(recipients)

    def send(self, message: Message, notice: Notice, settings: Settings) -> None:
        """
        Send it.

        Raises:
            NotSent: It was not taken, or not for everybody.
        """
        server = smtp_server(settings)
        mail = self._mail(message, notice, settings.mail_from)
        try:
            with _conversation(server) as smtp:
                refused = smtp.send_message(mail)
        except (OSError, smtplib.SMTPException, MessageError) as error:
            raise _not_sent(error, server) from error
        if refused:
            # Again would be twice for the others.
            words = f"not taken for {', '.join(refused)}: {next(iter(refused.values()))}"
            raise NotSent(masked(words, [server.password]), again=False)

    def _mail(self, message: Message, notice: Notice, sender: str) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = sender
        mail["To"] = ", ".join(self.recipients)
        mail["Subject"] = message.subject
        mail["Date"] = formatdate(usegmt=True)
        # The same for the same notice: whoever gets it twice can tell.
        digest = hashlib.sha256(f"{notice.run_id} {notice.state} {self.shown}".encode()).hexdigest()
        mail["Message-ID"] = f"<{digest[:32]}@{sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        return mail


def smtp_server(settings: Settings) -> Server:
    """
    Return the SMTP server of the settings.

    Raises:
        InputError: There is none, or its URL is wrong.
    """
    if settings.smtp_url is None:
        raise InputError(
            "mailto: needs ROLLCALL_SMTP_URL, e.g. smtp://user:password@host:587?starttls=1"
        )
    try:
        url = urlsplit(settings.smtp_url.get_secret_value())
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    query = parse_qs(url.query)
    starttls = query.pop("starttls", ["0"])[-1]
    if url.scheme not in _PORTS or not url.hostname or query or starttls not in {"0", "1"}:
        # Not the URL itself: there is a password in it.
        raise InputError(
            "the setting ROLLCALL_SMTP_URL is wrong: "
            "write smtp://user:password@host:port?starttls=1 or smtps://user:password@host:port"
        )
    plain: Literal["none", "starttls"] = "starttls" if starttls == "1" else "none"
    return Server(
        host=url.hostname,
        port=port or _PORTS[url.scheme],
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        security="tls" if url.scheme == "smtps" else plain,
    )


@contextmanager
def _conversation(server: Server) -> Iterator[smtplib.SMTP]:
    where = (server.host, server.port)
    if server.security == "tls":
        context = ssl.create_default_context()
        smtp: smtplib.SMTP = smtplib.SMTP_SSL(*where, timeout=TIMEOUT_SECONDS, context=context)
    else:
        smtp = smtplib.SMTP(*where, timeout=TIMEOUT_SECONDS)
    with smtp:
        if server.security == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp


def _not_sent(error: Exception, server: Server) -> NotSent:
    codes = [error.smtp_code] if isinstance(error, smtplib.SMTPResponseException) else []
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        codes = [code for code, _ in error.recipients.values()]
    # RFC 5321: 5xx is for good, 4xx may go better the next time.
    again = not codes or min(codes) < 500
    words = f"{server.host}:{server.port}: {type(error).__name__}: {error}"
    return NotSent(masked(words, [server.password]), again=again)


def _check_address(address: str, where: str) -> None:
    try:
        parsed = Address(addr_spec=address)
        fits = bool(parsed.username and parsed.domain) and address.isprintable()
    except (MessageError, ValueError, IndexError):
        fits = False
    if not fits or any(character in address for character in " <>?%"):
        # Somebody may have written user:password@host.
        shown = address if ":" not in address else f"{MASK}@{address.rpartition('@')[2]}"
        raise InputError(f"{where}{' '.join(shown.split())[:100]} is no e-mail address")
