"""What Prefect's UI says about work queues: paused, priority, concurrency limit."""

import contextlib
import os
import signal
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import pika
import psutil
import pytest
from prefect.client.schemas.actions import WorkPoolUpdate
from prefect_rabbitmq import topology

from tests.rabbitmq.workers import Plant, metric
from tests.services.marks import most_at_once
from tests.services.processes import Server, free_port, is_alive

#: What RabbitMQ says of a queue that belongs to another connection.
LOCKED = 405


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    """Give where each worker serves its metrics, by its name; chosen just before it starts."""
    return {}


@pytest.fixture(scope="module", autouse=True)
def workers(plant: Plant, ports: dict[str, int]) -> Iterator[dict[int, Server]]:
    """Run three workers that do one thing at a time, by their process id."""
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(
                plant.worker(
                    name,
                    PREFECT_RABBITMQ_CONCURRENCY="1",
                    PREFECT_CLIENT_METRICS_ENABLED="true",
                    PREFECT_CLIENT_METRICS_PORT=str(ports.setdefault(name, free_port())),
                )
            )
            for name in ("first", "second", "third")
        ]
        plant.wait(lambda: plant.takers() == 3)
        yield {worker.pid: worker for worker in started}


def make(plant: Plant, work_queue: str, takers: int = 3, **options: Any) -> None:
    """Make a work queue in the UI, and wait until it is taken from."""
    with plant.api() as client:
        client.create_work_queue(work_queue, work_pool_name=plant.pool, **options)
    plant.wait(lambda: plant.takers(work_queue) == takers)


def change(plant: Plant, work_queue: str, **options: Any) -> None:
    """Change a work queue in the UI."""
    with plant.api() as client:
        queue = client.read_work_queue_by_name(work_queue, work_pool_name=plant.pool)
        client.update_work_queue(queue.id, **options)


def pause(plant: Plant, *, paused: bool) -> None:
    """Pause or resume the pool in the UI."""
    with plant.api() as client:
        client.update_work_pool(plant.pool, WorkPoolUpdate(is_paused=paused))


def test_pause_of_the_pool(plant: Plant) -> None:
    """Nothing is taken, what was taken ahead goes back, what runs goes on; then all is run."""
    gate = plant.gate("pool")
    keys = [f"pool-{number}" for number in range(9)]
    for key in keys:
        plant.publish("hold", key=key, gate=gate)
    plant.until("start", "pool-", 3)
    plant.wait(lambda: plant.waiting() == 0)
    pause(plant, paused=True)
    plant.wait(lambda: plant.waiting() == 6)
    plant.open("pool")
    plant.until("end", "pool-", 3)
    plant.publish("note", key="pool-late")
    plant.wait(lambda: plant.waiting() == 7)
    assert len(plant.keys("start", "pool-")) == 3
    pause(plant, paused=False)
    plant.until("end", "pool-", 10)
    assert sorted(plant.keys("start", "pool-")) == sorted([*keys, "pool-late"])


def test_pause_of_a_work_queue(plant: Plant) -> None:
    """The others are taken from."""
    make(plant, "other")
    change(plant, "other", is_paused=True)
    plant.wait(lambda: plant.takers("other") == 0)
    plant.publish("note", key="pause-other", work_queue="other")
    plant.publish("note", key="pause-default")
    plant.wait(lambda: plant.marks("end", "pause-default"))
    plant.wait(lambda: plant.waiting("other") == 1)
    assert not plant.marks("start", "pause-other")
    change(plant, "other", is_paused=False)
    plant.wait(lambda: plant.marks("end", "pause-other"))


def test_priority(plant: Plant, ports: dict[str, int]) -> None:
    """What waits in a worker is run in the order of the work queues' priorities."""
    make(plant, "high", priority=1)
    plant.wait(lambda: plant.takers() == 3)
    gate = plant.gate("priority")
    for number in range(3):
        plant.publish("hold", key=f"busy-{number}", gate=gate)
    plant.until("start", "busy-", 3)
    for number in range(6):
        plant.publish("note", key=f"priority-low-{number}")
        plant.publish("note", key=f"priority-high-{number}", work_queue="high")
    line = f'prefect_rabbitmq_messages_waiting{{work_pool="{plant.pool}"}}'
    plant.wait(lambda: sum(metric(port, line) for port in ports.values()) == 12)
    plant.open("priority")
    plant.until("end", "priority-", 12)
    begun = [mark for mark in plant.of("priority-") if mark.what == "start"]
    for _, of_one in groupby(sorted(begun, key=lambda mark: mark.pid), lambda mark: mark.pid):
        keys = [mark.key for mark in sorted(of_one, key=lambda mark: mark.at)]
        assert keys == sorted(keys)


