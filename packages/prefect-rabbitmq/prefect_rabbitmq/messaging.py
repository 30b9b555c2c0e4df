"""Plain messaging from flows: put one message somewhere, take one from a queue, order a job."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from prefect_rabbitmq.connections import opened_channel, send
from prefect_rabbitmq.credentials import RabbitMQCredentials, find_credentials
from prefect_rabbitmq.emission import job_publisher
from prefect_rabbitmq.errors import BrokerUnreachable, QueueMissing
from prefect_rabbitmq.messages import JSON

__all__ = ["Received", "consume_one", "publish", "publish_job"]

logger = logging.getLogger("prefect.rabbitmq.messaging")


class Received(BaseModel):
    """A message that was taken from a queue."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    body: bytes
    #: Empty, as every property here, if the publisher did not say.
    content_type: str = ""
    message_id: str = ""
    correlation_id: str = ""
    reply_to: str = ""
    headers: dict[str, Any] = Field(default_factory=dict)
    #: Where it was published to.
    exchange: str
    routing_key: str
    #: Whether it may have been given to somebody before.
    redelivered: bool

    @property
    def text(self) -> str:
        """The body as text; what is no UTF-8 is replaced."""
        return self.body.decode(errors="replace")


@task(name="publish", cache_policy=NO_CACHE)
def publish(
    body: Any,
    *,
    routing_key: str,
    exchange: str = "",
    credentials: RabbitMQCredentials | str | None = None,
    properties: Mapping[str, Any] | None = None,
) -> str:
    """
    Publish one message, and wait until RabbitMQ has it safely in a queue.

    A retry of this task after a lost connection may publish it a second time: whoever cares gives
    a `message_id`.

    Args:
        body: Bytes and text go as they are, everything else as JSON.
        routing_key: With the default exchange, the name of the queue.
        exchange: Where to; empty for the default exchange.
        credentials: A block or the name of a saved one; by default those of the environment.
        properties: AMQP properties by name, as `headers`, `priority`, `expiration` (milliseconds,
            as text), `message_id`. It is persistent unless `delivery_mode` says 1.

    Returns:
        The message's id.

    Raises:
        Unroutable: There is no queue, or no exchange, for it.
        Refused: RabbitMQ did not take it.
        BrokerUnreachable: There is no connection; or it was lost, and nobody knows of the message.
        BadCredentials: There are no credentials, or of no use.
        ValueError: A property does not exist or cannot be sent, or JSON has no such value.
    """
    content_type, payload = _encoded(body)
    message = _properties({"content_type": content_type} | dict(properties or {}))
    found = find_credentials(credentials)
    with opened_channel(found.connect("publish"), found.address) as channel:
        send(channel, payload, message, exchange=exchange, routing_key=routing_key)
    return str(message.message_id)


@task(name="consume-one", cache_policy=NO_CACHE)
def consume_one(
    queue: str,
    *,
    credentials: RabbitMQCredentials | str | None = None,
    timeout_seconds: float = 30.0,
) -> Received | None:
    """
    Take one message from a queue.

    Until this function returns, the message stays in RabbitMQ: a process that is killed, a time-out
    or an error leave it in its queue. It is acknowledged once it has arrived completely, right
    before it is returned, so a process that is killed after that has lost it. Should the connection
    break at the acknowledgement, it is returned all the same and may come once more
    (`redelivered`). Work that must survive its process belongs into a worker's task.

    Args:
        queue: Its name.
        credentials: A block or the name of a saved one; by default those of the environment.
        timeout_seconds: How long to wait for a message.

    Returns:
        None if no message came.

    Raises:
        QueueMissing: There is no such queue, or it was deleted meanwhile.
        Refused: RabbitMQ does not let us read it; somebody may have it for himself.
        BrokerUnreachable: There is no connection, or it was lost before a message came.
        BadCredentials: There are no credentials, or of no use.
    """
    found = find_credentials(credentials)
    received = None
    try:
        with opened_channel(found.connect("consume-one"), found.address) as channel:
            delivery = _next(channel, queue, timeout_seconds)
            if delivery is not None:
                tag, received = delivery
                channel.basic_ack(tag)
    except BrokerUnreachable as error:
        if received is None:
            raise
        logger.warning("A message of queue %s may come again: %s", queue, error)
    return received


def publish_job(
    pool: str,
    work_queue: str,
    task: str,
    parameters: Mapping[str, Any],
    *,
    message_id: str = "",
    credentials: RabbitMQCredentials | str | None = None,
) -> str:
    """
    Have a worker run a task, without waiting for it. Prefect's UI shows it as `Queued` until then.

    Args:
        pool: A work pool of type `rabbitmq`.
        work_queue: One of its work queues; a worker has served it before.
        task: The name of a task that its workers have registered.
        parameters: The task's, by name.
        message_id: The same id again is the same task run; by default a new one.
        credentials: A block or the name of a saved one; by default those of the environment, or
            else those of the pool.

    Returns:
        The message's id; `messages.task_run_id` makes the task run's from it.

    Raises:
        Malformed: JSON has no such value.
        As `publish` otherwise.
    """
    with job_publisher(pool, credentials) as jobs:
        return jobs.publish(work_queue, task, parameters, message_id=message_id)


def _encoded(body: Any) -> tuple[str, bytes]:
    """Return the content type and the bytes of a body."""
    if isinstance(body, bytes):
        return "application/octet-stream", body
    if isinstance(body, str):
        return "text/plain; charset=utf-8", body.encode()
    return JSON, to_json(body, inf_nan_mode="strings")


def _properties(given: dict[str, Any]) -> pika.BasicProperties:
    try:
        properties = pika.BasicProperties(
            **{"message_id": str(uuid.uuid4()), "delivery_mode": 2} | given
        )
        # It is encoded when it is sent, too late for a clear error: the channel breaks.
        properties.encode()
    except Exception as error:
        raise ValueError(f"properties that AMQP does not have: {error}") from error
    return properties


def _next(
    channel: BlockingChannel, queue: str, timeout_seconds: float
) -> tuple[int, Received] | None:
    """Wait for a message and stop consuming, so that no second one is taken."""
    channel.basic_qos(prefetch_count=1)
    deliveries = channel.consume(queue, inactivity_timeout=timeout_seconds)
    delivery = next(deliveries, None)
    if delivery is None:
        raise QueueMissing(f"queue '{queue}' was deleted while a message was waited for")
    # Before the acknowledgement: after it RabbitMQ would send another one.
    channel.cancel()
    method, properties, body = delivery
    if method is None or properties is None:
        return None
    return method.delivery_tag, Received(
        body=body or b"",
        content_type=properties.content_type or "",
        message_id=properties.message_id or "",
        correlation_id=properties.correlation_id or "",
        reply_to=properties.reply_to or "",
        headers=properties.headers or {},
        exchange=method.exchange,
        routing_key=method.routing_key,
        redelivered=method.redelivered,
    )
