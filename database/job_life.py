"""What happens to a job: it is taken, it ends, it is cancelled, it goes to another work queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Connection, Engine, or_, select, update

from database.engine import transaction
from database.jobs import COLUMNS, OPEN, Order, State, StoredJob, add_job, next_number, stored
from database.tables import jobs, now

#: Publishes a job within the transaction that stores it: its message, and the job.
Publish = Callable[[UUID, StoredJob], Any]
#: States from which the message of a job may be run: redelivered after its worker died, or replayed
#: from the dead letters.
RUNNABLE: tuple[State, ...] = ("queued", "running", "failed")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker learns of the job of a message that it is to run."""

    job: StoredJob
    #: Why it is not to be run: the state that the job has, or that its message is an old one, or
    #: that another job repeats it.
    refused: State | Literal["moved", "repeated"] | None = None


def claim_job(engine: Engine, id_: UUID, message: UUID, order: Order, worker: str) -> Claim:
    """
    Take the job of a message; one that nobody has stored yet came from outside, and is stored now.

    Whoever is about to store it, or to give it another message, is waited for.

    Args:
        engine: The database.
        id_: The job.
        message: The task run that stands for the message.
        order: What the message says.
        worker: Who takes it.

    Raises:
        DatabaseUnreachable: The database is away.
    """
    with transaction(engine) as connection:
        job = _locked(connection, id_)
        if job is None:
            add_job(connection, id_, order, message=message)
            job = _the(connection, id_)
        if job.message != message:
            return Claim(job, "moved")
        if job.rerun is not None:
            return Claim(job, "repeated")
        if job.state not in RUNNABLE:
            return Claim(job, job.state)
        taken = {"state": "running", "attempts": job.attempts + 1, "worker": worker}
        # A failure that was told is not this one's, if there is to be one.
        taken |= {"started_at": job.started_at or now(), "ended_at": None, "digest": None}
        _set(connection, job.id, taken)
        return Claim(_the(connection, job.id))


def end_job(
    engine: Engine,
    id_: UUID,
    state: State,
    also: Callable[[Connection], Any] | None = None,
    **more: Any,
) -> None:
    """
    End a job, or hold it.

    Args:
        engine: The database.
        id_: The job.
        state: What it has come to.
        also: What is to be stored with that, or not at all.
        more: Other columns, as `status`, `answer` and `error`.
    """
    with transaction(engine) as connection:
        _set(connection, id_, {"state": state, "ended_at": now(), **more})
        if also is not None:
            also(connection)


def lose_job(engine: Engine, id_: UUID, state: State, error: str | None) -> None:
    """End a job of which only Prefect knows that it is over: its worker died, or its flow run."""
    with transaction(engine) as connection:
        over = {"state": state, "ended_at": now(), "error": error}
        is_open = jobs.c.state.in_(OPEN)
        connection.execute(update(jobs).where(jobs.c.id == id_, is_open).values(over))


def cancel_job(engine: Engine, id_: UUID, states: Sequence[State]) -> StoredJob | None:
    """
    Cancel a job that is in one of some states: whoever gets its message does not run it.

    Returns:
        The job as it was before; None if there is none.
    """
    with transaction(engine) as connection:
        job = _locked(connection, id_)
        if job is not None and job.state in states:
            _set(connection, job.id, {"state": "cancelled", "ended_at": now()})
        return job


def publish_anew(
    engine: Engine, id_: UUID, publish: Publish, *, states: Sequence[State], work_queue: str = ""
) -> StoredJob | None:
    """
    Publish a job once more, under a new message that is the one that counts from now on.

    Args:
        engine: The database.
        id_: The job.
        publish: Publishes it; what it raises leaves the job as it was.
        states: It is done in these only.
        work_queue: Where to, with a number of that group; empty for where it is.

    Returns:
        The job as it was before; None if there is none, or not in one of these states.
    """
    with transaction(engine) as connection:
        job = _locked(connection, id_)
        if job is None or job.state not in states:
            return None
        changed: dict[str, Any] = {"state": "queued", "message": uuid4(), "ended_at": None}
        if job.state == "held":
            # Whoever lets it go on wants it run by the code that there is.
            changed["version"] = None
        if work_queue and work_queue != job.work_queue:
            changed |= {"work_queue": work_queue, "number": next_number(connection, work_queue)}
        _set(connection, job.id, changed)
        # Last, and before the end of the transaction, for which whoever gets the message waits. If
        # it is undone, another message than that one counts.
        publish(changed["message"], replace(job, **changed))
        return job


def repeat_job(
    engine: Engine, id_: UUID, publish: Publish, *, states: Sequence[State]
) -> StoredJob | None:
    """
    Store and publish a job that repeats another one, which is marked so, and repeated only once.

    Returns:
        The new job; None if the other one is not in one of these states, or was repeated before.
    """
    with transaction(engine) as connection:
        job = _locked(connection, id_)
        if job is None or job.state not in states or job.rerun is not None:
            return None
        # Always the same: whoever tries once more finds what came of the first try.
        new = uuid5(job.id, "again")
        # By the code that there is.
        order = replace(job.order, version=None, rerun_of=job.id)
        added = add_job(connection, new, order)
        _set(connection, job.id, {"rerun": new})
        repeated = _the(connection, new)
        if added is not None:
            publish(new, repeated)
        return repeated


def _locked(connection: Connection, id_: UUID) -> StoredJob | None:
    """Return a job by its id or the id of its message; nobody else changes it meanwhile."""
    its = or_(jobs.c.id == id_, jobs.c.message == id_)
    row = connection.execute(select(*COLUMNS).where(its).with_for_update()).mappings().first()
    return stored(row) if row else None


def _the(connection: Connection, id_: UUID) -> StoredJob:
    return stored(connection.execute(select(*COLUMNS).where(jobs.c.id == id_)).mappings().one())


def _set(connection: Connection, id_: UUID, values: dict[str, Any]) -> None:
    connection.execute(update(jobs).where(jobs.c.id == id_).values(values))
