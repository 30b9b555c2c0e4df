"""Jobs of which only Prefect knows that they are over: their worker died, or their flow run did."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State, TaskRun
from prefect.settings import (
    PREFECT_API_REQUEST_TIMEOUT,
    PREFECT_CLIENT_MAX_RETRIES,
    get_current_settings,
    temporary_settings,
)
from prefect_rabbitmq.task_runs import read_task_runs

from database.engine import open_database
from database.job_life import lose_job
from database.jobs import OPEN, StoredJob, Wanted, list_jobs
from database.jobs import State as JobState
from tasks.settings import Settings

#: A job that ended a moment ago may be about to be stored by its worker.
SETTLED = timedelta(seconds=60)
#: Jobs that are looked at.
MOST = 100_000
#: The same for those in haste.
SOME = 1_000
PATIENCE_SECONDS = 5.0
HASTE: dict[Any, Any] = {
    PREFECT_API_REQUEST_TIMEOUT: PATIENCE_SECONDS,
    PREFECT_CLIENT_MAX_RETRIES: 0,
}

_LOGGER = logging.getLogger(__name__)


def refresh(settings: Settings) -> int:
    """
    End the jobs that Prefect calls over and whose worker could not say so.

    Costs an API call for each 200 jobs that wait or run for longer than a minute.

    Returns:
        How many there were.
    """
    return _end_lost(settings.database, OPEN, MOST)


def refresh_some(database: str) -> None:
    """
    Do so for the oldest thousand that run, and that wait; what goes wrong is only logged.

    For those who have something more urgent to do: it asks once, and waits for an answer no longer
    than `PATIENCE_SECONDS`. Of a Prefect without a server of its own nobody is asked.
    """
    if not get_current_settings().api.url:
        return
    try:
        # Whoever waits in a long queue shall not hide those that died running.
        for state in OPEN[::-1]:
            with temporary_settings(HASTE):
                _end_lost(database, (state,), SOME)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next minute asks again
        _LOGGER.warning("Prefect was not asked which jobs are lost: %s", type(error).__name__)


def _end_lost(database: str, states: tuple[JobState, ...], most: int) -> int:
    engine = open_database(database)
    wanted = Wanted(states=states, until=datetime.now(UTC) - SETTLED)
    lost = 0
    for job, task_run in _known(list_jobs(engine, wanted, most)):
        state = task_run.state
        if state is not None and state.is_final() and _is_settled(state):
            cancelled = state.is_cancelled()
            lose_job(engine, job.id, "cancelled" if cancelled else "failed", state.message)
            lost += 1
    return lost


def _is_settled(state: State) -> bool:
    return datetime.now(UTC) - state.timestamp > SETTLED


def _known(jobs: list[StoredJob]) -> Iterator[tuple[StoredJob, TaskRun]]:
    by_message = {job.message: job for job in jobs}
    if not by_message:
        return
    with get_client(sync_client=True) as client:
        for id_, task_run in read_task_runs(client, by_message).items():
            yield by_message[id_], task_run
