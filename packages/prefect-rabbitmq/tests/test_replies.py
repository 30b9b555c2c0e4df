"""Replies that no worker of ours would send: the test plays the worker, on a real broker."""

import json
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from prefect import task
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import TaskRunner
from prefect_rabbitmq import topology
from prefect_rabbitmq.credentials import RabbitMQCredentials
from prefect_rabbitmq.task_runner import RabbitMQTaskRunner
from pydantic import SecretStr

from tests.rabbitmq.evil import Evil
from tests.rabbitmq.tasks import same
from tests.services.prefect import PrefectServer

POOL = "impostors"
PATIENCE_SECONDS = 60.0
COMPLETED = {"type": "COMPLETED", "name": "Completed"}


@pytest.fixture
def channel(amqp_url: str) -> Iterator[BlockingChannel]:
    """Give a channel on a broker with the pool's queues, and no worker."""
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        topology.declare_pool(channel, POOL, ["default"])
        yield channel


@pytest.fixture
def runner(
    flow_server: PrefectServer, amqp_url: str, channel: BlockingChannel
) -> Iterator[TaskRunner[Any]]:
    """Give a task runner that has started."""
    credentials = RabbitMQCredentials(url=SecretStr(amqp_url))
    with (
        temporary_settings({PREFECT_API_URL: flow_server.api_url}),
        RabbitMQTaskRunner(POOL, "default", credentials) as runner,
    ):
        yield runner


def take(channel: BlockingChannel) -> pika.BasicProperties:
    """Take the next message, as a worker does; returns what it says of its sender."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        queue = topology.queue_name(POOL, "default")
        _, properties, _ = channel.basic_get(queue, auto_ack=True)
        if properties is not None:
            return properties
        time.sleep(0.02)
    raise AssertionError("no message has come")


def answer(channel: BlockingChannel, properties: pika.BasicProperties, reply: Any) -> None:
    """Send a reply: bytes as they are, anything else as JSON."""
    assert properties.reply_to
    body = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    about = pika.BasicProperties(correlation_id=properties.correlation_id)
    channel.basic_publish("", properties.reply_to, body, about)


def reference(path: Path, serializer: str) -> dict[str, Any]:
    """Return what stands for a stored result in a reply."""
    return {
        "storage_key": str(path),
        "serializer": {"type": serializer},
        "prefect_version": "3.0",
        "expiration": None,
    }


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'{"state": {"type": "NONSENSE"}}'])
def test_what_cannot_be_read_is_a_failure(
    runner: TaskRunner[Any], channel: BlockingChannel, body: bytes
) -> None:
    """Whoever waits is told, and the next task run is not disturbed."""
    future = runner.submit(same, {"value": 1})
    answer(channel, take(channel), body)
    future.wait(PATIENCE_SECONDS)
    assert future.state.is_failed()
    assert "Its reply cannot be read" in (future.state.message or "")
    after = runner.submit(same, {"value": 2})
    answer(channel, take(channel), {"state": COMPLETED, "result": 2})
    assert after.result(PATIENCE_SECONDS) == 2


def test_nothing_is_unpickled(
    runner: TaskRunner[Any], channel: BlockingChannel, tmp_path: Path
) -> None:
    """A reply may not name a pickle, nor any file that its task has not stored."""
    trace, path = tmp_path / "trace", tmp_path / "evil"
    path.write_bytes(pickle.dumps(Evil(trace)))
    stored = task(persist_result=True, result_serializer="json")(same.fn)
    pickled, foreign = reference(path, "pickle"), reference(path, "json")
    for asked, reply in (
        (same, {"state": COMPLETED, "stored": True, "result": pickled}),
        (stored, {"state": COMPLETED, "stored": True, "result": pickled}),
        (stored, {"state": COMPLETED, "stored": True, "result": foreign}),
    ):
        future = runner.submit(asked, {"value": 1})
        answer(channel, take(channel), reply)
        future.wait(PATIENCE_SECONDS)
        assert future.state.is_failed(), reply
    # Inside of the state, where Prefect itself keeps it.
    future = runner.submit(same, {"value": 1})
    answer(channel, take(channel), {"state": COMPLETED | {"data": pickled}, "result": 1})
    assert future.result(PATIENCE_SECONDS) == 1
    assert not trace.exists()


def test_a_second_reply_is_nothing(runner: TaskRunner[Any], channel: BlockingChannel) -> None:
    """As after a redelivery: the first one counts."""
    future = runner.submit(same, {"value": 1})
    properties = take(channel)
    for value in (1, 2):
        answer(channel, properties, {"state": COMPLETED, "result": value})
    after = runner.submit(same, {"value": 3})
    answer(channel, take(channel), {"state": COMPLETED, "result": 3})
    assert [future.result(PATIENCE_SECONDS), after.result(PATIENCE_SECONDS)] == [1, 3]


def test_the_queue_of_the_replies_is_deleted(
    runner: TaskRunner[Any], channel: BlockingChannel
) -> None:
    """As by an administrator, or with its node: what has no reply yet is published again."""
    future = runner.submit(same, {"value": 1})
    before = take(channel)
    channel.queue_delete(before.reply_to)
    again = take(channel)
    assert again.message_id == before.message_id
    answer(channel, again, {"state": COMPLETED, "result": 1})
    assert future.result(PATIENCE_SECONDS) == 1
