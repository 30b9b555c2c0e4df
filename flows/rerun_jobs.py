"""Running jobs again."""

from datetime import datetime
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.logging import get_run_logger

from tasks.jobs.changes import Wanted, each, over, run_again
from tasks.jobs.refusals import in_one_line
from tasks.settings import Settings


@flow(name="rerun-jobs", description="Run jobs again: some, or all that failed between two times.")
def rerun_jobs(
    jobs: list[UUID] = [],  # noqa: B006 - the run form shows it, and nobody changes it
    since: datetime | None = None,
    until: datetime | None = None,
    command: str = "",
    work_queue: str = "",
) -> Any:
    """
    Run jobs again, each as a new job behind the others of its work queue.

    Again with the same parameters does nothing: a job is run again once. What came of that can be
    run again, if that failed, too.

    Args:
        jobs: Their ids, as `list-jobs` tells them, whatever they have ended with. Empty: those that
            failed ...
        since: ... at this time or later ...
        until: ... and before this one. Empty: until now.
        command: Without ids: only those of this command.
        work_queue: Without ids: only those of this work queue.

    Returns:
        The new job's id for each, or why there is none.
    """
    log, settings = get_run_logger().info, Settings()
    failed = Wanted(
        states=("failed",), since=since, until=until, command=command, work_queue=work_queue
    )
    return in_one_line(lambda: each(run_again(jobs or over(failed, settings), settings), log))
