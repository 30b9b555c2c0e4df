"""Moving jobs that wait to another work queue."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.logging import get_run_logger

from tasks.jobs.changes import each, move
from tasks.jobs.refusals import in_one_line
from tasks.settings import Settings


@flow(name="move-jobs", description="Move jobs that wait to another work queue.")
def move_jobs(jobs: list[UUID], work_queue: str = "high") -> Any:
    """
    Move jobs that wait to another work queue: one with another priority, or another group.

    Args:
        jobs: Their ids, as `list-jobs` and `emit-job` tell them.
        work_queue: Where to; there each gets a number behind those that are there.

    Returns:
        What became of each; one that has begun stays where it is.
    """
    log = get_run_logger().info
    return in_one_line(lambda: each(move(jobs, work_queue, Settings()), log))
