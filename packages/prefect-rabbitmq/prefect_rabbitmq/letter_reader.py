"""
Reading the dead letters of a pool such that those that stay keep their order.

A quorum queue puts what comes back before what it has never delivered, but behind what came back
earlier; and the order among those that come back is kept only if they were with one consumer and
come back because its channel is closed. So one consumer reads everything, and then its channel is
closed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from prefect_rabbitmq import topology
from prefect_rabbitmq.connections import opened_channel
from prefect_rabbitmq.credentials import RabbitMQCredentials, find_credentials
from prefect_rabbitmq.errors import Refused
from prefect_rabbitmq.letters import Letter
from prefect_rabbitmq.settings import pool_credentials

__all__ = ["LetterReader", "opened_letters"]

#: Seconds without a letter after which RabbitMQ is asked whether there are more.
SILENCE_SECONDS = 2.0
#: More than the 250 ms after which RabbitMQ 3 says 0 and 0 for a queue whose leader is silent.
LEADER_SECONDS = 0.3
#: The longest wait until what stays can be read again, and the seconds between two looks at it.
RETURN_SECONDS, LOOK_SECONDS = 5.0, 0.01


class LetterReader:
    """
    The dead letters that are there now, each shown once.

    Not more than there were at first: those that come back while others are replayed are not seen
    again.
    """

    def __init__(
        self, channel: BlockingChannel, watching: BlockingChannel, pool: str, window: int
    ) -> None:
        """
        Begin to read.

        Args:
            channel: For this only; with publisher confirms.
            watching: Another one of the same connection.
            pool: The name of the work pool.
            window: So many can be here without an acknowledgement; then no more come.

        Raises:
            Refused: Another program is reading them.
        """
        self.channel = channel
        self._watching = watching
        self._queue = topology.dead_letters_name(pool)
        declared = self._declared()
        if not declared.message_count and not declared.consumer_count:
            watching.connection.sleep(LEADER_SECONDS)
            declared = self._declared()
        # RabbitMQ 3 does not refuse a second consumer where the first is an exclusive one; and who
        # sees only the rest takes it for all.
        if declared.consumer_count:
            raise Refused(f"another program is reading the dead letters of pool '{pool}' just now")
        self._staying: int = declared.message_count
        self._window = window
        channel.basic_qos(prefetch_count=window)
        deliveries = channel.consume(
            self._queue, exclusive=True, inactivity_timeout=SILENCE_SECONDS
        )
        self._present = self._read(deliveries, self._staying)

    def _read(self, deliveries: Iterator[Any], count: int) -> Iterator[Any]:
        """Yield so many, or as many as there are."""
        while count and (delivery := next(deliveries, None)):
            if delivery[0] is not None:
                count -= 1
                yield delivery
            # Shown and not taken off are those that stay, but for the ones still to come.
            elif self._staying - count >= self._window or not self._has_more():
                return

    def _has_more(self) -> bool:
        declared = self._declared()
        # Without even our own consumer it is no answer.
        return bool(declared.message_count or not declared.consumer_count)

    def __iter__(self) -> Iterator[Letter]:
        for method, properties, body in self._present:
            yield Letter(method.delivery_tag, properties, body)

    def take_off(self, letter: Letter) -> None:
        """Take a letter off the dead letters for good."""
        self.channel.basic_ack(letter.tag)
        self._staying -= 1

    def close(self) -> None:
        """Give the others back, and wait until everybody can read them."""
        # What has broken has given them back already.
        with contextlib.suppress(AMQPError):
            # The rest too: pika returns what it has not shown yet one by one, and out of order.
            for _ in self._present:
                pass
            self.channel.close()
        with contextlib.suppress(AMQPError):
            # RabbitMQ says that the channel is closed before the queue knows of it.
            deadline = time.monotonic() + RETURN_SECONDS
            while time.monotonic() < deadline and self._declared().message_count < self._staying:
                self._watching.connection.sleep(LOOK_SECONDS)

    def _declared(self) -> Any:
        return self._watching.queue_declare(self._queue, passive=True).method


@contextlib.contextmanager
def opened_letters(
    pool: str, credentials: RabbitMQCredentials | str | None, window: int
) -> Iterator[LetterReader]:
    """
    Give the dead letters of a pool; at the end, those that were not taken off are back.

    Args:
        pool: The name of the work pool.
        credentials: A block or the name of a saved one; by default those of the environment, or
            else those of the pool.
        window: So many can be here without an acknowledgement; then no more come.

    Raises:
        QueueMissing: No worker of the pool was ever started.
        Refused: Another program is reading them.
        BrokerUnreachable: There is no connection, or it was lost.
        BadCredentials: There are no credentials, or of no use.
    """
    found = find_credentials(credentials) if credentials else pool_credentials(pool)
    connection = found.connect(f"dead letters of {pool}")
    with opened_channel(connection, found.address) as watching:
        channel = connection.channel()
        channel.confirm_delivery()
        reader = LetterReader(channel, watching, pool, window)
        try:
            yield reader
        finally:
            reader.close()
