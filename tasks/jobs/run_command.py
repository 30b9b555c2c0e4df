"""
The task that workers run for a job: `{"task": "run-command", "parameters": {"command": …}}`.

Its row in the database decides whether it is run: a message is only the news that there is a job.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from prefect import runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
from prefect.states import Cancelled, Completed
from prefect_rabbitmq import current_message

from database.engine import open_database
from database.job_life import Claim, claim_job
from database.jobs import Order
from database.locks import LockIsTaken, take_lock
from tasks import retries
from tasks.jobs.attempt import TryAgain, patiently, pause
from tasks.jobs.running import run_job
from tasks.jobs.words import called
from tasks.settings import Settings

#: Most tries of a job; its command's handling asks for fewer.
MOST_TRIES = 11
#: Seconds between looks whether somebody still runs a job whose message has come again.
BUSY_SECONDS = 0.5
#: Where a job is run that came by no message: in its flow's own process.
HERE = "(flow)"


def _name() -> str:
    return called(**runtime.task_run.parameters)


def _task_run() -> TaskRun:
    if context := TaskRunContext.get():
        return context.task_run
    raise RuntimeError("run-command is run by Prefect only")


@task(
    name="run-command",
    task_run_name=_name,
    cache_policy=NO_CACHE,
    retries=MOST_TRIES - 1,
    retry_condition_fn=retries.on(TryAgain),
)
def run_command(
    command: str,
    payload: Any = None,
    number: int | None = None,  # noqa: ARG001 - it is in the name
    version: str | None = None,
    step: int | None = None,
    job: UUID | None = None,
) -> Any:
    """
    Run a command over a payload.

    Args:
        command: The name of a command that is installed here.
        payload: Whatever the command takes.
        number: Of the job in its group, where whoever publishes it knows that.
        version: Of the command's code, for which the job was made.
        step: Its place among the jobs of its flow run, if that has several.
        job: The job's id, where that is not the message's: it was moved, or let go on.

    Returns:
        The state that it ends with; its message is what the command said, its data are `job`,
        `group`, `number`, `status` and `answer`.

    Raises:
        JobFailed: It has failed for good.
        TryAgain: It is tried again, by Prefect.
    """
    message = current_message()
    work_queue, worker = (message.work_queue, message.worker) if message else ("default", HERE)
    settings, task_run = Settings(), _task_run()
    order = Order(
        command=command,
        payload=payload,
        work_queue=work_queue,
        version=version,
        flow_run=task_run.flow_run_id,
        step=step,
    )
    id_ = job or task_run.id
    with _alone(settings, id_):
        claim = patiently(
            lambda: claim_job(open_database(settings.database), id_, task_run.id, order, worker)
        )
        # Prefect's server takes the name with the next state: also of one that had no number.
        task_run.name = called(command, payload, claim.job.number)
        return _refusal(claim) or run_job(claim.job, settings, tries=task_run.run_count)


@contextmanager
def _alone(settings: Settings, id_: UUID) -> Iterator[None]:
    """
    Wait until nobody else runs this job.

    A worker that has lost its connection to RabbitMQ may still be at it when the message has come
    to another one.
    """
    while True:
        try:
            held = patiently(lambda: take_lock(settings.database, f"job {id_}"))
            break
        except LockIsTaken:
            pause(BUSY_SECONDS)
    try:
        yield
    finally:
        held.release()


def _refusal(claim: Claim) -> State[Any] | None:
    """Return the state of a message whose job is not to be run."""
    job = claim.job
    match claim.refused:
        case None:
            return None
        case "moved":
            where = f"to work queue {job.work_queue}, #{job.number}"
            return Cancelled(name="Moved", message=where)
        case "repeated":
            return Cancelled(message=f"The job was run again as {job.rerun}")
        case "completed":
            # Acknowledged it was not, or published twice.
            data = {"job": str(job.id), "status": job.status, "answer": job.answer}
            return Completed(message=f"{job.status}, as it was before", data=data)
        case refused:
            return Cancelled(name=refused.capitalize(), message=f"The job is {refused}")
