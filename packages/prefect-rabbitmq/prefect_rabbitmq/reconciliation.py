"""
Making sure that Prefect's server knows how every task run ended.

States reach the server as events. A worker that is killed takes its last ones with it, although
its replies have arrived; then the flow, which knows the end, tells it.
"""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    TaskRunFilter,
    TaskRunFilterId,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, TaskRun
from prefect.exceptions import PrefectException
from prefect.states import Crashed

from prefect_rabbitmq.task_runs import PAGE, pages

logger = logging.getLogger("prefect.rabbitmq.reconciliation")

#: Seconds without progress after which what the server has not recorded counts as lost.
PATIENCE_SECONDS = 10.0
#: Task runs that it counts at once.
COUNTED = 1_000


@dataclass(slots=True)
class Endings:
    """How the task runs of a flow run ended, as far as a task runner knows."""

    flow_run: FlowRun | None = None
    #: Type, name and message; whole states would hold results.
    by_task_run: dict[UUID, tuple[StateType, str | None, str | None]] = field(default_factory=dict)

    def add(self, task_run: UUID, state: State[Any]) -> None:
        """Remember the final state of a task run."""
        self.by_task_run[task_run] = (state.type, state.name, state.message)

    def right(self, task_run: TaskRun) -> State[Any] | None:
        """Return the state that a task run is to have, if it is known and not the server's."""
        if ending := self.by_task_run.get(task_run.id):
            kind, name, message = ending
            same = task_run.state is not None and task_run.state.type == kind
            return None if same else State(type=kind, name=name, message=message)
        count = self.flow_run.run_count if self.flow_run else 0
        is_final = task_run.state is not None and task_run.state.is_final()
        if task_run.flow_run_run_count < count and not is_final:
            return Crashed(message="The process of its flow run died.")
        return None


def reconcile(endings: Endings) -> None:
    """
    Wait until the server knows the end of all task runs, or tell it.

    What it has never heard of cannot be told, and is counted in a warning. An API call for each
    flow run, and one for each 1,000 task runs; more where something is missing. A server that is
    away is not waited for.
    """
    if endings.flow_run is None:
        return
    try:
        with get_client(sync_client=True) as client:
            for task_run, state in _wrong(client, endings.flow_run.id, endings):
                client.set_task_run_state(task_run.id, state, force=True)
                logger.warning("Its end was lost on the way: %s: %s", task_run.name, state.name)
    except (httpx.HTTPError, PrefectException) as error:
        logger.warning("States of task runs may be missing in Prefect's UI: %s", error)


def _wrong(
    client: SyncPrefectClient, flow_run: UUID, endings: Endings
) -> list[tuple[TaskRun, State[Any]]]:
    unknown = _Unknown(client, endings)
    fewest, progressed, wait = math.inf, time.monotonic(), 0.25
    while True:
        # Before the others: what becomes known meanwhile is among those.
        unheard = unknown.count()
        found = [
            (task_run, state)
            for task_run in _not_completed(client, flow_run)
            if (state := endings.right(task_run)) is not None
        ]
        # To be heard of is progress, too.
        left = len(found) + 2 * unheard
        if not left:
            return []
        if left < fewest:
            fewest, progressed = left, time.monotonic()
        if time.monotonic() - progressed > PATIENCE_SECONDS:
            if unheard:
                logger.warning("%d task runs are missing in Prefect's UI", unheard)
            return found
        time.sleep(wait)
        wait = min(2.0, wait * 2)


class _Unknown:
    """Task runs of which the server has not heard at all; it lists none of them."""

    def __init__(self, client: SyncPrefectClient, endings: Endings) -> None:
        self._client = client
        self._pages = list(pages(endings.by_task_run, COUNTED))

    def count(self) -> int:
        """Ask for those that it did not know the last time."""
        lacking = [(ids, len(ids) - self._known(ids)) for ids in self._pages]
        self._pages = [ids for ids, missing in lacking if missing]
        return sum(missing for _, missing in lacking)

    def _known(self, ids: list[UUID]) -> int:
        wanted = TaskRunFilter(id=TaskRunFilterId(any_=ids)).model_dump(mode="json")
        answer = self._client.request("POST", "/task_runs/count", json={"task_runs": wanted})
        return int(answer.raise_for_status().json())


def _not_completed(client: SyncPrefectClient, flow_run: UUID) -> Iterator[TaskRun]:
    types: list[StateType] = [kind for kind in StateType if kind != StateType.COMPLETED]
    for page in itertools.count():
        found = client.read_task_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[flow_run])),
            task_run_filter=TaskRunFilter(
                state=TaskRunFilterState(type=TaskRunFilterStateType(any_=types))
            ),
            limit=PAGE,
            offset=page * PAGE,
        )
        yield from found
        if len(found) < PAGE:
            return