def test_a_limit_of_nothing(plant: Plant) -> None:
    """As for Prefect's flow runs, it lets nothing through until it is raised."""
    make(plant, "closed")
    change(plant, "closed", concurrency_limit=0)
    plant.wait(lambda: plant.takers("closed") == 0)
    plant.publish("note", key="closed", work_queue="closed")
    plant.publish("note", key="open")
    plant.wait(lambda: plant.marks("end", "open"))
    plant.wait(lambda: plant.waiting("closed") == 1)
    change(plant, "closed", concurrency_limit=1)
    plant.wait(lambda: plant.marks("end", "closed"))


def test_a_limit_of_one_is_first_in_first_out(plant: Plant) -> None:
    """One at a time over all workers, in order, while another queue runs beside it."""
    make(plant, "group", takers=1, concurrency_limit=1)
    keys = [f"fifo-{number:02}" for number in range(12)]
    for key in keys:
        plant.publish("block", key=key, seconds=0.3, work_queue="group")
        plant.publish("block", key=f"parallel-{key}", seconds=0.3)
    plant.until("end", "fifo-", len(keys))
    plant.until("end", "parallel-", len(keys))
    assert plant.keys("start", "fifo-") == plant.keys("end", "fifo-") == keys
    assert most_at_once(plant.of("fifo-")) == 1
    assert most_at_once(plant.of("parallel-") + plant.of("fifo-")) > 1


def has_turn(plant: Plant, work_queue: str) -> bool:
    """Say whether one of the workers has a limited work queue for itself."""
    with plant.channel() as channel:
        try:
            channel.queue_declare(topology.turn_name(plant.pool, work_queue), passive=True)
        except pika.exceptions.ChannelClosedByBroker as error:
            return bool(error.reply_code == LOCKED)
        return False


def test_a_group_is_not_begun_before_its_last_worker_has_gone(plant: Plant) -> None:
    """After a crash RabbitMQ has, for a moment, not yet put back what the one before had."""
    keys = [f"left-{number}" for number in range(3)]
    with plant.channel() as before:
        topology.declare_pool(before, plant.pool, ["left"])
        for key in keys:
            plant.publish("block", key=key, seconds=0, work_queue="left")
        before.basic_qos(prefetch_count=1)
        next(before.consume(topology.queue_name(plant.pool, "left")))
        with plant.api() as client:
            client.create_work_queue("left", work_pool_name=plant.pool, concurrency_limit=1)
        plant.wait(lambda: has_turn(plant, "left"))
        # Time enough to begin with the second one.
        plant.publish("block", key="meanwhile", seconds=1)
        plant.until("end", "meanwhile", 1)
        assert not plant.keys("start", "left-")
    plant.until("end", "left-", 3)
    assert plant.keys("start", "left-") == keys


def test_a_limit_that_comes_and_goes(plant: Plant) -> None:
    """Set in the UI it holds once what runs has ended; without it all workers take part."""
    make(plant, "some")
    for turn in ("before", "after"):
        gate = plant.gate(turn)
        for number in range(3):
            plant.publish("hold", key=f"{turn}-{number}", gate=gate, work_queue="some")
        plant.until("start", turn, 3)
        plant.open(turn)
        plant.until("end", turn, 3)
        if turn == "after":
            break
        change(plant, "some", concurrency_limit=1)
        plant.wait(lambda: plant.logs().count("Work queue some is taken by another worker") == 2)
        plant.wait(lambda: plant.takers("some") == 1)
        keys = [f"during-{number}" for number in range(6)]
        for key in keys:
            plant.publish("block", key=key, seconds=0.05, work_queue="some")
        plant.until("end", "during", 6)
        assert plant.keys("start", "during") == keys
        assert most_at_once(plant.of("during")) == 1
        change(plant, "some", concurrency_limit=None)
        plant.wait(lambda: plant.takers("some") == 3)


def test_another_worker_takes_over_a_group(plant: Plant, workers: dict[int, Server]) -> None:
    """The worker that had it is killed: what it had is run first, then the others in order."""
    make(plant, "heirs", takers=1, concurrency_limit=1)
    gate = plant.gate("heirs")
    keys = [f"heirs-{number}" for number in range(6)]
    for key in keys:
        plant.publish("hold", key=key, gate=gate, work_queue="heirs")
    plant.wait(lambda: plant.marks("start", keys[0]))
    [had] = plant.marks("start", keys[0])
    orphan = psutil.Process(had.pid)
    parent = orphan.parent()
    assert parent is not None
    assert parent.pid in workers
    os.killpg(parent.pid, signal.SIGKILL)
    plant.wait(lambda: len(plant.marks("start", keys[0])) == 2)
    # It would see the open gate as well.
    plant.wait(lambda: not is_alive(orphan))
    plant.open("heirs")
    plant.until("end", "heirs-", 6)
    assert plant.keys("start", "heirs-") == [keys[0], *keys]
    assert plant.keys("end", "heirs-") == keys
