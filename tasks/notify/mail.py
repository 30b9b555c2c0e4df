"""E-mail, over the SMTP server of the settings."""

from __future__ import annotations

import hashlib
import smtplib
from dataclasses import dataclass
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate

from commands.masking import masked
from commands.smtp.conversation import Unanswered, conversation, is_final, words_of
from commands.smtp.server import MailSettingWrong, Server, check_address, smtp_server
from tasks.errors import InputError
from tasks.notify.message import Message, Notice
from tasks.notify.problem import NotSent
from tasks.settings import Settings

#: Of each step of the conversation: less than a try may take, so that the step can be named.
TIMEOUT_SECONDS = 8.0


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
        try:
            for address in recipients:
                check_address(address, "mailto:")
        except MailSettingWrong as error:
            raise InputError(str(error)) from error
        _server(settings)
        return cls(recipients)

    def send(self, message: Message, notice: Notice, settings: Settings) -> None:
        """
        Send it.

        Raises:
            NotSent: It was not taken, or not for everybody.
        """
        server = _server(settings)
        mail = self._mail(message, notice, settings.mail_from)
        try:
            with conversation(server, TIMEOUT_SECONDS) as smtp:
                refused = smtp.send_message(mail)
        except (OSError, smtplib.SMTPException, MessageError, Unanswered) as error:
            raise NotSent(words_of(error, server), again=not is_final(error)) from error
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


def _server(settings: Settings) -> Server:
    """
    Return the SMTP server of the settings.

    Raises:
        InputError: There is none, or its URL or the sender's address is wrong.
    """
    try:
        server = smtp_server(settings.smtp_url, "mailto:")
        check_address(settings.mail_from, "ROLLCALL_MAIL_FROM=")
    except MailSettingWrong as error:
        raise InputError(str(error)) from error
    return server
