"""Workers that end by themselves, or are told to: what they have is finished, once."""

import os
import signal
from typing import Any
from urllib.parse import quote

import pika
from prefect_rabbitmq import topology

from tests.rabbitmq.workers import Plant
from tests.services.processes import Server

KEYS = [f"message-{number:02}" for number in range(12)]


def ended(plant: Plant, worker: Server) -> int:
    """Wait until a worker has ended by itself; returns its exit code."""
    plant.wait(lambda: not worker.is_running)
    return worker.process.wait()


def rest(plant: Plant) -> list[bool]:
    """Take what is left; returns of each message whether it was delivered before."""
    queue = topology.queue_name(plant.pool, "default")
    with plant.channel() as channel:
        found: list[bool] = []
        while (method := channel.basic_get(queue, auto_ack=True)[0]) is not None:
            found.append(method.redelivered)
        return found


def consumers(plant: Plant) -> Any:
    """List who takes messages; a queue itself counts those that hold some, too."""
    host = quote(pika.URLParameters(plant.url).virtual_host, safe="")
    return plant.broker.administrate("GET", f"consumers/{host}")


def test_the_message_limit(plant: Plant) -> None:
    """It finishes what it has taken, and leaves the others untouched."""
    gate = plant.gate("messages")
    with plant.worker(
        "messages",
        PREFECT_RABBITMQ_MESSAGE_LIMIT="3",
        PREFECT_RABBITMQ_CONCURRENCY="2",
        PREFECT_RABBITMQ_PREFETCH="1",
    ) as worker:
        for key in KEYS:
            plant.publish("hold", key=key, gate=gate)
        plant.until("start", "message-", 2)
        plant.open("messages")
        assert ended(plant, worker) == 0
        assert "Message limit of 3 reached" in worker.tail()
    done = plant.keys("end", "message-")
    assert 3 <= len(done) <= 5
    assert sorted(done) == sorted(plant.keys("start", "message-")) == KEYS[: len(done)]
    assert rest(plant) == [False] * (len(KEYS) - len(done))


def test_the_time_limit(plant: Plant) -> None:
    """However long it takes to finish what it has."""
    gate = plant.gate("time")
    with plant.channel() as channel:
        topology.declare_pool(channel, plant.pool, ["default"])
    plant.publish("hold", key="in-time", gate=gate)
    with plant.worker("time", queues=()) as worker:
        plant.until("start", "in-time", 1)
        # Not from its start on: on a busy machine that may take longer than any limit.
        plant.wait(lambda: consumers(plant))
        plant.choose(time_limit_seconds=1)
        plant.wait(lambda: "Time limit of 1 s reached" in worker.tail())
        plant.choose(time_limit_seconds=0)
        plant.wait(lambda: not consumers(plant))
        plant.publish("note", key="too-late")
        plant.wait(lambda: plant.waiting() == 1)
        assert worker.is_running
        plant.open("time")
        assert ended(plant, worker) == 0
    assert plant.keys("end", "in-time") == plant.keys("start", "in-time") == ["in-time"]
    assert rest(plant) == [False]


def test_the_memory_limit(plant: Plant) -> None:
    """A task that keeps much is the worker's last."""
    with plant.worker("memory", PREFECT_RABBITMQ_MEMORY_LIMIT_MB="600") as worker:
        small = plant.publish("note", key="small")
        plant.wait(lambda: plant.marks("end", "small"))
        plant.wait(lambda: plant.takers() == 1)
        plant.publish("grow", key="large", megabytes=600)
        assert ended(plant, worker) == 0
        assert "Memory limit of 600 MB reached" in worker.tail()
    assert small not in plant.dead()
    assert len(plant.marks("start", "large")) == len(plant.marks("end", "large")) == 1
    assert rest(plant) == []


def test_a_limit_waits_for_the_flow_runs(plant: Plant) -> None:
    """The worker's own flow run needs its tasks: it is finished, then the worker ends."""
    gate = plant.gate("flow")
    keys = [f"flow-{number}" for number in range(6)]
    with plant.worker(
        "hosting",
        PREFECT_RABBITMQ_MESSAGE_LIMIT="2",
        PREFECT_RABBITMQ_CONCURRENCY="1",
        PREFECT_RABBITMQ_PREFETCH="0",
    ) as worker:
        run = plant.deploy("hold_all_here", pool=plant.pool, keys=keys, gate=gate)
        plant.open("flow")
        assert plant.ended(run).state_name == "Completed"
        assert ended(plant, worker) == 0
    assert sorted(plant.keys("start", "flow-")) == sorted(plant.keys("end", "flow-")) == keys


def test_sigterm(plant: Plant) -> None:
    """What runs is finished, what waits is given back at once, and no record is lost."""
    gate = plant.gate("sigterm")
    keys = [f"term-{number}" for number in range(6)]
    with plant.worker("sigterm", PREFECT_RABBITMQ_CONCURRENCY="2") as worker:
        messages = [plant.publish("hold", key=key, gate=gate) for key in keys]
        plant.until("start", "term-", 2)
        plant.wait(lambda: plant.waiting() == 0)
        os.kill(worker.pid, signal.SIGTERM)
        plant.wait(lambda: plant.waiting() == 4)
        assert worker.is_running
        plant.open("sigterm")
        assert ended(plant, worker) == 0
    assert sorted(plant.keys("start", "term-")) == sorted(plant.keys("end", "term-")) == keys[:2]
    assert len(rest(plant)) == 4
    plant.wait(lambda: {plant.state(message) for message in messages[:2]} == {"Completed"})
