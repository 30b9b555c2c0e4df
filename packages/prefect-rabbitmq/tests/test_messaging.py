"""Single messages there and back."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from prefect import flow
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_rabbitmq import connections, topology
from prefect_rabbitmq.credentials import VARIABLE, find_credentials
from prefect_rabbitmq.errors import (
    BrokerUnreachable,
    NoCredentials,
    QueueMissing,
    Refused,
    Unroutable,
)
from prefect_rabbitmq.messages import Malformed, Message
from prefect_rabbitmq.messaging import Received, consume_one, publish, publish_job

from tests.services.prefect import PrefectServer
from tests.services.rabbitmq import Broker

QUEUE = "letters"


@pytest.fixture
def channel(amqp_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockingChannel]:
    """Give a channel on a broker that the environment names, where one quorum queue is."""
    monkeypatch.setenv(VARIABLE, amqp_url)
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        declare(channel, QUEUE)
        yield channel


def declare(channel: BlockingChannel, queue: str, **arguments: Any) -> None:
    """Declare a durable queue."""
    quorum = {"x-queue-type": "quorum"}
    channel.queue_declare(queue, durable=True, arguments=quorum | arguments)


def count(channel: BlockingChannel, queue: str = QUEUE) -> int:
    """Count the messages that wait in a queue."""
    waiting: int = channel.queue_declare(queue, passive=True).method.message_count
    return waiting


def received(**options: Any) -> Received:
    """Take a message that is there."""
    message = consume_one.fn(QUEUE, **options)
    assert message is not None
    return message


@pytest.mark.parametrize(
    ("body", "sent", "content_type"),
    [
        (b"\xff\x00", b"\xff\x00", "application/octet-stream"),
        ("grüezi", "grüezi".encode(), "text/plain; charset=utf-8"),
        ("", b"", "text/plain; charset=utf-8"),
        ({"n": [1, None, "ü"]}, '{"n":[1,null,"ü"]}'.encode(), "application/json"),
        (datetime(2026, 1, 2, tzinfo=UTC), b'"2026-01-02T00:00:00Z"', "application/json"),
        (5, b"5", "application/json"),
    ],
)
def test_a_body_arrives(
    channel: BlockingChannel, body: Any, sent: bytes, content_type: str
) -> None:
    """Bytes and text go as they are, everything else as JSON, and say what they are."""
    message_id = publish.fn(body, routing_key=QUEUE)
    message = received()
    assert (message.body, message.content_type) == (sent, content_type)
    assert message.message_id == message_id
    assert (message.exchange, message.routing_key, message.redelivered) == ("", QUEUE, False)
    assert count(channel) == 0


def test_properties_arrive(channel: BlockingChannel) -> None:
    """What the caller sets wins over what we would set, and the rest is persistent."""
    properties = {"message_id": "m", "correlation_id": "c", "reply_to": "r", "headers": {"a": 1}}
    assert publish.fn("x", routing_key=QUEUE, properties=properties) == "m"
    _, sent, _ = channel.basic_get(QUEUE)
    assert sent is not None
    assert (sent.delivery_mode, sent.content_type) == (2, "text/plain; charset=utf-8")
    publish.fn("x", routing_key=QUEUE, properties=properties)
    message = received()
    assert (message.message_id, message.correlation_id, message.reply_to) == ("m", "c", "r")
    assert message.headers == {"a": 1}


@pytest.mark.parametrize("properties", [{"colour": 1}, {"expiration": 5}, {"headers": {"x": {1}}}])
def test_impossible_properties_are_one_error(
    channel: BlockingChannel, properties: dict[str, Any]
) -> None:
    """A property that does not exist, or not with such a value, is told before it is sent."""
    with pytest.raises(ValueError, match="properties that AMQP does not have"):
        publish.fn("x", routing_key=QUEUE, properties=properties)
    assert count(channel) == 0


def test_what_json_has_not_is_an_error(channel: BlockingChannel) -> None:
    """A body that cannot be written is never sent."""
    with pytest.raises(ValueError, match="serialize"):
        publish.fn(object(), routing_key=QUEUE)
    with pytest.raises(Malformed):
        publish_job("checks", "default", "t", {"x": object()})


@pytest.mark.parametrize(
    ("exchange", "text"),
    [
        ("", "queue 'nobody' does not exist"),
        ("amq.direct", "no queue is bound to exchange 'amq.direct' with key 'nobody'"),
        ("nowhere", "exchange 'nowhere' does not exist"),
    ],
)
def test_the_unroutable_is_an_error(channel: BlockingChannel, exchange: str, text: str) -> None:
    """A message without a queue is not lost silently: the error says which queue is missing."""
    with pytest.raises(Unroutable, match=text):
        publish.fn("x", routing_key="nobody", exchange=exchange)


def test_a_full_queue_refuses(channel: BlockingChannel) -> None:
    """What RabbitMQ does not take is an error."""
    declare(channel, "full", **{"x-max-length": 1, "x-overflow": "reject-publish"})

    def fill() -> None:
        # A quorum queue takes some more than it may, before it has told its publishers.
        for _ in range(20):
            publish.fn("x", routing_key="full")

    with pytest.raises(Refused, match="'full'"):
        fill()


def test_an_empty_queue_gives_none(channel: BlockingChannel) -> None:
    """After its time-out there is no message, and nobody consumes any more."""
    assert consume_one.fn(QUEUE, timeout_seconds=0.1) is None
    assert channel.queue_declare(QUEUE, passive=True).method.consumer_count == 0


def test_a_late_message_is_waited_for(channel: BlockingChannel) -> None:
    """A message that comes while we wait is taken."""
    taken: list[Received] = []
    waiting = threading.Thread(target=lambda: taken.append(received(timeout_seconds=60)))
    waiting.start()
    while channel.queue_declare(QUEUE, passive=True).method.consumer_count == 0:
        pass
    publish.fn("late", routing_key=QUEUE)
    waiting.join()
    assert [message.text for message in taken] == ["late"]


def test_only_one_message_is_touched(channel: BlockingChannel) -> None:
    """The others keep their place, and were never given to anybody."""
    for number in range(20):
        publish.fn(number, routing_key=QUEUE)
    assert [received().text for _ in range(3)] == ["0", "1", "2"]
    method, properties, body = channel.basic_get(QUEUE)
    assert method is not None
    assert properties is not None
    assert (body, method.redelivered) == (b"3", False)
    assert (properties.headers or {}).get("x-delivery-count", 0) == 0


def test_a_missing_queue_is_one_clear_error(channel: BlockingChannel) -> None:
    """Its text names the queue, in one line."""
    with pytest.raises(QueueMissing, match="no queue 'nobody'") as caught:
        consume_one.fn("nobody", timeout_seconds=1)
    assert "\n" not in str(caught.value)


def test_a_queue_that_is_deleted_meanwhile_is_an_error(channel: BlockingChannel) -> None:
    """A waiting reader is told."""
    errors: list[str] = []

    def wait() -> None:
        with pytest.raises(QueueMissing) as caught:
            consume_one.fn(QUEUE, timeout_seconds=60)
        errors.append(str(caught.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    while channel.queue_declare(QUEUE, passive=True).method.consumer_count == 0:
        pass
    channel.queue_delete(QUEUE)
    waiting.join()
    assert errors == ["queue 'letters' was deleted while a message was waited for"]


def test_an_exclusive_queue_refuses(channel: BlockingChannel) -> None:
    """A queue that belongs to another connection cannot be read."""
    channel.queue_declare("mine", exclusive=True)
    with pytest.raises(Refused, match="RESOURCE_LOCKED"):
        consume_one.fn("mine", timeout_seconds=1)


def test_a_lost_connection_leaves_the_message(rabbitmq: Broker, channel: BlockingChannel) -> None:
    """A reader whose connection is closed says so, and has taken nothing."""
    errors: list[str] = []

    def wait() -> None:
        with pytest.raises(BrokerUnreachable) as caught:
            consume_one.fn(QUEUE, timeout_seconds=60)
        errors.append(str(caught.value))

    waiting = threading.Thread(target=wait)
    waiting.start()
    while channel.queue_declare(QUEUE, passive=True).method.consumer_count == 0:
        pass
    assert rabbitmq.close_connections("consume-one")
    waiting.join()
    assert "was lost: CONNECTION_FORCED" in errors[0]
    assert rabbitmq.password not in errors[0]
    publish.fn("kept", routing_key=QUEUE)
    assert received().text == "kept"


def test_a_job_is_what_workers_read(channel: BlockingChannel) -> None:
    """A job is the contract's message, on the queue of its work queue."""
    topology.declare_pool(channel, "checks", ["default"])
    message_id = publish_job("checks", "default", "run-command", {"command": "host", "payload": 5})
    method, properties, body = channel.basic_get("checks.default", auto_ack=True)
    assert (method, properties) != (None, None)
    assert body is not None
    assert json.loads(body) == {
        "task": "run-command",
        "parameters": {"command": "host", "payload": 5},
    }
    assert Message.decode(body).task == "run-command"
    assert properties is not None
    assert (properties.message_id, properties.delivery_mode) == (message_id, 2)
    assert properties.content_type == "application/json"
    assert "guest" not in body.decode()


