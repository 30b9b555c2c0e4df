"""Jobs of which only Prefect knows that they are over: their worker died, or their flow run did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterId
from prefect.client.schemas.objects import State, TaskRun

from database.engine import open_database
from database.job_life import lose_job
from database.jobs import OPEN, StoredJob, Wanted, list_jobs
from tasks.settings import Settings

#: A job that ended a moment ago may be about to be stored by its worker.
SETTLED = timedelta(seconds=60)
#: Jobs that are looked at, and task runs that the API gives at once.
MOST, PAGE = 100_000, 200


def refresh(settings: Settings) -> int:
    """
    End the jobs that Prefect calls over and whose worker could not say so.

    Costs an API call for each 200 jobs that wait or run for longer than a minute.

    Returns:
        How many there were.
    """
    engine = open_database(settings.database)
    wanted = Wanted(states=OPEN, until=datetime.now(UTC) - SETTLED)
    lost = 0
    for job, task_run in _known(list_jobs(engine, wanted, MOST)):
        state = task_run.state
        if state is not None and state.is_final() and _is_settled(state):
            cancelled = state.is_cancelled()
            lose_job(engine, job.id, "cancelled" if cancelled else "failed", state.message)
            lost += 1
    return lost


def _is_settled(state: State) -> bool:
    return datetime.now(UTC) - state.timestamp > SETTLED


def _known(jobs: list[StoredJob]) -> Iterator[tuple[StoredJob, TaskRun]]:
    by_message: dict[UUID, StoredJob] = {job.message: job for job in jobs}
    ids = list(by_message)
    with get_client(sync_client=True) as client:
        for first in range(0, len(ids), PAGE):
            page = TaskRunFilter(id=TaskRunFilterId(any_=ids[first : first + PAGE]))
            for task_run in client.read_task_runs(task_run_filter=page, limit=PAGE):
                yield by_message[task_run.id], task_run
