"""What a pool could not run comes back to life, or is dropped; nothing is lost."""

import json
import logging
import multiprocessing
import os
import signal
from typing import Any
from uuid import uuid4

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from prefect.client.schemas.objects import TaskRun
from prefect_rabbitmq import connections, topology
from prefect_rabbitmq import dead_letters as module
from prefect_rabbitmq.credentials import VARIABLE, find_credentials
from prefect_rabbitmq.dead_letters import discard, replay
from prefect_rabbitmq.errors import Unroutable
from prefect_rabbitmq.letters import WORK_QUEUE
from prefect_rabbitmq.messages import Message
from prefect_rabbitmq.messaging import publish_job

from tests.rabbitmq.burials import (
    POOL,
    bury,
    count,
    ids,
    reject,
    taken,
    wait_for_count,
)


def test_replay_brings_all_back(channel: BlockingChannel) -> None:
    """Each is on its work queue, in order, as it was before it died."""
    for number in range(50):
        bury(channel, number, **{WORK_QUEUE: "high" if number % 5 == 0 else "default"})
    assert replay(POOL) == 50
    assert count(channel) == 0
    high, default = taken(channel, "high"), taken(channel)
    assert [letter.message_id for letter in high] == [f"m{n}" for n in range(0, 50, 5)]
    assert [letter.message_id for letter in default] == [f"m{n}" for n in range(50) if n % 5]
    headers = high[1].headers
    assert headers is not None
    assert headers.pop("x-delivery-count", 0) == 0
    assert headers == {"mine": 5}
    assert (high[1].correlation_id, high[1].delivery_mode) == ("c", 2)


def test_only_those_asked_for_come_back(
    channel: BlockingChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """The others stay in order; an id that is not there is told."""
    for number in range(10):
        bury(channel, number)
    assert replay(POOL, ["m3", "m7", "m99"]) == 2
    assert "no dead letter with these ids: m99" in caplog.text
    assert ids() == [f"m{number}" for number in range(10) if number not in {3, 7}]
    assert [letter.message_id for letter in taken(channel)] == ["m3", "m7"]
    assert replay(POOL, []) == 0
    wait_for_count(channel, 8)


def test_another_work_queue_can_be_named(channel: BlockingChannel) -> None:
    """The one given wins over the one that a letter was on."""
    bury(channel, 1)
    assert replay(POOL, None, "high") == 1
    assert [letter.message_id for letter in taken(channel, "high")] == ["m1"]


def test_letters_of_unknown_origin_stay(
    channel: BlockingChannel, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a work queue there is nowhere to go; the others are not held up by that."""
    bury(channel, 1, **{WORK_QUEUE: ""})
    bury(channel, 2)
    assert replay(POOL) == 1
    assert "Nothing tells where these dead letters of pool checks were: m1" in caplog.text
    assert ids() == ["m1"]


def test_a_missing_work_queue_loses_nothing(channel: BlockingChannel) -> None:
    """The error names it; those before are back, this one and those behind it stay in order."""
    for number in range(100):
        bury(channel, number, **{WORK_QUEUE: "gone" if number == 40 else "default"})
    with pytest.raises(Unroutable, match="'gone'"):
        replay(POOL)
    assert ids() == [f"m{number}" for number in range(40, 100)]
    assert len(taken(channel)) == 40


def test_a_missing_exchange_loses_nothing(channel: BlockingChannel) -> None:
    """A pool whose exchange was deleted is an error as well."""
    for number in range(40):
        bury(channel, number)
    channel.exchange_delete(topology.exchange_name(POOL))
    with pytest.raises(Unroutable, match="exchange 'checks' does not exist"):
        replay(POOL)
    assert ids() == [f"m{number}" for number in range(40)]


def test_discarded_letters_are_gone(channel: BlockingChannel) -> None:
    """Those named are dropped, then all."""
    for number in range(5):
        bury(channel, number)
    assert discard(POOL, ["m2"]) == 1
    assert ids() == ["m0", "m1", "m3", "m4"]
    assert discard(POOL, None) == 4
    assert (ids(), taken(channel)) == ([], [])


def test_letters_that_die_again_do_not_keep_replay_busy(
    channel: BlockingChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes back while it replays is left for the next time."""
    for number in range(30):
        bury(channel, number)
    original = connections.send

    def send_and_bury(via: BlockingChannel, body: bytes, *rest: Any, **options: Any) -> None:
        original(via, body, *rest, **options)
        bury(channel, 1000 + Message.decode(body).parameters["n"])

    monkeypatch.setattr(module, "send", send_and_bury)
    assert replay(POOL) == 30
    # What is buried without a confirm is counted a moment later.
    wait_for_count(channel, 30)


def killed_in_the_midst(url: str) -> None:
    """Replay, and die as by kill -9 between the confirm of the fifth letter and its ack."""
    os.environ[VARIABLE] = url
    original, sent = connections.send, list[int]()

    def send_and_die(*arguments: Any, **options: Any) -> None:
        original(*arguments, **options)
        sent.append(1)
        if len(sent) == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    pytest.MonkeyPatch().setattr(module, "send", send_and_die)
    replay(POOL)


def test_a_killed_replay_loses_nothing(channel: BlockingChannel, amqp_url: str) -> None:
    """Every letter is on its work queue or still dead; one may be both."""
    for number in range(20):
        bury(channel, number)
    process = multiprocessing.get_context("spawn").Process(
        target=killed_in_the_midst, args=(amqp_url,)
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    wait_for_count(channel, 16)
    dead = ids()
    alive = [letter.message_id for letter in taken(channel)]
    assert alive == [f"m{number}" for number in range(5)]
    assert dead == [f"m{number}" for number in range(4, 20)]


def test_a_job_goes_all_the_way(channel: BlockingChannel, caplog: pytest.LogCaptureFixture) -> None:
    """Published, rejected, listed, replayed, taken: one message, the same id, no password."""
    caplog.set_level(logging.DEBUG)
    message_id = publish_job(POOL, "high", "t", {"n": 1})
    reject(channel)
    wait_for_count(channel, 1)
    assert ids() == [message_id]
    assert replay(POOL, [message_id]) == 1
    assert [letter.message_id for letter in taken(channel, "high")] == [message_id]
    assert find_credentials().parameters()[0].credentials.password not in caplog.text


def test_what_comes_back_stands_for_itself(channel: BlockingChannel) -> None:
    """Its task run has ended, and nobody waits for a reply: it is a message from outside."""
    ended = TaskRun(flow_run_id=uuid4(), task_key="t", dynamic_key="0")
    body = Message(task="t", parameters={"n": 1}, task_run=ended).encode()
    about = pika.BasicProperties(
        message_id="m1", reply_to="theirs", headers={WORK_QUEUE: "high"}, delivery_mode=2
    )
    channel.basic_publish(topology.dead_letters_name(POOL), "", body, about)
    assert replay(POOL) == 1
    _, properties, alone = channel.basic_get(topology.queue_name(POOL, "high"), auto_ack=True)
    assert (properties.message_id, properties.reply_to) == ("m1", None)
    assert json.loads(alone) == {"task": "t", "parameters": {"n": 1}}
