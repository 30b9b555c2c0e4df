"""A worker's taking of messages from one work queue, on a channel of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pika import BasicProperties, SelectConnection
from pika.channel import Channel
from pika.exceptions import ChannelClosedByBroker
from pika.frame import Method
from pika.spec import Basic

from prefect_rabbitmq import topology
from prefect_rabbitmq.errors import reason_of

logger = logging.getLogger("prefect.rabbitmq.lane")

#: Seconds between tries to take from a queue that another worker has for itself, or that failed.
AGAIN_SECONDS = 1.0
#: Seconds between looks whether the one before has gone; more than the 250 ms after which RabbitMQ
#: 3 says 0 for a queue whose leader is silent.
LOOK_SECONDS = 0.3
#: Looks in a row that must have found nobody.
LOOKS = 2
#: What RabbitMQ says to the second one who wants a queue for himself.
RESOURCE_LOCKED = 405


@dataclass(frozen=True, slots=True)
class Source:
    """A work queue, as Prefect's UI shows it."""

    work_queue: str
    #: 1 goes before 2.
    priority: int = 1
    #: Most messages at once, over all workers; then one worker has the queue for itself.
    limit: int | None = None


@dataclass(slots=True, eq=False)
class Delivery:
    """A message that a worker holds and has not acknowledged."""

    lane: Lane
    channel: Channel
    delivery_tag: int
    properties: BasicProperties
    body: bytes
    #: How often RabbitMQ had delivered it before.
    deliveries: int

    def acknowledge(self) -> None:
        """Tell RabbitMQ that it is done, if this can still be told."""
        if self.channel.is_open:
            self.channel.basic_ack(self.delivery_tag)

    def give_back(self) -> None:
        """Have RabbitMQ give it to somebody else, in its old place."""
        if self.channel.is_open:
            self.channel.basic_reject(self.delivery_tag, requeue=True)


