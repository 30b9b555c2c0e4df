"""Short connections, for one thing to be done; `link` has those that last."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Sequence

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.connection import Parameters
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    AuthenticationError,
    ChannelClosedByBroker,
    NackError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
    UnroutableError,
)

from prefect_rabbitmq.errors import BrokerUnreachable, QueueMissing, Refused, Unroutable, reason_of

#: How often `connect` tries all hosts, and the seconds between.
ATTEMPTS, PAUSE_SECONDS = 3, 1.0
#: Trying again does not help against these.
FINAL = (AuthenticationError, ProbableAccessDeniedError, ProbableAuthenticationError)
#: AMQP's code for a queue or an exchange that does not exist.
NOT_FOUND = 404


def connect(hosts: Sequence[Parameters], address: str) -> pika.BlockingConnection:
    """
    Connect to one of some hosts, several times tried and in random order.

    Args:
        hosts: At least one.
        address: The same for messages.

    Raises:
        BrokerUnreachable: None of them takes us; its text says why.
    """
    error: Exception = AMQPConnectionError()
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE_SECONDS)
        # One after another by ourselves: pika does not go on behind a host without address.
        for host in random.sample(hosts, k=len(hosts)):
            try:
                return pika.BlockingConnection(host)
            except (AMQPError, AMQPConnectorException, OSError) as failure:
                error = failure
        if isinstance(error, FINAL):
            break
    raise BrokerUnreachable(
        f"RabbitMQ at {address} cannot be reached: {reason_of(error)}"
    ) from error


@contextlib.contextmanager
def opened_channel(connection: pika.BlockingConnection, address: str) -> Iterator[BlockingChannel]:
    """
    Give a channel with publisher confirms, and close it and its connection at the end.

    What was delivered on it and not acknowledged goes back to its queue then, also after an error.

    Args:
        connection: Just made.
        address: Where it leads to, for messages.

    Raises:
        QueueMissing: A queue was named that does not exist.
        Refused: RabbitMQ closed the channel for another reason.
        BrokerUnreachable: The connection was lost.
    """
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel
        channel.close()
    except ChannelClosedByBroker as error:
        kind = QueueMissing if error.reply_code == NOT_FOUND else Refused
        raise kind(f"RabbitMQ at {address} says: {error.reply_text}") from error
    except AMQPError as error:
        raise BrokerUnreachable(
            f"the connection to RabbitMQ at {address} was lost: {reason_of(error)}"
        ) from error
    finally:
        # It may be broken already; then there is nothing to close.
        with contextlib.suppress(AMQPError):
            connection.close()


def send(
    channel: BlockingChannel,
    body: bytes,
    properties: pika.BasicProperties,
    *,
    exchange: str,
    routing_key: str,
) -> None:
    """
    Publish a message and wait until RabbitMQ has it in a queue.

    Args:
        channel: With publisher confirms.
        body: As it is.
        properties: The message's.
        exchange: Where to; empty for the default exchange.
        routing_key: With the default exchange, the name of the queue.

    Raises:
        Unroutable: There is no queue, or no exchange, for it.
        Refused: RabbitMQ did not take it: the queue may be full.
    """
    try:
        channel.basic_publish(exchange, routing_key, body, properties, mandatory=True)
    except UnroutableError as error:
        if exchange:
            missing = f"no queue is bound to exchange '{exchange}' with key '{routing_key}'"
        else:
            missing = f"queue '{routing_key}' does not exist"
        raise Unroutable(missing) from error
    except NackError as error:
        raise Refused(f"RabbitMQ did not take a message for '{routing_key}'") from error
    except ChannelClosedByBroker as error:
        if error.reply_code != NOT_FOUND:
            raise
        raise Unroutable(f"exchange '{exchange}' does not exist") from error
