"""The messages that a worker holds, and which of them is next."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from pika.channel import Channel

from prefect_rabbitmq.lane import Delivery, Lane
from prefect_rabbitmq.messages import Message, task_run_id


@dataclass(slots=True, eq=False)
class Job:
    """A message that a worker holds."""

    #: Unique in this worker; goes by it in the tasks' process.
    tag: int
    delivery: Delivery
    message: Message
    #: When it came, and when its task was started, by `time.monotonic`.
    arrived: float = field(default_factory=time.monotonic)
    started: float = 0.0
    #: How often it killed the tasks' process while nothing else ran there.
    deaths: int = 0
    #: Whether it was there when the process died, and so is run with nothing beside it.
    alone: bool = False
    #: Whether its end was asked for.
    cancelled: bool = False
    id: str = field(init=False)

    def __post_init__(self) -> None:
        """Take the message's id; one without gets one."""
        self.id = self.delivery.properties.message_id or str(uuid4())

    @property
    def flow_run(self) -> UUID | None:
        """The flow run that it belongs to."""
        return self.message.task_run.flow_run_id if self.message.task_run else None

    @property
    def subject(self) -> UUID:
        """What is asked whether it is still wanted: its flow run, or its own task run."""
        return self.flow_run or self.run_id

    @property
    def run_id(self) -> UUID:
        """The task run that it stands for."""
        return self.message.task_run.id if self.message.task_run else task_run_id(self.id)

    @property
    def run_count(self) -> int:
        """The attempt of the flow run that it belongs to, from 1; 0 without one."""
        if self.message.task_run is None or self.flow_run is None:
            return 0
        return self.message.task_run.flow_run_run_count

    def has_room(self, running: int) -> bool:
        """Say whether it may run beside so many others of its work queue."""
        limit = self.delivery.lane.source.limit
        return limit is None or running < limit

    @property
    def order(self) -> tuple[int, int]:
        """Its place among those that wait."""
        return (self.priority, self.tag)

    @property
    def priority(self) -> int:
        """The priority of its work queue; 1 goes before 2."""
        return self.delivery.lane.source.priority

    @property
    def work_queue(self) -> str:
        """The work queue that it came from."""
        return self.delivery.lane.source.work_queue


class Jobs:
    """Those that wait, and those that run."""

    def __init__(self) -> None:
        self._tags = itertools.count(1)
        self.waiting: dict[int, Job] = {}
        self.running: dict[int, Job] = {}
        #: Run on although their connection is lost: nobody else may have their threads yet.
        self.orphans: dict[int, Job] = {}

    def add(self, delivery: Delivery, message: Message, *, alone: bool) -> Job:
        """Take one more, which waits."""
        job = Job(next(self._tags), delivery, message, alone=alone)
        self.waiting[job.tag] = job
        return job

    def candidates(self, slots: int) -> list[Job]:
        """
        Return those that may be started now, the next one first.

        Args:
            slots: How many tasks run at once.
        """
        under_way = [*self.running.values(), *self.orphans.values()]
        if len(under_way) >= slots or any(job.alone for job in under_way):
            return []
        # The suspects first and one by one: then the one that kills its process is known.
        if suspects := [job for job in self.waiting.values() if job.alone]:
            return [] if under_way else sorted(suspects, key=lambda job: job.order)
        at_once = Counter(job.work_queue for job in under_way)
        waiting = (job for job in self.waiting.values() if job.has_room(at_once[job.work_queue]))
        return sorted(waiting, key=lambda job: job.order)

    @property
    def under_way(self) -> int:
        """How many have a slot."""
        return len(self.running) + len(self.orphans)

    def start(self, job: Job) -> None:
        """Move a waiting one to those that run."""
        job.started = time.monotonic()
        self.running[job.tag] = self.waiting.pop(job.tag)

    def lose(self, channel: Channel | None = None) -> list[Job]:
        """
        Forget those that wait; those that run become orphans, which are returned.

        Args:
            channel: Only those that came by this one.
        """

        def lost(jobs: dict[int, Job]) -> dict[int, Job]:
            ours = jobs.values()
            return {job.tag: job for job in ours if channel in {None, job.delivery.channel}}

        for tag in lost(self.waiting):
            del self.waiting[tag]
        orphans = lost(self.running)
        for tag in orphans:
            del self.running[tag]
        self.orphans |= orphans
        return list(orphans.values())

    def died(self, *, killed_by_us: bool) -> list[Job]:
        """
        Return those that ran when their process died; they wait again.

        Args:
            killed_by_us: Whether none of them is to blame.
        """
        jobs = list(self.running.values())
        guilty = len(jobs) + len(self.orphans) == 1 and not killed_by_us
        self.running.clear()
        self.orphans.clear()
        for job in jobs:
            job.alone = job.alone or not killed_by_us
            job.deaths += guilty
            self.waiting[job.tag] = job
        return jobs

    def waiting_of(self, lane: Lane) -> list[Job]:
        """Return those of a lane that wait."""
        return [job for job in self.waiting.values() if job.delivery.lane is lane]

    def __iter__(self) -> Iterator[Job]:
        """Go through all that wait or run."""
        both: Iterable[Any] = (*self.waiting.values(), *self.running.values())
        return iter(both)

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self.waiting or self.running)
