"""Putting jobs on work queues: the row that numbers a job and its message, both or none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import Any
from uuid import UUID, uuid5

from prefect_rabbitmq import JobPublisher, job_publisher
from sqlalchemy import Connection

from commands.command import FollowUp
from commands.registry import command_named
from commands.version import command_version
from database.engine import open_database, transaction
from database.jobs import Order, add_job
from tasks.broker import WORK_POOL, broker
from tasks.errors import InputError
from tasks.jobs.words import called
from tasks.settings import Settings

#: The task of `tasks.jobs.run_command`, as messages name it.
TASK = "run-command"
#: Jobs of one group that are stored and published in one transaction.
AT_ONCE = 100


def ordered(command: str, payload: Any, work_queue: str) -> Order:
    """
    Order a command, for the code that is installed here.

    Raises:
        CommandError: There is no such command.
    """
    version = command_version(command_named(command))
    return Order(command=command, payload=payload, work_queue=work_queue, version=version)


def emit(orders: Iterable[tuple[UUID, Order]], settings: Settings) -> dict[UUID, int]:
    """
    Put jobs on their work queues, where they are in the order of their numbers.

    Args:
        orders: With the id of each job; one that there is already is not emitted again, so
            whoever does not know whether it was emitted may try once more.
        settings: Of this process.

    Returns:
        The numbers of those that were emitted now.

    Raises:
        InputError: There is no broker.
        Unroutable: There is no such work queue; earlier ones are emitted.
        BrokerUnreachable: RabbitMQ is away; none of the hundred at hand is emitted.
        DatabaseUnreachable: The database is away; the same.
    """
    engine = open_database(settings.database)
    numbers: dict[UUID, int] = {}
    with publisher(settings) as jobs:
        for chunk in _chunks(orders):
            with transaction(engine) as connection:
                added = _add(connection, jobs, chunk)
            numbers |= added
    return numbers


@contextmanager
def publisher(settings: Settings) -> Iterator[JobPublisher]:
    """
    Give what publishes to the work pool.

    Raises:
        InputError: There is no broker.
    """
    if settings.amqp_url is None:
        raise InputError("jobs wait in RabbitMQ: set ROLLCALL_AMQP_URL to where it is")
    with job_publisher(WORK_POOL, broker(settings.amqp_url)) as jobs:
        yield jobs


def publish(jobs: JobPublisher, message: UUID, job: Order, id_: UUID, number: int) -> None:
    """
    Publish the message of a job; its row is stored in the transaction that is under way.

    Args:
        jobs: To the work pool.
        message: Its id.
        job: What is to be done.
        id_: The job's, which is that of its first message.
        number: The job's.
    """
    said = {"command": job.command, "payload": job.payload, "number": number}
    if job.version is not None:
        said["version"] = job.version
    if message != id_:
        said["job"] = str(id_)
    name = called(job.command, job.payload, number)
    jobs.publish(job.work_queue, TASK, said, message_id=str(message), name=name)


def follow_ups(of: UUID, wanted: Iterable[FollowUp]) -> list[tuple[UUID, Order]]:
    """
    Return the jobs that an outcome asks for; the same ones for the same job, however often.

    Raises:
        CommandError: A command is not installed.
    """
    return [
        (uuid5(of, str(number)), ordered(one.command, one.payload, one.work_queue))
        for number, one in enumerate(wanted)
    ]


def adding(
    jobs: JobPublisher, orders: Iterable[tuple[UUID, Order]]
) -> Callable[[Connection], dict[UUID, int]]:
    """Return what stores and publishes jobs within a transaction."""
    # By group: two who add to several could wait for each other.
    listed = sorted(orders, key=lambda one: one[1].work_queue)
    return lambda connection: _add(connection, jobs, listed)


def _add(
    connection: Connection, jobs: JobPublisher, orders: Iterable[tuple[UUID, Order]]
) -> dict[UUID, int]:
    numbers: dict[UUID, int] = {}
    for id_, order in orders:
        number = add_job(connection, id_, order)
        if number is not None:
            publish(jobs, id_, order, id_, number)
            numbers[id_] = number
    return numbers


def _chunks(orders: Iterable[tuple[UUID, Order]]) -> Iterator[list[tuple[UUID, Order]]]:
    """
    Yield orders of one group each, not too many.

    Two who add to several groups in one transaction could wait for each other.
    """
    for _, group in groupby(orders, key=lambda one: one[1].work_queue):
        chunk: list[tuple[UUID, Order]] = []
        for one in group:
            chunk.append(one)
            if len(chunk) == AT_ONCE:
                yield chunk
                chunk = []
        if chunk:
            yield chunk
