"""Services that Apprise knows: Slack, Telegram, ntfy, web hooks and a hundred more, by a URL."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from commands.masking import masked, pieces
from tasks.errors import InputError
from tasks.notify.message import Message, Notice, State
from tasks.notify.problem import NotSent
from tasks.settings import Settings

#: A notice's state -> Apprise's word for how good that is.
_TYPES: dict[State, str] = {"completed": "success", "changed": "warning", "failed": "failure"}
#: Apprise says only True or False; why it is False, it logs.
_LOGGER = logging.getLogger("apprise")


@dataclass(frozen=True, slots=True)
class Service:
    """A target: a URL of Apprise's."""

    url: str = field(repr=False)
    #: Its scheme and its host, a token masked.
    shown: str

    @classmethod
    def parse(cls, url: str) -> Service:
        """
        Read a URL.

        Raises:
            InputError: Apprise does not know it; nothing of it but its scheme is shown.
        """
        # Here and not above: with its first use it loads its services, 1.5 s and 26 MB.
        from apprise import Apprise

        plugin: Any = Apprise.instantiate(url, asset=_asset(), suppress_exceptions=True)
        if plugin is None:
            scheme, separator, _ = url.partition("://")
            known = f"'{scheme[:20]}://…'" if separator else "this"
            raise InputError(
                f"{known} is no target: write mailto:ann@example.org, "
                "block:slack-webhook/name, or a URL of Apprise's, e.g. ntfy://ntfy.sh/topic"
            )
        public = urlsplit(plugin.url(privacy=True))
        return cls(url, f"{public.scheme}://{public.netloc}")

    def send(self, message: Message, notice: Notice, _settings: Settings) -> None:
        """
        Send it.

        Raises:
            NotSent: The service did not take it.
        """
        from apprise import Apprise, NotifyFormat, NotifyType

        apprise = Apprise(asset=_asset())
        with _heard() as heard:
            apprise.add(self.url)
            sent = apprise.notify(
                message.text,
                title=message.subject,
                notify_type=NotifyType(_TYPES[notice.state]),
                body_format=NotifyFormat.TEXT,
            )
        if not sent:
            secrets = {piece for piece in pieces(self.url) if piece not in self.shown}
            raise NotSent(masked("; ".join(heard) or "it was not taken", secrets))


def _asset() -> Any:
    from apprise import AppriseAsset

    return AppriseAsset(app_id="Rollcall", app_desc="Rollcall", async_mode=False)


class _Listener(logging.Handler):
    """Hears what one thread logs: others may be sending, too."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note the words."""
        if record.thread == self.thread:
            self.heard.append(record.getMessage())


@contextmanager
def _heard() -> Iterator[list[str]]:
    listener = _Listener()
    _LOGGER.addHandler(listener)
    try:
        yield listener.heard
    finally:
        _LOGGER.removeHandler(listener)
