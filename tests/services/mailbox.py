"""An SMTP server on loopback that keeps what it gets."""

import contextlib
import email
import email.policy
import ssl
from collections.abc import Callable, Collection, Iterator
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.services.processes import free_port

__all__ = ["Mailbox", "running_smtp"]

#: How long its thread may take to begin, on a busy machine.
READY_SECONDS = 60.0


class Mailbox:
    """
    What has come in.

    Args:
        refused: Recipients that are answered 550.
        busy: How many mails are put off with 451 before one is taken.
    """

    def __init__(self, refused: Collection[str] = (), busy: int = 0) -> None:
        self._refused = refused
        self._busy = busy
        #: How many mails there were, with those that were put off.
        self.tries = 0
        self.mails: list[EmailMessage] = []
        #: To whom each of them went.
        self.recipients: list[list[str]] = []
        #: Who has logged in, with which password.
        self.logins: list[tuple[str, str]] = []
        #: Where each mail came from: as many as there were conversations.
        self.peers: list[object] = []
        #: Called when a recipient is named, and when a mail was taken, before that is said.
        self.at_recipient: Callable[[], object] = lambda: None
        self.at_mail: Callable[[], object] = lambda: None
        self.port = free_port()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a recipient."""
        self.at_recipient()
        if address in self._refused:
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a mail."""
        self.tries += 1
        if self.tries <= self._busy:
            return "451 4.3.2 try again"
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        self.mails.append(parsed)
        self.recipients.append(envelope.rcpt_tos)
        self.peers.append(session.peer)
        self.at_mail()
        return "250 OK"

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any
    ) -> AuthResult:
        """Let in whose password is `sesame`."""
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"sesame", handled=False)


@contextlib.contextmanager
def running_smtp(
    *,
    refused: Collection[str] = (),
    busy: int = 0,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Mailbox]:
    """
    Run one in a thread of its own.

    Args:
        refused: Recipients that it does not take.
        busy: How many mails it puts off first.
        starttls: It demands STARTTLS, and then a login.
        tls: It speaks TLS from the first byte, and offers a login.
    """
    box = Mailbox(refused, busy)
    secure = starttls or tls
    controller = Controller(
        box,
        hostname="127.0.0.1",
        port=box.port,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        # It takes TLS from the first byte for none, and warns of a login that it demands.
        auth_required=starttls is not None,
        auth_require_tls=starttls is not None,
        authenticator=box.authenticate if secure else None,
        ready_timeout=READY_SECONDS,
    )
    controller.start()
    try:
        yield box
    finally:
        controller.stop()
