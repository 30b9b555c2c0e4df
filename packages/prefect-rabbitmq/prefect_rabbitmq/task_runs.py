"""Task runs by their ids, as Prefect's server knows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId, TaskRunFilterState
from prefect.client.schemas.objects import TaskRun

__all__ = ["PAGE", "pages", "read_task_runs"]

#: Runs that the API gives at once.
PAGE = 200


def read_task_runs(
    client: SyncPrefectClient, ids: Iterable[UUID], state: TaskRunFilterState | None = None
) -> dict[UUID, TaskRun]:
    """
    Read task runs; those that the server does not know are missing.

    Args:
        client: Of Prefect's API.
        ids: Of the task runs; one API call for each 200.
        state: Only those in such a state.
    """
    found: dict[UUID, TaskRun] = {}
    for page in pages(ids):
        wanted = TaskRunFilter(id=TaskRunFilterId(any_=page), state=state)
        found |= {run.id: run for run in client.read_task_runs(task_run_filter=wanted, limit=PAGE)}
    return found


def pages(ids: Iterable[UUID], size: int = PAGE) -> Iterator[list[UUID]]:
    """Yield ids, so many at once; by default as many as the API gives runs for."""
    listed = list(ids)
    for first in range(0, len(listed), size):
        yield listed[first : first + size]
