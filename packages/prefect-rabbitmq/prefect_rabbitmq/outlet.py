"""What a worker publishes: replies and dead letters, each confirmed before its message is done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pika import BasicProperties, DeliveryMode, SelectConnection
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from prefect_rabbitmq import topology
from prefect_rabbitmq.errors import reason_of
from prefect_rabbitmq.lane import Delivery
from prefect_rabbitmq.letters import DIED_AT, REASON, WORK_QUEUE
from prefect_rabbitmq.link import Link
from prefect_rabbitmq.messages import JSON

logger = logging.getLogger("prefect.rabbitmq.outlet")

#: Seconds before something is published again that RabbitMQ refused.
AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Publication:
    """Something to be published."""

    exchange: str
    routing_key: str
    properties: BasicProperties
    body: bytes
    #: Called once RabbitMQ has it for good.
    done: Callable[[], Any]


class Outlet:
    """A channel with publisher confirms; all of it on the link's thread."""

    def __init__(self, pool: str) -> None:
        """Prepare for a work pool."""
        self._pool = pool
        self._channel: Channel | None = None
        self._tag = 0
        self._unconfirmed: dict[int, Publication] = {}
        #: How many wait to be published again.
        self._refused = 0
        #: Set before anything else.
        self.link: Link

    def open(self, connection: SelectConnection, ready: Callable[[], Any]) -> None:
        """Open the channel, then call `ready`."""

        def opened(channel: Channel) -> None:
            channel.add_on_close_callback(self._closed)
            channel.confirm_delivery(self._confirmed, callback=lambda _: ready())
            self._channel, self._tag = channel, 0

        self._unconfirmed.clear()
        connection.channel(on_open_callback=opened)

    @property
    def is_open(self) -> bool:
        """Whether it can be used."""
        return self._channel is not None and self._channel.is_open

    def lost(self) -> None:
        """Forget what was not confirmed; its messages will come again."""
        self._channel = None
        self._unconfirmed.clear()

    def __bool__(self) -> bool:
        """Say whether something is still to be confirmed."""
        return bool(self._unconfirmed or self._refused)

    def reply(self, delivery: Delivery, body: bytes, done: Callable[[], Any]) -> None:
        """Answer a message, if it asks for that, and call `done` when the answer is safe."""
        queue = delivery.properties.reply_to
        if not queue:
            done()
            return
        properties = BasicProperties(
            correlation_id=delivery.properties.correlation_id or delivery.properties.message_id,
            content_type=JSON,
            delivery_mode=DeliveryMode.Persistent,
        )
        self._send(Publication("", queue, properties, body, done))

    def dead_letter(self, delivery: Delivery, reason: str, done: Callable[[], Any]) -> None:
        """Put a message to the dead letters, with the reason, and call `done` when it is there."""
        properties = delivery.properties
        headers = dict(properties.headers or {})
        headers |= {
            REASON: reason,
            WORK_QUEUE: delivery.lane.source.work_queue,
            DIED_AT: datetime.now(UTC).isoformat(),
        }
        kept = BasicProperties(
            content_type=properties.content_type,
            content_encoding=properties.content_encoding,
            message_id=properties.message_id,
            correlation_id=properties.correlation_id,
            reply_to=properties.reply_to,
            type=properties.type,
            app_id=properties.app_id,
            timestamp=properties.timestamp,
            headers=headers,
            delivery_mode=DeliveryMode.Persistent,
        )
        exchange = topology.dead_letters_name(self._pool)
        self._send(Publication(exchange, "", kept, delivery.body, done))

    def _send(self, publication: Publication) -> None:
        if self._channel is None or not self._channel.is_open:
            # The connection is going; the message comes again.
            return
        self._channel.basic_publish(
            publication.exchange,
            publication.routing_key,
            publication.body,
            publication.properties,
        )
        self._tag += 1
        self._unconfirmed[self._tag] = publication

    def _closed(self, channel: Channel, error: Exception) -> None:
        # RabbitMQ refused something for good: what was not confirmed has to come again.
        connection = channel.connection
        if channel is self._channel and connection is not None and connection.is_open:
            logger.error("RabbitMQ refuses a reply or a dead letter: %s", reason_of(error))
            self.link.reset()

    def _confirmed(self, frame: Method) -> None:
        last: int = frame.method.delivery_tag
        tags = [last]
        if frame.method.multiple:
            tags = [tag for tag in self._unconfirmed if tag <= last]
        for tag in tags:
            publication = self._unconfirmed.pop(tag, None)
            if publication is None:
                continue
            if isinstance(frame.method, Basic.Nack):
                # As quorum queues do that have no leader for a moment.
                self._again(publication)
            else:
                publication.done()

    def _again(self, publication: Publication) -> None:
        self._refused += 1
        channel = self._channel

        def again() -> None:
            self._refused -= 1
            # After a new connection its message has come, or comes, again.
            if self._channel is channel:
                self._send(publication)

        self.link.later(AGAIN_SECONDS, again)
