"""All that takes part: a yard with the groups' work queues, the workers, and the emitters."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika
from prefect.client.orchestration import SyncPrefectClient
from prefect_rabbitmq import topology

from deployments.pool import make_pool
from tasks.broker import WORK_POOL
from tests.chaos.jobs.parts import Emitter, Job, Sizes, emitters, job_id
from tests.chaos.workers import Workers, running_workers
from tests.jobs.yard import Yard
from tests.services.postgres import Postgres
from tests.services.prefect import PrefectServer
from tests.services.processes import Server, start, wait_until
from tests.services.rabbitmq import Broker

__all__ = ["Stage", "emitting", "running_stage"]

#: For workers: Prefect's server has enough to do with the states of so many jobs.
QUIET = {"PREFECT_LOGGING_LEVEL": "WARNING"}
#: How long a job takes, by its place in its group, in seconds.
SECONDS = (0.0, 0.01, 0.02, 0.0, 0.05)
#: How long it takes to end when it is stopped.
ENDING = 0.2
#: Seconds in which every group has to have its worker.
READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs."""

    broker: Broker
    yard: Yard
    workers: Workers
    sizes: Sizes
    emitters: Sequence[Emitter]

    @property
    def jobs(self) -> list[Job]:
        """All that are emitted."""
        return [job for one in self.emitters for part in one.parts for job in part.jobs]


@contextlib.contextmanager
def running_stage(
    broker: Broker,
    postgres: Postgres,
    prefect: PrefectServer,
    directory: Path,
    plan: tuple[Sizes, Any],
) -> Iterator[Stage]:
    """
    Run workers of a pool with a work queue of limit 1 for each group.

    Args:
        broker: A virtual host of its own is used.
        postgres: A database of its own is used.
        prefect: It has no pool `checks`, also afterwards.
        directory: Empty.
        plan: How much there is, and a random generator.
    """
    sizes, rng = plan
    with contextlib.ExitStack() as stack:
        amqp_url = stack.enter_context(broker.virtual_host())
        database = stack.enter_context(postgres.database())
        client = stack.enter_context(_pool(prefect))
        yard = Yard(
            prefect=prefect,
            amqp_url=amqp_url,
            database_url=database,
            directory=directory,
            client=client,
        )
        dealt = emitters(sizes, rng)
        groups = {part.jobs[0].group for one in dealt for part in one.parts}
        for group in sorted(groups):
            yard.make_queue(group, limit=1)
        workers = stack.enter_context(
            running_workers(WORK_POOL, sizes.workers, directory, yard.environment(**QUIET))
        )
        wait_until(
            lambda: _have_workers(amqp_url, groups), server=prefect.server, seconds=READY_SECONDS
        )
        yield Stage(broker=broker, yard=yard, workers=workers, sizes=sizes, emitters=dealt)


@contextlib.contextmanager
def _pool(prefect: PrefectServer) -> Iterator[SyncPrefectClient]:
    with SyncPrefectClient(prefect.api_url) as client:
        make_pool(client)
        try:
            yield client
        finally:
            client.delete_work_pool(WORK_POOL)


def _have_workers(url: str, groups: Iterable[str]) -> bool:
    """Say whether somebody takes from every group."""
    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        channel = connection.channel()
        return all(
            channel.queue_declare(
                topology.queue_name(WORK_POOL, group), passive=True
            ).method.consumer_count
            for group in groups
        )


@contextlib.contextmanager
def emitting(stage: Stage) -> Iterator[list[Server]]:
    """Run the emitters, each a process."""
    pause = stage.sizes.emitters / stage.sizes.pace
    servers = [_start(stage, emitter, pause) for emitter in stage.emitters]
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()


def _start(stage: Stage, emitter: Emitter, pause: float) -> Server:
    directory = stage.yard.directory
    file = directory / f"{emitter.name}.json"
    file.write_text(json.dumps([_written(part) for part in emitter.parts]), encoding="utf-8")
    program = "tests.chaos.jobs.outside" if emitter.is_outside else "tests.chaos.jobs.inside"
    return start(
        [sys.executable, "-m", program, str(file), str(pause)],
        directory=directory,
        name=emitter.name,
        environment=stage.yard.environment(AMQP_URL=stage.yard.amqp_url),
    )


def _written(part: Any) -> dict[str, Any]:
    jobs = [
        {
            "id": str(job_id(job.key)),
            "payload": {
                "key": job.key,
                "seconds": SECONDS[job.place % len(SECONDS)],
                "ending": ENDING,
            },
        }
        for job in part.jobs
    ]
    return {"group": part.jobs[0].group, "waits": part.waits, "jobs": jobs}
