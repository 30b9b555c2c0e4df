"""How a message ends: its answer, its place among the dead letters, its acknowledgement."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Crashed

from prefect_rabbitmq import metrics, outsiders
from prefect_rabbitmq.drain import Drain
from prefect_rabbitmq.jobs import Job
from prefect_rabbitmq.lane import Delivery
from prefect_rabbitmq.messages import Malformed
from prefect_rabbitmq.outcomes import reply_of
from prefect_rabbitmq.outlet import Outlet
from prefect_rabbitmq.unwanted import Unwanted

logger = logging.getLogger("prefect.rabbitmq.settlement")


class Settlement:
    """Ends the messages of a worker; all of it on the link's thread."""

    def __init__(self, pool: str, outlet: Outlet, drain: Drain, counted: Callable[[], Any]) -> None:
        """
        Prepare.

        Args:
            pool: The work pool.
            outlet: By which answers and dead letters go out.
            drain: Which may hold acknowledgements back.
            counted: Called for each message that has ended, before it is acknowledged.
        """
        self._pool, self._outlet, self._drain = pool, outlet, drain
        self._counted = counted
        self._outsiders = outsiders.Outsiders()
        self._unwanted = Unwanted()

    def done(self, job: Job, outcome: str, reply: bytes) -> None:
        """Answer a message whose task has ended, then acknowledge it."""
        seconds = time.monotonic() - job.started
        metrics.SECONDS.labels(self._pool, job.work_queue).observe(seconds)
        # Before it is acknowledged, which at a limit waits.
        self._count(job.work_queue, outcome)
        self._outsiders.ended(job, reply)
        self._outlet.reply(job.delivery, reply, partial(self._drain.acknowledge, job.delivery))

    def drop(self, job: Job, *, is_told: bool) -> None:
        """End a message that nobody wants any more; `is_told`: Prefect's server has its end."""
        state: State[Any] = Cancelled(
            message="Cancelled" if job.flow_run is None else "Its flow run is over"
        )
        # Else it has ended in the words of whoever cancelled it.
        if not is_told:
            self._unwanted.end(job, state)
        self._answer(job, state)
        self._count(job.work_queue, "dropped")

    def end(self, job: Job, state: State[Any]) -> None:
        """End a message without running it."""
        outsiders.end(job, state)
        self._answer(job, state)

    def give_up(self, job: Job, reason: str) -> None:
        """Put a message to the dead letters, and tell whoever waits for it."""
        state: State[Any] = Crashed(message=f"Its message is a dead letter: {reason}")
        outsiders.end(job, state)
        self._reject(job.delivery, state, reason)

    def refuse(self, delivery: Delivery, error: Malformed) -> None:
        """Put to the dead letters what is no message at all."""
        state: State[Any] = Crashed(message=f"Its message is malformed: {error}")
        self._reject(delivery, state, f"malformed: {error}")

    def process_died(self) -> None:
        """Tell the ends that the tasks' process may have taken with it."""
        self._outsiders.tell()

    def close(self) -> None:
        """Tell what is left to be told; from any thread."""
        self._unwanted.close()

    def _answer(self, job: Job, state: State[Any]) -> None:
        reply = reply_of(state, None).encode()
        self._outlet.reply(job.delivery, reply, partial(self._drain.acknowledge, job.delivery))

    def _reject(self, delivery: Delivery, state: State[Any], reason: str) -> None:
        self._outlet.reply(delivery, reply_of(state, None).encode(), lambda: None)
        work_queue = delivery.lane.source.work_queue
        logger.error("A message on work queue %s goes to the dead letters: %s", work_queue, reason)
        self._outlet.dead_letter(delivery, reason, partial(self._drain.acknowledge, delivery))
        self._count(work_queue, "rejected")

    def _count(self, work_queue: str, outcome: str) -> None:
        metrics.MESSAGES.labels(self._pool, work_queue, outcome).inc()
        self._counted()
