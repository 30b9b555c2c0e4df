"""By which channel a notification goes: a target is a text, and its beginning says."""

from __future__ import annotations

from typing import Protocol

from tasks.notify.block import PrefectBlock
from tasks.notify.mail import Mail
from tasks.notify.message import Message, Notice
from tasks.notify.service import Service
from tasks.settings import Settings


class Target(Protocol):
    """Where a notification goes."""

    @property
    def shown(self) -> str:
        """The target as it may be logged."""

    def send(self, message: Message, notice: Notice, settings: Settings) -> None:
        """
        Send a message.

        Raises:
            NotSent: It did not get out.
        """


def parse_target(text: str, settings: Settings) -> Target:
    """
    Read a target.

    Args:
        text: `mailto:ann@example.org` (several are separated by commas), `block:<type>/<name>`,
            or a URL of Apprise's.
        settings: E-mail needs its own.

    Raises:
        InputError: It is none of these; says what is wrong, and shows no secret.
    """
    text = text.strip()
    # mailto://user:password@host is Apprise's.
    if text.startswith("mailto:") and not text.startswith("mailto://"):
        return Mail.parse(text.removeprefix("mailto:"), settings)
    if text.startswith("block:"):
        return PrefectBlock.parse(text.removeprefix("block:"))
    return Service.parse(text)
