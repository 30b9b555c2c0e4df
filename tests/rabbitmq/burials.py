"""A pool's dead letters, as workers and RabbitMQ leave them."""

import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from prefect_rabbitmq import topology
from prefect_rabbitmq.dead_letters import dead_letters
from prefect_rabbitmq.letters import DIED_AT, REASON, WORK_QUEUE
from prefect_rabbitmq.messages import Message

__all__ = [
    "DIED",
    "POOL",
    "bury",
    "count",
    "ids",
    "opened_pool",
    "reject",
    "taken",
    "wait_for_count",
]

POOL = "checks"
#: The longest wait, on a busy machine.
PATIENCE_SECONDS = 90.0
DIED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@contextlib.contextmanager
def opened_pool(url: str) -> Iterator[BlockingChannel]:
    """Declare a pool with the work queues `default` and `high`, and give a confirming channel."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        topology.declare_pool(channel, POOL, ["default", "high"])
        yield channel


def bury(channel: BlockingChannel, number: int, **headers: Any) -> str:
    """Put a dead letter where a worker puts it, and return its id."""
    told = {REASON: "boom", WORK_QUEUE: "default", DIED_AT: DIED.isoformat(), "mine": number}
    properties = pika.BasicProperties(
        message_id=f"m{number}", correlation_id="c", delivery_mode=2, headers=told | headers
    )
    body = Message(task="t", parameters={"n": number}).encode()
    channel.basic_publish(topology.dead_letters_name(POOL), "", body, properties)
    return f"m{number}"


def count(channel: BlockingChannel, work_queue: str = "") -> int:
    """Count what waits in a work queue of the pool, or its dead letters."""
    dead = topology.dead_letters_name(POOL)
    name = topology.queue_name(POOL, work_queue) if work_queue else dead
    waiting: int = channel.queue_declare(name, passive=True).method.message_count
    return waiting


def taken(channel: BlockingChannel, work_queue: str = "default") -> list[pika.BasicProperties]:
    """Take everything from a work queue, and return the properties."""
    found: list[pika.BasicProperties] = []
    while True:
        _, properties, _ = channel.basic_get(topology.queue_name(POOL, work_queue), auto_ack=True)
        if properties is None:
            return found
        found.append(properties)


def ids() -> list[str]:
    """List the ids of all dead letters."""
    return [letter.message_id for letter in dead_letters(POOL, 10_000)]


def wait_for_count(channel: BlockingChannel, expected: int) -> None:
    """Wait until so many dead letters can be read."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := count(channel)) != expected:
        assert time.monotonic() < deadline, found
        channel.connection.process_data_events(0.05)


def reject(channel: BlockingChannel) -> None:
    """Reject a message on `high` for good."""
    method, _, _ = channel.basic_get(topology.queue_name(POOL, "high"))
    assert method is not None
    channel.basic_reject(method.delivery_tag, requeue=False)
