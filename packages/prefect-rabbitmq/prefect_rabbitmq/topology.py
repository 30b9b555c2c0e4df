"""
The exchanges and queues of a work pool, and what they are called.

    exchange <pool>  --work queue's name-->  queue <pool>.<work queue>
    exchange <pool>/dead  ------------------>  queue <pool>/dead

All of it is durable, and declaring it again changes nothing. The slash keeps what is ours apart
from work queues: Prefect allows none in a name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from pika.adapters.blocking_connection import BlockingChannel

#: Deliveries after which RabbitMQ itself gives up on a message. A worker gives up much earlier, and
#: tells whoever waits for the message; RabbitMQ would tell nobody, and since 4.0 does so after 20.
#: Dead letters are delivered with every listing. Without any limit, RabbitMQ 3 puts what is
#: returned to the end of the queue.
BROKER_DELIVERY_LIMIT = 1_000_000
#: How long RabbitMQ keeps the replies for a task runner that lost its connection, in milliseconds.
REPLIES_EXPIRE_MS = 3_600_000


def exchange_name(pool: str) -> str:
    """Return the direct exchange of a work pool; the routing key is the work queue's name."""
    return pool


def queue_name(pool: str, work_queue: str) -> str:
    """Return the queue that holds the messages of a work queue."""
    return f"{pool}.{work_queue}"


def turn_name(pool: str, work_queue: str) -> str:
    """Return the queue that belongs to the one worker whose turn a limited work queue is."""
    return f"{queue_name(pool, work_queue)}/turn"


def dead_letters_name(pool: str) -> str:
    """Return the name of both the exchange and the queue of a pool's dead letters."""
    return f"{pool}/dead"


def replies_name(pool: str, runner: UUID) -> str:
    """Return the queue of the replies to one task runner."""
    return f"{pool}/replies/{runner}"


def turn_declaration(pool: str, work_queue: str) -> dict[str, Any]:
    """
    Return the arguments of `queue_declare` for a worker that wants a limited work queue for itself.

    Nothing goes through this queue. It can belong to one connection only, and is gone with that.
    (An exclusive consumer would do, but RabbitMQ 3 has none on quorum queues; and a queue with a
    single active consumer would have to be made anew whenever the limit is set or taken away.)
    """
    return {"queue": turn_name(pool, work_queue), "exclusive": True}


def exchange(pool: str) -> dict[str, Any]:
    """Return the arguments of `exchange_declare` for a pool's exchange."""
    return {"exchange": exchange_name(pool), "exchange_type": "direct", "durable": True}


def work_queue_declaration(pool: str, work_queue: str) -> dict[str, Any]:
    """Return the arguments of `queue_declare` for a work queue."""
    return _quorum(
        queue_name(pool, work_queue), {"x-dead-letter-exchange": dead_letters_name(pool)}
    )


def dead_letter_exchange(pool: str) -> dict[str, Any]:
    """Return the arguments of `exchange_declare` for a pool's dead letters."""
    return {"exchange": dead_letters_name(pool), "exchange_type": "fanout", "durable": True}


def dead_letter_declaration(pool: str) -> dict[str, Any]:
    """Return the arguments of `queue_declare` for a pool's dead letters."""
    return _quorum(dead_letters_name(pool), {})


def replies_declaration(pool: str, runner: UUID) -> dict[str, Any]:
    """Return the arguments of `queue_declare` for the replies to a task runner."""
    # A quorum queue would outlive a node of a cluster. But one that was declared less than half a
    # second before a crash of RabbitMQ (3.10) never gets a leader again: all that is done with it
    # hangs for a minute and fails. A task runner whose replies are gone publishes again anyway.
    arguments = {"x-queue-type": "classic", "x-expires": REPLIES_EXPIRE_MS}
    return {"queue": replies_name(pool, runner), "durable": True, "arguments": arguments}


def declare_exchange(channel: BlockingChannel, pool: str) -> None:
    """Declare the exchange of a pool, and what its dead letters need."""
    channel.exchange_declare(**exchange(pool))
    channel.exchange_declare(**dead_letter_exchange(pool))
    channel.queue_declare(**dead_letter_declaration(pool))
    channel.queue_bind(dead_letters_name(pool), dead_letters_name(pool))


def declare_queue(channel: BlockingChannel, pool: str, work_queue: str) -> None:
    """Declare the queue of a work queue; its pool's exchange is there."""
    channel.queue_declare(**work_queue_declaration(pool, work_queue))
    channel.queue_bind(queue_name(pool, work_queue), exchange_name(pool), routing_key=work_queue)


def declare_pool(channel: BlockingChannel, pool: str, work_queues: Iterable[str]) -> None:
    """
    Declare everything that a pool needs, so that no message to it is without a queue.

    Args:
        channel: An open channel; it is closed by RabbitMQ when a queue of that name exists with
            other arguments.
        pool: The name of the work pool.
        work_queues: The names of its work queues.
    """
    declare_exchange(channel, pool)
    for work_queue in work_queues:
        declare_queue(channel, pool, work_queue)


def _quorum(queue: str, arguments: dict[str, Any]) -> dict[str, Any]:
    # Quorum queues count deliveries, keep the order of what is returned to them, and outlive a node
    # of a cluster.
    always = {"x-queue-type": "quorum", "x-delivery-limit": BROKER_DELIVERY_LIMIT}
    return {"queue": queue, "durable": True, "arguments": always | arguments}
