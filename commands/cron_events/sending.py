"""Sending what is due in the outbox, one mail at a time, and noting each step before the next."""

from __future__ import annotations

import logging
import smtplib
import threading
import time
from dataclasses import dataclass, field
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime

from commands.cron_events.port import Mail, Outbox, OutboxAway
from commands.smtp.conversation import Client, Unanswered, conversation, is_final, words_of
from commands.smtp.server import Server

#: For each answer of the server: all of them together take less than a claim holds.
ANSWER_SECONDS = 60.0
#: After so long no other mail is begun: what is left goes with the next job.
MAX_SECONDS = 120.0
#: So many conversations that break one after the other are the server's fault, not a mail's.
MAX_BROKEN = 3
#: The pause after a first try that failed; each later one is twice as long.
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3_600.0
#: With these pauses about four days, after which RFC 5321 (4.5.4.1) lets one give up.
MAX_TRIES = 100
#: Seconds between tries to note that a mail was taken.
NOTING_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)
#: 5xx to MAIL FROM which is about this mail alone: too large.
_TOO_LARGE = 552

_LOGGER = logging.getLogger(__name__)


class ClaimEnded(Exception):
    """Somebody else may have the mail by now: it was not handed over."""


@dataclass(slots=True)
class Tally:
    """What became of the mails."""

    sent: int = 0
    failed: int = 0
    #: Which mails are unsure since now, and why.
    unsure: list[str] = field(default_factory=list)
    #: The last trouble with the server, and with a mail.
    server_error: str = ""
    mail_error: str = ""
    #: Whether the server's trouble will be the same the next time.
    final: bool = False


class Postman:
    """
    Sends the mails of an outbox.

    Args:
        outbox: Where they are.
        server: Where they go.
        sender: The address that they come from.
        tally: Where it is noted what becomes of them.
        stop: Set when no other mail is to be begun.
    """

    def __init__(
        self, outbox: Outbox, server: Server, sender: str, tally: Tally, stop: threading.Event
    ) -> None:
        self._outbox = outbox
        self._server = server
        self._sender = sender
        self._tally = tally
        self._stop = stop
        self._end = time.monotonic() + MAX_SECONDS
        self._broken = 0

    def send_all(self) -> None:
        """
        Send what is due, over as few conversations as possible.

        Raises:
            OutboxAway: The outbox cannot be reached; what was claimed is found by its claim's end.
        """
        while self._goes_on() and self._outbox.due():
            try:
                with conversation(self._server, ANSWER_SECONDS) as smtp:
                    self._send_over(smtp)
            except (OSError, smtplib.SMTPException) as error:
                # Before the first mail: no mail is to blame, and none was claimed.
                self._broken += 1
                self._blame_server(error)

    def _goes_on(self) -> bool:
        late = time.monotonic() > self._end
        return not (late or self._stop.is_set() or self._tally.final or self._broken >= MAX_BROKEN)

    def _send_over(self, smtp: Client) -> None:
        """Send as long as the conversation lasts."""
        while smtp.sock is not None and self._goes_on():
            mail = self._outbox.claim()
            if mail is None:
                return
            smtp.before_end = lambda mail=mail: self._hand(mail)
            self._send(smtp, mail)

    def _hand(self, mail: Mail) -> None:
        if not self._outbox.handing(mail):
            raise ClaimEnded

    def _send(self, smtp: Client, mail: Mail) -> None:
        try:
            smtp.send_message(_message(mail, self._sender))
        except ClaimEnded:
            _LOGGER.warning("The claim to %s ended before it was handed over.", mail.message_id)
        except Unanswered as error:
            self._broken += 1
            words = words_of(error, self._server)
            self._outbox.unsure(mail, words)
            self._tally.unsure.append(f"{mail.message_id} to {mail.address}: {words}")
        except (OSError, smtplib.SMTPException, MessageError, ValueError) as error:
            self._not_sent(smtp, mail, error)
        else:
            self._note_sent(mail)
            self._broken = 0
            self._tally.sent += 1

    def _note_sent(self, mail: Mail) -> None:
        """Note it at all costs: a mail that was taken and is not known to be is unsure."""
        for pause in NOTING_PAUSES:
            try:
                self._outbox.sent(mail)
            except OutboxAway:
                time.sleep(pause)
            else:
                return
        self._outbox.sent(mail)

    def _not_sent(self, smtp: Client, mail: Mail, error: Exception) -> None:
        """The server has not got it, or does not want it."""
        words = words_of(error, self._server)
        if isinstance(error, smtplib.SMTPSenderRefused) and error.smtp_code != _TOO_LARGE:
            # It is us whom it does not want: every mail would be refused for that.
            self._outbox.put_off(mail, words, _pause(mail))
            self._blame_server(error)
            self._broken = MAX_BROKEN
            return
        self._tally.mail_error = words
        # The rest are mails that cannot be written down, e.g. an address that needs SMTPUTF8.
        final = is_final(error) or isinstance(error, MessageError | ValueError)
        if final or mail.tries + 1 >= MAX_TRIES:
            self._outbox.failed(mail, words)
            self._tally.failed += 1
        else:
            self._outbox.put_off(mail, words, _pause(mail))
            # Where the conversation broke off, others may fare alike.
            self._broken += smtp.sock is None

    def _blame_server(self, error: Exception) -> None:
        self._tally.server_error = words_of(error, self._server)
        self._tally.final = is_final(error)


def _pause(mail: Mail) -> float:
    return min(FIRST_PAUSE * 2.0 ** min(mail.tries, 10), LONGEST_PAUSE)


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = sender
    message["To"] = mail.address
    message["Subject"] = mail.letter.subject
    # All of it stays the same, however often it is sent.
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.letter.text)
    message.add_alternative(mail.letter.html, subtype="html")
    # Nobody who could put it into a text has seen the id before the mail is sent.
    message.set_boundary(f"=_{mail.message_id.strip('<>').partition('@')[0]}")
    return message
