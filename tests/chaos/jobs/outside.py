"""
An emitter that knows of Rollcall only how a message looks: pika and JSON.

One message at a time: the next one is published when RabbitMQ has confirmed this one. When the
connection is lost, or RabbitMQ refuses it, it is published again under the same id; behind it there
is nothing yet, so the order is kept, and at worst it is in its queue twice.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Sequence

import pika
from pika.exceptions import AMQPError

from tests.chaos.jobs.emitting import Wanted, emit_parts

EXCHANGE = "checks"
#: Seconds between two tries.
AGAIN_SECONDS = 0.5


class Outside:
    """One connection, which is made anew when it is lost."""

    def __init__(self, url: str) -> None:
        self._parameters = pika.URLParameters(url)
        self._connection: pika.BlockingConnection | None = None
        self._channel: pika.adapters.blocking_connection.BlockingChannel | None = None

    def send(self, group: str, wanted: Sequence[Wanted]) -> None:
        """Publish, whatever it takes."""
        left = deque(wanted)
        while left:
            try:
                self._publish(group, *left[0])
                left.popleft()
            except (AMQPError, OSError):
                self._close()
                time.sleep(AGAIN_SECONDS)

    def _publish(self, group: str, id_: str, payload: object) -> None:
        if self._channel is None:
            self._connection = pika.BlockingConnection(self._parameters)
            self._channel = self._connection.channel()
            self._channel.confirm_delivery()
        parameters = {"command": "lab-brief", "payload": payload}
        body = json.dumps({"task": "run-command", "parameters": parameters}).encode()
        properties = pika.BasicProperties(message_id=id_, delivery_mode=2)
        self._channel.basic_publish(EXCHANGE, group, body, properties, mandatory=True)

    def _close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None and connection.is_open:
            try:
                connection.close()
            except AMQPError:
                # It went meanwhile.
                return


def main() -> None:
    """Emit."""
    emit_parts(Outside(os.environ["AMQP_URL"]).send)


if __name__ == "__main__":
    main()