def test_a_job_for_nobody_is_an_error(channel: BlockingChannel) -> None:
    """A pool or a work queue that no worker has served is named."""
    with pytest.raises(Unroutable, match=r"queue 'checks\.high' does not exist: no worker"):
        publish_job("checks", "high", "t", {})
    topology.declare_pool(channel, "checks", ["default"])
    with pytest.raises(Unroutable, match=r"queue 'checks\.high' does not exist: no worker"):
        publish_job("checks", "high", "t", {})


def test_without_credentials_the_variable_is_named() -> None:
    """What to do is in the error."""
    with pytest.raises(NoCredentials, match=VARIABLE):
        publish.fn("x", routing_key=QUEUE)


def test_without_a_broker_there_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both tasks say where nobody listens."""
    monkeypatch.setattr(connections, "ATTEMPTS", 1)
    monkeypatch.setenv(VARIABLE, "amqp://u:p@127.0.0.1:1")
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1 .* refused"):
        publish.fn("x", routing_key=QUEUE)
    with pytest.raises(BrokerUnreachable, match=r"127\.0\.0\.1:1 .* refused"):
        consume_one.fn(QUEUE)


def test_both_are_tasks_of_a_flow(
    flow_server: PrefectServer, channel: BlockingChannel, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a flow they are task runs, each published once, and nothing shows the password."""

    @flow
    def there_and_back() -> list[Received | None]:
        credentials = find_credentials()
        for _ in range(2):
            publish({"n": 1}, routing_key=QUEUE, credentials=credentials)
        return [consume_one(QUEUE, credentials=credentials) for _ in range(2)]

    with temporary_settings({PREFECT_API_URL: flow_server.api_url}):
        first, second = there_and_back()
    assert first is not None
    assert second is not None
    assert (first.body, second.body) == (b'{"n":1}', b'{"n":1}')
    assert first.message_id != second.message_id
    password = find_credentials().parameters()[0].credentials.password
    assert password not in "".join(capfd.readouterr())


def test_what_was_received_can_be_stored() -> None:
    """As a task's result it goes through JSON, whatever bytes it has."""
    message = Received(body=b"\xff\x00", exchange="", routing_key="q", redelivered=False)
    assert Received.model_validate_json(message.model_dump_json()) == message
