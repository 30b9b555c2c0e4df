"""
Whether anybody still wants what a worker holds: its flow runs, and jobs of no flow run.

One API call a second for each of the two kinds, and one as soon as a new one is held.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType, TaskRun

from prefect_rabbitmq.task_runs import pages, read_task_runs

logger = logging.getLogger("prefect.rabbitmq.watch")

#: How soon a cancellation is noticed.
SECONDS = 1.0


#: What is asked of jobs of no flow run.
CANCELLATION = TaskRunFilterState(
    type=TaskRunFilterStateType(any_=[StateType.CANCELLED, StateType.CANCELLING])
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a flow run, or of the task run of a job of no flow run."""

    #: Whether it has ended or is to end; for a job whether it was cancelled, for one that is over
    #: may be wanted again.
    is_over: bool
    #: Whether its state is final, and not only about to be.
    is_final: bool = False
    #: How often the flow run was started; task runs of an earlier attempt are of no use any more.
    run_count: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is of interest: the ids of flow runs, and of task runs of no flow run."""

    flow_runs: frozenset[UUID] = frozenset()
    task_runs: frozenset[UUID] = frozenset()

    @property
    def ids(self) -> frozenset[UUID]:
        """Both."""
        return self.flow_runs | self.task_runs


class Watch:
    """Reads the standing of runs in a thread, as long as any are asked for."""

    def __init__(self, read: Callable[[dict[UUID, Standing | None]], Any]) -> None:
        """Prepare; `read` is called in the thread; None is for one that could not be read."""
        self._read = read
        self._wanted = Wanted()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="rabbitmq-watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, soon."""
        self._stopping = True
        self._wake.set()

    def want(self, wanted: Wanted) -> None:
        """Say which are of interest now; new ones are read at once."""
        new = wanted.ids - self._wanted.ids
        self._wanted = wanted
        if new:
            self._wake.set()

    def _run(self) -> None:
        with get_client(sync_client=True) as client:
            while not self._stopping:
                self._wake.wait(SECONDS if self._wanted.ids else None)
                self._wake.clear()
                wanted = self._wanted
                if wanted.ids:
                    self._read(_standings(client, wanted))


def _standings(client: SyncPrefectClient, wanted: Wanted) -> dict[UUID, Standing | None]:
    try:
        return _of_flow_runs(client, wanted.flow_runs) | _of_task_runs(client, wanted.task_runs)
    except Exception as error:  # noqa: BLE001 - a proxy may answer anything
        logger.debug("The API cannot be asked for runs: %s", error)
        return dict.fromkeys(wanted.ids)


def _of_flow_runs(
    client: SyncPrefectClient, wanted: frozenset[UUID]
) -> dict[UUID, Standing | None]:
    found: dict[UUID, FlowRun] = {}
    for ids in pages(wanted):
        page = FlowRunFilter(id=FlowRunFilterId(any_=ids))
        found |= {run.id: run for run in client.read_flow_runs(flow_run_filter=page)}
    # One that was deleted is over.
    return {id_: _standing(found[id_]) if id_ in found else Standing(True) for id_ in wanted}


def _of_task_runs(
    client: SyncPrefectClient, wanted: frozenset[UUID]
) -> dict[UUID, Standing | None]:
    # Only those that are cancelled: the server takes long to tell of all others, which are most.
    found = read_task_runs(client, wanted, CANCELLATION)
    return {id_: _of_a_job(found.get(id_)) for id_ in wanted}


def _standing(flow_run: FlowRun) -> Standing:
    state = flow_run.state
    is_over = state is not None and (state.is_final() or state.is_cancelling())
    return Standing(is_over, run_count=flow_run.run_count)


def _of_a_job(task_run: TaskRun | None) -> Standing:
    state = task_run.state if task_run else None
    if state is None:
        return Standing(is_over=False)
    return Standing(state.is_cancelled() or state.is_cancelling(), is_final=state.is_final())
