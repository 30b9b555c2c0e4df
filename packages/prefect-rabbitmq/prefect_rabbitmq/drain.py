"""How a worker stops taking messages without having any redelivered."""

from __future__ import annotations

import logging
import time

from prefect_rabbitmq.lane import Delivery
from prefect_rabbitmq.lanes import Lanes

logger = logging.getLogger("prefect.rabbitmq.drain")

#: Seconds after the latest message or acknowledgement in which another one may be on its way.
SETTLE_SECONDS = 1.0


class Drain:
    """
    Holds acknowledgements back, for each would bring another message; takes what is on its way;
    then has the lanes closed, and acknowledges. All of it on the link's thread.
    """

    def __init__(self, lanes: Lanes) -> None:
        """Prepare for a worker's lanes."""
        self._lanes = lanes
        #: When a message came, or was acknowledged, by `time.monotonic`.
        self._latest = 0.0
        self._done: list[Delivery] = []
        #: Why nothing more is to be taken; empty as long as it is.
        self.reason = ""

    def begin(self, reason: str) -> None:
        """Begin; again is nothing."""
        if not self.reason:
            self.reason = reason
            logger.info("%s: finishing what was taken.", reason)

    def arrived(self) -> None:
        """Take note of a message."""
        self._latest = time.monotonic()

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge a message, now or as soon as that brings no other."""
        if self.reason and not self._lanes.are_quiet:
            self._done.append(delivery)
        else:
            self._latest = time.monotonic()
            delivery.acknowledge()

    def advance(self) -> bool:
        """Do what can be done now; returns whether nothing more comes."""
        if time.monotonic() - self._latest >= SETTLE_SECONDS:
            self._lanes.close()
        if self._lanes.are_quiet:
            for delivery in self._done:
                delivery.acknowledge()
            self._done.clear()
        return self._lanes.are_quiet

    def forget(self) -> None:
        """Drop what can no longer be acknowledged."""
        self._done.clear()

    def __bool__(self) -> bool:
        """Say whether something is still to be acknowledged."""
        return bool(self._done)
