"""Workers whose connection to RabbitMQ breaks, in every way."""

import re
from collections.abc import Callable, Iterator

import pika
import pytest

from tests.rabbitmq.workers import Plant
from tests.services.marks import most_at_once
from tests.services.processes import Server
from tests.services.proxy import Proxy, running_proxy


@pytest.fixture(scope="module")
def proxy(plant: Plant) -> Iterator[Proxy]:
    """Give a bad network before the broker."""
    with running_proxy(plant.broker.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def worker(plant: Plant, proxy: Proxy) -> Iterator[Server]:
    """Run one worker through it, which soon notices when nothing comes any more."""
    url = re.sub(r":\d+/", f":{proxy.port}/", plant.url) + "?heartbeat=4"
    with plant.worker(
        "connected",
        PREFECT_RABBITMQ_URL=url,
        PREFECT_RABBITMQ_CONCURRENCY="2",
        PREFECT_RABBITMQ_PREFETCH="2",
    ) as worker:
        yield worker


def close(plant: Plant, proxy: Proxy) -> None:
    """Do what an administrator does."""
    assert plant.broker.close_connections("prefect worker connected")


def cut(plant: Plant, proxy: Proxy) -> None:
    """Send RST."""
    proxy.cut()


def stall(plant: Plant, proxy: Proxy) -> None:
    """Let nothing through until the running tasks were stopped."""
    stopped = len(plant.marks("stopped"))
    proxy.stall()
    plant.wait(lambda: len(plant.marks("stopped")) == stopped + 2)
    # In this order, or a connection of later on would be cut as well.
    proxy.cut()
    proxy.resume()


@pytest.mark.parametrize(
    ("task", "breaks"),
    [
        ("hold", close),
        ("hold", cut),
        ("hold_async", cut),
        ("hold", stall),
    ],
)
def test_a_lost_connection(
    plant: Plant,
    proxy: Proxy,
    worker: Server,
    breaks: Callable[[Plant, Proxy], None],
    task: str,
) -> None:
    """
    What runs is stopped, what waits is dropped; all of it comes again, and runs to its end.

    That is at least once: nobody is told of the end of what was stopped; and never twice at the
    same time in one worker.
    """
    name = f"{breaks.__name__}-{task}"
    gate = plant.gate(name)
    keys = [f"{name}-{number}" for number in range(6)]
    messages = [plant.publish(task, key=key, gate=gate) for key in keys]
    plant.until("start", name, 2)
    breaks(plant, proxy)
    plant.until("stopped", name, 2)
    plant.until("start", name, 4)
    plant.open(name)
    plant.wait(lambda: sorted(plant.keys("end", name)) == keys)
    # The first two came back to the head of the queue, and were run twice.
    assert sorted(plant.keys("start", name)) == sorted([*keys, *keys[:2]])
    assert most_at_once(plant.of(name)) == 2
    plant.wait(lambda: plant.waiting() == 0)
    plant.wait(lambda: {plant.state(message) for message in messages} == {"Completed"})
    assert not plant.dead()


def test_a_stopped_job_is_not_called_cancelled(plant: Plant, proxy: Proxy, worker: Server) -> None:
    """Its next worker would drop it: Prefect hears that it waits again before the way is open."""
    gate = plant.gate("given-back")
    message = plant.publish("hold", key="given-back", gate=gate)
    plant.until("start", "given-back", 1)
    plant.wait(lambda: plant.state(message) == "Running")
    proxy.refuse()
    proxy.cut()
    plant.until("stopped", "given-back", 1)
    plant.wait(lambda: plant.state(message) == "Queued")
    plant.open("given-back")
    proxy.accept()
    plant.until("end", "given-back", 1)
    plant.wait(lambda: plant.state(message) == "Completed")


def test_a_task_that_does_not_stop_is_not_run_beside_itself(plant: Plant, worker: Server) -> None:
    """Its process is killed before its message is run again, as it is for a cancelled one."""
    keys = ["stubborn", "stubborn-too"]
    # Longer than until the loss and the 8 s after it, in which it may stop.
    for key in keys:
        plant.publish("block", key=key, seconds=20)
    plant.wait(lambda: sorted(plant.keys("start", "stubborn")) == keys)
    assert plant.broker.close_connections("prefect worker connected")
    plant.wait(lambda: sorted(plant.keys("end", "stubborn")) == keys)
    assert most_at_once(plant.of("stubborn")) <= 4
    first, second = (mark.pid for mark in plant.marks("start", "stubborn"))
    assert first != second
    assert worker.is_running
    assert not plant.dead()


def test_the_broker_is_killed_and_started(plant: Plant, worker: Server) -> None:
    """What was published before is run, once after it is back."""
    gate = plant.gate("killed")
    keys = [f"killed-{number}" for number in range(5)]
    for key in keys:
        plant.publish("hold", key=key, gate=gate)
    plant.until("start", "killed", 2)
    plant.broker.kill()
    plant.until("stopped", "killed", 2)
    plant.broker.start()
    plant.open("killed")
    plant.wait(lambda: sorted(plant.keys("end", "killed")) == keys)
    assert worker.is_running


def test_a_worker_without_a_broker(plant: Plant, worker: Server, proxy: Proxy) -> None:
    """It waits, and declares what it needs, with a broker that has never heard of it."""
    proxy.refuse()
    with plant.channel() as channel:
        for name in (f"{plant.pool}.default", f"{plant.pool}/dead"):
            channel.queue_delete(name)
        for name in (plant.pool, f"{plant.pool}/dead"):
            channel.exchange_delete(name)
    url = re.sub(r":\d+/", f":{proxy.port}/", plant.url)
    with plant.worker("early", queues=(), PREFECT_RABBITMQ_URL=url) as early:
        plant.wait(lambda: "cannot be reached" in early.tail())
        proxy.accept()
        plant.wait(lambda: plant.takers() == 2)
        plant.publish("note", key="late")
        plant.wait(lambda: plant.marks("end", "late"))
        nobody = plant.publish("nobody")
        plant.wait(lambda: nobody in plant.dead())


def test_the_broker_comes_back_empty(plant: Plant, worker: Server) -> None:
    """The virtual host is gone as well; when somebody has made it again, all goes on."""
    plant.publish("note", key="before-empty")
    plant.wait(lambda: plant.marks("end", "before-empty"))
    plant.broker.restart_empty()
    plant.broker.make_virtual_host(pika.URLParameters(plant.url).virtual_host)
    plant.wait(lambda: plant.takers() == 1)
    plant.publish("note", key="after-empty")
    plant.wait(lambda: plant.marks("end", "after-empty"))
    assert worker.is_running
