"""Dead letters of a broker that takes its time."""

import os
import threading

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from prefect_rabbitmq.credentials import VARIABLE
from prefect_rabbitmq.letter_reader import SILENCE_SECONDS, opened_letters

from tests.rabbitmq.burials import POOL, bury, ids
from tests.services.proxy import running_proxy
from tests.services.rabbitmq import Broker


def test_silence_is_not_the_end(
    rabbitmq: Broker, channel: BlockingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While RabbitMQ says nothing the reader waits: fewer letters would be taken for all."""
    for number in range(3):
        bury(channel, number)
    with running_proxy(rabbitmq.port) as proxy:
        url = os.environ[VARIABLE].replace(f":{rabbitmq.port}/", f":{proxy.port}/")
        monkeypatch.setenv(VARIABLE, url)
        with opened_letters(POOL, None, 1) as letters:
            reading = iter(letters)
            letters.take_off(next(reading))
            proxy.stall()
            threading.Timer(SILENCE_SECONDS + 1, proxy.resume).start()
            letters.take_off(next(reading))
            assert len(list(reading)) == 1
        assert ids() == ["m2"]
