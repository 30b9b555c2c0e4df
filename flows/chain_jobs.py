"""Jobs one after the other."""

from typing import Any

from prefect import flow

from tasks.jobs.collections import run_chain
from tasks.jobs.orders import JobOrder
from tasks.jobs.refusals import in_one_line
from tasks.settings import Settings


@flow(name="chain-jobs", description="Run jobs one after the other, each only after success.")
def chain_jobs(jobs: list[JobOrder], work_queue: str = "default") -> Any:
    """
    Run jobs one after the other; the first that fails ends the chain.

    A retry of this run goes on with the job that failed.

    Args:
        jobs: Each as `{"command": "cron_frame", "payload": 5}`.
        work_queue: Where they wait.

    Returns:
        The state of the chain, with how many have completed, failed, or were not begun.
    """
    return in_one_line(lambda: run_chain(jobs, work_queue, Settings()))
