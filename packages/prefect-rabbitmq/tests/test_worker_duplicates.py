"""Messages that come once more when their flow run is over: what Prefect knows stays true."""

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, task
from prefect.client.schemas.objects import State
from prefect.states import Completed, Pending, Running
from prefect_rabbitmq.messages import Message

from tests.rabbitmq.workers import Plant
from tests.services.processes import Server

SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def worker(plant: Plant) -> Iterator[Server]:
    """Run one worker, which does one thing at a time."""
    with plant.worker("duplicates", PREFECT_RABBITMQ_CONCURRENCY="1") as worker:
        yield worker


@flow
def over() -> None:
    """Be over."""


@task
def note() -> None:
    """Have the name of a task of the worker's."""


def come_again(plant: Plant, flow_run: UUID, state: State[Any]) -> UUID:
    """Publish the message of a task run that has got into this state; returns its id."""
    with plant.api() as client:
        run = client.create_task_run(note, flow_run, dynamic_key=str(uuid.uuid4()), state=state)
    assert run.state is not None
    published = run.state.timestamp if state.is_pending() else run.state.timestamp - SECOND
    before = run.model_copy(update={"state": Pending(timestamp=published)})
    message = Message(task="note", parameters={"key": str(run.id)}, task_run=before)
    plant.send(message.encode(), message_id=str(run.id))
    return run.id


def state_name(plant: Plant, run: UUID) -> str | None:
    """Return the name of the state that a task run has."""
    with plant.api() as client:
        state = client.read_task_run(run).state
    return state.name if state else None


@pytest.mark.parametrize(("times", "unfinished"), [(1, Pending), (2, Running)])
def test_what_has_ended_stays_so(
    plant: Plant, worker: Server, times: int, unfinished: Callable[[], State[Any]]
) -> None:
    """A dropped copy cancels what was not run, or not to its end, and nothing else."""
    gate = plant.gate(f"busy-{times}")
    plant.publish("hold", key=f"busy-{times}", gate=gate)
    plant.until("start", f"busy-{times}", 1)
    with plant.api() as client:
        flow_run = client.create_flow_run(over, state=Completed()).id
    completed = come_again(plant, flow_run, Completed())
    cancelled = come_again(plant, flow_run, unfinished())
    plant.wait(lambda: plant.waiting() == 0)
    if times == 2:
        # RabbitMQ gives all of it to the same worker once more.
        assert plant.broker.close_connections("prefect worker duplicates")
        plant.until("start", f"busy-{times}", 2)
    plant.open(f"busy-{times}")
    # Its end was told after the other's would have been.
    plant.wait(lambda: state_name(plant, cancelled) == "Cancelled")
    assert state_name(plant, completed) == "Completed"
    assert not plant.marks("start", str(completed))
    assert not plant.marks("start", str(cancelled))
