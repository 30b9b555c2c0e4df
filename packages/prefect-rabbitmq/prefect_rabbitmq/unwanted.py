"""
The ends of task runs that are dropped because their flow run is over.

Prefect's server takes the later of two states for the true one. A message may come twice, as after
a crash of RabbitMQ or of its worker; the second one must not make a task run cancelled that the
first has completed.
"""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from queue import SimpleQueue
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State

from prefect_rabbitmq import outsiders
from prefect_rabbitmq.jobs import Job
from prefect_rabbitmq.task_runs import read_task_runs

logger = logging.getLogger("prefect.rabbitmq.unwanted")

#: The least by which two states differ.
MOMENT = timedelta(microseconds=1)
#: Seconds that the last ones get when a worker ends.
CLOSE_SECONDS = 5.0

#: A message, and how it is to end.
_Ending = tuple[Job, State]


class Unwanted:
    """Tells Prefect the ends of messages that were dropped."""

    def __init__(self) -> None:
        """Begin with none; the API is asked in a thread, which starts with the first question."""
        self._asked: SimpleQueue[_Ending | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def end(self, job: Job, state: State) -> None:
        """Tell that a message has ended without being run; returns at once."""
        if job.delivery.deliveries:
            self._ask((job, state))
            return
        # It was never given to anybody: whatever is known later is known of another copy.
        if job.message.task_run is not None and (known := job.message.task_run.state):
            state.timestamp = known.timestamp + MOMENT
        outsiders.end(job, state)

    def close(self) -> None:
        """Tell the rest, and end the thread."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join(CLOSE_SECONDS)

    def _ask(self, ending: _Ending) -> None:
        self._asked.put(ending)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="rabbitmq-unwanted", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        taken: list[_Ending | None] = []
        while None not in taken:
            # All that are there, for one question.
            taken = [self._asked.get(), *(self._asked.get() for _ in range(self._asked.qsize()))]
            if endings := [ending for ending in taken if ending is not None]:
                _tell(endings)


def _tell(endings: list[_Ending]) -> None:
    over = _over([job.run_id for job, _ in endings])
    for job, state in endings:
        if job.run_id not in over:
            outsiders.end(job, state)


def _over(ids: list[UUID]) -> set[UUID]:
    """Return those that have ended; none if the server does not say."""
    try:
        with get_client(sync_client=True) as client:
            found = read_task_runs(client, ids)
    except Exception as error:  # noqa: BLE001 - a proxy may answer anything
        logger.debug("The API cannot be asked for task runs: %s", error)
        return set()
    return {id_ for id_, run in found.items() if run.state is not None and run.state.is_final()}
