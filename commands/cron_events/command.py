"""`cron_events`: mails the changes since the last mail to those who subscribed to them."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, get_args

from commands.command import MAX_ERROR_LENGTH, Command, Outcome
from commands.cron_events.compose import compose
from commands.cron_events.port import Stopped
from commands.cron_events.sending import Postman, Tally
from commands.handling import Handling
from commands.smtp.server import check_address, smtp_server

#: How much of a wrong payload is shown.
_SHOWN = 100

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for."""

    #: Mails of this state are to be sent again.
    again: Stopped | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it."""

    posted: int
    tally: Tally
    #: Mails that are left, by their state.
    left: Mapping[str, int]


class CronEvents(Command[Order, Done]):
    """
    Put what is new into the outbox, and send what is due in it.

    Any number may run at once, or again: what is new is posted once, and each mail has one sender.
    """

    name = "cron_events"
    checks_domains = False
    statuses = ("sent", "nothing", "delayed", "refused", "unsure", "error")
    good = frozenset({"sent", "nothing"})
    in_flight = 1
    expired_status: ClassVar[str] = "error"
    # It bounds each answer of the server, and begins no mail after two minutes.
    handling = Handling(
        timeout_seconds=None, retries=3, backoff_seconds=1, reactions={"OutboxAway": "retry"}
    )

    def prepare(self, payload: Any) -> Order:
        """Take no payload, or `{"resend": "unsure"}` (or `"failed"`)."""
        if payload is None or payload in ({}, []):
            return Order()
        if isinstance(payload, Mapping) and set(payload) == {"resend"}:
            for state in get_args(Stopped):
                if payload["resend"] == state:
                    return Order(again=state)
        shown = json.dumps(payload, default=repr)[:_SHOWN]
        raise ValueError(
            'cron_events takes no payload, {"resend": "unsure"} or {"resend": "failed"}, '
            f"not {shown}"
        )

    async def execute(self, execution: Order) -> Done:
        """Do it in a thread, which ends after the mail that it is at when this is cancelled."""
        stop = threading.Event()
        try:
            return await asyncio.to_thread(self._work, execution, stop)
        except asyncio.CancelledError:
            stop.set()
            raise

    def interpret(self, output: Done) -> Outcome:
        """Count, and name what somebody has to decide about."""
        tally, left = output.tally, output.left
        answer: dict[str, Any] = {
            "posted": output.posted,
            "sent": tally.sent,
            "delayed": left["pending"],
            "failed": tally.failed,
            "unsure": left["unsure"],
        }
        if tally.unsure:
            answer["newly_unsure"] = tally.unsure
        words = "; ".join(filter(None, (tally.server_error, tally.mail_error, *tally.unsure)))
        return Outcome(
            status=_status(output), answer=answer, error=words[:MAX_ERROR_LENGTH] or None
        )

    def _work(self, order: Order, stop: threading.Event) -> Done:
        outbox = self.environment.outbox
        if outbox is None:
            raise ValueError("cron_events runs only where an outbox is: as a job of Rollcall's")
        tally = Tally(unsure=outbox.tidy())
        if order.again is not None:
            outbox.again(order.again)
        sender, server = self.environment.mail_from, None
        if outbox.anybody():
            # What cannot be sent is not even posted: it is told once the settings are right.
            server = smtp_server(self.environment.smtp_url, self.name)
            check_address(sender, "ROLLCALL_MAIL_FROM=")
        # What ends while nobody listens is told to nobody, also not later.
        posted = outbox.post(sender.rpartition("@")[2] or "localhost", compose)
        if server is not None:
            Postman(outbox, server, sender, tally, stop).send_all()
        for mail in tally.unsure:
            _LOGGER.warning("It is not known whether this mail was taken: %s", mail)
        return Done(posted, tally, outbox.counts())


def _status(done: Done) -> str:
    tally = done.tally
    # The worst of it.
    for status, holds in (
        ("error", tally.final),
        ("unsure", tally.unsure),
        ("refused", tally.failed),
        ("delayed", done.left["pending"] or tally.server_error),
        ("sent", tally.sent),
    ):
        if holds:
            return status
    return "nothing"
