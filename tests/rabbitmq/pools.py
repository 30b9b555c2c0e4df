"""A work pool of type `rabbitmq`, and one worker that runs the tests' tasks."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pika
from pika.exceptions import AMQPError
from prefect.task_runners import TaskRunner
from prefect_rabbitmq import topology
from prefect_rabbitmq.credentials import VARIABLE, RabbitMQCredentials
from prefect_rabbitmq.task_runner import RabbitMQTaskRunner
from pydantic import SecretStr

from tests.services.prefect import PrefectServer, running_prefect_worker
from tests.services.processes import Server, wait_until

__all__ = ["ROOT", "SOON", "TASKS", "Pool", "consumers", "running_pool"]

ROOT = Path(__file__).parents[2]
#: The module with the tests' tasks.
TASKS = "tests.rabbitmq.tasks"
#: So that a worker does soon what a user waits half a minute for.
SOON = {
    "PREFECT_WORKER_HEARTBEAT_SECONDS": "1",
    "PREFECT_WORKER_QUERY_SECONDS": "1",
    "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.2",
}
#: Seconds for a worker to take from its queue.
READY_SECONDS = 180.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A work pool that has a worker."""

    name: str
    #: Of RabbitMQ, with the virtual host.
    url: str
    server: PrefectServer
    worker: Server
    #: The worker's working directory, where it finds modules.
    directory: Path

    def runner(self, *, url: str = "", work_queue: str = "default") -> TaskRunner[Any]:
        """Return a runner for it, which may take another way to RabbitMQ."""
        credentials = RabbitMQCredentials(url=SecretStr(url or self.url))
        return RabbitMQTaskRunner(self.name, work_queue, credentials)


@contextlib.contextmanager
def running_pool(
    server: PrefectServer,
    url: str,
    directory: Path,
    *,
    name: str,
    modules: Sequence[str] = (TASKS,),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Pool]:
    """
    Run a worker, and wait until it takes messages.

    Args:
        server: Prefect's.
        url: Of RabbitMQ, with the virtual host.
        directory: The worker's working directory.
        name: The work pool's, which is made.
        modules: The worker's task modules.
        environment: More for the worker.
    """
    ours = {VARIABLE: url, "PYTHONPATH": str(ROOT)} | SOON
    ours["PREFECT_RABBITMQ_TASK_MODULES"] = ",".join(modules)
    configured = replace(server, environment={**server.environment, **ours, **(environment or {})})
    with running_prefect_worker(configured, directory, pool=name, kind="rabbitmq") as worker:
        wait_until(lambda: consumers(url, name) > 0, server=worker, seconds=READY_SECONDS)
        yield Pool(name=name, url=url, server=server, worker=worker, directory=directory)


def consumers(url: str, pool: str) -> int:
    """Count those who take from a pool's default work queue."""
    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        queue = topology.queue_name(pool, "default")
        try:
            declared = connection.channel().queue_declare(queue, passive=True)
        except AMQPError:
            return 0
        consumers: int = declared.method.consumer_count
        return consumers
