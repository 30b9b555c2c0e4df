"""Whether anybody still waits for a message: whether its flow run is on, in the same attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal
from uuid import UUID

from prefect_rabbitmq.jobs import Job, Jobs
from prefect_rabbitmq.link import Link
from prefect_rabbitmq.watch import Standing, Wanted, Watch

#: Seconds after which messages are run although the API does not say how their flow run is.
UNKNOWN_SECONDS = 3.0


class Standings:
    """
    What is known of the runs whose messages a worker holds; all of it on the link's thread.

    A message of a flow run is wanted as long as that is; one from elsewhere until it is cancelled.
    """

    def __init__(self, jobs: Jobs, changed: Callable[[], Any]) -> None:
        """Prepare for what a worker holds; `changed` is called when the API has said something."""
        self._jobs, self._changed = jobs, changed
        self._known: dict[UUID, Standing] = {}
        self._watch: Watch

    def start(self, link: Link) -> None:
        """Begin to ask the API."""
        self._watch = Watch(lambda read: link.call(self._read, read))
        self._watch.start()

    def stop(self) -> None:
        """Ask no more; from any thread."""
        self._watch.stop()

    def want(self) -> None:
        """Ask for what the worker holds now."""
        flow_runs = frozenset(job.flow_run for job in self._jobs if job.flow_run is not None)
        task_runs = frozenset(job.subject for job in self._jobs if job.flow_run is None)
        self._watch.want(Wanted(flow_runs, task_runs))

    def of(self, job: Job) -> Literal["on", "over", "unknown"]:
        """Say how the flow run of a message is, as far as the message is concerned."""
        standing = self._known.get(job.subject)
        if standing is None or standing.run_count < job.run_count:
            return "unknown"
        on = not standing.is_over and standing.run_count == job.run_count
        return "on" if on else "over"

    def is_told(self, job: Job) -> bool:
        """Say whether Prefect's server has the end of a job of no flow run."""
        standing = self._known.get(job.subject)
        return job.flow_run is None and standing is not None and standing.is_final

    def tick(self) -> None:
        """Take for living of what the API has said nothing for a while; forget what is gone."""
        now = time.monotonic()
        for job in self._jobs.waiting.values():
            if now - job.arrived >= UNKNOWN_SECONDS and self.of(job) == "unknown":
                self._known[job.subject] = Standing(is_over=False, run_count=job.run_count)
        held = {job.subject for job in self._jobs}
        self._known = {id_: known for id_, known in self._known.items() if id_ in held}

    def _read(self, read: Mapping[UUID, Standing | None]) -> None:
        self._known |= {id_: standing for id_, standing in read.items() if standing is not None}
        self._changed()
