"""Runs: one check of a list by one flow run, from its first domain to its last."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Engine, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from database.engine import reading, transaction
from database.errors import ListMissing
from database.lists import StoredList, read_list
from database.tables import now, results, runs


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as the database knows it."""

    #: Stands for the id in the results.
    number: int
    #: The flow run's id.
    id: UUID
    #: None until its list is being loaded.
    list_id: int | None
    #: None until it is done.
    ended_at: datetime | None


def open_run(engine: Engine, run_id: UUID, fingerprint: str | None, checks: list[Any]) -> StoredRun:
    """
    Return the run of a flow run, and make it if there is none yet.

    Args:
        engine: The database.
        run_id: The flow run's id; a retried flow run comes with the same one.
        fingerprint: Of the input, by which an interrupted run of the same file is found again;
            None where only its own flow run may go on with it.
        checks: What is to be checked, as JSON.
    """
    asked = select(runs).where(runs.c.id == run_id)
    values = {"id": run_id, "fingerprint": fingerprint, "checks": checks}
    try:
        with transaction(engine) as connection:
            row = connection.execute(asked).one_or_none()
            if row is None:
                row = connection.execute(insert(runs).values(values).returning(runs)).one()
    except IntegrityError:
        # Another process has made it since we looked.
        with reading(engine) as connection:
            row = connection.execute(asked).one()
    return StoredRun(number=row.number, id=row.id, list_id=row.list_id, ended_at=row.ended_at)


def list_of_run(engine: Engine, run_id: UUID) -> StoredList | None:
    """Return the list of a flow run, if it has one that was loaded to its end."""
    with reading(engine) as connection:
        list_id = connection.execute(select(runs.c.list_id).where(runs.c.id == run_id)).scalar()
    if list_id is None:
        return None
    try:
        return read_list(engine, list_id)
    except ListMissing:
        return None


def use_list(engine: Engine, number: int, list_id: int) -> None:
    """Say which list a run is of; before the list's rows are written, so that a retry finds it."""
    with transaction(engine) as connection:
        connection.execute(update(runs).where(runs.c.number == number).values(list_id=list_id))


def unfinished_before(engine: Engine, number: int, list_id: int, *, quiet: timedelta) -> list[UUID]:
    """
    Return the flow runs of a list's runs that were opened before another one and have no end.

    Args:
        engine: The database.
        number: Of the other one.
        list_id: The list.
        quiet: A run without a new result for so long is left out: nobody is at work on it.
    """
    last = select(func.max(results.c.checked_at)).where(results.c.run == runs.c.number)
    seen = func.coalesce(last.scalar_subquery(), runs.c.started_at)
    statement = (
        select(runs.c.id)
        .where(runs.c.list_id == list_id, runs.c.number < number, runs.c.ended_at.is_(None))
        .where(seen > literal(now() - quiet, DateTime(timezone=True)))
        .order_by(runs.c.number)
    )
    with reading(engine) as connection:
        return list(connection.execute(statement).scalars())


def end_run(engine: Engine, number: int) -> None:
    """Say that every domain of the run has its final result."""
    with transaction(engine) as connection:
        connection.execute(update(runs).where(runs.c.number == number).values(ended_at=now()))


def adopt_run(engine: Engine, run_id: UUID, fingerprint: str, checks: list[Any]) -> UUID | None:
    """
    Let a new flow run go on with the newest unfinished run of the same input and checks.

    Only for a caller who knows that no flow run is at work on it any more.

    Returns:
        The id of the flow run that had it before; none where there is nothing to go on with.
    """
    with transaction(engine) as connection:
        found = connection.execute(
            select(runs.c.number, runs.c.id, runs.c.checks)
            .where(runs.c.fingerprint == fingerprint, runs.c.ended_at.is_(None))
            .order_by(runs.c.number.desc())
        )
        row = next((row for row in found if row.checks == checks), None)
        if row is None:
            return None
        connection.execute(update(runs).where(runs.c.number == row.number).values(id=run_id))
        before: UUID = row.id
    return before
