"""
The task runner's side of RabbitMQ: messages out, replies in.

A message that was handed over stays here until its reply has come. So whatever happens to the
connection, or to the broker, it can be published again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

from pika import BasicProperties, DeliveryMode, SelectConnection
from pika.channel import Channel
from pika.frame import Method
from pika.spec import Basic

from prefect_rabbitmq import topology
from prefect_rabbitmq.errors import reason_of
from prefect_rabbitmq.link import Link
from prefect_rabbitmq.messages import JSON

logger = logging.getLogger("prefect.rabbitmq.publisher")

#: Seconds after which a message that had no queue, or was refused, is published again.
AGAIN_SECONDS = 2.0


@dataclass(slots=True)
class Outstanding:
    """A message whose reply has not come yet."""

    id: str
    work_queue: str
    body: bytes
    #: Whether RabbitMQ has, or is about to get, what was published last.
    published: bool = False


class Publisher:
    """A session of a `Link`, for one task runner."""

    def __init__(self, pool: str, answered: Callable[[str, bytes], None]) -> None:
        """
        Prepare.

        Args:
            pool: The work pool whose exchange is published to.
            answered: Called with a message's id and the body of its reply, once for each message.
        """
        self._pool = pool
        self._answered = answered
        self._name_replies()
        self._outstanding: dict[str, Outstanding] = {}
        self._connection: SelectConnection | None = None
        #: The channel that is published on, once the replies have their queue.
        self._channel: Channel | None = None
        self._tags: dict[int, Outstanding] = {}
        self._tag = 0
        self._known = False
        self._warned = False
        self._link: Link

    def _name_replies(self) -> None:
        self._id: UUID = uuid4()
        self._replies = topology.replies_name(self._pool, self._id)

    # --- from any thread ------------------------------------------------------

    def begin(self, link: Link) -> None:
        """Begin, with a link that this is the session of."""
        self._link = link
        link.start()

    def publish(self, message: Outstanding) -> None:
        """Publish a message now, or as soon as that can be done."""
        self._link.call(self._publish, message)

    def close(self) -> None:
        """Take the replies' queue away, for nobody waits for them any more, and disconnect."""
        self._link.call(self._forget)
        self._link.stop()

    # --- on the link's thread -------------------------------------------------

    def _publish(self, message: Outstanding) -> None:
        self._outstanding[message.id] = message
        self._send(message)

    def _forget(self) -> None:
        self._outstanding.clear()
        if self._channel is not None and self._channel.is_open:
            self._channel.queue_delete(self._replies)

    # --- the session --------------------------------------------------------

    def opened(self, connection: SelectConnection) -> None:
        """See whether RabbitMQ still knows us; go on from there."""
        self._connection = connection
        if self._known:
            connection.channel(on_open_callback=self._ask)
        else:
            connection.channel(on_open_callback=self._declare)

    def lost(self, reason: str) -> None:
        """Remember that unconfirmed messages may be lost."""
        logger.debug("Publishing is interrupted: %s", reason)
        self._connection = self._channel = None
        for message in self._tags.values():
            message.published = False
        self._tags.clear()
        self._tag = 0

    def _ask(self, channel: Channel) -> None:
        """The replies' queue tells: a broker that forgot it has forgotten the messages too."""
        channel.add_on_close_callback(self._forgotten)
        channel.queue_declare(
            self._replies, passive=True, callback=partial(self._remembered, channel)
        )

    def _remembered(self, channel: Channel, _frame: Method) -> None:
        channel.callbacks.remove(channel.channel_number, "_on_channel_close", self._forgotten)
        self._declare(channel)

    def _forgotten(self, _channel: Channel, error: Exception) -> None:
        if self._connection is None or not self._connection.is_open:
            return
        logger.warning(
            "RabbitMQ has forgotten the queue of the replies (%s): publishing %d messages again.",
            reason_of(error),
            len(self._outstanding),
        )
        for message in self._outstanding.values():
            message.published = False
        # Under its old name it may still be there: on a node of a cluster that is down.
        self._name_replies()
        self._connection.channel(on_open_callback=self._declare)

    def _declare(self, channel: Channel) -> None:
        channel.add_on_close_callback(self._closed)
        channel.exchange_declare(**topology.exchange(self._pool))
        channel.queue_declare(
            **topology.replies_declaration(self._pool, self._id),
            callback=partial(self._declared, channel),
        )

    def _declared(self, channel: Channel, _frame: Method) -> None:
        self._known = True
        channel.confirm_delivery(self._confirmed)
        channel.add_on_return_callback(self._returned)
        # As when the node goes that has the queue.
        channel.add_on_cancel_callback(lambda _: self._link.reset())
        channel.basic_consume(self._replies, self._replied)
        self._channel, self._tag = channel, 0
        for message in list(self._outstanding.values()):
            self._send(message)

    def _closed(self, _channel: Channel, error: Exception) -> None:
        self._channel = None
        if self._connection is not None and self._connection.is_open:
            logger.warning("RabbitMQ closed the channel: %s", reason_of(error))
            self._link.reset()

    # --- messages out -------------------------------------------------------

    def _send(self, message: Outstanding) -> None:
        if message.published or self._channel is None or not self._channel.is_open:
            return
        self._channel.basic_publish(
            topology.exchange_name(self._pool),
            message.work_queue,
            message.body,
            BasicProperties(
                message_id=message.id,
                correlation_id=message.id,
                reply_to=self._replies,
                content_type=JSON,
                delivery_mode=DeliveryMode.Persistent,
            ),
            mandatory=True,
        )
        self._tag += 1
        self._tags[self._tag] = message
        message.published = True

    def _confirmed(self, frame: Method) -> None:
        last: int = frame.method.delivery_tag
        tags = [tag for tag in self._tags if tag <= last] if frame.method.multiple else [last]
        for tag in tags:
            message = self._tags.pop(tag, None)
            if message is not None and isinstance(frame.method, Basic.Nack):
                self._again(message)

    def _returned(
        self, _channel: Channel, method: Basic.Return, properties: BasicProperties, _body: bytes
    ) -> None:
        message = self._outstanding.get(properties.message_id or "")
        if message is None:
            return
        if not self._warned:
            self._warned = True
            queue = topology.queue_name(self._pool, method.routing_key)
            logger.warning(
                "RabbitMQ has no queue %s yet: start a worker for the work pool %s. Trying on.",
                queue,
                self._pool,
            )
        self._again(message)

    def _again(self, message: Outstanding) -> None:
        message.published = False
        self._link.later(AGAIN_SECONDS, partial(self._resend, message.id))

    def _resend(self, message_id: str) -> None:
        if message := self._outstanding.get(message_id):
            self._send(message)

    # --- replies in ---------------------------------------------------------

    def _replied(
        self, channel: Channel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        message = self._outstanding.pop(properties.correlation_id or "", None)
        try:
            # None: of an earlier delivery, and known already.
            if message is not None:
                self._answered(message.id, body)
        finally:
            channel.basic_ack(method.delivery_tag)
