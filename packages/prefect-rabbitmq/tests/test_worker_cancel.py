"""Cancel in Prefect's UI, for flow runs whose tasks are in the workers' hands."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.states import Cancelled, Cancelling

from tests.rabbitmq.workers import Plant
from tests.services.processes import Server

#: What DESIGN.md promises: seconds until nothing new is begun, and until all is over.
NOTHING_NEW, ALL_OVER = 2.0, timedelta(seconds=30)
#: Seconds until what runs has stopped.
STOPPED = 60.0


@pytest.fixture(scope="module")
def worker(plant: Plant) -> Iterator[Server]:
    """Run one worker."""
    with plant.worker("worker", PREFECT_RABBITMQ_CONCURRENCY="2") as worker:
        yield worker


def flow_run(plant: Plant, name: str) -> FlowRun:
    """Return a flow run, as the server knows it."""
    by_name = FlowRunFilter(name=FlowRunFilterName(any_=[name]))
    with plant.api() as client:
        [found] = client.read_flow_runs(flow_run_filter=by_name)
    return found


def task_runs(plant: Plant, flow_run_id: UUID) -> list[TaskRun]:
    """Return its task runs."""
    by_id = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    with plant.api() as client:
        return list(client.read_task_runs(flow_run_filter=by_id))


def cancel(plant: Plant, name: str, state: State) -> tuple[UUID, float]:
    """Set the state of a flow run; returns its id, and when this was."""
    run = flow_run(plant, name)
    with plant.api() as client:
        client.set_flow_run_state(run.id, state, force=True)
    return run.id, time.monotonic()


def all_over(plant: Plant, flow_run_id: UUID, count: int) -> bool:
    """Tell whether every task run has a final state, as far as the server has heard."""
    runs = task_runs(plant, flow_run_id)
    return len(runs) == count and all(run.state and run.state.is_final() for run in runs)


@pytest.mark.parametrize("state", [Cancelling, Cancelled])
def test_cancel(plant: Plant, worker: Server, state: Callable[[], State]) -> None:
    """What runs is stopped, what waits is dropped, and another flow run's tasks go on."""
    name = state().type.value.lower()
    gate = plant.gate(f"never-{name}")
    keys = [f"{name}-{number}" for number in range(20)]
    with plant.flow(name, "hold", gate, *keys) as process:
        plant.until("start", name, 2)
        # All are published: the worker has 2 that run and 4 that wait.
        plant.wait(lambda: plant.waiting() == len(keys) - 6)
        plant.publish("note", key=f"outside-{name}")
        over = datetime.now(UTC) + ALL_OVER
        flow_run_id, at = cancel(plant, name, state())
        plant.until("stopped", name, 2, STOPPED)
        plant.wait(lambda: plant.marks("end", f"outside-{name}"), STOPPED)
        plant.wait(lambda: plant.waiting() == 0)
        plant.wait(lambda: not process.is_running)
    # That the server has heard of it may take longer.
    plant.wait(lambda: all_over(plant, flow_run_id, len(keys)))
    states = [run.state for run in task_runs(plant, flow_run_id) if run.state]
    assert {state.type for state in states} == {StateType.CANCELLED}
    assert max(state.timestamp for state in states) < over
    began = [mark for mark in plant.marks("start") if mark.key in keys]
    assert not [mark for mark in began if mark.at > at + NOTHING_NEW]
    assert not plant.keys("end", name)
    assert not plant.dead()


def test_a_task_that_does_not_stop_is_killed(plant: Plant, worker: Server) -> None:
    """With its process; its neighbour of another flow run is run again, and completes."""
    gate = plant.gate("innocent")
    with (
        plant.flow("guilty", "block", "60", "blocked") as guilty,
        plant.flow("innocent", "hold", gate, "neighbour") as innocent,
    ):
        plant.wait(lambda: plant.marks("start", "blocked") and plant.marks("start", "neighbour"))
        flow_run_id, _ = cancel(plant, "guilty", Cancelling())
        plant.wait(lambda: len(plant.marks("start", "neighbour")) == 2)
        plant.open("innocent")
        plant.wait(lambda: not guilty.is_running and not innocent.is_running)
    plant.wait(lambda: all_over(plant, flow_run_id, 1))
    [blocked] = task_runs(plant, flow_run_id)
    assert blocked.state_type == StateType.CANCELLED
    innocent_id = flow_run(plant, "innocent").id
    plant.wait(lambda: all_over(plant, innocent_id, 1))
    [neighbour] = task_runs(plant, innocent_id)
    assert neighbour.state_type == StateType.COMPLETED
    assert flow_run(plant, "innocent").state_type == StateType.COMPLETED
    first, second = plant.marks("start", "neighbour")
    assert first.pid != second.pid
    assert len(plant.marks("start", "blocked")) == 1
    assert not plant.marks("end", "blocked")
    assert not plant.dead()
    assert worker.is_running
