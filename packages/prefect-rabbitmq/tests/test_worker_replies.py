"""A worker's replies: what they say, and what becomes of those that RabbitMQ does not take."""

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pika
import pytest
from prefect_rabbitmq import topology

from tests.rabbitmq.workers import PATIENCE_SECONDS, Plant
from tests.services.processes import Server


@pytest.fixture(scope="module", autouse=True)
def worker(plant: Plant) -> Iterator[Server]:
    """Run one worker for all; a message comes again as often as it takes to change a permission."""
    with plant.worker("replier", PREFECT_RABBITMQ_DELIVERY_LIMIT="1000") as worker:
        yield worker


def asked(plant: Plant, body: bytes, reply_to: str) -> str:
    """Publish a message that wants a reply; returns its id."""
    message_id = str(uuid4())
    properties = pika.BasicProperties(
        message_id=message_id, correlation_id=message_id, reply_to=reply_to, delivery_mode=2
    )
    with plant.channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish(plant.pool, "default", body, properties, mandatory=True)
    return message_id


def message(task: str, **parameters: Any) -> bytes:
    """Return a body."""
    return json.dumps({"task": task, "parameters": parameters}).encode()


@contextlib.contextmanager
def replies(plant: Plant) -> Iterator[tuple[str, Any]]:
    """Give a queue for replies, and a function that waits for the next one."""
    with plant.channel() as channel:
        queue = channel.queue_declare("", exclusive=True).method.queue

        def following() -> tuple[str, dict[str, Any]]:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < deadline:
                _, properties, body = channel.basic_get(queue, auto_ack=True)
                if properties is not None:
                    return properties.correlation_id, json.loads(body)
                time.sleep(0.02)
            raise AssertionError("no reply has come")

        yield queue, following


def test_how_it_ended(plant: Plant) -> None:
    """The state and the result; of what cannot be run, why, though it is a dead letter as well."""
    with replies(plant) as (queue, following):
        good = asked(plant, message("note", key="replied"), queue)
        assert [following()[0], plant.keys("end", "replied")] == [good, ["replied"]]
        for body, reason in (
            (b'{"task": "note", "para', "malformed"),
            (message("nobody"), "unknown task 'nobody'"),
            (message("note"), "missing a required argument"),
        ):
            bad = asked(plant, body, queue)
            about, reply = following()
            assert about == bad
            assert reply["state"]["type"] == "CRASHED"
            assert reason in reply["state"]["message"]
            plant.until_dead(bad)


def test_a_result_that_is_too_large(plant: Plant) -> None:
    """RabbitMQ would close the channel: the reply says what to do instead."""
    with replies(plant) as (queue, following):
        asked(plant, message("say", word="x", times=16_000_000), queue)
        _, reply = following()
        assert reply["state"]["type"] == "FAILED"
        assert "15,000,000 at most" in reply["state"]["message"]
        assert "persist_result=True" in reply["state"]["message"]


def test_nobody_waits_for_it(plant: Plant) -> None:
    """A queue for replies that is gone, as after the end of a flow, holds nothing up."""
    asked(plant, message("note", key="unheard"), "gone")
    plant.publish("note", key="after-unheard")
    plant.wait(lambda: plant.marks("end", "unheard") and plant.marks("end", "after-unheard"))
    plant.wait(lambda: plant.waiting() == 0)


def test_a_reply_that_is_refused(plant: Plant, worker: Server) -> None:
    """Its message is not lost: it comes again, and is answered once that is allowed."""
    with replies(plant) as (queue, following):
        allow(plant, write=r"^(?!amq\.default).*")
        # What a channel was allowed before, it may go on doing.
        assert plant.broker.close_connections("prefect worker replier")
        try:
            refused = asked(plant, message("note", key="refused"), queue)
            plant.wait(lambda: "RabbitMQ refuses a reply or a dead letter" in worker.tail())
        finally:
            allow(plant, write=".*")
        about, reply = following()
        assert (about, reply["state"]["type"]) == (refused, "COMPLETED")
        assert not plant.dead().keys() & {refused}
        assert plant.broker.password not in worker.tail()


def allow(plant: Plant, write: str) -> None:
    """Set what the user may write to in the virtual host, as an administrator does."""
    everything = {"configure": ".*", "write": write, "read": ".*"}
    host = quote(pika.URLParameters(plant.url).virtual_host, safe="")
    plant.broker.administrate("PUT", f"permissions/{host}/rollcall", everything)


def test_the_work_queue_is_deleted(plant: Plant) -> None:
    """As by an administrator: RabbitMQ cancels the consumer, which declares it anew."""
    with plant.channel() as channel:
        channel.queue_delete(topology.queue_name(plant.pool, "default"))
    plant.wait(lambda: plant.takers() == 1)
    plant.publish("note", key="after-deletion")
    plant.wait(lambda: plant.marks("end", "after-deletion"))
