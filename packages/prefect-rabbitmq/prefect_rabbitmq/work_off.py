"""Knowing when a worker that runs only once has worked its queues off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect_rabbitmq.lanes import Lanes

#: Seconds between two looks.
SECONDS = 0.5
#: Looks, one after the other, that found nothing: what somebody returns is back by the second.
LOOKS = 2


class WorkOff:
    """Looks, on the link's thread, until nothing is left that this worker could take."""

    def __init__(
        self,
        lanes: Lanes,
        is_busy: Callable[[], bool],
        later: Callable[[float, Callable[[], Any]], None],
        done: Callable[[], Any],
    ) -> None:
        """
        Prepare.

        Args:
            lanes: The worker's.
            is_busy: Whether it has messages, or cannot take any yet.
            later: Calls a function after some seconds.
            done: Called once there is nothing left.
        """
        self._lanes, self._is_busy = lanes, is_busy
        self._later, self._done = later, done
        self._counts: list[int] = []
        self._asked = 0
        self._empty = 0

    def look(self) -> None:
        """Ask RabbitMQ what is left, and look at its answer in a while."""
        self._counts = []
        counts = self._counts
        self._asked = self._lanes.count(counts.append)
        self._later(SECONDS, self._judge)

    def _judge(self) -> None:
        # A lane that is not open has not answered.
        answered = len(self._counts) == self._asked
        nothing = answered and not any(self._counts) and not self._is_busy()
        self._empty = self._empty + 1 if nothing else 0
        if self._empty >= LOOKS:
            self._done()
        else:
            self.look()
