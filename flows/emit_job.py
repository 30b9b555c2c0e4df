"""The flow that schedules run instead of cron: it puts one job on a work queue."""

from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from tasks.jobs.emitting import emit_job as put
from tasks.jobs.emitting import emitted, id_of
from tasks.jobs.orders import JobOrder
from tasks.jobs.refusals import in_one_line
from tasks.jobs.steps import run_one
from tasks.settings import Settings


@flow(name="emit-job", description="Put a job on a work queue.")
def emit_job(
    command: str,
    payload: Any = None,
    work_queue: str = "default",
    wait: bool = False,  # noqa: FBT001, FBT002 - a field of the run form
) -> Any:
    """
    Put a job on a work queue of the pool; a listener, which is a worker, runs it.

    Args:
        command: The name of a command, e.g. `cron_frame`.
        payload: What it is given: any JSON.
        work_queue: Where it waits, behind what is there: `prefect worker start --work-queue …`
            takes from it.
        wait: Wait for the job, and end as it ends. Otherwise this run ends at once, and the job is
            a task run of its own.

    Returns:
        The job's id, group and number; with `wait` the job's own result.
    """
    if wait:
        order = JobOrder(command=command, payload=payload)
        return in_one_line(lambda: run_one(order, work_queue, Settings()))
    # A retry of this run knows by the id that its job is there.
    job = id_of(flow_run.id)
    return in_one_line(lambda: emitted(put(command, payload, work_queue, job)))
