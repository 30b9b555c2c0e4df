"""
Digests: what has ended, and was not told before, is told together, exactly once.

A run or a job names the digest that tells of it, and gets that name in one statement. Not by the
time of the last mail: a transaction may commit late with an early time, and would be left out. An
index of what can be told holds what is not told yet in one place; so the cost of a look follows
what is new, and not how much there ever was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    Connection,
    Engine,
    Row,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)

from database.engine import reading, transaction
from database.tables import changes, digests, jobs, lists, now, outbox, runs, subscribers

#: What can be told, in the words of the indexes `runs_told` and `jobs_told`.
_ENDED = runs.c.ended_at.is_not(None)
_FAILED = jobs.c.state == literal_column("'failed'")
_UNTOLD_RUNS = select(runs.c.number).where(_ENDED, runs.c.digest.is_(None))
_UNTOLD_JOBS = select(jobs.c.id).where(_FAILED, jobs.c.digest.is_(None))


def make_digest(engine: Engine) -> None:
    """Make a digest of all that has ended and is in none; nothing is written where nothing has."""
    with reading(engine) as connection:
        if not _any_untold(connection):
            return
    with transaction(engine) as connection:
        close_digest(connection)


def close_digest(connection: Connection) -> int:
    """
    Make a digest, where there is something to tell.

    Args:
        connection: In a transaction. Until its end nobody else makes one, so that what ends later
            is in a later digest.

    Returns:
        The number of the last digest; 0 where there was none yet.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE digests IN SHARE ROW EXCLUSIVE MODE"))
    if _any_untold(connection):
        digest = connection.execute(insert(digests).returning(digests.c.id)).scalar_one()
        # Rows that somebody is writing to wait for the next one, and nobody for them.
        for table, key, untold in (
            (runs, runs.c.number, _UNTOLD_RUNS),
            (jobs, jobs.c.id, _UNTOLD_JOBS),
        ):
            free = untold.with_for_update(skip_locked=True)
            connection.execute(update(table).where(key.in_(free)).values(digest=digest))
    return connection.execute(select(func.max(digests.c.id))).scalar() or 0


def unposted_digests(engine: Engine) -> list[int]:
    """Return the digests whose mails are not in the outbox yet, the oldest first."""
    statement = select(digests.c.id).where(digests.c.posted_at.is_(None)).order_by(digests.c.id)
    with reading(engine) as connection:
        return list(connection.execute(statement).scalars())


def post_digest(
    engine: Engine,
    digest: int,
    domain: str,
    written: Callable[[frozenset[str]], dict[str, str] | None],
) -> int:
    """
    Put a digest's mails into the outbox, all or none; once, however often it is called.

    Args:
        engine: The database.
        digest: Its number.
        domain: What the mails' ids end with.
        written: Gives subject, text and html of the mail for some topics; None where there is
            nothing to say about them.

    Returns:
        How many mails there are.
    """
    with transaction(engine) as connection:
        mine = update(digests).where(digests.c.id == digest, digests.c.posted_at.is_(None))
        if not connection.execute(mine.values(posted_at=now())).rowcount:
            return 0
        # Who unsubscribes now waits, and then takes this mail away, too.
        asking = select(subscribers.c.address, subscribers.c.topics).where(
            subscribers.c.since < digest
        )
        found = connection.execute(asking.with_for_update(read=True)).tuples().all()
        mails = [
            {**mail, **_row(digest, address, domain)}
            for address, topics in sorted(found)
            if (mail := written(frozenset(topics))) is not None
        ]
        if mails:
            connection.execute(insert(outbox), mails)
        return len(mails)


def _row(digest: int, address: str, domain: str) -> dict[str, Any]:
    message_id = f"<{uuid4().hex}@{domain}>"
    return {"digest": digest, "address": address, "message_id": message_id}


def digest_counts(engine: Engine, digest: int, but_not: str) -> tuple[int, int, int]:
    """
    Return how many runs, changed results and failed jobs a digest tells of.

    The changes are counted by the primary key, those of the digest's runs only.

    Args:
        engine: The database.
        digest: Its number.
        but_not: The command whose jobs are not told.
    """
    told = select(runs.c.number).where(_ENDED, runs.c.digest == digest)
    count = select(func.count())
    with reading(engine) as connection:
        ended = connection.execute(count.select_from(told.subquery())).scalar_one()
        changed = connection.execute(
            count.select_from(changes).where(changes.c.run.in_(told))
        ).scalar_one()
        failed = connection.execute(
            count.select_from(jobs).where(
                _FAILED, jobs.c.digest == digest, jobs.c.command != but_not
            )
        ).scalar_one()
    return ended, changed, failed


def digest_runs(engine: Engine, digest: int, limit: int) -> list[Row[Any]]:
    """Return the last runs (<= limit) of a digest: number, id, list (its name), ended_at."""
    statement = (
        select(runs.c.number, runs.c.id, lists.c.name.label("list"), runs.c.ended_at)
        .outerjoin(lists, lists.c.id == runs.c.list_id)
        .where(_ENDED, runs.c.digest == digest)
        .order_by(runs.c.number.desc())
        .limit(limit)
    )
    with reading(engine) as connection:
        return list(connection.execute(statement))


def digest_jobs(engine: Engine, digest: int, but_not: str, limit: int) -> list[Row[Any]]:
    """
    Return a digest's failed jobs, those of one command with one error as one row.

    Returns:
        Rows (<= limit), the most numerous first: jobs (how many), and of the last one
        its id, work_queue, number, command, payload, error, ended_at.
    """
    kind = (jobs.c.command, jobs.c.error)
    grouped = (
        select(
            *(jobs.c[name] for name in ("id", "work_queue", "number", "payload", "ended_at")),
            *kind,
            func.count().over(partition_by=kind).label("jobs"),
            func.row_number()
            .over(partition_by=kind, order_by=(jobs.c.ended_at.desc(), jobs.c.number.desc()))
            .label("place"),
        )
        .where(_FAILED, jobs.c.digest == digest, jobs.c.command != but_not)
        .subquery()
    )
    order = (grouped.c.jobs.desc(), grouped.c.command, grouped.c.error)
    statement = select(grouped).where(grouped.c.place == 1).order_by(*order).limit(limit)
    with reading(engine) as connection:
        return list(connection.execute(statement))


def _any_untold(connection: Connection) -> bool:
    return bool(
        connection.execute(select(exists(_UNTOLD_RUNS) | exists(_UNTOLD_JOBS))).scalar_one()
    )
