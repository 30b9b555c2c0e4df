"""Workers and their task processes that are killed, and messages that kill them."""

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.rabbitmq.workers import Plant
from tests.services.processes import Server, is_alive

#: "At once", on a busy machine.
SOON_SECONDS = 30.0


@pytest.fixture
def workers(plant: Plant) -> Iterator[dict[int, Server]]:
    """Run two workers, by the id of their task processes."""
    with contextlib.ExitStack() as stack:
        names = ("first", "second")
        started = [stack.enter_context(plant.worker(name)) for name in names]
        plant.wait(lambda: plant.takers() == 2)
        yield {task_process(worker).pid: worker for worker in started}


def task_process(worker: Server) -> psutil.Process:
    """Return the process of a worker's tasks."""
    [found] = [
        child
        for child in psutil.Process(worker.pid).children()
        if "prefect_rabbitmq.task_process" in child.cmdline()
    ]
    return found


def test_one_message_is_run_by_one_and_killed_ones_by_the_other(
    plant: Plant, workers: dict[int, Server]
) -> None:
    """Nothing that a killed worker had is lost, nothing that it had done is done again."""
    done = [plant.publish("note", key=f"done-{number}") for number in range(40)]
    plant.wait(lambda: len(plant.keys("end", "done-")) == len(done))
    # By one each, and both took part.
    assert len(set(plant.keys("start", "done-"))) == len(plant.keys("start", "done-")) == 40
    assert {mark.pid for mark in plant.marks("start")} == set(workers)

    gate = plant.gate("killed")
    keys = [f"held-{number}" for number in range(30)]
    for key in keys:
        plant.publish("hold", key=key, gate=gate)
    # 8 run in each, the others wait there or in the queue.
    plant.wait(lambda: len(plant.marks("start")) == 40 + 16)
    pid, worker = workers.popitem()
    orphan = psutil.Process(pid)
    os.killpg(worker.pid, signal.SIGKILL)
    plant.wait(lambda: not is_alive(orphan), SOON_SECONDS)
    plant.open("killed")
    plant.wait(lambda: set(plant.keys("end", "held-")) == set(keys))
    survivor, _ = workers.popitem()
    lost = {m.key for m in plant.marks("start") if m.pid == pid and m.key in keys}
    again = [key for key in keys if plant.keys("start").count(key) > 1]
    assert set(again) == lost
    assert {mark.pid for mark in plant.marks("end") if mark.key in keys} == {survivor}
    assert len(plant.keys("start", "done-")) == 40
    assert not plant.dead()


def test_a_killed_task_process_is_replaced(plant: Plant) -> None:
    """What ran in it is run again, by its worker or another one; the worker lives."""
    with plant.worker("third") as worker:
        gate = plant.gate("replaced")
        keys = [f"process-{number}" for number in range(6)]
        for key in keys:
            plant.publish("hold", key=key, gate=gate)
        plant.until("start", "process-", 6)
        task_process(worker).kill()
        plant.open("replaced")
        plant.wait(lambda: sorted(plant.keys("end", "process-")) == keys)
        assert worker.is_running
        assert not plant.dead()


@pytest.mark.parametrize("how", ["exit", "kill"])
def test_poison_is_a_dead_letter_and_its_neighbours_are_run(plant: Plant, how: str) -> None:
    """Only the message that kills its process is to blame, wherever it runs."""
    with plant.worker(f"victim-{how}") as worker:
        near = [plant.publish("note", key=f"{how}-{number}") for number in range(10)]
        poison = plant.publish("die", key=how, how=how)
        near += [plant.publish("note", key=f"{how}-{number}") for number in range(10, 20)]
        plant.wait(lambda: poison in plant.dead())
        reason = plant.dead()[poison].reason
        died = {"exit": "exit code 3", "kill": "signal 9"}[how]
        assert reason == f"killed its process 3 times ({died})"
        plant.wait(lambda: len(set(plant.keys("end", f"{how}-"))) == 20)
        assert not set(near) & set(plant.dead())
        # It may have run beside others first, which is not counted.
        assert plant.keys("start").count(how) in {3, 4}
        assert worker.is_running
        plant.wait(lambda: plant.state(poison) == "Crashed")
        run = plant.task_run(poison)
        assert run is not None
        assert run.state is not None
        assert reason in (run.state.message or "")
        plant.wait(lambda: {plant.state(message_id) for message_id in near} == {"Completed"})


def test_what_is_delivered_too_often_is_a_dead_letter(plant: Plant) -> None:
    """A message that never comes to an end, because its workers die, ends there."""
    message_id = plant.publish("hold", key="fatal", gate=plant.gate("never"))
    for delivery in (1, 2):
        with plant.worker(f"mortal-{delivery}", PREFECT_RABBITMQ_DELIVERY_LIMIT="2") as worker:
            plant.until("start", "fatal", delivery)
            worker.kill()
    with plant.worker("heir", PREFECT_RABBITMQ_DELIVERY_LIMIT="2"):
        plant.wait(lambda: message_id in plant.dead())
        assert plant.dead()[message_id].reason == "delivered 2 times without an end"
        key = "after-fatal"
        plant.publish("note", key=key)
        plant.wait(lambda: plant.marks("end", key))
    assert len(plant.marks("start", "fatal")) == 2


def test_what_a_dead_process_has_forked_ends_with_it(plant: Plant) -> None:
    """Else it would go on with what others do by now, and hold the worker up."""
    with plant.worker("parent", PREFECT_RABBITMQ_DELIVERY_LIMIT="1"):
        poison = plant.publish("die_as_a_parent", key="forked")
        plant.wait(lambda: poison in plant.dead())
        plant.publish("note", key="after-forked")
        plant.wait(lambda: plant.marks("end", "after-forked"))
        children = {mark.pid for mark in plant.marks("child", "forked")}
        plant.wait(lambda: not any(map(psutil.pid_exists, children)))
