"""The work pool of Rollcall and what belongs to it: on Prefect's server, and in RabbitMQ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect_rabbitmq.connections import opened_channel
from prefect_rabbitmq.topology import declare_pool
from prefect_rabbitmq.worker import RabbitMQWorker
from pydantic import SecretStr

from tasks.broker import WORK_POOL, broker
from tasks.errors import InputError

#: The type of the pool and of its workers.
TYPE = RabbitMQWorker.type
#: Its work queues in the order in which they are served, with what the UI says about each.
WORK_QUEUES = {
    "high": "Overtakes: for a few names beside a long list.",
    # Before the batches of long lists, behind which they would wait for hours.
    "cron_events": "Jobs: mails of what has changed.",
    "cron_frame": "Jobs: exports of the product feed.",
    "default": "Everything else.",
}
#: What a worker registers, so that messages may name it.
TASK_MODULES = ["tasks.check", "tasks.jobs.run_command"]


def make_pool(client: SyncPrefectClient) -> None:
    """
    Make the pool where there is none; one that is there gets the task modules that are new.

    Raises:
        InputError: There is one of another type.
    """
    try:
        pool = client.read_work_pool(WORK_POOL)
    except ObjectNotFound:
        template = RabbitMQWorker.get_default_base_job_template()
        template["variables"]["properties"]["task_modules"]["default"] = TASK_MODULES
        client.create_work_pool(
            WorkPoolCreate(name=WORK_POOL, type=TYPE, base_job_template=template)
        )
        return
    if pool.type != TYPE:
        raise InputError(
            f"the work pool {WORK_POOL!r} is of type {pool.type!r}, not {TYPE!r}; if nothing else "
            f"uses it, `prefect work-pool delete {WORK_POOL}` and try again"
        )

    _add_task_modules(client, pool.base_job_template)


def _add_task_modules(client: SyncPrefectClient, template: dict[str, Any]) -> None:
    """An earlier version of Rollcall had fewer, and somebody may have added some."""
    variable = template["variables"]["properties"]["task_modules"]
    there = variable.get("default") or []
    if missing := [module for module in TASK_MODULES if module not in there]:
        variable["default"] = [*there, *missing]
        client.update_work_pool(WORK_POOL, WorkPoolUpdate(base_job_template=template))


def make_work_queues(client: SyncPrefectClient) -> list[str]:
    """
    Make the work queues that the pool does not have; what is set of the others stays.

    Returns:
        The names of all its work queues, those that somebody else made included.
    """
    names = [queue.name for queue in client.read_work_queues(work_pool_name=WORK_POOL)]
    for priority, (name, description) in enumerate(WORK_QUEUES.items(), start=1):
        if name not in names:
            # Whatever had this priority, and what comes after it, moves down by one.
            client.create_work_queue(
                name, description=description, priority=priority, work_pool_name=WORK_POOL
            )
            names.append(name)
    return names


def declare_queues(amqp_url: SecretStr, work_queues: Iterable[str]) -> str:
    """
    Make the queues in RabbitMQ, so that no message is without one before the first worker comes.

    Returns:
        Where that RabbitMQ is, without a password.

    Raises:
        InputError: The URL is none.
        RabbitMQError: It cannot be reached, or has queues of these names with other arguments.
    """
    credentials = broker(amqp_url)
    address = credentials.address
    with opened_channel(credentials.connect("rollcall deploy"), address) as channel:
        declare_pool(channel, WORK_POOL, work_queues)
    return address
