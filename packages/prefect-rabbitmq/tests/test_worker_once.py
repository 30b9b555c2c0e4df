"""`prefect worker start --run-once`: works its queues off, and exits."""

import signal
import time

from prefect_rabbitmq import topology

from tests.rabbitmq.workers import Plant
from tests.services.processes import Server

SECONDS = 120.0
DEFAULT = ("--work-queue", "default")


def ends_well(worker: Server) -> bool:
    """Wait for its end; tell whether that was with 0."""
    return worker.process.wait(SECONDS) == 0


def test_the_queues_content_and_no_more(plant: Plant) -> None:
    """All that waits in its queues is run, and nothing of others; an empty queue is no fault."""
    with plant.api() as client:
        client.create_work_queue("other", work_pool_name=plant.pool)
    with plant.channel() as channel:
        topology.declare_pool(channel, plant.pool, ["default", "other"])
    for number in range(40):
        plant.publish("note", key=f"job-{number}")
    plant.publish("note", key="elsewhere", work_queue="other")
    for name in ("once", "again"):
        with plant.once(name, *DEFAULT) as worker:
            assert ends_well(worker), worker.tail()
        assert len(plant.keys("end", "job-")) == 40
    assert plant.waiting() == 0
    plant.wait(lambda: plant.waiting("other") == 1)
    assert not plant.marks("start", "elsewhere")


def test_its_flow_runs_end_first(plant: Plant) -> None:
    """A flow run that it has begun needs it for its tasks."""
    plant.open("gate")
    run = plant.deploy("hold_all_here", pool=plant.pool, keys=["a", "b"], gate=plant.gate("gate"))
    with plant.once("with-flow", *DEFAULT) as worker:
        assert ends_well(worker), worker.tail()
    assert plant.ended(run).state_name == "Completed"


def test_it_can_be_stopped(plant: Plant) -> None:
    """A signal ends it before the queue is empty; what it had not begun stays there."""
    with plant.once("stopped", *DEFAULT, PREFECT_RABBITMQ_CONCURRENCY="1") as worker:
        plant.publish("hold", key="endless", gate=plant.gate("soon"))
        plant.publish("note", key="left")
        plant.until("start", "endless", 1)
        # The worker has the other one, and gives it back before it may begin with it.
        plant.wait(lambda: plant.waiting() == 0)
        worker.process.send_signal(signal.SIGTERM)
        plant.wait(lambda: plant.waiting() == 1)
        plant.open("soon")
        worker.process.wait(SECONDS)
    plant.wait(lambda: plant.waiting() == 1)
    assert not plant.marks("start", "left")


def test_a_queue_that_somebody_else_has(plant: Plant) -> None:
    """What another worker has for itself is not waited for."""
    with plant.api() as client:
        queue = client.read_work_queue_by_name("default", work_pool_name=plant.pool)
        client.update_work_queue(queue.id, concurrency_limit=1)
    with plant.worker("owner"):
        plant.publish("hold", key="long", gate=plant.gate("long"))
        plant.publish("note", key="next")
        plant.until("start", "long", 1)
        with plant.once("second", *DEFAULT) as worker:
            assert ends_well(worker), worker.tail()
        assert not plant.marks("start", "next")
        plant.open("long")
        plant.until("end", "next", 1)


def test_a_broker_that_is_away(plant: Plant) -> None:
    """It is waited for: an empty queue and one that cannot be seen are two things."""
    plant.publish("note", key="unseen")
    plant.broker.stop()
    try:
        with plant.once("patient", *DEFAULT) as worker:
            plant.wait(lambda: "started!" in worker.tail())
            # Longer than it takes to find an empty queue.
            time.sleep(6)
            assert worker.is_running
            plant.broker.start()
            assert ends_well(worker), worker.tail()
    finally:
        plant.broker.start()
    assert plant.keys("end", "unseen") == ["unseen"]
