"""Letting jobs go on that a deploy has held."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.logging import get_run_logger

from tasks.jobs.changes import each, held, release
from tasks.jobs.refusals import in_one_line
from tasks.settings import Settings


@flow(name="release-jobs", description="Run jobs that were held because their code had changed.")
def release_jobs(jobs: list[UUID] = [], command: str = "") -> Any:  # noqa: B006 - the run form shows it
    """
    Put jobs back on their work queues that wait for somebody to look at a changed command.

    Args:
        jobs: Their ids, as `list-jobs` tells them. Empty: all that are held.
        command: Without ids: only those of this command.

    Returns:
        What became of each.
    """
    log, settings = get_run_logger().info, Settings()
    return in_one_line(lambda: each(release(jobs or held(command, settings), settings), log))
