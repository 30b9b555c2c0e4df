"""Jobs at once, and what follows them."""

from typing import Any

from prefect import flow

from tasks.jobs.collections import run_batch
from tasks.jobs.orders import JobOrder
from tasks.jobs.refusals import in_one_line
from tasks.settings import Settings


@flow(name="batch-jobs", description="Run jobs at once, then what is to follow.")
def batch_jobs(
    jobs: list[JobOrder],
    then: JobOrder | None = None,
    catch: JobOrder | None = None,
    finally_: JobOrder | None = None,
    allow_failures: bool = False,  # noqa: FBT001, FBT002 - a field of the run form
    work_queue: str = "default",
) -> Any:
    """
    Run jobs on as many workers as there are, show how far they are, then run what follows.

    A retry of this run does what has not completed.

    Args:
        jobs: Each as `{"command": "cron_frame", "payload": 5}`; they are begun in this order.
        then: A job for when all have succeeded. Without a payload it is given what became of the
            batch, as the other two are.
        catch: A job for when one has failed.
        finally_: A job for the end, whatever it was like.
        allow_failures: Go on after a failure, and complete. Otherwise what has not begun by then
            does not, and this run fails.
        work_queue: Where they wait.

    Returns:
        The state of the batch, with how many have completed, failed, or were not begun.
    """
    callbacks = {"then": then, "catch": catch, "finally": finally_}
    return in_one_line(
        lambda: run_batch(jobs, callbacks, work_queue, Settings(), allow_failures=allow_failures)
    )
