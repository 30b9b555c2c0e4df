"""Cancelling jobs that wait or run."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.logging import get_run_logger

from tasks.jobs.changes import cancel, each
from tasks.jobs.refusals import in_one_line
from tasks.settings import Settings


@flow(name="cancel-jobs", description="Cancel jobs: one that waits never begins.")
def cancel_jobs(jobs: list[UUID]) -> Any:
    """
    Cancel jobs. Those of a chain or a batch are cancelled with its flow run.

    Args:
        jobs: Their ids, as `list-jobs` and `emit-job` tell them.

    Returns:
        What became of each.
    """
    log = get_run_logger().info
    return in_one_line(lambda: each(cancel(jobs, Settings()), log))
