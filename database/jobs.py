"""
Jobs: each a row, numbered in its group, that says what became of it.

A job is known by its id. The message that counts may be another one: after a move to another work
queue the old message is still in the old queue, and is of no use when it arrives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    Table,
    and_,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from database.engine import reading
from database.tables import groups, jobs

State = Literal["queued", "running", "completed", "failed", "cancelled", "superseded", "held"]
#: States in which a job still has its work before it.
OPEN: tuple[State, ...] = ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done."""

    command: str
    payload: Any
    work_queue: str
    #: Of the command's code, for which it is ordered; None where nobody says.
    version: str | None = None
    #: The flow run that waits for it, and its place among that one's jobs, from 0.
    flow_run: UUID | None = None
    step: int | None = None
    #: The job that it repeats.
    rerun_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """A job, as its row has it; see `database.tables.jobs`."""

    id: UUID
    work_queue: str
    number: int
    command: str
    payload: Any
    state: State
    message: UUID
    version: str | None
    attempts: int
    worker: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    status: str | None
    answer: Any
    error: str | None
    flow_run: UUID | None
    step: int | None
    rerun_of: UUID | None
    rerun: UUID | None

    @property
    def order(self) -> Order:
        """What is to be done."""
        return Order(
            command=self.command,
            payload=self.payload,
            work_queue=self.work_queue,
            version=self.version,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs; what is not said leaves nothing out."""

    states: Sequence[State] = ()
    #: When it ended, or came if it has not ended: from this time on, and before that one. A time
    #: without a zone is in UTC.
    since: datetime | None = None
    until: datetime | None = None
    command: str = ""
    work_queue: str = ""

    def condition(self) -> ColumnElement[bool]:
        """Return the same as a condition."""
        wanted: list[ColumnElement[bool]] = []
        if self.states:
            wanted.append(jobs.c.state.in_(self.states))
        # Not `coalesce`, for which there is no index.
        is_open = jobs.c.ended_at.is_(None)
        if self.since is not None:
            since = _in_utc(self.since)
            came = and_(is_open, jobs.c.created_at >= since)
            wanted.append(or_(jobs.c.ended_at >= since, came))
        if self.until is not None:
            until = _in_utc(self.until)
            came = and_(is_open, jobs.c.created_at < until)
            wanted.append(or_(jobs.c.ended_at < until, came))
        if self.command:
            wanted.append(jobs.c.command == self.command)
        if self.work_queue:
            wanted.append(jobs.c.work_queue == self.work_queue)
        return and_(true(), *wanted)


def add_job(connection: Connection, id_: UUID, order: Order, **more: Any) -> int | None:
    """
    Add a job and number it: the next one of its group. One that is there stays as it is.

    Whoever adds one to the same group waits for this transaction to end, so what is published
    within it is in the queue in the order of the numbers.

    Args:
        connection: In a transaction.
        id_: Its id, which is that of its first message.
        order: What is to be done.
        more: Other columns; without any it is queued.

    Returns:
        Its number; None if there was one of this id.
    """
    if connection.scalar(select(jobs.c.id).where(jobs.c.id == id_)) is not None:
        return None
    number = next_number(connection, order.work_queue)
    row = {
        "id": id_,
        "message": id_,
        "number": number,
        "state": "queued",
        "command": order.command,
        "payload": order.payload,
        "work_queue": order.work_queue,
        "version": order.version,
        "flow_run": order.flow_run,
        "step": order.step,
        "rerun_of": order.rerun_of,
    }
    # Somebody may be adding it at the same moment; this waits for him.
    added = _insert(connection, jobs).values(row | more).on_conflict_do_nothing()
    if connection.scalar(added.returning(jobs.c.id)) is None:
        # As when a worker has got the message before whoever emits it has stored the row.
        _give_back(connection, order.work_queue)
        return None
    return number


def next_number(connection: Connection, work_queue: str) -> int:
    """Return the next number of a group, which nobody else gets; gone if this is undone."""
    added = _insert(connection, groups).values(work_queue=work_queue, last=1)
    moved = added.on_conflict_do_update(
        index_elements=[groups.c.work_queue], set_={"last": groups.c.last + 1}
    )
    return int(connection.scalar(moved.returning(groups.c.last)))


def _give_back(connection: Connection, work_queue: str) -> None:
    """Give back the number that was just taken: whoever wants the next one waits for us."""
    group = groups.c.work_queue == work_queue
    connection.execute(update(groups).where(group).values(last=groups.c.last - 1))


def read_job(engine: Engine, id_: UUID) -> StoredJob | None:
    """Return a job; None if there is none of this id."""
    return next(iter(_read(engine, jobs.c.id == id_, 1)), None)


def completed_steps(engine: Engine, flow_run: UUID) -> dict[int, StoredJob]:
    """Return the jobs of a flow run that have completed, by their place among its jobs."""
    done = and_(jobs.c.flow_run == flow_run, jobs.c.state == "completed", jobs.c.step.is_not(None))
    return {job.step: job for job in _read(engine, done, None) if job.step is not None}


def list_jobs(engine: Engine, wanted: Wanted, limit: int = 1_000) -> list[StoredJob]:
    """
    Return jobs, the earliest first.

    Args:
        engine: The database.
        wanted: Which.
        limit: At most so many.
    """
    return _read(engine, wanted.condition(), limit)


def newest_jobs(engine: Engine, wanted: Wanted, limit: int) -> list[StoredJob]:
    """Return at most so many jobs, the latest first."""
    return _read(engine, wanted.condition(), limit, latest_first=True)


def count_jobs(engine: Engine, wanted: Wanted) -> dict[State, int]:
    """Return how many jobs there are in each state, the most numerous first."""
    counted = select(jobs.c.state, func.count()).where(wanted.condition())
    ordered = counted.group_by(jobs.c.state).order_by(func.count().desc(), jobs.c.state)
    with reading(engine) as connection:
        return dict(connection.execute(ordered).tuples().all())


def stored(row: RowMapping) -> StoredJob:
    """Return a row of `COLUMNS` as a job."""
    return StoredJob(**row)


#: What of a row is a job's own; the rest is said of it by others.
COLUMNS = [jobs.c[field.name] for field in fields(StoredJob)]


def _insert(connection: Connection, table: Table) -> Any:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table)


def _in_utc(at: datetime) -> datetime:
    # SQLite stores and compares times as they are written, without their zone.
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _read(
    engine: Engine, wanted: ColumnElement[bool], limit: int | None, *, latest_first: bool = False
) -> list[StoredJob]:
    order: list[Any] = [jobs.c.created_at, jobs.c.number]
    if latest_first:
        order = [column.desc() for column in order]
    found = select(*COLUMNS).where(wanted).order_by(*order).limit(limit)
    with reading(engine) as connection:
        return [stored(row) for row in connection.execute(found).mappings()]
