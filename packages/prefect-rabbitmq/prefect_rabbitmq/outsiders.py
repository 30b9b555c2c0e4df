"""
The task runs of messages from outside, which no flow knows of.

Their states reach Prefect's server from the tasks' process. One that is killed takes its last ones
with it; then the worker tells them, as a flow does for its own (`reconciliation`).
"""

from __future__ import annotations

import time
from collections import deque
from datetime import timedelta
from typing import Any

from prefect.client.schemas.objects import State, TaskRun

from prefect_rabbitmq.execution import end_task_run, outside_task_run
from prefect_rabbitmq.jobs import Job
from prefect_rabbitmq.messages import Reply

#: Seconds after which the events of a living process have been sent.
EVENT_SECONDS = 10.0


class Outsiders:
    """Those that have ended a moment ago."""

    def __init__(self) -> None:
        #: When each one ended, its message, and its reply.
        self._ended: deque[tuple[float, Job, bytes]] = deque()

    def ended(self, job: Job, reply: bytes) -> None:
        """Keep the end of a message's task run, if it is one from outside."""
        now = time.monotonic()
        while self._ended and now - self._ended[0][0] > EVENT_SECONDS:
            self._ended.popleft()
        if job.message.task_run is None:
            self._ended.append((now, job, reply))

    def tell(self) -> None:
        """Tell the ends that may be lost; what the server knows already changes nothing."""
        for ended, job, reply in self._ended:
            state = Reply.decode(reply).state
            took = timedelta(seconds=ended - job.started)
            times = {
                "run_count": 1,
                "total_run_time": took,
                "start_time": state.timestamp - took,
                "end_time": state.timestamp,
            }
            end_task_run(_task_run(job).model_copy(update=times), state)
        self._ended.clear()


def end(job: Job, state: State[Any]) -> None:
    """Tell Prefect that a message's task run is over, be it from a flow or from outside."""
    end_task_run(job.message.task_run or _task_run(job), state)


def _task_run(job: Job) -> TaskRun:
    return outside_task_run(job.run_id, job.message.task)
