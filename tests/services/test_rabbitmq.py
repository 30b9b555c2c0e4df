"""The private broker keeps, forgets and closes what it is told."""

import contextlib
import time
from collections.abc import Iterator

import pika
import pika.exceptions
import psutil
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.services.processes import is_alive
from tests.services.rabbitmq import Broker, running_rabbitmq

QUORUM = {"x-queue-type": "quorum"}
PERSISTENT = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)
#: Seconds to hear of an end that is certain to come.
LONG = 30.0


@contextlib.contextmanager
def channel(url: str, name: str = "") -> Iterator[BlockingChannel]:
    """Open a channel whose publications wait for their confirmation."""
    parameters = pika.URLParameters(url)
    parameters.client_properties = {"connection_name": name}
    connection = pika.BlockingConnection(parameters)
    try:
        opened = connection.channel()
        opened.confirm_delivery()
        yield opened
    finally:
        if connection.is_open:
            connection.close()


def publish(url: str, *bodies: bytes, queue: str = "kept") -> None:
    """Put persistent messages into a durable queue, which is made."""
    with channel(url) as opened:
        opened.queue_declare(queue, durable=True, arguments=QUORUM)
        for body in bodies:
            opened.basic_publish("", queue, body, PERSISTENT, mandatory=True)


def wait_for(broker: Broker, url: str, expected: dict[str, int]) -> None:
    """Wait until queues have so many messages: after a start they read their log first."""
    deadline = time.monotonic() + LONG
    while (found := broker.queues(url)) != expected:
        assert time.monotonic() < deadline, found


def test_what_is_published_is_consumed(rabbitmq: Broker, amqp_url: str) -> None:
    """A confirmed message comes back once and is counted until then."""
    publish(amqp_url, b"one", b"two")
    publish(amqp_url, queue="empty")
    wait_for(rabbitmq, amqp_url, {"empty": 0, "kept": 2})
    with channel(amqp_url) as opened:
        for expected in (b"one", b"two"):
            method, _, body = opened.basic_get("kept")
            assert body == expected
            opened.basic_ack(method.delivery_tag)
        assert opened.basic_get("kept") == (None, None, None)
    assert rabbitmq.queues(amqp_url)["kept"] == 0


def test_a_virtual_host_is_the_tests_own(rabbitmq: Broker, amqp_url: str) -> None:
    """Others do not see its queues, and it goes away."""
    publish(amqp_url, b"mine")
    with rabbitmq.virtual_host() as other:
        assert rabbitmq.queues(other) == {}
        assert "kept" not in rabbitmq.queues()
    with pytest.raises(pika.exceptions.ProbableAccessDeniedError), channel(other):
        pass
    wait_for(rabbitmq, amqp_url, {"kept": 1})


def test_connections_are_closed_by_name(rabbitmq: Broker, amqp_url: str) -> None:
    """Only the connections asked for are closed, those opened just now as well."""
    with channel(amqp_url, "ours one") as closed, channel(amqp_url, "ours two") as left:
        assert rabbitmq.close_connections("ours one")
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
            closed.connection.process_data_events(LONG)
        left.connection.process_data_events(0)
        assert left.is_open
        assert rabbitmq.close_connections("ours")
        with pytest.raises(pika.exceptions.ConnectionClosedByBroker):
            left.connection.process_data_events(LONG)


def test_a_restart_and_a_kill_keep_durable_messages(rabbitmq: Broker, amqp_url: str) -> None:
    """Confirmed messages of durable queues outlive the broker's process, at the same URL."""
    publish(amqp_url, b"one")
    rabbitmq.restart()
    wait_for(rabbitmq, amqp_url, {"kept": 1})
    publish(amqp_url, b"two")
    rabbitmq.kill()
    assert rabbitmq.pid is None
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        publish(amqp_url)
    rabbitmq.start()
    wait_for(rabbitmq, amqp_url, {"kept": 2})


def test_the_password_is_not_in_its_log(rabbitmq: Broker, amqp_url: str) -> None:
    """The password is in the URL alone, so that one that is found elsewhere tells something."""
    publish(amqp_url, b"one")
    assert rabbitmq.password in amqp_url
    assert rabbitmq.password not in rabbitmq.log.read_text(errors="replace")


def test_an_own_broker_forgets_and_leaves_nothing() -> None:
    """`restart_empty` forgets all but the user; at the end no process and no file is left."""
    before = psutil.Process().children()
    with running_rabbitmq() as broker:
        publish(broker.url, b"one")
        with broker.virtual_host() as url:
            publish(url, b"two")
            broker.restart_empty()
            assert broker.queues() == {}
            with pytest.raises(pika.exceptions.ProbableAccessDeniedError), channel(url):
                pass
        main = psutil.Process(broker.pid)
        # Of our children only its port mapper: others may come and go, as of a database.
        new = [one for one in psutil.Process().children() if one not in before]
        mappers = [one for one in new if one.name() == "epmd"]
        family = [main, *main.children(recursive=True), *mappers]
        names = {one.name() for one in family}
        assert names >= {"beam.smp", "epmd", "erl_child_setup"}
    deadline = time.monotonic() + LONG
    while any(map(is_alive, family)):
        assert time.monotonic() < deadline
    assert not broker.log.parent.exists()
