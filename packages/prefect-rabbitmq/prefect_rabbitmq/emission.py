"""Putting jobs on the work queues of a pool, many of them over one connection."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pika import BasicProperties, DeliveryMode
from pika.adapters.blocking_connection import BlockingChannel

from prefect_rabbitmq import standalone, topology
from prefect_rabbitmq.connections import connect, opened_channel, send
from prefect_rabbitmq.credentials import RabbitMQCredentials, find_credentials
from prefect_rabbitmq.errors import Unroutable
from prefect_rabbitmq.messages import JSON, Message, task_run_id
from prefect_rabbitmq.settings import pool_credentials

__all__ = ["JobPublisher", "job_publisher"]

#: Seconds that RabbitMQ may refuse to take more (memory or disk are full). Whoever publishes within
#: a transaction holds up others meanwhile, and can try again.
BLOCKED_SECONDS = 15.0


class JobPublisher:
    """Puts jobs on the work queues of a pool; made by `job_publisher`."""

    def __init__(self, pool: str, channel: BlockingChannel) -> None:
        self._pool, self._channel = pool, channel

    def publish(
        self,
        work_queue: str,
        task: str,
        parameters: Mapping[str, Any],
        *,
        message_id: str = "",
        name: str = "",
    ) -> str:
        """
        Have a worker run a task, and wait until RabbitMQ has the message safely in its queue.

        Args:
            work_queue: One of the pool's; a worker has served it before.
            task: The name of a task that the workers have registered.
            parameters: The task's, by name.
            message_id: The same id again is the same task run; by default a new one.
            name: What the UI calls the task run while it waits; by default the task's name.

        Returns:
            The message's id; `messages.task_run_id` makes the task run's from it.

        Raises:
            Malformed: JSON has no such value.
            Unroutable: There is no such work queue.
            Refused: RabbitMQ did not take it.
        """
        body = Message(task=task, parameters=dict(parameters)).encode()
        message_id = message_id or str(uuid.uuid4())
        state = standalone.queued(work_queue)
        self._send(work_queue, message_id, body)
        standalone.tell(task_run_id(message_id), name or task, state)
        return message_id

    def _send(self, work_queue: str, message_id: str, body: bytes) -> None:
        properties = BasicProperties(
            message_id=message_id, content_type=JSON, delivery_mode=DeliveryMode.Persistent
        )
        exchange = topology.exchange_name(self._pool)
        try:
            send(self._channel, body, properties, exchange=exchange, routing_key=work_queue)
        except Unroutable as error:
            queue = topology.queue_name(self._pool, work_queue)
            raise Unroutable(
                f"queue '{queue}' does not exist: no worker of pool '{self._pool}' has served work "
                f"queue '{work_queue}' yet"
            ) from error


@contextmanager
def job_publisher(
    pool: str, credentials: RabbitMQCredentials | str | None = None
) -> Iterator[JobPublisher]:
    """
    Give what puts jobs on the work queues of a pool.

    Args:
        pool: A work pool of type `rabbitmq`.
        credentials: A block or the name of a saved one; by default those of the environment, or
            else those of the pool.

    Raises:
        BrokerUnreachable: There is no connection; or it was lost, and nobody knows whether the job
            that was being published is in its queue.
        BadCredentials: There are no credentials, or of no use.
    """
    found = find_credentials(credentials) if credentials else pool_credentials(pool)
    hosts = found.parameters("publish-job")
    for host in hosts:
        host.blocked_connection_timeout = BLOCKED_SECONDS
    with opened_channel(connect(hosts, found.address), found.address) as channel:
        yield JobPublisher(pool, channel)
