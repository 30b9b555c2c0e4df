"""A conversation with an SMTP server, of which one knows at each moment what has been sent."""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from commands.masking import masked
from commands.smtp.server import Server

#: A line that begins with a dot gets a second one (RFC 5321, 4.5.2).
_DOTS = re.compile(rb"(?m)^\.")
if TYPE_CHECKING:
    _Base = smtplib.SMTP
else:
    _Base = object


class Unanswered(Exception):
    """
    The whole mail was handed over, and the server did not say whether it has taken it.

    It may have, so sending again may be twice (RFC 1047 tells of it).
    """


class _Watched(_Base):
    """
    A client that says when it is about to hand a mail over.

    Until the line with the dot a server has no mail, whatever it was told before (RFC 5321,
    4.1.1.4). So what dies earlier has sent nothing, and after it only the server knows.
    """

    #: Called before the dot; what it raises ends the conversation, and nothing was sent.
    before_end: Callable[[], None] | None = None

    def data(self, msg: Any) -> tuple[int, bytes]:
        """Do as smtplib's, which sends text and dot in one go."""
        code, words = self.docmd("DATA")
        if code != 354:
            raise smtplib.SMTPDataError(code, words)
        # `sendmail` gives bytes with CRLF at each line's end, also the last one's.
        self.send(_DOTS.sub(b"..", msg))
        try:
            if self.before_end is not None:
                self.before_end()
        except BaseException:
            # Not QUIT, which would be text of the mail.
            self.close()
            raise
        try:
            self.send(b".\r\n")
            code, words = self.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise Unanswered(f"{type(error).__name__}: {error}") from error
        if code != 250 and not 400 <= code < 600:
            self.close()
            raise Unanswered(f"what it said is no answer: {code} {words!r}")
        return code, words


class _Plain(_Watched, smtplib.SMTP):
    pass


class _Secure(_Watched, smtplib.SMTP_SSL):
    pass


Client = _Plain | _Secure


@contextmanager
def conversation(server: Server, seconds: float) -> Iterator[Client]:
    """
    Open a conversation, in which several mails may be sent by `send_message`.

    Args:
        server: With whom.
        seconds: For each answer of the server.

    Raises:
        OSError, smtplib.SMTPException: It cannot be had.
    """
    where = (server.host, server.port)
    if server.security == "tls":
        context = ssl.create_default_context()
        smtp: Client = _Secure(*where, timeout=seconds, context=context)
    else:
        smtp = _Plain(*where, timeout=seconds)
    try:
        if smtp.sock is not None:
            # The dot goes apart from the text, and is not to wait until that is acknowledged.
            smtp.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.security == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
    finally:
        # Whatever it says to that: what was sent is sent.
        with contextlib.suppress(OSError, smtplib.SMTPException):
            if smtp.sock is not None:
                smtp.quit()
        smtp.close()


def is_final(error: Exception) -> bool:
    """Say whether an error will be the same the next time: 5xx is for good (RFC 5321, 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return min(code for code, _ in error.recipients.values()) >= 500
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code >= 500
    return isinstance(error, smtplib.SMTPNotSupportedError)


def words_of(error: Exception, server: Server) -> str:
    """Return an error in one line, with the server's place and words, without the password."""
    words = f"{server.host}:{server.port}: {type(error).__name__}: {error}"
    return masked(words, [server.password])
