"""Forgetting jobs that ended long ago."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, delete, select

from database.engine import reading, transaction
from database.tables import jobs, now

#: How long a job that has ended is kept, for those who ask.
KEPT = timedelta(days=90)
#: Of which states; one that is held has its work before it.
ENDED = ("completed", "failed", "cancelled", "superseded")
#: Most that are removed at once: SQLite has one writer, and others wait for it.
MOST = 5_000


def forget_jobs(engine: Engine, most: int = MOST) -> int:
    """Remove jobs that ended longer ago than `KEPT`, at most so many; returns how many."""
    old = select(jobs.c.id).where(jobs.c.state.in_(ENDED), jobs.c.ended_at < now() - KEPT)
    with reading(engine) as connection:
        if connection.execute(old.limit(1)).first() is None:
            return 0
    with transaction(engine) as connection:
        # What somebody else removes, or repeats, at this moment is left to him.
        free = old.limit(most).with_for_update(skip_locked=True)
        return connection.execute(delete(jobs).where(jobs.c.id.in_(free))).rowcount
