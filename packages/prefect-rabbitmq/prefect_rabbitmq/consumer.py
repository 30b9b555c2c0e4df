"""
A worker's messages: taken from RabbitMQ, run one by one in another process, acknowledged after.

A session of a `Link`: everything here happens on the link's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pika import SelectConnection
from pika.channel import Channel
from prefect.states import Cancelled

from prefect_rabbitmq import metrics
from prefect_rabbitmq.current import CurrentMessage
from prefect_rabbitmq.drain import Drain
from prefect_rabbitmq.jobs import Job, Jobs
from prefect_rabbitmq.lane import Delivery, Lane, Source
from prefect_rabbitmq.lanes import Lanes
from prefect_rabbitmq.link import Link
from prefect_rabbitmq.messages import Malformed, Message
from prefect_rabbitmq.outlet import Outlet
from prefect_rabbitmq.settings import Limits
from prefect_rabbitmq.settlement import Settlement
from prefect_rabbitmq.standings import Standings
from prefect_rabbitmq.supervisor import Supervisor
from prefect_rabbitmq.use import Use
from prefect_rabbitmq.work_off import WorkOff

logger = logging.getLogger("prefect.rabbitmq.consumer")

#: How often a message may kill its process while it runs alone, before it is a dead letter.
MOST_DEATHS = 3
#: Deliveries after which a message is run alone: it may be what kills whole workers.
SUSPECT_DELIVERIES = 3
#: Seconds that a task gets to stop, before its process is killed.
CANCEL_SECONDS = 8.0


class Consumer:
    """Takes messages from the work queues of a pool, and has them run."""

    def __init__(
        self,
        pool: str,
        worker: str,
        exhausted: Callable[[str], Any],
        is_hosting: Callable[[], bool],
    ) -> None:
        """
        Prepare; it takes nothing before it was configured.

        Args:
            pool: The work pool.
            worker: The name of the worker.
            exhausted: Called with the reason when a limit was reached and all that it had is done.
            is_hosting: Says whether the worker has flow runs; they may wait for what it takes.
        """
        self._pool, self._worker = pool, worker
        self._exhausted, self._is_hosting = exhausted, is_hosting
        #: The limit that was reached.
        self.limit_reached = ""
        self._limits = Limits()
        self._sources: dict[str, Source] | None = None
        self._lanes = Lanes(self._lane)
        self._jobs = Jobs()
        self._outlet = Outlet(pool)
        self._process = Supervisor(self)
        self._connection: SelectConnection | None = None
        self._standings = Standings(self._jobs, self._standings_read)
        self._use = Use()
        self._drain = Drain(self._lanes)
        self._settlement = Settlement(pool, self._outlet, self._drain, self._counted)
        self._link: Link

    # --- what the worker says -----------------------------------------------

    def begin(self, link: Link) -> None:
        """Begin, with a link that this is the session of."""
        self._link = self._process.link = self._outlet.link = link
        self._standings.start(link)
        link.start()
        link.call(self._tick)

    def configure(self, sources: Iterable[Source], limits: Limits) -> None:
        """Take from these work queues, and no others, within these limits."""
        self._sources = {source.work_queue: source for source in sources}
        self._limits = limits
        self._process.configure(limits)
        self._open_lanes()

    def give_back(self) -> None:
        """Take no more, and give back what has not begun."""
        self._drain.begin("The worker stops")
        self._lanes.close()
        self._return(list(self._jobs.waiting.values()))

    def abandon(self) -> None:
        """Stop what runs; RabbitMQ gives it to others."""
        self._cancel(self._jobs.lose(), given_away=True)

    def work_off(self, done: Callable[[], Any]) -> None:
        """Call `done` once its work queues are empty, and what was in them or hosted is done."""

        def is_busy() -> bool:
            lanes = None if self._sources is None else len(self._sources)
            is_able = self._process.is_ready and self._outlet.is_open and len(self._lanes) == lanes
            has_any = not self.is_idle or self._jobs.orphans or self._is_hosting()
            return not is_able or bool(has_any)

        WorkOff(self._lanes, is_busy, self._link.later, done).look()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, nor done and not acknowledged."""
        return not self._jobs and not self._outlet and not self._drain

    def close(self) -> None:
        """End the tasks' process, which gets a moment to send its logs; from any thread."""
        self._standings.stop()
        self._process.stop(CANCEL_SECONDS)
        self._settlement.close()

    # --- the session ----------------------------------------------------------

    def opened(self, connection: SelectConnection) -> None:
        """Open the outlet, then take messages."""
        self._connection = connection
        self._outlet.open(connection, self._open_lanes)

    def lost(self, reason: str) -> None:
        """Stop what can no longer be acknowledged, and drop what was taken ahead."""
        metrics.RECONNECTS.labels(self._pool).inc()
        logger.debug("%s", reason)
        self._connection = None
        self._outlet.lost()
        self._lanes.forget()
        self._drain.forget()
        self._cancel(self._jobs.lose(), given_away=True)
        self._pump()

    def _open_lanes(self) -> None:
        if self._connection is None or not self._connection.is_open or self._drain.reason:
            return
        prefetch, sources = self._limits.concurrency + self._limits.prefetch, self._sources or {}
        for lane in self._lanes.close_outdated(sources, prefetch):
            self._return(self._jobs.waiting_of(lane))
        if self._process.is_ready and self._outlet.is_open:
            self._lanes.open(self._connection, sources, prefetch)

    def _lane(self, source: Source) -> Lane:
        return Lane(self._pool, source, self._link.later, self._arrived, self._gone)

    def _gone(self, channel: Channel) -> None:
        """Let go of the messages of a channel that is closed while the connection is not."""
        if self._connection is not None and self._connection.is_open:
            self._cancel(self._jobs.lose(channel), given_away=True)
            self._pump()

    def _return(self, waiting: Iterable[Job]) -> None:
        for job in waiting:
            job.delivery.give_back()
            del self._jobs.waiting[job.tag]

    # --- messages -------------------------------------------------------------

    def _arrived(self, delivery: Delivery) -> None:
        self._drain.arrived()
        try:
            message = Message.decode(delivery.body)
        except Malformed as error:
            self._settlement.refuse(delivery, error)
            return
        job = self._jobs.add(delivery, message, alone=delivery.deliveries >= SUSPECT_DELIVERIES)
        if delivery.deliveries >= self._limits.delivery_limit:
            del self._jobs.waiting[job.tag]
            self._settlement.give_up(job, f"delivered {delivery.deliveries} times without an end")
        self._pump()

    def _pump(self) -> None:
        """Start what can be started; and see whether all is done."""
        self._standings.want()
        while self._process.is_ready and (job := self._next()):
            self._jobs.start(job)
            self._process.run(job.tag, self._current(job), job.delivery.body)
        metrics.IN_FLIGHT.labels(self._pool).set(len(self._jobs.running))
        metrics.WAITING.labels(self._pool).set(len(self._jobs.waiting))
        if self._drain.reason and self._drain.advance() and self.is_idle:
            self._exhausted(self._drain.reason)

    def _current(self, job: Job) -> CurrentMessage:
        deliveries = job.delivery.deliveries
        return CurrentMessage(job.id, job.work_queue, deliveries, self._worker)

    def _next(self) -> Job | None:
        #: The priorities of those of which the API has not said yet whether they are wanted.
        asked: list[int] = []
        slots = self._limits.concurrency
        for job in self._jobs.candidates(slots):
            # Each has a free slot kept for it: it would wait for as long as others hold that.
            if sum(one < job.priority for one in asked) >= slots - self._jobs.under_way:
                return None
            match self._standings.of(job):
                case "on":
                    return job
                case "over":
                    del self._jobs.waiting[job.tag]
                    self._settlement.drop(job, is_told=self._standings.is_told(job))
                case "unknown":
                    asked.append(job.priority)
        return None

    def _counted(self) -> None:
        self._use.messages += 1
        self._keep_limits()

    def _keep_limits(self) -> None:
        """Stop at a limit, but not before the worker's own flow runs have ended."""
        memory_mb = self._process.memory_mb
        self.limit_reached = self.limit_reached or self._use.exceeds(self._limits, memory_mb)
        if self.limit_reached and not self._is_hosting():
            self._drain.begin(self.limit_reached)

    # --- the tasks' process -----------------------------------------------------

    @property
    def has_running(self) -> bool:
        """Whether the tasks' process has any message."""
        return bool(self._jobs.running or self._jobs.orphans)

    def ready(self) -> None:
        """Take messages, now that they can be run."""
        self._open_lanes()
        self._pump()

    def done(self, told: Mapping[str, Any], reply: bytes) -> None:
        """Answer a message, then acknowledge it."""
        self._jobs.orphans.pop(told["tag"], None)
        if job := self._jobs.running.pop(told["tag"], None):
            if told["outcome"] == "rejected":
                self._settlement.give_up(job, told["reason"])
            else:
                self._settlement.done(job, told["outcome"], reply)
        self._pump()

    def died(self, how: str, *, killed_by_us: bool) -> None:
        """Find out which message killed the process: each that was in it runs alone now."""
        metrics.DEATHS.labels(self._pool).inc()
        self._settlement.process_died()
        jobs = self._jobs.died(killed_by_us=killed_by_us)
        logger.error("The tasks' process died (%s) with %d messages in it.", how, len(jobs))
        for job in jobs:
            if job.cancelled:
                del self._jobs.waiting[job.tag]
                self._settlement.end(job, Cancelled(message="Killed, since it did not stop"))
            elif job.deaths >= min(MOST_DEATHS, self._limits.delivery_limit):
                del self._jobs.waiting[job.tag]
                self._settlement.give_up(job, f"killed its process {job.deaths} times ({how})")
        self._pump()

    def _cancel(self, jobs: Iterable[Job], *, given_away: bool = False) -> None:
        """Ask tasks to stop; those that do not are killed, with their process."""
        stopping = {job.tag: job for job in jobs if not job.cancelled}
        for job in stopping.values():
            job.cancelled = True
        if stopping:
            there = (self._jobs.running, self._jobs.orphans)
            self._process.cancel(
                stopping,
                CANCEL_SECONDS,
                lambda: any(stopping.keys() & tags.keys() for tags in there),
                given_away=given_away,
            )

    # --- flow runs and time -----------------------------------------------------

    def _standings_read(self) -> None:
        running = self._jobs.running.values()
        self._cancel([job for job in running if self._standings.of(job) == "over"])
        self._pump()

    def _tick(self) -> None:
        """Once a second: the time limit, and flow runs of which the API says nothing."""
        self._keep_limits()
        self._standings.tick()
        self._pump()
        self._link.later(1.0, self._tick)