class Lane:
    """Takes from a work queue while it is open; all of it on the link's thread."""

    def __init__(
        self,
        pool: str,
        source: Source,
        later: Callable[[float, Callable[[], Any]], None],
        arrived: Callable[[Delivery], None],
        gone: Callable[[Channel], None],
    ) -> None:
        """
        Prepare; `open` begins.

        Args:
            pool: The work pool.
            source: The work queue.
            later: Calls a function after some seconds.
            arrived: Is given each message.
            gone: Told of a channel whose messages RabbitMQ gives to others.
        """
        self._pool = pool
        self.source = source
        self._later = later
        self._arrived = arrived
        self._gone = gone
        self._connection: SelectConnection | None = None
        self._channel: Channel | None = None
        self._consumer = ""
        self.prefetch = 1
        self._said = False
        self._cancelling = False
        #: Whether another worker has the queue for itself.
        self._is_taken = False

    def open(self, connection: SelectConnection, prefetch: int) -> None:
        """Begin to take, `prefetch` messages at most without an acknowledgement."""
        self._connection = connection
        self.prefetch = prefetch
        connection.channel(on_open_callback=self._declare)

    def close(self) -> None:
        """
        Take no more; what was taken can still be acknowledged or given back.

        What is on its way is given back by pika. The turn at a limited queue is kept until the
        connection ends: what runs is not over yet.
        """
        self._connection = None
        if self._channel is not None and self._channel.is_open and self._consumer:
            self._cancelling = True
            self._channel.basic_cancel(self._consumer, callback=self._cancelled)
        self._consumer = ""

    @property
    def is_quiet(self) -> bool:
        """Whether it is closed, and RabbitMQ knows that."""
        return self._connection is None and not self._cancelling

    def count(self, told: Callable[[int], Any]) -> None:
        """Have `told` called with how many messages wait in RabbitMQ for this worker, once open."""
        if self._is_taken:
            told(0)
        elif self._channel is not None and self._channel.is_open and self._consumer:
            queue = topology.queue_name(self._pool, self.source.work_queue)
            self._channel.queue_declare(
                queue, passive=True, callback=lambda frame: told(frame.method.message_count)
            )

    def _cancelled(self, _frame: Method) -> None:
        self._cancelling = False

    def _declare(self, channel: Channel) -> None:
        if self._connection is None:
            channel.close()
            return
        self._channel = channel
        channel.add_on_close_callback(self._closed)
        name = topology.dead_letters_name(self._pool)
        queue = topology.queue_name(self._pool, self.source.work_queue)
        channel.exchange_declare(**topology.exchange(self._pool))
        channel.exchange_declare(**topology.dead_letter_exchange(self._pool))
        channel.queue_declare(**topology.dead_letter_declaration(self._pool))
        channel.queue_bind(name, name)
        channel.queue_declare(**topology.work_queue_declaration(self._pool, self.source.work_queue))
        channel.queue_bind(
            queue, topology.exchange_name(self._pool), routing_key=self.source.work_queue
        )
        if self.source.limit is not None:
            turn = topology.turn_declaration(self._pool, self.source.work_queue)
            channel.queue_declare(**turn, callback=lambda _: self._look(channel, LOOKS))
        else:
            self._prepare(channel)

    def _look(self, channel: Channel, looks: int) -> None:
        """
        Wait until nobody else takes from a limited queue, seen so often in a row.

        Whoever had the turn before may be gone while RabbitMQ has not yet put his message back, as
        after a crash of its own: the next message would be run before that one.
        """
        if self._connection is None or not channel.is_open:
            return
        queue = topology.queue_name(self._pool, self.source.work_queue)
        channel.queue_declare(queue, passive=True, callback=partial(self._looked, channel, looks))

    def _looked(self, channel: Channel, looks: int, frame: Method) -> None:
        left = LOOKS if frame.method.consumer_count else looks - 1
        if left:
            self._later(LOOK_SECONDS, partial(self._look, channel, left))
        else:
            self._prepare(channel)

    def _prepare(self, channel: Channel) -> None:
        limit = self.source.limit or self.prefetch
        channel.basic_qos(prefetch_count=min(self.prefetch, limit), callback=self._consume)

    def _consume(self, _frame: Method) -> None:
        if self._connection is None or self._channel is None or not self._channel.is_open:
            return
        self._is_taken = False
        # As when the queue is deleted, or an acknowledgement took RabbitMQ too long.
        self._channel.add_on_cancel_callback(lambda _: self._restart())
        self._consumer = self._channel.basic_consume(
            topology.queue_name(self._pool, self.source.work_queue),
            self._delivered,
        )

    def _delivered(
        self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        count = (properties.headers or {}).get("x-delivery-count", 0)
        deliveries = count if isinstance(count, int) else int(bool(method.redelivered))
        self._arrived(Delivery(self, channel, method.delivery_tag, properties, body, deliveries))

    def _restart(self) -> None:
        if self._channel is not None and self._channel.is_open:
            self._channel.close()

    def _closed(self, channel: Channel, error: Exception) -> None:
        self._channel, self._consumer, self._cancelling = None, "", False
        self._gone(channel)
        closed_for = error.reply_code if isinstance(error, ChannelClosedByBroker) else None
        self._is_taken = closed_for == RESOURCE_LOCKED
        connection = self._connection
        if connection is None or not connection.is_open:
            return
        if not self._said:
            self._said = True
            if self._is_taken:
                logger.info(
                    "Work queue %s is taken by another worker; standing by.", self.source.work_queue
                )
            else:
                logger.warning(
                    "Work queue %s cannot be taken from: %s. Trying on.",
                    self.source.work_queue,
                    reason_of(error),
                )
        self._later(AGAIN_SECONDS, self._again)

    def _again(self) -> None:
        if self._connection is not None and self._connection.is_open and self._channel is None:
            self._connection.channel(on_open_callback=self._declare)
