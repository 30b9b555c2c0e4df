"""The step that puts one job on a work queue, for any flow."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4, uuid5

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed
from prefect.tasks import exponential_backoff
from prefect_rabbitmq.errors import BrokerUnreachable, Refused

from database.errors import DatabaseUnreachable
from tasks import retries
from tasks.jobs.emit import emit, ordered
from tasks.jobs.words import called
from tasks.settings import Settings

#: What passes by itself.
TRANSIENT = (BrokerUnreachable, DatabaseUnreachable, Refused)
#: Waits of 2, 4, 8, 16, 32 and 64 s: a broker's restart takes less.
RETRIES = 6


@task(
    name="emit-job",
    cache_policy=NO_CACHE,
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(2),
    retry_condition_fn=retries.on(*TRANSIENT),
)
def emit_job(
    command: str, payload: Any = None, work_queue: str = "default", job: UUID | None = None
) -> dict[str, Any]:
    """
    Put a job on a work queue, and do not wait for it.

    Args:
        command: The name of a command.
        payload: Whatever that takes; any JSON.
        work_queue: Of the work pool.
        job: Its id; one that there is already is not emitted again.

    Returns:
        `job`, its id; `group` and `number`, its place there, None if it was emitted before.

    Raises:
        CommandError: There is no such command.
        InputError: There is no broker.
        Unroutable: There is no such work queue.
        BrokerUnreachable: RabbitMQ is away, also after some retries.
        DatabaseUnreachable: The same for the database.
    """
    id_ = job or uuid4()
    number = emit([(id_, ordered(command, payload, work_queue))], Settings()).get(id_)
    name = called(command, payload, number)
    get_run_logger().info("%s is on work queue %s: job %s", name, work_queue, id_)
    return {"job": str(id_), "group": work_queue, "number": number}


def emitted(told: dict[str, Any]) -> State[Any]:
    """Return the state of a flow run that has emitted a job, and does no more."""
    number = told["number"]
    which = f"#{number}" if number else "the job that it was before"
    words = f"On work queue {told['group']}, {which}: job {told['job']}"
    return Completed(message=words, data=told)


def id_of(flow_run: str) -> UUID:
    """Return the id of the job that a flow run emits."""
    return uuid5(UUID(flow_run), "emit-job")
