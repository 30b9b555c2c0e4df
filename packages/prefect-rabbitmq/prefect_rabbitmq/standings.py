"""Whether anybody still waits for a message: whether its flow run is on, in the same attempt."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Literal
from uuid import UUID

from prefect_rabbitmq.flow_runs import Standing
from prefect_rabbitmq.jobs import Job

#: Seconds after which messages are run although the API does not say how their flow run is.
UNKNOWN_SECONDS = 3.0


class Standings:
    """What is known of the flow runs whose messages a worker holds."""

    def __init__(self) -> None:
        self._known: dict[UUID, Standing] = {}

    def of(self, job: Job) -> Literal["on", "over", "unknown"]:
        """Say how the flow run of a message is, as far as the message is concerned."""
        if job.flow_run is None:
            return "on"
        standing = self._known.get(job.flow_run)
        if standing is None or standing.run_count < job.run_count:
            return "unknown"
        on = not standing.is_over and standing.run_count == job.run_count
        return "on" if on else "over"

    def update(self, read: Mapping[UUID, Standing | None]) -> None:
        """Take what the API says; None is for what it did not say."""
        self._known |= {id_: standing for id_, standing in read.items() if standing is not None}

    def presume(self, jobs: Iterable[Job]) -> None:
        """Take flow runs for living of which the API has said nothing for a while."""
        now = time.monotonic()
        for job in jobs:
            if job.flow_run is None or now - job.arrived < UNKNOWN_SECONDS:
                continue
            if self.of(job) == "unknown":
                self._known[job.flow_run] = Standing(is_over=False, run_count=job.run_count)

    def keep(self, flow_runs: set[UUID]) -> None:
        """Forget all others."""
        for flow_run in self._known.keys() - flow_runs:
            del self._known[flow_run]
