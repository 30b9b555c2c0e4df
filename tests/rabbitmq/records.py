"""What Prefect's server knows of task runs."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    LogFilter,
    LogFilterTaskRunId,
)
from prefect.client.schemas.objects import StateType, TaskRun, TaskRunResult
from prefect.client.schemas.sorting import TaskRunSort
from prefect.exceptions import ObjectNotFound

__all__ = [
    "counts",
    "eventually",
    "inner_task_run",
    "log_lines",
    "state_names",
    "task_run",
    "task_runs",
]

T = TypeVar("T")
#: Seconds for the server to record what it was told.
PATIENCE = 30.0


def eventually(look: Callable[[SyncPrefectClient], T], enough: Callable[[T], bool]) -> T:
    """Look again and again at the server that our settings name, and return what is enough."""
    deadline = time.monotonic() + PATIENCE
    with get_client(sync_client=True) as client:
        while True:
            found = None
            with contextlib.suppress(ObjectNotFound):
                if enough(found := look(client)):
                    return found
            assert time.monotonic() < deadline, found
            time.sleep(0.1)


def task_runs(flow_run: UUID | None, count: int) -> list[TaskRun]:
    """Return the task runs of a flow run, once there are so many and all have ended."""
    assert flow_run is not None
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))

    def ended(found: list[TaskRun]) -> bool:
        return len(found) == count and all(run.state and run.state.is_final() for run in found)

    return eventually(lambda client: client.read_task_runs(flow_run_filter=wanted), ended)


def inputs(run: TaskRun) -> dict[str, set[UUID]]:
    """Return the task runs that the parameters of another one came from."""
    return {
        name: {each.id for each in found if isinstance(each, TaskRunResult)}
        for name, found in run.task_inputs.items()
    }


def inner_task_run(outer: UUID) -> TaskRun:
    """Return the task run that another one made, once it is over; it belongs to no flow run."""

    def look(client: SyncPrefectClient) -> list[TaskRun]:
        recent = client.read_task_runs(sort=TaskRunSort.EXPECTED_START_TIME_DESC)
        return [run for run in recent if outer in inputs(run).get("__parents__", set())]

    def ended(found: list[TaskRun]) -> bool:
        return bool(found and found[0].state and found[0].state.is_final())

    return eventually(look, ended)[0]


def counts(flow_run: UUID | None) -> Counter[StateType | None]:
    """Count the task runs of a flow run by state, as they are now."""
    assert flow_run is not None
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run]))
    found: Counter[StateType | None] = Counter()
    with get_client(sync_client=True) as client:
        while page := client.read_task_runs(flow_run_filter=wanted, offset=found.total()):
            found.update(run.state_type for run in page)
    return found


def task_run(id_: UUID, kind: StateType) -> TaskRun:
    """Return a task run, once it is in a state of a type."""
    return eventually(
        lambda client: client.read_task_run(id_), lambda found: found.state_type == kind
    )


def state_names(task_run: UUID, count: int) -> list[str | None]:
    """Return the names of the states that a task run went through, once there are so many."""
    found = eventually(
        lambda client: client.read_task_run_states(task_run), lambda states: len(states) >= count
    )
    return [state.name for state in sorted(found, key=lambda state: state.timestamp)]


def log_lines(task_run: UUID, *expected: str) -> list[str]:
    """Return the log of a task run, once all expected lines are there."""
    wanted = LogFilter(task_run_id=LogFilterTaskRunId(any_=[task_run]))
    return eventually(
        lambda client: [log.message for log in client.read_logs(wanted)],
        lambda found: set(expected) <= set(found),
    )
